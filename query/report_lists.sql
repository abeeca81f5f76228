-- Reports as people list them, those frozen last first. Each query goes along one
-- index, as those of runs do, and never reads a body. Of each report it tells
-- whether a newer revision replaces it. The newest revision is found by
-- a subquery with LIMIT: EXISTS is planned to read all revisions of all runs first.
--
-- ReportsByCreation lists all reports.
-- name: ReportsByCreation :many
SELECT r.bucket, r.execution_id, r.run, r.revision, r.sha256, r.builder, r.size_bytes, r.run_version, r.chain, r.definition_sha256, r.status, r.reported_outcome,
  r.headline, r.scenario_id, r.environment, r.group_id, r.attempt, r.started_at, r.ended_at, r.validations_passed, r.validations_failed, r.validations_skipped, r.validations_error,
  r.resilience_score, r.created_at,
  ((SELECT n.revision FROM test_coordination.reports AS n
    WHERE n.execution_id = r.execution_id AND n.run = r.run AND n.revision > r.revision AND n.bucket = r.bucket ORDER BY n.revision LIMIT 1) IS NULL)::boolean AS newest
FROM test_coordination.reports AS r
WHERE (r.created_at, r.execution_id, r.run, r.revision) < (sqlc.arg(before)::timestamptz, sqlc.arg(before_id)::text, sqlc.arg(before_run)::integer, sqlc.arg(before_revision)::integer) AND r.created_at >= sqlc.arg(since)::timestamptz
ORDER BY r.created_at DESC, r.execution_id DESC, r.run DESC, r.revision DESC LIMIT sqlc.arg(page);

-- ReportsOfScenario lists the reports of the runs of a scenario.
-- name: ReportsOfScenario :many
SELECT r.bucket, r.execution_id, r.run, r.revision, r.sha256, r.builder, r.size_bytes, r.run_version, r.chain, r.definition_sha256, r.status, r.reported_outcome,
  r.headline, r.scenario_id, r.environment, r.group_id, r.attempt, r.started_at, r.ended_at, r.validations_passed, r.validations_failed, r.validations_skipped, r.validations_error,
  r.resilience_score, r.created_at,
  ((SELECT n.revision FROM test_coordination.reports AS n
    WHERE n.execution_id = r.execution_id AND n.run = r.run AND n.revision > r.revision AND n.bucket = r.bucket ORDER BY n.revision LIMIT 1) IS NULL)::boolean AS newest
FROM test_coordination.reports AS r
WHERE r.scenario_id = sqlc.arg(scenario_id)
  AND (r.created_at, r.execution_id, r.run, r.revision) < (sqlc.arg(before)::timestamptz, sqlc.arg(before_id)::text, sqlc.arg(before_run)::integer, sqlc.arg(before_revision)::integer) AND r.created_at >= sqlc.arg(since)::timestamptz
ORDER BY r.created_at DESC, r.execution_id DESC, r.run DESC, r.revision DESC LIMIT sqlc.arg(page);

-- ReportsOfStatus lists the reports of the runs of a status.
-- name: ReportsOfStatus :many
SELECT r.bucket, r.execution_id, r.run, r.revision, r.sha256, r.builder, r.size_bytes, r.run_version, r.chain, r.definition_sha256, r.status, r.reported_outcome,
  r.headline, r.scenario_id, r.environment, r.group_id, r.attempt, r.started_at, r.ended_at, r.validations_passed, r.validations_failed, r.validations_skipped, r.validations_error,
  r.resilience_score, r.created_at,
  ((SELECT n.revision FROM test_coordination.reports AS n
    WHERE n.execution_id = r.execution_id AND n.run = r.run AND n.revision > r.revision AND n.bucket = r.bucket ORDER BY n.revision LIMIT 1) IS NULL)::boolean AS newest
FROM test_coordination.reports AS r
WHERE r.status = sqlc.arg(status)
  AND (r.created_at, r.execution_id, r.run, r.revision) < (sqlc.arg(before)::timestamptz, sqlc.arg(before_id)::text, sqlc.arg(before_run)::integer, sqlc.arg(before_revision)::integer) AND r.created_at >= sqlc.arg(since)::timestamptz
ORDER BY r.created_at DESC, r.execution_id DESC, r.run DESC, r.revision DESC LIMIT sqlc.arg(page);

-- ReportsOfGroup lists the reports of the runs of a group.
-- name: ReportsOfGroup :many
SELECT r.bucket, r.execution_id, r.run, r.revision, r.sha256, r.builder, r.size_bytes, r.run_version, r.chain, r.definition_sha256, r.status, r.reported_outcome,
  r.headline, r.scenario_id, r.environment, r.group_id, r.attempt, r.started_at, r.ended_at, r.validations_passed, r.validations_failed, r.validations_skipped, r.validations_error,
  r.resilience_score, r.created_at,
  ((SELECT n.revision FROM test_coordination.reports AS n
    WHERE n.execution_id = r.execution_id AND n.run = r.run AND n.revision > r.revision AND n.bucket = r.bucket ORDER BY n.revision LIMIT 1) IS NULL)::boolean AS newest
FROM test_coordination.reports AS r
WHERE r.group_id = sqlc.arg(group_id) AND r.group_id <> ''
  AND (r.created_at, r.execution_id, r.run, r.revision) < (sqlc.arg(before)::timestamptz, sqlc.arg(before_id)::text, sqlc.arg(before_run)::integer, sqlc.arg(before_revision)::integer) AND r.created_at >= sqlc.arg(since)::timestamptz
ORDER BY r.created_at DESC, r.execution_id DESC, r.run DESC, r.revision DESC LIMIT sqlc.arg(page);

-- ReportsOfID lists the reports of the runs of an execution id, by number and
-- revision.
-- name: ReportsOfID :many
SELECT r.bucket, r.execution_id, r.run, r.revision, r.sha256, r.builder, r.size_bytes, r.run_version, r.chain, r.definition_sha256, r.status, r.reported_outcome,
  r.headline, r.scenario_id, r.environment, r.group_id, r.attempt, r.started_at, r.ended_at, r.validations_passed, r.validations_failed, r.validations_skipped, r.validations_error,
  r.resilience_score, r.created_at,
  ((SELECT n.revision FROM test_coordination.reports AS n
    WHERE n.execution_id = r.execution_id AND n.run = r.run AND n.revision > r.revision AND n.bucket = r.bucket ORDER BY n.revision LIMIT 1) IS NULL)::boolean AS newest
FROM test_coordination.reports AS r
WHERE r.execution_id = sqlc.arg(execution_id) AND (r.run, r.revision) < (sqlc.arg(before_run)::integer, sqlc.arg(before_revision)::integer)
ORDER BY r.run DESC, r.revision DESC LIMIT sqlc.arg(page);

-- LastAttempts tells of groups of runs, each at a scenario, how many of the runs
-- have a report, and which of these is the last attempt.
-- name: LastAttempts :many
SELECT u.group_id::text AS group_id, u.scenario_id::text AS scenario_id, l.attempts, l.ids[1]::text AS execution_id, l.runs[1]::integer AS run
FROM ROWS FROM (unnest(sqlc.arg(groups)::text[]), unnest(sqlc.arg(scenarios)::text[])) AS u(group_id, scenario_id)
CROSS JOIN LATERAL (
  SELECT count(DISTINCT (a.execution_id, a.run))::bigint AS attempts,
    array_agg(a.execution_id ORDER BY a.attempt DESC, coalesce(a.started_at, '-infinity') DESC, a.execution_id DESC, a.run DESC) AS ids,
    array_agg(a.run ORDER BY a.attempt DESC, coalesce(a.started_at, '-infinity') DESC, a.execution_id DESC, a.run DESC) AS runs
  FROM test_coordination.reports AS a
  WHERE a.group_id = u.group_id AND a.group_id <> '' AND a.scenario_id = u.scenario_id) AS l
WHERE l.attempts > 0;
