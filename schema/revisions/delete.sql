DELETE FROM "revisions_schema"."atlas_schema_revisions" WHERE "version" = $1;
