package watch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
)

// ErrLost says that PostgreSQL holds nothing as new as what the follower was told:
// it was restored to an earlier time. He begins anew.
var ErrLost = errors.New("the database has gone back behind what was told")

// Unknown are executions that have no run.
type Unknown struct{ IDs []execution.ID }

func (e *Unknown) Error() string {
	ids := make([]string, len(e.IDs))
	for i, id := range e.IDs {
		ids[i] = string(id)
	}
	return fmt.Sprintf("executions without a run: %s", strings.Join(ids, ", "))
}

// Watch is one follower of some executions. It must be closed, and is for one
// goroutine.
type Watch struct {
	hub      *Hub
	ids      []execution.ID
	interval time.Duration
	changed  chan struct{}
}

// Watch follows executions, whose present states are known when it returns, to one
// who was told some before, and wants to hear of changes no later than after about
// interval. The error is an *Unknown, ErrLost, or one of PostgreSQL.
func (h *Hub) Watch(ctx context.Context, ids []execution.ID, interval time.Duration, told Told) (*Watch, error) {
	w := &Watch{hub: h, ids: ids, interval: interval, changed: make(chan struct{}, 1)}
	h.enter(ctx, w)
	if err := w.begin(ctx, told); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// begin looks at what the follower follows, whatever is known already.
func (w *Watch) begin(ctx context.Context, told Told) error {
	h := w.hub
	questions := make([]question, len(w.ids))
	h.mu.Lock()
	for i, id := range w.ids {
		questions[i] = question{
			Known: redisstore.Known{ExecutionID: id, Version: h.followed[id].state.Version}, atLeast: told[id], ask: true,
		}
	}
	h.mu.Unlock()
	if err := h.look(ctx, questions); err != nil {
		return err
	}
	unknown := &Unknown{}
	h.mu.Lock()
	for _, id := range w.ids {
		if h.followed[id].state.Version == "" {
			unknown.IDs = append(unknown.IDs, id)
		}
	}
	h.mu.Unlock()
	if len(unknown.IDs) > 0 {
		return unknown
	}
	_, err := w.News(told)
	return err
}

// Close ends it.
func (w *Watch) Close() { w.hub.leave(w) }

// Changed receives when there may be news.
func (w *Watch) Changed() <-chan struct{} { return w.changed }

func (w *Watch) wake() {
	select {
	case w.changed <- struct{}{}:
	default: // it is awake
	}
}

// News are the states that are newer than what the follower was told, in the order
// of what he follows. The error is an *Unknown, of runs that were removed, or ErrLost.
func (w *Watch) News(told Told) ([]State, error) {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	var news []State
	for _, id := range w.ids {
		p := w.hub.followed[id]
		switch had := told[id]; {
		case p.gone:
			return nil, &Unknown{IDs: []execution.ID{id}}
		case p.state.Version > had:
			news = append(news, p.state)
		case p.state.Version < had:
			return nil, ErrLost
		}
	}
	return news, nil
}

// Ended tells whether the latest runs of all executions have ended, and the follower
// was told so.
func (w *Watch) Ended(told Told) bool {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	for _, id := range w.ids {
		state := &w.hub.followed[id].state
		if !state.Live.Status.Terminal() || told[id] != state.Version {
			return false
		}
	}
	return true
}

// AsOf is since when a store has told of every execution: a change that was stored
// before is among the news.
func (w *Watch) AsOf() time.Time {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	oldest := time.Now()
	for _, id := range w.ids {
		if at := w.hub.followed[id].answered; at.Before(oldest) {
			oldest = at
		}
	}
	return oldest
}
