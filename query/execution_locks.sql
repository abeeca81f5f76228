-- Whether a lease lasts is judged by clock_timestamp(), the server's clock at the
-- moment of the judgement. The transaction's or the statement's time would be
-- that before a wait for the row: a lease that ran out during the wait would pass
-- for one that lasts, and a new one would have begun before it was given.
--
-- AcquireLock gives a lock to who asks, in one statement. A holder that asks again
-- keeps token and tenure, and the lease begins anew. Who is turned away learns it
-- from the row as it was when the statement began, and neither waits for the row
-- nor locks it: contenders do not hold up renewals, nor guarded transactions. No
-- row at all means that another has come in between: ask again. A row of another
-- holder is the refusal.
-- A token begins no lower than the timeline says: what a failover has lost, tokens
-- included, is not given again.
-- name: AcquireLock :one
WITH other AS (
  SELECT o.* FROM test_coordination.execution_locks AS o
  WHERE o.name = sqlc.arg(name) AND o.holder <> sqlc.arg(holder) AND o.state = 'held' AND o.expires_at > clock_timestamp()
), taken AS (
  INSERT INTO test_coordination.execution_locks AS l (name, holder, token, purpose, state, acquired_at, renewed_at, expires_at)
  SELECT sqlc.arg(name), sqlc.arg(holder), (('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint - 1) * 4294967296 + 1, sqlc.arg(purpose), 'held',
    t.at, t.at, t.at + make_interval(secs => sqlc.arg(lease_seconds)::double precision)
  FROM (SELECT clock_timestamp() AS at) AS t
  WHERE NOT EXISTS (SELECT FROM other)
  ON CONFLICT (name) DO UPDATE SET
    holder = excluded.holder, purpose = excluded.purpose, state = 'held', ended_at = NULL, ended_by = '', end_reason = '',
    (token, acquired_at, renewed_at, expires_at) = (
      SELECT CASE WHEN t.goes_on THEN l.token ELSE greatest(l.token + 1, excluded.token) END, CASE WHEN t.goes_on THEN l.acquired_at ELSE t.at END,
        t.at, t.at + (excluded.expires_at - excluded.renewed_at)
      FROM (SELECT c.at, l.state = 'held' AND l.holder = excluded.holder AND l.expires_at > c.at AS goes_on FROM (SELECT clock_timestamp() AS at) AS c) AS t)
  WHERE l.state <> 'held' OR l.holder = excluded.holder OR l.expires_at <= clock_timestamp()
  RETURNING l.*
)
SELECT taken.*, clock_timestamp()::timestamptz AS read_at FROM taken
UNION ALL
SELECT other.*, clock_timestamp()::timestamptz AS read_at FROM other;

-- RenewLock begins the lease anew, for the tenure of that token and as long as it
-- lasts. The row is locked before its expiry is judged: a renewal may wait for a
-- guarded transaction.
-- name: RenewLock :one
WITH locked AS MATERIALIZED (
  SELECT k.name, k.expires_at FROM test_coordination.execution_locks AS k
  WHERE k.name = sqlc.arg(name) AND k.token = sqlc.arg(token) AND k.state = 'held' FOR NO KEY UPDATE
)
UPDATE test_coordination.execution_locks AS l SET renewed_at = clock_timestamp(), expires_at = clock_timestamp() + make_interval(secs => sqlc.arg(lease_seconds)::double precision)
FROM locked WHERE l.name = locked.name AND locked.expires_at > clock_timestamp()
RETURNING l.*, clock_timestamp()::timestamptz AS read_at;

-- ReleaseLock ends the tenure of that token, also one whose lease has run out, if
-- nobody has taken the lock since.
-- name: ReleaseLock :one
UPDATE test_coordination.execution_locks AS l SET state = 'released', ended_at = clock_timestamp()
WHERE l.name = sqlc.arg(name) AND l.token = sqlc.arg(token) AND l.state = 'held'
RETURNING l.*, clock_timestamp()::timestamptz AS read_at;

-- BreakLock is ReleaseLock by an operator. It waits for guarded transactions.
-- name: BreakLock :one
UPDATE test_coordination.execution_locks AS l SET state = 'broken', ended_at = clock_timestamp(), ended_by = sqlc.arg(ended_by), end_reason = sqlc.arg(end_reason)
WHERE l.name = sqlc.arg(name) AND l.token = sqlc.arg(token) AND l.state = 'held'
RETURNING l.*, clock_timestamp()::timestamptz AS read_at;

-- GuardLock reads a lock in the transaction that writes under it, and keeps it as
-- it is until that ends: who would take, renew, release or break it waits, other
-- guarded transactions do not. The clock is read after the row is locked.
-- name: GuardLock :one
WITH locked AS MATERIALIZED (
  SELECT k.* FROM test_coordination.execution_locks AS k WHERE k.name = sqlc.arg(name) FOR SHARE
)
SELECT locked.*, clock_timestamp()::timestamptz AS read_at FROM locked;

-- LockByName is the present or last tenure of a name. It locks nothing.
-- name: LockByName :one
SELECT l.*, clock_timestamp()::timestamptz AS read_at FROM test_coordination.execution_locks AS l WHERE l.name = sqlc.arg(name);

-- HeldLocks lists by name those that somebody holds. Leases that ran out and were
-- never released stay for ever: what lasts is found by its end, and then sorted.
-- Without MATERIALIZED the planner may walk along all names instead. The time of
-- the statement is there for the index, in which a volatile clock finds nothing.
-- name: HeldLocks :many
WITH held AS MATERIALIZED (
  SELECT k.* FROM test_coordination.execution_locks AS k WHERE k.state = 'held' AND k.expires_at > statement_timestamp()
)
SELECT held.*, clock_timestamp()::timestamptz AS read_at FROM held
WHERE held.expires_at > clock_timestamp() AND held.name > sqlc.arg(after)::text ORDER BY held.name LIMIT sqlc.arg(page);

-- AllLocks lists by name every lock that anybody ever held.
-- name: AllLocks :many
SELECT l.*, clock_timestamp()::timestamptz AS read_at FROM test_coordination.execution_locks AS l
WHERE l.name > sqlc.arg(after) ORDER BY l.name LIMIT sqlc.arg(page);
