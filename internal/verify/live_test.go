package verify_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pruning"
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
func TestPrunedRunsAreNotVerifiable(t *testing.T) {
	t.Parallel()
	f := fill(t)
	pool := f.db.Pool(t)
	pruner := pruning.New(pruning.Config{
		Rules: retention.Rules{Policies: retention.ForDays("old", retention.Run, 1)}, Actor: "test", Pace: 0.01,
	}, pruning.Parts{Store: f.store, Now: func() time.Time { return time.Now().AddDate(0, 0, 3) }})
	done, err := pruner.Once(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	gone := done.Pruned[retention.PolicyKind{Policy: "old", Kind: retention.Run}].Runs
	if gone == 0 {
		t.Fatal("nothing was pruned")
	}
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
