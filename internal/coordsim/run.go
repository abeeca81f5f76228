package coordsim

import (
	"encoding/json"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// run tells of one run: each call is an event of it, in the order in which
// things happen.
type run struct {
	script   *script
	id       string
	source   string // of its coordinator
	clock    time.Time
	sequence fact.Sequence
	tick     time.Duration // between heartbeats; 0: none
	lasts    time.Duration // in all, for the progress in heartbeats
	began    time.Time
	phase    string
	message  string
	expect   *Expectation
}

// newRun begins a run that gives a runid, as coordinators should; it will have
// lasted for so long when the simulation starts.
func (s *script) newRun(id string, lasts time.Duration) *run {
	s.director.runs++
	r := s.anonymousRun(id, 0, lasts)
	r.expect.RunID = fmt.Sprintf("run-%s-%02d", s.Instance, s.director.runs)
	return r
}

// anonymousRun begins a run without a runid: the service must find out which
// run of the execution id it is.
func (s *script) anonymousRun(id string, number execution.RunNumber, lasts time.Duration) *run {
	began := s.Start.Add(-lasts)
	r := &run{
		script: s, id: id, source: "/coordinator/a", clock: began, began: began, lasts: lasts,
		expect: &Expectation{Execution: execution.ID(id), Number: number, Status: execution.StatusPending},
	}
	s.runs = append(s.runs, r.expect)
	return r
}

// say adds an event of the run.
func (r *run) say(m proto.Message) {
	r.sequence++
	r.clock = r.clock.Add(time.Millisecond) // no two at the same time
	r.expect.Events++
	r.script.say(event.Outgoing{
		Source: r.source, ID: r.script.eventID(), Time: r.clock, Sequence: r.sequence, RunID: r.expect.RunID, Message: m,
	})
}

// pass lets time go by, with heartbeats.
func (r *run) pass(d time.Duration) {
	until := r.clock.Add(d)
	if r.tick > 0 {
		for {
			// Beats keep their rhythm from the run's beginning, whatever else is said.
			at := r.began.Add(r.clock.Sub(r.began).Truncate(r.tick) + r.tick)
			if at.After(until) {
				break
			}
			r.clock = at
			r.heartbeat()
		}
	}
	if r.clock.Before(until) {
		r.clock = until
	}
}

func (r *run) heartbeat() {
	m := &contract.ExecutionHeartbeat{ExecutionId: r.id, Message: r.message, CurrentPhase: r.phase}
	if r.lasts > 0 {
		m.Progress = new(min(1, float64(r.clock.Sub(r.began))/float64(r.lasts)))
	}
	if r.sequence%10 == 0 {
		m.SystemState = object(fmt.Sprintf(`{"orders_per_second": %d, "open_positions": %d, "risk_monitor": "healthy"}`,
			900+r.script.random.IntN(200), r.script.random.IntN(60)))
	}
	r.say(m)
}

func (r *run) request(scenarioID string) {
	r.say(&contract.ExecutionRequested{
		ExecutionId: r.id, ScenarioId: scenarioID, Environment: "staging",
		Trigger: &contract.Trigger{Type: "manual", Actor: "ada"}, Labels: map[string]string{"team": "chaos", "simulation": r.script.Instance},
	})
}

func (r *run) start(scenarioID string) {
	r.say(&contract.ExecutionStarted{
		ExecutionId: r.id, ScenarioId: scenarioID, Environment: "staging", CoordinatorId: "coordinator-" + r.source[len("/coordinator/"):],
		ConfigurationSnapshot: value(`{"retries": 3, "services": {"risk-monitor": "1.8.2", "exchange-simulator": "0.9.0"}}`),
		Deadline:              timestamppb.New(r.clock.Add(r.lasts + time.Hour)),
	})
	r.expect.Status = execution.StatusRunning
}

func (r *run) pause(reason string) {
	r.say(&contract.ExecutionPaused{ExecutionId: r.id, Reason: reason})
	r.expect.Status = execution.StatusPaused
}

func (r *run) resume(reason string) {
	r.say(&contract.ExecutionResumed{ExecutionId: r.id, Reason: reason})
	r.expect.Status = execution.StatusRunning
}

func (r *run) log(level, service, message string) {
	r.say(&contract.ExecutionLogAppended{ExecutionId: r.id, Lines: []*contract.LogLine{
		{Message: message, Time: timestamppb.New(r.clock), Level: level, Service: service, Phase: r.phase},
		{
			Message: "audit: " + message, Time: timestamppb.New(r.clock.Add(time.Millisecond)), Level: "debug", Service: "audit-correlator", Phase: r.phase,
			Attributes: object(`{"correlated": true}`),
		},
	}})
}

func (r *run) snapshot(id string, kind execution.SnapshotKind) {
	r.say(&contract.ExecutionSnapshotCaptured{
		ExecutionId: r.id, SnapshotId: id, Kind: string(kind), Phase: r.phase, Health: "healthy",
		State:   value(`{"exchange-simulator": {"open_orders": 1204, "venues": ["a", "b"]}, "risk-monitor": {"limits": {"drawdown": 0.2}}}`),
		Metrics: map[string]float64{"order_latency_p99_ms": 20 + 40*r.script.random.Float64(), "fill_ratio": r.script.random.Float64()},
	})
}

// validation records an assertion's result. A failed one turns passed into
// failed, which is for the caller to expect.
func (r *run) validation(id, assertion, service, status, expected, actual string) {
	r.say(&contract.ExecutionValidationRecorded{
		ExecutionId: r.id, ValidationId: id, AssertionType: assertion, Status: status, Phase: r.phase, Service: service,
		Expected: expected, Actual: actual, SteadyState: "during", Evidence: value(`{"samples": [1, 2, 3]}`),
	})
}

// finish says an outcome, and expects the status.
func (r *run) finish(outcome string, status execution.Status) {
	m := &contract.ExecutionFinished{ExecutionId: r.id, Outcome: outcome, Summary: value(`{"told_by": "coordsim"}`)}
	switch status {
	case execution.StatusError:
		m.ExitCode, m.ErrorMessage = new(int32(70)), "coordinator: exchange-simulator: connection refused"
	case execution.StatusTimeout:
		m.ErrorMessage = "the scenario's timeout has passed"
	default:
		m.ExitCode = new(int32(0))
	}
	r.say(m)
	r.expect.Status = status
}

// object and value make free JSON; the texts are constants of this package or
// come from parsed definitions, so that a wrong one is a fault of the program.
func object(text string) *structpb.Struct {
	s := &structpb.Struct{}
	mustUnmarshal(text, s)
	return s
}

func value(text string) *structpb.Value {
	v := &structpb.Value{}
	mustUnmarshal(text, v)
	return v
}

func mustUnmarshal(text string, m proto.Message) {
	if err := protojson.Unmarshal([]byte(text), m); err != nil {
		panic(fmt.Sprintf("coordsim: %q is no JSON: %v", text, err))
	}
}

// parameters is a definition's JSON object; nil when there is none.
func parameters(raw json.RawMessage) *structpb.Struct {
	if raw == nil {
		return nil
	}
	return object(string(raw))
}
