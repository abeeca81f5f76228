-- SnapshotOfEvent is the big JSON of the snapshot that one event brought, for the
-- evidence bundle, which holds each event whole.
-- name: SnapshotOfEvent :one
SELECT state, metrics FROM test_coordination.system_snapshots
WHERE execution_id = sqlc.arg(execution_id) AND run = sqlc.arg(run) AND bucket = sqlc.arg(bucket) AND snapshot_id = sqlc.arg(snapshot_id) AND arrival = sqlc.arg(arrival);
