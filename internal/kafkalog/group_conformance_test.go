package kafkalog_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// member runs a group member until the returned function stops it and waits.
func member(t *testing.T, client *kafkalog.Client, config kafkalog.GroupConfig, handle kafkalog.Handler) (stop func()) {
	t.Helper()
	config.SessionTimeout = 6 * time.Second // the least that Apache Kafka allows by default
	config.HeartbeatInterval = 50 * time.Millisecond
	config.JoinBackoff = cmp.Or(config.JoinBackoff, 100*time.Millisecond)
	config.RejoinPause = 10 * time.Millisecond
	group, err := kafkalog.NewGroup(client, config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- group.Run(ctx, handle) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := receive(t, "the member to leave", ended); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// ledger is what the store is in the service: the position of each partition,
// moved by compare-and-set, and what was applied.
type ledger struct {
	mu       sync.Mutex
	position map[int32]int64
	applied  map[int32][]string
	owner    map[int32]string // who handles the partition now
	faults   []string
}

func newLedger() *ledger {
	return &ledger{position: map[int32]int64{}, applied: map[int32][]string{}, owner: map[int32]string{}}
}

func (l *ledger) fault(format string, arguments ...any) {
	l.faults = append(l.faults, fmt.Sprintf(format, arguments...))
}

func (l *ledger) claim(a kafkalog.Assignment) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if other := l.owner[a.Partition]; other != "" {
		l.fault("partition %d is handled by %s and by %s", a.Partition, other, a.MemberID)
	}
	l.owner[a.Partition] = a.MemberID
	return l.position[a.Partition]
}

func (l *ledger) yield(a kafkalog.Assignment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.owner, a.Partition)
}

func (l *ledger) apply(a kafkalog.Assignment, from int64, batch *kafkalog.Batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.position[a.Partition] != from {
		l.fault("partition %d stands at %d, %s has read from %d", a.Partition, l.position[a.Partition], a.MemberID, from)
		return
	}
	l.position[a.Partition] = batch.Next
	l.applied[a.Partition] = append(l.applied[a.Partition], values(batch.Records)...)
}

func (l *ledger) count() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, values := range l.applied {
		n += len(values)
	}
	return n
}

func (l *ledger) owners() (partitions int, members map[string]bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	members = map[string]bool{}
	for _, m := range l.owner {
		members[m] = true
	}
	return len(l.owner), members
}

// handler reads its partition from the ledger's position on, and applies.
func (l *ledger) handler(client *kafkalog.Client) kafkalog.Handler {
	return func(ctx context.Context, a kafkalog.Assignment) error {
		from := l.claim(a)
		defer l.yield(a)
		reader := client.NewPartitionReader(a.Topic, a.Partition, from, kafkalog.ReadConfig{BatchRecords: 7, MaxWait: 20 * time.Millisecond})
		for {
			batch, err := reader.Next(ctx)
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case kafkalog.IsRetriable(err):
				continue
			case err != nil:
				return err
			}
			l.apply(a, from, batch)
			from = batch.Next
			batch.Release()
		}
	}
}

// testRebalances lets members come and go while records are written. Every
// record is applied once and in order, and no partition is in two hands.
func testRebalances(t *testing.T, brokers []string) {
	const partitions, rounds, each = 4, 4, 100
	client := open(t, brokers)
	topic := newTopic(t, client, partitions)
	producer := franz(t, brokers)
	config := kafkalog.GroupConfig{ID: "group-" + topic, Topics: []string{topic}}
	l := newLedger()
	want := map[int32][]string{}
	write := func(round int) {
		for p := range int32(partitions) {
			vs := numbered(fmt.Sprintf("round %d", round), each)
			want[p] = append(want[p], vs...)
			produce(t, producer, topic, p, vs...)
		}
	}
	settled := func(members int) func() bool {
		return func() bool {
			owned, by := l.owners()
			return owned == partitions && len(by) == members
		}
	}

	write(0)
	stopFirst := member(t, client, config, l.handler(client))
	testenv.Eventually(t, "one member has all partitions", settled(1))
	stopSecond := member(t, open(t, brokers), config, l.handler(client))
	write(1)
	testenv.Eventually(t, "two members share the partitions", settled(2))
	write(2)
	stopFirst()
	write(3)
	testenv.Eventually(t, "everything is applied", func() bool { return l.count() >= partitions*rounds*each })
	stopSecond()

	if len(l.faults) > 0 {
		t.Errorf("faults: %q", l.faults)
	}
	if diff := gocmp.Diff(want, l.applied); diff != "" {
		t.Errorf("(-written +applied):\n%s", diff)
	}
	if owned, _ := l.owners(); owned != 0 {
		t.Errorf("%d partitions are still handled after all members have left", owned)
	}
}

// testZombieCommit: a member whose handler overstays the rebalance is thrown
// out; when it commits at last, an error says so and the group's offset stays.
// With kafka-go's Reader the offset went back, without an error.
func testZombieCommit(t *testing.T, brokers []string) {
	client := open(t, brokers)
	topic := newTopic(t, client, 1)
	config := kafkalog.GroupConfig{ID: "group-" + topic, Topics: []string{topic}, RebalanceTimeout: time.Second}
	zombies := make(chan kafkalog.Assignment, 1)
	wake := make(chan struct{})
	woken := sync.OnceFunc(func() { close(wake) })
	defer woken()
	stopZombie := member(t, client, config, func(ctx context.Context, a kafkalog.Assignment) error {
		select {
		case zombies <- a:
			<-ctx.Done()
			<-wake // far beyond the end of its context
		default:
			<-ctx.Done()
		}
		return nil
	})
	zombie := receive(t, "the first owner", zombies)

	successors := make(chan kafkalog.Assignment, 10)
	stopSuccessor := member(t, open(t, brokers), config, func(ctx context.Context, a kafkalog.Assignment) error {
		successors <- a
		<-ctx.Done()
		return nil
	})
	successor := receive(t, "the second owner", successors)
	if err := successor.Commit(20); err != nil {
		t.Fatal(err)
	}
	if err := zombie.Commit(1); err == nil {
		t.Error("the late commit was accepted")
	}
	woken()
	stopZombie()
	stopSuccessor()

	witnesses := make(chan kafkalog.Assignment, 1)
	member(t, client, config, func(ctx context.Context, a kafkalog.Assignment) error {
		witnesses <- a
		<-ctx.Done()
		return nil
	})
	if got := receive(t, "the third owner", witnesses); got.Committed != 20 {
		t.Errorf("the group's offset is %d, want 20", got.Committed)
	}
}

func testHandlerError(t *testing.T, brokers []string) {
	client := open(t, brokers)
	topic := newTopic(t, client, 2)
	type call struct {
		kafkalog.Assignment
		cause error
	}
	var failed atomic.Bool
	beside := make(chan struct{})
	both := sync.OnceFunc(func() { close(beside) })
	calls, ends := make(chan call, 10), make(chan call, 10)
	stop := member(t, client, kafkalog.GroupConfig{ID: "group-" + topic, Topics: []string{topic}}, func(ctx context.Context, a kafkalog.Assignment) (err error) {
		calls <- call{Assignment: a}
		if a.Partition == 0 {
			select {
			case <-beside: // else the generation may end before the other has begun
				if !failed.Swap(true) {
					err = errors.New("a failure")
				}
			case <-ctx.Done():
			}
		} else {
			both()
		}
		if err == nil {
			<-ctx.Done()
			ends <- call{a, context.Cause(ctx)}
		}
		return err
	})
	generations := map[int32]int{}
	for range 4 {
		generations[receive(t, "a handler", calls).Generation]++
	}
	if len(generations) != 2 {
		t.Errorf("handlers by generation: %v; want both partitions in two generations", generations)
	}
	if end := receive(t, "the end of the other partition", ends); end.Partition != 1 || !errors.Is(end.cause, kafkalog.ErrGenerationEnded) {
		t.Errorf("partition %d ended by %v; want 1 by the end of the generation", end.Partition, end.cause)
	}
	stop()
	for range 2 {
		if end := receive(t, "the end", ends); !errors.Is(end.cause, context.Canceled) || errors.Is(end.cause, kafkalog.ErrGenerationEnded) {
			t.Errorf("partition %d ended by %v; want our own stop", end.Partition, end.cause)
		}
	}
}

func testCommitted(t *testing.T, brokers []string) {
	client := open(t, brokers)
	topic := newTopic(t, client, 1)
	config := kafkalog.GroupConfig{ID: "group-" + topic, Topics: []string{topic}}
	for _, want := range []int64{kafkalog.NotCommitted, 5, 3} { // 3: it may also go back
		assigned := make(chan kafkalog.Assignment, 1)
		stop := member(t, client, config, func(ctx context.Context, a kafkalog.Assignment) error {
			assigned <- a
			<-ctx.Done()
			if want == 3 {
				return nil
			}
			// A commit after the context's end is still of this generation.
			return a.Commit(map[int64]int64{kafkalog.NotCommitted: 5, 5: 3}[want])
		})
		if a := receive(t, "the assignment", assigned); a.Committed != want || a.Topic != topic || a.Partition != 0 || a.MemberID == "" {
			t.Errorf("assignment is %+v, want committed offset %d", a, want)
		}
		stop()
	}
}
