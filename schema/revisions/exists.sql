-- Whether anything was ever recorded here. NULL::regclass where schema or table is missing.
SELECT to_regclass('"revisions_schema"."atlas_schema_revisions"') IS NOT NULL;
