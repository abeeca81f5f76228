-- InsertLogs is part of S4e. The address of a line is its event's arrival, which
-- is new under the lock of the id.
-- name: InsertLogs :copyfrom
INSERT INTO test_coordination.execution_logs (bucket, execution_id, run, logged_at, arrival, line, level, service, phase, step_id, message, attributes)
VALUES (sqlc.arg(bucket), sqlc.arg(execution_id), sqlc.arg(run), sqlc.arg(logged_at), sqlc.arg(arrival), sqlc.arg(line), sqlc.arg(level), sqlc.arg(service),
   sqlc.arg(phase), sqlc.arg(step_id), sqlc.arg(message), sqlc.narg(attributes));

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
