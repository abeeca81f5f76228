package redisstore_test

import (
	"cmp"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// server is a redis-server of one test. Its own client, with all rights and
// around the store, is what the test looks with.
type server struct {
	*testenv.RedisServer
	*redis.Client
}

func startServer(t testing.TB, config ...string) *server {
	t.Helper()
	srv := testenv.Redis(t, config...)
	return &server{RedisServer: srv, Client: srv.Client(t)}
}

// must fails the test when a fault could not be caused.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("cause the fault: %v", err)
	}
}

// adapterACL is the user of the ecosystem's shared Redis, as it is there.
const adapterACL = "user test-adapter on >pw ~test:* +@read +@write +@keyspace -@dangerous"

// adapterURL connects as the user of adapterACL.
func (s *server) adapterURL() string { return "redis://test-adapter:pw@" + s.Addr() }

// open opens a store that is closed when the test ends. Budgets are long unless
// the test is about them: a busy machine is no outage.
func open(t *testing.T, cfg redisstore.Config) *redisstore.Store {
	t.Helper()
	cfg.Budget = cmp.Or(cfg.Budget, 20*time.Second)
	cfg.HintBudget = cmp.Or(cfg.HintBudget, cfg.Budget)
	store, err := redisstore.Open(t.Context(), cfg, zerolog.New(zerolog.NewTestWriter(t)))
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// mode is one of the two ways in which a store writes states, with a server of
// its own.
type mode struct {
	t     *testing.T
	srv   *server
	store *redisstore.Store
	plain bool // the store's user may not run scripts
}

// inBothModes runs a test with a store that may use scripts and with one that
// may not.
func inBothModes(t *testing.T, test func(mode)) {
	t.Helper()
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprintf("plain=%t", plain), func(t *testing.T) {
			t.Parallel()
			srv := startServer(t, adapterACL)
			url := srv.URL()
			if plain {
				url = srv.adapterURL()
			}
			store := open(t, redisstore.Config{URL: url})
			if got := store.Capabilities().Scripts; got == plain {
				t.Fatalf("scripts allowed = %t, want %t", got, !plain)
			}
			test(mode{t, srv, store, plain})
		})
	}
}
