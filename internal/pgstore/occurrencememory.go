package pgstore

import (
	"context"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// ForgetOccurrences removes occurrences that were settled longer ago than they are
// to be remembered, scenario.Remembered at least: at most so many, the oldest
// first. It tells how many. Those of kind once, and those whose run has not been
// seen ended, stay.
func (s *Store) ForgetOccurrences(ctx context.Context, memory time.Duration, most int) (int64, error) {
	now, err := s.Time(ctx)
	if err != nil {
		return 0, err
	}
	n, err := s.q.ForgetOccurrences(ctx, now.Add(-max(memory, scenario.Remembered)), int32(most))
	return n, interpret("forget occurrences", err)
}
