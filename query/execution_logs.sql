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

-- LogsAfter is a page of a run's lines in the order of their times, up to a
-- moment.
-- name: LogsAfter :many
SELECT logged_at, arrival, line, level, service, phase, step_id, message, attributes FROM test_coordination.execution_logs
WHERE execution_id = sqlc.arg(execution_id) AND run = sqlc.arg(run) AND bucket = sqlc.arg(bucket)
  AND (logged_at, arrival, line) > (sqlc.arg(after_time)::timestamptz, sqlc.arg(after_arrival)::bigint, sqlc.arg(after_line)::integer) AND logged_at < sqlc.arg(until)::timestamptz
ORDER BY logged_at, arrival, line LIMIT sqlc.arg(page);

-- LogArrivals are the events of a run that brought lines, in the order in which
-- they were accepted, with how many lines they brought and between which times;
-- total counts the lines of all such events, also of those beyond the page. Only
-- lines of the time since or later are looked at. It reads nothing but the key.
-- name: LogArrivals :many
SELECT g.arrival, g.lines, g.first_at, g.last_at, (sum(g.lines) OVER ())::bigint AS total
FROM (
  SELECT l.arrival, count(*)::bigint AS lines, min(l.logged_at)::timestamptz AS first_at, max(l.logged_at)::timestamptz AS last_at
  FROM test_coordination.execution_logs AS l
  WHERE l.execution_id = sqlc.arg(execution_id) AND l.run = sqlc.arg(run) AND l.bucket = sqlc.arg(bucket)
    AND l.logged_at >= sqlc.arg(since) AND l.arrival > sqlc.arg(after)::bigint AND l.arrival <= sqlc.arg(until)::bigint
  GROUP BY l.arrival
) AS g
ORDER BY g.arrival LIMIT sqlc.arg(page);

-- LogsOfArrivals are the lines of some events of a run, in the order in which
-- they were accepted; all of them are of a time from first_at to last_at.
-- name: LogsOfArrivals :many
SELECT * FROM test_coordination.execution_logs
WHERE execution_id = sqlc.arg(execution_id) AND run = sqlc.arg(run) AND bucket = sqlc.arg(bucket)
  AND logged_at >= sqlc.arg(first_at) AND logged_at <= sqlc.arg(last_at)
  AND arrival > sqlc.arg(after)::bigint AND arrival <= sqlc.arg(until)::bigint
ORDER BY arrival, line;

-- LastLogs are the last lines of a run by time, the latest first, of those that
-- the first events brought.
-- name: LastLogs :many
SELECT * FROM test_coordination.execution_logs
WHERE execution_id = sqlc.arg(execution_id) AND run = sqlc.arg(run) AND bucket = sqlc.arg(bucket) AND arrival <= sqlc.arg(until)::bigint
ORDER BY logged_at DESC, arrival DESC, line DESC LIMIT sqlc.arg(page);

-- LogsBefore is a page of them from the end, down to a moment.
-- name: LogsBefore :many
SELECT logged_at, arrival, line, level, service, phase, step_id, message, attributes FROM test_coordination.execution_logs
WHERE execution_id = sqlc.arg(execution_id) AND run = sqlc.arg(run) AND bucket = sqlc.arg(bucket)
  AND (logged_at, arrival, line) < (sqlc.arg(before_time)::timestamptz, sqlc.arg(before_arrival)::bigint, sqlc.arg(before_line)::integer) AND logged_at >= sqlc.arg(since)::timestamptz
ORDER BY logged_at DESC, arrival DESC, line DESC LIMIT sqlc.arg(page);
