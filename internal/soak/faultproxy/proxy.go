// Package faultproxy stands between a client and a server, and lets the network
// between them fail.
package faultproxy

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"sync"
	"time"
)

// Proxy stands before a server, under an address that stays when the server is
// another one. It can cut all connections, slow them down, and cut a COMMIT of
// PostgreSQL in the middle, which no general proxy knows.
type Proxy struct {
	listener net.Listener

	mu        sync.Mutex
	target    string // empty: nobody is there
	links     map[*link]bool
	delay     time.Duration // of each piece, in both directions
	held      chan struct{} // closed when what is held may go on; nil: nothing is held
	waiting   int           // pieces of clients that are held
	commits   int           // that many COMMITs are still to be cut
	delivered bool          // the server hears those
	cut       int           // were cut
	closed    bool
	serving   sync.WaitGroup
}

// link is a connection through the proxy.
type link struct {
	client, server net.Conn
	deaf           bool          // the client will not hear that its COMMIT was done; guarded by the proxy
	gone           chan struct{} // closed with the link
	once           sync.Once
}

// New starts a proxy on a free port. It leads nowhere yet.
func New(ctx context.Context) (*Proxy, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start a proxy: %w", err)
	}
	p := &Proxy{listener: l, links: map[*link]bool{}}
	p.serving.Go(p.accept)
	return p, nil
}

// Addr is where clients come to.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Close ends the proxy and all connections.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Hold(false)
	_ = p.listener.Close() // nobody listens any more, either way
	p.Cut()
	p.serving.Wait()
}

// LeadTo lets new connections lead to a server.
func (p *Proxy) LeadTo(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

// Cut ends all connections without a word, and tells how many.
func (p *Proxy) Cut() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.links)
	for l := range p.links {
		l.close()
	}
	return n
}

// Slow delays everything by d; 0 ends it.
func (p *Proxy) Slow(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Hold keeps everything that is said from now on, until it is called again.
func (p *Proxy) Hold(hold bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case hold && p.held == nil:
		p.held = make(chan struct{})
	case !hold && p.held != nil:
		close(p.held)
		p.held = nil
	}
}

// Held is how many clients have said something that is held.
func (p *Proxy) Held() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting
}

// CutCommits cuts the next n COMMITs: before the server hears them, or, where
// they are to be delivered, before the client hears the answer.
func (p *Proxy) CutCommits(n int, delivered bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.commits, p.delivered, p.cut = n, delivered, 0
}

// Commits is how many were cut since CutCommits.
func (p *Proxy) Commits() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cut
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.serving.Go(func() { p.serve(client) })
	}
}

func (p *Proxy) serve(client net.Conn) {
	p.mu.Lock()
	target := p.target
	p.mu.Unlock()
	dialer := net.Dialer{Timeout: 5 * time.Second}
	server, err := dialer.DialContext(context.Background(), "tcp", target)
	if err != nil {
		reset(client)
		return
	}
	l := &link{client: client, server: server, gone: make(chan struct{})}
	p.mu.Lock()
	p.links[l] = true
	if p.closed {
		l.close()
	}
	p.mu.Unlock()
	var back sync.WaitGroup
	back.Go(func() {
		defer l.close()
		p.pass(l, server, client)
	})
	p.pass(l, client, server)
	l.close()
	back.Wait()
	p.mu.Lock()
	delete(p.links, l)
	if l.deaf && p.delivered { // it came to no COMMIT, and one is still to be cut
		p.commits++
	}
	p.mu.Unlock()
}

// cutsCommit tells whether the link is to be cut before this piece, for it has
// the COMMIT, or the server's word that it was done. The first is only noted
// when the server is to hear it: rows may come behind it that it waits for.
func (p *Proxy) cutsCommit(l *link, from net.Conn, piece []byte) bool {
	switch {
	case from == l.client && p.commits > 0 && !l.deaf && bytes.Contains(piece, []byte("commit\x00")):
		p.commits--
		l.deaf = p.delivered
		if l.deaf {
			return false
		}
	case from == l.server && l.deaf && bytes.Contains(bytes.ToUpper(piece), []byte("COMMIT\x00")):
		l.deaf = false
	default:
		return false
	}
	p.cut++
	return true
}

// pass passes on what comes from one side until something ends it.
func (p *Proxy) pass(l *link, from, to net.Conn) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		piece := buffer[:n]
		p.mu.Lock()
		delay, held := p.delay, p.held
		cuts := p.cutsCommit(l, from, piece)
		p.mu.Unlock()
		if cuts {
			return
		}
		if delay > 0 && n > 0 {
			timer := time.NewTimer(delay)
			select {
			case <-timer.C:
			case <-l.gone:
			}
			timer.Stop()
		}
		if held != nil && !p.hold(l, from, held) {
			return
		}
		if n > 0 {
			if _, err := to.Write(piece); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// hold waits until what is held may go on; it tells whether the link is there
// still.
func (p *Proxy) hold(l *link, from net.Conn, held <-chan struct{}) bool {
	count := func(n int) {
		if from == l.client {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.waiting += n
		}
	}
	count(1)
	defer count(-1)
	select {
	case <-held:
		return true
	case <-l.gone:
		return false
	}
}

func (l *link) close() {
	l.once.Do(func() { close(l.gone) })
	reset(l.client)
	reset(l.server)
}

// reset closes a connection so that the other side sees it broken.
func reset(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0) // as good as it gets
	}
	_ = c.Close() // it is to be gone
}
