package ingest_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/ingest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
)

// BenchmarkReplay takes 40,000 events in that are stored already, half of them
// from each of two partitions: with the hints of S3 in Redis, with Redis emptied
// before, and without Redis, in turn, so that the three of one run compare. The
// hint earns its round trip if the first is the quickest.
func BenchmarkReplay(b *testing.B) {
	const many, runs = 40_000, 200
	w := newWorld(b)
	for partition := range int32(2) {
		records := make([]kafkarecord.Record, 0, many/2)
		for n := range many / 2 {
			records = append(records, w.say(&contract.ExecutionStepStarted{
				ExecutionId: fmt.Sprintf("exec-%d", n%runs), StepId: fmt.Sprintf("step-%d-%d", partition, n/runs), Kind: "action",
			}))
		}
		w.produceTo(partition, records...)
	}
	w.run()

	var hints, lost, none stopwatch
	replay := func(at *stopwatch, change func(*settings)) {
		for partition := range int32(2) {
			if _, err := w.store.Reset(b.Context(), pgstore.ResetRequest{Topic: topic, Partition: partition, By: "benchmark", Now: time.Now()}); err != nil {
				b.Fatal(err)
			}
		}
		at.begun.Store(0)
		w.run(change, func(s *settings) { s.parts.Probe, s.config.ReconcileEvery = at.probe, time.Minute })
		at.sum += time.Duration(at.ended.Load() - at.begun.Load())
	}
	for b.Loop() {
		replay(&none, func(s *settings) { s.parts.Redis = nil })
		if err := w.redis.Client(b).FlushAll(b.Context()).Err(); err != nil {
			b.Fatal(err)
		}
		replay(&lost, func(*settings) {})
		replay(&hints, func(*settings) {})
	}
	for unit, at := range map[string]*stopwatch{"hints-events/s": &hints, "lost-events/s": &lost, "no-redis-events/s": &none} {
		b.ReportMetric(float64(b.N)*many/at.sum.Seconds(), unit)
	}
	b.ReportMetric(0, "ns/op") // joining the group and leaving it is most of it
}

// stopwatch measures from the first fetch to the last commit: joining the group
// is not what is asked.
type stopwatch struct {
	begun, ended atomic.Int64 // unix nanoseconds
	sum          time.Duration
}

func (s *stopwatch) probe(m ingest.Moment) {
	now := time.Now().UnixNano()
	switch {
	case m.Step == telemetry.StepFetch && !m.After:
		s.begun.CompareAndSwap(0, now)
	case m.Step == telemetry.StepCommit && m.After:
		s.ended.Store(now)
	}
}
