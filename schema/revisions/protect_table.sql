-- Where bootstrap.sql made the roles, default rights have just let the writer
-- change this table too. What was applied is the owner's to record.
DO $$
BEGIN
  IF to_regrole('test_coordination_writer') IS NOT NULL THEN
    REVOKE INSERT, UPDATE, DELETE ON "revisions_schema"."atlas_schema_revisions" FROM test_coordination_writer;
  END IF;
END
$$;
