package watch

import (
	"context"
	"fmt"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
)

// look asks the stores, and takes in what they answer. An error is one of
// PostgreSQL, about those of which Redis could not tell.
func (h *Hub) look(ctx context.Context, questions []question) error {
	answers := h.askRedis(ctx, questions)
	var rest []execution.ID
	for _, q := range questions {
		if _, told := answers[q.ExecutionID]; q.check || q.ask && !told {
			rest = append(rest, q.ExecutionID)
		}
	}
	err := h.askPostgres(ctx, rest, answers)
	h.take(questions, answers, time.Now())
	return err
}

// askRedis gives what Redis can tell, and none of what PostgreSQL might not hold.
func (h *Hub) askRedis(ctx context.Context, questions []question) map[execution.ID]answer {
	answers := make(map[execution.ID]answer, len(questions))
	if h.live == nil {
		return answers
	}
	known := make([]redisstore.Known, len(questions))
	for i, q := range questions {
		known[i] = q.Known
	}
	picture, err := h.live.Newer(ctx, known)
	var timeline uint32
	if err == nil && len(picture.Newer) > 0 {
		timeline, err = h.held(ctx, picture.Epoch)
	}
	if err != nil {
		h.log.Debug().Err(err).Msg("followers are told from PostgreSQL")
		return answers
	}
	for _, q := range questions {
		state, newer := picture.Newer[q.ExecutionID]
		switch {
		case newer && state.Version >= q.atLeast:
			if t, _, _, ok := state.Version.Parts(); ok && t == timeline {
				answers[q.ExecutionID] = answer{state: state}
			}
		case !newer && picture.Same[q.ExecutionID] && q.Version >= q.atLeast:
			answers[q.ExecutionID] = answer{}
		}
	}
	return answers
}

// held gives the timeline of PostgreSQL, if it holds now what Redis had its content
// from.
func (h *Hub) held(ctx context.Context, content redisstore.Epoch) (uint32, error) {
	cluster, err := h.store.Cluster(ctx)
	if err != nil {
		return 0, err
	}
	position, err := h.store.History(ctx)
	if err != nil {
		return 0, err
	}
	now := redisstore.Epoch{System: cluster.SystemIdentifier, Timeline: cluster.Timeline, Position: int64(position)}
	if state := content.Of(now); state != redisstore.SentinelSame {
		return 0, fmt.Errorf("live state is not of this PostgreSQL: %s", state)
	}
	return cluster.Timeline, nil
}

// askPostgres adds what PostgreSQL tells of ids; it takes the place of what Redis
// has told, which was read before.
func (h *Hub) askPostgres(ctx context.Context, ids []execution.ID, answers map[execution.ID]answer) error {
	if len(ids) == 0 {
		return nil
	}
	runs, timeline, err := h.store.LatestRuns(ctx, ids)
	if err != nil {
		return err
	}
	for _, id := range ids {
		answers[id] = answer{fromPostgres: true}
	}
	for i := range runs {
		live := redisstore.AsKept(runs[i].Live())
		state := State{Version: redisstore.NewVersion(timeline, live.Run, live.Version), Live: live}
		answers[live.ExecutionID] = answer{state: state, fromPostgres: true}
	}
	return nil
}

// take has followers told what is new.
func (h *Hub) take(questions []question, answers map[execution.ID]answer, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, q := range questions {
		a, told := answers[q.ExecutionID]
		p := h.followed[q.ExecutionID]
		if !told || p == nil || !p.take(q, a, now) {
			continue
		}
		for w := range p.followers {
			w.wake()
		}
	}
}
