package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// executionsCmd groups what concerns runs.
type executionsCmd struct {
	List     executionsList     `cmd:"" help:"Print runs, those first heard of last first."`
	Active   executionsActive   `cmd:"" help:"Print the runs that have not ended."`
	Show     executionsShow     `cmd:"" help:"Print everything that is known of a run itself."`
	Watch    executionsWatch    `cmd:"" help:"Show runs as they change, until they have ended; exit 0 if all passed."`
	Timeline executionsTimeline `cmd:"" help:"Print the accepted events of a run, in their order."`
	Logs     executionsLogs     `cmd:"" help:"Print log lines of a run."`

	Phases      executionsPhases      `cmd:"" help:"Print the phases of a run."`
	Steps       executionsSteps       `cmd:"" help:"Print the steps of a run."`
	Faults      executionsFaults      `cmd:"" help:"Print the faults of a run; without one, those that act now, of all runs."`
	Validations executionsValidations `cmd:"" help:"Print the validation results of a run."`
	Snapshots   executionsSnapshots   `cmd:"" help:"Print the system snapshots of a run."`
	Snapshot    snapshotCmd           `cmd:"" help:"Look at one system snapshot, or compare two."`
	Annotations executionsAnnotations `cmd:"" help:"Print the notes on a run, oldest first."`
	Explain     executionsExplain     `cmd:"" help:"Say why a run has its status: which events decided, and where they came from."`
	Find        executionsFind        `cmd:"" help:"Print the runs that carry a correlation id."`

	Request  executionsRequest  `cmd:"" help:"Ask for a run; the coordinator is told if the scenario may run now."`
	Cancel   executionsCancel   `cmd:"" help:"Ask the coordinator to end a run."`
	Annotate executionsAnnotate `cmd:"" help:"Add a note to a run."`
	Pin      executionsPin      `cmd:"" help:"Keep a run from being pruned."`
	Unpin    executionsUnpin    `cmd:"" help:"Let a run be pruned again."`
}

type executionsList struct {
	apiFlags
	listing
	Execution   string   `placeholder:"ID" help:"Only runs of this execution id, newest run first."`
	Scenario    string   `placeholder:"ID" help:"Only runs of this scenario."`
	Status      []string `values:"pending,running,paused,passed,failed,error,cancelled,timeout,interrupted" placeholder:"STATUS" help:"Only runs of these statuses, comma-separated."`
	Environment string   `placeholder:"NAME" help:"Only runs in this environment."`
	Group       string   `placeholder:"ID" help:"Only runs of this group."`
	Since       when     `placeholder:"TIME" help:"Only runs first heard of at this time or later: 2026-11-27T01:02:03Z, 2026-11-27, or 2h for two hours ago."`
	Until       when     `placeholder:"TIME" help:"Only runs first heard of before this time."`
	Pinned      bool     `help:"Only pinned runs."`
}

// Run prints runs.
func (c *executionsList) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := list(ctx, api, c.listing, api.executions.ListExecutions, &contract.ListExecutionsRequest{
		ExecutionId: c.Execution, ScenarioId: c.Scenario, Statuses: c.Status, Environment: c.Environment, GroupId: c.Group,
		CreatedFrom: c.Since.message(), CreatedUntil: c.Until.message(), Pinned: c.Pinned,
	})
	if err != nil {
		return err
	}
	return c.printList(term, answer, runHeading, runRows(answer.GetExecutions()))
}

var runHeading = []string{"RUN", "STATUS", "SCENARIO", "ENVIRONMENT", "FIRST HEARD OF", "TOOK", "PASSED", "FAILED", "FAULTS", "MESSAGE"}

// runRows are runs in a table.
func runRows(runs []*contract.Execution) [][]string {
	rows := make([][]string, len(runs))
	for i, r := range runs {
		said := r.GetErrorMessage()
		if said == "" {
			said = r.GetMessage()
		}
		counts := r.GetCounts()
		rows[i] = []string{
			runText(r.GetExecutionId(), r.GetRun()), r.GetStatus(), r.GetScenarioId(), r.GetEnvironment(), at(r.GetCreatedAt()), between(r.GetStartedAt(), r.GetEndedAt()),
			some(counts.GetValidationsPassed()), some(counts.GetValidationsFailed()), some(counts.GetFaultsActive()), cut(said),
		}
	}
	return rows
}

type executionsActive struct {
	apiFlags
	listing
}

// Run prints active runs.
func (c *executionsActive) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := list(ctx, api, c.listing, api.executions.ListActiveExecutions, &contract.ListActiveExecutionsRequest{})
	if err != nil {
		return err
	}
	rows := make([][]string, len(answer.GetExecutions()))
	for i, r := range answer.GetExecutions() {
		rows[i] = []string{
			runText(r.GetExecutionId(), r.GetRun()), r.GetStatus(), percent(r.Progress), r.GetCurrentPhase(), r.GetScenarioId(), r.GetEnvironment(),
			at(r.GetStartedAt()), at(r.GetLastEventAt()), some(r.GetCounts().GetFaultsActive()), cut(r.GetMessage()),
		}
	}
	return c.printList(term, answer, []string{"RUN", "STATUS", "DONE", "PHASE", "SCENARIO", "ENVIRONMENT", "STARTED AT", "LAST EVENT", "FAULTS", "MESSAGE"}, rows)
}

type executionsShow struct {
	apiFlags
	Execution runName `arg:"" name:"execution[/run]" help:"The run; the latest of the execution if no run is given."`
}

// Run prints a run.
func (c *executionsShow) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := call(ctx, api, api.executions.GetExecution, &contract.GetExecutionRequest{ExecutionId: c.Execution.ID, Run: c.Execution.Number})
	if err != nil {
		return err
	}
	return c.print(term, answer, func() error { return printExecution(term, answer) })
}

// removal says what retention has removed of a run; empty for nothing.
func removal(gone *contract.RemovedData) string {
	if gone == nil {
		return ""
	}
	return fmt.Sprintf("%s, last by the retention policy %s on %s", strings.Join(gone.GetKinds(), ", "), gone.GetPolicy(), at(gone.GetRemovedAt()))
}

func printExecution(term console, answer *contract.GetExecutionResponse) error {
	r, d := answer.GetExecution(), answer.GetDetails()
	interrupted := r.GetInterruptCause()
	if r.GetSupersededBy() > 0 {
		interrupted += fmt.Sprintf(" by run %d", r.GetSupersededBy())
	}
	exitCode := ""
	if r.ExitCode != nil {
		exitCode = strconv.Itoa(int(r.GetExitCode()))
	}
	rows := [][]string{
		{"status", r.GetStatus()},
		{"reported outcome", r.GetReportedOutcome()},
		{"interrupted", interrupted},
		{"error", r.GetErrorMessage()},
		{"exit code", exitCode},
		{"message", r.GetMessage()},
		{"progress", percent(r.Progress)},
		{"current phase", r.GetCurrentPhase()},
		{"scenario", r.GetScenarioId()},
		{"scenario version", r.GetScenarioVersion()},
		{"environment", r.GetEnvironment()},
		{"coordinator", r.GetCoordinatorId()},
		{"triggered by", joined(" ", r.GetTrigger().GetType(), r.GetTrigger().GetActor(), r.GetTrigger().GetUri())},
		{"group", r.GetGroupId()},
		{"attempt", some(r.GetAttempt())},
		{"dry run", yes(r.GetDryRun())},
		{"pinned", yes(r.GetPinned())},
		{"requested at", at(r.GetRequestedAt())},
		{"started at", at(r.GetStartedAt())},
		{"cancel requested at", at(r.GetCancelRequestedAt())},
		{"ended at", at(r.GetEndedAt())},
		{"took", between(r.GetStartedAt(), r.GetEndedAt())},
		{"deadline", at(r.GetDeadline())},
		{"last event at", at(r.GetLastEventAt())},
		{"first heard of", at(r.GetCreatedAt())},
		{"run id", r.GetRunId()},
		{"version", some(r.GetVersion())},
	}
	c := r.GetCounts()
	rows = append(rows,
		[]string{"has", fmt.Sprintf("%d events, %d log lines, %d phases, %d snapshots", c.GetEvents(), c.GetLogLines(), c.GetPhases(), c.GetSnapshots())},
		[]string{"steps", fmt.Sprintf("%d, %d of them failed", c.GetSteps(), c.GetStepsFailed())},
		[]string{"faults", fmt.Sprintf("%d, %d of them active", c.GetFaults(), c.GetFaultsActive())},
		[]string{"removed", removal(answer.GetRemoved())},
		[]string{"validations", fmt.Sprintf("%d passed, %d failed, %d skipped, %d in error", c.GetValidationsPassed(), c.GetValidationsFailed(), c.GetValidationsSkipped(), c.GetValidationsError())},
	)
	for _, name := range sortedKeys(d.GetLabels()) {
		rows = append(rows, []string{"label " + name, d.GetLabels()[name]})
	}
	rows = append(rows,
		[]string{"parameters", inline(d.GetParameters())},
		[]string{"configuration", inline(d.GetConfigurationSnapshot())},
		[]string{"system state", inline(d.GetSystemState())},
		[]string{"summary", inline(d.GetSummary())},
	)
	return term.fields("run", runText(r.GetExecutionId(), r.GetRun()), rows...)
}

type executionsTimeline struct {
	apiFlags
	listing
	Execution  runName `arg:"" name:"execution[/run]" help:"The run; the latest of the execution if no run is given."`
	Descending bool    `help:"Newest first."`
}

// Run prints events.
func (c *executionsTimeline) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := list(ctx, api, c.listing, api.executions.GetTimeline, &contract.GetTimelineRequest{ExecutionId: c.Execution.ID, Run: c.Execution.Number, Descending: c.Descending})
	if err != nil {
		return err
	}
	rows := make([][]string, len(answer.GetEvents()))
	for i, e := range answer.GetEvents() {
		rows[i] = append(eventCells(e), flagsOf(e), cut(inline(e.GetData())))
	}
	return c.printList(term, answer, append(eventHeading(), "FLAGS", "DATA"), rows)
}

type executionsExplain struct {
	apiFlags
	Execution runName `arg:"" name:"execution[/run]" help:"The run; the latest of the execution if no run is given."`
	AsOf      when    `placeholder:"TIME" help:"Consider only what had been accepted by this time: 2026-11-27T01:02:03Z, 2026-11-27, or 2h for two hours ago."`
}

// Run explains a status.
func (c *executionsExplain) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := call(ctx, api, api.executions.ExplainExecution, &contract.ExplainExecutionRequest{ExecutionId: c.Execution.ID, Run: c.Execution.Number, AsOf: c.AsOf.message()})
	if err != nil {
		return err
	}
	return c.print(term, answer, func() error {
		fmt.Fprintln(term.out, term.status(answer.GetStatus()))
		for _, d := range answer.GetDecisions() {
			fmt.Fprintf(term.out, "\n%s: %s\n  %s\n", d.GetTopic(), escaped(d.GetValue()), escaped(d.GetReason()))
			if err := printEvents(term, "", d.GetEvents()); err != nil {
				return err
			}
		}
		if err := printEvents(term, fmt.Sprintf("came after the end and changed nothing (%d)", answer.GetLateCount()), answer.GetLate()); err != nil {
			return err
		}
		return printEvents(term, fmt.Sprintf("said otherwise and changed nothing (%d)", answer.GetConflictingCount()), answer.GetConflicting())
	})
}

// printEvents prints events under a title, if there are any.
func printEvents(term console, title string, events []*contract.TimelineEvent) error {
	if len(events) == 0 {
		return nil
	}
	if title != "" {
		fmt.Fprintf(term.out, "\n%s:\n", title)
	}
	rows := make([][]string, len(events))
	for i, e := range events {
		rows[i] = eventCells(e)
	}
	return term.table(eventHeading(), rows)
}

type executionsFind struct {
	apiFlags
	Correlation string `arg:"" help:"The correlation id."`
}

// Run prints runs.
func (c *executionsFind) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := call(ctx, api, api.executions.FindByCorrelation, &contract.FindByCorrelationRequest{CorrelationId: c.Correlation})
	if err != nil {
		return err
	}
	return c.print(term, answer, func() error {
		if answer.GetTruncated() {
			fmt.Fprintln(term.err, "there are more than are shown")
		}
		return term.table(runHeading, runRows(answer.GetExecutions()))
	})
}
