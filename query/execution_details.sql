-- SaveDetails writes the big values that the fold has set and keeps the others.
-- name: SaveDetails :batchexec
INSERT INTO test_coordination.execution_details AS d (execution_id, run, labels, parameters, configuration_snapshot, system_state, summary)
VALUES (sqlc.arg(execution_id), sqlc.arg(run), sqlc.narg(labels), sqlc.narg(parameters), sqlc.narg(configuration_snapshot), sqlc.narg(system_state), sqlc.narg(summary))
ON CONFLICT (execution_id, run) DO UPDATE SET
  labels = CASE WHEN sqlc.arg(set_labels)::boolean THEN excluded.labels ELSE d.labels END,
  parameters = CASE WHEN sqlc.arg(set_parameters)::boolean THEN excluded.parameters ELSE d.parameters END,
  configuration_snapshot = CASE WHEN sqlc.arg(set_configuration_snapshot)::boolean THEN excluded.configuration_snapshot ELSE d.configuration_snapshot END,
  system_state = CASE WHEN sqlc.arg(set_system_state)::boolean THEN excluded.system_state ELSE d.system_state END,
  summary = CASE WHEN sqlc.arg(set_summary)::boolean THEN excluded.summary ELSE d.summary END;

-- Details are the big values of one run.
-- name: Details :one
SELECT * FROM test_coordination.execution_details WHERE execution_id = $1 AND run = $2;
