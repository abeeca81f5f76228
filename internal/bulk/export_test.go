package bulk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/bulk"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// ids are the first cells of all parts.
func (w *world) ids(o bulk.Options, m *bulk.Manifest) []string {
	w.Helper()
	var all []string
	for _, p := range m.Parts {
		lines := strings.Split(strings.TrimSuffix(string(w.read(filepath.Join(o.Dir, o.View.Name), p.File)), "\n"), "\n")
		for _, line := range lines[1:] {
			id, _, _ := strings.Cut(line, ",")
			all = append(all, id)
		}
	}
	return all
}

func wantIDs(first, last int) []string {
	var all []string
	for n := first; n <= last; n++ {
		all = append(all, fmt.Sprintf("exec-%07d", n))
	}
	return all
}

// An export that is interrupted at any moment goes on behind the last whole part:
// every row is there once, whatever the former one has left.
func TestAnInterruptedExportGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const rows = 12_500
	w.runs(1, rows)
	sums := func(m *bulk.Manifest) (all []string) {
		for _, p := range m.Parts {
			all = append(all, p.SHA256)
		}
		return all
	}
	for _, view := range []string{"executions", "validations"} {
		if view == "validations" {
			w.validations()
		}
		o := w.options(view, bulk.CSV)
		o.PartRows, o.Resume = 2001, true // no multiple of what is read at once
		var m *bulk.Manifest
		interruptions := 0
		for after := int64(1000); ; after += 3000 {
			ctx, cancel := context.WithCancel(t.Context())
			o.Progress = func(p bulk.Progress) {
				if p.Rows >= after {
					cancel()
				}
			}
			var err error
			m, err = bulk.Export(ctx, w.from, o)
			cancel()
			if err == nil {
				break
			}
			interruptions++
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			w.from = w.reader() // the connection ended with the statement
			w.litter(o)
		}
		if interruptions < 4 {
			t.Errorf("%s was interrupted %d times only", view, interruptions)
		}
		w.wantWhole(o, m)
		if got := w.ids(o, m); !slices.Equal(got, wantIDs(1, rows)) {
			t.Errorf("%s has %d rows, or not each once in its order", view, len(got))
		}
		if len(m.Parts) != 7 {
			t.Errorf("%s has %d parts", view, len(m.Parts))
		}
		whole := o
		whole.Dir, whole.Progress = t.TempDir(), nil
		if at := w.export(t.Context(), whole); !slices.Equal(sums(at), sums(m)) {
			t.Errorf("%s has other bytes than an export that nothing interrupts", view)
		}
		again := w.export(t.Context(), o)
		if len(again.Parts) != len(m.Parts) || again.Rows != m.Rows {
			t.Error("an export that was complete has changed")
		}
	}
}

// litter leaves what a process that was killed may have left.
func (w *world) litter(o bulk.Options) {
	w.Helper()
	dir := filepath.Join(o.Dir, o.View.Name)
	for _, name := range []string{".unfinished-part-00002.csv", ".unfinished-manifest.json", "part-99999.csv"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half a line"), 0o600); err != nil {
			w.Fatal(err)
		}
	}
}

// What comes into being behind the present place is in, what is before it is not,
// and nothing twice.
func TestRowsThatComeMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.runs(1001, 5000)
	o := w.options("executions", bulk.CSV)
	o.PartRows = 1000
	grown := false
	o.Progress = func(p bulk.Progress) {
		if p.Rows == 2000 && !grown {
			grown = true
			w.runs(1, 500)
			w.runs(5001, 5500)
		}
	}
	m := w.export(t.Context(), o)
	if got := w.ids(o, m); !slices.Equal(got, wantIDs(1001, 5500)) {
		t.Errorf("%d rows, or not each once", len(got))
	}
	for i := 1; i < len(m.Parts); i++ {
		if !m.Parts[i].AsOf.After(m.Parts[i-1].AsOf) || time.Since(m.Parts[i].AsOf) > time.Hour {
			t.Errorf("part %d is as of %v, the one before of %v", i+1, m.Parts[i].AsOf, m.Parts[i-1].AsOf)
		}
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.runs(1, 100)
	w.validations()
	w.exec(`INSERT INTO test_coordination.execution_events (bucket, execution_id, run, event_key, order_key, arrival, type, source, event_id, event_time, digest, digest_version, data, recorded_at)
		SELECT bucket, execution_id, run, sha256(execution_id::bytea), sha256(execution_id::bytea), 1, 't', 's', 'i', started_at, '', 1, '{}', now() FROM test_coordination.executions`)
	start := time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	since, until := start.Add(10*time.Minute), start.Add(20*time.Minute)
	for _, view := range []string{"executions", "validations", "timeline"} { // timeline has no scenario of its own
		for _, test := range []struct {
			filters bulk.Filters
			want    int64
		}{
			{bulk.Filters{}, 100},
			{bulk.Filters{Since: &since, Until: &until}, 10},
			{bulk.Filters{Scenario: "scenario-1"}, 50},
			{bulk.Filters{Scenario: "scenario-1", Environment: "staging", Since: &since, Until: &until}, 5},
			{bulk.Filters{Environment: "'; DROP TABLE executions; --"}, 0},
		} {
			o := w.options(view, bulk.Parquet)
			o.Dir, o.Filters = t.TempDir(), test.filters
			if m := w.export(t.Context(), o); m.Rows != test.want || len(m.Parts) != 1 {
				t.Errorf("%s, %+v: %d rows in %d parts, want %d", view, test.filters, m.Rows, len(m.Parts), test.want)
			}
		}
	}
}

func TestAnotherExportIsNotGoneOnWith(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.runs(1, 5000)
	w.exec(hostile)
	o := w.options("executions", bulk.JSONL)
	o.PartRows = 2000
	w.export(t.Context(), o)
	if _, err := bulk.Export(t.Context(), w.from, o); !errors.Is(err, bulk.ErrExists) {
		t.Errorf("a second export without Resume: %v", err)
	}
	since := time.Now()
	for name, change := range map[string]func(*bulk.Options){
		"filters":       func(o *bulk.Options) { o.Filters.Since = &since },
		"scenario":      func(o *bulk.Options) { o.Filters.Scenario = "s" },
		"columns":       func(o *bulk.Options) { o.Columns = []string{"status", "run"} },
		"columns' turn": func(o *bulk.Options) { o.Columns = []string{"run", "status"} },
		"format":        func(o *bulk.Options) { o.Format = bulk.CSV },
	} {
		other := o
		other.Resume = true
		change(&other)
		if _, err := bulk.Export(t.Context(), w.from, other); !errors.Is(err, bulk.ErrDiffers) {
			t.Errorf("other %s: %v", name, err)
		}
	}
	o.Resume = true
	if err := os.Truncate(filepath.Join(w.dir, "analytics_executions", "part-00002.jsonl"), 10); err != nil {
		t.Fatal(err)
	}
	if _, err := bulk.Export(t.Context(), w.from, o); err == nil || !strings.Contains(err.Error(), "part-00002.jsonl has 10 bytes") {
		t.Errorf("with a part that was cut: %v", err)
	}
	if err := os.Remove(filepath.Join(w.dir, "analytics_executions", "part-00001.jsonl")); err != nil {
		t.Fatal(err)
	}
	if _, err := bulk.Export(t.Context(), w.from, o); err == nil || !strings.Contains(err.Error(), "part-00001.jsonl is missing") {
		t.Errorf("with a part that is missing: %v", err)
	}
	for _, wrong := range []func(*bulk.Options){
		func(o *bulk.Options) { o.Columns = []string{"nothing"} },
		func(o *bulk.Options) { o.Columns = []string{"n", "n"} },
		func(o *bulk.Options) { o.Filters.Since = &since },
		func(o *bulk.Options) { o.Filters.Scenario = "s" },
		func(o *bulk.Options) { o.PartRows = 0 },
	} {
		o := w.options("hostile", bulk.CSV)
		wrong(&o)
		if _, err := bulk.Export(t.Context(), w.from, o); !errors.Is(err, bulk.ErrUsage) {
			t.Errorf("error %v, want ErrUsage", err)
		}
	}
}

// Two at once would write into each other's parts.
func TestOneProcessAtATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.runs(1, 3000)
	o := w.options("executions", bulk.CSV)
	other := w.reader()
	var second error
	o.Progress = func(bulk.Progress) {
		if second == nil {
			_, second = bulk.Export(t.Context(), other, w.options("executions", bulk.CSV))
		}
	}
	w.export(t.Context(), o)
	if !errors.Is(second, bulk.ErrBusy) {
		t.Errorf("the second: %v", second)
	}
}

// A view of which nothing is known is read as of one moment, over all its parts.
func TestAViewWithoutAKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.runs(1, 5000)
	w.exec(`CREATE VIEW test_coordination.analytics_copies AS SELECT scenario_id, e.execution_id FROM test_coordination.executions AS e CROSS JOIN generate_series(1, 2) AS twice`)
	o := w.options("copies", bulk.CSV)
	o.PartRows = 2000
	grown := false
	o.Progress = func(p bulk.Progress) {
		if p.Rows == 2000 && !grown {
			grown = true
			w.runs(5001, 6000)
		}
	}
	m := w.export(t.Context(), o)
	if m.Rows != 10_000 || len(m.Parts) != 5 {
		t.Errorf("%d rows in %d parts", m.Rows, len(m.Parts))
	}
	for _, p := range m.Parts {
		if !p.AsOf.Equal(m.Parts[0].AsOf) || p.LastKey != nil {
			t.Errorf("part %+v", p)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	o.Dir, o.Progress = t.TempDir(), func(p bulk.Progress) {
		if p.Rows >= 4000 {
			cancel()
		}
	}
	if _, err := bulk.Export(ctx, w.from, o); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	w.from = w.reader()
	o.Resume, o.Progress = true, nil
	if _, err := bulk.Export(t.Context(), w.from, o); !errors.Is(err, bulk.ErrNotResumable) {
		t.Errorf("gone on with: %v", err)
	}
}

// Whatever a view does when it is read, it writes nothing.
func TestAViewCannotWrite(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.exec(`CREATE FUNCTION test_coordination.sly() RETURNS integer LANGUAGE sql AS $$ UPDATE test_coordination.executions SET run = 7 RETURNING 1 $$`)
	w.exec(`CREATE VIEW test_coordination.analytics_sly AS SELECT test_coordination.sly() AS sly`)
	w.runs(1, 1)
	_, err := bulk.Export(t.Context(), w.from, w.options("sly", bulk.CSV))
	var refused *pgstore.Error
	if !errors.As(err, &refused) || refused.SQLState != "25006" {
		t.Errorf("error %v, want one of a read-only transaction", err)
	}
}

// Analysts, who may read the views and nothing else, export all of them.
func TestTheRightToReadViewsIsEnough(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.runs(1, 10)
	u, err := url.Parse(w.db.URL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("role", "test_coordination_reader")
	u.RawQuery = q.Encode()
	analyst, err := pgstore.OpenViewReader(t.Context(), pgstore.Config{URL: u.String()})
	if err != nil {
		t.Fatal(err)
	}
	defer analyst.Close(t.Context())
	views, err := bulk.Views(t.Context(), analyst)
	if err != nil || len(views) < 8 {
		t.Fatalf("%d views, %v", len(views), err)
	}
	since := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, view := range views {
		o := bulk.Options{View: view, Format: bulk.Parquet, Dir: t.TempDir(), PartRows: 3, PartBytes: 1 << 20}
		if view.Scenario {
			o.Filters.Scenario = "scenario-1"
		}
		if view.Time != "" {
			o.Filters.Since = &since
		}
		m, err := bulk.Export(t.Context(), analyst, o)
		if err != nil {
			t.Errorf("%s: %v", view.Name, err)
			continue
		}
		w.wantWhole(o, m)
	}
	w.exec("CREATE VIEW test_coordination.analytics_secret AS SELECT 1 AS n")
	if views, err = bulk.Views(t.Context(), analyst); err != nil || slices.ContainsFunc(views, func(v bulk.View) bool { return v.Name == "analytics_secret" }) {
		t.Errorf("a view that may not be read is listed: %v", err)
	}
}

// What is held in memory does not depend on how many rows there are.
func TestMemoryIsBounded(t *testing.T) { //nolint:paralleltest // it measures the heap
	if testing.Short() {
		t.Skip("200,000 rows")
	}
	const rows, most = 200_000, 16 << 20
	w := newWorld(t)
	w.runs(1, rows)
	w.exec("ANALYZE test_coordination.executions")
	for _, format := range []bulk.Format{bulk.Parquet, bulk.CSV, bulk.JSONL} {
		inUse := func() uint64 {
			runtime.GC() // twice: what pools hold outlives the first
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before, peak, n := inUse(), uint64(0), 0
		o := w.options("executions", format)
		o.Dir = t.TempDir()
		o.Progress = func(bulk.Progress) {
			if n++; n%7 == 0 {
				peak = max(peak, inUse())
			}
		}
		began := time.Now()
		done := w.export(t.Context(), o)
		t.Logf("%s: %d rows, %d bytes in %v, heap at most %d KiB over what it was", format, done.Rows, done.Parts[0].Bytes, time.Since(began).Round(time.Millisecond), (int64(peak)-int64(before))>>10)
		if done.Rows != rows || n < rows/1000 {
			t.Errorf("%s: %d rows, %d looks", format, done.Rows, n)
		}
		if peak > before+most {
			t.Errorf("%s: the heap had %d MiB, %d before", format, peak>>20, before>>20)
		}
	}
}

// Each part is found along the key: no plan sorts, or reads a table from its
// beginning.
func TestPartsAreReadAlongTheKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.runs(1, 20_000)
	w.validations()
	w.exec("ANALYZE")
	seen := &bytes.Buffer{}
	for view, third := range map[string]pgstore.Column{
		"executions": {}, "validations": {Name: "validation_id", Type: "text"}, "faults": {Name: "fault_id", Type: "text"}, "timeline": {Name: "order_key", Type: "bytea"},
	} {
		selection := pgstore.Selection{View: "analytics_" + view, Key: []pgstore.Column{{Name: "execution_id", Type: "text"}, {Name: "run", Type: "integer"}}, After: []string{"exec-0010000", "1"}}
		if third.Name != "" {
			selection.Key, selection.After = append(selection.Key, third), append(selection.After, "v")
		}
		err := w.from.Explain(t.Context(), selection, func(line string) { fmt.Fprintln(seen, line) })
		if err != nil {
			t.Fatal(err)
		}
	}
	if plan := seen.String(); strings.Contains(plan, "Sort") || strings.Contains(plan, "Seq Scan") || strings.Count(plan, "Index Cond: (ROW(") < 4 {
		t.Errorf("plans:\n%s", plan)
	}
}
