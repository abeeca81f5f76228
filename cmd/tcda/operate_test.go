package main

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

const executions = "test-coordination.executions"

// installation is what an operator works on: real servers, and tcda by its
// command line.
type installation struct {
	testing.TB
	db     *testenv.DB
	kafka  *testenv.KafkaCluster
	redis  *testenv.RedisServer
	store  *pgstore.Store
	env    map[string]string
	write  *kgo.Client
	reader *kafkalog.Client
}

func install(t *testing.T) *installation {
	t.Helper()
	i := &installation{TB: t, db: testenv.Postgres(t), kafka: testenv.Kafka(t), redis: testenv.Redis(t)}
	i.env = map[string]string{
		"TEST_COORDINATOR_ADAPTER_INSTANCE":              "test-1",
		"TEST_COORDINATOR_ADAPTER_POSTGRES_URL":          i.db.URL,
		"TEST_COORDINATOR_ADAPTER_REDIS_URL":             i.redis.URL(),
		"TEST_COORDINATOR_ADAPTER_REDIS_TIMEOUT":         "1m", // nobody makes up for what it does not take before a service stops
		"TEST_COORDINATOR_ADAPTER_REDIS_CONNECT_TIMEOUT": "1m",
		"TEST_COORDINATOR_ADAPTER_KAFKA_BROKERS":         i.kafka.Brokers[0],
		"TEST_COORDINATOR_ADAPTER_KAFKA_FETCH_MAX_WAIT":  "20ms",
		"TEST_COORDINATOR_ADAPTER_RECONCILE_INTERVAL":    "1s",
		"TEST_COORDINATOR_ADAPTER_HTTP_LISTEN":           "127.0.0.1:0",
	}
	i.kafka.CreateTopic(t, "test-coordination.scenarios", 1, nil)
	i.kafka.CreateTopic(t, executions, 1, nil)
	i.write = i.kafka.Client(t)
	var err error
	if i.reader, err = kafkalog.Open(kafkalog.Config{Brokers: i.kafka.Brokers}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.reader.Close)
	if i.store, err = pgstore.Open(t.Context(), pgstore.Config{URL: i.db.URL}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.store.Close)
	return i
}

// tcda runs the program and returns what it printed; it must exit with want.
func (i *installation) tcda(want int, args ...string) (stdout, stderr string) {
	i.Helper()
	var out, err strings.Builder
	code := run(i.Context(), args, i.lookup, console{in: strings.NewReader(""), out: &out, err: &err})
	if code != want {
		i.Fatalf("tcda %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), code, want, &out, &err)
	}
	return out.String(), err.String()
}

func (i *installation) lookup(name string) (string, bool) {
	value, ok := i.env[name]
	return value, ok
}

// object runs the program with --json and reads what it printed.
func object[T any](i *installation, want int, args ...string) T {
	i.Helper()
	stdout, _ := i.tcda(want, append(args, "--json")...)
	var v T
	if err := json.Unmarshal([]byte(stdout), &v); err != nil {
		i.Fatalf("tcda %s --json: %v\n%s", strings.Join(args, " "), err, stdout)
	}
	return v
}

func (i *installation) produce(records ...*kgo.Record) {
	i.Helper()
	for _, r := range records {
		r.Topic = executions
	}
	if err := i.write.ProduceSync(i.Context(), records...).FirstErr(); err != nil {
		i.Fatal(err)
	}
}

// started is a whole event.
func (i *installation) started(id string) *kgo.Record {
	i.Helper()
	record, err := event.Encode(event.Outgoing{
		Source: "/coordinator/a", ID: "start-" + id, Time: time.Now(), Message: &contract.ExecutionStarted{ExecutionId: id},
	}, event.Binary, event.JSON)
	if err != nil {
		i.Fatal(err)
	}
	out := &kgo.Record{Key: record.Key, Value: record.Value}
	for _, h := range record.Headers {
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return out
}

// serve runs tcda serve until all that is in the topic is ingested, or until
// the partition has stopped, and then stops it.
func (i *installation) serve(flags ...string) {
	i.Helper()
	before, _ := i.store.Position(i.Context(), executions, 0) // none yet: epoch 0
	ctx, stop := context.WithCancel(i.Context())
	ended := make(chan int, 1)
	var log syncedBuffer // of many goroutines
	go func() {
		ended <- run(ctx, append([]string{"serve"}, flags...), i.lookup, console{out: io.Discard, err: &log})
	}()
	end := i.end()
	testenv.Eventually(i, "everything is ingested, or the partition has stopped", func() bool {
		at, err := i.store.Position(i.Context(), executions, 0)
		return err == nil && at.Epoch > before.Epoch && (at.Next == end || at.Stopped)
	})
	stop()
	if code := <-ended; code != 0 {
		i.Errorf("serve: exit code %d\n%s", code, &log)
	}
}

// syncedBuffer takes the lines of a log as a terminal does.
type syncedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *syncedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *syncedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// end is the end of the topic's one partition.
func (i *installation) end() int64 {
	i.Helper()
	log, err := i.reader.Offsets(i.Context(), executions, 0)
	if err != nil {
		i.Fatal(err)
	}
	return log.LastStable
}

// deleteRecords removes what lies before an offset, as retention does.
func (i *installation) deleteRecords(before int64) {
	i.Helper()
	request := kmsg.NewPtrDeleteRecordsRequest()
	partition := kmsg.NewDeleteRecordsRequestTopicPartition()
	partition.Offset = before
	topic := kmsg.NewDeleteRecordsRequestTopic()
	topic.Topic, topic.Partitions = executions, append(topic.Partitions, partition)
	request.Topics = append(request.Topics, topic)
	response, err := request.RequestWith(i.Context(), i.write)
	if err != nil || response.Topics[0].Partitions[0].ErrorCode != 0 {
		i.Fatalf("delete records: %+v, %v", response, err)
	}
}

// recreateTopic makes another topic of the same name.
func (i *installation) recreateTopic() {
	i.Helper()
	request := kmsg.NewPtrDeleteTopicsRequest()
	topic := kmsg.NewDeleteTopicsRequestTopic()
	topic.Topic = kmsg.StringPtr(executions)
	request.Topics, request.TopicNames = append(request.Topics, topic), []string{executions}
	response, err := request.RequestWith(i.Context(), i.write)
	if err != nil || response.Topics[0].ErrorCode != 0 {
		i.Fatalf("delete topic: %+v, %v", response, err)
	}
	i.kafka.CreateTopic(i.TB, executions, 1, nil)
	i.write = i.kafka.Client(i.TB) // the former one still asks for the former topic
}

// records are the ids of the quarantined records of a list.
func (i *installation) records(flags ...string) []int64 {
	i.Helper()
	var ids []int64
	for _, r := range object[[]recordLine](i, 0, append([]string{"quarantine", "list"}, flags...)...) {
		ids = append(ids, r.ID)
	}
	return ids
}
