-- The desired state of the schema test_coordination: the source of the Atlas
-- migrations and of sqlc's types. Change this file, then run
--   make migrate-new name=what_changes
-- Atlas compares tables, columns, keys, checks, indexes and comments. What it
-- does not compare (partitions, functions, views, grants, storage parameters)
-- stands here and, by hand, in a migration; a test holds the two together.
--
-- Conventions: status words are text with a named CHECK; ids are text chosen
-- by the coordinator; durations are double precision seconds; an order key is
-- fact.Order in its byte form (sequence, time, event key), which sorts as the
-- events do; marks are fact.Marks, the order keys that a row's fields came from.

-- The dev database of a diff has it, and a plan must not drop it.
CREATE SCHEMA IF NOT EXISTS "public";
CREATE SCHEMA IF NOT EXISTS "test_coordination";

-- ---------------------------------------------------------------- ingest --

CREATE TABLE "test_coordination"."ingest_partitions" (
  "topic"          text        NOT NULL,
  "partition"      integer     NOT NULL,
  "generation"     integer     NOT NULL DEFAULT 1,
  "topic_id"       uuid        NULL,
  "epoch"          bigint      NOT NULL DEFAULT 0,
  "owner"          text        NOT NULL DEFAULT '',
  "next_offset"    bigint      NOT NULL,
  "attempts"       integer     NOT NULL DEFAULT 0,
  "careful_until"  bigint      NOT NULL DEFAULT 0,
  "clean_stop"     boolean     NOT NULL DEFAULT true,
  "stopped_reason" text        NOT NULL DEFAULT '',
  "applied"        bigint      NOT NULL DEFAULT 0,
  "duplicates"     bigint      NOT NULL DEFAULT 0,
  "quarantined"    bigint      NOT NULL DEFAULT 0,
  "claimed_at"     timestamptz NOT NULL,
  "updated_at"     timestamptz NOT NULL,
  CONSTRAINT "ingest_partitions_pkey" PRIMARY KEY ("topic", "partition"),
  CONSTRAINT "ingest_partitions_next_offset_check" CHECK ("next_offset" >= 0),
  CONSTRAINT "ingest_partitions_partition_check" CHECK ("partition" >= 0)
);
COMMENT ON TABLE "test_coordination"."ingest_partitions" IS 'Position in each partition of the input topics. The only truth about what has been ingested; the offset in Kafka is a lag gauge.';
COMMENT ON COLUMN "test_coordination"."ingest_partitions"."generation" IS 'Raised by an operator''s reset, so that offsets of another log (a topic made again, or one that lost its end) are not taken for those of the former one.';
COMMENT ON COLUMN "test_coordination"."ingest_partitions"."topic_id" IS 'Kafka''s id of the topic when the partition was first claimed; another id means that the topic was re-created.';
COMMENT ON COLUMN "test_coordination"."ingest_partitions"."epoch" IS 'Raised by each claim (S0). A worker whose epoch is old is fenced.';
COMMENT ON COLUMN "test_coordination"."ingest_partitions"."next_offset" IS 'First offset that is not ingested. Moves only by compare-and-set in the transaction that writes the batch (S4a).';
COMMENT ON COLUMN "test_coordination"."ingest_partitions"."attempts" IS 'Deaths while the records at next_offset were read, since they were last decoded alive; three of them quarantine the next record as crash.';
COMMENT ON COLUMN "test_coordination"."ingest_partitions"."careful_until" IS 'Below this offset records are taken one at a time, so that a deadly one can be told from its neighbours.';
COMMENT ON COLUMN "test_coordination"."ingest_partitions"."clean_stop" IS 'False while a worker reads the partition; still false at the next claim, it died without a word.';
COMMENT ON COLUMN "test_coordination"."ingest_partitions"."stopped_reason" IS 'Why nobody may ingest this partition until an operator acts; empty when it runs.';
COMMENT ON COLUMN "test_coordination"."ingest_partitions"."applied" IS 'Records applied since the partition was first seen; with duplicates and quarantined the sum of all records ingested.';

CREATE TABLE "test_coordination"."ingest_gaps" (
  "topic"       text        NOT NULL,
  "partition"   integer     NOT NULL,
  "generation"  integer     NOT NULL,
  "from_offset" bigint      NOT NULL,
  "to_offset"   bigint      NOT NULL,
  "cause"       text        NOT NULL,
  "detected_at" timestamptz NOT NULL,
  "accepted_at" timestamptz NULL,
  "accepted_by" text        NOT NULL DEFAULT '',
  CONSTRAINT "ingest_gaps_pkey" PRIMARY KEY ("topic", "partition", "generation", "from_offset"),
  CONSTRAINT "ingest_gaps_cause_check" CHECK ("cause" IN ('retention', 'recreated'))
);
COMMENT ON TABLE "test_coordination"."ingest_gaps" IS 'Offsets that Kafka no longer held when they were wanted. Each stops its partition until an operator accepts the loss.';
COMMENT ON COLUMN "test_coordination"."ingest_gaps"."to_offset" IS 'First offset after the hole. Below from_offset when the log is another one, and shorter than our position.';

CREATE TABLE "test_coordination"."quarantined_records" (
  "id"             bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
  "topic"          text        NOT NULL,
  "partition"      integer     NOT NULL,
  "generation"     integer     NOT NULL,
  "kafka_offset"   bigint      NOT NULL,
  "reason"         text        NOT NULL,
  "field"          text        NOT NULL DEFAULT '',
  "detail"         text        NOT NULL DEFAULT '',
  "record_key"     bytea       NULL,
  "record_value"   bytea       NULL,
  "record_headers" jsonb       NOT NULL DEFAULT '[]',
  "record_time"    timestamptz NULL,
  "value_length"   bigint      NOT NULL DEFAULT 0,
  "value_sha256"   bytea       NULL,
  "complete"       boolean     NOT NULL DEFAULT true,
  "status"         text        NOT NULL DEFAULT 'open',
  "quarantined_at" timestamptz NOT NULL,
  "resolved_at"    timestamptz NULL,
  "resolved_by"    text        NOT NULL DEFAULT '',
  "resolution"     text        NOT NULL DEFAULT '',
  CONSTRAINT "quarantined_records_pkey" PRIMARY KEY ("id"),
  CONSTRAINT "quarantined_records_address_key" UNIQUE ("topic", "partition", "generation", "kafka_offset"),
  CONSTRAINT "quarantined_records_status_check" CHECK ("status" IN ('open', 'requeued', 'discarded')),
  CONSTRAINT "quarantined_records_reason_check" CHECK ("reason" IN (
    'empty', 'tombstone', 'not_object', 'json', 'encoding', 'utf8', 'nul', 'duplicate_key', 'depth', 'token_limit',
    'too_large', 'number', 'range', 'time', 'time_range', 'id', 'schema', 'unsupported', 'unsupported_type',
    'mode_conflict', 'header_limit', 'subject_mismatch', 'id_conflict', 'definition', 'parameters', 'cycle', 'limit',
    'source_not_allowed', 'panic', 'crash', 'database'))
);
CREATE INDEX "quarantined_records_open_idx" ON "test_coordination"."quarantined_records" ("id") WHERE "status" = 'open';
COMMENT ON TABLE "test_coordination"."quarantined_records" IS 'Kafka records that could not be accepted, as they were, with the reason. Nothing is dropped: an operator requeues or discards them, and the row stays.';
COMMENT ON COLUMN "test_coordination"."quarantined_records"."detail" IS 'The value (cut) and the rule that it broke.';
COMMENT ON COLUMN "test_coordination"."quarantined_records"."record_value" IS 'NULL for a tombstone. Where complete is false only the first bytes: 64 KiB of a record that is too large, 1 KiB when the quarantine was over its soft limit, none when the record was never read. Given up when the record is settled.';
COMMENT ON COLUMN "test_coordination"."quarantined_records"."record_headers" IS 'Array of [name, value] in base64, in order; a null value is null.';
COMMENT ON COLUMN "test_coordination"."quarantined_records"."value_length" IS 'Bytes of the whole value, after decompression.';

CREATE TABLE "test_coordination"."quarantine_usage" (
  "singleton"    boolean NOT NULL DEFAULT true,
  "open_records" bigint  NOT NULL DEFAULT 0,
  "open_bytes"   bigint  NOT NULL DEFAULT 0,
  CONSTRAINT "quarantine_usage_pkey" PRIMARY KEY ("singleton"),
  CONSTRAINT "quarantine_usage_singleton_check" CHECK ("singleton")
);
COMMENT ON TABLE "test_coordination"."quarantine_usage" IS 'What the open quarantined records take, in one row. Triggers keep it, so that it is exact whoever writes; a batch that quarantines locks it and decides by it.';
COMMENT ON COLUMN "test_coordination"."quarantine_usage"."open_bytes" IS 'Sum of quarantined_bytes over the open records.';

-- ---------------------------------------------------------------- outbox --

CREATE TABLE "test_coordination"."outbox" (
  "id"                  bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
  "topic_role"          text        NOT NULL,
  "event_id"            text        NOT NULL,
  "type"                text        NOT NULL DEFAULT '',
  "subject"             text        NOT NULL DEFAULT '',
  "event_time"          timestamptz NOT NULL,
  "key_hash"            bytea       NOT NULL,
  "record_key"          bytea       NULL,
  "record_value"        bytea       NULL,
  "record_headers"      jsonb       NULL,
  "quarantined_id"      bigint      NULL,
  "status"              text        NOT NULL DEFAULT 'pending',
  "held_back"           boolean     NOT NULL DEFAULT false,
  "attempts"            integer     NOT NULL DEFAULT 0,
  "enqueued_at"         timestamptz NOT NULL,
  "parked_at"           timestamptz NULL,
  "parked_reason"       text        NOT NULL DEFAULT '',
  "resolved_at"         timestamptz NULL,
  "resolved_by"         text        NOT NULL DEFAULT '',
  "resolution"          text        NOT NULL DEFAULT '',
  "finished_at"         timestamptz NULL,
  "published_topic"     text        NULL,
  "published_partition" integer     NULL,
  "published_offset"    bigint      NULL,
  CONSTRAINT "outbox_pkey" PRIMARY KEY ("id"),
  CONSTRAINT "outbox_event_id_key" UNIQUE ("topic_role", "event_id"),
  CONSTRAINT "outbox_topic_role_check" CHECK ("topic_role" IN ('commands', 'reports', 'dead-letters')),
  CONSTRAINT "outbox_status_check" CHECK ("status" IN ('pending', 'parked', 'published', 'discarded')),
  CONSTRAINT "outbox_held_back_check" CHECK (NOT "held_back" OR "status" = 'pending'),
  CONSTRAINT "outbox_finished_check" CHECK (("status" IN ('published', 'discarded')) = ("finished_at" IS NOT NULL)),
  CONSTRAINT "outbox_record_check" CHECK ("record_headers" IS NOT NULL OR "quarantined_id" IS NOT NULL)
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000); -- the publisher walks over what is not vacuumed
CREATE INDEX "outbox_next_idx" ON "test_coordination"."outbox" ("topic_role", "key_hash", "id") WHERE "status" = 'pending' AND NOT "held_back";
CREATE INDEX "outbox_waiting_idx" ON "test_coordination"."outbox" ("topic_role", "key_hash", "id") WHERE "status" = 'parked' OR "held_back";
CREATE INDEX "outbox_pending_idx" ON "test_coordination"."outbox" ("topic_role", "id") WHERE "status" = 'pending';
CREATE INDEX "outbox_parked_idx" ON "test_coordination"."outbox" ("id") WHERE "status" = 'parked';
CREATE INDEX "outbox_finished_idx" ON "test_coordination"."outbox" ("finished_at") WHERE "finished_at" IS NOT NULL;
CREATE INDEX "outbox_quarantined_idx" ON "test_coordination"."outbox" ("quarantined_id") WHERE "quarantined_id" IS NOT NULL AND "finished_at" IS NULL;
COMMENT ON TABLE "test_coordination"."outbox" IS 'Events for other programs, written in the transaction that they tell of and published to Kafka afterwards (S8), at least once and in order for each key. Claimed by state, never by the last id seen: a lower id may commit later.';
COMMENT ON COLUMN "test_coordination"."outbox"."topic_role" IS 'Which of the outgoing topics; their names are settings.';
COMMENT ON COLUMN "test_coordination"."outbox"."event_id" IS 'Follows from what the event states, so that a repeat is no second row.';
COMMENT ON COLUMN "test_coordination"."outbox"."key_hash" IS 'sha-256 of the record''s key: rows that share it are published one after the other. Of the event id where the record has no key.';
COMMENT ON COLUMN "test_coordination"."outbox"."record_headers" IS 'Array of [name, value] in base64, in order; a null value is null. NULL where key, value and headers are those of the quarantined record.';
COMMENT ON COLUMN "test_coordination"."outbox"."quarantined_id" IS 'The quarantined record that a dead letter is the copy of. It lends its bytes, and leaves them here when it is settled before they are published.';
COMMENT ON COLUMN "test_coordination"."outbox"."status" IS 'pending: to be published; parked: the broker refuses it, and the rows of its key wait behind it until an operator has released or discarded it.';
COMMENT ON COLUMN "test_coordination"."outbox"."held_back" IS 'An earlier row of its key is parked: publishers pass this one over. Set by the publisher that first came upon it, cleared with the release or discard of that row.';
COMMENT ON COLUMN "test_coordination"."outbox"."attempts" IS 'How often it was sent to the broker, in vain or not.';
COMMENT ON COLUMN "test_coordination"."outbox"."resolved_by" IS 'Who released or discarded it last after it was parked; resolution says why.';
COMMENT ON COLUMN "test_coordination"."outbox"."finished_at" IS 'When it was published or discarded. Rows are removed some time after that.';

CREATE TABLE "test_coordination"."loop_cursors" (
  "loop"         text        NOT NULL,
  "changed_at"   timestamptz NOT NULL,
  "execution_id" text        NOT NULL DEFAULT '',
  "run"          integer     NOT NULL DEFAULT 0,
  "updated_at"   timestamptz NOT NULL,
  CONSTRAINT "loop_cursors_pkey" PRIMARY KEY ("loop")
);
COMMENT ON TABLE "test_coordination"."loop_cursors" IS 'How far loops that walk changed runs have come. A cursor only moves forward.';
COMMENT ON COLUMN "test_coordination"."loop_cursors"."changed_at" IS 'settled_change_at of the last run that was handled; with execution_id and run its place among those of the same time.';

-- ------------------------------------------------------------ definitions --

CREATE TABLE "test_coordination"."definition_events" (
  "event_key"      bytea       NOT NULL,
  "aggregate"      text        NOT NULL,
  "subject"        text        NOT NULL,
  "order_key"      bytea       NOT NULL,
  "type"           text        NOT NULL,
  "source"         text        NOT NULL,
  "event_id"       text        NOT NULL,
  "event_time"     timestamptz NOT NULL,
  "sequence"       bigint      NULL,
  "digest"         bytea       NOT NULL,
  "digest_version" smallint    NOT NULL,
  "time_suspect"   boolean     NOT NULL DEFAULT false,
  "trace_parent"   text        NOT NULL DEFAULT '',
  "correlation_id" text        NOT NULL DEFAULT '',
  "topic"          text        NULL,
  "partition"      integer     NULL,
  "kafka_offset"   bigint      NULL,
  "data"           jsonb       NOT NULL,
  "extensions"     jsonb       NULL,
  "unknown_fields" jsonb       NULL,
  "recorded_at"    timestamptz NOT NULL,
  CONSTRAINT "definition_events_pkey" PRIMARY KEY ("event_key"),
  CONSTRAINT "definition_events_aggregate_check" CHECK ("aggregate" IN ('template', 'scenario', 'schedule'))
);
CREATE INDEX "definition_events_subject_idx" ON "test_coordination"."definition_events" ("aggregate", "subject", "order_key");
COMMENT ON TABLE "test_coordination"."definition_events" IS 'Accepted events about templates, scenarios and schedules: their identity and their history.';
COMMENT ON COLUMN "test_coordination"."definition_events"."data" IS 'The event''s data; a definition text is named by its hash and lies in the version''s row.';
COMMENT ON COLUMN "test_coordination"."definition_events"."kafka_offset" IS 'NULL, with topic and partition, for an event of this service.';

CREATE TABLE "test_coordination"."templates" (
  "template_id"  text        NOT NULL,
  "version"      bigint      NOT NULL,
  "versions"     integer     NOT NULL DEFAULT 0,
  "current_hash" bytea       NOT NULL,
  "author"       text        NOT NULL DEFAULT '',
  "change_note"  text        NOT NULL DEFAULT '',
  "published_at" timestamptz NOT NULL,
  "created_at"   timestamptz NOT NULL,
  "marks"        bytea       NOT NULL,
  "changed_at"   timestamptz NOT NULL,
  CONSTRAINT "templates_pkey" PRIMARY KEY ("template_id"),
  CONSTRAINT "templates_current_hash_check" CHECK (octet_length("current_hash") = 32)
);
COMMENT ON TABLE "test_coordination"."templates" IS 'Scenario templates with typed parameters: a pointer to the current version of each.';
COMMENT ON COLUMN "test_coordination"."templates"."version" IS 'Rises with every committed change of the row; not the number of a template version.';
COMMENT ON COLUMN "test_coordination"."templates"."versions" IS 'How many contents have been accepted: the number of the newest.';
COMMENT ON COLUMN "test_coordination"."templates"."created_at" IS 'Time of its first event in order, by the producer''s clock.';
COMMENT ON COLUMN "test_coordination"."templates"."changed_at" IS 'When the row was last written here.';

CREATE TABLE "test_coordination"."template_versions" (
  "template_id"  text        NOT NULL,
  "number"       integer     NOT NULL,
  "content_hash" bytea       NOT NULL,
  "definition"   text        NOT NULL,
  "author"       text        NOT NULL DEFAULT '',
  "change_note"  text        NOT NULL DEFAULT '',
  "published_at" timestamptz NOT NULL,
  "marks"        bytea       NOT NULL,
  CONSTRAINT "template_versions_pkey" PRIMARY KEY ("template_id", "number"),
  CONSTRAINT "template_versions_content_hash_key" UNIQUE ("template_id", "content_hash"),
  CONSTRAINT "template_versions_content_hash_check" CHECK (octet_length("content_hash") = 32)
);
COMMENT ON TABLE "test_coordination"."template_versions" IS 'Immutable contents of templates, byte for byte.';
COMMENT ON COLUMN "test_coordination"."template_versions"."number" IS 'From 1, in the order in which contents were first accepted.';
COMMENT ON COLUMN "test_coordination"."template_versions"."content_hash" IS 'sha-256 of the definition text.';
COMMENT ON COLUMN "test_coordination"."template_versions"."published_at" IS 'Of its first publication in order, as are author and change_note.';

CREATE TABLE "test_coordination"."scenarios" (
  "scenario_id"         text        NOT NULL,
  "version"             bigint      NOT NULL,
  "versions"            integer     NOT NULL DEFAULT 0,
  "status"              text        NOT NULL,
  "current_hash"        bytea       NULL,
  "scenario_type"       text        NOT NULL DEFAULT '',
  "category"            text        NOT NULL DEFAULT '',
  "services_under_test" text[]      NOT NULL DEFAULT '{}',
  "expected_outcomes"   text[]      NOT NULL DEFAULT '{}',
  "tags"                text[]      NOT NULL DEFAULT '{}',
  "author"              text        NOT NULL DEFAULT '',
  "change_note"         text        NOT NULL DEFAULT '',
  "template_id"         text        NOT NULL DEFAULT '',
  "template_version"    text        NOT NULL DEFAULT '',
  "template_parameters" jsonb       NULL,
  "published_at"        timestamptz NULL,
  "dependencies_order"  bytea       NULL,
  "created_at"          timestamptz NOT NULL,
  "updated_at"          timestamptz NOT NULL,
  "marks"               bytea       NOT NULL,
  "changed_at"          timestamptz NOT NULL,
  CONSTRAINT "scenarios_pkey" PRIMARY KEY ("scenario_id"),
  CONSTRAINT "scenarios_status_check" CHECK ("status" IN ('draft', 'active', 'archived', 'deprecated')),
  CONSTRAINT "scenarios_current_hash_check" CHECK (octet_length("current_hash") = 32)
);
COMMENT ON TABLE "test_coordination"."scenarios" IS 'Named chaos test definitions: a pointer to the current version of each, and what was said when it was published.';
COMMENT ON COLUMN "test_coordination"."scenarios"."version" IS 'Rises with every committed change of the row; not the number of a scenario version.';
COMMENT ON COLUMN "test_coordination"."scenarios"."versions" IS 'How many contents have been accepted: the number of the newest.';
COMMENT ON COLUMN "test_coordination"."scenarios"."current_hash" IS 'Content of the current version; NULL while only other events have named the scenario.';
COMMENT ON COLUMN "test_coordination"."scenarios"."dependencies_order" IS 'Order key of the declaration that scenario_dependencies holds; NULL when there was none.';
COMMENT ON COLUMN "test_coordination"."scenarios"."created_at" IS 'Time of its first event in order, by the producer''s clock; updated_at is that of its last.';
COMMENT ON COLUMN "test_coordination"."scenarios"."changed_at" IS 'When the row was last written here.';

CREATE TABLE "test_coordination"."scenario_versions" (
  "scenario_id"  text        NOT NULL,
  "number"       integer     NOT NULL,
  "content_hash" bytea       NOT NULL,
  "definition"   text        NOT NULL,
  "author"       text        NOT NULL DEFAULT '',
  "change_note"  text        NOT NULL DEFAULT '',
  "published_at" timestamptz NOT NULL,
  "marks"        bytea       NOT NULL,
  CONSTRAINT "scenario_versions_pkey" PRIMARY KEY ("scenario_id", "number"),
  CONSTRAINT "scenario_versions_content_hash_key" UNIQUE ("scenario_id", "content_hash"),
  CONSTRAINT "scenario_versions_content_hash_check" CHECK (octet_length("content_hash") = 32)
);
COMMENT ON TABLE "test_coordination"."scenario_versions" IS 'Immutable contents of scenarios, byte for byte: chaos.trading/v1 documents or any other text.';
COMMENT ON COLUMN "test_coordination"."scenario_versions"."number" IS 'From 1, in the order in which contents were first accepted.';
COMMENT ON COLUMN "test_coordination"."scenario_versions"."content_hash" IS 'sha-256 of the definition text.';
COMMENT ON COLUMN "test_coordination"."scenario_versions"."published_at" IS 'Of its first publication in order, as are author and change_note.';

CREATE TABLE "test_coordination"."scenario_dependencies" (
  "scenario_id"     text             NOT NULL,
  "depends_on"      text             NOT NULL,
  "kind"            text             NOT NULL,
  "max_age_seconds" double precision NULL,
  CONSTRAINT "scenario_dependencies_pkey" PRIMARY KEY ("scenario_id", "depends_on", "kind"),
  CONSTRAINT "scenario_dependencies_kind_check" CHECK ("kind" IN ('requires_success', 'requires_run', 'conflicts_with', 'must_not_overlap')),
  CONSTRAINT "scenario_dependencies_self_check" CHECK ("scenario_id" <> "depends_on"),
  CONSTRAINT "scenario_dependencies_max_age_check" CHECK ("max_age_seconds" > 0)
);
CREATE INDEX "scenario_dependencies_depends_on_idx" ON "test_coordination"."scenario_dependencies" ("depends_on");
COMMENT ON TABLE "test_coordination"."scenario_dependencies" IS 'What a scenario needs or excludes: the whole list of its latest declaration. No foreign keys: either side may be known first.';
COMMENT ON COLUMN "test_coordination"."scenario_dependencies"."max_age_seconds" IS 'How old the required run may be; NULL: any age.';

CREATE TABLE "test_coordination"."schedules" (
  "schedule_id"               text             NOT NULL,
  "version"                   bigint           NOT NULL,
  "removed"                   boolean          NOT NULL DEFAULT false,
  "scenario_id"               text             NOT NULL DEFAULT '',
  "kind"                      text             NULL,
  "cron"                      text             NOT NULL DEFAULT '',
  "time_zone"                 text             NOT NULL DEFAULT '',
  "run_at"                    timestamptz      NULL,
  "after_scenario_id"         text             NOT NULL DEFAULT '',
  "event_type"                text             NOT NULL DEFAULT '',
  "enabled"                   boolean          NULL,
  "concurrency_policy"        text             NULL,
  "starting_deadline_seconds" double precision NULL,
  "not_before"                timestamptz      NULL,
  "not_after"                 timestamptz      NULL,
  "parameters"                jsonb            NULL,
  "created_at"                timestamptz      NOT NULL,
  "updated_at"                timestamptz      NOT NULL,
  "marks"                     bytea            NOT NULL,
  "changed_at"                timestamptz      NOT NULL,
  CONSTRAINT "schedules_pkey" PRIMARY KEY ("schedule_id"),
  CONSTRAINT "schedules_kind_check" CHECK ("kind" IN ('once', 'cron', 'after_scenario', 'event')),
  CONSTRAINT "schedules_concurrency_policy_check" CHECK ("concurrency_policy" IN ('allow', 'forbid', 'replace')),
  CONSTRAINT "schedules_starting_deadline_check" CHECK ("starting_deadline_seconds" > 0)
);
CREATE INDEX "schedules_scenario_id_idx" ON "test_coordination"."schedules" ("scenario_id");
CREATE INDEX "schedules_after_scenario_idx" ON "test_coordination"."schedules" ("after_scenario_id", "schedule_id") WHERE "kind" = 'after_scenario' AND NOT "removed";
CREATE INDEX "schedules_event_idx" ON "test_coordination"."schedules" ("event_type", "schedule_id") WHERE "kind" = 'event' AND NOT "removed";
COMMENT ON TABLE "test_coordination"."schedules" IS 'When scenarios are due. A removed schedule stays as a tombstone, so that an older event cannot bring it back.';
COMMENT ON COLUMN "test_coordination"."schedules"."kind" IS 'NULL for a tombstone of a schedule that was never set here.';
COMMENT ON COLUMN "test_coordination"."schedules"."enabled" IS 'NULL: not said, which means enabled.';
COMMENT ON COLUMN "test_coordination"."schedules"."concurrency_policy" IS 'NULL: not said, which means allow.';
COMMENT ON COLUMN "test_coordination"."schedules"."created_at" IS 'Time of its first event in order, by the producer''s clock; updated_at is that of its last.';
COMMENT ON COLUMN "test_coordination"."schedules"."changed_at" IS 'When the row was last written here.';

-- ------------------------------------------------------------- executions --

CREATE TABLE "test_coordination"."execution_ids" (
  "execution_id"  text        NOT NULL,
  "latest_run"    integer     NOT NULL DEFAULT 0,
  "buckets"       date[]      NOT NULL DEFAULT '{}',
  "first_seen_at" timestamptz NOT NULL,
  "pruned_at"     timestamptz NULL,
  "pruned"        boolean     NOT NULL DEFAULT false,
  CONSTRAINT "execution_ids_pkey" PRIMARY KEY ("execution_id")
);
COMMENT ON TABLE "test_coordination"."execution_ids" IS 'One row for each execution id ever seen. Its row lock serialises all writers of the id (S4b).';
COMMENT ON COLUMN "test_coordination"."execution_ids"."buckets" IS 'Distinct buckets of the id''s runs: where to look for its events.';
COMMENT ON COLUMN "test_coordination"."execution_ids"."pruned_at" IS 'When retention removed the last of its runs.';
COMMENT ON COLUMN "test_coordination"."execution_ids"."pruned" IS 'Retention has removed a run of it, or the events of one: who places its events must look at pruned_runs.';

CREATE TABLE "test_coordination"."executions" (
  "execution_id"        text             NOT NULL,
  "run"                 integer          NOT NULL,
  "bucket"              date             NOT NULL,
  "version"             bigint           NOT NULL,
  "run_id"              text             NULL,
  "status"              text             NOT NULL,
  "reported_outcome"    text             NOT NULL DEFAULT '',
  "scenario_id"         text             NOT NULL DEFAULT '',
  "scenario_version"    text             NOT NULL DEFAULT '',
  "environment"         text             NOT NULL DEFAULT '',
  "coordinator_id"      text             NOT NULL DEFAULT '',
  "start_source"        text             NOT NULL DEFAULT '',
  "trigger_type"        text             NOT NULL DEFAULT '',
  "trigger_actor"       text             NOT NULL DEFAULT '',
  "trigger_uri"         text             NOT NULL DEFAULT '',
  "group_id"            text             NOT NULL DEFAULT '',
  "attempt"             integer          NULL,
  "dry_run"             boolean          NULL,
  "requested_at"        timestamptz      NULL,
  "started_at"          timestamptz      NULL,
  "ended_at"            timestamptz      NULL,
  "deadline"            timestamptz      NULL,
  "last_event_at"       timestamptz      NULL,
  "last_heartbeat_at"   timestamptz      NULL,
  "progress"            double precision NULL,
  "message"             text             NOT NULL DEFAULT '',
  "current_phase"       text             NOT NULL DEFAULT '',
  "pause_reason"        text             NOT NULL DEFAULT '',
  "exit_code"           integer          NULL,
  "error_message"       text             NOT NULL DEFAULT '',
  "lifecycle"           text             NOT NULL,
  "interrupt_cause"     text             NOT NULL DEFAULT '',
  "interrupt_events"    bigint           NULL,
  "interrupted_at"      timestamptz      NULL,
  "superseded_by"       integer          NULL,
  "events"              bigint           NOT NULL DEFAULT 0,
  "own_events"          bigint           NOT NULL DEFAULT 0,
  "log_lines"           bigint           NOT NULL DEFAULT 0,
  "snapshots"           integer          NOT NULL DEFAULT 0,
  "phases_total"        integer          NOT NULL DEFAULT 0,
  "steps_total"         integer          NOT NULL DEFAULT 0,
  "steps_failed"        integer          NOT NULL DEFAULT 0,
  "faults_total"        integer          NOT NULL DEFAULT 0,
  "faults_active"       integer          NOT NULL DEFAULT 0,
  "validations_passed"  integer          NOT NULL DEFAULT 0,
  "validations_failed"  integer          NOT NULL DEFAULT 0,
  "validations_skipped" integer          NOT NULL DEFAULT 0,
  "validations_error"   integer          NOT NULL DEFAULT 0,
  "end_order"           bytea            NULL,
  "marks"               bytea            NOT NULL,
  "created_at"          timestamptz      NOT NULL,
  "updated_at"          timestamptz      NOT NULL,
  "settled_change_at"   timestamptz      NULL,
  "cancel_requested_at" timestamptz      NULL,
  "pinned"              boolean          NOT NULL DEFAULT false,
  CONSTRAINT "executions_pkey" PRIMARY KEY ("execution_id", "run"),
  CONSTRAINT "executions_run_id_key" UNIQUE ("execution_id", "run_id"),
  CONSTRAINT "executions_run_check" CHECK ("run" > 0),
  CONSTRAINT "executions_status_check" CHECK ("status" IN ('pending', 'running', 'paused', 'passed', 'failed', 'error', 'cancelled', 'timeout', 'interrupted')),
  CONSTRAINT "executions_lifecycle_check" CHECK ("lifecycle" IN ('pending', 'running', 'paused')),
  CONSTRAINT "executions_reported_outcome_check" CHECK ("reported_outcome" IN ('', 'passed', 'failed', 'error', 'cancelled', 'timeout')),
  CONSTRAINT "executions_interrupt_cause_check" CHECK ("interrupt_cause" IN ('', 'superseded', 'no_sign_of_life')),
  CONSTRAINT "executions_progress_check" CHECK ("progress" BETWEEN 0 AND 1)
) WITH (fillfactor = 70);
CREATE INDEX "executions_live_idx" ON "test_coordination"."executions" ("execution_id", "run") WHERE "status" IN ('pending', 'running', 'paused');
CREATE INDEX "executions_settled_change_idx" ON "test_coordination"."executions" ("settled_change_at") WHERE "settled_change_at" IS NOT NULL;
CREATE INDEX "executions_created_idx" ON "test_coordination"."executions" ("created_at", "execution_id", "run");
CREATE INDEX "executions_scenario_idx" ON "test_coordination"."executions" ("scenario_id", "created_at", "execution_id", "run");
CREATE INDEX "executions_status_idx" ON "test_coordination"."executions" ("status", "created_at", "execution_id", "run") WHERE "ended_at" IS NOT NULL;
CREATE INDEX "executions_ended_idx" ON "test_coordination"."executions" ("scenario_id", "status", "ended_at") WHERE "ended_at" IS NOT NULL;
CREATE INDEX "executions_ended_environment_idx" ON "test_coordination"."executions" ("scenario_id", "environment", "status", "ended_at") WHERE "ended_at" IS NOT NULL;
CREATE INDEX "executions_live_scenario_idx" ON "test_coordination"."executions" ("scenario_id", "execution_id", "run") WHERE "ended_at" IS NULL;
CREATE INDEX "executions_group_idx" ON "test_coordination"."executions" ("group_id", "created_at", "execution_id", "run") WHERE "group_id" <> '';
CREATE INDEX "executions_ran_idx" ON "test_coordination"."executions" ("scenario_id", (coalesce("started_at", "requested_at", "created_at"))) WHERE "ended_at" IS NOT NULL AND "dry_run" IS NOT TRUE;
CREATE INDEX "executions_ran_environment_idx" ON "test_coordination"."executions" ("scenario_id", "environment", (coalesce("started_at", "requested_at", "created_at"))) WHERE "ended_at" IS NOT NULL AND "dry_run" IS NOT TRUE;
CREATE INDEX "executions_attempts_idx" ON "test_coordination"."executions" ("scenario_id", "group_id", (coalesce("attempt", 1)), (coalesce("started_at", "requested_at", "created_at")), "execution_id", "run") WHERE "group_id" <> '' AND "ended_at" IS NOT NULL AND "dry_run" IS NOT TRUE;
CREATE INDEX "executions_pinned_idx" ON "test_coordination"."executions" ("created_at", "execution_id", "run") WHERE "pinned";
CREATE INDEX "executions_bucket_idx" ON "test_coordination"."executions" USING BRIN ("bucket");
CREATE INDEX "executions_faults_active_idx" ON "test_coordination"."executions" ("execution_id", "run") WHERE "faults_active" > 0;
COMMENT ON TABLE "test_coordination"."executions" IS 'Runs of scenarios: the folded state of each, in small columns. Big JSON lies in execution_details.';
COMMENT ON COLUMN "test_coordination"."executions"."run" IS 'Number of the run among those of its execution id, from 1: the coordinator reuses ids.';
COMMENT ON COLUMN "test_coordination"."executions"."bucket" IS 'Date (UTC) on which the run was first heard of here. All its rows carry it; tables are partitioned by it.';
COMMENT ON COLUMN "test_coordination"."executions"."version" IS 'Rises with every committed change; readers and Redis compare it. A duplicate changes nothing.';
COMMENT ON COLUMN "test_coordination"."executions"."run_id" IS 'The producer''s runid attribute; NULL when it gives none.';
COMMENT ON COLUMN "test_coordination"."executions"."reported_outcome" IS 'The coordinator''s word; status may be failed where a validation failed although the coordinator said passed.';
COMMENT ON COLUMN "test_coordination"."executions"."scenario_version" IS 'As the coordinator named it: sha-256 or number; empty: the version current at that time.';
COMMENT ON COLUMN "test_coordination"."executions"."start_source" IS 'Source of the first started event: another one that starts the same id begins a new run.';
COMMENT ON COLUMN "test_coordination"."executions"."lifecycle" IS 'What the status is as long as the run has not ended.';
COMMENT ON COLUMN "test_coordination"."executions"."interrupt_events" IS 'The interruption holds only while events has this value: any later real event revives the run.';
COMMENT ON COLUMN "test_coordination"."executions"."events" IS 'Accepted events of others. With own_events the number that the next event gets as its arrival.';
COMMENT ON COLUMN "test_coordination"."executions"."end_order" IS 'Order key of the event that decided the end; later events that are not terminal are late.';
COMMENT ON COLUMN "test_coordination"."executions"."cancel_requested_at" IS 'When its cancel was first asked for; it ends when the coordinator says so.';
COMMENT ON COLUMN "test_coordination"."executions"."pinned" IS 'Kept by retention, until somebody lets it go.';
COMMENT ON COLUMN "test_coordination"."executions"."settled_change_at" IS 'When a terminal run was changed last, by the clock of PostgreSQL; NULL before its end: changes after the end are found by it without an index that heartbeats would touch.';

CREATE TABLE "test_coordination"."execution_details" (
  "execution_id"           text    NOT NULL,
  "run"                    integer NOT NULL,
  "labels"                 jsonb   NULL,
  "parameters"             jsonb   NULL,
  "configuration_snapshot" jsonb   NULL,
  "system_state"           jsonb   NULL,
  "summary"                jsonb   NULL,
  CONSTRAINT "execution_details_pkey" PRIMARY KEY ("execution_id", "run"),
  CONSTRAINT "execution_details_run_fkey" FOREIGN KEY ("execution_id", "run") REFERENCES "test_coordination"."executions" ("execution_id", "run") ON DELETE CASCADE
);
COMMENT ON TABLE "test_coordination"."execution_details" IS 'The big JSON of a run, apart from executions so that lists never read it.';
COMMENT ON COLUMN "test_coordination"."execution_details"."system_state" IS 'Of the latest heartbeat that carried one.';

CREATE TABLE "test_coordination"."execution_events" (
  "bucket"         date        NOT NULL,
  "execution_id"   text        NOT NULL,
  "run"            integer     NOT NULL,
  "event_key"      bytea       NOT NULL,
  "order_key"      bytea       NOT NULL,
  "arrival"        bigint      NOT NULL,
  "type"           text        NOT NULL,
  "source"         text        NOT NULL,
  "event_id"       text        NOT NULL,
  "event_time"     timestamptz NOT NULL,
  "sequence"       bigint      NULL,
  "digest"         bytea       NOT NULL,
  "digest_version" smallint    NOT NULL,
  "run_guessed"    boolean     NOT NULL DEFAULT false,
  "time_suspect"   boolean     NOT NULL DEFAULT false,
  "trace_parent"   text        NOT NULL DEFAULT '',
  "correlation_id" text        NOT NULL DEFAULT '',
  "topic"          text        NULL,
  "partition"      integer     NULL,
  "kafka_offset"   bigint      NULL,
  "data"           jsonb       NOT NULL,
  "extensions"     jsonb       NULL,
  "unknown_fields" jsonb       NULL,
  "recorded_at"    timestamptz NOT NULL,
  CONSTRAINT "execution_events_pkey" PRIMARY KEY ("execution_id", "event_key", "bucket")
) PARTITION BY RANGE ("bucket");
CREATE INDEX "execution_events_correlation_idx" ON "test_coordination"."execution_events" ("correlation_id", "execution_id", "run") WHERE "correlation_id" <> '';
CREATE INDEX "execution_events_timeline_idx" ON "test_coordination"."execution_events" ("execution_id", "run", "order_key");
COMMENT ON TABLE "test_coordination"."execution_events" IS 'Accepted events of a run: their identity and the run''s timeline. Everything else of a run can be folded again from here.';
COMMENT ON COLUMN "test_coordination"."execution_events"."event_key" IS 'sha-256 over source, id and subject: the identity of the event.';
COMMENT ON COLUMN "test_coordination"."execution_events"."arrival" IS 'Number of the event in its run by order of arrival, from 1: an address, never an order.';
COMMENT ON COLUMN "test_coordination"."execution_events"."event_time" IS 'When it happened, by the producer''s clock, to the microsecond; order_key keeps nanoseconds.';
COMMENT ON COLUMN "test_coordination"."execution_events"."digest" IS 'sha-256 over the canonical form: same key and same digest is a duplicate.';
COMMENT ON COLUMN "test_coordination"."execution_events"."run_guessed" IS 'Which run it belongs to was ambiguous when it was accepted.';
COMMENT ON COLUMN "test_coordination"."execution_events"."kafka_offset" IS 'NULL, with topic and partition, for an event of this service.';
COMMENT ON COLUMN "test_coordination"."execution_events"."data" IS 'The event''s data without what has rows of its own: log lines, the state of a snapshot.';

CREATE TABLE "test_coordination"."execution_phases" (
  "bucket"       date        NOT NULL,
  "execution_id" text        NOT NULL,
  "run"          integer     NOT NULL,
  "phase"        text        NOT NULL,
  "phase_hash"   bytea       NOT NULL,
  "ordinal"      integer     NULL,
  "description"  text        NOT NULL DEFAULT '',
  "status"       text        NOT NULL,
  "started_at"   timestamptz NULL,
  "finished_at"  timestamptz NULL,
  "error"        text        NOT NULL DEFAULT '',
  "marks"        bytea       NOT NULL,
  CONSTRAINT "execution_phases_pkey" PRIMARY KEY ("execution_id", "run", "phase_hash", "bucket"),
  CONSTRAINT "execution_phases_phase_hash_check" CHECK ("phase_hash" = sha256(convert_to("phase", 'UTF8'))),
  CONSTRAINT "execution_phases_status_check" CHECK ("status" IN ('pending', 'running', 'passed', 'failed', 'skipped', 'error'))
) PARTITION BY RANGE ("bucket");
COMMENT ON TABLE "test_coordination"."execution_phases" IS 'Phases of a run.';
COMMENT ON COLUMN "test_coordination"."execution_phases"."phase_hash" IS 'sha-256 of the name in UTF-8, in its place in the key: a name may have 64 KiB, an entry of an index 2,704 bytes.';

CREATE TABLE "test_coordination"."execution_steps" (
  "bucket"           date             NOT NULL,
  "execution_id"     text             NOT NULL,
  "run"              integer          NOT NULL,
  "step_id"          text             NOT NULL,
  "attempt"          integer          NOT NULL,
  "kind"             text             NOT NULL,
  "phase"            text             NOT NULL DEFAULT '',
  "service"          text             NOT NULL DEFAULT '',
  "action"           text             NOT NULL DEFAULT '',
  "parameters"       jsonb            NULL,
  "status"           text             NOT NULL,
  "started_at"       timestamptz      NULL,
  "finished_at"      timestamptz      NULL,
  "duration_seconds" double precision NULL,
  "error"            text             NOT NULL DEFAULT '',
  "marks"            bytea            NOT NULL,
  CONSTRAINT "execution_steps_pkey" PRIMARY KEY ("execution_id", "run", "step_id", "attempt", "bucket"),
  CONSTRAINT "execution_steps_kind_check" CHECK ("kind" IN ('action', 'parallel_action', 'assertion', 'wait', 'rollback')),
  CONSTRAINT "execution_steps_status_check" CHECK ("status" IN ('pending', 'running', 'passed', 'failed', 'skipped', 'error'))
) PARTITION BY RANGE ("bucket");
COMMENT ON TABLE "test_coordination"."execution_steps" IS 'Steps of a run: actions, assertions, waits and rollbacks, one row an attempt.';
COMMENT ON COLUMN "test_coordination"."execution_steps"."attempt" IS 'From 1; 1 where the coordinator does not count.';

CREATE TABLE "test_coordination"."fault_injections" (
  "bucket"           date             NOT NULL,
  "execution_id"     text             NOT NULL,
  "run"              integer          NOT NULL,
  "fault_id"         text             NOT NULL,
  "fault_type"       text             NOT NULL DEFAULT '',
  "target_service"   text             NOT NULL DEFAULT '',
  "parameters"       jsonb            NULL,
  "phase"            text             NOT NULL DEFAULT '',
  "step_id"          text             NOT NULL DEFAULT '',
  "blast_radius"     text             NOT NULL DEFAULT '',
  "status"           text             NOT NULL,
  "requested_at"     timestamptz      NULL,
  "injected_at"      timestamptz      NULL,
  "cleared_at"       timestamptz      NULL,
  "recovered_at"     timestamptz      NULL,
  "recovery_seconds" double precision NULL,
  "error"            text             NOT NULL DEFAULT '',
  "clear_error"      text             NOT NULL DEFAULT '',
  "injection"        text             NULL,
  "marks"            bytea            NOT NULL,
  CONSTRAINT "fault_injections_pkey" PRIMARY KEY ("execution_id", "run", "fault_id", "bucket"),
  CONSTRAINT "fault_injections_status_check" CHECK ("status" IN ('pending', 'injected', 'in_progress', 'cleared', 'recovered', 'failed')),
  CONSTRAINT "fault_injections_injection_check" CHECK ("injection" IN ('pending', 'injected', 'in_progress', 'cleared', 'recovered', 'failed'))
) PARTITION BY RANGE ("bucket");
COMMENT ON TABLE "test_coordination"."fault_injections" IS 'Chaos actions on their targets.';
COMMENT ON COLUMN "test_coordination"."fault_injections"."injection" IS 'Status that the latest injection event named; status also counts clearing and recovery.';
COMMENT ON COLUMN "test_coordination"."fault_injections"."recovery_seconds" IS 'As the coordinator measured it.';

CREATE TABLE "test_coordination"."validation_results" (
  "bucket"                 date             NOT NULL,
  "execution_id"           text             NOT NULL,
  "run"                    integer          NOT NULL,
  "validation_id"          text             NOT NULL,
  "order_key"              bytea            NOT NULL,
  "assertion_type"         text             NOT NULL,
  "status"                 text             NOT NULL,
  "recorded_at"            timestamptz      NOT NULL,
  "phase"                  text             NOT NULL DEFAULT '',
  "step_id"                text             NOT NULL DEFAULT '',
  "fault_id"               text             NOT NULL DEFAULT '',
  "service"                text             NOT NULL DEFAULT '',
  "expected"               text             NOT NULL DEFAULT '',
  "actual"                 text             NOT NULL DEFAULT '',
  "operator"               text             NOT NULL DEFAULT '',
  "threshold"              double precision NULL,
  "unit"                   text             NOT NULL DEFAULT '',
  "within_seconds"         double precision NULL,
  "observed_after_seconds" double precision NULL,
  "message"                text             NOT NULL DEFAULT '',
  "evidence"               jsonb            NULL,
  "steady_state"           text             NOT NULL DEFAULT '',
  "correlation_id"         text             NOT NULL DEFAULT '',
  CONSTRAINT "validation_results_pkey" PRIMARY KEY ("execution_id", "run", "validation_id", "bucket"),
  CONSTRAINT "validation_results_status_check" CHECK ("status" IN ('passed', 'failed', 'skipped', 'error')),
  CONSTRAINT "validation_results_steady_state_check" CHECK ("steady_state" IN ('', 'before', 'during', 'after'))
) PARTITION BY RANGE ("bucket");
CREATE INDEX "validation_results_correlation_idx" ON "test_coordination"."validation_results" ("correlation_id", "execution_id", "run") WHERE "correlation_id" <> '';
COMMENT ON TABLE "test_coordination"."validation_results" IS 'Results of assertions. Recorded twice under one id, the last in order holds.';
COMMENT ON COLUMN "test_coordination"."validation_results"."order_key" IS 'Of the event that the row came from.';
COMMENT ON COLUMN "test_coordination"."validation_results"."recorded_at" IS 'Time of that event, by the producer''s clock.';

CREATE TABLE "test_coordination"."system_snapshots" (
  "bucket"       date        NOT NULL,
  "execution_id" text        NOT NULL,
  "run"          integer     NOT NULL,
  "snapshot_id"  text        NOT NULL,
  "arrival"      bigint      NOT NULL,
  "order_key"    bytea       NOT NULL,
  "kind"         text        NOT NULL,
  "service"      text        NOT NULL DEFAULT '',
  "phase"        text        NOT NULL DEFAULT '',
  "captured_at"  timestamptz NOT NULL,
  "health"       text        NOT NULL DEFAULT '',
  "state"        json        NULL,
  "metrics"      jsonb       NULL,
  CONSTRAINT "system_snapshots_pkey" PRIMARY KEY ("execution_id", "run", "snapshot_id", "arrival", "bucket"),
  CONSTRAINT "system_snapshots_kind_check" CHECK ("kind" IN ('baseline', 'periodic', 'pre_injection', 'post_injection', 'recovery', 'manual'))
) PARTITION BY RANGE ("bucket");
COMMENT ON TABLE "test_coordination"."system_snapshots" IS 'States of the system, or of one service, at moments of a run. Captured twice under one id, both are kept and the last in order is the one shown.';
COMMENT ON COLUMN "test_coordination"."system_snapshots"."arrival" IS 'Of the event in execution_events that brought it.';
COMMENT ON COLUMN "test_coordination"."system_snapshots"."state" IS 'json, not jsonb: given back byte for byte as it was accepted.';

CREATE TABLE "test_coordination"."execution_logs" (
  "bucket"       date        NOT NULL,
  "execution_id" text        NOT NULL,
  "run"          integer     NOT NULL,
  "logged_at"    timestamptz NOT NULL,
  "arrival"      bigint      NOT NULL,
  "line"         integer     NOT NULL,
  "level"        text        NOT NULL DEFAULT '',
  "service"      text        NOT NULL DEFAULT '',
  "phase"        text        NOT NULL DEFAULT '',
  "step_id"      text        NOT NULL DEFAULT '',
  "message"      text        NOT NULL,
  "attributes"   jsonb       NULL,
  CONSTRAINT "execution_logs_pkey" PRIMARY KEY ("execution_id", "run", "logged_at", "arrival", "line", "bucket")
) PARTITION BY RANGE ("bucket");
COMMENT ON TABLE "test_coordination"."execution_logs" IS 'Log lines of a run, in the order of their own times.';
COMMENT ON COLUMN "test_coordination"."execution_logs"."arrival" IS 'Of the event in execution_events that brought the line.';
COMMENT ON COLUMN "test_coordination"."execution_logs"."line" IS 'Place of the line in its event, from 0.';

CREATE TABLE "test_coordination"."execution_annotations" (
  "bucket"       date        NOT NULL,
  "execution_id" text        NOT NULL,
  "run"          integer     NOT NULL,
  "order_key"    bytea       NOT NULL,
  "annotated_at" timestamptz NOT NULL,
  "author"       text        NOT NULL DEFAULT '',
  "text"         text        NOT NULL,
  CONSTRAINT "execution_annotations_pkey" PRIMARY KEY ("execution_id", "run", "order_key", "bucket")
) PARTITION BY RANGE ("bucket");
COMMENT ON TABLE "test_coordination"."execution_annotations" IS 'Notes that people have added to a run.';
COMMENT ON COLUMN "test_coordination"."execution_annotations"."order_key" IS 'Of the event in execution_events that brought it.';

-- -------------------------------------------------------------------- API --

CREATE TABLE "test_coordination"."api_requests" (
  "request_id"  text        NOT NULL,
  "procedure"   text        NOT NULL,
  "parameters"  bytea       NOT NULL,
  "caller"      text        NOT NULL,
  "answer"      bytea       NULL,
  "received_at" timestamptz NOT NULL,
  CONSTRAINT "api_requests_pkey" PRIMARY KEY ("request_id"),
  CONSTRAINT "api_requests_parameters_check" CHECK (octet_length("parameters") = 32)
);
CREATE INDEX "api_requests_received_idx" ON "test_coordination"."api_requests" ("received_at") WHERE "answer" IS NOT NULL;
COMMENT ON TABLE "test_coordination"."api_requests" IS 'Requests that have written something, by the id that the caller chose: a repeat gets the same answer, and writes nothing.';
COMMENT ON COLUMN "test_coordination"."api_requests"."parameters" IS 'sha-256 over the request without its id: another one under the same id is an error.';
COMMENT ON COLUMN "test_coordination"."api_requests"."answer" IS 'The message that was answered, in protobuf; set by the transaction that inserts the row. NULL: forgotten after some days, and a repeat is refused.';

CREATE TABLE "test_coordination"."kill_switch" (
  "singleton"  boolean     NOT NULL DEFAULT true,
  "engaged"    boolean     NOT NULL,
  "reason"     text        NOT NULL,
  "changed_by" text        NOT NULL,
  "changed_at" timestamptz NOT NULL,
  CONSTRAINT "kill_switch_pkey" PRIMARY KEY ("singleton"),
  CONSTRAINT "kill_switch_singleton_check" CHECK ("singleton")
);
COMMENT ON TABLE "test_coordination"."kill_switch" IS 'While it is engaged no new runs are accepted; no row: it never was. Read and changed under the lock of requests.';

-- ----------------------------------------------------------- coordination --

CREATE TABLE "test_coordination"."execution_locks" (
  "name"        text        NOT NULL,
  "holder"      text        NOT NULL,
  "token"       bigint      NOT NULL,
  "purpose"     text        NOT NULL DEFAULT '',
  "state"       text        NOT NULL,
  "acquired_at" timestamptz NOT NULL,
  "renewed_at"  timestamptz NOT NULL,
  "expires_at"  timestamptz NOT NULL,
  "ended_at"    timestamptz NULL,
  "ended_by"    text        NOT NULL DEFAULT '',
  "end_reason"  text        NOT NULL DEFAULT '',
  CONSTRAINT "execution_locks_pkey" PRIMARY KEY ("name"),
  CONSTRAINT "execution_locks_token_check" CHECK ("token" > 0),
  CONSTRAINT "execution_locks_state_check" CHECK ("state" IN ('held', 'released', 'broken')),
  CONSTRAINT "execution_locks_ended_check" CHECK (("state" = 'held') = ("ended_at" IS NULL))
);
CREATE INDEX "execution_locks_held_idx" ON "test_coordination"."execution_locks" ("expires_at") WHERE "state" = 'held';
COMMENT ON TABLE "test_coordination"."execution_locks" IS 'The present or last tenure of each lock. A row stays when its lock is free: its token must never be given again.';
COMMENT ON COLUMN "test_coordination"."execution_locks"."token" IS 'Fencing token: rises with each tenure, for ever. Begins at (timeline - 1) * 2^32 + 1, so that a token that was given before a failover, and lost with it, is not given again after it.';
COMMENT ON COLUMN "test_coordination"."execution_locks"."state" IS 'Held, until the holder gives it back or an operator breaks it. Whether a lease that is held has expired is asked of the clock.';
COMMENT ON COLUMN "test_coordination"."execution_locks"."expires_at" IS 'By this server''s clock, as all times of this table.';

CREATE TABLE "test_coordination"."audit_log" (
  "id"         bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
  "at"         timestamptz NOT NULL,
  "actor"      text        NOT NULL,
  "action"     text        NOT NULL,
  "subject"    text        NOT NULL,
  "reason"     text        NOT NULL DEFAULT '',
  "details"    jsonb       NULL,
  "request_id" text        NOT NULL DEFAULT '',
  CONSTRAINT "audit_log_pkey" PRIMARY KEY ("id"),
  CONSTRAINT "audit_log_actor_check" CHECK ("actor" <> ''),
  CONSTRAINT "audit_log_action_check" CHECK ("action" <> '')
);
CREATE INDEX "audit_log_actor_idx" ON "test_coordination"."audit_log" ("actor", "id");
CREATE INDEX "audit_log_subject_idx" ON "test_coordination"."audit_log" ("subject", "id");
COMMENT ON TABLE "test_coordination"."audit_log" IS 'What operators did, written in the transaction that did it. Rows are added, never changed.';
COMMENT ON COLUMN "test_coordination"."audit_log"."action" IS 'Kind and verb, such as lock.break.';
COMMENT ON COLUMN "test_coordination"."audit_log"."subject" IS 'What it was done to: the name or id, of the kind that the action says.';
COMMENT ON COLUMN "test_coordination"."audit_log"."request_id" IS 'The caller''s id of the request; empty for one that needs none.';

-- -------------------------------------------------------------- schedules --

CREATE TABLE "test_coordination"."schedule_plans" (
  "schedule_id"      text        NOT NULL,
  "schedule_version" bigint      NOT NULL,
  "planned_until"    timestamptz NOT NULL,
  "next_due_at"      timestamptz NULL,
  CONSTRAINT "schedule_plans_pkey" PRIMARY KEY ("schedule_id")
);
CREATE INDEX "schedule_plans_next_due_at_idx" ON "test_coordination"."schedule_plans" ("next_due_at") WHERE "next_due_at" IS NOT NULL;
COMMENT ON TABLE "test_coordination"."schedule_plans" IS 'How far the occurrences of each schedule have been made. Its row lock serialises those who plan a schedule and those who hold it to its concurrency policy.';
COMMENT ON COLUMN "test_coordination"."schedule_plans"."schedule_version" IS 'Of the row in schedules that was planned last; 0 when that has been changed since.';
COMMENT ON COLUMN "test_coordination"."schedule_plans"."planned_until" IS 'Occurrences due until then, and at that moment, have been made.';
COMMENT ON COLUMN "test_coordination"."schedule_plans"."next_due_at" IS 'When to look at the schedule again: at its next occurrence, or at once after a change. NULL: when it is changed.';

CREATE TABLE "test_coordination"."schedule_occurrences" (
  "schedule_id"          text        NOT NULL,
  "occurrence_id"        text        NOT NULL,
  "kind"                 text        NOT NULL,
  "due_at"               timestamptz NOT NULL,
  "due_until"            timestamptz NULL,
  "trigger_source"       text        NOT NULL DEFAULT '',
  "trigger_execution_id" text        NOT NULL DEFAULT '',
  "trigger_run"          integer     NULL,
  "trigger_event_key"    bytea       NULL,
  "start_by"             timestamptz NULL,
  "status"               text        NOT NULL,
  "reason"               text        NOT NULL DEFAULT '',
  "detail"               text        NOT NULL DEFAULT '',
  "claim_token"          bigint      NOT NULL DEFAULT 0,
  "claimed_by"           text        NOT NULL DEFAULT '',
  "first_claimed_at"     timestamptz NULL,
  "claimed_at"           timestamptz NULL,
  "lease_expires_at"     timestamptz NULL,
  "outcome"              text        NOT NULL DEFAULT '',
  "execution_id"         text        NOT NULL DEFAULT '',
  "run"                  integer     NULL,
  "run_active"           boolean     NOT NULL DEFAULT false,
  "created_at"           timestamptz NOT NULL,
  "settled_at"           timestamptz NULL,
  CONSTRAINT "schedule_occurrences_pkey" PRIMARY KEY ("schedule_id", "occurrence_id"),
  CONSTRAINT "schedule_occurrences_kind_check" CHECK ("kind" IN ('once', 'cron', 'after_scenario', 'event')),
  CONSTRAINT "schedule_occurrences_status_check" CHECK ("status" IN ('due', 'claimed', 'completed', 'missed', 'skipped')),
  CONSTRAINT "schedule_occurrences_reason_check" CHECK ("reason" IN ('', 'too_late', 'heard_late', 'too_many', 'removed', 'disabled', 'changed', 'still_active', 'replaced')),
  CONSTRAINT "schedule_occurrences_outcome_check" CHECK ("outcome" IN ('', 'started', 'not_started')),
  CONSTRAINT "schedule_occurrences_run_check" CHECK ("run" > 0),
  CONSTRAINT "schedule_occurrences_claim_check" CHECK (("status" = 'claimed') = ("lease_expires_at" IS NOT NULL) AND ("status" <> 'claimed' OR "claim_token" > 0)),
  CONSTRAINT "schedule_occurrences_settled_check" CHECK (("status" IN ('due', 'claimed')) = ("settled_at" IS NULL))
) WITH (fillfactor = 80);
CREATE INDEX "schedule_occurrences_due_idx" ON "test_coordination"."schedule_occurrences" ("due_at", "schedule_id", "occurrence_id") WHERE "status" = 'due';
CREATE INDEX "schedule_occurrences_start_by_idx" ON "test_coordination"."schedule_occurrences" ("start_by") WHERE "status" = 'due' AND "start_by" IS NOT NULL;
CREATE INDEX "schedule_occurrences_lease_idx" ON "test_coordination"."schedule_occurrences" ("lease_expires_at") WHERE "status" = 'claimed';
CREATE INDEX "schedule_occurrences_open_idx" ON "test_coordination"."schedule_occurrences" ("schedule_id", "due_at") WHERE "status" IN ('due', 'claimed') OR "run_active";
CREATE INDEX "schedule_occurrences_run_idx" ON "test_coordination"."schedule_occurrences" ("execution_id", "run") WHERE "run" IS NOT NULL;
CREATE INDEX "schedule_occurrences_settled_idx" ON "test_coordination"."schedule_occurrences" ("settled_at") WHERE "settled_at" IS NOT NULL AND NOT "run_active" AND "kind" <> 'once';
-- The condition always holds. It keeps lookups by key, which do not state it, from being planned along this index while the table is small.
CREATE INDEX "schedule_occurrences_list_idx" ON "test_coordination"."schedule_occurrences" ("schedule_id", "due_at", "occurrence_id") WHERE "due_at" > '-infinity';
COMMENT ON TABLE "test_coordination"."schedule_occurrences" IS 'The times that schedules were due, from the moment they came due: each goes to one coordinator, or is missed or skipped, and says why.';
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."occurrence_id" IS 'Made from what made it due, a moment, a run or an event: the same cause makes no second one.';
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."due_until" IS 'Not NULL: the row stands for all occurrences from due_at on that came before this moment.';
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."trigger_source" IS 'The scenario whose run passed (kind after_scenario), or the type of the event (kind event).';
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."start_by" IS 'Missed if nobody has claimed it by then; NULL: never.';
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."detail" IS 'Particulars of the reason, or what the coordinator said about the outcome.';
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."claim_token" IS 'Raised by each claim, and when a claim whose lease had ended is given up. Who completes must hold the latest.';
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."first_claimed_at" IS 'By the clock of PostgreSQL. A run that was there some seconds before, and has ended, did not come of it.';
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."lease_expires_at" IS 'By the clock of PostgreSQL. After it another coordinator may claim the occurrence; until one does, the claim stands.';
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."run" IS 'Number of the run that came of it; NULL: not known when it was completed, and the latest of the id stands for it.';
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."run_active" IS 'The run that came of it has not been seen ended. Looked at, and cleared, when a later occurrence of the schedule is claimed or completed; cleared, too, where run is NULL and another one stands for the same run.';
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."settled_at" IS 'When it was completed, missed or skipped, by the clock of PostgreSQL. Rows are removed some time after that, but for those of kind once.';

-- ---------------------------------------------------------------- reports --

CREATE TABLE "test_coordination"."reports" (
  "bucket"              date             NOT NULL,
  "execution_id"        text             NOT NULL,
  "run"                 integer          NOT NULL,
  "revision"            integer          NOT NULL,
  "sha256"              bytea            NOT NULL,
  "builder"             text             NOT NULL,
  "body"                bytea            NOT NULL,
  "size_bytes"          integer          NOT NULL,
  "run_version"         bigint           NOT NULL,
  "chain"               bytea            NOT NULL,
  "definition_sha256"   bytea            NULL,
  "template_sha256"     bytea            NULL,
  "compared"            bytea[]          NOT NULL DEFAULT '{}',
  "status"              text             NOT NULL,
  "reported_outcome"    text             NOT NULL DEFAULT '',
  "headline"            text             NOT NULL DEFAULT '',
  "scenario_id"         text             NOT NULL DEFAULT '',
  "environment"         text             NOT NULL DEFAULT '',
  "group_id"            text             NOT NULL DEFAULT '',
  "attempt"             integer          NOT NULL DEFAULT 1,
  "started_at"          timestamptz      NULL,
  "ended_at"            timestamptz      NULL,
  "validations_passed"  integer          NOT NULL DEFAULT 0,
  "validations_failed"  integer          NOT NULL DEFAULT 0,
  "validations_skipped" integer          NOT NULL DEFAULT 0,
  "validations_error"   integer          NOT NULL DEFAULT 0,
  "resilience_score"    double precision NULL,
  "created_at"          timestamptz      NOT NULL,
  CONSTRAINT "reports_pkey" PRIMARY KEY ("execution_id", "run", "revision", "bucket"),
  CONSTRAINT "reports_revision_check" CHECK ("revision" > 0),
  CONSTRAINT "reports_sha256_check" CHECK (octet_length("sha256") = 32 AND octet_length("chain") = 32),
  CONSTRAINT "reports_status_check" CHECK ("status" IN ('passed', 'failed', 'error', 'cancelled', 'timeout', 'interrupted'))
) PARTITION BY RANGE ("bucket");
CREATE INDEX "reports_created_idx" ON "test_coordination"."reports" ("created_at", "execution_id", "run", "revision");
CREATE INDEX "reports_scenario_idx" ON "test_coordination"."reports" ("scenario_id", "created_at", "execution_id", "run", "revision");
CREATE INDEX "reports_status_idx" ON "test_coordination"."reports" ("status", "created_at", "execution_id", "run", "revision");
CREATE INDEX "reports_group_idx" ON "test_coordination"."reports" ("group_id", "created_at", "execution_id", "run", "revision") WHERE "group_id" <> '';
CREATE INDEX "reports_attempts_idx" ON "test_coordination"."reports" ("group_id", "scenario_id", "attempt") WHERE "group_id" <> '';
CREATE INDEX "reports_ended_idx" ON "test_coordination"."reports" ("scenario_id", "environment", "ended_at");
CREATE INDEX "reports_sha256_idx" ON "test_coordination"."reports" ("sha256");
COMMENT ON TABLE "test_coordination"."reports" IS 'Frozen reports of runs that have ended. A row is never changed: what became known later makes another revision.';
COMMENT ON COLUMN "test_coordination"."reports"."bucket" IS 'Of the run.';
COMMENT ON COLUMN "test_coordination"."reports"."revision" IS 'From 1; the highest one of a run holds.';
COMMENT ON COLUMN "test_coordination"."reports"."sha256" IS 'Of the canonical JSON (RFC 8785) of the report without its member sha256, which says the same.';
COMMENT ON COLUMN "test_coordination"."reports"."builder" IS 'Version of the rules that it was built by.';
COMMENT ON COLUMN "test_coordination"."reports"."body" IS 'The report as it was frozen, byte for byte. Lists never read it.';
COMMENT ON COLUMN "test_coordination"."reports"."run_version" IS 'Version of the run''s row that it was built at.';
COMMENT ON COLUMN "test_coordination"."reports"."chain" IS 'Head of the hash chain over the events that it was built from.';
COMMENT ON COLUMN "test_coordination"."reports"."definition_sha256" IS 'Of the definition that was run; NULL when none was known.';
COMMENT ON COLUMN "test_coordination"."reports"."template_sha256" IS 'Of the template that the definition names; NULL when none was known.';
COMMENT ON COLUMN "test_coordination"."reports"."compared" IS 'Digests of the reports that it is compared with.';
COMMENT ON COLUMN "test_coordination"."reports"."attempt" IS '1 where the coordinator did not say.';

CREATE TABLE "test_coordination"."report_queue" (
  "execution_id" text        NOT NULL,
  "run"          integer     NOT NULL,
  "version"      bigint      NOT NULL,
  "due_at"       timestamptz NOT NULL,
  "attempts"     integer     NOT NULL DEFAULT 0,
  "last_error"   text        NOT NULL DEFAULT '',
  "enqueued_at"  timestamptz NOT NULL,
  CONSTRAINT "report_queue_pkey" PRIMARY KEY ("execution_id", "run")
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000); -- claims walk over what is not vacuumed
CREATE INDEX "report_queue_due_idx" ON "test_coordination"."report_queue" ("due_at", "execution_id", "run");
COMMENT ON TABLE "test_coordination"."report_queue" IS 'Runs that have settled and whose report is to be built, noted in the transaction that announces them.';
COMMENT ON COLUMN "test_coordination"."report_queue"."version" IS 'Of the run as it was announced. A later announcement raises it, and the builder of the former leaves the row.';
COMMENT ON COLUMN "test_coordination"."report_queue"."due_at" IS 'By the clock of PostgreSQL. A claim puts it off for as long as its lease, a failure until the next try.';
COMMENT ON COLUMN "test_coordination"."report_queue"."attempts" IS 'Claims so far.';

-- --------------------------------------------------------------- rollups --
-- What the analysts' figures are read from. Rows of a key (scenario_id, day) are
-- made anew as a whole, from the raw rows, by the roller (package rollup): no
-- writer of runs touches them. Of runs whose raw rows retention removes, what they
-- contribute is kept, added up: so rollups can be made anew, and count who comes late. A run's day is the UTC date of its start, or else
-- of its request, or of its first event. Texts of any length may come in, hence
-- keys that number the rows of a day instead of repeating what they are of.

CREATE TABLE "test_coordination"."rollup_dirty" (
  "id"          bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
  "scenario_id" text        NOT NULL,
  "day"         date        NOT NULL,
  "group_id"    text        NOT NULL DEFAULT '',
  "appended_at" timestamptz NOT NULL,
  CONSTRAINT "rollup_dirty_pkey" PRIMARY KEY ("id")
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000); -- the roller walks over what is not vacuumed
COMMENT ON TABLE "test_coordination"."rollup_dirty" IS 'Keys whose rollups must be made anew, appended by the transaction that changes a run which has ended, or had. No key is unique: writers never wait for each other, and the roller takes the repeats together.';
COMMENT ON COLUMN "test_coordination"."rollup_dirty"."group_id" IS 'The group of the run, whose other attempts may lie on other days; empty when it has none.';

CREATE TABLE "test_coordination"."rollup_groups" (
  "scenario_id" text NOT NULL,
  "group_id"    text NOT NULL,
  "day"         date NOT NULL,
  CONSTRAINT "rollup_groups_pkey" PRIMARY KEY ("scenario_id", "group_id")
);
COMMENT ON TABLE "test_coordination"."rollup_groups" IS 'On which day the rollups count the attempts of a group, which are one unit: the day that is made anew, too, when another attempt becomes its last.';

CREATE TABLE "test_coordination"."rollup_environments" (
  "scenario_id" text NOT NULL,
  "environment" text NOT NULL,
  CONSTRAINT "rollup_environments_pkey" PRIMARY KEY ("scenario_id", "environment")
);
COMMENT ON TABLE "test_coordination"."rollup_environments" IS 'Where each scenario has ever run. Rows stay when no such run is left.';

CREATE TABLE "test_coordination"."rollup_runs" (
  "scenario_id"          text             NOT NULL,
  "day"                  date             NOT NULL,
  "ordinal"              integer          NOT NULL,
  "environment"          text             NOT NULL,
  "scenario_version"     text             NOT NULL,
  "label_key"            text             NOT NULL,
  "label_value"          text             NOT NULL,
  "runs"                 bigint           NOT NULL,
  "units"                bigint           NOT NULL,
  "passed"               bigint           NOT NULL,
  "failed"               bigint           NOT NULL,
  "error"                bigint           NOT NULL,
  "cancelled"            bigint           NOT NULL,
  "timeout"              bigint           NOT NULL,
  "interrupted"          bigint           NOT NULL,
  "retries"              bigint           NOT NULL,
  "passed_after_retries" bigint           NOT NULL,
  "duration_count"       bigint           NOT NULL,
  "duration_us_sum"      numeric          NOT NULL,
  "duration_us_min"      numeric          NULL,
  "duration_us_max"      numeric          NULL,
  "duration_buckets"     integer[]        NOT NULL,
  "duration_counts"      bigint[]         NOT NULL,
  "score_count"          bigint           NOT NULL,
  "score_sum"            numeric          NOT NULL,
  CONSTRAINT "rollup_runs_pkey" PRIMARY KEY ("scenario_id", "day", "ordinal")
);
COMMENT ON TABLE "test_coordination"."rollup_runs" IS 'Units (runs, the attempts of a group as one) of a scenario and day, by environment and version; and again by each of their labels.';
COMMENT ON COLUMN "test_coordination"."rollup_runs"."label_key" IS 'Empty: the row of all units, with or without labels. Add up either those, or the rows of one key.';
COMMENT ON COLUMN "test_coordination"."rollup_runs"."duration_us_sum" IS 'In microseconds, exact.';
COMMENT ON COLUMN "test_coordination"."rollup_runs"."duration_buckets" IS 'Log histogram, sparse and ascending: bucket i holds the durations in (g^(i-1), g^i] seconds, g = 1.01/0.99; duration_counts says how many.';

CREATE TABLE "test_coordination"."rollup_assertions" (
  "scenario_id"    text    NOT NULL,
  "day"            date    NOT NULL,
  "ordinal"        integer NOT NULL,
  "environment"    text    NOT NULL,
  "assertion_type" text    NOT NULL,
  "service"        text    NOT NULL,
  "passed"         bigint  NOT NULL,
  "failed"         bigint  NOT NULL,
  "skipped"        bigint  NOT NULL,
  "error"          bigint  NOT NULL,
  CONSTRAINT "rollup_assertions_pkey" PRIMARY KEY ("scenario_id", "day", "ordinal")
);
COMMENT ON TABLE "test_coordination"."rollup_assertions" IS 'Validations of the last attempts of a scenario and day.';

CREATE TABLE "test_coordination"."rollup_faults" (
  "scenario_id"       text        NOT NULL,
  "day"               date        NOT NULL,
  "ordinal"           integer     NOT NULL,
  "environment"       text        NOT NULL,
  "fault_type"        text        NOT NULL,
  "target_service"    text        NOT NULL,
  "faults"            bigint      NOT NULL,
  "injected"          bigint      NOT NULL,
  "failed"            bigint      NOT NULL,
  "recovered"         bigint      NOT NULL,
  "recovery_count"    bigint      NOT NULL,
  "recovery_us_sum"   numeric     NOT NULL,
  "recovery_us_max"   numeric     NULL,
  "recovery_buckets"  integer[]   NOT NULL,
  "recovery_counts"   bigint[]    NOT NULL,
  "detection_count"   bigint      NOT NULL,
  "detection_us_sum"  numeric     NOT NULL,
  "detection_us_max"  numeric     NULL,
  "detection_buckets" integer[]   NOT NULL,
  "detection_counts"  bigint[]    NOT NULL,
  "last_injected_at"  timestamptz NULL,
  "last_execution_id" text        NOT NULL,
  "last_run"          integer     NOT NULL,
  "last_run_status"   text        NOT NULL,
  "last_fault_status" text        NOT NULL,
  CONSTRAINT "rollup_faults_pkey" PRIMARY KEY ("scenario_id", "day", "ordinal")
);
COMMENT ON TABLE "test_coordination"."rollup_faults" IS 'Fault injections of the last attempts of a scenario and day. Histograms are as in rollup_runs.';
COMMENT ON COLUMN "test_coordination"."rollup_faults"."last_injected_at" IS 'The latest injection, and with it the run and its status; NULL, empty and 0 when none was injected.';

CREATE TABLE "test_coordination"."pruned_rollup_runs" (LIKE "test_coordination"."rollup_runs", CONSTRAINT "pruned_rollup_runs_pkey" PRIMARY KEY ("scenario_id", "day", "ordinal"));
COMMENT ON TABLE "test_coordination"."pruned_rollup_runs" IS 'What units contribute to rollup_runs of which retention has removed the results, or all.';

CREATE TABLE "test_coordination"."pruned_rollup_assertions" (LIKE "test_coordination"."rollup_assertions", CONSTRAINT "pruned_rollup_assertions_pkey" PRIMARY KEY ("scenario_id", "day", "ordinal"));
COMMENT ON TABLE "test_coordination"."pruned_rollup_assertions" IS 'What these contribute to rollup_assertions.';

CREATE TABLE "test_coordination"."pruned_rollup_faults" (LIKE "test_coordination"."rollup_faults", CONSTRAINT "pruned_rollup_faults_pkey" PRIMARY KEY ("scenario_id", "day", "ordinal"));
COMMENT ON TABLE "test_coordination"."pruned_rollup_faults" IS 'What these contribute to rollup_faults.';

CREATE TABLE "test_coordination"."scenario_summaries" (
  "window_days"          integer          NOT NULL,
  "scenario_id"          text             NOT NULL,
  "as_of"                date             NOT NULL,
  "runs"                 bigint           NOT NULL,
  "units"                bigint           NOT NULL,
  "passed"               bigint           NOT NULL,
  "failed"               bigint           NOT NULL,
  "error"                bigint           NOT NULL,
  "cancelled"            bigint           NOT NULL,
  "timeout"              bigint           NOT NULL,
  "interrupted"          bigint           NOT NULL,
  "retries"              bigint           NOT NULL,
  "passed_after_retries" bigint           NOT NULL,
  "duration_count"       bigint           NOT NULL,
  "duration_us_sum"      numeric          NOT NULL,
  "duration_us_min"      numeric          NULL,
  "duration_us_max"      numeric          NULL,
  "duration_p50"         double precision NULL,
  "duration_p95"         double precision NULL,
  "duration_p99"         double precision NULL,
  "score_count"          bigint           NOT NULL,
  "score_sum"            numeric          NOT NULL,
  "faults"               bigint           NOT NULL,
  "recovery_count"       bigint           NOT NULL,
  "recovery_us_sum"      numeric          NOT NULL,
  "recovery_p95"         double precision NULL,
  "detection_count"      bigint           NOT NULL,
  "detection_us_sum"     numeric          NOT NULL,
  "detection_p95"        double precision NULL,
  CONSTRAINT "scenario_summaries_pkey" PRIMARY KEY ("window_days", "scenario_id"),
  CONSTRAINT "scenario_summaries_window_check" CHECK ("window_days" IN (7, 30, 90, 365))
);
COMMENT ON TABLE "test_coordination"."scenario_summaries" IS 'What a scenario''s rollups of the last days add up to, so that a summary of all scenarios reads a row for each. A scenario without units in a window has no row.';
COMMENT ON COLUMN "test_coordination"."scenario_summaries"."as_of" IS 'The UTC day that the window ends with. Days after it, of clocks that are ahead, count too.';

-- -------------------------------------------------------------- retention --

CREATE TABLE "test_coordination"."pruned_runs" (
  "execution_id"  text        NOT NULL,
  "run"           integer     NOT NULL,
  "bucket"        date        NOT NULL,
  "run_id"        text        NULL,
  "scenario_id"   text        NOT NULL DEFAULT '',
  "status"        text        NOT NULL,
  "started_at"    timestamptz NULL,
  "ended_at"      timestamptz NULL,
  "first_event_at" timestamptz NULL,
  "last_event_at" timestamptz NULL,
  "last_start_at" timestamptz NULL,
  "suspect_from"  timestamptz NULL,
  "suspect_until" timestamptz NULL,
  "kinds"         text[]      NOT NULL,
  "pending"       text[]      NOT NULL DEFAULT '{}',
  "stored_rows"   bigint      NOT NULL DEFAULT 0,
  "policy"        text        NOT NULL DEFAULT '',
  "pruned_at"     timestamptz NOT NULL,
  "last_revision" integer     NOT NULL DEFAULT 0,
  CONSTRAINT "pruned_runs_pkey" PRIMARY KEY ("execution_id", "run"),
  CONSTRAINT "pruned_runs_run_check" CHECK ("run" > 0),
  CONSTRAINT "pruned_runs_status_check" CHECK ("status" IN ('passed', 'failed', 'error', 'cancelled', 'timeout', 'interrupted')),
  CONSTRAINT "pruned_runs_kinds_check" CHECK ("kinds" <@ ARRAY['logs', 'snapshots', 'events', 'results', 'reports', 'run'] AND "kinds" <> '{}'),
  CONSTRAINT "pruned_runs_pending_check" CHECK ("pending" <@ "kinds")
);
CREATE INDEX "pruned_runs_events_idx" ON "test_coordination"."pruned_runs" ("execution_id", "last_event_at") WHERE "last_event_at" IS NOT NULL;
CREATE INDEX "pruned_runs_suspect_idx" ON "test_coordination"."pruned_runs" ("execution_id", "suspect_until") WHERE "suspect_until" IS NOT NULL;
CREATE INDEX "pruned_runs_run_id_idx" ON "test_coordination"."pruned_runs" ("execution_id", "run_id") WHERE "run_id" IS NOT NULL;
CREATE INDEX "pruned_runs_pending_idx" ON "test_coordination"."pruned_runs" ("bucket", "execution_id", "run") WHERE "pending" <> '{}';
COMMENT ON TABLE "test_coordination"."pruned_runs" IS 'What retention has removed of runs. The row is a tombstone: it stays for ever, so that an event that is read again is known for a duplicate.';
COMMENT ON COLUMN "test_coordination"."pruned_runs"."last_revision" IS 'The highest revision of its reports, once these are removed: numbers of revisions do not come again. 0: none was.';
COMMENT ON COLUMN "test_coordination"."pruned_runs"."ended_at" IS 'As far as it is credible: a start of its id that is dated later begins another run.';
COMMENT ON COLUMN "test_coordination"."pruned_runs"."first_event_at" IS 'With last_event_at the times between which its events were dated, but for those in the far future, which lie between suspect_from and suspect_until. Only of events from Kafka, and NULL until events are removed.';
COMMENT ON COLUMN "test_coordination"."pruned_runs"."last_start_at" IS 'The latest time of a requested or started event of it.';
COMMENT ON COLUMN "test_coordination"."pruned_runs"."kinds" IS 'Kinds of data that are gone; run: the row in executions, too.';
COMMENT ON COLUMN "test_coordination"."pruned_runs"."pending" IS 'Kinds of which rows may still lie in their tables. Nobody reads them any more, and the next pass removes them.';
COMMENT ON COLUMN "test_coordination"."pruned_runs"."stored_rows" IS 'How many rows the pending kinds had, about.';
COMMENT ON COLUMN "test_coordination"."pruned_runs"."policy" IS 'Name of the policy that it went by last.';

CREATE TABLE "test_coordination"."pruned_events" (
  "topic"     text    NOT NULL,
  "partition" integer NOT NULL,
  "events"    bigint  NOT NULL,
  CONSTRAINT "pruned_events_pkey" PRIMARY KEY ("topic", "partition")
);
COMMENT ON TABLE "test_coordination"."pruned_events" IS 'How many applied records of each partition retention has removed: with those stored they are what ingest_partitions counts as applied.';

CREATE TABLE "test_coordination"."retention_holds" (
  "id"           bigint      NOT NULL GENERATED ALWAYS AS IDENTITY,
  "execution_id" text        NOT NULL DEFAULT '',
  "run"          integer     NULL,
  "scenario_id"  text        NOT NULL DEFAULT '',
  "label_name"   text        NOT NULL DEFAULT '',
  "label_value"  text        NOT NULL DEFAULT '',
  "born_from"    date        NULL,
  "born_until"   date        NULL,
  "reason"       text        NOT NULL,
  "placed_by"    text        NOT NULL,
  "placed_at"    timestamptz NOT NULL,
  "lifted_by"    text        NOT NULL DEFAULT '',
  "lifted_at"    timestamptz NULL,
  "lift_reason"  text        NOT NULL DEFAULT '',
  CONSTRAINT "retention_holds_pkey" PRIMARY KEY ("id"),
  CONSTRAINT "retention_holds_reason_check" CHECK ("reason" <> ''),
  CONSTRAINT "retention_holds_placed_by_check" CHECK ("placed_by" <> ''),
  CONSTRAINT "retention_holds_run_check" CHECK ("run" IS NULL OR "run" > 0 AND "execution_id" <> ''),
  CONSTRAINT "retention_holds_scope_check" CHECK ("execution_id" <> '' OR "scenario_id" <> '' OR "label_name" <> '' OR "born_from" IS NOT NULL OR "born_until" IS NOT NULL),
  CONSTRAINT "retention_holds_lifted_check" CHECK (("lifted_at" IS NULL) = ("lifted_by" = ''))
);
CREATE INDEX "retention_holds_open_idx" ON "test_coordination"."retention_holds" ("id") WHERE "lifted_at" IS NULL;
COMMENT ON TABLE "test_coordination"."retention_holds" IS 'Legal holds: a run that meets every condition of one that is not lifted is not touched by retention, whatever the policies say. Rows stay.';
COMMENT ON COLUMN "test_coordination"."retention_holds"."run" IS 'NULL: every run of the execution id.';
COMMENT ON COLUMN "test_coordination"."retention_holds"."born_until" IS 'Last bucket (inclusive), as born_from is the first.';

-- ------------------------------------------------- not compared by Atlas --

-- Where a row goes when nobody made the partition in time. Its use raises an alarm.
CREATE TABLE "test_coordination"."execution_events_default"   PARTITION OF "test_coordination"."execution_events"   DEFAULT;
CREATE TABLE "test_coordination"."execution_phases_default"   PARTITION OF "test_coordination"."execution_phases"   DEFAULT;
CREATE TABLE "test_coordination"."execution_steps_default"    PARTITION OF "test_coordination"."execution_steps"    DEFAULT;
CREATE TABLE "test_coordination"."fault_injections_default"   PARTITION OF "test_coordination"."fault_injections"   DEFAULT;
CREATE TABLE "test_coordination"."validation_results_default" PARTITION OF "test_coordination"."validation_results" DEFAULT;
CREATE TABLE "test_coordination"."system_snapshots_default"   PARTITION OF "test_coordination"."system_snapshots"   DEFAULT;
CREATE TABLE "test_coordination"."execution_logs_default"     PARTITION OF "test_coordination"."execution_logs"     DEFAULT;
CREATE TABLE "test_coordination"."execution_annotations_default" PARTITION OF "test_coordination"."execution_annotations" DEFAULT;
CREATE TABLE "test_coordination"."reports_default"            PARTITION OF "test_coordination"."reports"            DEFAULT;

-- ensure_partitions makes the partitions of a table that hold the buckets
-- first..last, of a month or a day each, and tells how many it made. The grain
-- may change: a day that another partition covers is left as it is, and of a
-- month that others cover in part the other days are made, one by one. A
-- partition whose rows already lie in the default one cannot be made, and keeps
-- no other from being made. SECURITY DEFINER: the writer of a hardened
-- installation may not create tables. The lock timeout keeps a busy table's
-- writers from queueing behind us; the caller tries again later. A young
-- partition grows by more than a tenth from one look of autovacuum to the next.
-- It would be analyzed anew each minute, which takes a processor for half a
-- second and more, while the writer goes along keys whatever the statistics
-- say: hence the thresholds.
CREATE FUNCTION "test_coordination"."ensure_partitions"(table_name text, first date, last date, grain text) RETURNS integer
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
  parent := (SELECT c.oid FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid
    WHERE c.relnamespace = 'test_coordination'::regnamespace AND c.relname = table_name);
  IF parent IS NULL THEN
    RAISE EXCEPTION 'table is %, want a partitioned table of test_coordination', table_name USING ERRCODE = 'invalid_parameter_value';
  END IF;
  lower := date_trunc(grain, first::timestamp)::date;
  by_day := lower;
  WHILE lower <= last OR lower < by_day LOOP
    width := CASE WHEN lower < by_day THEN 'day' ELSE grain END;
    upper := (lower + CASE width WHEN 'month' THEN interval '1 month' ELSE interval '1 day' END)::date;
    child := table_name || to_char(lower, CASE width WHEN 'month' THEN '"_y"YYYY"m"MM' ELSE '"_y"YYYY"m"MM"d"DD' END);
    IF to_regclass(format('test_coordination.%I', child)) IS NULL THEN
      BEGIN
        EXECUTE format('CREATE TABLE test_coordination.%I PARTITION OF %s FOR VALUES FROM (%L) TO (%L)'
                       ' WITH (autovacuum_analyze_threshold = 250000, autovacuum_vacuum_insert_threshold = 250000)', child, parent, lower, upper);
        made := made + 1;
      EXCEPTION
        WHEN invalid_object_definition THEN -- overlaps a partition of another grain
          IF width = 'month' THEN
            by_day := upper;
            CONTINUE; -- the same month again, by day
          END IF;
        WHEN duplicate_table THEN NULL; -- another session was faster
        WHEN check_violation THEN -- rows of it lie in the default partition; the others can still be made
          RAISE WARNING 'partition % cannot be made: rows that belong to it lie in the default partition', child;
      END;
    END IF;
    lower := upper;
  END LOOP;
  RETURN made;
END
$$;
REVOKE EXECUTE ON FUNCTION "test_coordination"."ensure_partitions"(text, date, date, text) FROM PUBLIC;
COMMENT ON FUNCTION "test_coordination"."ensure_partitions"(text, date, date, text) IS 'Makes the partitions of a table for the buckets first..last, by month or day, and returns how many were new.';

-- The same for every partitioned table of the schema, in one transaction, which
-- locks them one after the other until its end: who uses two of them in another
-- order meanwhile runs into a deadlock. For a database that nobody uses yet, and
-- for programs that do not know the other form.
CREATE FUNCTION "test_coordination"."ensure_partitions"(first date, last date, grain text) RETURNS integer
LANGUAGE sql SECURITY DEFINER
SET search_path = test_coordination, pg_temp
AS $$
  SELECT coalesce(sum(test_coordination.ensure_partitions(c.relname::text, first, last, grain)), 0)::integer
  FROM (
    SELECT relname FROM pg_partitioned_table JOIN pg_class ON oid = partrelid
    WHERE relnamespace = 'test_coordination'::regnamespace AND NOT relispartition ORDER BY relname
  ) AS c;
$$;
REVOKE EXECUTE ON FUNCTION "test_coordination"."ensure_partitions"(date, date, text) FROM PUBLIC;
COMMENT ON FUNCTION "test_coordination"."ensure_partitions"(date, date, text) IS 'Makes the partitions of every table for the buckets first..last, by month or day, and returns how many were new.';

-- stray_rows counts, table by table, what lies in DEFAULT partitions: rows
-- whose partition was not made in time.
CREATE FUNCTION "test_coordination"."stray_rows"() RETURNS TABLE (parent text, stray bigint)
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

-- -------------------------------------------------------------- retention --

-- bucket_partitions lists the partitions of a table's children by bucket, with
-- the buckets that they hold and the bytes that they take, indexes and TOAST
-- included, 0 where no row was ever stored. Default partitions have no buckets and
-- are left out.
CREATE FUNCTION "test_coordination"."bucket_partitions"() RETURNS TABLE (parent text, child text, lower_bucket date, upper_bucket date, bytes bigint)
LANGUAGE sql STABLE
SET search_path = test_coordination, pg_temp
SET datestyle = 'ISO'
AS $$
  SELECT p.relname::text, c.relname::text, b.lower_text::date, b.upper_text::date,
    CASE WHEN pg_relation_size(c.oid) = 0 THEN 0 ELSE pg_total_relation_size(c.oid) END
  FROM pg_class AS p
  JOIN pg_inherits AS i ON i.inhparent = p.oid
  JOIN pg_class AS c ON c.oid = i.inhrelid AND c.relkind = 'r'
  CROSS JOIN LATERAL (SELECT pg_get_expr(c.relpartbound, c.oid)) AS e(bound)
  CROSS JOIN LATERAL (SELECT split_part(e.bound, '''', 2), split_part(e.bound, '''', 4)) AS b(lower_text, upper_text)
  WHERE p.relnamespace = 'test_coordination'::regnamespace AND p.relkind = 'p' AND e.bound LIKE 'FOR VALUES FROM (''%'') TO (''%'')'
  ORDER BY 3, 1;
$$;
COMMENT ON FUNCTION "test_coordination"."bucket_partitions"() IS 'The partitions of every table with the buckets lower_bucket..upper_bucket (exclusive) that they hold, and their size.';

-- replace_partition gives the space of a partition back: what is kept of it is
-- copied into a new table, which takes its place, and the old one is dropped. Kept
-- are the rows of all runs of its buckets but those of which the given kind is
-- noted as pending in pruned_runs; no run is born in the buckets any more, and of a
-- pending kind nothing is written, so the list of the kept cannot change. Where no
-- run of its buckets is left at all, nothing takes its place. Writers to these
-- buckets wait while rows are copied, others and readers only for the moment in
-- which the tables change places: plain DETACH, for CONCURRENTLY is refused beside
-- a default partition. The lock timeout is below deadlock_timeout, so that it is we
-- who give way. SECURITY DEFINER: the writer of a hardened installation may not
-- drop tables.
CREATE FUNCTION "test_coordination"."replace_partition"(table_name text, child_name text, kind text, OUT kept bigint, OUT freed bigint)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = test_coordination, pg_temp
SET lock_timeout = '900ms'
SET enable_seqscan = on
SET enable_hashjoin = on
AS $$
DECLARE
  lower_b date;
  upper_b date;
  ids     text[];
  runs    integer[];
  fresh   text := left(child_name, 50) || '_kept';
BEGIN
  SELECT b.lower_bucket, b.upper_bucket INTO lower_b, upper_b FROM test_coordination.bucket_partitions() AS b WHERE b.parent = table_name AND b.child = child_name;
  IF NOT FOUND THEN
    RAISE EXCEPTION '% is no partition of %', child_name, table_name USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF upper_b >= (clock_timestamp() AT TIME ZONE 'UTC')::date THEN
    RAISE EXCEPTION 'runs may still be born in the buckets of %', child_name USING ERRCODE = 'invalid_parameter_value';
  END IF;
  SELECT array_agg(e.execution_id), array_agg(e.run) INTO ids, runs FROM test_coordination.executions AS e
  WHERE e.bucket >= lower_b AND e.bucket < upper_b AND NOT EXISTS (
    SELECT FROM test_coordination.pruned_runs AS p WHERE p.execution_id = e.execution_id AND p.run = e.run AND kind = ANY (p.pending));
  kept := 0;
  EXECUTE format('LOCK TABLE test_coordination.%I IN EXCLUSIVE MODE', child_name);
  IF ids IS NOT NULL OR EXISTS (SELECT FROM test_coordination.executions AS e WHERE e.bucket >= lower_b AND e.bucket < upper_b) THEN
    EXECUTE format('CREATE TABLE test_coordination.%I (LIKE test_coordination.%I INCLUDING ALL)'
                   ' WITH (autovacuum_analyze_threshold = 250000, autovacuum_vacuum_insert_threshold = 250000)', fresh, child_name);
    -- So that attaching it need not look at its rows.
    EXECUTE format('ALTER TABLE test_coordination.%I ADD CONSTRAINT kept_bucket_check CHECK (bucket >= %L AND bucket < %L)', fresh, lower_b, upper_b);
    EXECUTE format('INSERT INTO test_coordination.%I SELECT c.* FROM ROWS FROM (unnest($1), unnest($2)) AS k(execution_id, run)'
                   ' JOIN test_coordination.%I AS c ON c.execution_id = k.execution_id AND c.run = k.run', fresh, child_name) USING ids, runs;
    GET DIAGNOSTICS kept = ROW_COUNT;
  ELSE
    fresh := NULL;
  END IF;
  freed := pg_total_relation_size(format('test_coordination.%I', child_name)::regclass);
  EXECUTE format('ALTER TABLE test_coordination.%I DETACH PARTITION test_coordination.%I', table_name, child_name);
  IF fresh IS NOT NULL THEN
    EXECUTE format('ALTER TABLE test_coordination.%I ATTACH PARTITION test_coordination.%I FOR VALUES FROM (%L) TO (%L)', table_name, fresh, lower_b, upper_b);
    EXECUTE format('ALTER TABLE test_coordination.%I DROP CONSTRAINT kept_bucket_check', fresh);
    freed := freed - pg_total_relation_size(format('test_coordination.%I', fresh)::regclass);
  END IF;
  EXECUTE format('DROP TABLE test_coordination.%I', child_name);
  IF fresh IS NOT NULL THEN
    EXECUTE format('ALTER TABLE test_coordination.%I RENAME TO %I', fresh, child_name);
  END IF;
END
$$;
REVOKE EXECUTE ON FUNCTION "test_coordination"."replace_partition"(text, text, text) FROM PUBLIC;
COMMENT ON FUNCTION "test_coordination"."replace_partition"(text, text, text) IS 'Drops a partition but for the rows of runs that are kept, and tells how many those are and how many bytes are free again.';

-- ------------------------------------------------------------ quarantine --

CREATE FUNCTION "test_coordination"."quarantined_bytes"(record_key bytea, record_value bytea, record_headers jsonb, field text, detail text) RETURNS bigint
LANGUAGE sql IMMUTABLE
AS $$
  SELECT 512 + coalesce(octet_length(record_key), 0) + coalesce(octet_length(record_value), 0) + octet_length(record_headers::text)
       + octet_length(field) + octet_length(detail)::bigint;
$$;
COMMENT ON FUNCTION "test_coordination"."quarantined_bytes"(bytea, bytea, jsonb, text, text) IS 'What a quarantined record is counted with: its bytes, and 512 for the row and its index entries.';

CREATE FUNCTION "test_coordination"."count_quarantined"() RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
  records bigint := 0;
  bytes   bigint := 0;
BEGIN
  IF TG_OP <> 'INSERT' THEN
    SELECT -count(*), -coalesce(sum(test_coordination.quarantined_bytes(r.record_key, r.record_value, r.record_headers, r.field, r.detail)), 0)
    INTO records, bytes FROM former AS r WHERE r.status = 'open';
  END IF;
  IF TG_OP <> 'DELETE' THEN
    SELECT records + count(*), bytes + coalesce(sum(test_coordination.quarantined_bytes(r.record_key, r.record_value, r.record_headers, r.field, r.detail)), 0)
    INTO records, bytes FROM latest AS r WHERE r.status = 'open';
  END IF;
  IF records <> 0 OR bytes <> 0 THEN
    INSERT INTO test_coordination.quarantine_usage AS u (open_records, open_bytes) VALUES (records, bytes)
    ON CONFLICT (singleton) DO UPDATE SET open_records = u.open_records + excluded.open_records, open_bytes = u.open_bytes + excluded.open_bytes;
  END IF;
  RETURN NULL;
END
$$;
COMMENT ON FUNCTION "test_coordination"."count_quarantined"() IS 'Keeps quarantine_usage: what a statement adds to, or takes from, the open quarantined records.';

CREATE TRIGGER "quarantined_records_count_insert" AFTER INSERT ON "test_coordination"."quarantined_records"
  REFERENCING NEW TABLE AS latest FOR EACH STATEMENT EXECUTE FUNCTION "test_coordination"."count_quarantined"();
CREATE TRIGGER "quarantined_records_count_update" AFTER UPDATE ON "test_coordination"."quarantined_records"
  REFERENCING OLD TABLE AS former NEW TABLE AS latest FOR EACH STATEMENT EXECUTE FUNCTION "test_coordination"."count_quarantined"();
CREATE TRIGGER "quarantined_records_count_delete" AFTER DELETE ON "test_coordination"."quarantined_records"
  REFERENCING OLD TABLE AS former FOR EACH STATEMENT EXECUTE FUNCTION "test_coordination"."count_quarantined"();

-- -------------------------------------------------------------- reports --

CREATE FUNCTION "test_coordination"."refuse_change"() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
  RAISE EXCEPTION 'a row of % is never changed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;
COMMENT ON FUNCTION "test_coordination"."refuse_change"() IS 'Keeps what is frozen as it is; it can only be removed.';

CREATE TRIGGER "reports_frozen" BEFORE UPDATE ON "test_coordination"."reports"
  FOR EACH ROW EXECUTE FUNCTION "test_coordination"."refuse_change"();

-- ------------------------------------------------------------- analytics --
-- The stable contract for analysts: names, order, types and meaning of these
-- columns are kept, new ones come last; tables behind them may change. A test
-- guards it. What is said here once, the rollups and the API say, too.

CREATE VIEW "test_coordination"."analytics_executions" AS
SELECT e.execution_id, e.run, e.status, e.reported_outcome, e.scenario_id, e.scenario_version, e.environment,
       e.coordinator_id, e.trigger_type, e.trigger_actor, e.group_id, e.attempt, e.dry_run,
       e.requested_at, e.started_at, e.ended_at,
       extract(epoch FROM e.ended_at - e.started_at)::double precision AS duration_seconds,
       e.status IN ('passed', 'failed', 'error', 'cancelled', 'timeout', 'interrupted') AS terminal,
       e.interrupt_cause, e.exit_code, e.error_message, e.events, e.log_lines, e.steps_total, e.steps_failed,
       e.faults_total, e.faults_active, e.validations_passed, e.validations_failed, e.validations_skipped, e.validations_error,
       e.created_at AS first_seen_at,
       (coalesce(e.started_at, e.requested_at, e.created_at) AT TIME ZONE 'UTC')::date AS day,
       -- One group of validations for each fault of the run, and one for those that
       -- name none of its faults; success is passed / (passed + failed + error).
       CASE WHEN e.validations_passed + e.validations_failed + e.validations_error > 0 THEN (
         SELECT round(100 * sum(g.weight * g.passed / g.decided) / sum(g.weight), 6)::double precision
         FROM (
           SELECT CASE WHEN jsonb_typeof(min(f.parameters::text)::jsonb->'weight') = 'number' -- in two steps: only a number can be compared
                    THEN CASE WHEN (min(f.parameters::text)::jsonb->>'weight')::numeric BETWEEN 1 AND 10 THEN (min(f.parameters::text)::jsonb->>'weight')::numeric ELSE 10 END
                    ELSE 10 END AS weight,
                  count(*) FILTER (WHERE v.status = 'passed')::numeric AS passed, count(*)::numeric AS decided
           FROM "test_coordination"."validation_results" AS v
           LEFT JOIN "test_coordination"."fault_injections" AS f
             ON f.execution_id = v.execution_id AND f.run = v.run AND f.bucket = v.bucket AND f.fault_id = v.fault_id
           WHERE v.execution_id = e.execution_id AND v.run = e.run AND v.bucket = e.bucket AND v.status IN ('passed', 'failed', 'error')
           GROUP BY f.fault_id
         ) AS g) END AS resilience_score
FROM "test_coordination"."executions" AS e;
COMMENT ON VIEW "test_coordination"."analytics_executions" IS 'One row for each run.';

CREATE VIEW "test_coordination"."analytics_validations" AS
SELECT v.execution_id, v.run, e.scenario_id, e.environment, v.validation_id, v.assertion_type, v.status, v.recorded_at,
       v.phase, v.step_id, v.fault_id, v.service, v.expected, v.actual, v.operator, v.threshold, v.unit,
       v.within_seconds, v.observed_after_seconds, v.message, v.steady_state, v.correlation_id
FROM "test_coordination"."validation_results" AS v
JOIN "test_coordination"."executions" AS e ON e.execution_id = v.execution_id AND e.run = v.run AND e.bucket = v.bucket;
COMMENT ON VIEW "test_coordination"."analytics_validations" IS 'One row for each assertion of each run.';

CREATE VIEW "test_coordination"."analytics_faults" AS
SELECT f.execution_id, f.run, e.scenario_id, e.environment, f.fault_id, f.fault_type, f.target_service, f.phase, f.step_id,
       f.blast_radius, f.status, f.injected_at, f.cleared_at, f.recovered_at,
       extract(epoch FROM f.cleared_at - f.injected_at)::double precision AS active_seconds,
       coalesce(f.recovery_seconds, extract(epoch FROM f.recovered_at - coalesce(f.cleared_at, f.injected_at))::double precision) AS recovery_seconds, f.error,
       extract(epoch FROM (
         SELECT min(v.recorded_at) FROM "test_coordination"."validation_results" AS v
         WHERE v.execution_id = f.execution_id AND v.run = f.run AND v.bucket = f.bucket AND v.fault_id = f.fault_id
           AND v.status IN ('passed', 'failed') AND v.recorded_at >= f.injected_at
       ) - f.injected_at)::double precision AS detection_seconds
FROM "test_coordination"."fault_injections" AS f
JOIN "test_coordination"."executions" AS e ON e.execution_id = f.execution_id AND e.run = f.run AND e.bucket = f.bucket;
COMMENT ON VIEW "test_coordination"."analytics_faults" IS 'One row for each fault injection of each run.';

CREATE VIEW "test_coordination"."analytics_timeline" AS
SELECT v.execution_id, v.run, v.order_key, v.type, v.event_time, v.source, v.event_id, v.sequence,
       coalesce(v.order_key > e.end_order AND v.type <> 'test-coordination.execution.finished.v1', false) AS late,
       coalesce(v.order_key > e.end_order AND v.type = 'test-coordination.execution.finished.v1'
                AND v.data->>'outcome' IS DISTINCT FROM e.reported_outcome, false) AS conflicting_outcome,
       v.run_guessed, v.time_suspect, v.topic, v.partition, v.kafka_offset, v.recorded_at
FROM "test_coordination"."execution_events" AS v
JOIN "test_coordination"."executions" AS e ON e.execution_id = v.execution_id AND e.run = v.run;
COMMENT ON VIEW "test_coordination"."analytics_timeline" IS 'One row for each accepted event of each run, with its flags. Sort by order_key.';

CREATE VIEW "test_coordination"."analytics_units" AS
SELECT e.scenario_id, e.environment, e.scenario_version, e.group_id, e.execution_id, e.run, e.status,
       coalesce(e.started_at, e.requested_at, e.first_seen_at) AS ran_at, e.day,
       CASE WHEN e.group_id = '' THEN 1 ELSE (
         SELECT count(*) FROM "test_coordination"."executions" AS a
         WHERE a.scenario_id = e.scenario_id AND a.group_id = e.group_id AND a.group_id <> '' AND a.ended_at IS NOT NULL AND a.dry_run IS NOT TRUE
       ) END AS attempts,
       e.status = 'passed' AND e.group_id <> '' AND EXISTS (
         SELECT FROM "test_coordination"."executions" AS a
         WHERE a.scenario_id = e.scenario_id AND a.group_id = e.group_id AND a.group_id <> '' AND a.ended_at IS NOT NULL AND a.dry_run IS NOT TRUE
           AND a.status IN ('failed', 'error', 'timeout')
       ) AS passed_after_retries,
       e.status IN ('passed', 'failed', 'error', 'timeout') AS decided,
       CASE WHEN e.duration_seconds >= 0 THEN e.duration_seconds END AS duration_seconds, e.resilience_score
FROM "test_coordination"."analytics_executions" AS e
WHERE e.ended_at IS NOT NULL AND e.dry_run IS NOT TRUE
  AND (e.group_id = '' OR (e.execution_id, e.run) = (
    SELECT l.execution_id, l.run FROM "test_coordination"."executions" AS l
    WHERE l.scenario_id = e.scenario_id AND l.group_id = e.group_id AND l.group_id <> '' AND l.ended_at IS NOT NULL AND l.dry_run IS NOT TRUE
    ORDER BY coalesce(l.attempt, 1) DESC, coalesce(l.started_at, l.requested_at, l.created_at) DESC, l.execution_id DESC, l.run DESC LIMIT 1));
COMMENT ON VIEW "test_coordination"."analytics_units" IS 'What figures count: each run that has ended and was no dry run, the attempts of a group of one scenario as one, by its last attempt (the greatest attempt, 1 where it has none; then the latest; then the greatest id and run). Runs that retention has removed whole are not in it any more; the rollups still count them.';

-- rollup_bucket is the bucket of a log histogram that a value belongs to: i for
-- those in (g^(i-1), g^i], g = 1.01/0.99, so that 2 g^i / (g + 1) is at most 1 %
-- beside all of them (C. Masson, J. E. Rim, H. K. Lee: DDSketch, VLDB 2019).
-- What is below a nanosecond counts as 0, and is in the lowest bucket.
CREATE FUNCTION "test_coordination"."rollup_bucket"(seconds double precision) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
  SELECT ceil(ln(least(greatest(seconds, 1e-9), 1e9)) / ln(1.01::double precision / 0.99))::integer;
$$;
COMMENT ON FUNCTION "test_coordination"."rollup_bucket"(double precision) IS 'The bucket of a log histogram that a number of seconds belongs to.';

CREATE FUNCTION "test_coordination"."analytics_percentile"(buckets integer[], counts bigint[], share double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
  SELECT CASE WHEN h.bucket <= ceil(ln(1e-9) / ln(1.01::double precision / 0.99)) THEN 0
         ELSE 2 * power(1.01::double precision / 0.99, h.bucket) / (1.01::double precision / 0.99 + 1) END
  FROM (
    SELECT b.bucket, sum(b.held) OVER (ORDER BY b.bucket)::double precision AS upto, sum(b.held) OVER ()::double precision AS total
    FROM (SELECT u.bucket, sum(u.held) AS held FROM unnest(buckets, counts) AS u(bucket, held) GROUP BY u.bucket) AS b
  ) AS h
  WHERE h.upto >= greatest(1, ceil(share * h.total)) ORDER BY h.bucket LIMIT 1;
$$;
COMMENT ON FUNCTION "test_coordination"."analytics_percentile"(integer[], bigint[], double precision) IS 'Percentile (share 0..1, nearest rank, as percentile_disc) of the values in a log histogram, at most 1 % beside the exact one. Histograms are added up by joining their arrays with ||. NULL of an empty one.';

-- rollup_microseconds is a number of seconds as it is added up: exact, in
-- whatever order. Negative ones come of clocks that disagree, and count for none.
CREATE FUNCTION "test_coordination"."rollup_microseconds"(seconds double precision) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
  SELECT CASE WHEN seconds >= 0 THEN round(least(seconds, 1e9)::numeric * 1000000) END;
$$;
COMMENT ON FUNCTION "test_coordination"."rollup_microseconds"(double precision) IS 'A number of seconds in whole microseconds, at most 1e9 s; NULL of a negative one.';

-- The functions below compute the rollups of keys from the raw rows, and from what
-- pruned runs have left, whatever is stored of them. The roller stores it, and verify
-- compares it.

CREATE FUNCTION "test_coordination"."rollup_attempts"(scenario_id text, group_id text, only_ids text[], only_runs integer[]) RETURNS SETOF "test_coordination"."executions"
LANGUAGE sql STABLE
AS $$
  SELECT a.* FROM test_coordination.executions AS a
  WHERE a.scenario_id = $1 AND a.group_id = $2 AND a.group_id <> '' AND a.ended_at IS NOT NULL AND a.dry_run IS NOT TRUE
    AND ($3 IS NULL OR (a.execution_id, a.run) IN (SELECT g.execution_id, g.run FROM unnest($3, $4) AS g(execution_id, run)))
    AND NOT EXISTS (SELECT FROM test_coordination.pruned_runs AS p WHERE p.execution_id = a.execution_id AND p.run = a.run AND 'results' = ANY (p.kinds));
$$;
REVOKE EXECUTE ON FUNCTION "test_coordination"."rollup_attempts"(text, text, text[], integer[]) FROM PUBLIC;
COMMENT ON FUNCTION "test_coordination"."rollup_attempts"(text, text, text[], integer[]) IS 'The attempts of a group that have their results, or, where runs are given (only_ids), those of them that are these.';

CREATE FUNCTION "test_coordination"."rollup_units"(scenario_ids text[], days date[], only_ids text[], only_runs integer[])
RETURNS TABLE (scenario_id text, day date, environment text, scenario_version text, execution_id text, run integer, status text, attempts bigint, passed_after_retries boolean, duration_seconds double precision, resilience_score double precision)
LANGUAGE sql STABLE
AS $$
  SELECT e.scenario_id, e.day, e.environment, e.scenario_version, e.execution_id, e.run, e.status,
         CASE WHEN e.group_id = '' THEN 1 ELSE (SELECT count(*) FROM test_coordination.rollup_attempts(e.scenario_id, e.group_id, only_ids, only_runs) AS a) END,
         e.status = 'passed' AND e.group_id <> '' AND EXISTS (
           SELECT FROM test_coordination.rollup_attempts(e.scenario_id, e.group_id, only_ids, only_runs) AS a WHERE a.status IN ('failed', 'error', 'timeout')),
         CASE WHEN e.duration_seconds >= 0 THEN e.duration_seconds END, e.resilience_score
  FROM ( -- keys alone, so that no score is computed of what is left out below
    SELECT x.execution_id, x.run FROM unnest(scenario_ids, days) AS k(scenario_id, day)
    JOIN test_coordination.executions AS x ON x.scenario_id = k.scenario_id
      AND coalesce(x.started_at, x.requested_at, x.created_at) >= k.day::timestamp AT TIME ZONE 'UTC'
      AND coalesce(x.started_at, x.requested_at, x.created_at) < (k.day + 1)::timestamp AT TIME ZONE 'UTC'
    WHERE only_ids IS NULL AND x.ended_at IS NOT NULL AND x.dry_run IS NOT TRUE
    UNION ALL
    SELECT g.execution_id, g.run FROM unnest(only_ids, only_runs) AS g(execution_id, run)
  ) AS u
  JOIN test_coordination.analytics_executions AS e ON e.execution_id = u.execution_id AND e.run = u.run
  WHERE e.ended_at IS NOT NULL AND e.dry_run IS NOT TRUE
    AND NOT EXISTS (SELECT FROM test_coordination.pruned_runs AS p WHERE p.execution_id = e.execution_id AND p.run = e.run AND 'results' = ANY (p.kinds))
    AND (e.group_id = '' OR (e.execution_id, e.run) = (
      SELECT l.execution_id, l.run FROM test_coordination.rollup_attempts(e.scenario_id, e.group_id, only_ids, only_runs) AS l
      ORDER BY coalesce(l.attempt, 1) DESC, coalesce(l.started_at, l.requested_at, l.created_at) DESC, l.execution_id DESC, l.run DESC LIMIT 1));
$$;
REVOKE EXECUTE ON FUNCTION "test_coordination"."rollup_units"(text[], date[], text[], integer[]) FROM PUBLIC;
COMMENT ON FUNCTION "test_coordination"."rollup_units"(text[], date[], text[], integer[]) IS 'The units of pairs of scenario and day that rollups are made from, as analytics_units has them, but of runs that have their results: attempts that lost them are a unit that was, and one that comes later is another. Where runs are given (only_ids), the units that these are, whatever their days.';

CREATE FUNCTION "test_coordination"."compute_rollup_runs"(scenario_ids text[], days date[], only_ids text[], only_runs integer[]) RETURNS SETOF "test_coordination"."rollup_runs"
LANGUAGE sql STABLE
SET search_path = test_coordination, pg_temp
AS $$
  WITH units AS MATERIALIZED (
    SELECT u.scenario_id, u.day, u.environment, u.scenario_version, u.execution_id, u.run, u.status, u.attempts, u.passed_after_retries,
           rollup_microseconds(u.duration_seconds) AS us, rollup_bucket(u.duration_seconds) AS bucket, u.resilience_score::numeric AS score
    FROM rollup_units(scenario_ids, days, only_ids, only_runs) AS u
  ), labelled AS (
    SELECT u.*, '' AS label_key, '' AS label_value FROM units AS u
    UNION ALL
    SELECT u.*, l.key, l.value FROM units AS u
    JOIN execution_details AS d ON d.execution_id = u.execution_id AND d.run = u.run
    CROSS JOIN LATERAL jsonb_each_text(CASE WHEN jsonb_typeof(d.labels) = 'object' THEN d.labels ELSE '{}' END) AS l
    WHERE l.key <> ''
  ), parts AS (
    SELECT scenario_id, day, environment, scenario_version, label_key, label_value, bucket,
           sum(attempts) AS runs, count(*) AS units,
           count(*) FILTER (WHERE status = 'passed') AS passed, count(*) FILTER (WHERE status = 'failed') AS failed,
           count(*) FILTER (WHERE status = 'error') AS error, count(*) FILTER (WHERE status = 'cancelled') AS cancelled,
           count(*) FILTER (WHERE status = 'timeout') AS timeout, count(*) FILTER (WHERE status = 'interrupted') AS interrupted,
           count(*) FILTER (WHERE attempts > 1) AS retries, count(*) FILTER (WHERE passed_after_retries) AS passed_after_retries,
           count(us) AS held, coalesce(sum(us), 0) AS us_sum, min(us) AS us_min, max(us) AS us_max,
           count(score) AS score_count, coalesce(sum(score), 0) AS score_sum
    FROM labelled GROUP BY scenario_id, day, environment, scenario_version, label_key, label_value, bucket
    UNION ALL -- of what is pruned the sums once, and each bucket
    SELECT p.scenario_id, p.day, p.environment, p.scenario_version, p.label_key, p.label_value, b.bucket,
           p.runs * b.once, p.units * b.once, p.passed * b.once, p.failed * b.once, p.error * b.once, p.cancelled * b.once, p.timeout * b.once, p.interrupted * b.once,
           p.retries * b.once, p.passed_after_retries * b.once, b.held, p.duration_us_sum * b.once, p.duration_us_min, p.duration_us_max, p.score_count * b.once, p.score_sum * b.once
    FROM unnest(scenario_ids, days) AS k(scenario_id, day)
    JOIN pruned_rollup_runs AS p ON p.scenario_id = k.scenario_id AND p.day = k.day
    CROSS JOIN LATERAL (
      SELECT NULL::integer AS bucket, 0::bigint AS held, 1 AS once
      UNION ALL SELECT h.bucket, h.held, 0 FROM unnest(p.duration_buckets, p.duration_counts) AS h(bucket, held)
    ) AS b
  ), by_bucket AS (
    SELECT scenario_id, day, environment, scenario_version, label_key, label_value, bucket,
           sum(runs) AS runs, sum(units) AS units, sum(passed) AS passed, sum(failed) AS failed, sum(error) AS error, sum(cancelled) AS cancelled,
           sum(timeout) AS timeout, sum(interrupted) AS interrupted, sum(retries) AS retries, sum(passed_after_retries) AS passed_after_retries,
           sum(held) AS held, sum(us_sum) AS us_sum, min(us_min) AS us_min, max(us_max) AS us_max, sum(score_count) AS score_count, sum(score_sum) AS score_sum
    FROM parts GROUP BY scenario_id, day, environment, scenario_version, label_key, label_value, bucket
  )
  SELECT scenario_id, day, (row_number() OVER (PARTITION BY scenario_id, day ORDER BY environment, scenario_version, label_key, label_value))::integer,
         environment, scenario_version, label_key, label_value,
         sum(runs)::bigint, sum(units)::bigint, sum(passed)::bigint, sum(failed)::bigint, sum(error)::bigint, sum(cancelled)::bigint,
         sum(timeout)::bigint, sum(interrupted)::bigint, sum(retries)::bigint, sum(passed_after_retries)::bigint,
         sum(held)::bigint, sum(us_sum), min(us_min), max(us_max),
         coalesce(array_agg(bucket ORDER BY bucket) FILTER (WHERE held > 0), '{}'), coalesce(array_agg(held::bigint ORDER BY bucket) FILTER (WHERE held > 0), '{}'),
         sum(score_count)::bigint, sum(score_sum)
  FROM by_bucket GROUP BY scenario_id, day, environment, scenario_version, label_key, label_value;
$$;
REVOKE EXECUTE ON FUNCTION "test_coordination"."compute_rollup_runs"(text[], date[], text[], integer[]) FROM PUBLIC;
COMMENT ON FUNCTION "test_coordination"."compute_rollup_runs"(text[], date[], text[], integer[]) IS 'The rows of rollup_runs of pairs of scenario and day, from their units (see rollup_units) and pruned_rollup_runs.';

CREATE FUNCTION "test_coordination"."compute_rollup_assertions"(scenario_ids text[], days date[], only_ids text[], only_runs integer[]) RETURNS SETOF "test_coordination"."rollup_assertions"
LANGUAGE sql STABLE
SET search_path = test_coordination, pg_temp
AS $$
  WITH units AS MATERIALIZED (
    SELECT u.scenario_id, u.day, u.environment, u.execution_id, u.run FROM rollup_units(scenario_ids, days, only_ids, only_runs) AS u
  ), parts AS (
    SELECT u.scenario_id, u.day, u.environment, v.assertion_type, v.service,
           count(*) FILTER (WHERE v.status = 'passed') AS passed, count(*) FILTER (WHERE v.status = 'failed') AS failed,
           count(*) FILTER (WHERE v.status = 'skipped') AS skipped, count(*) FILTER (WHERE v.status = 'error') AS error
    FROM units AS u
    JOIN analytics_validations AS v ON v.execution_id = u.execution_id AND v.run = u.run
    GROUP BY u.scenario_id, u.day, u.environment, v.assertion_type, v.service
    UNION ALL
    SELECT p.scenario_id, p.day, p.environment, p.assertion_type, p.service, p.passed, p.failed, p.skipped, p.error
    FROM unnest(scenario_ids, days) AS k(scenario_id, day)
    JOIN pruned_rollup_assertions AS p ON p.scenario_id = k.scenario_id AND p.day = k.day
  )
  SELECT scenario_id, day, (row_number() OVER (PARTITION BY scenario_id, day ORDER BY environment, assertion_type, service))::integer,
         environment, assertion_type, service, sum(passed)::bigint, sum(failed)::bigint, sum(skipped)::bigint, sum(error)::bigint
  FROM parts GROUP BY scenario_id, day, environment, assertion_type, service;
$$;
REVOKE EXECUTE ON FUNCTION "test_coordination"."compute_rollup_assertions"(text[], date[], text[], integer[]) FROM PUBLIC;
COMMENT ON FUNCTION "test_coordination"."compute_rollup_assertions"(text[], date[], text[], integer[]) IS 'The rows of rollup_assertions of pairs of scenario and day, from their units (see rollup_units) and pruned_rollup_assertions.';

CREATE FUNCTION "test_coordination"."compute_rollup_faults"(scenario_ids text[], days date[], only_ids text[], only_runs integer[]) RETURNS SETOF "test_coordination"."rollup_faults"
LANGUAGE sql STABLE
SET search_path = test_coordination, pg_temp
AS $$
  WITH units AS MATERIALIZED (
    SELECT u.scenario_id, u.day, u.environment, u.execution_id, u.run, u.status FROM rollup_units(scenario_ids, days, only_ids, only_runs) AS u
  ), faults AS MATERIALIZED (
    SELECT u.scenario_id, u.day, u.environment, u.execution_id, u.run, u.status AS run_status,
           f.fault_type, f.target_service, f.fault_id, f.status, f.injected_at,
           rollup_microseconds(f.recovery_seconds) AS recovery_us, rollup_bucket(f.recovery_seconds) AS recovery_bucket,
           rollup_microseconds(f.detection_seconds) AS detection_us, rollup_bucket(f.detection_seconds) AS detection_bucket
    FROM units AS u
    JOIN analytics_faults AS f ON f.execution_id = u.execution_id AND f.run = u.run
  ), pruned AS MATERIALIZED (
    SELECT p.* FROM unnest(scenario_ids, days) AS k(scenario_id, day)
    JOIN pruned_rollup_faults AS p ON p.scenario_id = k.scenario_id AND p.day = k.day
  ), recoveries AS (
    SELECT scenario_id, day, environment, fault_type, target_service, array_agg(bucket ORDER BY bucket) AS buckets, array_agg(held ORDER BY bucket) AS counts
    FROM (SELECT scenario_id, day, environment, fault_type, target_service, bucket, sum(held)::bigint AS held
          FROM (SELECT scenario_id, day, environment, fault_type, target_service, recovery_bucket AS bucket, 1 AS held FROM faults WHERE recovery_us IS NOT NULL
                UNION ALL
                SELECT p.scenario_id, p.day, p.environment, p.fault_type, p.target_service, b.bucket, b.held
                FROM pruned AS p CROSS JOIN unnest(p.recovery_buckets, p.recovery_counts) AS b(bucket, held)) AS parts
          GROUP BY scenario_id, day, environment, fault_type, target_service, bucket) AS h
    GROUP BY scenario_id, day, environment, fault_type, target_service
  ), detections AS (
    SELECT scenario_id, day, environment, fault_type, target_service, array_agg(bucket ORDER BY bucket) AS buckets, array_agg(held ORDER BY bucket) AS counts
    FROM (SELECT scenario_id, day, environment, fault_type, target_service, bucket, sum(held)::bigint AS held
          FROM (SELECT scenario_id, day, environment, fault_type, target_service, detection_bucket AS bucket, 1 AS held FROM faults WHERE detection_us IS NOT NULL
                UNION ALL
                SELECT p.scenario_id, p.day, p.environment, p.fault_type, p.target_service, b.bucket, b.held
                FROM pruned AS p CROSS JOIN unnest(p.detection_buckets, p.detection_counts) AS b(bucket, held)) AS parts
          GROUP BY scenario_id, day, environment, fault_type, target_service, bucket) AS h
    GROUP BY scenario_id, day, environment, fault_type, target_service
  ), latest AS (
    SELECT DISTINCT ON (scenario_id, day, environment, fault_type, target_service)
           scenario_id, day, environment, fault_type, target_service, injected_at, execution_id, run, run_status, status
    FROM (SELECT scenario_id, day, environment, fault_type, target_service, injected_at, execution_id, run, run_status, status, fault_id
          FROM faults WHERE injected_at IS NOT NULL
          UNION ALL
          SELECT scenario_id, day, environment, fault_type, target_service, last_injected_at, last_execution_id, last_run, last_run_status, last_fault_status, ''
          FROM pruned WHERE last_injected_at IS NOT NULL) AS parts
    ORDER BY scenario_id, day, environment, fault_type, target_service, injected_at DESC, execution_id DESC, run DESC, fault_id DESC
  ), totals AS (
    SELECT scenario_id, day, environment, fault_type, target_service,
           sum(faults)::bigint AS faults, sum(injected)::bigint AS injected, sum(failed)::bigint AS failed, sum(recovered)::bigint AS recovered,
           sum(recovery_count)::bigint AS recovery_count, sum(recovery_sum) AS recovery_sum, max(recovery_max) AS recovery_max,
           sum(detection_count)::bigint AS detection_count, sum(detection_sum) AS detection_sum, max(detection_max) AS detection_max
    FROM (SELECT scenario_id, day, environment, fault_type, target_service, count(*) AS faults, count(injected_at) AS injected,
                 count(*) FILTER (WHERE status = 'failed') AS failed, count(*) FILTER (WHERE status = 'recovered') AS recovered,
                 count(recovery_us) AS recovery_count, coalesce(sum(recovery_us), 0) AS recovery_sum, max(recovery_us) AS recovery_max,
                 count(detection_us) AS detection_count, coalesce(sum(detection_us), 0) AS detection_sum, max(detection_us) AS detection_max
          FROM faults GROUP BY scenario_id, day, environment, fault_type, target_service
          UNION ALL
          SELECT scenario_id, day, environment, fault_type, target_service, faults, injected, failed, recovered,
                 recovery_count, recovery_us_sum, recovery_us_max, detection_count, detection_us_sum, detection_us_max FROM pruned) AS parts
    GROUP BY scenario_id, day, environment, fault_type, target_service
  )
  SELECT t.scenario_id, t.day, (row_number() OVER (PARTITION BY t.scenario_id, t.day ORDER BY t.environment, t.fault_type, t.target_service))::integer,
         t.environment, t.fault_type, t.target_service, t.faults, t.injected, t.failed, t.recovered,
         t.recovery_count, t.recovery_sum, t.recovery_max, coalesce(r.buckets, '{}'), coalesce(r.counts, '{}'),
         t.detection_count, t.detection_sum, t.detection_max, coalesce(d.buckets, '{}'), coalesce(d.counts, '{}'),
         l.injected_at, coalesce(l.execution_id, ''), coalesce(l.run, 0), coalesce(l.run_status, ''), coalesce(l.status, '')
  FROM totals AS t
  LEFT JOIN recoveries AS r USING (scenario_id, day, environment, fault_type, target_service)
  LEFT JOIN detections AS d USING (scenario_id, day, environment, fault_type, target_service)
  LEFT JOIN latest AS l USING (scenario_id, day, environment, fault_type, target_service);
$$;
REVOKE EXECUTE ON FUNCTION "test_coordination"."compute_rollup_faults"(text[], date[], text[], integer[]) FROM PUBLIC;
COMMENT ON FUNCTION "test_coordination"."compute_rollup_faults"(text[], date[], text[], integer[]) IS 'The rows of rollup_faults of pairs of scenario and day, from their units (see rollup_units) and pruned_rollup_faults.';

-- keep_rollups is for retention, before it writes the tombstones of runs whose
-- results go: what these contribute to the rollups of their days is kept with what
-- runs that went before them did. The rollups themselves stay as they are.
CREATE FUNCTION "test_coordination"."keep_rollups"(scenario_ids text[], days date[], only_ids text[], only_runs integer[]) RETURNS void
LANGUAGE plpgsql
SET search_path = test_coordination, pg_temp
AS $$
DECLARE
  of_runs rollup_runs[] := ARRAY(SELECT r FROM compute_rollup_runs(scenario_ids, days, only_ids, only_runs) AS r);
  of_assertions rollup_assertions[] := ARRAY(SELECT r FROM compute_rollup_assertions(scenario_ids, days, only_ids, only_runs) AS r);
  of_faults rollup_faults[] := ARRAY(SELECT r FROM compute_rollup_faults(scenario_ids, days, only_ids, only_runs) AS r);
BEGIN
  DELETE FROM pruned_rollup_runs AS p USING unnest(scenario_ids, days) AS k(scenario_id, day) WHERE p.scenario_id = k.scenario_id AND p.day = k.day;
  INSERT INTO pruned_rollup_runs SELECT * FROM unnest(of_runs);
  DELETE FROM pruned_rollup_assertions AS p USING unnest(scenario_ids, days) AS k(scenario_id, day) WHERE p.scenario_id = k.scenario_id AND p.day = k.day;
  INSERT INTO pruned_rollup_assertions SELECT * FROM unnest(of_assertions);
  DELETE FROM pruned_rollup_faults AS p USING unnest(scenario_ids, days) AS k(scenario_id, day) WHERE p.scenario_id = k.scenario_id AND p.day = k.day;
  INSERT INTO pruned_rollup_faults SELECT * FROM unnest(of_faults);
END
$$;
REVOKE EXECUTE ON FUNCTION "test_coordination"."keep_rollups"(text[], date[], text[], integer[]) FROM PUBLIC;
COMMENT ON FUNCTION "test_coordination"."keep_rollups"(text[], date[], text[], integer[]) IS 'Adds what runs that are about to lose their results contribute to the rollups of their days, whose pairs of scenario and day are given, to pruned_rollup_runs, _assertions and _faults.';

CREATE FUNCTION "test_coordination"."compute_scenario_summaries"(scenario_ids text[], as_of date) RETURNS SETOF "test_coordination"."scenario_summaries"
LANGUAGE sql STABLE
SET search_path = test_coordination, pg_temp
AS $$
  WITH windows AS (
    SELECT k.scenario_id, w.days AS window_days, as_of - w.days + 1 AS first_day
    FROM unnest(scenario_ids) AS k(scenario_id) CROSS JOIN unnest(ARRAY[7, 30, 90, 365]) AS w(days)
  ), runs AS (
    SELECT w.window_days, w.scenario_id, sum(r.runs)::bigint AS runs, sum(r.units)::bigint AS units, sum(r.passed)::bigint AS passed, sum(r.failed)::bigint AS failed,
           sum(r.error)::bigint AS error, sum(r.cancelled)::bigint AS cancelled, sum(r.timeout)::bigint AS timeout, sum(r.interrupted)::bigint AS interrupted,
           sum(r.retries)::bigint AS retries, sum(r.passed_after_retries)::bigint AS passed_after_retries,
           sum(r.duration_count)::bigint AS duration_count, sum(r.duration_us_sum) AS duration_us_sum, min(r.duration_us_min) AS duration_us_min, max(r.duration_us_max) AS duration_us_max,
           sum(r.score_count)::bigint AS score_count, sum(r.score_sum) AS score_sum
    FROM windows AS w JOIN rollup_runs AS r ON r.scenario_id = w.scenario_id AND r.day >= w.first_day AND r.label_key = ''
    GROUP BY w.window_days, w.scenario_id
  ), durations AS (
    SELECT window_days, scenario_id, array_agg(bucket) AS buckets, array_agg(held) AS counts
    FROM (SELECT w.window_days, w.scenario_id, b.bucket, sum(b.held)::bigint AS held
          FROM windows AS w JOIN rollup_runs AS r ON r.scenario_id = w.scenario_id AND r.day >= w.first_day AND r.label_key = ''
          CROSS JOIN unnest(r.duration_buckets, r.duration_counts) AS b(bucket, held)
          GROUP BY w.window_days, w.scenario_id, b.bucket) AS h
    GROUP BY window_days, scenario_id
  ), faults AS (
    SELECT w.window_days, w.scenario_id, sum(f.faults)::bigint AS faults, sum(f.recovery_count)::bigint AS recovery_count, sum(f.recovery_us_sum) AS recovery_us_sum,
           sum(f.detection_count)::bigint AS detection_count, sum(f.detection_us_sum) AS detection_us_sum
    FROM windows AS w JOIN rollup_faults AS f ON f.scenario_id = w.scenario_id AND f.day >= w.first_day
    GROUP BY w.window_days, w.scenario_id
  ), recoveries AS (
    SELECT w.window_days, w.scenario_id, array_agg(b.bucket) AS buckets, array_agg(b.held) AS counts
    FROM windows AS w JOIN rollup_faults AS f ON f.scenario_id = w.scenario_id AND f.day >= w.first_day
    CROSS JOIN unnest(f.recovery_buckets, f.recovery_counts) AS b(bucket, held)
    GROUP BY w.window_days, w.scenario_id
  ), detections AS (
    SELECT w.window_days, w.scenario_id, array_agg(b.bucket) AS buckets, array_agg(b.held) AS counts
    FROM windows AS w JOIN rollup_faults AS f ON f.scenario_id = w.scenario_id AND f.day >= w.first_day
    CROSS JOIN unnest(f.detection_buckets, f.detection_counts) AS b(bucket, held)
    GROUP BY w.window_days, w.scenario_id
  )
  SELECT r.window_days, r.scenario_id, as_of, r.runs, r.units, r.passed, r.failed, r.error, r.cancelled, r.timeout, r.interrupted, r.retries, r.passed_after_retries,
         r.duration_count, r.duration_us_sum, r.duration_us_min, r.duration_us_max,
         analytics_percentile(d.buckets, d.counts, 0.5), analytics_percentile(d.buckets, d.counts, 0.95), analytics_percentile(d.buckets, d.counts, 0.99),
         r.score_count, r.score_sum, coalesce(f.faults, 0), coalesce(f.recovery_count, 0), coalesce(f.recovery_us_sum, 0), analytics_percentile(c.buckets, c.counts, 0.95),
         coalesce(f.detection_count, 0), coalesce(f.detection_us_sum, 0), analytics_percentile(t.buckets, t.counts, 0.95)
  FROM runs AS r
  LEFT JOIN durations AS d USING (window_days, scenario_id)
  LEFT JOIN faults AS f USING (window_days, scenario_id)
  LEFT JOIN recoveries AS c USING (window_days, scenario_id)
  LEFT JOIN detections AS t USING (window_days, scenario_id);
$$;
REVOKE EXECUTE ON FUNCTION "test_coordination"."compute_scenario_summaries"(text[], date) FROM PUBLIC;
COMMENT ON FUNCTION "test_coordination"."compute_scenario_summaries"(text[], date) IS 'The rows of scenario_summaries of scenarios, as of a day, from the rollups.';

CREATE VIEW "test_coordination"."analytics_daily_runs" AS
SELECT r.scenario_id, r.day, r.environment, r.scenario_version, r.label_key, r.label_value,
       r.runs, r.units, r.passed, r.failed, r.error, r.cancelled, r.timeout, r.interrupted,
       r.passed::double precision / NULLIF(r.passed + r.failed + r.error + r.timeout, 0) AS pass_rate,
       r.retries, r.passed_after_retries,
       r.duration_count, (r.duration_us_sum / 1000000)::double precision AS duration_seconds_sum,
       (r.duration_us_min / 1000000)::double precision AS duration_seconds_min, (r.duration_us_max / 1000000)::double precision AS duration_seconds_max,
       "test_coordination"."analytics_percentile"(r.duration_buckets, r.duration_counts, 0.5) AS duration_seconds_p50,
       "test_coordination"."analytics_percentile"(r.duration_buckets, r.duration_counts, 0.95) AS duration_seconds_p95,
       "test_coordination"."analytics_percentile"(r.duration_buckets, r.duration_counts, 0.99) AS duration_seconds_p99,
       r.duration_buckets, r.duration_counts,
       r.score_count, (r.score_sum / NULLIF(r.score_count, 0))::double precision AS resilience_score_mean
FROM "test_coordination"."rollup_runs" AS r;
COMMENT ON VIEW "test_coordination"."analytics_daily_runs" IS 'Units of a scenario and UTC day, by environment and version, and again by each label. Behind ingest by as long as the roller takes.';

CREATE VIEW "test_coordination"."analytics_daily_assertions" AS
SELECT a.scenario_id, a.day, a.environment, a.assertion_type, a.service, a.passed, a.failed, a.skipped, a.error,
       a.passed::double precision / NULLIF(a.passed + a.failed + a.error, 0) AS pass_rate
FROM "test_coordination"."rollup_assertions" AS a;
COMMENT ON VIEW "test_coordination"."analytics_daily_assertions" IS 'Validations of the units of a scenario and UTC day, by environment, type and service.';

CREATE VIEW "test_coordination"."analytics_daily_faults" AS
SELECT f.scenario_id, f.day, f.environment, f.fault_type, f.target_service, f.faults, f.injected, f.failed, f.recovered,
       f.recovery_count, (f.recovery_us_sum / 1000000)::double precision AS recovery_seconds_sum,
       (f.recovery_us_sum / 1000000 / NULLIF(f.recovery_count, 0))::double precision AS recovery_seconds_mean,
       (f.recovery_us_max / 1000000)::double precision AS recovery_seconds_max,
       "test_coordination"."analytics_percentile"(f.recovery_buckets, f.recovery_counts, 0.95) AS recovery_seconds_p95,
       f.recovery_buckets, f.recovery_counts,
       f.detection_count, (f.detection_us_sum / 1000000)::double precision AS detection_seconds_sum,
       (f.detection_us_sum / 1000000 / NULLIF(f.detection_count, 0))::double precision AS detection_seconds_mean,
       (f.detection_us_max / 1000000)::double precision AS detection_seconds_max,
       "test_coordination"."analytics_percentile"(f.detection_buckets, f.detection_counts, 0.95) AS detection_seconds_p95,
       f.detection_buckets, f.detection_counts
FROM "test_coordination"."rollup_faults" AS f;
COMMENT ON VIEW "test_coordination"."analytics_daily_faults" IS 'Fault injections of the units of a scenario and UTC day, by environment, type and target: how soon they were recovered from and detected.';

CREATE VIEW "test_coordination"."analytics_coverage" AS
SELECT DISTINCT ON (f.target_service, f.fault_type)
       f.target_service, f.fault_type, (sum(f.injected) OVER w)::bigint AS injected,
       f.last_injected_at AS last_tested_at,
       CASE WHEN f.last_injected_at IS NOT NULL THEN f.scenario_id END AS last_scenario_id, CASE WHEN f.last_injected_at IS NOT NULL THEN f.environment END AS last_environment,
       f.last_execution_id, f.last_run, f.last_run_status, f.last_fault_status
FROM "test_coordination"."rollup_faults" AS f
WINDOW w AS (PARTITION BY f.target_service, f.fault_type)
ORDER BY f.target_service, f.fault_type, f.last_injected_at DESC NULLS LAST, f.scenario_id DESC, f.last_execution_id DESC, f.last_run DESC, f.environment DESC, f.day DESC;
COMMENT ON VIEW "test_coordination"."analytics_coverage" IS 'One row for each service and type of fault that a run ever had: when it was tested last, and with what result.';

CREATE VIEW "test_coordination"."analytics_scenario_summaries" AS
SELECT s.scenario_id, s.window_days, s.as_of, s.runs, s.units, s.passed, s.failed, s.error, s.cancelled, s.timeout, s.interrupted,
       s.passed::double precision / NULLIF(s.passed + s.failed + s.error + s.timeout, 0) AS pass_rate,
       s.retries, s.passed_after_retries, s.duration_count,
       (s.duration_us_sum / 1000000 / NULLIF(s.duration_count, 0))::double precision AS duration_seconds_mean,
       (s.duration_us_min / 1000000)::double precision AS duration_seconds_min, (s.duration_us_max / 1000000)::double precision AS duration_seconds_max,
       s.duration_p50 AS duration_seconds_p50, s.duration_p95 AS duration_seconds_p95, s.duration_p99 AS duration_seconds_p99,
       s.score_count, (s.score_sum / NULLIF(s.score_count, 0))::double precision AS resilience_score_mean, s.faults,
       s.recovery_count, (s.recovery_us_sum / 1000000 / NULLIF(s.recovery_count, 0))::double precision AS recovery_seconds_mean, s.recovery_p95 AS recovery_seconds_p95,
       s.detection_count, (s.detection_us_sum / 1000000 / NULLIF(s.detection_count, 0))::double precision AS detection_seconds_mean, s.detection_p95 AS detection_seconds_p95
FROM "test_coordination"."scenario_summaries" AS s;
COMMENT ON VIEW "test_coordination"."analytics_scenario_summaries" IS 'One row for each scenario and window of 7, 30, 90 or 365 UTC days.';

-- The weight of the i-th newest unit is 0.95^i: half of all weight lies on the
-- newest 14, so that a mended scenario looks well again after two weeks of daily
-- runs, and one bad night does not hide what was before. A unit that passed after
-- retries is one more change that was seen, between two attempts of one unit.
CREATE VIEW "test_coordination"."analytics_flakiness" AS
SELECT c.scenario_id, c.environment, f.units, f.passed, f.passed_after_retries, f.flips, f.flip_rate, f.weighted_pass_rate,
       f.weighted_pass_rate * (1 - coalesce(f.flip_rate, 0)) AS health, f.newest_at, f.oldest_at
FROM (
  SELECT DISTINCT e.scenario_id, NULL::text AS environment FROM "test_coordination"."rollup_environments" AS e
  UNION ALL
  SELECT e.scenario_id, e.environment FROM "test_coordination"."rollup_environments" AS e
) AS c
CROSS JOIN LATERAL (
  SELECT count(*) AS units, count(*) FILTER (WHERE l.passed) AS passed, count(*) FILTER (WHERE l.passed_after_retries) AS passed_after_retries,
         count(*) FILTER (WHERE l.passed <> l.older) + count(*) FILTER (WHERE l.passed_after_retries) AS flips,
         (count(*) FILTER (WHERE l.passed <> l.older) + count(*) FILTER (WHERE l.passed_after_retries))::double precision
           / NULLIF(count(*) - 1 + count(*) FILTER (WHERE l.passed_after_retries), 0) AS flip_rate,
         coalesce(sum(power(0.95::double precision, l.place)) FILTER (WHERE l.passed), 0) / sum(power(0.95::double precision, l.place)) AS weighted_pass_rate,
         max(l.ran_at) AS newest_at, min(l.ran_at) AS oldest_at
  FROM (
    SELECT n.passed, n.passed_after_retries, n.ran_at, row_number() OVER newest - 1 AS place, lead(n.passed) OVER newest AS older
    FROM (
      (SELECT u.status = 'passed' AS passed, u.passed_after_retries, u.ran_at, u.execution_id, u.run FROM "test_coordination"."analytics_units" AS u
       WHERE c.environment IS NULL AND u.scenario_id = c.scenario_id AND u.decided
       ORDER BY u.ran_at DESC, u.execution_id DESC, u.run DESC LIMIT 50)
      UNION ALL
      (SELECT u.status = 'passed', u.passed_after_retries, u.ran_at, u.execution_id, u.run FROM "test_coordination"."analytics_units" AS u
       WHERE u.scenario_id = c.scenario_id AND u.environment = c.environment AND u.decided
       ORDER BY u.ran_at DESC, u.execution_id DESC, u.run DESC LIMIT 50)
    ) AS n
    WINDOW newest AS (ORDER BY n.ran_at DESC, n.execution_id DESC, n.run DESC)
  ) AS l
) AS f
WHERE f.units > 0;
COMMENT ON VIEW "test_coordination"."analytics_flakiness" IS 'How steady the last 50 decided units of each scenario are, over all environments and in each: computed from the runs when it is read.';

CREATE VIEW "test_coordination"."analytics_failures" AS
SELECT c.scenario_id, c.environment, f.units, f.first_execution_id, f.first_run, f.first_scenario_version, f.first_status, f.first_failed_at, f.last_failed_at, p.passed_at AS last_passed_at
FROM (
  SELECT DISTINCT e.scenario_id, NULL::text AS environment FROM "test_coordination"."rollup_environments" AS e
  UNION ALL
  SELECT e.scenario_id, e.environment FROM "test_coordination"."rollup_environments" AS e
) AS c
LEFT JOIN LATERAL (
  SELECT n.ran_at AS passed_at, n.execution_id, n.run FROM (
    (SELECT u.ran_at, u.execution_id, u.run FROM "test_coordination"."analytics_units" AS u
     WHERE c.environment IS NULL AND u.scenario_id = c.scenario_id AND u.status = 'passed'
     ORDER BY u.ran_at DESC, u.execution_id DESC, u.run DESC LIMIT 1)
    UNION ALL
    (SELECT u.ran_at, u.execution_id, u.run FROM "test_coordination"."analytics_units" AS u
     WHERE u.scenario_id = c.scenario_id AND u.environment = c.environment AND u.status = 'passed'
     ORDER BY u.ran_at DESC, u.execution_id DESC, u.run DESC LIMIT 1)
  ) AS n
) AS p ON true
CROSS JOIN LATERAL (
  SELECT count(*) AS units, (array_agg(u.execution_id ORDER BY u.ran_at, u.execution_id, u.run))[1] AS first_execution_id,
         (array_agg(u.run ORDER BY u.ran_at, u.execution_id, u.run))[1] AS first_run,
         (array_agg(u.scenario_version ORDER BY u.ran_at, u.execution_id, u.run))[1] AS first_scenario_version,
         (array_agg(u.status ORDER BY u.ran_at, u.execution_id, u.run))[1] AS first_status,
         min(u.ran_at) AS first_failed_at, max(u.ran_at) AS last_failed_at
  FROM "test_coordination"."analytics_units" AS u
  WHERE u.scenario_id = c.scenario_id AND (c.environment IS NULL OR u.environment = c.environment) AND u.status IN ('failed', 'error', 'timeout')
    AND u.ran_at >= coalesce(p.passed_at, '-infinity'::timestamptz) AND (p.passed_at IS NULL OR (u.ran_at, u.execution_id, u.run) > (p.passed_at, p.execution_id, p.run))
) AS f
WHERE f.units > 0;
COMMENT ON VIEW "test_coordination"."analytics_failures" IS 'Scenarios whose last decided unit failed, over all environments and in each: since when. Computed from the runs when it is read.';

COMMENT ON COLUMN "test_coordination"."analytics_executions"."execution_id" IS 'The execution, as the coordinator names it; ids are used again, see run.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."run" IS 'Number of the run of that id, from 1.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."status" IS 'pending, running, paused, passed, failed, error, cancelled, timeout or interrupted; the last six are terminal.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."reported_outcome" IS 'What the coordinator said of the end; empty before. A passed run with a failed validation has the status failed.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."scenario_id" IS 'The scenario; empty when nothing said which.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."scenario_version" IS 'The version as the run''s events name it: number or sha256; empty: the one that was current then.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."environment" IS 'Where it ran; empty when nothing said so.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."coordinator_id" IS 'The coordinator instance that drove it; empty when unknown.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."trigger_type" IS 'What asked for it, such as schedule or manual; empty when unknown.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."trigger_actor" IS 'Who asked for it; empty when unknown.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."group_id" IS 'Runs of one scenario that share it are attempts at one thing; empty: it stands alone.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."attempt" IS 'The how-manieth attempt of its group, from 1; NULL when not said.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."dry_run" IS 'True when nothing was really broken; such runs are in no figures. NULL when not said.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."requested_at" IS 'When it was asked for, by the producer''s clock; NULL when not known.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."started_at" IS 'When it started, by the producer''s clock; NULL when not known.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."ended_at" IS 'When it ended; NULL before. Of an interrupted one: when this was noticed.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."duration_seconds" IS 'From started_at to ended_at, in seconds; NULL until both are known. Negative when clocks disagree.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."terminal" IS 'Whether it has ended.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."interrupt_cause" IS 'superseded or no_sign_of_life, when this service took it for interrupted; else empty.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."exit_code" IS 'Exit code that the coordinator reported; NULL when none.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."error_message" IS 'Why it failed, in the coordinator''s words; empty when it said nothing.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."events" IS 'Accepted events of the run.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."log_lines" IS 'Accepted log lines of the run.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."steps_total" IS 'Steps that are known.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."steps_failed" IS 'Of them, those failed or in error.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."faults_total" IS 'Fault injections that are known.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."faults_active" IS 'Of them, those that act on their targets now.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."validations_passed" IS 'Validations that passed.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."validations_failed" IS 'Validations that failed.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."validations_skipped" IS 'Validations that were skipped.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."validations_error" IS 'Validations that could not be evaluated.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."first_seen_at" IS 'When the first event of it was ingested, by this service''s clock.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."day" IS 'UTC date of started_at, or else requested_at, or else first_seen_at.';
COMMENT ON COLUMN "test_coordination"."analytics_executions"."resilience_score" IS '0 to 100: sum of weight x share passed / sum of weights, over the groups of validations of each fault of the run and of those that name none; share = passed / (passed + failed + error); weight = the fault''s parameter weight if it is a number from 1 to 10, else 10 (resilience score of LitmusChaos). NULL without such validations.';

COMMENT ON COLUMN "test_coordination"."analytics_validations"."execution_id" IS 'The execution, as the coordinator names it; ids are used again, see run.';
COMMENT ON COLUMN "test_coordination"."analytics_validations"."run" IS 'Number of the run of that id, from 1.';
COMMENT ON COLUMN "test_coordination"."analytics_validations"."scenario_id" IS 'The scenario; empty when nothing said which.';
COMMENT ON COLUMN "test_coordination"."analytics_validations"."environment" IS 'Where it ran; empty when nothing said so.';
COMMENT ON COLUMN "test_coordination"."analytics_validations"."validation_id" IS 'Names the validation within its run.';
COMMENT ON COLUMN "test_coordination"."analytics_validations"."assertion_type" IS 'What was asserted; open text.';
COMMENT ON COLUMN "test_coordination"."analytics_validations"."status" IS 'passed, failed, skipped or error.';
COMMENT ON COLUMN "test_coordination"."analytics_validations"."recorded_at" IS 'When it was recorded, by the producer''s clock.';
COMMENT ON COLUMN "test_coordination"."analytics_validations"."phase" IS 'The phase it belongs to; empty when not said.';
COMMENT ON COLUMN "test_coordination"."analytics_validations"."step_id" IS 'The step it belongs to; empty when not said.';
COMMENT ON COLUMN "test_coordination"."analytics_validations"."fault_id" IS 'The fault it is about; empty when not said.';
COMMENT ON COLUMN "test_coordination"."analytics_validations"."service" IS 'The service it looked at; empty when not said.';
COMMENT ON COLUMN "test_coordination"."analytics_validations"."expected" IS 'What was expected, as text.';
COMMENT ON COLUMN "test_coordination"."analytics_validations"."actual" IS 'What was found, as text.';
COMMENT ON COLUMN "test_coordination"."analytics_validations"."operator" IS 'How the two were compared.';
COMMENT ON COLUMN "test_coordination"."analytics_validations"."threshold" IS 'The limit, in the given unit; NULL when there is none.';
COMMENT ON COLUMN "test_coordination"."analytics_validations"."unit" IS 'Unit of threshold, expected and actual.';
COMMENT ON COLUMN "test_coordination"."analytics_validations"."within_seconds" IS 'Within how many seconds it had to hold; NULL when there is no limit.';
COMMENT ON COLUMN "test_coordination"."analytics_validations"."observed_after_seconds" IS 'After how many seconds it was seen to hold; NULL when not said.';
COMMENT ON COLUMN "test_coordination"."analytics_validations"."message" IS 'For people.';
COMMENT ON COLUMN "test_coordination"."analytics_validations"."steady_state" IS 'before, during or after, for a hypothesis of steady state; else empty.';
COMMENT ON COLUMN "test_coordination"."analytics_validations"."correlation_id" IS 'Of the event that brought it; empty when it had none.';

COMMENT ON COLUMN "test_coordination"."analytics_faults"."execution_id" IS 'The execution, as the coordinator names it; ids are used again, see run.';
COMMENT ON COLUMN "test_coordination"."analytics_faults"."run" IS 'Number of the run of that id, from 1.';
COMMENT ON COLUMN "test_coordination"."analytics_faults"."scenario_id" IS 'The scenario; empty when nothing said which.';
COMMENT ON COLUMN "test_coordination"."analytics_faults"."environment" IS 'Where it ran; empty when nothing said so.';
COMMENT ON COLUMN "test_coordination"."analytics_faults"."fault_id" IS 'Names the fault within its run.';
COMMENT ON COLUMN "test_coordination"."analytics_faults"."fault_type" IS 'What was done, such as latency; open text.';
COMMENT ON COLUMN "test_coordination"."analytics_faults"."target_service" IS 'What it was done to.';
COMMENT ON COLUMN "test_coordination"."analytics_faults"."phase" IS 'The phase it belongs to; empty when not said.';
COMMENT ON COLUMN "test_coordination"."analytics_faults"."step_id" IS 'The step it belongs to; empty when not said.';
COMMENT ON COLUMN "test_coordination"."analytics_faults"."blast_radius" IS 'How far it reached, in the coordinator''s words.';
COMMENT ON COLUMN "test_coordination"."analytics_faults"."status" IS 'pending, injected, in_progress, cleared, recovered or failed.';
COMMENT ON COLUMN "test_coordination"."analytics_faults"."injected_at" IS 'When it began to act, by the producer''s clock; NULL when it did not.';
COMMENT ON COLUMN "test_coordination"."analytics_faults"."cleared_at" IS 'When it was taken back; NULL when it was not.';
COMMENT ON COLUMN "test_coordination"."analytics_faults"."recovered_at" IS 'When the target was well again; NULL when it was not.';
COMMENT ON COLUMN "test_coordination"."analytics_faults"."active_seconds" IS 'From injected_at to cleared_at, in seconds; NULL until both are known.';
COMMENT ON COLUMN "test_coordination"."analytics_faults"."recovery_seconds" IS 'As the coordinator measured it, or else from cleared_at (or injected_at) to recovered_at, in seconds; NULL when not recovered.';
COMMENT ON COLUMN "test_coordination"."analytics_faults"."error" IS 'Why it failed; empty when it did not.';
COMMENT ON COLUMN "test_coordination"."analytics_faults"."detection_seconds" IS 'From injected_at to the first validation of this fault that passed or failed and was recorded then or later, in seconds; NULL when there is none.';

COMMENT ON COLUMN "test_coordination"."analytics_timeline"."execution_id" IS 'The execution, as the coordinator names it; ids are used again, see run.';
COMMENT ON COLUMN "test_coordination"."analytics_timeline"."run" IS 'Number of the run of that id, from 1.';
COMMENT ON COLUMN "test_coordination"."analytics_timeline"."order_key" IS 'Where the event stands in its run: sort by it.';
COMMENT ON COLUMN "test_coordination"."analytics_timeline"."type" IS 'Type of the event, such as test-coordination.execution.started.v1.';
COMMENT ON COLUMN "test_coordination"."analytics_timeline"."event_time" IS 'Time of the event, by the producer''s clock.';
COMMENT ON COLUMN "test_coordination"."analytics_timeline"."source" IS 'Who emitted it.';
COMMENT ON COLUMN "test_coordination"."analytics_timeline"."event_id" IS 'The producer''s id of it; with source and subject it names the event.';
COMMENT ON COLUMN "test_coordination"."analytics_timeline"."sequence" IS 'The producer''s sequence number; NULL when it gave none.';
COMMENT ON COLUMN "test_coordination"."analytics_timeline"."late" IS 'Ordered after the end of the run: shown, but changes no status.';
COMMENT ON COLUMN "test_coordination"."analytics_timeline"."conflicting_outcome" IS 'A further end that says another outcome than the one that counts.';
COMMENT ON COLUMN "test_coordination"."analytics_timeline"."run_guessed" IS 'The event named no run, and was taken for one of the latest.';
COMMENT ON COLUMN "test_coordination"."analytics_timeline"."time_suspect" IS 'Its time is too far in the future to be believed.';
COMMENT ON COLUMN "test_coordination"."analytics_timeline"."topic" IS 'Topic it came from; NULL for an event of this service.';
COMMENT ON COLUMN "test_coordination"."analytics_timeline"."partition" IS 'Partition of the topic; NULL for an event of this service.';
COMMENT ON COLUMN "test_coordination"."analytics_timeline"."kafka_offset" IS 'Offset in the partition; NULL for an event of this service.';
COMMENT ON COLUMN "test_coordination"."analytics_timeline"."recorded_at" IS 'When it was ingested, by this service''s clock.';

COMMENT ON COLUMN "test_coordination"."analytics_units"."scenario_id" IS 'The scenario; empty when nothing said which.';
COMMENT ON COLUMN "test_coordination"."analytics_units"."environment" IS 'Where it ran; empty when nothing said so.';
COMMENT ON COLUMN "test_coordination"."analytics_units"."scenario_version" IS 'The version as the last attempt''s events name it: number or sha256; empty: the one that was current then.';
COMMENT ON COLUMN "test_coordination"."analytics_units"."group_id" IS 'What its attempts share; empty for a run that stands alone.';
COMMENT ON COLUMN "test_coordination"."analytics_units"."execution_id" IS 'The last attempt''s execution.';
COMMENT ON COLUMN "test_coordination"."analytics_units"."run" IS 'The last attempt''s run number.';
COMMENT ON COLUMN "test_coordination"."analytics_units"."status" IS 'The last attempt''s: passed, failed, error, cancelled, timeout or interrupted. It is that of the unit.';
COMMENT ON COLUMN "test_coordination"."analytics_units"."ran_at" IS 'When the last attempt started, or else was requested, or else was first heard of.';
COMMENT ON COLUMN "test_coordination"."analytics_units"."day" IS 'UTC date of ran_at: the day that the unit counts on.';
COMMENT ON COLUMN "test_coordination"."analytics_units"."attempts" IS 'Runs that the unit consists of.';
COMMENT ON COLUMN "test_coordination"."analytics_units"."passed_after_retries" IS 'The last attempt passed, and an earlier one was failed, error or timeout.';
COMMENT ON COLUMN "test_coordination"."analytics_units"."decided" IS 'Whether status is passed, failed, error or timeout: the others decide nothing, and are in no rate.';
COMMENT ON COLUMN "test_coordination"."analytics_units"."duration_seconds" IS 'Of the last attempt, in seconds; NULL when not known or negative.';
COMMENT ON COLUMN "test_coordination"."analytics_units"."resilience_score" IS 'Of the last attempt, 0 to 100, as in analytics_executions.';

COMMENT ON COLUMN "test_coordination"."analytics_daily_runs"."scenario_id" IS 'The scenario; empty when nothing said which.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_runs"."day" IS 'UTC date.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_runs"."environment" IS 'Where it ran; empty when nothing said so.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_runs"."scenario_version" IS 'The version as the runs'' events name it: number or sha256; empty: the one that was current then.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_runs"."label_key" IS 'Empty: the row of all units. Else: of those that have this label. Add up one or the other.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_runs"."label_value" IS 'Value of the label.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_runs"."runs" IS 'Runs, every attempt counted.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_runs"."units" IS 'Runs, the attempts of a group counted as one, on the day of the last.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_runs"."passed" IS 'Units whose last attempt passed.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_runs"."failed" IS 'Units whose last attempt failed.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_runs"."error" IS 'Units whose last attempt ended in error.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_runs"."cancelled" IS 'Units whose last attempt was cancelled.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_runs"."timeout" IS 'Units whose last attempt ran out of time.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_runs"."interrupted" IS 'Units whose last attempt was interrupted.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_runs"."pass_rate" IS 'passed / (passed + failed + error + timeout), 0 to 1; NULL when none is decided.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_runs"."retries" IS 'Units of more than one attempt.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_runs"."passed_after_retries" IS 'Units that passed after an attempt was failed, error or timeout.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_runs"."duration_count" IS 'Units whose duration is known.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_runs"."duration_seconds_sum" IS 'Their durations added up, in seconds; exact.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_runs"."duration_seconds_min" IS 'The shortest, in seconds.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_runs"."duration_seconds_max" IS 'The longest, in seconds.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_runs"."duration_seconds_p50" IS 'Half of them took at most as long, in seconds; at most 1 % beside the exact value.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_runs"."duration_seconds_p95" IS '95 % of them took at most as long, in seconds; at most 1 % beside the exact value.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_runs"."duration_seconds_p99" IS '99 % of them took at most as long, in seconds; at most 1 % beside the exact value.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_runs"."duration_buckets" IS 'Log histogram of the durations: bucket i holds (g^(i-1), g^i] seconds, g = 1.01/0.99. Join those of several rows with || for analytics_percentile.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_runs"."duration_counts" IS 'How many are in each bucket of duration_buckets.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_runs"."score_count" IS 'Units that have a resilience score.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_runs"."resilience_score_mean" IS 'Mean of those scores, 0 to 100.';

COMMENT ON COLUMN "test_coordination"."analytics_daily_assertions"."scenario_id" IS 'The scenario; empty when nothing said which.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_assertions"."day" IS 'UTC date.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_assertions"."environment" IS 'Where it ran; empty when nothing said so.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_assertions"."assertion_type" IS 'What was asserted; open text.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_assertions"."service" IS 'The service it looked at; empty when not said.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_assertions"."passed" IS 'Validations of the units'' last attempts that passed.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_assertions"."failed" IS 'Those that failed.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_assertions"."skipped" IS 'Those that were skipped.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_assertions"."error" IS 'Those that could not be evaluated.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_assertions"."pass_rate" IS 'passed / (passed + failed + error), 0 to 1; NULL when there is none of them.';

COMMENT ON COLUMN "test_coordination"."analytics_daily_faults"."scenario_id" IS 'The scenario; empty when nothing said which.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_faults"."day" IS 'UTC date.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_faults"."environment" IS 'Where it ran; empty when nothing said so.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_faults"."fault_type" IS 'What was done, such as latency; open text.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_faults"."target_service" IS 'What it was done to.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_faults"."faults" IS 'Fault injections of the units'' last attempts, whatever became of them.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_faults"."injected" IS 'Those that began to act.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_faults"."failed" IS 'Those with status failed.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_faults"."recovered" IS 'Those with status recovered.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_faults"."recovery_count" IS 'Those whose recovery time is known.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_faults"."recovery_seconds_sum" IS 'Their recovery times added up, in seconds; exact.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_faults"."recovery_seconds_mean" IS 'Mean time to recover, in seconds.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_faults"."recovery_seconds_max" IS 'The longest, in seconds.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_faults"."recovery_seconds_p95" IS '95 % recovered in at most this time, in seconds; at most 1 % beside the exact value.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_faults"."recovery_buckets" IS 'Log histogram of the recovery times, as duration_buckets in analytics_daily_runs.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_faults"."recovery_counts" IS 'How many are in each bucket of recovery_buckets.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_faults"."detection_count" IS 'Those that a validation detected.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_faults"."detection_seconds_sum" IS 'Their detection latencies added up, in seconds; exact.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_faults"."detection_seconds_mean" IS 'Mean detection latency, in seconds.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_faults"."detection_seconds_max" IS 'The longest, in seconds.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_faults"."detection_seconds_p95" IS '95 % were detected in at most this time, in seconds; at most 1 % beside the exact value.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_faults"."detection_buckets" IS 'Log histogram of the detection latencies, as duration_buckets in analytics_daily_runs.';
COMMENT ON COLUMN "test_coordination"."analytics_daily_faults"."detection_counts" IS 'How many are in each bucket of detection_buckets.';

COMMENT ON COLUMN "test_coordination"."analytics_coverage"."target_service" IS 'The service.';
COMMENT ON COLUMN "test_coordination"."analytics_coverage"."fault_type" IS 'The type of fault.';
COMMENT ON COLUMN "test_coordination"."analytics_coverage"."injected" IS 'How often such a fault began to act on it.';
COMMENT ON COLUMN "test_coordination"."analytics_coverage"."last_tested_at" IS 'When one began last; NULL: it never did.';
COMMENT ON COLUMN "test_coordination"."analytics_coverage"."last_scenario_id" IS 'The scenario that did it; NULL: it never began.';
COMMENT ON COLUMN "test_coordination"."analytics_coverage"."last_environment" IS 'Where that was; NULL: it never began.';
COMMENT ON COLUMN "test_coordination"."analytics_coverage"."last_execution_id" IS 'The execution that did it; empty: it never began.';
COMMENT ON COLUMN "test_coordination"."analytics_coverage"."last_run" IS 'Its run number; 0: it never began.';
COMMENT ON COLUMN "test_coordination"."analytics_coverage"."last_run_status" IS 'How that run ended.';
COMMENT ON COLUMN "test_coordination"."analytics_coverage"."last_fault_status" IS 'How that fault ended.';

COMMENT ON COLUMN "test_coordination"."analytics_scenario_summaries"."scenario_id" IS 'The scenario; empty when nothing said which.';
COMMENT ON COLUMN "test_coordination"."analytics_scenario_summaries"."window_days" IS 'Length of the window in UTC days: 7, 30, 90 or 365.';
COMMENT ON COLUMN "test_coordination"."analytics_scenario_summaries"."as_of" IS 'The last day of the window.';
COMMENT ON COLUMN "test_coordination"."analytics_scenario_summaries"."runs" IS 'Runs, every attempt counted.';
COMMENT ON COLUMN "test_coordination"."analytics_scenario_summaries"."units" IS 'Runs, the attempts of a group counted as one.';
COMMENT ON COLUMN "test_coordination"."analytics_scenario_summaries"."passed" IS 'Units whose last attempt passed.';
COMMENT ON COLUMN "test_coordination"."analytics_scenario_summaries"."failed" IS 'Units whose last attempt failed.';
COMMENT ON COLUMN "test_coordination"."analytics_scenario_summaries"."error" IS 'Units whose last attempt ended in error.';
COMMENT ON COLUMN "test_coordination"."analytics_scenario_summaries"."cancelled" IS 'Units whose last attempt was cancelled.';
COMMENT ON COLUMN "test_coordination"."analytics_scenario_summaries"."timeout" IS 'Units whose last attempt ran out of time.';
COMMENT ON COLUMN "test_coordination"."analytics_scenario_summaries"."interrupted" IS 'Units whose last attempt was interrupted.';
COMMENT ON COLUMN "test_coordination"."analytics_scenario_summaries"."pass_rate" IS 'passed / (passed + failed + error + timeout), 0 to 1; NULL when none is decided.';
COMMENT ON COLUMN "test_coordination"."analytics_scenario_summaries"."retries" IS 'Units of more than one attempt.';
COMMENT ON COLUMN "test_coordination"."analytics_scenario_summaries"."passed_after_retries" IS 'Units that passed after an attempt was failed, error or timeout.';
COMMENT ON COLUMN "test_coordination"."analytics_scenario_summaries"."duration_count" IS 'Units whose duration is known.';
COMMENT ON COLUMN "test_coordination"."analytics_scenario_summaries"."duration_seconds_mean" IS 'Mean duration, in seconds.';
COMMENT ON COLUMN "test_coordination"."analytics_scenario_summaries"."duration_seconds_min" IS 'The shortest, in seconds.';
COMMENT ON COLUMN "test_coordination"."analytics_scenario_summaries"."duration_seconds_max" IS 'The longest, in seconds.';
COMMENT ON COLUMN "test_coordination"."analytics_scenario_summaries"."duration_seconds_p50" IS 'Half of them took at most as long, in seconds; at most 1 % beside the exact value.';
COMMENT ON COLUMN "test_coordination"."analytics_scenario_summaries"."duration_seconds_p95" IS '95 % of them took at most as long, in seconds; at most 1 % beside the exact value.';
COMMENT ON COLUMN "test_coordination"."analytics_scenario_summaries"."duration_seconds_p99" IS '99 % of them took at most as long, in seconds; at most 1 % beside the exact value.';
COMMENT ON COLUMN "test_coordination"."analytics_scenario_summaries"."score_count" IS 'Units that have a resilience score.';
COMMENT ON COLUMN "test_coordination"."analytics_scenario_summaries"."resilience_score_mean" IS 'Mean of those scores, 0 to 100.';
COMMENT ON COLUMN "test_coordination"."analytics_scenario_summaries"."faults" IS 'Fault injections of the units'' last attempts.';
COMMENT ON COLUMN "test_coordination"."analytics_scenario_summaries"."recovery_count" IS 'Those whose recovery time is known.';
COMMENT ON COLUMN "test_coordination"."analytics_scenario_summaries"."recovery_seconds_mean" IS 'Mean time to recover, in seconds.';
COMMENT ON COLUMN "test_coordination"."analytics_scenario_summaries"."recovery_seconds_p95" IS '95 % recovered in at most this time, in seconds; at most 1 % beside the exact value.';
COMMENT ON COLUMN "test_coordination"."analytics_scenario_summaries"."detection_count" IS 'Faults that a validation detected.';
COMMENT ON COLUMN "test_coordination"."analytics_scenario_summaries"."detection_seconds_mean" IS 'Mean detection latency, in seconds.';
COMMENT ON COLUMN "test_coordination"."analytics_scenario_summaries"."detection_seconds_p95" IS '95 % were detected in at most this time, in seconds; at most 1 % beside the exact value.';

COMMENT ON COLUMN "test_coordination"."analytics_flakiness"."scenario_id" IS 'The scenario; empty when nothing said which.';
COMMENT ON COLUMN "test_coordination"."analytics_flakiness"."environment" IS 'Where the units ran; NULL: the row over all environments.';
COMMENT ON COLUMN "test_coordination"."analytics_flakiness"."units" IS 'Decided units that were looked at: the last 50, or as many as there are.';
COMMENT ON COLUMN "test_coordination"."analytics_flakiness"."passed" IS 'Those that passed.';
COMMENT ON COLUMN "test_coordination"."analytics_flakiness"."passed_after_retries" IS 'Those that passed after retries.';
COMMENT ON COLUMN "test_coordination"."analytics_flakiness"."flips" IS 'Changes between passed and not passed from one of them to the next, and one for each that passed after retries.';
COMMENT ON COLUMN "test_coordination"."analytics_flakiness"."flip_rate" IS 'flips / (units - 1 + passed_after_retries), 0 to 1; NULL when that is 0.';
COMMENT ON COLUMN "test_coordination"."analytics_flakiness"."weighted_pass_rate" IS 'Pass rate in which the i-th newest unit has the weight 0.95^i (i from 0), 0 to 1.';
COMMENT ON COLUMN "test_coordination"."analytics_flakiness"."health" IS 'weighted_pass_rate x (1 - flip_rate), 0 to 1; a flip rate that is NULL counts as 0.';
COMMENT ON COLUMN "test_coordination"."analytics_flakiness"."newest_at" IS 'When the newest of the units ran.';
COMMENT ON COLUMN "test_coordination"."analytics_flakiness"."oldest_at" IS 'When the oldest of the units ran.';

COMMENT ON COLUMN "test_coordination"."analytics_failures"."scenario_id" IS 'The scenario; empty when nothing said which.';
COMMENT ON COLUMN "test_coordination"."analytics_failures"."environment" IS 'Where the units ran; NULL: the row over all environments.';
COMMENT ON COLUMN "test_coordination"."analytics_failures"."units" IS 'Units that were failed, error or timeout since the last that passed.';
COMMENT ON COLUMN "test_coordination"."analytics_failures"."first_execution_id" IS 'The first of them.';
COMMENT ON COLUMN "test_coordination"."analytics_failures"."first_run" IS 'Its run number.';
COMMENT ON COLUMN "test_coordination"."analytics_failures"."first_scenario_version" IS 'Its version of the scenario, as its events name it.';
COMMENT ON COLUMN "test_coordination"."analytics_failures"."first_status" IS 'How it ended.';
COMMENT ON COLUMN "test_coordination"."analytics_failures"."first_failed_at" IS 'When it ran.';
COMMENT ON COLUMN "test_coordination"."analytics_failures"."last_failed_at" IS 'When the latest of them ran.';
COMMENT ON COLUMN "test_coordination"."analytics_failures"."last_passed_at" IS 'When the last unit before them passed; NULL: none did.';

-- Analysts connect as monitor_user where the ecosystem shares its database, as
-- test_coordination_reader where bootstrap.sql made the roles; others have neither.
DO $$
DECLARE
  analyst text;
  view regclass;
BEGIN
  FOR analyst IN SELECT rolname FROM pg_roles WHERE rolname IN ('monitor_user', 'test_coordination_reader') LOOP
    EXECUTE format('GRANT USAGE ON SCHEMA "test_coordination" TO %I', analyst);
    FOR view IN SELECT oid FROM pg_class WHERE relnamespace = 'test_coordination'::regnamespace AND relkind = 'v' AND starts_with(relname, 'analytics_') LOOP
      EXECUTE format('GRANT SELECT ON %s TO %I', view, analyst);
    END LOOP;
  END LOOP;
END
$$;
