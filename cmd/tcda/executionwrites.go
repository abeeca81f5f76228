package main

import (
	"context"
	"fmt"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// lockFlags are in every command that may rest on a lock.
type lockFlags struct {
	Lock lockProof `placeholder:"NAME=TOKEN" help:"A lock that must still be held, with its token."`
}

type executionsRequest struct {
	apiFlags
	writeFlags
	lockFlags
	parameterFlags
	Execution   string            `arg:"" help:"The execution id of the run."`
	Scenario    string            `arg:"" help:"The scenario that shall run."`
	Version     string            `placeholder:"VERSION" help:"Its version, as number or sha256; the current one if empty."`
	Environment string            `placeholder:"NAME" help:"Where it shall run."`
	Label       map[string]string `mapsep:"none" placeholder:"NAME=TEXT" help:"A label to find the run by. Once for each."`
	Group       string            `placeholder:"ID" help:"Runs that belong together share a group."`
	Attempt     *int32            `placeholder:"N" help:"The how-manieth attempt this is, from 1."`
	DryRun      bool              `help:"Nothing shall really be broken."`
	Actor       string            `placeholder:"NAME" help:"Who asks; you if empty."`
}

// Run asks for a run.
func (c *executionsRequest) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	parameters, err := c.message(nil)
	if err != nil {
		return err
	}
	asked := &contract.ExecutionRequested{
		ExecutionId: c.Execution, ScenarioId: c.Scenario, ScenarioVersion: c.Version, Environment: c.Environment, Parameters: parameters,
		Labels: c.Label, GroupId: c.Group, Attempt: c.Attempt, Trigger: &contract.Trigger{Type: "manual", Actor: c.Actor},
	}
	if c.Actor == "" {
		asked.Trigger.Actor = operator()
	}
	if c.DryRun {
		asked.DryRun = &c.DryRun
	}
	answer, err := call(ctx, api, api.executions.RequestExecution, &contract.RequestExecutionRequest{RequestId: c.request(), Execution: asked, Lock: c.Lock.token})
	if err != nil {
		return err
	}
	r := answer.GetExecution()
	if err := c.printWritten(term, &c.writeFlags, answer, "run %s is %s: scenario %s, version %s", runText(r.GetExecutionId(), r.GetRun()), r.GetStatus(), r.GetScenarioId(), r.GetScenarioVersion()); err != nil {
		return err
	}
	for _, f := range answer.GetFindings() {
		if f.GetWarning() {
			fmt.Fprintf(term.err, "warning: %s\n", escaped(f.GetMessage()))
		}
	}
	return nil
}

type executionsCancel struct {
	apiFlags
	writeFlags
	lockFlags
	Execution runName `arg:"" name:"execution[/run]" help:"The run; the latest of the execution if no run is given."`
	Reason    string  `placeholder:"TEXT" help:"Why, for people."`
}

// Run asks for the end of a run.
func (c *executionsCancel) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := call(ctx, api, api.executions.CancelExecution, &contract.CancelExecutionRequest{
		RequestId: c.request(), ExecutionId: c.Execution.ID, Run: c.Execution.Number, Reason: c.Reason, Lock: c.Lock.token,
	})
	if err != nil {
		return err
	}
	r := answer.GetExecution()
	return c.printWritten(term, &c.writeFlags, answer, "the coordinator is asked to end run %s, which is %s", runText(r.GetExecutionId(), r.GetRun()), r.GetStatus())
}

type executionsAnnotate struct {
	apiFlags
	writeFlags
	Execution runName `arg:"" name:"execution[/run]" help:"The run; the latest of the execution if no run is given."`
	Text      string  `arg:"" help:"The note."`
}

// Run adds a note.
func (c *executionsAnnotate) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := call(ctx, api, api.executions.AnnotateExecution, &contract.AnnotateExecutionRequest{RequestId: c.request(), ExecutionId: c.Execution.ID, Run: c.Execution.Number, Text: c.Text})
	if err != nil {
		return err
	}
	return c.printWritten(term, &c.writeFlags, answer, "noted on run %s", runText(c.Execution.ID, answer.GetAnnotation().GetRun()))
}

type executionsPin struct{ pinning }

// Run pins.
func (c *executionsPin) Run(ctx context.Context, term console) error { return c.set(ctx, term, true) }

type executionsUnpin struct{ pinning }

// Run lets go.
func (c *executionsUnpin) Run(ctx context.Context, term console) error {
	return c.set(ctx, term, false)
}

type pinning struct {
	apiFlags
	writeFlags
	Execution runName `arg:"" name:"execution[/run]" help:"The run; the latest of the execution if no run is given."`
	Reason    string  `placeholder:"TEXT" help:"Why, for people."`
}

func (c *pinning) set(ctx context.Context, term console, pinned bool) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := call(ctx, api, api.executions.PinExecution, &contract.PinExecutionRequest{
		RequestId: c.request(), ExecutionId: c.Execution.ID, Run: c.Execution.Number, Pinned: pinned, Reason: c.Reason,
	})
	if err != nil {
		return err
	}
	r, said := answer.GetExecution(), "is kept from being pruned"
	if !r.GetPinned() {
		said = "may be pruned"
	}
	return c.printWritten(term, &c.writeFlags, answer, "run %s %s", runText(r.GetExecutionId(), r.GetRun()), said)
}
