package testenv

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// Direction is that of what flows through a Proxy.
type Direction string

// The directions.
const (
	ToServer   Direction = "upstream"
	FromServer Direction = "downstream"
)

// NetworkProxy stands between clients and a server, and does to their
// connections what bad networks do.
type NetworkProxy struct {
	testing.TB
	proxy *toxiproxy.Proxy
	addr  string // the proxy's own field is written each time it starts again
}

// Proxy leads to a server, faultlessly at first, until the test ends. The server
// need not be there yet.
func Proxy(t testing.TB, server string) *NetworkProxy {
	t.Helper()
	api := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := &NetworkProxy{TB: t, proxy: toxiproxy.NewProxy(api, UniqueName("proxy"), "127.0.0.1:0", server)}
	if err := p.proxy.Start(); err != nil {
		t.Fatalf("start a proxy to %s: %v", server, err)
	}
	p.addr = p.proxy.Listen
	t.Cleanup(func() {
		p.proxy.Toxics.ResetToxics(context.Background())
		p.proxy.Stop()
	})
	return p
}

// Addr is where the proxy listens.
func (p *NetworkProxy) Addr() string { return p.addr }

// Swallow lets what flows in these directions vanish, or in both if none is
// named: connections stay open, also new ones, and nothing arrives.
func (p *NetworkProxy) Swallow(directions ...Direction) {
	p.Helper()
	if len(directions) == 0 {
		directions = []Direction{ToServer, FromServer}
	}
	for _, d := range directions {
		p.add(d, "timeout", map[string]int64{"timeout": 0})
	}
}

// Slow delays what flows in either direction, and lets so many bytes through in
// a second.
func (p *NetworkProxy) Slow(delay time.Duration, bytesPerSecond int64) {
	p.Helper()
	for _, d := range []Direction{ToServer, FromServer} {
		p.add(d, "latency", map[string]int64{"latency": delay.Milliseconds()})
		p.add(d, "bandwidth", map[string]int64{"rate": max(1, bytesPerSecond/1000)})
	}
}

// Refuse cuts all connections and takes no new ones.
func (p *NetworkProxy) Refuse() { p.proxy.Stop() }

// Heal makes the network faultless again. Connections from which something
// vanished are cut.
func (p *NetworkProxy) Heal() {
	p.Helper()
	p.proxy.Toxics.ResetToxics(p.Context())
	if p.proxy.Enabled {
		return
	}
	var err error
	defer func() {
		if err != nil {
			p.Logf("start a proxy again: %v", err)
		}
	}()
	Eventually(p, "the proxy is started again", func() bool { // another may have its port for a moment
		err = p.proxy.Start()
		return err == nil
	})
}

// Redirect cuts all connections and lets the address lead to another server, as
// a failover does.
func (p *NetworkProxy) Redirect(server string) {
	p.Helper()
	p.proxy.Stop()
	p.proxy.Upstream = server
	p.Heal()
}

func (p *NetworkProxy) add(d Direction, kind string, attributes map[string]int64) {
	p.Helper()
	text, err := json.Marshal(map[string]any{"type": kind, "stream": d, "attributes": attributes})
	if err != nil {
		p.Fatal(err)
	}
	if _, err := p.proxy.Toxics.AddToxicJson(strings.NewReader(string(text))); err != nil {
		p.Fatalf("add %s to a proxy: %v", kind, err)
	}
}
