-- KnownEvents is S4c: which of these events are stored already, in any run of
-- their execution. The buckets are those of the ids touched.
-- name: KnownEvents :many
SELECT v.event_key, v.digest, v.digest_version, v.run
FROM ROWS FROM (unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(event_keys)::bytea[])) AS u(id, event_key)
JOIN test_coordination.execution_events AS v ON v.execution_id = u.id AND v.event_key = u.event_key
WHERE v.bucket = ANY (sqlc.arg(buckets)::date[]);

-- InsertEvents is part of S4e. ON CONFLICT is only the net under S4c: the
-- caller compares the number of rows. Empty texts, zeros and -1 stand for NULL
-- where the column allows it.
-- name: InsertEvents :execrows
INSERT INTO test_coordination.execution_events
  (bucket, execution_id, run, event_key, order_key, arrival, type, source, event_id, event_time, sequence, digest, digest_version,
   run_guessed, time_suspect, trace_parent, correlation_id, topic, partition, kafka_offset, data, extensions, unknown_fields, recorded_at)
SELECT u.bucket, u.id, u.run, u.event_key, u.order_key, u.arrival, u.type, u.source, u.event_id, u.event_time, NULLIF(u.sequence, 0), u.digest, sqlc.arg(digest_version)::smallint,
   u.run_guessed, u.time_suspect, u.trace_parent, u.correlation_id,
   CASE WHEN u.kafka_offset >= 0 THEN sqlc.arg(topic)::text END, CASE WHEN u.kafka_offset >= 0 THEN sqlc.arg(partition)::integer END, NULLIF(u.kafka_offset, -1),
   u.data, u.extensions, u.unknown_fields, sqlc.arg(now)::timestamptz
FROM ROWS FROM (
  unnest(sqlc.arg(buckets)::date[]), unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(runs)::integer[]), unnest(sqlc.arg(event_keys)::bytea[]),
  unnest(sqlc.arg(order_keys)::bytea[]), unnest(sqlc.arg(arrivals)::bigint[]), unnest(sqlc.arg(types)::text[]), unnest(sqlc.arg(sources)::text[]),
  unnest(sqlc.arg(event_ids)::text[]), unnest(sqlc.arg(event_times)::timestamptz[]), unnest(sqlc.arg(sequences)::bigint[]), unnest(sqlc.arg(digests)::bytea[]),
  unnest(sqlc.arg(run_guessed)::boolean[]), unnest(sqlc.arg(time_suspect)::boolean[]), unnest(sqlc.arg(trace_parents)::text[]), unnest(sqlc.arg(correlation_ids)::text[]),
  unnest(sqlc.arg(kafka_offsets)::bigint[]), unnest(sqlc.arg(data)::jsonb[]), unnest(sqlc.arg(extensions)::jsonb[]), unnest(sqlc.arg(unknown_fields)::jsonb[])
) AS u(bucket, id, run, event_key, order_key, arrival, type, source, event_id, event_time, sequence, digest, run_guessed, time_suspect, trace_parent, correlation_id, kafka_offset, data, extensions, unknown_fields)
ON CONFLICT (execution_id, event_key, bucket) DO NOTHING;

-- EventsOfRun is a run's events in order of arrival, to fold them again.
-- name: EventsOfRun :many
SELECT * FROM test_coordination.execution_events
WHERE execution_id = sqlc.arg(execution_id) AND run = sqlc.arg(run) AND bucket = sqlc.arg(bucket)
ORDER BY order_key;
