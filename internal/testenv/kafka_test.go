package testenv_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// TestBrokerKeepsRecordsInOrder runs on Apache Kafka under "make test-kafka".
func TestBrokerKeepsRecordsInOrder(t *testing.T) {
	t.Parallel()
	cluster := testenv.Broker(t)
	topic := testenv.UniqueName("records")
	cluster.CreateTopic(t, topic, 1, map[string]string{"cleanup.policy": "compact"})

	producer := cluster.Client(t, kgo.DefaultProduceTopic(topic))
	const records = 100
	for i := range records {
		key := []byte(fmt.Sprint(i))
		if err := producer.ProduceSync(t.Context(), &kgo.Record{Key: key, Value: key}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	consumer := cluster.Client(t, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	next := int64(0)
	for next < records {
		fetches := consumer.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset != next || string(r.Value) != fmt.Sprint(next) {
				t.Errorf("offset %d holds %q, want offset %d", r.Offset, r.Value, next)
			}
			next++
		})
	}
}

// TestBrokerAllowsShortSessions: tests of rebalances cannot wait for the usual
// six seconds.
func TestBrokerAllowsShortSessions(t *testing.T) {
	t.Parallel()
	cluster := testenv.Broker(t)
	topic := testenv.UniqueName("sessions")
	cluster.CreateTopic(t, topic, 1, nil)
	if err := cluster.Client(t).ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("x")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	member := cluster.Client(t, kgo.ConsumeTopics(topic), kgo.ConsumerGroup(testenv.UniqueName("group")),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(500*time.Millisecond), kgo.HeartbeatInterval(100*time.Millisecond))
	ctx, cancel := context.WithTimeout(t.Context(), testenv.Patience)
	defer cancel()
	var fetches kgo.Fetches
	for {
		fetches = member.PollFetches(ctx)
		err := fetches.Err()
		if lost := (*kgo.ErrGroupSession)(nil); errors.As(err, &lost) && !errors.Is(err, kerr.InvalidSessionTimeout) && fetches.NumRecords() == 0 {
			continue // a busy machine has kept it from its heartbeats
		}
		if err != nil && fetches.NumRecords() == 0 {
			t.Fatal(err)
		}
		break
	}
	if n := fetches.NumRecords(); n != 1 {
		t.Errorf("fetched %d records, want 1", n)
	}
}

func TestKafkaOfEachTestIsItsOwn(t *testing.T) {
	t.Parallel()
	first, second := testenv.Kafka(t), testenv.Kafka(t)
	first.CreateTopic(t, "topic", 3, nil)
	if got := len(first.Fake.PartitionInfos("topic")); got != 3 {
		t.Errorf("%d partitions, want 3", got)
	}
	if second.Fake.TopicInfo("topic") != nil {
		t.Error("the other cluster has the topic, too")
	}
}
