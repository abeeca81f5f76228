-- Quarantine is S4f: the bad record's bytes and the reason, in the batch's own
-- transaction. An address is quarantined once, whatever is replayed.
-- name: Quarantine :batchexec
INSERT INTO test_coordination.quarantined_records
  (topic, partition, generation, kafka_offset, reason, field, detail, record_key, record_value, record_headers, record_time,
   value_length, value_sha256, complete, quarantined_at)
VALUES (sqlc.arg(topic), sqlc.arg(partition), sqlc.arg(generation), sqlc.arg(kafka_offset), sqlc.arg(reason), sqlc.arg(field), sqlc.arg(detail),
   sqlc.narg(record_key), sqlc.narg(record_value), sqlc.arg(record_headers), sqlc.narg(record_time),
   sqlc.arg(value_length), sqlc.narg(value_sha256), sqlc.arg(complete), sqlc.arg(quarantined_at))
ON CONFLICT (topic, partition, generation, kafka_offset) DO NOTHING;

-- QuarantinedPage lists without the bytes, newest first.
-- name: QuarantinedPage :many
SELECT id, topic, partition, generation, kafka_offset, reason, field, detail, record_time, value_length, complete, status, quarantined_at, resolved_at, resolved_by, resolution
FROM test_coordination.quarantined_records
WHERE id < sqlc.arg(before_id)
  AND (sqlc.arg(status)::text = '' OR status = sqlc.arg(status)::text)
  AND (sqlc.arg(reason)::text = '' OR reason = sqlc.arg(reason)::text)
ORDER BY id DESC LIMIT sqlc.arg(page);

-- QuarantinedRecord is one record with its bytes.
-- name: QuarantinedRecord :one
SELECT * FROM test_coordination.quarantined_records WHERE id = $1;

-- ResolveQuarantined settles an open record; no row means that it was settled before.
-- name: ResolveQuarantined :execrows
UPDATE test_coordination.quarantined_records SET status = sqlc.arg(status), resolved_at = sqlc.arg(now)::timestamptz, resolved_by = sqlc.arg(resolved_by), resolution = sqlc.arg(resolution)
WHERE id = sqlc.arg(id) AND status = 'open';

-- QuarantinedCount counts by reason and status, for people: it reads the whole table.
-- name: QuarantinedCount :many
SELECT reason, status, count(*)::bigint AS records FROM test_coordination.quarantined_records GROUP BY reason, status ORDER BY reason, status;
