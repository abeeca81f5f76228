package testenv

import (
	"context"
	"os"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/redisserver"
)

var redisProgram = sync.OnceValues(func() (redisserver.Program, error) {
	return redisserver.Obtain(context.Background(), os.Stderr)
})

// RedisServer is a redis-server of one test, which may stop, kill, freeze and
// restart it.
type RedisServer struct{ *redisserver.Server }

// Redis runs a redis-server until the test ends: one a test, since it starts in
// a few milliseconds and tests flush, configure and break it. It listens on
// loopback and keeps nothing on disk, unless further lines of redis.conf say
// otherwise: "maxmemory 10mb", "appendonly yes",
// "user reader on >secret ~test:* +@read", "aclfile /some/file".
func Redis(t testing.TB, config ...string) *RedisServer {
	t.Helper()
	program, err := redisProgram()
	if err != nil {
		t.Fatal(err)
	}
	server, err := redisserver.Start(t.Context(), program, testDir(t, "redis"), config...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Kill(); err != nil {
			t.Errorf("end redis-server: %v", err)
		}
	})
	return &RedisServer{server}
}

// Client connects as the default user until the test ends.
func (s *RedisServer) Client(t testing.TB) *redis.Client {
	t.Helper()
	return RedisClient(t, s.URL())
}

// RedisClient connects to any Redis until the test ends.
func RedisClient(t testing.TB, url string) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatalf("read the address of redis: %v", err)
	}
	options.ContextTimeoutEnabled = true
	client := redis.NewClient(options)
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Errorf("close the client of redis: %v", err)
		}
	})
	return client
}
