-- create "report_queue" table
CREATE TABLE "test_coordination"."report_queue" (
  "execution_id" text NOT NULL,
  "run" integer NOT NULL,
  "version" bigint NOT NULL,
  "due_at" timestamptz NOT NULL,
  "attempts" integer NOT NULL DEFAULT 0,
  "last_error" text NOT NULL DEFAULT '',
  "enqueued_at" timestamptz NOT NULL,
  PRIMARY KEY ("execution_id", "run")
);
-- create index "report_queue_due_idx" to table: "report_queue"
CREATE INDEX "report_queue_due_idx" ON "test_coordination"."report_queue" ("due_at", "execution_id", "run");
-- set comment to table: "report_queue"
COMMENT ON TABLE "test_coordination"."report_queue" IS 'Runs that have settled and whose report is to be built, noted in the transaction that announces them.';
-- set comment to column: "version" on table: "report_queue"
COMMENT ON COLUMN "test_coordination"."report_queue"."version" IS 'Of the run as it was announced. A later announcement raises it, and the builder of the former leaves the row.';
-- set comment to column: "due_at" on table: "report_queue"
COMMENT ON COLUMN "test_coordination"."report_queue"."due_at" IS 'By the clock of PostgreSQL. A claim puts it off for as long as its lease, a failure until the next try.';
-- set comment to column: "attempts" on table: "report_queue"
COMMENT ON COLUMN "test_coordination"."report_queue"."attempts" IS 'Claims so far.';
-- create "reports" table
CREATE TABLE "test_coordination"."reports" (
  "bucket" date NOT NULL,
  "execution_id" text NOT NULL,
  "run" integer NOT NULL,
  "revision" integer NOT NULL,
  "sha256" bytea NOT NULL,
  "builder" text NOT NULL,
  "body" bytea NOT NULL,
  "size_bytes" integer NOT NULL,
  "run_version" bigint NOT NULL,
  "chain" bytea NOT NULL,
  "definition_sha256" bytea NULL,
  "template_sha256" bytea NULL,
  "compared" bytea[] NOT NULL DEFAULT '{}',
  "status" text NOT NULL,
  "reported_outcome" text NOT NULL DEFAULT '',
  "headline" text NOT NULL DEFAULT '',
  "scenario_id" text NOT NULL DEFAULT '',
  "environment" text NOT NULL DEFAULT '',
  "group_id" text NOT NULL DEFAULT '',
  "attempt" integer NOT NULL DEFAULT 1,
  "started_at" timestamptz NULL,
  "ended_at" timestamptz NULL,
  "validations_passed" integer NOT NULL DEFAULT 0,
  "validations_failed" integer NOT NULL DEFAULT 0,
  "validations_skipped" integer NOT NULL DEFAULT 0,
  "validations_error" integer NOT NULL DEFAULT 0,
  "resilience_score" double precision NULL,
  "created_at" timestamptz NOT NULL,
  PRIMARY KEY ("execution_id", "run", "revision", "bucket"),
  CONSTRAINT "reports_revision_check" CHECK (revision > 0),
  CONSTRAINT "reports_sha256_check" CHECK ((octet_length(sha256) = 32) AND (octet_length(chain) = 32)),
  CONSTRAINT "reports_status_check" CHECK (status = ANY (ARRAY['passed'::text, 'failed'::text, 'error'::text, 'cancelled'::text, 'timeout'::text, 'interrupted'::text]))
) PARTITION BY RANGE ("bucket");
-- create index "reports_attempts_idx" to table: "reports"
CREATE INDEX "reports_attempts_idx" ON "test_coordination"."reports" ("group_id", "scenario_id", "attempt") WHERE (group_id <> ''::text);
-- create index "reports_created_idx" to table: "reports"
CREATE INDEX "reports_created_idx" ON "test_coordination"."reports" ("created_at", "execution_id", "run", "revision");
-- create index "reports_ended_idx" to table: "reports"
CREATE INDEX "reports_ended_idx" ON "test_coordination"."reports" ("scenario_id", "environment", "ended_at");
-- create index "reports_group_idx" to table: "reports"
CREATE INDEX "reports_group_idx" ON "test_coordination"."reports" ("group_id", "created_at", "execution_id", "run", "revision") WHERE (group_id <> ''::text);
-- create index "reports_scenario_idx" to table: "reports"
CREATE INDEX "reports_scenario_idx" ON "test_coordination"."reports" ("scenario_id", "created_at", "execution_id", "run", "revision");
-- create index "reports_sha256_idx" to table: "reports"
CREATE INDEX "reports_sha256_idx" ON "test_coordination"."reports" ("sha256");
-- create index "reports_status_idx" to table: "reports"
CREATE INDEX "reports_status_idx" ON "test_coordination"."reports" ("status", "created_at", "execution_id", "run", "revision");
-- set comment to table: "reports"
COMMENT ON TABLE "test_coordination"."reports" IS 'Frozen reports of runs that have ended. A row is never changed: what became known later makes another revision.';
-- set comment to column: "bucket" on table: "reports"
COMMENT ON COLUMN "test_coordination"."reports"."bucket" IS 'Of the run.';
-- set comment to column: "revision" on table: "reports"
COMMENT ON COLUMN "test_coordination"."reports"."revision" IS 'From 1; the highest one of a run holds.';
-- set comment to column: "sha256" on table: "reports"
COMMENT ON COLUMN "test_coordination"."reports"."sha256" IS 'Of the canonical JSON (RFC 8785) of the report without its member sha256, which says the same.';
-- set comment to column: "builder" on table: "reports"
COMMENT ON COLUMN "test_coordination"."reports"."builder" IS 'Version of the rules that it was built by.';
-- set comment to column: "body" on table: "reports"
COMMENT ON COLUMN "test_coordination"."reports"."body" IS 'The report as it was frozen, byte for byte. Lists never read it.';
-- set comment to column: "run_version" on table: "reports"
COMMENT ON COLUMN "test_coordination"."reports"."run_version" IS 'Version of the run''s row that it was built at.';
-- set comment to column: "chain" on table: "reports"
COMMENT ON COLUMN "test_coordination"."reports"."chain" IS 'Head of the hash chain over the events that it was built from.';
-- set comment to column: "definition_sha256" on table: "reports"
COMMENT ON COLUMN "test_coordination"."reports"."definition_sha256" IS 'Of the definition that was run; NULL when none was known.';
-- set comment to column: "template_sha256" on table: "reports"
COMMENT ON COLUMN "test_coordination"."reports"."template_sha256" IS 'Of the template that the definition names; NULL when none was known.';
-- set comment to column: "compared" on table: "reports"
COMMENT ON COLUMN "test_coordination"."reports"."compared" IS 'Digests of the reports that it is compared with.';
-- set comment to column: "attempt" on table: "reports"
COMMENT ON COLUMN "test_coordination"."reports"."attempt" IS '1 where the coordinator did not say.';
ALTER TABLE test_coordination.report_queue SET (autovacuum_vacuum_scale_factor = 0.01);
ALTER TABLE test_coordination.report_queue SET (autovacuum_vacuum_threshold = 1000);
CREATE TABLE "test_coordination"."reports_default"            PARTITION OF "test_coordination"."reports"            DEFAULT;
CREATE OR REPLACE FUNCTION "test_coordination"."refuse_change"() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
  RAISE EXCEPTION 'a row of % is never changed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;
COMMENT ON FUNCTION "test_coordination"."refuse_change"() IS 'Keeps what is frozen as it is; it can only be removed.';
CREATE OR REPLACE TRIGGER "reports_frozen" BEFORE UPDATE ON "test_coordination"."reports"
  FOR EACH ROW EXECUTE FUNCTION "test_coordination"."refuse_change"();
