package pgstore

import (
	"context"
	"time"
)

// What the tests of reading errors must reach: that it is right for each error
// cannot be seen through the store's methods, which provoke only a few.
var (
	Interpret       = interpret
	InterpretCommit = interpretCommit
)

// DataConstraints are the names of the constraints whose violation is the fault
// of a record.
func DataConstraints() []string {
	var names []string
	for name := range dataConstraints {
		names = append(names, name)
	}
	return names
}

// Planning is how sessions of the store plan.
var Planning = planning

// BatchAt is Batch with a time that schedules take for PostgreSQL's.
func (s *Store) BatchAt(ctx context.Context, at time.Time, work func(*Tx) error) error {
	return s.Batch(ctx, at, func(tx *Tx) error {
		tx.serverNow = at
		return work(tx)
	})
}

// PlanDueAt is PlanDue at such a time.
func (s *Store) PlanDueAt(ctx context.Context, at time.Time) (Planned, error) {
	return s.planUntil(ctx, at)
}
