package main

import (
	"context"
	"strconv"
	"time"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// locksCmd groups what concerns execution locks. Its writes take no request id:
// holder and token make each of them repeatable.
type locksCmd struct {
	Acquire locksAcquire `cmd:"" help:"Take a lock that nobody else holds, and print its token."`
	Renew   locksRenew   `cmd:"" help:"Begin the lease of a lock anew."`
	Release locksRelease `cmd:"" help:"Give a lock back."`
	Show    locksShow    `cmd:"" help:"Print who holds a lock, or held it last."`
	List    locksList    `cmd:"" help:"Print the locks that are held, by name."`
	Break   locksBreak   `cmd:"" help:"Take a lock from its holder: what it writes from then on is refused."`
}

// heldLock is in every command for who holds a lock.
type heldLock struct {
	Name  string `arg:"" help:"The lock."`
	Token int64  `arg:"" help:"The token that acquire printed."`
}

func (l *heldLock) message() *contract.LockToken {
	return &contract.LockToken{Name: l.Name, Token: l.Token}
}

type locksAcquire struct {
	apiFlags
	Name    string        `arg:"" help:"The lock, named after what it protects."`
	Holder  string        `placeholder:"NAME" required:"" help:"Who takes it; programs that must exclude each other need names of their own."`
	Lease   time.Duration `default:"1m" help:"How long it may be held without being renewed: 1s to 24h."`
	Purpose string        `placeholder:"TEXT" help:"What for, for people."`
}

// Run takes the lock.
func (c *locksAcquire) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := call(ctx, api, api.locks.AcquireLock, &contract.AcquireLockRequest{Name: c.Name, Holder: c.Holder, Lease: length(c.Lease), Purpose: c.Purpose})
	if err != nil {
		return err
	}
	return c.print(term, answer, func() error { return printLock(term, answer.GetLock()) })
}

type locksRenew struct {
	apiFlags
	heldLock
	Lease time.Duration `default:"1m" help:"How long it may be held from now on: 1s to 24h."`
}

// Run renews the lease.
func (c *locksRenew) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := call(ctx, api, api.locks.RenewLock, &contract.RenewLockRequest{Lock: c.message(), Lease: length(c.Lease)})
	if err != nil {
		return err
	}
	return c.print(term, answer, func() error { return printLock(term, answer.GetLock()) })
}

type locksRelease struct {
	apiFlags
	heldLock
}

// Run gives the lock back.
func (c *locksRelease) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := call(ctx, api, api.locks.ReleaseLock, &contract.ReleaseLockRequest{Lock: c.message()})
	if err != nil {
		return err
	}
	return c.print(term, answer, func() error { return printLock(term, answer.GetLock()) })
}

type locksShow struct {
	apiFlags
	Name string `arg:"" help:"The lock."`
}

// Run prints the lock.
func (c *locksShow) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := call(ctx, api, api.locks.GetLock, &contract.GetLockRequest{Name: c.Name})
	if err != nil {
		return err
	}
	return c.print(term, answer, func() error { return printLock(term, answer.GetLock()) })
}

type locksList struct {
	apiFlags
	listing
	All bool `help:"Also those that nobody holds."`
}

// Run prints locks.
func (c *locksList) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := list(ctx, api, c.listing, api.locks.ListLocks, &contract.ListLocksRequest{All: c.All})
	if err != nil {
		return err
	}
	rows := make([][]string, len(answer.GetLocks()))
	for i, l := range answer.GetLocks() {
		rows[i] = []string{l.GetName(), l.GetState(), l.GetHolder(), strconv.FormatInt(l.GetToken(), 10), at(l.GetAcquiredAt()), at(l.GetExpiresAt()), cut(l.GetPurpose())}
	}
	return c.printList(term, answer, []string{"LOCK", "STATE", "HOLDER", "TOKEN", "ACQUIRED AT", "EXPIRES AT", "PURPOSE"}, rows)
}

type locksBreak struct {
	apiFlags
	Name   string `arg:"" help:"The lock."`
	Token  int64  `arg:"" help:"The token of the tenure that is meant, from the list: a later one is left alone."`
	Reason string `required:"" placeholder:"TEXT" help:"Why, for the audit log."`
}

// Run breaks the lock.
func (c *locksBreak) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := call(ctx, api, api.locks.BreakLock, &contract.BreakLockRequest{Lock: &contract.LockToken{Name: c.Name, Token: c.Token}, Reason: c.Reason})
	if err != nil {
		return err
	}
	return c.print(term, answer, func() error { return printLock(term, answer.GetLock()) })
}

func printLock(term console, l *contract.Lock) error {
	return term.fields("lock", l.GetName(),
		[]string{"state", l.GetState()},
		[]string{"holder", l.GetHolder()},
		[]string{"token", strconv.FormatInt(l.GetToken(), 10)},
		[]string{"purpose", l.GetPurpose()},
		[]string{"acquired at", at(l.GetAcquiredAt())},
		[]string{"renewed at", at(l.GetRenewedAt())},
		[]string{"expires at", at(l.GetExpiresAt())},
		[]string{"remaining", spent(l.GetRemaining())},
		[]string{"ended at", at(l.GetEndedAt())},
		[]string{"ended by", l.GetEndedBy()},
		[]string{"end reason", l.GetEndReason()},
	)
}
