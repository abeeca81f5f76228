-- Nobody waits for the row of an occurrence, but who was given it by name
-- (renewing and completing a claim): all others leave out what is locked. So they
-- may hold such rows and wait for plans.
--
-- Statements that name occurrences by their keys say nothing about status: while
-- the table is small they would be planned along one of the partial indexes, as a
-- whole, and the plan is kept. Claimed is who has a lease.

-- InsertOccurrences adds the occurrences that are not there yet. The zero time, 0
-- and the empty key stand for NULL.
-- name: InsertOccurrences :exec
INSERT INTO test_coordination.schedule_occurrences
  (schedule_id, occurrence_id, kind, due_at, due_until, trigger_source, trigger_execution_id, trigger_run, trigger_event_key, start_by, status, reason, created_at, settled_at)
SELECT u.schedule_id, u.occurrence_id, u.kind, u.due_at, NULLIF(u.due_until, '0001-01-01 00:00:00+00'), u.trigger_source, u.trigger_execution_id, NULLIF(u.trigger_run, 0), NULLIF(u.trigger_event_key, ''),
  NULLIF(u.start_by, '0001-01-01 00:00:00+00'), u.status, u.reason, sqlc.arg(now)::timestamptz, CASE WHEN u.status <> 'due' THEN sqlc.arg(now)::timestamptz END
FROM ROWS FROM (
  unnest(sqlc.arg(schedule_ids)::text[]), unnest(sqlc.arg(occurrence_ids)::text[]), unnest(sqlc.arg(kinds)::text[]), unnest(sqlc.arg(due)::timestamptz[]), unnest(sqlc.arg(due_until)::timestamptz[]),
  unnest(sqlc.arg(trigger_sources)::text[]), unnest(sqlc.arg(trigger_execution_ids)::text[]), unnest(sqlc.arg(trigger_runs)::integer[]), unnest(sqlc.arg(trigger_event_keys)::bytea[]),
  unnest(sqlc.arg(start_by)::timestamptz[]), unnest(sqlc.arg(statuses)::text[]), unnest(sqlc.arg(reasons)::text[])
) AS u(schedule_id, occurrence_id, kind, due_at, due_until, trigger_source, trigger_execution_id, trigger_run, trigger_event_key, start_by, status, reason)
ON CONFLICT (schedule_id, occurrence_id) DO NOTHING;

-- LockDueOf takes the occurrences of some schedules that are due.
-- name: LockDueOf :many
SELECT * FROM test_coordination.schedule_occurrences
WHERE schedule_id = ANY (sqlc.arg(ids)::text[]) AND (status IN ('due', 'claimed') OR run_active) AND settled_at IS NULL AND lease_expires_at IS NULL
ORDER BY schedule_id, due_at LIMIT sqlc.arg(most) FOR UPDATE SKIP LOCKED;

-- LatestDueOf are the latest occurrences of each of some schedules that are due by
-- now, also those that somebody has in hand.
-- name: LatestDueOf :many
SELECT o.* FROM unnest(sqlc.arg(ids)::text[]) AS s(id)
CROSS JOIN LATERAL (
  SELECT d.* FROM test_coordination.schedule_occurrences AS d
  WHERE d.schedule_id = s.id AND (d.status IN ('due', 'claimed') OR d.run_active) AND d.settled_at IS NULL AND d.lease_expires_at IS NULL
    AND d.due_at <= sqlc.arg(now)::timestamptz
  ORDER BY d.due_at DESC LIMIT sqlc.arg(most)) AS o
ORDER BY o.schedule_id, o.due_at DESC;

-- LockDue takes a page of what is due by now, in due order. What somebody with a
-- fast clock has made early is not.
-- name: LockDue :many
SELECT * FROM test_coordination.schedule_occurrences
WHERE status = 'due' AND due_at <= sqlc.arg(now)::timestamptz AND (due_at, schedule_id, occurrence_id) > (sqlc.arg(after)::timestamptz, sqlc.arg(after_schedule)::text, sqlc.arg(after_occurrence)::text)
ORDER BY due_at, schedule_id, occurrence_id LIMIT sqlc.arg(page) FOR UPDATE SKIP LOCKED;

-- LockExpired takes what was claimed by those who did not come back in time. The
-- clock is read once, in a subquery: only so can it bound the index.
-- name: LockExpired :many
SELECT * FROM test_coordination.schedule_occurrences
WHERE status = 'claimed' AND lease_expires_at < (SELECT clock_timestamp())
ORDER BY lease_expires_at LIMIT sqlc.arg(page) FOR UPDATE SKIP LOCKED;

-- SettleOccurrences settles due and expired ones that are locked. A claim that
-- is given up so is raised, so that its coordinator cannot complete it.
-- name: SettleOccurrences :exec
UPDATE test_coordination.schedule_occurrences AS o SET
  status = u.status, reason = u.reason, detail = u.detail, settled_at = sqlc.arg(now)::timestamptz,
  claim_token = o.claim_token + CASE WHEN o.status = 'claimed' THEN 1 ELSE 0 END, lease_expires_at = NULL
FROM ROWS FROM (
  unnest(sqlc.arg(schedule_ids)::text[]), unnest(sqlc.arg(occurrence_ids)::text[]), unnest(sqlc.arg(statuses)::text[]), unnest(sqlc.arg(reasons)::text[]), unnest(sqlc.arg(details)::text[])
) AS u(schedule_id, occurrence_id, status, reason, detail)
WHERE o.schedule_id = u.schedule_id AND o.occurrence_id = u.occurrence_id;

-- MoveStartBy gives due ones that are locked the starting deadline of a schedule
-- that was set anew. The zero time stands for NULL.
-- name: MoveStartBy :exec
UPDATE test_coordination.schedule_occurrences AS o SET start_by = NULLIF(u.start_by, '0001-01-01 00:00:00+00')
FROM ROWS FROM (unnest(sqlc.arg(schedule_ids)::text[]), unnest(sqlc.arg(occurrence_ids)::text[]), unnest(sqlc.arg(start_by)::timestamptz[])) AS u(schedule_id, occurrence_id, start_by)
WHERE o.schedule_id = u.schedule_id AND o.occurrence_id = u.occurrence_id;

-- SettleLate settles due occurrences whose last moment to start has passed.
-- name: SettleLate :execrows
UPDATE test_coordination.schedule_occurrences AS o SET status = 'missed', reason = 'too_late', settled_at = sqlc.arg(now)::timestamptz
WHERE o.ctid = ANY (ARRAY (
  SELECT l.ctid FROM test_coordination.schedule_occurrences AS l
  WHERE l.status = 'due' AND l.start_by IS NOT NULL AND l.start_by < sqlc.arg(now)::timestamptz
  ORDER BY l.start_by LIMIT sqlc.arg(most) FOR UPDATE SKIP LOCKED));

-- RivalsOf are the occurrences of some schedules that are claimed, or whose run
-- was active when somebody looked last; over tells that it is not any more. A run
-- of which nothing was heard yet is active for some time: its first event may be
-- on the way. Where nobody said which run of an execution came of it, it is the
-- latest, but for one that came of an earlier occurrence, as was said, or that has
-- ended and was there before anybody had claimed it: it is another; 0 when there is
-- none. Births of runs are dated by the clocks of instances, which may be some
-- seconds slow.
-- name: RivalsOf :many
SELECT o.schedule_id, o.occurrence_id, o.due_at, o.settled_at, o.execution_id, COALESCE(o.run, e.run, 0)::integer AS run, (o.run IS NOT NULL)::boolean AS numbered,
  (e.status IS NOT NULL)::boolean AS heard,
  (o.run_active AND NOT COALESCE(e.status IN ('pending', 'running', 'paused'), o.settled_at > sqlc.arg(unheard_since)::timestamptz))::boolean AS over
FROM test_coordination.schedule_occurrences AS o
LEFT JOIN test_coordination.execution_ids AS i ON i.execution_id = o.execution_id
LEFT JOIN test_coordination.executions AS e ON e.execution_id = o.execution_id AND e.run = COALESCE(o.run, i.latest_run)
  AND (o.run IS NOT NULL
    OR (e.created_at >= o.first_claimed_at - interval '5 seconds' OR e.status IN ('pending', 'running', 'paused'))
    AND NOT EXISTS (SELECT FROM test_coordination.schedule_occurrences AS n WHERE n.execution_id = o.execution_id AND n.run = i.latest_run AND n.settled_at < o.settled_at))
WHERE o.schedule_id = ANY (sqlc.arg(ids)::text[]) AND (o.status IN ('due', 'claimed') OR o.run_active) AND (o.status = 'claimed' OR o.run_active)
ORDER BY o.schedule_id, o.due_at LIMIT sqlc.arg(most);

-- EndRuns notes that runs have been seen ended.
-- name: EndRuns :exec
UPDATE test_coordination.schedule_occurrences AS o SET run_active = false
WHERE o.ctid = ANY (ARRAY (
  SELECT l.ctid
  FROM ROWS FROM (unnest(sqlc.arg(schedule_ids)::text[]), unnest(sqlc.arg(occurrence_ids)::text[])) AS u(schedule_id, occurrence_id)
  JOIN test_coordination.schedule_occurrences AS l ON l.schedule_id = u.schedule_id AND l.occurrence_id = u.occurrence_id
  FOR UPDATE OF l SKIP LOCKED));

-- ClaimOccurrences claims occurrences that are locked, and due or expired.
-- name: ClaimOccurrences :many
UPDATE test_coordination.schedule_occurrences AS o SET
  status = 'claimed', claim_token = o.claim_token + 1, claimed_by = sqlc.arg(claimer), claimed_at = clock_timestamp(), first_claimed_at = COALESCE(o.first_claimed_at, clock_timestamp()),
  lease_expires_at = clock_timestamp() + make_interval(secs => sqlc.arg(lease_seconds)::double precision), start_by = NULLIF(u.start_by, '0001-01-01 00:00:00+00')
FROM ROWS FROM (unnest(sqlc.arg(schedule_ids)::text[]), unnest(sqlc.arg(occurrence_ids)::text[]), unnest(sqlc.arg(start_by)::timestamptz[])) AS u(schedule_id, occurrence_id, start_by)
WHERE o.schedule_id = u.schedule_id AND o.occurrence_id = u.occurrence_id
RETURNING o.*;

-- RenewClaim lets the latest claim last longer, also one whose lease has ended if
-- nobody has taken it.
-- name: RenewClaim :one
UPDATE test_coordination.schedule_occurrences SET lease_expires_at = clock_timestamp() + make_interval(secs => sqlc.arg(lease_seconds)::double precision)
WHERE schedule_id = sqlc.arg(schedule_id) AND occurrence_id = sqlc.arg(occurrence_id) AND claim_token = sqlc.arg(token) AND lease_expires_at IS NOT NULL
RETURNING *;

-- CompleteClaim ends the latest claim.
-- name: CompleteClaim :one
UPDATE test_coordination.schedule_occurrences SET
  status = 'completed', outcome = sqlc.arg(outcome), detail = sqlc.arg(detail), execution_id = sqlc.arg(execution_id), run = sqlc.narg(run),
  run_active = sqlc.arg(execution_id)::text <> '', settled_at = sqlc.arg(now)::timestamptz, lease_expires_at = NULL
WHERE schedule_id = sqlc.arg(schedule_id) AND occurrence_id = sqlc.arg(occurrence_id) AND claim_token = sqlc.arg(token) AND lease_expires_at IS NOT NULL
RETURNING *;

-- ForgetOccurrences removes occurrences that were settled before a moment, so many
-- at once, the oldest first. That they are not made again follows from what makes
-- them: the plan of a schedule that comes due by a cron expression only moves on,
-- and events that happened before the moment (due_at) make none any more. One of
-- kind once stays, for the schedule may be set to the same time again. So do those
-- whose run has not been seen ended: later ones are compared with them.
-- name: ForgetOccurrences :execrows
DELETE FROM test_coordination.schedule_occurrences AS o WHERE o.ctid = ANY (ARRAY (
  SELECT l.ctid FROM test_coordination.schedule_occurrences AS l
  WHERE l.settled_at < sqlc.arg(before)::timestamptz AND NOT l.run_active AND l.kind <> 'once' AND l.due_at < sqlc.arg(before)::timestamptz
  ORDER BY l.settled_at LIMIT sqlc.arg(most) FOR UPDATE SKIP LOCKED));

-- OccurrenceByID is one occurrence.
-- name: OccurrenceByID :one
SELECT * FROM test_coordination.schedule_occurrences WHERE schedule_id = $1 AND occurrence_id = $2;

-- OccurrencesPage walks the occurrences of a schedule, the latest first.
-- name: OccurrencesPage :many
SELECT * FROM test_coordination.schedule_occurrences
WHERE schedule_id = sqlc.arg(schedule_id) AND due_at > '-infinity' AND (due_at, occurrence_id) < (sqlc.arg(before)::timestamptz, sqlc.arg(before_occurrence)::text)
ORDER BY due_at DESC, occurrence_id DESC LIMIT sqlc.arg(page);
