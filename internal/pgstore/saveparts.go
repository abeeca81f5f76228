package pgstore

import (
	"context"
	"crypto/sha256"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// saveParts writes the merged parts of the folded states. Those that LoadParts
// has not found are new.
func (tx *Tx) saveParts(ctx context.Context, states []*execution.State) error {
	for _, save := range []func(context.Context, []*execution.State) error{tx.savePhases, tx.saveSteps, tx.saveFaults, tx.saveValidations} {
		if err := save(ctx, states); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) savePhases(ctx context.Context, states []*execution.State) error {
	var opened []dbsqlc.InsertPhasesParams
	var changed []dbsqlc.SavePhaseParams
	for _, s := range states {
		for _, p := range s.Phases {
			hash := sha256.Sum256([]byte(p.Name))
			row := dbsqlc.InsertPhasesParams{
				Bucket: s.Run.Bucket, ExecutionID: string(s.Run.ID), Run: int32(s.Run.Number), Phase: p.Name, PhaseHash: hash[:],
				Ordinal: p.Ordinal, Description: p.Description, Status: string(p.Status),
				StartedAt: nullTime(p.StartedAt), FinishedAt: nullTime(p.FinishedAt), Error: p.Error, Marks: p.Marks.Bytes(),
			}
			if tx.found[Touch{State: s, Part: execution.PartPhase, ID: p.Name}] {
				changed = append(changed, dbsqlc.SavePhaseParams(row))
			} else {
				opened = append(opened, row)
			}
		}
	}
	if len(changed) > 0 {
		tx.pipe.doing("save phases")
		tx.queued.SavePhase(ctx, changed).Exec(nil)
	}
	return insert(ctx, tx, "insert phases", opened, tx.queued.InsertPhases)
}

func (tx *Tx) saveSteps(ctx context.Context, states []*execution.State) error {
	var opened []dbsqlc.InsertStepsParams
	var changed []dbsqlc.SaveStepParams
	for _, s := range states {
		for k, t := range s.Steps {
			row := dbsqlc.InsertStepsParams{
				Bucket: s.Run.Bucket, ExecutionID: string(s.Run.ID), Run: int32(s.Run.Number), StepID: t.StepID, Attempt: t.Attempt, Kind: string(t.Kind),
				Phase: t.Phase, Service: t.Service, Action: t.Action, Parameters: t.Parameters, Status: string(t.Status),
				StartedAt: nullTime(t.StartedAt), FinishedAt: nullTime(t.FinishedAt), DurationSeconds: seconds(t.Duration), Error: t.Error, Marks: t.Marks.Bytes(),
			}
			if tx.found[Touch{State: s, Part: execution.PartStep, ID: k.StepID, Attempt: k.Attempt}] {
				changed = append(changed, dbsqlc.SaveStepParams(row))
			} else {
				opened = append(opened, row)
			}
		}
	}
	if len(changed) > 0 {
		tx.pipe.doing("save steps")
		tx.queued.SaveStep(ctx, changed).Exec(nil)
	}
	return insert(ctx, tx, "insert steps", opened, tx.queued.InsertSteps)
}

func (tx *Tx) saveFaults(ctx context.Context, states []*execution.State) error {
	var opened []dbsqlc.InsertFaultsParams
	var changed []dbsqlc.SaveFaultParams
	for _, s := range states {
		for id, f := range s.Faults {
			row := dbsqlc.InsertFaultsParams{
				Bucket: s.Run.Bucket, ExecutionID: string(s.Run.ID), Run: int32(s.Run.Number), FaultID: f.FaultID, FaultType: f.FaultType,
				TargetService: f.TargetService, Parameters: f.Parameters, Phase: f.Phase, StepID: f.StepID, BlastRadius: f.BlastRadius, Status: string(f.Status),
				RequestedAt: nullTime(f.RequestedAt), InjectedAt: nullTime(f.InjectedAt), ClearedAt: nullTime(f.ClearedAt), RecoveredAt: nullTime(f.RecoveredAt),
				RecoverySeconds: seconds(f.RecoveryTime), Error: f.Error, ClearError: f.ClearError,
				Injection: nullable(string(f.Injection)), Marks: f.Marks.Bytes(),
			}
			if tx.found[Touch{State: s, Part: execution.PartFault, ID: id}] {
				changed = append(changed, dbsqlc.SaveFaultParams(row))
			} else {
				opened = append(opened, row)
			}
		}
	}
	if len(changed) > 0 {
		tx.pipe.doing("save faults")
		tx.queued.SaveFault(ctx, changed).Exec(nil)
	}
	return insert(ctx, tx, "insert faults", opened, tx.queued.InsertFaults)
}

func (tx *Tx) saveValidations(ctx context.Context, states []*execution.State) error {
	var opened []dbsqlc.InsertValidationsParams
	var changed []dbsqlc.SaveValidationParams
	for _, s := range states {
		for id, v := range s.Validations {
			if v.Stored {
				continue
			}
			row := dbsqlc.InsertValidationsParams{
				Bucket: s.Run.Bucket, ExecutionID: string(s.Run.ID), Run: int32(s.Run.Number), ValidationID: v.ValidationID, OrderKey: v.Order.Bytes(),
				AssertionType: v.AssertionType, Status: string(v.Status), RecordedAt: v.RecordedAt,
				Phase: v.Phase, StepID: v.StepID, FaultID: v.FaultID, Service: v.Service, Expected: v.Expected, Actual: v.Actual,
				Operator: v.Operator, Threshold: v.Threshold, Unit: v.Unit, WithinSeconds: seconds(v.Within), ObservedAfterSeconds: seconds(v.ObservedAfter),
				Message: v.Message, Evidence: v.Evidence, SteadyState: v.SteadyState, CorrelationID: v.CorrelationID,
			}
			if tx.found[Touch{State: s, Part: execution.PartValidation, ID: id}] {
				changed = append(changed, dbsqlc.SaveValidationParams(row))
			} else {
				opened = append(opened, row)
			}
		}
	}
	if len(changed) > 0 {
		tx.pipe.doing("save validations")
		tx.queued.SaveValidation(ctx, changed).Exec(nil)
	}
	return insert(ctx, tx, "insert validations", opened, tx.queued.InsertValidations)
}
