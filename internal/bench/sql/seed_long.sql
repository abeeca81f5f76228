-- Events and log lines $1 to $2 of one long run, seed-long, which began at $3.
WITH entries AS (
  SELECT n, $3::timestamptz + n * interval '20 ms' AS at, sha256(convert_to('seed-long/' || n, 'UTF8')) AS key FROM generate_series($1::bigint, $2::bigint) AS n
), logs AS (
  INSERT INTO test_coordination.execution_logs (bucket, execution_id, run, logged_at, arrival, line, level, service, message)
  SELECT ($3::timestamptz AT TIME ZONE 'UTC')::date, 'seed-long', 1, at, n, 0, CASE WHEN n % 20 = 0 THEN 'error' ELSE 'info' END, 'exchange', 'line ' || n || ': order accepted, forwarded and acknowledged'
  FROM entries
)
INSERT INTO test_coordination.execution_events (bucket, execution_id, run, event_key, order_key, arrival, type, source, event_id, event_time, sequence, digest, digest_version, data, recorded_at)
SELECT ($3::timestamptz AT TIME ZONE 'UTC')::date, 'seed-long', 1, key, int8send(n) || int8send(extract(epoch FROM at)::bigint) || int4send(0) || key, n, 'test-coordination.execution.heartbeat.v1', '/seed', 'seed-' || n,
  at, n, key, 1, '{"message": "an event of a long run"}', at
FROM entries
