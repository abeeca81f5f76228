package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// SetKillSwitch refuses new runs from the end of the transaction on, or accepts
// them again. Requests that were let through before have committed.
func (t *Tx) SetKillSwitch(ctx context.Context, engaged bool, reason string) (pgstore.KillSwitch, error) {
	if err := t.Tx.LockRequests(ctx); err != nil {
		return pgstore.KillSwitch{}, err
	}
	k := pgstore.KillSwitch{Engaged: engaged, Reason: reason, ChangedBy: t.Caller, ChangedAt: t.Now()}
	if err := t.Tx.SetKillSwitch(ctx, k); err != nil {
		return pgstore.KillSwitch{}, err
	}
	action := pgstore.ActionReleaseKillSwitch
	if engaged {
		action = pgstore.ActionEngageKillSwitch
	}
	return k, t.Tx.Audit(ctx, pgstore.AuditEntry{Actor: t.Caller, Action: action, Reason: reason, RequestID: t.request})
}

// DiscardQuarantined gives an open quarantined record up.
func (t *Tx) DiscardQuarantined(ctx context.Context, id int64, why string) error {
	err := t.Tx.DiscardQuarantined(ctx, id, t.Caller, why, t.request)
	if errors.Is(err, pgstore.ErrNotFound) {
		return &Refusal{Kind: Precondition, Reason: "record_not_open", Field: "id", Message: fmt.Sprintf("there is no open quarantined record %d", id)}
	}
	return err
}
