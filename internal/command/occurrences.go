package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// PlanSchedules makes what has come due by now, by PostgreSQL's clock: whoever
// claims does it first, in transactions of their own.
func (c *Commands) PlanSchedules(ctx context.Context) error {
	_, err := c.Store.PlanDue(ctx)
	return err
}

// CheckSchedule holds a schedule that is only thought of against the rules that
// it would have to keep.
func (c *Commands) CheckSchedule(m *contract.ScheduleSet) (scenario.Schedule, error) {
	now := c.Now().UTC()
	record, err := event.Encode(event.Outgoing{Source: c.Source, ID: "preview", Time: now, Message: m}, event.Binary, event.Protobuf)
	if err != nil {
		return scenario.Schedule{}, fmt.Errorf("write an event of our own: %w", err)
	}
	decoded, rejection := c.Decoder.Decode(record, now)
	if rejection != nil {
		return scenario.Schedule{}, &Rejected{rejection}
	}
	set, ok := decoded.Scenario.Payload.(*scenario.ScheduleSet)
	if !ok {
		return scenario.Schedule{}, fmt.Errorf("a schedule was read as %T", decoded.Scenario.Payload)
	}
	return set.Schedule, nil
}

// RenewClaim lets a claim last for so long from now on. A *Refusal of kind Lost
// says that another has the occurrence, or that it is settled.
func (c *Commands) RenewClaim(ctx context.Context, k pgstore.ClaimKey, lease time.Duration) (renewed pgstore.Occurrence, err error) {
	err = c.Do(ctx, func(ctx context.Context, tx *Tx) (err error) {
		renewed, err = tx.Tx.RenewClaim(ctx, k, lease)
		return refuseClaim(k, err)
	})
	return renewed, err
}

// ErrNothingDue says that there was nothing to claim, and nothing to be written.
var ErrNothingDue = errors.New("nothing is due")

// ClaimDue claims due occurrences of schedules, and has the runs cancelled that
// they replace. ErrNothingDue leaves no trace of the request: coordinators ask
// again and again, and there is no answer to be remembered.
func (t *Tx) ClaimDue(ctx context.Context, ask pgstore.ClaimDue) ([]pgstore.ClaimedOccurrence, error) {
	claims, err := t.Tx.ClaimDue(ctx, ask)
	if err != nil {
		return nil, err
	}
	claimed := claims.Claimed
	if len(claimed) == 0 && claims.Settled == 0 {
		return nil, ErrNothingDue
	}
	return claimed, t.replace(ctx, claimed)
}

// replace has the runs cancelled that occurrences replace. Those that have just
// ended they do not replace.
func (t *Tx) replace(ctx context.Context, claimed []pgstore.ClaimedOccurrence) error {
	by := make(map[scenario.RunRef]scenario.ScheduleID)
	for i := range claimed {
		for _, run := range claimed[i].Cancel {
			by[run] = claimed[i].ScheduleID
		}
	}
	// All who lock several executions do it in byte order.
	runs := slices.SortedFunc(maps.Keys(by), func(a, b scenario.RunRef) int {
		return cmp.Or(cmp.Compare(a.ExecutionID, b.ExecutionID), cmp.Compare(a.Run, b.Run))
	})
	for _, run := range runs {
		why := fmt.Sprintf("schedule %s is due again, and replaces it", by[run])
		_, err := t.CancelExecution(ctx, execution.ID(run.ExecutionID), execution.RunNumber(run.Run), why, nil)
		var refusal *Refusal
		switch {
		case errors.As(err, &refusal):
			delete(by, run)
		case err != nil:
			return err
		}
	}
	for i := range claimed {
		claimed[i].Cancel = slices.DeleteFunc(claimed[i].Cancel, func(run scenario.RunRef) bool { return by[run] == "" })
	}
	return nil
}

// CompleteClaim says what came of an occurrence.
func (t *Tx) CompleteClaim(ctx context.Context, k pgstore.ClaimKey, done pgstore.Completion, guard *contract.LockToken) (pgstore.Occurrence, error) {
	if err := t.guard(ctx, guard); err != nil {
		return pgstore.Occurrence{}, err
	}
	o, err := t.Tx.CompleteClaim(ctx, k, done)
	return o, refuseClaim(k, err)
}

// refuseClaim gives the errors of a claim their words.
func refuseClaim(k pgstore.ClaimKey, err error) error {
	var lost *scenario.ClaimLostError
	var otherwise *scenario.CompletedOtherwiseError
	switch {
	case errors.As(err, &lost):
		return &Refusal{Kind: Lost, Reason: "claim_lost", Field: "token", Message: lost.Error() + ": do not start it, and leave its run to who holds it"}
	case errors.As(err, &otherwise):
		return &Refusal{Kind: Conflict, Reason: "claim_completed", Field: "outcome", Message: otherwise.Error()}
	case errors.Is(err, pgstore.ErrNotFound):
		return &Refusal{
			Kind: NotFound, Reason: "occurrence_not_found", Field: "occurrence_id",
			Message: fmt.Sprintf("schedule %s has no occurrence %s", k.ScheduleID, k.OccurrenceID),
		}
	}
	return err
}
