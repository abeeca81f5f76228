package verify_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/reporting"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/retention"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/verify"
)

// Whatever Redis shows that the newest row of an execution does not say is a
// difference, once the grace is over.
func TestLiveStatesAreHeldAgainstRows(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		command []any
		want    string // how the one difference begins; empty: none
	}{
		"another message":                             {[]any{"HSET", "test:{exec:exec-live}:state", "message", "changed"}, "live state of exec-live: Message"},
		"an older version":                            {[]any{"HSET", "test:{exec:exec-live}:state", "version", "00000000-0000000001-0000000000000000001"}, "live state of exec-live: Version"},
		"a version from nowhere":                      {[]any{"HSET", "test:{exec:exec-live}:state", "version", "FFFFFFFF-0000000001-0000000000000000001"}, "live state of exec-live: Version"},
		"a state that cannot be read":                 {[]any{"HSET", "test:{exec:exec-live}:state", "version", "zz"}, "live state of exec-live: state is "},
		"no state of a run that goes":                 {[]any{"DEL", "test:{exec:exec-live}:state"}, "live state of exec-live: state is absent"},
		"no state of a run that ended, which expires": {[]any{"DEL", "test:{exec:exec-market-crash-001}:state"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := fill(t)
			client := f.redis.Client(t)
			// Where the state is lost, the stream's last entry stands in for it.
			for _, command := range [][]any{{"DEL", "test:{exec:exec-live}:stream", "test:{exec:exec-market-crash-001}:stream"}, c.command} {
				if n, err := client.Do(t.Context(), command...).Int(); err != nil || command[0] == "DEL" && n == 0 {
					t.Fatalf("%v changed %d keys: %v", command, n, err)
				}
			}
			report := f.verify(t)
			if c.want == "" {
				if !report.Clean() {
					t.Errorf("differences: %v", report.Differences)
				}
				return
			}
			if len(report.Differences) != 1 || !strings.HasPrefix(report.Differences[0].String(), c.want) {
				t.Errorf("differences are %v, want one that begins with %q", report.Differences, c.want)
			}
		})
	}
}

// Redis is not needed: without it nothing is wrong, and the report says so.
func TestWithoutRedisLiveStatesAreNotVerifiable(t *testing.T) {
	t.Parallel()
	f := fill(t)
	if err := f.redis.Stop(); err != nil {
		t.Fatal(err)
	}
	for name, run := range map[string]func() (verify.Report, error){
		"away":        func() (verify.Report, error) { return verify.Run(t.Context(), f.store, f.live, verify.Options{}) },
		"not enabled": func() (verify.Report, error) { return verify.Run(t.Context(), f.store, nil, verify.Options{}) },
	} {
		report, err := run()
		if err != nil || !report.Clean() || len(report.NotVerifiable) != 1 || !strings.HasPrefix(report.NotVerifiable[0], "live states: ") {
			t.Errorf("%s: report %+v, error %v", name, report, err)
		}
	}
}

// A database that goes away is an error, never a difference.
func TestADatabaseThatIsAwayIsAnError(t *testing.T) {
	t.Parallel()
	f := fill(t)
	f.store.Close()
	report, err := verify.Run(t.Context(), f.store, nil, verify.Options{})
	if err == nil || !report.Clean() {
		t.Errorf("report %+v, error %v", report, err)
	}
}

// What retention removed cannot be verified, and is no difference.
// prune has retention remove kinds of data of the runs that have ended, and tells how
// many those are. It does so in many days, when nothing waits for a report any more.
func (f *filled) prune(t *testing.T, kinds retention.Kinds) int {
	t.Helper()
	rows, err := f.db.Pool(t).Query(t.Context(), "SELECT execution_id, run FROM test_coordination.executions WHERE status NOT IN ('pending', 'running', 'paused')")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := pgx.CollectRows(rows, pgx.RowToStructByPos[pgstore.RunKey])
	if err != nil {
		t.Fatal(err)
	}
	var due []retention.Due
	for _, k := range keys {
		run, err := f.store.FindRun(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		due = append(due, retention.Due{ExecutionID: run.ID, Number: run.Number, Version: run.Version, Bucket: run.Bucket, Go: kinds, Policy: "old"})
	}
	later := time.Now().AddDate(0, 1, 0)
	pruned, err := f.store.PruneRuns(t.Context(), pgstore.PruneRequest{Due: due, Now: later})
	if err != nil || len(pruned) == 0 || len(pruned) != len(due) {
		t.Fatalf("%d of %d runs pruned, error %v", len(pruned), len(due), err)
	}
	pending, err := f.store.PendingRows(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pending {
		if _, err := f.store.RemovePending(t.Context(), p.MonthKind, 1e6, later); err != nil {
			t.Fatal(err)
		}
	}
	return len(pruned)
}

// Reports of runs of which as much is gone as they say are built again; those that
// were made of more are not.
func TestReportsOfTheRestAreVerified(t *testing.T) {
	t.Parallel()
	f := fill(t)
	pool := f.db.Pool(t)
	whole := f.verify(t)
	f.prune(t, retention.Logs|retention.Snapshots)
	pruned := f.verify(t)
	lost := whole.ReportsRebuilt - pruned.ReportsRebuilt
	if !pruned.Clean() || lost < 1 {
		t.Fatalf("differences %v, %d reports less are built again", pruned.Differences, lost)
	}
	freeTables(t, pool)
	// As after a late event: another report is made of the rest.
	var ids []string
	rows, err := pool.Query(t.Context(), "SELECT p.execution_id FROM test_coordination.pruned_runs AS p JOIN test_coordination.reports AS r ON r.execution_id = p.execution_id AND r.run = p.run WHERE p.run = 1")
	if err != nil {
		t.Fatal(err)
	}
	if ids, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		t.Fatal(err)
	}
	making := reporting.Reports{Store: f.store, Source: "/tcda/test"}
	made := int64(0)
	for _, id := range ids {
		built, err := making.Build(t.Context(), pgstore.RunKey{ID: execution.ID(id), Number: 1})
		if err != nil {
			t.Fatal(err)
		}
		if built.Report.Inputs.Gone == nil {
			continue
		}
		made++
		if _, err := pool.Exec(t.Context(), `UPDATE test_coordination.reports SET body = $1::bytea, size_bytes = octet_length($1::bytea), sha256 = decode($2::text, 'hex')
			WHERE execution_id = $3 AND run = 1`, built.Body, built.Report.SHA256, id); err != nil {
			t.Fatal(err)
		}
	}
	rest := f.verify(t)
	if !rest.Clean() || rest.ReportsRebuilt != pruned.ReportsRebuilt+made || made == 0 {
		t.Errorf("differences %v; %d reports are built again, want %d and %d", rest.Differences, rest.ReportsRebuilt, pruned.ReportsRebuilt, made)
	}
}

func TestPrunedRunsAreNotVerifiable(t *testing.T) {
	t.Parallel()
	f := fill(t)
	pool := f.db.Pool(t)
	gone := f.prune(t, retention.Everything)
	report := f.verify(t)
	if !report.Clean() {
		t.Errorf("differences: %v", report.Differences)
	}
	said := strings.Join(report.NotVerifiable, "; ")
	for _, want := range []string{fmt.Sprintf("%d runs are gone: pruned", gone), fmt.Sprintf("events of %d runs: pruned", gone)} {
		if !strings.Contains(said, want) {
			t.Errorf("not verifiable: %q, want also %q", said, want)
		}
	}
	// A run that is missing without a tombstone is missed.
	for _, lost := range []string{"DELETE FROM test_coordination.pruned_runs", "UPDATE test_coordination.execution_ids SET pruned = false", "DELETE FROM test_coordination.pruned_events"} {
		tables := keep(t, pool, strings.Fields(strings.NewReplacer("test_coordination.", "", "DELETE FROM", "", "UPDATE", "").Replace(lost))[0])
		if _, err := pool.Exec(t.Context(), lost); err != nil {
			t.Fatal(err)
		}
		if report := f.verify(t); report.Clean() {
			t.Errorf("nothing is seen after %s", lost)
		}
		tables.restore()
	}
}
