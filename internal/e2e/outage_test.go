package e2e_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// Kafka is slow, cut off in one direction or in both, and stopped, while records
// come in. The service notices, stays, and goes on when that is over; after each
// fault every acknowledged record is stored once.
func TestKafkaIsSlowCutOffAndStoppedUnderLoad(t *testing.T) {
	t.Parallel()
	kafka, proxy := testenv.ProxiedBroker(t)
	w := newWorldOn(t, kafka)
	for name, value := range map[string]string{
		"KAFKA_BROKERS": proxy.Addr(), // all others come beside it
		// A silent Kafka is given up soon.
		"KAFKA_DIAL_TIMEOUT": "2s", "KAFKA_REQUEST_TIMEOUT": "3s",
	} {
		w.env[config.EnvPrefix+name] = value
	}
	broker := kafka.Leader(t, w.topics.Executions, 0)
	admin, group := kadm.NewClient(kafka.Client(t)), w.env[config.EnvPrefix+"KAFKA_GROUP_ID"]
	service, ledger := w.serve(), newLedger()

	// What there was before the fault.
	var fetchedBefore, fetchedSoonBefore float64
	fetched := func() (all, soon float64) {
		// A fetch waits 50 ms for records, as long as nothing is slow.
		return w.metric(`tcda_step_seconds_count{step="S1"}`), w.metric(`tcda_step_seconds_bucket{step="S1",le="0.3814697265625"}`)
	}
	fetchesWait := func() bool {
		all, soon := fetched()
		all, soon = all-fetchedBefore, soon-fetchedSoonBefore
		return all >= 10 && soon < all/2
	}
	isNotReady := func() bool {
		_, code := w.ask("/readyz")
		return code == http.StatusServiceUnavailable
	}
	groupIsEmpty := func() bool {
		described, err := admin.DescribeGroups(t.Context(), group)
		return err == nil && described[group].Err == nil && len(described[group].Members) == 0
	}
	const rate = 100
	for _, fault := range []struct {
		name    string
		inject  func()
		noticed func() bool // tells whether the fault has had its effect
		works   bool        // records are ingested while the fault is there
		mute    bool        // nobody can produce while the fault is there
		heal    func()
	}{
		{name: "slow", inject: func() { proxy.Slow(250*time.Millisecond, 1_000_000) }, noticed: fetchesWait, works: true, heal: proxy.Heal},
		{name: "refused", inject: proxy.Refuse, noticed: isNotReady, heal: proxy.Heal},
		{name: "cut-off-in-both-directions", inject: func() { proxy.Swallow() }, noticed: groupIsEmpty, heal: proxy.Heal},
		{name: "requests-swallowed", inject: func() { proxy.Swallow(testenv.ToServer) }, noticed: isNotReady, heal: proxy.Heal},
		{name: "answers-swallowed", inject: func() { proxy.Swallow(testenv.FromServer) }, noticed: isNotReady, heal: proxy.Heal},
		{name: "stopped", inject: func() { kafka.Stop(t, broker) }, noticed: isNotReady, mute: true, heal: func() { kafka.Start(t, broker) }},
	} {
		begun := time.Now()
		goesOn := func(when string) {
			t.Helper()
			from := w.ingested()
			testenv.Eventually(t, fault.name+": records are ingested "+when, func() bool { return w.ingested() > from+rate/2 })
		}
		stop := w.under(fault.name, rate, ledger)
		goesOn("before the fault")
		sent := ledger.acknowledged()
		fetchedBefore, fetchedSoonBefore = fetched()
		fault.inject()
		testenv.Eventually(t, fault.name+": the fault has its effect", fault.noticed)
		if !fault.mute {
			testenv.Eventually(t, fault.name+": records come in meanwhile", func() bool { return ledger.acknowledged() > sent+rate/2 })
		}
		if fault.works {
			goesOn("during the fault")
		}
		fault.heal()
		goesOn("after the fault")
		stop()
		w.drain()
		w.settle(ledger)
		if t.Failed() {
			t.Fatalf("%s: see above", fault.name)
		}
		t.Logf("%s: %d records so far, took %v", fault.name, ledger.records, time.Since(begun).Round(time.Millisecond))
	}
	w.verify()
	service.interrupt()
	service.wantSuccess()
}

// metric is the value of one line of the metrics.
func (w *world) metric(name string) float64 {
	w.Helper()
	body, _ := w.ask("/metrics")
	for line := range strings.Lines(string(body)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			number, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				w.Fatal(err)
			}
			return number
		}
	}
	w.Fatalf("no metric %s", name)
	return 0
}
