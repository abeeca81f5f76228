package ingest

import (
	"context"
	"slices"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/accept"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// outcome is what a batch comes to.
type outcome struct {
	applied       int
	inBatch       int // duplicates of events earlier in the batch
	stored        int // duplicates of stored events
	hinted        int // duplicates of stored events that a hint had found
	pruned        int // of runs whose events retention has removed
	keyMismatches int
	poison        []pgstore.Poison
	quarantined   pgstore.Quarantined
	known         []redisstore.Hint // those of the hinted share that are stored when it is committed, but for what a hint had found
	fold          *accept.Fold      // of the events of runs; nil: there were none
	timeline      uint32            // of PostgreSQL, that the batch was committed on
}

func (o *outcome) duplicates() int { return o.inBatch + o.stored + o.hinted + o.pruned }

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
	if o.fold == nil {
		return nil
	}
	return o.fold.Live()
}

// latest are the latest runs of the executions that the batch has touched.
func (o *outcome) latest() map[execution.ID]*execution.State {
	if o.fold == nil {
		return nil
	}
	return o.fold.Latest
}

// superseded are the runs that a new start took the place of.
func (o *outcome) superseded() []pgstore.RunKey {
	if o.fold == nil {
		return nil
	}
	return o.fold.Superseded
}

// everything selects all records of a batch.
func everything(int) bool { return true }

// incoming is an event on its way through a batch, with its place in the batch
// and in the log.
type incoming[E any] struct {
	index  int
	offset int64
	event  E
}

func eventsOf[E any](in []incoming[E]) []E {
	out := make([]E, len(in))
	for i, p := range in {
		out[i] = p.event
	}
	return out
}

// apply is the inside of S4: what the selected records of the batch do to the
// database, in the transaction tx. It changes nothing else and may be called
// again. A *recordError names a record that must be left out.
func (w *worker) apply(ctx context.Context, tx *pgstore.Tx, b *batch, selected func(int) bool) (*outcome, error) {
	out := &outcome{}
	// S4a: fence and offset.
	tx.Advance(ctx, w.claim, b.position, b.next)
	tx.WatchTriggers(ctx)
	var runs []incoming[*execution.Event]
	var definitions []incoming[*scenario.Event]
	for i := range b.items {
		it := &b.items[i]
		switch {
		case !selected(i):
		case it.rejection != nil:
			out.reject(it, it.rejection)
		case it.event.Execution != nil:
			runs = append(runs, incoming[*execution.Event]{i, it.record.Offset, it.event.Execution})
		default:
			definitions = append(definitions, incoming[*scenario.Event]{i, it.record.Offset, it.event.Scenario})
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
	// S4f and S4g: poison, and its copies for others.
	if err := tx.Quarantine(ctx, w.claim, out.poison); err != nil {
		return nil, err
	}
	out.quarantined = tx.Quarantined()
	return out, tx.Count(ctx, w.claim, out.applied, out.duplicates(), len(out.poison))
}

func (o *outcome) reject(it *item, why *fact.Rejection) {
	o.poison = append(o.poison, pgstore.Poison{Record: it.record, Rejection: why, BytesUnknown: it.unread})
}

// isStored sorts an event out whose identity is stored: as a duplicate, or as
// another event under the same identity.
func (o *outcome) isStored(known map[fact.Key]pgstore.Known, it *item, hinted bool) bool {
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
		o.mark(h)
	}
	return true
}

// identities are those of the events that a batch has brought in so far. What
// was refused has taken none: the next event under its identity has its chance,
// as it would in a batch of its own.
type identities map[fact.Key]fact.Digest

// isRepeated sorts an event out whose identity an earlier one of the batch has
// taken.
func (o *outcome) isRepeated(taken identities, it *item) bool {
	h := it.event.Header()
	digest, ok := taken[h.Key]
	switch {
	case !ok:
		return false
	case digest != h.Digest:
		o.reject(it, idConflict(h))
	default:
		o.inBatch++
	}
	return true
}

// accept counts an event that is new.
func (o *outcome) accept(taken identities, it *item) {
	h := it.event.Header()
	taken[h.Key] = h.Digest
	o.mark(h)
	o.applied++
	if it.event.KeyMismatch {
		o.keyMismatches++
	}
}

// mark leaves a hint, for S6.
func (o *outcome) mark(h *fact.Header) {
	if isHinted(h) {
		o.known = append(o.known, hintOf(h))
	}
}

func idConflict(h *fact.Header) *fact.Rejection {
	return fact.Reject(fact.ReasonIDConflict, "id", h.ID, "an event of this source, id and subject was accepted with other content; the first one stands")
}

// applyRuns is S4b to S4e for the events of runs.
func (w *worker) applyRuns(ctx context.Context, tx *pgstore.Tx, b *batch, events []incoming[*execution.Event], out *outcome) error {
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
		known, err := tx.KnownExecutionEvents(ctx, eventsOf(events), ids)
		if err != nil {
			return err
		}
		unknown := func(e incoming[*execution.Event]) bool { _, ok := known[e.event.Key]; return !ok }
		if !slices.ContainsFunc(events, unknown) {
			for _, p := range events {
				out.isStored(known, &b.items[p.index], true)
			}
			return nil
		}
	}

	// S4b: ids.
	knownIDs, err := tx.LockExecutions(ctx, ids, w.recent.touches(eventsOf(events)))
	if err != nil {
		return err
	}
	// S4c: identity.
	known, err := tx.KnownExecutionEvents(ctx, eventsOf(events), w.toLookUp(b, knownIDs, tx.Now()))
	if err != nil {
		return err
	}
	events = slices.DeleteFunc(events, func(p incoming[*execution.Event]) bool { return out.isStored(known, &b.items[p.index], false) })
	if len(events) == 0 {
		return nil
	}
	// S4d: run and fold.
	f := accept.NewFold(w.Source(), tx.Now(), knownIDs, len(events))
	if err := f.Load(ctx, tx, eventsOf(events)); err != nil {
		return err
	}
	taken := make(identities, len(events))
	for _, p := range events {
		it := &b.items[p.index]
		if out.isRepeated(taken, it) {
			continue
		}
		if f.Pruned(p.event) {
			out.pruned++
			continue
		}
		if err := guarded(p.index, func() { f.Apply(p.event, p.offset) }); err != nil {
			return err
		}
		out.accept(taken, it)
	}
	// S4e: write.
	out.fold = f
	return tx.SaveExecutions(ctx, w.claim, f.Rows(), f.Changed())
}

// toLookUp are the executions whose events S4c has to look up. All rows of an
// execution that was first heard of today, those of this batch included, have one
// bucket, and the primary key within it refuses an event that is stored. So such
// events may be inserted as new; a refusal has the batch applied again with
// everything looked up.
func (w *worker) toLookUp(b *batch, known map[execution.ID]pgstore.KnownID, now time.Time) map[execution.ID]pgstore.KnownID {
	if b.repeats || w.repeating > 0 {
		return known
	}
	today := accept.Birthday(now.UTC())
	ask := make(map[execution.ID]pgstore.KnownID)
	for id, k := range known {
		if len(k.Buckets) != 1 || !k.Buckets[0].Equal(today) {
			ask[id] = k
		}
	}
	return ask
}

// applyDefinitions is S4b to S4e for events of scenarios, templates and
// schedules.
func (w *worker) applyDefinitions(ctx context.Context, tx *pgstore.Tx, b *batch, events []incoming[*scenario.Event], out *outcome) error {
	if err := tx.LockDefinitions(ctx); err != nil {
		return err
	}
	known, err := tx.KnownDefinitionEvents(ctx, eventsOf(events))
	if err != nil {
		return err
	}
	events = slices.DeleteFunc(events, func(p incoming[*scenario.Event]) bool { return out.isStored(known, &b.items[p.index], b.hinted) })
	loaded, err := tx.LoadDefinitions(ctx, eventsOf(events))
	if err != nil {
		return err
	}
	accepted := make([]pgstore.AcceptedDefinition, 0, len(events))
	taken := make(identities, len(events))
	for _, p := range events {
		it := &b.items[p.index]
		if out.isRepeated(taken, it) {
			continue
		}
		rejection, err := w.foldDefinition(ctx, loaded, p)
		if err != nil {
			return err
		}
		if rejection != nil {
			out.reject(it, rejection)
			continue
		}
		accepted = append(accepted, pgstore.AcceptedDefinition{Event: p.event, Offset: p.offset})
		out.accept(taken, it)
	}
	return tx.SaveDefinitions(ctx, w.claim, accepted, loaded)
}

// foldDefinition admits one event to the catalog and folds it.
func (w *worker) foldDefinition(ctx context.Context, d *pgstore.Definitions, p incoming[*scenario.Event]) (rejection *fact.Rejection, err error) {
	panicking := guarded(p.index, func() { rejection, err = accept.Definition(ctx, d, p.event, w.cfg.Limits) })
	if panicking != nil {
		return nil, panicking
	}
	return rejection, err
}

// guarded handles one record. A panic is the record's: the error then says which
// one, and the batch is tried again without it.
func guarded(index int, handle func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &recordError{index, panicked(r)}
		}
	}()
	handle()
	return nil
}
