-- InsertExecutionIDs makes the rows to be locked. The ids come in byte order,
-- so that two batches meet on them in one order.
-- name: InsertExecutionIDs :exec
INSERT INTO test_coordination.execution_ids (execution_id, first_seen_at)
SELECT u.id, sqlc.arg(now) FROM unnest(sqlc.arg(ids)::text[]) AS u(id)
ON CONFLICT (execution_id) DO NOTHING;

-- LockExecutionIDs is S4b. FOR UPDATE would deadlock with foreign key checks.
-- name: LockExecutionIDs :batchmany
SELECT * FROM test_coordination.execution_ids WHERE execution_id = ANY (sqlc.arg(ids)::text[])
ORDER BY execution_id COLLATE "C" FOR NO KEY UPDATE;

-- UpdateExecutionIDs notes new runs and the buckets where they lie. The number
-- never falls: retention may have removed the runs that had the lower ones.
-- name: UpdateExecutionIDs :exec
UPDATE test_coordination.execution_ids AS i SET
  latest_run = greatest(i.latest_run, u.latest_run),
  pruned_at = NULL,
  buckets = CASE WHEN u.bucket = ANY (i.buckets) THEN i.buckets ELSE i.buckets || u.bucket END
FROM ROWS FROM (unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(latest_runs)::integer[]), unnest(sqlc.arg(new_buckets)::date[])) AS u(id, latest_run, bucket)
WHERE i.execution_id = u.id;

-- ExecutionIDs reads without a lock: enough to recognise a batch of duplicates.
-- name: ExecutionIDs :many
SELECT * FROM test_coordination.execution_ids WHERE execution_id = ANY (sqlc.arg(ids)::text[]);
