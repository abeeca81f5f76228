-- Enqueue takes events into the outbox, in the transaction that they tell of
-- and under the lock of what they tell of: so ids rise in the order of commits,
-- key by key. An event that is there already is left as it is.
-- name: Enqueue :exec
INSERT INTO test_coordination.outbox (topic_role, event_id, type, subject, event_time, key_hash, record_key, record_value, record_headers, enqueued_at)
SELECT u.topic_role, u.event_id, u.type, u.subject, u.event_time, u.key_hash, u.record_key, u.record_value, u.record_headers, sqlc.arg(now)::timestamptz
FROM ROWS FROM (
  unnest(sqlc.arg(topic_roles)::text[]), unnest(sqlc.arg(event_ids)::text[]), unnest(sqlc.arg(types)::text[]), unnest(sqlc.arg(subjects)::text[]),
  unnest(sqlc.arg(event_times)::timestamptz[]), unnest(sqlc.arg(key_hashes)::bytea[]), unnest(sqlc.arg(record_keys)::bytea[]),
  unnest(sqlc.arg(record_values)::bytea[]), unnest(sqlc.arg(record_headers)::jsonb[])
) WITH ORDINALITY AS u(topic_role, event_id, type, subject, event_time, key_hash, record_key, record_value, record_headers, place)
ORDER BY u.place
ON CONFLICT (topic_role, event_id) DO NOTHING;

-- EnqueueDeadLetters is part of S4g: copies of the records that this transaction
-- has quarantined. The bytes stay where they are. What was quarantined before is
-- told from them by its time.
-- name: EnqueueDeadLetters :exec
INSERT INTO test_coordination.outbox (topic_role, event_id, type, subject, event_time, key_hash, quarantined_id, enqueued_at)
SELECT 'dead-letters', q.address, '', '', q.quarantined_at, sha256(coalesce(q.record_key, convert_to(q.address, 'UTF8'))), q.id, q.quarantined_at
FROM (
  SELECT r.id, r.record_key, r.quarantined_at, concat_ws('/', r.topic, r.partition, r.generation, r.kafka_offset) AS address
  FROM test_coordination.quarantined_records AS r
  WHERE r.topic = sqlc.arg(topic) AND r.partition = sqlc.arg(partition) AND r.generation = sqlc.arg(generation)
    AND r.kafka_offset = ANY (sqlc.arg(offsets)::bigint[]) AND r.quarantined_at = sqlc.arg(now)::timestamptz
  ORDER BY r.kafka_offset
) AS q
ON CONFLICT (topic_role, event_id) DO NOTHING;

-- ClaimOutbox locks, for this transaction, the first row to be published of each
-- of the next keys of a topic, and tells what it takes in memory, or behind which
-- parked row it waits: it is to be held back then. It steps from key to key along
-- the index of what is neither parked nor held back, so that what waits for an
-- operator costs nothing; and begins behind the last key of the former claim, so
-- that none starves. Rows that another publisher has locked are passed over. Nobody
-- can claim the second row of a key while the first is not published: it is no
-- first row in anybody's snapshot. All is looked up in an order, by ranges and in
-- words that leave the planner one index: it would keep what is quick while next to
-- nothing waits.
-- name: ClaimOutbox :many
WITH RECURSIVE heads AS (
  (SELECT f.key_hash, f.id FROM test_coordination.outbox AS f
   WHERE f.topic_role = sqlc.arg(topic_role) AND f.key_hash > sqlc.arg(after_key)::bytea AND f.status = 'pending' AND NOT f.held_back
   ORDER BY f.key_hash, f.id LIMIT 1)
  UNION ALL
  SELECT n.key_hash, n.id FROM heads CROSS JOIN LATERAL (
    SELECT b.key_hash, b.id FROM test_coordination.outbox AS b
    WHERE b.topic_role = sqlc.arg(topic_role) AND b.key_hash > heads.key_hash AND b.status = 'pending' AND NOT b.held_back
    ORDER BY b.key_hash, b.id LIMIT 1
  ) AS n
)
SELECT o.id, heads.key_hash,
  coalesce((SELECT p.id FROM test_coordination.outbox AS p
    WHERE p.topic_role = sqlc.arg(topic_role) AND p.key_hash BETWEEN heads.key_hash AND heads.key_hash AND p.id < heads.id AND p.status = 'parked'
    ORDER BY p.key_hash, p.id LIMIT 1), 0)::bigint AS behind,
  (o.bytes + coalesce((SELECT octet_length(r.record_value) FROM test_coordination.quarantined_records AS r WHERE r.id = o.quarantined_id), 0))::bigint AS bytes
FROM heads CROSS JOIN LATERAL (
  SELECT c.id, c.quarantined_id, coalesce(octet_length(c.record_value), 0) AS bytes FROM test_coordination.outbox AS c
  WHERE c.id = heads.id AND c.status NOT IN ('parked', 'published', 'discarded') AND NOT c.held_back
  LIMIT 1 FOR UPDATE SKIP LOCKED
) AS o
LIMIT sqlc.arg(most);

-- OutboxRecords are the records of claimed rows, and of dead letters the
-- quarantined record with why it was quarantined.
-- name: OutboxRecords :many
SELECT o.id, o.event_id, o.record_key, o.record_value, o.record_headers, o.enqueued_at, o.quarantined_id,
  coalesce(r.topic, '') AS topic, coalesce(r.partition, 0) AS partition, coalesce(r.kafka_offset, 0) AS kafka_offset,
  coalesce(r.reason, '') AS reason, coalesce(r.field, '') AS field, coalesce(r.detail, '') AS detail, coalesce(r.status, '') AS quarantine_status,
  coalesce(r.value_length, 0) AS value_length, r.value_sha256, coalesce(r.complete, false) AS complete, r.record_key AS quarantined_key, r.record_value AS quarantined_value, r.record_headers AS quarantined_headers
FROM test_coordination.outbox AS o LEFT JOIN test_coordination.quarantined_records AS r ON r.id = o.quarantined_id
WHERE o.id = ANY (sqlc.arg(ids)::bigint[]) ORDER BY o.id;

-- MarkPublished says where claimed rows lie in Kafka.
-- name: MarkPublished :exec
UPDATE test_coordination.outbox AS o SET status = 'published', attempts = o.attempts + 1, finished_at = sqlc.arg(now)::timestamptz,
  published_topic = sqlc.arg(topic)::text, published_partition = u.partition, published_offset = u.kafka_offset
FROM ROWS FROM (unnest(sqlc.arg(ids)::bigint[]), unnest(sqlc.arg(partitions)::integer[]), unnest(sqlc.arg(offsets)::bigint[])) AS u(id, partition, kafka_offset)
WHERE o.id = u.id;

-- ParkOutbox sets claimed rows aside that the broker refuses.
-- name: ParkOutbox :exec
UPDATE test_coordination.outbox AS o SET status = 'parked', attempts = o.attempts + 1, parked_at = sqlc.arg(now)::timestamptz, parked_reason = u.reason
FROM ROWS FROM (unnest(sqlc.arg(ids)::bigint[]), unnest(sqlc.arg(reasons)::text[])) AS u(id, reason)
WHERE o.id = u.id;

-- HoldBack has publishers pass over rows that wait behind parked ones, a bounded
-- piece of them. The parked row is locked, and looked at again: who releases or
-- discards it meanwhile finds what is held back here. It waits for nobody; what it
-- leaves is come upon again. Its words too leave the planner one index.
-- name: HoldBack :exec
WITH parked AS MATERIALIZED (
  SELECT p.id, p.topic_role, p.key_hash FROM test_coordination.outbox AS p
  WHERE p.id = ANY (sqlc.arg(parked)::bigint[]) AND p.status NOT IN ('pending', 'published', 'discarded') FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE test_coordination.outbox SET held_back = true WHERE id = ANY (ARRAY(
  SELECT b.id FROM parked CROSS JOIN LATERAL (
    SELECT o.id FROM test_coordination.outbox AS o
    WHERE o.topic_role = parked.topic_role AND o.key_hash BETWEEN parked.key_hash AND parked.key_hash AND o.id > parked.id
      AND o.status = 'pending' AND NOT o.held_back
    ORDER BY o.key_hash, o.id LIMIT sqlc.arg(most) FOR UPDATE SKIP LOCKED
  ) AS b LIMIT sqlc.arg(most)));

-- CountAttempts counts a try in vain of claimed rows, which stay to be published.
-- name: CountAttempts :exec
UPDATE test_coordination.outbox SET attempts = attempts + 1 WHERE id = ANY (sqlc.arg(ids)::bigint[]);

-- ParkedOutbox lists the parked rows, oldest first.
-- name: ParkedOutbox :many
SELECT id, topic_role, event_id, type, subject, event_time, attempts, enqueued_at, coalesce(parked_at, enqueued_at)::timestamptz AS parked_at, parked_reason
FROM test_coordination.outbox WHERE status = 'parked' AND id > sqlc.arg(after_id) ORDER BY id LIMIT sqlc.arg(page);

-- ReleaseParked has a parked row tried again.
-- name: ReleaseParked :execrows
UPDATE test_coordination.outbox SET status = 'pending', resolved_at = sqlc.arg(now)::timestamptz, resolved_by = sqlc.arg(resolved_by), resolution = sqlc.arg(resolution)
WHERE id = sqlc.arg(id) AND status = 'parked';

-- DiscardParked gives a parked row up; those behind it follow without it.
-- name: DiscardParked :execrows
UPDATE test_coordination.outbox SET status = 'discarded', finished_at = sqlc.arg(now)::timestamptz, resolved_at = sqlc.arg(now)::timestamptz, resolved_by = sqlc.arg(resolved_by), resolution = sqlc.arg(resolution)
WHERE id = sqlc.arg(id) AND status = 'parked';

-- LetFollow ends what HoldBack began, for the key of a row that was parked. It is
-- a statement of its own after the row's change: it sees what was held back until
-- then.
-- name: LetFollow :exec
UPDATE test_coordination.outbox AS o SET held_back = false FROM test_coordination.outbox AS p
WHERE p.id = sqlc.arg(id) AND o.topic_role = p.topic_role AND o.key_hash = p.key_hash AND o.held_back;

-- LendForGood leaves the bytes of quarantined records with their unpublished dead
-- letters, before the records give them up. Neither status is asked for by name: the
-- planner would take an index of all rows that have it.
-- name: LendForGood :exec
UPDATE test_coordination.outbox AS o SET record_key = r.record_key, record_value = r.record_value, record_headers = r.record_headers
FROM test_coordination.quarantined_records AS r
WHERE o.quarantined_id = ANY (sqlc.arg(ids)::bigint[]) AND o.finished_at IS NULL AND o.record_headers IS NULL
  AND r.id = o.quarantined_id AND r.resolved_at IS NULL;

-- OldestPending is when the oldest row was enqueued that is to be published to a
-- topic.
-- name: OldestPending :one
SELECT enqueued_at FROM test_coordination.outbox WHERE topic_role = $1 AND status = 'pending' ORDER BY id LIMIT 1;

-- CountParked counts the parked rows of each topic, up to 10,000 of them.
-- name: CountParked :many
SELECT p.topic_role, count(*)::bigint AS parked FROM (
  SELECT topic_role FROM test_coordination.outbox WHERE status = 'parked' ORDER BY id LIMIT 10000
) AS p GROUP BY p.topic_role;

-- RemoveFinished removes a bounded piece of what was published or discarded
-- before a moment, oldest first.
-- name: RemoveFinished :execrows
DELETE FROM test_coordination.outbox WHERE id = ANY (ARRAY(
  SELECT o.id FROM test_coordination.outbox AS o WHERE o.finished_at < sqlc.arg(before)::timestamptz
  ORDER BY o.finished_at LIMIT sqlc.arg(most) FOR UPDATE SKIP LOCKED));
