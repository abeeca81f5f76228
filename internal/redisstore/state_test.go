package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
)

const id = execution.ID("exec-market-crash-001")

// running is a state of the first run with every field set.
func running(row int64) execution.Live {
	progress := 0.25
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)
	return execution.Live{
		ExecutionID: id, Run: 1, RunID: "run-a", Version: row,
		Status: execution.StatusRunning, ScenarioID: "market-crash", Environment: "staging", Coordinator: "coordinator-1",
		Progress: &progress, Message: "injecting\nlatency", CurrentPhase: "injection",
		RequestedAt: at.Add(-time.Minute), StartedAt: at, LastEventAt: at.Add(time.Second), Deadline: at.Add(time.Hour),
		Events: row, LogLines: 1 << 40, ValidationsPassed: 3, ValidationsFailed: 1, FaultsActive: 2,
	}
}

// passed is the end of the first run.
func passed(row int64) execution.Live {
	live := running(row)
	live.Status = execution.StatusPassed
	live.EndedAt = live.LastEventAt
	return live
}

func apply(t *testing.T, store *redisstore.Store, states ...execution.Live) redisstore.Outcome {
	t.Helper()
	out, err := store.ApplyStates(t.Context(), states, 1)
	if err != nil {
		t.Fatalf("apply states: %v", err)
	}
	return out
}

func wantState(t *testing.T, store *redisstore.Store, want execution.Live) {
	t.Helper()
	got, version, ok, err := store.State(t.Context(), want.ExecutionID)
	if err != nil || !ok {
		t.Fatalf("state: ok = %t, %v", ok, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	if want := redisstore.NewVersion(1, want.Run, want.Version); version != want {
		t.Errorf("version = %s, want %s", version, want)
	}
}

func wantStream(t *testing.T, store *redisstore.Store, after redisstore.Version, rows ...int64) {
	t.Helper()
	entries, err := store.ReadStream(t.Context(), id, after, 1000)
	if err != nil {
		t.Fatalf("read stream: %v", err)
	}
	var got []int64
	for _, e := range entries {
		got = append(got, e.Live.Version)
	}
	if diff := cmp.Diff(rows, got); diff != "" {
		t.Errorf("row versions in the stream (-want +got):\n%s", diff)
	}
}

func TestStateComesBackAsItWasGiven(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(m mode) {
		t, store, plain := m.t, m.store, m.plain
		if got, want := apply(t, store, running(1)), (redisstore.Outcome{Applied: 1, Plain: plain}); got != want {
			t.Errorf("outcome = %+v, want %+v", got, want)
		}
		wantState(t, store, running(1))

		bare := execution.Live{ExecutionID: "exec-bare", Run: 1, Version: 1, Status: execution.StatusPending}
		apply(t, store, bare)
		wantState(t, store, bare)
	})
}

func TestStateOfUnknownExecutionIsAMiss(t *testing.T) {
	t.Parallel()
	store := open(t, redisstore.Config{URL: startServer(t).URL()})
	_, version, ok, err := store.State(t.Context(), "exec-unknown")
	if ok || version != "" || err != nil {
		t.Errorf("state = %q, %t, %v, want a miss", version, ok, err)
	}
}

func TestOnlyNewerStatesAreWritten(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(m mode) {
		t, store, plain := m.t, m.store, m.plain
		apply(t, store, running(5))
		for _, row := range []int64{5, 4, 1} {
			if got, want := apply(t, store, running(row)), (redisstore.Outcome{Stale: 1, Plain: plain}); got != want {
				t.Errorf("row version %d: outcome = %+v, want %+v", row, got, want)
			}
		}
		wantState(t, store, running(5))
		wantStream(t, store, "", 5)
		apply(t, store, running(6))
		wantState(t, store, running(6))
		wantStream(t, store, "", 5, 6)
		wantStream(t, store, redisstore.NewVersion(1, 1, 5), 6)
		wantStream(t, store, redisstore.NewVersion(1, 1, 6))
	})
}

// A fail-over that lost rows begins a timeline in which row versions repeat.
func TestNewTimelineOutranksRunAndRow(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(m mode) {
		t, store := m.t, m.store
		apply(t, store, running(900))
		if _, err := store.ApplyStates(t.Context(), []execution.Live{running(3)}, 2); err != nil {
			t.Fatalf("apply states: %v", err)
		}
		apply(t, store, running(901))
		got, version, _, err := store.State(t.Context(), id)
		if err != nil || got.Version != 3 || version != redisstore.NewVersion(2, 1, 3) {
			t.Errorf("state = row version %d, %s, %v, want that of timeline 2", got.Version, version, err)
		}
	})
}

func TestNewestStateOfABatchCounts(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(m mode) {
		t, store, plain := m.t, m.store, m.plain
		second := running(1)
		second.Run, second.RunID = 2, "run-b"
		// The first run was superseded by the second in the same batch.
		superseded := running(9)
		superseded.Status = execution.StatusInterrupted
		got := apply(t, store, running(3), second, superseded)
		if want := (redisstore.Outcome{Applied: 1, Plain: plain}); got != want {
			t.Errorf("outcome = %+v, want %+v", got, want)
		}
		wantState(t, store, second)
		wantStream(t, store, "", 1)
	})
}

func TestStateThatWasNeverStoredIsRefused(t *testing.T) {
	t.Parallel()
	store := open(t, redisstore.Config{URL: startServer(t).URL()})
	live := running(0)
	if _, err := store.ApplyStates(t.Context(), []execution.Live{live}, 1); err == nil || errors.Is(err, redisstore.ErrUnavailable) {
		t.Errorf("apply states: error = %v, want one about the version", err)
	}
}

func TestEndedExecutionExpiresAndANewRunStays(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(m mode) {
		t, srv, store := m.t, m.srv, m.store
		keys := []string{"test:{exec:" + string(id) + "}:state", "test:{exec:" + string(id) + "}:stream"}
		expiry := func(key string) time.Duration {
			ttl, err := srv.PTTL(t.Context(), key).Result()
			if err != nil {
				t.Fatalf("pttl: %v", err)
			}
			return ttl
		}
		const never = time.Duration(-1)
		apply(t, store, running(1))
		for _, key := range keys {
			if got := expiry(key); got != never {
				t.Errorf("running: %s expires in %s, want never", key, got)
			}
		}
		apply(t, store, passed(2))
		for _, key := range keys {
			if got := expiry(key); got <= 23*time.Hour || got > 24*time.Hour {
				t.Errorf("passed: %s expires in %s, want 24 h", key, got)
			}
		}
		again := running(1)
		again.Run = 2
		apply(t, store, again)
		for _, key := range keys {
			if got := expiry(key); got != never {
				t.Errorf("second run: %s expires in %s, want never", key, got)
			}
		}
	})
}

func TestStreamIsCapped(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(m mode) {
		t, srv, plain := m.t, m.srv, m.plain
		url := srv.URL()
		if plain {
			url = srv.adapterURL()
		}
		store := open(t, redisstore.Config{URL: url, StreamMaxLen: 20})
		for row := range int64(500) {
			apply(t, store, running(row+1))
		}
		length, err := srv.XLen(t.Context(), "test:{exec:"+string(id)+"}:stream").Result()
		// Redis cuts whole nodes, each of at most 100 entries.
		if err != nil || length < 20 || length > 120 {
			t.Errorf("stream has %d entries, %v, want about 20", length, err)
		}
		wantStream(t, store, redisstore.NewVersion(1, 1, 498), 499, 500)
	})
}

// Half of an execution's keys is gone or behind: by eviction, or because a
// writer without scripts died between its round trips.
func TestStateNeverGoesBackWhenAKeyIsLost(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(m mode) {
		t, srv, store := m.t, m.srv, m.store
		state, stream := "test:{exec:"+string(id)+"}:state", "test:{exec:"+string(id)+"}:stream"
		del := func(key string) {
			if err := srv.Del(t.Context(), key).Err(); err != nil {
				t.Fatalf("del %s: %v", key, err)
			}
		}
		apply(t, store, running(7))

		del(state)
		wantState(t, store, running(7)) // from the stream
		apply(t, store, running(6))     // older than the stream
		if n := srv.Exists(t.Context(), state).Val(); n != 0 {
			t.Errorf("an older state took the place of the lost hash")
		}
		apply(t, store, running(7)) // a sweep
		if n := srv.Exists(t.Context(), state).Val(); n != 1 {
			t.Errorf("the sweep did not bring the hash back")
		}
		wantStream(t, store, "", 7)

		del(stream)
		apply(t, store, running(6))
		wantState(t, store, running(7))
		wantStream(t, store, "")
		apply(t, store, running(8))
		wantStream(t, store, "", 8)

		if err := srv.HSet(t.Context(), state, "version", string(redisstore.NewVersion(1, 1, 2)), "status", "pending").Err(); err != nil {
			t.Fatalf("age the hash: %v", err)
		}
		wantState(t, store, running(8))
		apply(t, store, running(8))
		if got := srv.HGet(t.Context(), state, "status").Val(); got != "running" {
			t.Errorf("status in the hash = %s after the sweep, want running", got)
		}
		wantStream(t, store, "", 8)
	})
}

func TestServerThatForgotTheScriptIsToldAgain(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	store := open(t, redisstore.Config{URL: srv.URL()})
	for row := range int64(3) {
		if err := srv.ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatalf("script flush: %v", err)
		}
		if got, want := apply(t, store, running(row+1)), (redisstore.Outcome{Applied: 1}); got != want {
			t.Errorf("outcome = %+v, want %+v", got, want)
		}
	}
	wantStream(t, store, "", 1, 2, 3)
}

func TestRefusedExecutionKeepsNoOtherFromBeingWritten(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(m mode) {
		t, srv, store := m.t, m.srv, m.store
		if err := srv.Set(t.Context(), "test:{exec:exec-taken}:state", "of another program", 0).Err(); err != nil {
			t.Fatalf("take the key: %v", err)
		}
		taken := running(1)
		taken.ExecutionID = "exec-taken"
		out, err := store.ApplyStates(t.Context(), []execution.Live{taken, running(1)}, 1)
		if err == nil || !strings.Contains(err.Error(), `1 executions refused, the first "exec-taken": `) {
			t.Errorf("apply states: error = %v, want one that names exec-taken", err)
		}
		if out.Applied != 1 {
			t.Errorf("outcome = %+v, want one applied", out)
		}
		wantState(t, store, running(1))
		if !store.Up() {
			t.Errorf("a refused command counts as an outage")
		}
	})
}

func TestStateOfAnotherProgramIsAnErrorAndGivesWay(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(m mode) {
		t, srv, store := m.t, m.srv, m.store
		if err := srv.HSet(t.Context(), "test:{exec:"+string(id)+"}:state", "version", "zz", "status", "odd").Err(); err != nil {
			t.Fatalf("write foreign state: %v", err)
		}
		if _, _, ok, err := store.State(t.Context(), id); ok || err == nil {
			t.Errorf("foreign state: ok = %t, %v, want an error", ok, err)
		}
		apply(t, store, running(1))
		wantState(t, store, running(1))
	})
}

func TestLongTextsAreCutBetweenCharacters(t *testing.T) {
	t.Parallel()
	store := open(t, redisstore.Config{URL: startServer(t).URL()})
	live := running(1)
	live.Message = "x" + strings.Repeat("é", 40_000)
	live.StartedAt = live.StartedAt.In(time.FixedZone("Newfoundland", -12600))
	apply(t, store, live)
	kept := redisstore.AsKept(live)
	if want := "x" + strings.Repeat("é", 511); kept.Message != want {
		t.Errorf("message kept has %d bytes, want %d whole characters", len(kept.Message), len(want))
	}
	wantState(t, store, kept)
}

func TestManyExecutionsAreWrittenInSeveralPipelines(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(m mode) {
		t, store, plain := m.t, m.store, m.plain
		states := make([]execution.Live, 2500)
		for i := range states {
			states[i] = running(1)
			states[i].ExecutionID = execution.ID(fmt.Sprintf("exec-%04d", i))
		}
		if got, want := apply(t, store, states...), (redisstore.Outcome{Applied: 2500, Plain: plain}); got != want {
			t.Errorf("outcome = %+v, want %+v", got, want)
		}
		wantState(t, store, states[2499])
	})
}

func TestCancelledCallerIsNoOutage(t *testing.T) {
	t.Parallel()
	store := open(t, redisstore.Config{URL: startServer(t).URL(), TripAfter: 1})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := store.ApplyStates(ctx, []execution.Live{running(1)}, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("apply states: error = %v, want %v", err, context.Canceled)
	}
	if !store.Up() {
		t.Error("a cancelled call opened the circuit breaker")
	}
}
