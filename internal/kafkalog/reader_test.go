package kafkalog_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog/internal/batchtest"
)

// answerFetches makes the cluster answer each fetch with the next of the given
// record batches, and as usual when they are used up.
func answerFetches(cluster *kfake.Cluster, end int64, answers ...[]byte) {
	var mu sync.Mutex
	cluster.ControlKey(int16(kmsg.Fetch), func(request kmsg.Request) (kmsg.Response, error, bool) {
		mu.Lock()
		defer mu.Unlock()
		if len(answers) == 0 {
			return nil, nil, false
		}
		cluster.KeepControl()
		asked := request.(*kmsg.FetchRequest).Topics[0]
		partition := kmsg.NewFetchResponseTopicPartition()
		partition.Partition = asked.Partitions[0].Partition
		partition.RecordBatches = answers[0]
		partition.HighWatermark, partition.LastStableOffset, partition.LogStartOffset = end, end, 0
		answers = answers[1:]
		topic := kmsg.NewFetchResponseTopic()
		topic.Topic = asked.Topic
		topic.Partitions = append(topic.Partitions, partition)
		response := request.ResponseKind().(*kmsg.FetchResponse)
		response.Topics = append(response.Topics, topic)
		return response, nil, true
	})
}

// TestEmptyBatchesDoNotStick: on a fetch that holds only a batch that compaction
// has emptied, kafka-go's Reader and its Client.Fetch stay at one offset for ever.
func TestEmptyBatchesDoNotStick(t *testing.T) {
	t.Parallel()
	cluster := startKfake(t, kfake.SeedTopics(1, "topic"))
	client := open(t, cluster.ListenAddrs())
	answerFetches(cluster, 30, batchtest.Batch{LastDelta: 9}.Encode(), batchtest.Batch{First: 10, LastDelta: 19}.Encode())
	reader := client.NewPartitionReader("topic", 0, 0, kafkalog.ReadConfig{})
	for _, want := range []int64{10, 30} {
		batch, err := next(t, reader)
		if err != nil || len(batch.Records) != 0 || batch.Next != want || batch.HighWatermark != 30 {
			t.Fatalf("got %+v, %v; want no record, and next %d", batch, err, want)
		}
		batch.Release()
	}
}

func TestCorruptBatchIsNamed(t *testing.T) {
	t.Parallel()
	cluster := startKfake(t, kfake.SeedTopics(1, "topic"))
	client := open(t, cluster.ListenAddrs())
	produce(t, franz(t, cluster.ListenAddrs()), "topic", 0, numbered("r", 4)...)
	sound := batchtest.Batch{Records: []batchtest.Record{{Value: []byte("r-0")}}}.Encode()
	broken := batchtest.Batch{First: 1, Records: []batchtest.Record{{}, {Delta: 1}}}.Encode()
	broken[len(broken)-1] ^= 1
	answerFetches(cluster, 4, append(sound, broken...))

	reader := client.NewPartitionReader("topic", 0, 0, kafkalog.ReadConfig{})
	batch, err := next(t, reader)
	if err != nil || len(batch.Records) != 1 || batch.Next != 1 {
		t.Fatalf("got %+v, %v; want the sound batch first", batch, err)
	}
	batch.Release()
	_, err = next(t, reader)
	corrupt := asError[*kafkalog.CorruptBatchError](t, err)
	if corrupt.Topic != "topic" || corrupt.Partition != 0 || corrupt.First != 1 || corrupt.Last != 2 || corrupt.Err == nil || kafkalog.IsRetriable(err) {
		t.Errorf("got %+v", corrupt)
	}
	// The broker has the batch whole: the reader asks for it again.
	if diff := cmp.Diff([]string{"r-1", "r-2", "r-3"}, values(readTo(t, reader, 4))); diff != "" {
		t.Errorf("afterwards (-want +got):\n%s", diff)
	}
}

func TestMovedLeaderIsFound(t *testing.T) {
	t.Parallel()
	cluster := startKfake(t, kfake.NumBrokers(3), kfake.SeedTopics(1, "topic"))
	client := open(t, cluster.ListenAddrs())
	producer := franz(t, cluster.ListenAddrs())
	reader := client.NewPartitionReader("topic", 0, 0, kafkalog.ReadConfig{})
	moved := 0
	for round := range 6 {
		if err := cluster.MoveTopicPartition("topic", 0, int32(round%3)); err != nil {
			t.Fatal(err)
		}
		want := numbered(fmt.Sprintf("round %d", round), 3)
		produce(t, producer, "topic", 0, want...)
		var got []string
		for len(got) < 3 {
			batch, err := reader.Next(t.Context())
			if err != nil {
				if !kafkalog.IsRetriable(err) {
					t.Fatalf("round %d: %v", round, err)
				}
				moved++
				continue
			}
			got = append(got, values(batch.Records)...)
			batch.Release()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("round %d (-written +read):\n%s", round, diff)
		}
	}
	if moved == 0 {
		t.Error("no fetch met the former leader: this tests nothing")
	}
}

func TestErrorsOfBrokers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		fault     *kerr.Error
		want      error
		retriable bool
	}{
		{kerr.NotLeaderForPartition, kafka.NotLeaderForPartition, true},
		{kerr.KafkaStorageError, kafka.KafkaStorageError, true},
		{kerr.UnknownServerError, kafka.Unknown, true},
		{kerr.UnknownTopicOrPartition, kafkalog.ErrUnknownTopic, true}, // metadata may lag
		{kerr.TopicAuthorizationFailed, kafka.TopicAuthorizationFailed, false},
	} {
		t.Run(test.fault.Message, func(t *testing.T) {
			t.Parallel()
			cluster := startKfake(t, kfake.SeedTopics(1, "topic"))
			client := open(t, cluster.ListenAddrs())
			produce(t, franz(t, cluster.ListenAddrs()), "topic", 0, "a")
			cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: test.fault})
			reader := client.NewPartitionReader("topic", 0, 0, kafkalog.ReadConfig{})
			if _, err := reader.Next(t.Context()); !errors.Is(err, test.want) || kafkalog.IsRetriable(err) != test.retriable {
				t.Errorf("got %v, retriable %v; want %v, %v", err, kafkalog.IsRetriable(err), test.want, test.retriable)
			}
			if got := readTo(t, reader, 1); len(got) != 1 {
				t.Errorf("afterwards got %d records, want 1", len(got))
			}
		})
	}
}

func TestOffsetThatIsBackInRangeIsAskedForAgain(t *testing.T) {
	t.Parallel()
	cluster := startKfake(t, kfake.SeedTopics(1, "topic"))
	client := open(t, cluster.ListenAddrs())
	produce(t, franz(t, cluster.ListenAddrs()), "topic", 0, "a")
	cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.OffsetOutOfRange})
	reader := client.NewPartitionReader("topic", 0, 0, kafkalog.ReadConfig{})
	if _, err := reader.Next(t.Context()); !kafkalog.IsRetriable(err) {
		t.Errorf("got %v; want a retriable error, for the log holds the offset", err)
	}
	if got := readTo(t, reader, 1); len(got) != 1 {
		t.Errorf("afterwards got %d records, want 1", len(got))
	}
}

func TestLargeResponseIsRefused(t *testing.T) {
	t.Parallel()
	cluster := startKfake(t, kfake.SeedTopics(1, "topic"))
	client := open(t, cluster.ListenAddrs(), func(c *kafkalog.Config) { c.MaxResponseBytes = 10_000 })
	produce(t, franz(t, cluster.ListenAddrs(), kgo.ProducerBatchCompression(kgo.NoCompression())), "topic", 0, string(make([]byte, 20_000)))
	_, err := next(t, client.NewPartitionReader("topic", 0, 0, kafkalog.ReadConfig{}))
	if !errors.Is(err, kafkalog.ErrResponseTooLarge) {
		t.Errorf("got %v", err)
	}
	if _, err := client.Offsets(t.Context(), "topic", 0); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestOldBrokerIsNamed(t *testing.T) {
	t.Parallel()
	cluster := startKfake(t, kfake.SeedTopics(1, "topic"), kfake.MaxVersions(kversion.V2_0_0()))
	client := open(t, cluster.ListenAddrs())
	_, err := next(t, client.NewPartitionReader("topic", 0, 0, kafkalog.ReadConfig{}))
	if !errors.Is(err, kafkalog.ErrBrokerTooOld) {
		t.Errorf("got %v", err)
	}
}

func TestSilentBrokerMeetsTheDeadline(t *testing.T) {
	t.Parallel()
	silent := []string{listen(t).Addr().String()}
	within := func(limit time.Duration) *kafkalog.Client {
		return open(t, silent, func(c *kafkalog.Config) { c.DialTimeout, c.RequestTimeout = limit, limit })
	}
	_, err := within(50*time.Millisecond).NewPartitionReader("topic", 0, 0, kafkalog.ReadConfig{MaxWait: time.Millisecond}).Next(t.Context())
	if !errors.Is(err, context.DeadlineExceeded) || !kafkalog.IsRetriable(err) {
		t.Errorf("fetch: got %v, want an exceeded deadline, retriable", err)
	}
	// This one must have the time to connect.
	failed := asError[*kafkalog.PreflightError](t, within(2*time.Second).Preflight(t.Context()))
	if failed.Stage != kafkalog.StageProtocol {
		t.Errorf("preflight failed at %s, want %s", failed.Stage, kafkalog.StageProtocol)
	}
}

// TestUnreachableBrokersAreNamedInTheEnd has deadlines pass at every moment of
// the wait for a broker, also while it is looked whether one is known.
func TestUnreachableBrokersAreNamedInTheEnd(t *testing.T) {
	t.Parallel()
	client := open(t, []string{unusedAddress(t)}, func(c *kafkalog.Config) { c.RequestTimeout = 5 * time.Second })
	named := func(ctx context.Context) {
		_, err := client.Offsets(ctx, "topic", 0)
		if err == nil || !strings.Contains(err.Error(), "refused") || !kafkalog.IsRetriable(err) {
			t.Errorf("got %v, want the cause, retriable", err)
		}
	}
	named(t.Context()) // from here on the cause is known at once
	var asking sync.WaitGroup
	for i := range 200 {
		asking.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second+time.Duration(i)*200*time.Microsecond)
			defer cancel()
			named(ctx)
		})
	}
	asking.Wait()
}

// It is said when a broker answers, and names no brokers, not even itself.
func TestNoBrokersInTheClusterAreNamed(t *testing.T) {
	t.Parallel()
	cluster := startKfake(t)
	cluster.ControlKey(int16(kmsg.Metadata), func(request kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		return request.ResponseKind(), nil, true
	})
	client := open(t, cluster.ListenAddrs(), func(c *kafkalog.Config) { c.RequestTimeout = 5 * time.Second })
	if _, err := client.Offsets(t.Context(), "topic", 0); err == nil || !strings.Contains(err.Error(), "no broker is known yet") || !kafkalog.IsRetriable(err) {
		t.Errorf("got %v, want that no broker is known, retriable", err)
	}
}

// TestReadersShareNoBuffer has two readers of one client take turns, each of
// them with a response half read while the other fetches.
func TestReadersShareNoBuffer(t *testing.T) {
	t.Parallel()
	cluster := startKfake(t)
	client := open(t, cluster.ListenAddrs())
	const each = 100
	topic := newTopic(t, client, 2)
	producer := franz(t, cluster.ListenAddrs())
	var readers [2]*kafkalog.PartitionReader
	for p := range int32(2) {
		for _, value := range numbered(fmt.Sprintf("partition %d", p), each) { // a batch each
			produce(t, producer, topic, p, value)
		}
		readers[p] = client.NewPartitionReader(topic, p, 0, kafkalog.ReadConfig{BatchRecords: 1, FetchBytes: 1000})
	}
	for i := range each {
		for p, reader := range readers {
			batch, err := next(t, reader)
			if err != nil {
				t.Fatal(err)
			}
			want := []string{fmt.Sprintf("partition %d-%d", p, i)}
			if diff := cmp.Diff(want, values(batch.Records)); diff != "" {
				t.Fatalf("(-written +read):\n%s", diff)
			}
			batch.Release()
		}
	}
}

// TestRecordsLiveUntilRelease reads ahead while earlier batches are still in
// use, as a pipeline does, and cancels fetches in between: no buffer is used
// for two things at a time.
func TestRecordsLiveUntilRelease(t *testing.T) {
	t.Parallel()
	cluster := startKfake(t)
	client := open(t, cluster.ListenAddrs())
	const partitions, each = 3, 300
	topic := newTopic(t, client, partitions)
	for p := range int32(partitions) {
		codecs := []kgo.CompressionCodec{kgo.NoCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()}
		producer := franz(t, cluster.ListenAddrs(), kgo.ProducerBatchCompression(codecs[p]))
		for values := range slices.Chunk(numbered(fmt.Sprintf("partition %d", p), each), 20) { // a batch each
			produce(t, producer, topic, p, values...)
		}
	}
	var wg sync.WaitGroup
	for p := range int32(partitions) {
		wg.Go(func() {
			reader := client.NewPartitionReader(topic, p, 0, kafkalog.ReadConfig{BatchRecords: 3, FetchBytes: 1000})
			var held []*kafkalog.Batch
			seen := 0
			check := func(batch *kafkalog.Batch) {
				for _, r := range batch.Records {
					if want := fmt.Sprintf("partition %d-%d", p, r.Offset); string(r.Value) != want {
						t.Errorf("record is %q, want %q", r.Value, want)
					}
					seen++
				}
				batch.Release()
			}
			for at := int64(0); at < each; {
				cancelled, cancel := context.WithCancel(t.Context())
				go cancel()
				batch, err := reader.Next(cancelled)
				if err != nil {
					if batch, err = next(t, reader); err != nil {
						t.Error(err)
						return
					}
				}
				at = batch.Next
				if held = append(held, batch); len(held) > 3 {
					check(held[0])
					held = held[1:]
				}
			}
			for _, batch := range held {
				check(batch)
			}
			if seen != each {
				t.Errorf("partition %d: saw %d records, want %d", p, seen, each)
			}
		})
	}
	wg.Wait()
}
