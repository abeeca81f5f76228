-- create "loop_cursors" table
CREATE TABLE "test_coordination"."loop_cursors" (
  "loop" text NOT NULL,
  "changed_at" timestamptz NOT NULL,
  "execution_id" text NOT NULL DEFAULT '',
  "run" integer NOT NULL DEFAULT 0,
  "updated_at" timestamptz NOT NULL,
  PRIMARY KEY ("loop")
);
-- set comment to table: "loop_cursors"
COMMENT ON TABLE "test_coordination"."loop_cursors" IS 'How far loops that walk changed runs have come. A cursor only moves forward.';
-- set comment to column: "changed_at" on table: "loop_cursors"
COMMENT ON COLUMN "test_coordination"."loop_cursors"."changed_at" IS 'settled_change_at of the last run that was handled; with execution_id and run its place among those of the same time.';
-- create "outbox" table
CREATE TABLE "test_coordination"."outbox" (
  "id" bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  "topic_role" text NOT NULL,
  "event_id" text NOT NULL,
  "type" text NOT NULL DEFAULT '',
  "subject" text NOT NULL DEFAULT '',
  "event_time" timestamptz NOT NULL,
  "key_hash" bytea NOT NULL,
  "record_key" bytea NULL,
  "record_value" bytea NULL,
  "record_headers" jsonb NULL,
  "quarantined_id" bigint NULL,
  "status" text NOT NULL DEFAULT 'pending',
  "attempts" integer NOT NULL DEFAULT 0,
  "enqueued_at" timestamptz NOT NULL,
  "parked_at" timestamptz NULL,
  "parked_reason" text NOT NULL DEFAULT '',
  "resolved_at" timestamptz NULL,
  "resolved_by" text NOT NULL DEFAULT '',
  "resolution" text NOT NULL DEFAULT '',
  "finished_at" timestamptz NULL,
  "published_topic" text NULL,
  "published_partition" integer NULL,
  "published_offset" bigint NULL,
  PRIMARY KEY ("id"),
  CONSTRAINT "outbox_event_id_key" UNIQUE ("topic_role", "event_id"),
  CONSTRAINT "outbox_finished_check" CHECK ((status = ANY (ARRAY['published'::text, 'discarded'::text])) = (finished_at IS NOT NULL)),
  CONSTRAINT "outbox_record_check" CHECK ((record_headers IS NOT NULL) OR (quarantined_id IS NOT NULL)),
  CONSTRAINT "outbox_status_check" CHECK (status = ANY (ARRAY['pending'::text, 'parked'::text, 'published'::text, 'discarded'::text])),
  CONSTRAINT "outbox_topic_role_check" CHECK (topic_role = ANY (ARRAY['commands'::text, 'reports'::text, 'dead-letters'::text]))
);
-- create index "outbox_finished_idx" to table: "outbox"
CREATE INDEX "outbox_finished_idx" ON "test_coordination"."outbox" ("finished_at") WHERE (finished_at IS NOT NULL);
-- create index "outbox_parked_idx" to table: "outbox"
CREATE INDEX "outbox_parked_idx" ON "test_coordination"."outbox" ("id") WHERE (status = 'parked'::text);
-- create index "outbox_pending_idx" to table: "outbox"
CREATE INDEX "outbox_pending_idx" ON "test_coordination"."outbox" ("topic_role", "id") WHERE (status = 'pending'::text);
-- create index "outbox_quarantined_idx" to table: "outbox"
CREATE INDEX "outbox_quarantined_idx" ON "test_coordination"."outbox" ("quarantined_id") WHERE ((quarantined_id IS NOT NULL) AND (finished_at IS NULL));
-- create index "outbox_unpublished_idx" to table: "outbox"
CREATE INDEX "outbox_unpublished_idx" ON "test_coordination"."outbox" ("topic_role", "key_hash", "id") WHERE (status = ANY (ARRAY['pending'::text, 'parked'::text]));
-- set comment to table: "outbox"
COMMENT ON TABLE "test_coordination"."outbox" IS 'Events for other programs, written in the transaction that they tell of and published to Kafka afterwards (S8), at least once and in order for each key. Claimed by state, never by the last id seen: a lower id may commit later.';
-- set comment to column: "topic_role" on table: "outbox"
COMMENT ON COLUMN "test_coordination"."outbox"."topic_role" IS 'Which of the outgoing topics; their names are settings.';
-- set comment to column: "event_id" on table: "outbox"
COMMENT ON COLUMN "test_coordination"."outbox"."event_id" IS 'Follows from what the event states, so that a repeat is no second row.';
-- set comment to column: "key_hash" on table: "outbox"
COMMENT ON COLUMN "test_coordination"."outbox"."key_hash" IS 'sha-256 of the record''s key: rows that share it are published one after the other. Of the event id where the record has no key.';
-- set comment to column: "record_headers" on table: "outbox"
COMMENT ON COLUMN "test_coordination"."outbox"."record_headers" IS 'Array of [name, value] in base64, in order; a null value is null. NULL where key, value and headers are those of the quarantined record.';
-- set comment to column: "quarantined_id" on table: "outbox"
COMMENT ON COLUMN "test_coordination"."outbox"."quarantined_id" IS 'The quarantined record that a dead letter is the copy of. It lends its bytes, and leaves them here when it is settled before they are published.';
-- set comment to column: "status" on table: "outbox"
COMMENT ON COLUMN "test_coordination"."outbox"."status" IS 'pending: to be published; parked: the broker refuses it, and the rows of its key wait behind it until an operator has released or discarded it.';
-- set comment to column: "attempts" on table: "outbox"
COMMENT ON COLUMN "test_coordination"."outbox"."attempts" IS 'How often it was sent to the broker, in vain or not.';
-- set comment to column: "resolved_by" on table: "outbox"
COMMENT ON COLUMN "test_coordination"."outbox"."resolved_by" IS 'Who released or discarded it last after it was parked; resolution says why.';
-- set comment to column: "finished_at" on table: "outbox"
COMMENT ON COLUMN "test_coordination"."outbox"."finished_at" IS 'When it was published or discarded. Rows are removed some time after that.';
ALTER TABLE test_coordination.outbox SET (autovacuum_vacuum_scale_factor = 0.01);
ALTER TABLE test_coordination.outbox SET (autovacuum_vacuum_threshold = 1000);
