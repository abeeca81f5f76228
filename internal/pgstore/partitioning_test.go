package pgstore_test

import (
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// A row without a partition lies in the default one, is counted, and keeps its
// own partition from being made, but no other.
func TestAStrayRowKeepsOnlyItsOwnPartitionFromBeingMade(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	db := testenv.Postgres(t)
	store, err := pgstore.Open(ctx, pgstore.Config{URL: db.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	if _, err := db.Pool(t).Exec(ctx, `INSERT INTO test_coordination.execution_logs (bucket, execution_id, run, logged_at, arrival, line, message)
		VALUES ('2040-02-10', 'exec-1', 1, now(), 1, 0, 'stray')`); err != nil {
		t.Fatal(err)
	}
	stray, err := store.StrayRows(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if stray["execution_logs"] != 1 || len(stray) != 7 {
		t.Errorf("stray rows are %v, want one of execution_logs among seven tables", stray)
	}
	january := time.Date(2040, 1, 31, 0, 0, 0, 0, time.UTC)
	made, err := store.EnsurePartitions(ctx, january, january.AddDate(0, 0, 31), "month") // January to March
	if err != nil {
		t.Fatal(err)
	}
	if want := 3*7 - 1; made != want {
		t.Errorf("%d partitions made, want %d", made, want)
	}
	if again, err := store.EnsurePartitions(ctx, january, january, "day"); err != nil || again != 0 {
		t.Errorf("a day of a month that has a partition: %d made, error %v; want none", again, err)
	}
}
