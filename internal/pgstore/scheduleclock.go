package pgstore

import (
	"context"
	"time"
)

// Schedules go by PostgreSQL's clock, which all instances share: planned, set,
// triggered, claimed and completed by its own, an instance whose clock is fast
// would start runs early, and settle as missed what is due just now.

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
