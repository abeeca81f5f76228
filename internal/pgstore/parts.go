package pgstore

import (
	"context"
	"fmt"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// Touch names one part of a run that a fold will merge into; see
// execution.Touches.
type Touch struct {
	State   *execution.State // its run must have a bucket
	Part    execution.Part
	ID      string
	Attempt int32 // of a step
}

// touched is the columns of the queries that load parts.
type touched struct {
	states   map[RunKey]*execution.State
	ids      []string
	runs     []int32
	parts    []string
	attempts []int32
	buckets  []time.Time
}

func (t *touched) add(c Touch) {
	r := &c.State.Run
	k := RunKey{r.ID, r.Number}
	if t.states == nil {
		t.states = map[RunKey]*execution.State{}
	}
	if t.states[k] == nil {
		t.states[k] = c.State
	}
	t.buckets = append(t.buckets, r.Bucket)
	t.ids, t.runs = append(t.ids, string(r.ID)), append(t.runs, int32(r.Number))
	t.parts, t.attempts = append(t.parts, c.ID), append(t.attempts, c.Attempt)
}

func (t *touched) state(id string, run int32) *execution.State {
	return t.states[RunKey{execution.ID(id), execution.RunNumber(run)}]
}

// LoadParts loads the stored parts that a fold will merge into, each into its
// state. A part that is not stored is left out.
func (tx *Tx) LoadParts(ctx context.Context, touches []Touch) error {
	var byPart [execution.PartValidation + 1]touched
	for _, c := range touches {
		byPart[c.Part].add(c)
	}
	if t := &byPart[execution.PartPhase]; len(t.ids) > 0 {
		rows, err := tx.q.PhasesTouched(ctx, dbsqlc.PhasesTouchedParams{Ids: t.ids, Runs: t.runs, Phases: t.parts, Buckets: t.buckets})
		if err != nil {
			return interpret("load phases", err)
		}
		for i := range rows {
			if err := addPhase(t.state(rows[i].ExecutionID, rows[i].Run), &rows[i]); err != nil {
				return err
			}
		}
	}
	if t := &byPart[execution.PartStep]; len(t.ids) > 0 {
		rows, err := tx.q.StepsTouched(ctx, dbsqlc.StepsTouchedParams{Ids: t.ids, Runs: t.runs, StepIds: t.parts, Attempts: t.attempts, Buckets: t.buckets})
		if err != nil {
			return interpret("load steps", err)
		}
		for i := range rows {
			if err := addStep(t.state(rows[i].ExecutionID, rows[i].Run), &rows[i]); err != nil {
				return err
			}
		}
	}
	if t := &byPart[execution.PartFault]; len(t.ids) > 0 {
		rows, err := tx.q.FaultsTouched(ctx, dbsqlc.FaultsTouchedParams{Ids: t.ids, Runs: t.runs, FaultIds: t.parts, Buckets: t.buckets})
		if err != nil {
			return interpret("load faults", err)
		}
		for i := range rows {
			if err := addFault(t.state(rows[i].ExecutionID, rows[i].Run), &rows[i]); err != nil {
				return err
			}
		}
	}
	if t := &byPart[execution.PartValidation]; len(t.ids) > 0 {
		rows, err := tx.q.ValidationsTouched(ctx, dbsqlc.ValidationsTouchedParams{Ids: t.ids, Runs: t.runs, ValidationIds: t.parts, Buckets: t.buckets})
		if err != nil {
			return interpret("load validations", err)
		}
		for _, r := range rows {
			order, err := orderOf(r.OrderKey)
			if err != nil {
				return fmt.Errorf("read validation %s of %s/%d: %w", r.ValidationID, r.ExecutionID, r.Run, err)
			}
			v := &execution.Validation{Order: order, Stored: true}
			v.ValidationID, v.Status = r.ValidationID, execution.ValidationStatus(r.Status)
			put(&t.state(r.ExecutionID, r.Run).Validations, r.ValidationID, v)
		}
	}
	return nil
}

func put[K comparable, V any](m *map[K]V, k K, v V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[k] = v
}

func addPhase(s *execution.State, r *dbsqlc.ExecutionPhase) error {
	marks, err := fact.ParseMarks(r.Marks)
	if err != nil {
		return fmt.Errorf("read phase %s of %s/%d: %w", r.Phase, r.ExecutionID, r.Run, err)
	}
	put(&s.Phases, r.Phase, &execution.Phase{
		Name: r.Phase, Ordinal: r.Ordinal, Description: r.Description, Status: execution.PartStatus(r.Status),
		StartedAt: timeOf(r.StartedAt), FinishedAt: timeOf(r.FinishedAt), Error: r.Error, Marks: marks,
	})
	return nil
}

func addStep(s *execution.State, r *dbsqlc.ExecutionStep) error {
	marks, err := fact.ParseMarks(r.Marks)
	if err != nil {
		return fmt.Errorf("read step %s of %s/%d: %w", r.StepID, r.ExecutionID, r.Run, err)
	}
	k := execution.StepKey{StepID: r.StepID, Attempt: r.Attempt}
	put(&s.Steps, k, &execution.StepResult{
		StepKey: k, Kind: execution.StepKind(r.Kind), Phase: r.Phase, Service: r.Service, Action: r.Action, Parameters: r.Parameters,
		Status: execution.PartStatus(r.Status), StartedAt: timeOf(r.StartedAt), FinishedAt: timeOf(r.FinishedAt),
		Duration: durationOf(r.DurationSeconds), Error: r.Error, Marks: marks,
	})
	return nil
}

func addFault(s *execution.State, r *dbsqlc.FaultInjection) error {
	marks, err := fact.ParseMarks(r.Marks)
	if err != nil {
		return fmt.Errorf("read fault %s of %s/%d: %w", r.FaultID, r.ExecutionID, r.Run, err)
	}
	put(&s.Faults, r.FaultID, &execution.Fault{
		FaultID: r.FaultID, FaultType: r.FaultType, TargetService: r.TargetService, Parameters: r.Parameters,
		Phase: r.Phase, StepID: r.StepID, BlastRadius: r.BlastRadius,
		Injection: execution.FaultStatus(valueOf(r.Injection)), Status: execution.FaultStatus(r.Status),
		RequestedAt: timeOf(r.RequestedAt), InjectedAt: timeOf(r.InjectedAt), ClearedAt: timeOf(r.ClearedAt), RecoveredAt: timeOf(r.RecoveredAt),
		RecoveryTime: durationOf(r.RecoverySeconds), Error: r.Error, ClearError: r.ClearError, Marks: marks,
	})
	return nil
}

// PartsOfRun loads all parts of a run, with what the fold of all its events
// would hold. The run's bucket must be set.
func (s *Store) PartsOfRun(ctx context.Context, run execution.Run) (*execution.State, error) {
	st := &execution.State{Run: run}
	id, number := string(run.ID), int32(run.Number)
	phases, err := s.q.PhasesOfRun(ctx, id, number, run.Bucket)
	if err != nil {
		return nil, interpret("load phases", err)
	}
	for i := range phases {
		if err := addPhase(st, &phases[i]); err != nil {
			return nil, err
		}
	}
	steps, err := s.q.StepsOfRun(ctx, id, number, run.Bucket)
	if err != nil {
		return nil, interpret("load steps", err)
	}
	for i := range steps {
		if err := addStep(st, &steps[i]); err != nil {
			return nil, err
		}
	}
	faults, err := s.q.FaultsOfRun(ctx, id, number, run.Bucket)
	if err != nil {
		return nil, interpret("load faults", err)
	}
	for i := range faults {
		if err := addFault(st, &faults[i]); err != nil {
			return nil, err
		}
	}
	validations, err := s.q.ValidationsOfRun(ctx, id, number, run.Bucket)
	if err != nil {
		return nil, interpret("load validations", err)
	}
	for i := range validations {
		v, err := validationFromRow(&validations[i])
		if err != nil {
			return nil, err
		}
		put(&st.Validations, v.ValidationID, v)
	}
	return st, s.loadDetails(ctx, st)
}

func validationFromRow(r *dbsqlc.ValidationResult) (*execution.Validation, error) {
	order, err := orderOf(r.OrderKey)
	if err != nil {
		return nil, fmt.Errorf("read validation %s of %s/%d: %w", r.ValidationID, r.ExecutionID, r.Run, err)
	}
	return &execution.Validation{
		ValidationRecorded: execution.ValidationRecorded{
			ValidationID: r.ValidationID, AssertionType: r.AssertionType, Status: execution.ValidationStatus(r.Status),
			Phase: r.Phase, StepID: r.StepID, FaultID: r.FaultID, Service: r.Service, Expected: r.Expected, Actual: r.Actual,
			Operator: r.Operator, Threshold: r.Threshold, Unit: r.Unit, Within: durationOf(r.WithinSeconds),
			ObservedAfter: durationOf(r.ObservedAfterSeconds), Message: r.Message, Evidence: r.Evidence,
			SteadyState: r.SteadyState, CorrelationID: r.CorrelationID,
		},
		RecordedAt: r.RecordedAt.UTC(), Order: order, Stored: true,
	}, nil
}

func (s *Store) loadDetails(ctx context.Context, st *execution.State) error {
	d, err := s.q.Details(ctx, string(st.Run.ID), int32(st.Run.Number))
	if err != nil {
		if err = interpret("load details", err); isNotFound(err) {
			return nil
		}
		return err
	}
	for _, v := range []struct {
		to   *execution.Detail
		from []byte
	}{
		{&st.Details.Labels, d.Labels},
		{&st.Details.Parameters, d.Parameters},
		{&st.Details.ConfigurationSnapshot, d.ConfigurationSnapshot},
		{&st.Details.SystemState, d.SystemState},
		{&st.Details.Summary, d.Summary},
	} {
		*v.to = execution.Detail{Set: v.from != nil, Value: v.from}
	}
	return nil
}
