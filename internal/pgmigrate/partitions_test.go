package pgmigrate_test

import (
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgmigrate"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// Autovacuum leaves partitions alone while they are young, those that an earlier
// version made as well as new ones. Default partitions are as any table.
func TestYoungPartitionsAreNotAnalyzedEachMinute(t *testing.T) {
	t.Parallel()
	const before = "20261125163606"
	db := testenv.EmptyPostgres(t)
	up(t, db.URL, pgmigrate.Options{Migrations: until(t, before)})
	exec(t, db.URL, `SELECT test_coordination.ensure_partitions('2040-01-01', '2040-01-01', 'month')`)
	up(t, db.URL, pgmigrate.Options{})
	exec(t, db.URL, `SELECT test_coordination.ensure_partitions('2040-02-01', '2040-02-01', 'month')`)

	for _, tt := range []struct {
		which, like string
		want        string
	}{
		{"made before", "%_y2040m01", "{autovacuum_analyze_threshold=250000,autovacuum_vacuum_insert_threshold=250000}"},
		{"made since", "%_y2040m02", "{autovacuum_analyze_threshold=250000,autovacuum_vacuum_insert_threshold=250000}"},
		{"default", "%_default", ""},
	} {
		var as, all int
		err := db.Pool(t).QueryRow(t.Context(), `SELECT count(*) FILTER (WHERE coalesce(reloptions::text, '') = $1), count(*) FROM pg_class
			WHERE relnamespace = 'test_coordination'::regnamespace AND relkind = 'r' AND relispartition AND relname LIKE $2`, tt.want, tt.like).Scan(&as, &all)
		if err != nil {
			t.Fatal(err)
		}
		if as != 7 || all != 7 {
			t.Errorf("%d of %d partitions %s have the storage parameters %q, want it of seven", as, all, tt.which, tt.want)
		}
	}
}
