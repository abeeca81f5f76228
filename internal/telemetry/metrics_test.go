package telemetry_test

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
)

func newMetrics(t *testing.T) (*telemetry.Metrics, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	m, err := telemetry.NewMetrics(registry, telemetry.Build{Version: "v1.2.3", Revision: "abc", Go: "go1"})
	if err != nil {
		t.Fatal(err)
	}
	return m, registry
}

func TestMetricsShowWhatTheyAreTold(t *testing.T) {
	t.Parallel()
	m, registry := newMetrics(t)
	m.Applied("in", 3)
	m.Applied("in", 4)
	m.Duplicates(telemetry.FoundByStore, 2)
	m.Quarantined(fact.ReasonUTF8, 1)
	m.Lag("in", 0, 42)
	m.Lag("in", 1, 7)
	m.Stopped("in", 1, true)
	m.Forget("in", 1)
	m.Stopped("in", 2, true)
	m.Fenced()
	m.Gap()
	m.KeyMismatches(5)
	m.TimelineChanged()
	m.RedisUp(true)
	m.DefaultPartitionRows(9)

	want := `
		# HELP tcda_build_info Which build this is; always 1.
		# TYPE tcda_build_info gauge
		tcda_build_info{go="go1",revision="abc",version="v1.2.3"} 1
		# HELP tcda_default_partition_rows Rows in default partitions, which should be empty.
		# TYPE tcda_default_partition_rows gauge
		tcda_default_partition_rows 9
		# HELP tcda_fenced_total Batches rolled back because another process holds the partition.
		# TYPE tcda_fenced_total counter
		tcda_fenced_total 1
		# HELP tcda_ingest_gaps_total Holes found between the wanted offset and the log.
		# TYPE tcda_ingest_gaps_total counter
		tcda_ingest_gaps_total 1
		# HELP tcda_key_mismatch_total Records applied although their key is not their subject.
		# TYPE tcda_key_mismatch_total counter
		tcda_key_mismatch_total 5
		# HELP tcda_partition_lag Records of a partition that are not yet committed to PostgreSQL.
		# TYPE tcda_partition_lag gauge
		tcda_partition_lag{partition="0",topic="in"} 42
		# HELP tcda_partition_stopped 1 while a partition is stopped and waits for an operator.
		# TYPE tcda_partition_stopped gauge
		tcda_partition_stopped{partition="2",topic="in"} 1
		# HELP tcda_records_applied_total Records whose event was applied.
		# TYPE tcda_records_applied_total counter
		tcda_records_applied_total{topic="in"} 7
		# HELP tcda_records_duplicate_total Records recognised as duplicates, by who found them.
		# TYPE tcda_records_duplicate_total counter
		tcda_records_duplicate_total{found_by="batch"} 0
		tcda_records_duplicate_total{found_by="hint"} 0
		tcda_records_duplicate_total{found_by="pruned"} 0
		tcda_records_duplicate_total{found_by="store"} 2
		# HELP tcda_redis_up 1 while Redis is in use, 0 while it is unreachable or switched off.
		# TYPE tcda_redis_up gauge
		tcda_redis_up 1
		# HELP tcda_timeline_changes_total Changes of the PostgreSQL timeline: failovers seen.
		# TYPE tcda_timeline_changes_total counter
		tcda_timeline_changes_total 1
	`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "tcda_build_info", "tcda_default_partition_rows",
		"tcda_fenced_total", "tcda_ingest_gaps_total", "tcda_key_mismatch_total", "tcda_partition_lag", "tcda_partition_stopped",
		"tcda_records_applied_total", "tcda_records_duplicate_total", "tcda_redis_up", "tcda_timeline_changes_total"); err != nil {
		t.Error(err)
	}
}

// Every reason of the closed list is there from the start, and a count goes to
// its own.
func TestEveryReasonHasItsSeries(t *testing.T) {
	t.Parallel()
	m, registry := newMetrics(t)
	m.Quarantined(fact.ReasonIDConflict, 2)
	got := make(map[string]float64)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "tcda_records_quarantined_total" {
			for _, series := range family.GetMetric() {
				got[series.GetLabel()[0].GetValue()] = series.GetCounter().GetValue()
			}
		}
	}
	if len(got) != len(fact.Reasons()) {
		t.Errorf("%d series, want one for each of %d reasons", len(got), len(fact.Reasons()))
	}
	for _, reason := range fact.Reasons() {
		want := 0.0
		if reason == fact.ReasonIDConflict {
			want = 2
		}
		if value, ok := got[string(reason)]; !ok || value != want {
			t.Errorf("reason %s: got %v (present: %v), want %v", reason, value, ok, want)
		}
	}
}

func TestHistograms(t *testing.T) {
	t.Parallel()
	m, registry := newMetrics(t)
	m.Batch(1000)
	m.Step(telemetry.StepCommit, 20*time.Millisecond)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sums := make(map[string]float64)
	for _, family := range families {
		for _, series := range family.GetMetric() {
			if h := series.GetHistogram(); h != nil && h.GetSampleCount() > 0 && strings.HasPrefix(family.GetName(), "tcda_") {
				name := family.GetName()
				for _, label := range series.GetLabel() {
					name += " " + label.GetValue()
				}
				sums[name] = h.GetSampleSum()
			}
		}
	}
	if len(sums) != 2 || sums["tcda_batch_records"] != 1000 || sums["tcda_step_seconds S4"] != 0.02 {
		t.Errorf("observed %v, want 1000 records and 0.02 s of S4", sums)
	}
}

func TestRegisteringTwiceIsAnError(t *testing.T) {
	t.Parallel()
	_, registry := newMetrics(t)
	if _, err := telemetry.NewMetrics(registry, telemetry.Build{}); err == nil {
		t.Error("the same registry takes the metrics twice")
	}
}

func TestThisBuild(t *testing.T) {
	t.Parallel()
	b := telemetry.ThisBuild()
	if b.Version == "" || !strings.HasPrefix(b.Go, "go") {
		t.Errorf("build is %+v, want a version and a compiler", b)
	}
}
