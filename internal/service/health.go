package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/opshttp"
)

// checkTimeout bounds each check: a reader of health does not wait longer.
const checkTimeout = 2 * time.Second

// checks are what readiness rests on. Redis, stopped partitions and what is not
// published only degrade: the rest of the work goes on.
func (s *service) checks() []opshttp.Check {
	checks := []opshttp.Check{
		{Name: "service", Critical: true, Probe: s.isAtWork},
		{Name: "postgres", Critical: true, Timeout: checkTimeout, Probe: s.store.Ping},
	}
	if s.cfg.Access.File != "" || s.cfg.HTTP.TLSCertFile != "" {
		checks = append(checks, opshttp.Check{Name: "access", Probe: s.access.Current})
	}
	if s.cfg.Service.Plays(config.RoleIngest) {
		checks = append(checks,
			opshttp.Check{Name: "kafka", Critical: true, Timeout: checkTimeout, Probe: s.kafka.Preflight},
			opshttp.Check{Name: "partitions", Timeout: checkTimeout, Probe: s.partitionsRun},
			opshttp.Check{Name: "quarantine", Timeout: checkTimeout, Probe: s.quarantineHasRoom},
		)
	}
	if s.outbox != nil {
		checks = append(checks, opshttp.Check{Name: "outbox", Timeout: checkTimeout, Probe: s.outbox.Check})
	}
	if s.redis != nil {
		checks = append(checks, opshttp.Check{Name: "redis", Timeout: checkTimeout, Probe: s.redisServes})
	}
	return checks
}

// isAtWork fails while the service starts, with what it waits for, and while
// it stops. The schema is looked at before it is at work, and only then: a
// newer program that migrates the database must not take its elders down.
func (s *service) isAtWork(context.Context) error {
	if phase := *s.phase.Load(); phase != "" {
		return errors.New(phase)
	}
	return nil
}

// partitionsRun names the partitions that wait for an operator.
func (s *service) partitionsRun(ctx context.Context) error {
	all, err := s.store.Partitions(ctx)
	if err != nil {
		return err
	}
	var stopped []string
	for _, p := range all {
		if p.StoppedReason != "" {
			stopped = append(stopped, fmt.Sprintf("%s/%d is stopped: %s", p.Topic, p.Number, p.StoppedReason))
		}
	}
	if len(stopped) > 0 {
		return fmt.Errorf("%s; see tcda partitions list", strings.Join(stopped, "; "))
	}
	return nil
}

// mostBehind is how many records may wait in a partition while all that was said
// still counts as heard: a steady flow always has some under way.
const mostBehind = 10_000

// hearsAll fails while there may be more in the input topics than has been
// ingested, by whichever instance: a partition is stopped, or far behind, or Kafka
// cannot be asked.
func (s *service) hearsAll(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if err := s.partitionsRun(bounded); err != nil {
		return err
	}
	all, err := s.store.Partitions(bounded)
	if err != nil {
		return err
	}
	for _, p := range all {
		if !slices.Contains(inputTopics(s.cfg), p.Topic) {
			continue
		}
		at, err := s.kafka.Offsets(bounded, p.Topic, p.Number)
		if err != nil {
			return err
		}
		if behind := at.LastStable - p.Next; behind > mostBehind {
			return fmt.Errorf("%s/%d is %d records behind", p.Topic, p.Number, behind)
		}
	}
	return nil
}

// quarantineHasRoom fails while the open quarantined records take more than the
// soft limit.
func (s *service) quarantineHasRoom(ctx context.Context) error {
	usage, err := s.store.QuarantineUsage(ctx)
	if err != nil {
		return err
	}
	return s.store.QuarantineLimits().Exceeded(usage)
}

// redisServes fails while Redis is away, and for every finding that degrades a
// feature.
func (s *service) redisServes(context.Context) error {
	if !s.redis.Up() {
		return errors.New("no answer: live state is not updated, ingest goes on")
	}
	var found []string
	for _, f := range s.redis.Findings() {
		if !f.Note {
			found = append(found, f.String())
		}
	}
	if len(found) > 0 {
		return errors.New(strings.Join(found, "; "))
	}
	return nil
}
