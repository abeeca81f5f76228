package e2e_test

import (
	"iter"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// endless is more records than any test sends.
const endless = 1_000_000

// under sends load of an instance at a rate until the returned function is
// called, which returns when everything is acknowledged.
func (w *world) under(instance string, rate float64, ledger *ledger) (stop func()) {
	w.Helper()
	return w.sendUntil(loadOf(instance, endless), rate, ledger)
}

// sendUntil is under for other records. They must be endless where a test awaits what
// further ones bring about: the last may have been taken before it begins to.
func (w *world) sendUntil(records iter.Seq2[coordsim.Record, error], rate float64, ledger *ledger) (stop func()) {
	w.Helper()
	ended, sent := make(chan struct{}), make(chan error, 1)
	until := func(yield func(coordsim.Record, error) bool) {
		for r, err := range records {
			select {
			case <-ended:
				return
			default:
			}
			if !yield(r, err) {
				return
			}
		}
	}
	go func() { sent <- w.send(w.Context(), until, rate, ledger.note) }()
	return func() {
		w.Helper()
		close(ended)
		if err := <-sent; err != nil {
			w.Fatal(err)
		}
	}
}

// Instances join, leave in order and are killed, about one each second, while
// records come in. In the end each record was taken once.
func TestInstancesComeAndGoUnderLoad(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ledger := newLedger()
	stop := w.under("under-load", 300, ledger)

	const changes, together = 12, 3
	var instances []*process
	taken := 0
	for change := range changes {
		begun := time.Now()
		instance := start(t, w.as("instance-"+string(rune('a'+change))), "tcda", "serve")
		instances = append(instances, instance)
		testenv.Eventually(t, "the instance that joined has its share", func() bool { return claims(instance) > 0 || !instance.running() })
		if !instance.running() {
			t.Fatalf("an instance has ended: %s", instance.said.tail())
		}
		if len(instances) > together {
			first := instances[0]
			instances = instances[1:]
			taken += claims(first)
			if change%5 == 0 {
				first.kill()
			} else {
				first.interrupt()
				first.wantSuccess()
			}
		}
		pause(t, time.Second-time.Since(begun))
	}
	stop()
	w.drain()
	for _, instance := range instances {
		taken += claims(instance)
	}
	w.verify()
	for _, instance := range instances {
		instance.interrupt()
	}
	for _, instance := range instances {
		instance.wantSuccess()
	}
	w.settle(ledger)
	if least := 2 * (executionPartitions + scenarioPartitions); taken < least {
		t.Errorf("partitions were claimed %d times: this tests nothing", taken)
	}
	t.Logf("%d records, %d claims", ledger.records, taken)
}

// The brokers' partitions get other leaders, brokers are restarted and killed,
// the coordinator of the group among them, while records come in. In the end
// each acknowledged record was taken once.
func TestLeadersMoveAndBrokersRestartUnderLoad(t *testing.T) {
	t.Parallel()
	w := newWorldOn(t, testenv.OwnBroker(t, 2))
	ledger := newLedger()
	stop := w.under("under-load", 300, ledger)
	service := w.serve()
	goesOn := func(what string) {
		t.Helper()
		from := w.ingested()
		testenv.Eventually(t, "records are ingested after "+what, func() bool { return w.ingested() > from+50 })
	}
	leader := func() int32 { return w.kafka.Leader(t, w.topics.Executions, 0) }
	for number := range int32(executionPartitions) {
		w.kafka.MoveLeader(t, w.topics.Executions, number)
	}
	goesOn("leaders moved")
	w.kafka.Restart(t, leader())
	goesOn("a broker was restarted")
	w.kafka.Crash(t, leader())
	goesOn("a broker was killed")
	w.kafka.MoveLeader(t, w.topics.Executions, 0)
	goesOn("a leader moved back")

	stop()
	w.drain()
	w.verify()
	service.interrupt()
	service.wantSuccess()
	w.settle(ledger)
	t.Logf("%d records", ledger.records)
}

// as is the environment of another instance.
func (w *world) as(instance string) map[string]string {
	env := maps.Clone(w.env)
	env[config.EnvPrefix+"INSTANCE"] = instance
	return env
}

// claims is how often a service has claimed a partition.
func claims(p *process) int { return strings.Count(p.said.text(), `"message":"partition claimed"`) }
