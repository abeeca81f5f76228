package report_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution/executiontest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

// long feeds a run of 36 hours: so many updates, each a heartbeat and a snapshot, and
// so many lines, all of them worth a look.
func long(tb fataler, updates, lines int) *report.Builder {
	tb.Helper()
	b := report.NewBuilder(anID, 1, "")
	add := func(id string, at time.Duration, p execution.Payload) *execution.Event {
		e := executiontest.New(anID, "/coordinator/a", id, executiontest.Base.Add(at), p)
		e.Data = json.RawMessage(`{"stored": "data of the event"}`)
		if err := b.Add(e); err != nil {
			tb.Fatal(err)
		}
		return e
	}
	add("start", 0, &execution.Started{})
	add("fault", time.Second, &execution.FaultInjected{FaultID: "f", FaultType: "t", TargetService: "s"})
	perEvent := max(1, lines/max(1, updates))
	for i, said := 0, 0; i < updates; i++ {
		at := time.Minute + time.Duration(i)*5*time.Second
		progress := float64(i) / float64(updates)
		add(fmt.Sprintf("beat-%d", i), at, &execution.Heartbeat{
			Progress: &progress, Message: fmt.Sprintf("update %d", i), SystemState: json.RawMessage(fmt.Sprintf(`{"n": %d}`, i)),
		})
		add(fmt.Sprintf("snap-%d", i), at+time.Second, &execution.SnapshotCaptured{
			SnapshotID: fmt.Sprintf("s-%d", i), Kind: execution.SnapshotPeriodic, Service: fmt.Sprintf("service-%d", i%3), Health: fmt.Sprint(i % 7),
			State: json.RawMessage(fmt.Sprintf(`{"n": %d}`, i)), Metrics: json.RawMessage(fmt.Sprintf(`{"latency_ms": %d, "peg": 0.97}`, i*7919%1000)),
		})
		e := add(fmt.Sprintf("log-%d", i), at+2*time.Second, &execution.LogAppended{Count: perEvent})
		for place := 0; place < perEvent && said < lines; place++ {
			b.AddLine(e.Order(), place, &execution.LogLine{
				Message: fmt.Sprintf("order %d timed out", said), Level: []string{"error", "warn", "fatal", "info"}[said%4],
				Service: "trading-engine", Attributes: json.RawMessage(`{"alert": "late", "circuit_breaker": true}`),
			})
			said++
		}
	}
	add("end", 37*time.Hour, &execution.Finished{Outcome: execution.StatusPassed})
	return b
}

// What is held does not grow with heartbeats, snapshots and lines once the bounds are
// reached, and is small.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	some, many := long(t, 2_600, 20_000), long(t, 26_000, 200_000)
	if got, most := many.Size(), 1<<20; got > most {
		t.Errorf("26,000 updates and 200,000 lines hold %d bytes, at most %d are expected", got, most)
	}
	if grown := many.Size() - some.Size(); grown > 16<<10 {
		t.Errorf("ten times as many updates and lines hold %d bytes more (%d, %d)", grown, some.Size(), many.Size())
	}
	r := many.Report(report.Context{})
	if r.Metrics.LogLines != 26_000*7 || r.Logs.Lines != 26_000*7 || r.Metrics.Snapshots != 26_000 || r.Metrics.Alerts != 26_000*7 {
		t.Errorf("metrics %+v, %d lines", r.Metrics, r.Logs.Lines)
	}
	if len(r.Logs.Notable) != 100 || len(r.Alerts) != 500 || len(r.CircuitBreakers) != 500 || len(r.Impact) != 3 {
		t.Errorf("%d notable lines, %d alerts, %d breakers, %d services", len(r.Logs.Notable), len(r.Alerts), len(r.CircuitBreakers), len(r.Impact))
	}
	for _, s := range r.Impact {
		if len(s.Health) != 50 {
			t.Errorf("%d changes of health of %s", len(s.Health), s.Service)
		}
		for _, m := range s.Metrics {
			if len(m.Points) > 60 {
				t.Errorf("%d points of %s", len(m.Points), m.Name)
			}
		}
	}
	if size := len(frozen(t, r)); size > 512<<10 {
		t.Errorf("the report has %d bytes", size)
	}
}

func BenchmarkBuild(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		frozen(b, long(b, 26_000, 200_000).Report(report.Context{}))
	}
}

func TestTimelineKeepsBeginningAndEnd(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1499, 1500, 1501, 2000, 2001, 2750} {
		b := report.NewBuilder(anID, 1, "")
		for i := range n {
			if err := b.Add(event(time.Duration(i)*time.Second, &execution.Paused{Reason: fmt.Sprint(i)})); err != nil {
				t.Fatal(err)
			}
		}
		line := b.Report(report.Context{}).Timeline
		if len(line.Entries) != min(n, 2000) || line.Omitted != max(0, n-2000) {
			t.Fatalf("%d events: %d entries, %d omitted", n, len(line.Entries), line.Omitted)
		}
		for i, e := range line.Entries {
			want := i
			if i >= 1500 {
				want += line.Omitted
			}
			if e.Text != fmt.Sprintf("run paused: %d", want) {
				t.Fatalf("%d events: entry %d is %q, want that of %d", n, i, e.Text, want)
			}
		}
	}
}

func TestServicesAndMetricsAreBounded(t *testing.T) {
	t.Parallel()
	metrics := map[string]int{}
	for i := range 30 {
		metrics[fmt.Sprintf("m-%02d", i)] = i
	}
	raw, err := json.Marshal(metrics)
	if err != nil {
		t.Fatal(err)
	}
	var events []*execution.Event
	for i := range 70 {
		events = append(events, event(time.Duration(i)*time.Second, &execution.SnapshotCaptured{
			SnapshotID: fmt.Sprintf("s-%d", i), Kind: execution.SnapshotManual, Service: fmt.Sprintf("service-%02d", i), Metrics: raw,
		}))
	}
	r := build(t, report.Context{}, events...)
	if len(r.Impact) != 64 || r.SnapshotsOmitted != 6 {
		t.Errorf("%d services, %d snapshots omitted", len(r.Impact), r.SnapshotsOmitted)
	}
	if s := r.Impact[0]; s.Service != "service-00" || len(s.Metrics) != 24 || s.Omitted != 6 || s.Metrics[23].Name != "m-23" {
		t.Errorf("%s has %d metrics, %d omitted", s.Service, len(s.Metrics), s.Omitted)
	}
}

// Large free JSON of parts is left out, and told; a weight in it still counts.
func TestLargeFreeJSONIsLeftOut(t *testing.T) {
	t.Parallel()
	large := json.RawMessage(fmt.Sprintf(`{"weight": 2, "pad": %q}`, make([]byte, 0)))
	large = append(large[:len(large)-2], append([]byte(fmt.Sprintf("%05000d", 7)), `"}`...)...)
	r := build(t, report.Context{},
		event(0, &execution.FaultInjected{FaultID: "f", FaultType: "t", TargetService: "s", Parameters: large}),
		event(1, &execution.StepStarted{Step: execution.Step{StepID: "s", Parameters: large}}),
		event(2, &execution.ValidationRecorded{ValidationID: "v", Status: execution.ValidationPassed, Evidence: large}),
		event(3, &execution.ValidationRecorded{ValidationID: "w", Status: execution.ValidationPassed, Evidence: large}),
		event(4, &execution.ValidationRecorded{ValidationID: "w", Status: execution.ValidationPassed, Evidence: json.RawMessage(`{}`)}),
	)
	bytes := len(report.Normalise(large))
	if f := r.Faults[0]; f.Parameters != nil || f.ParametersBytes != bytes || f.Weight != 2 {
		t.Errorf("fault: %s, %d bytes, weight %g", f.Parameters, f.ParametersBytes, f.Weight)
	}
	if s := r.Steps[0]; s.Parameters != nil || s.ParametersBytes != bytes {
		t.Errorf("step: %s, %d bytes", s.Parameters, s.ParametersBytes)
	}
	if v := r.Validations[0]; v.Evidence != nil || v.EvidenceBytes != bytes {
		t.Errorf("validation: %s, %d bytes", v.Evidence, v.EvidenceBytes)
	}
	if v := r.Validations[1]; string(v.Evidence) != "{}" || v.EvidenceBytes != 0 {
		t.Errorf("the last word of a validation: %s, %d bytes", v.Evidence, v.EvidenceBytes)
	}
}

// Events that decide or are listed are held, but not what they carry.
func TestHeldEventsAreSlim(t *testing.T) {
	t.Parallel()
	large := json.RawMessage(fmt.Sprintf("%0100000d", 0))
	late := event(2*time.Hour, &execution.Heartbeat{SystemState: large})
	stored := event(3*time.Hour, &execution.Resumed{})
	stored.Data = large
	snapshot := event(4*time.Hour, &execution.SnapshotCaptured{SnapshotID: "s", Kind: execution.SnapshotPeriodic, State: large})
	lines := event(5*time.Hour, &execution.LogAppended{Count: 1, Lines: []execution.LogLine{{Message: string(large)}}})
	end := event(time.Hour, &execution.Finished{Outcome: execution.StatusPassed})
	bare := builderOf(t, end).Size()
	for name, e := range map[string]*execution.Event{"state of the system": late, "stored data": stored, "lines": lines} {
		if size := builderOf(t, end, e).Size(); size-bare > 10_000 {
			t.Errorf("%s: holds %d bytes more", name, size-bare)
		}
	}
	if size := builderOf(t, end, snapshot).Size(); size-bare > 110_000 {
		t.Errorf("a snapshot is held once, for differences: %d bytes more", size-bare)
	}
}
