package pgstore

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/retention"
)

// Remains is what is known of the pruned runs of some execution ids, as far as it
// concerns the events that it was asked for.
type Remains struct {
	Latest map[execution.ID]*execution.Tombstone // of the latest run of an id, if it is gone or its events are

	events map[*execution.Event]execution.Remains
}

// Of is what concerns one event.
func (r Remains) Of(e *execution.Event) execution.Remains { return r.events[e] }

// Remains looks up what retention has left of the runs that events may belong to.
// It costs a round trip only where one of the ids is known to have lost something.
func (tx *Tx) Remains(ctx context.Context, events []*execution.Event, known map[execution.ID]KnownID) (Remains, error) {
	r := Remains{Latest: map[execution.ID]*execution.Tombstone{}, events: map[*execution.Event]execution.Remains{}}
	var ids, runIDs, latestOf []string
	var times []time.Time
	var asked []*execution.Event
	for id, k := range known {
		if k.Pruned {
			latestOf = append(latestOf, string(id))
		}
	}
	if len(latestOf) == 0 {
		return r, nil
	}
	for _, e := range events {
		if known[e.ExecutionID()].Pruned {
			ids, runIDs, times, asked = append(ids, e.Subject), append(runIDs, e.RunID), append(times, e.Time), append(asked, e)
		}
	}
	const op = "look up pruned runs"
	tombstones, err := tx.q.LatestPrunedRuns(ctx, latestOf)
	if err != nil {
		return r, interpret(op, err)
	}
	for i := range tombstones {
		r.Latest[execution.ID(tombstones[i].ExecutionID)] = tombstoneFromRow(&tombstones[i])
	}
	if len(asked) == 0 {
		return r, nil
	}
	rows, err := tx.q.PrunedRunsOfEvents(ctx, ids, runIDs, times)
	if err != nil {
		return r, interpret(op, err)
	}
	for _, row := range rows {
		r.events[asked[row.Place-1]] = execution.Remains{Named: row.Named, Within: row.Within}
	}
	return r, nil
}

func tombstoneFromRow(p *dbsqlc.PrunedRun) *execution.Tombstone {
	return &execution.Tombstone{
		Number: execution.RunNumber(p.Run), RunID: valueOf(p.RunID), Status: execution.Status(p.Status),
		EndedAt: timeOf(p.EndedAt), LastStartAt: timeOf(p.LastStartAt),
	}
}

// Removal is what retention has removed of a run, or is about to.
type Removal struct {
	Kinds  retention.Kinds
	Policy string    // by which something went last
	At     time.Time // when
}

// Removed is what retention has removed of a run; nothing is the zero Removal.
func (s *Store) Removed(ctx context.Context, k RunKey) (Removal, error) {
	return removed(ctx, s.q, k)
}

// Removed is Store.Removed: under the lock of the run's id it stays so.
func (tx *Tx) Removed(ctx context.Context, k RunKey) (Removal, error) {
	tx.pipe.doing("read tombstone")
	return removed(ctx, tx.q, k)
}

func removed(ctx context.Context, q *dbsqlc.Queries, k RunKey) (Removal, error) {
	p, err := q.PrunedRun(ctx, string(k.ID), int32(k.Number))
	if errors.Is(err, pgx.ErrNoRows) {
		return Removal{}, nil
	}
	return Removal{Kinds: retention.ParseKinds(p.Kinds), Policy: p.Policy, At: p.PrunedAt.UTC()}, interpret("read tombstone", err)
}

// MissingRuns is an id that has had more runs than are stored or have a tombstone, or
// that does not say whether it has lost events.
type MissingRuns struct {
	ID        execution.ID
	LatestRun execution.RunNumber
	Known     int64 // stored, or with the tombstone of a run that is gone
	Pruned    bool  // as its row says
	Lost      bool  // as its tombstones say
}

// MissingRuns finds at most limit of them.
func (s *Store) MissingRuns(ctx context.Context, limit int) ([]MissingRuns, error) {
	rows, err := s.q.MissingRuns(ctx, int32(limit))
	if err != nil {
		return nil, interpret("look for missing runs", err)
	}
	missing := make([]MissingRuns, len(rows))
	for i, r := range rows {
		missing[i] = MissingRuns{execution.ID(r.ExecutionID), execution.RunNumber(r.LatestRun), r.Known, r.Pruned, r.LostEvents}
	}
	return missing, nil
}
