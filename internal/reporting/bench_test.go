package reporting_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// BenchmarkLongRun builds the report of a run of 36 hours with 26,000 heartbeats and
// 200,000 log lines. It tells the largest heap that a look every 5 ms has seen,
// beside what was there before.
func BenchmarkLongRun(b *testing.B) {
	w := newWorld(b)
	b.Cleanup(func() { // copies do not fold to what is stored
		for _, table := range []string{"executions", "execution_ids", "execution_events", "execution_logs", "execution_phases", "fault_injections", "validation_results", "system_snapshots", "ingest_partitions"} {
			if _, err := w.DB.Pool(b).Exec(context.WithoutCancel(b.Context()), "TRUNCATE test_coordination."+table+" CASCADE"); err != nil {
				b.Error(err)
			}
		}
	})
	p := play{id: "long"}
	w.perform(p, 0, 1, 2, 3, 4, 5, 6)
	longRun(b, w, 26_000, 200_000)
	w.perform(p, 8, 9, 10, 11, 12)
	for b.Loop() {
		runtime.GC()
		var before, now runtime.MemStats
		runtime.ReadMemStats(&before)
		var peak uint64
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-stop:
					return
				case <-tick.C:
					runtime.ReadMemStats(&now)
					peak = max(peak, now.HeapAlloc)
				}
			}
		}()
		built, err := w.reports.Build(b.Context(), runOf("long"))
		close(stop)
		<-stopped
		if err != nil {
			b.Fatal(err)
		}
		if m := built.Report.Metrics; m.LogLines != 200_003 || m.Events != 28_011 {
			b.Fatalf("%d lines of %d events", m.LogLines, m.Events)
		}
		b.ReportMetric(float64(peak-min(peak, before.HeapAlloc))/(1<<20), "peak-MiB")
		b.ReportMetric(float64(len(built.Body))/1024, "report-KiB")
	}
}

// longRun fills a run up, with copies of events that were accepted: each has an
// identity and an order of its own.
func longRun(b *testing.B, w *world, beats, lines int) {
	b.Helper()
	perEvent := 100
	w.say(play{id: "long"}, "beat", 20*time.Second, &contract.ExecutionHeartbeat{ExecutionId: "long", Progress: proto.Float64(0.5), Message: "half way"})
	w.say(play{id: "long"}, "log", 21*time.Second, &contract.ExecutionLogAppended{ExecutionId: "long", Lines: func() (all []*contract.LogLine) {
		for i := range perEvent {
			all = append(all, &contract.LogLine{Message: fmt.Sprintf("order %d was matched against the book of the exchange in due time", i), Level: "info", Service: "exchange"})
		}
		return all
	}()})
	const copies = `INSERT INTO test_coordination.execution_events
		SELECT v.bucket, v.execution_id, v.run, sha256(convert_to(v.event_id || '-' || n, 'UTF8')),
		  substr(v.order_key, 1, octet_length(v.order_key) - 36) || int4send(n) || sha256(convert_to(v.event_id || '-' || n, 'UTF8')), a.last + n, v.type, v.source, v.event_id || '-' || n, v.event_time, v.sequence, v.digest, v.digest_version,
		  v.run_guessed, v.time_suspect, v.trace_parent, v.correlation_id, v.topic, v.partition, v.kafka_offset, v.data, v.extensions, v.unknown_fields, v.recorded_at
		FROM test_coordination.execution_events AS v, generate_series(1, $2::int) AS n, (SELECT max(arrival) AS last FROM test_coordination.execution_events WHERE execution_id = 'long') AS a
		WHERE v.execution_id = 'long' AND v.event_id = $1`
	sql := w.DB.Pool(b)
	for id, n := range map[string]int{"beat": beats - 2, "log": lines/perEvent - 1} {
		if _, err := sql.Exec(b.Context(), copies, id, n); err != nil {
			b.Fatal(err)
		}
	}
	for _, statement := range []string{
		`INSERT INTO test_coordination.execution_logs
		SELECT l.bucket, l.execution_id, l.run, l.logged_at + v.arrival * interval '1 second', v.arrival, l.line, l.level, l.service, l.phase, l.step_id, l.message, l.attributes
		FROM test_coordination.execution_events AS v, test_coordination.execution_logs AS l
		WHERE v.execution_id = 'long' AND v.event_id LIKE 'log-%' AND l.execution_id = 'long'
		  AND l.arrival = (SELECT arrival FROM test_coordination.execution_events WHERE execution_id = 'long' AND event_id = 'log')`,
		`UPDATE test_coordination.executions AS e SET events = (SELECT count(*) FROM test_coordination.execution_events AS v WHERE v.execution_id = e.execution_id),
		  log_lines = (SELECT count(*) FROM test_coordination.execution_logs AS l WHERE l.execution_id = e.execution_id)`,
		"ANALYZE",
	} {
		if _, err := sql.Exec(b.Context(), statement); err != nil {
			b.Fatal(err)
		}
	}
}
