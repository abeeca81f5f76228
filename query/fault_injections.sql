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

-- FaultsPage is a page of the faults of a run.
-- name: FaultsPage :many
SELECT * FROM test_coordination.fault_injections
WHERE execution_id = sqlc.arg(execution_id) AND run = sqlc.arg(run) AND bucket = sqlc.arg(bucket) AND fault_id > sqlc.arg(after)
ORDER BY fault_id LIMIT sqlc.arg(page);

-- ActiveFaults walks the faults that act on their targets, run by run, those of
-- ended runs included. The limit within keeps the plan from joining whole tables.
-- name: ActiveFaults :many
SELECT e.execution_id, e.run, e.status AS execution_status, e.scenario_id, e.environment,
  f.fault_id, f.fault_type, f.target_service, f.parameters, f.phase, f.step_id, f.blast_radius, f.fault_status, f.requested_at, f.injected_at, f.cleared_at, f.recovered_at,
  f.recovery_seconds, f.error, f.clear_error
FROM test_coordination.executions AS e
CROSS JOIN LATERAL (
  SELECT i.fault_id, i.fault_type, i.target_service, i.parameters, i.phase, i.step_id, i.blast_radius, i.status AS fault_status, i.requested_at, i.injected_at, i.cleared_at, i.recovered_at,
    i.recovery_seconds, i.error, i.clear_error
  FROM test_coordination.fault_injections AS i
  WHERE i.execution_id = e.execution_id AND i.run = e.run AND i.bucket = e.bucket AND i.status IN ('injected', 'in_progress')
    AND (i.execution_id, i.run, i.fault_id) > (sqlc.arg(after_id)::text, sqlc.arg(after_run)::integer, sqlc.arg(after_fault)::text)
  ORDER BY i.fault_id LIMIT sqlc.arg(page)) AS f
WHERE e.faults_active > 0 AND (e.execution_id, e.run) >= (sqlc.arg(after_id)::text, sqlc.arg(after_run)::integer)
ORDER BY e.execution_id, e.run, f.fault_id LIMIT sqlc.arg(page);
