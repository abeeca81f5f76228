package checker

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Redis is the live state of a real history.
type Redis struct {
	Client *redis.Client
	Prefix string
}

// States reads the hashes of executions.
func (r Redis) States(ctx context.Context, ids []string) ([]map[string]string, error) {
	pipe := r.Client.Pipeline()
	hashes := make([]*redis.MapStringStringCmd, len(ids))
	for i, id := range ids {
		hashes[i] = pipe.HGetAll(ctx, r.Prefix+"{exec:"+id+"}:state")
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, fmt.Errorf("read states from Redis: %w", err)
	}
	states := make([]map[string]string, len(ids))
	for i, hash := range hashes {
		states[i] = hash.Val()
	}
	return states, nil
}

// Active reads the active set.
func (r Redis) Active(ctx context.Context) ([]string, error) {
	members, err := r.Client.ZRange(ctx, r.Prefix+"active-executions", 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("read the active set from Redis: %w", err)
	}
	return members, nil
}
