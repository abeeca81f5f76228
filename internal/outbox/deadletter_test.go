package outbox_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// hostileRecords are records that only bytes can tell from each other.
func hostileRecords() []kafkarecord.Record {
	allBytes := make([]byte, 256)
	for i := range allBytes {
		allBytes[i] = byte(i)
	}
	records := []kafkarecord.Record{
		{Key: []byte("exec-1"), Value: []byte("no JSON"), Headers: []kafkarecord.Header{{Key: "ce_id", Value: []byte("1")}}},
		{Key: allBytes, Value: allBytes, Headers: []kafkarecord.Header{{Key: "x", Value: allBytes}, {Key: "x", Value: []byte{}}, {Key: "y"}}},
		{Key: []byte{}, Value: []byte{}},
		{},
		{Value: []byte("no key")},
		{Key: []byte("exec-1"), Value: bytes.Repeat([]byte{0}, 500_000)},
	}
	for i := range records {
		records[i].Offset = int64(i)
	}
	return records
}

// quarantineIn keeps records as ingest does, each with a reason of its own.
func quarantineIn(w *world, s *pgstore.Store, records []kafkarecord.Record) {
	w.Helper()
	reasons := []fact.Reason{fact.ReasonJSON, fact.ReasonUTF8, fact.ReasonEmpty, fact.ReasonTombstone, fact.ReasonDatabase, fact.ReasonNUL}
	poison := make([]pgstore.Poison, len(records))
	for i, r := range records {
		poison[i] = pgstore.Poison{Record: r, Rejection: fact.Reject(reasons[i%len(reasons)], "data.field", "value", "rule")}
	}
	p := pgstore.Partition{Topic: "test-coordination.executions", Number: 2, Generation: 1}
	err := s.Batch(w.Context(), time.Now(), func(tx *pgstore.Tx) error { return tx.Quarantine(w.Context(), p, poison) })
	if err != nil {
		w.Fatal(err)
	}
}

// wantLetters sees that each record came as it was, with why it was quarantined.
func wantLetters(t testing.TB, want []kafkarecord.Record, got []*kgo.Record) {
	t.Helper()
	letters := map[string]*kgo.Record{}
	for _, r := range got {
		letters[header(r, "__connect.errors.offset")] = r
	}
	if len(letters) != len(want) || len(got) != len(want) {
		t.Fatalf("%d dead letters of %d records, want %d", len(got), len(letters), len(want))
	}
	for i, w := range want {
		r := letters[string(rune('0'+i))]
		record := kafkarecord.Record{Offset: w.Offset, Key: r.Key, Value: r.Value}
		for _, h := range r.Headers[:len(w.Headers)] {
			record.Headers = append(record.Headers, kafkarecord.Header{Key: h.Key, Value: h.Value})
		}
		if diff := cmp.Diff(w, record); diff != "" {
			t.Errorf("record %d (-was +dead letter):\n%s", i, diff)
		}
		said := map[string]string{}
		for _, h := range r.Headers[len(w.Headers):] {
			said[h.Key] = string(h.Value)
		}
		if i > 0 {
			continue
		}
		headers := map[string]string{
			"__connect.errors.topic": "test-coordination.executions", "__connect.errors.partition": "2", "__connect.errors.offset": "0",
			"__connect.errors.connector.name": "tcda", "__connect.errors.task.id": "2", "__connect.errors.stage": "VALUE_CONVERTER",
			"__connect.errors.class.name": "tcda", "__connect.errors.exception.class.name": "tcda.json",
			"__connect.errors.exception.message": `data.field: "value": rule`, "tcda-reason": "json",
		}
		if diff := cmp.Diff(headers, said); diff != "" {
			t.Errorf("headers of record %d (-want +got):\n%s", i, diff)
		}
	}
}

// A dead letter is the record byte for byte, also when the record was settled, and
// has given its bytes up, before it was published.
func TestADeadLetterIsTheRecord(t *testing.T) {
	t.Parallel()
	for name, settle := range map[string]func(*world, *pgstore.Store) error{
		"open": func(*world, *pgstore.Store) error { return nil },
		"discarded": func(w *world, s *pgstore.Store) error {
			_, err := s.DiscardOpen(w.Context(), pgstore.Discard{UpTo: 100, Most: 100, By: "operator", Why: "a test", At: time.Now()})
			return err
		},
		"requeued": func(w *world, s *pgstore.Store) error {
			for id := range int64(len(hostileRecords())) {
				if err := s.Resolve(w.Context(), id+1, pgstore.QuarantineRequeued, "operator", "a test", time.Now()); err != nil {
					return err
				}
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			s := w.openStore(func(c *pgstore.Config) { c.DeadLetters = true })
			quarantineIn(w, s, hostileRecords())
			quarantineIn(w, s, hostileRecords()) // replayed: they are there already
			if err := settle(w, s); err != nil {
				t.Fatal(err)
			}
			w.start(w.publisher("a"))
			w.eventually("all are published", func() bool { return w.statuses()["published"] == len(hostileRecords()) })
			wantLetters(t, hostileRecords(), w.reader(pgstore.OutboxDeadLetters).await("the dead letters", atLeast(len(hostileRecords()))))
		})
	}
}

// Without the setting nothing is enqueued.
func TestDeadLettersAreOffByDefault(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	quarantineIn(w, w.store, hostileRecords())
	if s := w.statuses(); len(s) != 0 {
		t.Errorf("rows: %v", s)
	}
}

// A record that was not kept whole says so.
func TestADeadLetterOfAPartSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.openStore(func(c *pgstore.Config) { c.DeadLetters = true; c.Quarantine.Soft = 1 })
	quarantineIn(w, s, []kafkarecord.Record{{Value: bytes.Repeat([]byte("x"), 5000)}, {Offset: 1, Value: []byte("small")}})
	w.start(w.publisher("a"))
	for _, r := range w.reader(pgstore.OutboxDeadLetters).await("the dead letters", atLeast(2)) {
		length, sum := header(r, "tcda-value-length"), header(r, "tcda-value-sha256")
		if len(r.Value) == 5 && length+sum != "" || len(r.Value) != 5 && (length != "5000" || len(sum) != 64 || len(r.Value) >= 5000) {
			t.Errorf("%d bytes, length %q, sum %q", len(r.Value), length, sum)
		}
	}
}
