package pgmigrate_test

import (
	"cmp"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgmigrate"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// Partitions that an earlier version made have the thresholds of autovacuum as
// new ones do. Default partitions are as any table.
func TestPartitionsHaveThresholdsOfAutovacuum(t *testing.T) {
	t.Parallel()
	const (
		before     = "20261125163606"
		thresholds = "{autovacuum_analyze_threshold=250000,autovacuum_vacuum_insert_threshold=250000}"
	)
	db := testenv.EmptyPostgres(t)
	up(t, db.URL, pgmigrate.Options{Migrations: until(t, before)})
	exec(t, db.URL, `SELECT test_coordination.ensure_partitions('2040-01-01', '2040-01-01', 'month')`)
	exec(t, db.URL, `CREATE TABLE test_coordination.execution_logs_1999 PARTITION OF test_coordination.execution_logs
		FOR VALUES FROM ('1999-01-01') TO ('2000-01-01') PARTITION BY RANGE (bucket)`) // has no such parameters
	up(t, db.URL, pgmigrate.Options{})
	exec(t, db.URL, `DROP TABLE test_coordination.execution_logs_1999`)
	exec(t, db.URL, `SELECT test_coordination.ensure_partitions('2040-02-01', '2040-02-01', 'month')`)

	for _, tt := range []struct {
		which, like, want string
	}{
		{"made before", "%_y2040m01", thresholds},
		{"made since", "%_y2040m02", thresholds},
		{"default", "%_default", ""},
	} {
		var as, all int
		err := db.Pool(t).QueryRow(t.Context(), `SELECT count(*) FILTER (WHERE coalesce(reloptions::text, '') = $1), count(*) FROM pg_class
			WHERE relnamespace = 'test_coordination'::regnamespace AND relkind = 'r' AND relispartition AND relname LIKE $2`, tt.want, tt.like).Scan(&as, &all)
		if err != nil {
			t.Fatal(err)
		}
		if want := map[string]int{"made before": 7}[tt.which]; as != cmp.Or(want, 9) || all != as {
			t.Errorf("%d of %d partitions %s have the storage parameters %q, want it of all that are partitioned", as, all, tt.which, tt.want)
		}
	}
}
