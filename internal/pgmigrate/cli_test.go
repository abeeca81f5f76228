package pgmigrate_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgmigrate"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

type column struct {
	Name, Type, Default string
	NotNull             bool
}

// The table is column by column what the atlas CLI makes of its own definition
// (cmd/atlas/internal/migrate/ent/migrate/schema.go in ariga/atlas): otherwise
// the CLI would alter it when it connects.
func TestRevisionsTableIsTheCLIs(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"", "atlas_schema_revisions"} {
		db := testenv.EmptyPostgres(t)
		up(t, db.URL, pgmigrate.Options{RevisionsSchema: in})
		if in == "" {
			in = "test_coordination"
		}
		rows, err := db.Pool(t).Query(t.Context(), `
			SELECT attname, format_type(atttypid, atttypmod), coalesce(pg_get_expr(adbin, adrelid), ''), attnotnull
			FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
			WHERE attrelid = ($1 || '.atlas_schema_revisions')::regclass AND attnum > 0 ORDER BY attnum`, in)
		if err != nil {
			t.Fatal(err)
		}
		got, err := pgx.CollectRows(rows, pgx.RowToStructByPos[column])
		if err != nil {
			t.Fatal(err)
		}
		want := []column{
			{"version", "character varying", "", true},
			{"description", "character varying", "", true},
			{"type", "bigint", "2", true},
			{"applied", "bigint", "0", true},
			{"total", "bigint", "0", true},
			{"executed_at", "timestamp with time zone", "", true},
			{"execution_time", "bigint", "", true},
			{"error", "text", "", false},
			{"error_stmt", "text", "", false},
			{"hash", "character varying", "", true},
			{"partial_hashes", "jsonb", "", false},
			{"operator_version", "character varying", "", true},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("columns in %s (-want +got):\n%s", in, diff)
		}
	}
}

// A history that the CLI has begun, with its identifier of the table, its null
// values and a migration marked by hand, is read and continued.
func TestHistoryOfTheCLI(t *testing.T) {
	t.Parallel()
	db := testenv.EmptyPostgres(t)
	one, two, three := file("1_one.sql", `SELECT 1`), file("2_two.sql", `SELECT 2`), file("3_three.sql", `SELECT 3`)
	up(t, db.URL, pgmigrate.Options{Migrations: dir(t, one, two)})
	exec(t, db.URL, `
		UPDATE test_coordination.atlas_schema_revisions
		SET operator_version = 'Atlas CLI v1.3.0', error = NULL, error_stmt = NULL, partial_hashes = 'null',
		    executed_at = '2026-01-02 03:04:05.678901+00', execution_time = 1234567, type = CASE version WHEN '2' THEN 6 ELSE 2 END;
		INSERT INTO test_coordination.atlas_schema_revisions
		VALUES ('.atlas_cloud_identifier', 'b1a4c1de-0000-4000-8000-000000000000', 2, 0, 0, now(), 0, '', '', '', NULL, 'Atlas CLI v1.3.0')`)

	all := pgmigrate.Options{Migrations: dir(t, one, two, three), Operator: "tcda test"}
	at := time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC)
	want := pgmigrate.Report{
		Current: "2", Latest: "3", Pending: []string{"3"},
		Applied: []pgmigrate.Applied{
			{Version: "1", Description: "one", At: at, Took: 1234567, Operator: "Atlas CLI v1.3.0", Kind: "applied"},
			{Version: "2", Description: "two", At: at, Took: 1234567, Operator: "Atlas CLI v1.3.0", Kind: "applied + manually set"},
		},
	}
	if diff := cmp.Diff(want, status(t, db.URL, all)); diff != "" {
		t.Errorf("status (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"3"}, up(t, db.URL, all)); diff != "" {
		t.Errorf("applied:\n%s", diff)
	}

	// What we leave is what the CLI would: whole, without an error, hash set.
	var (
		kind, applied, total    int64
		noError, noStmt, noPart bool
		hash, operator          string
	)
	err := db.Pool(t).QueryRow(t.Context(), `
		SELECT type, applied, total, error IS NULL, error_stmt IS NULL, partial_hashes IS NULL, hash, operator_version
		FROM test_coordination.atlas_schema_revisions WHERE version = '3'`).
		Scan(&kind, &applied, &total, &noError, &noStmt, &noPart, &hash, &operator)
	if err != nil {
		t.Fatal(err)
	}
	if kind != 2 || applied != 1 || total != 1 || !noError || !noStmt || !noPart || len(hash) != 44 || operator != "tcda test" {
		t.Errorf("recorded: type %d, %d of %d, %t %t %t, hash %q, operator %q", kind, applied, total, noError, noStmt, noPart, hash, operator)
	}
}
