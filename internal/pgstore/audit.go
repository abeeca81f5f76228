package pgstore

import (
	"context"
	"encoding/json"
	"math"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// Actions of entries of the audit log: the kind of the subject, and the verb.
const (
	ActionBreakLock         = "lock.break"
	ActionEngageKillSwitch  = "kill_switch.engage"
	ActionReleaseKillSwitch = "kill_switch.release"
	ActionDiscardRecord     = "quarantine.discard"
	ActionRequeueRecord     = "quarantine.requeue"
	ActionReleaseParked     = "outbox.release"
	ActionDiscardParked     = "outbox.discard"
	ActionAcceptGap         = "partition.accept_gap"
	ActionResetPartition    = "partition.reset"
	ActionRebuildRollups    = "rollups.rebuild"
)

// AuditEntry is one thing that an operator did.
type AuditEntry struct {
	ID        int64     // drawn by the database
	At        time.Time // of the transaction
	Actor     string
	Action    string // kind and verb, such as ActionBreakLock
	Subject   string // what it was done to
	Reason    string // the actor's words; may be empty
	Details   json.RawMessage
	RequestID string // empty for a request that needs none
}

// Audit notes in the audit log what the transaction does. Texts that cannot be
// stored are made so: an entry is not lost for its spelling.
func (tx *Tx) Audit(ctx context.Context, e AuditEntry) error {
	tx.pipe.doing("write audit log")
	return interpret("write audit log", tx.queued.InsertAudit(ctx, dbsqlc.InsertAuditParams{
		At: tx.now, Actor: fact.Printable(e.Actor), Action: e.Action, Subject: fact.Printable(e.Subject),
		Reason: fact.Printable(e.Reason), Details: e.Details, RequestID: fact.Printable(e.RequestID),
	}))
}

// AuditFilter selects entries of the audit log. Actor and Subject exclude each
// other; without either all entries are meant.
type AuditFilter struct {
	Actor   string
	Subject string
	Before  int64 // only ids below; 0: from the newest
	Page    int   // how many at most
}

// AuditLog is a page of the audit log, newest first.
func (s *Store) AuditLog(ctx context.Context, f AuditFilter) ([]AuditEntry, error) {
	if f.Before == 0 {
		f.Before = math.MaxInt64
	}
	var rows []dbsqlc.AuditLog
	var err error
	switch {
	case f.Actor != "":
		rows, err = s.q.AuditPageByActor(ctx, f.Actor, f.Before, int32(f.Page))
	case f.Subject != "":
		rows, err = s.q.AuditPageBySubject(ctx, f.Subject, f.Before, int32(f.Page))
	default:
		rows, err = s.q.AuditPage(ctx, f.Before, int32(f.Page))
	}
	if err != nil {
		return nil, interpret("read audit log", err)
	}
	entries := make([]AuditEntry, len(rows))
	for i, r := range rows {
		entries[i] = AuditEntry{ID: r.ID, At: r.At.UTC(), Actor: r.Actor, Action: r.Action, Subject: r.Subject, Reason: r.Reason, Details: r.Details, RequestID: r.RequestID}
	}
	return entries, nil
}
