-- ScenarioSummaries are a page of the summaries of a window, by scenario.
-- name: ScenarioSummaries :many
SELECT s.scenario_id, s.window_days, s.as_of, s.runs, s.units, s.passed, s.failed, s.error, s.cancelled, s.timeout, s.interrupted, s.retries, s.passed_after_retries,
  s.duration_count, s.duration_us_sum::float8 AS duration_us_sum, coalesce(s.duration_us_min, 0)::float8 AS duration_us_min, coalesce(s.duration_us_max, 0)::float8 AS duration_us_max,
  s.duration_p50, s.duration_p95, s.duration_p99, s.score_count, s.score_sum::float8 AS score_sum, s.faults,
  s.recovery_count, s.recovery_us_sum::float8 AS recovery_us_sum, s.recovery_p95, s.detection_count, s.detection_us_sum::float8 AS detection_us_sum, s.detection_p95
FROM test_coordination.scenario_summaries AS s
WHERE s.window_days = sqlc.arg(window_days) AND s.scenario_id > sqlc.arg(after) ORDER BY s.scenario_id LIMIT sqlc.arg(page);

-- RunFigures are the figures of a scenario's days, put together by day, by
-- environment, by version, by the values of a label, or (empty) in one row.
-- name: RunFigures :many
WITH chosen AS MATERIALIZED (
  SELECT CASE sqlc.arg(by)::text WHEN 'day' THEN r.day::text WHEN 'environment' THEN r.environment WHEN 'scenario_version' THEN r.scenario_version
      WHEN 'label' THEN r.label_value ELSE '' END AS part, r.*
  FROM test_coordination.rollup_runs AS r
  WHERE r.scenario_id = sqlc.arg(scenario_id) AND r.day BETWEEN sqlc.arg(first_day)::date AND sqlc.arg(last_day)::date
    AND r.label_key = sqlc.arg(label_key) AND (sqlc.narg(label_value)::text IS NULL OR r.label_value = sqlc.narg(label_value)::text)
    AND (sqlc.narg(environment)::text IS NULL OR r.environment = sqlc.narg(environment)::text)
    AND (sqlc.narg(scenario_version)::text IS NULL OR r.scenario_version = sqlc.narg(scenario_version)::text)
), held AS (
  SELECT h.part, array_agg(h.bucket) AS buckets, array_agg(h.held) AS counts FROM (
    SELECT c.part, b.bucket, sum(b.held)::bigint AS held FROM chosen AS c
    CROSS JOIN LATERAL ROWS FROM (unnest(c.duration_buckets), unnest(c.duration_counts)) AS b(bucket, held) GROUP BY c.part, b.bucket
  ) AS h GROUP BY h.part
)
SELECT f.part::text AS part, f.runs::bigint AS runs, f.units::bigint AS units, f.passed::bigint AS passed, f.failed::bigint AS failed, f.error::bigint AS error,
  f.cancelled::bigint AS cancelled, f.timeout::bigint AS timeout, f.interrupted::bigint AS interrupted, f.retries::bigint AS retries, f.passed_after_retries::bigint AS passed_after_retries,
  f.duration_count::bigint AS duration_count, f.duration_us_sum::float8 AS duration_us_sum,
  coalesce(f.duration_us_min, 0)::float8 AS duration_us_min, coalesce(f.duration_us_max, 0)::float8 AS duration_us_max,
  coalesce(test_coordination.analytics_percentile(h.buckets, h.counts, 0.5), 0)::float8 AS duration_p50,
  coalesce(test_coordination.analytics_percentile(h.buckets, h.counts, 0.95), 0)::float8 AS duration_p95,
  coalesce(test_coordination.analytics_percentile(h.buckets, h.counts, 0.99), 0)::float8 AS duration_p99,
  f.score_count::bigint AS score_count, f.score_sum::float8 AS score_sum
FROM (
  SELECT c.part, sum(c.runs) AS runs, sum(c.units) AS units, sum(c.passed) AS passed, sum(c.failed) AS failed, sum(c.error) AS error, sum(c.cancelled) AS cancelled,
    sum(c.timeout) AS timeout, sum(c.interrupted) AS interrupted, sum(c.retries) AS retries, sum(c.passed_after_retries) AS passed_after_retries,
    sum(c.duration_count) AS duration_count, sum(c.duration_us_sum) AS duration_us_sum, min(c.duration_us_min) AS duration_us_min, max(c.duration_us_max) AS duration_us_max,
    sum(c.score_count) AS score_count, sum(c.score_sum) AS score_sum
  FROM chosen AS c WHERE c.part > sqlc.arg(after)::text OR sqlc.arg(first)::boolean GROUP BY c.part
) AS f LEFT JOIN held AS h ON h.part = f.part
ORDER BY f.part LIMIT sqlc.arg(page);

-- DurationPercentiles are percentiles from the histograms of a scenario's days.
-- name: DurationPercentiles :many
WITH held AS MATERIALIZED (
  SELECT array_agg(h.bucket) AS buckets, array_agg(h.held) AS counts, coalesce(sum(h.held), 0)::bigint AS durations FROM (
    SELECT b.bucket, sum(b.held)::bigint AS held FROM test_coordination.rollup_runs AS r
    CROSS JOIN LATERAL ROWS FROM (unnest(r.duration_buckets), unnest(r.duration_counts)) AS b(bucket, held)
    WHERE r.scenario_id = sqlc.arg(scenario_id) AND r.day BETWEEN sqlc.arg(first_day)::date AND sqlc.arg(last_day)::date
      AND r.label_key = sqlc.arg(label_key) AND (sqlc.narg(label_value)::text IS NULL OR r.label_value = sqlc.narg(label_value)::text)
      AND (sqlc.narg(environment)::text IS NULL OR r.environment = sqlc.narg(environment)::text)
      AND (sqlc.narg(scenario_version)::text IS NULL OR r.scenario_version = sqlc.narg(scenario_version)::text)
    GROUP BY b.bucket
  ) AS h
)
SELECT u.share::float8 AS share, h.durations, coalesce(test_coordination.analytics_percentile(h.buckets, h.counts, u.share), 0)::float8 AS seconds
FROM ROWS FROM (unnest(sqlc.arg(shares)::float8[])) WITH ORDINALITY AS u(share, place), held AS h ORDER BY u.place;

-- ExactPercentiles are the same from the runs themselves; it reads all of them.
-- name: ExactPercentiles :many
WITH chosen AS MATERIALIZED (
  SELECT u.duration_seconds FROM test_coordination.analytics_units AS u
  WHERE u.scenario_id = sqlc.arg(scenario_id) AND u.ran_at >= sqlc.arg(first_day)::date::timestamp AT TIME ZONE 'UTC' AND u.ran_at < (sqlc.arg(last_day)::date + 1)::timestamp AT TIME ZONE 'UTC'
    AND (sqlc.narg(environment)::text IS NULL OR u.environment = sqlc.narg(environment)::text)
    AND (sqlc.narg(scenario_version)::text IS NULL OR u.scenario_version = sqlc.narg(scenario_version)::text)
    AND (sqlc.arg(label_key)::text = '' OR EXISTS (
      SELECT FROM test_coordination.execution_details AS d
      WHERE d.execution_id = u.execution_id AND d.run = u.run AND jsonb_typeof(d.labels) = 'object' AND d.labels ? sqlc.arg(label_key)::text
        AND (sqlc.narg(label_value)::text IS NULL OR d.labels->>sqlc.arg(label_key)::text = sqlc.narg(label_value)::text)))
    AND u.duration_seconds IS NOT NULL
)
SELECT u.share::float8 AS share, (SELECT count(*) FROM chosen)::bigint AS durations,
  coalesce((SELECT percentile_disc(u.share) WITHIN GROUP (ORDER BY c.duration_seconds) FROM chosen AS c), 0)::float8 AS seconds
FROM ROWS FROM (unnest(sqlc.arg(shares)::float8[])) WITH ORDINALITY AS u(share, place) ORDER BY u.place;

-- AssertionFigures are statistics of validations, by type and service, of one
-- scenario or (NULL) of all.
-- name: AssertionFigures :many
SELECT a.assertion_type, a.service, sum(a.passed)::bigint AS passed, sum(a.failed)::bigint AS failed, sum(a.skipped)::bigint AS skipped, sum(a.error)::bigint AS error
FROM test_coordination.rollup_assertions AS a
WHERE (sqlc.narg(scenario_id)::text IS NULL OR a.scenario_id = sqlc.narg(scenario_id)::text) AND a.day BETWEEN sqlc.arg(first_day)::date AND sqlc.arg(last_day)::date
  AND (sqlc.narg(environment)::text IS NULL OR a.environment = sqlc.narg(environment)::text)
  AND ((a.assertion_type, a.service) > (sqlc.arg(after_type)::text, sqlc.arg(after_service)::text) OR sqlc.arg(first)::boolean)
GROUP BY a.assertion_type, a.service ORDER BY a.assertion_type, a.service LIMIT sqlc.arg(page);

-- FaultFigures are recovery times and detection latencies, by type of fault and
-- target, of one scenario or (NULL) of all.
-- name: FaultFigures :many
WITH chosen AS MATERIALIZED (
  SELECT f.* FROM test_coordination.rollup_faults AS f
  WHERE (sqlc.narg(scenario_id)::text IS NULL OR f.scenario_id = sqlc.narg(scenario_id)::text) AND f.day BETWEEN sqlc.arg(first_day)::date AND sqlc.arg(last_day)::date
    AND (sqlc.narg(environment)::text IS NULL OR f.environment = sqlc.narg(environment)::text)
    AND ((f.fault_type, f.target_service) > (sqlc.arg(after_type)::text, sqlc.arg(after_service)::text) OR sqlc.arg(first)::boolean)
), page AS MATERIALIZED (
  SELECT c.fault_type, c.target_service, sum(c.faults)::bigint AS faults, sum(c.injected)::bigint AS injected, sum(c.failed)::bigint AS failed, sum(c.recovered)::bigint AS recovered,
    sum(c.recovery_count)::bigint AS recovery_count, sum(c.recovery_us_sum) AS recovery_us_sum, max(c.recovery_us_max) AS recovery_us_max,
    sum(c.detection_count)::bigint AS detection_count, sum(c.detection_us_sum) AS detection_us_sum, max(c.detection_us_max) AS detection_us_max
  FROM chosen AS c GROUP BY c.fault_type, c.target_service ORDER BY c.fault_type, c.target_service LIMIT sqlc.arg(page)
), recoveries AS (
  SELECT c.fault_type, c.target_service, array_agg(b.bucket) AS buckets, array_agg(b.held) AS counts
  FROM chosen AS c CROSS JOIN LATERAL ROWS FROM (unnest(c.recovery_buckets), unnest(c.recovery_counts)) AS b(bucket, held) GROUP BY c.fault_type, c.target_service
), detections AS (
  SELECT c.fault_type, c.target_service, array_agg(b.bucket) AS buckets, array_agg(b.held) AS counts
  FROM chosen AS c CROSS JOIN LATERAL ROWS FROM (unnest(c.detection_buckets), unnest(c.detection_counts)) AS b(bucket, held) GROUP BY c.fault_type, c.target_service
)
SELECT p.fault_type::text AS fault_type, p.target_service::text AS target_service, p.faults, p.injected, p.failed, p.recovered,
  p.recovery_count, p.recovery_us_sum::float8 AS recovery_us_sum, coalesce(p.recovery_us_max, 0)::float8 AS recovery_us_max,
  coalesce(test_coordination.analytics_percentile(r.buckets, r.counts, 0.95), 0)::float8 AS recovery_p95,
  p.detection_count, p.detection_us_sum::float8 AS detection_us_sum, coalesce(p.detection_us_max, 0)::float8 AS detection_us_max,
  coalesce(test_coordination.analytics_percentile(d.buckets, d.counts, 0.95), 0)::float8 AS detection_p95
FROM page AS p
LEFT JOIN recoveries AS r ON r.fault_type = p.fault_type AND r.target_service = p.target_service
LEFT JOIN detections AS d ON d.fault_type = p.fault_type AND d.target_service = p.target_service
ORDER BY p.fault_type, p.target_service;

-- Coverage is a page of what was ever tested, by service and type of fault.
-- name: Coverage :many
SELECT c.target_service, c.fault_type, c.injected::bigint AS injected, (c.last_tested_at IS NOT NULL)::boolean AS tested, coalesce(c.last_tested_at, 'epoch')::timestamptz AS last_tested_at, coalesce(c.last_scenario_id, '')::text AS last_scenario_id, coalesce(c.last_environment, '')::text AS last_environment,
  c.last_execution_id, c.last_run, c.last_run_status, c.last_fault_status
FROM test_coordination.analytics_coverage AS c
WHERE (c.target_service, c.fault_type) > (sqlc.arg(after_service)::text, sqlc.arg(after_type)::text) OR sqlc.arg(first)::boolean
ORDER BY c.target_service, c.fault_type LIMIT sqlc.arg(page);

-- ScenariosThatRan are scenarios behind a place that have ever run: in an
-- environment, or (NULL) in any.
-- name: ScenariosThatRan :many
SELECT DISTINCT e.scenario_id FROM test_coordination.rollup_environments AS e
WHERE e.scenario_id > sqlc.arg(after) AND (sqlc.narg(environment)::text IS NULL OR e.environment = sqlc.narg(environment)::text)
ORDER BY e.scenario_id LIMIT sqlc.arg(page);

-- Flakiness is how steady scenarios are, in an environment or (NULL) over all.
-- name: Flakiness :many
SELECT f.scenario_id::text AS scenario_id, f.units::bigint AS units, f.passed::bigint AS passed, f.passed_after_retries::bigint AS passed_after_retries, f.flips::bigint AS flips,
  (f.flip_rate IS NOT NULL)::boolean AS flip_rate_known, coalesce(f.flip_rate, 0)::float8 AS flip_rate, f.weighted_pass_rate::float8 AS weighted_pass_rate, f.health::float8 AS health,
  f.newest_at::timestamptz AS newest_at, f.oldest_at::timestamptz AS oldest_at
FROM test_coordination.analytics_flakiness AS f
WHERE f.scenario_id = ANY (sqlc.arg(scenario_ids)::text[]) AND f.environment IS NOT DISTINCT FROM sqlc.narg(environment)::text ORDER BY f.scenario_id;

-- Failures are the scenarios whose last decided unit failed, in an environment or
-- (NULL) over all.
-- name: Failures :many
SELECT f.scenario_id::text AS scenario_id, f.units::bigint AS units, f.first_execution_id::text AS first_execution_id, f.first_run::integer AS first_run,
  f.first_scenario_version::text AS first_scenario_version, f.first_status::text AS first_status, f.first_failed_at::timestamptz AS first_failed_at, f.last_failed_at::timestamptz AS last_failed_at,
  (f.last_passed_at IS NOT NULL)::boolean AS ever_passed, coalesce(f.last_passed_at, 'epoch')::timestamptz AS last_passed_at
FROM test_coordination.analytics_failures AS f
WHERE f.scenario_id = ANY (sqlc.arg(scenario_ids)::text[]) AND f.environment IS NOT DISTINCT FROM sqlc.narg(environment)::text ORDER BY f.scenario_id;
