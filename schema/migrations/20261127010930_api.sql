-- create index "execution_events_correlation_idx" to table: "execution_events"
CREATE INDEX "execution_events_correlation_idx" ON "test_coordination"."execution_events" ("correlation_id", "execution_id", "run") WHERE (correlation_id <> ''::text);
-- modify "executions" table
ALTER TABLE "test_coordination"."executions" ADD COLUMN "cancel_requested_at" timestamptz NULL, ADD COLUMN "pinned" boolean NOT NULL DEFAULT false;
-- create index "executions_ended_environment_idx" to table: "executions"
CREATE INDEX "executions_ended_environment_idx" ON "test_coordination"."executions" ("scenario_id", "environment", "status", "ended_at") WHERE (ended_at IS NOT NULL);
-- create index "executions_ended_idx" to table: "executions"
CREATE INDEX "executions_ended_idx" ON "test_coordination"."executions" ("scenario_id", "status", "ended_at") WHERE (ended_at IS NOT NULL);
-- create index "executions_faults_active_idx" to table: "executions"
CREATE INDEX "executions_faults_active_idx" ON "test_coordination"."executions" ("execution_id", "run") WHERE (faults_active > 0);
-- create index "executions_group_idx" to table: "executions"
CREATE INDEX "executions_group_idx" ON "test_coordination"."executions" ("group_id", "created_at", "execution_id", "run") WHERE (group_id <> ''::text);
-- create index "executions_live_scenario_idx" to table: "executions"
CREATE INDEX "executions_live_scenario_idx" ON "test_coordination"."executions" ("scenario_id", "execution_id", "run") WHERE (status = ANY (ARRAY['pending'::text, 'running'::text, 'paused'::text]));
-- create index "executions_pinned_idx" to table: "executions"
CREATE INDEX "executions_pinned_idx" ON "test_coordination"."executions" ("created_at", "execution_id", "run") WHERE pinned;
-- create index "executions_status_idx" to table: "executions"
CREATE INDEX "executions_status_idx" ON "test_coordination"."executions" ("status", "created_at", "execution_id", "run");
-- set comment to column: "cancel_requested_at" on table: "executions"
COMMENT ON COLUMN "test_coordination"."executions"."cancel_requested_at" IS 'When its cancel was first asked for; it ends when the coordinator says so.';
-- set comment to column: "pinned" on table: "executions"
COMMENT ON COLUMN "test_coordination"."executions"."pinned" IS 'Kept by retention, until somebody lets it go.';
-- create index "validation_results_correlation_idx" to table: "validation_results"
CREATE INDEX "validation_results_correlation_idx" ON "test_coordination"."validation_results" ("correlation_id", "execution_id", "run") WHERE (correlation_id <> ''::text);
-- create "api_requests" table
CREATE TABLE "test_coordination"."api_requests" (
  "request_id" text NOT NULL,
  "procedure" text NOT NULL,
  "parameters" bytea NOT NULL,
  "caller" text NOT NULL,
  "answer" bytea NULL,
  "received_at" timestamptz NOT NULL,
  PRIMARY KEY ("request_id"),
  CONSTRAINT "api_requests_parameters_check" CHECK (octet_length(parameters) = 32)
);
-- create index "api_requests_received_idx" to table: "api_requests"
CREATE INDEX "api_requests_received_idx" ON "test_coordination"."api_requests" ("received_at");
-- set comment to table: "api_requests"
COMMENT ON TABLE "test_coordination"."api_requests" IS 'Requests that have written something, by the id that the caller chose: a repeat gets the same answer, and writes nothing. Forgotten after some days.';
-- set comment to column: "parameters" on table: "api_requests"
COMMENT ON COLUMN "test_coordination"."api_requests"."parameters" IS 'sha-256 over the request without its id: another one under the same id is an error.';
-- set comment to column: "answer" on table: "api_requests"
COMMENT ON COLUMN "test_coordination"."api_requests"."answer" IS 'The message that was answered, in protobuf; set by the transaction that inserts the row.';
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
-- create "execution_annotations" table
CREATE TABLE "test_coordination"."execution_annotations" (
  "bucket" date NOT NULL,
  "execution_id" text NOT NULL,
  "run" integer NOT NULL,
  "order_key" bytea NOT NULL,
  "annotated_at" timestamptz NOT NULL,
  "author" text NOT NULL DEFAULT '',
  "text" text NOT NULL,
  PRIMARY KEY ("execution_id", "run", "order_key", "bucket")
) PARTITION BY RANGE ("bucket");
-- set comment to table: "execution_annotations"
COMMENT ON TABLE "test_coordination"."execution_annotations" IS 'Notes that people have added to a run.';
-- set comment to column: "order_key" on table: "execution_annotations"
COMMENT ON COLUMN "test_coordination"."execution_annotations"."order_key" IS 'Of the event in execution_events that brought it.';
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
-- create "kill_switch" table
CREATE TABLE "test_coordination"."kill_switch" (
  "singleton" boolean NOT NULL DEFAULT true,
  "engaged" boolean NOT NULL,
  "reason" text NOT NULL,
  "changed_by" text NOT NULL,
  "changed_at" timestamptz NOT NULL,
  PRIMARY KEY ("singleton"),
  CONSTRAINT "kill_switch_singleton_check" CHECK (singleton)
);
-- set comment to table: "kill_switch"
COMMENT ON TABLE "test_coordination"."kill_switch" IS 'While it is engaged no new runs are accepted; no row: it never was. Read and changed under the lock of requests.';
ALTER TABLE test_coordination.execution_locks SET (fillfactor = 70);
CREATE TABLE "test_coordination"."execution_annotations_default" PARTITION OF "test_coordination"."execution_annotations" DEFAULT;
