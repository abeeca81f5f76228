package pgstore

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// WholeEvent is an event of a run with what of its data has rows of its own.
type WholeEvent struct {
	StoredEvent
	Lines   []execution.LogLine // of log lines that were appended, in their places
	State   json.RawMessage     // of a snapshot; nil when none
	Metrics json.RawMessage
}

const (
	// eventsAtOnce is how many events are held at once: each may have a big JSON.
	eventsAtOnce = 50
	// linesAtOnce is how many lines are read at once, unless one event has more.
	linesAtOnce = 5000
)

// WholeEvents are all events of a run in their order, each whole. They are read by
// pages and not in one transaction, which would last as long as whoever takes
// them: that none was missed their hash chain tells. Of the run nothing is kept but
// a few numbers for each event with log lines.
func (s *Store) WholeEvents(ctx context.Context, r *execution.Run) iter.Seq2[*WholeEvent, error] {
	return func(yield func(*WholeEvent, error) bool) {
		run := LoggedRun{RunKey: RunKey{ID: r.ID, Number: r.Number}, bucket: r.Bucket}
		found, _, err := s.LogEvents(ctx, run, 0, math.MaxInt64, time.Time{}, math.MaxInt32)
		if err != nil {
			yield(nil, err)
			return
		}
		logs := &logSpans{run: run, of: found}
		for after := (fact.Order{}); ; {
			page, err := s.TimelineAfter(ctx, r, after, eventsAtOnce)
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range page {
				e := &WholeEvent{StoredEvent: page[i]}
				switch e.Type {
				case fact.TypeLogAppended:
					e.Lines, err = logs.lines(ctx, s, page[i:])
				case fact.TypeSnapshotCaptured:
					err = s.snapshotInto(ctx, r, e)
				default: // all of it is in the event's own row
				}
				if err != nil {
					yield(nil, err)
					return
				}
				if !yield(e, nil) {
					return
				}
			}
			if len(page) < eventsAtOnce {
				return
			}
			after = page[len(page)-1].OrderColumn
		}
	}
}

// snapshotInto adds the big JSON of a snapshot; of one that was pruned there is none.
func (s *Store) snapshotInto(ctx context.Context, r *execution.Run, e *WholeEvent) error {
	var named struct {
		SnapshotID string `json:"snapshot_id"`
	}
	if err := json.Unmarshal(e.Data, &named); err != nil {
		return fmt.Errorf("read snapshot event %s: %w", e.Key, err)
	}
	var err error
	e.State, e.Metrics, err = s.SnapshotContent(ctx, r, named.SnapshotID, e.Arrival)
	if errors.Is(err, ErrNotFound) {
		return fmt.Errorf("snapshot %s of event %s: %w", named.SnapshotID, e.Key, ErrPruned)
	}
	return err
}

// ErrPruned says that what an event brought was removed by retention.
var ErrPruned = errors.New("it was pruned")

// logSpans finds log lines by their event: their index is by time.
type logSpans struct {
	run  LoggedRun
	of   []LogEvent                    // by arrival
	read map[int64][]execution.LogLine // lines of events that come next, by arrival
}

// lines are those of the first of some events, which are next in order. Those of
// others are read with them where they lie close together.
func (l *logSpans) lines(ctx context.Context, s *Store, next []StoredEvent) ([]execution.LogLine, error) {
	arrival := next[0].Arrival
	if lines, ok := l.read[arrival]; ok {
		delete(l.read, arrival)
		return lines, nil
	}
	span, ok := l.span(arrival)
	if !ok { // an event of log lines has some
		return nil, fmt.Errorf("log lines of event %s: %w", next[0].Key, ErrPruned)
	}
	least, most := arrival, arrival
	for i := range next[1:] {
		e := &next[1+i]
		other, ok := l.span(e.Arrival)
		if e.Type != fact.TypeLogAppended || !ok {
			continue
		}
		low, high := min(least, e.Arrival), max(most, e.Arrival)
		if high-low >= eventsAtOnce || span.Lines+other.Lines > linesAtOnce {
			break
		}
		least, most = low, high
		span.Lines += other.Lines
		span.First, span.Last = earlier(span.First, other.First), later(span.Last, other.Last)
	}
	rows, err := s.LinesOf(ctx, l.run, least-1, most, span.First, span.Last)
	if err != nil {
		return nil, err
	}
	l.read = map[int64][]execution.LogLine{}
	for _, row := range rows { // by arrival and place
		l.read[row.Arrival] = append(l.read[row.Arrival], row.LogLine)
	}
	// Of an event in between, that is not among these, only a part may have been read.
	for a, lines := range l.read {
		if of, ok := l.span(a); !ok || of.Lines != int64(len(lines)) {
			delete(l.read, a)
		}
	}
	lines := l.read[arrival]
	delete(l.read, arrival)
	return lines, nil
}

func (l *logSpans) span(arrival int64) (LogEvent, bool) {
	i, ok := slices.BinarySearchFunc(l.of, arrival, func(e LogEvent, a int64) int { return cmp.Compare(e.Arrival, a) })
	if !ok {
		return LogEvent{}, false
	}
	return l.of[i], true
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
