-- What reports and evidence are made from, beside the run, its timeline and its log
-- lines.
--
-- SnapshotOfEvent is the big JSON of the snapshot that an event of a run brought.
-- name: SnapshotOfEvent :one
SELECT state, metrics FROM test_coordination.system_snapshots
WHERE execution_id = sqlc.arg(execution_id) AND run = sqlc.arg(run) AND bucket = sqlc.arg(bucket) AND snapshot_id = sqlc.arg(snapshot_id) AND arrival = sqlc.arg(arrival);

-- ReportLines is a page of the log lines of a run in the order of their times.
-- name: ReportLines :many
SELECT logged_at, arrival, line, level, service, phase, step_id, message, attributes FROM test_coordination.execution_logs
WHERE execution_id = sqlc.arg(execution_id) AND run = sqlc.arg(run) AND bucket = sqlc.arg(bucket)
  AND (logged_at, arrival, line) > (sqlc.arg(after_time)::timestamptz, sqlc.arg(after_arrival)::bigint, sqlc.arg(after_line)::integer)
ORDER BY logged_at, arrival, line LIMIT sqlc.arg(page);

-- PublicationAt is the publication of a scenario that was the current one at a
-- moment: the last in order of those that had happened by then.
-- name: PublicationAt :one
SELECT * FROM test_coordination.definition_events
WHERE aggregate = 'scenario' AND subject = sqlc.arg(scenario_id) AND type = 'test-coordination.scenario.published.v1' AND event_time <= sqlc.arg(at)::timestamptz
ORDER BY order_key DESC LIMIT 1;

-- PublicationOf is the first publication of a content of a scenario in order.
-- name: PublicationOf :one
SELECT * FROM test_coordination.definition_events
WHERE aggregate = 'scenario' AND subject = sqlc.arg(scenario_id) AND type = 'test-coordination.scenario.published.v1' AND data->>'content_hash' = sqlc.arg(content_hash)::text
ORDER BY order_key LIMIT 1;

-- TemplatePublicationAt is PublicationAt for a template.
-- name: TemplatePublicationAt :one
SELECT * FROM test_coordination.definition_events
WHERE aggregate = 'template' AND subject = sqlc.arg(template_id) AND type = 'test-coordination.template.published.v1' AND event_time <= sqlc.arg(at)::timestamptz
ORDER BY order_key DESC LIMIT 1;
