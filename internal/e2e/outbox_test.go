package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// However often the service is killed, other programs hear of every run that has
// settled and of every record that was quarantined. What they hear twice has the
// same id and says the same.
func TestKilledServiceTellsOtherProgramsEverything(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	letters := testenv.UniqueName("dead-letters")
	w.kafka.CreateTopic(t, letters, 2, nil)
	for name, value := range map[string]string{"KAFKA_TOPIC_DEAD_LETTERS": letters, "QUARANTINE_DEAD_LETTERS": "true", "OUTBOX_SETTLED_AFTER": "1s", "OUTBOX_POLL": "20ms"} {
		w.env[config.EnvPrefix+name] = value
	}
	service := w.serve()
	testenv.Eventually(t, "the service looks for settled runs", func() bool {
		_, err := w.store.SettledCursor(t.Context())
		return err == nil
	})
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	sim, err := coordsim.New(coordsim.Options{Seed: seed, Instance: "e2e", Start: now(), LongUpdates: 500})
	if err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	for _, err := range sim.Records() {
		if err != nil {
			t.Fatal(err)
		}
		total++
	}
	sent := make(chan error, 1)
	go func() { sent <- w.send(t.Context(), sim.Records(), float64(total)/8, newLedger().note) }()
	const kills = 4
	for kill := range kills {
		// Who dies again and again without getting on is looked at record by record.
		from := w.ingested()
		target := from + min(total-from, 100+rand.Int64N(1+(total-from)/int64(kills-kill+1)))
		testenv.Eventually(t, "the service has come to where it shall die", func() bool { return w.ingested() >= target })
		pause(t, time.Duration(rand.Int64N(int64(time.Second))))
		service.kill()
		service = w.serve()
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	w.drain()

	said := map[string]string{}  // by the events' ids
	heard := map[string]bool{}   // runs as they had settled
	unheard := func() []string { // of runs as they are now: this service itself may still ask for faults to be cleared
		runs, err := w.store.RunsAfter(t.Context(), pgstore.RunKey{}, 10_000)
		if err != nil {
			t.Fatal(err)
		}
		var ended []string
		for i := range runs {
			if r := &runs[i]; r.Status.Terminal() {
				ended = append(ended, fmt.Sprintf("%s/%d version %d: %s", r.ID, r.Number, r.Version, r.Status))
			}
		}
		if len(ended) == 0 {
			t.Fatal("no run has ended")
		}
		return slices.DeleteFunc(ended, func(run string) bool { return heard[run] })
	}
	defer func() {
		if t.Failed() {
			t.Logf("nothing was heard of these runs as they are: %q", unheard())
		}
	}()
	w.hear(w.env[config.EnvPrefix+"KAFKA_TOPIC_REPORTS"], "every settled run", func(r *kgo.Record) bool {
		var data struct {
			ExecutionID string `json:"execution_id"`
			Run         int    `json:"run"`
			Version     int64  `json:"version"`
			Status      string `json:"status"`
		}
		if err := json.Unmarshal(r.Value, &data); err != nil {
			t.Fatalf("%s: %v", r.Value, err)
		}
		id := headerOf(r, "ce_id")
		if before, repeated := said[id]; repeated && before != string(r.Value) {
			t.Errorf("event %s says %s, and %s", id, before, r.Value)
		}
		said[id] = string(r.Value)
		heard[fmt.Sprintf("%s/%d version %d: %s", data.ExecutionID, data.Run, data.Version, data.Status)] = true
		return len(unheard()) == 0
	})
	if texts := distinctValues(said); texts != len(said) {
		t.Errorf("%d events say %d things", len(said), texts)
	}

	quarantined := w.quarantined()
	if len(quarantined) == 0 {
		t.Fatal("nothing was quarantined")
	}
	w.hear(letters, "every quarantined record", func(r *kgo.Record) bool {
		for address, reason := range quarantined {
			if headerOf(r, "__connect.errors.topic") == address.Topic && headerOf(r, "__connect.errors.partition") == fmt.Sprint(address.Partition) && headerOf(r, "__connect.errors.offset") == fmt.Sprint(address.Offset) {
				if headerOf(r, "tcda-reason") != string(reason) {
					t.Errorf("dead letter of %v has the reason %s, want %s", address, headerOf(r, "tcda-reason"), reason)
				}
				delete(quarantined, address)
			}
		}
		return len(quarantined) == 0
	})
	service.interrupt()
	service.wantSuccess()
}

func distinctValues(m map[string]string) int {
	seen := map[string]bool{}
	for _, v := range m {
		seen[v] = true
	}
	return len(seen)
}

// hear reads a topic from its beginning until enough says so.
func (w *world) hear(topic, what string, enough func(*kgo.Record) bool) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), testenv.Patience)
	defer cancel()
	reader := w.kafka.Client(w, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	for ctx.Err() == nil {
		for _, r := range reader.PollFetches(ctx).Records() {
			if enough(r) {
				return
			}
		}
	}
	w.Fatalf("gave up waiting for %s", what)
}

func headerOf(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}
