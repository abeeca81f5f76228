package soak

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/soak/faultproxy"
)

func (w *world) redisFaults() lane {
	return lane{gap: 1200 * time.Millisecond, faults: []fault{
		{"redis.kill", 2, w.killRedis},
		{"redis.flush", 3, w.flushRedis},
		{"redis.freeze", 2, w.freezeRedis},
		{"redis.cut", 3, w.cut(func() *faultproxy.Proxy { return w.redisProxy })},
		{"redis.slow", 2, w.slow(func() *faultproxy.Proxy { return w.redisProxy }, 300*time.Millisecond)},
		{"redis.demoted", 2, w.whileRedis(func(ctx context.Context, c *redis.Client) error { return c.ReplicaOf(ctx, "127.0.0.1", "1").Err() },
			func(ctx context.Context, c *redis.Client) error { return c.ReplicaOf(ctx, "NO", "ONE").Err() })},
		{"redis.full", 2, w.whileRedis(func(ctx context.Context, c *redis.Client) error { return c.ConfigSet(ctx, "maxmemory", "1").Err() },
			func(ctx context.Context, c *redis.Client) error { return c.ConfigSet(ctx, "maxmemory", "0").Err() })},
	}}
}

// killRedis is a crash; it comes back empty.
func (w *world) killRedis(ctx context.Context, random *rand.Rand) (bool, error) {
	if err := w.redis.Kill(); err != nil {
		return false, err
	}
	wait(ctx, between(random, 0, time.Second))
	return true, w.redis.Restart(ctx)
}

func (w *world) flushRedis(ctx context.Context, _ *rand.Rand) (bool, error) {
	admin := w.admin()
	defer func() { _ = admin.Close() }()
	return true, admin.FlushAll(ctx).Err()
}

func (w *world) freezeRedis(ctx context.Context, random *rand.Rand) (bool, error) {
	if err := w.redis.Pause(); err != nil {
		return false, err
	}
	wait(ctx, between(random, 200*time.Millisecond, 1500*time.Millisecond))
	return true, w.redis.Resume()
}

// whileRedis lets Redis be so for a while.
func (w *world) whileRedis(begin, end func(context.Context, *redis.Client) error) func(context.Context, *rand.Rand) (bool, error) {
	return func(ctx context.Context, random *rand.Rand) (bool, error) {
		admin := w.admin()
		defer func() { _ = admin.Close() }()
		if err := begin(ctx, admin); err != nil {
			return false, err
		}
		wait(ctx, between(random, 200*time.Millisecond, 1200*time.Millisecond))
		return true, end(ctx, admin)
	}
}
