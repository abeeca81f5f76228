-- The schema itself.
SELECT 'schema', quote_ident(n.nspname), line
FROM pg_namespace AS n,
     LATERAL (SELECT 'comment: ' || obj_description(n.oid, 'pg_namespace')) AS l(line)
WHERE n.nspname = $1;
