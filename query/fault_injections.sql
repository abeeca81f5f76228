-- FaultsTouched loads faults before a fold.
-- name: FaultsTouched :batchmany
SELECT f.* FROM ROWS FROM (unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(runs)::integer[]), unnest(sqlc.arg(fault_ids)::text[]), unnest(sqlc.arg(buckets)::date[])) AS u(id, run, fault_id, bucket)
JOIN test_coordination.fault_injections AS f ON f.execution_id = u.id AND f.run = u.run AND f.fault_id = u.fault_id AND f.bucket = u.bucket;

-- FaultsOfRun are all faults of one run.
-- name: FaultsOfRun :many
SELECT * FROM test_coordination.fault_injections WHERE execution_id = $1 AND run = $2 AND bucket = $3 ORDER BY fault_id;

-- InsertFaults is part of S4e: faults that are not stored yet.
-- name: InsertFaults :copyfrom
INSERT INTO test_coordination.fault_injections
  (bucket, execution_id, run, fault_id, fault_type, target_service, parameters, phase, step_id, blast_radius, status, requested_at, injected_at, cleared_at,
   recovered_at, recovery_seconds, error, clear_error, injection, marks)
VALUES
  (sqlc.arg(bucket), sqlc.arg(execution_id), sqlc.arg(run), sqlc.arg(fault_id), sqlc.arg(fault_type), sqlc.arg(target_service), sqlc.narg(parameters), sqlc.arg(phase),
   sqlc.arg(step_id), sqlc.arg(blast_radius), sqlc.arg(status), sqlc.narg(requested_at), sqlc.narg(injected_at), sqlc.narg(cleared_at), sqlc.narg(recovered_at),
   sqlc.narg(recovery_seconds), sqlc.arg(error), sqlc.arg(clear_error), sqlc.narg(injection), sqlc.arg(marks));

-- SaveFault is part of S4e: one that is stored. Its parameters are those of
-- InsertFaults.
-- name: SaveFault :batchexec
INSERT INTO test_coordination.fault_injections
  (bucket, execution_id, run, fault_id, fault_type, target_service, parameters, phase, step_id, blast_radius, status, requested_at, injected_at, cleared_at,
   recovered_at, recovery_seconds, error, clear_error, injection, marks)
VALUES
  (sqlc.arg(bucket), sqlc.arg(execution_id), sqlc.arg(run), sqlc.arg(fault_id), sqlc.arg(fault_type), sqlc.arg(target_service), sqlc.narg(parameters), sqlc.arg(phase),
   sqlc.arg(step_id), sqlc.arg(blast_radius), sqlc.arg(status), sqlc.narg(requested_at), sqlc.narg(injected_at), sqlc.narg(cleared_at), sqlc.narg(recovered_at),
   sqlc.narg(recovery_seconds), sqlc.arg(error), sqlc.arg(clear_error), sqlc.narg(injection), sqlc.arg(marks))
ON CONFLICT (execution_id, run, fault_id, bucket) DO UPDATE SET
  fault_type = excluded.fault_type, target_service = excluded.target_service, parameters = excluded.parameters, phase = excluded.phase, step_id = excluded.step_id,
  blast_radius = excluded.blast_radius, status = excluded.status, requested_at = excluded.requested_at, injected_at = excluded.injected_at,
  cleared_at = excluded.cleared_at, recovered_at = excluded.recovered_at, recovery_seconds = excluded.recovery_seconds, error = excluded.error,
  clear_error = excluded.clear_error, injection = excluded.injection, marks = excluded.marks;
