-- DependencyEdges is the whole graph: what a new declaration is checked
-- against, under the lock of all definitions. Its size is limited.
-- name: DependencyEdges :many
SELECT * FROM test_coordination.scenario_dependencies ORDER BY scenario_id, depends_on, kind;

-- DependenciesOf are the dependencies of the given scenarios.
-- name: DependenciesOf :many
SELECT * FROM test_coordination.scenario_dependencies WHERE scenario_id = ANY (sqlc.arg(ids)::text[]) ORDER BY scenario_id, depends_on, kind;

-- DeleteDependencies makes room for a new declaration.
-- name: DeleteDependencies :exec
DELETE FROM test_coordination.scenario_dependencies WHERE scenario_id = ANY (sqlc.arg(ids)::text[]);

-- InsertDependencies is part of S4e. NaN stands for NULL.
-- name: InsertDependencies :exec
INSERT INTO test_coordination.scenario_dependencies (scenario_id, depends_on, kind, max_age_seconds)
SELECT u.id, u.depends_on, u.kind, NULLIF(u.max_age, 'NaN')
FROM ROWS FROM (unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(depends_on)::text[]), unnest(sqlc.arg(kinds)::text[]), unnest(sqlc.arg(max_ages)::double precision[])) AS u(id, depends_on, kind, max_age);

-- DependenciesAbout are the dependencies that a scenario has declared, and those
-- of others on it.
-- name: DependenciesAbout :many
SELECT d.* FROM test_coordination.scenario_dependencies AS d WHERE d.scenario_id = sqlc.arg(scenario_id)
UNION ALL
SELECT d.* FROM test_coordination.scenario_dependencies AS d WHERE d.depends_on = sqlc.arg(scenario_id);
