-- create "audit_log" table
CREATE TABLE "test_coordination"."audit_log" (
  "id" bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  "at" timestamptz NOT NULL,
  "actor" text NOT NULL,
  "action" text NOT NULL,
  "subject" text NOT NULL,
  "reason" text NOT NULL DEFAULT '',
  "details" jsonb NULL,
  "request_id" text NOT NULL DEFAULT '',
  PRIMARY KEY ("id"),
  CONSTRAINT "audit_log_action_check" CHECK (action <> ''::text),
  CONSTRAINT "audit_log_actor_check" CHECK (actor <> ''::text)
);
-- create index "audit_log_actor_idx" to table: "audit_log"
CREATE INDEX "audit_log_actor_idx" ON "test_coordination"."audit_log" ("actor", "id");
-- create index "audit_log_subject_idx" to table: "audit_log"
CREATE INDEX "audit_log_subject_idx" ON "test_coordination"."audit_log" ("subject", "id");
-- set comment to table: "audit_log"
COMMENT ON TABLE "test_coordination"."audit_log" IS 'What operators did, written in the transaction that did it. Rows are added, never changed.';
-- set comment to column: "action" on table: "audit_log"
COMMENT ON COLUMN "test_coordination"."audit_log"."action" IS 'Kind and verb, such as lock.break.';
-- set comment to column: "subject" on table: "audit_log"
COMMENT ON COLUMN "test_coordination"."audit_log"."subject" IS 'What it was done to: the name or id, of the kind that the action says.';
-- set comment to column: "request_id" on table: "audit_log"
COMMENT ON COLUMN "test_coordination"."audit_log"."request_id" IS 'The caller''s id of the request; empty for one that needs none.';
-- create "execution_locks" table
CREATE TABLE "test_coordination"."execution_locks" (
  "name" text NOT NULL,
  "holder" text NOT NULL,
  "token" bigint NOT NULL,
  "purpose" text NOT NULL DEFAULT '',
  "state" text NOT NULL,
  "acquired_at" timestamptz NOT NULL,
  "renewed_at" timestamptz NOT NULL,
  "expires_at" timestamptz NOT NULL,
  "ended_at" timestamptz NULL,
  "ended_by" text NOT NULL DEFAULT '',
  "end_reason" text NOT NULL DEFAULT '',
  PRIMARY KEY ("name"),
  CONSTRAINT "execution_locks_ended_check" CHECK ((state = 'held'::text) = (ended_at IS NULL)),
  CONSTRAINT "execution_locks_state_check" CHECK (state = ANY (ARRAY['held'::text, 'released'::text, 'broken'::text])),
  CONSTRAINT "execution_locks_token_check" CHECK (token > 0)
);
-- create index "execution_locks_held_idx" to table: "execution_locks"
CREATE INDEX "execution_locks_held_idx" ON "test_coordination"."execution_locks" ("name") WHERE (state = 'held'::text);
-- set comment to table: "execution_locks"
COMMENT ON TABLE "test_coordination"."execution_locks" IS 'The present or last tenure of each lock. A row stays when its lock is free: its token must never be given again.';
-- set comment to column: "token" on table: "execution_locks"
COMMENT ON COLUMN "test_coordination"."execution_locks"."token" IS 'Fencing token: rises with each tenure, for ever. Begins at (timeline - 1) * 2^32 + 1, so that a token that was given before a failover, and lost with it, is not given again after it.';
-- set comment to column: "state" on table: "execution_locks"
COMMENT ON COLUMN "test_coordination"."execution_locks"."state" IS 'Held, until the holder gives it back or an operator breaks it. Whether a lease that is held has expired is asked of the clock.';
-- set comment to column: "expires_at" on table: "execution_locks"
COMMENT ON COLUMN "test_coordination"."execution_locks"."expires_at" IS 'By this server''s clock, as all times of this table; no index has it, so that a renewal is a small write.';
ALTER TABLE test_coordination.execution_locks SET (fillfactor = 70);
