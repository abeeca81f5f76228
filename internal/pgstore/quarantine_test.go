package pgstore_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// quarantine keeps records as S4f does, and gives them back as stored, oldest
// first.
func quarantine(t testing.TB, s *pgstore.Store, p pgstore.Partition, poison ...pgstore.Poison) []pgstore.QuarantinedRecord {
	t.Helper()
	must(t, s.Batch(t.Context(), now, func(tx *pgstore.Tx) error { return tx.Quarantine(t.Context(), p, poison) }))
	page, err := s.QuarantinedRecords(t.Context(), pgstore.QuarantineFilter{Page: 100})
	must(t, err)
	out := make([]pgstore.QuarantinedRecord, len(page))
	for i, listed := range page {
		r, err := s.QuarantinedRecord(t.Context(), listed.ID)
		must(t, err)
		out[len(page)-1-i] = r
		r.Record = kafkarecord.Record{}
		if diff := cmp.Diff(r, listed); diff != "" {
			t.Errorf("record and its line in the list (-record +line):\n%s", diff)
		}
	}
	return out
}

func TestHostileRecordsComeBackByteForByte(t *testing.T) {
	t.Parallel()
	allBytes := make([]byte, 256)
	for i := range allBytes {
		allBytes[i] = byte(i)
	}
	at := time.Date(2026, 4, 1, 12, 0, 0, 123000000, time.UTC) // Kafka keeps milliseconds
	records := []kafkarecord.Record{
		{Timestamp: at, Key: []byte("key"), Value: []byte("value"), Headers: []kafkarecord.Header{{Key: "ce_id", Value: []byte("1")}}},
		{Timestamp: at, Key: allBytes, Value: allBytes, Headers: []kafkarecord.Header{{Key: string(allBytes), Value: allBytes}}},
		{Timestamp: at, Key: []byte("\x00"), Value: []byte("\xff\xfe"), Headers: []kafkarecord.Header{{Key: "\xff", Value: nil}, {Key: "", Value: []byte{}}, {Key: "\x00", Value: []byte("\x00")}}},
		{Timestamp: at, Key: nil, Value: nil},
		{Timestamp: at, Key: []byte{}, Value: []byte{}},
		{Timestamp: at, Value: []byte("twice"), Headers: []kafkarecord.Header{{Key: "a", Value: []byte("1")}, {Key: "a", Value: []byte("2")}}},
		{Timestamp: time.UnixMilli(-1).UTC(), Value: []byte("no timestamp")},
		{Timestamp: time.UnixMilli(math.MaxInt64).UTC(), Value: []byte("the far future")},
		{Timestamp: time.UnixMilli(math.MinInt64).UTC(), Value: []byte("the far past")},
		{Timestamp: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), Value: []byte("year 10000")},
		{Value: bytes.Repeat([]byte{0}, 1<<20)},
	}
	s := openStore(t, testenv.Postgres(t))
	p := claim(t, s, "t", 0)
	poison := make([]pgstore.Poison, len(records))
	for i := range records {
		records[i].Offset = int64(i)
		poison[i] = pgstore.Poison{Record: records[i], Rejection: fact.Reject(fact.ReasonUTF8, "field\x00", "value\xff\x00", "rule")}
	}
	stored := quarantine(t, s, p, poison...)
	if len(stored) != len(records) {
		t.Fatalf("%d records stored, want %d", len(stored), len(records))
	}
	for i, got := range stored {
		want := records[i]
		if y := want.Timestamp.Year(); y < 1 || y > 9999 {
			want.Timestamp = time.Time{} // no database and no reader of JSON could hold it
		}
		if diff := cmp.Diff(want, got.Record); diff != "" {
			t.Errorf("record %d (-kept +read):\n%s", i, diff)
		}
		if !got.Complete || got.Length != int64(len(want.Value)) || got.Reason != fact.ReasonUTF8 || got.Status != pgstore.QuarantineOpen || !got.QuarantinedAt.Equal(now) {
			t.Errorf("record %d is stored as %+v", i, got)
		}
	}
	if altered, err := s.AlteredRecords(t.Context(), 10); err != nil || len(altered) != 0 {
		t.Errorf("altered records %v, %v; want none", altered, err)
	}
}

func TestARecordThatWasNotReadWholeSaysSo(t *testing.T) {
	t.Parallel()
	s := openStore(t, testenv.Postgres(t))
	p := claim(t, s, "t", 0)
	whole := bytes.Repeat([]byte("x"), 3<<20)
	large := kafkarecord.Record{Offset: 1, Value: whole[:64<<10], Oversize: &kafkarecord.Oversize{Length: int64(len(whole)), SHA256: sha256.Sum256(whole)}}
	stored := quarantine(t, s, p,
		pgstore.Poison{Record: large, Rejection: fact.Reject(fact.ReasonTooLarge, "", "", "")},
		pgstore.Poison{Record: kafkarecord.Record{Offset: 2}, Rejection: fact.Reject(fact.ReasonCrash, "", "", ""), BytesUnknown: true},
	)
	if diff := cmp.Diff(large, stored[0].Record); diff != "" {
		t.Errorf("large record (-kept +read):\n%s", diff)
	}
	if stored[0].Complete || stored[0].Length != int64(len(whole)) {
		t.Errorf("large record is stored as complete %t, %d bytes", stored[0].Complete, stored[0].Length)
	}
	if stored[1].Complete || stored[1].Record.Value != nil || stored[1].Record.Oversize != nil {
		t.Errorf("record that was never seen is stored as %+v", stored[1])
	}
}

func TestAnAddressIsQuarantinedOnceInEachGeneration(t *testing.T) {
	t.Parallel()
	s := openStore(t, testenv.Postgres(t))
	p := claim(t, s, "t", 0)
	poison := pgstore.Poison{Record: kafkarecord.Record{Offset: 7, Value: []byte("first")}, Rejection: fact.Reject(fact.ReasonJSON, "", "", "")}
	quarantine(t, s, p, poison)
	poison.Record.Value = []byte("again")
	if stored := quarantine(t, s, p, poison); len(stored) != 1 || string(stored[0].Record.Value) != "first" {
		t.Errorf("after a replay: %d records", len(stored))
	}
	p.Generation++
	if stored := quarantine(t, s, p, poison); len(stored) != 2 || stored[1].Generation != 2 || string(stored[1].Record.Value) != "again" {
		t.Errorf("in the next generation: %d records", len(stored))
	}
}

func TestARecordIsSettledOnce(t *testing.T) {
	t.Parallel()
	s := openStore(t, testenv.Postgres(t))
	stored := quarantine(t, s, claim(t, s, "t", 0),
		pgstore.Poison{Record: kafkarecord.Record{Offset: 1}, Rejection: fact.Reject(fact.ReasonJSON, "", "", "")},
		pgstore.Poison{Record: kafkarecord.Record{Offset: 2}, Rejection: fact.Reject(fact.ReasonEmpty, "", "", "")},
	)
	at := now.Add(time.Hour)
	must(t, s.Resolve(t.Context(), stored[0].ID, pgstore.QuarantineDiscarded, "operator", "noise", at))
	if err := s.Resolve(t.Context(), stored[0].ID, pgstore.QuarantineRequeued, "operator", "", at); !errors.Is(err, pgstore.ErrNotFound) {
		t.Errorf("settled twice: %v", err)
	}
	if _, err := s.QuarantinedRecord(t.Context(), 4711); !errors.Is(err, pgstore.ErrNotFound) {
		t.Errorf("unknown record: %v", err)
	}
	for name, c := range map[string]struct {
		filter pgstore.QuarantineFilter
		want   []int64 // offsets, newest first
	}{
		"all":       {pgstore.QuarantineFilter{Page: 10}, []int64{2, 1}},
		"a page":    {pgstore.QuarantineFilter{Page: 1}, []int64{2}},
		"next page": {pgstore.QuarantineFilter{Page: 1, Before: stored[1].ID}, []int64{1}},
		"open":      {pgstore.QuarantineFilter{Page: 10, Status: pgstore.QuarantineOpen}, []int64{2}},
		"discarded": {pgstore.QuarantineFilter{Page: 10, Status: pgstore.QuarantineDiscarded}, []int64{1}},
		"a reason":  {pgstore.QuarantineFilter{Page: 10, Reason: fact.ReasonJSON}, []int64{1}},
		"both":      {pgstore.QuarantineFilter{Page: 10, Reason: fact.ReasonJSON, Status: pgstore.QuarantineOpen}, nil},
	} {
		page, err := s.QuarantinedRecords(t.Context(), c.filter)
		must(t, err)
		var got []int64
		for _, r := range page {
			got = append(got, r.Offset)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	settled, err := s.QuarantinedRecord(t.Context(), stored[0].ID)
	must(t, err)
	if settled.ResolvedBy != "operator" || settled.Resolution != "noise" || !settled.ResolvedAt.Equal(at) {
		t.Errorf("settled record is %+v", settled)
	}
}
