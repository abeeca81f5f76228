package ingest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event/eventtest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/quarantine"
)

// placed is a line of the table with its place in the log: the record itself
// at offset, what it needs before it, an innocent record behind it.
type placed struct {
	eventtest.Hostile
	offset int64
}

func (p *placed) innocent() string { return fmt.Sprint("innocent-", p.offset) }

// lay lays the whole table into partition 0.
func lay(w *world) []placed {
	w.Helper()
	var log []kafkarecord.Record
	var lines []placed
	for _, line := range eventtest.Hostiles(w) {
		log = append(log, line.Before...)
		p := placed{line, int64(len(log))}
		log = append(log, line.Record, w.say(&contract.ExecutionStarted{ExecutionId: p.innocent()}))
		lines = append(lines, p)
	}
	for len(log) > 0 { // not all at once: some are large
		n := min(len(log), 100)
		w.produce(log[:n]...)
		log = log[n:]
	}
	return lines
}

// What becomes of a record must not depend on which others share its
// transaction.
func TestHostileRecordsOneAtATime(t *testing.T) { //nolint:tparallel // its lines are of one world
	t.Parallel()
	hostileRecords(t, 1)
}

func TestHostileRecordsInBatches(t *testing.T) { //nolint:tparallel // its lines are of one world
	t.Parallel()
	hostileRecords(t, 1000)
}

func hostileRecords(t *testing.T, batch int) {
	t.Helper()
	w := newWorld(t)
	lines := lay(w)
	var log logLines
	w.run(func(s *settings) {
		s.config.Read.BatchRecords = batch
		s.parts.Log = zerolog.New(&log).Level(zerolog.DebugLevel)
	})

	known := w.whatBecame()
	requeued := map[fact.Reason]int{}
	for _, line := range lines {
		t.Run(line.Class+"/"+line.Name, func(t *testing.T) {
			checkLine(t, &line, known)
			log.check(t, &line, batch)
			requeued[line.Reason]++
		})
	}
	if batch > 1 {
		delete(requeued, "")
		w.requeueAll(requeued)
	}
	w.verify()
}

// became is what the tables say about the records of partition 0.
type became struct {
	next        int64
	rows        map[int64]int             // stored events by offset
	flags       map[int64]map[string]bool // of those of runs
	quarantined map[int64]pgstore.QuarantinedRecord
	running     map[string]bool
}

func (w *world) whatBecame() became {
	w.Helper()
	b := became{next: w.partition(0).Next, rows: map[int64]int{}, flags: map[int64]map[string]bool{}, quarantined: map[int64]pgstore.QuarantinedRecord{}, running: map[string]bool{}}
	rows, err := w.db.Pool(w).Query(w.Context(), `
		SELECT kafka_offset, time_suspect, late, conflicting_outcome
		FROM test_coordination.analytics_timeline WHERE kafka_offset IS NOT NULL
		UNION ALL SELECT kafka_offset, time_suspect, false, false FROM test_coordination.definition_events WHERE kafka_offset IS NOT NULL`)
	if err != nil {
		w.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var offset int64
		var suspect, late, conflicting bool
		if err := rows.Scan(&offset, &suspect, &late, &conflicting); err != nil {
			w.Fatal(err)
		}
		b.rows[offset]++
		b.flags[offset] = map[string]bool{"time_suspect": suspect, "late": late, "conflicting_outcome": conflicting}
	}
	if err := rows.Err(); err != nil {
		w.Fatal(err)
	}
	for _, q := range w.quarantined() {
		b.quarantined[q.Offset] = q
	}
	names, err := w.db.Pool(w).Query(w.Context(), `SELECT execution_id FROM test_coordination.executions WHERE status = 'running'`)
	if err != nil {
		w.Fatal(err)
	}
	defer names.Close()
	for names.Next() {
		var id string
		if err := names.Scan(&id); err != nil {
			w.Fatal(err)
		}
		b.running[id] = true
	}
	if err := names.Err(); err != nil {
		w.Fatal(err)
	}
	return b
}

// checkLine holds one line of the table to: one row, or one quarantined record
// with its bytes, or neither for a duplicate; and the records beside it applied.
func checkLine(t *testing.T, line *placed, b became) {
	t.Helper()
	if line.offset >= b.next {
		t.Fatalf("the partition stands at %d, before the record", b.next)
	}
	if !b.running[line.innocent()] || b.rows[line.offset+1] != 1 {
		t.Error("the next record of the partition was not applied")
	}
	for i := range line.Before {
		if b.rows[line.offset-int64(i)-1] != 1 {
			t.Errorf("the record %d before it was not applied", i+1)
		}
	}
	q, quarantined := b.quarantined[line.offset]
	switch {
	case line.Reason != "":
		if !quarantined || b.rows[line.offset] != 0 {
			t.Fatalf("quarantined: %t, rows: %d; want it quarantined", quarantined, b.rows[line.offset])
		}
		checkKept(t, line, &q)
	case quarantined:
		t.Errorf("quarantined as %s: %s: %s", q.Reason, q.Field, q.Detail)
	case line.Duplicate:
		if b.rows[line.offset] != 0 {
			t.Error("applied, although its event is stored")
		}
	default:
		if b.rows[line.offset] != 1 {
			t.Errorf("%d rows, want 1", b.rows[line.offset])
		}
		for flag, set := range b.flags[line.offset] {
			if set != (line.Flag == flag) {
				t.Errorf("%s is %t, want %t", flag, set, !set)
			}
		}
	}
}

// checkKept compares a quarantined record with what was sent.
func checkKept(t *testing.T, line *placed, q *pgstore.QuarantinedRecord) {
	t.Helper()
	sent, kept := &line.Record, &q.Record
	if q.Reason != line.Reason {
		t.Errorf("quarantined as %s (%s: %s), want %s", q.Reason, q.Field, q.Detail, line.Reason)
	}
	if q.Length != int64(len(sent.Value)) || q.Status != pgstore.QuarantineOpen {
		t.Errorf("length %d, status %s", q.Length, q.Status)
	}
	if !q.Complete { // too large to be kept
		if len(sent.Value)+len(sent.Key) <= 1<<20 && len(sent.Headers) <= 64 {
			t.Error("it was not kept whole")
		}
		if !bytes.HasPrefix(sent.Value, kept.Value) || len(kept.Value) != min(len(sent.Value), 64<<10) {
			t.Errorf("%d bytes kept, want the first of %d", len(kept.Value), len(sent.Value))
		}
		return
	}
	if !bytes.Equal(kept.Value, sent.Value) || (kept.Value == nil) != (sent.Value == nil) || !bytes.Equal(kept.Key, sent.Key) || (kept.Key == nil) != (sent.Key == nil) {
		t.Error("key or value are not as they were sent")
	}
	if len(kept.Headers) != len(sent.Headers) {
		t.Fatalf("%d headers kept of %d", len(kept.Headers), len(sent.Headers))
	}
	for i, h := range sent.Headers {
		if kept.Headers[i].Key != h.Key || !bytes.Equal(kept.Headers[i].Value, h.Value) {
			t.Errorf("header %d kept as %q", i, kept.Headers[i])
		}
	}
}

// logLines is a log that can be asked afterwards.
type logLines struct {
	mu    sync.Mutex
	lines [][]byte
}

// Write takes one line.
func (l *logLines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, bytes.Clone(line))
	return len(line), nil
}

// about are the lines with a message and a number.
func (l *logLines) about(t *testing.T, message, name string, number int64) []map[string]any {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []map[string]any
	for _, line := range l.lines {
		if !bytes.Contains(line, []byte(message)) || !bytes.Contains(line, fmt.Appendf(nil, "%q:%d,", name, number)) {
			continue
		}
		if at := bytes.IndexFunc(line[:len(line)-1], func(r rune) bool { return r < ' ' }); at >= 0 {
			t.Errorf("a line with control characters: %q", line)
		}
		var fields map[string]any
		if err := json.Unmarshal(line, &fields); err != nil {
			t.Errorf("%q: %v", line, err)
		}
		found = append(found, fields)
	}
	return found
}

// check wants one line that says what became of the record and, one at a time,
// that the offset has moved by one.
func (l *logLines) check(t *testing.T, line *placed, batch int) {
	t.Helper()
	quarantined := l.about(t, "record quarantined", "offset", line.offset)
	if want := line.Reason != ""; len(quarantined) > 1 || (len(quarantined) == 1) != want {
		t.Errorf("%d lines say that it is quarantined: %v", len(quarantined), quarantined)
	}
	for _, said := range quarantined {
		if said["level"] != "warn" || said["reason"] != string(line.Reason) {
			t.Errorf("the line says %v, want reason %s", said, line.Reason)
		}
	}
	if batch > 1 {
		return
	}
	moved := l.about(t, "batch committed", "position", line.offset)
	if len(moved) != 1 || moved[0]["next"] != float64(line.offset+1) {
		t.Errorf("moved from its offset: %v, want once, by one", moved)
	}
}

// requeueAll requeues every open record, and wants each to go the whole way
// again, with the same end.
func (w *world) requeueAll(want map[fact.Reason]int) {
	w.Helper()
	requeuer := quarantine.Requeuer{Store: w.store, Kafka: w.client, Limits: quarantine.Limits{Headers: 64, HeaderBytes: 64 << 10}}
	first := w.quarantined()
	produced := map[int64]fact.Reason{}
	for _, q := range first {
		offset, err := requeuer.Requeue(w.Context(), q.ID, "tester", "again", time.Now())
		if err != nil {
			w.Errorf("requeue the record at %d, %s: %v", q.Offset, q.Reason, err)
			continue
		}
		produced[offset] = q.Reason
	}
	w.run()
	again := map[fact.Reason]int{}
	for _, q := range w.quarantined() {
		reason, second := produced[q.Offset]
		switch {
		case !second && (q.Status != pgstore.QuarantineRequeued || !strings.HasPrefix(q.Resolution, "again; produced again at offset ")):
			w.Errorf("the record at %d is %s: %s", q.Offset, q.Status, q.Resolution)
		case second && (q.Reason != reason || q.Status != pgstore.QuarantineOpen):
			w.Errorf("requeued at %d it is %s, %s, want it open for %s", q.Offset, q.Reason, q.Status, reason)
		case second:
			again[q.Reason]++
		}
	}
	for reason, n := range want {
		if again[reason] != n {
			w.Errorf("%d of %d records with reason %s came back", again[reason], n, reason)
		}
	}
}
