package e2e_test

import (
	"context"
	"iter"
	"sync"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// ledger is what Kafka has acknowledged, by its own account: not by that of the
// records, which say themselves what they are.
type ledger struct {
	mu        sync.Mutex
	records   int64
	events    map[fact.Key]string // subject
	malformed map[coordsim.Address]fact.Reason
}

func newLedger() *ledger {
	return &ledger{events: map[fact.Key]string{}, malformed: map[coordsim.Address]fact.Reason{}}
}

// note is called for every acknowledged record.
func (l *ledger) note(r *coordsim.Record, at coordsim.Address) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records++
	if r.Kind == coordsim.Malformed {
		l.malformed[at] = r.Reason
	} else {
		l.events[r.EventKey()] = r.Subject
	}
	return nil
}

// acknowledged is how many records there are so far.
func (l *ledger) acknowledged() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.records
}

// sums are the records that must be applied, recognised as duplicates and
// quarantined.
type sums struct{ Applied, Duplicates, Quarantined int64 }

func (l *ledger) sums() sums {
	events, malformed := int64(len(l.events)), int64(len(l.malformed))
	return sums{Applied: events, Duplicates: l.records - events - malformed, Quarantined: malformed}
}

// send sends records, at most rate a second, and tells what is acknowledged.
func (w *world) send(ctx context.Context, records iter.Seq2[coordsim.Record, error], rate float64, acknowledged func(*coordsim.Record, coordsim.Address) error) error {
	producer, err := coordsim.NewProducer(coordsim.ProducerConfig{
		Brokers: w.kafka.Brokers, TLS: w.kafka.TLS, SASL: w.login(), Dial: w.kafka.Dial, Topics: w.topics, Patient: true,
	})
	if err != nil {
		return err
	}
	defer producer.Close()
	return producer.Send(ctx, records, rate, acknowledged)
}

// settle holds what is stored against the ledger: every acknowledged event once,
// every malformed record in quarantine at its address, and nothing besides.
func (w *world) settle(l *ledger) {
	w.Helper()
	var produced int64
	for _, end := range w.ends() {
		produced += end
	}
	if produced != l.records {
		w.Errorf("the topics hold %d records, %d were acknowledged", produced, l.records)
	}
	w.wantStored(l)
}

// wantStored is settle for topics that hold, or held, other records too.
func (w *world) wantStored(l *ledger) {
	w.Helper()
	var got sums
	for p, stored := range w.partitions() {
		got.Applied, got.Duplicates, got.Quarantined = got.Applied+stored.Applied, got.Duplicates+stored.Duplicates, got.Quarantined+stored.Quarantined
		if stored.StoppedReason != "" {
			w.Errorf("%v is stopped: %s", p, stored.StoppedReason)
		}
	}
	if diff := cmp.Diff(l.sums(), got); diff != "" {
		w.Errorf("sums (-by the ledger +by the service):\n%s", diff)
	}
	w.wantStoredOnce(l)
	if diff := cmp.Diff(l.malformed, w.quarantined()); diff != "" {
		w.Errorf("quarantined records (-by the ledger +by the service):\n%s", diff)
	}
}

func (w *world) wantStoredOnce(l *ledger) {
	w.Helper()
	asked := make([]pgstore.SentEvent, 0, len(l.events))
	for key, subject := range l.events {
		asked = append(asked, pgstore.SentEvent{Subject: subject, Key: key})
	}
	copies, err := w.store.StoredCopies(w.Context(), asked)
	if err != nil {
		w.Fatal(err)
	}
	lost, doubled := 0, 0
	for key := range l.events {
		switch n := copies[key]; {
		case n == 0:
			lost++
		case n > 1:
			doubled++
		}
	}
	if lost+doubled > 0 {
		w.Errorf("of %d acknowledged events %d are not stored and %d are stored more than once", len(l.events), lost, doubled)
	}
}

// quarantined are all quarantined records.
func (w *world) quarantined() map[coordsim.Address]fact.Reason {
	w.Helper()
	const all = 100_000
	page, err := w.store.QuarantinedRecords(w.Context(), pgstore.QuarantineFilter{Page: all})
	if err != nil {
		w.Fatal(err)
	}
	found := map[coordsim.Address]fact.Reason{}
	for _, r := range page {
		found[coordsim.Address{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}] = r.Reason
	}
	return found
}
