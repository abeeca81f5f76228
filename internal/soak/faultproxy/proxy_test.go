package faultproxy_test

import (
	"bufio"
	"context"
	"net"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/soak/faultproxy"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// echo is a server that answers each line with the same, and tells what it
// heard.
func echo(t *testing.T) (addr string, heard <-chan string) {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	lines := make(chan string, 100)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				in := bufio.NewReader(conn)
				for {
					line, err := in.ReadString('\n')
					if err != nil {
						return
					}
					lines <- line
					if _, err := conn.Write([]byte(line)); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l.Addr().String(), lines
}

// client is a connection through the proxy.
type client struct {
	testing.TB
	conn net.Conn
	in   *bufio.Reader
}

func dial(t *testing.T, p *faultproxy.Proxy) *client {
	t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(t.Context(), "tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return &client{t, conn, bufio.NewReader(conn)}
}

// ask says a line and returns the answer.
func (c *client) ask(line string) (string, error) {
	if _, err := c.conn.Write([]byte(line)); err != nil {
		return "", err
	}
	return c.in.ReadString('\n')
}

func (c *client) wantAnswer(line string) {
	c.Helper()
	if answer, err := c.ask(line); err != nil || answer != line {
		c.Fatalf("the answer to %q is %q, %v", line, answer, err)
	}
}

func (c *client) wantNone(line string) {
	c.Helper()
	if answer, err := c.ask(line); err == nil {
		c.Fatalf("%q is answered with %q", line, answer)
	}
}

func startProxy(t *testing.T, target string) *faultproxy.Proxy {
	t.Helper()
	p, err := faultproxy.New(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	p.LeadTo(target)
	return p
}

func TestProxyCutsAndLeadsElsewhere(t *testing.T) {
	t.Parallel()
	first, _ := echo(t)
	second, heard := echo(t)
	p := startProxy(t, first)
	c := dial(t, p)
	c.wantAnswer("one\n")
	p.LeadTo(second)
	c.wantAnswer("two\n") // still by the connection to the first
	if n := p.Cut(); n != 1 {
		t.Errorf("cut %d connections, want 1", n)
	}
	c.wantNone("three\n")
	dial(t, p).wantAnswer("four\n")
	if line := <-heard; line != "four\n" {
		t.Errorf("the second server heard %q", line)
	}
}

func TestProxyHoldsWhatIsSaid(t *testing.T) {
	t.Parallel()
	addr, heard := echo(t)
	p := startProxy(t, addr)
	c := dial(t, p)
	c.wantAnswer("one\n")
	<-heard
	p.Hold(true)
	if _, err := c.conn.Write([]byte("two\n")); err != nil {
		t.Fatal(err)
	}
	answered := make(chan string, 1)
	go func() {
		line, _ := c.in.ReadString('\n')
		answered <- line
	}()
	select {
	case line := <-heard:
		t.Fatalf("the server heard %q", line)
	case <-time.After(50 * time.Millisecond): // it is held, or slower than that
	}
	testenv.Eventually(t, "it is held", func() bool { return p.Held() == 1 })
	p.Hold(false)
	if line := <-answered; line != "two\n" {
		t.Errorf("the answer is %q", line)
	}
	if n := p.Held(); n != 0 {
		t.Errorf("%d are held", n)
	}
}

// A COMMIT is cut on its way to the server, or on the way back.
func TestProxyCutsCommits(t *testing.T) {
	t.Parallel()
	const commit = "commit\x00\n"
	for name, delivered := range map[string]bool{"before the server hears it": false, "before the client hears the answer": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, heard := echo(t)
			p := startProxy(t, addr)
			p.CutCommits(1, delivered)
			c := dial(t, p)
			c.wantAnswer("begin\n")
			<-heard
			c.wantNone(commit)
			if p.Commits() != 1 {
				t.Errorf("%d commits were cut", p.Commits())
			}
			again := dial(t, p)
			again.wantAnswer(commit) // one was to be cut
			if first := <-heard; first != commit {
				t.Errorf("the server heard %q", first)
			}
			select {
			case line := <-heard:
				if !delivered {
					t.Errorf("the server heard %q twice", line)
				}
			default:
				if delivered {
					t.Error("the server did not hear the COMMIT that was cut")
				}
			}
		})
	}
}
