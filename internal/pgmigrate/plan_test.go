package pgmigrate_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgmigrate"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/schema"
)

// schema.sql and the migrations make the same schema, catalog by catalog.
func TestMigrationsMakeSchema(t *testing.T) {
	t.Parallel()
	server := pgmigrate.Scratch{URL: testenv.EmptyPostgres(t).ServerURL}
	err := pgmigrate.Check(t.Context(), server, schema.Migrations(), schema.Desired)
	var drift *pgmigrate.DriftError
	if errors.As(err, &drift) {
		t.Fatalf("%v\n%s\nTo mend it: make migrate-new name=what_changed", err, drift.Plan.Markdown())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// small is a schema with each kind of object that has to be planned.
const small = `
CREATE SCHEMA IF NOT EXISTS "test_coordination";
CREATE TABLE "test_coordination"."runs" (
  "id"     bigint NOT NULL,
  "status" text   NOT NULL,
  CONSTRAINT "runs_pkey" PRIMARY KEY ("id"),
  CONSTRAINT "runs_status_check" CHECK ("status" IN ('a', 'b'))
) WITH (fillfactor = 70);
COMMENT ON TABLE "test_coordination"."runs" IS 'Runs.';
CREATE TABLE "test_coordination"."logs" ("bucket" date NOT NULL, "line" text NULL) PARTITION BY RANGE ("bucket");
CREATE TABLE "test_coordination"."logs_default" PARTITION OF "test_coordination"."logs" DEFAULT;
-- Says hello.
CREATE FUNCTION "test_coordination"."hello"(name text) RETURNS text LANGUAGE sql AS $$SELECT 'hello ' || name;$$;
REVOKE EXECUTE ON FUNCTION "test_coordination"."hello"(text) FROM PUBLIC;
CREATE FUNCTION "test_coordination"."touch"() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$;
CREATE TRIGGER "touched" BEFORE UPDATE ON "test_coordination"."runs" FOR EACH ROW EXECUTE FUNCTION "test_coordination"."touch"();
CREATE VIEW "test_coordination"."analytics_runs" AS SELECT id, status FROM "test_coordination"."runs";
COMMENT ON VIEW "test_coordination"."analytics_runs" IS 'Runs for analysts.';
DO $$
BEGIN
  GRANT SELECT ON "test_coordination"."analytics_runs" TO monitor_user;
END
$$;
`

// Whatever changes in the schema file, the migration that New writes leads
// there: Check is content with it, and Lint and Up can run it.
func TestNewWritesWhatChanged(t *testing.T) {
	t.Parallel()
	const hello = `CREATE FUNCTION "test_coordination"."hello"(name text) RETURNS text LANGUAGE sql AS $$SELECT 'hello ' || name;$$;
REVOKE EXECUTE ON FUNCTION "test_coordination"."hello"(text) FROM PUBLIC;`
	const view = `CREATE VIEW "test_coordination"."analytics_runs" AS SELECT id, status FROM`
	tests := []struct {
		name     string
		old, new string // a replacement in small; old empty: new is appended
		contains string // of the written migration
	}{
		{"column", `"status" text   NOT NULL,`, `"status" text   NOT NULL, "note" text NULL,`, `ADD COLUMN "note" text NULL`},
		{"check", `IN ('a', 'b')`, `IN ('a', 'b', 'c')`, `'c'::text`},
		{"type of a column that a view shows", `"id"     bigint`, `"id"     integer`, `DROP VIEW test_coordination.analytics_runs`},
		{"view", view, `CREATE VIEW "test_coordination"."analytics_runs" AS SELECT id, status, id + 1 AS next FROM`, `CREATE OR REPLACE VIEW`},
		{"view that loses a column", view, `CREATE VIEW "test_coordination"."analytics_runs" AS SELECT id FROM`, `DROP VIEW "test_coordination"."analytics_runs";`},
		{"view removed", small[strings.Index(small, view):], ``, `DROP VIEW test_coordination.analytics_runs;`},
		{"view added", ``, `CREATE VIEW "test_coordination"."analytics_more" AS SELECT 1 AS one;`, `analytics_more`},
		{"function", `'hello '`, `'bye '`, "-- Says hello.\nCREATE OR REPLACE FUNCTION"},
		{"function with other arguments", hello, `CREATE FUNCTION "test_coordination"."hello"(name text, twice boolean) RETURNS text LANGUAGE sql AS 'SELECT name';`, `DROP ROUTINE test_coordination.hello(name text)`},
		{"function added", ``, `CREATE FUNCTION "test_coordination"."one"() RETURNS integer LANGUAGE sql AS 'SELECT 1';`, `"one"()`},
		{"trigger", `BEFORE UPDATE ON`, `BEFORE INSERT OR UPDATE ON`, `CREATE OR REPLACE TRIGGER`},
		{"storage parameter", `fillfactor = 70`, `fillfactor = 80`, `SET (fillfactor = 80)`},
		{"storage parameter reset", ` WITH (fillfactor = 70)`, ``, `RESET (fillfactor)`},
		{"partition", ``, `CREATE TABLE "test_coordination"."logs_y2026" PARTITION OF "test_coordination"."logs" FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');`, `PARTITION OF`},
		{"grant", `GRANT SELECT ON "test_coordination"."analytics_runs" TO monitor_user;`, `GRANT SELECT, DELETE ON "test_coordination"."analytics_runs" TO monitor_user;`, `GRANT SELECT, DELETE`},
		{"comment on a table", `'Runs.'`, `'Other.'`, `'Other.'`},
		{"comment on a view", `'Runs for analysts.'`, `'Other.'`, `COMMENT ON VIEW`},
		{"comment on a column of a view", ``, `COMMENT ON COLUMN "test_coordination"."analytics_runs"."id" IS 'Number.';`, `"analytics_runs"."id" IS 'Number.'`},
		{"table with a default partition", ``, `CREATE TABLE "test_coordination"."more" ("bucket" date NOT NULL) PARTITION BY RANGE ("bucket");
CREATE TABLE "test_coordination"."more_default" PARTITION OF "test_coordination"."more" DEFAULT;`, `"more_default"`},
	}
	server, initial := pgmigrate.Scratch{URL: testenv.EmptyPostgres(t).ServerURL}, smallMigrations(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			changed := small + tt.new + "\n"
			if tt.old != "" {
				if !strings.Contains(small, tt.old) {
					t.Fatalf("%q is not in the schema", tt.old)
				}
				changed = strings.Replace(small, tt.old, tt.new, 1)
			}

			folder := t.TempDir()
			if err := os.CopyFS(folder, initial); err != nil {
				t.Fatal(err)
			}
			path, plan, err := pgmigrate.New(t.Context(), server, folder, "change", changed)
			if err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), tt.contains) || len(plan.Rest) > 0 {
				t.Errorf("migration without %q, or with a rest:\n%s\n%s", tt.contains, text, plan.RestText())
			}
			if err := pgmigrate.Check(t.Context(), server, os.DirFS(folder), changed); err != nil {
				t.Errorf("Check after New: %v", err)
			}
		})
	}
}

func TestCheckAndNewWithoutChange(t *testing.T) {
	t.Parallel()
	db := testenv.EmptyPostgres(t)
	server, initial := pgmigrate.Scratch{URL: db.ServerURL}, smallMigrations(t)
	if err := pgmigrate.Check(t.Context(), server, initial, small); err != nil {
		t.Error(err)
	}
	folder := t.TempDir()
	if err := os.CopyFS(folder, initial); err != nil {
		t.Fatal(err)
	}
	if path, _, err := pgmigrate.New(t.Context(), server, folder, "again", small); !errors.Is(err, pgmigrate.ErrNoChange) || path != "" {
		t.Errorf("New without a change: %q, %v", path, err)
	}
	if applied := up(t, db.URL, pgmigrate.Options{Migrations: initial}); len(applied) != 1 {
		t.Errorf("applied %v", applied)
	}
}

func TestCheckSeesDrift(t *testing.T) {
	t.Parallel()
	server := pgmigrate.Scratch{URL: testenv.EmptyPostgres(t).ServerURL}
	err := pgmigrate.Check(t.Context(), server, smallMigrations(t), strings.Replace(small, `'hello '`, `'bye '`, 1))
	var drift *pgmigrate.DriftError
	if !errors.As(err, &drift) || drift.Error() != "schema.sql and the migrations differ in 1 objects: function test_coordination.hello(name text)" {
		t.Errorf("Check: %v", err)
	}
}

// smallMigrations is a directory whose one migration makes small.
func smallMigrations(t *testing.T) fs.FS {
	t.Helper()
	folder := t.TempDir()
	server := pgmigrate.Scratch{URL: testenv.EmptyPostgres(t).ServerURL}
	if _, plan, err := pgmigrate.New(t.Context(), server, folder, "initial", small); err != nil || len(plan.Rest) > 0 {
		t.Fatalf("first migration: %v, rest:\n%s", err, plan.RestText())
	}
	return os.DirFS(folder)
}

// What no statement is found for is said, never left out.
func TestPlanTellsWhatIsLeft(t *testing.T) {
	t.Parallel()
	const withoutPartition, withoutTrigger = `CREATE TABLE "test_coordination"."logs_default" PARTITION OF "test_coordination"."logs" DEFAULT;`,
		`CREATE TRIGGER "touched" BEFORE UPDATE ON "test_coordination"."runs" FOR EACH ROW EXECUTE FUNCTION "test_coordination"."touch"();`
	server := pgmigrate.Scratch{URL: testenv.EmptyPostgres(t).ServerURL}
	desired := strings.Replace(strings.Replace(small, withoutPartition, "", 1), withoutTrigger, "", 1)
	plan, err := pgmigrate.DiffText(t.Context(), server, small, desired)
	if err != nil {
		t.Fatal(err)
	}
	rest := plan.RestText()
	for _, want := range []string{"table test_coordination.logs_default (removed)", "- trigger CREATE TRIGGER touched"} {
		if !strings.Contains(rest, want) {
			t.Errorf("%q is not in the rest:\n%s", want, rest)
		}
	}
	if text := plan.Markdown(); !strings.Contains(text, "### To be written by hand") {
		t.Errorf("Markdown does not say it:\n%s", text)
	}
}

func TestDiffOfEqualTexts(t *testing.T) {
	t.Parallel()
	server := pgmigrate.Scratch{URL: testenv.EmptyPostgres(t).ServerURL}
	plan, err := pgmigrate.DiffText(t.Context(), server, small, "-- moved\n"+small)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("No change of the schema.\n", plan.Markdown()); diff != "" || !plan.Empty() {
		t.Error(diff)
	}
}

func TestDiffOfBrokenText(t *testing.T) {
	t.Parallel()
	server := pgmigrate.Scratch{URL: testenv.EmptyPostgres(t).ServerURL}
	_, err := pgmigrate.DiffText(t.Context(), server, small, small+"\nCREATE TABL x;")
	if err == nil || !strings.Contains(err.Error(), "line 25") {
		t.Errorf("the place is not named: %v", err)
	}
}

// Rewrite makes one file of all, under the name of the first.
func TestRewrite(t *testing.T) {
	t.Parallel()
	server := pgmigrate.Scratch{URL: testenv.EmptyPostgres(t).ServerURL}
	folder := t.TempDir()
	first, _, err := pgmigrate.New(t.Context(), server, folder, "initial", small)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(small, `'hello '`, `'bye '`, 1)
	if _, _, err := pgmigrate.New(t.Context(), server, folder, "bye", changed); err != nil {
		t.Fatal(err)
	}
	path, _, err := pgmigrate.Rewrite(t.Context(), server, folder, changed)
	if err != nil {
		t.Fatal(err)
	}
	files, err := fs.Glob(os.DirFS(folder), "*.sql")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{filepath.Base(first)}, files); diff != "" || path != first {
		t.Errorf("files (-want +got), path %s:\n%s", path, diff)
	}
	if err := pgmigrate.Check(t.Context(), server, os.DirFS(folder), changed); err != nil {
		t.Error(err)
	}
}

func TestNewRefusesNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "../x", "Add Labels", "add-labels", strings.Repeat("a", 81)} {
		if _, _, err := pgmigrate.New(t.Context(), pgmigrate.Scratch{}, t.TempDir(), name, small); err == nil || !strings.Contains(err.Error(), "lower-case words") {
			t.Errorf("%q: %v", name, err)
		}
	}
}
