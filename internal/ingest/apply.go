package ingest

import (
	"context"
	"slices"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// outcome is what a batch comes to.
type outcome struct {
	applied       int
	inBatch       int // duplicates of events earlier in the batch
	stored        int // duplicates of stored events
	hinted        int // duplicates of stored events that a hint had found
	keyMismatches int
	poison        []pgstore.Poison
	states        []*execution.State // folded, newest of each run
	superseded    []pgstore.RunKey
	timeline      uint32 // of PostgreSQL, that the batch was committed on
}

func (o *outcome) duplicates() int { return o.inBatch + o.stored + o.hinted }

// refused is how many records the database would not take.
func (o *outcome) refused() int {
	n := 0
	for i := range o.poison {
		if o.poison[i].Rejection.Reason == fact.ReasonDatabase {
			n++
		}
	}
	return n
}

// live is the newest picture of each execution that the batch changed.
func (o *outcome) live() []execution.Live {
	newest := map[execution.ID]*execution.Run{}
	for _, s := range o.states {
		if n := newest[s.Run.ID]; n == nil || n.Number < s.Run.Number {
			newest[s.Run.ID] = &s.Run
		}
	}
	live := make([]execution.Live, 0, len(newest))
	for _, r := range newest {
		live = append(live, r.Live())
	}
	return live
}

// everything selects all records of a batch.
func everything(int) bool { return true }

// placed is an event of a run on its way through a batch, with its place in the
// batch and in the log. The place in a run is found by fold: pgstore.PlacedEvent.
type placed struct {
	index  int
	offset int64
	event  *execution.Event
}

// apply is the inside of S4: what the selected records of the batch do to the
// database, in the transaction tx. It changes nothing else and may be called
// again. A *recordError names a record that must be left out.
func (w *worker) apply(ctx context.Context, tx *pgstore.Tx, b *batch, selected func(int) bool) (*outcome, error) {
	out := &outcome{}
	// S4a: fence and offset.
	if err := tx.Advance(ctx, w.claim, b.position, b.next); err != nil {
		return nil, err
	}
	out.timeline = tx.Timeline()
	var runs []placed
	var definitions []placedDefinition
	for i := range b.items {
		it := &b.items[i]
		switch {
		case !selected(i):
		case it.rejection != nil:
			out.reject(it, it.rejection)
		case it.duplicate:
			out.inBatch++
		case it.event.Execution != nil:
			runs = append(runs, placed{i, it.record.Offset, it.event.Execution})
		default:
			definitions = append(definitions, placedDefinition{i, it.record.Offset, it.event.Scenario})
		}
	}
	if len(definitions) > 0 {
		if err := w.applyDefinitions(ctx, tx, b, definitions, out); err != nil {
			return nil, err
		}
	}
	if len(runs) > 0 {
		if err := w.applyRuns(ctx, tx, b, runs, out); err != nil {
			return nil, err
		}
	}
	// S4f: poison.
	if err := tx.Quarantine(ctx, w.claim, out.poison); err != nil {
		return nil, err
	}
	return out, tx.Count(ctx, w.claim, out.applied, out.duplicates(), len(out.poison))
}

func (o *outcome) reject(it *item, why *fact.Rejection) {
	o.poison = append(o.poison, pgstore.Poison{Record: it.record, Rejection: why, BytesUnknown: it.unread})
}

// known sorts an event out if it is stored already: as a duplicate, or as
// another one under its identity.
func (o *outcome) known(known map[fact.Key]pgstore.Known, it *item, hinted bool) bool {
	h := it.event.Header()
	stored, ok := known[h.Key]
	switch {
	case !ok:
		return false
	case stored.DigestVersion == fact.DigestVersion && stored.Digest != h.Digest:
		o.reject(it, idConflict(h))
	case hinted:
		o.hinted++
	default:
		o.stored++
	}
	return true
}

// accept counts an event that is new.
func (o *outcome) accept(it *item) {
	o.applied++
	if it.event.KeyMismatch {
		o.keyMismatches++
	}
}

// applyRuns is S4b to S4e for the events of runs.
func (w *worker) applyRuns(ctx context.Context, tx *pgstore.Tx, b *batch, events []placed, out *outcome) error {
	ids := make([]string, 0, len(events))
	for _, p := range events {
		ids = append(ids, p.event.Subject)
	}
	slices.Sort(ids) // byte order: all writers lock in it
	ids = slices.Compact(ids)

	if b.hinted {
		// Redis says that all are stored. If so, nothing will be written, and no
		// lock is needed to see it: what is stored stays.
		ids, err := tx.FindExecutions(ctx, ids)
		if err != nil {
			return err
		}
		known, err := tx.KnownExecutionEvents(ctx, eventsOf(events), bucketsOf(ids))
		if err != nil {
			return err
		}
		if len(known) == len(events) {
			for _, p := range events {
				out.known(known, &b.items[p.index], true)
			}
			return nil
		}
	}

	// S4b: ids.
	knownIDs, err := tx.LockExecutions(ctx, ids)
	if err != nil {
		return err
	}
	// S4c: identity.
	known, err := tx.KnownExecutionEvents(ctx, eventsOf(events), bucketsOf(knownIDs))
	if err != nil {
		return err
	}
	events = slices.DeleteFunc(events, func(p placed) bool { return out.known(known, &b.items[p.index], false) })
	if len(events) == 0 {
		return nil
	}
	// S4d: run and fold.
	f := fold{worker: w, now: tx.Now().UTC(), known: knownIDs, states: map[pgstore.RunKey]*execution.State{}, latest: map[execution.ID]*execution.State{}, byRunID: map[runID]*execution.State{}}
	if err := f.load(ctx, tx, events); err != nil {
		return err
	}
	for _, p := range events {
		if err := f.apply(p); err != nil {
			return err
		}
		out.accept(&b.items[p.index])
	}
	// S4e: write.
	out.states = f.changed()
	out.superseded = f.superseded
	return tx.SaveExecutions(ctx, w.claim, f.rows, out.states)
}

func eventsOf(events []placed) []*execution.Event {
	out := make([]*execution.Event, len(events))
	for i, p := range events {
		out[i] = p.event
	}
	return out
}

func bucketsOf(ids map[execution.ID]pgstore.KnownID) []time.Time {
	distinct := map[time.Time]bool{}
	var buckets []time.Time
	for _, k := range ids {
		for _, b := range k.Buckets {
			if !distinct[b] {
				distinct[b] = true
				buckets = append(buckets, b)
			}
		}
	}
	return buckets
}

// placedDefinition is an event about a definition on its way through a batch.
type placedDefinition struct {
	index  int
	offset int64
	event  *scenario.Event
}

// applyDefinitions is S4b to S4e for events of scenarios, templates and
// schedules.
func (w *worker) applyDefinitions(ctx context.Context, tx *pgstore.Tx, b *batch, events []placedDefinition, out *outcome) error {
	if err := tx.LockDefinitions(ctx); err != nil {
		return err
	}
	known, err := tx.KnownDefinitionEvents(ctx, definitionsOf(events))
	if err != nil {
		return err
	}
	events = slices.DeleteFunc(events, func(p placedDefinition) bool { return out.known(known, &b.items[p.index], b.hinted) })
	loaded, err := tx.LoadDefinitions(ctx, definitionsOf(events))
	if err != nil {
		return err
	}
	accepted := make([]pgstore.AcceptedDefinition, 0, len(events))
	for _, p := range events {
		it := &b.items[p.index]
		rejection, err := w.foldDefinition(loaded, p)
		if err != nil {
			return err
		}
		if rejection != nil {
			out.reject(it, rejection)
			continue
		}
		accepted = append(accepted, pgstore.AcceptedDefinition{Event: p.event, Offset: p.offset})
		out.accept(it)
	}
	return tx.SaveDefinitions(ctx, w.claim, accepted, loaded)
}

func definitionsOf(events []placedDefinition) []*scenario.Event {
	out := make([]*scenario.Event, len(events))
	for i, p := range events {
		out[i] = p.event
	}
	return out
}

// foldDefinition admits one event to the catalog and folds it.
func (w *worker) foldDefinition(d *pgstore.Definitions, p placedDefinition) (rejection *fact.Rejection, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &recordError{p.index, panicked(r)}
		}
	}()
	if rejection := d.Catalog.Admit(p.event, d.Graph, w.cfg.Limits); rejection != nil {
		return rejection, nil
	}
	d.Catalog.Apply(p.event)
	return nil, nil
}

// birthday is the bucket of a run that is first heard of now.
func birthday(now time.Time) time.Time { return now.Truncate(24 * time.Hour) }
