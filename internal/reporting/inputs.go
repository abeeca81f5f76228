package reporting

import (
	"context"
	"errors"
	"fmt"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

const (
	firstPage   = 64      // events, or lines, that are read at once at first
	largestPage = 2000    // and at most, while they are small
	pageBytes   = 4 << 20 // of them that are held at once, about
)

// PrunedError says that events of a run are not stored any more, or that something
// else is missing that retention does not own up to: its report cannot be built.
type PrunedError struct {
	Run    pgstore.RunKey
	What   string // events, log lines or snapshots
	Stored int64
	Want   int64
}

func (e *PrunedError) Error() string {
	return fmt.Sprintf("of run %s/%d %d of %d %s are stored: the others were removed", e.Run.ID, e.Run.Number, e.Stored, e.Want, e.What)
}

// feed gives all that is stored of a run to a builder, without what is gone: rows of
// that may still be there, and nobody knows for how long. It holds some pages of
// events and lines at a time, and of each event with lines its order.
func feed(ctx context.Context, s *pgstore.Store, run *execution.Run, gone *report.Gone) (*report.Builder, error) {
	f := feeding{store: s, run: run, gone: gone, builder: report.NewBuilder(run.ID, run.Number, run.RunID), withLines: map[int64]fact.Order{}}
	if err := f.events(ctx); err != nil {
		return nil, err
	}
	if err := f.lines(ctx); err != nil {
		return nil, err
	}
	return f.builder, nil
}

type feeding struct {
	store     *pgstore.Store
	run       *execution.Run
	gone      *report.Gone
	builder   *report.Builder
	withLines map[int64]fact.Order // events that brought lines, by arrival
}

// pruned is nil where all is there.
func (f *feeding) pruned(what string, stored, want int64) error {
	if stored >= want {
		return nil
	}
	return &PrunedError{Run: pgstore.RunKey{ID: f.run.ID, Number: f.run.Number}, What: what, Stored: stored, Want: want}
}

func (f *feeding) events(ctx context.Context) error {
	var read, snapshots, contents int64
	page := firstPage
	for after := (fact.Order{}); ; {
		events, err := f.store.TimelineAfter(ctx, f.run, after, page)
		if err != nil {
			return err
		}
		size := 0
		for i := range events {
			e := &events[i]
			after, size = e.OrderColumn, size+len(e.Data)
			payload, err := event.RestoreExecution(e.Type, e.Data)
			if err != nil {
				return fmt.Errorf("event %q: %w", e.ID, err)
			}
			switch p := payload.(type) {
			case *execution.LogAppended:
				f.withLines[e.Arrival] = e.Order()
			case *execution.SnapshotCaptured:
				if f.gone.Lacks(report.GoneSnapshots) {
					break
				}
				snapshots++
				p.State, p.Metrics, err = f.store.SnapshotContent(ctx, f.run, p.SnapshotID, e.Arrival)
				switch {
				case err == nil:
					contents++
				case !errors.Is(err, pgstore.ErrNotFound):
					return err
				}
			}
			if err := f.builder.Add(&execution.Event{Header: e.Header, Payload: payload}); err != nil {
				return fmt.Errorf("event %q: %w", e.ID, err)
			}
		}
		read += int64(len(events))
		if len(events) < page {
			break
		}
		page = nextPage(page, size)
	}
	if err := f.pruned("events", read, f.run.Arrival()); err != nil {
		return err
	}
	return f.pruned("snapshots", contents, snapshots)
}

// nextPage keeps what is held at once within bounds, whatever the size of
// the entries.
func nextPage(page, size int) int {
	switch {
	case size > pageBytes:
		return max(page*pageBytes/size, 1)
	case size < pageBytes/4:
		return min(2*page, largestPage)
	}
	return page
}

func (f *feeding) lines(ctx context.Context) error {
	if f.run.Counts.LogLines == 0 || f.gone.Lacks(report.GoneLogs) {
		return nil
	}
	var read int64
	page := firstPage
	for after := (pgstore.LogPlace{}); ; {
		lines, err := f.store.ReportLines(ctx, f.run, after, page)
		if err != nil {
			return err
		}
		size := 0
		for i := range lines {
			l := &lines[i]
			after, size = l.Place, size+len(l.Message)
			f.builder.AddLine(f.withLines[l.Place.Arrival], int(l.Place.Line), &l.LogLine)
		}
		read += int64(len(lines))
		if len(lines) < page {
			break
		}
		page = nextPage(page, size)
	}
	return f.pruned("log lines", read, f.run.Counts.LogLines)
}
