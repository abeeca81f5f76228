-- DeleteExecutionEventsOfRuns removes what execution_events has of runs.
-- name: DeleteExecutionEventsOfRuns :execrows
DELETE FROM test_coordination.execution_events AS t
USING ROWS FROM (unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(runs)::integer[]), unnest(sqlc.arg(buckets)::date[])) AS u(id, run, bucket)
WHERE t.execution_id = u.id AND t.run = u.run AND t.bucket = u.bucket;

-- DeleteExecutionAnnotationsOfRuns removes what execution_annotations has of runs.
-- name: DeleteExecutionAnnotationsOfRuns :execrows
DELETE FROM test_coordination.execution_annotations AS t
USING ROWS FROM (unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(runs)::integer[]), unnest(sqlc.arg(buckets)::date[])) AS u(id, run, bucket)
WHERE t.execution_id = u.id AND t.run = u.run AND t.bucket = u.bucket;

-- DeleteExecutionLogsOfRuns removes what execution_logs has of runs.
-- name: DeleteExecutionLogsOfRuns :execrows
DELETE FROM test_coordination.execution_logs AS t
USING ROWS FROM (unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(runs)::integer[]), unnest(sqlc.arg(buckets)::date[])) AS u(id, run, bucket)
WHERE t.execution_id = u.id AND t.run = u.run AND t.bucket = u.bucket;

-- DeleteSystemSnapshotsOfRuns removes what system_snapshots has of runs.
-- name: DeleteSystemSnapshotsOfRuns :execrows
DELETE FROM test_coordination.system_snapshots AS t
USING ROWS FROM (unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(runs)::integer[]), unnest(sqlc.arg(buckets)::date[])) AS u(id, run, bucket)
WHERE t.execution_id = u.id AND t.run = u.run AND t.bucket = u.bucket;

-- DeleteExecutionPhasesOfRuns removes what execution_phases has of runs.
-- name: DeleteExecutionPhasesOfRuns :execrows
DELETE FROM test_coordination.execution_phases AS t
USING ROWS FROM (unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(runs)::integer[]), unnest(sqlc.arg(buckets)::date[])) AS u(id, run, bucket)
WHERE t.execution_id = u.id AND t.run = u.run AND t.bucket = u.bucket;

-- DeleteExecutionStepsOfRuns removes what execution_steps has of runs.
-- name: DeleteExecutionStepsOfRuns :execrows
DELETE FROM test_coordination.execution_steps AS t
USING ROWS FROM (unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(runs)::integer[]), unnest(sqlc.arg(buckets)::date[])) AS u(id, run, bucket)
WHERE t.execution_id = u.id AND t.run = u.run AND t.bucket = u.bucket;

-- DeleteFaultInjectionsOfRuns removes what fault_injections has of runs.
-- name: DeleteFaultInjectionsOfRuns :execrows
DELETE FROM test_coordination.fault_injections AS t
USING ROWS FROM (unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(runs)::integer[]), unnest(sqlc.arg(buckets)::date[])) AS u(id, run, bucket)
WHERE t.execution_id = u.id AND t.run = u.run AND t.bucket = u.bucket;

-- DeleteValidationResultsOfRuns removes what validation_results has of runs.
-- name: DeleteValidationResultsOfRuns :execrows
DELETE FROM test_coordination.validation_results AS t
USING ROWS FROM (unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(runs)::integer[]), unnest(sqlc.arg(buckets)::date[])) AS u(id, run, bucket)
WHERE t.execution_id = u.id AND t.run = u.run AND t.bucket = u.bucket;

-- DeleteReportsOfRuns removes what reports has of runs.
-- name: DeleteReportsOfRuns :execrows
DELETE FROM test_coordination.reports AS t
USING ROWS FROM (unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(runs)::integer[]), unnest(sqlc.arg(buckets)::date[])) AS u(id, run, bucket)
WHERE t.execution_id = u.id AND t.run = u.run AND t.bucket = u.bucket;
