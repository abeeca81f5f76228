package kafkalog_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		// An Apache Kafka of the tests runs until the process ends.
		apache := goleak.IgnoreAnyFunction("github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/childproc.(*Process).run")
		err := goleak.Find(apache)
		for limit := time.Now().Add(time.Minute); err != nil && time.Now().Before(limit); { // each looks for half a second
			err = goleak.Find(apache)
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "goroutines are left: %v\n", err)
			code = 1
		}
	}
	os.Exit(code)
}

// startKfake starts a cluster in this process, with sessions as short as the
// tests like.
func startKfake(t testing.TB, options ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	options = append([]kfake.Opt{kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(100 * time.Millisecond)}, options...)
	cluster, err := kfake.NewCluster(options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster
}

func open(t testing.TB, brokers []string, edit ...func(*kafkalog.Config)) *kafkalog.Client {
	t.Helper()
	config := kafkalog.Config{Brokers: brokers, ClientID: "test", MetadataAge: 500 * time.Millisecond}
	for _, e := range edit {
		e(&config)
	}
	client, err := kafkalog.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// franz opens an independent client, to write and to administer with.
func franz(t testing.TB, brokers []string, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(brokers...),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(0),
	}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// newTopic makes a topic of its own for the test.
func newTopic(t testing.TB, client *kafkalog.Client, partitions int32, settings ...string) string {
	t.Helper()
	spec := kafkalog.TopicSpec{Name: "test-" + rand.Text(), Partitions: partitions, Settings: map[string]string{}}
	for i := 0; i < len(settings); i += 2 {
		spec.Settings[settings[i]] = settings[i+1]
	}
	if err := client.EnsureTopics(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	return spec.Name
}

func produce(t testing.TB, client *kgo.Client, topic string, partition int32, values ...string) {
	t.Helper()
	var records []*kgo.Record
	for _, v := range values {
		records = append(records, &kgo.Record{Topic: topic, Partition: partition, Value: []byte(v)})
	}
	produceRecords(t, client, records...)
}

func produceRecords(t testing.TB, client *kgo.Client, records ...*kgo.Record) {
	t.Helper()
	if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// produceBatch writes an encoded batch as it is.
func produceBatch(t testing.TB, client *kafkalog.Client, franz *kgo.Client, topic string, batch []byte) {
	t.Helper()
	described, err := client.Topic(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	partition := kmsg.NewProduceRequestTopicPartition()
	partition.Records = batch
	asked := kmsg.NewProduceRequestTopic()
	asked.Topic, asked.TopicID = topic, described.ID
	asked.Partitions = append(asked.Partitions, partition)
	request := kmsg.NewPtrProduceRequest()
	request.Acks, request.TimeoutMillis = -1, 60_000
	request.Topics = append(request.Topics, asked)
	response, err := franz.DiscoveredBrokers()[0].Request(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	answer := response.(*kmsg.ProduceResponse).Topics[0].Partitions[0]
	if answer.ErrorCode != 0 {
		t.Fatalf("produce batch: error code %d: %v", answer.ErrorCode, answer.ErrorMessage)
	}
}

func deleteRecords(t testing.TB, client *kgo.Client, topic string, before int64) {
	t.Helper()
	partition := kmsg.NewDeleteRecordsRequestTopicPartition()
	partition.Offset = before
	asked := kmsg.NewDeleteRecordsRequestTopic()
	asked.Topic = topic
	asked.Partitions = append(asked.Partitions, partition)
	request := kmsg.NewPtrDeleteRecordsRequest()
	request.Topics = append(request.Topics, asked)
	request.TimeoutMillis = 10_000
	response, err := request.RequestWith(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	if code := response.Topics[0].Partitions[0].ErrorCode; code != 0 {
		t.Fatalf("delete records: error code %d", code)
	}
}

func deleteTopic(t testing.TB, client *kgo.Client, topic string) {
	t.Helper()
	asked := kmsg.NewDeleteTopicsRequestTopic()
	asked.Topic = &topic
	request := kmsg.NewPtrDeleteTopicsRequest()
	request.Topics, request.TopicNames = append(request.Topics, asked), []string{topic}
	request.TimeoutMillis = 10_000
	response, err := request.RequestWith(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	if code := response.Topics[0].ErrorCode; code != 0 {
		t.Fatalf("delete topic: error code %d", code)
	}
}

// next reads one batch, trying again what may be tried again.
func next(t testing.TB, reader *kafkalog.PartitionReader) (*kafkalog.Batch, error) {
	t.Helper()
	for {
		batch, err := reader.Next(t.Context())
		if err == nil || !kafkalog.IsRetriable(err) || t.Context().Err() != nil {
			return batch, err
		}
	}
}

// readTo reads up to an offset and returns copies of the records.
func readTo(t testing.TB, reader *kafkalog.PartitionReader, end int64) []kafkarecord.Record {
	t.Helper()
	var records []kafkarecord.Record
	for {
		batch, err := next(t, reader)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range batch.Records {
			r.Key, r.Value = bytes.Clone(r.Key), bytes.Clone(r.Value)
			var headers []kafkarecord.Header
			for _, h := range r.Headers {
				headers = append(headers, kafkarecord.Header{Key: h.Key, Value: bytes.Clone(h.Value)})
			}
			r.Headers = headers
			records = append(records, r)
		}
		reached := batch.Next
		batch.Release()
		if reached >= end {
			return records
		}
	}
}

func values(records []kafkarecord.Record) []string {
	var vs []string
	for _, r := range records {
		vs = append(vs, string(r.Value))
	}
	return vs
}

func numbered(prefix string, n int) []string {
	var vs []string
	for i := range n {
		vs = append(vs, fmt.Sprintf("%s-%d", prefix, i))
	}
	return vs
}

func endOf(t testing.TB, client *kafkalog.Client, topic string) int64 {
	t.Helper()
	offsets, err := client.Offsets(t.Context(), topic, 0)
	if err != nil {
		t.Fatal(err)
	}
	return offsets.End
}

func receive[T any](t testing.TB, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(testenv.Patience):
		t.Fatalf("gave up waiting for %s", what)
		panic("unreachable")
	}
}

func asError[E error](t testing.TB, err error) E {
	t.Helper()
	var target E
	if !errors.As(err, &target) {
		t.Fatalf("error is %v (%T), want a %T", err, err, target)
	}
	return target
}
