package watch

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
)

// Hub knows what the followers of a process follow. It is safe for concurrent use.
type Hub struct {
	store *pgstore.Store
	live  *redisstore.Store // nil: there is none
	log   zerolog.Logger

	mu       sync.Mutex
	watches  map[*Watch]struct{}
	followed map[execution.ID]*picture
	rest     context.CancelFunc // ends the looks; nil: nobody follows anything
}

// NewHub is a hub that nobody follows anything with yet. Without Redis, or with one
// that is away, PostgreSQL is asked.
func NewHub(store *pgstore.Store, live *redisstore.Store, log zerolog.Logger) *Hub {
	return &Hub{store: store, live: live, log: log, watches: map[*Watch]struct{}{}, followed: map[execution.ID]*picture{}}
}

const (
	// shortest and longest are the bounds of the time between two looks, which is
	// else the shortest interval that a follower wants.
	shortest = 50 * time.Millisecond
	longest  = time.Second
	// lookLimit bounds a look: a store that does not answer is asked again.
	lookLimit = 10 * time.Second
)

// enter adds a follower; the first one begins the looks.
func (h *Hub) enter(ctx context.Context, w *Watch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watches[w] = struct{}{}
	for _, id := range w.ids {
		p := h.followed[id]
		if p == nil {
			p = &picture{followers: map[*Watch]struct{}{}, checkAt: time.Now().Add(checkEvery)}
			h.followed[id] = p
		}
		p.followers[w] = struct{}{}
	}
	if h.rest == nil {
		looking, rest := context.WithCancel(context.WithoutCancel(ctx))
		h.rest = rest
		go h.run(looking)
	}
}

// leave removes a follower, and what nobody else follows; the last one ends the
// looks.
func (h *Hub) leave(w *Watch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.watches, w)
	for _, id := range w.ids {
		if p := h.followed[id]; p != nil {
			delete(p.followers, w)
			if len(p.followers) == 0 {
				delete(h.followed, id)
			}
		}
	}
	if len(h.watches) == 0 && h.rest != nil {
		h.rest()
		h.rest = nil
	}
}

// run looks again and again until ctx ends.
func (h *Hub) run(ctx context.Context) {
	failing := false
	pause := time.NewTimer(h.pause())
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
		bounded, cancel := context.WithTimeout(ctx, lookLimit)
		err := h.look(bounded, h.questions(time.Now()))
		cancel()
		if err != nil && ctx.Err() == nil && !failing {
			h.log.Warn().Err(err).Msg("followers are not told what changes until PostgreSQL answers")
		}
		failing = err != nil
		pause.Reset(h.pause())
	}
}

// pause is the time between two looks.
func (h *Hub) pause() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	wanted := longest
	for w := range h.watches {
		wanted = min(wanted, w.interval)
	}
	return max(wanted, shortest)
}

// questions are those about all that is followed.
func (h *Hub) questions(now time.Time) []question {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]question, 0, len(h.followed))
	for id, p := range h.followed {
		all = append(all, p.due(redisstore.Known{ExecutionID: id, Version: p.state.Version}, now))
	}
	return all
}
