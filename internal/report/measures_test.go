package report_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

func injected(at time.Duration, id string) *execution.Event {
	return event(at, &execution.FaultInjected{FaultID: id, FaultType: "latency", TargetService: "engine"})
}

func validated(at time.Duration, v execution.ValidationRecorded) *execution.Event {
	return event(at, &v)
}

func TestDetectionLatency(t *testing.T) {
	t.Parallel()
	start := event(time.Second, &execution.FaultInjected{FaultID: "f"})
	for name, c := range map[string]struct {
		events []*execution.Event
		want   *float64
		by     string
	}{
		"nobody looked": {[]*execution.Event{start}, nil, ""},
		"passed":        {[]*execution.Event{start, validated(3*time.Second, execution.ValidationRecorded{ValidationID: "v", FaultID: "f", Status: "passed"})}, new(2.0), "v"},
		"failed sees":   {[]*execution.Event{start, validated(3*time.Second, execution.ValidationRecorded{ValidationID: "v", FaultID: "f", Status: "failed"})}, new(2.0), "v"},
		"skipped and error see nothing": {[]*execution.Event{
			start, validated(3*time.Second, execution.ValidationRecorded{ValidationID: "v", FaultID: "f", Status: "skipped"}),
			validated(4*time.Second, execution.ValidationRecorded{ValidationID: "w", FaultID: "f", Status: "error"}),
		}, nil, ""},
		"another fault": {[]*execution.Event{start, validated(3*time.Second, execution.ValidationRecorded{ValidationID: "v", FaultID: "g", Status: "passed"})}, nil, ""},
		"before it":     {[]*execution.Event{start, validated(time.Second-time.Microsecond, execution.ValidationRecorded{ValidationID: "v", FaultID: "f", Status: "passed"})}, nil, ""},
		"at that moment, below a microsecond": {[]*execution.Event{
			event(time.Second+900, &execution.FaultInjected{FaultID: "f"}), validated(time.Second+100, execution.ValidationRecorded{ValidationID: "v", FaultID: "f", Status: "passed"}),
		}, new(0.0), "v"},
		"the first of several": {[]*execution.Event{
			start, validated(5*time.Second, execution.ValidationRecorded{ValidationID: "a", FaultID: "f", Status: "passed"}),
			validated(4*time.Second, execution.ValidationRecorded{ValidationID: "c", FaultID: "f", Status: "failed"}),
			validated(4*time.Second+1, execution.ValidationRecorded{ValidationID: "b", FaultID: "f", Status: "failed"}),
		}, new(3.0), "b"},
		"never injected": {[]*execution.Event{
			event(time.Second, &execution.FaultInjected{FaultID: "f", Status: execution.FaultFailed}), validated(3*time.Second, execution.ValidationRecorded{ValidationID: "v", FaultID: "f", Status: "passed"}),
		}, nil, ""},
	} {
		f := build(t, report.Context{}, c.events...).Faults[0]
		if diff := cmp.Diff(c.want, f.Detection); diff != "" || f.DetectedBy != c.by {
			t.Errorf("%s: by %q, want %q; (-want +got):\n%s", name, f.DetectedBy, c.by, diff)
		}
	}
}

func TestRecoveryTime(t *testing.T) {
	t.Parallel()
	start, cleared := injected(time.Second, "f"), event(time.Minute, &execution.FaultCleared{FaultID: "f"})
	measured := 7 * time.Second
	for name, c := range map[string]struct {
		events         []*execution.Event
		want, activity *float64
	}{
		"not recovered":     {[]*execution.Event{start, cleared}, nil, new(59.0)},
		"from its clearing": {[]*execution.Event{start, cleared, event(2*time.Minute, &execution.FaultRecovered{FaultID: "f"})}, new(60.0), new(59.0)},
		"from its start":    {[]*execution.Event{start, event(2*time.Minute, &execution.FaultRecovered{FaultID: "f"})}, new(119.0), new(119.0)},
		"as measured":       {[]*execution.Event{start, cleared, event(2*time.Minute, &execution.FaultRecovered{FaultID: "f", RecoveryTime: &measured})}, new(7.0), new(59.0)},
		"only recovered":    {[]*execution.Event{event(2*time.Minute, &execution.FaultRecovered{FaultID: "f"})}, nil, nil},
		"until the end":     {[]*execution.Event{start, event(time.Hour, &execution.Finished{Outcome: "passed"})}, nil, new(3599.0)},
	} {
		f := build(t, report.Context{}, c.events...).Faults[0]
		if diff := cmp.Diff([]*float64{c.want, c.activity}, []*float64{f.Recovery, f.Active}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestResilience(t *testing.T) {
	t.Parallel()
	probe := func(fault string, statuses ...execution.ValidationStatus) (vs []report.Validation) {
		for _, s := range statuses {
			vs = append(vs, report.Validation{FaultID: fault, Status: s})
		}
		return vs
	}
	for name, c := range map[string]struct {
		faults []report.Fault
		probes [][]report.Validation
		want   *float64
	}{
		"nothing":                     {nil, nil, nil},
		"only skipped":                {nil, [][]report.Validation{probe("", "skipped")}, nil},
		"without a fault":             {nil, [][]report.Validation{probe("", "passed", "failed", "error", "skipped", "passed")}, new(50.0)},
		"one fault":                   {[]report.Fault{{ID: "f"}}, [][]report.Validation{probe("f", "passed", "passed", "passed", "failed")}, new(75.0)},
		"weights":                     {[]report.Fault{{ID: "f", Weight: 10}, {ID: "g", Weight: 5}}, [][]report.Validation{probe("f", "passed"), probe("g", "failed")}, new(1000.0 / 15)},
		"a fault nobody looked at":    {[]report.Fault{{ID: "f"}, {ID: "g"}}, [][]report.Validation{probe("f", "failed")}, new(0.0)},
		"a fault that does not exist": {[]report.Fault{{ID: "f"}}, [][]report.Validation{probe("f", "passed"), probe("h", "failed"), probe("", "passed")}, new(75.0)},
	} {
		var all []report.Validation
		for _, p := range c.probes {
			all = append(all, p...)
		}
		if diff := cmp.Diff(c.want, report.Resilience(c.faults, all)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestWeightOfAFault(t *testing.T) {
	t.Parallel()
	for parameters, want := range map[string]float64{
		``: 10, `{}`: 10, `{"weight": 1}`: 1, `{"weight": 2.5}`: 2.5, `{"weight": 10}`: 10, `{"weight": 1e1}`: 10,
		`{"weight": 0}`: 10, `{"weight": 0.99}`: 10, `{"weight": 11}`: 10, `{"weight": -3}`: 10, `{"weight": "3"}`: 10, `{"weight": null}`: 10, `{"weight": [3]}`: 10, `[3]`: 10,
	} {
		var raw json.RawMessage
		if parameters != "" {
			raw = json.RawMessage(parameters)
		}
		f := build(t, report.Context{}, event(0, &execution.FaultInjected{FaultID: "f", Parameters: raw})).Faults[0]
		if f.Weight != want {
			t.Errorf("%s: %g, want %g", parameters, f.Weight, want)
		}
	}
	// The last parameters that were given count.
	f := build(t, report.Context{},
		event(0, &execution.FaultInjected{FaultID: "f", Parameters: json.RawMessage(`{"weight": 3}`)}),
		event(1, &execution.FaultInjected{FaultID: "f", Parameters: json.RawMessage(`{"weight": 4}`)}),
		event(2, &execution.FaultInjected{FaultID: "f"})).Faults[0]
	if f.Weight != 4 || string(f.Parameters) != `{"weight":4}` {
		t.Errorf("weight %g of %s", f.Weight, f.Parameters)
	}
}

func TestSteadyState(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		said           []string // status and steady state, by turns
		held, returned bool
	}{
		"nothing":              {nil, false, false},
		"only skipped after":   {[]string{"failed", "during", "skipped", "after"}, false, false},
		"held":                 {[]string{"passed", "before", "passed", "during", "passed", "after"}, true, false},
		"returned":             {[]string{"failed", "during", "passed", "after"}, true, true},
		"returned after error": {[]string{"error", "during", "passed", "after"}, true, true},
		"did not return":       {[]string{"failed", "during", "passed", "after", "failed", "after"}, false, false},
		"no answer after":      {[]string{"passed", "after", "error", "after"}, false, false},
	} {
		var events []*execution.Event
		for i := 0; i < len(c.said); i += 2 {
			events = append(events, validated(time.Duration(i)*time.Second, execution.ValidationRecorded{
				ValidationID: string(rune('a' + i)), Status: execution.ValidationStatus(c.said[i]), SteadyState: c.said[i+1],
			}))
		}
		if s := build(t, report.Context{}, events...).SteadyState; s.Held != c.held || s.Returned != c.returned {
			t.Errorf("%s: held %v, returned %v", name, s.Held, s.Returned)
		}
	}
}
