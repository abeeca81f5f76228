-- The CLI keeps an identifier of the table itself in a row whose version begins with a dot.
SELECT "version", "description", "type", "applied", "total", "executed_at", "execution_time",
       coalesce("error", ''), coalesce("error_stmt", ''), "hash", coalesce("partial_hashes", '[]'), "operator_version"
FROM "revisions_schema"."atlas_schema_revisions"
WHERE "version" <> '.atlas_cloud_identifier'
ORDER BY "version" COLLATE "C";
