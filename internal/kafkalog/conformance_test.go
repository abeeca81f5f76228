// The conformance tests of this package hold for any Kafka. They run on kfake,
// and on Apache Kafka 4 with TCDA_TEST_KAFKA=apache ("make test-kafka"); those
// of conformance_test.go besides on the brokers that TCDA_TEST_KAFKA_BROKERS
// names. On both they hold:
//
//	conformance_test.go            compressions, aborted and open transactions, limits, records deleted,
//	                               a topic made again, cancelled fetches
//	cluster_conformance_test.go    compaction, retention, moved leaders, brokers that restart and crash
//	                               (kfake cannot be killed: it stops in order)
//	group_conformance_test.go      rebalances, late commits, handlers that fail
//	preflight_conformance_test.go  PLAIN, SCRAM-SHA-256 and -512, with and without TLS, mutual TLS;
//	                               the cause of everything that is refused
//
// What only one broker can be made to do is tested on kfake alone, in the other
// files. The whole way to the rows is in package e2e.
package kafkalog_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog/internal/batchtest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// TestConformance holds for any broker. It runs on kfake; with
// TCDA_TEST_KAFKA=apache on Apache Kafka instead; and besides on the brokers
// that TCDA_TEST_KAFKA_BROKERS names (host:port, separated by commas).
func TestConformance(t *testing.T) {
	t.Parallel()
	t.Run("own", func(t *testing.T) {
		t.Parallel()
		conformance(t, testenv.Broker(t).Brokers)
	})
	if brokers := os.Getenv("TCDA_TEST_KAFKA_BROKERS"); brokers != "" {
		t.Run("given", func(t *testing.T) {
			t.Parallel()
			conformance(t, strings.Split(brokers, ","))
		})
	}
}

func conformance(t *testing.T, brokers []string) {
	for name, test := range map[string]func(*testing.T, []string){
		"every compression": testEveryCompression,
		"aborted records and markers are never delivered":   testAbortedRecords,
		"an open transaction is waited for":                 testOpenTransaction,
		"records removed by retention are reported":         testRetention,
		"a topic made again is noticed":                     testRecreatedTopic,
		"batches end at the limit of records":               testBatchLimit,
		"a gzip bomb comes through":                         testGzipBomb,
		"an oversize record leaves its neighbours whole":    testOversize,
		"a cancelled fetch leaves the client usable":        testCancelledFetch,
		"topics are made once and described":                testTopics,
		"every record is handled once across rebalances":    testRebalances,
		"a late commit does not rewind the group":           testZombieCommit,
		"an error of a handler makes the member join again": testHandlerError,
		"the group's offset is handed to the next owner":    testCommitted,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, brokers)
		})
	}
}

func testEveryCompression(t *testing.T, brokers []string) {
	client := open(t, brokers)
	topic := newTopic(t, client, 1)
	at := time.UnixMilli(1_700_000_000_123).UTC()
	var want []kafkarecord.Record
	for _, codec := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
		producer := franz(t, brokers, kgo.ProducerBatchCompression(codec))
		var records []*kgo.Record
		for _, r := range []kafkarecord.Record{
			{Key: []byte("key"), Value: []byte(strings.Repeat("value ", 1000)), Headers: []kafkarecord.Header{{Key: "ce_id", Value: []byte("1")}, {Key: "ce_id", Value: []byte{}}, {Key: "null"}}},
			{Key: nil, Value: []byte{}},
			{Key: []byte{}, Value: nil},
		} {
			r.Offset, r.Timestamp = int64(len(want)), at
			want = append(want, r)
			record := &kgo.Record{Topic: topic, Key: r.Key, Value: r.Value, Timestamp: at}
			for _, h := range r.Headers {
				record.Headers = append(record.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
			}
			records = append(records, record)
		}
		produceRecords(t, producer, records...)
	}
	got := readTo(t, client.NewPartitionReader(topic, 0, 0, kafkalog.ReadConfig{}), int64(len(want)))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read other records than were written (-written +read):\n%s", diff)
	}
}

// transact writes values in one transaction.
func transact(t *testing.T, client *kgo.Client, topic string, end kgo.TransactionEndTry, values ...string) {
	t.Helper()
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, client, topic, 0, values...)
	if err := client.EndTransaction(t.Context(), end); err != nil {
		t.Fatal(err)
	}
}

// testAbortedRecords: kafka-go's Reader delivers both.
func testAbortedRecords(t *testing.T, brokers []string) {
	client := open(t, brokers)
	topic := newTopic(t, client, 1)
	one := franz(t, brokers, kgo.TransactionalID("one-"+topic))
	two := franz(t, brokers, kgo.TransactionalID("two-"+topic))
	plain := franz(t, brokers)
	transact(t, one, topic, kgo.TryAbort, "aborted")
	transact(t, one, topic, kgo.TryCommit, "a", "b")
	if err := two.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, two, topic, 0, "aborted around others")
	transact(t, one, topic, kgo.TryAbort, "aborted", "aborted")
	produce(t, plain, topic, 0, "c")
	transact(t, one, topic, kgo.TryCommit, "d")
	produce(t, two, topic, 0, "aborted around others")
	if err := two.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	transact(t, two, topic, kgo.TryCommit, "e")
	transact(t, one, topic, kgo.TryAbort, "aborted at the end")

	end := endOf(t, client, topic)
	all := readTo(t, client.NewPartitionReader(topic, 0, 0, kafkalog.ReadConfig{}), end)
	if diff := cmp.Diff([]string{"a", "b", "c", "d", "e"}, values(all)); diff != "" {
		t.Fatalf("read other records than were committed (-committed +read):\n%s", diff)
	}
	for from := range end { // also when the reading begins in the midst
		var want []string
		for _, r := range all {
			if r.Offset >= from {
				want = append(want, string(r.Value))
			}
		}
		reader := client.NewPartitionReader(topic, 0, from, kafkalog.ReadConfig{BatchRecords: 1})
		if diff := cmp.Diff(want, values(readTo(t, reader, end))); diff != "" {
			t.Errorf("from offset %d (-committed +read):\n%s", from, diff)
		}
	}
}

func testOpenTransaction(t *testing.T, brokers []string) {
	client := open(t, brokers)
	topic := newTopic(t, client, 1)
	transactional := franz(t, brokers, kgo.TransactionalID(topic))
	if err := transactional.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, transactional, topic, 0, "a")
	produce(t, franz(t, brokers), topic, 0, "b")

	reader := client.NewPartitionReader(topic, 0, 0, kafkalog.ReadConfig{MaxWait: 10 * time.Millisecond})
	batch, err := next(t, reader)
	if err != nil || len(batch.Records) != 0 || batch.Next != 0 || batch.LastStable != 0 || batch.HighWatermark != 2 {
		t.Fatalf("with the transaction open: got %+v, %v; want no record and last stable offset 0", batch, err)
	}
	batch.Release()
	offsets, err := client.Offsets(t.Context(), topic, 0)
	if want := (kafkalog.Offsets{Start: 0, LastStable: 0, End: 2}); err != nil || offsets != want {
		t.Errorf("offsets are %+v, %v; want %+v", offsets, err, want)
	}

	if err := transactional.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a", "b"}, values(readTo(t, reader, 3))); diff != "" {
		t.Errorf("after the commit (-want +got):\n%s", diff)
	}
}

// testRetention: kafka-go's Reader goes on at the log's start without a word.
func testRetention(t *testing.T, brokers []string) {
	client := open(t, brokers)
	topic := newTopic(t, client, 1)
	producer := franz(t, brokers)
	produce(t, producer, topic, 0, numbered("r", 10)...)
	reader := client.NewPartitionReader(topic, 0, 0, kafkalog.ReadConfig{})
	if got := readTo(t, reader, 10); len(got) != 10 {
		t.Fatalf("got %d records, want 10", len(got))
	}
	produce(t, producer, topic, 0, numbered("s", 5)...)
	deleteRecords(t, producer, topic, 13) // passes the reader, which stands at 10

	for attempt := range 2 { // the reader stays where it is
		_, err := next(t, reader)
		got := asError[*kafkalog.OffsetOutOfRangeError](t, err)
		want := kafkalog.OffsetOutOfRangeError{Topic: topic, Asked: 10, LogStart: 13, LogEnd: 15}
		if *got != want || kafkalog.IsRetriable(err) {
			t.Errorf("attempt %d: got %+v, retriable %v; want %+v", attempt, *got, kafkalog.IsRetriable(err), want)
		}
	}
	_, err := next(t, client.NewPartitionReader(topic, 0, 16, kafkalog.ReadConfig{}))
	if got := asError[*kafkalog.OffsetOutOfRangeError](t, err); got.Asked != 16 || got.LogEnd != 15 {
		t.Errorf("beyond the end: got %+v", *got)
	}
	rest := readTo(t, client.NewPartitionReader(topic, 0, 13, kafkalog.ReadConfig{}), 15)
	if diff := cmp.Diff([]string{"s-3", "s-4"}, values(rest)); diff != "" {
		t.Errorf("from the log's start (-want +got):\n%s", diff)
	}
	batch, err := next(t, client.NewPartitionReader(topic, 0, 15, kafkalog.ReadConfig{MaxWait: time.Millisecond}))
	if err != nil || len(batch.Records) != 0 || batch.Next != 15 || batch.LogStart != 13 {
		t.Errorf("at the end: got %+v, %v; want an empty batch", batch, err)
	}
}

func testRecreatedTopic(t *testing.T, brokers []string) {
	client := open(t, brokers)
	topic := newTopic(t, client, 1)
	producer := franz(t, brokers)
	produce(t, producer, topic, 0, numbered("old", 5)...)
	before, err := client.Topic(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	if before.ID == (kafkalog.TopicID{}) {
		t.Fatal("the topic has no id")
	}

	read := kafkalog.ReadConfig{TopicID: before.ID, MaxWait: 10 * time.Millisecond}
	reader := client.NewPartitionReader(topic, 0, 2, read)
	if diff := cmp.Diff([]string{"old-2", "old-3", "old-4"}, values(readTo(t, reader, 5))); diff != "" {
		t.Errorf("by the topic's id (-written +read):\n%s", diff)
	}

	deleteTopic(t, producer, topic)
	testenv.Eventually(t, "the topic is gone", func() bool {
		_, err := client.Topic(t.Context(), topic)
		return errors.Is(err, kafkalog.ErrUnknownTopic)
	})
	if err := client.EnsureTopics(t.Context(), kafkalog.TopicSpec{Name: topic, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	after, err := client.Topic(t.Context(), topic)
	if err != nil || after.ID == before.ID || after.Name != before.Name {
		t.Errorf("topic is %+v, %v; want another id than %s", after, err, before.ID)
	}
	_, err = next(t, client.NewPartitionReader(topic, 0, 5, kafkalog.ReadConfig{}))
	if got := asError[*kafkalog.OffsetOutOfRangeError](t, err); got.LogEnd != 0 {
		t.Errorf("at the old position: got %+v, want a log that ends at 0", *got)
	}

	// Long enough for the old position to be one of it.
	produce(t, franz(t, brokers), topic, 0, numbered("new", 9)...)
	for _, r := range []*kafkalog.PartitionReader{reader, client.NewPartitionReader(topic, 0, 0, read)} {
		if batch, err := next(t, r); !errors.Is(err, kafkalog.ErrOtherTopic) {
			t.Errorf("by the former topic's id: got %+v, %v", batch, err)
		}
	}
	read.TopicID = after.ID
	if got := readTo(t, client.NewPartitionReader(topic, 0, 5, read), 9); len(got) != 4 {
		t.Errorf("by the new topic's id: got %d records, want 4", len(got))
	}
}

func testBatchLimit(t *testing.T, brokers []string) {
	client := open(t, brokers)
	topic := newTopic(t, client, 1)
	want := numbered("r", 250)
	produce(t, franz(t, brokers), topic, 0, want...)
	reader := client.NewPartitionReader(topic, 0, 0, kafkalog.ReadConfig{BatchRecords: 100})
	var got []string
	for len(got) < len(want) {
		batch, err := next(t, reader)
		if err != nil {
			t.Fatal(err)
		}
		if len(batch.Records) > 100 {
			t.Fatalf("batch of %d records, the limit is 100", len(batch.Records))
		}
		got = append(got, values(batch.Records)...)
		if batch.Next != int64(len(got)) {
			t.Fatalf("next is %d after %d records", batch.Next, len(got))
		}
		batch.Release()
		batch.Release() // a second time does no harm
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-written +read):\n%s", diff)
	}
}

// testGzipBomb: 16 MiB in some KiB. That memory stays bounded, also with 200 MiB,
// is tested where the decoder is.
func testGzipBomb(t *testing.T, brokers []string) {
	client := open(t, brokers)
	topic := newTopic(t, client, 1, "max.message.bytes", "4194304")
	producer := franz(t, brokers)
	const small, many = 4 << 10, 16 << 20 / (4 << 10)
	produce(t, producer, topic, 0, "before")
	produceBatch(t, client, producer, topic, batchtest.Batch{
		Codec: batchtest.Gzip, ProducerID: -1, FirstTimestamp: 1, MaxTimestamp: 1, Count: many, LastDelta: many - 1,
		Write: func(w io.Writer) {
			record := batchtest.Record{Value: make([]byte, small)}
			var encoded []byte
			for i := range int64(many) {
				record.Delta = i
				encoded = record.Append(encoded[:0])
				if _, err := w.Write(encoded); err != nil {
					t.Error(err)
				}
			}
		},
	}.Encode())
	produce(t, producer, topic, 0, "after")

	reader := client.NewPartitionReader(topic, 0, 0, kafkalog.ReadConfig{})
	total, last := 0, ""
	for total < many+2 {
		batch, err := next(t, reader)
		if err != nil {
			t.Fatal(err)
		}
		if len(batch.Records) > 1000 || batch.Bytes > 5<<20 {
			t.Fatalf("batch of %d records and %d bytes", len(batch.Records), batch.Bytes)
		}
		if total += len(batch.Records); len(batch.Records) > 0 {
			last = string(batch.Records[len(batch.Records)-1].Value)
		}
		if batch.Next != int64(total) {
			t.Fatalf("next is %d after %d records", batch.Next, total)
		}
		batch.Release()
	}
	if last != "after" {
		t.Errorf("the last record is %.20q, want the one behind the bomb", last)
	}
}

func testOversize(t *testing.T, brokers []string) {
	client := open(t, brokers)
	topic := newTopic(t, client, 1, "max.message.bytes", "8388608")
	producer := franz(t, brokers, kgo.ProducerBatchMaxBytes(8<<20), kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	large := bytes.Repeat([]byte("0123456789abcdef"), 3<<20/16)
	produceRecords(t, producer,
		&kgo.Record{Topic: topic, Value: []byte("before")},
		&kgo.Record{Topic: topic, Key: []byte("key"), Value: large},
		&kgo.Record{Topic: topic, Value: []byte("after")},
	)
	got := readTo(t, client.NewPartitionReader(topic, 0, 0, kafkalog.ReadConfig{}), 3)
	if len(got) != 3 || string(got[0].Value) != "before" || string(got[2].Value) != "after" {
		t.Fatalf("got %d records, want 3 with the neighbours whole", len(got))
	}
	r := got[1]
	want := kafkarecord.Oversize{Length: int64(len(large)), SHA256: sha256.Sum256(large)}
	if r.Oversize == nil || *r.Oversize != want || string(r.Key) != "key" || !bytes.Equal(r.Value, large[:64<<10]) {
		t.Errorf("got oversize %+v, key %q, %d bytes of value; want %+v and the first 64 KiB", r.Oversize, r.Key, len(r.Value), want)
	}
}

func testCancelledFetch(t *testing.T, brokers []string) {
	client := open(t, brokers)
	topic := newTopic(t, client, 1)
	producer := franz(t, brokers)
	produce(t, producer, topic, 0, "a")
	reader := client.NewPartitionReader(topic, 0, 0, kafkalog.ReadConfig{MaxWait: time.Second})
	if got := readTo(t, reader, 1); len(got) != 1 {
		t.Fatalf("got %d records, want 1", len(got))
	}
	for round := range int64(5) { // the broker has nothing and waits; a record comes just behind the cancellation
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error, 1)
		go func() {
			_, err := reader.Next(ctx)
			failed <- err
		}()
		cancel()
		if err := receive(t, "the cancelled fetch", failed); !errors.Is(err, context.Canceled) || kafkalog.IsRetriable(err) {
			t.Fatalf("error is %v, want that of the context", err)
		}
		want := numbered("after", 3)
		produce(t, producer, topic, 0, want...)
		if diff := cmp.Diff(want, values(readTo(t, reader, 1+3*(round+1)))); diff != "" {
			t.Fatalf("round %d (-written +read):\n%s", round, diff)
		}
	}
}

func testTopics(t *testing.T, brokers []string) {
	client := open(t, brokers)
	topic := newTopic(t, client, 3)
	if err := client.EnsureTopics(t.Context(), kafkalog.TopicSpec{Name: topic, Partitions: 7}); err != nil {
		t.Errorf("a topic that exists: %v", err)
	}
	got, err := client.Topic(t.Context(), topic)
	if diff := cmp.Diff([]int32{0, 1, 2}, got.Partitions); err != nil || diff != "" {
		t.Errorf("partitions (%v) (-want +got):\n%s", err, diff)
	}
	if _, err := client.Topic(t.Context(), "no-such-"+topic); !errors.Is(err, kafkalog.ErrUnknownTopic) {
		t.Errorf("an unknown topic: %v", err)
	}
	if _, err := client.Offsets(t.Context(), topic, 9); !errors.Is(err, kafkalog.ErrUnknownTopic) {
		t.Errorf("an unknown partition: %v", err)
	}
	impossible := kafkalog.TopicSpec{Name: "impossible-" + topic, Partitions: 1, Replication: 99}
	err = client.EnsureTopics(t.Context(), impossible, kafkalog.TopicSpec{Name: topic, Partitions: 3})
	if !errors.Is(err, kafka.InvalidReplicationFactor) || !strings.Contains(err.Error(), impossible.Name) || kafkalog.IsRetriable(err) {
		t.Errorf("more replicas than brokers: %v", err)
	}
	if err := client.Preflight(t.Context()); err != nil {
		t.Errorf("preflight: %v", err)
	}
}
