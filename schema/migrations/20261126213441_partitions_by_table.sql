-- ensure_partitions makes the partitions of a table that hold the buckets
-- first..last, of a month or a day each, and tells how many it made. The grain
-- may change: a day that another partition covers is left as it is, and of a
-- month that others cover in part the other days are made, one by one. A
-- partition whose rows already lie in the default one cannot be made, and keeps
-- no other from being made. SECURITY DEFINER: the writer of a hardened
-- installation may not create tables. The lock timeout keeps a busy table's
-- writers from queueing behind us; the caller tries again later. A young
-- partition grows by more than a tenth from one look of autovacuum to the next.
-- It would be analyzed anew each minute, which takes a processor for half a
-- second and more, while the writer goes along keys whatever the statistics
-- say: hence the thresholds.
CREATE OR REPLACE FUNCTION "test_coordination"."ensure_partitions"(table_name text, first date, last date, grain text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = test_coordination, pg_temp
SET lock_timeout = '2s'
AS $$
DECLARE
  parent  regclass;
  lower   date;
  upper   date;
  by_day  date; -- below it partitions are of a day, whatever the grain
  width   text;
  child   text;
  made    integer := 0;
BEGIN
  IF grain NOT IN ('month', 'day') THEN
    RAISE EXCEPTION 'grain is %, want month or day', grain USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF last < first OR last > first + 3660 THEN
    RAISE EXCEPTION 'last bucket % is not within ten years after %', last, first USING ERRCODE = 'invalid_parameter_value';
  END IF;
  parent := (SELECT c.oid FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid
    WHERE c.relnamespace = 'test_coordination'::regnamespace AND c.relname = table_name);
  IF parent IS NULL THEN
    RAISE EXCEPTION 'table is %, want a partitioned table of test_coordination', table_name USING ERRCODE = 'invalid_parameter_value';
  END IF;
  lower := date_trunc(grain, first::timestamp)::date;
  by_day := lower;
  WHILE lower <= last OR lower < by_day LOOP
    width := CASE WHEN lower < by_day THEN 'day' ELSE grain END;
    upper := (lower + CASE width WHEN 'month' THEN interval '1 month' ELSE interval '1 day' END)::date;
    child := table_name || to_char(lower, CASE width WHEN 'month' THEN '"_y"YYYY"m"MM' ELSE '"_y"YYYY"m"MM"d"DD' END);
    IF to_regclass(format('test_coordination.%I', child)) IS NULL THEN
      BEGIN
        EXECUTE format('CREATE TABLE test_coordination.%I PARTITION OF %s FOR VALUES FROM (%L) TO (%L)'
                       ' WITH (autovacuum_analyze_threshold = 250000, autovacuum_vacuum_insert_threshold = 250000)', child, parent, lower, upper);
        made := made + 1;
      EXCEPTION
        WHEN invalid_object_definition THEN -- overlaps a partition of another grain
          IF width = 'month' THEN
            by_day := upper;
            CONTINUE; -- the same month again, by day
          END IF;
        WHEN duplicate_table THEN NULL; -- another session was faster
        WHEN check_violation THEN -- rows of it lie in the default partition; the others can still be made
          RAISE WARNING 'partition % cannot be made: rows that belong to it lie in the default partition', child;
      END;
    END IF;
    lower := upper;
  END LOOP;
  RETURN made;
END
$$;
REVOKE EXECUTE ON FUNCTION "test_coordination"."ensure_partitions"(text, date, date, text) FROM PUBLIC;
COMMENT ON FUNCTION "test_coordination"."ensure_partitions"(text, date, date, text) IS 'Makes the partitions of a table for the buckets first..last, by month or day, and returns how many were new.';
-- The same for every partitioned table of the schema, in one transaction, which
-- locks them one after the other until its end: who uses two of them in another
-- order meanwhile runs into a deadlock. For a database that nobody uses yet, and
-- for programs that do not know the other form.
CREATE OR REPLACE FUNCTION "test_coordination"."ensure_partitions"(first date, last date, grain text) RETURNS integer
LANGUAGE sql SECURITY DEFINER
SET search_path = test_coordination, pg_temp
AS $$
  SELECT coalesce(sum(test_coordination.ensure_partitions(c.relname::text, first, last, grain)), 0)::integer
  FROM (
    SELECT relname FROM pg_partitioned_table JOIN pg_class ON oid = partrelid
    WHERE relnamespace = 'test_coordination'::regnamespace AND NOT relispartition ORDER BY relname
  ) AS c;
$$;
REVOKE EXECUTE ON FUNCTION "test_coordination"."ensure_partitions"(date, date, text) FROM PUBLIC;
COMMENT ON FUNCTION "test_coordination"."ensure_partitions"(date, date, text) IS 'Makes the partitions of every table for the buckets first..last, by month or day, and returns how many were new.';
