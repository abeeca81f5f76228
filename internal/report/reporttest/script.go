package reporttest

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// ownSource is that of the service itself.
const ownSource = "/tcda/test"

// script tells of one run: each call is an event of it. Mistakes are those of this
// package, and panic.
type script struct {
	run      *Run
	began    time.Time
	clock    time.Time
	said     int
	sequence fact.Sequence
	others   int64 // events
}

var decoders = sync.OnceValue(func() *event.Decoder {
	decoder, err := event.NewDecoder(event.DefaultLimits())
	must(err)
	return decoder
})

func tell(name, about string, id execution.ID, number execution.RunNumber, began time.Time) *script {
	return &script{
		run:   &Run{Name: name, About: about, ExecutionID: id, Number: number, RunID: "run-" + name},
		began: began, clock: began,
	}
}

// at sets the clock to so long after the beginning.
func (s *script) at(after time.Duration) *script {
	s.clock = s.began.Add(after)
	return s
}

// say adds an event of the coordinator at the clock.
func (s *script) say(m proto.Message) {
	s.sequence++
	s.others++
	s.add(m, "/coordinator/a", s.sequence)
}

// own adds an event of the service itself.
func (s *script) own(m proto.Message) { s.add(m, ownSource, fact.NoSequence) }

func (s *script) add(m proto.Message, source string, sequence fact.Sequence) {
	s.said++
	record, err := event.Encode(event.Outgoing{
		Source: source, ID: fmt.Sprintf("%s-%04d", s.run.Name, s.said), Subject: string(s.run.ExecutionID),
		Time: s.clock, Sequence: sequence, RunID: s.run.RunID, Message: m,
	}, event.Structured, event.JSON)
	if err != nil {
		panic(err)
	}
	decoder := decoders()
	if source == ownSource {
		decoder = decoder.Own()
	} else {
		s.run.Records = append(s.run.Records, record)
	}
	decoded, rejection := decoder.Decode(record, s.began.Add(48*time.Hour))
	if rejection != nil {
		panic(fmt.Sprintf("%s, event %d: %+v", s.run.Name, s.said, rejection))
	}
	s.run.Events = append(s.run.Events, decoded.Execution)
}

// done is the run, with its events in their order.
func (s *script) done() *Run {
	slices.SortFunc(s.run.Events, func(a, b *execution.Event) int { return a.Order().Compare(b.Order()) })
	return s.run
}

func (s *script) id() string { return string(s.run.ExecutionID) }

func (s *script) requested(scenarioID, parameters string) {
	s.say(&contract.ExecutionRequested{
		ExecutionId: s.id(), ScenarioId: scenarioID, ScenarioVersion: "3", Environment: "staging", Parameters: object(parameters),
		Trigger: &contract.Trigger{Type: "schedule", Actor: "nightly", Uri: "https://ci.example/jobs/42"},
		Labels:  map[string]string{"team": "risk", "ci": "nightly"},
	})
}

func (s *script) started(deadline time.Duration) {
	s.say(&contract.ExecutionStarted{
		ExecutionId: s.id(), CoordinatorId: "coordinator-a", Environment: "staging", Deadline: timestamppb.New(s.began.Add(deadline)),
		ConfigurationSnapshot: value(`{"services": {"risk-monitor": {"image": "risk:4.2"}}, "seed": 7}`),
	})
}

func (s *script) phase(name string, ordinal int32, description string) {
	s.say(&contract.ExecutionPhaseStarted{ExecutionId: s.id(), Phase: name, Ordinal: &ordinal, Description: description})
}

func (s *script) phaseEnd(name, status, why string) {
	s.say(&contract.ExecutionPhaseFinished{ExecutionId: s.id(), Phase: name, Status: status, Error: why})
}

func (s *script) step(id, kind, phase, service, action, status, why string, took time.Duration) {
	begin := s.clock
	s.say(&contract.ExecutionStepStarted{ExecutionId: s.id(), StepId: id, Kind: kind, Phase: phase, Service: service, Action: action, Parameters: object(`{"percent": -18, "over": "2m"}`)})
	s.clock = begin.Add(took)
	s.say(&contract.ExecutionStepFinished{
		ExecutionId: s.id(), StepId: id, Kind: kind, Phase: phase, Service: service, Action: action, Status: status, Error: why,
		StartedAt: timestamppb.New(begin), Duration: durationpb.New(took),
	})
}

func (s *script) inject(id, typ, target, phase, parameters string) {
	s.say(&contract.ExecutionFaultInjected{
		ExecutionId: s.id(), FaultId: id, FaultType: typ, TargetService: target, Phase: phase, Parameters: object(parameters),
		BlastRadius: "one service", Status: "injected",
	})
}

func (s *script) clear(id string) {
	s.say(&contract.ExecutionFaultCleared{ExecutionId: s.id(), FaultId: id})
}

func (s *script) recovered(id string, took time.Duration) {
	s.say(&contract.ExecutionFaultRecovered{ExecutionId: s.id(), FaultId: id, RecoveryTime: durationpb.New(took)})
}

// validation is the result of one assertion; more may change it.
func (s *script) validation(id, assertion, status string, more ...func(*contract.ExecutionValidationRecorded)) {
	v := &contract.ExecutionValidationRecorded{
		ExecutionId: s.id(), ValidationId: id, AssertionType: assertion, Status: status, Service: "risk-monitor",
		Expected: "within 90s", Actual: "42s", Evidence: value(`{"query": "max(drawdown)", "samples": [0.1, 0.17, 0.183]}`),
	}
	for _, change := range more {
		change(v)
	}
	s.say(v)
}

func steady(when string) func(*contract.ExecutionValidationRecorded) {
	return func(v *contract.ExecutionValidationRecorded) { v.SteadyState = when }
}

func ofFault(id string, within time.Duration) func(*contract.ExecutionValidationRecorded) {
	return func(v *contract.ExecutionValidationRecorded) { v.FaultId, v.Within = id, durationpb.New(within) }
}

func saying(expected, actual, message string) func(*contract.ExecutionValidationRecorded) {
	return func(v *contract.ExecutionValidationRecorded) {
		v.Expected, v.Actual, v.Message = expected, actual, message
	}
}

// below50 is a bound on a latency.
func below50() func(*contract.ExecutionValidationRecorded) {
	threshold := 50.0
	return func(v *contract.ExecutionValidationRecorded) {
		v.Operator, v.Threshold, v.Unit = "<", &threshold, "ms"
	}
}

// snapshot is of a service; metrics are pairs of a name and a value.
func (s *script) snapshot(id, kind, service, health string, metrics map[string]float64) {
	s.say(&contract.ExecutionSnapshotCaptured{
		ExecutionId: s.id(), SnapshotId: id, Kind: kind, Service: service, Health: health, Metrics: metrics,
		State: value(fmt.Sprintf(`{"health": %q, "instances": [{"id": 1, "up": %t}, {"id": 2, "up": true}], "version": "4.2.0"}`, health, health == "healthy")),
	})
}

func (s *script) log(lines ...*contract.LogLine) {
	s.say(&contract.ExecutionLogAppended{ExecutionId: s.id(), Lines: lines})
}

func (s *script) line(level, service, message, attributes string) *contract.LogLine {
	return &contract.LogLine{Message: message, Time: timestamppb.New(s.clock), Level: level, Service: service, Attributes: object(attributes)}
}

func (s *script) heartbeat(progress float64, phase, message string) {
	s.say(&contract.ExecutionHeartbeat{ExecutionId: s.id(), Progress: &progress, CurrentPhase: phase, Message: message, SystemState: object(`{"open_orders": 12}`)})
}

func (s *script) finished(outcome string, exit int32, why, summary string) {
	s.say(&contract.ExecutionFinished{ExecutionId: s.id(), Outcome: outcome, ExitCode: &exit, ErrorMessage: why, Summary: value(summary)})
}

// object and value are free JSON; no text is none.
func object(text string) *structpb.Struct {
	if text == "" {
		return nil
	}
	s := &structpb.Struct{}
	must(protojson.Unmarshal([]byte(text), s))
	return s
}

func value(text string) *structpb.Value {
	if text == "" {
		return nil
	}
	v := &structpb.Value{}
	must(protojson.Unmarshal([]byte(text), v))
	return v
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
