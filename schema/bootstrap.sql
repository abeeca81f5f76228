-- Roles for a hardened installation: one that owns the tables, one that writes
-- rows, one that reads the analysts' views. A database administrator runs this
-- in the service's database, before the first migration or after it, once or
-- again:
--
--   psql -v ON_ERROR_STOP=1 -d trading_ecosystem -f bootstrap.sql
--
-- None of the roles may log in. Give them to users that may:
--
--   GRANT test_coordination_owner  TO migrator;  -- tcda migrate up, with ?role=test_coordination_owner in its URL
--   GRANT test_coordination_writer TO adapter;   -- tcda serve
--   GRANT test_coordination_reader TO analyst;
--
-- What migrations create must belong to the owner, hence the role in the URL:
-- the rights of future tables hang on who creates them.

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['test_coordination_owner', 'test_coordination_writer', 'test_coordination_reader'] LOOP
    BEGIN
      IF to_regrole(name) IS NULL THEN
        EXECUTE format('CREATE ROLE %I NOLOGIN', name);
      END IF;
    EXCEPTION
      WHEN duplicate_object OR unique_violation THEN NULL; -- another session was faster
    END;
  END LOOP;
END
$$;

-- A managed service's administrator is no superuser, and may give to others
-- only roles that it is a member of.
DO $$
BEGIN
  IF NOT pg_has_role(current_user, 'test_coordination_owner', 'MEMBER') THEN
    EXECUTE format('GRANT test_coordination_owner TO %I', current_user);
  END IF;
END
$$;

DO $$
BEGIN
  IF to_regnamespace('test_coordination') IS NULL THEN
    CREATE SCHEMA test_coordination AUTHORIZATION test_coordination_owner;
  END IF;
END
$$;

REVOKE ALL ON SCHEMA test_coordination FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA test_coordination TO test_coordination_owner;
GRANT USAGE ON SCHEMA test_coordination TO test_coordination_writer, test_coordination_reader;

-- What migrations will create. The writer changes rows and calls functions, of
-- which ensure_partitions makes the partitions that it may not make itself.
-- Rights on a partition come from its parent. Readers get the analysts' views
-- from the migrations: default rights cannot tell a view from a table.
ALTER DEFAULT PRIVILEGES FOR ROLE test_coordination_owner IN SCHEMA test_coordination
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO test_coordination_writer;
ALTER DEFAULT PRIVILEGES FOR ROLE test_coordination_owner IN SCHEMA test_coordination
  GRANT USAGE ON SEQUENCES TO test_coordination_writer;
ALTER DEFAULT PRIVILEGES FOR ROLE test_coordination_owner IN SCHEMA test_coordination
  GRANT EXECUTE ON FUNCTIONS TO test_coordination_writer;

-- The same for what is there already.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA test_coordination TO test_coordination_writer;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA test_coordination TO test_coordination_writer;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA test_coordination TO test_coordination_writer;

DO $$
DECLARE
  view regclass;
  mine oid;
BEGIN
  FOR view IN
    SELECT oid FROM pg_class WHERE relnamespace = 'test_coordination'::regnamespace AND relkind = 'v' AND starts_with(relname, 'analytics_')
  LOOP
    EXECUTE format('GRANT SELECT ON %s TO test_coordination_reader', view);
  END LOOP;
  -- Tables that another role has made are handed over, partitions and identity
  -- sequences with them: migrations alter them, and only an owner can.
  FOR mine IN
    SELECT oid FROM pg_class WHERE relnamespace = 'test_coordination'::regnamespace AND relkind IN ('r', 'p', 'v')
      AND relowner <> 'test_coordination_owner'::regrole
  LOOP
    EXECUTE format('ALTER TABLE %s OWNER TO test_coordination_owner', mine::regclass);
  END LOOP;
  FOR mine IN
    SELECT oid FROM pg_proc WHERE pronamespace = 'test_coordination'::regnamespace AND proowner <> 'test_coordination_owner'::regrole
  LOOP
    EXECUTE format('ALTER ROUTINE %s OWNER TO test_coordination_owner', mine::regprocedure);
  END LOOP;
END
$$;

-- Applied migrations are the owner's to record; the service only reads them. The
-- migration tool does the same when it creates the table later.
DO $$
BEGIN
  IF to_regclass('test_coordination.atlas_schema_revisions') IS NOT NULL THEN
    REVOKE INSERT, UPDATE, DELETE ON test_coordination.atlas_schema_revisions FROM test_coordination_writer;
  END IF;
END
$$;
