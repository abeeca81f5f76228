-- LoopCursor is how far a loop has come.
-- name: LoopCursor :one
SELECT * FROM test_coordination.loop_cursors WHERE loop = $1;

-- BeginLoopCursor sets the first cursor of a loop.
-- name: BeginLoopCursor :exec
INSERT INTO test_coordination.loop_cursors (loop, changed_at, execution_id, run, updated_at)
VALUES (sqlc.arg(loop), sqlc.arg(changed_at), '', 0, sqlc.arg(now))
ON CONFLICT (loop) DO NOTHING;

-- MoveLoopCursor moves a cursor on from where it was read, unless somebody else has
-- moved it since.
-- name: MoveLoopCursor :execrows
UPDATE test_coordination.loop_cursors SET changed_at = sqlc.arg(changed_at), execution_id = sqlc.arg(execution_id), run = sqlc.arg(run), updated_at = sqlc.arg(now)
WHERE loop = sqlc.arg(loop)
  AND changed_at = sqlc.arg(from_changed_at) AND execution_id = sqlc.arg(from_execution_id) AND run = sqlc.arg(from_run);

-- RunningTransactions brackets the transactions that have written something and
-- not ended: all below oldest have ended, and next is the number of this look, for
-- numbers are given in order: whoever has a greater one took it later, and read the
-- clock later than at. (The greatest number of a snapshot says less: it is that of the
-- latest that has ended, and others above it may be running.) Each look
-- leaves the record of a commit, for which nobody waits.
-- name: RunningTransactions :one
SELECT pg_snapshot_xmin(s.now)::text::bigint AS oldest, pg_current_xact_id()::text::bigint AS next, statement_timestamp()::timestamptz AS at
FROM (SELECT pg_current_snapshot() AS now) AS s;

-- ChangeTime is the time of the changes of a transaction: of after it has taken its
-- locks, and with them its number; and behind the cursor of the loop that walks these
-- changes, also when the clock was put back since.
-- name: ChangeTime :batchone
SELECT greatest(clock_timestamp(), (SELECT c.changed_at + interval '1 microsecond' FROM test_coordination.loop_cursors AS c WHERE c.loop = sqlc.arg(loop)))::timestamptz AS at;
