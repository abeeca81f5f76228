-- The roles that schema.sql grants to where they exist. On a scratch server
-- they must, or a change of those grants would go unseen.
DO $$
DECLARE
  analyst text;
BEGIN
  FOREACH analyst IN ARRAY ARRAY['monitor_user', 'test_coordination_reader'] LOOP
    BEGIN
      IF to_regrole(analyst) IS NULL THEN
        EXECUTE format('CREATE ROLE %I NOLOGIN', analyst);
      END IF;
    EXCEPTION
      WHEN duplicate_object OR unique_violation THEN NULL; -- another session was faster
    END;
  END LOOP;
END
$$;
