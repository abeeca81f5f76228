package api

import (
	"context"
	"slices"
	"strings"

	"connectrpc.com/connect"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// bigBite is how many entries are read at once that may have a big JSON: 50 MiB
// of it at the worst.
const bigBite = 50

func (s *executions) GetTimeline(ctx context.Context, r *connect.Request[contract.GetTimelineRequest]) (*connect.Response[contract.GetTimelineResponse], error) {
	run, err := s.run(ctx, r.Msg)
	if err != nil {
		return nil, err
	}
	read := s.Store.TimelineAfter
	if r.Msg.GetDescending() {
		read = s.Store.TimelineBefore
	}
	l := listing[pgstore.StoredEvent, fact.Order, *contract.TimelineEvent]{
		read: func(ctx context.Context, at fact.Order, most int) ([]pgstore.StoredEvent, error) {
			return read(ctx, run, at, most)
		},
		place:   func(e *pgstore.StoredEvent) fact.Order { return e.OrderColumn },
		message: func(e *pgstore.StoredEvent) *contract.TimelineEvent { return timelineMessage(run, e) },
		bite:    bigBite,
		run:     run,
	}
	events, next, err := l.page(ctx, r.Msg)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&contract.GetTimelineResponse{Events: events, NextPageToken: next}), nil
}

// timelineMessage is an event with the flags that the view analytics_timeline
// gives it.
func timelineMessage(run *execution.Run, e *pgstore.StoredEvent) *contract.TimelineEvent {
	m := &contract.TimelineEvent{
		Type: string(e.Type), Source: e.Source, EventId: e.ID, Time: moment(e.Time), Sequence: int64(e.Sequence), RecordedAt: moment(e.RecordedAt),
		Data: object(e.Data), RunGuessed: e.Guessed, TimeSuspect: e.Suspect, CorrelationId: e.CorrelationID, TraceParent: e.TraceParent,
	}
	if e.Offset != pgstore.OwnEvent {
		m.Address = &contract.KafkaAddress{Topic: e.Topic, Partition: e.Partition, Offset: e.Offset}
	}
	if !run.EndOrder.IsZero() && e.OrderColumn.After(run.EndOrder) {
		m.Late = e.Type != fact.TypeFinished
		m.ConflictingOutcome = !m.GetLate() && m.GetData().GetFields()["outcome"].GetStringValue() != string(run.ReportedOutcome)
	}
	return m
}

// mostLines bounds how many log lines a page with a filter is looked for in.
const mostLines = 5000

func (s *executions) ListLogs(ctx context.Context, r *connect.Request[contract.ListLogsRequest]) (*connect.Response[contract.ListLogsResponse], error) {
	m := r.Msg
	run, err := s.run(ctx, m)
	if err != nil {
		return nil, err
	}
	from, until := pgstore.LogPlace{}, pgstore.LogPlace{}
	if m.GetFrom() != nil {
		from.At = atLeast(m.GetFrom())
	}
	if m.GetUntil() != nil {
		until.At = atLeast(m.GetUntil())
	}
	l := listing[pgstore.LogLine, pgstore.LogPlace, *contract.LogRecord]{
		read: func(ctx context.Context, at pgstore.LogPlace, most int) ([]pgstore.LogLine, error) {
			switch first := at == (pgstore.LogPlace{}); {
			case m.GetTail() && first:
				at = until
			case first:
				at = from
			}
			if m.GetTail() {
				return s.Store.LogsBefore(ctx, run, at, from.At, most)
			}
			return s.Store.LogsAfter(ctx, run, at, until.At, most)
		},
		place:   func(l *pgstore.LogLine) pgstore.LogPlace { return l.Place },
		message: func(l *pgstore.LogLine) *contract.LogRecord { return logMessage(&l.LogLine) },
		bite:    largestPage, look: mostLines, run: run,
	}
	if wants := logFilter(m.GetFilter()); !wantsAll(m.GetFilter()) {
		l.matches = func(l *pgstore.LogLine) bool { return wants(&l.LogLine) }
	}
	lines, next, err := l.page(ctx, m)
	if err != nil {
		return nil, err
	}
	if m.GetTail() {
		slices.Reverse(lines)
	}
	answer := &contract.ListLogsResponse{Lines: lines, NextPageToken: next}
	if len(lines) == 0 {
		if answer.Removed, err = s.removed(ctx, run); err != nil {
			return nil, err
		}
	}
	return connect.NewResponse(answer), nil
}

// logMessage is a line as callers see it.
func logMessage(l *execution.LogLine) *contract.LogRecord {
	return &contract.LogRecord{
		Time: moment(l.Time), Level: l.Level, Service: l.Service, Phase: l.Phase, StepId: l.StepID, Message: l.Message, Attributes: object(l.Attributes),
	}
}

// wantsAll tells whether a filter leaves nothing out.
func wantsAll(f *contract.LogFilter) bool {
	return len(f.GetLevels()) == 0 && f.GetService() == "" && f.GetPhase() == "" && f.GetContains() == ""
}

// logFilter tells whether a line is one that the filter means.
func logFilter(f *contract.LogFilter) func(*execution.LogLine) bool {
	contains := strings.ToLower(f.GetContains())
	return func(l *execution.LogLine) bool {
		return (len(f.GetLevels()) == 0 || slices.Contains(f.GetLevels(), l.Level)) &&
			(f.GetService() == "" || l.Service == f.GetService()) && (f.GetPhase() == "" || l.Phase == f.GetPhase()) &&
			strings.Contains(strings.ToLower(l.Message), contains)
	}
}
