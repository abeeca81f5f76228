-- description and executed_at are immutable after the first write, as in the CLI.
INSERT INTO "revisions_schema"."atlas_schema_revisions" (
  "version", "description", "type", "applied", "total", "executed_at", "execution_time",
  "error", "error_stmt", "hash", "partial_hashes", "operator_version")
VALUES ($1, $2, $3, $4, $5, $6, $7, nullif($8, ''), nullif($9, ''), $10, nullif($11, '')::jsonb, $12)
ON CONFLICT ("version") DO UPDATE SET
  "type" = excluded."type", "applied" = excluded."applied", "total" = excluded."total",
  "execution_time" = excluded."execution_time", "error" = excluded."error", "error_stmt" = excluded."error_stmt",
  "hash" = excluded."hash", "partial_hashes" = excluded."partial_hashes", "operator_version" = excluded."operator_version";
