package locking_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/lock"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/locking"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

const (
	long  = time.Hour
	short = lock.ShortestLease
)

// world is a database, perhaps a Redis, and what happens there.
type world struct {
	testing.TB
	db      *testenv.DB
	redis   *testenv.RedisServer // nil: there is none
	shown   *redis.Client        // around the store, with all rights
	store   *pgstore.Store
	live    *redisstore.Store
	locks   *locking.Locks
	history *history
}

// adapterACL is the user of the ecosystem's shared Redis, as it is there.
const adapterACL = "user test-adapter on >pw ~test:* +@read +@write +@keyspace -@dangerous"

// newWorld has a Redis to which no machine is too busy.
func newWorld(t testing.TB, withRedis bool) *world {
	t.Helper()
	return newWorldWithin(t, withRedis, testenv.Patience)
}

// newWorldWithin is newWorld, where Redis is waited for so long.
func newWorldWithin(t testing.TB, withRedis bool, budget time.Duration) *world {
	t.Helper()
	w := &world{TB: t, db: testenv.Postgres(t), history: &history{began: time.Now()}}
	store, err := pgstore.Open(t.Context(), pgstore.Config{URL: w.db.URL, MaxConns: 4, LockTimeout: testenv.Patience})
	must(t, err)
	t.Cleanup(store.Close)
	w.store = store
	if withRedis {
		w.redis = testenv.Redis(t, adapterACL)
		w.shown = w.redis.Client(t)
		w.live, err = redisstore.Open(t.Context(), redisstore.Config{
			URL: "redis://test-adapter:pw@" + w.redis.Addr(), Budget: budget, HintBudget: budget, DialTimeout: budget, RetryAfter: 10 * time.Millisecond,
		}, zerolog.Nop())
		must(t, err)
		t.Cleanup(func() { _ = w.live.Close() })
	}
	w.locks = locking.New(store, w.live, zerolog.New(zerolog.NewTestWriter(t)))
	return w
}

// withAndWithoutRedis runs a test in both worlds.
func withAndWithoutRedis(t *testing.T, test func(*world)) {
	t.Helper()
	for _, with := range []bool{true, false} {
		t.Run(fmt.Sprintf("redis=%t", with), func(t *testing.T) {
			t.Parallel()
			test(newWorld(t, with))
		})
	}
}

// acquire has the process ask until it gets the lock.
func (p *process) acquire(lease time.Duration) (got outcome) {
	p.Helper()
	testenv.Eventually(p, string(p.name)+" gets the lock", func() bool {
		got = p.do(order{Verb: acquires, Lease: lease})
		return got.Result == done
	})
	return got
}

func (p *process) wants(want result, o order) {
	p.Helper()
	if got := p.do(o); got.Result != want {
		p.Errorf("%s %ss: %s %s, want %s", p.name, o.Verb, got.Result, got.Error, want)
	}
}

// stopInAWrite has a process that holds the lock stop in the middle of a write, with
// a lease that soon runs out.
func (p *process) stopInAWrite(at moment) (token lock.Token, resume func() outcome) {
	p.Helper()
	testenv.Eventually(p, string(p.name)+" stops in a write", func() bool {
		token = p.acquire(long).Lock.Token
		p.wants(done, p.write(token, never))
		p.wants(done, order{Verb: renews, Token: token, Lease: short})
		var stopped bool
		resume, stopped = p.halt(p.write(token, at)) // the lease may have run out already
		return stopped
	})
	return token, resume
}

// The promise that locks are for: a holder that was stopped past its lease goes on
// with what it was about to write, while another holds the lock.
func TestAHolderThatWasStoppedPastItsLeaseWritesNothing(t *testing.T) {
	t.Parallel()
	const rounds = 3
	withAndWithoutRedis(t, func(w *world) {
		a, b := w.start("a"), w.start("b")
		for range rounds {
			for _, at := range []moment{beforeWrite, insideWrite} {
				token, resume := a.stopInAWrite(at)
				next := b.acquire(long).Lock.Token
				b.wants(done, b.write(next, never))
				if got := resume(); got.Result == done || at == beforeWrite && got.Result != lost {
					w.Errorf("stopped %s its write: %+v", at, got)
				}
				b.wants(done, b.write(next, never))
				for _, o := range []order{a.write(token, never), {Verb: renews, Token: token, Lease: long}, {Verb: releases, Token: token}} {
					a.wants(lost, o)
				}
				a.wants(held, order{Verb: acquires, Lease: long})
				b.wants(done, order{Verb: releases, Token: next})
				a, b = b, a
			}
		}
		if v := w.wantLawful(); v.writes < 3*2*rounds || v.tenures < 2*2*rounds {
			w.Errorf("%d writes in %d tenures: too few", v.writes, v.tenures)
		}
	})
}

// Where PostgreSQL does not end the transaction of a holder that was stopped, who
// wants its lock waits for it, however long ago the lease has run out.
func TestAnotherWaitsForAWriteThatHasBegun(t *testing.T) {
	t.Parallel()
	withAndWithoutRedis(t, func(w *world) {
		a, b := w.start("a", holderIdle+"=1h"), w.start("b")
		token, resume := a.stopInAWrite(insideWrite)
		next := make(chan lock.Token)
		go func() {
			for {
				if got := b.do(order{Verb: acquires, Lease: long}); got.Result != held {
					next <- got.Lock.Token
					return
				}
				pause(w.Context(), 10*time.Millisecond)
			}
		}()
		testenv.Eventually(w, "b waits", func() bool {
			var waiting bool
			must(w, w.db.Pool(w).QueryRow(w.Context(), "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')").Scan(&waiting))
			return waiting
		})
		if got := resume(); got.Result != done {
			w.Errorf("the write that b waits for: %+v", got)
		}
		b.wants(done, b.write(<-next, never))
		a.wants(lost, a.write(token, never))
		if v := w.wantLawful(); v.writes < 3 || v.tenures < 2 {
			w.Errorf("%d writes in %d tenures: too few", v.writes, v.tenures)
		}
	})
}

// Without the check of the token the same history breaks the rules, and is seen to.
func TestACarelessHolderIsSeen(t *testing.T) {
	t.Parallel()
	withAndWithoutRedis(t, func(w *world) {
		a, b := w.start("a", holderCareless+"=yes"), w.start("b")
		token, resume := a.stopInAWrite(beforeWrite)
		next := b.acquire(long).Lock.Token
		b.wants(done, b.write(next, never))
		if got := resume(); got.Result != done {
			w.Errorf("a careless write: %+v", got)
		}
		// That write had begun under the lock: the order of the rows shows that it ended
		// behind another's. One that begins now breaks the rules by itself.
		a.wants(done, a.write(token, never))
		b.wants(done, b.write(next, never))
		if v := w.judge(); v.lawful != porcupine.Illegal || v.ordered {
			w.Errorf("history is %s, writes in the order of their tokens: %t; want neither", v.lawful, v.ordered)
		}
	})
}

// Holders that do as they like, are stopped now and then, and are robbed by an
// operator, while Redis forgets.
func TestHoldersNeverWriteBothWhateverHappens(t *testing.T) {
	t.Parallel()
	const orders = 300
	withAndWithoutRedis(t, func(w *world) {
		processes := []*process{w.start("a"), w.start("b"), w.start("c")}
		operator := w.history.client()
		var busy, faults sync.WaitGroup
		for _, p := range processes {
			busy.Go(func() { p.play(orders) })
		}
		over := make(chan struct{})
		faults.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-over:
					return
				case <-time.After(50 * time.Millisecond):
				}
				w.rob(operator)
				if w.redis != nil {
					if err := w.shown.FlushAll(w.Context()).Err(); err != nil {
						w.Errorf("flush: %v", err)
					}
				}
				if i%3 == 0 {
					p := processes[rand.IntN(len(processes))].command.Process
					_ = p.Signal(syscall.SIGSTOP)
					pause(w.Context(), short*time.Duration(1+rand.IntN(5))/4)
					_ = p.Signal(syscall.SIGCONT)
				}
			}
		})
		busy.Wait()
		close(over)
		faults.Wait()
		v := w.wantLawful()
		w.Logf("%d operations, %d writes in %d tenures", len(w.history.operations), v.writes, v.tenures)
		if v.writes == 0 || v.tenures < 3 {
			w.Error("too little happened to show anything")
		}
	})
}

// play does what a holder may do, also with a lock that it has lost.
func (p *process) play(orders int) {
	var token lock.Token
	for range orders {
		switch n := rand.IntN(10); {
		case token == 0 || n == 0:
			if got := p.do(order{Verb: acquires, Lease: short}); got.Result == done {
				token = got.Lock.Token
			} else {
				pause(p.Context(), 10*time.Millisecond)
			}
		case n == 1:
			p.do(order{Verb: releases, Token: token})
		case n < 4:
			p.do(order{Verb: renews, Token: token, Lease: short})
		default:
			if got := p.do(p.write(token, never)); got.Result == lost {
				token = 0
			}
		}
	}
}

// rob breaks the lock of whoever holds it.
func (w *world) rob(client int) {
	l, err := w.store.Lock(w.Context(), execution)
	if errors.Is(err, pgstore.ErrNotFound) {
		return
	}
	if err != nil {
		w.Errorf("look for a lock to break: %v", err)
		return
	}
	w.history.keep(client, "operator", order{Verb: breaks, Token: l.Token}, func() outcome {
		return outcomeOf(w.locks.Break(w.Context(), lock.Break{Name: execution, Token: l.Token, By: "op", Reason: "test"}, time.Now()))
	})
}
