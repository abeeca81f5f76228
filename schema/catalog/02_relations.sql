-- Tables, partitions, views and their properties. The table of applied
-- migrations belongs to the migration tool.
SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence' WHEN 'f' THEN 'foreign table' ELSE 'table' END,
       format('%I.%I', n.nspname, c.relname), l.line
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid
LEFT JOIN pg_am AS a ON a.oid = c.relam,
     LATERAL (
       SELECT 1, NULL::text COLLATE "C" -- the object exists, even without any other line
       UNION ALL SELECT 2, 'unlogged' WHERE c.relpersistence = 'u'
       UNION ALL SELECT 3, 'access method ' || a.amname WHERE a.amname <> 'heap'
       UNION ALL SELECT 4, 'partition by ' || pg_get_partkeydef(c.oid) WHERE c.relkind = 'p'
       UNION ALL SELECT 5, 'partition of ' || i.inhparent::regclass || ' ' || pg_get_expr(c.relpartbound, c.oid) WHERE c.relispartition
       UNION ALL SELECT 6, 'inherits ' || i.inhparent::regclass WHERE i.inhrelid IS NOT NULL AND NOT c.relispartition
       UNION ALL SELECT 7, 'row security enabled' WHERE c.relrowsecurity
       UNION ALL SELECT 8, 'row security forced' WHERE c.relforcerowsecurity
       UNION ALL SELECT 9, 'replica identity ' || c.relreplident::text WHERE c.relkind IN ('r', 'p') AND c.relreplident <> 'd'
       UNION ALL SELECT 10, 'storage parameter ' || option FROM unnest(c.reloptions) AS o(option)
       UNION ALL SELECT 11, definition FROM string_to_table(pg_get_viewdef(c.oid), E'\n') AS d(definition) WHERE c.relkind IN ('v', 'm')
     ) AS l(place, line)
WHERE n.nspname = $1 AND c.relname <> 'atlas_schema_revisions'
  AND (c.relkind IN ('r', 'p', 'v', 'm', 'f')
       OR c.relkind = 'S' AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'i'))
ORDER BY c.relname, l.place, CASE WHEN l.place = 10 THEN l.line END;
