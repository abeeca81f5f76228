package verify_test

import (
	"strings"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
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
func TestPrunedRunsAreNotVerifiable(t *testing.T) {
	t.Parallel()
	f := fill(t)
	pool := f.db.Pool(t)
	err := f.store.Batch(t.Context(), time.Now(), func(tx *pgstore.Tx) error {
		return tx.FreezeDays(t.Context(), []pgstore.RollupKey{{Day: time.Now().UTC().Truncate(24 * time.Hour)}, {Day: time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -1)}})
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"execution_events", "execution_logs", "executions"} {
		if _, err := pool.Exec(t.Context(), "DELETE FROM test_coordination."+table+" WHERE execution_id = 'exec-live' OR execution_id = 'exec-reused' AND run = 1"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := pool.Exec(t.Context(), "UPDATE test_coordination.execution_ids SET pruned_at = now() WHERE execution_id = 'exec-live'"); err != nil {
		t.Fatal(err)
	}
	report := f.verify(t)
	if !report.Clean() {
		t.Errorf("differences: %v", report.Differences)
	}
	want := "runs 1 to 1 of execution exec-reused are not stored: pruned; executions whose runs were all pruned: 1; rollups of 1 days of scenarios are frozen: runs of these days were pruned"
	if got := strings.Join(report.NotVerifiable, "; "); got != want {
		t.Errorf("not verifiable: %q, want %q", got, want)
	}
}
