package soak

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/soak/faultproxy"
)

// kafkaFaults of an in-process Kafka are those that it can have.
func (w *world) kafkaFaults() lane {
	restart := fault{"kafka.restart", 1, w.restartKafka}
	if w.options.Kafka == Kfake {
		return lane{gap: 6 * time.Second, stalls: true, faults: []fault{restart}}
	}
	return lane{gap: 6 * time.Second, stalls: true, faults: []fault{
		restart,
		{"kafka.kill", 1, w.killKafka},
		{"kafka.freeze", 2, w.freezeKafka},
		{"kafka.cut", 4, w.cut(func() *faultproxy.Proxy { return w.kafkaProxy })},
		{"kafka.slow", 3, w.slow(func() *faultproxy.Proxy { return w.kafkaProxy }, 100*time.Millisecond)},
	}}
}

func (w *world) restartKafka(ctx context.Context, _ *rand.Rand) (bool, error) {
	return true, w.kafka.Restart(ctx)
}

// killKafka is a crash; it recovers its logs.
func (w *world) killKafka(ctx context.Context, random *rand.Rand) (bool, error) {
	if err := w.kafka.Kill(); err != nil {
		return false, err
	}
	wait(ctx, between(random, 0, time.Second))
	return true, w.kafka.Restart(ctx)
}

func (w *world) freezeKafka(ctx context.Context, random *rand.Rand) (bool, error) {
	if err := w.kafka.Pause(); err != nil {
		return false, err
	}
	wait(ctx, between(random, 500*time.Millisecond, 3*time.Second))
	return true, w.kafka.Resume()
}
