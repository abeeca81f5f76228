package pgstore

import (
	"context"
	"fmt"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// fromRows maps a page.
func fromRows[R, D any](op string, rows []R, err error, from func(*R) (D, error)) ([]D, error) {
	if err != nil {
		return nil, interpret(op, err)
	}
	out := make([]D, len(rows))
	for i := range rows {
		if out[i], err = from(&rows[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Phases is a page of the phases of a run in the order of the hashes of their
// names, behind the one with that hash.
func (s *Store) Phases(ctx context.Context, r *execution.Run, after []byte, page int) ([]*execution.Phase, error) {
	rows, err := s.q.PhasesPage(ctx, dbsqlc.PhasesPageParams{ExecutionID: string(r.ID), Run: int32(r.Number), Bucket: r.Bucket, After: append([]byte{}, after...), Page: int32(page)})
	return fromRows("read phases", rows, err, phaseFromRow)
}

// Steps is a page of the steps of a run by id and attempt, behind one.
func (s *Store) Steps(ctx context.Context, r *execution.Run, after execution.StepKey, page int) ([]*execution.StepResult, error) {
	rows, err := s.q.StepsPage(ctx, dbsqlc.StepsPageParams{ExecutionID: string(r.ID), Run: int32(r.Number), Bucket: r.Bucket, AfterID: after.StepID, AfterAttempt: after.Attempt, Page: int32(page)})
	return fromRows("read steps", rows, err, stepFromRow)
}

// Faults is a page of the faults of a run by id, behind one.
func (s *Store) Faults(ctx context.Context, r *execution.Run, after string, page int) ([]*execution.Fault, error) {
	rows, err := s.q.FaultsPage(ctx, dbsqlc.FaultsPageParams{ExecutionID: string(r.ID), Run: int32(r.Number), Bucket: r.Bucket, After: after, Page: int32(page)})
	return fromRows("read faults", rows, err, faultFromRow)
}

// Validations is a page of the validations of a run by id, behind one.
func (s *Store) Validations(ctx context.Context, r *execution.Run, after string, page int) ([]*execution.Validation, error) {
	rows, err := s.q.ValidationsPage(ctx, dbsqlc.ValidationsPageParams{ExecutionID: string(r.ID), Run: int32(r.Number), Bucket: r.Bucket, After: after, Page: int32(page)})
	return fromRows("read validations", rows, err, validationFromRow)
}

// FaultKey names a fault among those of all runs.
type FaultKey struct {
	RunKey
	FaultID string
}

// ActiveFault is a fault that acts on its target, and whose it is.
type ActiveFault struct {
	RunKey
	RunStatus   execution.Status
	Scenario    string
	Environment string
	Fault       execution.Fault // without marks
}

// ActiveFaults is a page of the faults that act on their targets, of all runs
// and those that have ended, too, by their keys and behind one.
func (s *Store) ActiveFaults(ctx context.Context, after FaultKey, page int) ([]ActiveFault, error) {
	rows, err := s.q.ActiveFaults(ctx, dbsqlc.ActiveFaultsParams{AfterID: string(after.ID), AfterRun: int32(after.Number), AfterFault: after.FaultID, Page: int32(page)})
	return fromRows("read active faults", rows, err, func(r *dbsqlc.ActiveFaultsRow) (ActiveFault, error) {
		return ActiveFault{
			RunKey: RunKey{execution.ID(r.ExecutionID), execution.RunNumber(r.Run)}, RunStatus: execution.Status(r.ExecutionStatus), Scenario: r.ScenarioID, Environment: r.Environment,
			Fault: execution.Fault{
				FaultID: r.FaultID, FaultType: r.FaultType, TargetService: r.TargetService, Parameters: r.Parameters, Phase: r.Phase, StepID: r.StepID,
				BlastRadius: r.BlastRadius, Status: execution.FaultStatus(r.FaultStatus), RequestedAt: timeOf(r.RequestedAt), InjectedAt: timeOf(r.InjectedAt),
				ClearedAt: timeOf(r.ClearedAt), RecoveredAt: timeOf(r.RecoveredAt), RecoveryTime: durationOf(r.RecoverySeconds), Error: r.Error, ClearError: r.ClearError,
			},
		}, nil
	})
}

// Snapshot is a system snapshot of a run.
type Snapshot struct {
	ID                        string
	Kind                      execution.SnapshotKind
	Service                   string
	Phase                     string
	CapturedAt                time.Time
	Health                    string
	execution.SnapshotContent // in lists empty
}

// Snapshots is a page of the snapshots of a run by id, behind one, without their
// content.
func (s *Store) Snapshots(ctx context.Context, r *execution.Run, after string, page int) ([]Snapshot, error) {
	rows, err := s.q.SnapshotsPage(ctx, dbsqlc.SnapshotsPageParams{ExecutionID: string(r.ID), Run: int32(r.Number), Bucket: r.Bucket, After: after, Page: int32(page)})
	return fromRows("read snapshots", rows, err, func(r *dbsqlc.SnapshotsPageRow) (Snapshot, error) {
		return Snapshot{ID: r.SnapshotID, Kind: execution.SnapshotKind(r.Kind), Service: r.Service, Phase: r.Phase, CapturedAt: r.CapturedAt.UTC(), Health: r.Health}, nil
	})
}

// Snapshot is one snapshot of a run with its content, or ErrNotFound.
func (s *Store) Snapshot(ctx context.Context, r *execution.Run, id string) (Snapshot, error) {
	row, err := s.q.SnapshotByID(ctx, dbsqlc.SnapshotByIDParams{ExecutionID: string(r.ID), Run: int32(r.Number), Bucket: r.Bucket, SnapshotID: id})
	if err != nil {
		return Snapshot{}, interpret("read snapshot", err)
	}
	return Snapshot{
		ID: row.SnapshotID, Kind: execution.SnapshotKind(row.Kind), Service: row.Service, Phase: row.Phase, CapturedAt: row.CapturedAt.UTC(), Health: row.Health,
		SnapshotContent: execution.SnapshotContent{State: row.State, Metrics: row.Metrics},
	}, nil
}

// Annotation is a note on a run.
type Annotation struct {
	Order  fact.Order
	At     time.Time
	Author string
	Text   string
}

// Annotations is a page of the notes of a run in their order, behind one; the
// zero order is before the first.
func (s *Store) Annotations(ctx context.Context, r *execution.Run, after fact.Order, page int) ([]Annotation, error) {
	from := after.Bytes()
	if after.IsZero() {
		from = []byte{}
	}
	rows, err := s.q.AnnotationsPage(ctx, dbsqlc.AnnotationsPageParams{ExecutionID: string(r.ID), Run: int32(r.Number), Bucket: r.Bucket, After: from, Page: int32(page)})
	return fromRows("read annotations", rows, err, func(row *dbsqlc.AnnotationsPageRow) (Annotation, error) {
		order, err := orderOf(row.OrderKey)
		if err != nil {
			return Annotation{}, fmt.Errorf("read an annotation of %s/%d: %w", r.ID, r.Number, err)
		}
		return Annotation{Order: order, At: row.AnnotatedAt.UTC(), Author: row.Author, Text: row.Text}, nil
	})
}
