-- PhasesTouched loads phases before a fold. Names are found by their
-- hash: a name may be longer than an entry of an index.
-- name: PhasesTouched :batchmany
SELECT p.* FROM ROWS FROM (unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(runs)::integer[]), unnest(sqlc.arg(phases)::text[]), unnest(sqlc.arg(buckets)::date[])) AS u(id, run, phase, bucket)
JOIN test_coordination.execution_phases AS p ON p.execution_id = u.id AND p.run = u.run AND p.phase_hash = sha256(convert_to(u.phase, 'UTF8')) AND p.bucket = u.bucket;

-- PhasesOfRun are all phases of one run.
-- name: PhasesOfRun :many
SELECT * FROM test_coordination.execution_phases WHERE execution_id = $1 AND run = $2 AND bucket = $3 ORDER BY phase;

-- InsertPhases is part of S4e: phases that are not stored yet.
-- name: InsertPhases :copyfrom
INSERT INTO test_coordination.execution_phases
  (bucket, execution_id, run, phase, phase_hash, ordinal, description, status, started_at, finished_at, error, marks)
VALUES
  (sqlc.arg(bucket), sqlc.arg(execution_id), sqlc.arg(run), sqlc.arg(phase), sqlc.arg(phase_hash), sqlc.narg(ordinal), sqlc.arg(description), sqlc.arg(status),
   sqlc.narg(started_at), sqlc.narg(finished_at), sqlc.arg(error), sqlc.arg(marks));

-- SavePhases is part of S4e: those that are stored. The zero time and the least integer stand for NULL.
-- name: SavePhases :exec
INSERT INTO test_coordination.execution_phases (bucket, execution_id, run, phase, phase_hash, ordinal, description, status, started_at, finished_at, error, marks)
SELECT u.bucket, u.id, u.run, u.phase, u.phase_hash, NULLIF(u.ordinal, -2147483648), u.description, u.status,
  NULLIF(u.started_at, '0001-01-01 00:00:00+00'), NULLIF(u.finished_at, '0001-01-01 00:00:00+00'), u.error, u.marks
FROM ROWS FROM (
  unnest(sqlc.arg(buckets)::date[]), unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(runs)::integer[]), unnest(sqlc.arg(phases)::text[]), unnest(sqlc.arg(phase_hashes)::bytea[]),
  unnest(sqlc.arg(ordinals)::integer[]), unnest(sqlc.arg(descriptions)::text[]), unnest(sqlc.arg(statuses)::text[]), unnest(sqlc.arg(started)::timestamptz[]),
  unnest(sqlc.arg(finished)::timestamptz[]), unnest(sqlc.arg(errors)::text[]), unnest(sqlc.arg(marks)::bytea[])
) AS u(bucket, id, run, phase, phase_hash, ordinal, description, status, started_at, finished_at, error, marks)
ON CONFLICT (execution_id, run, phase_hash, bucket) DO UPDATE SET
  ordinal = excluded.ordinal, description = excluded.description, status = excluded.status, started_at = excluded.started_at,
  finished_at = excluded.finished_at, error = excluded.error, marks = excluded.marks;

-- PhasesPage is a page of the phases of a run, by the hashes of their names.
-- name: PhasesPage :many
SELECT * FROM test_coordination.execution_phases
WHERE execution_id = sqlc.arg(execution_id) AND run = sqlc.arg(run) AND bucket = sqlc.arg(bucket) AND phase_hash > sqlc.arg(after)
ORDER BY phase_hash LIMIT sqlc.arg(page);
