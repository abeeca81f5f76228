// Package locking gives execution locks out: PostgreSQL decides, Redis spares it
// the contenders. Without Redis everything works, and each contender costs a read
// of PostgreSQL.
//
// After PostgreSQL has given or renewed a lock, Redis shows the holder. Who asks
// for a lock looks there first, and is turned away when another is shown as the
// holder. Who gets it, keeps it, loses it, or writes under it, PostgreSQL alone
// says. So a wrong picture, whatever wrote it last, can do one thing: turn somebody
// away from a lock that is free. How long it can is bounded twice:
//
//   - A picture is believed for a second after it was shown (believed), by the
//     clock of Redis alone. Then the next contender asks PostgreSQL, and shows anew
//     what that says: under contention PostgreSQL answers about once a second.
//   - A picture is gone when the lease ends that it shows.
//
// A second is also the shortest lease: nobody waits longer because of Redis than
// because of a holder that died. Hence a deletion that fails after a release or a
// break is let be, and so is one that takes the next holder's picture away.
//
// A lease is never lengthened in Redis alone, to save writes of PostgreSQL: its
// holder would rely on what a flush takes away, while the guarded write goes by
// PostgreSQL and would fail. A renewal there is one small write, without an index.
package locking

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/lock"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
)

// believed is how long a picture in Redis is enough to turn a contender away.
const believed = time.Second

// Locks are the execution locks. It is safe for concurrent use.
type Locks struct {
	store *pgstore.Store
	live  *redisstore.Store
	log   zerolog.Logger
}

// New gives the locks of a store; live may be nil, then there is no Redis.
func New(store *pgstore.Store, live *redisstore.Store, log zerolog.Logger) *Locks {
	return &Locks{store: store, live: live, log: log}
}

// Acquire gives a lock that is free, or that its holder has let expire, to who
// asks, with a token that is higher than any before; and the same token to its
// holder again, with a new lease. A *lock.HeldError says who holds it; it may name
// a tenure that has ended within the last second. Other errors are those of
// pgstore.Store.AcquireLock.
func (l *Locks) Acquire(ctx context.Context, a lock.Ask) (lock.Lock, error) {
	if err := a.Check(); err != nil {
		return lock.Lock{}, err
	}
	if held := l.seen(ctx, a); held != nil {
		return lock.Lock{}, held
	}
	asked := time.Now()
	got, err := l.store.AcquireLock(ctx, a)
	if held := (*lock.HeldError)(nil); errors.As(err, &held) {
		l.show(ctx, asked, redisstore.ShownLock{Name: held.Name, Holder: held.Holder, Token: held.Token, ExpiresAt: held.Until, Remaining: held.Remaining})
	}
	if err != nil {
		return lock.Lock{}, err
	}
	l.showTenure(ctx, asked, got)
	return got, nil
}

// Renew begins the lease of a tenure anew. A *lock.LostError tells the holder that
// it holds the lock no more, a *lock.NotHeldError that it never did.
func (l *Locks) Renew(ctx context.Context, name lock.Name, token lock.Token, lease time.Duration) (lock.Lock, error) {
	asked := time.Now()
	got, err := l.store.RenewLock(ctx, name, token, lease)
	if err != nil {
		return lock.Lock{}, err
	}
	l.showTenure(ctx, asked, got)
	return got, nil
}

// Release ends a tenure; to repeat it is no error. Others are those of
// pgstore.Store.ReleaseLock.
func (l *Locks) Release(ctx context.Context, name lock.Name, token lock.Token) (lock.Lock, error) {
	ended, err := l.store.ReleaseLock(ctx, name, token)
	if err != nil {
		return lock.Lock{}, err
	}
	l.hide(ctx, name)
	return ended, nil
}

// Break ends a tenure by an operator's word, and notes it in the audit log. Errors
// are those of pgstore.Store.BreakLock.
func (l *Locks) Break(ctx context.Context, b lock.Break, now time.Time) (lock.Lock, error) {
	ended, err := l.store.BreakLock(ctx, b, now)
	if err != nil {
		return lock.Lock{}, err
	}
	l.hide(ctx, b.Name)
	return ended, nil
}

// seen is the refusal of an ask that Redis is enough for; nil where PostgreSQL
// must be asked. Who is shown as the holder is never refused: it may be about a
// lost answer.
func (l *Locks) seen(ctx context.Context, a lock.Ask) *lock.HeldError {
	if l.live == nil {
		return nil
	}
	shown, ok, err := l.live.ShownLock(ctx, a.Name)
	l.note(err, a.Name)
	if !ok || shown.Holder == a.Holder || shown.Age < 0 || shown.Age > believed {
		return nil
	}
	return &lock.HeldError{Name: a.Name, Holder: shown.Holder, Token: shown.Token, Until: shown.ExpiresAt, Remaining: shown.Remaining}
}

func (l *Locks) showTenure(ctx context.Context, asked time.Time, t lock.Lock) {
	l.show(ctx, asked, redisstore.ShownLock{Name: t.Name, Holder: t.Holder, Token: t.Token, ExpiresAt: t.ExpiresAt, Remaining: t.Remaining})
}

// show shows a tenure for what is left of its lease, counted from before
// PostgreSQL was asked: a process that was stopped since shows nothing.
func (l *Locks) show(ctx context.Context, asked time.Time, s redisstore.ShownLock) {
	if l.live == nil {
		return
	}
	s.Remaining -= time.Since(asked)
	// What PostgreSQL has done is done, whether or not the caller still waits.
	l.note(l.live.ShowLock(context.WithoutCancel(ctx), s), s.Name)
}

func (l *Locks) hide(ctx context.Context, name lock.Name) {
	if l.live == nil {
		return
	}
	l.note(l.live.HideLock(context.WithoutCancel(ctx), name), name)
}

// note tells of a failure of Redis that nobody need act on.
func (l *Locks) note(err error, name lock.Name) {
	if err != nil {
		l.log.Debug().Err(err).Str("lock", string(name)).Msg("lock without redis")
	}
}
