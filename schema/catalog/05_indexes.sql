-- Indexes that belong to no constraint and follow from no parent.
SELECT CASE c.relkind WHEN 'm' THEN 'materialized view' ELSE 'table' END, format('%I.%I', n.nspname, c.relname),
       concat_ws(' ', 'index', pg_get_indexdef(i.indexrelid),
         CASE WHEN NOT i.indisvalid THEN 'invalid' END, CASE WHEN i.indisclustered THEN 'clustered' END,
         CASE WHEN i.indisreplident THEN 'replica identity' END)
FROM pg_index AS i
JOIN pg_class AS x ON x.oid = i.indexrelid
JOIN pg_class AS c ON c.oid = i.indrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname <> 'atlas_schema_revisions' AND NOT x.relispartition
  AND NOT EXISTS (SELECT FROM pg_constraint AS k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
ORDER BY c.relname, x.relname;
