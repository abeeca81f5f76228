-- ReplanSchedules is part of S4e: it has schedules looked at anew after a change.
-- Where an occurrence of the former setting has come due and nobody has made it
-- yet, the new one is planned from that moment on. In the order of ids, as all
-- who wait for several plans do.
-- name: ReplanSchedules :exec
INSERT INTO test_coordination.schedule_plans AS p (schedule_id, schedule_version, planned_until, next_due_at)
SELECT u.id, 0, sqlc.arg(now)::timestamptz, sqlc.arg(now)::timestamptz FROM unnest(sqlc.arg(ids)::text[]) AS u(id) ORDER BY u.id
ON CONFLICT (schedule_id) DO UPDATE SET
  schedule_version = 0, next_due_at = excluded.next_due_at,
  planned_until = CASE
    WHEN p.schedule_version = 0 THEN p.planned_until
    WHEN p.next_due_at <= excluded.next_due_at THEN p.next_due_at - interval '1 microsecond'
    ELSE excluded.planned_until END;

-- LockDuePlans takes the plans that have to be looked at, as far as nobody else
-- does just now. The schedules are read afterwards, by another statement: this
-- one would show them as they were when it began, and a change that it has waited
-- for would be taken for planned.
-- name: LockDuePlans :many
SELECT * FROM test_coordination.schedule_plans WHERE next_due_at <= sqlc.arg(now)::timestamptz
ORDER BY next_due_at LIMIT sqlc.arg(most) FOR UPDATE SKIP LOCKED;

-- LockPlans takes the plans of some schedules, as far as nobody else has them: it
-- serialises those who claim occurrences of a schedule whose concurrency policy
-- compares them. A claim takes plans again and again, in no order, and so must not
-- wait for one.
-- name: LockPlans :many
SELECT schedule_id FROM test_coordination.schedule_plans WHERE schedule_id = ANY (sqlc.arg(ids)::text[]) FOR UPDATE SKIP LOCKED;

-- SavePlans notes what has been planned. The zero time stands for NULL.
-- name: SavePlans :exec
UPDATE test_coordination.schedule_plans AS p SET
  schedule_version = u.version, planned_until = sqlc.arg(now)::timestamptz, next_due_at = NULLIF(u.next_due_at, '0001-01-01 00:00:00+00')
FROM ROWS FROM (unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(versions)::bigint[]), unnest(sqlc.arg(next_due)::timestamptz[])) AS u(id, version, next_due_at)
WHERE p.schedule_id = u.id;
