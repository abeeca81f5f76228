package testenv_test

import (
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// A proxy does what it is told to, and nothing once it is healed.
func TestProxyDoesWhatBadNetworksDo(t *testing.T) {
	t.Parallel()
	server := testenv.Redis(t)
	direct := server.Client(t)
	for name, c := range map[string]struct {
		harm    func(*testenv.NetworkProxy)
		arrives bool
	}{
		"nothing":          {func(*testenv.NetworkProxy) {}, true},
		"swallow":          {func(p *testenv.NetworkProxy) { p.Swallow() }, false},
		"swallow requests": {func(p *testenv.NetworkProxy) { p.Swallow(testenv.ToServer) }, false},
		"swallow answers":  {func(p *testenv.NetworkProxy) { p.Swallow(testenv.FromServer) }, true},
		"refuse":           {func(p *testenv.NetworkProxy) { p.Refuse() }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := testenv.Proxy(t, server.Addr())
			client := redis.NewClient(&redis.Options{
				Addr: p.Addr(), MaxRetries: -1, ReadTimeout: 3 * time.Second, DisableIdentity: true, Protocol: 2,
			})
			defer func() { _ = client.Close() }()
			if err := client.Get(t.Context(), "x").Err(); !errors.Is(err, redis.Nil) {
				t.Fatal(err)
			}
			c.harm(p)
			err := client.Set(t.Context(), name, "1", 0).Err()
			arrived := func() bool { return direct.Exists(t.Context(), name).Val() == 1 }
			if c.arrives {
				testenv.Eventually(t, "the request has arrived", arrived)
			} else if arrived() {
				t.Error("the request arrived")
			}
			if healthy := name == "nothing"; (err == nil) != healthy {
				t.Errorf("error %v through a healthy network: %t", err, healthy)
			}
			p.Heal()
			testenv.Eventually(t, "the network is healed", func() bool { return client.Set(t.Context(), name, "2", 0).Err() == nil })
		})
	}
}
