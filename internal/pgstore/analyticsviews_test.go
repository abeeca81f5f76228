package pgstore_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// The analysts' views are a contract: names, order, types and meaning of their
// columns are kept, and new columns come last. Who adds one says what it is, and
// writes the file anew with TCDA_UPDATE_GOLDEN=1.
func TestTheAnalystsViewsAreStable(t *testing.T) {
	t.Parallel()
	rows, err := testenv.Postgres(t).Pool(t).Query(t.Context(), `
		SELECT c.relname || CASE WHEN a.attnum IS NULL THEN '' ELSE format('.%s %s', a.attname, format_type(a.atttypid, a.atttypmod)) END
			|| ': ' || coalesce(d.description, '')
		FROM pg_class AS c
		JOIN (SELECT attrelid, attnum, attname, atttypid, atttypmod FROM pg_attribute WHERE attnum > 0 UNION ALL SELECT oid, NULL, NULL, NULL, NULL FROM pg_class) AS a ON a.attrelid = c.oid
		LEFT JOIN pg_description AS d ON d.classoid = 'pg_class'::regclass AND d.objoid = c.oid AND d.objsubid = coalesce(a.attnum, 0)
		WHERE c.relnamespace = 'test_coordination'::regnamespace AND c.relkind = 'v'
		ORDER BY c.relname, a.attnum NULLS FIRST`)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		if strings.HasSuffix(line, ": ") {
			t.Errorf("%s nothing says what it is", line)
		}
		if !strings.HasPrefix(line, "analytics_") {
			t.Errorf("%s is no name of a view for analysts", line)
		}
	}
	golden, got := filepath.Join("testdata", "analytics_views.txt"), strings.Join(lines, "\n")+"\n"
	if os.Getenv("TCDA_UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("what analysts rely on has changed (-was +is):\n%s", diff)
	}
}
