package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/retention"
)

// runs verifies all runs.
func (v *verification) runs(ctx context.Context) error {
	for after := (pgstore.RunKey{}); ; {
		page, err := v.store.RunKeysAfter(ctx, after, pageSize)
		if err != nil {
			return err
		}
		for _, k := range page {
			if err := v.run(ctx, k); err != nil {
				return err
			}
			after = k
		}
		if len(page) < pageSize {
			return nil
		}
	}
}

func runName(k pgstore.RunKey) string { return fmt.Sprintf("run %s/%d", k.ID, k.Number) }

// run verifies one run.
func (v *verification) run(ctx context.Context, k pgstore.RunKey) error {
	stored, err := v.store.StoredRun(ctx, k)
	switch {
	case errors.Is(err, pgstore.ErrNotFound):
		return nil // pruned since it was listed
	case unreadable(err):
		v.report.add(runName(k), "row", err.Error(), "a readable row")
		return nil
	case err != nil:
		return err
	}
	v.report.Runs++
	v.report.Events += int64(len(stored.Events))
	if stored.Gone.Has(retention.Events) {
		return nil // nothing to fold; pruned says how many there are
	}

	c := comparison{report: v.report, subject: runName(k)}
	refolded, ok := v.refold(c, &stored)
	if !ok {
		return nil // what cannot be read is reported; its fold would only repeat that
	}
	for _, validation := range stored.State.Validations {
		validation.Stored = false // not of the row
	}
	c.compare("", *stored.State, *refolded)
	v.checkOwnFields(c, &stored.State.Run)
	return nil
}

// refold folds the events of a run into an empty state, and checks what each
// of them has beside the row.
func (v *verification) refold(c comparison, stored *pgstore.StoredRun) (*execution.State, bool) {
	row := &stored.State.Run
	state := execution.NewState(row.ID, row.Number, row.RunID)
	arrivals := make([]int64, 0, len(stored.Events))
	readable := true
	for i := range stored.Events {
		e := &stored.Events[i]
		v.checkEvent(c.subject, e)
		payload, err := event.RestoreExecution(e.Type, e.Data)
		if err != nil {
			c.differ("event "+strconv.Quote(e.ID), err.Error(), "a readable event")
			readable = false
			continue
		}
		v.checkRowsOf(c, stored, e, payload)
		state.Apply(&execution.Event{Header: e.Header, Payload: payload})
		arrivals = append(arrivals, e.Arrival)
	}
	// What no event brought.
	for _, arrival := range sortedKeys(stored.LogLines) {
		c.compare(fmt.Sprintf("log lines of arrival %d", arrival), stored.LogLines[arrival], int64(0))
	}
	for _, arrival := range sortedKeys(stored.Snapshots) {
		c.differ(fmt.Sprintf("snapshot of arrival %d", arrival), stored.Snapshots[arrival].SnapshotID, absent)
	}
	for _, a := range stored.Annotations {
		c.differ("annotation of "+a.At.Format(time.RFC3339Nano), a.Text, absent)
	}
	slices.Sort(arrivals)
	for i, arrival := range arrivals {
		if arrival != int64(i)+1 {
			c.differ("arrivals", fmt.Sprintf("%d stands where %d is due", arrival, i+1), fmt.Sprintf("1 to %d, each once", len(arrivals)))
			break
		}
	}
	// Kept by the store, not folded: checked by checkOwnFields.
	state.Run.Bucket, state.Run.CreatedAt, state.Run.Version = row.Bucket, row.CreatedAt, row.Version
	return state, readable
}

// checkRowsOf holds the rows that an event brought against it, and takes them
// off the list.
func (v *verification) checkRowsOf(c comparison, stored *pgstore.StoredRun, e *pgstore.StoredEvent, payload execution.Payload) {
	switch p := payload.(type) {
	case *execution.LogAppended:
		if stored.Gone.Has(retention.Logs) && stored.LogLines[e.Arrival] == 0 {
			return // those that came after it was pruned are there
		}
		c.compare(fmt.Sprintf("log lines of arrival %d", e.Arrival), stored.LogLines[e.Arrival], int64(p.Count))
		delete(stored.LogLines, e.Arrival)
	case *execution.SnapshotCaptured:
		at := fmt.Sprintf("snapshot of arrival %d", e.Arrival)
		held, ok := stored.Snapshots[e.Arrival]
		if !ok && stored.Gone.Has(retention.Snapshots) {
			return
		}
		if !ok {
			c.differ(at, absent, p.SnapshotID)
			return
		}
		c.compare(at, held, pgstore.StoredSnapshot{
			SnapshotID: p.SnapshotID, Kind: p.Kind, Service: p.Service, Phase: p.Phase, Health: p.Health, CapturedAt: e.Time, Order: e.Order(),
		})
		delete(stored.Snapshots, e.Arrival)
	case *execution.Annotated:
		at := "annotation of event " + strconv.Quote(e.ID)
		held, ok := stored.Annotations[e.Key]
		if !ok {
			c.differ(at, absent, p.Text)
			return
		}
		c.compare(at, held, pgstore.Annotation{Order: e.Order(), At: e.Time, Author: p.Author, Text: p.Text})
		delete(stored.Annotations, e.Key)
	}
}

// checkOwnFields holds what the store keeps for itself to its rules.
func (v *verification) checkOwnFields(c comparison, r *execution.Run) {
	c.compare("Bucket", r.Bucket, r.CreatedAt.Truncate(24*time.Hour))
	if r.Version < 1 || r.Version > r.Arrival() {
		// Every committed change has at least one event.
		c.differ("Version", strconv.FormatInt(r.Version, 10), fmt.Sprintf("1 to %d", r.Arrival()))
	}
}

func sortedKeys[V any](m map[int64]V) []int64 {
	keys := make([]int64, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
