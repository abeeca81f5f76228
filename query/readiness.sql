-- LatestEndedRuns are the runs that ended last: of each of the scenarios and of
-- each of the statuses, in whatever environment.
-- name: LatestEndedRuns :many
SELECT e.execution_id, e.run, e.scenario_id, e.environment, e.status, e.ended_at
FROM unnest(sqlc.arg(scenarios)::text[]) AS s(id)
CROSS JOIN unnest(sqlc.arg(statuses)::text[]) AS w(status)
CROSS JOIN LATERAL (
  SELECT r.execution_id, r.run, r.scenario_id, r.environment, r.status, r.ended_at::timestamptz AS ended_at FROM test_coordination.executions AS r
  WHERE r.scenario_id = s.id AND r.status = w.status AND r.ended_at IS NOT NULL ORDER BY r.ended_at DESC LIMIT 1) AS e;

-- LatestEndedRunsIn is the same, of each of the environments.
-- name: LatestEndedRunsIn :many
SELECT e.execution_id, e.run, e.scenario_id, e.environment, e.status, e.ended_at
FROM unnest(sqlc.arg(scenarios)::text[]) AS s(id)
CROSS JOIN unnest(sqlc.arg(statuses)::text[]) AS w(status)
CROSS JOIN unnest(sqlc.arg(environments)::text[]) AS v(environment)
CROSS JOIN LATERAL (
  SELECT r.execution_id, r.run, r.scenario_id, r.environment, r.status, r.ended_at::timestamptz AS ended_at FROM test_coordination.executions AS r
  WHERE r.scenario_id = s.id AND r.environment = v.environment AND r.status = w.status AND r.ended_at IS NOT NULL ORDER BY r.ended_at DESC LIMIT 1) AS e;

-- ActiveRunsOf are the runs of the scenarios that have not ended, also where a
-- newer one of its id has begun: both go on. Terminal runs are those with an
-- end: said so, and not by their status, the statement does not take LiveRuns'
-- index, nor LiveRuns this one's.
-- name: ActiveRunsOf :many
SELECT e.execution_id, e.run, e.scenario_id, e.environment, e.started_at, e.requested_at, e.created_at
FROM unnest(sqlc.arg(scenarios)::text[]) AS s(id)
CROSS JOIN LATERAL (
  SELECT r.execution_id, r.run, r.scenario_id, r.environment, r.started_at, r.requested_at, r.created_at FROM test_coordination.executions AS r
  WHERE r.scenario_id = s.id AND r.ended_at IS NULL
  ORDER BY r.execution_id, r.run) AS e;
