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

-- SaveFaults is part of S4e: those that are stored. The zero time, NaN and the empty word stand for NULL.
-- name: SaveFaults :exec
INSERT INTO test_coordination.fault_injections
  (bucket, execution_id, run, fault_id, fault_type, target_service, parameters, phase, step_id, blast_radius, status,
   requested_at, injected_at, cleared_at, recovered_at, recovery_seconds, error, clear_error, injection, marks)
SELECT u.bucket, u.id, u.run, u.fault_id, u.fault_type, u.target_service, u.parameters, u.phase, u.step_id, u.blast_radius, u.status,
  NULLIF(u.requested_at, '0001-01-01 00:00:00+00'), NULLIF(u.injected_at, '0001-01-01 00:00:00+00'), NULLIF(u.cleared_at, '0001-01-01 00:00:00+00'),
  NULLIF(u.recovered_at, '0001-01-01 00:00:00+00'), NULLIF(u.recovery, 'NaN'), u.error, u.clear_error, NULLIF(u.injection, ''), u.marks
FROM ROWS FROM (
  unnest(sqlc.arg(buckets)::date[]), unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(runs)::integer[]), unnest(sqlc.arg(fault_ids)::text[]),
  unnest(sqlc.arg(fault_types)::text[]), unnest(sqlc.arg(target_services)::text[]), unnest(sqlc.arg(parameters)::jsonb[]), unnest(sqlc.arg(phases)::text[]),
  unnest(sqlc.arg(step_ids)::text[]), unnest(sqlc.arg(blast_radii)::text[]), unnest(sqlc.arg(statuses)::text[]), unnest(sqlc.arg(requested)::timestamptz[]),
  unnest(sqlc.arg(injected)::timestamptz[]), unnest(sqlc.arg(cleared)::timestamptz[]), unnest(sqlc.arg(recovered)::timestamptz[]), unnest(sqlc.arg(recoveries)::double precision[]),
  unnest(sqlc.arg(errors)::text[]), unnest(sqlc.arg(clear_errors)::text[]), unnest(sqlc.arg(injections)::text[]), unnest(sqlc.arg(marks)::bytea[])
) AS u(bucket, id, run, fault_id, fault_type, target_service, parameters, phase, step_id, blast_radius, status,
   requested_at, injected_at, cleared_at, recovered_at, recovery, error, clear_error, injection, marks)
ON CONFLICT (execution_id, run, fault_id, bucket) DO UPDATE SET
  fault_type = excluded.fault_type, target_service = excluded.target_service, parameters = excluded.parameters, phase = excluded.phase,
  step_id = excluded.step_id, blast_radius = excluded.blast_radius, status = excluded.status, requested_at = excluded.requested_at,
  injected_at = excluded.injected_at, cleared_at = excluded.cleared_at, recovered_at = excluded.recovered_at,
  recovery_seconds = excluded.recovery_seconds, error = excluded.error, clear_error = excluded.clear_error, injection = excluded.injection, marks = excluded.marks;
