-- Runs as people list them, those first heard of last first. Each query goes
-- along one index, from one place in it to another: a page far in costs what the
-- first one does. The first page begins behind every run; see RunFilter.
--
-- RunsByCreation lists all runs.
-- name: RunsByCreation :many
SELECT * FROM test_coordination.executions
WHERE (created_at, execution_id, run) < (sqlc.arg(before)::timestamptz, sqlc.arg(before_id)::text, sqlc.arg(before_run)::integer) AND created_at >= sqlc.arg(since)::timestamptz
ORDER BY created_at DESC, execution_id DESC, run DESC LIMIT sqlc.arg(page);

-- RunsOfID lists the runs of an execution id, by number.
-- name: RunsOfID :many
SELECT * FROM test_coordination.executions
WHERE execution_id = sqlc.arg(execution_id) AND run < sqlc.arg(before_run) ORDER BY run DESC LIMIT sqlc.arg(page);

-- RunsOfGroup lists the runs of a group.
-- name: RunsOfGroup :many
SELECT * FROM test_coordination.executions
WHERE group_id = sqlc.arg(group_id) AND group_id <> ''
  AND (created_at, execution_id, run) < (sqlc.arg(before)::timestamptz, sqlc.arg(before_id)::text, sqlc.arg(before_run)::integer) AND created_at >= sqlc.arg(since)::timestamptz
ORDER BY created_at DESC, execution_id DESC, run DESC LIMIT sqlc.arg(page);

-- RunsOfScenario lists the runs of a scenario.
-- name: RunsOfScenario :many
SELECT * FROM test_coordination.executions
WHERE scenario_id = sqlc.arg(scenario_id)
  AND (created_at, execution_id, run) < (sqlc.arg(before)::timestamptz, sqlc.arg(before_id)::text, sqlc.arg(before_run)::integer) AND created_at >= sqlc.arg(since)::timestamptz
ORDER BY created_at DESC, execution_id DESC, run DESC LIMIT sqlc.arg(page);

-- RunsOfStatuses lists the runs of some statuses, all of which are terminal: a
-- page of each, and of those the first ones.
-- name: RunsOfStatuses :many
SELECT e.* FROM unnest(sqlc.arg(statuses)::text[]) AS w(status)
CROSS JOIN LATERAL (
  SELECT r.* FROM test_coordination.executions AS r
  WHERE r.status = w.status AND r.ended_at IS NOT NULL
    AND (r.created_at, r.execution_id, r.run) < (sqlc.arg(before)::timestamptz, sqlc.arg(before_id)::text, sqlc.arg(before_run)::integer) AND r.created_at >= sqlc.arg(since)::timestamptz
  ORDER BY r.created_at DESC, r.execution_id DESC, r.run DESC LIMIT sqlc.arg(page)) AS e
ORDER BY e.created_at DESC, e.execution_id DESC, e.run DESC LIMIT sqlc.arg(page);

-- PinnedRuns lists the runs that are kept from being pruned.
-- name: PinnedRuns :many
SELECT * FROM test_coordination.executions
WHERE pinned AND (created_at, execution_id, run) < (sqlc.arg(before)::timestamptz, sqlc.arg(before_id)::text, sqlc.arg(before_run)::integer) AND created_at >= sqlc.arg(since)::timestamptz
ORDER BY created_at DESC, execution_id DESC, run DESC LIMIT sqlc.arg(page);

-- RunWithDetails is a run and its big values, at one moment.
-- name: RunWithDetails :one
SELECT sqlc.embed(e), d.labels, d.parameters, d.configuration_snapshot, d.system_state, d.summary
FROM test_coordination.executions AS e
LEFT JOIN test_coordination.execution_details AS d ON d.execution_id = e.execution_id AND d.run = e.run
WHERE e.execution_id = sqlc.arg(execution_id) AND e.run = sqlc.arg(run);

-- RunsOfCorrelation are the runs of which an event or a validation carries a
-- correlation id: the newest of those that are found first. A run may have
-- thousands of such events, so the search jumps from one run to the next.
-- name: RunsOfCorrelation :many
WITH RECURSIVE of_events AS (
  (SELECT v.execution_id, v.run, 1 AS nth FROM test_coordination.execution_events AS v
   WHERE v.correlation_id = sqlc.arg(correlation_id) AND v.correlation_id <> '' ORDER BY v.execution_id, v.run LIMIT 1)
  UNION ALL
  SELECT n.execution_id, n.run, k.nth + 1 FROM of_events AS k
  CROSS JOIN LATERAL (
    SELECT v.execution_id, v.run FROM test_coordination.execution_events AS v
    WHERE v.correlation_id = sqlc.arg(correlation_id) AND v.correlation_id <> '' AND (v.execution_id, v.run) > (k.execution_id, k.run)
    ORDER BY v.execution_id, v.run LIMIT 1) AS n
  WHERE k.nth < sqlc.arg(most_looked)::integer
), of_validations AS (
  (SELECT v.execution_id, v.run, 1 AS nth FROM test_coordination.validation_results AS v
   WHERE v.correlation_id = sqlc.arg(correlation_id) AND v.correlation_id <> '' ORDER BY v.execution_id, v.run LIMIT 1)
  UNION ALL
  SELECT n.execution_id, n.run, k.nth + 1 FROM of_validations AS k
  CROSS JOIN LATERAL (
    SELECT v.execution_id, v.run FROM test_coordination.validation_results AS v
    WHERE v.correlation_id = sqlc.arg(correlation_id) AND v.correlation_id <> '' AND (v.execution_id, v.run) > (k.execution_id, k.run)
    ORDER BY v.execution_id, v.run LIMIT 1) AS n
  WHERE k.nth < sqlc.arg(most_looked)::integer
)
SELECT e.* FROM (
  SELECT execution_id, run FROM of_events UNION SELECT execution_id, run FROM of_validations
) AS k
CROSS JOIN LATERAL (SELECT r.* FROM test_coordination.executions AS r WHERE r.execution_id = k.execution_id AND r.run = k.run LIMIT 1) AS e
ORDER BY e.created_at DESC, e.execution_id DESC, e.run DESC LIMIT sqlc.arg(page);
