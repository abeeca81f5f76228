package redisstore_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/lock"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
)

const (
	lockName = lock.Name("exec-1")
	lockKey  = "test:{exec:exec-1}:lock"
)

func shown(holder lock.Holder, token lock.Token) redisstore.ShownLock {
	return redisstore.ShownLock{Name: lockName, Holder: holder, Token: token, ExpiresAt: time.Date(2026, 4, 1, 12, 0, 0, 123456000, time.UTC), Remaining: time.Hour}
}

// wantShown looks at the lock, whose remaining time and age it gives back.
func wantShown(t *testing.T, store *redisstore.Store, want *redisstore.ShownLock) (remaining, age time.Duration) {
	t.Helper()
	got, ok, err := store.ShownLock(t.Context(), lockName)
	if err != nil || ok != (want != nil) {
		t.Fatalf("shown = %+v, %t, %v; want %+v", got, ok, err, want)
	}
	if want != nil {
		if diff := cmp.Diff(*want, got, cmpopts.IgnoreFields(redisstore.ShownLock{}, "Remaining", "Age")); diff != "" {
			t.Errorf("shown (-want +got):\n%s", diff)
		}
	}
	return got.Remaining, got.Age
}

func TestALockIsShownAsLongAsItsLease(t *testing.T) {
	t.Parallel()
	inBothModes(t, func(m mode) {
		t, srv, store := m.t, m.srv, m.store
		wantShown(t, store, nil)
		first := shown("a", 1)
		must(t, store.ShowLock(t.Context(), first))
		remaining, age := wantShown(t, store, &first)
		if remaining <= 0 || remaining > time.Hour || age != time.Hour-remaining {
			t.Errorf("%s are left, shown for %s", remaining, age)
		}
		want := `{"holder":"a","token":1,"expires_at":"2026-04-01T12:00:00.123456Z","lifetime_ms":3600000}`
		if got := srv.Get(t.Context(), lockKey).Val(); got != want {
			t.Errorf("the key holds %s, want %s", got, want)
		}
		// The clock of Redis says for how long it has been shown.
		must(t, srv.PExpire(t.Context(), lockKey, 50*time.Minute).Err())
		if _, age := wantShown(t, store, &first); age < 10*time.Minute || age > 11*time.Minute {
			t.Errorf("shown for %s, want ten minutes", age)
		}
		second := shown("b", 2)
		must(t, store.ShowLock(t.Context(), second))
		wantShown(t, store, &second)
		over := shown("c", 3)
		over.Remaining = time.Millisecond - 1
		must(t, store.ShowLock(t.Context(), over)) // nothing is left of its lease
		wantShown(t, store, &second)
		for range 2 {
			must(t, store.HideLock(t.Context(), lockName))
			wantShown(t, store, nil)
		}
	})
}

func TestWhatIsNoLockSaysNothing(t *testing.T) {
	t.Parallel()
	srv := startServer(t, adapterACL)
	store := open(t, redisstore.Config{URL: srv.adapterURL()})
	for _, value := range []string{"a", "{}", "null", `{"holder":7}`, `{"holder":"a","token":"x"}`} {
		must(t, srv.Set(t.Context(), lockKey, value, time.Hour).Err())
		wantShown(t, store, nil)
	}
	must(t, srv.Set(t.Context(), lockKey, `{"holder":"a","token":1}`, 0).Err()) // would stay for ever
	wantShown(t, store, nil)
	must(t, srv.Del(t.Context(), lockKey).Err())
	must(t, srv.HSet(t.Context(), lockKey, "holder", "a").Err())
	if got, ok, err := store.ShownLock(t.Context(), lockName); ok || err == nil {
		t.Errorf("a key of another type = %+v, %t, %v; want an error", got, ok, err)
	}
	held := shown("a", 1)
	must(t, store.ShowLock(t.Context(), held))
	wantShown(t, store, &held)
}

// Sent a second time, a picture would come after that of the next holder.
func TestAPictureWhoseReplyIsLostIsNotSentAgain(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	proxy := newLosesReplies(t, srv.Addr())
	store := open(t, redisstore.Config{URL: "redis://" + proxy.addr})
	must(t, store.ShowLock(t.Context(), shown("a", 1))) // the connection is there
	must(t, srv.ConfigResetStat(t.Context()).Err())
	proxy.armed.Store(true)
	if err := store.ShowLock(t.Context(), shown("a", 2)); err == nil || proxy.lost.Load() != 1 {
		t.Errorf("error = %v with %d replies lost, want an error and one", err, proxy.lost.Load())
	}
	if stats := srv.Info(t.Context(), "commandstats").Val(); !strings.Contains(stats, "cmdstat_set:calls=1,") {
		t.Errorf("not sent once:\n%s", stats)
	}
}
