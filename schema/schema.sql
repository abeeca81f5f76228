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

-- ------------------------------------------------------------- analytics --
-- The stable contract for analysts: names and meaning of these columns are
-- kept; tables behind them may change.

CREATE VIEW "test_coordination"."analytics_executions" AS
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

CREATE VIEW "test_coordination"."analytics_validations" AS
SELECT v.execution_id, v.run, e.scenario_id, e.environment, v.validation_id, v.assertion_type, v.status, v.recorded_at,
       v.phase, v.step_id, v.fault_id, v.service, v.expected, v.actual, v.operator, v.threshold, v.unit,
       v.within_seconds, v.observed_after_seconds, v.message, v.steady_state, v.correlation_id
FROM "test_coordination"."validation_results" AS v
JOIN "test_coordination"."executions" AS e ON e.execution_id = v.execution_id AND e.run = v.run;
COMMENT ON VIEW "test_coordination"."analytics_validations" IS 'One row for each assertion of each run.';

CREATE VIEW "test_coordination"."analytics_faults" AS
SELECT f.execution_id, f.run, e.scenario_id, e.environment, f.fault_id, f.fault_type, f.target_service, f.phase, f.step_id,
       f.blast_radius, f.status, f.injected_at, f.cleared_at, f.recovered_at,
       extract(epoch FROM f.cleared_at - f.injected_at)::double precision AS active_seconds,
       coalesce(f.recovery_seconds, extract(epoch FROM f.recovered_at - coalesce(f.cleared_at, f.injected_at))::double precision) AS recovery_seconds, f.error
FROM "test_coordination"."fault_injections" AS f
JOIN "test_coordination"."executions" AS e ON e.execution_id = f.execution_id AND e.run = f.run;
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
