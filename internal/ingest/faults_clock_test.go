package ingest_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

const tenYears = 10 * 365 * 24 * time.Hour

// What clocks may do, ours and those of producers. Order is the sequence's, not
// a clock's, so every promise holds for every row, in the time of the fault and
// after it.
//
//	fault                                   what the row adds to the promises of all
//	our clock an hour ahead, and behind     rows carry that time
//	back from an hour ahead, without Redis  what Redis missed is written, although that was before the last pass
//	our clock ten years ahead               runs born then lie in default partitions
//	our clock ten years behind              likewise; every event is suspect, and applied
//	producers an hour ahead, and behind     as ever
//	producers ten years ahead               their events are suspect, and applied
//	producers ten years behind              as ever
func TestFaultsOfClocks(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]func(*world) *fault{
		"ours an hour ahead":                          func(w *world) *fault { return w.ourClock(time.Hour, "recorded_at > now() + interval '30 minutes'") },
		"ours an hour behind":                         func(w *world) *fault { return w.ourClock(-time.Hour, "recorded_at < now() - interval '30 minutes'") },
		"ours back from an hour ahead, without Redis": (*world).ourClockBackWithoutRedis,
		"ours ten years ahead": func(w *world) *fault {
			return w.ourClock(tenYears, "bucket > now() + interval '9 years' AND tableoid::regclass::text LIKE '%default'")
		},
		"ours ten years behind": func(w *world) *fault {
			return w.ourClock(-tenYears, "bucket < now() - interval '9 years' AND tableoid::regclass::text LIKE '%default' AND time_suspect")
		},
		"producers an hour ahead": func(w *world) *fault { return w.producersClock(2*time.Hour, "event_time > now()") }, // they begin an hour behind
		"producers an hour behind": func(w *world) *fault {
			return w.producersClock(-time.Hour, "event_time < now() - interval '90 minutes'")
		},
		"producers ten years ahead":  func(w *world) *fault { return w.producersClock(tenYears, "time_suspect") },
		"producers ten years behind": func(w *world) *fault { return w.producersClock(-tenYears, "event_time < now() - interval '9 years'") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFaultWorld(t)
			f := row(w)
			f.works = true // in every row
			w.withstand(f)
		})
	}
}

// ourClock jumps, and jumps back.
func (w *world) ourClock(by time.Duration, stored string) *fault {
	offset := new(atomic.Int64)
	f := w.jumpingClock(offset)
	f.inject = func() { offset.Store(int64(by)) }
	f.noticed = func() bool { return w.storesEvents(stored) }
	f.heal = func() { offset.Store(0) }
	return f
}

func (w *world) jumpingClock(offset *atomic.Int64) *fault {
	return &fault{engine: func(s *settings) {
		s.parts.Now = func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
	}}
}

// ourClockBackWithoutRedis is a clock that was ahead while Redis was made right,
// and is right while Redis misses what is stored, of which it keeps what it has.
func (w *world) ourClockBackWithoutRedis() *fault {
	proxy := testenv.Proxy(w, w.redis.Addr())
	w.useLive("redis://" + proxy.Addr())
	passes := func() int {
		n, err := w.redis.Client(w).Get(w.Context(), "test:passes").Int()
		if err != nil {
			return 0
		}
		return n
	}
	offset := new(atomic.Int64)
	f := w.jumpingClock(offset)
	f.inject = func() {
		offset.Store(int64(time.Hour))
		before := passes()
		testenv.Eventually(w, "passes of reconciliation in the hour ahead", func() bool { return passes() > before+1 })
		proxy.Refuse()
		offset.Store(0)
	}
	f.noticed = func() bool { // and longer ago than a pass looks back behind the last one
		return w.redisIsAway() && w.count("SELECT count(*) FROM executions WHERE execution_id = 'exec-9' AND settled_change_at < now() - interval '2 seconds'") > 0
	}
	f.heal = proxy.Heal
	withClock := f.engine
	f.engine = func(s *settings) {
		withClock(s)
		s.config.ApplyBudget = 500 * time.Millisecond // of which a pass looks back twice
	}
	return f
}

// producersClock jumps, and jumps back, between records that are ingested: an end
// from before the jump that overtakes its start is that of another run.
func (w *world) producersClock(by time.Duration, stored string) *fault {
	return &fault{
		inject: func() {
			w.drain()
			w.clock = w.clock.Add(by)
		},
		noticed: func() bool { return w.storesEvents(stored) },
		heal:    func() { w.clock = w.clock.Add(-by) },
	}
}

func (w *world) storesEvents(where string) bool {
	w.Helper()
	return w.count("SELECT count(*) FROM execution_events WHERE "+where) > 0
}
