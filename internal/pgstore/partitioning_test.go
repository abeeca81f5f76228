package pgstore_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// january7 is a bucket that no partition is made for yet.
var january7 = time.Date(2040, 1, 7, 0, 0, 0, 0, time.UTC)

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
	if stray["execution_logs"] != 1 || len(stray) != 9 {
		t.Errorf("stray rows are %v, want one of execution_logs among nine tables", stray)
	}
	january := time.Date(2040, 1, 31, 0, 0, 0, 0, time.UTC)
	made, err := store.EnsurePartitions(ctx, january, january.AddDate(0, 0, 31), "month") // January to March
	if err != nil {
		t.Fatal(err)
	}
	if want := 3*9 - 1; made != want {
		t.Errorf("%d partitions made, want %d", made, want)
	}
	if again, err := store.EnsurePartitions(ctx, january, january, "day"); err != nil || again != 0 {
		t.Errorf("a day of a month that has a partition: %d made, error %v; want none", again, err)
	}
}

// Who uses several tables in one transaction never waits for those who make
// partitions and wait for him.
func TestPartitionsAreMadeWithoutADeadlock(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	db := testenv.Postgres(t)
	store, pool := openStore(t, db), db.Pool(t)
	user, err := pool.Begin(ctx)
	must(t, err)
	defer func() { _ = user.Rollback(ctx) }()
	use := func(tables ...string) {
		t.Helper()
		for _, table := range tables {
			_, err := user.Exec(ctx, `SELECT FROM test_coordination.`+table)
			must(t, err)
		}
	}

	use("validation_results")
	done := make(chan error, 1)
	go func() {
		_, err := store.EnsurePartitions(ctx, january7, january7, "day")
		done <- err
	}()
	testenv.Eventually(t, "the table in use is waited for", func() bool {
		var waits bool
		must(t, pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_locks JOIN pg_database AS d ON d.oid = database AND d.datname = current_database()
			WHERE NOT granted AND relation = 'test_coordination.validation_results'::regclass)`).Scan(&waits))
		return waits || len(done) > 0
	})
	use("system_snapshots", "fault_injections", "execution_steps", "execution_phases", "execution_logs", "execution_events")
	must(t, user.Rollback(ctx))
	if err := <-done; err != nil && !pgstore.WaitedForLock(err) {
		t.Error(err)
	}
}

// A table that is in use keeps no other from its partitions for good.
func TestATableInUseKeepsOnlyItsOwnPartitionsFromBeingMade(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	db := testenv.Postgres(t)
	store, pool := openStore(t, db), db.Pool(t)
	_, err := pool.Exec(ctx, `ALTER FUNCTION test_coordination.ensure_partitions(text, date, date, text) SET lock_timeout = '200ms'`)
	must(t, err)
	user, err := pool.Begin(ctx)
	must(t, err)
	defer func() { _ = user.Rollback(ctx) }()
	_, err = user.Exec(ctx, `SELECT FROM test_coordination.execution_events`)
	must(t, err)
	for all, tries := 0, 0; all < 8; tries++ {
		if tries == 60 { // each has an even chance to come to any one of the others
			t.Fatalf("%d partitions made in %d tries, want eight", all, tries)
		}
		made, err := store.EnsurePartitions(ctx, january7, january7, "day")
		if !pgstore.WaitedForLock(err) || !strings.Contains(err.Error(), "make partitions of execution_events") {
			t.Fatalf("%d partitions made, error %v; want that execution_events could not be locked", made, err)
		}
		all += made
	}
	must(t, user.Rollback(ctx))
	if made, err := store.EnsurePartitions(ctx, january7, january7, "day"); made != 1 || err != nil {
		t.Errorf("once nobody uses it %d are made, error %v; want the one that is left", made, err)
	}
}

// Instances that start at once make partitions at once: each is made by one.
func TestSeveralMakePartitionsAtOnce(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	store := openStore(t, testenv.Postgres(t))
	var group errgroup.Group
	var all atomic.Int64
	for range 4 {
		group.Go(func() error {
			for {
				made, err := store.EnsurePartitions(ctx, january7, january7.AddDate(0, 0, 19), "day")
				all.Add(int64(made))
				if !pgstore.WaitedForLock(err) { // else another one makes twenty: its callers try again
					return err
				}
			}
		})
	}
	must(t, group.Wait())
	if made := all.Load(); made != 20*9 {
		t.Errorf("%d partitions made, want twenty of each of nine tables", made)
	}
}

// Partitions are made of the service's own tables alone, and a mistake is named.
func TestPartitionsOfWhatHasNoneAreRefused(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	db := testenv.Postgres(t)
	for _, table := range []string{"executions", "execution_logs_default", "pg_class", ""} {
		_, err := db.Pool(t).Exec(ctx, `SELECT test_coordination.ensure_partitions($1, '2040-01-01', '2040-01-01', 'day')`, table)
		if err == nil || !strings.Contains(err.Error(), "table is "+table+", want a partitioned table of test_coordination") {
			t.Errorf("partitions of %q: error %v", table, err)
		}
	}
	// One that an operator has divided further has his partitions.
	_, err := db.Pool(t).Exec(ctx, `CREATE TABLE test_coordination.execution_logs_1999 PARTITION OF test_coordination.execution_logs
		FOR VALUES FROM ('1999-01-01') TO ('2000-01-01') PARTITION BY LIST (execution_id)`)
	must(t, err)
	if made, err := openStore(t, db).EnsurePartitions(ctx, january7, january7, "day"); made != 9 || err != nil {
		t.Errorf("%d partitions made, error %v; want one of each of nine tables", made, err)
	}
}

// A bucket that no partition holds would lie in the default one for good.
func TestTheGrainMayChange(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	db := testenv.Postgres(t)
	store := openStore(t, db)
	const tables = 9
	day := func(month, day int) time.Time { return time.Date(2040, time.Month(month), day, 0, 0, 0, 0, time.UTC) }
	for _, step := range []struct {
		name        string
		first, last time.Time
		grain       string
		want        int // partitions of each table
	}{
		{"days", day(1, 7), day(1, 10), "day", 4},
		{"to months: what is left of January, by day, then February and March", day(1, 9), day(3, 1), "month", 31 - 4 + 2},
		{"the same again", day(1, 9), day(3, 1), "month", 0},
		{"a January that days cover", day(1, 31), day(1, 31), "month", 0},
		{"to days, of months that have a partition and of April", day(3, 30), day(4, 2), "day", 2},
		{"the same again", day(3, 30), day(4, 2), "day", 0},
		{"to months, from the first to the last day of April", day(4, 30), day(5, 31), "month", 30 - 2 + 1},
	} {
		made, err := store.EnsurePartitions(ctx, step.first, step.last, step.grain)
		must(t, err)
		if made != step.want*tables {
			t.Errorf("%s: %d partitions made, want %d of each of %d tables", step.name, made, step.want, tables)
		}
	}
	_, err := db.Pool(t).Exec(ctx, `INSERT INTO test_coordination.execution_logs (bucket, execution_id, run, logged_at, arrival, line, message)
		SELECT d, 'exec-1', 1, now(), 1, 0, 'x' FROM generate_series('2040-01-01'::date, '2040-05-31', '1 day') AS d`)
	must(t, err)
	stray, err := store.StrayRows(ctx)
	must(t, err)
	if stray["execution_logs"] != 0 {
		t.Errorf("%d rows of five months found no partition", stray["execution_logs"])
	}
}

// Of a month that is covered in part, a stray row keeps its day alone from
// being made.
func TestAStrayRowKeepsOnlyItsDayFromBeingMade(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	db := testenv.Postgres(t)
	store := openStore(t, db)
	_, err := store.EnsurePartitions(ctx, january7, january7, "day")
	must(t, err)
	_, err = db.Pool(t).Exec(ctx, `INSERT INTO test_coordination.execution_logs (bucket, execution_id, run, logged_at, arrival, line, message)
		VALUES ('2040-01-20', 'exec-1', 1, now(), 1, 0, 'stray')`)
	must(t, err)
	made, err := store.EnsurePartitions(ctx, january7, january7, "month")
	must(t, err)
	if want := 30*9 - 1; made != want {
		t.Errorf("%d partitions made, want %d", made, want)
	}
}
