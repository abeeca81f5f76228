-- InsertSnapshots is part of S4e. Its address holds the event's arrival, which is
-- new under the lock of the id.
-- name: InsertSnapshots :copyfrom
INSERT INTO test_coordination.system_snapshots (bucket, execution_id, run, snapshot_id, arrival, order_key, kind, service, phase, captured_at, health, state, metrics)
VALUES (sqlc.arg(bucket), sqlc.arg(execution_id), sqlc.arg(run), sqlc.arg(snapshot_id), sqlc.arg(arrival), sqlc.arg(order_key), sqlc.arg(kind), sqlc.arg(service), sqlc.arg(phase), sqlc.arg(captured_at), sqlc.arg(health), sqlc.narg(state), sqlc.narg(metrics));

-- SnapshotsOfRun are the snapshots of one run without their big JSON.
-- name: SnapshotsOfRun :many
SELECT snapshot_id, arrival, order_key, kind, service, phase, captured_at, health FROM test_coordination.system_snapshots
WHERE execution_id = $1 AND run = $2 AND bucket = $3 ORDER BY arrival;

-- SnapshotsPage is a page of the snapshots of a run by id, without their big
-- JSON: of an id that was captured twice the last in order. A join would say the
-- same, and be planned to read all snapshots of the run.
-- name: SnapshotsPage :many
SELECT s.snapshot_id, s.kind, s.service, s.phase, s.captured_at, s.health FROM test_coordination.system_snapshots AS s
WHERE s.execution_id = sqlc.arg(execution_id) AND s.run = sqlc.arg(run) AND s.bucket = sqlc.arg(bucket) AND s.snapshot_id > sqlc.arg(after)
  AND s.order_key >= (SELECT l.order_key FROM test_coordination.system_snapshots AS l
    WHERE l.execution_id = s.execution_id AND l.run = s.run AND l.snapshot_id = s.snapshot_id AND l.bucket = s.bucket ORDER BY l.order_key DESC LIMIT 1)
ORDER BY s.snapshot_id LIMIT sqlc.arg(page);

-- SnapshotByID is one snapshot with its big JSON: of an id that was captured
-- twice the last in order.
-- name: SnapshotByID :one
SELECT * FROM test_coordination.system_snapshots
WHERE execution_id = sqlc.arg(execution_id) AND run = sqlc.arg(run) AND bucket = sqlc.arg(bucket) AND snapshot_id = sqlc.arg(snapshot_id)
ORDER BY order_key DESC LIMIT 1;
