-- Writers begin with execution_ids: those under way end first, and none begins
-- until this is done. Without it one that had locked its ids would run into a
-- deadlock with the order in which tables are changed here. In a block, because
-- tools that replay migrations do it without a transaction, where LOCK by itself
-- is an error.
DO $$ BEGIN LOCK TABLE "test_coordination"."execution_ids" IN ACCESS EXCLUSIVE MODE; END $$;
-- modify "execution_ids" table
ALTER TABLE "test_coordination"."execution_ids" ADD COLUMN "pruned" boolean NOT NULL DEFAULT false;
-- set comment to column: "pruned" on table: "execution_ids"
COMMENT ON COLUMN "test_coordination"."execution_ids"."pruned" IS 'Retention has removed a run of it, or the events of one: who places its events must look at pruned_runs.';
-- create index "executions_bucket_idx" to table: "executions"
CREATE INDEX "executions_bucket_idx" ON "test_coordination"."executions" USING brin ("bucket");
-- create "pruned_events" table
CREATE TABLE "test_coordination"."pruned_events" (
  "topic" text NOT NULL,
  "partition" integer NOT NULL,
  "events" bigint NOT NULL,
  PRIMARY KEY ("topic", "partition")
);
-- set comment to table: "pruned_events"
COMMENT ON TABLE "test_coordination"."pruned_events" IS 'How many applied records of each partition retention has removed: with those stored they are what ingest_partitions counts as applied.';
-- create "pruned_runs" table
CREATE TABLE "test_coordination"."pruned_runs" (
  "execution_id" text NOT NULL,
  "run" integer NOT NULL,
  "bucket" date NOT NULL,
  "run_id" text NULL,
  "scenario_id" text NOT NULL DEFAULT '',
  "status" text NOT NULL,
  "started_at" timestamptz NULL,
  "ended_at" timestamptz NULL,
  "first_event_at" timestamptz NULL,
  "last_event_at" timestamptz NULL,
  "last_start_at" timestamptz NULL,
  "suspect_from" timestamptz NULL,
  "suspect_until" timestamptz NULL,
  "kinds" text[] NOT NULL,
  "pending" text[] NOT NULL DEFAULT '{}',
  "stored_rows" bigint NOT NULL DEFAULT 0,
  "policy" text NOT NULL DEFAULT '',
  "pruned_at" timestamptz NOT NULL,
  "last_revision" integer NOT NULL DEFAULT 0,
  PRIMARY KEY ("execution_id", "run"),
  CONSTRAINT "pruned_runs_kinds_check" CHECK ((kinds <@ ARRAY['logs'::text, 'snapshots'::text, 'events'::text, 'results'::text, 'reports'::text, 'run'::text]) AND (kinds <> '{}'::text[])),
  CONSTRAINT "pruned_runs_pending_check" CHECK (pending <@ kinds),
  CONSTRAINT "pruned_runs_run_check" CHECK (run > 0),
  CONSTRAINT "pruned_runs_status_check" CHECK (status = ANY (ARRAY['passed'::text, 'failed'::text, 'error'::text, 'cancelled'::text, 'timeout'::text, 'interrupted'::text]))
);
-- create index "pruned_runs_events_idx" to table: "pruned_runs"
CREATE INDEX "pruned_runs_events_idx" ON "test_coordination"."pruned_runs" ("execution_id", "last_event_at") WHERE (last_event_at IS NOT NULL);
-- create index "pruned_runs_pending_idx" to table: "pruned_runs"
CREATE INDEX "pruned_runs_pending_idx" ON "test_coordination"."pruned_runs" ("bucket", "execution_id", "run") WHERE (pending <> '{}'::text[]);
-- create index "pruned_runs_run_id_idx" to table: "pruned_runs"
CREATE INDEX "pruned_runs_run_id_idx" ON "test_coordination"."pruned_runs" ("execution_id", "run_id") WHERE (run_id IS NOT NULL);
-- create index "pruned_runs_suspect_idx" to table: "pruned_runs"
CREATE INDEX "pruned_runs_suspect_idx" ON "test_coordination"."pruned_runs" ("execution_id", "suspect_until") WHERE (suspect_until IS NOT NULL);
-- set comment to table: "pruned_runs"
COMMENT ON TABLE "test_coordination"."pruned_runs" IS 'What retention has removed of runs. The row is a tombstone: it stays for ever, so that an event that is read again is known for a duplicate.';
-- set comment to column: "last_revision" on table: "pruned_runs"
COMMENT ON COLUMN "test_coordination"."pruned_runs"."last_revision" IS 'The highest revision of its reports, once these are removed: numbers of revisions do not come again. 0: none was.';
-- set comment to column: "ended_at" on table: "pruned_runs"
COMMENT ON COLUMN "test_coordination"."pruned_runs"."ended_at" IS 'As far as it is credible: a start of its id that is dated later begins another run.';
-- set comment to column: "first_event_at" on table: "pruned_runs"
COMMENT ON COLUMN "test_coordination"."pruned_runs"."first_event_at" IS 'With last_event_at the times between which its events were dated, but for those in the far future, which lie between suspect_from and suspect_until. Only of events from Kafka, and NULL until events are removed.';
-- set comment to column: "last_start_at" on table: "pruned_runs"
COMMENT ON COLUMN "test_coordination"."pruned_runs"."last_start_at" IS 'The latest time of a requested or started event of it.';
-- set comment to column: "kinds" on table: "pruned_runs"
COMMENT ON COLUMN "test_coordination"."pruned_runs"."kinds" IS 'Kinds of data that are gone; run: the row in executions, too.';
-- set comment to column: "pending" on table: "pruned_runs"
COMMENT ON COLUMN "test_coordination"."pruned_runs"."pending" IS 'Kinds of which rows may still lie in their tables. Nobody reads them any more, and the next pass removes them.';
-- set comment to column: "stored_rows" on table: "pruned_runs"
COMMENT ON COLUMN "test_coordination"."pruned_runs"."stored_rows" IS 'How many rows the pending kinds had, about.';
-- set comment to column: "policy" on table: "pruned_runs"
COMMENT ON COLUMN "test_coordination"."pruned_runs"."policy" IS 'Name of the policy that it went by last.';
-- create "retention_holds" table
CREATE TABLE "test_coordination"."retention_holds" (
  "id" bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  "execution_id" text NOT NULL DEFAULT '',
  "run" integer NULL,
  "scenario_id" text NOT NULL DEFAULT '',
  "label_name" text NOT NULL DEFAULT '',
  "label_value" text NOT NULL DEFAULT '',
  "born_from" date NULL,
  "born_until" date NULL,
  "reason" text NOT NULL,
  "placed_by" text NOT NULL,
  "placed_at" timestamptz NOT NULL,
  "lifted_by" text NOT NULL DEFAULT '',
  "lifted_at" timestamptz NULL,
  "lift_reason" text NOT NULL DEFAULT '',
  PRIMARY KEY ("id"),
  CONSTRAINT "retention_holds_lifted_check" CHECK ((lifted_at IS NULL) = (lifted_by = ''::text)),
  CONSTRAINT "retention_holds_placed_by_check" CHECK (placed_by <> ''::text),
  CONSTRAINT "retention_holds_reason_check" CHECK (reason <> ''::text),
  CONSTRAINT "retention_holds_run_check" CHECK ((run IS NULL) OR ((run > 0) AND (execution_id <> ''::text))),
  CONSTRAINT "retention_holds_scope_check" CHECK ((execution_id <> ''::text) OR (scenario_id <> ''::text) OR (label_name <> ''::text) OR (born_from IS NOT NULL) OR (born_until IS NOT NULL))
);
-- create index "retention_holds_open_idx" to table: "retention_holds"
CREATE INDEX "retention_holds_open_idx" ON "test_coordination"."retention_holds" ("id") WHERE (lifted_at IS NULL);
-- set comment to table: "retention_holds"
COMMENT ON TABLE "test_coordination"."retention_holds" IS 'Legal holds: a run that meets every condition of one that is not lifted is not touched by retention, whatever the policies say. Rows stay.';
-- set comment to column: "run" on table: "retention_holds"
COMMENT ON COLUMN "test_coordination"."retention_holds"."run" IS 'NULL: every run of the execution id.';
-- set comment to column: "born_until" on table: "retention_holds"
COMMENT ON COLUMN "test_coordination"."retention_holds"."born_until" IS 'Last bucket (inclusive), as born_from is the first.';
-- bucket_partitions lists the partitions of a table's children by bucket, with
-- the buckets that they hold and the bytes that they take, indexes and TOAST
-- included. Default partitions have no buckets and are left out.
CREATE OR REPLACE FUNCTION "test_coordination"."bucket_partitions"() RETURNS TABLE (parent text, child text, lower_bucket date, upper_bucket date, bytes bigint)
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
CREATE OR REPLACE FUNCTION "test_coordination"."replace_partition"(table_name text, child_name text, kind text, OUT kept bigint, OUT freed bigint)
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
