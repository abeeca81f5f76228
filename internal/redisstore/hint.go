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
	var held []string
	err := s.do(ctx, "read hints", s.cfg.HintBudget, func(ctx context.Context) error {
		keys := make([]string, len(hints))
		for i, h := range hints {
			keys[i] = s.keys.hint(h.Key)
		}
		var err error
		held, err = s.values(ctx, keys)
		return err
	})
	if err != nil {
		return known, err
	}
	for i, value := range held {
		known[i] = value == hints[i].value()
	}
	return known, nil
}

// values reads keys in one round trip, "" for one that is not there. One MGET
// costs a third of as many GETs, but on a cluster the keys lie in many slots.
func (s *Store) values(ctx context.Context, keys []string) ([]string, error) {
	values := make([]string, len(keys))
	if !s.cfg.Cluster {
		held, err := s.client.MGet(ctx, keys...).Result()
		for i, value := range held {
			values[i], _ = value.(string)
		}
		return values, err
	}
	pipe := s.client.Pipeline()
	held := make([]*redis.StringCmd, len(keys))
	for i, key := range keys {
		held[i] = pipe.Get(ctx, key)
	}
	if err := exec(ctx, pipe); err != nil {
		return nil, err
	}
	for i, cmd := range held {
		if err := cmd.Err(); err != nil && class(err) != nil {
			return nil, err
		}
		values[i] = cmd.Val()
	}
	return values, nil
}

// MarkKnown is S6: it leaves hints that these events are stored. It is called
// only after they are. A hint that is wrong loses nothing, since the store is
// asked all the same, but it costs a look-up in vain.
func (s *Store) MarkKnown(ctx context.Context, hints []Hint) error {
	return inChunks(hints, func(chunk []Hint) error {
		return s.do(ctx, "mark hints", s.cfg.Budget, func(ctx context.Context) error {
			pipe := s.client.Pipeline()
			marked := make([]redis.Cmder, len(chunk))
			for i, h := range chunk {
				// The first digest stays: it is the one that was accepted.
				marked[i] = pipe.SetNX(ctx, s.keys.hint(h.Key), h.value(), s.cfg.HintTTL)
			}
			if err := exec(ctx, pipe); err != nil {
				return err
			}
			return firstError(marked)
		})
	})
}
