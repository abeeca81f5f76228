package pgstore

import (
	"context"
	"time"
)

// What instances compare goes by PostgreSQL's clock, which they share: when ended
// runs were changed (LockExecutions reads it, behind what was announced), and
// schedules. Planned, set, triggered, claimed and completed by its own clock, an
// instance that is fast would start runs early, and settle as missed what is due
// just now.

// Time is the time by PostgreSQL's clock.
func (s *Store) Time(ctx context.Context) (time.Time, error) {
	now, err := s.q.ServerTime(ctx)
	return now.UTC(), interpret("read the clock of PostgreSQL", err)
}

// serverTime is the same for a transaction: once it was asked for, it stays.
func (tx *Tx) serverTime(ctx context.Context) (time.Time, error) {
	if !tx.serverNow.IsZero() {
		return tx.serverNow, nil
	}
	now, err := tx.q.ServerTime(ctx)
	if err != nil {
		return time.Time{}, interpret("read the clock of PostgreSQL", err)
	}
	tx.serverNow = now.UTC()
	return tx.serverNow, nil
}
