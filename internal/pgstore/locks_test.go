package pgstore_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sync/errgroup"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/lock"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

func ask(name lock.Name, holder lock.Holder) lock.Ask {
	return lock.Ask{Name: name, Holder: holder, Lease: time.Hour, Purpose: "to run it"}
}

func acquire(t testing.TB, s *pgstore.Store, a lock.Ask) lock.Lock {
	t.Helper()
	l, err := s.AcquireLock(t.Context(), a)
	if err != nil {
		t.Fatalf("acquire: %v", err)
	}
	return l
}

// expire has a lease run out.
func expire(t testing.TB, db *testenv.DB, name lock.Name) {
	t.Helper()
	if _, err := db.Pool(t).Exec(t.Context(), "UPDATE test_coordination.execution_locks SET expires_at = clock_timestamp() WHERE name = $1", name); err != nil {
		t.Fatal(err)
	}
}

// guarded writes under a lock.
func guarded(t testing.TB, s *pgstore.Store, name lock.Name, token lock.Token) error {
	return s.Batch(t.Context(), now, func(tx *pgstore.Tx) error {
		if err := tx.CheckLock(t.Context(), name, token); err != nil {
			return err
		}
		return tx.Audit(t.Context(), pgstore.AuditEntry{Actor: "holder", Action: "test.write", Subject: string(name)})
	})
}

func wantLost(t testing.TB, err error, cause lock.Cause) {
	t.Helper()
	lost := (*lock.LostError)(nil)
	if !errors.As(err, &lost) || lost.Cause != cause {
		t.Errorf("%v; want a loss, %s", err, cause)
	}
}

func wantHeld(t testing.TB, err error, by lock.Lock) {
	t.Helper()
	held := (*lock.HeldError)(nil)
	if !errors.As(err, &held) {
		t.Fatalf("%v; want that it is held", err)
	}
	want := lock.HeldError{Name: by.Name, Holder: by.Holder, Token: by.Token, Until: by.ExpiresAt, Remaining: held.Remaining}
	if diff := cmp.Diff(want, *held); diff != "" || held.Remaining <= 0 || held.Remaining > by.Remaining {
		t.Errorf("%s are left of %s; (-want +got):\n%s", held.Remaining, by.Remaining, diff)
	}
}

func TestALockHasOneHolder(t *testing.T) {
	t.Parallel()
	s := openStore(t, testenv.Postgres(t))
	first := acquire(t, s, ask("exec-1", "a"))
	want := lock.Lock{Name: "exec-1", Holder: "a", Token: 1, Purpose: "to run it", State: lock.Held, RenewedAt: first.AcquiredAt, ExpiresAt: first.AcquiredAt.Add(time.Hour)}
	if diff := cmp.Diff(want, first, cmpopts.IgnoreFields(lock.Lock{}, "AcquiredAt", "Remaining")); diff != "" {
		t.Errorf("acquired (-want +got):\n%s", diff)
	}
	if first.Remaining <= 0 || first.Remaining > time.Hour {
		t.Errorf("%s of an hour are left", first.Remaining)
	}
	_, err := s.AcquireLock(t.Context(), ask("exec-1", "b"))
	wantHeld(t, err, first)
	if other := acquire(t, s, ask("exec-2", "b")); other.Token != 1 {
		t.Errorf("another lock has token %d", other.Token)
	}

	again := acquire(t, s, lock.Ask{Name: "exec-1", Holder: "a", Lease: 2 * time.Hour, Purpose: "to run it on"})
	if again.Token != 1 || !again.AcquiredAt.Equal(first.AcquiredAt) || !again.RenewedAt.After(first.RenewedAt) || again.ExpiresAt.Sub(again.RenewedAt) != 2*time.Hour || again.Purpose != "to run it on" {
		t.Errorf("asked again: %+v", again)
	}
	renewed, err := s.RenewLock(t.Context(), "exec-1", 1, time.Minute)
	must(t, err)
	if renewed.Token != 1 || !renewed.AcquiredAt.Equal(first.AcquiredAt) || !renewed.RenewedAt.After(again.RenewedAt) || renewed.Remaining > time.Minute || renewed.State != lock.Held {
		t.Errorf("renewed: %+v", renewed)
	}
	must(t, guarded(t, s, "exec-1", 1))

	released, err := s.ReleaseLock(t.Context(), "exec-1", 1)
	must(t, err)
	if released.State != lock.Released || released.EndedAt.Before(renewed.RenewedAt) || released.Remaining != 0 {
		t.Errorf("released: %+v", released)
	}
	if repeated, err := s.ReleaseLock(t.Context(), "exec-1", 1); err != nil || !cmp.Equal(released, repeated) {
		t.Errorf("released again: %+v, %v", repeated, err)
	}
	wantLost(t, guarded(t, s, "exec-1", 1), lock.ByRelease)
	second := acquire(t, s, ask("exec-1", "b"))
	if second.Token != 2 || !second.AcquiredAt.After(released.EndedAt) || !second.EndedAt.IsZero() {
		t.Errorf("the next tenure: %+v", second)
	}
	_, err = s.ReleaseLock(t.Context(), "exec-1", 1)
	wantLost(t, err, lock.ByTaking)
	_, err = s.RenewLock(t.Context(), "exec-1", 1, time.Minute)
	wantLost(t, err, lock.ByTaking)
	wantLost(t, guarded(t, s, "exec-1", 1), lock.ByTaking)
	must(t, guarded(t, s, "exec-1", 2))
	if got, err := s.Lock(t.Context(), "exec-1"); err != nil || got.Holder != "b" || got.State != lock.Held {
		t.Errorf("read: %+v, %v", got, err)
	}
}

func TestALeaseThatRanOutIsLost(t *testing.T) {
	t.Parallel()
	db := testenv.Postgres(t)
	s := openStore(t, db)
	acquire(t, s, ask("exec-1", "a"))
	expire(t, db, "exec-1")
	if l, err := s.Lock(t.Context(), "exec-1"); err != nil || l.State != lock.Expired || l.Remaining != 0 || !l.EndedAt.IsZero() {
		t.Errorf("read: %+v, %v", l, err)
	}
	_, err := s.RenewLock(t.Context(), "exec-1", 1, time.Minute)
	wantLost(t, err, lock.ByExpiry)
	wantLost(t, guarded(t, s, "exec-1", 1), lock.ByExpiry)
	if l := acquire(t, s, ask("exec-1", "a")); l.Token != 2 || !l.AcquiredAt.Equal(l.RenewedAt) {
		t.Errorf("its holder comes back: %+v", l)
	}
	expire(t, db, "exec-1")
	if l := acquire(t, s, ask("exec-1", "b")); l.Token != 3 || l.Holder != "b" {
		t.Errorf("another comes: %+v", l)
	}
	expire(t, db, "exec-1")
	if l, err := s.ReleaseLock(t.Context(), "exec-1", 3); err != nil || l.State != lock.Released {
		t.Errorf("given back too late: %+v, %v", l, err)
	}
}

func TestATokenThatWasNeverGiven(t *testing.T) {
	t.Parallel()
	s := openStore(t, testenv.Postgres(t))
	acquire(t, s, ask("exec-1", "a"))
	for _, c := range []struct {
		name  lock.Name
		token lock.Token
	}{{"nobody", 1}, {"exec-1", 2}, {"exec-1", 0}} {
		_, renew := s.RenewLock(t.Context(), c.name, c.token, time.Minute)
		_, release := s.ReleaseLock(t.Context(), c.name, c.token)
		_, breaks := s.BreakLock(t.Context(), lock.Break{Name: c.name, Token: c.token, By: "op", Reason: "stuck"}, now)
		for verb, err := range map[string]error{"renew": renew, "release": release, "break": breaks, "check": guarded(t, s, c.name, c.token)} {
			if e := (*lock.NotHeldError)(nil); !errors.As(err, &e) || e.Name != c.name || e.Token != c.token {
				t.Errorf("%s of %s with token %d: %v", verb, c.name, c.token, err)
			}
		}
	}
	if _, err := s.Lock(t.Context(), "nobody"); !errors.Is(err, pgstore.ErrNotFound) {
		t.Errorf("a lock that nobody asked for: %v", err)
	}
	if page, err := s.AuditLog(t.Context(), pgstore.AuditFilter{Page: 10}); err != nil || len(page) != 0 {
		t.Errorf("audit log after nothing was done: %+v, %v", page, err)
	}
	_, empty := s.AcquireLock(t.Context(), lock.Ask{})
	_, short := s.RenewLock(t.Context(), "exec-1", 1, time.Millisecond)
	_, mute := s.BreakLock(t.Context(), lock.Break{Name: "exec-1", Token: 1, By: "op"}, now)
	for field, err := range map[string]error{"name": empty, "lease": short, "reason": mute} {
		if e := (*lock.InvalidError)(nil); !errors.As(err, &e) || e.Field != field {
			t.Errorf("%v; want a rule of %s", err, field)
		}
	}
}

func TestAnOperatorBreaksTheTenureThatIsMeant(t *testing.T) {
	t.Parallel()
	db := testenv.Postgres(t)
	s := openStore(t, db)
	held := acquire(t, s, ask("exec-1", "a"))
	word := lock.Break{Name: "exec-1", Token: 1, By: "op", Reason: "its host is gone"}
	broken, err := s.BreakLock(t.Context(), word, now)
	must(t, err)
	if broken.State != lock.Broken || broken.EndedBy != "op" || broken.EndReason != "its host is gone" || broken.EndedAt.Before(held.AcquiredAt) {
		t.Errorf("broken: %+v", broken)
	}
	if again, err := s.BreakLock(t.Context(), word, now); err != nil || !cmp.Equal(broken, again) {
		t.Errorf("broken again: %+v, %v", again, err)
	}
	_, err = s.RenewLock(t.Context(), "exec-1", 1, time.Minute)
	wantLost(t, err, lock.ByOperator)
	_, err = s.ReleaseLock(t.Context(), "exec-1", 1)
	wantLost(t, err, lock.ByOperator)
	wantLost(t, guarded(t, s, "exec-1", 1), lock.ByOperator)
	next := acquire(t, s, ask("exec-1", "b"))
	if next.Token != 2 || next.EndedBy != "" || next.EndReason != "" {
		t.Errorf("the next tenure: %+v", next)
	}
	_, err = s.BreakLock(t.Context(), word, now) // he has seen the first tenure
	wantLost(t, err, lock.ByTaking)
	must(t, guarded(t, s, "exec-1", 2))

	page, err := s.AuditLog(t.Context(), pgstore.AuditFilter{Actor: "op", Page: 10})
	must(t, err)
	if len(page) != 1 {
		t.Fatalf("%d entries of the operator, want one: %+v", len(page), page)
	}
	var details struct {
		Holder    string    `json:"holder"`
		Token     int64     `json:"token"`
		Purpose   string    `json:"purpose"`
		ExpiresAt time.Time `json:"expires_at"`
	}
	must(t, json.Unmarshal(page[0].Details, &details))
	if details.Holder != "a" || details.Token != 1 || details.Purpose != "to run it" || !details.ExpiresAt.Equal(held.ExpiresAt) {
		t.Errorf("details are %s", page[0].Details)
	}
	want := pgstore.AuditEntry{ID: page[0].ID, At: now, Actor: "op", Action: "lock.break", Subject: "exec-1", Reason: "its host is gone", Details: page[0].Details}
	if diff := cmp.Diff(want, page[0]); diff != "" {
		t.Errorf("entry (-want +got):\n%s", diff)
	}
}

func TestLocksAreListedByName(t *testing.T) {
	t.Parallel()
	db := testenv.Postgres(t)
	s := openStore(t, db)
	for i := range 6 {
		acquire(t, s, ask(lock.Name(fmt.Sprintf("exec-%d", i)), "a"))
	}
	_, err := s.ReleaseLock(t.Context(), "exec-1", 1)
	must(t, err)
	_, err = s.BreakLock(t.Context(), lock.Break{Name: "exec-2", Token: 1, By: "op", Reason: "stuck"}, now)
	must(t, err)
	expire(t, db, "exec-3")
	for name, c := range map[string]struct {
		page pgstore.LockPage
		want []string
	}{
		"held":      {pgstore.LockPage{Size: 10}, []string{"exec-0 held", "exec-4 held", "exec-5 held"}},
		"a page":    {pgstore.LockPage{Size: 2}, []string{"exec-0 held", "exec-4 held"}},
		"the next":  {pgstore.LockPage{Size: 2, After: "exec-4"}, []string{"exec-5 held"}},
		"all":       {pgstore.LockPage{Size: 4, All: true}, []string{"exec-0 held", "exec-1 released", "exec-2 broken", "exec-3 expired"}},
		"all, next": {pgstore.LockPage{Size: 4, All: true, After: "exec-3"}, []string{"exec-4 held", "exec-5 held"}},
		"none":      {pgstore.LockPage{Size: 4, After: "exec-5"}, nil},
	} {
		locks, err := s.Locks(t.Context(), c.page)
		must(t, err)
		var got []string
		for _, l := range locks {
			got = append(got, fmt.Sprint(l.Name, " ", l.State))
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestContendersTakeALockOneAfterTheOther(t *testing.T) {
	t.Parallel()
	s := openStore(t, testenv.Postgres(t))
	const contenders = 50
	var inside atomic.Int32
	var mu sync.Mutex
	var tokens []lock.Token // of whom was inside, in this order
	var all errgroup.Group
	for i := range contenders {
		all.Go(func() error {
			for {
				l, err := s.AcquireLock(t.Context(), ask("exec-1", lock.Holder(fmt.Sprint("c-", i))))
				if held := (*lock.HeldError)(nil); errors.As(err, &held) {
					continue
				}
				if err != nil {
					return err
				}
				if n := inside.Add(1); n != 1 {
					t.Errorf("%d hold the lock at once", n)
				}
				mu.Lock()
				tokens = append(tokens, l.Token)
				mu.Unlock()
				inside.Add(-1)
				_, err = s.ReleaseLock(t.Context(), "exec-1", l.Token)
				return err
			}
		})
	}
	must(t, all.Wait())
	want := make([]lock.Token, contenders)
	for i := range want {
		want[i] = lock.Token(i + 1)
	}
	if !slices.Equal(want, tokens) {
		t.Errorf("tokens do not rise by one: %v", tokens)
	}
}
