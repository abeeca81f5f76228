package report_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution/executiontest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

// However long a series is: few points, the extremes, both ends, in order, and none
// that was not there.
func TestSampledSeries(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SampledFrom([]int{0, 1, 2, 27, 28, 29, 56, 57, 500, 3000}).Draw(t, "points")
		seed := rapid.IntRange(1, 1000).Draw(t, "seed")
		points := make([]report.Point, n)
		for i := range points {
			points[i] = report.Point{At: executiontest.Base.Add(time.Duration(i) * time.Second), Value: float64(i * seed % 97)}
		}
		got := report.Sample(points)
		if n == 0 {
			if got == nil || len(got) != 0 {
				t.Fatalf("of nothing: %v", got)
			}
			return
		}
		if len(got) > 60 || n <= 28 && len(got) != n {
			t.Fatalf("%d of %d points", len(got), n)
		}
		value := func(a, b report.Point) int { return int(a.Value - b.Value) }
		if got[0] != points[0] || got[len(got)-1] != points[n-1] ||
			slices.MaxFunc(got, value).Value != slices.MaxFunc(points, value).Value || slices.MinFunc(got, value).Value != slices.MinFunc(points, value).Value {
			t.Fatalf("ends or extremes are missing: %v", got)
		}
		last := -1
		for _, p := range got {
			i := int(p.At.Sub(executiontest.Base) / time.Second)
			if i <= last || points[i] != p {
				t.Fatalf("%v after point %d", p, last)
			}
			last = i
		}
	})
}

func TestMetricImpact(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before, since              []float64
		baseline                   float64
		peak, peakChange, residual *float64
	}{
		"no fault":                     {[]float64{10, 30, 12}, nil, 10, new(30.0), new(2.0), new(0.2)},
		"the last before the fault":    {[]float64{5, 10}, []float64{40, 11}, 10, new(40.0), new(3.0), new(0.1)},
		"the farthest is below":        {[]float64{10}, []float64{12, 1, 9}, 10, new(1.0), new(-0.9), new(-0.1)},
		"as far on both sides":         {[]float64{10}, []float64{5, 15}, 10, new(15.0), new(0.5), new(0.5)},
		"an extreme before the fault":  {[]float64{99, 10}, []float64{11}, 10, new(11.0), new(0.1), new(0.1)},
		"only since the fault":         {nil, []float64{10, 20}, 10, new(20.0), new(1.0), new(1.0)},
		"a baseline of zero":           {[]float64{0}, []float64{5}, 0, new(5.0), nil, nil},
		"a baseline below zero":        {[]float64{-10}, []float64{-5}, -10, new(-5.0), new(0.5), new(0.5)},
		"beyond float64 in relation":   {[]float64{1e-300}, []float64{1e300}, 1e-300, new(1e300), nil, nil},
		"differences beyond a float64": {[]float64{-math.MaxFloat64}, []float64{math.MaxFloat64}, -math.MaxFloat64, new(math.MaxFloat64), nil, nil},
	} {
		m := report.MetricOf(executiontest.Base, c.before, c.since)
		if *m.Baseline != c.baseline {
			t.Errorf("%s: baseline %g", name, *m.Baseline)
		}
		if diff := cmp.Diff([]*float64{c.peak, c.peakChange, c.residual}, []*float64{m.Peak, m.PeakChange, m.Residual}); diff != "" {
			t.Errorf("%s: peak, its change, residual (-want +got):\n%s", name, diff)
		}
	}
}

// snap is a snapshot of a service with one number, so long after the beginning.
func snap(at time.Duration, id string, kind execution.SnapshotKind, service string, load float64, health string) *execution.Event {
	return event(at, &execution.SnapshotCaptured{
		SnapshotID: id, Kind: kind, Service: service, Health: health,
		State: json.RawMessage(fmt.Sprintf(`{"load": %g}`, load)), Metrics: json.RawMessage(fmt.Sprintf(`{"load": %g, "odd": "x"}`, load)),
	})
}

func TestWhichSnapshotsAreCompared(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kinds []execution.SnapshotKind // at 0s, 1s, 2s ...
		want  []string
	}{
		"one":                    {[]execution.SnapshotKind{"baseline"}, nil},
		"first and last":         {[]execution.SnapshotKind{"manual", "periodic", "manual"}, []string{"0 2"}},
		"the last baseline":      {[]execution.SnapshotKind{"manual", "baseline", "baseline", "manual"}, []string{"2 3"}},
		"all":                    {[]execution.SnapshotKind{"baseline", "pre_injection", "pre_injection", "post_injection", "post_injection", "recovery", "manual"}, []string{"2 3", "0 5"}},
		"the last recovery":      {[]execution.SnapshotKind{"baseline", "recovery", "recovery", "periodic"}, []string{"0 2"}},
		"no pre_injection":       {[]execution.SnapshotKind{"baseline", "post_injection", "recovery"}, []string{"0 1", "0 2"}},
		"the same pair once":     {[]execution.SnapshotKind{"baseline", "post_injection"}, []string{"0 1"}},
		"post_injection at once": {[]execution.SnapshotKind{"post_injection", "manual"}, []string{"0 1"}},
	} {
		var events []*execution.Event
		for i, kind := range c.kinds {
			events = append(events, snap(time.Duration(i)*time.Second, fmt.Sprint(i), kind, "s", float64(i), ""))
		}
		var got []string
		for _, d := range build(t, report.Context{}, events...).Snapshots {
			got = append(got, d.From.ID+" "+d.To.ID)
			if d.Changed != 2 || len(d.Changes) != 2 || d.Changes[0].Path != "state.load" || d.Service != "s" {
				t.Errorf("%s: %+v", name, d)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestListedChangesAreBounded(t *testing.T) {
	t.Parallel()
	large := map[string]int{}
	for i := range 80 {
		large[fmt.Sprintf("k%02d", i)] = i
	}
	state, err := json.Marshal(map[string]any{"keys": large, "n": 1})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 80 {
		large[fmt.Sprintf("k%02d", i)]++
	}
	changed, err := json.Marshal(map[string]any{"keys": large, "more": 1})
	if err != nil {
		t.Fatal(err)
	}
	d := build(t, report.Context{},
		event(0, &execution.SnapshotCaptured{SnapshotID: "a", Kind: "manual", State: state}),
		event(1, &execution.SnapshotCaptured{SnapshotID: "b", Kind: "manual", State: changed})).Snapshots[0]
	if d.Changed != 80 || d.Added != 1 || d.Removed != 1 || len(d.Changes) != 50 || d.Omitted != 32 {
		t.Errorf("%d changed, %d added, %d removed, %d listed, %d omitted", d.Changed, d.Added, d.Removed, len(d.Changes), d.Omitted)
	}
}

func TestHealthBeforeTheFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before, since []string
		want, last    string
	}{
		"the last before the fault": {[]string{"starting", "healthy"}, []string{"degraded", "healthy", "down"}, "healthy", "down"},
		"only since the fault":      {nil, []string{"degraded", "healthy"}, "degraded", "healthy"},
		"not said at last":          {[]string{"healthy"}, []string{"degraded", ""}, "healthy", "degraded"},
	} {
		events := []*execution.Event{injected(time.Hour, "f")}
		for i, health := range c.before {
			events = append(events, snap(time.Duration(i)*time.Second, fmt.Sprint("b", i), "manual", "s", 1, health))
		}
		for i, health := range c.since {
			events = append(events, snap(2*time.Hour+time.Duration(i)*time.Second, fmt.Sprint("s", i), "manual", "s", 1, health))
		}
		s := build(t, report.Context{}, events...).Impact[0]
		if s.HealthBefore != c.want || s.HealthLast != c.last {
			t.Errorf("%s: %s before, %s at last", name, s.HealthBefore, s.HealthLast)
		}
	}
}
