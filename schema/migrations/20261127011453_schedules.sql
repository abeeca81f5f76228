-- create index "schedules_after_scenario_idx" to table: "schedules"
CREATE INDEX "schedules_after_scenario_idx" ON "test_coordination"."schedules" ("after_scenario_id", "schedule_id") WHERE ((kind = 'after_scenario'::text) AND (NOT removed));
-- create index "schedules_event_idx" to table: "schedules"
CREATE INDEX "schedules_event_idx" ON "test_coordination"."schedules" ("event_type", "schedule_id") WHERE ((kind = 'event'::text) AND (NOT removed));
-- create "schedule_occurrences" table
CREATE TABLE "test_coordination"."schedule_occurrences" (
  "schedule_id" text NOT NULL,
  "occurrence_id" text NOT NULL,
  "kind" text NOT NULL,
  "due_at" timestamptz NOT NULL,
  "due_until" timestamptz NULL,
  "trigger_source" text NOT NULL DEFAULT '',
  "trigger_execution_id" text NOT NULL DEFAULT '',
  "trigger_run" integer NULL,
  "trigger_event_key" bytea NULL,
  "start_by" timestamptz NULL,
  "status" text NOT NULL,
  "reason" text NOT NULL DEFAULT '',
  "detail" text NOT NULL DEFAULT '',
  "claim_token" bigint NOT NULL DEFAULT 0,
  "claimed_by" text NOT NULL DEFAULT '',
  "claimed_at" timestamptz NULL,
  "lease_expires_at" timestamptz NULL,
  "outcome" text NOT NULL DEFAULT '',
  "execution_id" text NOT NULL DEFAULT '',
  "run" integer NULL,
  "run_active" boolean NOT NULL DEFAULT false,
  "created_at" timestamptz NOT NULL,
  "settled_at" timestamptz NULL,
  PRIMARY KEY ("schedule_id", "occurrence_id"),
  CONSTRAINT "schedule_occurrences_claim_check" CHECK (((status = 'claimed'::text) = (lease_expires_at IS NOT NULL)) AND ((status <> 'claimed'::text) OR (claim_token > 0))),
  CONSTRAINT "schedule_occurrences_kind_check" CHECK (kind = ANY (ARRAY['once'::text, 'cron'::text, 'after_scenario'::text, 'event'::text])),
  CONSTRAINT "schedule_occurrences_outcome_check" CHECK (outcome = ANY (ARRAY[''::text, 'started'::text, 'not_started'::text])),
  CONSTRAINT "schedule_occurrences_reason_check" CHECK (reason = ANY (ARRAY[''::text, 'too_late'::text, 'heard_late'::text, 'too_many'::text, 'removed'::text, 'disabled'::text, 'changed'::text, 'still_active'::text, 'replaced'::text])),
  CONSTRAINT "schedule_occurrences_run_check" CHECK (run > 0),
  CONSTRAINT "schedule_occurrences_settled_check" CHECK ((status = ANY (ARRAY['due'::text, 'claimed'::text])) = (settled_at IS NULL)),
  CONSTRAINT "schedule_occurrences_status_check" CHECK (status = ANY (ARRAY['due'::text, 'claimed'::text, 'completed'::text, 'missed'::text, 'skipped'::text]))
);
-- create index "schedule_occurrences_due_idx" to table: "schedule_occurrences"
CREATE INDEX "schedule_occurrences_due_idx" ON "test_coordination"."schedule_occurrences" ("due_at", "schedule_id", "occurrence_id") WHERE (status = 'due'::text);
-- create index "schedule_occurrences_lease_idx" to table: "schedule_occurrences"
CREATE INDEX "schedule_occurrences_lease_idx" ON "test_coordination"."schedule_occurrences" ("lease_expires_at") WHERE (status = 'claimed'::text);
-- create index "schedule_occurrences_list_idx" to table: "schedule_occurrences"
CREATE INDEX "schedule_occurrences_list_idx" ON "test_coordination"."schedule_occurrences" ("schedule_id", "due_at", "occurrence_id") WHERE (due_at > '-infinity'::timestamp with time zone);
-- create index "schedule_occurrences_open_idx" to table: "schedule_occurrences"
CREATE INDEX "schedule_occurrences_open_idx" ON "test_coordination"."schedule_occurrences" ("schedule_id", "due_at") WHERE ((status = ANY (ARRAY['due'::text, 'claimed'::text])) OR run_active);
-- create index "schedule_occurrences_start_by_idx" to table: "schedule_occurrences"
CREATE INDEX "schedule_occurrences_start_by_idx" ON "test_coordination"."schedule_occurrences" ("start_by") WHERE ((status = 'due'::text) AND (start_by IS NOT NULL));
-- set comment to table: "schedule_occurrences"
COMMENT ON TABLE "test_coordination"."schedule_occurrences" IS 'The times that schedules were due, from the moment they came due: each goes to one coordinator, or is missed or skipped, and says why.';
-- set comment to column: "occurrence_id" on table: "schedule_occurrences"
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."occurrence_id" IS 'Made from what made it due, a moment, a run or an event: the same cause makes no second one.';
-- set comment to column: "due_until" on table: "schedule_occurrences"
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."due_until" IS 'Not NULL: the row stands for all occurrences from due_at on that came before this moment.';
-- set comment to column: "trigger_source" on table: "schedule_occurrences"
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."trigger_source" IS 'The scenario whose run passed (kind after_scenario), or the type of the event (kind event).';
-- set comment to column: "start_by" on table: "schedule_occurrences"
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."start_by" IS 'Missed if nobody has claimed it by then; NULL: never.';
-- set comment to column: "detail" on table: "schedule_occurrences"
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."detail" IS 'Particulars of the reason, or what the coordinator said about the outcome.';
-- set comment to column: "claim_token" on table: "schedule_occurrences"
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."claim_token" IS 'Raised by each claim, and when a claim whose lease had ended is given up. Who completes must hold the latest.';
-- set comment to column: "lease_expires_at" on table: "schedule_occurrences"
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."lease_expires_at" IS 'By the clock of PostgreSQL. After it another coordinator may claim the occurrence; until one does, the claim stands.';
-- set comment to column: "run" on table: "schedule_occurrences"
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."run" IS 'Number of the run that came of it; NULL: not known when it was completed, and the latest of the id stands for it.';
-- set comment to column: "run_active" on table: "schedule_occurrences"
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."run_active" IS 'The run that came of it has not been seen ended. Looked at, and cleared, when a later occurrence of the schedule is claimed or completed.';
-- set comment to column: "settled_at" on table: "schedule_occurrences"
COMMENT ON COLUMN "test_coordination"."schedule_occurrences"."settled_at" IS 'When it was completed, missed or skipped.';
-- create "schedule_plans" table
CREATE TABLE "test_coordination"."schedule_plans" (
  "schedule_id" text NOT NULL,
  "schedule_version" bigint NOT NULL,
  "planned_until" timestamptz NOT NULL,
  "next_due_at" timestamptz NULL,
  PRIMARY KEY ("schedule_id")
);
-- create index "schedule_plans_next_due_at_idx" to table: "schedule_plans"
CREATE INDEX "schedule_plans_next_due_at_idx" ON "test_coordination"."schedule_plans" ("next_due_at") WHERE (next_due_at IS NOT NULL);
-- set comment to table: "schedule_plans"
COMMENT ON TABLE "test_coordination"."schedule_plans" IS 'How far the occurrences of each schedule have been made. Its row lock serialises those who plan a schedule and those who hold it to its concurrency policy.';
-- set comment to column: "schedule_version" on table: "schedule_plans"
COMMENT ON COLUMN "test_coordination"."schedule_plans"."schedule_version" IS 'Of the row in schedules that was planned last; 0 when that has been changed since.';
-- set comment to column: "planned_until" on table: "schedule_plans"
COMMENT ON COLUMN "test_coordination"."schedule_plans"."planned_until" IS 'Occurrences due until then, and at that moment, have been made.';
-- set comment to column: "next_due_at" on table: "schedule_plans"
COMMENT ON COLUMN "test_coordination"."schedule_plans"."next_due_at" IS 'When to look at the schedule again: at its next occurrence, or at once after a change. NULL: when it is changed.';
ALTER TABLE test_coordination.schedule_occurrences SET (fillfactor = 80);
-- Schedules that are there already are planned from now on.
INSERT INTO "test_coordination"."schedule_plans" ("schedule_id", "schedule_version", "planned_until", "next_due_at")
SELECT "schedule_id", 0, now(), now() FROM "test_coordination"."schedules";
