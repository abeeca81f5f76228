-- InsertDetails writes the big values of runs that are new.
-- name: InsertDetails :copyfrom
INSERT INTO test_coordination.execution_details (execution_id, run, labels, parameters, configuration_snapshot, system_state, summary)
VALUES (sqlc.arg(execution_id), sqlc.arg(run), sqlc.narg(labels), sqlc.narg(parameters), sqlc.narg(configuration_snapshot), sqlc.narg(system_state), sqlc.narg(summary));

-- SaveDetails writes the big values that the fold has set and keeps the others,
-- which are NULL here.
-- name: SaveDetails :exec
INSERT INTO test_coordination.execution_details AS d (execution_id, run, labels, parameters, configuration_snapshot, system_state, summary)
SELECT u.id, u.run, u.labels, u.parameters, u.configuration_snapshot, u.system_state, u.summary
FROM ROWS FROM (
  unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(runs)::integer[]), unnest(sqlc.arg(labels)::jsonb[]), unnest(sqlc.arg(parameters)::jsonb[]),
  unnest(sqlc.arg(configuration_snapshots)::jsonb[]), unnest(sqlc.arg(system_states)::jsonb[]), unnest(sqlc.arg(summaries)::jsonb[])
) AS u(id, run, labels, parameters, configuration_snapshot, system_state, summary)
ON CONFLICT (execution_id, run) DO UPDATE SET
  labels = coalesce(excluded.labels, d.labels), parameters = coalesce(excluded.parameters, d.parameters),
  configuration_snapshot = coalesce(excluded.configuration_snapshot, d.configuration_snapshot),
  system_state = coalesce(excluded.system_state, d.system_state), summary = coalesce(excluded.summary, d.summary);

-- ClearSummaries takes summaries back: an earlier end had none.
-- name: ClearSummaries :exec
UPDATE test_coordination.execution_details AS d SET summary = NULL
FROM ROWS FROM (unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(runs)::integer[])) AS u(id, run)
WHERE d.execution_id = u.id AND d.run = u.run AND d.summary IS NOT NULL;

-- Details are the big values of one run.
-- name: Details :one
SELECT * FROM test_coordination.execution_details WHERE execution_id = $1 AND run = $2;
