-- modify "pruned_runs" table
ALTER TABLE "test_coordination"."pruned_runs" ADD COLUMN "last_revision" integer NOT NULL DEFAULT 0;
-- set comment to column: "last_revision" on table: "pruned_runs"
COMMENT ON COLUMN "test_coordination"."pruned_runs"."last_revision" IS 'The highest revision of its reports, once these are removed: numbers of revisions do not come again. 0: none was.';
