package pgstore

import (
	"context"
	"errors"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// Request is a call of the API that writes, as it is remembered.
type Request struct {
	ID         string // chosen by the caller, new for each intention
	Procedure  string
	Parameters [32]byte // sha-256 over the request without its id
	Caller     string
}

// AnsweredRequest is what is known of a request that has been answered.
type AnsweredRequest struct {
	Procedure  string
	Parameters [32]byte
	Answer     []byte // nil: forgotten
}

// BeginRequest notes a request in the transaction that carries it out. When a
// request of that id has been carried out before, nothing is noted, and it is
// returned. A repeat that comes while the first is under way waits for it.
func (tx *Tx) BeginRequest(ctx context.Context, r Request) (before *AnsweredRequest, err error) {
	noted, err := tx.q.BeginRequest(ctx, dbsqlc.BeginRequestParams{
		RequestID: r.ID, Procedure: r.Procedure, Parameters: r.Parameters[:], Caller: r.Caller, ReceivedAt: tx.now,
	})
	if err != nil || noted > 0 {
		return nil, interpret("note request", err)
	}
	row, err := tx.q.FindRequest(ctx, r.ID)
	if err != nil {
		return nil, interpret("find request", err)
	}
	return &AnsweredRequest{Procedure: row.Procedure, Parameters: array32[[32]byte](row.Parameters), Answer: row.Answer}, nil
}

// AnswerRequest notes the answer of the request that this transaction carries
// out.
func (tx *Tx) AnswerRequest(ctx context.Context, id string, answer []byte) error {
	if answer == nil {
		answer = []byte{}
	}
	tx.pipe.doing("note the answer of a request")
	return tx.queued.AnswerRequest(ctx, answer, id)
}

// ForgetAnswers forgets the answers of requests that came before a moment: at most
// so many, the oldest first. It tells how many. That the requests were carried out
// is not forgotten.
func (s *Store) ForgetAnswers(ctx context.Context, before time.Time, most int) (int64, error) {
	n, err := s.q.ForgetAnswers(ctx, before, int32(most))
	return n, interpret("forget answers", err)
}

// LockRequests serialises the requests for runs, and changes of the kill
// switch, until the transaction ends.
func (tx *Tx) LockRequests(ctx context.Context) error {
	tx.pipe.doing("lock requests")
	return interpret("lock requests", tx.queued.LockRequests(ctx))
}

// KillSwitch says whether new runs are accepted, and who changed that last.
type KillSwitch struct {
	Engaged   bool
	Reason    string
	ChangedBy string    // empty: nobody ever did
	ChangedAt time.Time // zero likewise
}

// KillSwitch is the switch as it is now.
func (s *Store) KillSwitch(ctx context.Context) (KillSwitch, error) {
	row, err := s.q.KillSwitch(ctx)
	return killSwitchOf(row, err)
}

// KillSwitch is the switch as it is now, under LockRequests for as long as the
// transaction lasts.
func (tx *Tx) KillSwitch(ctx context.Context) (KillSwitch, error) {
	row, err := tx.q.KillSwitch(ctx)
	return killSwitchOf(row, err)
}

func killSwitchOf(row dbsqlc.KillSwitchRow, err error) (KillSwitch, error) {
	err = interpret("read kill switch", err)
	if errors.Is(err, ErrNotFound) {
		return KillSwitch{}, nil
	}
	return KillSwitch{Engaged: row.Engaged, Reason: row.Reason, ChangedBy: row.ChangedBy, ChangedAt: row.ChangedAt.UTC()}, err
}

// SetKillSwitch changes the switch, under LockRequests: who was let through
// before has committed.
func (tx *Tx) SetKillSwitch(ctx context.Context, k KillSwitch) error {
	tx.pipe.doing("set kill switch")
	return tx.queued.SetKillSwitch(ctx, dbsqlc.SetKillSwitchParams{Engaged: k.Engaged, Reason: k.Reason, ChangedBy: k.ChangedBy, ChangedAt: k.ChangedAt})
}
