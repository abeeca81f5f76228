-- DefinitionAggregates walks everything that has an event or a row, so that
-- neither can be missing unseen.
-- name: DefinitionAggregates :many
SELECT a.aggregate::text AS aggregate, a.subject::text AS subject FROM (
  SELECT v.aggregate, v.subject FROM test_coordination.definition_events AS v
  UNION SELECT 'template', template_id FROM test_coordination.templates
  UNION SELECT 'template', template_id FROM test_coordination.template_versions
  UNION SELECT 'scenario', scenario_id FROM test_coordination.scenarios
  UNION SELECT 'scenario', scenario_id FROM test_coordination.scenario_versions
  UNION SELECT 'scenario', scenario_id FROM test_coordination.scenario_dependencies
  UNION SELECT 'schedule', schedule_id FROM test_coordination.schedules
) AS a
WHERE (a.aggregate, a.subject) > (sqlc.arg(after_aggregate)::text, sqlc.arg(after_subject)::text)
ORDER BY a.aggregate, a.subject LIMIT sqlc.arg(page);

-- DefinitionEventsOf are the events of one aggregate in their order.
-- name: DefinitionEventsOf :many
SELECT * FROM test_coordination.definition_events WHERE aggregate = $1 AND subject = $2 ORDER BY order_key;

-- OrphanedRows names the runs that a table has rows of, while executions has
-- no such run, or has it in another bucket. What a pruned run has left is removed
-- by the next pass of retention.
-- name: OrphanedRows :many
SELECT c.of_table::text AS of_table, c.execution_id::text AS execution_id, c.run::integer AS run, c.bucket::date AS bucket FROM (
  SELECT DISTINCT 'execution_events' AS of_table, execution_id, run, bucket FROM test_coordination.execution_events
  UNION ALL SELECT DISTINCT 'execution_phases', execution_id, run, bucket FROM test_coordination.execution_phases
  UNION ALL SELECT DISTINCT 'execution_steps', execution_id, run, bucket FROM test_coordination.execution_steps
  UNION ALL SELECT DISTINCT 'fault_injections', execution_id, run, bucket FROM test_coordination.fault_injections
  UNION ALL SELECT DISTINCT 'validation_results', execution_id, run, bucket FROM test_coordination.validation_results
  UNION ALL SELECT DISTINCT 'system_snapshots', execution_id, run, bucket FROM test_coordination.system_snapshots
  UNION ALL SELECT DISTINCT 'execution_logs', execution_id, run, bucket FROM test_coordination.execution_logs
) AS c
WHERE NOT EXISTS (
  SELECT FROM test_coordination.executions AS e WHERE e.execution_id = c.execution_id AND e.run = c.run AND e.bucket = c.bucket)
  AND NOT EXISTS (
  SELECT FROM test_coordination.pruned_runs AS p WHERE p.execution_id = c.execution_id AND p.run = c.run AND p.bucket = c.bucket AND p.pending <> '{}')
ORDER BY c.execution_id, c.run, c.of_table LIMIT sqlc.arg(page);

-- ExecutionIDMismatches are the ids whose row does not say what their runs do.
-- Of a run that was pruned its tombstone speaks.
-- name: ExecutionIDMismatches :many
SELECT coalesce(i.execution_id, e.execution_id)::text AS execution_id,
  coalesce(i.latest_run, 0)::integer AS latest_run, coalesce(i.buckets, '{}')::date[] AS buckets,
  coalesce(e.newest, 0)::integer AS newest_run, coalesce(e.buckets, '{}')::date[] AS run_buckets
FROM test_coordination.execution_ids AS i
FULL JOIN (
  SELECT r.execution_id, max(r.run) AS newest, array_agg(DISTINCT r.bucket) FILTER (WHERE r.bucket IS NOT NULL) AS buckets FROM (
    SELECT execution_id, run, bucket FROM test_coordination.executions
    UNION ALL SELECT execution_id, run, NULL FROM test_coordination.pruned_runs
  ) AS r GROUP BY r.execution_id
) AS e ON e.execution_id = i.execution_id
WHERE i.execution_id IS NULL OR i.latest_run <> coalesce(e.newest, 0) OR NOT coalesce(e.buckets, '{}') <@ i.buckets
ORDER BY 1 LIMIT sqlc.arg(page);

-- PartitionSums puts the sums of each partition beside what is stored of it; -1
-- stands for a partition that an event should name. Events that were pruned are
-- counted apart, and not again where their rows still lie in the table.
-- name: PartitionSums :many
SELECT coalesce(p.topic, s.topic)::text AS topic, coalesce(p.partition, s.partition)::integer AS partition,
  coalesce(p.applied, 0)::bigint AS applied, coalesce(s.events, 0)::bigint AS events,
  coalesce(p.quarantined, 0)::bigint AS quarantined, coalesce(s.kept, 0)::bigint AS kept
FROM test_coordination.ingest_partitions AS p
FULL JOIN (
  SELECT u.topic, u.partition, sum(u.events) AS events, sum(u.kept) AS kept FROM (
    SELECT topic, coalesce(partition, -1) AS partition, count(*) AS events, 0 AS kept FROM test_coordination.execution_events WHERE topic IS NOT NULL GROUP BY 1, 2
    UNION ALL SELECT topic, coalesce(partition, -1), count(*), 0 FROM test_coordination.definition_events WHERE topic IS NOT NULL GROUP BY 1, 2
    UNION ALL SELECT topic, partition, events, 0 FROM test_coordination.pruned_events
    UNION ALL SELECT v.topic, coalesce(v.partition, -1), -count(*), 0 FROM test_coordination.pruned_runs AS p
      JOIN test_coordination.execution_events AS v ON v.execution_id = p.execution_id AND v.run = p.run AND v.bucket = p.bucket
      WHERE p.pending <> '{}' AND 'events' = ANY (p.pending) AND v.topic IS NOT NULL GROUP BY 1, 2
    UNION ALL SELECT topic, partition, 0, count(*) FROM test_coordination.quarantined_records GROUP BY topic, partition
  ) AS u GROUP BY u.topic, u.partition
) AS s ON s.topic = p.topic AND s.partition = p.partition
ORDER BY 1, 2;

-- AlteredRecords are the quarantined records whose kept bytes are not those
-- that their length and sha-256 were taken of.
-- name: AlteredRecords :many
SELECT id FROM test_coordination.quarantined_records
WHERE complete AND record_value IS NOT NULL AND (value_length <> octet_length(record_value) OR value_sha256 IS DISTINCT FROM sha256(record_value))
ORDER BY id LIMIT sqlc.arg(page);

-- QuarantineSum is what the open quarantined records take, counted, beside what
-- quarantine_usage says: in one statement, so that both are of one moment.
-- name: QuarantineSum :one
SELECT count(*)::bigint AS open_records,
  coalesce(sum(test_coordination.quarantined_bytes(record_key, record_value, record_headers, field, detail)), 0)::bigint AS open_bytes,
  coalesce((SELECT u.open_records FROM test_coordination.quarantine_usage AS u WHERE u.singleton), 0)::bigint AS kept_records,
  coalesce((SELECT u.open_bytes FROM test_coordination.quarantine_usage AS u WHERE u.singleton), 0)::bigint AS kept_bytes
FROM test_coordination.quarantined_records WHERE status = 'open';
