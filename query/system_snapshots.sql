-- InsertSnapshots is part of S4e. Its address holds the event's arrival, which is
-- new under the lock of the id.
-- name: InsertSnapshots :copyfrom
INSERT INTO test_coordination.system_snapshots (bucket, execution_id, run, snapshot_id, arrival, order_key, kind, service, phase, captured_at, health, state, metrics)
VALUES (sqlc.arg(bucket), sqlc.arg(execution_id), sqlc.arg(run), sqlc.arg(snapshot_id), sqlc.arg(arrival), sqlc.arg(order_key), sqlc.arg(kind), sqlc.arg(service), sqlc.arg(phase), sqlc.arg(captured_at), sqlc.arg(health), sqlc.narg(state), sqlc.narg(metrics));

-- SnapshotsOfRun are the snapshots of one run without their big JSON.
-- name: SnapshotsOfRun :many
SELECT snapshot_id, arrival, order_key, kind, service, phase, captured_at, health FROM test_coordination.system_snapshots
WHERE execution_id = $1 AND run = $2 AND bucket = $3 ORDER BY arrival;

-- SnapshotState is the big JSON of one snapshot: of the last in order where an id was captured twice.
-- name: SnapshotState :one
SELECT state, metrics FROM test_coordination.system_snapshots
WHERE execution_id = sqlc.arg(execution_id) AND run = sqlc.arg(run) AND bucket = sqlc.arg(bucket) AND snapshot_id = sqlc.arg(snapshot_id)
ORDER BY order_key DESC LIMIT 1;
