package ingest

import (
	"context"
	"errors"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// attempt is the reading of records at a position where processes have died.
// It is noted before, so that a death counts, and taken back when nothing came
// to read. In a process one partition at a time makes one: a death then blames
// no partition that was slower to read.
type attempt struct {
	*worker
	proven bool // the records at the position killed nobody
	held   bool // it is this worker's turn
}

// begin waits for the worker's turn and notes the attempt.
func (a *attempt) begin(ctx context.Context) error {
	if a.proven {
		return nil
	}
	tick := time.NewTicker(a.cfg.StopPoll)
	defer tick.Stop()
	for !a.held {
		select {
		case a.turn <- struct{}{}:
			a.held = true
		case <-tick.C:
			a.touch() // waiting is what it should do
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return a.Store.BeginAttempt(ctx, a.claim)
}

// survived notes that the records were decoded alive.
func (a *attempt) survived(ctx context.Context) {
	if a.proven {
		return
	}
	err := a.Store.Decoded(ctx, a.claim)
	if err != nil {
		a.log.Warn().Err(err).Msg("attempt not noted as survived") // S4 does it as well
	}
	a.proven = err == nil
	a.yield()
}

// end takes an attempt back that met no records, also after ctx has ended.
func (a *attempt) end(ctx context.Context) {
	if !a.held {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.cfg.ReleaseBudget)
	defer cancel()
	if err := a.Store.EndAttempt(ctx, a.claim); err != nil && !errors.Is(err, pgstore.ErrFenced) {
		a.log.Warn().Err(err).Msg("end of an attempt not noted: a death now would count for it")
	}
	a.yield()
}

func (a *attempt) yield() {
	a.held = false
	<-a.turn
}
