package soak_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/soak"
)

// The README, the Makefile and the package's comment say how many there are.
func TestKindsOfFaultAreAsManyAsIsSaid(t *testing.T) {
	t.Parallel()
	for kafka, want := range map[string]int{soak.Apache: 28, soak.Kfake: 24} {
		if n, err := soak.Kinds(kafka); n != want || err != nil {
			t.Errorf("%d kinds on %s (%v), want %d", n, kafka, err, want)
		}
	}
}

// A soak is not passed where a kind of fault came to nothing.
func TestAKindThatNeverHappenedIsRed(t *testing.T) {
	t.Parallel()
	if sum := soak.SumUp(map[string]int{"redis.flush": 3, "worker.kill": 1}); !sum.Passed {
		t.Errorf("not passed: %v", sum.Problems)
	}
	sum := soak.SumUp(map[string]int{"redis.flush": 3, "worker.kill": 0})
	if sum.Passed || !slices.Equal(sum.Problems, []string{"fault worker.kill never happened"}) {
		t.Errorf("passed %t, with problems %v", sum.Passed, sum.Problems)
	}
}

// A soak is not passed where a kind of write was never answered.
func TestAWriteThatNobodyMadeIsRed(t *testing.T) {
	t.Parallel()
	sum := soak.SumUp(map[string]int{"redis.flush": 1}, "PinExecution")
	if sum.Passed || !slices.Equal(sum.Problems, []string{"no call of PinExecution was answered"}) {
		t.Errorf("passed %t, with problems %v", sum.Passed, sum.Problems)
	}
}

// Nor where nobody has asked again for what was answered.
func TestARepetitionThatNobodyMadeIsRed(t *testing.T) {
	t.Parallel()
	sum := soak.SumUp(map[string]int{"redis.flush": 1}, "again")
	if sum.Passed || !slices.Equal(sum.Problems, []string{"no request was answered again with the same"}) {
		t.Errorf("passed %t, with problems %v", sum.Passed, sum.Problems)
	}
}

// Nor where retention has not met both: runs that go whole, and parts of others.
func TestRetentionThatRemovedNothingIsRed(t *testing.T) {
	t.Parallel()
	for _, missing := range []string{"whole", "parts"} {
		sum := soak.SumUp(map[string]int{"redis.flush": 1}, missing)
		if sum.Passed || !slices.Equal(sum.Problems, []string{"retention has removed no runs, or no parts of runs"}) {
			t.Errorf("without %s: passed %t, with problems %v", missing, sum.Passed, sum.Problems)
		}
	}
}

// What would never be enough ends, and says why; what only takes long goes on.
func TestASoakThatIsInVainEnds(t *testing.T) {
	t.Parallel()
	const limit, duration = 2 * time.Minute, 5 * time.Minute
	for name, c := range map[string]struct {
		seen  []soak.Seen
		after time.Duration
		why   string
	}{
		"a partition has stopped": {
			[]soak.Seen{{After: time.Second, Next: 1}, {After: 2 * time.Second, Next: 2, Stopped: "executions/0: too many"}}, 2 * time.Second, "executions/0: too many",
		},
		"the service takes nothing": {
			[]soak.Seen{{After: time.Second, Next: 1}, {After: limit, Next: 1}, {After: limit + 2*time.Second, Next: 1}}, limit + 2*time.Second, "takes nothing",
		},
		"it never took anything": {[]soak.Seen{{After: limit}, {After: limit + time.Second}}, limit + time.Second, "takes nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if after, why := soak.InVain(limit, duration, c.seen...); after != c.after || !strings.Contains(why, c.why) {
				t.Errorf("ends after %v: %q; want %v: %q", after, why, c.after, c.why)
			}
		})
	}
	working := func(until time.Duration, happened bool) (seen []soak.Seen) {
		for at := time.Minute; at <= until; at += time.Minute {
			seen = append(seen, soak.Seen{After: at, Next: int64(at), Happened: happened})
		}
		return seen
	}
	if after, why := soak.InVain(limit, duration, working(time.Hour, false)...); after != 21*time.Minute || !strings.Contains(why, "faults") {
		t.Errorf("faults that never happen are awaited for %v: %q", after, why)
	}
	if after, why := soak.InVain(limit, duration, working(time.Hour, true)...); why != "" {
		t.Errorf("a service that takes its load is given up after %v: %q", after, why)
	}
	if after, _ := soak.InVain(limit, 20*time.Second, working(time.Hour, false)...); after != 11*time.Minute {
		t.Errorf("a short soak awaits faults for %v", after)
	}
}
