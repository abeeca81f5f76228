package ingest_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// commitCutter stands between the engine and PostgreSQL and cuts the
// connection at some of the COMMITs: before the server hears of it, or after it
// has answered and before the client hears the answer.
type commitCutter struct {
	server    string
	commits   atomic.Int32
	cutEvery  int32
	delivered bool // the server hears the COMMIT that is cut
	cuts      atomic.Int32
}

// listen starts the proxy and gives the database URL that leads through it.
func (c *commitCutter) listen(t testing.TB, databaseURL string) string {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	c.server = u.Host
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { c.serve(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		serving.Wait()
	})
	u.Host = l.Addr().String()
	return u.String()
}

func (c *commitCutter) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	var dialer net.Dialer
	server, err := dialer.DialContext(context.Background(), "tcp", c.server)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	var cut atomic.Bool // this COMMIT, when it is done: rows to copy may come behind it, that the server waits for
	go func() {
		defer func() { _ = client.Close() }()
		buffer := make([]byte, 64<<10)
		for {
			n, err := server.Read(buffer)
			if cut.Load() && bytes.Contains(buffer[:n], []byte("COMMIT\x00")) {
				c.cuts.Add(1)
				return
			}
			if n > 0 {
				if _, err := client.Write(buffer[:n]); err != nil {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if bytes.Contains(buffer[:n], []byte("commit\x00")) && c.commits.Add(1)%c.cutEvery == 0 {
			if !c.delivered {
				c.cuts.Add(1)
				return
			}
			cut.Store(true)
		}
		if n > 0 {
			if _, err := server.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func TestACommitInDoubtIsSettledByThePosition(t *testing.T) {
	t.Parallel()
	for _, delivered := range []bool{false, true} {
		t.Run(fmt.Sprintf("delivered %t", delivered), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			cutter := &commitCutter{cutEvery: 2, delivered: delivered}
			through := openStore(t, cutter.listen(t, w.db.URL))
			records, want := w.mixedLoad(rand.New(rand.NewPCG(5, 6)))
			w.produce(records...)
			w.run(func(s *settings) {
				s.parts.Store = through
				s.config.Read.BatchRecords = 20
			})
			if n := cutter.cuts.Load(); n < 3 {
				t.Errorf("only %d commits were cut", n)
			}
			w.wantSums(want.applied, want.duplicates, want.quarantined)
			w.verify()
		})
	}
}
