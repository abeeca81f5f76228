package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/opshttp"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// The service answers those who run it, works on without Redis and says so,
// counts what it does, and stops in order when it is asked to.
func TestServiceIsOperated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	service := w.serve()
	golden, ledger := goldenRecords(t), newLedger()
	half := len(golden) / 2
	if err := w.send(t.Context(), amid(nil, golden[:half]), 0, ledger.note); err != nil {
		t.Fatal(err)
	}
	w.drain()

	for _, path := range []string{"/livez", "/api/v1/health", "/readyz", "/api/v1/ready"} {
		w.becomes(path, opshttp.OK)
	}

	if err := w.redis.Stop(); err != nil {
		t.Fatal(err)
	}
	w.becomes("/readyz", opshttp.Degraded)
	if err := w.send(t.Context(), amid(nil, golden[half:]), 0, ledger.note); err != nil {
		t.Fatal(err)
	}
	w.drain()
	if err := w.redis.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.becomes("/api/v1/ready", opshttp.OK)
	w.verify() // the live states in Redis too

	testenv.Eventually(t, "the metrics say what was done", func() bool {
		counted, lag := w.scraped()
		return lag == 0 && cmp.Equal(counted, ledger.sums())
	})
	service.interrupt()
	service.wantSuccess()
	w.settle(ledger)
}

// scraped is what the metrics say: records by what became of them, and how many
// are waiting.
func (w *world) scraped() (counted sums, lag int64) {
	w.Helper()
	body, code := w.ask("/metrics")
	if code != http.StatusOK {
		w.Fatalf("GET /metrics: %d", code)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(string(body)))
	if err != nil {
		w.Fatal(err)
	}
	total := map[string]float64{}
	for name, family := range families {
		for _, m := range family.GetMetric() {
			total[name] += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	for _, name := range []string{"tcda_records_applied_total", "tcda_records_duplicate_total", "tcda_records_quarantined_total", "tcda_partition_lag"} {
		if _, shown := total[name]; !shown {
			w.Fatalf("no metric %s", name)
		}
	}
	return sums{
		Applied:     int64(total["tcda_records_applied_total"]),
		Duplicates:  int64(total["tcda_records_duplicate_total"]),
		Quarantined: int64(total["tcda_records_quarantined_total"]),
	}, int64(total["tcda_partition_lag"])
}

// A service whose settings are wrong, or whose database is not migrated, says
// so with the exit codes that it documents.
func TestServiceRefusesToStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, c := range map[string]struct {
		setting, value string
		code           int
		says           string
	}{
		"settings":  {"KAFKA_BROKERS", "nowhere", 2, "kafka-brokers"},
		"no schema": {"POSTGRES_URL", testenv.EmptyPostgres(t).URL, 3, "tcda migrate up"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, w.with(c.setting, c.value), "tcda", "serve")
			if code := p.wait(); code != c.code || !strings.Contains(p.said.tail(), c.says) {
				t.Errorf("exit code %d, want %d; it should name %q and said:\n%s", code, c.code, c.says, p.said.tail())
			}
		})
	}
}
