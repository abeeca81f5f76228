package pgstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// advance commits a batch of one owner, as S4 does.
func advance(t testing.TB, s *pgstore.Store, p pgstore.Partition, from, to int64) error {
	t.Helper()
	return s.Batch(t.Context(), now, func(tx *pgstore.Tx) error {
		tx.Advance(t.Context(), p, from, to)
		return tx.Count(t.Context(), p, 3, 2, 1)
	})
}

// stored is the one partition of a test.
func stored(t testing.TB, s *pgstore.Store) pgstore.Partition {
	t.Helper()
	all, err := s.Partitions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 {
		t.Fatalf("%d partitions, want 1", len(all))
	}
	return all[0]
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestOnlyTheLastOwnerAdvancesAndOnlyFromThePosition(t *testing.T) {
	t.Parallel()
	s := openStore(t, testenv.Postgres(t))
	first := claim(t, s, "t", 5)
	if first.Epoch != 1 || first.Next != 5 || first.Owner != "me" || first.Generation != 1 || first.TopicID != (pgstore.TopicID{1}) || !first.ClaimedAt.Equal(now) {
		t.Errorf("first claim gives %+v", first)
	}
	must(t, advance(t, s, first, 5, 8))
	for _, c := range []struct {
		name  string
		owner pgstore.Partition
		from  int64
	}{
		{"the same batch again", first, 5},
		{"ahead of the position", first, 9},
	} {
		if err := advance(t, s, c.owner, c.from, 10); !errors.Is(err, pgstore.ErrFenced) {
			t.Errorf("%s: %v, want it fenced", c.name, err)
		}
	}
	second := claim(t, s, "t", 0)
	if second.Epoch != 2 || second.Next != 8 {
		t.Errorf("second claim gives epoch %d, next %d", second.Epoch, second.Next)
	}
	if err := advance(t, s, first, 8, 9); !errors.Is(err, pgstore.ErrFenced) {
		t.Errorf("the former owner: %v, want it fenced", err)
	}
	for name, err := range map[string]error{
		"begin":   s.BeginAttempt(t.Context(), first),
		"end":     s.EndAttempt(t.Context(), first),
		"decoded": s.Decoded(t.Context(), first),
		"stop":    s.Stop(t.Context(), first, "why", now),
		"release": s.Release(t.Context(), first, now),
	} {
		if !errors.Is(err, pgstore.ErrFenced) {
			t.Errorf("%s by the former owner: %v, want it fenced", name, err)
		}
	}
	if p := stored(t, s); p.Owner != "me" || p.Next != 8 || p.Applied != 3 || p.Duplicates != 2 || p.Quarantined != 1 {
		t.Errorf("partition is %+v", p)
	}
}

func TestDeathsAreCountedUntilTheRecordsAreDecodedAlive(t *testing.T) {
	t.Parallel()
	s := openStore(t, testenv.Postgres(t))
	p := claim(t, s, "t", 0)
	steps := []struct {
		name     string
		do       func() error
		attempts int32 // at the claim after it
		careful  int64
	}{
		{"clean stop", func() error { return s.Release(t.Context(), p, now) }, 0, 0},
		{"first death", func() error { return nil }, 1, 0},
		{"death before anything was read", func() error { return nil }, 1, 0},
		{"second death", func() error { return s.BeginAttempt(t.Context(), p) }, 2, 10},
		{"death when nothing had come", func() error {
			return errors.Join(s.BeginAttempt(t.Context(), p), s.EndAttempt(t.Context(), p))
		}, 2, 10},
		{"a clean stop forgets nothing", func() error { return s.Release(t.Context(), p, now) }, 2, 10},
		{"decoded alive, then death", func() error { return s.Decoded(t.Context(), p) }, 1, 10},
		{"committed, then death", func() error { return advance(t, s, p, 0, 4) }, 1, 10},
		{"another death", func() error { return s.BeginAttempt(t.Context(), p) }, 2, 14},
	}
	for _, step := range steps {
		must(t, step.do())
		p = claim(t, s, "t", 0)
		if p.Attempts != step.attempts || p.CarefulUntil != step.careful {
			t.Errorf("%s: attempts %d, careful until %d; want %d, %d", step.name, p.Attempts, p.CarefulUntil, step.attempts, step.careful)
		}
	}
}

func TestAStoppedPartitionStaysStoppedUntilItIsReset(t *testing.T) {
	t.Parallel()
	s := openStore(t, testenv.Postgres(t))
	p := claim(t, s, "t", 7)
	must(t, s.Stop(t.Context(), p, "a wrong migration", now))
	must(t, s.Release(t.Context(), p, now))
	if p = claim(t, s, "t", 0); p.StoppedReason != "a wrong migration" {
		t.Errorf("stopped reason %q", p.StoppedReason)
	}
	at, err := s.Position(t.Context(), "t", 0)
	must(t, err)
	if want := (pgstore.Position{Epoch: p.Epoch, Next: 7, Stopped: true}); at != want {
		t.Errorf("position %+v, want %+v", at, want)
	}

	moved, err := s.Reset(t.Context(), pgstore.ResetRequest{Topic: "t", Partition: 0, TopicID: p.TopicID, Next: 3, By: "operator", Now: now})
	must(t, err)
	if moved.Generation != 1 || moved.Next != 3 {
		t.Errorf("reset on the same topic gives generation %d, next %d", moved.Generation, moved.Next)
	}
	if err := advance(t, s, p, 3, 4); !errors.Is(err, pgstore.ErrFenced) {
		t.Errorf("the worker before the reset: %v, want it fenced", err)
	}
	if p = claim(t, s, "t", 0); p.StoppedReason != "" || p.Next != 3 || p.Attempts != 0 {
		t.Errorf("claim after the reset gives %+v", p)
	}

	moved, err = s.Reset(t.Context(), pgstore.ResetRequest{Topic: "t", Partition: 0, TopicID: pgstore.TopicID{2}, By: "operator", Now: now})
	must(t, err)
	if moved.Generation != 2 || moved.TopicID != (pgstore.TopicID{2}) {
		t.Errorf("reset onto another topic gives generation %d, id %x", moved.Generation, moved.TopicID)
	}
	if p = claim(t, s, "t", 0); p.Generation != 2 || p.TopicID != (pgstore.TopicID{2}) {
		t.Errorf("claim after it gives generation %d, id %x", p.Generation, p.TopicID)
	}
	if _, err := s.Reset(t.Context(), pgstore.ResetRequest{Topic: "unknown", Partition: 0, By: "operator", Now: now}); !errors.Is(err, pgstore.ErrNotFound) {
		t.Errorf("reset of an unknown partition: %v", err)
	}
}

// The log has lost its end and grows again: the same offsets of the same topic
// mean other records.
func TestAResetOntoALogThatLostItsEndRaisesTheGeneration(t *testing.T) {
	t.Parallel()
	s := openStore(t, testenv.Postgres(t))
	p := claim(t, s, "t", 10)
	_, err := s.RecordGap(t.Context(), p, pgstore.Gap{Topic: "t", Generation: 1, From: 10, To: 0, Cause: pgstore.GapRecreated, DetectedAt: now}, "another log")
	must(t, err)
	reset := pgstore.ResetRequest{Topic: "t", TopicID: p.TopicID, Next: 8, By: "operator", Now: now}
	before := stored(t, s)
	tried, err := s.TryReset(t.Context(), reset)
	must(t, err)
	if diff := cmp.Diff(before, stored(t, s)); diff != "" {
		t.Errorf("trying has changed the partition (-want +got):\n%s", diff)
	}
	moved, err := s.Reset(t.Context(), reset)
	must(t, err)
	if diff := cmp.Diff(tried, moved); diff != "" {
		t.Errorf("it was to become another one (-want +got):\n%s", diff)
	}
	if after := stored(t, s); after.Generation != 2 || after.Next != 8 {
		t.Errorf("generation %d, next %d; want 2, 8", after.Generation, after.Next)
	}
}

func TestAGapIsRecordedOnceAndAcceptedOnce(t *testing.T) {
	t.Parallel()
	s := openStore(t, testenv.Postgres(t))
	p := claim(t, s, "t", 10)
	gap := pgstore.Gap{Topic: "t", Generation: 1, From: 10, To: 20, Cause: pgstore.GapRetention, DetectedAt: now}
	record := func(p pgstore.Partition) bool {
		t.Helper()
		fresh, err := s.RecordGap(t.Context(), p, gap, "offsets are gone")
		must(t, err)
		return fresh
	}
	if err := s.AcceptGap(t.Context(), "t", 0, 20, "operator", now); !errors.Is(err, pgstore.ErrNoGap) {
		t.Errorf("accepting no gap: %v", err)
	}
	if !record(p) || record(p) {
		t.Error("a gap is new once")
	}
	if at := stored(t, s); at.StoppedReason != "offsets are gone" {
		t.Errorf("stopped reason %q", at.StoppedReason)
	}
	accepted := now.Add(time.Minute)
	must(t, s.AcceptGap(t.Context(), "t", 0, 25, "operator", accepted)) // retention went on
	gaps, err := s.Gaps(t.Context())
	must(t, err)
	want := gap
	want.To, want.AcceptedAt, want.AcceptedBy = 25, accepted, "operator"
	if diff := cmp.Diff([]pgstore.Gap{want}, gaps); diff != "" {
		t.Errorf("gaps (-want +got):\n%s", diff)
	}
	if at := stored(t, s); at.StoppedReason != "" || at.Next != 25 || at.Epoch != p.Epoch+1 {
		t.Errorf("after accepting: %+v", at)
	}
	if err := s.AcceptGap(t.Context(), "t", 0, 25, "operator", now); !errors.Is(err, pgstore.ErrNoGap) {
		t.Errorf("accepting twice: %v", err)
	}

	// A reset leads back to the hole.
	_, err = s.Reset(t.Context(), pgstore.ResetRequest{Topic: "t", Partition: 0, Next: 10, By: "operator", Now: now})
	must(t, err)
	if !record(claim(t, s, "t", 0)) {
		t.Error("a gap that was accepted and found again raises no alarm")
	}
	must(t, s.AcceptGap(t.Context(), "t", 0, 20, "operator", now))

	if _, err := s.RecordGap(t.Context(), p, gap, "offsets are gone"); !errors.Is(err, pgstore.ErrFenced) {
		t.Errorf("a gap found by a former owner: %v, want it fenced", err)
	}
}
