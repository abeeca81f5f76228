package coordsim_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

const partitions = 3

func newProducer(t testing.TB, with ...func(*coordsim.ProducerConfig)) (*coordsim.Producer, coordsim.Topics, *testenv.KafkaCluster) {
	t.Helper()
	broker := testenv.Broker(t)
	topics := coordsim.Topics{Executions: testenv.UniqueName("executions"), Scenarios: testenv.UniqueName("scenarios")}
	broker.CreateTopic(t, topics.Executions, partitions, nil)
	broker.CreateTopic(t, topics.Scenarios, partitions, nil)
	config := coordsim.ProducerConfig{Brokers: broker.Brokers, Topics: topics}
	for _, set := range with {
		set(&config)
	}
	p, err := coordsim.NewProducer(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p, topics, broker
}

// What is acknowledged lies where the producer says, in the order of the
// records, and where a Java client would have put it.
func TestSend(t *testing.T) {
	t.Parallel()
	producer, topics, broker := newProducer(t)
	sim := simulate(t, coordsim.Options{LongUpdates: 200})
	all := map[coordsim.Address]coordsim.Record{}
	var order []coordsim.Identity
	err := producer.Send(t.Context(), sim.Records(), 0, func(r *coordsim.Record, at coordsim.Address) error {
		all[at] = *r
		order = append(order, r.Identity)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := collect(t, sim)
	if len(all) != len(want) {
		t.Fatalf("%d records acknowledged at different addresses, want %d", len(all), len(want))
	}

	consumer := broker.Client(t, kgo.ConsumeTopics(topics.Executions, topics.Scenarios))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	java := kafka.Murmur2Balancer{Consistent: true}
	for read := 0; read < len(want); {
		fetched := consumer.PollFetches(ctx)
		if err := fetched.Err(); err != nil {
			t.Fatal(err)
		}
		fetched.EachRecord(func(got *kgo.Record) {
			read++
			r, known := all[coordsim.Address{Topic: got.Topic, Partition: got.Partition, Offset: got.Offset}]
			if !known || !slices.Equal(got.Key, r.Key) || !slices.Equal(got.Value, r.Value) || (got.Value == nil) != (r.Value == nil) {
				t.Errorf("%s/%d offset %d holds another record than was acknowledged", got.Topic, got.Partition, got.Offset)
			}
			if r.Key != nil {
				if p := java.Balance(kafka.Message{Key: r.Key}, 0, 1, 2); int32(p) != got.Partition { //nolint:gosec // of three
					t.Errorf("key %q is in partition %d, Java puts it into %d", r.Key, got.Partition, p)
				}
			}
		})
	}

	// Per partition, acknowledgements come in the order of sending.
	for _, subject := range []string{"exec-stablecoin-depeg-001", "exec-market-disruption-001"} {
		var inOrder, acknowledged []string
		for _, r := range want {
			if r.Subject == subject {
				inOrder = append(inOrder, r.ID)
			}
		}
		for _, s := range order {
			if s.Subject == subject {
				acknowledged = append(acknowledged, s.ID)
			}
		}
		if diff := cmp.Diff(inOrder, acknowledged); diff != "" {
			t.Errorf("order of %s (-sent +acknowledged):\n%s", subject, diff)
		}
		if len(acknowledged) == 0 {
			t.Errorf("nothing of %s was sent", subject)
		}
	}
}

func TestSendEndsWithTheFirstError(t *testing.T) {
	t.Parallel()
	producer, _, _ := newProducer(t)
	full := errors.New("the disk is full")
	err := producer.Send(t.Context(), simulate(t, coordsim.Options{}).Records(), 0, func(*coordsim.Record, coordsim.Address) error { return full })
	if !errors.Is(err, full) {
		t.Errorf("error %v, want %v", err, full)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	err = producer.Send(ended, simulate(t, coordsim.Options{}).Records(), 0, func(*coordsim.Record, coordsim.Address) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

// Of a transaction that is committed all is there, of one that is aborted
// nothing; whoever takes over from a producer that left one open ends it.
func TestTransact(t *testing.T) {
	t.Parallel()
	_, topics, broker := newProducer(t)
	config := coordsim.ProducerConfig{Brokers: broker.Brokers, Topics: topics, Compression: "lz4", Transactional: testenv.UniqueName("transactions"), Patient: true}
	producer, err := coordsim.NewProducer(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(producer.Close)
	records := firstOf(t, coordsim.Storm{Seed: 1, Instance: "t1", Start: start}, 60)
	acknowledged := map[coordsim.Address]bool{}
	note := func(_ *coordsim.Record, at coordsim.Address) error {
		acknowledged[at] = true
		return nil
	}
	for i, commit := range []bool{true, false, true} {
		if err := producer.Transact(t.Context(), records[20*i:20*(i+1)], commit, note); err != nil {
			t.Fatal(err)
		}
	}
	if len(acknowledged) != 40 {
		t.Fatalf("%d records acknowledged, want 40", len(acknowledged))
	}
	if err := producer.TakeOver(t.Context()); err != nil {
		t.Fatal(err)
	}
	consumer := broker.Client(t, kgo.ConsumeTopics(topics.Executions, topics.Scenarios), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for read := 0; read < len(acknowledged); {
		fetched := consumer.PollFetches(ctx)
		if err := fetched.Err(); err != nil {
			t.Fatal(err)
		}
		fetched.EachRecord(func(got *kgo.Record) {
			read++
			if !acknowledged[coordsim.Address{Topic: got.Topic, Partition: got.Partition, Offset: got.Offset}] {
				t.Errorf("%s/%d offset %d was not acknowledged", got.Topic, got.Partition, got.Offset)
			}
		})
	}
}

// A record that is spread goes as many partitions beside that of its key.
func TestSpreadRecordsGoToAnotherPartition(t *testing.T) {
	t.Parallel()
	producer, _, _ := newProducer(t)
	all := firstOf(t, coordsim.Storm{Seed: 1, Instance: "t1", Start: start}, 1)
	at := map[int]int32{}
	for spread := range 2 * partitions {
		r := all[0]
		r.Spread = spread
		one := func(yield func(coordsim.Record, error) bool) { yield(r, nil) }
		err := producer.Send(t.Context(), one, 0, func(_ *coordsim.Record, a coordsim.Address) error {
			at[spread] = a.Partition
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for spread, partition := range at {
		if want := (at[0] + int32(spread)) % partitions; partition != want { //nolint:gosec // of three
			t.Errorf("spread %d goes to partition %d, want %d", spread, partition, want)
		}
	}
}
