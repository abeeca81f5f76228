-- The runs $1 to $2 of $3, born evenly over the last $4 days up to $5, each with
-- three events, one in ten with a fault that acts, and each with $6 log lines.
WITH runs AS (
  SELECT n, 'seed-' || lpad(n::text, 9, '0') AS id, b.at, (b.at AT TIME ZONE 'UTC')::date AS bucket,
    (ARRAY['passed', 'passed', 'passed', 'passed', 'passed', 'passed', 'failed', 'error', 'cancelled', 'running'])[1 + n / 7 % 10] AS status
  FROM generate_series($1::bigint, $2::bigint) AS n
  CROSS JOIN LATERAL (SELECT $5::timestamptz - make_interval(secs => 86400.0 * $4::integer * ($3::bigint - n) / $3::bigint) AS at) AS b
), ids AS (
  INSERT INTO test_coordination.execution_ids (execution_id, latest_run, buckets, first_seen_at) SELECT id, 1, ARRAY[bucket], at FROM runs
), executions AS (
  INSERT INTO test_coordination.executions (execution_id, run, bucket, version, status, lifecycle, scenario_id, environment, group_id, pinned, requested_at, started_at, ended_at,
    last_event_at, events, log_lines, faults_total, faults_active, marks, created_at, updated_at, settled_change_at)
  SELECT id, 1, bucket, 3, status, 'running', 'scenario-' || CASE WHEN n % 2 = 0 THEN 0 ELSE n % 50 END, CASE WHEN n % 3 = 0 THEN 'staging' ELSE 'lab' END,
    CASE WHEN n % 4 = 0 THEN 'nightly' ELSE '' END, n % 20 = 0, at, at, CASE WHEN status <> 'running' THEN at + interval '5 minutes' END,
    at + interval '5 minutes', 3, $6::integer, (n % 10 = 0)::integer, (n % 10 = 0)::integer, ''::bytea, at, at, CASE WHEN status <> 'running' THEN at END
  FROM runs
), faults AS (
  INSERT INTO test_coordination.fault_injections (bucket, execution_id, run, fault_id, fault_type, target_service, status, injected_at, marks)
  SELECT bucket, id, 1, 'fault-1', 'latency', 'exchange', 'injected', at, ''::bytea FROM runs WHERE n % 10 = 0
), logs AS (
  INSERT INTO test_coordination.execution_logs (bucket, execution_id, run, logged_at, arrival, line, level, service, message)
  SELECT r.bucket, r.id, 1, r.at + l * interval '1 second', 2, l, CASE WHEN l % 20 = 0 THEN 'error' ELSE 'info' END, 'exchange', 'line ' || l || ' of ' || r.id || ': order accepted, forwarded and acknowledged'
  FROM runs AS r, generate_series(1, $6::integer) AS l
)
INSERT INTO test_coordination.execution_events (bucket, execution_id, run, event_key, order_key, arrival, type, source, event_id, event_time, sequence, digest, digest_version, correlation_id, data, recorded_at)
SELECT r.bucket, r.id, 1, k.key, int8send(e.place) || int8send(extract(epoch FROM r.at)::bigint) || int4send(0) || k.key, e.place, 'test-coordination.execution.' || e.word || '.v1', '/seed', 'seed-' || e.place,
  r.at, e.place, k.key, 1, 'correlation-' || r.n / 10, '{"message": "an event of a seeded run"}', r.at
FROM runs AS r, unnest(ARRAY['requested', 'started', 'heartbeat']) WITH ORDINALITY AS e(word, place)
CROSS JOIN LATERAL (SELECT sha256(convert_to(r.id || '/' || e.place, 'UTF8')) AS key) AS k
