package pgmigrate_test

import (
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgmigrate"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/schema"
)

func TestLint(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, sql string
		want      []string // line and code of each finding
	}{
		{"harmless", `ALTER TABLE test_coordination.runs ADD COLUMN note text NULL`, nil},
		{"drop table", `DROP TABLE test_coordination.plain`, []string{"1 DS102"}},
		{"drop column", "SELECT 1;\nALTER TABLE test_coordination.plain DROP COLUMN x", []string{"2 DS103"}},
		{"drop constraint", `ALTER TABLE test_coordination.details DROP CONSTRAINT details_id_fkey`, []string{"1 CD101"}},
		{"not null without default", `ALTER TABLE test_coordination.plain ADD COLUMN y integer NOT NULL`, []string{"1 MF103"}},
		{"unique index over rows", `CREATE UNIQUE INDEX u ON test_coordination.plain (x)`, []string{"1 MF101"}},
		{"rename", `ALTER TABLE test_coordination.plain RENAME COLUMN x TO z`, []string{"1 DS103"}},
		{"waived by code", "-- atlas:nolint DS102\nDROP TABLE test_coordination.plain", nil},
		{"waived altogether", "-- atlas:nolint\nDROP TABLE test_coordination.plain", nil},
		{"waived under another code", "-- atlas:nolint DS103\nDROP TABLE test_coordination.plain", []string{"2 DS102"}},
		{"waived for the file", "-- atlas:nolint DS102\n\nDROP TABLE test_coordination.plain", nil},
		{"index built concurrently", "-- atlas:txmode none\n\nCREATE INDEX CONCURRENTLY i ON test_coordination.plain (x)", nil},
		{"concurrently in a transaction", `CREATE INDEX CONCURRENTLY i ON test_coordination.plain (x)`, []string{"1 TC101"}},
		{"two statements outside a transaction", "-- atlas:txmode none\n\nSELECT 1;\nSELECT 2", []string{"4 TC102"}},
		{"schema", `CREATE SCHEMA other`, []string{"1 TC103"}},
		{"extension", `CREATE EXTENSION IF NOT EXISTS plpgsql`, []string{"1 TC103"}},
		{"column of an analysts' view", "SELECT 1;\nDROP VIEW test_coordination.analytics_runs;\nCREATE VIEW test_coordination.analytics_runs AS SELECT id FROM test_coordination.runs", []string{"2 TC104"}},
		{"analysts' view", `DROP VIEW test_coordination.analytics_runs`, []string{"1 TC104", "1 TC104"}},
		{"analysts' view with one more column", `CREATE OR REPLACE VIEW test_coordination.analytics_runs AS SELECT id, status, 1 AS one FROM test_coordination.runs`, nil},
		{"partition", `DROP TABLE test_coordination.logs_default`, []string{"1 TC105"}},
	}
	initial := file("1_initial.sql", small+`
CREATE TABLE test_coordination.plain (x integer NULL);
CREATE TABLE test_coordination.details (id bigint, CONSTRAINT details_id_fkey FOREIGN KEY (id) REFERENCES test_coordination.runs (id))`)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := pgmigrate.Scratch{URL: testenv.EmptyPostgres(t).ServerURL}
			got, err := pgmigrate.Lint(t.Context(), server, dir(t, initial, file("2_change.sql", tt.sql)), 1)
			if err != nil {
				t.Fatal(err)
			}
			var found []string
			for _, finding := range got {
				found = append(found, fmt.Sprintf("%d %s", finding.Line, finding.Code))
				if finding.File != "2_change.sql" || finding.Text == "" {
					t.Errorf("finding %+v", finding)
				}
			}
			if diff := cmp.Diff(tt.want, found); diff != "" {
				t.Errorf("findings (-want +got):\n%s\n%v", diff, got)
			}
		})
	}
}

func TestLintOfTheseMigrations(t *testing.T) {
	t.Parallel()
	server := pgmigrate.Scratch{URL: testenv.EmptyPostgres(t).ServerURL}
	found, err := pgmigrate.Lint(t.Context(), server, schema.Migrations(), -1)
	if err != nil || len(found) > 0 {
		t.Errorf("Lint: %v, %v", found, err)
	}
}

func TestLintLooksAtTheLatestOnly(t *testing.T) {
	t.Parallel()
	server := pgmigrate.Scratch{URL: testenv.EmptyPostgres(t).ServerURL}
	files := dir(t, file("1_a.sql", small), file("2_b.sql", `DROP TABLE test_coordination.logs_default`), file("3_c.sql", `SELECT 1`))
	// The first creates the schema without asking whether it is there, the second drops a partition.
	for latest, want := range map[int]int{0: 0, 1: 0, 2: 1, 3: 2, 9: 2, -1: 2} {
		found, err := pgmigrate.Lint(t.Context(), server, files, latest)
		if err != nil || len(found) != want {
			t.Errorf("the latest %d: %v, %v; want %d findings", latest, found, err, want)
		}
	}
	if _, err := pgmigrate.Lint(t.Context(), server, fstest.MapFS{"1_a.sql": {Data: []byte("SELECT 1;")}}, -1); err == nil {
		t.Error("a directory without atlas.sum was linted")
	}
}
