-- Enums, domains, free-standing composite types, sequences of no column, extended statistics.
SELECT 'type', format('%I.%I', n.nspname, t.typname), l.line
FROM pg_type AS t
JOIN pg_namespace AS n ON n.oid = t.typnamespace
LEFT JOIN pg_class AS c ON c.oid = t.typrelid,
     LATERAL (
       SELECT 1, e.enumsortorder::float8, 'value ' || quote_literal(e.enumlabel) FROM pg_enum AS e WHERE e.enumtypid = t.oid
       UNION ALL
       SELECT 2, 0, concat_ws(' ', 'domain over', format_type(t.typbasetype, t.typtypmod),
              CASE WHEN t.typnotnull THEN 'not null' END, 'default ' || t.typdefault) WHERE t.typtype = 'd'
       UNION ALL
       SELECT 3, 0, format('constraint %I %s', k.conname, pg_get_constraintdef(k.oid))
       FROM pg_constraint AS k WHERE k.contypid = t.oid AND k.contype = 'c'
       UNION ALL
       SELECT 4, a.attnum, format('attribute %I %s', a.attname, format_type(a.atttypid, a.atttypmod))
       FROM pg_attribute AS a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
     ) AS l(place, number, line)
WHERE n.nspname = $1 AND (t.typtype IN ('e', 'd') OR t.typtype = 'c' AND c.relkind = 'c')
UNION ALL
SELECT 'sequence', format('%I.%I', n.nspname, c.relname),
       format('%s start %s increment %s min %s max %s cache %s%s', format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement,
                         s.seqmin, s.seqmax, s.seqcache, CASE WHEN s.seqcycle THEN ' cycle' END)
FROM pg_sequence AS s
JOIN pg_class AS c ON c.oid = s.seqrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = c.oid AND d.deptype = 'i')
UNION ALL
SELECT 'statistics', format('%I.%I', n.nspname, s.stxname), pg_get_statisticsobjdef(s.oid)
FROM pg_statistic_ext AS s
JOIN pg_namespace AS n ON n.oid = s.stxnamespace
WHERE n.nspname = $1;
