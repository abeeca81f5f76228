package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/verify"
)

// wantedInvariants are what the demo's JSON object promises.
func wantedInvariants(t *testing.T, got ran) result {
	t.Helper()
	printed := strings.Split(strings.TrimSuffix(got.out, "\n"), "\n")
	var r result
	decoder := json.NewDecoder(strings.NewReader(printed[len(printed)-1]))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		t.Fatalf("the last line is no result: %v\n%s\n%s", err, got.out, got.errors)
	}
	if got.code != 0 || r.Invariants != "ok" {
		t.Fatalf("exit code %d, invariants %q\n%s", got.code, r.Invariants, got.errors)
	}
	if r.Produced == 0 || r.Produced != r.Applied+r.Duplicates+r.Quarantined {
		t.Errorf("produced %d, applied %d, duplicates %d, quarantined %d", r.Produced, r.Applied, r.Duplicates, r.Quarantined)
	}
	if r.EventsPerSecond <= 0 {
		t.Errorf("%v events a second", r.EventsPerSecond)
	}
	return r
}

// A second demo on the same data goes on from the first: the ids that are used
// again are new runs, and all sums add up over both.
func TestDemoTwiceOnTheSameData(t *testing.T) {
	t.Parallel()
	dir := testenv.DataDir(t)
	demo := func() result {
		return wantedInvariants(t, lab(t, nil, "demo", "--once", "--json", "--updates=500", "--data-dir="+dir))
	}
	first, second := demo(), demo()
	for _, s := range execution.Statuses() {
		if first.ByStatus[s] == 0 || second.ByStatus[s] != 2*first.ByStatus[s] {
			t.Errorf("%d runs are %s after the first demo, %d after the second", first.ByStatus[s], s, second.ByStatus[s])
		}
	}
	if second.Produced != 2*first.Produced || second.Quarantined != 2*first.Quarantined || second.Executions != 2*first.Executions {
		t.Errorf("first %+v\nsecond %+v", first, second)
	}
}

// Without --json everything is said on standard output, and without --once the
// demo serves until it is told to stop.
func TestDemoServesUntilItIsStopped(t *testing.T) {
	t.Parallel()
	dir := testenv.DataDir(t)
	demo := start(t, roleLab, nil, "demo", "--updates=300", "--log-level=error", "--data-dir="+dir)
	testenv.Eventually(t, "the demo serves", func() bool { return strings.Contains(demo.out.String(), "Serving until Ctrl-C") })
	for _, said := range []string{"chaos-restart-", "interrupted", "unsupported_type 1", "nothing lost, nothing doubled", "tcda verify"} {
		if !strings.Contains(demo.out.String(), said) {
			t.Errorf("the demo does not say %q:\n%s", said, demo.out)
		}
	}
	health := regexp.MustCompile(`http://\S+/api/v1/health`).FindString(demo.out.String())
	if got := get(t, health); !strings.Contains(got, `"status"`) {
		t.Errorf("%s says %s", health, got)
	}
	reports := regexp.MustCompile(`http://\S+/reports/\S+\.html`).FindAllString(demo.out.String(), -1)
	if len(reports) < 5 {
		t.Errorf("links to %d reports", len(reports))
	}
	for _, url := range reports {
		if got := get(t, url); !strings.Contains(got, "<html") {
			t.Errorf("%s is no page: %.200s", url, got)
		}
	}
	// Other programs find it by the file that it names.
	emit := exec.CommandContext(t.Context(), "sh", "-c", `. "$1" && exec "$0" emit --load=50`, os.Args[0], filepath.Join(dir, "env"))
	emit.Env = append(os.Environ(), roleVariable+"="+roleLab)
	if said, err := emit.CombinedOutput(); err != nil || !strings.Contains(string(said), "50 records acknowledged") {
		t.Errorf("emit into the demo: %v\n%s", err, said)
	}
	if err := demo.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	demo.wait(t)
	if code := demo.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// A demo that is stopped or killed half-way leaves no server behind, and the
// next one goes on from there.
func TestDemoThatEndsHalfWay(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			endHalfWay(t, signal)
		})
	}
}

func endHalfWay(t *testing.T, signal syscall.Signal) {
	t.Helper()
	dir := testenv.DataDir(t)
	demo := start(t, roleLab, nil, "demo", "--once", "--json", "--updates=300", "--rate=200", "--data-dir="+dir)
	testenv.Eventually(t, "records are applied", func() bool { return regexp.MustCompile(`applied [1-9]`).MatchString(demo.errors.String()) })
	if err := demo.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	demo.wait(t)
	if demo.ProcessState.Success() || demo.out.String() != "" {
		t.Errorf("%s, standard output %q", demo.ProcessState, demo.out)
	}
	r := wantedInvariants(t, lab(t, nil, "demo", "--once", "--json", "--updates=300", "--data-dir="+dir))
	if r.ByStatus[execution.StatusPassed] < 9 {
		t.Errorf("by status: %v", r.ByStatus)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(response.StatusCode, " ", string(body))
}

// The result is ok only if everything holds.
func TestJudge(t *testing.T) {
	t.Parallel()
	good := sums{Produced: 10, Applied: 7, Duplicates: 2, Quarantined: 1}
	passed := map[execution.Status]int64{execution.StatusPassed: 1}
	for name, c := range map[string]struct {
		sums  sums
		found verify.Report
		plays []playProgress
		says  string
	}{
		"all is well":        {sums: good, says: "ok"},
		"one record lost":    {sums: sums{Produced: 11, Applied: 7, Duplicates: 2, Quarantined: 1}, says: "produced 11"},
		"one record doubled": {sums: sums{Produced: 9, Applied: 7, Duplicates: 2, Quarantined: 1}, says: "produced 9"},
		"verify finds something": {
			sums: good, found: verify.Report{Differences: []verify.Difference{{Subject: "run a/1", Field: "Status", Stored: "passed"}}, Omitted: 2},
			says: "verify found 3 differences",
		},
		"a run is missing": {sums: good, plays: match(plan("exec-1"), nil), says: `exec-1 is "", expected "passed"`},
		"a run has ended otherwise": {
			sums: good, plays: match(plan("exec-1"), []execution.Run{{ID: "exec-1", Number: 1, Status: execution.StatusFailed}}),
			says: `exec-1 is "failed", expected "passed"`,
		},
		"a run has ended as expected": {
			sums: good, plays: match(plan("exec-1"), []execution.Run{{ID: "exec-1", Number: 1, Status: execution.StatusPassed}}), says: "ok",
		},
	} {
		r := judge(c.sums, passed, c.plays, c.found, 10, 1)
		if !strings.Contains(r.Invariants, c.says) || r.holds() != (c.says == "ok") {
			t.Errorf("%s: invariants are %q, want %q", name, r.Invariants, c.says)
		}
	}
}
