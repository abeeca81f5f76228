package pgstore

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/lock"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// lockRow is what every query of a lock gives.
type lockRow = dbsqlc.LockByNameRow

func lockFromRow(r lockRow) lock.Lock {
	l := lock.Lock{
		Name: lock.Name(r.Name), Holder: lock.Holder(r.Holder), Token: lock.Token(r.Token), Purpose: r.Purpose, State: lock.State(r.State),
		AcquiredAt: r.AcquiredAt.UTC(), RenewedAt: r.RenewedAt.UTC(), ExpiresAt: r.ExpiresAt.UTC(),
		EndedAt: timeOf(r.EndedAt), EndedBy: r.EndedBy, EndReason: r.EndReason,
	}
	if l.State == lock.Held {
		l.Remaining = max(0, r.ExpiresAt.Sub(r.ReadAt))
		if l.Remaining == 0 {
			l.State = lock.Expired
		}
	}
	return l
}

// AcquireLock gives a lock that is free, or that its holder has let expire, to
// who asks; the token is higher than any before. A holder that asks again while
// it holds gets its token again, and the lease begins anew: so an answer that was
// lost can be asked for. A *lock.HeldError says who holds it, a *lock.InvalidError
// what must not be asked for.
func (s *Store) AcquireLock(ctx context.Context, a lock.Ask) (lock.Lock, error) {
	if err := a.Check(); err != nil {
		return lock.Lock{}, err
	}
	for {
		row, err := s.q.AcquireLock(ctx, dbsqlc.AcquireLockParams{
			Name: string(a.Name), Holder: string(a.Holder), Purpose: a.Purpose, LeaseSeconds: a.Lease.Seconds(),
		})
		err = interpret("acquire lock", err)
		if isNotFound(err) {
			continue // another has taken it meanwhile, and is seen now: somebody gets on each time
		}
		if err != nil {
			return lock.Lock{}, err
		}
		l := lockFromRow(lockRow(row))
		if l.Holder != a.Holder {
			return lock.Lock{}, &lock.HeldError{Name: l.Name, Holder: l.Holder, Token: l.Token, Until: l.ExpiresAt, Remaining: l.Remaining}
		}
		return l, nil
	}
}

// RenewLock begins the lease of a tenure anew. A *lock.LostError tells a holder
// that it holds the lock no more, a *lock.NotHeldError that it never did.
func (s *Store) RenewLock(ctx context.Context, name lock.Name, token lock.Token, lease time.Duration) (lock.Lock, error) {
	if err := lock.CheckLease(lease); err != nil {
		return lock.Lock{}, err
	}
	row, err := s.q.RenewLock(ctx, lease.Seconds(), string(name), int64(token))
	if err = interpret("renew lock", err); err == nil {
		return lockFromRow(lockRow(row)), nil
	}
	if !isNotFound(err) {
		return lock.Lock{}, err
	}
	current, err := s.whyNot(ctx, name, token)
	if err == nil { // the server's clock was put back since
		err = &lock.LostError{Name: name, Token: token, Cause: lock.ByExpiry, Current: current}
	}
	return lock.Lock{}, err
}

// ReleaseLock ends a tenure; to repeat it is no error. Nor is it when the lease
// has run out and nobody has taken the lock. A *lock.LostError says that it was
// taken or broken before, a *lock.NotHeldError that the token was never given.
func (s *Store) ReleaseLock(ctx context.Context, name lock.Name, token lock.Token) (lock.Lock, error) {
	row, err := s.q.ReleaseLock(ctx, string(name), int64(token))
	if err = interpret("release lock", err); err == nil {
		return lockFromRow(lockRow(row)), nil
	}
	if !isNotFound(err) {
		return lock.Lock{}, err
	}
	current, err := s.whyNot(ctx, name, token)
	if current.Token == token && current.State == lock.Released {
		return current, nil
	}
	return lock.Lock{}, err
}

// BreakLock ends a tenure by an operator's word, and notes it in the audit log. It
// waits for transactions that write under the lock. To repeat it is no error, and
// leaves one entry. A *lock.LostError says that the tenure had ended before, a
// *lock.NotHeldError that it never began.
func (s *Store) BreakLock(ctx context.Context, b lock.Break, now time.Time) (lock.Lock, error) {
	if err := b.Check(); err != nil {
		return lock.Lock{}, err
	}
	var broken lock.Lock
	err := s.Batch(ctx, now, func(tx *Tx) error {
		row, err := tx.q.BreakLock(ctx, dbsqlc.BreakLockParams{EndedBy: b.By, EndReason: b.Reason, Name: string(b.Name), Token: int64(b.Token)})
		if err != nil {
			return interpret("break lock", err)
		}
		broken = lockFromRow(lockRow(row))
		details, err := json.Marshal(map[string]any{"holder": broken.Holder, "token": broken.Token, "purpose": broken.Purpose, "expires_at": broken.ExpiresAt})
		if err != nil {
			return fmt.Errorf("note what was broken: %w", err)
		}
		return tx.Audit(ctx, AuditEntry{Actor: b.By, Action: ActionBreakLock, Subject: string(b.Name), Reason: b.Reason, Details: details})
	})
	if !isNotFound(err) {
		return broken, err
	}
	current, err := s.whyNot(ctx, b.Name, b.Token)
	if current.Token == b.Token && current.State == lock.Broken {
		return current, nil
	}
	return lock.Lock{}, err
}

// whyNot tells what became of a tenure that a statement did not find held.
func (s *Store) whyNot(ctx context.Context, name lock.Name, token lock.Token) (lock.Lock, error) {
	current, err := s.Lock(ctx, name)
	if isNotFound(err) {
		return lock.Lock{}, &lock.NotHeldError{Name: name, Token: token}
	}
	if err != nil {
		return lock.Lock{}, err
	}
	return current, current.Check(token)
}

// Lock is the present or the last tenure of a name; ErrNotFound when nobody has
// ever asked for it.
func (s *Store) Lock(ctx context.Context, name lock.Name) (lock.Lock, error) {
	row, err := s.q.LockByName(ctx, string(name))
	if err != nil {
		return lock.Lock{}, interpret("read lock", err)
	}
	return lockFromRow(row), nil
}

// LockPage selects locks.
type LockPage struct {
	After lock.Name // only names behind it; empty: from the first
	Size  int       // how many at most
	All   bool      // also those that nobody holds
}

// Locks is a page, by name.
func (s *Store) Locks(ctx context.Context, p LockPage) ([]lock.Lock, error) {
	var locks []lock.Lock
	if p.All {
		rows, err := s.q.AllLocks(ctx, string(p.After), int32(p.Size))
		if err != nil {
			return nil, interpret("list locks", err)
		}
		for _, r := range rows {
			locks = append(locks, lockFromRow(lockRow(r)))
		}
		return locks, nil
	}
	rows, err := s.q.HeldLocks(ctx, string(p.After), int32(p.Size))
	if err != nil {
		return nil, interpret("list locks", err)
	}
	for _, r := range rows {
		locks = append(locks, lockFromRow(lockRow(r)))
	}
	return locks, nil
}

// CheckLock is the fence: what the transaction writes is committed only under
// that tenure of the lock. The lock stays as it is until the transaction ends, so
// that whoever wants to take, renew, release or break it waits; a lease that runs
// out meanwhile does no harm. It comes before the transaction locks what others
// lock too: one that held those and waited here would hold them up.
//
// A *lock.LostError or a *lock.NotHeldError rolls the transaction back.
func (tx *Tx) CheckLock(ctx context.Context, name lock.Name, token lock.Token) error {
	tx.pipe.doing("check lock")
	row, err := tx.q.GuardLock(ctx, string(name))
	if err = interpret("check lock", err); err != nil {
		if isNotFound(err) {
			return &lock.NotHeldError{Name: name, Token: token}
		}
		return err
	}
	return lockFromRow(lockRow(row)).Check(token)
}
