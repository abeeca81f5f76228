-- RecordGap notes a hole. Finding the same open one again changes nothing; one
-- that was accepted is open again, when a reset has led back to it: the
-- partition stops anew, and an operator must be able to accept anew.
-- name: RecordGap :execrows
INSERT INTO test_coordination.ingest_gaps AS g (topic, partition, generation, from_offset, to_offset, cause, detected_at)
VALUES (sqlc.arg(topic), sqlc.arg(partition), sqlc.arg(generation), sqlc.arg(from_offset), sqlc.arg(to_offset), sqlc.arg(cause), sqlc.arg(detected_at))
ON CONFLICT (topic, partition, generation, from_offset) DO UPDATE SET
  to_offset = excluded.to_offset, cause = excluded.cause, detected_at = excluded.detected_at, accepted_at = NULL, accepted_by = ''
WHERE g.accepted_at IS NOT NULL;

-- OpenGaps are the holes of one partition that nobody has accepted.
-- name: OpenGaps :many
SELECT * FROM test_coordination.ingest_gaps
WHERE topic = $1 AND partition = $2 AND accepted_at IS NULL ORDER BY generation, from_offset;

-- AllGaps is every hole ever found.
-- name: AllGaps :many
SELECT * FROM test_coordination.ingest_gaps ORDER BY topic, partition, generation, from_offset;

-- AcceptGaps says that an operator lives with the loss.
-- name: AcceptGaps :execrows
UPDATE test_coordination.ingest_gaps SET accepted_at = sqlc.arg(now)::timestamptz, accepted_by = sqlc.arg(accepted_by), to_offset = greatest(to_offset, sqlc.arg(to_offset))
WHERE topic = sqlc.arg(topic) AND partition = sqlc.arg(partition) AND accepted_at IS NULL;
