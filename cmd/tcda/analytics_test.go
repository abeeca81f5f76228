package main

import (
	"fmt"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/api/apitest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// ran says of runs of a scenario, a minute apart, that they ended so, each with a
// fault that was recovered from after a minute.
func ranOf(w *apitest.World, scenario string, began time.Time, outcomes ...string) {
	w.Helper()
	for i, outcome := range outcomes {
		id, start := fmt.Sprint(scenario, "-", i+1), began.Add(time.Duration(i)*time.Minute)
		at := func(after time.Duration) func(*event.Outgoing) {
			return func(o *event.Outgoing) { o.Time = start.Add(after) }
		}
		w.Say(&contract.ExecutionStarted{ExecutionId: id, ScenarioId: scenario, ScenarioVersion: "1", Environment: "lab"}, at(0))
		w.Say(&contract.ExecutionFaultInjected{ExecutionId: id, FaultId: "f", FaultType: "latency", TargetService: "exchange"}, at(time.Second))
		w.Say(&contract.ExecutionValidationRecorded{ExecutionId: id, ValidationId: "v", FaultId: "f", AssertionType: "alert", Service: "risk", Status: "passed"}, at(11*time.Second))
		w.Say(&contract.ExecutionFaultRecovered{ExecutionId: id, FaultId: "f", RecoveryTime: durationpb.New(time.Minute)}, at(20*time.Second))
		w.Say(&contract.ExecutionFinished{ExecutionId: id, Outcome: outcome}, at(30*time.Second))
	}
}

func TestAnalyticsOverTheAPI(t *testing.T) {
	t.Parallel()
	c, w := calls(t)
	c.env["TEST_COORDINATOR_ADAPTER_POSTGRES_URL"] = w.DB.URL
	began := time.Now().UTC().Truncate(time.Hour).Add(-48 * time.Hour)
	ranOf(w, "depeg", began, "passed", "failed", "passed", "passed")
	ranOf(w, "restart", began, "passed", "failed", "error")
	c.shows([]string{"SCENARIO", "AS OF"}, "analytics", "summary") // nothing is rolled up yet
	c.shows([]string{"2 days of scenarios made anew"}, "analytics", "rebuild", "--wait")
	day := began.Format(time.DateOnly)
	c.shows([]string{"depeg     4     4      75.0%", "restart   3     3      33.3%", "1m0s  10s"}, "analytics", "summary")
	c.shows([]string{"DAY", day, "75.0%", "30s"}, "analytics", "history", "depeg")
	c.shows([]string{"ENVIRONMENT", "lab"}, "analytics", "history", "depeg", "--by=environment", "--environment=lab")
	c.shows([]string{"VERSION", "1 "}, "analytics", "history", "depeg", "--by=scenario_version", "--from="+day, "--to="+day)
	c.shows([]string{"of 4 runs; at most 1 %", "50%"}, "analytics", "percentiles", "depeg")
	c.shows([]string{"99.5%    30s", "of 4 runs; exact"}, "analytics", "percentiles", "depeg", "--percents=99.5", "--exact")
	c.shows([]string{"depeg ", "66.7%", "restart "}, "analytics", "flaky")
	c.shows([]string{"restart   failed  ", "restart-2/1"}, "analytics", "failures")
	c.shows([]string{"exchange  latency  7", "passed  recovered", "depeg-4/1"}, "analytics", "coverage")
	c.shows([]string{"latency  exchange  7", "1m0s"}, "analytics", "recovery")
	c.shows([]string{"alert      risk     100.0%     7"}, "analytics", "assertions")
	if got := answer[contract.SummariseScenariosResponse](c, 0, "analytics", "summary", "--days=7", "--limit=1"); len(got.GetSummaries()) != 1 || got.GetNextPageToken() == "" {
		t.Errorf("a page of one: %v", got)
	}
	c.shows([]string{"1 days and groups of scenarios are to be made anew"}, "analytics", "rebuild", "--scenario=depeg", "--since="+day)
	c.shows([]string{"rollups.rebuild", "all scenarios"}, "ops", "audit")

	c.shows([]string{"of 0 runs; at most 1 %"}, "analytics", "percentiles", "nobody")
	ranOf(w, "single", began, "cancelled")
	c.shows([]string{"of 1 run; exact"}, "analytics", "percentiles", "single", "--exact")

	c.fails(exitUsage, []string{"window_days"}, "analytics", "summary", "--days=8")
	c.fails(exitUsage, []string{"label_key"}, "analytics", "history", "depeg", "--label-value=x")
	c.fails(exitUsage, []string{"period.first_day"}, "analytics", "history", "depeg", "--from=2026-02-31")
	c.fails(exitUsage, []string{"--since=x"}, "analytics", "rebuild", "--since=x")
}
