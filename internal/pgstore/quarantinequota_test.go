package pgstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// limited opens a store whose quarantine is bounded.
func limited(t testing.TB, db *testenv.DB, soft, hard int64) *pgstore.Store {
	t.Helper()
	s, err := pgstore.Open(t.Context(), pgstore.Config{URL: db.URL, MaxConns: 8, LockTimeout: 20 * time.Second, Quarantine: pgstore.QuarantineLimits{Soft: soft, Hard: hard}})
	must(t, err)
	t.Cleanup(s.Close)
	return s
}

func poisonAt(offset int64, size int, headers ...kafkarecord.Header) pgstore.Poison {
	return pgstore.Poison{
		Record:    kafkarecord.Record{Offset: offset, Key: bytes.Repeat([]byte("k"), size), Value: bytes.Repeat([]byte("v"), size), Headers: headers},
		Rejection: fact.Reject(fact.ReasonJSON, "data", "", "JSON"),
	}
}

// wantUsage compares the counted usage with that of the rows.
func wantUsage(t testing.TB, s *pgstore.Store, db *testenv.DB) pgstore.QuarantineUsage {
	t.Helper()
	got, err := s.QuarantineUsage(t.Context())
	must(t, err)
	var want pgstore.QuarantineUsage
	must(t, db.Pool(t).QueryRow(t.Context(), `
		SELECT count(*), coalesce(sum(test_coordination.quarantined_bytes(record_key, record_value, record_headers, field, detail)), 0)::bigint
		FROM test_coordination.quarantined_records WHERE status = 'open'`).Scan(&want.Records, &want.Bytes))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("usage (-rows +counted):\n%s", diff)
	}
	return got
}

func TestOverTheSoftLimitOnlyTheBeginningsAreKept(t *testing.T) {
	t.Parallel()
	db := testenv.Postgres(t)
	s := limited(t, db, 12_000, 1<<20)
	p := claim(t, s, "t", 0)
	small, large := kafkarecord.Header{Key: "a", Value: []byte("1")}, kafkarecord.Header{Key: "b", Value: make([]byte, 2000)}
	var said pgstore.Quarantined
	must(t, s.Batch(t.Context(), now, func(tx *pgstore.Tx) error {
		err := tx.Quarantine(t.Context(), p, []pgstore.Poison{poisonAt(0, 5000, small), poisonAt(1, 5000, small, large), poisonAt(2, 100, small), poisonAt(3, 100, small, large)})
		said = tx.Quarantined()
		return err
	}))
	if said.InPart != 2 || said.Before.Records != 0 || said.After.Records != 4 {
		t.Errorf("quarantined %+v, want two in part", said)
	}
	stored := quarantine(t, s, p)
	for i, want := range []struct {
		complete    bool
		size, heads int
	}{{true, 5000, 1}, {false, 1024, 1}, {true, 100, 1}, {false, 100, 1}} {
		got := &stored[i]
		if got.Complete != want.complete || len(got.Record.Value) != want.size || len(got.Record.Key) != want.size || len(got.Record.Headers) != want.heads {
			t.Errorf("record %d: complete %t, %d bytes of value, %d of key, %d headers; want %+v", i, got.Complete, len(got.Record.Value), len(got.Record.Key), len(got.Record.Headers), want)
		}
		if whole := int64([]int{5000, 5000, 100, 100}[i]); got.Length != whole || len(got.SHA256) != 32 || got.Complete != (got.Record.Oversize == nil) {
			t.Errorf("record %d: length %d, sum %x, oversize %v", i, got.Length, got.SHA256, got.Record.Oversize)
		}
	}
	wantUsage(t, s, db)
	if err := s.QuarantineLimits().Exceeded(said.Before); err != nil {
		t.Errorf("within the limit: %v", err)
	}
	quarantine(t, s, p, poisonAt(4, 4000), poisonAt(5, 4000), poisonAt(6, 4000), poisonAt(7, 4000))
	if err := s.QuarantineLimits().Exceeded(wantUsage(t, s, db)); err == nil || !strings.Contains(err.Error(), "soft limit is 12000") {
		t.Errorf("over the limit: %v", err)
	}
}

func TestWhatFindsNoRoomIsRefusedAsAWhole(t *testing.T) {
	t.Parallel()
	db := testenv.Postgres(t)
	s := limited(t, db, 0, 10_000)
	p := claim(t, s, "t", 0)
	quarantine(t, s, p, poisonAt(0, 1000))
	before := wantUsage(t, s, db)
	put := func(poison ...pgstore.Poison) error {
		return s.Batch(t.Context(), now, func(tx *pgstore.Tx) error { return tx.Quarantine(t.Context(), p, poison) })
	}
	if err := put(poisonAt(1, 1000), poisonAt(2, 4000)); !errors.Is(err, pgstore.ErrQuarantineFull) {
		t.Errorf("put more than there is room for: %v", err)
	}
	if diff := cmp.Diff(before, wantUsage(t, s, db)); diff != "" {
		t.Errorf("usage changed:\n%s", diff)
	}
	must(t, put(poisonAt(1, 1000)))
	stored := quarantine(t, s, p)
	must(t, s.Resolve(t.Context(), stored[0].ID, pgstore.QuarantineDiscarded, "operator", "noise", now))
	must(t, put(poisonAt(2, 2000)))
	wantUsage(t, s, db)
}

// Workers of many partitions put in and take back, operators settle, and an
// older program knows nothing of the sums.
func TestUsageIsExactWhoeverWrites(t *testing.T) {
	t.Parallel()
	const workers, rounds, hard = 4, 25, 200_000
	db := testenv.Postgres(t)
	s := limited(t, db, hard/2, hard)
	full := make([]int, workers)
	var g errgroup.Group
	for w := range workers {
		p := claim(t, s, fmt.Sprint("t-", w), 0)
		g.Go(func() error {
			for i := range rounds {
				poison := []pgstore.Poison{poisonAt(int64(2*i), 100*(w+1)), poisonAt(int64(2*i+1), 2000)}
				put := func(tx *pgstore.Tx) error {
					if err := tx.Quarantine(t.Context(), p, poison); err != nil {
						return err
					}
					if q := tx.Quarantined(); q.After.Bytes > hard {
						return fmt.Errorf("%d bytes are more than the limit", q.After.Bytes)
					}
					return nil
				}
				if err := s.Trial(t.Context(), now, put); err != nil && !errors.Is(err, pgstore.ErrQuarantineFull) {
					return err
				}
				switch err := s.Batch(t.Context(), now, put); {
				case errors.Is(err, pgstore.ErrQuarantineFull):
					full[w]++
				case err != nil:
					return err
				}
				if err := s.Batch(t.Context(), now, put); err != nil && !errors.Is(err, pgstore.ErrQuarantineFull) { // a replay adds nothing
					return err
				}
				page, err := s.QuarantinedRecords(t.Context(), pgstore.QuarantineFilter{Status: pgstore.QuarantineOpen, Page: 1})
				if err != nil {
					return err
				}
				if i%5 == 0 && len(page) > 0 {
					if err := s.Resolve(t.Context(), page[0].ID, pgstore.QuarantineRequeued, "operator", "", now); err != nil && !errors.Is(err, pgstore.ErrNotFound) {
						return err
					}
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		for i := range rounds {
			if _, err := db.Pool(t).Exec(t.Context(), `INSERT INTO test_coordination.quarantined_records (topic, partition, generation, kafka_offset, reason, record_value, quarantined_at)
				VALUES ('old', 0, 1, $1, 'json', 'value', now())`, i); err != nil {
				return err
			}
		}
		return nil
	})
	must(t, g.Wait())
	if u := wantUsage(t, s, db); u.Bytes > hard+rounds*600 {
		t.Errorf("%d bytes of open records, at most %d are allowed", u.Bytes, hard)
	}
	if _, err := db.Pool(t).Exec(t.Context(), `DELETE FROM test_coordination.quarantined_records WHERE kafka_offset % 3 = 0`); err != nil {
		t.Fatal(err)
	}
	wantUsage(t, s, db)
}

func TestASettledRecordGivesItsBytesUp(t *testing.T) {
	t.Parallel()
	db := testenv.Postgres(t)
	s := openStore(t, db)
	p := claim(t, s, "t", 0)
	stored := quarantine(t, s, p, poisonAt(0, 5000, kafkarecord.Header{Key: "a", Value: []byte("1")}), poisonAt(1, 10))
	must(t, s.Resolve(t.Context(), stored[0].ID, pgstore.QuarantineDiscarded, "operator", "noise", now))
	must(t, s.Resolve(t.Context(), stored[1].ID, pgstore.QuarantineRequeued, "operator", "again", now))
	if u := wantUsage(t, s, db); u != (pgstore.QuarantineUsage{}) {
		t.Errorf("usage is %+v, want none", u)
	}
	for i, before := range stored {
		after, err := s.QuarantinedRecord(t.Context(), before.ID)
		must(t, err)
		if after.Record.Value != nil || after.Record.Headers != nil || after.Complete || len(after.Record.Key) != min(1024, len(before.Record.Key)) {
			t.Errorf("record %d still holds %+v", i, after.Record)
		}
		if after.Reason != before.Reason || after.Length != before.Length || !bytes.Equal(after.SHA256, before.SHA256) || len(after.SHA256) != 32 || after.Offset != before.Offset {
			t.Errorf("record %d cannot be proven any more: %+v", i, after)
		}
	}
}

func TestAFloodIsDiscardedByItsReason(t *testing.T) {
	t.Parallel()
	db := testenv.Postgres(t)
	s := openStore(t, db)
	p := claim(t, s, "t", 0)
	var poison []pgstore.Poison
	for i := range 25 {
		poison = append(poison, poisonAt(int64(i), 10))
		if i%5 == 0 {
			poison[i].Rejection = fact.Reject(fact.ReasonID, "", "", "")
		}
	}
	stored := quarantine(t, s, p, poison...)
	upTo := stored[19].ID
	n, err := s.DiscardOpen(t.Context(), pgstore.Discard{Reason: fact.ReasonJSON, UpTo: upTo, Most: 10, By: "operator", Why: "flood", At: now})
	if err != nil || n != 10 {
		t.Fatalf("discarded %d, error %v; want 10", n, err)
	}
	if n, err = s.DiscardOpen(t.Context(), pgstore.Discard{Reason: fact.ReasonJSON, UpTo: upTo, Most: 10, By: "operator", Why: "flood", At: now}); err != nil || n != 6 {
		t.Fatalf("discarded %d more, error %v; want 6", n, err)
	}
	if u := wantUsage(t, s, db); u.Records != 9 {
		t.Errorf("%d records are open, want 9", u.Records)
	}
	if n, err = s.DiscardOpen(t.Context(), pgstore.Discard{UpTo: stored[24].ID, Most: 100, By: "operator", Why: "all", At: now}); err != nil || n != 9 {
		t.Errorf("discarded %d at last, error %v; want 9", n, err)
	}
}
