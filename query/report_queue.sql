-- EnqueueReports notes runs whose report is to be built, those that changed first
-- before the others. One that waits already waits on, with the later version.
-- name: EnqueueReports :exec
INSERT INTO test_coordination.report_queue AS q (execution_id, run, version, due_at, enqueued_at)
SELECT u.execution_id, u.run, u.version, u.changed_at, statement_timestamp()
FROM ROWS FROM (unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(runs)::integer[]), unnest(sqlc.arg(versions)::bigint[]), unnest(sqlc.arg(changed_ats)::timestamptz[]))
  AS u(execution_id, run, version, changed_at)
ORDER BY u.execution_id, u.run
ON CONFLICT (execution_id, run) DO UPDATE SET version = excluded.version, due_at = excluded.due_at, attempts = 0, last_error = '', enqueued_at = excluded.enqueued_at
WHERE q.version < excluded.version;

-- ClaimReport gives the run that is due first to one builder, for as long as its
-- lease; what another is claiming just now is passed over. A run whose builders
-- died again and again, as of one that does not fit into memory, is put off for
-- longer each time.
-- name: ClaimReport :one
UPDATE test_coordination.report_queue AS q
SET due_at = statement_timestamp() + make_interval(secs => sqlc.arg(lease_seconds)::double precision * 2 ^ greatest(0, least(q.attempts - 3, 10))), attempts = q.attempts + 1
WHERE (q.execution_id, q.run) IN (
  SELECT c.execution_id, c.run FROM test_coordination.report_queue AS c
  WHERE c.due_at <= statement_timestamp() ORDER BY c.due_at, c.execution_id, c.run LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING q.execution_id, q.run, q.version, q.attempts;

-- PutOffReport has a claimed run wait: while its builder works, or after it failed.
-- What was announced since the claim does not wait.
-- name: PutOffReport :execrows
UPDATE test_coordination.report_queue SET due_at = statement_timestamp() + make_interval(secs => sqlc.arg(seconds)::double precision),
  last_error = CASE WHEN sqlc.arg(last_error)::text = '' THEN last_error ELSE sqlc.arg(last_error)::text END
WHERE execution_id = sqlc.arg(execution_id) AND run = sqlc.arg(run) AND version = sqlc.arg(version);

-- DoneReport takes a run off the queue, unless a later version of it was announced
-- meanwhile.
-- name: DoneReport :exec
DELETE FROM test_coordination.report_queue WHERE execution_id = sqlc.arg(execution_id) AND run = sqlc.arg(run) AND version <= sqlc.arg(version)::bigint;

-- ReportQueueState is how many runs wait for their report, up to 10,000 of them,
-- how many of these have failed, and since when the first one waits.
-- name: ReportQueueState :one
SELECT count(*)::bigint AS waiting, (count(*) FILTER (WHERE w.last_error <> ''))::bigint AS failing,
  coalesce(extract(epoch FROM statement_timestamp() - min(w.enqueued_at)), 0)::double precision AS age_seconds
FROM (SELECT last_error, enqueued_at FROM test_coordination.report_queue ORDER BY due_at LIMIT 10000) AS w;
