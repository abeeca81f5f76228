package service

import (
	"context"
	"errors"
	"time"
)

const (
	forgetEvery = 10 * time.Minute
	forgetMost  = 5000 // rows in one transaction
)

// forget keeps answers and occurrences from piling up, until ctx ends.
func (s *service) forget(ctx context.Context) {
	tick := time.NewTicker(forgetEvery)
	defer tick.Stop()
	for {
		_, err := s.store.Lead(ctx, "forget", s.forgetOld)
		if err != nil && ctx.Err() == nil {
			s.log.Warn().Err(err).Msg("old answers and occurrences not forgotten; tried again later")
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// forgetOld removes what need not be remembered any more.
func (s *service) forgetOld(ctx context.Context) error {
	before := time.Now().Add(-s.cfg.API.RequestMemory)
	return errors.Join(
		someAtATime(func() (int64, error) { return s.store.ForgetAnswers(ctx, before, forgetMost) }),
		someAtATime(func() (int64, error) {
			return s.store.ForgetOccurrences(ctx, s.cfg.Occurrence.Memory, forgetMost)
		}),
	)
}

// someAtATime calls until there is no more to be forgotten.
func someAtATime(forget func() (int64, error)) error {
	for {
		n, err := forget()
		if err != nil || n < forgetMost {
			return err
		}
	}
}
