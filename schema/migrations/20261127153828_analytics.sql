-- Writers begin with execution_ids: those under way end first, and none begins
-- until this is done, as in the migrations before. Readers go on.
DO $$ BEGIN LOCK TABLE "test_coordination"."execution_ids" IN SHARE ROW EXCLUSIVE MODE; END $$;
-- create index "executions_attempts_idx" to table: "executions"
CREATE INDEX "executions_attempts_idx" ON "test_coordination"."executions" ("scenario_id", "group_id", (COALESCE(attempt, 1)), (COALESCE(started_at, requested_at, created_at)), "execution_id", "run") WHERE ((group_id <> ''::text) AND (ended_at IS NOT NULL) AND (dry_run IS NOT TRUE));
-- create index "executions_ran_environment_idx" to table: "executions"
CREATE INDEX "executions_ran_environment_idx" ON "test_coordination"."executions" ("scenario_id", "environment", (COALESCE(started_at, requested_at, created_at))) WHERE ((ended_at IS NOT NULL) AND (dry_run IS NOT TRUE));
-- create index "executions_ran_idx" to table: "executions"
CREATE INDEX "executions_ran_idx" ON "test_coordination"."executions" ("scenario_id", (COALESCE(started_at, requested_at, created_at))) WHERE ((ended_at IS NOT NULL) AND (dry_run IS NOT TRUE));
-- create "rollup_assertions" table
CREATE TABLE "test_coordination"."rollup_assertions" (
  "scenario_id" text NOT NULL,
  "day" date NOT NULL,
  "ordinal" integer NOT NULL,
  "environment" text NOT NULL,
  "assertion_type" text NOT NULL,
  "service" text NOT NULL,
  "passed" bigint NOT NULL,
  "failed" bigint NOT NULL,
  "skipped" bigint NOT NULL,
  "error" bigint NOT NULL,
  PRIMARY KEY ("scenario_id", "day", "ordinal")
);
-- set comment to table: "rollup_assertions"
COMMENT ON TABLE "test_coordination"."rollup_assertions" IS 'Validations of the last attempts of a scenario and day.';
-- create "rollup_dirty" table
CREATE TABLE "test_coordination"."rollup_dirty" (
  "id" bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  "scenario_id" text NOT NULL,
  "day" date NOT NULL,
  "group_id" text NOT NULL DEFAULT '',
  "appended_at" timestamptz NOT NULL,
  PRIMARY KEY ("id")
);
-- set comment to table: "rollup_dirty"
COMMENT ON TABLE "test_coordination"."rollup_dirty" IS 'Keys whose rollups must be made anew, appended by the transaction that changes a run which has ended, or had. No key is unique: writers never wait for each other, and the roller takes the repeats together.';
-- set comment to column: "group_id" on table: "rollup_dirty"
COMMENT ON COLUMN "test_coordination"."rollup_dirty"."group_id" IS 'The group of the run, whose other attempts may lie on other days; empty when it has none.';
-- create "rollup_environments" table
CREATE TABLE "test_coordination"."rollup_environments" (
  "scenario_id" text NOT NULL,
  "environment" text NOT NULL,
  PRIMARY KEY ("scenario_id", "environment")
);
-- set comment to table: "rollup_environments"
COMMENT ON TABLE "test_coordination"."rollup_environments" IS 'Where each scenario has ever run. Rows stay when no such run is left.';
-- create "rollup_faults" table
CREATE TABLE "test_coordination"."rollup_faults" (
  "scenario_id" text NOT NULL,
  "day" date NOT NULL,
  "ordinal" integer NOT NULL,
  "environment" text NOT NULL,
  "fault_type" text NOT NULL,
  "target_service" text NOT NULL,
  "faults" bigint NOT NULL,
  "injected" bigint NOT NULL,
  "failed" bigint NOT NULL,
  "recovered" bigint NOT NULL,
  "recovery_count" bigint NOT NULL,
  "recovery_us_sum" numeric NOT NULL,
  "recovery_us_max" numeric NULL,
  "recovery_buckets" integer[] NOT NULL,
  "recovery_counts" bigint[] NOT NULL,
  "detection_count" bigint NOT NULL,
  "detection_us_sum" numeric NOT NULL,
  "detection_us_max" numeric NULL,
  "detection_buckets" integer[] NOT NULL,
  "detection_counts" bigint[] NOT NULL,
  "last_injected_at" timestamptz NULL,
  "last_execution_id" text NOT NULL,
  "last_run" integer NOT NULL,
  "last_run_status" text NOT NULL,
  "last_fault_status" text NOT NULL,
  PRIMARY KEY ("scenario_id", "day", "ordinal")
);
-- set comment to table: "rollup_faults"
COMMENT ON TABLE "test_coordination"."rollup_faults" IS 'Fault injections of the last attempts of a scenario and day. Histograms are as in rollup_runs.';
-- set comment to column: "last_injected_at" on table: "rollup_faults"
COMMENT ON COLUMN "test_coordination"."rollup_faults"."last_injected_at" IS 'The latest injection, and with it the run and its status; NULL, empty and 0 when none was injected.';
-- create "rollup_groups" table
CREATE TABLE "test_coordination"."rollup_groups" (
  "scenario_id" text NOT NULL,
  "group_id" text NOT NULL,
  "day" date NOT NULL,
  PRIMARY KEY ("scenario_id", "group_id")
);
-- set comment to table: "rollup_groups"
COMMENT ON TABLE "test_coordination"."rollup_groups" IS 'On which day the rollups count the attempts of a group, which are one unit: the day that is made anew, too, when another attempt becomes its last.';
-- create "rollup_runs" table
CREATE TABLE "test_coordination"."rollup_runs" (
  "scenario_id" text NOT NULL,
  "day" date NOT NULL,
  "ordinal" integer NOT NULL,
  "environment" text NOT NULL,
  "scenario_version" text NOT NULL,
  "label_key" text NOT NULL,
  "label_value" text NOT NULL,
  "runs" bigint NOT NULL,
  "units" bigint NOT NULL,
  "passed" bigint NOT NULL,
  "failed" bigint NOT NULL,
  "error" bigint NOT NULL,
  "cancelled" bigint NOT NULL,
  "timeout" bigint NOT NULL,
  "interrupted" bigint NOT NULL,
  "retries" bigint NOT NULL,
  "passed_after_retries" bigint NOT NULL,
  "duration_count" bigint NOT NULL,
  "duration_us_sum" numeric NOT NULL,
  "duration_us_min" numeric NULL,
  "duration_us_max" numeric NULL,
  "duration_buckets" integer[] NOT NULL,
  "duration_counts" bigint[] NOT NULL,
  "score_count" bigint NOT NULL,
  "score_sum" numeric NOT NULL,
  PRIMARY KEY ("scenario_id", "day", "ordinal")
);
-- set comment to table: "rollup_runs"
COMMENT ON TABLE "test_coordination"."rollup_runs" IS 'Units (runs, the attempts of a group as one) of a scenario and day, by environment and version; and again by each of their labels.';
-- set comment to column: "label_key" on table: "rollup_runs"
COMMENT ON COLUMN "test_coordination"."rollup_runs"."label_key" IS 'Empty: the row of all units, with or without labels. Add up either those, or the rows of one key.';
-- set comment to column: "duration_us_sum" on table: "rollup_runs"
COMMENT ON COLUMN "test_coordination"."rollup_runs"."duration_us_sum" IS 'In microseconds, exact.';
-- set comment to column: "duration_buckets" on table: "rollup_runs"
COMMENT ON COLUMN "test_coordination"."rollup_runs"."duration_buckets" IS 'Log histogram, sparse and ascending: bucket i holds the durations in (g^(i-1), g^i] seconds, g = 1.01/0.99; duration_counts says how many.';
-- create "scenario_summaries" table
CREATE TABLE "test_coordination"."scenario_summaries" (
  "window_days" integer NOT NULL,
  "scenario_id" text NOT NULL,
  "as_of" date NOT NULL,
  "runs" bigint NOT NULL,
  "units" bigint NOT NULL,
  "passed" bigint NOT NULL,
  "failed" bigint NOT NULL,
  "error" bigint NOT NULL,
  "cancelled" bigint NOT NULL,
  "timeout" bigint NOT NULL,
  "interrupted" bigint NOT NULL,
  "retries" bigint NOT NULL,
  "passed_after_retries" bigint NOT NULL,
  "duration_count" bigint NOT NULL,
  "duration_us_sum" numeric NOT NULL,
  "duration_us_min" numeric NULL,
  "duration_us_max" numeric NULL,
  "duration_p50" double precision NULL,
  "duration_p95" double precision NULL,
  "duration_p99" double precision NULL,
  "score_count" bigint NOT NULL,
  "score_sum" numeric NOT NULL,
  "faults" bigint NOT NULL,
  "recovery_count" bigint NOT NULL,
  "recovery_us_sum" numeric NOT NULL,
  "recovery_p95" double precision NULL,
  "detection_count" bigint NOT NULL,
  "detection_us_sum" numeric NOT NULL,
  "detection_p95" double precision NULL,
  PRIMARY KEY ("window_days", "scenario_id"),
  CONSTRAINT "scenario_summaries_window_check" CHECK (window_days = ANY (ARRAY[7, 30, 90, 365]))
);
-- set comment to table: "scenario_summaries"
COMMENT ON TABLE "test_coordination"."scenario_summaries" IS 'What a scenario''s rollups of the last days add up to, so that a summary of all scenarios reads a row for each. A scenario without units in a window has no row.';
-- set comment to column: "as_of" on table: "scenario_summaries"
COMMENT ON COLUMN "test_coordination"."scenario_summaries"."as_of" IS 'The UTC day that the window ends with. Days after it, of clocks that are ahead, count too.';
ALTER TABLE test_coordination.rollup_dirty SET (autovacuum_vacuum_scale_factor = 0.01);
ALTER TABLE test_coordination.rollup_dirty SET (autovacuum_vacuum_threshold = 1000);
-- ------------------------------------------------------------- analytics --
-- The stable contract for analysts: names, order, types and meaning of these
-- columns are kept, new ones come last; tables behind them may change. A test
-- guards it. What is said here once, the rollups and the API say, too.

CREATE OR REPLACE VIEW "test_coordination"."analytics_executions" AS
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

CREATE OR REPLACE VIEW "test_coordination"."analytics_validations" AS
SELECT v.execution_id, v.run, e.scenario_id, e.environment, v.validation_id, v.assertion_type, v.status, v.recorded_at,
       v.phase, v.step_id, v.fault_id, v.service, v.expected, v.actual, v.operator, v.threshold, v.unit,
       v.within_seconds, v.observed_after_seconds, v.message, v.steady_state, v.correlation_id
FROM "test_coordination"."validation_results" AS v
JOIN "test_coordination"."executions" AS e ON e.execution_id = v.execution_id AND e.run = v.run AND e.bucket = v.bucket;
COMMENT ON VIEW "test_coordination"."analytics_validations" IS 'One row for each assertion of each run.';

CREATE OR REPLACE VIEW "test_coordination"."analytics_faults" AS
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

-- Whatever has ended already is rolled up by the first service that maintains.
INSERT INTO "test_coordination"."rollup_dirty" (scenario_id, day, group_id, appended_at)
SELECT DISTINCT e.scenario_id, (coalesce(e.started_at, e.requested_at, e.created_at) AT TIME ZONE 'UTC')::date, e.group_id, now()
FROM "test_coordination"."executions" AS e WHERE e.ended_at IS NOT NULL AND e.dry_run IS NOT TRUE;
