-- KnownDefinitionEvents is S4c for aggregates without runs.
-- name: KnownDefinitionEvents :many
SELECT event_key, digest, digest_version FROM test_coordination.definition_events WHERE event_key = ANY (sqlc.arg(event_keys)::bytea[]);

-- InsertDefinitionEvent is part of S4e.
-- name: InsertDefinitionEvent :batchexec
INSERT INTO test_coordination.definition_events
  (event_key, aggregate, subject, order_key, type, source, event_id, event_time, sequence, digest, digest_version, time_suspect, trace_parent, correlation_id,
   topic, partition, kafka_offset, data, extensions, unknown_fields, recorded_at)
VALUES
  (sqlc.arg(event_key), sqlc.arg(aggregate), sqlc.arg(subject), sqlc.arg(order_key), sqlc.arg(type), sqlc.arg(source), sqlc.arg(event_id), sqlc.arg(event_time), sqlc.narg(sequence), sqlc.arg(digest), sqlc.arg(digest_version), sqlc.arg(time_suspect), sqlc.arg(trace_parent), sqlc.arg(correlation_id),
   sqlc.narg(topic), sqlc.narg(partition), sqlc.narg(kafka_offset), sqlc.arg(data), sqlc.narg(extensions), sqlc.narg(unknown_fields), sqlc.arg(recorded_at));
