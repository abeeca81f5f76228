package execution_test

import (
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// memory keeps of a run what its rows can keep, and no more: times to the
// microsecond, marks and orders as bytes, big values only as they were set,
// and of the parts those that a fold has touched.
type memory struct {
	run         execution.Run
	details     execution.Details
	phases      map[string]execution.Phase
	steps       map[execution.StepKey]execution.StepResult
	faults      map[string]execution.Fault
	validations map[string]execution.Validation
}

func newMemory(id execution.ID, number execution.RunNumber) *memory {
	return &memory{
		run:         execution.NewState(id, number, "").Run,
		phases:      map[string]execution.Phase{},
		steps:       map[execution.StepKey]execution.StepResult{},
		faults:      map[string]execution.Fault{},
		validations: map[string]execution.Validation{},
	}
}

// load gives the run with the parts that the events touch, and no others.
func (m *memory) load(events []*execution.Event) *execution.State {
	s := &execution.State{
		Run:         m.run,
		Phases:      map[string]*execution.Phase{},
		Steps:       map[execution.StepKey]*execution.StepResult{},
		Faults:      map[string]*execution.Fault{},
		Validations: map[string]*execution.Validation{},
	}
	for _, e := range events {
		part, id, attempt := execution.Touches(e.Payload)
		switch part {
		case execution.PartPhase:
			reload(s.Phases, m.phases, id)
		case execution.PartStep:
			reload(s.Steps, m.steps, execution.StepKey{StepID: id, Attempt: attempt})
		case execution.PartFault:
			reload(s.Faults, m.faults, id)
		case execution.PartValidation:
			if row, ok := m.validations[id]; ok {
				s.Validations[id] = &execution.Validation{
					ValidationRecorded: execution.ValidationRecorded{ValidationID: id, Status: row.Status},
					Order:              row.Order, Stored: true,
				}
			}
		case execution.PartNone:
		}
	}
	return s
}

func reload[K comparable, V any](into map[K]*V, from map[K]V, key K) {
	if row, ok := from[key]; ok {
		into[key] = &row
	}
}

func (m *memory) save(t testing.TB, s *execution.State) {
	t.Helper()
	m.run = storedRun(t, s.Run)
	for _, d := range []struct{ from, into *execution.Detail }{
		{&s.Details.Labels, &m.details.Labels},
		{&s.Details.Parameters, &m.details.Parameters},
		{&s.Details.ConfigurationSnapshot, &m.details.ConfigurationSnapshot},
		{&s.Details.SystemState, &m.details.SystemState},
		{&s.Details.Summary, &m.details.Summary},
	} {
		if d.from.Set {
			*d.into = *d.from
		}
	}
	for k, p := range s.Phases {
		row := *p
		row.StartedAt, row.FinishedAt, row.Marks = micros(p.StartedAt), micros(p.FinishedAt), storedMarks(t, &p.Marks)
		m.phases[k] = row
	}
	for k, p := range s.Steps {
		row := *p
		row.StartedAt, row.FinishedAt, row.Marks = micros(p.StartedAt), micros(p.FinishedAt), storedMarks(t, &p.Marks)
		m.steps[k] = row
	}
	for k, f := range s.Faults {
		row := *f
		row.RequestedAt, row.InjectedAt = micros(f.RequestedAt), micros(f.InjectedAt)
		row.ClearedAt, row.RecoveredAt = micros(f.ClearedAt), micros(f.RecoveredAt)
		row.Marks = storedMarks(t, &f.Marks)
		m.faults[k] = row
	}
	for k, v := range s.Validations {
		if v.Stored {
			continue
		}
		row := *v
		row.RecordedAt, row.Order = micros(v.RecordedAt), storedOrder(t, v.Order)
		m.validations[k] = row
	}
}

func storedRun(t testing.TB, r execution.Run) execution.Run {
	t.Helper()
	for _, at := range []*time.Time{
		&r.RequestedAt, &r.StartedAt, &r.EndedAt, &r.Deadline, &r.LastEventAt, &r.LastHeartbeatAt,
	} {
		*at = micros(*at)
	}
	r.EndOrder = storedOrder(t, r.EndOrder)
	if r.Interruption != nil {
		i := *r.Interruption
		i.At = micros(i.At)
		r.Interruption = &i
	}
	r.Marks = storedMarks(t, &r.Marks)
	return r
}

func micros(at time.Time) time.Time { return at.Truncate(time.Microsecond) }

func storedMarks(t testing.TB, m *fact.Marks) fact.Marks {
	t.Helper()
	stored, err := fact.ParseMarks(m.Bytes())
	if err != nil {
		t.Fatalf("read marks back: %v", err)
	}
	return stored
}

func storedOrder(t testing.TB, o fact.Order) fact.Order {
	t.Helper()
	if o.IsZero() {
		return o
	}
	var stored fact.Order
	if err := stored.UnmarshalBinary(o.Bytes()); err != nil {
		t.Fatalf("read an order back: %v", err)
	}
	return stored
}
