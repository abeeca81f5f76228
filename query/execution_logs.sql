-- InsertLogs is part of S4e.
-- name: InsertLogs :exec
INSERT INTO test_coordination.execution_logs (bucket, execution_id, run, logged_at, arrival, line, level, service, phase, step_id, message, attributes)
SELECT u.bucket, u.id, u.run, u.logged_at, u.arrival, u.line, u.level, u.service, u.phase, u.step_id, u.message, u.attributes
FROM ROWS FROM (
  unnest(sqlc.arg(buckets)::date[]), unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(runs)::integer[]), unnest(sqlc.arg(logged)::timestamptz[]),
  unnest(sqlc.arg(arrivals)::bigint[]), unnest(sqlc.arg(lines)::integer[]), unnest(sqlc.arg(levels)::text[]), unnest(sqlc.arg(services)::text[]),
  unnest(sqlc.arg(phases)::text[]), unnest(sqlc.arg(step_ids)::text[]), unnest(sqlc.arg(messages)::text[]), unnest(sqlc.arg(attributes)::jsonb[])
) AS u(bucket, id, run, logged_at, arrival, line, level, service, phase, step_id, message, attributes)
ON CONFLICT (execution_id, run, logged_at, arrival, line, bucket) DO NOTHING;

-- LogLinesByEvent counts the lines that each event of a run brought.
-- name: LogLinesByEvent :many
SELECT arrival, count(*)::bigint AS lines FROM test_coordination.execution_logs
WHERE execution_id = $1 AND run = $2 AND bucket = $3 GROUP BY arrival;

-- LogsOfRun are a run's lines in the order of their times.
-- name: LogsOfRun :many
SELECT * FROM test_coordination.execution_logs
WHERE execution_id = sqlc.arg(execution_id) AND run = sqlc.arg(run) AND bucket = sqlc.arg(bucket)
  AND (logged_at, arrival, line) > (sqlc.arg(after_time)::timestamptz, sqlc.arg(after_arrival)::bigint, sqlc.arg(after_line)::integer)
ORDER BY logged_at, arrival, line LIMIT sqlc.arg(page);
