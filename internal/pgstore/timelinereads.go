package pgstore

import (
	"context"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// TimelineAfter is a page of the events of a run in their order, behind one; the
// zero order is before the first. The run's bucket must be set, as in all reads
// of what belongs to a run.
func (s *Store) TimelineAfter(ctx context.Context, r *execution.Run, after fact.Order, page int) ([]StoredEvent, error) {
	from := after.Bytes()
	if after.IsZero() {
		from = []byte{}
	}
	rows, err := s.q.TimelineAfter(ctx, dbsqlc.TimelineAfterParams{ExecutionID: string(r.ID), Run: int32(r.Number), Bucket: r.Bucket, After: from, Page: int32(page)})
	return eventsFromRows("read timeline", rows, err)
}

// TimelineBefore is a page of the events of a run from the end, newest first,
// before one; the zero order is behind the last.
func (s *Store) TimelineBefore(ctx context.Context, r *execution.Run, before fact.Order, page int) ([]StoredEvent, error) {
	from := before.Bytes()
	if before.IsZero() {
		from = []byte{0xff} // a sequence is below that
	}
	rows, err := s.q.TimelineBefore(ctx, dbsqlc.TimelineBeforeParams{ExecutionID: string(r.ID), Run: int32(r.Number), Bucket: r.Bucket, Before: from, Page: int32(page)})
	return eventsFromRows("read timeline", rows, err)
}

// LogPlace is the place of a log line among those of its run.
type LogPlace struct {
	At      time.Time
	Arrival int64 // of its event
	Line    int32 // in its event
}

// LogLine is a log line of a run as it is stored.
type LogLine struct {
	Place LogPlace
	execution.LogLine
}

// LogsAfter is a page of the lines of a run by time, behind a place and before a
// moment; the zero moment is no bound. Arrival 0 is before all lines of a time.
func (s *Store) LogsAfter(ctx context.Context, r *execution.Run, after LogPlace, until time.Time, page int) ([]LogLine, error) {
	if until.IsZero() {
		until = endOfTime
	}
	rows, err := s.q.LogsAfter(ctx, dbsqlc.LogsAfterParams{
		ExecutionID: string(r.ID), Run: int32(r.Number), Bucket: r.Bucket,
		AfterTime: after.At, AfterArrival: after.Arrival, AfterLine: after.Line, Until: until, Page: int32(page),
	})
	if err != nil {
		return nil, interpret("read log lines", err)
	}
	lines := make([]LogLine, len(rows))
	for i := range rows {
		lines[i] = logLineFromRow(&rows[i])
	}
	return lines, nil
}

// LogsBefore is a page of the lines of a run from the end, the last first, before
// a place and not before a moment; the zero place is behind the last line.
func (s *Store) LogsBefore(ctx context.Context, r *execution.Run, before LogPlace, since time.Time, page int) ([]LogLine, error) {
	if before.At.IsZero() {
		before.At = endOfTime
	}
	rows, err := s.q.LogsBefore(ctx, dbsqlc.LogsBeforeParams{
		ExecutionID: string(r.ID), Run: int32(r.Number), Bucket: r.Bucket,
		BeforeTime: before.At, BeforeArrival: before.Arrival, BeforeLine: before.Line, Since: since, Page: int32(page),
	})
	if err != nil {
		return nil, interpret("read log lines", err)
	}
	lines := make([]LogLine, len(rows))
	for i := range rows {
		lines[i] = logLineFromRow((*dbsqlc.LogsAfterRow)(&rows[i]))
	}
	return lines, nil
}

func logLineFromRow(r *dbsqlc.LogsAfterRow) LogLine {
	at := r.LoggedAt.UTC()
	return LogLine{
		Place: LogPlace{At: at, Arrival: r.Arrival, Line: r.Line},
		LogLine: execution.LogLine{
			Message: r.Message, Time: at, Level: r.Level, Service: r.Service, Phase: r.Phase, StepID: r.StepID, Attributes: r.Attributes,
		},
	}
}
