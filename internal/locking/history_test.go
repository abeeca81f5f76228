package locking_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/lock"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// history is what several holders did, and when, by the clock of the test alone.
type history struct {
	began      time.Time
	mu         sync.Mutex
	clients    int
	operations []porcupine.Operation
}

// input is what porcupine is told of an order.
type input struct {
	holder lock.Holder
	order
}

func (h *history) now() int64 { return int64(time.Since(h.began)) }

func (h *history) client() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clients++
	return h.clients - 1
}

func (h *history) keep(client int, holder lock.Holder, o order, do func() outcome) outcome {
	call := h.now()
	got := do()
	h.add(client, holder, o, call, got)
	return got
}

func (h *history) add(client int, holder lock.Holder, o order, call int64, got outcome) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.operations = append(h.operations, porcupine.Operation{ClientId: client, Input: input{holder, o}, Call: call, Output: got, Return: h.now()})
}

// tenure is the state of a lock in the model: the last tenure, and how it ended.
type tenure struct {
	token  lock.Token
	holder lock.Holder
	end    lock.State // empty: it has not
}

// rules are a lock for one who does one thing after the other. Time is not in it:
// a lease may run out at any moment, and is seen to have when its token is
// refused. Whoever is turned away learns nothing: he may have seen an old picture.
var rules = porcupine.Model{
	Init: func() any { return tenure{} },
	Step: func(state, in, out any) (bool, any) {
		s, i, o := state.(tenure), in.(input), out.(outcome)
		mine := i.Token == s.token
		switch i.Verb {
		case acquires:
			switch {
			case o.Result != done:
				return true, s
			case o.Lock.Token == s.token:
				return s.holder == i.holder && s.end == "", s
			}
			return o.Lock.Token == s.token+1, tenure{token: o.Lock.Token, holder: i.holder}
		case renews, writes:
			if o.Result == done {
				return mine && s.end == "", s
			}
			if mine && s.end == "" {
				s.end = lock.Expired
			}
			return true, s
		case releases:
			return s.ended(i.Token, o.Result, lock.Released)
		case breaks:
			return s.ended(i.Token, o.Result, lock.Broken)
		}
		return false, s
	},
	DescribeOperation: func(in, out any) string {
		i, o := in.(input), out.(outcome)
		return fmt.Sprintf("%s %ss %d: %s %d", i.holder, i.Verb, i.Token, o.Result, o.Lock.Token)
	},
}

// ended is the step of a release or a break: it may be repeated, and come after
// the lease has run out.
func (s tenure) ended(token lock.Token, r result, how lock.State) (bool, any) {
	possible := token == s.token && (s.end == "" || s.end == lock.Expired || s.end == how)
	if r != done {
		return !possible, s
	}
	s.end = how
	return possible, s
}

// verdict is what is found in a history, and in the rows that it left.
type verdict struct {
	lawful  porcupine.CheckResult
	ordered bool // tokens never fall from one write to the next
	writes  int
	tenures int
}

// judge compares a history with the rules. A write whose outcome its holder does
// not know counts when its row is there.
func (w *world) judge() verdict {
	w.Helper()
	rows, err := w.db.Pool(w).Query(w.Context(), "SELECT details->>'write', (details->>'token')::bigint FROM test_coordination.audit_log WHERE action = 'test.write' ORDER BY id")
	must(w, err)
	defer rows.Close()
	stored := map[string]bool{}
	var tokens []lock.Token
	for rows.Next() {
		var name string
		var token lock.Token
		must(w, rows.Scan(&name, &token))
		stored[name] = true
		tokens = append(tokens, token)
	}
	must(w, rows.Err())

	v := verdict{ordered: slices.IsSorted(tokens), writes: len(tokens)}
	var operations []porcupine.Operation
	for _, op := range w.history.operations {
		in, out := op.Input.(input), op.Output.(outcome)
		if in.Verb == writes && out.Result != unknown && stored[in.Write] != (out.Result == done) {
			w.Errorf("write %s: %s, but its row is there: %t", in.Write, out.Result, stored[in.Write])
		}
		if out.Result == unknown {
			if in.Verb != writes {
				w.Errorf("%s of %s: %s", in.Verb, in.holder, out.Error)
			}
			if !stored[in.Write] {
				continue // it did nothing
			}
			op.Output, op.Return = outcome{Result: done}, math.MaxInt64
		}
		if in.Verb == acquires && out.Result == done {
			v.tenures = max(v.tenures, int(out.Lock.Token))
		}
		operations = append(operations, op)
	}
	v.lawful = porcupine.CheckOperationsTimeout(rules, operations, testenv.Patience)
	return v
}

// wantLawful fails the test when the holders broke the rules.
func (w *world) wantLawful() verdict {
	w.Helper()
	v := w.judge()
	if v.lawful != porcupine.Ok || !v.ordered {
		w.Errorf("history is %s, writes in the order of their tokens: %t", v.lawful, v.ordered)
		for _, op := range w.history.operations {
			w.Logf("%12d %12d client %d: %s %s", op.Call, op.Return, op.ClientId, rules.DescribeOperation(op.Input, op.Output), op.Output.(outcome).Error)
		}
	}
	w.wantApart()
	return v
}

// wantApart compares the tenures by PostgreSQL's clock: none begins before the
// former has been given back, or its lease has run out.
func (w *world) wantApart() {
	w.Helper()
	last := map[lock.Token]lock.Lock{} // the last that was heard of each tenure
	for _, op := range w.history.operations {
		in, out := op.Input.(input), op.Output.(outcome)
		if out.Result != done || in.Verb == writes {
			continue
		}
		former, is := last[out.Lock.Token]
		if !is || former.EndedAt.IsZero() && (!out.Lock.EndedAt.IsZero() || out.Lock.RenewedAt.After(former.RenewedAt)) {
			last[out.Lock.Token] = out.Lock
		}
	}
	for token, next := range last {
		former, is := last[token-1]
		end := former.EndedAt
		if end.IsZero() || former.ExpiresAt.Before(end) {
			end = former.ExpiresAt
		}
		if is && next.AcquiredAt.Before(end) {
			w.Errorf("tenure %d begins at %s, before the end of tenure %d at %s", token, next.AcquiredAt, token-1, end)
		}
	}
}

// must fails the test when what it stands on does not.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pause waits, for a fault to last.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
