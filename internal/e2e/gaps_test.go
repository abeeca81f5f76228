package e2e_test

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// A topic that was deleted and made again is another one, however many records
// it holds: nothing of it is taken for the rest of the former one, until an
// operator says so.
func TestARecreatedTopicIsNotTakenForTheFormer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		records int
		running bool // the service is, meanwhile
	}{
		"shorter":                         {50, false},
		"longer":                          {600, false},
		"shorter, while the service runs": {50, true},
		"longer, while the service runs":  {600, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			ledger := newLedger()
			service := w.serve()
			w.mustSend(load(t, "former", 200), ledger.note)
			w.drain()
			before := w.partitions()
			if !c.running {
				service.interrupt()
				service.wantSuccess()
			}

			w.recreate()
			second := newLedger()
			w.mustSend(load(t, "second", c.records), func(r *coordsim.Record, at coordsim.Address) error {
				if err := second.note(r, at); err != nil {
					return err
				}
				return ledger.note(r, coordsim.Address{Topic: at.Topic, Partition: at.Partition, Offset: at.Offset + generations})
			})
			if !c.running {
				w.serve()
			}
			for p, at := range before {
				if p.topic == w.topics.Executions {
					w.wantStopped(p, pgstore.Gap{From: at.Next, To: 0, Cause: pgstore.GapRecreated})
				}
			}
			if got := w.ingested(); got != 200 {
				t.Errorf("%d records ingested before the operator has acted, want 200", got)
			}
			for p := range before {
				if p.topic == w.topics.Executions {
					start(t, w.env, "tcda", "partitions", "reset", "--to=earliest", "--yes", fmt.Sprintf("%s/%d", p.topic, p.number)).wantSuccess()
				}
			}
			w.drain()
			w.verify()
			w.wantStoredOnce(ledger)
			if got, want := w.ingested(), ledger.records; got != want {
				t.Errorf("%d records ingested, want %d", got, want)
			}
		})
	}
}

// generations keeps addresses of two topics of one name apart.
const generations = 1 << 32

// recreate deletes the topic of executions and makes it again.
func (w *world) recreate() {
	w.Helper()
	admin := kadm.NewClient(w.kafka.Client(w))
	if _, err := admin.DeleteTopic(w.Context(), w.topics.Executions); err != nil {
		w.Fatal(err)
	}
	testenv.Eventually(w, "the topic is made again", func() bool { // the deletion takes a while
		_, err := admin.CreateTopic(w.Context(), executionPartitions, 1, nil, w.topics.Executions)
		return err == nil
	})
}

// wantStopped waits until a partition is stopped by the one gap that it has.
func (w *world) wantStopped(p partition, want pgstore.Gap) {
	w.Helper()
	testenv.Eventually(w, fmt.Sprintf("%v is stopped", p), func() bool { return w.partitions()[p].StoppedReason != "" })
	gaps, err := w.store.Gaps(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	found := 0
	for _, g := range gaps {
		if g.Topic != p.topic || g.Partition != p.number {
			continue
		}
		found++
		if g.From != want.From || g.To != want.To || g.Cause != want.Cause {
			w.Errorf("%v has lost %d to %d by %s; want %d to %d by %s", p, g.From, g.To, g.Cause, want.From, want.To, want.Cause)
		}
	}
	if found != 1 {
		w.Errorf("%v has %d gaps, want 1", p, found)
	}
}

// wantRunning sees that no partition is stopped.
func (w *world) wantRunning() {
	w.Helper()
	for p, stored := range w.partitions() {
		if stored.StoppedReason != "" {
			w.Errorf("%v is stopped: %s", p, stored.StoppedReason)
		}
	}
}
