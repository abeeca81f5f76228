-- Tables in our schema that no migration of ours made: before the first
-- migration the schema holds the revisions table at most.
SELECT c.relname::text
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'test_coordination'
  AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND c.relname <> 'atlas_schema_revisions'
ORDER BY c.relname;
