package bench_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/bench"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// quick are options of a bench that is over soon. Small batches leave enough
// commits to tell the warm-up from the rest.
func quick(t testing.TB, only ...string) bench.Options {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// So many events take longer than Redis waits for its next states at the longest.
	return bench.Options{
		TCDA: self, Lab: self, DataDir: testenv.DataDir(t), Only: only,
		Rounds: 1, Events: 5000, Partitions: 3, SingleEvents: 200, MemoryEvents: 2000, Executions: 3000, LogLines: 6000, LatencyTime: time.Second,
		Settings: map[string]string{"INGEST_BATCH_RECORDS": "50"},
		Postgres: map[string]string{"shared_buffers": "64MB"},
		Progress: testWriter{t},
	}
}

// testWriter shows progress when the test fails.
type testWriter struct{ testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.Helper()
	w.Log(strings.TrimSuffix(string(p), "\n"))
	return len(p), nil
}

// A bench measures everything that it is there for, and leaves nothing behind.
// That the ceiling's rows are the service's is its own check: it fails if not.
func TestBenchMeasuresEverything(t *testing.T) {
	t.Parallel()
	o := quick(t)
	o.Profile, o.ProfileTime = filepath.Join(o.DataDir, "profiles"), time.Second
	report, err := bench.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, load := range []string{"mixed", "logs", "small"} {
		for _, name := range []string{
			"end to end", "ceiling", "end to end / ceiling", "rows per event", "records per transaction", "WAL", "WAL, ceiling",
			"allocated", "allocations", "peak memory of tcda", "S1", "S2", "S3", "S4", "S5", "S6",
		} {
			wantMeasured(t, report, load, name)
		}
		for _, name := range []string{"CPU of tcda", "CPU of postgres", "CPU of kafka", "CPU of redis", "CPU of postgres, ceiling", "blocks", "S0", "S7", "S9"} {
			// May be less than can be measured: PostgreSQL counts blocks once a second.
			if report.Find(load, name) == nil {
				t.Errorf("%s: no figure %q", load, name)
			}
		}
		if f := report.Find(load, "end to end"); f != nil && (len(f.Values) != o.Rounds || f.Of != "ceiling" || f.Ratio <= 0) {
			t.Errorf("%s: end to end %+v", load, f)
		}
		if info, err := os.Stat(filepath.Join(o.Profile, "tcda-"+load+".pprof")); err != nil || info.Size() == 0 {
			t.Errorf("no profile of %s: %v", load, err)
		}
	}
	if f := report.Find("logs", "rows per event"); f != nil && f.Median < 40 {
		t.Errorf("an event of logs has %v rows", f.Median)
	}
	wantMeasured(t, report, "single", "end to end")
	for _, name := range []string{"bare commit, p50", "bare commit, p99", "committed, p50", "committed, p99", "committed, since sent, p99", "between two looks, p99"} {
		wantMeasured(t, report, "latency", name)
	}
	wantMeasured(t, report, "memory", "peak memory of tcda")
	for _, name := range []string{"executions", "executions of two statuses", "active faults", "timeline", "log lines, the last first"} {
		wantMeasured(t, report, "reads", name+", page 1")
	}
	if f := report.Find("reads", "executions, page 126"); f == nil || f.Of != "executions, page 1" || f.Ratio <= 0 {
		t.Errorf("the page behind 2,500 executions: %+v", f)
	}
	wantReadable(t, report)

	left, err := filepath.Glob(filepath.Join(o.DataDir, "tcda-bench-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

func wantMeasured(t *testing.T, r *bench.Report, section, name string) {
	t.Helper()
	f := r.Find(section, name)
	if f == nil {
		t.Errorf("%s: no figure %q", section, name)
		return
	}
	for _, v := range append(slices.Clone(f.Values), f.Median, f.Min, f.Max) {
		if !(v > 0) || math.IsInf(v, 0) {
			t.Errorf("%s: %+v", section, f)
		}
	}
}

// wantReadable looks for every figure in both forms of a report.
func wantReadable(t *testing.T, r *bench.Report) {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var again bench.Report
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, &again); diff != "" {
		t.Errorf("read back from JSON (-want +got):\n%s", diff)
	}
	var printed bytes.Buffer
	r.Print(&printed)
	for _, s := range r.Sections {
		for _, f := range s.Figures {
			if !strings.Contains(printed.String(), f.Name) {
				t.Errorf("%s is not printed", f.Name)
			}
		}
	}
	if m := r.Machine; m.Settings["fsync"] != "on" || m.Settings["shared_buffers"] != "64MB" || m.PostgreSQL == "" || m.Service == "" || m.Cores == 0 {
		t.Errorf("machine %+v", m)
	}
}

// Histories are filled with runs that the service can go on with: late events
// of them are applied, and begin no other runs, or the bench fails.
func TestHistories(t *testing.T) {
	t.Parallel()
	o := quick(t)
	o.Settings, o.SeedEvents, o.Events, o.Rounds = nil, 8000, 20_000, 1
	o.History = []float64{0.05, 0.2}
	report, err := bench.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Sections) != 2 {
		t.Errorf("report %+v", report.Sections)
	}
	for _, section := range []string{"history, new runs", "history, with late words"} {
		for _, name := range []string{"end to end", "CPU of tcda", "CPU of postgres", "S4", "WAL"} { // blocks are counted once a second, and this is quicker
			wantMeasured(t, report, section, name+", 0.050 M rows")
			wantMeasured(t, report, section, name+", 0.200 M rows")
		}
		if f := report.Find(section, "end to end, 0.200 M rows"); f != nil && (f.Of != "end to end, 0.050 M rows" || f.Ratio <= 0) {
			t.Errorf("%s: %+v", section, f)
		}
	}
}

// A disk that is too small is told of before it is full.
func TestHistoriesWantSpace(t *testing.T) {
	t.Parallel()
	o := quick(t)
	o.History = []float64{1, 1e9}
	if _, err := bench.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "are needed") {
		t.Errorf("got %v", err)
	}
}

// What was asked for is measured, and nothing else.
func TestOnlyWhatIsAskedFor(t *testing.T) {
	t.Parallel()
	o := quick(t, "small")
	o.Rounds = 3
	report, err := bench.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	rate := report.Find("small", "end to end")
	if len(report.Sections) != 1 || rate == nil || report.Find("small", "ceiling") != nil {
		t.Fatalf("report %+v", report.Sections)
	}
	if sorted := slices.Sorted(slices.Values(rate.Values)); len(sorted) != 3 || sorted[0] != rate.Min || sorted[1] != rate.Median || sorted[2] != rate.Max {
		t.Errorf("of three rounds %+v", rate)
	}
}

// A service that cannot work ends the bench, with what it said.
func TestServiceThatFails(t *testing.T) {
	t.Parallel()
	o := quick(t, "mixed")
	o.Settings["INGEST_BATCH_RECORDS"] = "many"
	if _, err := bench.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "ingest-batch-records") {
		t.Errorf("got %v", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*bench.Options){
		"part":       func(o *bench.Options) { o.Only = []string{"everything"} },
		"rounds":     func(o *bench.Options) { o.Rounds = 0 },
		"events":     func(o *bench.Options) { o.Events = 10 },
		"partitions": func(o *bench.Options) { o.Partitions = 0 },
		"history":    func(o *bench.Options) { o.History = []float64{-1} },
	} {
		o := quick(t)
		change(&o)
		if _, err := bench.Run(t.Context(), o); err == nil {
			t.Errorf("wrong %s are accepted", name)
		}
	}
}
