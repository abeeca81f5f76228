package pgstore

import (
	"context"
	"crypto/sha256"
	"math"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// saveParts writes the merged parts of the folded states: those that LoadParts
// has found are changed, all others copied, at a third of the cost.
func (tx *Tx) saveParts(ctx context.Context, states []*execution.State) error {
	var phases partRows[dbsqlc.InsertPhasesParams]
	var steps partRows[dbsqlc.InsertStepsParams]
	var faults partRows[dbsqlc.InsertFaultsParams]
	var validations partRows[dbsqlc.InsertValidationsParams]
	for _, s := range states {
		for name, p := range s.Phases {
			phases.put(phaseRow(&s.Run, p), tx.wasLoaded(&s.Run, execution.PartPhase, name, 0))
		}
		for k, t := range s.Steps {
			steps.put(stepRow(&s.Run, t), tx.wasLoaded(&s.Run, execution.PartStep, k.StepID, k.Attempt))
		}
		for id, f := range s.Faults {
			faults.put(faultRow(&s.Run, f), tx.wasLoaded(&s.Run, execution.PartFault, id, 0))
		}
		for id, v := range s.Validations {
			if !v.Stored {
				validations.put(validationRow(&s.Run, v), tx.wasLoaded(&s.Run, execution.PartValidation, id, 0))
			}
		}
	}
	if err := writeParts(ctx, tx, "phases", phases, addPhaseRow, tx.queued.SavePhases, tx.queued.InsertPhases); err != nil {
		return err
	}
	if err := writeParts(ctx, tx, "steps", steps, addStepRow, tx.queued.SaveSteps, tx.queued.InsertSteps); err != nil {
		return err
	}
	if err := writeParts(ctx, tx, "faults", faults, addFaultRow, tx.queued.SaveFaults, tx.queued.InsertFaults); err != nil {
		return err
	}
	return writeParts(ctx, tx, "validations", validations, addValidationRow, tx.queued.SaveValidations, tx.queued.InsertValidations)
}

// partRows are the rows of one kind of part: new ones, and those whose part is
// stored already.
type partRows[Row any] struct{ opened, stored []Row }

func (p *partRows[Row]) put(row Row, stored bool) {
	if stored {
		p.stored = append(p.stored, row)
	} else {
		p.opened = append(p.opened, row)
	}
}

func writeParts[Row, Columns any](
	ctx context.Context, tx *Tx, kind string, rows partRows[Row],
	add func(*Columns, *Row), save func(context.Context, Columns) error, into func(context.Context, []Row) (int64, error),
) error {
	if len(rows.stored) > 0 {
		var columns Columns
		for i := range rows.stored {
			add(&columns, &rows.stored[i])
		}
		tx.pipe.doing("save " + kind)
		if err := save(ctx, columns); err != nil {
			return err
		}
	}
	return insert(ctx, tx, "insert "+kind, rows.opened, into)
}

func phaseRow(r *execution.Run, p *execution.Phase) dbsqlc.InsertPhasesParams {
	hash := sha256.Sum256([]byte(p.Name))
	return dbsqlc.InsertPhasesParams{
		Bucket: r.Bucket, ExecutionID: string(r.ID), Run: int32(r.Number), Phase: p.Name, PhaseHash: hash[:],
		Ordinal: p.Ordinal, Description: p.Description, Status: string(p.Status),
		StartedAt: nullTime(p.StartedAt), FinishedAt: nullTime(p.FinishedAt), Error: p.Error, Marks: p.Marks.Bytes(),
	}
}

func stepRow(r *execution.Run, t *execution.StepResult) dbsqlc.InsertStepsParams {
	return dbsqlc.InsertStepsParams{
		Bucket: r.Bucket, ExecutionID: string(r.ID), Run: int32(r.Number), StepID: t.StepID, Attempt: t.Attempt, Kind: string(t.Kind),
		Phase: t.Phase, Service: t.Service, Action: t.Action, Parameters: t.Parameters, Status: string(t.Status),
		StartedAt: nullTime(t.StartedAt), FinishedAt: nullTime(t.FinishedAt), DurationSeconds: seconds(t.Duration), Error: t.Error, Marks: t.Marks.Bytes(),
	}
}

func faultRow(r *execution.Run, f *execution.Fault) dbsqlc.InsertFaultsParams {
	return dbsqlc.InsertFaultsParams{
		Bucket: r.Bucket, ExecutionID: string(r.ID), Run: int32(r.Number), FaultID: f.FaultID, FaultType: f.FaultType, TargetService: f.TargetService,
		Parameters: f.Parameters, Phase: f.Phase, StepID: f.StepID, BlastRadius: f.BlastRadius, Status: string(f.Status),
		RequestedAt: nullTime(f.RequestedAt), InjectedAt: nullTime(f.InjectedAt), ClearedAt: nullTime(f.ClearedAt), RecoveredAt: nullTime(f.RecoveredAt),
		RecoverySeconds: seconds(f.RecoveryTime), Error: f.Error, ClearError: f.ClearError, Injection: nullable(string(f.Injection)), Marks: f.Marks.Bytes(),
	}
}

func validationRow(r *execution.Run, v *execution.Validation) dbsqlc.InsertValidationsParams {
	return dbsqlc.InsertValidationsParams{
		Bucket: r.Bucket, ExecutionID: string(r.ID), Run: int32(r.Number), ValidationID: v.ValidationID, OrderKey: v.Order.Bytes(),
		AssertionType: v.AssertionType, Status: string(v.Status), RecordedAt: v.RecordedAt, Phase: v.Phase, StepID: v.StepID, FaultID: v.FaultID,
		Service: v.Service, Expected: v.Expected, Actual: v.Actual, Operator: v.Operator, Threshold: v.Threshold, Unit: v.Unit,
		WithinSeconds: seconds(v.Within), ObservedAfterSeconds: seconds(v.ObservedAfter), Message: v.Message, Evidence: v.Evidence,
		SteadyState: v.SteadyState, CorrelationID: v.CorrelationID,
	}
}

// The rows as columns of arrays. The zero time, NaN, the least integer and the
// empty word stand for NULL there.

func addPhaseRow(a *dbsqlc.SavePhasesParams, r *dbsqlc.InsertPhasesParams) {
	ordinal := int32(math.MinInt32)
	if r.Ordinal != nil {
		ordinal = *r.Ordinal
	}
	a.Buckets, a.Ids, a.Runs = append(a.Buckets, r.Bucket), append(a.Ids, r.ExecutionID), append(a.Runs, r.Run)
	a.Phases, a.PhaseHashes = append(a.Phases, r.Phase), append(a.PhaseHashes, r.PhaseHash)
	a.Ordinals, a.Descriptions = append(a.Ordinals, ordinal), append(a.Descriptions, r.Description)
	a.Statuses, a.Started, a.Finished = append(a.Statuses, r.Status), append(a.Started, valueOf(r.StartedAt)), append(a.Finished, valueOf(r.FinishedAt))
	a.Errors, a.Marks = append(a.Errors, r.Error), append(a.Marks, r.Marks)
}

func addStepRow(a *dbsqlc.SaveStepsParams, r *dbsqlc.InsertStepsParams) {
	a.Buckets, a.Ids, a.Runs = append(a.Buckets, r.Bucket), append(a.Ids, r.ExecutionID), append(a.Runs, r.Run)
	a.StepIds, a.Attempts, a.Kinds = append(a.StepIds, r.StepID), append(a.Attempts, r.Attempt), append(a.Kinds, r.Kind)
	a.Phases, a.Services, a.Actions = append(a.Phases, r.Phase), append(a.Services, r.Service), append(a.Actions, r.Action)
	a.Parameters, a.Statuses = append(a.Parameters, r.Parameters), append(a.Statuses, r.Status)
	a.Started, a.Finished = append(a.Started, valueOf(r.StartedAt)), append(a.Finished, valueOf(r.FinishedAt))
	a.Durations, a.Errors, a.Marks = append(a.Durations, orNaN(r.DurationSeconds)), append(a.Errors, r.Error), append(a.Marks, r.Marks)
}

func addFaultRow(a *dbsqlc.SaveFaultsParams, r *dbsqlc.InsertFaultsParams) {
	a.Buckets, a.Ids, a.Runs = append(a.Buckets, r.Bucket), append(a.Ids, r.ExecutionID), append(a.Runs, r.Run)
	a.FaultIds, a.FaultTypes, a.TargetServices = append(a.FaultIds, r.FaultID), append(a.FaultTypes, r.FaultType), append(a.TargetServices, r.TargetService)
	a.Parameters, a.Phases, a.StepIds = append(a.Parameters, r.Parameters), append(a.Phases, r.Phase), append(a.StepIds, r.StepID)
	a.BlastRadii, a.Statuses = append(a.BlastRadii, r.BlastRadius), append(a.Statuses, r.Status)
	a.Requested, a.Injected = append(a.Requested, valueOf(r.RequestedAt)), append(a.Injected, valueOf(r.InjectedAt))
	a.Cleared, a.Recovered = append(a.Cleared, valueOf(r.ClearedAt)), append(a.Recovered, valueOf(r.RecoveredAt))
	a.Recoveries, a.Errors, a.ClearErrors = append(a.Recoveries, orNaN(r.RecoverySeconds)), append(a.Errors, r.Error), append(a.ClearErrors, r.ClearError)
	a.Injections, a.Marks = append(a.Injections, valueOf(r.Injection)), append(a.Marks, r.Marks)
}

func addValidationRow(a *dbsqlc.SaveValidationsParams, r *dbsqlc.InsertValidationsParams) {
	a.Buckets, a.Ids, a.Runs = append(a.Buckets, r.Bucket), append(a.Ids, r.ExecutionID), append(a.Runs, r.Run)
	a.ValidationIds, a.OrderKeys = append(a.ValidationIds, r.ValidationID), append(a.OrderKeys, r.OrderKey)
	a.AssertionTypes, a.Statuses, a.Recorded = append(a.AssertionTypes, r.AssertionType), append(a.Statuses, r.Status), append(a.Recorded, r.RecordedAt)
	a.Phases, a.StepIds, a.FaultIds = append(a.Phases, r.Phase), append(a.StepIds, r.StepID), append(a.FaultIds, r.FaultID)
	a.Services, a.Expected, a.Actual = append(a.Services, r.Service), append(a.Expected, r.Expected), append(a.Actual, r.Actual)
	a.Operators, a.Thresholds, a.Units = append(a.Operators, r.Operator), append(a.Thresholds, orNaN(r.Threshold)), append(a.Units, r.Unit)
	a.WithinSeconds, a.ObservedAfterSeconds = append(a.WithinSeconds, orNaN(r.WithinSeconds)), append(a.ObservedAfterSeconds, orNaN(r.ObservedAfterSeconds))
	a.Messages, a.Evidence = append(a.Messages, r.Message), append(a.Evidence, r.Evidence)
	a.SteadyStates, a.CorrelationIds = append(a.SteadyStates, r.SteadyState), append(a.CorrelationIds, r.CorrelationID)
}
