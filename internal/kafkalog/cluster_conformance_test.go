package kafkalog_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// TestCompactedLogIsReadToItsEnd: the offsets of what compaction has removed
// are passed, and what is left is read once.
func TestCompactedLogIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	cluster := testenv.Broker(t)
	topic := testenv.UniqueName("compacted")
	cluster.CreateTopic(t, topic, 1, testenv.CompactsSoon())
	client, producer := open(t, cluster.Brokers), franz(t, cluster.Brokers)
	latest := map[string]string{"oldest": "kept"}
	produceRecords(t, producer, &kgo.Record{Topic: topic, Key: []byte("oldest"), Value: []byte("kept")})
	const rounds = 30
	for i := range rounds {
		key, value := fmt.Sprintf("key-%d", i%3), fmt.Sprintf("value-%d", i)
		latest[key] = value
		produceRecords(t, producer, &kgo.Record{Topic: topic, Key: []byte(key), Value: []byte(value)})
	}
	// The last segment is not compacted: more records close those before.
	fill := numbered("filler", 3)
	for _, key := range fill {
		latest[key] = key
		produceRecords(t, producer, &kgo.Record{Topic: topic, Key: []byte(key), Value: []byte(key)})
	}
	end := endOf(t, client, topic)

	got := map[string]string{}
	testenv.Eventually(t, "the log is compacted", func() bool {
		cluster.Clean()
		clear(got)
		records := readTo(t, client.NewPartitionReader(topic, 0, 0, kafkalog.ReadConfig{}), end)
		for i, r := range records {
			got[string(r.Key)] = string(r.Value)
			if i > 0 && records[i-1].Offset >= r.Offset {
				t.Fatalf("offset %d after %d", r.Offset, records[i-1].Offset)
			}
		}
		return len(records) == len(latest)
	})
	if diff := cmp.Diff(latest, got); diff != "" {
		t.Errorf("latest values (-written +read):\n%s", diff)
	}
}

// TestExpiredRecordsAreReported: retention itself removes them, not we. The
// reader behind it is told, whatever of the log is left.
func TestExpiredRecordsAreReported(t *testing.T) {
	t.Parallel()
	cluster := testenv.Broker(t)
	topic := testenv.UniqueName("expiring")
	cluster.CreateTopic(t, topic, 1, map[string]string{"retention.ms": "3600000"})
	client, producer := open(t, cluster.Brokers), franz(t, cluster.Brokers)
	old := time.Now().Add(-2 * time.Hour)
	for _, value := range numbered("old", 5) {
		produceRecords(t, producer, &kgo.Record{Topic: topic, Value: []byte(value), Timestamp: old})
	}
	reader := client.NewPartitionReader(topic, 0, 2, kafkalog.ReadConfig{MaxWait: 10 * time.Millisecond})
	testenv.Eventually(t, "retention has removed the records", func() bool {
		cluster.Clean()
		offsets, err := client.Offsets(t.Context(), topic, 0)
		return err == nil && offsets.Start == 5
	})
	_, err := next(t, reader)
	want := kafkalog.OffsetOutOfRangeError{Topic: topic, Asked: 2, LogStart: 5, LogEnd: 5}
	if got := asError[*kafkalog.OffsetOutOfRangeError](t, err); *got != want {
		t.Errorf("got %+v, want %+v", *got, want)
	}
}

// TestReaderFollowsLeadersAndRestarts: leaders move, brokers stop, crash and
// come back, and every record is read once and in order.
func TestReaderFollowsLeadersAndRestarts(t *testing.T) {
	t.Parallel()
	cluster := testenv.OwnBroker(t, 2)
	const topic = "moving"
	cluster.CreateTopic(t, topic, 1, nil)
	client, producer := open(t, cluster.Brokers), franz(t, cluster.Brokers)
	reader := client.NewPartitionReader(topic, 0, 0, kafkalog.ReadConfig{MaxWait: 50 * time.Millisecond})

	for i, change := range []func(){
		func() { cluster.MoveLeader(t, topic, 0) },
		func() { cluster.MoveLeader(t, topic, 0) },
		func() { cluster.Restart(t, cluster.Leader(t, topic, 0)) },
		func() { cluster.Crash(t, cluster.Leader(t, topic, 0)) },
	} {
		before, after := numbered(fmt.Sprintf("before change %d", i), 3), numbered(fmt.Sprintf("after change %d", i), 3)
		produce(t, producer, topic, 0, before...)
		if got := values(readTo(t, reader, int64(6*i+3))); cmp.Diff(before, got) != "" {
			t.Fatalf("before change %d: read %q", i, got)
		}
		change()
		produce(t, producer, topic, 0, after...)
		if got := values(readTo(t, reader, int64(6*i+6))); cmp.Diff(after, got) != "" {
			t.Fatalf("after change %d: read %q", i, got)
		}
	}
}
