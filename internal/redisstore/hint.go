package redisstore

import (
	"context"
	"encoding/base64"

	"github.com/redis/go-redis/v9"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// Hint names an event that may already be stored.
type Hint struct {
	Key    fact.Key
	Digest fact.Digest
}

// value is what a hint's key holds: a part of the digest, so that an id that
// comes back with other content (an id conflict) is not taken for a duplicate.
func (h Hint) value() string { return base64.RawURLEncoding.EncodeToString(h.Digest[:8]) }

// Known is S3: it tells for each event whether it is probably stored. It takes
// at most the hint budget. When Redis does not answer in time none is known,
// and the error says why; the caller goes on with the answer.
//
// True is a hint, no proof: PostgreSQL may have lost the event in a fail-over.
func (s *Store) Known(ctx context.Context, hints []Hint) ([]bool, error) {
	known := make([]bool, len(hints))
	if len(hints) == 0 {
		return known, nil
	}
	var held []*redis.StringCmd
	err := s.do(ctx, "read hints", s.cfg.HintBudget, func(ctx context.Context) error {
		pipe := s.client.Pipeline()
		held = make([]*redis.StringCmd, len(hints))
		for i, h := range hints {
			held[i] = pipe.Get(ctx, s.keys.hint(h.Key))
		}
		if err := exec(ctx, pipe); err != nil {
			return err
		}
		for _, cmd := range held {
			if err := cmd.Err(); err != nil && class(err) != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return known, err
	}
	for i, cmd := range held {
		known[i] = cmd.Val() == hints[i].value()
	}
	return known, nil
}

// MarkKnown is S6: it leaves hints that these events are stored. It is called
// only after they are: a hint that comes first loses events in a crash.
func (s *Store) MarkKnown(ctx context.Context, hints []Hint) error {
	return inChunks(hints, func(chunk []Hint) error {
		return s.do(ctx, "mark hints", s.cfg.Budget, func(ctx context.Context) error {
			pipe := s.client.Pipeline()
			for _, h := range chunk {
				// The first digest stays: it is the one that was accepted.
				pipe.SetNX(ctx, s.keys.hint(h.Key), h.value(), s.cfg.HintTTL)
			}
			cmds, _ := pipe.Exec(ctx)
			for _, cmd := range cmds {
				if err := cmd.Err(); err != nil && class(err) != nil {
					return err
				}
			}
			return nil
		})
	})
}
