package reporttest

import (
	"slices"
	"sync"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

// Run is a run to make a report of.
type Run struct {
	Name        string
	About       string // what is special about it
	ExecutionID execution.ID
	Number      execution.RunNumber
	RunID       string

	Records []kafkarecord.Record // of the coordinator, in the order in which it sent them
	Events  []*execution.Event   // with those of the service itself, in their order

	Definition *report.DefinitionSource
	Attempts   []*Run // earlier ones of the group, the first one first
	Previous   []*Run // of the scenario, the newest first
}

// Builder has taken all events and lines of the run.
func (r *Run) Builder() (*report.Builder, error) {
	b := report.NewBuilder(r.ExecutionID, r.Number, r.RunID)
	for _, e := range r.Events {
		if err := b.Add(e); err != nil {
			return nil, err
		}
		if logs, ok := e.Payload.(*execution.LogAppended); ok {
			for i := range logs.Lines {
				b.AddLine(e.Order(), i, &logs.Lines[i])
			}
		}
	}
	return b, nil
}

// Context is what the report says beside the events: of the earlier runs what their
// own reports say.
func (r *Run) Context() (report.Context, error) {
	c := report.Context{Definition: r.Definition}
	for _, list := range []struct {
		runs []*Run
		into *[]report.Brief
	}{{r.Attempts, &c.Attempts}, {r.Previous, &c.Previous}} {
		for _, earlier := range list.runs {
			rep, _, err := earlier.Report()
			if err != nil {
				return report.Context{}, err
			}
			*list.into = append(*list.into, rep.Brief())
		}
	}
	return c, nil
}

// Report is the report of the run, and its frozen bytes.
func (r *Run) Report() (*report.Report, []byte, error) {
	b, err := r.Builder()
	if err != nil {
		return nil, nil, err
	}
	c, err := r.Context()
	if err != nil {
		return nil, nil, err
	}
	rep := b.Report(c)
	frozen, err := rep.Encode()
	return rep, frozen, err
}

// Runs are all fixtures. They are made once; nobody may change them.
var Runs = sync.OnceValue(func() []*Run {
	crash, unsteady := marketCrash(), unsteadyAfter()
	return []*Run{
		crash, unsteady, overruled(), stablecoinTimeout(), cancelledWithFault(), interrupted(),
		errorWithRollback(), thirdAttempt([]*Run{unsteady, crash}), hostile(), stillRunning(), opaque(),
	}
})

// Get is the fixture of a name.
func Get(tb testing.TB, name string) *Run {
	tb.Helper()
	i := slices.IndexFunc(Runs(), func(r *Run) bool { return r.Name == name })
	if i < 0 {
		tb.Fatalf("no fixture is called %q", name)
	}
	return Runs()[i]
}

// Report is the encoded report of the fixture of a name; a new one with each call.
func Report(tb testing.TB, name string) *report.Report {
	tb.Helper()
	rep, _, err := Get(tb, name).Report()
	if err != nil {
		tb.Fatalf("report of %s: %v", name, err)
	}
	return rep
}
