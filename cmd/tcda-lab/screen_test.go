package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
)

// plan is a play of one run that is to pass.
func plan(id execution.ID) []coordsim.Play {
	return []coordsim.Play{{
		Name: "a play", About: "what it shows",
		Runs: []*coordsim.Expectation{{Execution: id, Number: 1, Status: execution.StatusPassed, Events: 1000}},
	}}
}

func TestDraw(t *testing.T) {
	t.Parallel()
	p := picture{plays: match(plan("exec-1"), []execution.Run{{ID: "exec-1", Number: 1, Status: execution.StatusRunning}}), sent: 12_345, of: 20_000}
	p.Applied = 9_876
	for _, width := range []int{80, 200} {
		drawn := draw(p, width)
		for _, shows := range []string{"a play", "running", "/1,000", "12,345 of 20,000", "9,876"} {
			if !strings.Contains(drawn, shows) {
				t.Errorf("%d columns do not show %q:\n%s", width, shows, drawn)
			}
		}
		if got, want := strings.Contains(drawn, "what it shows"), width == 200; got != want {
			t.Errorf("%d columns show what the play is about: %t, want %t", width, got, want)
		}
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 26_000: "26,000", 1_234_567: "1,234,567", -100: "-100", -1000: "-1,000"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestNoPictureWithoutATerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	view, live := newDisplay(&out)
	view.show(picture{sent: 1, of: 2, clock: "1.0s"})
	view.show(picture{sent: 2, of: 2, clock: "1.2s"}) // too soon after the first
	view.done()
	if live || strings.Contains(out.String(), "\x1b") || !strings.HasPrefix(out.String(), "1.0s  sent 1 of 2") || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("live %t, written %q", live, out.String())
	}
}
