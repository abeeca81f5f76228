package pgstore

import (
	"context"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// saveParts writes the merged parts of the folded states.
func (tx *Tx) saveParts(ctx context.Context, states []*execution.State) error {
	var (
		phases      []dbsqlc.SavePhaseParams
		faults      []dbsqlc.SaveFaultParams
		steps       dbsqlc.SaveStepsParams
		validations dbsqlc.SaveValidationsParams
	)
	for _, s := range states {
		r := &s.Run
		for _, p := range s.Phases {
			phases = append(phases, dbsqlc.SavePhaseParams{
				Bucket: r.Bucket, ExecutionID: string(r.ID), Run: int32(r.Number), Phase: p.Name, Ordinal: p.Ordinal, Description: p.Description,
				Status: string(p.Status), StartedAt: nullTime(p.StartedAt), FinishedAt: nullTime(p.FinishedAt), Error: p.Error, Marks: p.Marks.Bytes(),
			})
		}
		for _, f := range s.Faults {
			faults = append(faults, dbsqlc.SaveFaultParams{
				Bucket: r.Bucket, ExecutionID: string(r.ID), Run: int32(r.Number), FaultID: f.FaultID, FaultType: f.FaultType,
				TargetService: f.TargetService, Parameters: f.Parameters, Phase: f.Phase, StepID: f.StepID, BlastRadius: f.BlastRadius,
				Status: string(f.Status), RequestedAt: nullTime(f.RequestedAt), InjectedAt: nullTime(f.InjectedAt), ClearedAt: nullTime(f.ClearedAt),
				RecoveredAt: nullTime(f.RecoveredAt), RecoverySeconds: seconds(f.RecoveryTime), Error: f.Error, ClearError: f.ClearError,
				Injection: nullable(string(f.Injection)), Marks: f.Marks.Bytes(),
			})
		}
		for _, t := range s.Steps {
			addStepRow(&steps, r, t)
		}
		for _, v := range s.Validations {
			if !v.Stored {
				addValidationRow(&validations, r, v)
			}
		}
	}
	if len(phases) > 0 {
		tx.writes.doing("save phases")
		tx.queued.SavePhase(ctx, phases).Exec(nil)
	}
	if len(faults) > 0 {
		tx.writes.doing("save faults")
		tx.queued.SaveFault(ctx, faults).Exec(nil)
	}
	if len(steps.Ids) > 0 {
		tx.writes.doing("save steps")
		if err := tx.queued.SaveSteps(ctx, steps); err != nil {
			return err
		}
	}
	if len(validations.Ids) > 0 {
		tx.writes.doing("save validations")
		return tx.queued.SaveValidations(ctx, validations)
	}
	return nil
}

func addStepRow(a *dbsqlc.SaveStepsParams, r *execution.Run, t *execution.StepResult) {
	a.Buckets, a.Ids, a.Runs = append(a.Buckets, r.Bucket), append(a.Ids, string(r.ID)), append(a.Runs, int32(r.Number))
	a.StepIds, a.Attempts, a.Kinds = append(a.StepIds, t.StepID), append(a.Attempts, t.Attempt), append(a.Kinds, string(t.Kind))
	a.Phases, a.Services, a.Actions = append(a.Phases, t.Phase), append(a.Services, t.Service), append(a.Actions, t.Action)
	a.Parameters, a.Statuses = append(a.Parameters, t.Parameters), append(a.Statuses, string(t.Status))
	a.Started, a.Finished = append(a.Started, t.StartedAt), append(a.Finished, t.FinishedAt)
	a.Durations, a.Errors, a.Marks = append(a.Durations, orNaN(seconds(t.Duration))), append(a.Errors, t.Error), append(a.Marks, t.Marks.Bytes())
}

func addValidationRow(a *dbsqlc.SaveValidationsParams, r *execution.Run, v *execution.Validation) {
	a.Buckets, a.Ids, a.Runs = append(a.Buckets, r.Bucket), append(a.Ids, string(r.ID)), append(a.Runs, int32(r.Number))
	a.ValidationIds, a.OrderKeys = append(a.ValidationIds, v.ValidationID), append(a.OrderKeys, v.Order.Bytes())
	a.AssertionTypes, a.Statuses, a.Recorded = append(a.AssertionTypes, v.AssertionType), append(a.Statuses, string(v.Status)), append(a.Recorded, v.RecordedAt)
	a.Phases, a.StepIds, a.FaultIds = append(a.Phases, v.Phase), append(a.StepIds, v.StepID), append(a.FaultIds, v.FaultID)
	a.Services, a.Expected, a.Actual = append(a.Services, v.Service), append(a.Expected, v.Expected), append(a.Actual, v.Actual)
	a.Operators, a.Thresholds, a.Units = append(a.Operators, v.Operator), append(a.Thresholds, orNaN(v.Threshold)), append(a.Units, v.Unit)
	a.WithinSeconds, a.ObservedAfterSeconds = append(a.WithinSeconds, orNaN(seconds(v.Within))), append(a.ObservedAfterSeconds, orNaN(seconds(v.ObservedAfter)))
	a.Messages, a.Evidence = append(a.Messages, v.Message), append(a.Evidence, v.Evidence)
	a.SteadyStates, a.CorrelationIds = append(a.SteadyStates, v.SteadyState), append(a.CorrelationIds, v.CorrelationID)
}
