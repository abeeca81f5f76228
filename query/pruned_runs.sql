-- RetentionRuns walks the runs, those first heard of last first, with what
-- policies go by, and what has been removed of each already.
-- name: RetentionRuns :many
SELECT e.execution_id, e.run, e.version, e.bucket, e.scenario_id, e.group_id, e.environment, e.status, e.pinned, e.created_at, e.ended_at, e.last_event_at, e.settled_change_at,
  (e.events + e.own_events)::bigint AS events, e.log_lines, e.snapshots::bigint AS snapshots,
  (e.phases_total + e.steps_total + e.faults_total + e.validations_passed + e.validations_failed + e.validations_skipped + e.validations_error)::bigint AS results,
  (e.ended_at IS NOT NULL)::integer::bigint AS reports, -- about: most have one revision
  EXISTS (SELECT FROM test_coordination.executions AS o WHERE o.execution_id = e.execution_id AND o.run <> e.run)::boolean AS several,
  d.labels, coalesce(p.kinds, '{}')::text[] AS kinds, p.pruned_at
FROM test_coordination.executions AS e
LEFT JOIN test_coordination.pruned_runs AS p ON p.execution_id = e.execution_id AND p.run = e.run
LEFT JOIN test_coordination.execution_details AS d ON sqlc.arg(with_labels)::boolean AND d.execution_id = e.execution_id AND d.run = e.run
WHERE (e.created_at, e.execution_id, e.run) < (sqlc.arg(before)::timestamptz, sqlc.arg(before_id)::text, sqlc.arg(before_run)::integer)
ORDER BY e.created_at DESC, e.execution_id DESC, e.run DESC LIMIT sqlc.arg(page);

-- RequiredScenarios are those that others cannot run without a run of.
-- name: RequiredScenarios :many
SELECT DISTINCT depends_on FROM test_coordination.scenario_dependencies WHERE kind IN ('requires_success', 'requires_run') ORDER BY depends_on;

-- LockIDsToPrune locks ids as S4b does, in the same order: no event of theirs is
-- applied while their runs go.
-- name: LockIDsToPrune :many
SELECT execution_id FROM test_coordination.execution_ids WHERE execution_id = ANY (sqlc.arg(ids)::text[])
ORDER BY execution_id COLLATE "C" FOR NO KEY UPDATE;

-- CountPrunedEvents adds the applied records that are about to go to the sums of
-- their partitions, each once: not those of runs whose events are gone already.
-- name: CountPrunedEvents :exec
INSERT INTO test_coordination.pruned_events AS s (topic, partition, events)
SELECT v.topic, coalesce(v.partition, -1), count(*)
FROM ROWS FROM (unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(runs)::integer[]), unnest(sqlc.arg(buckets)::date[])) AS u(id, run, bucket)
JOIN test_coordination.execution_events AS v ON v.execution_id = u.id AND v.run = u.run AND v.bucket = u.bucket
WHERE v.topic IS NOT NULL AND NOT EXISTS (
  SELECT FROM test_coordination.pruned_runs AS p WHERE p.execution_id = u.id AND p.run = u.run AND 'events' = ANY (p.kinds))
GROUP BY 1, 2
ON CONFLICT (topic, partition) DO UPDATE SET events = s.events + excluded.events;

-- DueRuns are those of the given runs that are still as they were when it was
-- decided that something of them goes: under the locks of their ids. A run whose
-- report is still to be built waits for it, unless that fails again and again or takes
-- too long; and who is freezing a report of one is waited for, see KeepRun: its
-- revision must be known.
-- name: DueRuns :many
SELECT e.execution_id, e.run, e.bucket, e.scenario_id, e.group_id,
  coalesce(e.started_at, e.requested_at, e.created_at)::timestamptz AS day
FROM ROWS FROM (unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(runs)::integer[]), unnest(sqlc.arg(versions)::bigint[])) AS u(id, run, version)
JOIN test_coordination.executions AS e ON e.execution_id = u.id AND e.run = u.run
WHERE e.version = u.version AND NOT e.pinned AND e.status NOT IN ('pending', 'running', 'paused')
  AND (e.settled_change_at IS NULL OR e.settled_change_at < sqlc.arg(reported_before)::timestamptz
    OR NOT EXISTS (SELECT FROM test_coordination.loop_cursors AS c WHERE c.loop = 'settled' AND (c.changed_at, c.execution_id, c.run) < (e.settled_change_at, e.execution_id, e.run))
    AND NOT EXISTS (SELECT FROM test_coordination.report_queue AS q WHERE q.execution_id = e.execution_id AND q.run = e.run AND q.attempts < 10))
FOR UPDATE OF e;

-- AttemptsOfGroups are the runs of groups, of any scenario, and what has been removed
-- of each.
-- name: AttemptsOfGroups :many
SELECT e.execution_id, e.run, e.scenario_id, e.group_id, e.settled_change_at, coalesce(p.kinds, '{}')::text[] AS kinds, p.pruned_at
FROM unnest(sqlc.arg(group_ids)::text[]) AS u(group_id)
JOIN test_coordination.executions AS e ON e.group_id = u.group_id AND e.group_id <> ''
LEFT JOIN test_coordination.pruned_runs AS p ON p.execution_id = e.execution_id AND p.run = e.run;

-- StoredRuns are all runs of ids that have their rows.
-- name: StoredRuns :many
SELECT execution_id, run FROM test_coordination.executions WHERE execution_id = ANY (sqlc.arg(ids)::text[]);

-- MarkRuns writes the tombstones of runs, or adds to them. Kinds come joined by
-- commas. The times of a run's events are looked up when these go: later nobody
-- knows them.
-- name: MarkRuns :exec
INSERT INTO test_coordination.pruned_runs AS p
  (execution_id, run, bucket, run_id, scenario_id, status, started_at, ended_at, first_event_at, last_event_at, last_start_at, suspect_from, suspect_until,
   kinds, pending, stored_rows, policy, pruned_at, last_revision)
SELECT e.execution_id, e.run, e.bucket, e.run_id, e.scenario_id, e.status, e.started_at,
  CASE WHEN e.end_order IS NULL THEN e.interrupted_at ELSE least(e.ended_at, e.last_event_at) END,
  v.first_at, v.last_at, v.last_start_at, v.suspect_from, v.suspect_until,
  k.kinds, array_remove(k.kinds, 'run'), u.stored_rows, u.policy, sqlc.arg(now)::timestamptz,
  coalesce((SELECT max(r.revision) FROM test_coordination.reports AS r
    WHERE 'reports' = ANY (k.kinds) AND r.execution_id = e.execution_id AND r.run = e.run AND r.bucket = e.bucket), 0)
FROM ROWS FROM (unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(runs)::integer[]), unnest(sqlc.arg(kinds)::text[]),
  unnest(sqlc.arg(stored_rows)::bigint[]), unnest(sqlc.arg(policies)::text[])) AS u(id, run, kinds, stored_rows, policy)
JOIN test_coordination.executions AS e ON e.execution_id = u.id AND e.run = u.run
CROSS JOIN LATERAL (SELECT string_to_array(u.kinds, ',') AS kinds) AS k
LEFT JOIN LATERAL (
  SELECT min(x.event_time) FILTER (WHERE NOT x.time_suspect) AS first_at, max(x.event_time) FILTER (WHERE NOT x.time_suspect) AS last_at,
    max(x.event_time) FILTER (WHERE NOT x.time_suspect AND x.type IN ('test-coordination.execution.requested.v1', 'test-coordination.execution.started.v1')) AS last_start_at,
    min(x.event_time) FILTER (WHERE x.time_suspect) AS suspect_from, max(x.event_time) FILTER (WHERE x.time_suspect) AS suspect_until
  FROM test_coordination.execution_events AS x
  WHERE 'events' = ANY (k.kinds) AND x.execution_id = e.execution_id AND x.run = e.run AND x.bucket = e.bucket AND x.topic IS NOT NULL) AS v ON true
ON CONFLICT (execution_id, run) DO UPDATE SET
  status = excluded.status, started_at = excluded.started_at, ended_at = excluded.ended_at, scenario_id = excluded.scenario_id,
  first_event_at = least(p.first_event_at, excluded.first_event_at), last_event_at = greatest(p.last_event_at, excluded.last_event_at),
  last_start_at = greatest(p.last_start_at, excluded.last_start_at),
  suspect_from = least(p.suspect_from, excluded.suspect_from), suspect_until = greatest(p.suspect_until, excluded.suspect_until),
  kinds = ARRAY(SELECT DISTINCT unnest(p.kinds || excluded.kinds) ORDER BY 1), pending = ARRAY(SELECT DISTINCT unnest(p.pending || excluded.pending) ORDER BY 1),
  stored_rows = excluded.stored_rows, policy = excluded.policy, pruned_at = excluded.pruned_at,
  last_revision = greatest(p.last_revision, excluded.last_revision);

-- DeleteRuns removes the rows of runs that have their tombstones, and with them
-- their details.
-- name: DeleteRuns :execrows
DELETE FROM test_coordination.executions AS e
USING ROWS FROM (unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(runs)::integer[])) AS u(id, run)
WHERE e.execution_id = u.id AND e.run = u.run;

-- NotePrunedIDs notes that something of these ids is gone, and which buckets are
-- still worth a look. Asked for after DeleteRuns.
-- name: NotePrunedIDs :exec
UPDATE test_coordination.execution_ids AS i SET
  pruned = true,
  buckets = coalesce(r.buckets, '{}'),
  pruned_at = CASE WHEN r.buckets IS NULL THEN sqlc.arg(now)::timestamptz END
FROM unnest(sqlc.arg(ids)::text[]) AS u(id)
LEFT JOIN LATERAL (SELECT array_agg(DISTINCT e.bucket) AS buckets FROM test_coordination.executions AS e WHERE e.execution_id = u.id) AS r ON true
WHERE i.execution_id = u.id;

-- DeleteRequestsOfRuns removes the requests that runs came of, once their answers
-- have been forgotten. A repeat is refused by the tombstone of the run.
-- name: DeleteRequestsOfRuns :exec
DELETE FROM test_coordination.api_requests AS r
USING ROWS FROM (unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(runs)::integer[])) AS u(id, run), test_coordination.pruned_runs AS p
WHERE p.execution_id = u.id AND p.run = u.run AND p.run_id LIKE 'request:%' AND r.request_id = substr(p.run_id, 9) AND r.answer IS NULL;

-- PendingMonths are the months in which rows of pruned runs may still lie in their
-- tables, kind by kind, the oldest first.
-- name: PendingMonths :many
SELECT date_trunc('month', p.bucket::timestamp)::date AS month, k.kind::text AS kind, count(*)::bigint AS runs, sum(p.stored_rows)::bigint AS stored_rows
FROM test_coordination.pruned_runs AS p CROSS JOIN LATERAL unnest(p.pending) AS k(kind)
WHERE p.pending <> '{}' GROUP BY 1, 2 ORDER BY 1, 2;

-- PendingRuns is a page of the runs of a month of which rows of a kind may still
-- lie in their tables.
-- name: PendingRuns :many
SELECT execution_id, run, bucket, stored_rows FROM test_coordination.pruned_runs
WHERE pending <> '{}' AND sqlc.arg(kind)::text = ANY (pending) AND bucket >= sqlc.arg(first)::date AND bucket < sqlc.arg(until)::date
ORDER BY bucket, execution_id, run LIMIT sqlc.arg(page);

-- KeptRows is what lies in a month beside the rows that are pending: how many rows
-- of each kind, as the runs count them.
-- name: KeptRows :one
SELECT count(*)::bigint AS runs, coalesce(sum(e.events + e.own_events), 0)::bigint AS events, coalesce(sum(e.log_lines), 0)::bigint AS logs, coalesce(sum(e.snapshots), 0)::bigint AS snapshots,
  coalesce(sum(e.phases_total + e.steps_total + e.faults_total + e.validations_passed + e.validations_failed + e.validations_skipped + e.validations_error), 0)::bigint AS results
FROM test_coordination.executions AS e
WHERE e.bucket >= sqlc.arg(first)::date AND e.bucket < sqlc.arg(until)::date AND NOT EXISTS (
  SELECT FROM test_coordination.pruned_runs AS p WHERE p.execution_id = e.execution_id AND p.run = e.run AND sqlc.arg(kind)::text = ANY (p.kinds));

-- SettlePending notes that no rows of a kind are left of these runs.
-- name: SettlePending :exec
UPDATE test_coordination.pruned_runs AS p SET pending = array_remove(p.pending, sqlc.arg(kind)::text)
FROM ROWS FROM (unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(runs)::integer[])) AS u(id, run)
WHERE p.execution_id = u.id AND p.run = u.run;

-- SettlePendingBucket is the same for all runs of a bucket, and for several kinds at
-- once: each time a tombstone is written anew, with its entries in all indexes.
-- name: SettlePendingBucket :exec
UPDATE test_coordination.pruned_runs AS p
SET pending = ARRAY(SELECT k.kind FROM unnest(p.pending) AS k(kind) WHERE k.kind <> ALL (sqlc.arg(kinds)::text[]))
WHERE p.pending <> '{}' AND p.pending && sqlc.arg(kinds)::text[] AND p.bucket = sqlc.arg(bucket)::date;

-- PrunedRunsOfEvents is S4c for events of ids of which retention has removed
-- something: for each event the run that its runid named, if it is gone, and
-- whether it is dated among the events of a run whose events are gone.
-- name: PrunedRunsOfEvents :many
SELECT u.place::bigint AS place,
  EXISTS (SELECT FROM test_coordination.pruned_runs AS p WHERE u.run_id <> '' AND p.execution_id = u.id AND p.run_id = u.run_id AND 'events' = ANY (p.kinds)) AS named,
  (EXISTS (SELECT FROM test_coordination.pruned_runs AS p WHERE p.execution_id = u.id AND p.last_event_at IS NOT NULL AND p.last_event_at >= u.at AND p.first_event_at <= u.at)
   OR EXISTS (SELECT FROM test_coordination.pruned_runs AS p WHERE p.execution_id = u.id AND p.suspect_until IS NOT NULL AND p.suspect_until >= u.at AND p.suspect_from <= u.at))::boolean AS within
FROM ROWS FROM (unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(run_ids)::text[]), unnest(sqlc.arg(times)::timestamptz[])) WITH ORDINALITY AS u(id, run_id, at, place);

-- RevisionGone is the highest revision of the reports of a run that retention has
-- removed, or is about to; no row where it has removed none.
-- name: RevisionGone :one
SELECT last_revision FROM test_coordination.pruned_runs WHERE execution_id = $1 AND run = $2 AND last_revision > 0;

-- NoteRevision notes the revision of a report that is frozen of such a run: its row
-- may go with those that are pending.
-- name: NoteRevision :exec
UPDATE test_coordination.pruned_runs SET last_revision = sqlc.arg(revision)
WHERE execution_id = sqlc.arg(execution_id) AND run = sqlc.arg(run) AND 'reports' = ANY (kinds) AND last_revision < sqlc.arg(revision);

-- LatestPrunedRuns are the tombstones of the latest runs of ids, where these are
-- gone, or their events are.
-- name: LatestPrunedRuns :many
SELECT p.* FROM test_coordination.execution_ids AS i
JOIN test_coordination.pruned_runs AS p ON p.execution_id = i.execution_id AND p.run = i.latest_run
WHERE i.execution_id = ANY (sqlc.arg(ids)::text[]) AND 'events' = ANY (p.kinds);

-- PrunedRun is what is gone of a run.
-- name: PrunedRun :one
SELECT * FROM test_coordination.pruned_runs WHERE execution_id = $1 AND run = $2;

-- PrunedKinds counts the runs of which a kind of data is gone.
-- name: PrunedKinds :many
SELECT k.kind::text AS kind, count(*)::bigint AS runs, count(*) FILTER (WHERE k.kind = ANY (p.pending))::bigint AS pending
FROM test_coordination.pruned_runs AS p CROSS JOIN LATERAL unnest(p.kinds) AS k(kind) GROUP BY 1 ORDER BY 1;

-- MissingRuns are ids that should have had more runs than are stored or have a
-- tombstone, and those that do not say that they have lost something.
-- name: MissingRuns :many
SELECT i.execution_id, i.latest_run, (r.runs + t.runs)::bigint AS known, i.pruned, (t.events > 0)::boolean AS lost_events FROM test_coordination.execution_ids AS i
CROSS JOIN LATERAL (SELECT count(*) AS runs FROM test_coordination.executions AS e WHERE e.execution_id = i.execution_id) AS r
CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE 'run' = ANY (p.kinds)) AS runs, count(*) FILTER (WHERE 'events' = ANY (p.kinds)) AS events
  FROM test_coordination.pruned_runs AS p WHERE p.execution_id = i.execution_id) AS t
WHERE r.runs + t.runs < i.latest_run OR i.pruned <> (t.events > 0) ORDER BY 1 LIMIT sqlc.arg(page);

-- DeleteAuditBefore removes the oldest entries of the audit log, so many at once.
-- name: DeleteAuditBefore :execrows
DELETE FROM test_coordination.audit_log WHERE id IN (
  SELECT a.id FROM test_coordination.audit_log AS a WHERE a.at < sqlc.arg(before)::timestamptz ORDER BY a.id LIMIT sqlc.arg(most));

-- BucketPartitions lists the partitions with their buckets and sizes.
-- name: BucketPartitions :many
SELECT b.parent::text AS parent, b.child::text AS child, b.lower_bucket::date AS lower_bucket, b.upper_bucket::date AS upper_bucket, b.bytes::bigint AS bytes
FROM test_coordination.bucket_partitions() AS b;

-- ReplacePartition drops a partition but for what is kept of it.
-- name: ReplacePartition :one
SELECT r.kept::bigint AS kept, r.freed::bigint AS freed
FROM test_coordination.replace_partition(sqlc.arg(table_name)::text, sqlc.arg(child_name)::text, sqlc.arg(kind)::text) AS r;

-- AllowLonger lets the statements of a transaction take longer than those of
-- others may.
-- name: AllowLonger :exec
SELECT set_config('statement_timeout', sqlc.arg(statement_timeout)::text, true), set_config('idle_in_transaction_session_timeout', sqlc.arg(statement_timeout)::text, true);
