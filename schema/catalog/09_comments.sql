-- Comments, each with the object whose block it belongs to.
WITH commented AS (
  SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table' ELSE 'table' END AS kind,
         format('%I.%I', n.nspname, c.relname) AS name, c.oid AS relation
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relname <> 'atlas_schema_revisions'
)
SELECT o.kind, o.name, concat('comment', ' on column ' || quote_ident(a.attname), ': ', d.description)
FROM commented AS o
JOIN pg_description AS d ON d.classoid = 'pg_class'::regclass AND d.objoid = o.relation
LEFT JOIN pg_attribute AS a ON a.attrelid = d.objoid AND a.attnum = d.objsubid AND d.objsubid > 0
UNION ALL
SELECT o.kind, o.name, format('comment on constraint %I: %s', k.conname, obj_description(k.oid, 'pg_constraint'))
FROM commented AS o JOIN pg_constraint AS k ON k.conrelid = o.relation
UNION ALL
SELECT o.kind, o.name, format('comment on index %I: %s', x.relname, obj_description(x.oid, 'pg_class'))
FROM commented AS o JOIN pg_index AS i ON i.indrelid = o.relation JOIN pg_class AS x ON x.oid = i.indexrelid
WHERE obj_description(x.oid, 'pg_class') IS NOT NULL
UNION ALL
SELECT o.kind, o.name, format('comment on trigger %I: %s', t.tgname, obj_description(t.oid, 'pg_trigger'))
FROM commented AS o JOIN pg_trigger AS t ON t.tgrelid = o.relation
WHERE obj_description(t.oid, 'pg_trigger') IS NOT NULL
UNION ALL
SELECT o.kind, o.name, format('comment on policy %I: %s', p.polname, obj_description(p.oid, 'pg_policy'))
FROM commented AS o JOIN pg_policy AS p ON p.polrelid = o.relation
WHERE obj_description(p.oid, 'pg_policy') IS NOT NULL
UNION ALL
SELECT CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END,
       format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
       'comment: ' || obj_description(p.oid, 'pg_proc')
FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname = $1
UNION ALL
SELECT 'type', format('%I.%I', n.nspname, t.typname), 'comment: ' || obj_description(t.oid, 'pg_type')
FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
WHERE n.nspname = $1 AND obj_description(t.oid, 'pg_type') IS NOT NULL
ORDER BY 1, 2, 3;
