-- Reports as people list them, those frozen last first. Each query goes along one
-- index, as those of runs do, and never reads a body. Of each report it tells
-- whether a newer revision replaces it, and of one of a group whether it is that of
-- the last attempt, and how many attempts have one.
--
-- ReportsByCreation lists all reports.
-- name: ReportsByCreation :many
SELECT r.bucket, r.execution_id, r.run, r.revision, r.sha256, r.builder, r.size_bytes, r.run_version, r.chain, r.definition_sha256, r.status, r.reported_outcome,
  r.headline, r.scenario_id, r.environment, r.group_id, r.attempt, r.started_at, r.ended_at, r.validations_passed, r.validations_failed, r.validations_skipped, r.validations_error,
  r.resilience_score, r.created_at,
  (NOT EXISTS (SELECT FROM test_coordination.reports AS n
    WHERE n.execution_id = r.execution_id AND n.run = r.run AND n.revision = r.revision + 1 AND n.bucket = r.bucket))::boolean AS newest,
  (r.group_id = '' OR NOT EXISTS (SELECT FROM test_coordination.reports AS a
    WHERE a.group_id = r.group_id AND a.group_id <> '' AND a.scenario_id = r.scenario_id AND a.attempt >= r.attempt
      AND (a.attempt, coalesce(a.started_at, '-infinity'), a.execution_id, a.run) > (r.attempt, coalesce(r.started_at, '-infinity'), r.execution_id, r.run)))::boolean AS last_attempt,
  (CASE WHEN r.group_id = '' THEN 1 ELSE (SELECT count(DISTINCT (a.execution_id, a.run)) FROM test_coordination.reports AS a
    WHERE a.group_id = r.group_id AND a.group_id <> '' AND a.scenario_id = r.scenario_id) END)::bigint AS attempts
FROM test_coordination.reports AS r
WHERE (r.created_at, r.execution_id, r.run, r.revision) < (sqlc.arg(before)::timestamptz, sqlc.arg(before_id)::text, sqlc.arg(before_run)::integer, sqlc.arg(before_revision)::integer) AND r.created_at >= sqlc.arg(since)::timestamptz
ORDER BY r.created_at DESC, r.execution_id DESC, r.run DESC, r.revision DESC LIMIT sqlc.arg(page);

-- ReportsOfScenario lists the reports of the runs of a scenario.
-- name: ReportsOfScenario :many
SELECT r.bucket, r.execution_id, r.run, r.revision, r.sha256, r.builder, r.size_bytes, r.run_version, r.chain, r.definition_sha256, r.status, r.reported_outcome,
  r.headline, r.scenario_id, r.environment, r.group_id, r.attempt, r.started_at, r.ended_at, r.validations_passed, r.validations_failed, r.validations_skipped, r.validations_error,
  r.resilience_score, r.created_at,
  (NOT EXISTS (SELECT FROM test_coordination.reports AS n
    WHERE n.execution_id = r.execution_id AND n.run = r.run AND n.revision = r.revision + 1 AND n.bucket = r.bucket))::boolean AS newest,
  (r.group_id = '' OR NOT EXISTS (SELECT FROM test_coordination.reports AS a
    WHERE a.group_id = r.group_id AND a.group_id <> '' AND a.scenario_id = r.scenario_id AND a.attempt >= r.attempt
      AND (a.attempt, coalesce(a.started_at, '-infinity'), a.execution_id, a.run) > (r.attempt, coalesce(r.started_at, '-infinity'), r.execution_id, r.run)))::boolean AS last_attempt,
  (CASE WHEN r.group_id = '' THEN 1 ELSE (SELECT count(DISTINCT (a.execution_id, a.run)) FROM test_coordination.reports AS a
    WHERE a.group_id = r.group_id AND a.group_id <> '' AND a.scenario_id = r.scenario_id) END)::bigint AS attempts
FROM test_coordination.reports AS r
WHERE r.scenario_id = sqlc.arg(scenario_id)
  AND (r.created_at, r.execution_id, r.run, r.revision) < (sqlc.arg(before)::timestamptz, sqlc.arg(before_id)::text, sqlc.arg(before_run)::integer, sqlc.arg(before_revision)::integer) AND r.created_at >= sqlc.arg(since)::timestamptz
ORDER BY r.created_at DESC, r.execution_id DESC, r.run DESC, r.revision DESC LIMIT sqlc.arg(page);

-- ReportsOfStatus lists the reports of the runs of a status.
-- name: ReportsOfStatus :many
SELECT r.bucket, r.execution_id, r.run, r.revision, r.sha256, r.builder, r.size_bytes, r.run_version, r.chain, r.definition_sha256, r.status, r.reported_outcome,
  r.headline, r.scenario_id, r.environment, r.group_id, r.attempt, r.started_at, r.ended_at, r.validations_passed, r.validations_failed, r.validations_skipped, r.validations_error,
  r.resilience_score, r.created_at,
  (NOT EXISTS (SELECT FROM test_coordination.reports AS n
    WHERE n.execution_id = r.execution_id AND n.run = r.run AND n.revision = r.revision + 1 AND n.bucket = r.bucket))::boolean AS newest,
  (r.group_id = '' OR NOT EXISTS (SELECT FROM test_coordination.reports AS a
    WHERE a.group_id = r.group_id AND a.group_id <> '' AND a.scenario_id = r.scenario_id AND a.attempt >= r.attempt
      AND (a.attempt, coalesce(a.started_at, '-infinity'), a.execution_id, a.run) > (r.attempt, coalesce(r.started_at, '-infinity'), r.execution_id, r.run)))::boolean AS last_attempt,
  (CASE WHEN r.group_id = '' THEN 1 ELSE (SELECT count(DISTINCT (a.execution_id, a.run)) FROM test_coordination.reports AS a
    WHERE a.group_id = r.group_id AND a.group_id <> '' AND a.scenario_id = r.scenario_id) END)::bigint AS attempts
FROM test_coordination.reports AS r
WHERE r.status = sqlc.arg(status)
  AND (r.created_at, r.execution_id, r.run, r.revision) < (sqlc.arg(before)::timestamptz, sqlc.arg(before_id)::text, sqlc.arg(before_run)::integer, sqlc.arg(before_revision)::integer) AND r.created_at >= sqlc.arg(since)::timestamptz
ORDER BY r.created_at DESC, r.execution_id DESC, r.run DESC, r.revision DESC LIMIT sqlc.arg(page);

-- ReportsOfGroup lists the reports of the runs of a group.
-- name: ReportsOfGroup :many
SELECT r.bucket, r.execution_id, r.run, r.revision, r.sha256, r.builder, r.size_bytes, r.run_version, r.chain, r.definition_sha256, r.status, r.reported_outcome,
  r.headline, r.scenario_id, r.environment, r.group_id, r.attempt, r.started_at, r.ended_at, r.validations_passed, r.validations_failed, r.validations_skipped, r.validations_error,
  r.resilience_score, r.created_at,
  (NOT EXISTS (SELECT FROM test_coordination.reports AS n
    WHERE n.execution_id = r.execution_id AND n.run = r.run AND n.revision = r.revision + 1 AND n.bucket = r.bucket))::boolean AS newest,
  (r.group_id = '' OR NOT EXISTS (SELECT FROM test_coordination.reports AS a
    WHERE a.group_id = r.group_id AND a.group_id <> '' AND a.scenario_id = r.scenario_id AND a.attempt >= r.attempt
      AND (a.attempt, coalesce(a.started_at, '-infinity'), a.execution_id, a.run) > (r.attempt, coalesce(r.started_at, '-infinity'), r.execution_id, r.run)))::boolean AS last_attempt,
  (CASE WHEN r.group_id = '' THEN 1 ELSE (SELECT count(DISTINCT (a.execution_id, a.run)) FROM test_coordination.reports AS a
    WHERE a.group_id = r.group_id AND a.group_id <> '' AND a.scenario_id = r.scenario_id) END)::bigint AS attempts
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
  (NOT EXISTS (SELECT FROM test_coordination.reports AS n
    WHERE n.execution_id = r.execution_id AND n.run = r.run AND n.revision = r.revision + 1 AND n.bucket = r.bucket))::boolean AS newest,
  (r.group_id = '' OR NOT EXISTS (SELECT FROM test_coordination.reports AS a
    WHERE a.group_id = r.group_id AND a.group_id <> '' AND a.scenario_id = r.scenario_id AND a.attempt >= r.attempt
      AND (a.attempt, coalesce(a.started_at, '-infinity'), a.execution_id, a.run) > (r.attempt, coalesce(r.started_at, '-infinity'), r.execution_id, r.run)))::boolean AS last_attempt,
  (CASE WHEN r.group_id = '' THEN 1 ELSE (SELECT count(DISTINCT (a.execution_id, a.run)) FROM test_coordination.reports AS a
    WHERE a.group_id = r.group_id AND a.group_id <> '' AND a.scenario_id = r.scenario_id) END)::bigint AS attempts
FROM test_coordination.reports AS r
WHERE r.execution_id = sqlc.arg(execution_id) AND (r.run, r.revision) < (sqlc.arg(before_run)::integer, sqlc.arg(before_revision)::integer)
ORDER BY r.run DESC, r.revision DESC LIMIT sqlc.arg(page);
