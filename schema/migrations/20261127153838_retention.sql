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
-- create "pruned_rollup_runs" table
CREATE TABLE "test_coordination"."pruned_rollup_runs" (LIKE "test_coordination"."rollup_runs", CONSTRAINT "pruned_rollup_runs_pkey" PRIMARY KEY ("scenario_id", "day", "ordinal"));
COMMENT ON TABLE "test_coordination"."pruned_rollup_runs" IS 'What units contribute to rollup_runs of which retention has removed the results, or all.';
-- create "pruned_rollup_assertions" table
CREATE TABLE "test_coordination"."pruned_rollup_assertions" (LIKE "test_coordination"."rollup_assertions", CONSTRAINT "pruned_rollup_assertions_pkey" PRIMARY KEY ("scenario_id", "day", "ordinal"));
COMMENT ON TABLE "test_coordination"."pruned_rollup_assertions" IS 'What these contribute to rollup_assertions.';
-- create "pruned_rollup_faults" table
CREATE TABLE "test_coordination"."pruned_rollup_faults" (LIKE "test_coordination"."rollup_faults", CONSTRAINT "pruned_rollup_faults_pkey" PRIMARY KEY ("scenario_id", "day", "ordinal"));
COMMENT ON TABLE "test_coordination"."pruned_rollup_faults" IS 'What these contribute to rollup_faults.';

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
