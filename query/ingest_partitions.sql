-- ClaimPartition is S0: it makes this worker the owner, fences the former one
-- by the epoch, and tells where to go on. A partition not seen before begins
-- at log_start. A claim after an unclean stop counts as an attempt; from the
-- second at one position on, records are taken one at a time for a while. One
-- death alone says nothing: processes are killed for many reasons.
-- name: ClaimPartition :one
INSERT INTO test_coordination.ingest_partitions AS p
  (topic, partition, topic_id, epoch, owner, next_offset, clean_stop, claimed_at, updated_at)
VALUES (sqlc.arg(topic), sqlc.arg(partition), sqlc.narg(topic_id), 1, sqlc.arg(owner), sqlc.arg(log_start), false, sqlc.arg(now), sqlc.arg(now))
ON CONFLICT (topic, partition) DO UPDATE SET
  epoch = p.epoch + 1,
  owner = excluded.owner,
  topic_id = coalesce(p.topic_id, excluded.topic_id),
  attempts = p.attempts + CASE WHEN p.clean_stop THEN 0 ELSE 1 END,
  careful_until = CASE WHEN p.clean_stop OR p.attempts = 0 THEN p.careful_until ELSE greatest(p.careful_until, p.next_offset + sqlc.arg(careful_records)::bigint) END,
  clean_stop = NOT p.clean_stop OR p.attempts > 0, -- with deaths behind it the owner says first that it reads: BeginAttempt
  claimed_at = excluded.claimed_at
RETURNING *;

-- AdvancePartition is S4a, the fence: no row means that another worker owns
-- the partition or has moved it. The timeline is that of the transaction: asked
-- after its commit, a failover could lie between, and what it lost would pass
-- for the newest.
-- name: AdvancePartition :batchone
UPDATE test_coordination.ingest_partitions SET next_offset = sqlc.arg(next_offset), attempts = 0, clean_stop = false, updated_at = sqlc.arg(now)
WHERE topic = sqlc.arg(topic) AND partition = sqlc.arg(partition) AND epoch = sqlc.arg(epoch) AND next_offset = sqlc.arg(position)
RETURNING left(pg_walfile_name(pg_current_wal_lsn()), 8)::text AS timeline_hex;

-- CountRecords adds to the partition's sums, in the transaction of the batch.
-- name: CountRecords :exec
UPDATE test_coordination.ingest_partitions SET
  applied = applied + sqlc.arg(applied), duplicates = duplicates + sqlc.arg(duplicates), quarantined = quarantined + sqlc.arg(quarantined)
WHERE topic = sqlc.arg(topic) AND partition = sqlc.arg(partition);

-- PartitionPosition settles a COMMIT whose outcome is unknown.
-- name: PartitionPosition :one
SELECT epoch, next_offset, stopped_reason FROM test_coordination.ingest_partitions WHERE topic = $1 AND partition = $2;

-- BeginAttempt says that records at a position with deaths behind it are read
-- now: a death from here on is one more.
-- name: BeginAttempt :execrows
UPDATE test_coordination.ingest_partitions SET clean_stop = false
WHERE topic = sqlc.arg(topic) AND partition = sqlc.arg(partition) AND epoch = sqlc.arg(epoch);

-- EndAttempt says that nothing came to read.
-- name: EndAttempt :execrows
UPDATE test_coordination.ingest_partitions SET clean_stop = true
WHERE topic = sqlc.arg(topic) AND partition = sqlc.arg(partition) AND epoch = sqlc.arg(epoch);

-- DecodedAttempt says that the records at the position were fetched and
-- decoded alive: a death after this is not theirs.
-- name: DecodedAttempt :execrows
UPDATE test_coordination.ingest_partitions SET attempts = 0, clean_stop = false
WHERE topic = sqlc.arg(topic) AND partition = sqlc.arg(partition) AND epoch = sqlc.arg(epoch);

-- TakeBackDeath corrects what a claim has taken for a death: the owner before it
-- lives, it was only overtaken. Where records were committed since, the deaths
-- are forgotten already.
-- name: TakeBackDeath :exec
UPDATE test_coordination.ingest_partitions SET attempts = attempts - 1
WHERE topic = sqlc.arg(topic) AND partition = sqlc.arg(partition) AND epoch > sqlc.arg(epoch) AND next_offset = sqlc.arg(position) AND attempts > 0;

-- ReleasePartition is a clean stop: the next claim counts no attempt.
-- name: ReleasePartition :execrows
UPDATE test_coordination.ingest_partitions SET clean_stop = true, owner = '', updated_at = sqlc.arg(now)
WHERE topic = sqlc.arg(topic) AND partition = sqlc.arg(partition) AND epoch = sqlc.arg(epoch);

-- StopPartition keeps everybody from ingesting it until an operator acts.
-- name: StopPartition :execrows
UPDATE test_coordination.ingest_partitions SET stopped_reason = sqlc.arg(reason), updated_at = sqlc.arg(now)
WHERE topic = sqlc.arg(topic) AND partition = sqlc.arg(partition) AND epoch = sqlc.arg(epoch);

-- Partitions are all known ones.
-- name: Partitions :many
SELECT * FROM test_coordination.ingest_partitions ORDER BY topic, partition;

-- LockPartition reads one partition for an operator's change.
-- name: LockPartition :one
SELECT * FROM test_coordination.ingest_partitions WHERE topic = $1 AND partition = $2 FOR UPDATE;

-- MovePartition is an operator's change of position: it fences the present
-- worker and lets the partition run again. That worker can say no word of its
-- end any more, which must not look like a death.
-- name: MovePartition :exec
UPDATE test_coordination.ingest_partitions SET
  generation = sqlc.arg(generation), topic_id = sqlc.narg(topic_id), next_offset = sqlc.arg(next_offset),
  epoch = epoch + 1, attempts = 0, careful_until = 0, clean_stop = true, stopped_reason = '', updated_at = sqlc.arg(now)
WHERE topic = sqlc.arg(topic) AND partition = sqlc.arg(partition);
