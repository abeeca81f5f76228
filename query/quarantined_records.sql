-- LockQuarantineUsage tells what the open records take, and keeps others from
-- changing it until this transaction ends: what fits is decided by the answer.
-- Whoever writes to quarantined_records takes this lock first: a replay waits
-- for the row of an address that is being settled, and whoever settles it for
-- the sum.
-- name: LockQuarantineUsage :one
INSERT INTO test_coordination.quarantine_usage (singleton) VALUES (true)
ON CONFLICT (singleton) DO UPDATE SET singleton = true
RETURNING open_records, open_bytes;

-- QuarantineUsage is what the open records take. It locks nothing.
-- name: QuarantineUsage :one
SELECT coalesce(sum(open_records), 0)::bigint AS open_records, coalesce(sum(open_bytes), 0)::bigint AS open_bytes FROM test_coordination.quarantine_usage;

-- Quarantine is S4f: the bad records' bytes and the reasons, in the batch's own
-- transaction. An address is quarantined once, whatever is replayed. The year 1
-- stands for no time.
-- name: Quarantine :exec
INSERT INTO test_coordination.quarantined_records
  (topic, partition, generation, kafka_offset, reason, field, detail, record_key, record_value, record_headers, record_time,
   value_length, value_sha256, complete, quarantined_at)
SELECT sqlc.arg(topic)::text, sqlc.arg(partition)::integer, sqlc.arg(generation)::integer, u.kafka_offset, u.reason, u.field, u.detail,
   u.record_key, u.record_value, u.record_headers, NULLIF(u.record_time, '0001-01-01 00:00:00+00'), u.value_length, u.value_sha256, u.complete, sqlc.arg(quarantined_at)::timestamptz
FROM ROWS FROM (
  unnest(sqlc.arg(offsets)::bigint[]), unnest(sqlc.arg(reasons)::text[]), unnest(sqlc.arg(fields)::text[]), unnest(sqlc.arg(details)::text[]),
  unnest(sqlc.arg(record_keys)::bytea[]), unnest(sqlc.arg(record_values)::bytea[]), unnest(sqlc.arg(record_headers)::jsonb[]), unnest(sqlc.arg(record_times)::timestamptz[]),
  unnest(sqlc.arg(lengths)::bigint[]), unnest(sqlc.arg(sums)::bytea[]), unnest(sqlc.arg(complete)::boolean[])
) AS u(kafka_offset, reason, field, detail, record_key, record_value, record_headers, record_time, value_length, value_sha256, complete)
ON CONFLICT (topic, partition, generation, kafka_offset) DO NOTHING;

-- QuarantinedPage lists without the bytes, newest first.
-- name: QuarantinedPage :many
SELECT id, topic, partition, generation, kafka_offset, reason, field, detail, record_time, value_length, value_sha256, complete, status, quarantined_at, resolved_at, resolved_by, resolution
FROM test_coordination.quarantined_records
WHERE id < sqlc.arg(before_id)
  AND (sqlc.arg(status)::text = '' OR status = sqlc.arg(status)::text)
  AND (sqlc.arg(reason)::text = '' OR reason = sqlc.arg(reason)::text)
ORDER BY id DESC LIMIT sqlc.arg(page);

-- QuarantinedRecord is one record with its bytes.
-- name: QuarantinedRecord :one
SELECT * FROM test_coordination.quarantined_records WHERE id = $1;

-- ResolveQuarantined settles an open record; no row means that it was settled
-- before. Its bytes are given up: requeued they are in Kafka again, discarded
-- nobody wants them. What it was stays provable: address, reason, key, length
-- and sum.
-- name: ResolveQuarantined :execrows
UPDATE test_coordination.quarantined_records SET status = sqlc.arg(status), resolved_at = sqlc.arg(now)::timestamptz, resolved_by = sqlc.arg(resolved_by), resolution = sqlc.arg(resolution),
  record_key = substring(record_key FROM 1 FOR 1024), record_value = NULL, record_headers = '[]', complete = false
WHERE id = sqlc.arg(id) AND status = 'open';

-- OpenQuarantined are the records that DiscardQuarantined settles, as long as the
-- lock of LockQuarantineUsage is held.
-- name: OpenQuarantined :many
SELECT o.id FROM test_coordination.quarantined_records AS o
WHERE o.status = 'open' AND o.id <= sqlc.arg(up_to) AND (sqlc.arg(reason)::text = '' OR o.reason = sqlc.arg(reason)::text)
ORDER BY o.id LIMIT sqlc.arg(most);

-- DiscardQuarantined settles as discarded the oldest open records, of a reason
-- or of all, as ResolveQuarantined does.
-- name: DiscardQuarantined :execrows
UPDATE test_coordination.quarantined_records AS r SET status = 'discarded', resolved_at = sqlc.arg(now)::timestamptz, resolved_by = sqlc.arg(resolved_by), resolution = sqlc.arg(resolution),
  record_key = substring(r.record_key FROM 1 FOR 1024), record_value = NULL, record_headers = '[]', complete = false
WHERE r.status = 'open' AND r.id = ANY (ARRAY(
  SELECT o.id FROM test_coordination.quarantined_records AS o
  WHERE o.status = 'open' AND o.id <= sqlc.arg(up_to) AND (sqlc.arg(reason)::text = '' OR o.reason = sqlc.arg(reason)::text)
  ORDER BY o.id LIMIT sqlc.arg(most)));

-- QuarantinedCount counts by reason and status, for people: it reads the whole table.
-- name: QuarantinedCount :many
SELECT reason, status, count(*)::bigint AS records FROM test_coordination.quarantined_records GROUP BY reason, status ORDER BY reason, status;
