package redisstore

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
)

// State reads the live state of an execution. ok is false when Redis holds
// none: the caller asks PostgreSQL, as it does after an error.
func (s *Store) State(ctx context.Context, id execution.ID) (live execution.Live, version Version, ok bool, err error) {
	var fields map[string]string
	err = s.do(ctx, "read state", s.cfg.Budget, func(ctx context.Context) error {
		pipe := s.client.Pipeline()
		hash, top := s.queueState(ctx, pipe, id)
		if err := exec(ctx, pipe); err != nil {
			return err
		}
		if err := errors.Join(hash.Err(), top.Err()); err != nil {
			return err
		}
		fields = newestFields(hash, top)
		return nil
	})
	if err != nil || len(fields) == 0 {
		return execution.Live{}, "", false, err
	}
	live, version, err = decode(id, fields)
	return live, version, err == nil, err
}

// Entry is one state in the stream of an execution.
type Entry struct {
	Version Version
	Live    execution.Live
}

// ReadStream reads up to count states of an execution that are newer than
// after, oldest first; after "" begins at the oldest kept. Every entry is a whole
// state, so entries that the cap has removed are no loss to a follower.
func (s *Store) ReadStream(ctx context.Context, id execution.ID, after Version, count int64) ([]Entry, error) {
	var messages []redis.XMessage
	err := s.do(ctx, "read stream", s.cfg.Budget, func(ctx context.Context) error {
		start := "-"
		if after != "" {
			start = "(" + after.streamID()
		}
		var err error
		messages, err = s.client.XRangeN(ctx, s.keys.stream(id), start, "+", count).Result()
		return err
	})
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, 0, len(messages))
	for _, m := range messages {
		live, version, err := decode(id, stringFields(m.Values))
		if err != nil {
			return nil, err
		}
		entries = append(entries, Entry{Version: version, Live: live})
	}
	return entries, nil
}

func stringFields(values map[string]any) map[string]string {
	fields := make(map[string]string, len(values))
	for name, value := range values {
		if text, ok := value.(string); ok {
			fields[name] = text
		}
	}
	return fields
}
