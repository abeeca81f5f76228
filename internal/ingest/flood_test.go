package ingest_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/quarantine"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// limitedStore opens a store with a bounded quarantine.
func (w *world) limitedStore(soft, hard int64) *pgstore.Store {
	w.Helper()
	s, err := pgstore.Open(w.Context(), pgstore.Config{
		URL: w.db.URL, MaxConns: 6, StatementTimeout: 20 * time.Second, LockTimeout: 10 * time.Second, IdleTimeout: 20 * time.Second,
		Quarantine: pgstore.QuarantineLimits{Soft: soft, Hard: hard},
	})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(s.Close)
	return s
}

// stopped waits until the partition has stopped, and tells why.
func (w *world) stopped(partition int32) string {
	w.Helper()
	var why string
	testenv.Eventually(w, "the partition stops", func() bool {
		why = w.partition(partition).StoppedReason
		return why != ""
	})
	return why
}

// goOn lets a stopped partition go on where it stands.
func (w *world) goOn(partition int32) {
	w.Helper()
	p := w.partition(partition)
	if _, err := w.store.Reset(w.Context(), pgstore.ResetRequest{Topic: p.Topic, Partition: p.Number, TopicID: p.TopicID, Next: p.Next, By: "operator", Now: time.Now()}); err != nil {
		w.Fatal(err)
	}
}

// The quarantine has room for three records, the batch has good ones between
// five bad ones. The partition gets as far as there is room, and no further.
func TestAFullQuarantineStopsAtTheRecordThatFindsNoRoom(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var all []kafkarecord.Record
	for range 5 {
		all = append(all, w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1"}), kafkarecord.Record{Value: []byte(`"` + strings.Repeat("x", 5000) + `"`)})
	}
	w.produce(all...)
	w.start("a", func(s *settings) { s.parts.Store = w.limitedStore(0, 20_000) })
	if why := w.stopped(0); !strings.Contains(why, "the quarantine is full") || !strings.Contains(why, "at most 20000 are allowed") || !strings.Contains(why, "raise quarantine-hard-limit") || !strings.Contains(why, "reset --to=current "+topic+"/0") {
		t.Errorf("stopped: %s", why)
	}
	if p := w.partition(0); p.Next != 7 || p.Applied != 4 || p.Quarantined != 3 {
		t.Errorf("stands at %d, applied %d, quarantined %d; want 7, 4 and 3", p.Next, p.Applied, p.Quarantined)
	}
	if err := w.store.Resolve(t.Context(), w.quarantined()[0].ID, pgstore.QuarantineDiscarded, "operator", "noise", time.Now()); err != nil {
		t.Fatal(err)
	}
	w.goOn(0)
	testenv.Eventually(t, "the partition stops again", func() bool { p := w.partition(0); return p.StoppedReason != "" && p.Next == 9 })
	if _, err := w.store.DiscardOpen(t.Context(), pgstore.Discard{UpTo: 1 << 60, Most: 100, By: "operator", Why: "noise", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	w.goOn(0)
	w.drain()
	w.wantSums(5, 0, 5)
	w.verify()
}

// What was kept in part is fetched from Kafka when it is requeued.
func TestRecordsKeptInPartComeBackWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	long := raw(`"` + strings.Repeat("x", 100_000) + `"`)
	w.produce(long, long)
	store := w.limitedStore(1, 0)
	engine := func(s *settings) { s.parts.Store = store }
	w.run(engine)
	kept := w.quarantined()
	if len(kept) != 2 || kept[0].Complete || len(kept[0].Record.Value) != 1024 || kept[0].Length != int64(len(long.Value)) {
		t.Fatalf("kept %+v", kept)
	}
	requeuer := quarantine.Requeuer{Store: store, Kafka: w.client, Limits: quarantine.Limits{Headers: 64, HeaderBytes: 64 << 10}}
	if _, err := requeuer.Requeue(t.Context(), kept[0].ID, "operator", "", time.Now()); err != nil {
		t.Fatal(err)
	}
	stop := w.start("a") // without a limit
	w.drain()
	// A look that began before the batch may show what was, until the next one.
	testenv.Eventually(t, "the metrics show what the quarantine takes", func() bool {
		return w.metric("tcda_quarantine_open_records") == 2 && w.metric("tcda_quarantine_open_bytes") >= 100_000
	})
	stop()
	again := w.quarantined()[2]
	if !again.Complete || !bytes.Equal(again.Record.Value, long.Value) {
		t.Errorf("came back with %d bytes, complete %t", len(again.Record.Value), again.Complete)
	}
	w.verify()
}

// floodRecords is how many bad records come at once.
const floodRecords = 200_000

// A flood of poison on one partition: the disk that it takes is bounded, an
// alarm is raised, the partition stops at the hard limit and goes on each time
// that an operator has made room, nothing is lost, and the log is not flooded.
// The other partition goes on all the while.
func TestAFloodOfPoison(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes many records")
	}
	w := newWorld(t)
	const soft, hard = 4 << 20, 40 << 20
	store := w.limitedStore(soft, hard)
	large := kafkarecord.Record{Value: []byte(`"` + strings.Repeat("x", 3000) + `"`)}
	small := kafkarecord.Record{Value: []byte(`[]`)}
	for sent := 0; sent < floodRecords; sent += 2000 {
		part := make([]kafkarecord.Record, 2000)
		for i := range part {
			if part[i] = small; sent == 0 {
				part[i] = large
			}
		}
		w.produce(part...)
	}
	w.produce(w.say(&contract.ExecutionStarted{ExecutionId: "behind-the-flood"}))
	var log logLines
	w.start("a", func(s *settings) {
		s.parts.Store = store
		s.parts.Log = zerolog.New(&log).Level(zerolog.InfoLevel)
	})

	stops := 0
	for w.partition(0).Next <= floodRecords {
		testenv.Eventually(w, "the partition stops or ends", func() bool { p := w.partition(0); return p.StoppedReason != "" || p.Next > floodRecords })
		if w.partition(0).StoppedReason == "" {
			break
		}
		stops++
		w.bounded(store, hard)
		innocent := fmt.Sprint("innocent-", stops)
		w.produceTo(1, w.say(&contract.ExecutionStarted{ExecutionId: innocent}))
		testenv.Eventually(w, "the other partition goes on", func() bool {
			return w.count(fmt.Sprintf("SELECT count(*) FROM executions WHERE execution_id = '%s'", innocent)) == 1
		})
		for {
			n, err := store.DiscardOpen(t.Context(), pgstore.Discard{UpTo: 1 << 60, Most: 5000, By: "operator", Why: "flood", At: time.Now()})
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
		}
		w.exec("VACUUM test_coordination.quarantined_records") // as autovacuum does, some time
		w.goOn(0)
	}
	w.drain()
	if stops < 2 {
		t.Errorf("the partition stopped %d times: the flood was too small to tell", stops)
	}
	w.wantSums(int64(1+stops), 0, floodRecords)
	if n := w.count("SELECT count(DISTINCT kafka_offset) FROM quarantined_records WHERE partition = 0 AND value_length > 0 AND value_sha256 IS NOT NULL"); n != floodRecords {
		t.Errorf("%d records can be proven, want %d", n, floodRecords)
	}
	if n := w.count("SELECT count(*) FROM executions WHERE execution_id = 'behind-the-flood' AND status = 'running'"); n != 1 {
		t.Error("what came behind the flood was not applied")
	}
	if alarms := log.count("the quarantine is over its soft limit"); alarms < stops || alarms > stops+1 {
		t.Errorf("%d alarms over the soft limit, want one for each time that it was reached: about %d", alarms, stops)
	}
	if lines, summed := log.count("\"record quarantined\""), log.count("further records quarantined"); lines < 1000 || lines > floodRecords/20 || summed == 0 {
		t.Errorf("%d lines and %d sums for %d records", lines, summed, floodRecords)
	}
}

// bounded holds the quarantine to its limit, and the table to what its rows
// need.
func (w *world) bounded(store *pgstore.Store, hard int64) {
	w.Helper()
	usage, err := store.QuarantineUsage(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	if usage.Bytes > hard || usage.Bytes < hard-10_000 {
		w.Errorf("stopped with %d bytes of open records, the limit is %d", usage.Bytes, hard)
	}
	rows := w.count("SELECT count(*) FROM quarantined_records")
	disk := w.count("SELECT pg_total_relation_size('test_coordination.quarantined_records')")
	if most := 2*hard + 600*int64(rows); int64(disk) > most {
		w.Errorf("the table takes %d bytes for %d rows, more than %d", disk, rows, most)
	}
}

func (l *logLines) count(message string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, line := range l.lines {
		if bytes.Contains(line, []byte(message)) {
			n++
		}
	}
	return n
}
