package ingest

import (
	"context"
	"slices"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// fold is S4d: it places the events of a batch in their runs, and folds them,
// one after the other.
type fold struct {
	*worker
	now time.Time

	known   map[execution.ID]pgstore.KnownID
	states  map[pgstore.RunKey]*execution.State
	latest  map[execution.ID]*execution.State // with the highest run number of each id
	byRunID map[runID]*execution.State

	order      []*execution.State       // changed, each once, as they came; see the method changed
	seen       map[*execution.State]int // place in order
	rows       []pgstore.PlacedEvent
	runs       []int // of rows: place in order
	superseded []pgstore.RunKey
}

// runID names a run as producers do.
type runID struct {
	id    execution.ID
	runID string
}

// load brings the runs that the events may belong to, and the parts of those
// runs that the events would be merged into.
func (f *fold) load(ctx context.Context, tx *pgstore.Tx, events []incoming[*execution.Event]) error {
	var namedIDs, runIDs []string
	for id, k := range f.known {
		if k.Latest != nil {
			f.latest[id] = f.add(*k.Latest)
		}
	}
	asked := map[runID]bool{}
	for _, p := range events {
		n := runID{p.event.ExecutionID(), p.event.RunID}
		if n.runID != "" && f.known[n.id].LatestRun > 0 && f.byRunID[n] == nil && !asked[n] { // mostly it is the latest
			asked[n] = true
			namedIDs, runIDs = append(namedIDs, p.event.Subject), append(runIDs, p.event.RunID)
		}
	}
	if len(namedIDs) > 0 {
		runs, err := tx.RunsByRunID(ctx, namedIDs, runIDs)
		if err != nil {
			return err
		}
		for _, r := range runs {
			f.add(r)
		}
	}
	return f.loadParts(ctx, tx, events)
}

// add keeps a loaded run, once.
func (f *fold) add(r execution.Run) *execution.State {
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
func (f *fold) loadParts(ctx context.Context, tx *pgstore.Tx, events []incoming[*execution.Event]) error {
	touches := touchesOf(events, func(e *execution.Event) (recentRun, bool) {
		state := f.byRunID[runID{e.ExecutionID(), e.RunID}]
		if e.RunID == "" || state == nil {
			state = f.latest[e.ExecutionID()]
		}
		if state == nil {
			return recentRun{}, false
		}
		return recentRun{state.Run.Number, state.Run.RunID, state.Run.Bucket}, true
	})
	return tx.LoadParts(ctx, touches, f.states)
}

// apply places one event and folds it. A panic is the record's: the error then
// says which one, and the batch is tried again without it.
func (f *fold) apply(p incoming[*execution.Event]) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &recordError{p.index, panicked(r)}
		}
	}()
	id := p.event.ExecutionID()
	var latest *execution.Run
	if s := f.latest[id]; s != nil {
		latest = &s.Run
	}
	var named execution.RunNumber
	if s := f.byRunID[runID{id, p.event.RunID}]; s != nil && p.event.RunID != "" {
		named = s.Run.Number
	}
	at := execution.Place(latest, named, p.event)
	if latest == nil {
		// Retention may have removed the runs of the id. Their numbers do not come
		// again: readers and Redis hold the higher one for the newer.
		at.Run = f.known[id].LatestRun + 1
	}
	if at.Supersedes != 0 {
		f.supersede(at, p.event)
	}
	s := f.states[pgstore.RunKey{ID: id, Number: at.Run}]
	if at.Opens {
		s = execution.NewState(id, at.Run, p.event.RunID)
		s.Run.Bucket, s.Run.CreatedAt = birthday(f.now), f.now
		f.states[pgstore.RunKey{ID: id, Number: at.Run}] = s
		f.latest[id] = s
		if p.event.RunID != "" {
			f.byRunID[runID{id, p.event.RunID}] = s
		}
	}
	f.take(s, p.event, at.Guessed, p.offset)
	return nil
}

// supersede ends the run that a new start takes the place of, by an event of
// our own.
func (f *fold) supersede(at execution.Placement, by *execution.Event) {
	s := f.states[pgstore.RunKey{ID: by.ExecutionID(), Number: at.Supersedes}]
	own := event.NewInterrupted(event.Interruption{
		Source: f.Source(), ExecutionID: s.Run.ID, Run: s.Run.Number, RunID: s.Run.RunID, Time: by.Time,
		Statement: execution.Interrupted{Cause: execution.CauseSuperseded, RealEvents: s.Run.Counts.Events, SupersededBy: at.Run},
	})
	f.take(s, own, false, pgstore.OwnEvent)
	f.superseded = append(f.superseded, pgstore.RunKey{ID: s.Run.ID, Number: s.Run.Number})
}

// take folds an event into its run's state and makes its row.
func (f *fold) take(s *execution.State, e *execution.Event, guessed bool, offset int64) {
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

// byRun are the rows with those of a run together, as they came: so they lie
// together in the table, and go to the same pages of its indexes.
func (f *fold) byRun() []pgstore.PlacedEvent {
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

// changed are the states to save, in the order of their keys, as they are
// locked.
func (f *fold) changed() []*execution.State {
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
