package report_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report/reporttest"
)

func TestCompare(t *testing.T) {
	t.Parallel()
	a := &report.Report{
		Run: report.Run{ScenarioID: "s", Duration: new(100.0)}, Verdict: report.Verdict{Status: execution.StatusPassed},
		Definition:  report.Definition{SHA256: "d", Parameters: []report.Parameter{{Name: "p", Value: "1"}, {Name: "q", Value: "1"}, {Name: "same", Value: "1"}}},
		Validations: []report.Validation{{ID: "x", Status: "passed", Actual: "1"}, {ID: "w", Status: "passed"}, {ID: "gone", Status: "failed"}},
		Faults:      []report.Fault{{ID: "f", Type: "t", Status: "recovered", Recovery: new(5.0), Detection: new(1.0)}},
		Phases:      []report.Phase{{Name: "z", Status: "passed", Duration: new(1.0)}, {Name: "b", Status: "passed"}},
		Impact:      []report.ServiceImpact{{Service: "s", Metrics: []report.MetricImpact{{Name: "m", Peak: new(3.0), Last: 1}}}},
		SHA256:      "aa",
	}
	b := &report.Report{
		Run: report.Run{ScenarioID: "s", Duration: new(150.0)}, Verdict: report.Verdict{Status: execution.StatusFailed},
		Definition:  report.Definition{SHA256: "e", Parameters: []report.Parameter{{Name: "p", Value: "2"}, {Name: "r", Value: "1"}, {Name: "same", Value: "1"}}},
		Validations: []report.Validation{{ID: "x", Status: "failed", Actual: "2"}, {ID: "w", Status: "passed"}, {ID: "new", Status: "passed"}},
		Faults:      []report.Fault{{ID: "f", Type: "t", Status: "injected"}, {ID: "g", Status: "failed"}},
		Phases:      []report.Phase{{Name: "a", Status: "failed"}, {Name: "z", Status: "passed", Duration: new(2.0)}},
		SHA256:      "bb",
	}
	c := report.Compare(a, b)
	if c.A.SHA256 != "aa" || c.B.SHA256 != "bb" || !c.SameScenario || c.SameDefinition {
		t.Errorf("%+v", c)
	}
	if want := "The first run is passed, the second failed; 1 validation held only in the first; their definitions differ or are not known."; c.Headline != want {
		t.Errorf("headline %q", c.Headline)
	}
	if want := (report.FigureChange{Name: "duration", Unit: "s", A: new(100.0), B: new(150.0), Change: new(50.0), Relative: new(0.5)}); !cmp.Equal(c.Figures[0], want) {
		t.Errorf("duration %s", cmp.Diff(want, c.Figures[0]))
	}
	for what, diff := range map[string]string{
		"parameters": cmp.Diff([]report.ParameterChange{{Name: "p", A: "1", B: "2"}, {Name: "q", A: "1"}, {Name: "r", B: "1"}}, c.Parameters),
		"validations": cmp.Diff([]report.ValidationChange{
			{ID: "gone", A: "failed"}, {ID: "new", B: "passed"}, {ID: "x", A: "passed", B: "failed", ActualA: "1", ActualB: "2"}, {ID: "w", A: "passed", B: "passed"},
		}, c.Validations),
		"faults":  cmp.Diff([]report.FaultChange{{ID: "f", Type: "t", A: "recovered", B: "injected", RecoveryA: new(5.0), DetectionA: new(1.0)}, {ID: "g", B: "failed"}}, c.Faults),
		"phases":  cmp.Diff([]report.PhaseChange{{Name: "z", A: "passed", B: "passed", DurationA: new(1.0), DurationB: new(2.0)}, {Name: "b", A: "passed"}, {Name: "a", B: "failed"}}, c.Phases),
		"metrics": cmp.Diff([]report.MetricChange{{Service: "s", Name: "m", PeakA: new(3.0), LastA: new(1.0)}}, c.Metrics),
	} {
		if diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
}

func TestCompareWithItself(t *testing.T) {
	t.Parallel()
	r := reporttest.Report(t, "steady-state-failed")
	c := report.Compare(r, r)
	if c.Headline != "Both runs are failed." || !c.SameDefinition || len(c.Parameters) > 0 {
		t.Errorf("%q, %+v", c.Headline, c.Parameters)
	}
	for _, f := range c.Figures {
		if f.Change != nil && *f.Change != 0 || f.A == nil != (f.Change == nil) {
			t.Errorf("%s changed by %v", f.Name, f.Change)
		}
	}
}

func TestChangesAgainstEarlierRuns(t *testing.T) {
	t.Parallel()
	r := reporttest.Report(t, "third-attempt-passed")
	if len(r.Attempts) != 2 || len(r.Previous) != 2 || len(r.Inputs.Compared) != 4 {
		t.Fatalf("%d attempts, %d previous, compared %v", len(r.Attempts), len(r.Previous), r.Inputs.Compared)
	}
	last := reporttest.Report(t, "steady-state-failed")
	p := r.Previous[0]
	if diff := cmp.Diff(last.Brief(), p.Brief); diff != "" {
		t.Errorf("brief (-want +got):\n%s", diff)
	}
	if p.SHA256 != r.Inputs.Compared[2] || !p.SameDefinition || *p.RecoveryChange != *r.Metrics.MeanRecovery-*last.Metrics.MeanRecovery {
		t.Errorf("%+v", p)
	}
	if diff := cmp.Diff([]string{"v-steady-after", "v-steady-during"}, p.FixedFailures); diff != "" || len(p.NewFailures) > 0 {
		t.Errorf("fixed (-want +got):\n%s\nnew %v", diff, p.NewFailures)
	}
	other := report.NewBuilder(last.Run.ExecutionID, 1, "").Report(report.Context{Previous: []report.Brief{last.Brief()}})
	if p := other.Previous[0]; p.SameDefinition || p.DurationChange != nil {
		t.Errorf("of a run that is not known: %+v", p)
	}
}
