package redisstore_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
)

func TestSentinelTellsWhereTheContentCameFrom(t *testing.T) {
	t.Parallel()
	store := open(t, redisstore.Config{URL: startServer(t).URL()})
	if err := store.SetSentinel(t.Context(), redisstore.Epoch{System: "7312000000000000001", Timeline: 3, Position: 100}); err != nil {
		t.Fatalf("set sentinel: %v", err)
	}
	held, err := store.Sentinel(t.Context())
	if err != nil {
		t.Fatalf("read sentinel: %v", err)
	}
	tests := []struct {
		epoch redisstore.Epoch
		want  redisstore.SentinelState
	}{
		{redisstore.Epoch{System: "7312000000000000001", Timeline: 3, Position: 100}, redisstore.SentinelSame},
		{redisstore.Epoch{System: "7312000000000000001", Timeline: 3, Position: 101}, redisstore.SentinelSame},
		{redisstore.Epoch{System: "7312000000000000001", Timeline: 3, Position: 99}, redisstore.SentinelAhead},
		{redisstore.Epoch{System: "7312000000000000001", Timeline: 4}, redisstore.SentinelOlder},
		{redisstore.Epoch{System: "7312000000000000001", Timeline: 2, Position: 101}, redisstore.SentinelNewer},
		{redisstore.Epoch{System: "7312000000000000002", Timeline: 3, Position: 99}, redisstore.SentinelForeign},
	}
	for _, test := range tests {
		if got := held.Of(test.epoch); got != test.want {
			t.Errorf("sentinel against %s = %q, want %q", test.epoch, got, test.want)
		}
	}
}

func TestASentinelThatHasGoneIsNotRenewed(t *testing.T) {
	t.Parallel()
	redis := startServer(t)
	s := open(t, redisstore.Config{URL: redis.URL()})
	e := redisstore.Epoch{System: "7", Timeline: 1, Position: 5}
	if err := s.SetSentinel(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if err := redis.Client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if err := s.RenewSentinel(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	if held, err := s.Sentinel(t.Context()); err != nil || held.Of(e) != redisstore.SentinelMissing {
		t.Errorf("sentinel is %v, %v; want it missing", held, err)
	}
}

func TestFlushAndGarbageLeaveNoSentinel(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	store := open(t, redisstore.Config{URL: srv.URL()})
	epoch := redisstore.Epoch{System: "7312000000000000001", Timeline: 3}
	if err := store.SetSentinel(t.Context(), epoch); err != nil {
		t.Fatalf("set sentinel: %v", err)
	}
	if got := srv.Get(t.Context(), "test:epoch").Val(); got != "7312000000000000001:3:0" {
		t.Errorf("sentinel key holds %q", got)
	}
	lose := map[string]func() error{
		"flush":   func() error { return srv.FlushAll(t.Context()).Err() },
		"garbage": func() error { return srv.Set(t.Context(), "test:epoch", "soon", 0).Err() },
	}
	for name, lose := range lose {
		if err := lose(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if held, err := store.Sentinel(t.Context()); err != nil || held.Of(epoch) != redisstore.SentinelMissing {
			t.Errorf("sentinel after %s = %v, %v; want it missing", name, held, err)
		}
	}
}

func TestPassesAreWhatWasSetLast(t *testing.T) {
	t.Parallel()
	srv := startServer(t, adapterACL)
	store := open(t, redisstore.Config{URL: srv.adapterURL()})
	want := func(want int64, when string) {
		t.Helper()
		if got, err := store.Passes(t.Context()); err != nil || got != want {
			t.Errorf("passes %s = %d, %v, want %d", when, got, err, want)
		}
	}
	want(0, "at first")
	for _, n := range []int64{1, 2} {
		must(t, store.SetPasses(t.Context(), n))
		want(n, "after they were set")
	}
	must(t, srv.Set(t.Context(), "test:passes", "many", 0).Err())
	want(0, "of another program")
	must(t, srv.Del(t.Context(), "test:passes").Err())
	must(t, srv.HSet(t.Context(), "test:passes", "a", "b").Err())
	want(0, "of another type")
	must(t, store.SetPasses(t.Context(), 3))
	want(3, "after they were set")
}

func TestOnlyOwnKeysAreDeleted(t *testing.T) {
	t.Parallel()
	srv := startServer(t, "user test-adapter on >pw ~te?t:* +@read +@write +@keyspace -@dangerous")
	// A prefix with a character that SCAN would read as a pattern.
	store := open(t, redisstore.Config{URL: srv.adapterURL(), Prefix: "te?t:"})
	apply(t, store, running(1))
	if err := store.MarkKnown(t.Context(), []redisstore.Hint{hint("a"), hint("b")}); err != nil {
		t.Fatalf("mark known: %v", err)
	}
	if err := store.SetSentinel(t.Context(), redisstore.Epoch{System: "7", Timeline: 1}); err != nil {
		t.Fatalf("set sentinel: %v", err)
	}
	if err := store.SetPasses(t.Context(), 7); err != nil {
		t.Fatalf("set passes: %v", err)
	}
	if err := store.ShowLock(t.Context(), shown("a", 1)); err != nil {
		t.Fatalf("show lock: %v", err)
	}
	foreign := []string{"market:{exec:1}:state", "te?t:of-a-sibling", "test:epoch", "test:{exec:1}:state"}
	for _, key := range foreign {
		if err := srv.Set(t.Context(), key, "1", 0).Err(); err != nil {
			t.Fatalf("set %s: %v", key, err)
		}
	}
	deleted, err := store.DeleteOwnKeys(t.Context())
	if err != nil || deleted != 8 { // state, stream, active set, two hints, sentinel, passes, lock
		t.Errorf("deleted = %d, %v, want 8", deleted, err)
	}
	left := make(map[string]bool)
	for _, key := range srv.Keys(t.Context(), "*").Val() {
		left[key] = true
	}
	delete(left, "te?t:check") // of the check at start, gone within a second
	want := make(map[string]bool)
	for _, key := range foreign {
		want[key] = true
	}
	if diff := cmp.Diff(want, left); diff != "" {
		t.Errorf("keys left (-want +got):\n%s", diff)
	}
}

func TestRunIDNeedsInfo(t *testing.T) {
	t.Parallel()
	srv := startServer(t, adapterACL)
	if _, err := open(t, redisstore.Config{URL: srv.adapterURL()}).RunID(t.Context()); !errors.Is(err, redisstore.ErrDenied) {
		t.Errorf("run id without the right: error = %v, want %v", err, redisstore.ErrDenied)
	}
	got, err := open(t, redisstore.Config{URL: srv.URL()}).RunID(t.Context())
	if err != nil || len(got) != 40 {
		t.Errorf("run id = %q, %v, want 40 characters", got, err)
	}
}
