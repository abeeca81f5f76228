package pgstore

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// OwnEvent is the offset of an event that this service made: it has no address
// in Kafka.
const OwnEvent int64 = -1

// PlacedEvent is an accepted event with the run that it was placed in.
type PlacedEvent struct {
	*execution.Event
	Run     execution.RunNumber
	Bucket  time.Time
	Arrival int64 // number of the event in its run, by order of arrival
	Guessed bool  // which run was ambiguous
	Offset  int64 // in the batch's partition, or OwnEvent
}

// Known is what is stored of an event.
type Known struct {
	Digest        fact.Digest
	DigestVersion int16
}

// KnownExecutionEvents is S4c for events of runs: which of them are stored, in
// any run of their execution. ids is what is known of the executions; events of
// others are left out.
func (tx *Tx) KnownExecutionEvents(ctx context.Context, events []*execution.Event, ids map[execution.ID]KnownID) (map[fact.Key]Known, error) {
	subjects, keys, buckets := make([]string, 0, len(events)), make([][]byte, 0, len(events)), make([]time.Time, 0, len(events))
	for _, e := range events {
		for _, bucket := range ids[e.ExecutionID()].Buckets {
			subjects, keys, buckets = append(subjects, e.Subject), append(keys, e.Key[:]), append(buckets, bucket)
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	rows, err := tx.q.KnownEvents(ctx, subjects, keys, buckets)
	if err != nil {
		return nil, interpret("look up events", err)
	}
	known := make(map[fact.Key]Known, len(rows))
	for _, r := range rows {
		known[fact.Key(r.EventKey)] = Known{Digest: fact.Digest(r.Digest), DigestVersion: r.DigestVersion}
	}
	return known, nil
}

// SaveExecutions is S4e for runs: it inserts the new events with their log
// lines and snapshots, and saves the folded states. Runs that an event opened
// are noted with their ids, and schedules that wait for one of these come due.
func (tx *Tx) SaveExecutions(ctx context.Context, p Partition, events []PlacedEvent, states []*execution.State) error {
	if len(events) == 0 {
		return nil
	}
	if err := tx.triggerByRuns(ctx, events, states); err != nil {
		return err
	}
	if err := tx.insertEvents(ctx, p, events); err != nil {
		return err
	}
	if err := tx.saveRuns(ctx, states); err != nil {
		return err
	}
	if err := tx.saveParts(ctx, states); err != nil {
		return err
	}
	if err := tx.insertLogs(ctx, events); err != nil {
		return err
	}
	if err := tx.insertSnapshots(ctx, events); err != nil {
		return err
	}
	return tx.insertAnnotations(ctx, events)
}

// insert copies rows, if there are any.
func insert[R any](ctx context.Context, tx *Tx, op string, rows []R, into func(context.Context, []R) (int64, error)) error {
	if len(rows) == 0 {
		return nil
	}
	tx.pipe.doing(op)
	tx.pipe.copying(newStructRows(rows))
	_, err := into(ctx, rows)
	return err
}

// opInsertEvents is known to WasStoredAlready.
const opInsertEvents = "insert events"

func (tx *Tx) insertEvents(ctx context.Context, p Partition, events []PlacedEvent) error {
	rows := make([]dbsqlc.InsertEventsParams, len(events))
	for i := range events {
		e := &events[i]
		rows[i] = dbsqlc.InsertEventsParams{
			Bucket: e.Bucket, ExecutionID: e.Subject, Run: int32(e.Run), EventKey: e.Key[:], OrderKey: e.Order().Bytes(), Arrival: e.Arrival,
			Type: string(e.Type), Source: e.Source, EventID: e.ID, EventTime: e.Time, Digest: e.Digest[:], DigestVersion: fact.DigestVersion,
			RunGuessed: e.Guessed, TimeSuspect: e.Suspect, TraceParent: e.TraceParent, CorrelationID: e.CorrelationID,
			Data: e.Data, Extensions: e.Extensions, UnknownFields: e.Unknown, RecordedAt: tx.now,
		}
		if e.Sequence != fact.NoSequence {
			rows[i].Sequence = (*int64)(&e.Sequence)
		}
		if e.Offset != OwnEvent {
			rows[i].Topic, rows[i].Partition, rows[i].KafkaOffset = &p.Topic, &p.Number, &e.Offset
		}
	}
	return insert(ctx, tx, opInsertEvents, rows, tx.queued.InsertEvents)
}

func (tx *Tx) saveRuns(ctx context.Context, states []*execution.State) error {
	var (
		opened   []dbsqlc.InsertRunsParams
		progress dbsqlc.SaveProgressParams
		changed  []dbsqlc.SaveRunParams
	)
	latest := map[execution.ID]*execution.Run{}
	for _, s := range states {
		r := &s.Run
		switch {
		case r.Version == 1:
			opened = append(opened, runParams(r, tx.now, tx.changed))
			if latest[r.ID] == nil || latest[r.ID].Number < r.Number {
				latest[r.ID] = r
			}
		case s.OnlyProgressed() && !r.Status.Terminal(): // the end notes when it changed
			addProgressRow(&progress, r)
		default:
			changed = append(changed, dbsqlc.SaveRunParams(runParams(r, tx.now, tx.changed)))
		}
	}
	if err := tx.insertRuns(ctx, opened, latest); err != nil {
		return err
	}
	if len(progress.Ids) > 0 {
		progress.Now = tx.now
		tx.pipe.doing("save progress of runs")
		if err := tx.queued.SaveProgress(ctx, progress); err != nil {
			return err
		}
	}
	if len(changed) > 0 {
		tx.pipe.doing("save runs")
		tx.queued.SaveRun(ctx, changed).Exec(nil)
	}
	if err := tx.appendDirty(ctx, states); err != nil {
		return err
	}
	return tx.saveDetails(ctx, states)
}

// saveDetails writes the big values that the fold has set. Only a summary can be
// set to nothing: of two ends the earlier counts, and it may have none.
func (tx *Tx) saveDetails(ctx context.Context, states []*execution.State) error {
	var opened []dbsqlc.InsertDetailsParams
	var set dbsqlc.SaveDetailsParams
	var cleared []string
	var clearedRuns []int32
	for _, s := range states {
		id, run, d := string(s.Run.ID), int32(s.Run.Number), &s.Details
		if d.Summary.Set && d.Summary.Value == nil && s.Run.Version > 1 {
			cleared, clearedRuns = append(cleared, id), append(clearedRuns, run)
		}
		if d.Labels.Value == nil && d.Parameters.Value == nil && d.ConfigurationSnapshot.Value == nil && d.SystemState.Value == nil && d.Summary.Value == nil {
			continue
		}
		if s.Run.Version == 1 {
			opened = append(opened, dbsqlc.InsertDetailsParams{
				ExecutionID: id, Run: run, Labels: d.Labels.Value, Parameters: d.Parameters.Value,
				ConfigurationSnapshot: d.ConfigurationSnapshot.Value, SystemState: d.SystemState.Value, Summary: d.Summary.Value,
			})
			continue
		}
		set.Ids, set.Runs = append(set.Ids, id), append(set.Runs, run)
		set.Labels, set.Parameters = append(set.Labels, d.Labels.Value), append(set.Parameters, d.Parameters.Value)
		set.ConfigurationSnapshots = append(set.ConfigurationSnapshots, d.ConfigurationSnapshot.Value)
		set.SystemStates, set.Summaries = append(set.SystemStates, d.SystemState.Value), append(set.Summaries, d.Summary.Value)
	}
	if err := insert(ctx, tx, "insert details", opened, tx.queued.InsertDetails); err != nil {
		return err
	}
	if len(set.Ids) > 0 {
		tx.pipe.doing("save details")
		if err := tx.queued.SaveDetails(ctx, set); err != nil {
			return err
		}
	}
	if len(cleared) > 0 {
		tx.pipe.doing("clear summaries")
		return tx.queued.ClearSummaries(ctx, cleared, clearedRuns)
	}
	return nil
}

// insertRuns inserts runs that were opened, and notes them with their ids: the
// latest of each, which all have the bucket of this transaction's day.
func (tx *Tx) insertRuns(ctx context.Context, opened []dbsqlc.InsertRunsParams, latest map[execution.ID]*execution.Run) error {
	if len(opened) == 0 {
		return nil
	}
	if err := insert(ctx, tx, "insert runs", opened, tx.queued.InsertRuns); err != nil {
		return err
	}
	var ids []string
	var numbers []int32
	var buckets []time.Time
	for id, r := range latest {
		ids, numbers, buckets = append(ids, string(id)), append(numbers, int32(r.Number)), append(buckets, r.Bucket)
	}
	tx.pipe.doing("note new runs")
	return tx.queued.UpdateExecutionIDs(ctx, ids, numbers, buckets)
}

func (tx *Tx) insertLogs(ctx context.Context, events []PlacedEvent) error {
	var rows []dbsqlc.InsertLogsParams
	for i := range events {
		e := &events[i]
		p, ok := e.Payload.(*execution.LogAppended)
		if !ok {
			continue
		}
		rows = slices.Grow(rows, len(p.Lines))
		for n := range p.Lines {
			l := &p.Lines[n]
			at := l.Time
			if at.IsZero() {
				at = e.Time
			}
			rows = append(rows, dbsqlc.InsertLogsParams{
				Bucket: e.Bucket, ExecutionID: e.Subject, Run: int32(e.Run), LoggedAt: at, Arrival: e.Arrival, Line: int32(n),
				Level: l.Level, Service: l.Service, Phase: l.Phase, StepID: l.StepID, Message: l.Message, Attributes: l.Attributes,
			})
		}
	}
	return insert(ctx, tx, "insert log lines", rows, tx.queued.InsertLogs)
}

func (tx *Tx) insertSnapshots(ctx context.Context, events []PlacedEvent) error {
	var rows []dbsqlc.InsertSnapshotsParams
	for i := range events {
		e := &events[i]
		if p, ok := e.Payload.(*execution.SnapshotCaptured); ok {
			rows = append(rows, dbsqlc.InsertSnapshotsParams{
				Bucket: e.Bucket, ExecutionID: e.Subject, Run: int32(e.Run), SnapshotID: p.SnapshotID, Arrival: e.Arrival,
				OrderKey: e.Order().Bytes(), Kind: string(p.Kind), Service: p.Service, Phase: p.Phase, CapturedAt: e.Time,
				Health: p.Health, State: p.State, Metrics: p.Metrics,
			})
		}
	}
	return insert(ctx, tx, "insert snapshots", rows, tx.queued.InsertSnapshots)
}

func (tx *Tx) insertAnnotations(ctx context.Context, events []PlacedEvent) error {
	var rows []dbsqlc.InsertAnnotationsParams
	for i := range events {
		e := &events[i]
		if p, ok := e.Payload.(*execution.Annotated); ok {
			rows = append(rows, dbsqlc.InsertAnnotationsParams{
				Bucket: e.Bucket, ExecutionID: e.Subject, Run: int32(e.Run), OrderKey: e.Order().Bytes(), AnnotatedAt: e.Time, Author: p.Author, Text: p.Text,
			})
		}
	}
	return insert(ctx, tx, "insert annotations", rows, tx.queued.InsertAnnotations)
}

// StoredEvent is an event of a run as it is stored. Its payload is not
// restored: package event reads Data.
type StoredEvent struct {
	fact.Header // key and time are those of the order key, to the nanosecond

	// What other columns say of the same. They agree, unless a row was altered.
	KeyColumn   fact.Key
	TimeColumn  time.Time // to the microsecond
	OrderColumn fact.Order

	Run           execution.RunNumber // as Arrival and Guessed: only of a run's event
	Arrival       int64
	Guessed       bool
	DigestVersion int16
	Topic         string // empty for an event of this service
	Partition     int32
	Offset        int64 // OwnEvent for an event of this service
	RecordedAt    time.Time
}

// EventsOfRun are the events of a run in their order.
func (s *Store) EventsOfRun(ctx context.Context, r *execution.Run) ([]StoredEvent, error) {
	rows, err := s.q.EventsOfRun(ctx, string(r.ID), int32(r.Number), r.Bucket)
	return eventsFromRows("read events", rows, err)
}

func eventsFromRows(op string, rows []dbsqlc.ExecutionEvent, err error) ([]StoredEvent, error) {
	if err != nil {
		return nil, interpret(op, err)
	}
	out := make([]StoredEvent, len(rows))
	for i := range rows {
		v := &rows[i]
		order, err := orderOf(v.OrderKey)
		if err != nil {
			return nil, fmt.Errorf("read event %x: %w", v.EventKey, err)
		}
		e := StoredEvent{
			Header: fact.Header{
				Key: order.Key, Digest: array32[fact.Digest](v.Digest), Source: v.Source, ID: v.EventID, Subject: v.ExecutionID, Type: fact.Type(v.Type),
				Time: order.Time, Sequence: fact.Sequence(valueOf(v.Sequence)), TraceParent: v.TraceParent, CorrelationID: v.CorrelationID,
				Suspect: v.TimeSuspect, Data: v.Data, Extensions: v.Extensions, Unknown: v.UnknownFields,
			},
			KeyColumn: array32[fact.Key](v.EventKey), TimeColumn: v.EventTime.UTC(), OrderColumn: order,
			Run: execution.RunNumber(v.Run), Arrival: v.Arrival, Guessed: v.RunGuessed, DigestVersion: v.DigestVersion,
			Topic: valueOf(v.Topic), Partition: valueOf(v.Partition), Offset: OwnEvent, RecordedAt: v.RecordedAt.UTC(),
		}
		if v.KafkaOffset != nil {
			e.Offset = *v.KafkaOffset
		}
		out[i] = e
	}
	return out, nil
}
