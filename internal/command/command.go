package command

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/accept"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// Parts are what commands work with.
type Parts struct {
	Store   *pgstore.Store
	Redis   *redisstore.Store // nil: without Redis
	Decoder *event.Decoder    // with the limits that hold for Kafka's events
	Limits  scenario.Limits   // of definitions
	Source  string            // of this instance's own events, such as "/tcda/a"
	Now     func() time.Time  // nil: the system's clock
	Nudge   func()            // called when there is something to publish; nil: nobody waits for it
	Log     zerolog.Logger
}

// Commands carries out writes. It is safe for concurrent use.
type Commands struct{ Parts }

// New makes the commands.
func New(p Parts) *Commands {
	if p.Now == nil {
		p.Now = time.Now
	}
	p.Decoder = p.Decoder.Own()
	return &Commands{Parts: p}
}

// Request is who wants something, under which id.
type Request struct {
	ID         string // chosen by the caller, new for each intention
	Procedure  string
	Parameters [32]byte // sha-256 over the request without its id
	Caller     string
}

// Once carries a request out in one transaction, and remembers the answer that
// work gives. A request of the same id that was carried out before gets that
// answer again, or is refused when it has been forgotten; work is not called. A *Refusal and a *Rejected of work say
// why nothing was written; pgstore.ErrInDoubt says that it is not known whether
// something was: the same request again finds out.
func (c *Commands) Once(ctx context.Context, r Request, work func(context.Context, *Tx) (answer []byte, err error)) ([]byte, error) {
	var answer []byte
	err := c.transact(ctx, r, func(ctx context.Context, tx *Tx) error {
		before, err := tx.Tx.BeginRequest(ctx, pgstore.Request(r))
		if err != nil {
			return err
		}
		if before != nil {
			answer = before.Answer
			return sameRequest(r, before)
		}
		if answer, err = work(ctx, tx); err != nil {
			return err
		}
		return tx.Tx.AnswerRequest(ctx, r.ID, answer)
	})
	return answer, err
}

func sameRequest(r Request, before *pgstore.AnsweredRequest) error {
	var what string
	switch {
	case before.Procedure != r.Procedure || before.Parameters != r.Parameters:
		what = "a request with this id, and other parameters, was carried out before"
	case before.Answer == nil:
		what = "a request with this id was carried out so long ago that its answer is forgotten"
	default:
		return nil
	}
	return &Refusal{Kind: Conflict, Reason: "request_id_conflict", Field: "request_id", Message: what + ": choose a new id for each intention"}
}

// Do carries out something of the service's own that needs no request id,
// because what it states gives its events their ids.
func (c *Commands) Do(ctx context.Context, work func(context.Context, *Tx) error) error {
	return c.transact(ctx, Request{Caller: c.Source}, work)
}

// transact runs work in one transaction, and shows in Redis what was committed.
func (c *Commands) transact(ctx context.Context, r Request, work func(context.Context, *Tx) error) error {
	var last *Tx
	err := c.Store.Batch(ctx, c.Now(), func(tx *pgstore.Tx) error {
		last = &Tx{Tx: tx, Caller: r.Caller, commands: c, request: r.ID}
		return work(ctx, last)
	})
	if err != nil {
		return err
	}
	if last.told && c.Nudge != nil {
		c.Nudge()
	}
	c.show(ctx, last)
	return nil
}

// showBudget bounds how long a caller waits for Redis after its commit.
const showBudget = 100 * time.Millisecond

// show is S5 for our own events.
func (c *Commands) show(ctx context.Context, tx *Tx) {
	var live []execution.Live
	for _, f := range tx.folds {
		live = append(live, f.Live()...)
	}
	if c.Redis == nil || len(live) == 0 {
		return
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), showBudget)
	defer cancel()
	if _, err := c.Redis.ApplyStates(bounded, live, tx.Tx.Timeline()); err != nil {
		c.Log.Debug().Err(err).Int("states", len(live)).Msg("live states not written; reconciliation will")
	}
}

// Tx is the transaction of one request: what is written through it is written
// together, or not at all.
type Tx struct {
	Tx     *pgstore.Tx // for what has no event of its own
	Caller string      // who wants it

	commands *Commands
	request  string // id; empty for what the service does by itself
	events   int    // of our own, so far
	told     bool   // something is to be published
	folds    []*accept.Fold
}

// Tell notes that the transaction has put something into the outbox by itself.
func (t *Tx) Tell() { t.told = true }

// Now is the time of the transaction, to the microsecond, as rows keep it.
func (t *Tx) Now() time.Time { return t.Tx.Now().UTC().Truncate(time.Microsecond) }
