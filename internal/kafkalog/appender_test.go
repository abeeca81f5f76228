package kafkalog_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// appender makes one for a topic of the test, and the client of both.
func appender(t testing.TB, brokers []string, partitions int32, settings ...string) (*kafkalog.Appender, string) {
	t.Helper()
	topic := newTopic(t, open(t, brokers), partitions, settings...)
	return kafkalog.NewAppender(open(t, brokers, func(c *kafkalog.Config) { c.Topics = []string{topic}; c.RequestTimeout = 3 * time.Second })), topic
}

// A key goes where Java's clients would put it, records of one partition keep their
// order, and each is where it is said to be; those without a key are spread.
func TestAppend(t *testing.T) {
	t.Parallel()
	brokers := testenv.Broker(t).Brokers
	a, topic := appender(t, brokers, 5)
	var records []kafkarecord.Record
	for i := range 500 {
		r := kafkarecord.Record{Key: fmt.Appendf(nil, "exec-%d", i%37), Value: fmt.Appendf(nil, "%d", i), Headers: []kafkarecord.Header{{Key: "n", Value: []byte("1")}, {Key: "none"}}}
		switch i % 50 {
		case 7:
			r.Key = nil
		case 8:
			r.Key = []byte{}
		case 9:
			r.Value = []byte(strings.Repeat("x", 200_000)) // several requests
		}
		records = append(records, r)
	}
	appended := a.Append(t.Context(), topic, records)
	type place struct {
		partition int32
		offset    int64
	}
	said, keyless := map[place]int{}, map[int32]bool{}
	last := map[int32]int64{}
	java := kgo.StickyKeyPartitioner(nil).ForTopic(topic)
	for i, at := range appended {
		if at.Err != nil {
			t.Fatalf("record %d: %v", i, at.Err)
		}
		if before, ok := last[at.Partition]; ok && at.Offset <= before {
			t.Errorf("record %d is at offset %d of partition %d, one before it at %d", i, at.Offset, at.Partition, before)
		}
		last[at.Partition] = at.Offset
		said[place{at.Partition, at.Offset}] = i
		if records[i].Key == nil {
			keyless[at.Partition] = true
		} else if want := java.Partition(&kgo.Record{Key: records[i].Key}, 5); int(at.Partition) != want {
			t.Errorf("key %q is in partition %d, want %d", records[i].Key, at.Partition, want)
		}
	}
	if len(keyless) < 2 {
		t.Errorf("records without a key are all in %v", keyless)
	}
	reader := franz(t, brokers, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	for n := 0; n < len(records); {
		fetches := reader.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		for _, r := range fetches.Records() {
			n++
			i, ok := said[place{r.Partition, r.Offset}]
			if !ok || string(r.Value) != string(records[i].Value) || string(r.Key) != string(records[i].Key) || len(r.Headers) != 2 {
				t.Errorf("record %d/%d is not what was said to be there", r.Partition, r.Offset)
			}
		}
	}
}

// A record that the broker refuses does not fail those beside it.
func TestAppendOfARefusedRecord(t *testing.T) {
	t.Parallel()
	a, topic := appender(t, testenv.Broker(t).Brokers, 1, "max.message.bytes", "4096")
	small := func(n int) kafkarecord.Record {
		return kafkarecord.Record{Key: fmt.Appendf(nil, "%d", n), Value: []byte("x")}
	}
	large := kafkarecord.Record{Key: []byte("large"), Value: []byte(strings.Repeat("x", 10_000))}
	appended := a.Append(t.Context(), topic, []kafkarecord.Record{small(0), large, small(2), large, small(4)})
	next := int64(0)
	for i, at := range appended {
		if i == 1 || i == 3 {
			if !kafkalog.RefusesRecord(at.Err) {
				t.Errorf("large record: %v", at.Err)
			}
			continue
		}
		if at.Err != nil || at.Offset != next {
			t.Errorf("record %d is at %d, %v; want %d", i, at.Offset, at.Err, next)
		}
		next++
	}
	// Together they are too large, each for itself is not.
	var many []kafkarecord.Record
	for n := range 10 {
		r := small(n)
		r.Value = []byte(strings.Repeat("x", 1000))
		many = append(many, r)
	}
	for i, at := range a.Append(t.Context(), topic, many) {
		if at.Err != nil || at.Offset != next+int64(i) {
			t.Errorf("record %d of many is at %d, %v; want %d", i, at.Offset, at.Err, next+int64(i))
		}
	}
}

// What is wrong with a topic is no record's fault.
func TestAppendToNowhere(t *testing.T) {
	t.Parallel()
	brokers := testenv.Broker(t).Brokers
	missing := testenv.UniqueName("missing")
	a := kafkalog.NewAppender(open(t, brokers, func(c *kafkalog.Config) { c.Topics = []string{missing}; c.RequestTimeout = 3 * time.Second }))
	at := a.Append(t.Context(), missing, make([]kafkarecord.Record, 2))
	for _, one := range at {
		if !errors.Is(one.Err, kafkalog.ErrUnknownTopic) || kafkalog.RefusesRecord(one.Err) {
			t.Errorf("error is %v", one.Err)
		}
	}
	if len(at) != 2 {
		t.Errorf("%d answers for 2 records", len(at))
	}
}

func TestRefusesRecord(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		kafka.MessageSizeTooLarge: true, kafka.RecordListTooLarge: true, kafka.InvalidRecord: true, kafka.InvalidTimestamp: true, kafka.PolicyViolation: true,
		kafka.TopicAuthorizationFailed: false, kafka.UnknownTopicOrPartition: false, kafka.NotEnoughReplicas: false, kafka.RequestTimedOut: false,
		kafka.InvalidTopic: false, kafka.LeaderNotAvailable: false, errors.New("connection lost"): false,
	} {
		if got := kafkalog.RefusesRecord(fmt.Errorf("produce: %w", err)); got != want {
			t.Errorf("%v: %t, want %t", err, got, want)
		}
	}
	if kafkalog.RefusesRecord(nil) {
		t.Error("no error refuses a record")
	}
}
