-- AnalyticsViews lists the views for analysts that this user may read, with what
-- is said of them.
-- name: AnalyticsViews :many
SELECT c.relname::text AS name, coalesce(obj_description(c.oid, 'pg_class'), '')::text AS comment
FROM pg_catalog.pg_class AS c
WHERE c.relnamespace = 'test_coordination'::regnamespace AND c.relkind IN ('v', 'm')
  AND starts_with(c.relname::text, 'analytics_') AND has_table_privilege(c.oid, 'SELECT')
ORDER BY c.relname;

-- AnalyticsViewColumns are the columns of such a view, in their order. An array
-- has the category A.
-- name: AnalyticsViewColumns :many
SELECT a.attname::text AS name, format_type(a.atttypid, a.atttypmod)::text AS type_name, t.typname::text AS base_type,
  t.typcategory::text AS category, coalesce(col_description(c.oid, a.attnum), '')::text AS comment
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
WHERE c.relnamespace = 'test_coordination'::regnamespace AND c.relkind IN ('v', 'm') AND c.relname::text = sqlc.arg(view)::text
ORDER BY a.attnum;
