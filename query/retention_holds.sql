-- LockHolds serialises those who place or lift a hold with those who prune: these
-- share the lock, and read the holds under it.
-- name: LockHolds :exec
SELECT pg_advisory_xact_lock(hashtextextended('test_coordination retention holds', 0));

-- ShareHolds is LockHolds for those who prune.
-- name: ShareHolds :exec
SELECT pg_advisory_xact_lock_shared(hashtextextended('test_coordination retention holds', 0));

-- InsertHold places a hold.
-- name: InsertHold :one
INSERT INTO test_coordination.retention_holds (execution_id, run, scenario_id, label_name, label_value, born_from, born_until, reason, placed_by, placed_at)
VALUES (sqlc.arg(execution_id), sqlc.narg(run), sqlc.arg(scenario_id), sqlc.arg(label_name), sqlc.arg(label_value), sqlc.narg(born_from), sqlc.narg(born_until),
  sqlc.arg(reason), sqlc.arg(placed_by), sqlc.arg(placed_at))
RETURNING id;

-- LiftHold ends a hold that stands.
-- name: LiftHold :execrows
UPDATE test_coordination.retention_holds SET lifted_by = sqlc.arg(lifted_by), lifted_at = sqlc.arg(lifted_at)::timestamptz, lift_reason = sqlc.arg(lift_reason)
WHERE id = sqlc.arg(id) AND lifted_at IS NULL;

-- OpenHolds are the holds that stand.
-- name: OpenHolds :many
SELECT * FROM test_coordination.retention_holds WHERE lifted_at IS NULL ORDER BY id;

-- AllHolds are those that were lifted, too.
-- name: AllHolds :many
SELECT * FROM test_coordination.retention_holds ORDER BY id;
