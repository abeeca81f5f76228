-- LiveSigns walks the runs that have not ended, whichever of their id, with how
-- much others have said of them.
-- name: LiveSigns :many
SELECT execution_id, run, scenario_id, scenario_version, events FROM test_coordination.executions
WHERE status IN ('pending', 'running', 'paused') AND (execution_id, run) > (sqlc.arg(after_id)::text, sqlc.arg(after_run)::integer)
ORDER BY execution_id, run LIMIT sqlc.arg(page);

-- OrphaningRuns walks the runs that have ended with faults that act on their
-- targets.
-- name: OrphaningRuns :many
SELECT e.execution_id, e.run, e.status, e.ended_at, e.faults_active, e.version, e.updated_at FROM test_coordination.executions AS e
WHERE e.faults_active > 0 AND (e.execution_id, e.run) > (sqlc.arg(after_id)::text, sqlc.arg(after_run)::integer)
  AND e.status IN ('passed', 'failed', 'error', 'cancelled', 'timeout', 'interrupted')
ORDER BY e.execution_id, e.run LIMIT sqlc.arg(page);

-- ActiveFaultsOfRun are the faults of a run that act on their targets.
-- name: ActiveFaultsOfRun :many
SELECT * FROM test_coordination.fault_injections
WHERE execution_id = sqlc.arg(execution_id) AND run = sqlc.arg(run) AND bucket = sqlc.arg(bucket) AND status IN ('injected', 'in_progress')
ORDER BY fault_id;
