-- KnownEvents is S4c: which of these events are stored already, in any run of
-- their execution. An event is asked for once for each bucket of its id. Only
-- an equality lets the plan skip the other partitions, row by row; of
-- "bucket = ANY" it searched all of them for each event.
-- name: KnownEvents :many
SELECT v.event_key, v.digest, v.digest_version, v.run
FROM ROWS FROM (unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(event_keys)::bytea[]), unnest(sqlc.arg(buckets)::date[])) AS u(id, event_key, bucket)
JOIN test_coordination.execution_events AS v ON v.execution_id = u.id AND v.event_key = u.event_key AND v.bucket = u.bucket;

-- InsertEvents is part of S4e. What S4c has found new under the locks of S4b
-- needs no ON CONFLICT, so that COPY will do: a conflict is an error, because
-- fold and rows would not agree.
-- name: InsertEvents :copyfrom
INSERT INTO test_coordination.execution_events
  (bucket, execution_id, run, event_key, order_key, arrival, type, source, event_id, event_time, sequence, digest, digest_version,
   run_guessed, time_suspect, trace_parent, correlation_id, topic, partition, kafka_offset, data, extensions, unknown_fields, recorded_at)
VALUES (sqlc.arg(bucket), sqlc.arg(execution_id), sqlc.arg(run), sqlc.arg(event_key), sqlc.arg(order_key), sqlc.arg(arrival), sqlc.arg(type),
   sqlc.arg(source), sqlc.arg(event_id), sqlc.arg(event_time), sqlc.narg(sequence), sqlc.arg(digest), sqlc.arg(digest_version),
   sqlc.arg(run_guessed), sqlc.arg(time_suspect), sqlc.arg(trace_parent), sqlc.arg(correlation_id), sqlc.narg(topic), sqlc.narg(partition),
   sqlc.narg(kafka_offset), sqlc.arg(data), sqlc.narg(extensions), sqlc.narg(unknown_fields), sqlc.arg(recorded_at));

-- EventsOfRun is a run's events in order of arrival, to fold them again.
-- name: EventsOfRun :many
SELECT * FROM test_coordination.execution_events
WHERE execution_id = sqlc.arg(execution_id) AND run = sqlc.arg(run) AND bucket = sqlc.arg(bucket)
ORDER BY order_key;

-- TimelineAfter is a page of a run's events in their order.
-- name: TimelineAfter :many
SELECT * FROM test_coordination.execution_events
WHERE execution_id = sqlc.arg(execution_id) AND run = sqlc.arg(run) AND bucket = sqlc.arg(bucket) AND order_key > sqlc.arg(after)
ORDER BY order_key LIMIT sqlc.arg(page);

-- TimelineBefore is a page of them from the end.
-- name: TimelineBefore :many
SELECT * FROM test_coordination.execution_events
WHERE execution_id = sqlc.arg(execution_id) AND run = sqlc.arg(run) AND bucket = sqlc.arg(bucket) AND order_key < sqlc.arg(before)
ORDER BY order_key DESC LIMIT sqlc.arg(page);
