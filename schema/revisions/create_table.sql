-- The table in which applied migrations are recorded: the atlas CLI's own
-- definition of it, so that the CLI and tcda can take turns on one database.
-- "revisions_schema" stands for the schema that the setting names.
CREATE TABLE IF NOT EXISTS "revisions_schema"."atlas_schema_revisions" (
  "version"          character varying NOT NULL,
  "description"      character varying NOT NULL,
  "type"             bigint            NOT NULL DEFAULT 2,
  "applied"          bigint            NOT NULL DEFAULT 0,
  "total"            bigint            NOT NULL DEFAULT 0,
  "executed_at"      timestamptz       NOT NULL,
  "execution_time"   bigint            NOT NULL,
  "error"            text              NULL,
  "error_stmt"       text              NULL,
  "hash"             character varying NOT NULL,
  "partial_hashes"   jsonb             NULL,
  "operator_version" character varying NOT NULL,
  PRIMARY KEY ("version")
);
