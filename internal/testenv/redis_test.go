package testenv_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

func TestRedisIsTheTestsOwn(t *testing.T) {
	t.Parallel()
	first, second := testenv.Redis(t), testenv.Redis(t)
	set(t, first.Client(t), "key", "value")
	if err := second.Client(t).Get(t.Context(), "key").Err(); !errors.Is(err, redis.Nil) {
		t.Errorf("the other server: got %v, want %v", err, redis.Nil)
	}
	options, err := redis.ParseURL(first.URL())
	if err != nil {
		t.Fatal(err)
	}
	byURL := redis.NewClient(options)
	defer byURL.Close() //nolint:errcheck // nothing was written
	if got, err := byURL.Get(t.Context(), "key").Result(); err != nil || got != "value" {
		t.Errorf("by URL: got %q, %v", got, err)
	}
}

func TestRedisConfiguration(t *testing.T) {
	t.Parallel()
	server := testenv.Redis(t,
		"maxmemory 10mb",
		"maxmemory-policy allkeys-lfu",
		"user test-adapter on >secret ~test:* +@read +@write +@keyspace -@dangerous")
	policy, err := server.Client(t).ConfigGet(t.Context(), "maxmemory-policy").Result()
	if err != nil || policy["maxmemory-policy"] != "allkeys-lfu" {
		t.Errorf("policy %v, %v", policy, err)
	}
	narrow := redis.NewClient(&redis.Options{Addr: server.Addr(), Username: "test-adapter", Password: "secret", Protocol: 2})
	t.Cleanup(func() { _ = narrow.Close() })
	set(t, narrow, "test:key", "value")
	if err := narrow.Set(t.Context(), "other:key", "value", 0).Err(); err == nil {
		t.Error("the narrow user wrote outside its prefix")
	}
}

func TestRedisClosedToUnnamedUsersStarts(t *testing.T) {
	t.Parallel()
	server := testenv.Redis(t, "requirepass secret")
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), Password: "secret"})
	t.Cleanup(func() { _ = client.Close() })
	set(t, client, "key", "value")
}

func TestRedisRestart(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		config []string
		end    func(*testenv.RedisServer) error
		want   error // of reading the key afterwards
	}{
		{"kill", nil, (*testenv.RedisServer).Kill, redis.Nil},
		{"stop", nil, (*testenv.RedisServer).Stop, redis.Nil},
		{"running", nil, func(*testenv.RedisServer) error { return nil }, redis.Nil},
		{"with a log of its own", []string{"appendonly yes", "appendfsync always"}, (*testenv.RedisServer).Kill, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := testenv.Redis(t, test.config...)
			set(t, server.Client(t), "key", "value")
			if err := test.end(server); err != nil {
				t.Fatal(err)
			}
			if err := server.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := server.Client(t).Get(t.Context(), "key").Err(); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestRedisPause(t *testing.T) {
	t.Parallel()
	server := testenv.Redis(t)
	client := server.Client(t)
	set(t, client, "key", "value")
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := client.Get(ctx, "key").Err(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a frozen server: got %v, want %v", err, context.DeadlineExceeded)
	}
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
	if got, err := client.Get(t.Context(), "key").Result(); err != nil || got != "value" {
		t.Errorf("after the freeze: got %q, %v", got, err)
	}
}

func set(t *testing.T, client *redis.Client, key, value string) {
	t.Helper()
	if err := client.Set(t.Context(), key, value, 0).Err(); err != nil {
		t.Fatal(err)
	}
}
