-- LockReports serialises those who freeze reports of a run, until the transaction
-- ends.
-- name: LockReports :exec
SELECT pg_advisory_xact_lock(hashtextextended('report ' || sqlc.arg(execution_id)::text || '/' || sqlc.arg(run)::integer, 0));

-- KeepRun keeps a run from being removed until the transaction ends, and tells its
-- bucket. It stands in the way of nobody who changes it.
-- name: KeepRun :one
SELECT bucket FROM test_coordination.executions WHERE execution_id = $1 AND run = $2 FOR KEY SHARE;

-- InsertReport freezes a report.
-- name: InsertReport :exec
INSERT INTO test_coordination.reports
  (bucket, execution_id, run, revision, sha256, builder, body, size_bytes, run_version, chain, definition_sha256, template_sha256, compared, status, reported_outcome,
   headline, scenario_id, environment, group_id, attempt, started_at, ended_at, validations_passed, validations_failed, validations_skipped, validations_error,
   resilience_score, created_at)
VALUES
  (sqlc.arg(bucket), sqlc.arg(execution_id), sqlc.arg(run), sqlc.arg(revision), sqlc.arg(sha256), sqlc.arg(builder), sqlc.arg(body), sqlc.arg(size_bytes),
   sqlc.arg(run_version), sqlc.arg(chain), sqlc.narg(definition_sha256), sqlc.narg(template_sha256), sqlc.arg(compared), sqlc.arg(status), sqlc.arg(reported_outcome),
   sqlc.arg(headline), sqlc.arg(scenario_id), sqlc.arg(environment), sqlc.arg(group_id), sqlc.arg(attempt), sqlc.narg(started_at), sqlc.narg(ended_at),
   sqlc.arg(validations_passed), sqlc.arg(validations_failed), sqlc.arg(validations_skipped), sqlc.arg(validations_error),
   sqlc.narg(resilience_score), sqlc.arg(created_at));

-- ReportOf is what a revision of the report of a run says beside its body; revision
-- 0 is the newest.
-- name: ReportOf :one
SELECT r.bucket, r.execution_id, r.run, r.revision, r.sha256, r.builder, r.size_bytes, r.run_version, r.chain, r.definition_sha256, r.status, r.reported_outcome,
  r.headline, r.scenario_id, r.environment, r.group_id, r.attempt, r.started_at, r.ended_at, r.validations_passed, r.validations_failed, r.validations_skipped, r.validations_error,
  r.resilience_score, r.created_at, r.compared, r.template_sha256
FROM test_coordination.reports AS r
WHERE r.execution_id = sqlc.arg(execution_id) AND r.run = sqlc.arg(run) AND (sqlc.arg(revision)::integer = 0 OR r.revision = sqlc.arg(revision)::integer)
ORDER BY r.revision DESC LIMIT 1;

-- ReportBody are the bytes of a report.
-- name: ReportBody :one
SELECT body FROM test_coordination.reports
WHERE execution_id = sqlc.arg(execution_id) AND run = sqlc.arg(run) AND revision = sqlc.arg(revision) AND bucket = sqlc.arg(bucket);

-- ReportBodyBySHA256 are the bytes of the report of a digest.
-- name: ReportBodyBySHA256 :one
SELECT body FROM test_coordination.reports WHERE sha256 = $1 LIMIT 1;

-- PreviousReports are the newest reports of the runs of a scenario in an
-- environment that ended before a moment, the latest first, those of a group left
-- out.
-- name: PreviousReports :many
SELECT r.execution_id, r.run, r.revision, r.body FROM test_coordination.reports AS r
WHERE r.scenario_id = sqlc.arg(scenario_id) AND r.environment = sqlc.arg(environment) AND r.ended_at < sqlc.arg(before)::timestamptz
  AND (r.group_id = '' OR r.group_id <> sqlc.arg(group_id)::text)
  AND (SELECT n.revision FROM test_coordination.reports AS n
    WHERE n.execution_id = r.execution_id AND n.run = r.run AND n.revision > r.revision AND n.bucket = r.bucket ORDER BY n.revision LIMIT 1) IS NULL
ORDER BY r.ended_at DESC, r.execution_id DESC, r.run DESC LIMIT sqlc.arg(most);

-- EarlierAttempts are the newest reports of the attempts of a group, at a scenario,
-- before one of them, the latest first.
-- name: EarlierAttempts :many
SELECT r.execution_id, r.run, r.revision, r.body FROM test_coordination.reports AS r
WHERE r.group_id = sqlc.arg(group_id) AND r.group_id <> '' AND r.scenario_id = sqlc.arg(scenario_id)
  AND (r.attempt, coalesce(r.started_at, '-infinity'), r.execution_id, r.run)
    < (sqlc.arg(attempt)::integer, coalesce(sqlc.narg(started_at)::timestamptz, '-infinity'), sqlc.arg(execution_id)::text, sqlc.arg(run)::integer)
  AND (SELECT n.revision FROM test_coordination.reports AS n
    WHERE n.execution_id = r.execution_id AND n.run = r.run AND n.revision > r.revision AND n.bucket = r.bucket ORDER BY n.revision LIMIT 1) IS NULL
ORDER BY r.attempt DESC, coalesce(r.started_at, '-infinity') DESC, r.execution_id DESC, r.run DESC LIMIT sqlc.arg(most);

-- ReportKeys walks all reports.
-- name: ReportKeys :many
SELECT execution_id, run, revision FROM test_coordination.reports
WHERE (execution_id, run, revision) > (sqlc.arg(after_id)::text, sqlc.arg(after_run)::integer, sqlc.arg(after_revision)::integer)
ORDER BY execution_id, run, revision LIMIT sqlc.arg(page);
