-- Functions and procedures as they would be created; of aggregates the signature.
SELECT CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END,
       format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)), l.line
FROM pg_proc AS p
JOIN pg_namespace AS n ON n.oid = p.pronamespace,
     LATERAL (
       SELECT d.place, d.line
       FROM string_to_table(CASE WHEN p.prokind <> 'a' THEN rtrim(pg_get_functiondef(p.oid), E'\n') END, E'\n') WITH ORDINALITY AS d(line, place)
       UNION ALL
       SELECT 1, 'returns ' || pg_get_function_result(p.oid) || ' by ' || a.aggtransfn
       FROM pg_aggregate AS a WHERE a.aggfnoid = p.oid
     ) AS l(place, line)
WHERE n.nspname = $1
ORDER BY p.proname, pg_get_function_identity_arguments(p.oid), l.place;
