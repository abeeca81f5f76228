package kafkalog_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// forward is a handler that tells of its assignment and waits for the end.
func forward(to chan<- kafkalog.Assignment) kafkalog.Handler {
	return func(ctx context.Context, a kafkalog.Assignment) error {
		to <- a
		<-ctx.Done()
		return nil
	}
}

func TestMemberLeavesWhenItStops(t *testing.T) {
	t.Parallel()
	cluster := startKfake(t, kfake.SeedTopics(1, "topic"))
	assigned := make(chan kafkalog.Assignment, 1)
	stop := member(t, open(t, cluster.ListenAddrs()), kafkalog.GroupConfig{ID: "group", Topics: []string{"topic"}}, forward(assigned))
	receive(t, "an assignment", assigned)
	stop()
	if info := cluster.GroupInfo("group"); info != nil && len(info.Members) != 0 {
		t.Errorf("%d members are left in the group", len(info.Members))
	}
}

func TestNilLeavesThePartitionIdle(t *testing.T) {
	t.Parallel()
	cluster := startKfake(t, kfake.SeedTopics(2, "topic"))
	var calls atomic.Int32
	kept := make(chan kafkalog.Assignment, 10)
	member(t, open(t, cluster.ListenAddrs()), kafkalog.GroupConfig{ID: "group", Topics: []string{"topic"}}, func(ctx context.Context, a kafkalog.Assignment) error {
		calls.Add(1)
		if a.Partition == 0 {
			return nil
		}
		return forward(kept)(ctx, a)
	})
	receive(t, "the other partition", kept)
	heartbeats := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Observe: true, Count: -1})
	testenv.Eventually(t, "some heartbeats", func() bool { return heartbeats.Hits() >= 3 })
	if n := calls.Load(); n != 2 {
		t.Errorf("handlers were called %d times, want once for each partition", n)
	}
}

// TestValuesOfTheContextReachTheHandler, such as the logger and the trace.
func TestValuesOfTheContextReachTheHandler(t *testing.T) {
	t.Parallel()
	cluster := startKfake(t, kfake.SeedTopics(1, "topic"))
	group, err := kafkalog.NewGroup(open(t, cluster.ListenAddrs()), kafkalog.GroupConfig{ID: "group", Topics: []string{"topic"}})
	if err != nil {
		t.Fatal(err)
	}
	type key struct{}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
	got, ended := make(chan any, 1), make(chan error, 1)
	go func() {
		ended <- group.Run(ctx, func(ctx context.Context, _ kafkalog.Assignment) error {
			got <- ctx.Value(key{})
			<-ctx.Done()
			return nil
		})
	}()
	if v := receive(t, "the handler", got); v != "value" {
		t.Errorf("value is %v", v)
	}
	cancel()
	if err := receive(t, "the end", ended); err != nil {
		t.Error(err)
	}
}

// TestMissingTopicDoesNotSpin: kafka-go ends a generation at once when a topic
// is missing, and would join the next one without a pause, hundreds of times
// while the requests below are answered.
func TestMissingTopicDoesNotSpin(t *testing.T) {
	t.Parallel()
	cluster := startKfake(t, kfake.SeedTopics(1, "topic"))
	client := open(t, cluster.ListenAddrs())
	joins := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Observe: true, Count: -1})
	ended := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Observe: true, Count: -1})
	stop := member(t, client, kafkalog.GroupConfig{ID: "group", Topics: []string{"missing"}, JoinBackoff: time.Hour}, forward(nil))
	testenv.Eventually(t, "the member has joined", func() bool { return ended.Hits() > 0 })
	before := joins.Hits()
	for range 300 {
		if _, err := client.Offsets(t.Context(), "topic", 0); err != nil {
			t.Fatal(err)
		}
	}
	if after := joins.Hits(); after != before {
		t.Errorf("the member has joined %d times more", after-before)
	}
	stop() // does not wait for the pause
}
