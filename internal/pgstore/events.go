package pgstore

import (
	"context"
	"encoding/json"
	"fmt"
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
// any run of their execution. buckets are those of the ids touched.
func (tx *Tx) KnownExecutionEvents(ctx context.Context, events []*execution.Event, buckets []time.Time) (map[fact.Key]Known, error) {
	if len(events) == 0 || len(buckets) == 0 {
		return nil, nil
	}
	ids, keys := make([]string, len(events)), make([][]byte, len(events))
	for i, e := range events {
		ids[i], keys[i] = e.Subject, e.Key[:]
	}
	rows, err := tx.q.KnownEvents(ctx, ids, keys, buckets)
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
// are noted with their ids.
func (tx *Tx) SaveExecutions(ctx context.Context, p Partition, events []PlacedEvent, states []*execution.State) error {
	if len(events) == 0 {
		return nil
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
	return tx.insertSnapshots(ctx, events)
}

func (tx *Tx) insertEvents(ctx context.Context, p Partition, events []PlacedEvent) error {
	n := len(events)
	a := dbsqlc.InsertEventsParams{
		DigestVersion: fact.DigestVersion, Topic: p.Topic, Partition: p.Number, Now: tx.now,
		Buckets: make([]time.Time, n), Ids: make([]string, n), Runs: make([]int32, n), EventKeys: make([][]byte, n),
		OrderKeys: make([][]byte, n), Arrivals: make([]int64, n), Types: make([]string, n), Sources: make([]string, n),
		EventIds: make([]string, n), EventTimes: make([]time.Time, n), Sequences: make([]int64, n), Digests: make([][]byte, n),
		RunGuessed: make([]bool, n), TimeSuspect: make([]bool, n), TraceParents: make([]string, n), CorrelationIds: make([]string, n),
		KafkaOffsets: make([]int64, n), Data: make([]json.RawMessage, n), Extensions: make([]json.RawMessage, n), UnknownFields: make([]json.RawMessage, n),
	}
	for i := range events {
		e := &events[i]
		a.Buckets[i], a.Ids[i], a.Runs[i], a.EventKeys[i] = e.Bucket, e.Subject, int32(e.Run), e.Key[:]
		a.OrderKeys[i], a.Arrivals[i], a.Types[i], a.Sources[i] = e.Order().Bytes(), e.Arrival, string(e.Type), e.Source
		a.EventIds[i], a.EventTimes[i], a.Sequences[i], a.Digests[i] = e.ID, e.Time, int64(e.Sequence), e.Digest[:]
		a.RunGuessed[i], a.TimeSuspect[i], a.TraceParents[i], a.CorrelationIds[i] = e.Guessed, e.Suspect, e.TraceParent, e.CorrelationID
		a.KafkaOffsets[i], a.Data[i], a.Extensions[i], a.UnknownFields[i] = e.Offset, e.Data, e.Extensions, e.Unknown
	}
	inserted, err := tx.q.InsertEvents(ctx, a)
	if err != nil {
		return interpret("insert events", err)
	}
	if inserted != int64(n) {
		// The net under the identity check has caught something: fold and rows
		// would not agree, so nothing of this may be committed.
		return &Error{Op: "insert events", Class: Bug, Err: fmt.Errorf("%d of %d events were stored already", int64(n)-inserted, n)}
	}
	return nil
}

func (tx *Tx) saveRuns(ctx context.Context, states []*execution.State) error {
	runs := make([]dbsqlc.SaveRunParams, len(states))
	var details []dbsqlc.SaveDetailsParams
	latest := map[execution.ID]*execution.Run{}
	for i, s := range states {
		r := &s.Run
		runs[i] = runParams(r, tx.now)
		if d := &s.Details; d.AnySet() {
			details = append(details, dbsqlc.SaveDetailsParams{
				ExecutionID: string(r.ID), Run: int32(r.Number),
				Labels: d.Labels.Value, SetLabels: d.Labels.Set,
				Parameters: d.Parameters.Value, SetParameters: d.Parameters.Set,
				ConfigurationSnapshot: d.ConfigurationSnapshot.Value, SetConfigurationSnapshot: d.ConfigurationSnapshot.Set,
				SystemState: d.SystemState.Value, SetSystemState: d.SystemState.Set,
				Summary: d.Summary.Value, SetSummary: d.Summary.Set,
			})
		}
	}
	for _, s := range states {
		// A run saved for the first time may be its id's new latest.
		if s.Run.Version == 1 && (latest[s.Run.ID] == nil || latest[s.Run.ID].Number < s.Run.Number) {
			latest[s.Run.ID] = &s.Run
		}
	}
	if err := all("save runs", tx.q.SaveRun(ctx, runs).Exec); err != nil {
		return err
	}
	if len(details) > 0 {
		if err := all("save details", tx.q.SaveDetails(ctx, details).Exec); err != nil {
			return err
		}
	}
	if len(latest) == 0 {
		return nil
	}
	var ids []string
	var numbers []int32
	var buckets []time.Time
	for id, r := range latest {
		ids, numbers, buckets = append(ids, string(id)), append(numbers, int32(r.Number)), append(buckets, r.Bucket)
	}
	return interpret("note new runs", tx.q.UpdateExecutionIDs(ctx, ids, numbers, buckets))
}

// all runs a pipelined batch to its end and reads its first error.
func all(op string, exec func(func(int, error))) error { return interpret(op, first(exec)) }

// first runs a pipelined batch to its end and gives its first error.
func first(exec func(func(int, error))) error {
	var first error
	exec(func(_ int, err error) {
		if first == nil {
			first = err
		}
	})
	return first
}

func (tx *Tx) insertLogs(ctx context.Context, events []PlacedEvent) error {
	var a dbsqlc.InsertLogsParams
	for i := range events {
		e := &events[i]
		p, ok := e.Payload.(*execution.LogAppended)
		if !ok {
			continue
		}
		for n := range p.Lines {
			l := &p.Lines[n]
			at := l.Time
			if at.IsZero() {
				at = e.Time
			}
			a.Buckets, a.Ids, a.Runs = append(a.Buckets, e.Bucket), append(a.Ids, e.Subject), append(a.Runs, int32(e.Run))
			a.Logged, a.Arrivals, a.Lines = append(a.Logged, at), append(a.Arrivals, e.Arrival), append(a.Lines, int32(n))
			a.Levels, a.Services, a.Phases = append(a.Levels, l.Level), append(a.Services, l.Service), append(a.Phases, l.Phase)
			a.StepIds, a.Messages, a.Attributes = append(a.StepIds, l.StepID), append(a.Messages, l.Message), append(a.Attributes, l.Attributes)
		}
	}
	if len(a.Ids) == 0 {
		return nil
	}
	return interpret("insert log lines", tx.q.InsertLogs(ctx, a))
}

func (tx *Tx) insertSnapshots(ctx context.Context, events []PlacedEvent) error {
	var rows []dbsqlc.InsertSnapshotParams
	for i := range events {
		e := &events[i]
		if p, ok := e.Payload.(*execution.SnapshotCaptured); ok {
			rows = append(rows, dbsqlc.InsertSnapshotParams{
				Bucket: e.Bucket, ExecutionID: e.Subject, Run: int32(e.Run), SnapshotID: p.SnapshotID, Arrival: e.Arrival,
				OrderKey: e.Order().Bytes(), Kind: string(p.Kind), Service: p.Service, Phase: p.Phase, CapturedAt: e.Time,
				Health: p.Health, State: p.State, Metrics: p.Metrics,
			})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return all("insert snapshots", tx.q.InsertSnapshot(ctx, rows).Exec)
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
	if err != nil {
		return nil, interpret("read events", err)
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
