package accept

import (
	"context"
	"slices"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// Fold is S4d: it places events in their runs, and folds them, one after the
// other. It belongs to one transaction.
type Fold struct {
	Latest     map[execution.ID]*execution.State // with the highest run number of each id
	Superseded []pgstore.RunKey                  // runs that a new start took the place of

	source  string // of our own events
	now     time.Time
	known   map[execution.ID]pgstore.KnownID
	states  map[pgstore.RunKey]*execution.State
	byRunID map[runID]*execution.State
	remains pgstore.Remains // of pruned runs; empty: the ids have none

	order []*execution.State       // changed, each once, as they came; see Changed
	seen  map[*execution.State]int // place in order
	rows  []pgstore.PlacedEvent
	runs  []int // of rows: place in order
}

// runID names a run as producers do.
type runID struct {
	id    execution.ID
	runID string
}

// NewFold is a fold of about so many events into what LockExecutions has found;
// source is that of this instance's own events.
func NewFold(source string, now time.Time, known map[execution.ID]pgstore.KnownID, events int) *Fold {
	return &Fold{
		Latest: map[execution.ID]*execution.State{},
		source: source, now: now.UTC().Truncate(time.Microsecond), known: known, rows: make([]pgstore.PlacedEvent, 0, events),
		states: map[pgstore.RunKey]*execution.State{}, byRunID: map[runID]*execution.State{},
	}
}

// Load brings the runs that the events may belong to, and the parts of those
// runs that the events would be merged into.
func (f *Fold) Load(ctx context.Context, tx *pgstore.Tx, events []*execution.Event) error {
	var namedIDs, runIDs []string
	for id, k := range f.known {
		if k.Latest != nil {
			f.Latest[id] = f.Add(*k.Latest)
		}
	}
	asked := map[runID]bool{}
	for _, e := range events {
		n := runID{e.ExecutionID(), e.RunID}
		if n.runID != "" && f.known[n.id].LatestRun > 0 && f.byRunID[n] == nil && !asked[n] { // mostly it is the latest
			asked[n] = true
			namedIDs, runIDs = append(namedIDs, e.Subject), append(runIDs, e.RunID)
		}
	}
	if len(namedIDs) > 0 {
		runs, err := tx.RunsByRunID(ctx, namedIDs, runIDs)
		if err != nil {
			return err
		}
		for _, r := range runs {
			f.Add(r)
		}
	}
	var err error
	if f.remains, err = tx.Remains(ctx, events, f.known); err != nil {
		return err
	}
	return f.loadParts(ctx, tx, events)
}

// Pruned tells whether an event that is not stored belongs to a run whose events
// retention has removed: it counts as a duplicate, and must not be applied. Asked
// of each event right before Apply, for those before it may have opened runs.
func (f *Fold) Pruned(e *execution.Event) bool {
	id := e.ExecutionID()
	if !f.known[id].Pruned {
		return false
	}
	var named execution.RunNumber
	if s := f.byRunID[runID{id, e.RunID}]; s != nil && e.RunID != "" {
		named = s.Run.Number
	}
	return f.remains.Of(e).Covers(f.tombstone(id), named, e)
}

// tombstone is that of the latest run of an id; nil when the events of that are
// there.
func (f *Fold) tombstone(id execution.ID) *execution.Tombstone {
	t := f.remains.Latest[id]
	if s := f.Latest[id]; t != nil && s != nil && s.Run.Number > t.Number {
		return nil // opened since
	}
	return t
}

// Add keeps a loaded run, once, and gives its state.
func (f *Fold) Add(r execution.Run) *execution.State {
	k := pgstore.RunKey{ID: r.ID, Number: r.Number}
	s := f.states[k]
	if s == nil {
		s = execution.LoadedState(r)
		f.states[k] = s
		if r.RunID != "" {
			f.byRunID[runID{r.ID, r.RunID}] = s
		}
	}
	return s
}

// loadParts loads what the events would be merged into, in the run that they
// name or else in the latest. An event that turns out to open a new run finds
// nothing of that run in the store, and needs nothing.
func (f *Fold) loadParts(ctx context.Context, tx *pgstore.Tx, events []*execution.Event) error {
	touches := Touches(events, func(e *execution.Event) (RunPlace, bool) {
		state := f.byRunID[runID{e.ExecutionID(), e.RunID}]
		if e.RunID == "" || state == nil {
			state = f.Latest[e.ExecutionID()]
		}
		if state == nil {
			return RunPlace{}, false
		}
		return PlaceOf(&state.Run), true
	})
	return tx.LoadParts(ctx, touches, f.states)
}

// LoadFor brings the parts of a run that events of ours, which name it, would be
// merged into.
func (f *Fold) LoadFor(ctx context.Context, tx *pgstore.Tx, s *execution.State, events ...*execution.Event) error {
	touches := Touches(events, func(*execution.Event) (RunPlace, bool) { return PlaceOf(&s.Run), true })
	return tx.LoadParts(ctx, touches, f.states)
}

// Apply places one event and folds it. offset is that in the batch's partition,
// or pgstore.OwnEvent.
func (f *Fold) Apply(e *execution.Event, offset int64) {
	id := e.ExecutionID()
	var latest *execution.Run
	if s := f.Latest[id]; s != nil {
		latest = &s.Run
	} else if t := f.tombstone(id); t != nil {
		latest = t.Run(id)
	}
	var named execution.RunNumber
	if s := f.byRunID[runID{id, e.RunID}]; s != nil && e.RunID != "" {
		named = s.Run.Number
	}
	at := execution.Place(latest, named, e)
	if latest == nil {
		// Retention may have removed the runs of the id. Their numbers do not come
		// again: readers and Redis hold the higher one for the newer.
		at.Run = f.known[id].LatestRun + 1
	}
	if at.Supersedes != 0 {
		f.supersede(at, e)
	}
	s := f.states[pgstore.RunKey{ID: id, Number: at.Run}]
	if at.Opens {
		s = execution.NewState(id, at.Run, e.RunID)
		s.Run.Bucket, s.Run.CreatedAt = Birthday(f.now), f.now
		f.states[pgstore.RunKey{ID: id, Number: at.Run}] = s
		f.Latest[id] = s
		if e.RunID != "" {
			f.byRunID[runID{id, e.RunID}] = s
		}
	}
	f.take(s, e, at.Guessed, offset)
}

// Say folds a word of our own into a run that it names: nothing has to be
// placed.
func (f *Fold) Say(s *execution.State, e *execution.Event) { f.take(s, e, false, pgstore.OwnEvent) }

// supersede ends the run that a new start takes the place of, by an event of
// our own.
func (f *Fold) supersede(at execution.Placement, by *execution.Event) {
	s := f.states[pgstore.RunKey{ID: by.ExecutionID(), Number: at.Supersedes}]
	f.Say(s, event.NewInterrupted(event.Interruption{
		Source: f.source, ExecutionID: s.Run.ID, Run: s.Run.Number, RunID: s.Run.RunID, Time: by.Time,
		Statement: execution.Interrupted{Cause: execution.CauseSuperseded, RealEvents: s.Run.Counts.Events, SupersededBy: at.Run},
	}))
	f.Superseded = append(f.Superseded, pgstore.RunKey{ID: s.Run.ID, Number: s.Run.Number})
}

// take folds an event into its run's state and makes its row.
func (f *Fold) take(s *execution.State, e *execution.Event, guessed bool, offset int64) {
	if f.seen == nil {
		f.seen = map[*execution.State]int{}
	}
	run, ok := f.seen[s]
	if !ok {
		run = len(f.order)
		f.seen[s] = run
		f.order = append(f.order, s)
		s.Run.Version++
	}
	s.Apply(e)
	f.runs = append(f.runs, run)
	f.rows = append(f.rows, pgstore.PlacedEvent{
		Event: e, Run: s.Run.Number, Bucket: s.Run.Bucket, Arrival: s.Run.Arrival(), Guessed: guessed, Offset: offset,
	})
}

// Rows are the accepted events with those of a run together, as they came: so
// they lie together in the table, and go to the same pages of its indexes.
func (f *Fold) Rows() []pgstore.PlacedEvent {
	next := make([]int, len(f.order)+1) // where the next row of each run goes
	for _, run := range f.runs {
		next[run+1]++
	}
	for run := range f.order {
		next[run+1] += next[run]
	}
	rows := make([]pgstore.PlacedEvent, len(f.rows))
	for i, run := range f.runs {
		rows[next[run]] = f.rows[i]
		next[run]++
	}
	return rows
}

// Changed are the states to save, in the order of their keys, as they are
// locked.
func (f *Fold) Changed() []*execution.State {
	changed := slices.Clone(f.order)
	slices.SortFunc(changed, func(a, b *execution.State) int {
		switch {
		case a.Run.ID < b.Run.ID:
			return -1
		case a.Run.ID > b.Run.ID:
			return 1
		}
		return int(a.Run.Number - b.Run.Number)
	})
	return changed
}

// Live is the newest picture of each execution that the fold has changed. A word
// to a run that is not the latest of its id changes no picture: the state of the
// latest may have expired, and would not keep the older one away.
func (f *Fold) Live() []execution.Live {
	var live []execution.Live
	for _, s := range f.Changed() {
		if f.Latest[s.Run.ID] == s {
			live = append(live, s.Run.Live())
		}
	}
	return live
}

// Birthday is the bucket of a run that is first heard of now.
func Birthday(now time.Time) time.Time { return now.Truncate(24 * time.Hour) }
