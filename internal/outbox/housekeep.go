package outbox

import (
	"context"
	"time"
)

// removedAtOnce bounds the transaction that removes what was published.
const removedAtOnce = 1000

// housekeep shows what waits, and removes what has been published for long.
func (p *Publisher) housekeep(ctx context.Context) {
	if err := p.show(ctx); err != nil && ctx.Err() == nil {
		p.Log.Debug().Err(err).Msg("what waits in the outbox is not known; asked again later")
	}
	_, err := p.Store.Lead(ctx, "outbox retention", p.removeFinished)
	if err != nil && ctx.Err() == nil {
		p.Log.Warn().Err(err).Msg("published events not removed; tried again later")
	}
}

// show tells the metrics what waits.
func (p *Publisher) show(ctx context.Context) error {
	state, err := p.Store.OutboxState(ctx)
	if err != nil {
		return err
	}
	for _, l := range p.lanes {
		of := state[l.role]
		age := time.Duration(0)
		if !of.Oldest.IsZero() {
			age = max(0, p.Now().Sub(of.Oldest))
		}
		p.Metrics.OutboxState(l.topic.Name, age, of.Parked)
	}
	return nil
}

// removeFinished removes, piece by piece, what was published or discarded before
// the retention.
func (p *Publisher) removeFinished(ctx context.Context) error {
	before := p.Now().Add(-p.cfg.Retention)
	for ctx.Err() == nil {
		n, err := p.Store.RemoveFinished(ctx, before, removedAtOnce)
		if err != nil || n < removedAtOnce {
			return err
		}
	}
	return context.Cause(ctx)
}
