package checker

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// answer is the run as the API must tell it.
func (f *folded) answer(id string, run int64) *contract.Execution {
	r := f.run
	m := &contract.Execution{
		ExecutionId: id, Run: int32(run), RunId: r.text("run_id"), Status: r.text("status"), ReportedOutcome: r.text("reported_outcome"), //nolint:gosec // the number of a run
		ScenarioId: r.text("scenario_id"), ScenarioVersion: r.text("scenario_version"), Environment: r.text("environment"), CoordinatorId: r.text("coordinator_id"),
		GroupId: r.text("group_id"), Attempt: r.small("attempt"), DryRun: r.flag("dry_run"), RequestedAt: r.moment("requested_at"), StartedAt: r.moment("started_at"),
		EndedAt: r.moment("ended_at"), Deadline: r.moment("deadline"), LastEventAt: r.moment("last_event_at"), Message: r.text("message"),
		CurrentPhase: r.text("current_phase"), ErrorMessage: r.text("error_message"), CancelRequestedAt: r.moment("cancel_requested_at"), Pinned: r.flag("pinned"),
		Counts: &contract.ExecutionCounts{
			Events: r.number("events"), LogLines: r.number("log_lines"), Snapshots: r.small("snapshots"), Phases: r.small("phases_total"), Steps: r.small("steps_total"),
			StepsFailed: r.small("steps_failed"), Faults: r.small("faults_total"), FaultsActive: r.small("faults_active"), ValidationsPassed: r.small("validations_passed"),
			ValidationsFailed: r.small("validations_failed"), ValidationsSkipped: r.small("validations_skipped"), ValidationsError: r.small("validations_error"),
		},
	}
	if r.text("trigger_type")+r.text("trigger_actor")+r.text("trigger_uri") != "" {
		m.Trigger = &contract.Trigger{Type: r.text("trigger_type"), Actor: r.text("trigger_actor"), Uri: r.text("trigger_uri")}
	}
	if progress, ok := r["progress"].(float64); ok {
		m.Progress = &progress
	}
	if _, ok := r["exit_code"].(int64); ok {
		m.ExitCode = new(r.small("exit_code"))
	}
	if m.GetStatus() == "interrupted" {
		m.InterruptCause, m.SupersededBy = r.text("interrupt_cause"), r.small("superseded_by")
	}
	return m
}

// small is a number that the API gives as int32.
func (r Row) small(column string) int32 { return int32(r.number(column)) } //nolint:gosec // a count of what one run has

// moment is a time as rows keep it: to the microsecond.
func (r Row) moment(column string) *timestamppb.Timestamp {
	at, ok := r[column].(time.Time)
	if !ok {
		return nil
	}
	return timestamppb.New(at.Truncate(time.Microsecond))
}
