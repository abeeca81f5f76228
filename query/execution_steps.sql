-- StepsTouched loads attempts at steps before a fold.
-- name: StepsTouched :batchmany
SELECT s.* FROM ROWS FROM (unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(runs)::integer[]), unnest(sqlc.arg(step_ids)::text[]), unnest(sqlc.arg(attempts)::integer[]), unnest(sqlc.arg(buckets)::date[])) AS u(id, run, step_id, attempt, bucket)
JOIN test_coordination.execution_steps AS s ON s.execution_id = u.id AND s.run = u.run AND s.step_id = u.step_id AND s.attempt = u.attempt AND s.bucket = u.bucket;

-- StepsOfRun are all attempts at the steps of one run.
-- name: StepsOfRun :many
SELECT * FROM test_coordination.execution_steps WHERE execution_id = $1 AND run = $2 AND bucket = $3 ORDER BY step_id, attempt;

-- InsertSteps is part of S4e: attempts that are not stored yet.
-- name: InsertSteps :copyfrom
INSERT INTO test_coordination.execution_steps
  (bucket, execution_id, run, step_id, attempt, kind, phase, service, action, parameters, status, started_at, finished_at, duration_seconds, error, marks)
VALUES
  (sqlc.arg(bucket), sqlc.arg(execution_id), sqlc.arg(run), sqlc.arg(step_id), sqlc.arg(attempt), sqlc.arg(kind), sqlc.arg(phase), sqlc.arg(service), sqlc.arg(action),
   sqlc.narg(parameters), sqlc.arg(status), sqlc.narg(started_at), sqlc.narg(finished_at), sqlc.narg(duration_seconds), sqlc.arg(error), sqlc.arg(marks));

-- SaveSteps is part of S4e: those that are stored. The zero time and NaN stand for NULL.
-- name: SaveSteps :exec
INSERT INTO test_coordination.execution_steps
  (bucket, execution_id, run, step_id, attempt, kind, phase, service, action, parameters, status, started_at, finished_at, duration_seconds, error, marks)
SELECT u.bucket, u.id, u.run, u.step_id, u.attempt, u.kind, u.phase, u.service, u.action, u.parameters, u.status,
  NULLIF(u.started_at, '0001-01-01 00:00:00+00'), NULLIF(u.finished_at, '0001-01-01 00:00:00+00'), NULLIF(u.duration, 'NaN'), u.error, u.marks
FROM ROWS FROM (
  unnest(sqlc.arg(buckets)::date[]), unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(runs)::integer[]), unnest(sqlc.arg(step_ids)::text[]),
  unnest(sqlc.arg(attempts)::integer[]), unnest(sqlc.arg(kinds)::text[]), unnest(sqlc.arg(phases)::text[]), unnest(sqlc.arg(services)::text[]),
  unnest(sqlc.arg(actions)::text[]), unnest(sqlc.arg(parameters)::jsonb[]), unnest(sqlc.arg(statuses)::text[]), unnest(sqlc.arg(started)::timestamptz[]),
  unnest(sqlc.arg(finished)::timestamptz[]), unnest(sqlc.arg(durations)::double precision[]), unnest(sqlc.arg(errors)::text[]), unnest(sqlc.arg(marks)::bytea[])
) AS u(bucket, id, run, step_id, attempt, kind, phase, service, action, parameters, status, started_at, finished_at, duration, error, marks)
ON CONFLICT (execution_id, run, step_id, attempt, bucket) DO UPDATE SET
  kind = excluded.kind, phase = excluded.phase, service = excluded.service, action = excluded.action, parameters = excluded.parameters,
  status = excluded.status, started_at = excluded.started_at, finished_at = excluded.finished_at, duration_seconds = excluded.duration_seconds,
  error = excluded.error, marks = excluded.marks;

-- StepsPage is a page of the steps of a run, attempt by attempt.
-- name: StepsPage :many
SELECT * FROM test_coordination.execution_steps
WHERE execution_id = sqlc.arg(execution_id) AND run = sqlc.arg(run) AND bucket = sqlc.arg(bucket)
  AND (step_id, attempt) > (sqlc.arg(after_id)::text, sqlc.arg(after_attempt)::integer)
ORDER BY step_id, attempt LIMIT sqlc.arg(page);
