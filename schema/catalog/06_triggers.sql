-- Triggers, rules and row security policies.
SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'table' END,
       format('%I.%I', n.nspname, c.relname), l.line
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace,
     LATERAL (
       SELECT 1, t.tgname, 'trigger ' || pg_get_triggerdef(t.oid) ||
              CASE t.tgenabled WHEN 'O' THEN '' WHEN 'D' THEN ' disabled' WHEN 'R' THEN ' replica' ELSE ' always' END
       FROM pg_trigger AS t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgparentid = 0
       UNION ALL
       SELECT 2, r.rulename, 'rule ' || pg_get_ruledef(r.oid)
       FROM pg_rewrite AS r WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN'
       UNION ALL
       SELECT 3, p.polname, concat_ws(' ', 'policy', quote_ident(p.polname), CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END,
              'for', p.polcmd::text,
              'to', (SELECT string_agg(CASE WHEN role = 0 THEN 'public' ELSE pg_get_userbyid(role)::text END, ', ' ORDER BY role) FROM unnest(p.polroles) AS r(role)),
              'using (' || pg_get_expr(p.polqual, p.polrelid) || ')',
              'with check (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')')
       FROM pg_policy AS p WHERE p.polrelid = c.oid
     ) AS l(place, name, line)
WHERE n.nspname = $1 AND c.relname <> 'atlas_schema_revisions'
ORDER BY c.relname, l.place, l.name;
