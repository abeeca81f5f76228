package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// Epoch says where the content of Redis came from: a PostgreSQL cluster and
// its timeline. It is not the epoch of a partition, which counts claims.
type Epoch struct {
	System   string // system identifier; opaque here
	Timeline uint32
	Position int64 // how far that timeline had come; 0: not known
}

// String is the epoch as the sentinel holds it: system:timeline:position.
func (e Epoch) String() string { return fmt.Sprintf("%s:%d:%d", e.System, e.Timeline, e.Position) }

// parseEpoch reads what String writes; what is not ours is the zero epoch.
func parseEpoch(text string) Epoch {
	parts := strings.Split(text, ":")
	if len(parts) == 2 {
		parts = append(parts, "0") // of a version that did not know positions
	}
	if len(parts) != 3 || parts[0] == "" {
		return Epoch{}
	}
	timeline, errTimeline := strconv.ParseUint(parts[1], 10, 32)
	position, errPosition := strconv.ParseInt(parts[2], 10, 64)
	if errTimeline != nil || errPosition != nil {
		return Epoch{}
	}
	return Epoch{System: parts[0], Timeline: uint32(timeline), Position: position}
}

// SentinelState is what the sentinel says about the content of Redis.
type SentinelState string

// The states of the sentinel.
const (
	// SentinelSame: the content came from this epoch.
	SentinelSame SentinelState = "same"
	// SentinelMissing: Redis was flushed, restarted without its data, or has
	// evicted the sentinel, and so perhaps more. Sweep, then SetSentinel.
	SentinelMissing SentinelState = "missing"
	// SentinelOlder: PostgreSQL has begun a new timeline since. Sweep, then
	// SetSentinel.
	SentinelOlder SentinelState = "older_timeline"
	// SentinelNewer: the content is of a timeline that this PostgreSQL has
	// not reached: the caller talks to a primary that was replaced. Leave it.
	SentinelNewer SentinelState = "newer_timeline"
	// SentinelAhead: the content is of a later time than this PostgreSQL, which was
	// restored from a backup: row versions come again. DeleteOwnKeys, sweep, then
	// SetSentinel.
	SentinelAhead SentinelState = "later_position"
	// SentinelForeign: the content is of another cluster and says nothing.
	// DeleteOwnKeys, sweep, then SetSentinel.
	SentinelForeign SentinelState = "other_system"
)

// Sentinel is the epoch that SetSentinel or RenewSentinel has written last, zero
// when there is none. Reading it also serves as a probe: it reads one key.
func (s *Store) Sentinel(ctx context.Context) (Epoch, error) {
	var text string
	err := s.do(ctx, "read sentinel", s.cfg.Budget, func(ctx context.Context) error {
		var err error
		text, err = s.client.Get(ctx, s.keys.epoch()).Result()
		if errors.Is(err, redis.Nil) {
			return nil
		}
		return err
	})
	if err != nil {
		return Epoch{}, err
	}
	return parseEpoch(text), nil
}

// Of tells what e, as the sentinel, says about the content of Redis where
// PostgreSQL is in the epoch now.
func (e Epoch) Of(now Epoch) SentinelState {
	switch {
	case e == Epoch{}:
		return SentinelMissing
	case e.System != now.System:
		return SentinelForeign
	case e.Timeline < now.Timeline:
		return SentinelOlder
	case e.Timeline > now.Timeline:
		return SentinelNewer
	case e.Position > now.Position:
		return SentinelAhead
	}
	return SentinelSame
}

// noEpoch is of no cluster.
var noEpoch = Epoch{System: "none"}

// ForgetCommand is Disown as a command of Redis: for who knows that the database is
// meant to be older than the content.
func (s *Store) ForgetCommand() string { return "SET " + s.keys.epoch() + " " + noEpoch.String() }

// Disown has the content taken for another cluster's, until SetSentinel or the end
// of DeleteOwnKeys.
func (s *Store) Disown(ctx context.Context) error { return s.SetSentinel(ctx, noEpoch) }

// SetSentinel says that Redis now holds all that e has; a sweep does so at its
// end, so that a sweep that dies is done again.
func (s *Store) SetSentinel(ctx context.Context, e Epoch) error {
	return s.do(ctx, "set sentinel", s.cfg.Budget, func(ctx context.Context) error {
		return s.client.Set(ctx, s.keys.epoch(), e.String(), 0).Err()
	})
}

// RenewSentinel is SetSentinel after a pass that wrote only what had changed. A
// sentinel that has gone meanwhile, by a flush, stays gone: then not all is held.
func (s *Store) RenewSentinel(ctx context.Context, e Epoch) error {
	return s.do(ctx, "renew sentinel", s.cfg.Budget, func(ctx context.Context) error {
		return s.client.SetXX(ctx, s.keys.epoch(), e.String(), 0).Err()
	})
}

// Passes is the number that SetPasses has set last, 0 if it is lost. Less than it
// was before means that Redis holds an older content: it was restored from a
// file, or a replica took over that was behind. Unlike a restart, that is seen
// without the right to INFO, and unlike a flush it leaves the sentinel.
func (s *Store) Passes(ctx context.Context) (int64, error) {
	var text string
	err := s.do(ctx, "read number of passes", s.cfg.Budget, func(ctx context.Context) error {
		var err error
		text, err = s.client.Get(ctx, s.keys.passes()).Result()
		if errors.Is(err, redis.Nil) || redis.HasErrorPrefix(err, "WRONGTYPE") {
			return nil
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	passes, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, nil //nolint:nilerr // what is not ours says nothing
	}
	return passes, nil
}

// SetPasses says that Redis has been made right for the n-th time: it holds all
// that was stored before that pass began.
func (s *Store) SetPasses(ctx context.Context, n int64) error {
	return s.do(ctx, "set number of passes", s.cfg.Budget, func(ctx context.Context) error {
		return s.client.Set(ctx, s.keys.passes(), n, 0).Err()
	})
}

// DeleteOwnKeys removes every key of this store, and no other of the shared
// server or of the prefix, and returns how many. It scans the whole keyspace in
// bounded steps; ctx bounds the sum.
func (s *Store) DeleteOwnKeys(ctx context.Context) (int, error) {
	var deleted atomic.Int64 // a cluster's nodes are scanned side by side
	err := s.forEachNode(ctx, func(ctx context.Context, node *redis.Client) error {
		for _, pattern := range s.keys.families() {
			n, err := s.deleteMatching(ctx, node, pattern)
			deleted.Add(int64(n))
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return int(deleted.Load()), fmt.Errorf("delete own keys: %w", err)
	}
	return int(deleted.Load()), nil
}

func (s *Store) deleteMatching(ctx context.Context, node *redis.Client, pattern string) (int, error) {
	deleted := 0
	var cursor uint64
	for {
		err := s.do(ctx, "delete "+pattern, s.cfg.Budget, func(ctx context.Context) error {
			keys, next, err := node.Scan(ctx, cursor, pattern, pipelineLength).Result()
			if err != nil {
				return err
			}
			// One command a key: together they may lie in several slots.
			pipe := node.Pipeline()
			cmds := make([]*redis.IntCmd, len(keys))
			for i, key := range keys {
				cmds[i] = pipe.Unlink(ctx, key)
			}
			if _, err := pipe.Exec(ctx); err != nil {
				return err
			}
			for _, cmd := range cmds {
				deleted += int(cmd.Val())
			}
			cursor = next
			return nil
		})
		if err != nil || cursor == 0 {
			return deleted, err
		}
	}
}

// RunID identifies the running server process, or processes of a cluster, where
// INFO is allowed; it changes when one restarts. Without the right it is an
// ErrDenied, and the sentinel and Passes alone tell of restarts that lost data.
func (s *Store) RunID(ctx context.Context) (string, error) {
	var ids []string
	err := s.do(ctx, "read run id", s.cfg.Budget, func(ctx context.Context) error {
		var err error
		ids, err = s.runIDs(ctx)
		return err
	})
	if err != nil {
		return "", err
	}
	return strings.Join(ids, ","), nil
}
