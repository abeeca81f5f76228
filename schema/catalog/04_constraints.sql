-- Constraints; those of partitions follow from their parent, and NOT NULL is
-- shown with the column.
SELECT 'table', format('%I.%I', n.nspname, c.relname),
       format('constraint %I %s', k.conname, pg_get_constraintdef(k.oid))
FROM pg_constraint AS k
JOIN pg_class AS c ON c.oid = k.conrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname <> 'atlas_schema_revisions'
  AND k.contype IN ('p', 'u', 'x', 'c', 'f') AND k.conislocal AND k.conparentid = 0
ORDER BY c.relname, k.conname;
