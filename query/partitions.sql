-- PartitionedTables names the tables that have partitions, in an order drawn
-- anew each time.
-- name: PartitionedTables :many
SELECT c.relname::text AS name FROM pg_catalog.pg_partitioned_table AS p JOIN pg_catalog.pg_class AS c ON c.oid = p.partrelid
WHERE c.relnamespace = 'test_coordination'::regnamespace AND NOT c.relispartition
ORDER BY random();

-- EnsurePartitions makes partitions of a table ahead and tells how many were new.
-- name: EnsurePartitions :one
SELECT test_coordination.ensure_partitions(sqlc.arg(table_name)::text, sqlc.arg(first)::date, sqlc.arg(last)::date, sqlc.arg(grain)::text)::integer AS made;

-- StrayRows counts what lies in DEFAULT partitions.
-- name: StrayRows :many
SELECT s.parent::text AS parent, s.stray::bigint AS stray FROM test_coordination.stray_rows() AS s;
