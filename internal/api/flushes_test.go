package api_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// The proof that Redis may be lost at any time.
func TestAHundredFollowersWhileRedisIsFlushed(t *testing.T) {
	t.Parallel()
	const (
		executions = 100
		heartbeats = 8
		flushes    = 6
	)
	s := newShown(t)
	ids := make([]string, executions)
	for i := range ids {
		ids[i] = fmt.Sprintf("exec-%03d", i)
	}
	players, _ := errgroup.WithContext(t.Context())
	players.SetLimit(8)
	for _, id := range ids {
		players.Go(func() error { s.say(started(id)); return nil })
	}
	if err := players.Wait(); err != nil {
		t.Fatal(err)
	}

	// S5, behind the back of what is committed, as ingest's publisher does.
	var mu sync.Mutex
	changed, flush := map[execution.ID]bool{}, 0
	publish := func() {
		mu.Lock()
		newest := slices.Collect(maps.Keys(changed))
		clear(changed)
		mu.Unlock()
		_ = s.show(newest...) // what is lost is swept
	}
	said := func(id string) {
		mu.Lock()
		changed[execution.ID(id)] = true
		due := len(changed) > 10
		mu.Unlock()
		if due {
			publish()
		}
	}
	followers, _ := errgroup.WithContext(t.Context())
	opened := make(chan struct{}, executions)
	for i, id := range ids {
		m := quick(id)
		if i%10 == 0 {
			m = quick(ids...) // some follow all
		}
		f := follow(t, s.executions.WatchExecutions, m)
		followers.Go(func() error { return onlyRises(f, len(m.GetExecutionIds()), opened) })
	}
	for range executions {
		<-opened
	}
	steps := make(chan struct{}, executions*heartbeats)
	for n := range heartbeats {
		for _, id := range ids {
			players.Go(func() error {
				s.say(heartbeat(id, fmt.Sprint(n)))
				said(id)
				steps <- struct{}{}
				return nil
			})
		}
	}
	flushing := make(chan error, 1)
	go func() {
		var failed error
		for n := range executions * heartbeats {
			<-steps
			if n%(executions*heartbeats/flushes) == 0 {
				flush++
				failed = errors.Join(failed, s.client.FlushAll(context.WithoutCancel(t.Context())).Err())
				if flush%2 == 0 { // a sweep comes, and then again one does not
					failed = errors.Join(failed, s.writer.SetSentinel(context.WithoutCancel(t.Context()), s.epoch()))
				}
			}
		}
		flushing <- failed
	}()
	if err := errors.Join(players.Wait(), <-flushing); err != nil {
		t.Fatal(err)
	}
	for i, id := range ids {
		players.Go(func() error {
			m := finished(id)
			if i%3 == 0 {
				m.Outcome = "failed"
			}
			s.say(m)
			said(id)
			return nil
		})
	}
	if err := players.Wait(); err != nil {
		t.Fatal(err)
	}
	publish()
	if err := followers.Wait(); err != nil {
		t.Error(err)
	}
	if flush < flushes || s.asked() == "0" {
		t.Errorf("Redis was flushed %d times, and asked for %s states", flush, s.asked())
	}
}

// onlyRises reads a stream to its end: no version comes after a newer one, and the
// last state of each of so many executions is its end.
func onlyRises(f *following[contract.WatchExecutionsResponse], executions int, opened chan<- struct{}) error {
	last := map[string]*contract.ExecutionState{}
	for f.stream.Receive() {
		s := f.stream.Msg().GetState()
		if s == nil {
			continue
		}
		if before := last[s.GetExecutionId()]; before != nil && (s.GetRun() < before.GetRun() || s.GetRun() == before.GetRun() && s.GetVersion() <= before.GetVersion()) {
			return fmt.Errorf("%v was told after %v", s, before)
		}
		last[s.GetExecutionId()] = s
		if len(last) == executions {
			select {
			case opened <- struct{}{}:
			default: // has been told
			}
		}
	}
	if err := f.stream.Err(); err != nil {
		return fmt.Errorf("a stream has ended: %w", err)
	}
	if len(last) != executions {
		return fmt.Errorf("%d executions were told of, want %d", len(last), executions)
	}
	for id, s := range last {
		want := "passed"
		var n int
		if _, err := fmt.Sscanf(id, "exec-%d", &n); err != nil {
			return err
		}
		if n%3 == 0 {
			want = "failed"
		}
		if s.GetStatus() != want || s.GetEvents() != 10 {
			return fmt.Errorf("the last state of %s is %v", id, s)
		}
	}
	return nil
}
