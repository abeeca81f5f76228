package coordsim

import (
	"fmt"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// beat is the time between two heartbeats of a run.
const beat = 5 * time.Second

// services are those that runs act upon.
var services = [...]string{"exchange-simulator", "risk-monitor", "trading-engine", "market-data-simulator", "audit-correlator"}

func (d *diary) service() string { return services[d.random.IntN(len(services))] }

// writeMixedRun is a run of three phases, each with steps, a fault that is
// cleared and recovers, validations, snapshots and logs; about 140 events, half
// of them heartbeats.
func writeMixedRun(d *diary) {
	began := d.clock
	lasts := 2*time.Minute + time.Duration(d.random.Int64N(int64(8*time.Minute)))
	scenario := fmt.Sprintf("scenario-%02d", d.random.IntN(40))
	d.say(&contract.ExecutionRequested{
		ExecutionId: d.id, ScenarioId: scenario, Environment: "staging", Trigger: &contract.Trigger{Type: "schedule", Actor: "nightly"},
		Labels: map[string]string{"team": "chaos", "tier": "nightly"}, Parameters: fields("exchange", "kraken-simulator", "severity", 0.7),
	})
	d.say(&contract.ExecutionStarted{
		ExecutionId: d.id, ScenarioId: scenario, Environment: "staging", CoordinatorId: "coordinator-a",
		ConfigurationSnapshot: structpb.NewStructValue(fields("retries", 3.0, "risk_monitor", "1.8.2", "exchange_simulator", "0.9.0")),
		Deadline:              timestamppb.New(began.Add(2 * lasts)),
	})
	d.say(d.snapshot("snapshot-baseline", "baseline", ""))
	for i, phase := range []string{"inject", "observe", "recover"} {
		d.writePhase(i, phase, lasts/3)
	}
	d.clock = began.Add(lasts)
	d.say(d.snapshot("snapshot-end", "recovery", "recover"))
	d.say(&contract.ExecutionFinished{
		ExecutionId: d.id, Outcome: "passed", ExitCode: new(int32(0)), Summary: structpb.NewStructValue(fields("alerts", 3.0, "orders", float64(d.random.IntN(9000)))),
	})
	end := d.clock
	for at := began.Add(beat); at.Before(end); at = at.Add(beat) {
		m := &contract.ExecutionHeartbeat{
			ExecutionId: d.id, Progress: new(float64(at.Sub(began)) / float64(end.Sub(began))), Message: "waiting for the risk monitor", CurrentPhase: "observe",
		}
		if d.random.IntN(10) == 0 {
			m.SystemState = fields("orders_per_second", float64(900+d.random.IntN(200)), "open_positions", float64(d.random.IntN(60)), "risk_monitor", "healthy")
		}
		d.said = append(d.said, moment{at, m})
	}
}

func (d *diary) writePhase(ordinal int, phase string, lasts time.Duration) {
	d.say(&contract.ExecutionPhaseStarted{ExecutionId: d.id, Phase: phase, Ordinal: new(int32(ordinal)), Description: "the system under " + phase}) //nolint:gosec // one of three
	fault := "fault-" + phase
	d.say(&contract.ExecutionFaultInjected{
		ExecutionId: d.id, FaultId: fault, FaultType: "network_latency", TargetService: d.service(), Phase: phase, Status: "injected",
		Parameters: fields("latency_ms", 250.0, "jitter_ms", 40.0), BlastRadius: "one venue",
	})
	const steps = 4
	for n := range steps {
		step := fmt.Sprintf("%s-%d", phase, n)
		service := d.service()
		d.say(&contract.ExecutionStepStarted{
			ExecutionId: d.id, StepId: step, Kind: "action", Phase: phase, Service: service, Action: "place_orders", Parameters: fields("orders", 40.0, "side", "buy"), Attempt: 1,
		})
		d.say(d.logs(3+d.random.IntN(6), phase, step))
		d.pass(lasts / (steps + 1))
		d.say(&contract.ExecutionStepFinished{
			ExecutionId: d.id, StepId: step, Kind: "action", Phase: phase, Service: service, Action: "place_orders", Status: "passed", Attempt: 1,
			Duration: durationpb.New(lasts / (steps + 1)),
		})
		if n > 0 {
			d.say(d.validation(fmt.Sprintf("%s-alert-%d", phase, n), phase, step, fault))
		}
	}
	d.say(d.snapshot("snapshot-"+phase, "post_injection", phase))
	d.say(&contract.ExecutionFaultCleared{ExecutionId: d.id, FaultId: fault})
	d.pass(lasts / 20)
	d.say(&contract.ExecutionFaultRecovered{ExecutionId: d.id, FaultId: fault, RecoveryTime: durationpb.New(lasts / 20)})
	d.say(&contract.ExecutionPhaseFinished{ExecutionId: d.id, Phase: phase, Status: "passed"})
}

// writeLogFlood is a run that hardly does more than write logs.
func writeLogFlood(d *diary) {
	d.say(&contract.ExecutionStarted{ExecutionId: d.id, ScenarioId: "log-flood", Environment: "staging", CoordinatorId: "coordinator-a"})
	for range 50 {
		d.pass(time.Second)
		d.say(d.logs(10+d.random.IntN(91), "observe", ""))
	}
	d.say(&contract.ExecutionFinished{ExecutionId: d.id, Outcome: "passed"})
}

// writeSmallRun is a run that is over in a moment.
func writeSmallRun(d *diary) {
	scenario := fmt.Sprintf("smoke-%02d", d.random.IntN(40))
	service := d.service()
	d.say(&contract.ExecutionRequested{ExecutionId: d.id, ScenarioId: scenario, Environment: "ci", Trigger: &contract.Trigger{Type: "ci", Actor: "pipeline"}})
	d.pass(time.Duration(d.random.Int64N(int64(time.Second))))
	d.say(&contract.ExecutionStarted{ExecutionId: d.id, ScenarioId: scenario, Environment: "ci", CoordinatorId: "coordinator-a"})
	d.say(&contract.ExecutionStepStarted{ExecutionId: d.id, StepId: "ping", Kind: "action", Service: service, Action: "ping", Attempt: 1})
	d.pass(time.Duration(d.random.Int64N(int64(time.Second))))
	d.say(&contract.ExecutionStepFinished{ExecutionId: d.id, StepId: "ping", Kind: "action", Service: service, Action: "ping", Status: "passed", Attempt: 1})
	d.say(d.validation("answers", "", "ping", ""))
	d.say(&contract.ExecutionFinished{ExecutionId: d.id, Outcome: "passed"})
}

func (d *diary) validation(id, phase, step, fault string) *contract.ExecutionValidationRecorded {
	return &contract.ExecutionValidationRecorded{
		ExecutionId: d.id, ValidationId: id, AssertionType: "metric_below", Status: "passed", Phase: phase, StepId: step, FaultId: fault, Service: "risk-monitor",
		Expected: "50", Actual: strconv.Itoa(d.random.IntN(50)), Operator: "<=", Threshold: new(50.0), Unit: "ms", SteadyState: "during",
		Evidence: structpb.NewStructValue(fields("samples", float64(d.random.IntN(500)), "query", "histogram_quantile(0.99, order_latency)")),
	}
}

func (d *diary) snapshot(id, kind, phase string) *contract.ExecutionSnapshotCaptured {
	state := map[string]*structpb.Value{}
	for _, service := range services {
		state[service] = structpb.NewStructValue(fields("health", "healthy", "version", "1.8.2", "open_orders", float64(d.random.IntN(2000))))
	}
	return &contract.ExecutionSnapshotCaptured{
		ExecutionId: d.id, SnapshotId: id, Kind: kind, Phase: phase, Health: "healthy",
		State:   structpb.NewStructValue(&structpb.Struct{Fields: state}),
		Metrics: map[string]float64{"order_latency_p99_ms": 20 + 40*d.random.Float64(), "fill_ratio": d.random.Float64(), "orders_per_second": 900 + 200*d.random.Float64()},
	}
}

// logs are lines of some 90 characters, every fifth with attributes.
func (d *diary) logs(n int, phase, step string) *contract.ExecutionLogAppended {
	lines := make([]*contract.LogLine, n)
	for i := range lines {
		lines[i] = &contract.LogLine{
			Message: fmt.Sprintf("order %08d of account %04d acknowledged by the venue after %d us, position is now %d lots",
				d.random.IntN(1e8), d.random.IntN(1e4), d.random.IntN(9000), d.random.IntN(500)),
			Time: timestamppb.New(d.clock.Add(time.Duration(i) * 10 * time.Microsecond)), Level: "info", Service: d.service(), Phase: phase, StepId: step,
		}
		if i%5 == 0 {
			lines[i].Attributes = fields("order", float64(d.random.IntN(1e8)), "venue", "kraken")
		}
	}
	return &contract.ExecutionLogAppended{ExecutionId: d.id, Lines: lines}
}

// fields are names and values by turns: texts and numbers.
func fields(pairs ...any) *structpb.Struct {
	s := &structpb.Struct{Fields: make(map[string]*structpb.Value, len(pairs)/2)}
	for i := 0; i < len(pairs); i += 2 {
		name := pairs[i].(string)
		switch v := pairs[i+1].(type) {
		case string:
			s.Fields[name] = structpb.NewStringValue(v)
		case float64:
			s.Fields[name] = structpb.NewNumberValue(v)
		}
	}
	return s
}
