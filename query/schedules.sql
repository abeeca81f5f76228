-- SchedulesByID loads schedules.
-- name: SchedulesByID :many
SELECT * FROM test_coordination.schedules WHERE schedule_id = ANY (sqlc.arg(ids)::text[]);

-- SaveSchedule is part of S4e.
-- name: SaveSchedule :batchexec
INSERT INTO test_coordination.schedules AS s
  (schedule_id, version, removed, scenario_id, kind, cron, time_zone, run_at, after_scenario_id, event_type, enabled, concurrency_policy,
   starting_deadline_seconds, not_before, not_after, parameters, created_at, updated_at, marks, changed_at)
VALUES
  (sqlc.arg(schedule_id), 1, sqlc.arg(removed), sqlc.arg(scenario_id), sqlc.narg(kind), sqlc.arg(cron), sqlc.arg(time_zone), sqlc.narg(run_at), sqlc.arg(after_scenario_id), sqlc.arg(event_type), sqlc.narg(enabled), sqlc.narg(concurrency_policy),
   sqlc.narg(starting_deadline_seconds), sqlc.narg(not_before), sqlc.narg(not_after), sqlc.narg(parameters), sqlc.arg(created_at), sqlc.arg(updated_at), sqlc.arg(marks), sqlc.arg(changed_at))
ON CONFLICT (schedule_id) DO UPDATE SET
  version = s.version + 1, removed = excluded.removed, scenario_id = excluded.scenario_id, kind = excluded.kind, cron = excluded.cron,
  time_zone = excluded.time_zone, run_at = excluded.run_at, after_scenario_id = excluded.after_scenario_id, event_type = excluded.event_type,
  enabled = excluded.enabled, concurrency_policy = excluded.concurrency_policy, starting_deadline_seconds = excluded.starting_deadline_seconds,
  not_before = excluded.not_before, not_after = excluded.not_after, parameters = excluded.parameters,
  created_at = excluded.created_at, updated_at = excluded.updated_at, marks = excluded.marks, changed_at = excluded.changed_at;

-- SchedulesPage walks all schedules by id, tombstones left out.
-- name: SchedulesPage :many
SELECT * FROM test_coordination.schedules WHERE schedule_id > sqlc.arg(after)::text AND NOT removed ORDER BY schedule_id LIMIT sqlc.arg(page);

-- SchedulesOfScenario walks the schedules of one scenario by id, tombstones left
-- out.
-- name: SchedulesOfScenario :many
SELECT * FROM test_coordination.schedules WHERE scenario_id = sqlc.arg(scenario_id) AND schedule_id > sqlc.arg(after)::text AND NOT removed
ORDER BY schedule_id LIMIT sqlc.arg(page);

-- WatchedTriggers are what schedules wait for: the types of events, and the
-- scenarios one of whose runs has to pass. Asked at the beginning of each batch,
-- among its first statements; mostly there are none.
-- name: WatchedTriggers :batchmany
SELECT kind::text AS kind, event_type AS source FROM test_coordination.schedules WHERE kind = 'event' AND NOT removed AND event_type >= sqlc.arg(least)::text
UNION SELECT kind::text, after_scenario_id FROM test_coordination.schedules WHERE kind = 'after_scenario' AND NOT removed AND after_scenario_id >= sqlc.arg(least)::text;

-- SchedulesWaiting are the schedules that wait for one of these.
-- name: SchedulesWaiting :many
SELECT * FROM test_coordination.schedules WHERE kind = 'event' AND NOT removed AND event_type = ANY (sqlc.arg(event_types)::text[])
UNION ALL
SELECT * FROM test_coordination.schedules WHERE kind = 'after_scenario' AND NOT removed AND after_scenario_id = ANY (sqlc.arg(scenarios)::text[]);
