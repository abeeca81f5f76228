-- StoredCopies counts how often each of these events is stored, in any run of
-- its execution or as a definition event: once, if nothing is lost or doubled.
-- name: StoredCopies :many
SELECT c.event_key::bytea AS event_key, count(*)::bigint AS copies FROM (
  SELECT v.event_key
  FROM ROWS FROM (unnest(sqlc.arg(subjects)::text[]), unnest(sqlc.arg(event_keys)::bytea[])) AS u(subject, event_key)
  JOIN test_coordination.execution_events AS v ON v.execution_id = u.subject AND v.event_key = u.event_key
  UNION ALL
  SELECT d.event_key FROM test_coordination.definition_events AS d WHERE d.event_key = ANY (sqlc.arg(event_keys)::bytea[])
) AS c GROUP BY c.event_key;

-- QuarantinedAt are the quarantined ones among these records of a partition.
-- name: QuarantinedAt :many
SELECT kafka_offset, reason FROM test_coordination.quarantined_records
WHERE topic = sqlc.arg(topic) AND partition = sqlc.arg(partition) AND kafka_offset = ANY (sqlc.arg(offsets)::bigint[]);
