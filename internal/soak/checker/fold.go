package checker

import (
	"encoding/hex"
	"slices"
	"sort"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// anyJSON is a column that must hold this JSON.
type anyJSON struct{ value any }

// folded is what the events of a run come to: the rows that must be there.
type folded struct {
	run         Row
	details     Row // nil: none
	phases      map[string]Row
	steps       map[stepKey]Row
	started     map[stepKey]bool // by a started event
	faults      map[string]Row
	validations map[string]Row
	snapshots   map[int64]Row    // by arrival
	lines       map[[2]int64]Row // by arrival and line
	notes       map[string]Row   // by order key in hex
	end         order            // empty: not ended
}

type stepKey struct {
	id      string
	attempt int64
}

func keyOfStep(id string, attempt int32) stepKey { return stepKey{id, int64(max(attempt, 1))} }

// fold reads all events of a run once, in their order.
func fold(events []placed, owns []*own) *folded {
	sort.Slice(events, func(i, k int) bool { return events[i].order < events[k].order })
	f := &folded{
		run: emptyRun(), phases: map[string]Row{}, steps: map[stepKey]Row{}, started: map[stepKey]bool{}, faults: map[string]Row{}, validations: map[string]Row{},
		snapshots: map[int64]Row{}, lines: map[[2]int64]Row{}, notes: map[string]Row{},
	}
	for i := range events {
		f.read(&events[i])
	}
	f.count(int64(len(events)))
	f.settle(f.readOwns(owns))
	return f
}

func emptyRun() Row {
	r := Row{"lifecycle": "pending", "pinned": false}
	for _, text := range []string{
		"reported_outcome", "scenario_id", "scenario_version", "environment", "coordinator_id", "start_source", "trigger_type", "trigger_actor", "trigger_uri",
		"group_id", "message", "current_phase", "pause_reason", "error_message", "interrupt_cause",
	} {
		r[text] = ""
	}
	for _, unknown := range []string{
		"run_id", "attempt", "dry_run", "requested_at", "started_at", "ended_at", "deadline", "last_event_at", "last_heartbeat_at", "progress", "exit_code",
		"interrupt_events", "interrupted_at", "superseded_by", "end_order", "cancel_requested_at",
	} {
		r[unknown] = nil
	}
	for _, sum := range []string{
		"events", "own_events", "log_lines", "snapshots", "phases_total", "steps_total", "steps_failed", "faults_total", "faults_active",
		"validations_passed", "validations_failed", "validations_skipped", "validations_error",
	} {
		r[sum] = int64(0)
	}
	return r
}

// say sets a text that an event states; what is empty is not stated.
func (r Row) say(column, text string) {
	if text != "" {
		r[column] = text
	}
}

// sayJSON is say for JSON.
func (r Row) sayJSON(column string, m proto.Message) {
	switch m := m.(type) {
	case *structpb.Struct:
		if m != nil {
			r[column] = anyJSON{m.AsMap()}
		}
	case *structpb.Value:
		if m != nil {
			r[column] = anyJSON{m.AsInterface()}
		}
	}
}

// once sets what the first event to state it decides.
func (r Row) once(column string, value any) {
	if r[column] == nil {
		r[column] = value
	}
}

func (r Row) latest(column string, at time.Time) {
	if before, ok := r[column].(time.Time); !ok || at.After(before) {
		r[column] = at
	}
}

func (r Row) add(column string, n int64) { r[column] = r[column].(int64) + n }

func timeOf(t *timestamppb.Timestamp) any {
	if t == nil {
		return nil
	}
	return t.AsTime()
}

// secondsOf keeps microseconds, as the tables do.
func secondsOf(d *durationpb.Duration) any {
	if d == nil {
		return nil
	}
	return float64(d.AsDuration().Microseconds()) / 1e6
}

func (f *folded) read(e *placed) {
	r := f.run
	if !e.suspect {
		r.latest("last_event_at", e.when)
	}
	if e.arrival == 1 && e.runID != "" { // it opened the run
		r["run_id"] = e.runID
	}
	switch m := e.message.(type) {
	case *contract.ExecutionRequested:
		r.once("requested_at", e.when)
		f.describe(m.GetScenarioId(), m.GetScenarioVersion(), m.GetEnvironment(), m.ConfigurationSnapshot)
		if t := m.GetTrigger(); t.GetType()+t.GetActor()+t.GetUri() != "" {
			r["trigger_type"], r["trigger_actor"], r["trigger_uri"] = t.GetType(), t.GetActor(), t.GetUri()
		}
		r.say("group_id", m.GetGroupId())
		if m.Attempt != nil {
			r["attempt"] = int64(m.GetAttempt())
		}
		if m.DryRun != nil {
			r["dry_run"] = m.GetDryRun()
		}
		f.detail().sayJSON("parameters", m.Parameters)
		if len(m.GetLabels()) > 0 {
			labels := map[string]any{}
			for name, value := range m.GetLabels() {
				labels[name] = value
			}
			f.detail()["labels"] = anyJSON{labels}
		}
	case *contract.ExecutionStarted:
		if r["started_at"] == nil {
			r["started_at"], r["start_source"] = e.when, e.source
		}
		r["lifecycle"], r["pause_reason"] = "running", ""
		f.describe(m.GetScenarioId(), m.GetScenarioVersion(), m.GetEnvironment(), m.ConfigurationSnapshot)
		r.say("coordinator_id", m.GetCoordinatorId())
		if m.Deadline != nil {
			r["deadline"] = m.GetDeadline().AsTime()
		}
	case *contract.ExecutionHeartbeat:
		if !e.suspect {
			r.latest("last_heartbeat_at", e.when)
		}
		if m.Progress != nil {
			r["progress"] = m.GetProgress()
		}
		r.say("message", m.GetMessage())
		r.say("current_phase", m.GetCurrentPhase())
		f.detail().sayJSON("system_state", m.SystemState)
	case *contract.ExecutionPaused:
		r["lifecycle"], r["pause_reason"] = "paused", m.GetReason()
	case *contract.ExecutionResumed:
		r["lifecycle"], r["pause_reason"] = "running", ""
	case *contract.ExecutionFinished:
		if f.end == "" {
			f.end = e.order
			r["reported_outcome"], r["ended_at"], r["end_order"], r["error_message"] = m.GetOutcome(), e.when, []byte(e.order), m.GetErrorMessage()
			if m.ExitCode != nil {
				r["exit_code"] = int64(m.GetExitCode())
			}
			f.detail().sayJSON("summary", m.Summary)
		}
	default:
		f.part(e)
	}
}

func (f *folded) describe(scenario, version, environment string, configuration *structpb.Value) {
	f.run.say("scenario_id", scenario)
	f.run.say("scenario_version", version)
	f.run.say("environment", environment)
	f.detail().sayJSON("configuration_snapshot", configuration)
}

func (f *folded) detail() Row {
	if f.details == nil {
		f.details = Row{"labels": nil, "parameters": nil, "configuration_snapshot": nil, "system_state": nil, "summary": nil}
	}
	return f.details
}

func (f *folded) count(events int64) {
	r := f.run
	r["events"] = events
	r["phases_total"], r["steps_total"], r["faults_total"] = int64(len(f.phases)), int64(len(f.steps)), int64(len(f.faults))
	r["snapshots"], r["log_lines"] = int64(len(f.snapshots)), int64(len(f.lines))
	for _, s := range f.steps {
		if s["status"] == "failed" || s["status"] == "error" {
			r.add("steps_failed", 1)
		}
	}
	for _, x := range f.faults {
		if x["status"] == "injected" || x["status"] == "in_progress" {
			r.add("faults_active", 1)
		}
	}
	for _, v := range f.validations {
		r.add("validations_"+v["status"].(string), 1)
	}
	for _, value := range f.details {
		if value != nil {
			return
		}
	}
	f.details = nil // a row is made when there is something to hold
}

// readOwns reads what the service itself has said of the run, and gives the
// interruption that counts: the one with the most events, of those the first.
func (f *folded) readOwns(owns []*own) (holds *own) {
	owns = slices.Clone(owns)
	slices.SortFunc(owns, func(a, b *own) int { return strings.Compare(string(a.order), string(b.order)) })
	f.run["own_events"] = int64(len(owns))
	for _, o := range owns {
		switch m := o.message.(type) {
		case *contract.ExecutionInterrupted:
			if holds == nil || m.GetRealEvents() > holds.interruption().GetRealEvents() {
				holds = o
			}
		case *contract.ExecutionCancelRequested:
			f.run.once("cancel_requested_at", o.when)
		case *contract.ExecutionPinned:
			f.run["pinned"] = m.GetPinned()
		case *contract.ExecutionAnnotated:
			f.notes[hex.EncodeToString([]byte(o.order))] = Row{"order_key": []byte(o.order), "annotated_at": o.when, "author": m.GetAuthor(), "text": m.GetText()}
		}
	}
	return holds
}

// settle derives the status.
func (f *folded) settle(holds *own) {
	r := f.run
	if holds != nil {
		m := holds.interruption()
		r["interrupt_cause"], r["interrupt_events"], r["interrupted_at"] = m.GetCause(), m.GetRealEvents(), holds.when
		if m.GetSupersededBy() != 0 {
			r["superseded_by"] = int64(m.GetSupersededBy())
		}
	}
	switch {
	case f.end != "":
		r["status"] = r["reported_outcome"]
		if r["status"] == "passed" && r["validations_failed"].(int64) > 0 {
			r["status"] = "failed"
		}
	case holds != nil && holds.interruption().GetRealEvents() == r["events"].(int64):
		r["status"], r["ended_at"] = "interrupted", holds.when
	default:
		r["status"] = r["lifecycle"]
	}
}
