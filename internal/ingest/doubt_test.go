package ingest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/soak/faultproxy"
)

// Connections are cut at the COMMIT: before the server hears of it, or after it has
// answered and before the client hears the answer.
func TestACommitInDoubtIsSettledByThePosition(t *testing.T) {
	t.Parallel()
	for _, delivered := range []bool{false, true} {
		t.Run(fmt.Sprintf("delivered %t", delivered), func(t *testing.T) {
			t.Parallel()
			const cuts = 5
			w := newWorld(t)
			u, err := url.Parse(w.db.URL)
			must(t, err)
			proxy, err := faultproxy.New(context.WithoutCancel(t.Context()))
			must(t, err)
			t.Cleanup(proxy.Close)
			proxy.LeadTo(u.Host)
			u.Host = proxy.Addr()
			through := openStore(t, u.String())
			records, want := w.mixedLoad(rand.New(rand.NewPCG(5, 6)))
			w.produce(records...)
			proxy.CutCommits(cuts, delivered)
			w.run(func(s *settings) {
				s.parts.Store = through
				s.config.Read.BatchRecords = 20
			})
			if n := proxy.Commits(); n != cuts {
				t.Errorf("%d commits were cut, want %d", n, cuts)
			}
			w.wantSums(want.applied, want.duplicates, want.quarantined)
			w.verify()
		})
	}
}
