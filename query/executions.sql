-- LatestRuns are the runs with the highest number of the given ids.
-- name: LatestRuns :batchmany
SELECT e.* FROM test_coordination.execution_ids AS i
JOIN test_coordination.executions AS e ON e.execution_id = i.execution_id AND e.run = i.latest_run
WHERE i.execution_id = ANY (sqlc.arg(ids)::text[]);

-- RunsByRunID are the runs that producers named.
-- name: RunsByRunID :many
SELECT e.* FROM ROWS FROM (unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(run_ids)::text[])) AS u(id, run_id)
JOIN test_coordination.executions AS e ON e.execution_id = u.id AND e.run_id = u.run_id;

-- RunByNumber is one run.
-- name: RunByNumber :one
SELECT * FROM test_coordination.executions WHERE execution_id = $1 AND run = $2;

-- RunsPage walks all runs by key, with their rows.
-- name: RunsPage :many
SELECT * FROM test_coordination.executions
WHERE (execution_id, run) > (sqlc.arg(after_id)::text, sqlc.arg(after_run)::integer)
ORDER BY execution_id, run LIMIT sqlc.arg(page);

-- RunKeys walks all runs by key, for verification.
-- name: RunKeys :many
SELECT execution_id, run FROM test_coordination.executions
WHERE (execution_id, run) > (sqlc.arg(after_id)::text, sqlc.arg(after_run)::integer)
ORDER BY execution_id, run LIMIT sqlc.arg(page);

-- LiveRuns walks the runs that have not ended, each the latest of its id: an
-- older one may have died without a word. A join or an equality would say the
-- same, but the planner then expects hardly any row, and reads and sorts all
-- there are, or whole tables, instead of going along the index for one page.
-- name: LiveRuns :many
SELECT e.* FROM test_coordination.executions AS e
WHERE e.status IN ('pending', 'running', 'paused') AND (e.execution_id, e.run) > (sqlc.arg(after_id)::text, sqlc.arg(after_run)::integer)
  AND e.run >= (SELECT i.latest_run FROM test_coordination.execution_ids AS i WHERE i.execution_id = e.execution_id)
ORDER BY e.execution_id, e.run LIMIT sqlc.arg(page);

-- SettledRuns walks the runs that changed at or after their end since a moment,
-- each the latest of its id; the condition is that of LiveRuns.
-- name: SettledRuns :many
SELECT e.* FROM test_coordination.executions AS e
WHERE e.settled_change_at IS NOT NULL AND (e.settled_change_at, e.execution_id, e.run) > (sqlc.arg(since)::timestamptz, sqlc.arg(after_id)::text, sqlc.arg(after_run)::integer)
  AND e.run >= (SELECT i.latest_run FROM test_coordination.execution_ids AS i WHERE i.execution_id = e.execution_id)
ORDER BY e.settled_change_at, e.execution_id, e.run LIMIT sqlc.arg(page);

-- SettledRunsUpTo walks all runs that changed at or after their end, behind a
-- place in that order and up to a moment.
-- name: SettledRunsUpTo :many
SELECT * FROM test_coordination.executions
WHERE settled_change_at IS NOT NULL AND settled_change_at <= sqlc.arg(up_to)::timestamptz
  AND (settled_change_at, execution_id, run) > (sqlc.arg(since)::timestamptz, sqlc.arg(after_id)::text, sqlc.arg(after_run)::integer)
ORDER BY settled_change_at, execution_id, run LIMIT sqlc.arg(page);

-- RunsByStatus counts, for people: it reads the whole table.
-- name: RunsByStatus :many
SELECT status, count(*)::bigint AS runs FROM test_coordination.executions GROUP BY status ORDER BY status;

-- InsertRuns is part of S4e: runs that an event has opened, under the lock of
-- their id.
-- name: InsertRuns :copyfrom
INSERT INTO test_coordination.executions
  (execution_id, run, bucket, version, run_id, status, reported_outcome, scenario_id, scenario_version, environment, coordinator_id, start_source,
   trigger_type, trigger_actor, trigger_uri, group_id, attempt, dry_run, requested_at, started_at, ended_at, deadline, last_event_at, last_heartbeat_at,
   progress, message, current_phase, pause_reason, exit_code, error_message, lifecycle, interrupt_cause, interrupt_events, interrupted_at, superseded_by,
   events, own_events, log_lines, snapshots, phases_total, steps_total, steps_failed, faults_total, faults_active,
   validations_passed, validations_failed, validations_skipped, validations_error, end_order, marks, created_at, updated_at, settled_change_at, cancel_requested_at, pinned)
VALUES
  (sqlc.arg(execution_id), sqlc.arg(run), sqlc.arg(bucket), sqlc.arg(version), sqlc.narg(run_id), sqlc.arg(status), sqlc.arg(reported_outcome), sqlc.arg(scenario_id), sqlc.arg(scenario_version), sqlc.arg(environment), sqlc.arg(coordinator_id), sqlc.arg(start_source),
   sqlc.arg(trigger_type), sqlc.arg(trigger_actor), sqlc.arg(trigger_uri), sqlc.arg(group_id), sqlc.narg(attempt), sqlc.narg(dry_run), sqlc.narg(requested_at), sqlc.narg(started_at), sqlc.narg(ended_at), sqlc.narg(deadline), sqlc.narg(last_event_at), sqlc.narg(last_heartbeat_at),
   sqlc.narg(progress), sqlc.arg(message), sqlc.arg(current_phase), sqlc.arg(pause_reason), sqlc.narg(exit_code), sqlc.arg(error_message), sqlc.arg(lifecycle), sqlc.arg(interrupt_cause), sqlc.narg(interrupt_events), sqlc.narg(interrupted_at), sqlc.narg(superseded_by),
   sqlc.arg(events), sqlc.arg(own_events), sqlc.arg(log_lines), sqlc.arg(snapshots), sqlc.arg(phases_total), sqlc.arg(steps_total), sqlc.arg(steps_failed), sqlc.arg(faults_total), sqlc.arg(faults_active),
   sqlc.arg(validations_passed), sqlc.arg(validations_failed), sqlc.arg(validations_skipped), sqlc.arg(validations_error), sqlc.narg(end_order), sqlc.arg(marks), sqlc.arg(created_at), sqlc.arg(updated_at), sqlc.narg(settled_change_at), sqlc.narg(cancel_requested_at), sqlc.arg(pinned));

-- SaveProgress is part of S4e: runs of which nothing has changed but what each
-- heartbeat, log line or step changes. They are by far the most, and all of a
-- batch go in one statement. The zero time and NaN stand for NULL.
-- name: SaveProgress :exec
UPDATE test_coordination.executions AS e SET
  version = u.version, last_event_at = NULLIF(u.last_event_at, '0001-01-01 00:00:00+00'), last_heartbeat_at = NULLIF(u.last_heartbeat_at, '0001-01-01 00:00:00+00'),
  progress = NULLIF(u.progress, 'NaN'), message = u.message, current_phase = u.current_phase,
  events = u.events, log_lines = u.log_lines, snapshots = u.snapshots, phases_total = u.phases_total, steps_total = u.steps_total, steps_failed = u.steps_failed,
  faults_total = u.faults_total, faults_active = u.faults_active, validations_passed = u.validations_passed, validations_failed = u.validations_failed,
  validations_skipped = u.validations_skipped, validations_error = u.validations_error, marks = u.marks, updated_at = sqlc.arg(now)
FROM ROWS FROM (
  unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(runs)::integer[]), unnest(sqlc.arg(versions)::bigint[]),
  unnest(sqlc.arg(last_events)::timestamptz[]), unnest(sqlc.arg(last_heartbeats)::timestamptz[]), unnest(sqlc.arg(progress)::double precision[]),
  unnest(sqlc.arg(messages)::text[]), unnest(sqlc.arg(current_phases)::text[]), unnest(sqlc.arg(events)::bigint[]), unnest(sqlc.arg(log_lines)::bigint[]),
  unnest(sqlc.arg(snapshots)::integer[]), unnest(sqlc.arg(phases_total)::integer[]), unnest(sqlc.arg(steps_total)::integer[]), unnest(sqlc.arg(steps_failed)::integer[]),
  unnest(sqlc.arg(faults_total)::integer[]), unnest(sqlc.arg(faults_active)::integer[]), unnest(sqlc.arg(validations_passed)::integer[]), unnest(sqlc.arg(validations_failed)::integer[]),
  unnest(sqlc.arg(validations_skipped)::integer[]), unnest(sqlc.arg(validations_error)::integer[]), unnest(sqlc.arg(marks)::bytea[])
) AS u(id, run, version, last_event_at, last_heartbeat_at, progress, message, current_phase, events, log_lines, snapshots, phases_total, steps_total, steps_failed,
  faults_total, faults_active, validations_passed, validations_failed, validations_skipped, validations_error, marks)
WHERE e.execution_id = u.id AND e.run = u.run;

-- SaveRun is part of S4e: any other change of a run. Its parameters are those
-- of InsertRuns.
-- name: SaveRun :batchexec
INSERT INTO test_coordination.executions
  (execution_id, run, bucket, version, run_id, status, reported_outcome, scenario_id, scenario_version, environment, coordinator_id, start_source,
   trigger_type, trigger_actor, trigger_uri, group_id, attempt, dry_run, requested_at, started_at, ended_at, deadline, last_event_at, last_heartbeat_at,
   progress, message, current_phase, pause_reason, exit_code, error_message, lifecycle, interrupt_cause, interrupt_events, interrupted_at, superseded_by,
   events, own_events, log_lines, snapshots, phases_total, steps_total, steps_failed, faults_total, faults_active,
   validations_passed, validations_failed, validations_skipped, validations_error, end_order, marks, created_at, updated_at, settled_change_at, cancel_requested_at, pinned)
VALUES
  (sqlc.arg(execution_id), sqlc.arg(run), sqlc.arg(bucket), sqlc.arg(version), sqlc.narg(run_id), sqlc.arg(status), sqlc.arg(reported_outcome), sqlc.arg(scenario_id), sqlc.arg(scenario_version), sqlc.arg(environment), sqlc.arg(coordinator_id), sqlc.arg(start_source),
   sqlc.arg(trigger_type), sqlc.arg(trigger_actor), sqlc.arg(trigger_uri), sqlc.arg(group_id), sqlc.narg(attempt), sqlc.narg(dry_run), sqlc.narg(requested_at), sqlc.narg(started_at), sqlc.narg(ended_at), sqlc.narg(deadline), sqlc.narg(last_event_at), sqlc.narg(last_heartbeat_at),
   sqlc.narg(progress), sqlc.arg(message), sqlc.arg(current_phase), sqlc.arg(pause_reason), sqlc.narg(exit_code), sqlc.arg(error_message), sqlc.arg(lifecycle), sqlc.arg(interrupt_cause), sqlc.narg(interrupt_events), sqlc.narg(interrupted_at), sqlc.narg(superseded_by),
   sqlc.arg(events), sqlc.arg(own_events), sqlc.arg(log_lines), sqlc.arg(snapshots), sqlc.arg(phases_total), sqlc.arg(steps_total), sqlc.arg(steps_failed), sqlc.arg(faults_total), sqlc.arg(faults_active),
   sqlc.arg(validations_passed), sqlc.arg(validations_failed), sqlc.arg(validations_skipped), sqlc.arg(validations_error), sqlc.narg(end_order), sqlc.arg(marks), sqlc.arg(created_at), sqlc.arg(updated_at), sqlc.narg(settled_change_at), sqlc.narg(cancel_requested_at), sqlc.arg(pinned))
ON CONFLICT (execution_id, run) DO UPDATE SET
  version = excluded.version, status = excluded.status, reported_outcome = excluded.reported_outcome,
  scenario_id = excluded.scenario_id, scenario_version = excluded.scenario_version, environment = excluded.environment,
  coordinator_id = excluded.coordinator_id, start_source = excluded.start_source,
  trigger_type = excluded.trigger_type, trigger_actor = excluded.trigger_actor, trigger_uri = excluded.trigger_uri,
  group_id = excluded.group_id, attempt = excluded.attempt, dry_run = excluded.dry_run,
  requested_at = excluded.requested_at, started_at = excluded.started_at, ended_at = excluded.ended_at, deadline = excluded.deadline,
  last_event_at = excluded.last_event_at, last_heartbeat_at = excluded.last_heartbeat_at,
  progress = excluded.progress, message = excluded.message, current_phase = excluded.current_phase, pause_reason = excluded.pause_reason,
  exit_code = excluded.exit_code, error_message = excluded.error_message, lifecycle = excluded.lifecycle,
  interrupt_cause = excluded.interrupt_cause, interrupt_events = excluded.interrupt_events, interrupted_at = excluded.interrupted_at, superseded_by = excluded.superseded_by,
  events = excluded.events, own_events = excluded.own_events, log_lines = excluded.log_lines, snapshots = excluded.snapshots,
  phases_total = excluded.phases_total, steps_total = excluded.steps_total, steps_failed = excluded.steps_failed,
  faults_total = excluded.faults_total, faults_active = excluded.faults_active,
  validations_passed = excluded.validations_passed, validations_failed = excluded.validations_failed,
  validations_skipped = excluded.validations_skipped, validations_error = excluded.validations_error,
  end_order = excluded.end_order, marks = excluded.marks, updated_at = excluded.updated_at, settled_change_at = excluded.settled_change_at,
  cancel_requested_at = excluded.cancel_requested_at, pinned = excluded.pinned;

-- RunsWatched are the latest runs of the given ids, and the timeline that all of
-- them are of; 0 on a standby, whose rows may be old.
-- name: RunsWatched :many
SELECT sqlc.embed(e), (SELECT CASE WHEN pg_is_in_recovery() THEN '00000000' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END)::text AS timeline_hex
FROM test_coordination.execution_ids AS i
JOIN test_coordination.executions AS e ON e.execution_id = i.execution_id AND e.run = i.latest_run
WHERE i.execution_id = ANY (sqlc.arg(ids)::text[]);

-- LoggedRun is what a follower of a run's lines asks of the run: lines with an
-- arrival up to that of its latest event number exactly log_lines.
-- name: LoggedRun :one
SELECT bucket, status, (events + own_events)::bigint AS arrival, log_lines, updated_at FROM test_coordination.executions WHERE execution_id = $1 AND run = $2;
