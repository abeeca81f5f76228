package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgmigrate"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

const (
	firstPause = 200 * time.Millisecond
	lastPause  = 5 * time.Second
)

// enter says what the service does before it is at work, or after.
func (s *service) enter(phase string) { s.phase.Store(&phase) }

// keepTrying calls try until it succeeds, fails for good, or ctx ends. Every
// failure is logged: whoever starts the service sees what it waits for.
func (s *service) keepTrying(ctx context.Context, what string, try func(context.Context) error, forGood func(error) bool) error {
	s.enter("waiting for " + what)
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := try(ctx)
		if err == nil || forGood(err) {
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		s.log.Warn().Err(err).Stringer("again_in", pause).Msg("waiting for " + what)
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
}

// awaitSchema waits for PostgreSQL, and refuses one whose schema is not this
// program's.
func (s *service) awaitSchema(ctx context.Context) error {
	if err := s.keepTrying(ctx, "PostgreSQL", s.store.Ping, func(error) bool { return false }); err != nil {
		return err
	}
	err := s.keepTrying(ctx, "the schema's version", s.schemaFits, pgmigrate.IsMismatch)
	if err != nil {
		return fmt.Errorf("the schema does not fit: %w", err)
	}
	return nil
}

func (s *service) schemaFits(ctx context.Context) error {
	return pgmigrate.Pending(ctx, s.cfg.Postgres.URL.Reveal(), Migrations(s.cfg))
}

// preparePartitions sees to it that the first event finds its partition. What
// stands in the way for good, such as rows in a default partition, does not
// keep the service from working: MaintainPartitions raises the alarm.
func (s *service) preparePartitions(ctx context.Context) error {
	err := s.keepTrying(ctx, "partitions to be made", s.engine.PreparePartitions, func(err error) bool {
		return pgstore.ClassOf(err) != pgstore.Infrastructure
	})
	if err != nil && ctx.Err() == nil {
		s.log.Error().Err(err).Msg("partitions could not be made ahead: rows go to the default partitions")
		return nil
	}
	return err
}

// awaitTopics waits for Kafka, the input topics, and the rights to read them: a
// consumer group of topics that do not exist would rebalance without end.
func (s *service) awaitTopics(ctx context.Context) error {
	never := func(error) bool { return false }
	if err := s.keepTrying(ctx, "Kafka", s.kafka.Preflight, never); err != nil {
		return err
	}
	topics := inputTopics(s.cfg)
	if s.cfg.Kafka.CreateTopics {
		specs := make([]kafkalog.TopicSpec, len(topics))
		for i, name := range topics {
			specs[i] = kafkalog.TopicSpec{Name: name}
		}
		err := s.keepTrying(ctx, "the input topics to be made", func(ctx context.Context) error {
			return s.kafka.EnsureTopics(ctx, specs...)
		}, never)
		if err != nil {
			return err
		}
	}
	return s.keepTrying(ctx, "the input topics", func(ctx context.Context) error {
		err := s.kafka.CheckAccess(ctx, s.cfg.Kafka.GroupID)
		var failed *kafkalog.PreflightError
		if errors.As(err, &failed) && failed.Cause == kafkalog.CauseTopicMissing {
			err = fmt.Errorf("%w; create it, or let tcda do so with kafka-create-topics", err)
		}
		return err
	}, never)
}
