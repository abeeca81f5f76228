package pgstore

import (
	"context"
	"fmt"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// PartKey names one part of a run.
type PartKey struct {
	Run     RunKey
	Part    execution.Part
	ID      string
	Attempt int32 // of a step
}

// Touch is a part that a fold will merge into, see execution.Touches, and the
// bucket of its run.
type Touch struct {
	PartKey
	Bucket time.Time
}

// soughtPart is a part that was asked for, in one bucket.
type soughtPart struct {
	bucket time.Time
	stored storedPart // nil: there is none
	loaded bool       // into the state of its run
}

// storedPart is the row of a part.
type storedPart interface {
	key() PartKey
	// addTo adds the part to the state of its run.
	addTo(s *execution.State) error
}

// touched is the columns of the queries that look for parts.
type touched struct {
	ids      []string
	runs     []int32
	parts    []string
	attempts []int32
	buckets  []time.Time
}

func (t *touched) add(c Touch) {
	t.buckets = append(t.buckets, c.Bucket)
	t.ids, t.runs = append(t.ids, string(c.Run.ID)), append(t.runs, int32(c.Run.Number))
	t.parts, t.attempts = append(t.parts, c.ID), append(t.attempts, c.Attempt)
}

// LoadParts loads the stored parts that a fold will merge into, each into the
// state of its run. Those that LockExecutions has brought are at hand. A part that
// is not stored is left out, and SaveExecutions inserts it.
func (tx *Tx) LoadParts(ctx context.Context, touches []Touch, states map[RunKey]*execution.State) error {
	if err := tx.seekParts(ctx, touches)(); err != nil {
		return err
	}
	for _, t := range touches {
		part := tx.parts[t.PartKey]
		if part.stored == nil {
			continue
		}
		if err := part.stored.addTo(states[t.Run]); err != nil {
			return err
		}
		part.loaded = true
		tx.parts[t.PartKey] = part
	}
	return nil
}

// wasLoaded tells of a part whether LoadParts has found it. What a state has
// without that is new, or else the primary key refuses it.
func (tx *Tx) wasLoaded(r *execution.Run, part execution.Part, id string, attempt int32) bool {
	return tx.parts[PartKey{RunKey{r.ID, r.Number}, part, id, attempt}].loaded
}

// seekParts puts the queries for parts in line that were not asked for before, all
// together, and read reads what they find.
func (tx *Tx) seekParts(ctx context.Context, touches []Touch) (read func() error) {
	var byPart [execution.PartValidation + 1]touched
	for _, c := range touches {
		if before, ok := tx.parts[c.PartKey]; !ok || !before.bucket.Equal(c.Bucket) {
			tx.parts[c.PartKey] = soughtPart{bucket: c.Bucket}
			byPart[c.Part].add(c)
		}
	}
	p, t, f, v := &byPart[execution.PartPhase], &byPart[execution.PartStep], &byPart[execution.PartFault], &byPart[execution.PartValidation]
	tx.pipe.doing("load parts of runs")
	phases := tx.queued.PhasesTouched(ctx, unlessEmpty(p, dbsqlc.PhasesTouchedParams{Ids: p.ids, Runs: p.runs, Phases: p.parts, Buckets: p.buckets}))
	steps := tx.queued.StepsTouched(ctx, unlessEmpty(t, dbsqlc.StepsTouchedParams{Ids: t.ids, Runs: t.runs, StepIds: t.parts, Attempts: t.attempts, Buckets: t.buckets}))
	faults := tx.queued.FaultsTouched(ctx, unlessEmpty(f, dbsqlc.FaultsTouchedParams{Ids: f.ids, Runs: f.runs, FaultIds: f.parts, Buckets: f.buckets}))
	validations := tx.queued.ValidationsTouched(ctx, unlessEmpty(v, dbsqlc.ValidationsTouchedParams{Ids: v.ids, Runs: v.runs, ValidationIds: v.parts, Buckets: v.buckets}))
	return func() error {
		var failed error
		phases.Query(noteParts(tx, &failed, "load phases", func(r *dbsqlc.ExecutionPhase) storedPart { return (*storedPhase)(r) }))
		steps.Query(noteParts(tx, &failed, "load steps", func(r *dbsqlc.ExecutionStep) storedPart { return (*storedStep)(r) }))
		faults.Query(noteParts(tx, &failed, "load faults", func(r *dbsqlc.FaultInjection) storedPart { return (*storedFault)(r) }))
		validations.Query(noteParts(tx, &failed, "load validations", func(r *dbsqlc.ValidationsTouchedRow) storedPart { return (*storedValidation)(r) }))
		return failed
	}
}

// noteParts takes the rows of one query for parts, and notes the first failure of
// them all.
func noteParts[R any](tx *Tx, failed *error, op string, stored func(*R) storedPart) func(int, []R, error) {
	return func(_ int, rows []R, err error) {
		err = each(op, rows, err, func(r *R) error {
			part := stored(r)
			k := part.key()
			tx.parts[k] = soughtPart{bucket: tx.parts[k].bucket, stored: part}
			return nil
		})
		if *failed == nil {
			*failed = err
		}
	}
}

// unlessEmpty are the parameters of a query that is made only when something is
// touched.
func unlessEmpty[P any](t *touched, params P) []P {
	if len(t.ids) == 0 {
		return nil
	}
	return []P{params}
}

// each adds the rows of a query, if it did not fail.
func each[R any](op string, rows []R, err error, add func(*R) error) error {
	if err != nil {
		return interpret(op, err)
	}
	for i := range rows {
		if err := add(&rows[i]); err != nil {
			return err
		}
	}
	return nil
}

// The rows of parts.
type (
	storedPhase      dbsqlc.ExecutionPhase
	storedStep       dbsqlc.ExecutionStep
	storedFault      dbsqlc.FaultInjection
	storedValidation dbsqlc.ValidationsTouchedRow
)

func partKey(id string, run int32, part execution.Part, name string, attempt int32) PartKey {
	return PartKey{RunKey{execution.ID(id), execution.RunNumber(run)}, part, name, attempt}
}

func (r *storedPhase) key() PartKey {
	return partKey(r.ExecutionID, r.Run, execution.PartPhase, r.Phase, 0)
}

func (r *storedStep) key() PartKey {
	return partKey(r.ExecutionID, r.Run, execution.PartStep, r.StepID, r.Attempt)
}

func (r *storedFault) key() PartKey {
	return partKey(r.ExecutionID, r.Run, execution.PartFault, r.FaultID, 0)
}

func (r *storedValidation) key() PartKey {
	return partKey(r.ExecutionID, r.Run, execution.PartValidation, r.ValidationID, 0)
}

func put[K comparable, V any](m *map[K]V, k K, v V) {
	if *m == nil {
		*m = map[K]V{}
	}
	(*m)[k] = v
}

func (r *storedPhase) addTo(s *execution.State) error {
	p, err := phaseFromRow((*dbsqlc.ExecutionPhase)(r))
	if err != nil {
		return err
	}
	put(&s.Phases, r.Phase, p)
	return nil
}

func (r *storedStep) addTo(s *execution.State) error {
	t, err := stepFromRow((*dbsqlc.ExecutionStep)(r))
	if err != nil {
		return err
	}
	put(&s.Steps, execution.StepKey{StepID: r.StepID, Attempt: r.Attempt}, t)
	return nil
}

func (r *storedFault) addTo(s *execution.State) error {
	f, err := faultFromRow((*dbsqlc.FaultInjection)(r))
	if err != nil {
		return err
	}
	put(&s.Faults, r.FaultID, f)
	return nil
}

func addValidation(s *execution.State, r *dbsqlc.ValidationResult) error {
	v, err := validationFromRow(r)
	if err != nil {
		return err
	}
	put(&s.Validations, r.ValidationID, v)
	return nil
}

// PartsOfRun loads all parts of a run, with what the fold of all its events
// would hold. The run's bucket must be set.
func (s *Store) PartsOfRun(ctx context.Context, run execution.Run) (*execution.State, error) {
	st := &execution.State{Run: run}
	id, number := string(run.ID), int32(run.Number)
	phases, err := s.q.PhasesOfRun(ctx, id, number, run.Bucket)
	if err := each("load phases", phases, err, func(r *dbsqlc.ExecutionPhase) error { return (*storedPhase)(r).addTo(st) }); err != nil {
		return nil, err
	}
	steps, err := s.q.StepsOfRun(ctx, id, number, run.Bucket)
	if err := each("load steps", steps, err, func(r *dbsqlc.ExecutionStep) error { return (*storedStep)(r).addTo(st) }); err != nil {
		return nil, err
	}
	faults, err := s.q.FaultsOfRun(ctx, id, number, run.Bucket)
	if err := each("load faults", faults, err, func(r *dbsqlc.FaultInjection) error { return (*storedFault)(r).addTo(st) }); err != nil {
		return nil, err
	}
	validations, err := s.q.ValidationsOfRun(ctx, id, number, run.Bucket)
	if err := each("load validations", validations, err, func(r *dbsqlc.ValidationResult) error { return addValidation(st, r) }); err != nil {
		return nil, err
	}
	return st, s.loadDetails(ctx, st)
}

// addTo adds what a fold asks of a stored validation.
func (r *storedValidation) addTo(s *execution.State) error {
	order, err := orderOf(r.OrderKey)
	if err != nil {
		return fmt.Errorf("read validation %s of %s/%d: %w", r.ValidationID, r.ExecutionID, r.Run, err)
	}
	v := &execution.Validation{Order: order, Stored: true}
	v.ValidationID, v.Status = r.ValidationID, execution.ValidationStatus(r.Status)
	put(&s.Validations, r.ValidationID, v)
	return nil
}

func (s *Store) loadDetails(ctx context.Context, st *execution.State) error {
	d, err := s.q.Details(ctx, string(st.Run.ID), int32(st.Run.Number))
	if err != nil {
		if err = interpret("load details", err); isNotFound(err) {
			return nil
		}
		return err
	}
	st.Details = detailsFromRow(&d)
	return nil
}
