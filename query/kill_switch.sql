-- LockRequests serialises the requests for runs until the end of the
-- transaction, and the kill switch with them: two that exclude each other must
-- not both find that they may run.
-- name: LockRequests :exec
SELECT pg_advisory_xact_lock(hashtextextended('tcda:requests', 0));

-- KillSwitch is the switch, if anybody ever touched it.
-- name: KillSwitch :one
SELECT engaged, reason, changed_by, changed_at FROM test_coordination.kill_switch WHERE singleton;

-- SetKillSwitch changes it, under LockRequests.
-- name: SetKillSwitch :exec
INSERT INTO test_coordination.kill_switch AS k (engaged, reason, changed_by, changed_at)
VALUES (sqlc.arg(engaged), sqlc.arg(reason), sqlc.arg(changed_by), sqlc.arg(changed_at))
ON CONFLICT (singleton) DO UPDATE SET engaged = excluded.engaged, reason = excluded.reason, changed_by = excluded.changed_by, changed_at = excluded.changed_at;
