-- The columns of a table: name, type, the type's oid, its array's name, and
-- whether it is an array itself.
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.atttypid, format_type(t.typarray, -1), t.typcategory = 'A'
FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum;
