package ingest

import (
	"context"
	"math/rand/v2"
	"time"
)

// pause is the waiting between tries: doubled each time up to a limit, with
// jitter, so that many workers do not come back at once.
type pause struct {
	next, limit time.Duration
	first       time.Duration
}

func (e *Engine) newPause() pause {
	return pause{next: e.cfg.RetryMin, limit: e.cfg.RetryMax, first: e.cfg.RetryMin}
}

// wait sleeps, and returns the context's cause if that ends first.
func (p *pause) wait(ctx context.Context) error {
	d := p.next/2 + rand.N(p.next/2+1)
	p.next = min(2*p.next, p.limit)
	return sleep(ctx, d)
}

// reset begins again with short pauses.
func (p *pause) reset() { p.next = p.first }

// sleep returns the context's cause if that ends first.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
