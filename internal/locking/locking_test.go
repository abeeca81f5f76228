package locking_test

import (
	"errors"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/lock"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/locking"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

const picture = "test:{exec:exec-1}:lock"

func wish(holder lock.Holder) lock.Ask {
	return lock.Ask{Name: execution, Holder: holder, Lease: time.Hour}
}

func (w *world) acquire(holder lock.Holder) lock.Lock {
	w.Helper()
	l, err := w.locks.Acquire(w.Context(), wish(holder))
	must(w, err)
	return l
}

func wantHeld(t testing.TB, err error, by lock.Lock) {
	t.Helper()
	got := (*lock.HeldError)(nil)
	if !errors.As(err, &got) || got.Holder != by.Holder || got.Token != by.Token || !got.Until.Equal(by.ExpiresAt) || got.Remaining <= 0 || got.Remaining > time.Hour {
		t.Errorf("%v; want that %s holds it", err, by.Holder)
	}
}

// shows waits until Redis shows that holder, or nobody.
func (w *world) shows(holder lock.Holder) {
	w.Helper()
	testenv.Eventually(w, "Redis shows "+string(holder), func() bool {
		l, ok, err := w.live.ShownLock(w.Context(), execution)
		return err == nil && ok == (holder != "") && l.Holder == holder
	})
}

// age makes the picture older than it may be believed.
func (w *world) age() {
	w.Helper()
	must(w, w.shown.PExpire(w.Context(), picture, 50*time.Minute).Err())
}

func TestContendersAreTurnedAwayWithoutPostgreSQL(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	first := w.acquire("a")
	w.shows("a")
	nowhere, err := pgstore.Open(t.Context(), pgstore.Config{URL: "postgres://127.0.0.1:1/none"})
	must(t, err)
	t.Cleanup(nowhere.Close)
	alone := locking.New(nowhere, w.live, zerolog.Nop())
	testenv.Eventually(t, "Redis is enough to turn b away", func() bool {
		// It has just been shown.
		err = w.live.ShowLock(t.Context(), redisstore.ShownLock{Name: execution, Holder: "a", Token: first.Token, ExpiresAt: first.ExpiresAt, Remaining: time.Hour})
		if err != nil {
			return false
		}
		_, err = alone.Acquire(t.Context(), wish("b"))
		return pgstore.ClassOf(err) == pgstore.Infrastructure && errors.As(err, new(*lock.HeldError))
	})
	wantHeld(t, err, first)
	// Its holder may have lost the answer, and a wish that breaks a rule is told so.
	if _, err := alone.Acquire(t.Context(), wish("a")); err == nil || errors.As(err, new(*lock.HeldError)) {
		t.Errorf("the holder asks again: %v; want that PostgreSQL was asked", err)
	}
	if _, err := alone.Acquire(t.Context(), lock.Ask{Name: execution, Holder: "b"}); !errors.As(err, new(*lock.InvalidError)) {
		t.Errorf("a lease of nothing: %v", err)
	}
}

func TestRedisShowsWhatPostgreSQLSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	first := w.acquire("a")
	w.shows("a")
	_, err := w.locks.Renew(t.Context(), execution, first.Token, time.Minute)
	must(t, err)
	if ttl := w.shown.PTTL(t.Context(), picture).Val(); ttl <= 0 || ttl > time.Minute {
		t.Errorf("a lease of a minute is shown for %s", ttl)
	}
	must(t, w.shown.FlushAll(t.Context()).Err())
	if _, err := w.locks.Acquire(t.Context(), wish("b")); !errors.As(err, new(*lock.HeldError)) {
		t.Errorf("after a flush: %v", err)
	}
	w.shows("a") // who was turned away by PostgreSQL shows by whom
	for range 2 {
		_, err = w.locks.Release(t.Context(), execution, first.Token)
		must(t, err)
		w.shows("")
	}
	second := w.acquire("b")
	w.shows("b")
	_, err = w.locks.Renew(t.Context(), execution, first.Token, time.Minute)
	if !errors.As(err, new(*lock.LostError)) {
		t.Errorf("a tenure that has ended is renewed: %v", err)
	}
	w.shows("b") // the loser's answer changes nothing
	_, err = w.locks.Break(t.Context(), lock.Break{Name: execution, Token: second.Token, By: "op", Reason: "stuck"}, time.Now())
	must(t, err)
	w.shows("")
}

// A picture that is wrong, since its deletion failed or its writer came late, turns
// nobody away once it is old.
func TestAnOldPictureIsNotBelieved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, true)
	first := w.acquire("a")
	w.shows("a")
	must(t, w.shown.Do(t.Context(), "ACL", "SETUSER", "test-adapter", "-del").Err())
	_, err := w.locks.Release(t.Context(), execution, first.Token)
	must(t, err)
	w.shows("a")
	w.age()
	second := w.acquire("b")
	if second.Token != first.Token+1 {
		t.Errorf("b has token %d after %d", second.Token, first.Token)
	}
	w.shows("b")

	late := redisstore.ShownLock{Name: execution, Holder: "a", Token: first.Token, Remaining: time.Hour}
	must(t, w.live.ShowLock(t.Context(), late))
	if _, err := w.locks.Renew(t.Context(), execution, second.Token, time.Hour); err != nil {
		t.Errorf("the holder renews under another's picture: %v", err)
	}
	w.shows("b")
	must(t, w.live.ShowLock(t.Context(), late))
	testenv.Eventually(t, "the holder gets its lock again under another's picture", func() bool {
		l, err := w.locks.Acquire(t.Context(), wish("b"))
		return err == nil && l.Token == second.Token // in a second at the latest
	})
	w.shows("b")
}

// What Redis does, locks work.
func TestLocksWorkWithoutRedis(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(*world){
		"never there": nil,
		"killed":      func(w *world) { must(w, w.redis.Kill()) },
		"frozen":      func(w *world) { must(w, w.redis.Pause()) },
		"forbidden":   func(w *world) { must(w, w.shown.Do(w.Context(), "ACL", "SETUSER", "test-adapter", "-@all").Err()) },
		"garbage":     func(w *world) { must(w, w.shown.Set(w.Context(), picture, "what?", time.Hour).Err()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldWithin(t, fault != nil, 2*time.Second)
			first := w.acquire("a")
			if fault != nil {
				w.shows("a")
				fault(w)
			}
			_, err := w.locks.Acquire(t.Context(), wish("b"))
			wantHeld(t, err, first)
			if again := w.acquire("a"); again.Token != first.Token {
				t.Errorf("asked again: token %d, want %d", again.Token, first.Token)
			}
			_, err = w.locks.Renew(t.Context(), execution, first.Token, time.Hour)
			must(t, err)
			_, err = w.locks.Release(t.Context(), execution, first.Token)
			must(t, err)
			var second lock.Lock
			testenv.Eventually(t, "b gets the lock", func() bool { // a frozen Redis may have been told once
				second, err = w.locks.Acquire(t.Context(), wish("b"))
				return err == nil
			})
			if second.Token != first.Token+1 {
				t.Errorf("b has token %d after %d", second.Token, first.Token)
			}
			_, err = w.locks.Break(t.Context(), lock.Break{Name: execution, Token: second.Token, By: "op", Reason: "stuck"}, time.Now())
			must(t, err)
			_, err = w.locks.Renew(t.Context(), execution, second.Token, time.Hour)
			if lost := (*lock.LostError)(nil); !errors.As(err, &lost) || lost.Cause != lock.ByOperator {
				t.Errorf("renewed after a break: %v", err)
			}
		})
	}
}
