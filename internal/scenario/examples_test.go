package scenario_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario/examples"
)

// parse reads a definition that must be right.
func parse(t *testing.T, text string) *scenario.Definition {
	t.Helper()
	d, problems := scenario.ParseDefinition(text, scenario.DefaultLimits())
	if len(problems) > 0 {
		t.Fatalf("parse definition:\n%v", problems)
	}
	return d
}

func TestExampleMarketDisruption(t *testing.T) {
	t.Parallel()
	d := parse(t, examples.MarketDisruption)
	if d.Kind != scenario.KindScenario || d.Metadata.Version != "1.2.0" || d.Spec.Duration != 45*time.Minute {
		t.Errorf("kind %q, version %q, duration %v", d.Kind, d.Metadata.Version, d.Spec.Duration)
	}
	var phases []string
	for _, p := range d.Spec.Phases {
		phases = append(phases, p.Name)
	}
	if diff := cmp.Diff([]string{"baseline", "injection", "recovery"}, phases); diff != "" {
		t.Errorf("phases (-want +got):\n%s", diff)
	}
	injection := d.Spec.Phases[1]
	if got := injection.ParallelActions[1].Delay; got != 8*time.Minute {
		t.Errorf("settle + 3m = %v, want 8m", got)
	}
	want := `{"symbols":["BTC-USD","ETH-USD"],"percent":-18,"over":"2m"}`
	if got := string(injection.Actions[0].Parameters); got != want {
		t.Errorf("parameters = %s, want %s", got, want)
	}
	if got := injection.Assertions[0].Within; got != 90*time.Second {
		t.Errorf("within = %v, want 90s", got)
	}
}

func TestExampleStablecoinDepeg(t *testing.T) {
	t.Parallel()
	d := parse(t, examples.StablecoinDepeg)
	if d.Spec.Duration != 36*time.Hour {
		t.Errorf("duration = %v, want 36h", d.Spec.Duration)
	}
	var delays []time.Duration
	for _, a := range d.Spec.Phases[1].ParallelActions {
		delays = append(delays, a.Delay)
	}
	want := []time.Duration{2 * time.Hour, 6 * time.Hour, 6*time.Hour + 30*time.Minute, 10 * time.Hour, 12 * time.Hour}
	if diff := cmp.Diff(want, delays); diff != "" {
		t.Errorf("delays (-want +got):\n%s", diff)
	}
	if got, want := string(d.Spec.Preconditions[0].Expect), `{"symbol":"USDX-USD","price":1,"tolerance":0.001}`; got != want {
		t.Errorf("expect = %s, want %s", got, want)
	}
}

func TestExampleExchangeDisruption(t *testing.T) {
	t.Parallel()
	template := parse(t, examples.ExchangeDisruption)
	if template.Kind != scenario.KindTemplate || len(template.Parameters) != 6 {
		t.Fatalf("kind %q with %d parameters", template.Kind, len(template.Parameters))
	}
	d, problems := template.Instantiate(
		json.RawMessage(`{"exchange": "kraken-simulator", "duration": "45m", "latency_factor": 3}`), scenario.DefaultLimits())
	if len(problems) > 0 {
		t.Fatalf("instantiate:\n%v", problems)
	}
	if d.Kind != scenario.KindScenario || d.Spec.Duration != time.Hour || d.Spec.Timeout != 75*time.Minute {
		t.Errorf("kind %q, duration %v, timeout %v", d.Kind, d.Spec.Duration, d.Spec.Timeout)
	}
	disruption := d.Spec.Phases[1]
	if got, want := disruption.Description, "kraken-simulator in mode latency"; got != want {
		t.Errorf("description = %q, want %q", got, want)
	}
	want := `{"mode":"latency","error_percent":30,"latency_factor":3,"cancel_open_orders":false}`
	if got := string(disruption.Actions[0].Parameters); got != want {
		t.Errorf("parameters = %s, want %s", got, want)
	}
}

func TestExampleExchangeOutageExtendsTheTemplate(t *testing.T) {
	t.Parallel()
	merged, problems := parse(t, examples.ExchangeOutage).Extend(parse(t, examples.ExchangeDisruption), scenario.DefaultLimits())
	if len(problems) > 0 {
		t.Fatalf("extend:\n%v", problems)
	}
	d, problems := merged.Instantiate(json.RawMessage(`{"exchange": "x", "duration": "10m"}`), scenario.DefaultLimits())
	if len(problems) > 0 {
		t.Fatalf("instantiate:\n%v", problems)
	}
	got := map[string]time.Duration{}
	var order []string
	for _, p := range d.Spec.Phases {
		order = append(order, p.Name)
		got[p.Name] = p.Duration
	}
	if diff := cmp.Diff([]string{"baseline", "disruption", "recovery", "aftermath"}, order); diff != "" {
		t.Errorf("phases (-want +got):\n%s", diff)
	}
	if got["recovery"] != 30*time.Minute || got["disruption"] != 10*time.Minute {
		t.Errorf("durations = %v", got)
	}
	if within := d.Spec.Phases[1].Assertions[0].Within; within != 10*time.Second {
		t.Errorf("overridden variable: within = %v, want 10s", within)
	}
	if d.Metadata.Name != "Exchange outage with manual reopening" || d.Metadata.Extends != "" {
		t.Errorf("metadata = %+v", d.Metadata)
	}
}

func TestExamplesInJSON(t *testing.T) {
	t.Parallel()
	d := parse(t, examples.RestartRiskMonitor)
	if d.Kind != scenario.KindScenario || d.Metadata.Name != "Restart of the risk monitor 🔁" {
		t.Errorf("kind %q, name %q", d.Kind, d.Metadata.Name)
	}
	legacy := parse(t, examples.LegacyLatency)
	if legacy.Kind != scenario.KindOpaque || legacy.Text != examples.LegacyLatency {
		t.Errorf("kind %q", legacy.Kind)
	}
}
