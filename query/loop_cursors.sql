-- LoopCursor is how far a loop has come.
-- name: LoopCursor :one
SELECT * FROM test_coordination.loop_cursors WHERE loop = $1;

-- AdvanceLoopCursor moves a cursor forward, or sets the first one. A leader that
-- was frozen and replaced cannot move it back.
-- name: AdvanceLoopCursor :exec
INSERT INTO test_coordination.loop_cursors AS c (loop, changed_at, execution_id, run, updated_at)
VALUES (sqlc.arg(loop), sqlc.arg(changed_at), sqlc.arg(execution_id), sqlc.arg(run), sqlc.arg(now))
ON CONFLICT (loop) DO UPDATE SET changed_at = excluded.changed_at, execution_id = excluded.execution_id, run = excluded.run, updated_at = excluded.updated_at
WHERE (c.changed_at, c.execution_id, c.run) < (excluded.changed_at, excluded.execution_id, excluded.run);

-- RunningTransactions brackets the transactions that have written something and
-- not ended: all below oldest have ended, none has begun at or above next.
-- name: RunningTransactions :one
SELECT pg_snapshot_xmin(s.now)::text::bigint AS oldest, pg_snapshot_xmax(s.now)::text::bigint AS next FROM (SELECT pg_current_snapshot() AS now) AS s;
