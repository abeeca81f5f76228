package pgstore

import (
	"context"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// LiveSign is a run that has not ended, and how much was heard of it.
type LiveSign struct {
	RunKey
	ScenarioID      string
	ScenarioVersion string // as the coordinator named it; empty: the one current now
	Events          int64  // of others; what this service says of a run is no sign of its life
}

// LiveSignsAfter is a page of the runs that have not ended, in the order of
// their keys.
func (s *Store) LiveSignsAfter(ctx context.Context, after RunKey, page int) ([]LiveSign, error) {
	rows, err := s.q.LiveSigns(ctx, string(after.ID), int32(after.Number), int32(page))
	if err != nil {
		return nil, interpret("list signs of life", err)
	}
	signs := make([]LiveSign, len(rows))
	for i, r := range rows {
		signs[i] = LiveSign{
			RunKey: RunKey{execution.ID(r.ExecutionID), execution.RunNumber(r.Run)}, ScenarioID: r.ScenarioID, ScenarioVersion: r.ScenarioVersion,
			Events: r.Events,
		}
	}
	return signs, nil
}

// OrphaningRun is a run that has ended and left faults behind.
type OrphaningRun struct {
	RunKey
	Status    execution.Status
	EndedAt   time.Time
	Faults    int       // that act on their targets
	Version   int64     // with UpdatedAt it tells a run that was changed from one that was not
	UpdatedAt time.Time // a failover may lose a version, and another change get its number
}

// OrphaningRunsAfter is a page of the runs that have ended and left faults
// behind, in the order of their keys.
func (s *Store) OrphaningRunsAfter(ctx context.Context, after RunKey, page int) ([]OrphaningRun, error) {
	rows, err := s.q.OrphaningRuns(ctx, string(after.ID), int32(after.Number), int32(page))
	if err != nil {
		return nil, interpret("list runs that left faults behind", err)
	}
	runs := make([]OrphaningRun, len(rows))
	for i, r := range rows {
		runs[i] = OrphaningRun{
			RunKey: RunKey{execution.ID(r.ExecutionID), execution.RunNumber(r.Run)}, Status: execution.Status(r.Status), EndedAt: timeOf(r.EndedAt),
			Faults: int(r.FaultsActive), Version: r.Version, UpdatedAt: r.UpdatedAt.UTC(),
		}
	}
	return runs, nil
}

// ActiveFaults are the faults of a run that act on their targets.
func (tx *Tx) ActiveFaults(ctx context.Context, r *execution.Run) ([]*execution.Fault, error) {
	rows, err := tx.q.ActiveFaultsOfRun(ctx, string(r.ID), int32(r.Number), r.Bucket)
	var faults []*execution.Fault
	err = each("read active faults", rows, err, func(row *dbsqlc.FaultInjection) error {
		s := &execution.State{}
		err := (*storedFault)(row).addTo(s)
		faults = append(faults, s.Faults[row.FaultID])
		return err
	})
	return faults, err
}
