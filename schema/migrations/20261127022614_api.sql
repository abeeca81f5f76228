-- Writers begin with execution_ids: those under way end first, and none begins
-- until this is done. Without it one that had written some of the tables below
-- would run into a deadlock with the order in which they are changed here. Readers
-- go on. In a block, because tools that replay migrations do it without a
-- transaction, where LOCK by itself is an error.
DO $$ BEGIN LOCK TABLE "test_coordination"."execution_ids" IN SHARE ROW EXCLUSIVE MODE; END $$;
-- create index "execution_events_correlation_idx" to table: "execution_events"
CREATE INDEX "execution_events_correlation_idx" ON "test_coordination"."execution_events" ("correlation_id", "execution_id", "run") WHERE (correlation_id <> ''::text);
-- create index "executions_ended_environment_idx" to table: "executions"
CREATE INDEX "executions_ended_environment_idx" ON "test_coordination"."executions" ("scenario_id", "environment", "status", "ended_at") WHERE (ended_at IS NOT NULL);
-- create index "executions_ended_idx" to table: "executions"
CREATE INDEX "executions_ended_idx" ON "test_coordination"."executions" ("scenario_id", "status", "ended_at") WHERE (ended_at IS NOT NULL);
-- create index "executions_faults_active_idx" to table: "executions"
CREATE INDEX "executions_faults_active_idx" ON "test_coordination"."executions" ("execution_id", "run") WHERE (faults_active > 0);
-- create index "executions_group_idx" to table: "executions"
CREATE INDEX "executions_group_idx" ON "test_coordination"."executions" ("group_id", "created_at", "execution_id", "run") WHERE (group_id <> ''::text);
-- create index "executions_live_scenario_idx" to table: "executions"
CREATE INDEX "executions_live_scenario_idx" ON "test_coordination"."executions" ("scenario_id", "execution_id", "run") WHERE (ended_at IS NULL);
-- create index "executions_status_idx" to table: "executions"
CREATE INDEX "executions_status_idx" ON "test_coordination"."executions" ("status", "created_at", "execution_id", "run") WHERE (ended_at IS NOT NULL);
-- create index "schedules_after_scenario_idx" to table: "schedules"
CREATE INDEX "schedules_after_scenario_idx" ON "test_coordination"."schedules" ("after_scenario_id", "schedule_id") WHERE ((kind = 'after_scenario'::text) AND (NOT removed));
-- create index "schedules_event_idx" to table: "schedules"
CREATE INDEX "schedules_event_idx" ON "test_coordination"."schedules" ("event_type", "schedule_id") WHERE ((kind = 'event'::text) AND (NOT removed));
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
CREATE INDEX "api_requests_received_idx" ON "test_coordination"."api_requests" ("received_at") WHERE (answer IS NOT NULL);
-- set comment to table: "api_requests"
COMMENT ON TABLE "test_coordination"."api_requests" IS 'Requests that have written something, by the id that the caller chose: a repeat gets the same answer, and writes nothing.';
-- set comment to column: "parameters" on table: "api_requests"
COMMENT ON COLUMN "test_coordination"."api_requests"."parameters" IS 'sha-256 over the request without its id: another one under the same id is an error.';
-- set comment to column: "answer" on table: "api_requests"
COMMENT ON COLUMN "test_coordination"."api_requests"."answer" IS 'The message that was answered, in protobuf; set by the transaction that inserts the row. NULL: forgotten after some days, and a repeat is refused.';
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
CREATE INDEX "execution_locks_held_idx" ON "test_coordination"."execution_locks" ("expires_at") WHERE (state = 'held'::text);
-- set comment to table: "execution_locks"
COMMENT ON TABLE "test_coordination"."execution_locks" IS 'The present or last tenure of each lock. A row stays when its lock is free: its token must never be given again.';
-- set comment to column: "token" on table: "execution_locks"
COMMENT ON COLUMN "test_coordination"."execution_locks"."token" IS 'Fencing token: rises with each tenure, for ever. Begins at (timeline - 1) * 2^32 + 1, so that a token that was given before a failover, and lost with it, is not given again after it.';
-- set comment to column: "state" on table: "execution_locks"
COMMENT ON COLUMN "test_coordination"."execution_locks"."state" IS 'Held, until the holder gives it back or an operator breaks it. Whether a lease that is held has expired is asked of the clock.';
-- set comment to column: "expires_at" on table: "execution_locks"
COMMENT ON COLUMN "test_coordination"."execution_locks"."expires_at" IS 'By this server''s clock, as all times of this table.';
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
  "held_back" boolean NOT NULL DEFAULT false,
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
  CONSTRAINT "outbox_held_back_check" CHECK ((NOT held_back) OR (status = 'pending'::text)),
  CONSTRAINT "outbox_record_check" CHECK ((record_headers IS NOT NULL) OR (quarantined_id IS NOT NULL)),
  CONSTRAINT "outbox_status_check" CHECK (status = ANY (ARRAY['pending'::text, 'parked'::text, 'published'::text, 'discarded'::text])),
  CONSTRAINT "outbox_topic_role_check" CHECK (topic_role = ANY (ARRAY['commands'::text, 'reports'::text, 'dead-letters'::text]))
);
-- create index "outbox_finished_idx" to table: "outbox"
CREATE INDEX "outbox_finished_idx" ON "test_coordination"."outbox" ("finished_at") WHERE (finished_at IS NOT NULL);
-- create index "outbox_next_idx" to table: "outbox"
CREATE INDEX "outbox_next_idx" ON "test_coordination"."outbox" ("topic_role", "key_hash", "id") WHERE ((status = 'pending'::text) AND (NOT held_back));
-- create index "outbox_parked_idx" to table: "outbox"
CREATE INDEX "outbox_parked_idx" ON "test_coordination"."outbox" ("id") WHERE (status = 'parked'::text);
-- create index "outbox_pending_idx" to table: "outbox"
CREATE INDEX "outbox_pending_idx" ON "test_coordination"."outbox" ("topic_role", "id") WHERE (status = 'pending'::text);
-- create index "outbox_quarantined_idx" to table: "outbox"
CREATE INDEX "outbox_quarantined_idx" ON "test_coordination"."outbox" ("quarantined_id") WHERE ((quarantined_id IS NOT NULL) AND (finished_at IS NULL));
-- create index "outbox_waiting_idx" to table: "outbox"
CREATE INDEX "outbox_waiting_idx" ON "test_coordination"."outbox" ("topic_role", "key_hash", "id") WHERE ((status = 'parked'::text) OR held_back);
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
-- set comment to column: "held_back" on table: "outbox"
COMMENT ON COLUMN "test_coordination"."outbox"."held_back" IS 'An earlier row of its key is parked: publishers pass this one over. Set by the publisher that first came upon it, cleared with the release or discard of that row.';
-- set comment to column: "attempts" on table: "outbox"
COMMENT ON COLUMN "test_coordination"."outbox"."attempts" IS 'How often it was sent to the broker, in vain or not.';
-- set comment to column: "resolved_by" on table: "outbox"
COMMENT ON COLUMN "test_coordination"."outbox"."resolved_by" IS 'Who released or discarded it last after it was parked; resolution says why.';
-- set comment to column: "finished_at" on table: "outbox"
COMMENT ON COLUMN "test_coordination"."outbox"."finished_at" IS 'When it was published or discarded. Rows are removed some time after that.';
-- create "schedule_occurrences" table
CREATE TABLE "test_coordination"."schedule_occurrences" (
  "schedule_id" text NOT NULL,
  "occurrence_id" text NOT NULL,
  "kind" text NOT NULL,
  "due_at" timestamptz NOT NULL,
  "due_until" timestamptz NULL,
  "trigger_source" text NOT NULL DEFAULT '',
  "trigger_execution_id" text NOT NULL DEFAULT '',
  "trigger_run" integer NULL,
  "trigger_event_key" bytea NULL,
  "start_by" timestamptz NULL,
  "status" text NOT NULL,
  "reason" text NOT NULL DEFAULT '',
  "detail" text NOT NULL DEFAULT '',
  "claim_token" bigint NOT NULL DEFAULT 0,
  "claimed_by" text NOT NULL DEFAULT '',
  "first_claimed_at" timestamptz NULL,
  "claimed_at" timestamptz NULL,
  "lease_expires_at" timestamptz NULL,
  "outcome" text NOT NULL DEFAULT '',
  "execution_id" text NOT NULL DEFAULT '',
  "run" integer NULL,
  "run_active" boolean NOT NULL DEFAULT false,
  "created_at" timestamptz NOT NULL,
  "settled_at" timestamptz NULL,
  PRIMARY KEY ("schedule_id", "occurrence_id"),
  CONSTRAINT "schedule_occurrences_claim_check" CHECK (((status = 'claimed'::text) = (lease_expires_at IS NOT NULL)) AND ((status <> 'claimed'::text) OR (claim_token > 0))),
  CONSTRAINT "schedule_occurrences_kind_check" CHECK (kind = ANY (ARRAY['once'::text, 'cron'::text, 'after_scenario'::text, 'event'::text])),
  CONSTRAINT "schedule_occurrences_outcome_check" CHECK (outcome = ANY (ARRAY[''::text, 'started'::text, 'not_started'::text])),
  CONSTRAINT "schedule_occurrences_reason_check" CHECK (reason = ANY (ARRAY[''::text, 'too_late'::text, 'heard_late'::text, 'too_many'::text, 'removed'::text, 'disabled'::text, 'changed'::text, 'still_active'::text, 'replaced'::text])),
  CONSTRAINT "schedule_occurrences_run_check" CHECK (run > 0),
  CONSTRAINT "schedule_occurrences_settled_check" CHECK ((status = ANY (ARRAY['due'::text, 'claimed'::text])) = (settled_at IS NULL)),
  CONSTRAINT "schedule_occurrences_status_check" CHECK (status = ANY (ARRAY['due'::text, 'claimed'::text, 'completed'::text, 'missed'::text, 'skipped'::text]))
);
-- create index "schedule_occurrences_due_idx" to table: "schedule_occurrences"
CREATE INDEX "schedule_occurrences_due_idx" ON "test_coordination"."schedule_occurrences" ("due_at", "schedule_id", "occurrence_id") WHERE (status = 'due'::text);
-- create index "schedule_occurrences_lease_idx" to table: "schedule_occurrences"
CREATE INDEX "schedule_occurrences_lease_idx" ON "test_coordination"."schedule_occurrences" ("lease_expires_at") WHERE (status = 'claimed'::text);
-- create index "schedule_occurrences_list_idx" to table: "schedule_occurrences"
CREATE INDEX "schedule_occurrences_list_idx" ON "test_coordination"."schedule_occurrences" ("schedule_id", "due_at", "occurrence_id") WHERE (due_at > '-infinity'::timestamp with time zone);
-- create index "schedule_occurrences_open_idx" to table: "schedule_occurrences"
CREATE INDEX "schedule_occurrences_open_idx" ON "test_coordination"."schedule_occurrences" ("schedule_id", "due_at") WHERE ((status = ANY (ARRAY['due'::text, 'claimed'::text])) OR run_active);
-- create index "schedule_occurrences_run_idx" to table: "schedule_occurrences"
CREATE INDEX "schedule_occurrences_run_idx" ON "test_coordination"."schedule_occurrences" ("execution_id", "run") WHERE (run IS NOT NULL);
-- create index "schedule_occurrences_settled_idx" to table: "schedule_occurrences"
CREATE INDEX "schedule_occurrences_settled_idx" ON "test_coordination"."schedule_occurrences" ("settled_at") WHERE ((settled_at IS NOT NULL) AND (NOT run_active) AND (kind <> 'once'::text));
-- create index "schedule_occurrences_start_by_idx" to table: "schedule_occurrences"
CREATE INDEX "schedule_occurrences_start_by_idx" ON "test_coordination"."schedule_occurrences" ("start_by") WHERE ((status = 'due'::text) AND (start_by IS NOT NULL));
-- set comment to table: "schedule_occurrences"
COMMENT ON TABLE "test_coordination"."schedule_occurrences" IS 'The times that schedules were due, from the moment they came due: each goes to one coordinator, or is missed or skipped, and says why.';
-- set comment to column: "occurrence_id" on table: "schedule_occurrences"
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."occurrence_id" IS 'Made from what made it due, a moment, a run or an event: the same cause makes no second one.';
-- set comment to column: "due_until" on table: "schedule_occurrences"
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."due_until" IS 'Not NULL: the row stands for all occurrences from due_at on that came before this moment.';
-- set comment to column: "trigger_source" on table: "schedule_occurrences"
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."trigger_source" IS 'The scenario whose run passed (kind after_scenario), or the type of the event (kind event).';
-- set comment to column: "start_by" on table: "schedule_occurrences"
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."start_by" IS 'Missed if nobody has claimed it by then; NULL: never.';
-- set comment to column: "detail" on table: "schedule_occurrences"
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."detail" IS 'Particulars of the reason, or what the coordinator said about the outcome.';
-- set comment to column: "claim_token" on table: "schedule_occurrences"
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."claim_token" IS 'Raised by each claim, and when a claim whose lease had ended is given up. Who completes must hold the latest.';
-- set comment to column: "first_claimed_at" on table: "schedule_occurrences"
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."first_claimed_at" IS 'By the clock of PostgreSQL. A run that was there some seconds before, and has ended, did not come of it.';
-- set comment to column: "lease_expires_at" on table: "schedule_occurrences"
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."lease_expires_at" IS 'By the clock of PostgreSQL. After it another coordinator may claim the occurrence; until one does, the claim stands.';
-- set comment to column: "run" on table: "schedule_occurrences"
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."run" IS 'Number of the run that came of it; NULL: not known when it was completed, and the latest of the id stands for it.';
-- set comment to column: "run_active" on table: "schedule_occurrences"
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."run_active" IS 'The run that came of it has not been seen ended. Looked at, and cleared, when a later occurrence of the schedule is claimed or completed; cleared, too, where run is NULL and another one stands for the same run.';
-- set comment to column: "settled_at" on table: "schedule_occurrences"
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."settled_at" IS 'When it was completed, missed or skipped, by the clock of PostgreSQL. Rows are removed some time after that, but for those of kind once.';
-- create "schedule_plans" table
CREATE TABLE "test_coordination"."schedule_plans" (
  "schedule_id" text NOT NULL,
  "schedule_version" bigint NOT NULL,
  "planned_until" timestamptz NOT NULL,
  "next_due_at" timestamptz NULL,
  PRIMARY KEY ("schedule_id")
);
-- create index "schedule_plans_next_due_at_idx" to table: "schedule_plans"
CREATE INDEX "schedule_plans_next_due_at_idx" ON "test_coordination"."schedule_plans" ("next_due_at") WHERE (next_due_at IS NOT NULL);
-- set comment to table: "schedule_plans"
COMMENT ON TABLE "test_coordination"."schedule_plans" IS 'How far the occurrences of each schedule have been made. Its row lock serialises those who plan a schedule and those who hold it to its concurrency policy.';
-- set comment to column: "schedule_version" on table: "schedule_plans"
COMMENT ON COLUMN "test_coordination"."schedule_plans"."schedule_version" IS 'Of the row in schedules that was planned last; 0 when that has been changed since.';
-- set comment to column: "planned_until" on table: "schedule_plans"
COMMENT ON COLUMN "test_coordination"."schedule_plans"."planned_until" IS 'Occurrences due until then, and at that moment, have been made.';
-- set comment to column: "next_due_at" on table: "schedule_plans"
COMMENT ON COLUMN "test_coordination"."schedule_plans"."next_due_at" IS 'When to look at the schedule again: at its next occurrence, or at once after a change. NULL: when it is changed.';
ALTER TABLE test_coordination.outbox SET (autovacuum_vacuum_scale_factor = 0.01);
ALTER TABLE test_coordination.outbox SET (autovacuum_vacuum_threshold = 1000);
ALTER TABLE test_coordination.schedule_occurrences SET (fillfactor = 80);
CREATE TABLE "test_coordination"."execution_annotations_default" PARTITION OF "test_coordination"."execution_annotations" DEFAULT;
-- What readers wait for comes last, so that they do not wait for the indexes above.
-- modify "executions" table
ALTER TABLE "test_coordination"."executions" ADD COLUMN "cancel_requested_at" timestamptz NULL, ADD COLUMN "pinned" boolean NOT NULL DEFAULT false;
-- create index "executions_pinned_idx" to table: "executions"
CREATE INDEX "executions_pinned_idx" ON "test_coordination"."executions" ("created_at", "execution_id", "run") WHERE pinned;
-- set comment to column: "cancel_requested_at" on table: "executions"
COMMENT ON COLUMN "test_coordination"."executions"."cancel_requested_at" IS 'When its cancel was first asked for; it ends when the coordinator says so.';
-- set comment to column: "pinned" on table: "executions"
COMMENT ON COLUMN "test_coordination"."executions"."pinned" IS 'Kept by retention, until somebody lets it go.';
-- set comment to column: "settled_change_at" on table: "executions"
COMMENT ON COLUMN "test_coordination"."executions"."settled_change_at" IS 'When a terminal run was changed last, by the clock of PostgreSQL; NULL before its end: changes after the end are found by it without an index that heartbeats would touch.';
