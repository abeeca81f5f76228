-- Creates a schema only where it is missing: the role of a shared installation
-- may not create schemas, and for it even CREATE SCHEMA IF NOT EXISTS fails.
DO $$
BEGIN
  IF to_regnamespace('"revisions_schema"') IS NULL THEN
    CREATE SCHEMA "revisions_schema";
  END IF;
END
$$;
