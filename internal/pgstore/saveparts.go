package pgstore

import (
	"context"
	"math"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// saveParts writes the merged parts of the folded states.
func (tx *Tx) saveParts(ctx context.Context, states []*execution.State) error {
	var (
		phases      dbsqlc.SavePhasesParams
		faults      dbsqlc.SaveFaultsParams
		steps       dbsqlc.SaveStepsParams
		validations dbsqlc.SaveValidationsParams
	)
	for _, s := range states {
		r := &s.Run
		for _, p := range s.Phases {
			addPhaseRow(&phases, r, p)
		}
		for _, f := range s.Faults {
			addFaultRow(&faults, r, f)
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
	if len(phases.Ids) > 0 {
		tx.pipe.doing("save phases")
		if err := tx.queued.SavePhases(ctx, phases); err != nil {
			return err
		}
	}
	if len(faults.Ids) > 0 {
		tx.pipe.doing("save faults")
		if err := tx.queued.SaveFaults(ctx, faults); err != nil {
			return err
		}
	}
	if len(steps.Ids) > 0 {
		tx.pipe.doing("save steps")
		if err := tx.queued.SaveSteps(ctx, steps); err != nil {
			return err
		}
	}
	if len(validations.Ids) > 0 {
		tx.pipe.doing("save validations")
		return tx.queued.SaveValidations(ctx, validations)
	}
	return nil
}

func addPhaseRow(a *dbsqlc.SavePhasesParams, r *execution.Run, p *execution.Phase) {
	ordinal := int32(math.MinInt32)
	if p.Ordinal != nil {
		ordinal = *p.Ordinal
	}
	a.Buckets, a.Ids, a.Runs = append(a.Buckets, r.Bucket), append(a.Ids, string(r.ID)), append(a.Runs, int32(r.Number))
	a.Phases, a.Ordinals, a.Descriptions = append(a.Phases, p.Name), append(a.Ordinals, ordinal), append(a.Descriptions, p.Description)
	a.Statuses, a.Started, a.Finished = append(a.Statuses, string(p.Status)), append(a.Started, p.StartedAt), append(a.Finished, p.FinishedAt)
	a.Errors, a.Marks = append(a.Errors, p.Error), append(a.Marks, p.Marks.Bytes())
}

func addFaultRow(a *dbsqlc.SaveFaultsParams, r *execution.Run, f *execution.Fault) {
	a.Buckets, a.Ids, a.Runs = append(a.Buckets, r.Bucket), append(a.Ids, string(r.ID)), append(a.Runs, int32(r.Number))
	a.FaultIds, a.FaultTypes, a.TargetServices = append(a.FaultIds, f.FaultID), append(a.FaultTypes, f.FaultType), append(a.TargetServices, f.TargetService)
	a.Parameters, a.Phases, a.StepIds = append(a.Parameters, f.Parameters), append(a.Phases, f.Phase), append(a.StepIds, f.StepID)
	a.BlastRadii, a.Statuses = append(a.BlastRadii, f.BlastRadius), append(a.Statuses, string(f.Status))
	a.Requested, a.Injected = append(a.Requested, f.RequestedAt), append(a.Injected, f.InjectedAt)
	a.Cleared, a.Recovered = append(a.Cleared, f.ClearedAt), append(a.Recovered, f.RecoveredAt)
	a.Recoveries, a.Errors, a.ClearErrors = append(a.Recoveries, orNaN(seconds(f.RecoveryTime))), append(a.Errors, f.Error), append(a.ClearErrors, f.ClearError)
	a.Injections, a.Marks = append(a.Injections, string(f.Injection)), append(a.Marks, f.Marks.Bytes())
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
