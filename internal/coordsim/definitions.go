package coordsim

import (
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario/examples"
)

// The scenarios that runs refer to.
const (
	marketDisruption   = "market-disruption"
	stablecoinDepeg    = "stablecoin-depeg"
	exchangeOutage     = "exchange-outage"
	restartRiskMonitor = "restart-risk-monitor"
	exchangeLatency    = "chaos-exchange-latency"
	exchangeDisruption = "exchange-disruption" // the template
)

// tell adds an event about a scenario, a template or a schedule.
func (s *script) tell(m proto.Message) { s.told(s.Start, m) }

// told is tell at another time than the start of the simulation.
func (s *script) told(at time.Time, m proto.Message) {
	at = at.Add(time.Duration(len(s.said)) * time.Millisecond)
	s.say(event.Outgoing{Source: "/coordinator/a", ID: s.eventID(), Time: at, Message: m})
}

func (s *script) publishScenario(at time.Time, id, definition string) {
	s.told(at, &contract.ScenarioPublished{
		ScenarioId: id, Definition: definition, ScenarioType: "combined", Category: "market", Tags: []string{"demo"}, Author: "ada",
		ServicesUnderTest: []string{"risk-monitor", "trading-engine"}, ExpectedOutcomes: []string{"the risk monitor alerts in time"},
	})
}

func writeDefinitions(s *script) error {
	s.during(0, 0.1)
	// Before the longest run: a run is of the version that was current when it began.
	published := s.Start.AddDate(0, 0, -7)
	s.told(published, &contract.TemplatePublished{TemplateId: exchangeDisruption, Definition: examples.ExchangeDisruption, Author: "ada"})
	s.publishScenario(published, marketDisruption, examples.MarketDisruption)
	s.publishScenario(published, stablecoinDepeg, examples.StablecoinDepeg)
	s.publishScenario(published, restartRiskMonitor, examples.RestartRiskMonitor)
	s.publishScenario(published, exchangeLatency, examples.LegacyLatency)
	s.told(published, &contract.ScenarioPublished{
		ScenarioId: exchangeOutage, Definition: examples.ExchangeOutage, ScenarioType: "combined", Author: "grace",
		Template: &contract.TemplateUse{TemplateId: exchangeDisruption, Parameters: object(`{"exchange": "kraken-simulator", "duration": "45m"}`)},
	})
	// Published again with other content, and back: two versions, not three.
	s.publishScenario(published, exchangeLatency, examples.RestartRiskMonitor)
	s.publishScenario(published, exchangeLatency, examples.LegacyLatency)

	s.tell(&contract.ScenarioStatusChanged{ScenarioId: marketDisruption, Status: "active"})
	s.tell(&contract.ScenarioStatusChanged{ScenarioId: exchangeLatency, Status: "deprecated"})
	s.tell(&contract.ScenarioDependenciesDeclared{ScenarioId: stablecoinDepeg, Dependencies: []*contract.Dependency{
		{DependsOn: marketDisruption, Kind: "requires_success", MaxAge: durationpb.New(7 * 24 * time.Hour)},
		{DependsOn: exchangeOutage, Kind: "must_not_overlap"},
	}})
	s.tell(&contract.ScheduleSet{
		ScheduleId: "nightly-market-disruption", ScenarioId: marketDisruption, Kind: "cron", Cron: "30 2 * * *", TimeZone: "Europe/Zurich",
		Enabled: new(true), ConcurrencyPolicy: "forbid", StartingDeadline: durationpb.New(time.Hour),
	})
	s.tell(&contract.ScheduleSet{ScheduleId: "depeg-after-disruption", ScenarioId: stablecoinDepeg, Kind: "after_scenario", AfterScenarioId: marketDisruption})
	s.tell(&contract.ScheduleSet{ScheduleId: "once", ScenarioId: restartRiskMonitor, Kind: "once", RunAt: timestamppb.New(s.Start.Add(24 * time.Hour))})
	s.tell(&contract.ScheduleRemoved{ScheduleId: "once"})
	return nil
}
