package main

import (
	"context"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// partsOf is in every command that prints what a run consists of.
type partsOf struct {
	apiFlags
	listing
	Execution runName `arg:"" name:"execution[/run]" help:"The run; the latest of the execution if no run is given."`
}

type executionsPhases struct{ partsOf }

// Run prints phases.
func (c *executionsPhases) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := list(ctx, api, c.listing, api.executions.ListPhases, &contract.ListPhasesRequest{ExecutionId: c.Execution.ID, Run: c.Execution.Number})
	if err != nil {
		return err
	}
	rows := make([][]string, len(answer.GetPhases()))
	for i, p := range answer.GetPhases() {
		rows[i] = []string{some(p.GetOrdinal()), p.GetPhase(), p.GetStatus(), at(p.GetStartedAt()), between(p.GetStartedAt(), p.GetFinishedAt()), cut(joined(": ", p.GetDescription(), p.GetError()))}
	}
	return c.printList(term, answer, []string{"NO", "PHASE", "STATUS", "STARTED AT", "TOOK", "ABOUT"}, rows)
}

type executionsSteps struct{ partsOf }

// Run prints steps.
func (c *executionsSteps) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := list(ctx, api, c.listing, api.executions.ListSteps, &contract.ListStepsRequest{ExecutionId: c.Execution.ID, Run: c.Execution.Number})
	if err != nil {
		return err
	}
	rows := make([][]string, len(answer.GetSteps()))
	for i, s := range answer.GetSteps() {
		took := spent(s.GetDuration())
		if took == "" {
			took = between(s.GetStartedAt(), s.GetFinishedAt())
		}
		rows[i] = []string{s.GetStepId(), some(s.GetAttempt()), s.GetKind(), s.GetStatus(), s.GetPhase(), s.GetService(), s.GetAction(), at(s.GetStartedAt()), took, cut(s.GetError())}
	}
	return c.printList(term, answer, []string{"STEP", "ATTEMPT", "KIND", "STATUS", "PHASE", "SERVICE", "ACTION", "STARTED AT", "TOOK", "ERROR"}, rows)
}

type executionsFaults struct {
	apiFlags
	listing
	Execution *runName `arg:"" optional:"" name:"execution[/run]" help:"The run; the latest of the execution if no run is given; none for the active faults of all runs."`
	Orphaned  bool     `help:"Of the active faults of all runs, only those whose run has ended: nobody will clear them."`
}

// Run prints faults.
func (c *executionsFaults) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	if c.Execution == nil {
		answer, err := list(ctx, api, c.listing, api.executions.ListActiveFaults, &contract.ListActiveFaultsRequest{Orphaned: c.Orphaned})
		if err != nil {
			return err
		}
		rows := make([][]string, len(answer.GetFaults()))
		for i, a := range answer.GetFaults() {
			f := a.GetFault()
			rows[i] = []string{
				runText(a.GetExecutionId(), a.GetRun()), a.GetExecutionStatus(), a.GetEnvironment(), f.GetFaultId(), f.GetFaultType(), f.GetTargetService(), at(f.GetInjectedAt()), f.GetBlastRadius(), cut(f.GetClearError()),
			}
		}
		return c.printList(term, answer, []string{"RUN", "STATUS", "ENVIRONMENT", "FAULT", "TYPE", "TARGET", "INJECTED AT", "BLAST RADIUS", "CLEAR ERROR"}, rows)
	}
	answer, err := list(ctx, api, c.listing, api.executions.ListFaults, &contract.ListFaultsRequest{ExecutionId: c.Execution.ID, Run: c.Execution.Number})
	if err != nil {
		return err
	}
	rows := make([][]string, len(answer.GetFaults()))
	for i, f := range answer.GetFaults() {
		rows[i] = []string{
			f.GetFaultId(), f.GetFaultType(), f.GetTargetService(), f.GetStatus(), yes(f.GetActive()), f.GetPhase(), at(f.GetInjectedAt()), at(f.GetClearedAt()), at(f.GetRecoveredAt()), spent(f.GetRecoveryTime()),
			cut(joined("; ", f.GetError(), f.GetClearError())),
		}
	}
	return c.printList(term, answer, []string{"FAULT", "TYPE", "TARGET", "STATUS", "ACTIVE", "PHASE", "INJECTED AT", "CLEARED AT", "RECOVERED AT", "RECOVERY", "ERROR"}, rows)
}

type executionsValidations struct{ partsOf }

// Run prints validation results.
func (c *executionsValidations) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := list(ctx, api, c.listing, api.executions.ListValidations, &contract.ListValidationsRequest{ExecutionId: c.Execution.ID, Run: c.Execution.Number})
	if err != nil {
		return err
	}
	rows := make([][]string, len(answer.GetValidations()))
	for i, v := range answer.GetValidations() {
		rows[i] = []string{
			v.GetValidationId(), v.GetStatus(), v.GetAssertionType(), v.GetService(), v.GetPhase(), cut(v.GetExpected()), v.GetOperator(), joined(" ", figure(v.Threshold), v.GetUnit()), cut(v.GetActual()), spent(v.GetWithin()),
			at(v.GetRecordedAt()), cut(v.GetMessage()),
		}
	}
	return c.printList(term, answer, []string{"VALIDATION", "STATUS", "TYPE", "SERVICE", "PHASE", "EXPECTED", "OPERATOR", "THRESHOLD", "ACTUAL", "WITHIN", "RECORDED AT", "MESSAGE"}, rows)
}

type executionsAnnotations struct{ partsOf }

// Run prints notes.
func (c *executionsAnnotations) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := list(ctx, api, c.listing, api.executions.ListAnnotations, &contract.ListAnnotationsRequest{ExecutionId: c.Execution.ID, Run: c.Execution.Number})
	if err != nil {
		return err
	}
	rows := make([][]string, len(answer.GetAnnotations()))
	for i, a := range answer.GetAnnotations() {
		rows[i] = []string{at(a.GetTime()), a.GetAuthor(), a.GetText()}
	}
	return c.printList(term, answer, []string{"TIME", "AUTHOR", "NOTE"}, rows)
}

type executionsSnapshots struct{ partsOf }

// Run prints snapshots.
func (c *executionsSnapshots) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := list(ctx, api, c.listing, api.executions.ListSnapshots, &contract.ListSnapshotsRequest{ExecutionId: c.Execution.ID, Run: c.Execution.Number})
	if err != nil {
		return err
	}
	rows := make([][]string, len(answer.GetSnapshots()))
	for i, s := range answer.GetSnapshots() {
		rows[i] = []string{s.GetSnapshotId(), s.GetKind(), s.GetService(), s.GetPhase(), s.GetHealth(), at(s.GetCapturedAt())}
	}
	return c.printList(term, answer, []string{"SNAPSHOT", "KIND", "SERVICE", "PHASE", "HEALTH", "CAPTURED AT"}, rows)
}
