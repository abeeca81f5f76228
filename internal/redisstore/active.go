package redisstore

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
)

// ActiveExecution is a member of the active set.
type ActiveExecution struct {
	ExecutionID execution.ID
	LastSign    time.Time // of life, UTC, whole seconds; zero when unknown
}

// Active lists at most limit active executions, the latest sign of life first.
// Those whose live state says that they have ended are left out, so the list
// may be shorter than limit.
func (s *Store) Active(ctx context.Context, limit int) ([]ActiveExecution, error) {
	if limit < 1 {
		return nil, nil
	}
	var found []ActiveExecution
	err := s.do(ctx, "list active executions", s.cfg.Budget, func(ctx context.Context) error {
		members, err := s.client.ZRevRangeWithScores(ctx, s.keys.active(), 0, int64(limit)-1).Result()
		if err != nil {
			return err
		}
		pipe := s.client.Pipeline()
		statuses := make([]*redis.StringCmd, len(members))
		ids := make([]execution.ID, len(members))
		for i, m := range members {
			id, _ := m.Member.(string)
			ids[i] = execution.ID(id)
			statuses[i] = pipe.HGet(ctx, s.keys.state(ids[i]), "status")
		}
		if err := exec(ctx, pipe); err != nil {
			return err
		}
		for i, m := range members {
			if execution.Status(statuses[i].Val()).Terminal() {
				continue
			}
			a := ActiveExecution{ExecutionID: ids[i]}
			if m.Score != 0 {
				a.LastSign = time.Unix(int64(m.Score), 0).UTC()
			}
			found = append(found, a)
		}
		return nil
	})
	return found, err
}

// ActiveMembers lists the active set as it is, for PruneActive. A sweep calls
// it before it asks PostgreSQL which executions are live.
func (s *Store) ActiveMembers(ctx context.Context) ([]execution.ID, error) {
	var ids []execution.ID
	err := s.do(ctx, "list the active set", s.cfg.Budget, func(ctx context.Context) error {
		members, err := s.client.ZRange(ctx, s.keys.active(), 0, -1).Result()
		for _, m := range members {
			ids = append(ids, execution.ID(m))
		}
		return err
	})
	return ids, err
}

// PruneActive removes from the active set those members that are not live, and
// returns how many. The members must have been listed before PostgreSQL was
// asked for the live ones: so an execution that begins in between stays.
func (s *Store) PruneActive(ctx context.Context, members, live []execution.ID) (int, error) {
	keep := make(map[execution.ID]bool, len(live))
	for _, id := range live {
		keep[id] = true
	}
	var gone []any
	for _, id := range members {
		if !keep[id] {
			gone = append(gone, string(id))
		}
	}
	removed := 0
	err := inChunks(gone, func(chunk []any) error {
		return s.do(ctx, "prune the active set", s.cfg.Budget, func(ctx context.Context) error {
			n, err := s.client.ZRem(ctx, s.keys.active(), chunk...).Result()
			removed += int(n)
			return err
		})
	})
	return removed, err
}
