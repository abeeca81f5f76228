package redisstore

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
)

// Known is an execution that a caller follows, and the version of the state that
// he has; "" when he has none.
type Known struct {
	ExecutionID execution.ID
	Version     Version
}

// Picture is what Redis holds of executions that a caller follows.
type Picture struct {
	Newer map[execution.ID]Entry // states that are newer than what he has
	Same  map[execution.ID]bool  // he has what Redis holds
	Epoch Epoch                  // where the content came from; zero: not known
}

// Newer reads what Redis holds of executions: all versions in one round trip, and
// in a second one the states that are newer than the caller's. An execution that is
// in neither part of the picture is one that Redis cannot tell of: it holds nothing,
// or something older. Where the content came from is read first: it is of no use
// to a caller whose PostgreSQL is not, by then, of that epoch.
func (s *Store) Newer(ctx context.Context, known []Known) (Picture, error) {
	p := Picture{Newer: map[execution.ID]Entry{}, Same: make(map[execution.ID]bool, len(known))}
	var err error
	if p.Epoch, err = s.Sentinel(ctx); err != nil || p.Epoch == (Epoch{}) {
		return p, err
	}
	err = inChunks(known, func(chunk []Known) error {
		return s.do(ctx, "read newer states", s.cfg.Budget, func(ctx context.Context) error {
			newer, err := s.readVersions(ctx, chunk, p.Same)
			if err != nil || len(newer) == 0 {
				return err
			}
			return s.readStates(ctx, newer, p.Newer)
		})
	})
	return p, err
}

// readVersions gives those of which Redis holds a newer version, and notes those
// of which it holds the same.
func (s *Store) readVersions(ctx context.Context, known []Known, same map[execution.ID]bool) ([]Known, error) {
	held := make([]*redis.StringCmd, len(known))
	pipe := s.client.Pipeline()
	for i, k := range known {
		held[i] = pipe.HGet(ctx, s.keys.state(k.ExecutionID), "version")
	}
	if err := exec(ctx, pipe); err != nil {
		return nil, err
	}
	var newer []Known
	for i, k := range known {
		switch version, err := held[i].Result(); {
		case errors.Is(class(err), ErrDenied):
			return nil, err
		case err != nil: // nothing, or a key of another kind
		case Version(version) > k.Version:
			newer = append(newer, k)
		case Version(version) == k.Version:
			same[k.ExecutionID] = true
		}
	}
	return newer, nil
}

// readStates reads as State does: the hash or the top of the stream, whichever is
// newer. What cannot be read is left out.
func (s *Store) readStates(ctx context.Context, known []Known, into map[execution.ID]Entry) error {
	hashes, tops := make([]*redis.MapStringStringCmd, len(known)), make([]*redis.XMessageSliceCmd, len(known))
	pipe := s.client.Pipeline()
	for i, k := range known {
		hashes[i], tops[i] = s.queueState(ctx, pipe, k.ExecutionID)
	}
	if err := exec(ctx, pipe); err != nil {
		return err
	}
	for i, k := range known {
		if hashes[i].Err() != nil || tops[i].Err() != nil {
			continue
		}
		live, version, err := decode(k.ExecutionID, newestFields(hashes[i], tops[i]))
		if err == nil && version > k.Version {
			into[k.ExecutionID] = Entry{Version: version, Live: live}
		}
	}
	return nil
}

// queueState reads the state and the top of the stream of an execution.
func (s *Store) queueState(ctx context.Context, pipe redis.Pipeliner, id execution.ID) (*redis.MapStringStringCmd, *redis.XMessageSliceCmd) {
	return pipe.HGetAll(ctx, s.keys.state(id)), pipe.XRevRangeN(ctx, s.keys.stream(id), "+", "-", 1)
}

// newestFields is the newer of the two. A writer without scripts writes the stream
// first. Who reads both never sees an older state after a newer one.
func newestFields(hash *redis.MapStringStringCmd, top *redis.XMessageSliceCmd) map[string]string {
	fields := hash.Val()
	if entries := top.Val(); len(entries) == 1 {
		if streamed := stringFields(entries[0].Values); streamed["version"] > fields["version"] {
			return streamed
		}
	}
	return fields
}
