package redisstore

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/lock"
)

// ShownLock is what is shown of a lock that somebody holds, or held when it was
// shown.
type ShownLock struct {
	Name      lock.Name
	Holder    lock.Holder
	Token     lock.Token
	ExpiresAt time.Time // by PostgreSQL's clock
	// Remaining is how much of the lease was left when Redis answered, or when it is
	// to be shown; Age is how long it has been shown, by the clock of Redis.
	Remaining time.Duration
	Age       time.Duration
}

// shownLock is the content of the key.
type shownLock struct {
	Holder    lock.Holder `json:"holder"`
	Token     lock.Token  `json:"token"`
	ExpiresAt time.Time   `json:"expires_at"`
	Lifetime  int64       `json:"lifetime_ms"` // that the key was given
}

// ShowLock shows who holds a lock, for as long as the lease lasts. It is called
// after PostgreSQL has given or renewed it.
//
// What is shown may be wrong from then on: writers overtake each other, since
// without scripts nothing is compared. It is gone with its lease at the latest.
func (s *Store) ShowLock(ctx context.Context, l ShownLock) error {
	lifetime := l.Remaining.Truncate(time.Millisecond)
	if lifetime <= 0 {
		return nil
	}
	value, err := json.Marshal(shownLock{Holder: l.Holder, Token: l.Token, ExpiresAt: l.ExpiresAt, Lifetime: lifetime.Milliseconds()})
	if err != nil {
		return err
	}
	return s.do(ctx, "show lock", s.cfg.HintBudget, func(ctx context.Context) error {
		return s.once.Set(ctx, s.keys.lock(l.Name), value, lifetime).Err()
	})
}

// HideLock takes away what is shown of a lock, after PostgreSQL has ended its
// tenure. Where that fails the tenure is shown until its lease would have ended:
// readers look at the age of what they believe.
func (s *Store) HideLock(ctx context.Context, name lock.Name) error {
	return s.do(ctx, "hide lock", s.cfg.HintBudget, func(ctx context.Context) error {
		return s.once.Del(ctx, s.keys.lock(name)).Err()
	})
}

// ShownLock reads what is shown of a lock, within the hint budget. False says that
// nothing is: it may be held all the same.
func (s *Store) ShownLock(ctx context.Context, name lock.Name) (ShownLock, bool, error) {
	var value string
	var left time.Duration
	err := s.do(ctx, "read lock", s.cfg.HintBudget, func(ctx context.Context) error {
		pipe := s.once.Pipeline()
		held, ttl := pipe.Get(ctx, s.keys.lock(name)), pipe.PTTL(ctx, s.keys.lock(name))
		if err := exec(ctx, pipe); err != nil {
			return err
		}
		value, left = held.Val(), ttl.Val()
		if err := held.Err(); err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
		return ttl.Err()
	})
	if err != nil || value == "" || left <= 0 { // gone between the two, or without an end
		return ShownLock{}, false, err
	}
	var l shownLock
	if err := json.Unmarshal([]byte(value), &l); err != nil || l.Holder == "" {
		return ShownLock{}, false, nil //nolint:nilerr // somebody else's; it says nothing
	}
	lifetime := time.Duration(l.Lifetime) * time.Millisecond
	return ShownLock{Name: name, Holder: l.Holder, Token: l.Token, ExpiresAt: l.ExpiresAt, Remaining: left, Age: lifetime - left}, true, nil
}
