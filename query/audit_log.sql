-- InsertAudit notes what an operator did, in the transaction that does it.
-- name: InsertAudit :exec
INSERT INTO test_coordination.audit_log (at, actor, action, subject, reason, details, request_id)
VALUES (sqlc.arg(at), sqlc.arg(actor), sqlc.arg(action), sqlc.arg(subject), sqlc.arg(reason), sqlc.narg(details), sqlc.arg(request_id));

-- AuditPage lists what was done, newest first.
-- name: AuditPage :many
SELECT * FROM test_coordination.audit_log WHERE id < sqlc.arg(before_id) ORDER BY id DESC LIMIT sqlc.arg(page);

-- AuditPageByActor lists what somebody did.
-- name: AuditPageByActor :many
SELECT * FROM test_coordination.audit_log WHERE actor = sqlc.arg(actor) AND id < sqlc.arg(before_id) ORDER BY id DESC LIMIT sqlc.arg(page);

-- AuditPageBySubject lists what was done to something.
-- name: AuditPageBySubject :many
SELECT * FROM test_coordination.audit_log WHERE subject = sqlc.arg(subject) AND id < sqlc.arg(before_id) ORDER BY id DESC LIMIT sqlc.arg(page);
