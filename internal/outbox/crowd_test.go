package outbox_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// crowd are publishers, operators and writers that meet on a few keys.
type crowd struct {
	*world
	refusing atomic.Bool // some events are parked, left, or rolled back

	mu   sync.Mutex
	last map[string]int // number of the last event published, by key
}

var errUndone = errors.New("undone")

// publish claims once, and publishes, parks or leaves what it gets.
func (c *crowd) publish() error {
	ctx := c.Context()
	err := c.store.Batch(ctx, time.Now(), func(tx *pgstore.Tx) error {
		claimed, err := tx.ClaimOutbox(ctx, pgstore.OutboxClaim{Topic: pgstore.OutboxCommands, Most: 3, Bytes: 1 << 20})
		if err != nil {
			return err
		}
		var published []pgstore.Published
		var refused []pgstore.Refused
		var left []int64
		for _, e := range claimed.Entries {
			fate := rand.IntN(10)
			switch {
			case c.refusing.Load() && fate < 2:
				refused = append(refused, pgstore.Refused{ID: e.ID, Reason: "too large"})
			case c.refusing.Load() && fate < 4:
				left = append(left, e.ID)
			default:
				if err := c.inOrder(e.EventID); err != nil {
					return err
				}
				published = append(published, pgstore.Published{ID: e.ID})
			}
		}
		err = errors.Join(tx.MarkPublished(ctx, "t", published), tx.Park(ctx, refused), tx.CountAttempts(ctx, left), tx.HoldBack(ctx, claimed.Behind))
		if err == nil && c.refusing.Load() && rand.IntN(12) == 0 {
			return errUndone
		}
		return err
	})
	if errors.Is(err, errUndone) {
		return nil
	}
	return err
}

// inOrder holds an event against the last one of its key; the same may come again.
func (c *crowd) inOrder(id string) error {
	at := strings.LastIndexByte(id, '-')
	number, err := strconv.Atoi(id[at+1:])
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if last := c.last[id[:at]]; number < last {
		return fmt.Errorf("%s is published after number %d", id, last)
	}
	c.last[id[:at]] = number
	return nil
}

// operate releases or discards what is parked; another operator may be quicker.
func (c *crowd) operate() error {
	rows, err := c.store.ParkedRows(c.Context(), 0, 20)
	for _, r := range rows {
		settle := c.store.ReleaseParked
		if rand.IntN(4) == 0 {
			settle = c.store.DiscardParked
		}
		if failed := settle(c.Context(), r.ID, "operator", "a test", time.Now()); !errors.Is(failed, pgstore.ErrNotFound) {
			err = errors.Join(err, failed)
		}
	}
	return err
}

// However publishers, operators and writers meet, the events of a key are published
// in their order, and nothing stays held back when nothing is parked.
func TestManyKeepTheOrderOfAKey(t *testing.T) {
	t.Parallel()
	const keys, rounds, each = 4, 40, 3
	c := &crowd{world: newWorld(t), last: map[string]int{}}
	c.refusing.Store(true)
	var writers, others sync.WaitGroup
	for k := range keys {
		writers.Go(func() {
			for n := range rounds {
				var rows []pgstore.OutboxRow
				for i := range each {
					rows = append(rows, c.command(fmt.Sprint("key", k), n*each+i+1))
				}
				if err := c.store.Batch(t.Context(), time.Now(), func(tx *pgstore.Tx) error { return tx.Enqueue(t.Context(), rows) }); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	ended := make(chan struct{})
	end := sync.OnceFunc(func() { close(ended); others.Wait() })
	t.Cleanup(end) // none may speak after the test
	for _, work := range []func() error{c.publish, c.publish, c.publish, c.operate, c.operate} {
		others.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
				}
				if err := work(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
	c.eventually("a hundred are published, and one is discarded", func() bool {
		s := c.statuses()
		return s["published"] >= 100 && s["discarded"] > 0 || t.Failed()
	})
	c.refusing.Store(false)
	c.eventually("nothing waits", func() bool { s := c.statuses(); return s["pending"]+s["parked"] == 0 || t.Failed() })
	end()
	if s := c.statuses(); s["published"]+s["discarded"] != keys*rounds*each {
		t.Errorf("%v, want %d in all", s, keys*rounds*each)
	}
	var held int
	if err := c.sql.QueryRow(t.Context(), "SELECT count(*) FROM test_coordination.outbox WHERE held_back").Scan(&held); err != nil || held != 0 {
		t.Errorf("%d are held back, error %v", held, err)
	}
}
