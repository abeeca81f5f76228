-- Rights, as the difference from what an object of the kind starts with: so a
-- server that adds a right to the default shows nothing.
WITH object(kind, name, part, owner, initial, acl) AS (
  SELECT 'schema', quote_ident(n.nspname), '', n.nspowner, acldefault('n', n.nspowner), n.nspacl
  FROM pg_namespace AS n WHERE n.nspname = $1
  UNION ALL
  SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table' ELSE 'table' END,
         format('%I.%I', n.nspname, c.relname), '', c.relowner,
         acldefault((CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END)::"char", c.relowner), c.relacl
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relname <> 'atlas_schema_revisions'
  UNION ALL
  SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE 'table' END,
         format('%I.%I', n.nspname, c.relname), ' on column ' || quote_ident(a.attname), c.relowner,
         acldefault('c', c.relowner), a.attacl
  FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND a.attacl IS NOT NULL AND c.relname <> 'atlas_schema_revisions'
  UNION ALL
  SELECT CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END,
         format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)), '', p.proowner,
         acldefault('f', p.proowner), p.proacl
  FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
  WHERE n.nspname = $1
  UNION ALL
  SELECT 'type', format('%I.%I', n.nspname, t.typname), '', t.typowner, acldefault('T', t.typowner), t.typacl
  FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
  WHERE n.nspname = $1 AND t.typacl IS NOT NULL
  UNION ALL
  SELECT 'default rights', CASE d.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions' WHEN 'T' THEN 'types' ELSE 'schemas' END, '',
         d.defaclrole, NULL::aclitem[], d.defaclacl
  FROM pg_default_acl AS d JOIN pg_namespace AS n ON n.oid = d.defaclnamespace
  WHERE n.nspname = $1
), changed AS (
  SELECT kind, name, part, owner, 'grant' AS verb, g.grantee, g.privilege_type, g.is_grantable
  FROM object, LATERAL (SELECT grantee, privilege_type, is_grantable FROM aclexplode(acl)
                        EXCEPT SELECT grantee, privilege_type, is_grantable FROM aclexplode(initial)) AS g
  UNION ALL
  SELECT kind, name, part, owner, 'revoke', r.grantee, r.privilege_type, r.is_grantable
  FROM object, LATERAL (SELECT grantee, privilege_type, is_grantable FROM aclexplode(initial)
                        EXCEPT SELECT grantee, privilege_type, is_grantable FROM aclexplode(acl)) AS r
  WHERE acl IS NOT NULL
)
SELECT kind, name,
       verb || ' ' || string_agg(privilege_type, ', ' ORDER BY privilege_type) || part ||
       CASE verb WHEN 'grant' THEN ' to ' ELSE ' from ' END ||
       CASE WHEN grantee = 0 THEN 'PUBLIC' WHEN grantee = owner THEN 'the owner' ELSE quote_ident(pg_get_userbyid(grantee)) END ||
       CASE WHEN is_grantable THEN ' with grant option' ELSE '' END
FROM changed
GROUP BY kind, name, part, verb, grantee, owner, is_grantable
ORDER BY 1, 2, 3;
