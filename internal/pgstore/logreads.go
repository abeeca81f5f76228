package pgstore

import (
	"context"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// LoggedRun is a run as a follower of its lines sees it: those that came with its
// events up to Arrival number exactly Lines.
type LoggedRun struct {
	RunKey
	Status    execution.Status
	Arrival   int64 // number of the latest event
	Lines     int64
	ChangedAt time.Time // when something of the run was last stored

	bucket time.Time
}

// LoggedRun reads a run, or gives ErrNotFound.
func (s *Store) LoggedRun(ctx context.Context, k RunKey) (LoggedRun, error) {
	r, err := s.q.LoggedRun(ctx, string(k.ID), int32(k.Number))
	if err != nil {
		return LoggedRun{}, interpret("read the number of log lines", err)
	}
	return LoggedRun{RunKey: k, Status: execution.Status(r.Status), Arrival: r.Arrival, Lines: r.LogLines, ChangedAt: r.UpdatedAt.UTC(), bucket: r.Bucket}, nil
}

// StoredLine is a log line, and which one it is: the place in its event, and the
// number of that event in the run.
type StoredLine struct {
	execution.LogLine
	Arrival int64
	Place   int32
}

// LogEvent is an event of a run that brought lines.
type LogEvent struct {
	Arrival int64 // its number in the run
	Lines   int64
	First   time.Time // the earliest time of its lines
	Last    time.Time // the latest
}

// LogEvents are the first events of a run, at most limit of those that came later than
// the event after and no later than until, that brought lines of the time since or
// later: in the order in which they were accepted, with what they have of such
// lines. total counts the lines of all such events, beyond limit too.
func (s *Store) LogEvents(ctx context.Context, run LoggedRun, after, until int64, since time.Time, limit int) (events []LogEvent, total int64, err error) {
	rows, err := s.q.LogArrivals(ctx, dbsqlc.LogArrivalsParams{
		ExecutionID: string(run.ID), Run: int32(run.Number), Bucket: run.bucket, Since: since, After: after, Until: until, Page: int32(limit),
	})
	if err != nil {
		return nil, 0, interpret("look for log lines", err)
	}
	events = make([]LogEvent, len(rows))
	for i, r := range rows {
		events[i] = LogEvent{Arrival: r.Arrival, Lines: r.Lines, First: r.FirstAt.UTC(), Last: r.LastAt.UTC()}
		total = r.Total
	}
	return events, total, nil
}

// LinesOf are the lines of a run that came with the events later than after and no
// later than until, and have a time from first to last: in the order in which
// they were accepted.
func (s *Store) LinesOf(ctx context.Context, run LoggedRun, after, until int64, first, last time.Time) ([]StoredLine, error) {
	rows, err := s.q.LogsOfArrivals(ctx, dbsqlc.LogsOfArrivalsParams{
		ExecutionID: string(run.ID), Run: int32(run.Number), Bucket: run.bucket, FirstAt: first, LastAt: last, After: after, Until: until,
	})
	return linesFromRows("read log lines", rows, err)
}

// LastLines are the last lines of a run by their times, the latest first, of those
// that came with its events up to until.
func (s *Store) LastLines(ctx context.Context, run LoggedRun, until int64, limit int) ([]StoredLine, error) {
	rows, err := s.q.LastLogs(ctx, dbsqlc.LastLogsParams{
		ExecutionID: string(run.ID), Run: int32(run.Number), Bucket: run.bucket, Until: until, Page: int32(limit),
	})
	return linesFromRows("read the last log lines", rows, err)
}

func linesFromRows(op string, rows []dbsqlc.ExecutionLog, err error) ([]StoredLine, error) {
	if err != nil {
		return nil, interpret(op, err)
	}
	lines := make([]StoredLine, len(rows))
	for i, r := range rows {
		lines[i] = StoredLine{
			LogLine: execution.LogLine{
				Message: r.Message, Time: r.LoggedAt.UTC(), Level: r.Level, Service: r.Service, Phase: r.Phase, StepID: r.StepID, Attributes: r.Attributes,
			},
			Arrival: r.Arrival, Place: r.Line,
		}
	}
	return lines, nil
}
