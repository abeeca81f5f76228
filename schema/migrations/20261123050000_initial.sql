-- Add new schema named "test_coordination"
DO $$
BEGIN
  IF to_regnamespace('"test_coordination"') IS NULL THEN
    CREATE SCHEMA "test_coordination";
  END IF;
END
$$;
-- create "ingest_partitions" table
CREATE TABLE "test_coordination"."ingest_partitions" (
  "topic" text NOT NULL,
  "partition" integer NOT NULL,
  "generation" integer NOT NULL DEFAULT 1,
  "topic_id" uuid NULL,
  "epoch" bigint NOT NULL DEFAULT 0,
  "owner" text NOT NULL DEFAULT '',
  "next_offset" bigint NOT NULL,
  "attempts" integer NOT NULL DEFAULT 0,
  "careful_until" bigint NOT NULL DEFAULT 0,
  "clean_stop" boolean NOT NULL DEFAULT true,
  "stopped_reason" text NOT NULL DEFAULT '',
  "applied" bigint NOT NULL DEFAULT 0,
  "duplicates" bigint NOT NULL DEFAULT 0,
  "quarantined" bigint NOT NULL DEFAULT 0,
  "claimed_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  PRIMARY KEY ("topic", "partition"),
  CONSTRAINT "ingest_partitions_next_offset_check" CHECK (next_offset >= 0),
  CONSTRAINT "ingest_partitions_partition_check" CHECK (partition >= 0)
);
-- set comment to table: "ingest_partitions"
COMMENT ON TABLE "test_coordination"."ingest_partitions" IS 'Position in each partition of the input topics. The only truth about what has been ingested; the offset in Kafka is a lag gauge.';
-- set comment to column: "generation" on table: "ingest_partitions"
COMMENT ON COLUMN "test_coordination"."ingest_partitions"."generation" IS 'Raised by an operator''s reset, so that offsets of another log (a topic made again, or one that lost its end) are not taken for those of the former one.';
-- set comment to column: "topic_id" on table: "ingest_partitions"
COMMENT ON COLUMN "test_coordination"."ingest_partitions"."topic_id" IS 'Kafka''s id of the topic when the partition was first claimed; another id means that the topic was re-created.';
-- set comment to column: "epoch" on table: "ingest_partitions"
COMMENT ON COLUMN "test_coordination"."ingest_partitions"."epoch" IS 'Raised by each claim (S0). A worker whose epoch is old is fenced.';
-- set comment to column: "next_offset" on table: "ingest_partitions"
COMMENT ON COLUMN "test_coordination"."ingest_partitions"."next_offset" IS 'First offset that is not ingested. Moves only by compare-and-set in the transaction that writes the batch (S4a).';
-- set comment to column: "attempts" on table: "ingest_partitions"
COMMENT ON COLUMN "test_coordination"."ingest_partitions"."attempts" IS 'Deaths while the records at next_offset were read, since they were last decoded alive; three of them quarantine the next record as crash.';
-- set comment to column: "careful_until" on table: "ingest_partitions"
COMMENT ON COLUMN "test_coordination"."ingest_partitions"."careful_until" IS 'Below this offset records are taken one at a time, so that a deadly one can be told from its neighbours.';
-- set comment to column: "clean_stop" on table: "ingest_partitions"
COMMENT ON COLUMN "test_coordination"."ingest_partitions"."clean_stop" IS 'False while a worker reads the partition; still false at the next claim, it died without a word.';
-- set comment to column: "stopped_reason" on table: "ingest_partitions"
COMMENT ON COLUMN "test_coordination"."ingest_partitions"."stopped_reason" IS 'Why nobody may ingest this partition until an operator acts; empty when it runs.';
-- set comment to column: "applied" on table: "ingest_partitions"
COMMENT ON COLUMN "test_coordination"."ingest_partitions"."applied" IS 'Records applied since the partition was first seen; with duplicates and quarantined the sum of all records ingested.';
-- create "scenario_versions" table
CREATE TABLE "test_coordination"."scenario_versions" (
  "scenario_id" text NOT NULL,
  "number" integer NOT NULL,
  "content_hash" bytea NOT NULL,
  "definition" text NOT NULL,
  "author" text NOT NULL DEFAULT '',
  "change_note" text NOT NULL DEFAULT '',
  "published_at" timestamptz NOT NULL,
  "marks" bytea NOT NULL,
  PRIMARY KEY ("scenario_id", "number"),
  CONSTRAINT "scenario_versions_content_hash_key" UNIQUE ("scenario_id", "content_hash"),
  CONSTRAINT "scenario_versions_content_hash_check" CHECK (octet_length(content_hash) = 32)
);
-- set comment to table: "scenario_versions"
COMMENT ON TABLE "test_coordination"."scenario_versions" IS 'Immutable contents of scenarios, byte for byte: chaos.trading/v1 documents or any other text.';
-- set comment to column: "number" on table: "scenario_versions"
COMMENT ON COLUMN "test_coordination"."scenario_versions"."number" IS 'From 1, in the order in which contents were first accepted.';
-- set comment to column: "content_hash" on table: "scenario_versions"
COMMENT ON COLUMN "test_coordination"."scenario_versions"."content_hash" IS 'sha-256 of the definition text.';
-- set comment to column: "published_at" on table: "scenario_versions"
COMMENT ON COLUMN "test_coordination"."scenario_versions"."published_at" IS 'Of its first publication in order, as are author and change_note.';
-- create "execution_events" table
CREATE TABLE "test_coordination"."execution_events" (
  "bucket" date NOT NULL,
  "execution_id" text NOT NULL,
  "run" integer NOT NULL,
  "event_key" bytea NOT NULL,
  "order_key" bytea NOT NULL,
  "arrival" bigint NOT NULL,
  "type" text NOT NULL,
  "source" text NOT NULL,
  "event_id" text NOT NULL,
  "event_time" timestamptz NOT NULL,
  "sequence" bigint NULL,
  "digest" bytea NOT NULL,
  "digest_version" smallint NOT NULL,
  "run_guessed" boolean NOT NULL DEFAULT false,
  "time_suspect" boolean NOT NULL DEFAULT false,
  "trace_parent" text NOT NULL DEFAULT '',
  "correlation_id" text NOT NULL DEFAULT '',
  "topic" text NULL,
  "partition" integer NULL,
  "kafka_offset" bigint NULL,
  "data" jsonb NOT NULL,
  "extensions" jsonb NULL,
  "unknown_fields" jsonb NULL,
  "recorded_at" timestamptz NOT NULL,
  PRIMARY KEY ("execution_id", "event_key", "bucket")
) PARTITION BY RANGE ("bucket");
-- create index "execution_events_timeline_idx" to table: "execution_events"
CREATE INDEX "execution_events_timeline_idx" ON "test_coordination"."execution_events" ("execution_id", "run", "order_key");
-- set comment to table: "execution_events"
COMMENT ON TABLE "test_coordination"."execution_events" IS 'Accepted events of a run: their identity and the run''s timeline. Everything else of a run can be folded again from here.';
-- set comment to column: "event_key" on table: "execution_events"
COMMENT ON COLUMN "test_coordination"."execution_events"."event_key" IS 'sha-256 over source, id and subject: the identity of the event.';
-- set comment to column: "arrival" on table: "execution_events"
COMMENT ON COLUMN "test_coordination"."execution_events"."arrival" IS 'Number of the event in its run by order of arrival, from 1: an address, never an order.';
-- set comment to column: "event_time" on table: "execution_events"
COMMENT ON COLUMN "test_coordination"."execution_events"."event_time" IS 'When it happened, by the producer''s clock, to the microsecond; order_key keeps nanoseconds.';
-- set comment to column: "digest" on table: "execution_events"
COMMENT ON COLUMN "test_coordination"."execution_events"."digest" IS 'sha-256 over the canonical form: same key and same digest is a duplicate.';
-- set comment to column: "run_guessed" on table: "execution_events"
COMMENT ON COLUMN "test_coordination"."execution_events"."run_guessed" IS 'Which run it belongs to was ambiguous when it was accepted.';
-- set comment to column: "kafka_offset" on table: "execution_events"
COMMENT ON COLUMN "test_coordination"."execution_events"."kafka_offset" IS 'NULL, with topic and partition, for an event of this service.';
-- set comment to column: "data" on table: "execution_events"
COMMENT ON COLUMN "test_coordination"."execution_events"."data" IS 'The event''s data without what has rows of its own: log lines, the state of a snapshot.';
-- create "execution_ids" table
CREATE TABLE "test_coordination"."execution_ids" (
  "execution_id" text NOT NULL,
  "latest_run" integer NOT NULL DEFAULT 0,
  "buckets" date[] NOT NULL DEFAULT '{}',
  "first_seen_at" timestamptz NOT NULL,
  "pruned_at" timestamptz NULL,
  PRIMARY KEY ("execution_id")
);
-- set comment to table: "execution_ids"
COMMENT ON TABLE "test_coordination"."execution_ids" IS 'One row for each execution id ever seen. Its row lock serialises all writers of the id (S4b).';
-- set comment to column: "buckets" on table: "execution_ids"
COMMENT ON COLUMN "test_coordination"."execution_ids"."buckets" IS 'Distinct buckets of the id''s runs: where to look for its events.';
-- set comment to column: "pruned_at" on table: "execution_ids"
COMMENT ON COLUMN "test_coordination"."execution_ids"."pruned_at" IS 'When retention removed the last of its runs.';
-- create "execution_logs" table
CREATE TABLE "test_coordination"."execution_logs" (
  "bucket" date NOT NULL,
  "execution_id" text NOT NULL,
  "run" integer NOT NULL,
  "logged_at" timestamptz NOT NULL,
  "arrival" bigint NOT NULL,
  "line" integer NOT NULL,
  "level" text NOT NULL DEFAULT '',
  "service" text NOT NULL DEFAULT '',
  "phase" text NOT NULL DEFAULT '',
  "step_id" text NOT NULL DEFAULT '',
  "message" text NOT NULL,
  "attributes" jsonb NULL,
  PRIMARY KEY ("execution_id", "run", "logged_at", "arrival", "line", "bucket")
) PARTITION BY RANGE ("bucket");
-- set comment to table: "execution_logs"
COMMENT ON TABLE "test_coordination"."execution_logs" IS 'Log lines of a run, in the order of their own times.';
-- set comment to column: "arrival" on table: "execution_logs"
COMMENT ON COLUMN "test_coordination"."execution_logs"."arrival" IS 'Of the event in execution_events that brought the line.';
-- set comment to column: "line" on table: "execution_logs"
COMMENT ON COLUMN "test_coordination"."execution_logs"."line" IS 'Place of the line in its event, from 0.';
-- create "execution_phases" table
CREATE TABLE "test_coordination"."execution_phases" (
  "bucket" date NOT NULL,
  "execution_id" text NOT NULL,
  "run" integer NOT NULL,
  "phase" text NOT NULL,
  "phase_hash" bytea NOT NULL,
  "ordinal" integer NULL,
  "description" text NOT NULL DEFAULT '',
  "status" text NOT NULL,
  "started_at" timestamptz NULL,
  "finished_at" timestamptz NULL,
  "error" text NOT NULL DEFAULT '',
  "marks" bytea NOT NULL,
  PRIMARY KEY ("execution_id", "run", "phase_hash", "bucket"),
  CONSTRAINT "execution_phases_phase_hash_check" CHECK (phase_hash = sha256(convert_to(phase, 'UTF8'::name))),
  CONSTRAINT "execution_phases_status_check" CHECK (status = ANY (ARRAY['pending'::text, 'running'::text, 'passed'::text, 'failed'::text, 'skipped'::text, 'error'::text]))
) PARTITION BY RANGE ("bucket");
-- set comment to table: "execution_phases"
COMMENT ON TABLE "test_coordination"."execution_phases" IS 'Phases of a run.';
-- set comment to column: "phase_hash" on table: "execution_phases"
COMMENT ON COLUMN "test_coordination"."execution_phases"."phase_hash" IS 'sha-256 of the name in UTF-8, in its place in the key: a name may have 64 KiB, an entry of an index 2,704 bytes.';
-- create "execution_steps" table
CREATE TABLE "test_coordination"."execution_steps" (
  "bucket" date NOT NULL,
  "execution_id" text NOT NULL,
  "run" integer NOT NULL,
  "step_id" text NOT NULL,
  "attempt" integer NOT NULL,
  "kind" text NOT NULL,
  "phase" text NOT NULL DEFAULT '',
  "service" text NOT NULL DEFAULT '',
  "action" text NOT NULL DEFAULT '',
  "parameters" jsonb NULL,
  "status" text NOT NULL,
  "started_at" timestamptz NULL,
  "finished_at" timestamptz NULL,
  "duration_seconds" double precision NULL,
  "error" text NOT NULL DEFAULT '',
  "marks" bytea NOT NULL,
  PRIMARY KEY ("execution_id", "run", "step_id", "attempt", "bucket"),
  CONSTRAINT "execution_steps_kind_check" CHECK (kind = ANY (ARRAY['action'::text, 'parallel_action'::text, 'assertion'::text, 'wait'::text, 'rollback'::text])),
  CONSTRAINT "execution_steps_status_check" CHECK (status = ANY (ARRAY['pending'::text, 'running'::text, 'passed'::text, 'failed'::text, 'skipped'::text, 'error'::text]))
) PARTITION BY RANGE ("bucket");
-- set comment to table: "execution_steps"
COMMENT ON TABLE "test_coordination"."execution_steps" IS 'Steps of a run: actions, assertions, waits and rollbacks, one row an attempt.';
-- set comment to column: "attempt" on table: "execution_steps"
COMMENT ON COLUMN "test_coordination"."execution_steps"."attempt" IS 'From 1; 1 where the coordinator does not count.';
-- create "executions" table
CREATE TABLE "test_coordination"."executions" (
  "execution_id" text NOT NULL,
  "run" integer NOT NULL,
  "bucket" date NOT NULL,
  "version" bigint NOT NULL,
  "run_id" text NULL,
  "status" text NOT NULL,
  "reported_outcome" text NOT NULL DEFAULT '',
  "scenario_id" text NOT NULL DEFAULT '',
  "scenario_version" text NOT NULL DEFAULT '',
  "environment" text NOT NULL DEFAULT '',
  "coordinator_id" text NOT NULL DEFAULT '',
  "start_source" text NOT NULL DEFAULT '',
  "trigger_type" text NOT NULL DEFAULT '',
  "trigger_actor" text NOT NULL DEFAULT '',
  "trigger_uri" text NOT NULL DEFAULT '',
  "group_id" text NOT NULL DEFAULT '',
  "attempt" integer NULL,
  "dry_run" boolean NULL,
  "requested_at" timestamptz NULL,
  "started_at" timestamptz NULL,
  "ended_at" timestamptz NULL,
  "deadline" timestamptz NULL,
  "last_event_at" timestamptz NULL,
  "last_heartbeat_at" timestamptz NULL,
  "progress" double precision NULL,
  "message" text NOT NULL DEFAULT '',
  "current_phase" text NOT NULL DEFAULT '',
  "pause_reason" text NOT NULL DEFAULT '',
  "exit_code" integer NULL,
  "error_message" text NOT NULL DEFAULT '',
  "lifecycle" text NOT NULL,
  "interrupt_cause" text NOT NULL DEFAULT '',
  "interrupt_events" bigint NULL,
  "interrupted_at" timestamptz NULL,
  "superseded_by" integer NULL,
  "events" bigint NOT NULL DEFAULT 0,
  "own_events" bigint NOT NULL DEFAULT 0,
  "log_lines" bigint NOT NULL DEFAULT 0,
  "snapshots" integer NOT NULL DEFAULT 0,
  "phases_total" integer NOT NULL DEFAULT 0,
  "steps_total" integer NOT NULL DEFAULT 0,
  "steps_failed" integer NOT NULL DEFAULT 0,
  "faults_total" integer NOT NULL DEFAULT 0,
  "faults_active" integer NOT NULL DEFAULT 0,
  "validations_passed" integer NOT NULL DEFAULT 0,
  "validations_failed" integer NOT NULL DEFAULT 0,
  "validations_skipped" integer NOT NULL DEFAULT 0,
  "validations_error" integer NOT NULL DEFAULT 0,
  "end_order" bytea NULL,
  "marks" bytea NOT NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "settled_change_at" timestamptz NULL,
  PRIMARY KEY ("execution_id", "run"),
  CONSTRAINT "executions_run_id_key" UNIQUE ("execution_id", "run_id"),
  CONSTRAINT "executions_interrupt_cause_check" CHECK (interrupt_cause = ANY (ARRAY[''::text, 'superseded'::text, 'no_sign_of_life'::text])),
  CONSTRAINT "executions_lifecycle_check" CHECK (lifecycle = ANY (ARRAY['pending'::text, 'running'::text, 'paused'::text])),
  CONSTRAINT "executions_progress_check" CHECK ((progress >= (0)::double precision) AND (progress <= (1)::double precision)),
  CONSTRAINT "executions_reported_outcome_check" CHECK (reported_outcome = ANY (ARRAY[''::text, 'passed'::text, 'failed'::text, 'error'::text, 'cancelled'::text, 'timeout'::text])),
  CONSTRAINT "executions_run_check" CHECK (run > 0),
  CONSTRAINT "executions_status_check" CHECK (status = ANY (ARRAY['pending'::text, 'running'::text, 'paused'::text, 'passed'::text, 'failed'::text, 'error'::text, 'cancelled'::text, 'timeout'::text, 'interrupted'::text]))
);
-- create index "executions_created_idx" to table: "executions"
CREATE INDEX "executions_created_idx" ON "test_coordination"."executions" ("created_at", "execution_id", "run");
-- create index "executions_live_idx" to table: "executions"
CREATE INDEX "executions_live_idx" ON "test_coordination"."executions" ("execution_id", "run") WHERE (status = ANY (ARRAY['pending'::text, 'running'::text, 'paused'::text]));
-- create index "executions_scenario_idx" to table: "executions"
CREATE INDEX "executions_scenario_idx" ON "test_coordination"."executions" ("scenario_id", "created_at", "execution_id", "run");
-- create index "executions_settled_change_idx" to table: "executions"
CREATE INDEX "executions_settled_change_idx" ON "test_coordination"."executions" ("settled_change_at") WHERE (settled_change_at IS NOT NULL);
-- set comment to table: "executions"
COMMENT ON TABLE "test_coordination"."executions" IS 'Runs of scenarios: the folded state of each, in small columns. Big JSON lies in execution_details.';
-- set comment to column: "run" on table: "executions"
COMMENT ON COLUMN "test_coordination"."executions"."run" IS 'Number of the run among those of its execution id, from 1: the coordinator reuses ids.';
-- set comment to column: "bucket" on table: "executions"
COMMENT ON COLUMN "test_coordination"."executions"."bucket" IS 'Date (UTC) on which the run was first heard of here. All its rows carry it; tables are partitioned by it.';
-- set comment to column: "version" on table: "executions"
COMMENT ON COLUMN "test_coordination"."executions"."version" IS 'Rises with every committed change; readers and Redis compare it. A duplicate changes nothing.';
-- set comment to column: "run_id" on table: "executions"
COMMENT ON COLUMN "test_coordination"."executions"."run_id" IS 'The producer''s runid attribute; NULL when it gives none.';
-- set comment to column: "reported_outcome" on table: "executions"
COMMENT ON COLUMN "test_coordination"."executions"."reported_outcome" IS 'The coordinator''s word; status may be failed where a validation failed although the coordinator said passed.';
-- set comment to column: "scenario_version" on table: "executions"
COMMENT ON COLUMN "test_coordination"."executions"."scenario_version" IS 'As the coordinator named it: sha-256 or number; empty: the version current at that time.';
-- set comment to column: "start_source" on table: "executions"
COMMENT ON COLUMN "test_coordination"."executions"."start_source" IS 'Source of the first started event: another one that starts the same id begins a new run.';
-- set comment to column: "lifecycle" on table: "executions"
COMMENT ON COLUMN "test_coordination"."executions"."lifecycle" IS 'What the status is as long as the run has not ended.';
-- set comment to column: "interrupt_events" on table: "executions"
COMMENT ON COLUMN "test_coordination"."executions"."interrupt_events" IS 'The interruption holds only while events has this value: any later real event revives the run.';
-- set comment to column: "events" on table: "executions"
COMMENT ON COLUMN "test_coordination"."executions"."events" IS 'Accepted events of others. With own_events the number that the next event gets as its arrival.';
-- set comment to column: "end_order" on table: "executions"
COMMENT ON COLUMN "test_coordination"."executions"."end_order" IS 'Order key of the event that decided the end; later events that are not terminal are late.';
-- set comment to column: "settled_change_at" on table: "executions"
COMMENT ON COLUMN "test_coordination"."executions"."settled_change_at" IS 'updated_at of a terminal run, NULL before: changes after the end are found by it without an index that heartbeats would touch.';
-- create "ingest_gaps" table
CREATE TABLE "test_coordination"."ingest_gaps" (
  "topic" text NOT NULL,
  "partition" integer NOT NULL,
  "generation" integer NOT NULL,
  "from_offset" bigint NOT NULL,
  "to_offset" bigint NOT NULL,
  "cause" text NOT NULL,
  "detected_at" timestamptz NOT NULL,
  "accepted_at" timestamptz NULL,
  "accepted_by" text NOT NULL DEFAULT '',
  PRIMARY KEY ("topic", "partition", "generation", "from_offset"),
  CONSTRAINT "ingest_gaps_cause_check" CHECK (cause = ANY (ARRAY['retention'::text, 'recreated'::text]))
);
-- set comment to table: "ingest_gaps"
COMMENT ON TABLE "test_coordination"."ingest_gaps" IS 'Offsets that Kafka no longer held when they were wanted. Each stops its partition until an operator accepts the loss.';
-- set comment to column: "to_offset" on table: "ingest_gaps"
COMMENT ON COLUMN "test_coordination"."ingest_gaps"."to_offset" IS 'First offset after the hole. Below from_offset when the log is another one, and shorter than our position.';
-- create "validation_results" table
CREATE TABLE "test_coordination"."validation_results" (
  "bucket" date NOT NULL,
  "execution_id" text NOT NULL,
  "run" integer NOT NULL,
  "validation_id" text NOT NULL,
  "order_key" bytea NOT NULL,
  "assertion_type" text NOT NULL,
  "status" text NOT NULL,
  "recorded_at" timestamptz NOT NULL,
  "phase" text NOT NULL DEFAULT '',
  "step_id" text NOT NULL DEFAULT '',
  "fault_id" text NOT NULL DEFAULT '',
  "service" text NOT NULL DEFAULT '',
  "expected" text NOT NULL DEFAULT '',
  "actual" text NOT NULL DEFAULT '',
  "operator" text NOT NULL DEFAULT '',
  "threshold" double precision NULL,
  "unit" text NOT NULL DEFAULT '',
  "within_seconds" double precision NULL,
  "observed_after_seconds" double precision NULL,
  "message" text NOT NULL DEFAULT '',
  "evidence" jsonb NULL,
  "steady_state" text NOT NULL DEFAULT '',
  "correlation_id" text NOT NULL DEFAULT '',
  PRIMARY KEY ("execution_id", "run", "validation_id", "bucket"),
  CONSTRAINT "validation_results_status_check" CHECK (status = ANY (ARRAY['passed'::text, 'failed'::text, 'skipped'::text, 'error'::text])),
  CONSTRAINT "validation_results_steady_state_check" CHECK (steady_state = ANY (ARRAY[''::text, 'before'::text, 'during'::text, 'after'::text]))
) PARTITION BY RANGE ("bucket");
-- set comment to table: "validation_results"
COMMENT ON TABLE "test_coordination"."validation_results" IS 'Results of assertions. Recorded twice under one id, the last in order holds.';
-- set comment to column: "order_key" on table: "validation_results"
COMMENT ON COLUMN "test_coordination"."validation_results"."order_key" IS 'Of the event that the row came from.';
-- set comment to column: "recorded_at" on table: "validation_results"
COMMENT ON COLUMN "test_coordination"."validation_results"."recorded_at" IS 'Time of that event, by the producer''s clock.';
-- create "scenario_dependencies" table
CREATE TABLE "test_coordination"."scenario_dependencies" (
  "scenario_id" text NOT NULL,
  "depends_on" text NOT NULL,
  "kind" text NOT NULL,
  "max_age_seconds" double precision NULL,
  PRIMARY KEY ("scenario_id", "depends_on", "kind"),
  CONSTRAINT "scenario_dependencies_kind_check" CHECK (kind = ANY (ARRAY['requires_success'::text, 'requires_run'::text, 'conflicts_with'::text, 'must_not_overlap'::text])),
  CONSTRAINT "scenario_dependencies_max_age_check" CHECK (max_age_seconds > (0)::double precision),
  CONSTRAINT "scenario_dependencies_self_check" CHECK (scenario_id <> depends_on)
);
-- create index "scenario_dependencies_depends_on_idx" to table: "scenario_dependencies"
CREATE INDEX "scenario_dependencies_depends_on_idx" ON "test_coordination"."scenario_dependencies" ("depends_on");
-- set comment to table: "scenario_dependencies"
COMMENT ON TABLE "test_coordination"."scenario_dependencies" IS 'What a scenario needs or excludes: the whole list of its latest declaration. No foreign keys: either side may be known first.';
-- set comment to column: "max_age_seconds" on table: "scenario_dependencies"
COMMENT ON COLUMN "test_coordination"."scenario_dependencies"."max_age_seconds" IS 'How old the required run may be; NULL: any age.';
-- create "quarantined_records" table
CREATE TABLE "test_coordination"."quarantined_records" (
  "id" bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  "topic" text NOT NULL,
  "partition" integer NOT NULL,
  "generation" integer NOT NULL,
  "kafka_offset" bigint NOT NULL,
  "reason" text NOT NULL,
  "field" text NOT NULL DEFAULT '',
  "detail" text NOT NULL DEFAULT '',
  "record_key" bytea NULL,
  "record_value" bytea NULL,
  "record_headers" jsonb NOT NULL DEFAULT '[]',
  "record_time" timestamptz NULL,
  "value_length" bigint NOT NULL DEFAULT 0,
  "value_sha256" bytea NULL,
  "complete" boolean NOT NULL DEFAULT true,
  "status" text NOT NULL DEFAULT 'open',
  "quarantined_at" timestamptz NOT NULL,
  "resolved_at" timestamptz NULL,
  "resolved_by" text NOT NULL DEFAULT '',
  "resolution" text NOT NULL DEFAULT '',
  PRIMARY KEY ("id"),
  CONSTRAINT "quarantined_records_address_key" UNIQUE ("topic", "partition", "generation", "kafka_offset"),
  CONSTRAINT "quarantined_records_reason_check" CHECK (reason = ANY (ARRAY['empty'::text, 'tombstone'::text, 'not_object'::text, 'json'::text, 'encoding'::text, 'utf8'::text, 'nul'::text, 'duplicate_key'::text, 'depth'::text, 'token_limit'::text, 'too_large'::text, 'number'::text, 'range'::text, 'time'::text, 'time_range'::text, 'id'::text, 'schema'::text, 'unsupported'::text, 'unsupported_type'::text, 'mode_conflict'::text, 'header_limit'::text, 'subject_mismatch'::text, 'id_conflict'::text, 'definition'::text, 'parameters'::text, 'cycle'::text, 'limit'::text, 'source_not_allowed'::text, 'panic'::text, 'crash'::text, 'database'::text])),
  CONSTRAINT "quarantined_records_status_check" CHECK (status = ANY (ARRAY['open'::text, 'requeued'::text, 'discarded'::text]))
);
-- create index "quarantined_records_open_idx" to table: "quarantined_records"
CREATE INDEX "quarantined_records_open_idx" ON "test_coordination"."quarantined_records" ("id") WHERE (status = 'open'::text);
-- set comment to table: "quarantined_records"
COMMENT ON TABLE "test_coordination"."quarantined_records" IS 'Kafka records that could not be accepted, as they were, with the reason. Nothing is dropped: an operator requeues or discards them, and the row stays.';
-- set comment to column: "detail" on table: "quarantined_records"
COMMENT ON COLUMN "test_coordination"."quarantined_records"."detail" IS 'The value (cut) and the rule that it broke.';
-- set comment to column: "record_value" on table: "quarantined_records"
COMMENT ON COLUMN "test_coordination"."quarantined_records"."record_value" IS 'NULL for a tombstone. The first 64 KiB where complete is false.';
-- set comment to column: "record_headers" on table: "quarantined_records"
COMMENT ON COLUMN "test_coordination"."quarantined_records"."record_headers" IS 'Array of [name, value] in base64, in order; a null value is null.';
-- set comment to column: "value_length" on table: "quarantined_records"
COMMENT ON COLUMN "test_coordination"."quarantined_records"."value_length" IS 'Bytes of the whole value, after decompression.';
-- create "definition_events" table
CREATE TABLE "test_coordination"."definition_events" (
  "event_key" bytea NOT NULL,
  "aggregate" text NOT NULL,
  "subject" text NOT NULL,
  "order_key" bytea NOT NULL,
  "type" text NOT NULL,
  "source" text NOT NULL,
  "event_id" text NOT NULL,
  "event_time" timestamptz NOT NULL,
  "sequence" bigint NULL,
  "digest" bytea NOT NULL,
  "digest_version" smallint NOT NULL,
  "time_suspect" boolean NOT NULL DEFAULT false,
  "trace_parent" text NOT NULL DEFAULT '',
  "correlation_id" text NOT NULL DEFAULT '',
  "topic" text NULL,
  "partition" integer NULL,
  "kafka_offset" bigint NULL,
  "data" jsonb NOT NULL,
  "extensions" jsonb NULL,
  "unknown_fields" jsonb NULL,
  "recorded_at" timestamptz NOT NULL,
  PRIMARY KEY ("event_key"),
  CONSTRAINT "definition_events_aggregate_check" CHECK (aggregate = ANY (ARRAY['template'::text, 'scenario'::text, 'schedule'::text]))
);
-- create index "definition_events_subject_idx" to table: "definition_events"
CREATE INDEX "definition_events_subject_idx" ON "test_coordination"."definition_events" ("aggregate", "subject", "order_key");
-- set comment to table: "definition_events"
COMMENT ON TABLE "test_coordination"."definition_events" IS 'Accepted events about templates, scenarios and schedules: their identity and their history.';
-- set comment to column: "kafka_offset" on table: "definition_events"
COMMENT ON COLUMN "test_coordination"."definition_events"."kafka_offset" IS 'NULL, with topic and partition, for an event of this service.';
-- set comment to column: "data" on table: "definition_events"
COMMENT ON COLUMN "test_coordination"."definition_events"."data" IS 'The event''s data; a definition text is named by its hash and lies in the version''s row.';
-- create "fault_injections" table
CREATE TABLE "test_coordination"."fault_injections" (
  "bucket" date NOT NULL,
  "execution_id" text NOT NULL,
  "run" integer NOT NULL,
  "fault_id" text NOT NULL,
  "fault_type" text NOT NULL DEFAULT '',
  "target_service" text NOT NULL DEFAULT '',
  "parameters" jsonb NULL,
  "phase" text NOT NULL DEFAULT '',
  "step_id" text NOT NULL DEFAULT '',
  "blast_radius" text NOT NULL DEFAULT '',
  "status" text NOT NULL,
  "requested_at" timestamptz NULL,
  "injected_at" timestamptz NULL,
  "cleared_at" timestamptz NULL,
  "recovered_at" timestamptz NULL,
  "recovery_seconds" double precision NULL,
  "error" text NOT NULL DEFAULT '',
  "clear_error" text NOT NULL DEFAULT '',
  "injection" text NULL,
  "marks" bytea NOT NULL,
  PRIMARY KEY ("execution_id", "run", "fault_id", "bucket"),
  CONSTRAINT "fault_injections_injection_check" CHECK (injection = ANY (ARRAY['pending'::text, 'injected'::text, 'in_progress'::text, 'cleared'::text, 'recovered'::text, 'failed'::text])),
  CONSTRAINT "fault_injections_status_check" CHECK (status = ANY (ARRAY['pending'::text, 'injected'::text, 'in_progress'::text, 'cleared'::text, 'recovered'::text, 'failed'::text]))
) PARTITION BY RANGE ("bucket");
-- set comment to table: "fault_injections"
COMMENT ON TABLE "test_coordination"."fault_injections" IS 'Chaos actions on their targets.';
-- set comment to column: "recovery_seconds" on table: "fault_injections"
COMMENT ON COLUMN "test_coordination"."fault_injections"."recovery_seconds" IS 'As the coordinator measured it.';
-- set comment to column: "injection" on table: "fault_injections"
COMMENT ON COLUMN "test_coordination"."fault_injections"."injection" IS 'Status that the latest injection event named; status also counts clearing and recovery.';
-- create "scenarios" table
CREATE TABLE "test_coordination"."scenarios" (
  "scenario_id" text NOT NULL,
  "version" bigint NOT NULL,
  "versions" integer NOT NULL DEFAULT 0,
  "status" text NOT NULL,
  "current_hash" bytea NULL,
  "scenario_type" text NOT NULL DEFAULT '',
  "category" text NOT NULL DEFAULT '',
  "services_under_test" text[] NOT NULL DEFAULT '{}',
  "expected_outcomes" text[] NOT NULL DEFAULT '{}',
  "tags" text[] NOT NULL DEFAULT '{}',
  "author" text NOT NULL DEFAULT '',
  "change_note" text NOT NULL DEFAULT '',
  "template_id" text NOT NULL DEFAULT '',
  "template_version" text NOT NULL DEFAULT '',
  "template_parameters" jsonb NULL,
  "published_at" timestamptz NULL,
  "dependencies_order" bytea NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "marks" bytea NOT NULL,
  "changed_at" timestamptz NOT NULL,
  PRIMARY KEY ("scenario_id"),
  CONSTRAINT "scenarios_current_hash_check" CHECK (octet_length(current_hash) = 32),
  CONSTRAINT "scenarios_status_check" CHECK (status = ANY (ARRAY['draft'::text, 'active'::text, 'archived'::text, 'deprecated'::text]))
);
-- set comment to table: "scenarios"
COMMENT ON TABLE "test_coordination"."scenarios" IS 'Named chaos test definitions: a pointer to the current version of each, and what was said when it was published.';
-- set comment to column: "version" on table: "scenarios"
COMMENT ON COLUMN "test_coordination"."scenarios"."version" IS 'Rises with every committed change of the row; not the number of a scenario version.';
-- set comment to column: "versions" on table: "scenarios"
COMMENT ON COLUMN "test_coordination"."scenarios"."versions" IS 'How many contents have been accepted: the number of the newest.';
-- set comment to column: "current_hash" on table: "scenarios"
COMMENT ON COLUMN "test_coordination"."scenarios"."current_hash" IS 'Content of the current version; NULL while only other events have named the scenario.';
-- set comment to column: "dependencies_order" on table: "scenarios"
COMMENT ON COLUMN "test_coordination"."scenarios"."dependencies_order" IS 'Order key of the declaration that scenario_dependencies holds; NULL when there was none.';
-- set comment to column: "created_at" on table: "scenarios"
COMMENT ON COLUMN "test_coordination"."scenarios"."created_at" IS 'Time of its first event in order, by the producer''s clock; updated_at is that of its last.';
-- set comment to column: "changed_at" on table: "scenarios"
COMMENT ON COLUMN "test_coordination"."scenarios"."changed_at" IS 'When the row was last written here.';
-- create "schedules" table
CREATE TABLE "test_coordination"."schedules" (
  "schedule_id" text NOT NULL,
  "version" bigint NOT NULL,
  "removed" boolean NOT NULL DEFAULT false,
  "scenario_id" text NOT NULL DEFAULT '',
  "kind" text NULL,
  "cron" text NOT NULL DEFAULT '',
  "time_zone" text NOT NULL DEFAULT '',
  "run_at" timestamptz NULL,
  "after_scenario_id" text NOT NULL DEFAULT '',
  "event_type" text NOT NULL DEFAULT '',
  "enabled" boolean NULL,
  "concurrency_policy" text NULL,
  "starting_deadline_seconds" double precision NULL,
  "not_before" timestamptz NULL,
  "not_after" timestamptz NULL,
  "parameters" jsonb NULL,
  "created_at" timestamptz NOT NULL,
  "updated_at" timestamptz NOT NULL,
  "marks" bytea NOT NULL,
  "changed_at" timestamptz NOT NULL,
  PRIMARY KEY ("schedule_id"),
  CONSTRAINT "schedules_concurrency_policy_check" CHECK (concurrency_policy = ANY (ARRAY['allow'::text, 'forbid'::text, 'replace'::text])),
  CONSTRAINT "schedules_kind_check" CHECK (kind = ANY (ARRAY['once'::text, 'cron'::text, 'after_scenario'::text, 'event'::text])),
  CONSTRAINT "schedules_starting_deadline_check" CHECK (starting_deadline_seconds > (0)::double precision)
);
-- create index "schedules_scenario_id_idx" to table: "schedules"
CREATE INDEX "schedules_scenario_id_idx" ON "test_coordination"."schedules" ("scenario_id");
-- set comment to table: "schedules"
COMMENT ON TABLE "test_coordination"."schedules" IS 'When scenarios are due. A removed schedule stays as a tombstone, so that an older event cannot bring it back.';
-- set comment to column: "kind" on table: "schedules"
COMMENT ON COLUMN "test_coordination"."schedules"."kind" IS 'NULL for a tombstone of a schedule that was never set here.';
-- set comment to column: "enabled" on table: "schedules"
COMMENT ON COLUMN "test_coordination"."schedules"."enabled" IS 'NULL: not said, which means enabled.';
-- set comment to column: "concurrency_policy" on table: "schedules"
COMMENT ON COLUMN "test_coordination"."schedules"."concurrency_policy" IS 'NULL: not said, which means allow.';
-- set comment to column: "created_at" on table: "schedules"
COMMENT ON COLUMN "test_coordination"."schedules"."created_at" IS 'Time of its first event in order, by the producer''s clock; updated_at is that of its last.';
-- set comment to column: "changed_at" on table: "schedules"
COMMENT ON COLUMN "test_coordination"."schedules"."changed_at" IS 'When the row was last written here.';
-- create "system_snapshots" table
CREATE TABLE "test_coordination"."system_snapshots" (
  "bucket" date NOT NULL,
  "execution_id" text NOT NULL,
  "run" integer NOT NULL,
  "snapshot_id" text NOT NULL,
  "arrival" bigint NOT NULL,
  "order_key" bytea NOT NULL,
  "kind" text NOT NULL,
  "service" text NOT NULL DEFAULT '',
  "phase" text NOT NULL DEFAULT '',
  "captured_at" timestamptz NOT NULL,
  "health" text NOT NULL DEFAULT '',
  "state" json NULL,
  "metrics" jsonb NULL,
  PRIMARY KEY ("execution_id", "run", "snapshot_id", "arrival", "bucket"),
  CONSTRAINT "system_snapshots_kind_check" CHECK (kind = ANY (ARRAY['baseline'::text, 'periodic'::text, 'pre_injection'::text, 'post_injection'::text, 'recovery'::text, 'manual'::text]))
) PARTITION BY RANGE ("bucket");
-- set comment to table: "system_snapshots"
COMMENT ON TABLE "test_coordination"."system_snapshots" IS 'States of the system, or of one service, at moments of a run. Captured twice under one id, both are kept and the last in order is the one shown.';
-- set comment to column: "arrival" on table: "system_snapshots"
COMMENT ON COLUMN "test_coordination"."system_snapshots"."arrival" IS 'Of the event in execution_events that brought it.';
-- set comment to column: "state" on table: "system_snapshots"
COMMENT ON COLUMN "test_coordination"."system_snapshots"."state" IS 'json, not jsonb: given back byte for byte as it was accepted.';
-- create "template_versions" table
CREATE TABLE "test_coordination"."template_versions" (
  "template_id" text NOT NULL,
  "number" integer NOT NULL,
  "content_hash" bytea NOT NULL,
  "definition" text NOT NULL,
  "author" text NOT NULL DEFAULT '',
  "change_note" text NOT NULL DEFAULT '',
  "published_at" timestamptz NOT NULL,
  "marks" bytea NOT NULL,
  PRIMARY KEY ("template_id", "number"),
  CONSTRAINT "template_versions_content_hash_key" UNIQUE ("template_id", "content_hash"),
  CONSTRAINT "template_versions_content_hash_check" CHECK (octet_length(content_hash) = 32)
);
-- set comment to table: "template_versions"
COMMENT ON TABLE "test_coordination"."template_versions" IS 'Immutable contents of templates, byte for byte.';
-- set comment to column: "number" on table: "template_versions"
COMMENT ON COLUMN "test_coordination"."template_versions"."number" IS 'From 1, in the order in which contents were first accepted.';
-- set comment to column: "content_hash" on table: "template_versions"
COMMENT ON COLUMN "test_coordination"."template_versions"."content_hash" IS 'sha-256 of the definition text.';
-- set comment to column: "published_at" on table: "template_versions"
COMMENT ON COLUMN "test_coordination"."template_versions"."published_at" IS 'Of its first publication in order, as are author and change_note.';
-- create "templates" table
CREATE TABLE "test_coordination"."templates" (
  "template_id" text NOT NULL,
  "version" bigint NOT NULL,
  "versions" integer NOT NULL DEFAULT 0,
  "current_hash" bytea NOT NULL,
  "author" text NOT NULL DEFAULT '',
  "change_note" text NOT NULL DEFAULT '',
  "published_at" timestamptz NOT NULL,
  "created_at" timestamptz NOT NULL,
  "marks" bytea NOT NULL,
  "changed_at" timestamptz NOT NULL,
  PRIMARY KEY ("template_id"),
  CONSTRAINT "templates_current_hash_check" CHECK (octet_length(current_hash) = 32)
);
-- set comment to table: "templates"
COMMENT ON TABLE "test_coordination"."templates" IS 'Scenario templates with typed parameters: a pointer to the current version of each.';
-- set comment to column: "version" on table: "templates"
COMMENT ON COLUMN "test_coordination"."templates"."version" IS 'Rises with every committed change of the row; not the number of a template version.';
-- set comment to column: "versions" on table: "templates"
COMMENT ON COLUMN "test_coordination"."templates"."versions" IS 'How many contents have been accepted: the number of the newest.';
-- set comment to column: "created_at" on table: "templates"
COMMENT ON COLUMN "test_coordination"."templates"."created_at" IS 'Time of its first event in order, by the producer''s clock.';
-- set comment to column: "changed_at" on table: "templates"
COMMENT ON COLUMN "test_coordination"."templates"."changed_at" IS 'When the row was last written here.';
-- create "execution_details" table
CREATE TABLE "test_coordination"."execution_details" (
  "execution_id" text NOT NULL,
  "run" integer NOT NULL,
  "labels" jsonb NULL,
  "parameters" jsonb NULL,
  "configuration_snapshot" jsonb NULL,
  "system_state" jsonb NULL,
  "summary" jsonb NULL,
  PRIMARY KEY ("execution_id", "run"),
  CONSTRAINT "execution_details_run_fkey" FOREIGN KEY ("execution_id", "run") REFERENCES "test_coordination"."executions" ("execution_id", "run") ON UPDATE NO ACTION ON DELETE CASCADE
);
-- set comment to table: "execution_details"
COMMENT ON TABLE "test_coordination"."execution_details" IS 'The big JSON of a run, apart from executions so that lists never read it.';
-- set comment to column: "system_state" on table: "execution_details"
COMMENT ON COLUMN "test_coordination"."execution_details"."system_state" IS 'Of the latest heartbeat that carried one.';
ALTER TABLE test_coordination.executions SET (fillfactor = 70);
-- Where a row goes when nobody made the partition in time. Its use raises an alarm.
CREATE TABLE "test_coordination"."execution_events_default"   PARTITION OF "test_coordination"."execution_events"   DEFAULT;
CREATE TABLE "test_coordination"."execution_phases_default"   PARTITION OF "test_coordination"."execution_phases"   DEFAULT;
CREATE TABLE "test_coordination"."execution_steps_default"    PARTITION OF "test_coordination"."execution_steps"    DEFAULT;
CREATE TABLE "test_coordination"."fault_injections_default"   PARTITION OF "test_coordination"."fault_injections"   DEFAULT;
CREATE TABLE "test_coordination"."validation_results_default" PARTITION OF "test_coordination"."validation_results" DEFAULT;
CREATE TABLE "test_coordination"."system_snapshots_default"   PARTITION OF "test_coordination"."system_snapshots"   DEFAULT;
CREATE TABLE "test_coordination"."execution_logs_default"     PARTITION OF "test_coordination"."execution_logs"     DEFAULT;
-- ensure_partitions makes the partitions that hold the buckets first..last, of
-- a month or a day each, for every partitioned table of the schema, and tells
-- how many it made. The grain may change: a day that another partition covers
-- is left as it is, and of a month that others cover in part the other days are
-- made, one by one. A partition whose rows already lie in the default one
-- cannot be made, and keeps no other from being made. SECURITY DEFINER: the
-- writer of a hardened installation may not create tables. The lock timeout
-- keeps a busy table's writers from queueing behind us; the caller tries again
-- later.
CREATE OR REPLACE FUNCTION "test_coordination"."ensure_partitions"(first date, last date, grain text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = test_coordination, pg_temp
SET lock_timeout = '2s'
AS $$
DECLARE
  parent  regclass;
  lower   date;
  upper   date;
  by_day  date; -- below it partitions are of a day, whatever the grain
  width   text;
  child   text;
  made    integer := 0;
BEGIN
  IF grain NOT IN ('month', 'day') THEN
    RAISE EXCEPTION 'grain is %, want month or day', grain USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF last < first OR last > first + 3660 THEN
    RAISE EXCEPTION 'last bucket % is not within ten years after %', last, first USING ERRCODE = 'invalid_parameter_value';
  END IF;
  FOR parent IN
    SELECT p.partrelid FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid
    WHERE c.relnamespace = 'test_coordination'::regnamespace ORDER BY c.relname
  LOOP
    lower := date_trunc(grain, first::timestamp)::date;
    by_day := lower;
    WHILE lower <= last OR lower < by_day LOOP
      width := CASE WHEN lower < by_day THEN 'day' ELSE grain END;
      upper := (lower + CASE width WHEN 'month' THEN interval '1 month' ELSE interval '1 day' END)::date;
      child := (SELECT relname FROM pg_class WHERE oid = parent) ||
               to_char(lower, CASE width WHEN 'month' THEN '"_y"YYYY"m"MM' ELSE '"_y"YYYY"m"MM"d"DD' END);
      IF to_regclass(format('test_coordination.%I', child)) IS NULL THEN
        BEGIN
          EXECUTE format('CREATE TABLE test_coordination.%I PARTITION OF %s FOR VALUES FROM (%L) TO (%L)', child, parent, lower, upper);
          made := made + 1;
        EXCEPTION
          WHEN invalid_object_definition THEN -- overlaps a partition of another grain
            IF width = 'month' THEN
              by_day := upper;
              CONTINUE; -- the same month again, by day
            END IF;
          WHEN check_violation THEN -- rows of it lie in the default partition; the others can still be made
            RAISE WARNING 'partition % cannot be made: rows that belong to it lie in the default partition', child;
        END;
      END IF;
      lower := upper;
    END LOOP;
  END LOOP;
  RETURN made;
END
$$;
REVOKE EXECUTE ON FUNCTION "test_coordination"."ensure_partitions"(date, date, text) FROM PUBLIC;
COMMENT ON FUNCTION "test_coordination"."ensure_partitions"(date, date, text) IS 'Makes the partitions for the buckets first..last, by month or day, and returns how many were new.';
-- stray_rows counts, table by table, what lies in DEFAULT partitions: rows
-- whose partition was not made in time.
CREATE OR REPLACE FUNCTION "test_coordination"."stray_rows"() RETURNS TABLE (parent text, stray bigint)
LANGUAGE plpgsql STABLE
SET search_path = test_coordination, pg_temp
AS $$
DECLARE
  child regclass;
BEGIN
  FOR parent, child IN
    SELECT c.relname, p.partdefid::regclass FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid
    WHERE c.relnamespace = 'test_coordination'::regnamespace AND p.partdefid <> 0 ORDER BY c.relname
  LOOP
    EXECUTE format('SELECT count(*) FROM (SELECT FROM %s LIMIT 100000) AS rows', child) INTO stray;
    RETURN NEXT;
  END LOOP;
END
$$;
COMMENT ON FUNCTION "test_coordination"."stray_rows"() IS 'Rows in each DEFAULT partition, counted up to 100,000.';
CREATE OR REPLACE VIEW "test_coordination"."analytics_executions" AS
SELECT e.execution_id, e.run, e.status, e.reported_outcome, e.scenario_id, e.scenario_version, e.environment,
       e.coordinator_id, e.trigger_type, e.trigger_actor, e.group_id, e.attempt, e.dry_run,
       e.requested_at, e.started_at, e.ended_at,
       extract(epoch FROM e.ended_at - e.started_at)::double precision AS duration_seconds,
       e.status IN ('passed', 'failed', 'error', 'cancelled', 'timeout', 'interrupted') AS terminal,
       e.interrupt_cause, e.exit_code, e.error_message, e.events, e.log_lines, e.steps_total, e.steps_failed,
       e.faults_total, e.faults_active, e.validations_passed, e.validations_failed, e.validations_skipped, e.validations_error,
       e.created_at AS first_seen_at
FROM "test_coordination"."executions" AS e;
COMMENT ON VIEW "test_coordination"."analytics_executions" IS 'One row for each run.';
CREATE OR REPLACE VIEW "test_coordination"."analytics_validations" AS
SELECT v.execution_id, v.run, e.scenario_id, e.environment, v.validation_id, v.assertion_type, v.status, v.recorded_at,
       v.phase, v.step_id, v.fault_id, v.service, v.expected, v.actual, v.operator, v.threshold, v.unit,
       v.within_seconds, v.observed_after_seconds, v.message, v.steady_state, v.correlation_id
FROM "test_coordination"."validation_results" AS v
JOIN "test_coordination"."executions" AS e ON e.execution_id = v.execution_id AND e.run = v.run;
COMMENT ON VIEW "test_coordination"."analytics_validations" IS 'One row for each assertion of each run.';
CREATE OR REPLACE VIEW "test_coordination"."analytics_faults" AS
SELECT f.execution_id, f.run, e.scenario_id, e.environment, f.fault_id, f.fault_type, f.target_service, f.phase, f.step_id,
       f.blast_radius, f.status, f.injected_at, f.cleared_at, f.recovered_at,
       extract(epoch FROM f.cleared_at - f.injected_at)::double precision AS active_seconds,
       coalesce(f.recovery_seconds, extract(epoch FROM f.recovered_at - coalesce(f.cleared_at, f.injected_at))::double precision) AS recovery_seconds, f.error
FROM "test_coordination"."fault_injections" AS f
JOIN "test_coordination"."executions" AS e ON e.execution_id = f.execution_id AND e.run = f.run;
COMMENT ON VIEW "test_coordination"."analytics_faults" IS 'One row for each fault injection of each run.';
CREATE OR REPLACE VIEW "test_coordination"."analytics_timeline" AS
SELECT v.execution_id, v.run, v.order_key, v.type, v.event_time, v.source, v.event_id, v.sequence,
       coalesce(v.order_key > e.end_order AND v.type <> 'test-coordination.execution.finished.v1', false) AS late,
       coalesce(v.order_key > e.end_order AND v.type = 'test-coordination.execution.finished.v1'
                AND v.data->>'outcome' IS DISTINCT FROM e.reported_outcome, false) AS conflicting_outcome,
       v.run_guessed, v.time_suspect, v.topic, v.partition, v.kafka_offset, v.recorded_at
FROM "test_coordination"."execution_events" AS v
JOIN "test_coordination"."executions" AS e ON e.execution_id = v.execution_id AND e.run = v.run;
COMMENT ON VIEW "test_coordination"."analytics_timeline" IS 'One row for each accepted event of each run, with its flags. Sort by order_key.';
COMMENT ON COLUMN "test_coordination"."analytics_timeline"."late" IS 'Ordered after the end of the run: shown, but changes no status.';
-- Analysts connect as monitor_user where the ecosystem shares its database, as
-- test_coordination_reader where bootstrap.sql made the roles; others have neither.
DO $$
DECLARE
  analyst text;
BEGIN
  FOR analyst IN SELECT rolname FROM pg_roles WHERE rolname IN ('monitor_user', 'test_coordination_reader') LOOP
    EXECUTE format('GRANT USAGE ON SCHEMA "test_coordination" TO %I', analyst);
    EXECUTE format('GRANT SELECT ON "test_coordination"."analytics_executions", "test_coordination"."analytics_validations",
      "test_coordination"."analytics_faults", "test_coordination"."analytics_timeline" TO %I', analyst);
  END LOOP;
END
$$;
