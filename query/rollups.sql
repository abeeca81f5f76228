-- AppendDirty notes, in the transaction that changes runs, which rollups that
-- concerns.
-- name: AppendDirty :exec
INSERT INTO test_coordination.rollup_dirty (scenario_id, day, group_id, appended_at)
SELECT u.scenario_id, u.day, u.group_id, sqlc.arg(now)
FROM ROWS FROM (unnest(sqlc.arg(scenario_ids)::text[]), unnest(sqlc.arg(days)::date[]), unnest(sqlc.arg(group_ids)::text[])) AS u(scenario_id, day, group_id);

-- LockRollups serialises all who make rollups anew, until the end of the
-- transaction. It comes first: what they read is then as new as what any before
-- them has stored. (The roller's lead is another lock, which it holds meanwhile.)
-- name: LockRollups :exec
SELECT pg_advisory_xact_lock(hashtextextended('tcda:make-rollups', 0));

-- TakeDirty takes the oldest notes away, so many at most and of so many keys at
-- most, and gives each pair of key and group once.
-- name: TakeDirty :many
WITH page AS (
  SELECT id, scenario_id, day FROM test_coordination.rollup_dirty ORDER BY id LIMIT sqlc.arg(notes)
), keys AS (
  SELECT scenario_id, day FROM page GROUP BY scenario_id, day ORDER BY min(id) LIMIT sqlc.arg(keys)
), taken AS (
  DELETE FROM test_coordination.rollup_dirty AS d
  WHERE d.id = ANY (ARRAY(SELECT p.id FROM page AS p JOIN keys AS k ON k.scenario_id = p.scenario_id AND k.day = p.day))
  RETURNING d.scenario_id, d.day, d.group_id
)
SELECT DISTINCT scenario_id, day, group_id FROM taken;

-- DirtyState is how many notes wait, counted up to 100,000, and since when the
-- oldest does; no row when none waits.
-- name: DirtyState :one
SELECT (SELECT count(*) FROM (SELECT FROM test_coordination.rollup_dirty LIMIT 100000) AS waiting)::bigint AS waiting, d.appended_at AS oldest
FROM test_coordination.rollup_dirty AS d ORDER BY d.id LIMIT 1;

-- GroupDays are the days on which groups are counted, and will be: that of the
-- last attempt that has its results, and the one in the rollups, or else, of a group that these do not
-- know, those of all attempts.
-- name: GroupDays :many
SELECT u.scenario_id::text AS scenario_id, u.group_id::text AS group_id, d.day::date AS day, d.present::boolean AS present
FROM ROWS FROM (unnest(sqlc.arg(scenario_ids)::text[]), unnest(sqlc.arg(group_ids)::text[])) AS u(scenario_id, group_id)
CROSS JOIN LATERAL (
  (SELECT (coalesce(l.started_at, l.requested_at, l.created_at) AT TIME ZONE 'UTC')::date AS day, true AS present FROM test_coordination.executions AS l
   WHERE l.scenario_id = u.scenario_id AND l.group_id = u.group_id AND l.group_id <> '' AND l.ended_at IS NOT NULL AND l.dry_run IS NOT TRUE
     AND NOT EXISTS (SELECT FROM test_coordination.pruned_runs AS p WHERE p.execution_id = l.execution_id AND p.run = l.run AND 'results' = ANY (p.kinds))
   ORDER BY coalesce(l.attempt, 1) DESC, coalesce(l.started_at, l.requested_at, l.created_at) DESC, l.execution_id DESC, l.run DESC LIMIT 1)
  UNION ALL
  (SELECT g.day, false FROM test_coordination.rollup_groups AS g WHERE g.scenario_id = u.scenario_id AND g.group_id = u.group_id)
  UNION ALL
  (SELECT DISTINCT (coalesce(l.started_at, l.requested_at, l.created_at) AT TIME ZONE 'UTC')::date, false FROM test_coordination.executions AS l
   WHERE l.scenario_id = u.scenario_id AND l.group_id = u.group_id AND l.group_id <> '' AND l.ended_at IS NOT NULL AND l.dry_run IS NOT TRUE
     AND NOT EXISTS (SELECT FROM test_coordination.rollup_groups AS g WHERE g.scenario_id = u.scenario_id AND g.group_id = u.group_id))
) AS d;

-- SaveGroupDays says on which days the rollups count groups from now on.
-- name: SaveGroupDays :exec
INSERT INTO test_coordination.rollup_groups (scenario_id, group_id, day)
SELECT u.scenario_id, u.group_id, u.day
FROM ROWS FROM (unnest(sqlc.arg(scenario_ids)::text[]), unnest(sqlc.arg(group_ids)::text[]), unnest(sqlc.arg(days)::date[])) AS u(scenario_id, group_id, day)
ON CONFLICT (scenario_id, group_id) DO UPDATE SET day = excluded.day WHERE rollup_groups.day <> excluded.day;

-- RemoveGroups forgets groups of which no attempt counts any more.
-- name: RemoveGroups :exec
DELETE FROM test_coordination.rollup_groups AS g
USING ROWS FROM (unnest(sqlc.arg(scenario_ids)::text[]), unnest(sqlc.arg(group_ids)::text[])) AS u(scenario_id, group_id)
WHERE g.scenario_id = u.scenario_id AND g.group_id = u.group_id;

-- KeepRollups adds what runs that are about to lose their results contribute to the
-- rollups of keys, which are those of their days, to what is kept of them.
-- name: KeepRollups :exec
SELECT test_coordination.keep_rollups(sqlc.arg(scenario_ids)::text[], sqlc.arg(days)::date[], sqlc.arg(ids)::text[], sqlc.arg(runs)::integer[]);

-- DeleteRollupRuns is the first half of making keys anew.
-- name: DeleteRollupRuns :exec
DELETE FROM test_coordination.rollup_runs AS r
USING ROWS FROM (unnest(sqlc.arg(scenario_ids)::text[]), unnest(sqlc.arg(days)::date[])) AS u(scenario_id, day)
WHERE r.scenario_id = u.scenario_id AND r.day = u.day;

-- InsertRollupRuns is the second half.
-- name: InsertRollupRuns :exec
INSERT INTO test_coordination.rollup_runs SELECT * FROM test_coordination.compute_rollup_runs(sqlc.arg(scenario_ids)::text[], sqlc.arg(days)::date[], NULL, NULL);

-- DeleteRollupAssertions is the first half of making keys anew.
-- name: DeleteRollupAssertions :exec
DELETE FROM test_coordination.rollup_assertions AS r
USING ROWS FROM (unnest(sqlc.arg(scenario_ids)::text[]), unnest(sqlc.arg(days)::date[])) AS u(scenario_id, day)
WHERE r.scenario_id = u.scenario_id AND r.day = u.day;

-- InsertRollupAssertions is the second half.
-- name: InsertRollupAssertions :exec
INSERT INTO test_coordination.rollup_assertions SELECT * FROM test_coordination.compute_rollup_assertions(sqlc.arg(scenario_ids)::text[], sqlc.arg(days)::date[], NULL, NULL);

-- DeleteRollupFaults is the first half of making keys anew.
-- name: DeleteRollupFaults :exec
DELETE FROM test_coordination.rollup_faults AS r
USING ROWS FROM (unnest(sqlc.arg(scenario_ids)::text[]), unnest(sqlc.arg(days)::date[])) AS u(scenario_id, day)
WHERE r.scenario_id = u.scenario_id AND r.day = u.day;

-- InsertRollupFaults is the second half.
-- name: InsertRollupFaults :exec
INSERT INTO test_coordination.rollup_faults SELECT * FROM test_coordination.compute_rollup_faults(sqlc.arg(scenario_ids)::text[], sqlc.arg(days)::date[], NULL, NULL);

-- NoteEnvironments notes where the scenarios of keys have run.
-- name: NoteEnvironments :exec
INSERT INTO test_coordination.rollup_environments (scenario_id, environment)
SELECT DISTINCT r.scenario_id, r.environment
FROM ROWS FROM (unnest(sqlc.arg(scenario_ids)::text[]), unnest(sqlc.arg(days)::date[])) AS u(scenario_id, day)
JOIN test_coordination.rollup_runs AS r ON r.scenario_id = u.scenario_id AND r.day = u.day
ON CONFLICT (scenario_id, environment) DO NOTHING;

-- DeleteSummaries is the first half of making the summaries of scenarios anew.
-- name: DeleteSummaries :exec
DELETE FROM test_coordination.scenario_summaries WHERE window_days IN (7, 30, 90, 365) AND scenario_id = ANY (sqlc.arg(scenario_ids)::text[]);

-- InsertSummaries is the second half.
-- name: InsertSummaries :exec
INSERT INTO test_coordination.scenario_summaries SELECT * FROM test_coordination.compute_scenario_summaries(sqlc.arg(scenario_ids)::text[], sqlc.arg(as_of)::date);

-- SummariesBehind are scenarios whose summaries are of a former day; whoever has
-- one has that of the longest window.
-- name: SummariesBehind :many
SELECT scenario_id FROM test_coordination.scenario_summaries
WHERE window_days = 365 AND as_of < sqlc.arg(today)::date ORDER BY scenario_id LIMIT sqlc.arg(page);

-- MarkAllDirty has rollups made anew: of all runs, and of all keys that are
-- stored, or of those of one scenario (empty: all), since a day.
-- name: MarkAllDirty :execrows
INSERT INTO test_coordination.rollup_dirty (scenario_id, day, group_id, appended_at)
SELECT k.scenario_id, k.day, k.group_id, sqlc.arg(now) FROM (
  SELECT e.scenario_id, (coalesce(e.started_at, e.requested_at, e.created_at) AT TIME ZONE 'UTC')::date AS day, e.group_id
  FROM test_coordination.executions AS e WHERE e.ended_at IS NOT NULL AND e.dry_run IS NOT TRUE
  UNION
  SELECT r.scenario_id, r.day, '' FROM test_coordination.rollup_runs AS r
  UNION
  SELECT p.scenario_id, p.day, '' FROM test_coordination.pruned_rollup_runs AS p
) AS k
WHERE (sqlc.arg(scenario_id)::text = '' OR k.scenario_id = sqlc.arg(scenario_id)::text) AND k.day >= sqlc.arg(since)::date
ORDER BY k.scenario_id, k.day, k.group_id;

-- RollupScenarios walks, for verification, whatever has runs that count or rollups.
-- name: RollupScenarios :many
SELECT s.scenario_id::text AS scenario_id FROM (
  SELECT DISTINCT e.scenario_id FROM test_coordination.executions AS e WHERE e.ended_at IS NOT NULL AND e.dry_run IS NOT TRUE
  UNION SELECT DISTINCT r.scenario_id FROM test_coordination.rollup_runs AS r
  UNION SELECT DISTINCT r.scenario_id FROM test_coordination.rollup_assertions AS r
  UNION SELECT DISTINCT r.scenario_id FROM test_coordination.rollup_faults AS r
  UNION SELECT DISTINCT r.scenario_id FROM test_coordination.scenario_summaries AS r
  UNION SELECT DISTINCT r.scenario_id FROM test_coordination.rollup_environments AS r
  UNION SELECT DISTINCT p.scenario_id FROM test_coordination.pruned_rollup_runs AS p
) AS s ORDER BY s.scenario_id;

-- RollupDays are the days of a scenario that have runs that count or rollups, and
-- whether these count runs whose results are gone.
-- name: RollupDays :many
SELECT k.day::date AS day, bool_or(k.pruned)::boolean AS pruned FROM (
  SELECT (coalesce(e.started_at, e.requested_at, e.created_at) AT TIME ZONE 'UTC')::date AS day, false AS pruned
  FROM test_coordination.executions AS e WHERE e.scenario_id = sqlc.arg(scenario_id) AND e.ended_at IS NOT NULL AND e.dry_run IS NOT TRUE
  UNION SELECT r.day, false FROM test_coordination.rollup_runs AS r WHERE r.scenario_id = sqlc.arg(scenario_id)
  UNION SELECT r.day, false FROM test_coordination.rollup_assertions AS r WHERE r.scenario_id = sqlc.arg(scenario_id)
  UNION SELECT r.day, false FROM test_coordination.rollup_faults AS r WHERE r.scenario_id = sqlc.arg(scenario_id)
  UNION SELECT p.day, true FROM test_coordination.pruned_rollup_runs AS p WHERE p.scenario_id = sqlc.arg(scenario_id)
) AS k GROUP BY k.day ORDER BY k.day;

-- ScenarioIsDirty tells whether rollups of a scenario wait to be made anew.
-- name: ScenarioIsDirty :one
SELECT EXISTS (SELECT FROM test_coordination.rollup_dirty WHERE scenario_id = sqlc.arg(scenario_id))::boolean AS dirty;

-- DifferentRollups are the rows of keys of a scenario, stored or computed, that
-- the other lacks.
-- name: DifferentRollups :many
WITH stored AS (
  SELECT 'rollup_runs' AS of_table, r.scenario_id, r.day, r.ordinal, to_jsonb(r) AS fields FROM test_coordination.rollup_runs AS r
    WHERE r.scenario_id = sqlc.arg(scenario_id) AND r.day = ANY (sqlc.arg(days)::date[])
  UNION ALL SELECT 'rollup_assertions', r.scenario_id, r.day, r.ordinal, to_jsonb(r) FROM test_coordination.rollup_assertions AS r
    WHERE r.scenario_id = sqlc.arg(scenario_id) AND r.day = ANY (sqlc.arg(days)::date[])
  UNION ALL SELECT 'rollup_faults', r.scenario_id, r.day, r.ordinal, to_jsonb(r) FROM test_coordination.rollup_faults AS r
    WHERE r.scenario_id = sqlc.arg(scenario_id) AND r.day = ANY (sqlc.arg(days)::date[])
), keys AS (
  SELECT array_agg(sqlc.arg(scenario_id)::text) AS scenario_ids, array_agg(k.day) AS days FROM unnest(sqlc.arg(days)::date[]) AS k(day)
), computed AS (
  SELECT 'rollup_runs' AS of_table, c.fields FROM keys AS k, LATERAL (SELECT to_jsonb(r) AS fields FROM test_coordination.compute_rollup_runs(k.scenario_ids, k.days, NULL, NULL) AS r) AS c
  UNION ALL SELECT 'rollup_assertions', c.fields FROM keys AS k, LATERAL (SELECT to_jsonb(r) AS fields FROM test_coordination.compute_rollup_assertions(k.scenario_ids, k.days, NULL, NULL) AS r) AS c
  UNION ALL SELECT 'rollup_faults', c.fields FROM keys AS k, LATERAL (SELECT to_jsonb(r) AS fields FROM test_coordination.compute_rollup_faults(k.scenario_ids, k.days, NULL, NULL) AS r) AS c
)
SELECT coalesce(s.of_table, c.of_table)::text AS of_table, coalesce(s.fields, c.fields)::jsonb AS key, s.fields::jsonb AS stored, c.fields::jsonb AS computed
FROM stored AS s
FULL JOIN computed AS c ON c.of_table = s.of_table AND c.fields->>'day' = s.fields->>'day' AND c.fields->>'ordinal' = s.fields->>'ordinal'
WHERE s.fields IS DISTINCT FROM c.fields
ORDER BY 1, coalesce(s.fields, c.fields)->>'day', (coalesce(s.fields, c.fields)->>'ordinal')::integer LIMIT sqlc.arg(page);

-- DifferentSummaries are the summaries of a scenario, stored or computed as of
-- the day of those stored, that the other lacks; and its environments.
-- name: DifferentSummaries :many
WITH stored AS (
  SELECT r.window_days, to_jsonb(r) AS fields FROM test_coordination.scenario_summaries AS r WHERE r.window_days IN (7, 30, 90, 365) AND r.scenario_id = sqlc.arg(scenario_id)
), computed AS (
  SELECT r.window_days, to_jsonb(r) AS fields
  FROM (SELECT coalesce(max(r.as_of), sqlc.arg(today)::date) AS as_of FROM test_coordination.scenario_summaries AS r WHERE r.window_days IN (7, 30, 90, 365) AND r.scenario_id = sqlc.arg(scenario_id)) AS d,
    LATERAL (SELECT * FROM test_coordination.compute_scenario_summaries(ARRAY[sqlc.arg(scenario_id)::text], d.as_of)) AS r
)
SELECT 'scenario_summaries'::text AS of_table, coalesce(s.fields, c.fields)::jsonb AS key, s.fields::jsonb AS stored, c.fields::jsonb AS computed
FROM stored AS s FULL JOIN computed AS c ON c.window_days = s.window_days
WHERE s.fields IS DISTINCT FROM c.fields
UNION ALL
SELECT 'rollup_environments', jsonb_build_object('environment', r.environment), NULL, jsonb_build_object('environment', r.environment)
FROM (SELECT DISTINCT environment FROM test_coordination.rollup_runs WHERE scenario_id = sqlc.arg(scenario_id)) AS r
WHERE NOT EXISTS (SELECT FROM test_coordination.rollup_environments AS e WHERE e.scenario_id = sqlc.arg(scenario_id) AND e.environment = r.environment);

-- MisplacedGroups are groups that the rollups count on another day than that of
-- their last attempt that has its results.
-- name: MisplacedGroups :many
SELECT g.group_id, g.day AS stored, l.day::date AS computed FROM test_coordination.rollup_groups AS g
CROSS JOIN LATERAL (
  SELECT (coalesce(l.started_at, l.requested_at, l.created_at) AT TIME ZONE 'UTC')::date AS day FROM test_coordination.executions AS l
  WHERE l.scenario_id = g.scenario_id AND l.group_id = g.group_id AND l.group_id <> '' AND l.ended_at IS NOT NULL AND l.dry_run IS NOT TRUE
    AND NOT EXISTS (SELECT FROM test_coordination.pruned_runs AS p WHERE p.execution_id = l.execution_id AND p.run = l.run AND 'results' = ANY (p.kinds))
  ORDER BY coalesce(l.attempt, 1) DESC, coalesce(l.started_at, l.requested_at, l.created_at) DESC, l.execution_id DESC, l.run DESC LIMIT 1
) AS l
WHERE g.scenario_id = sqlc.arg(scenario_id) AND l.day <> g.day LIMIT sqlc.arg(page);
