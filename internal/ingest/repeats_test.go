package ingest_test

import (
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// Events of an execution that was first heard of today are inserted without a
// look-up; those of an older one are looked up in each bucket that it has. Either
// way a repeat is a duplicate, and other content under its id a conflict.
func TestARepeatIsFoundWhereverItsFirstLies(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		days int // that pass between the two
	}{
		{"today", 0},
		{"in yesterday's bucket", 1},
		{"in a partition of its own", 40},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			then := time.Now().AddDate(0, 0, -test.days)
			w.clock = then.Add(-time.Hour)
			at := func(now time.Time) func(*settings) {
				return func(s *settings) {
					s.parts.Redis = nil // no hint may help
					s.parts.Now = func() time.Time { return now }
				}
			}
			first := w.say(&contract.ExecutionStarted{ExecutionId: "exec-1"}, withSequence(1))
			told := w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1", Message: "first"}, withSequence(2))
			w.produce(first, told)
			w.run(at(then))

			other := w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1", Message: "other"}, withSequence(2), func(o *event.Outgoing) { o.ID = "event-2" })
			next := w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1", Message: "next"}, withSequence(3))
			w.produce(told, next, other, told)
			w.run(at(time.Now()))
			w.wantSums(3, 2, 1)
			w.wantReasons(fact.ReasonIDConflict)
			if n := w.count("SELECT count(DISTINCT run) FROM execution_events WHERE execution_id = 'exec-1'"); n != 1 {
				t.Errorf("%d runs, want 1", n)
			}
			w.verify()
		})
	}
}

// After a repeat events are looked up for a while, and then inserted untried
// again: the end of that while changes nothing.
func TestARepeatIsFoundAlsoLongAfterAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one := func(s *settings) { s.parts.Redis, s.config.Read.BatchRecords = nil, 1 }
	told := w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1"})
	w.produce(told, told)
	for range 120 {
		w.produce(w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1"}))
	}
	w.produce(told)
	w.run(one)
	w.wantSums(121, 2, 0)
}
