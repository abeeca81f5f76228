-- ClusterIdentity tells which PostgreSQL this is: another system identifier is
-- another cluster, another oid a schema that was made anew in it, another
-- timeline a failover. On a standby there is no current WAL position, and the
-- timeline is 0.
-- name: ClusterIdentity :one
SELECT ((SELECT system_identifier FROM pg_control_system())::text || '.' || 'test_coordination'::regnamespace::oid::text)::text AS system_identifier,
  CASE WHEN pg_is_in_recovery() THEN '00000000' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END::text AS timeline_hex;

-- WALPosition is how much this cluster has ever written for good: it falls only
-- when the cluster is restored from a backup.
-- name: WALPosition :one
SELECT CASE WHEN pg_is_in_recovery() THEN 0 ELSE pg_current_wal_flush_lsn() - '0/0'::pg_lsn END::bigint AS position;

-- ServerTime is the clock of this server.
-- name: ServerTime :one
SELECT clock_timestamp()::timestamptz AS now;

-- TakeTime lifts the time limit of statements from the rest of a transaction.
-- name: TakeTime :exec
SELECT set_config('statement_timeout', '0', true);

-- TryLeadership takes the lock of a loop that runs once among all instances,
-- for the length of the connection's session.
-- name: TryLeadership :one
SELECT pg_try_advisory_lock(hashtextextended('tcda:' || sqlc.arg(loop)::text, 0))::boolean AS won;

-- EndLeadership gives it back: a session that is closed ends a little later.
-- name: EndLeadership :exec
SELECT pg_advisory_unlock_all();

-- EndStalledSessions ends the sessions of this program that wait for their client
-- in the middle of a command that began too long ago: it is frozen, or gone, while
-- it sends rows, or takes too long over them. No timeout of the server's holds there, and what it has locked would
-- stay so.
-- name: EndStalledSessions :one
SELECT count(*) FILTER (WHERE pg_terminate_backend(pid))::bigint AS ended FROM pg_catalog.pg_stat_activity
WHERE usename = session_user AND datname = current_database() AND application_name = current_setting('application_name') AND pid <> pg_backend_pid()
  AND state = 'active' AND wait_event = 'ClientRead' AND query_start < clock_timestamp() - make_interval(secs => sqlc.arg(seconds)::double precision);

-- LockDefinitions serialises all writers of templates, scenarios, dependencies
-- and schedules until the end of the transaction: they are few, and a cycle of
-- dependencies could be committed by two transactions that each see none.
-- name: LockDefinitions :exec
SELECT pg_advisory_xact_lock(hashtextextended('tcda:definitions', 0));
