-- EnsurePartitions makes partitions ahead and tells how many were new.
-- name: EnsurePartitions :one
SELECT test_coordination.ensure_partitions(sqlc.arg(first)::date, sqlc.arg(last)::date, sqlc.arg(grain)::text)::integer AS made;

-- StrayRows counts what lies in DEFAULT partitions.
-- name: StrayRows :many
SELECT s.parent::text AS parent, s.stray::bigint AS stray FROM test_coordination.stray_rows() AS s;
