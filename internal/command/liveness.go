package command

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/accept"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// InterruptSilent says that a run is interrupted, because nothing was heard of
// it for too long; unless it has another number of events of others by now, or has
// ended. A later real event revives it, or settles it.
// It tells whether it was said.
func (c *Commands) InterruptSilent(ctx context.Context, k pgstore.RunKey, events int64) (said bool, err error) {
	err = c.Do(ctx, func(ctx context.Context, t *Tx) error {
		said = false
		f, err := t.fold(ctx, k.ID)
		if err != nil {
			return err
		}
		r, err := t.Tx.Run(ctx, k)
		if err != nil {
			return err
		}
		s := f.Add(r)
		if s.Run.Status.Terminal() || s.Run.Counts.Events != events {
			return nil
		}
		f.Say(s, event.NewInterrupted(event.Interruption{
			Source: c.Source, ExecutionID: k.ID, Run: k.Number, RunID: s.Run.RunID, Time: t.Now(),
			Statement: execution.Interrupted{Cause: execution.CauseNoSign, RealEvents: s.Run.Counts.Events},
		}))
		said = true
		return t.save(ctx, f)
	})
	return said, err
}

// AskToClear asks the coordinator to take back the faults of a run that has
// ended and still act on their targets, each once for that end. It gives those
// that were asked for now.
func (c *Commands) AskToClear(ctx context.Context, k pgstore.RunKey) (asked []*execution.Fault, err error) {
	err = c.Do(ctx, func(ctx context.Context, t *Tx) error {
		asked = nil
		f, err := t.fold(ctx, k.ID)
		if err != nil {
			return err
		}
		r, err := t.Tx.Run(ctx, k)
		if err != nil {
			return err
		}
		s := f.Add(r)
		if !s.Run.Status.Terminal() {
			return nil
		}
		faults, err := t.Tx.ActiveFaults(ctx, &s.Run)
		if err != nil {
			return err
		}
		for _, fault := range faults {
			if fault.ClearRequestedAt().After(s.Run.EndedAt) {
				continue
			}
			if err := t.askToClear(ctx, f, s, fault); err != nil {
				return err
			}
			asked = append(asked, fault)
		}
		return t.save(ctx, f)
	})
	return asked, err
}

func (t *Tx) askToClear(ctx context.Context, f *accept.Fold, s *execution.State, fault *execution.Fault) error {
	r := &s.Run
	m := &contract.FaultClearRequested{
		ExecutionId: string(r.ID), Run: int32(r.Number), RunId: r.RunID, FaultId: fault.FaultID, FaultType: fault.FaultType, TargetService: fault.TargetService,
		Reason: fmt.Sprintf("the run is %s and the fault was not cleared", r.Status),
	}
	// It is dated after the end that it is about, however fast the producer's clock,
	// and its id follows from that end: so it is asked for once.
	follows := r.Marks.Latest()
	follows.Time = r.EndedAt
	id := event.OutboundID("clear", string(r.ID), strconv.Itoa(int(r.Number)), fault.FaultID, r.EndedAt.Format(time.RFC3339Nano))
	decoded, err := t.own(statement{message: m, id: id, runID: r.RunID, follows: follows})
	if err != nil {
		return err
	}
	e := decoded.Execution
	if err := f.LoadFor(ctx, t.Tx, s, e); err != nil {
		return err
	}
	f.Say(s, e)
	return t.tell(ctx, &e.Header, m)
}
