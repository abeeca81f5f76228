package testenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// OwnBroker is a cluster of the kind that Broker gives, but with so many
// brokers and for this test alone, which may move its leaders and restart its
// brokers. Partitions lie on two brokers, where there are two.
func OwnBroker(t testing.TB, brokers int) *KafkaCluster {
	t.Helper()
	if onApache(t) {
		return ownApacheKafka(t, brokers)
	}
	return ownFake(t, brokers)
}

// owned is what can be done to a cluster of the test's own.
type owned interface {
	// restart ends a broker, in order or by SIGKILL, and starts it again.
	restart(ctx context.Context, broker int32, crash bool) error
	// moveLeader makes another broker the leader of a partition.
	moveLeader(ctx context.Context, topic string, partition int32) error
}

// Restart stops the broker of an id in order, starts it again and returns when it serves.
// The brokers of an in-process cluster are one: all of them are restarted.
func (k *KafkaCluster) Restart(t testing.TB, broker int32) {
	t.Helper()
	if err := k.own.restart(t.Context(), broker, false); err != nil {
		t.Fatalf("restart broker %d: %v", broker, err)
	}
}

// Crash is Restart after a SIGKILL. In-process brokers cannot be killed, and
// stop in order.
func (k *KafkaCluster) Crash(t testing.TB, broker int32) {
	t.Helper()
	if err := k.own.restart(t.Context(), broker, true); err != nil {
		t.Fatalf("kill broker %d and restart it: %v", broker, err)
	}
}

// MoveLeader makes another broker the leader of a partition.
func (k *KafkaCluster) MoveLeader(t testing.TB, topic string, partition int32) {
	t.Helper()
	if err := k.own.moveLeader(t.Context(), topic, partition); err != nil {
		t.Fatalf("move the leader of %s/%d: %v", topic, partition, err)
	}
}

func ownApacheKafka(t testing.TB, brokers int) *KafkaCluster {
	t.Helper()
	programs, err := ObtainApacheKafka(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := startKafkaNodes(t.Context(), programs, testDir(t, "kafka"), brokers, nil)
	if err != nil {
		t.Fatalf("start Apache Kafka of %d brokers: %v", brokers, err)
	}
	k := &KafkaCluster{copies: int16(min(brokers, 2)), own: ownNodes(nodes)}
	for _, n := range nodes {
		t.Cleanup(func() {
			if err := n.kill(); err != nil {
				t.Errorf("end broker %d: %v", n.id, err)
			}
		})
		k.Brokers = append(k.Brokers, n.address())
	}
	return k
}

type ownNodes []*kafkaNode

func (nodes ownNodes) restart(ctx context.Context, broker int32, crash bool) error {
	n := nodes[broker-1]
	end := n.stop
	if crash {
		end = n.kill
	}
	if err := end(); err != nil {
		return err
	}
	if err := n.launch(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	return n.await(ctx)
}

// moveLeader lets another replica be preferred, and elects it once it has all
// records.
func (nodes ownNodes) moveLeader(ctx context.Context, topic string, partition int32) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	var addresses []string
	for _, n := range nodes {
		addresses = append(addresses, n.address())
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(addresses...))
	if err != nil {
		return err
	}
	defer client.Close()
	at, err := describePartition(ctx, client, topic, partition)
	if err != nil {
		return err
	}
	if len(at.Replicas) < 2 {
		return fmt.Errorf("it lies on the brokers %v only", at.Replicas)
	}
	order := []int32{at.Replicas[0], at.Replicas[1]}
	if order[0] == at.Leader {
		order[0], order[1] = order[1], order[0]
	}
	admin := kadm.NewClient(client)
	var request kadm.AlterPartitionAssignmentsReq
	request.Assign(topic, partition, order)
	if _, err := admin.AlterPartitionAssignments(ctx, request); err != nil {
		return err
	}
	set := kadm.TopicsSet{}
	set.Add(topic, partition)
	tick := newTick()
	defer tick.Stop()
	for {
		if _, err = admin.ElectLeaders(ctx, kadm.ElectPreferredReplica, set); err == nil {
			at, err = describePartition(ctx, client, topic, partition)
		}
		if err == nil && at.Leader == order[0] {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

// Leader is the id of the broker that leads a partition.
func (k *KafkaCluster) Leader(t testing.TB, topic string, partition int32) int32 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	at, err := describePartition(ctx, k.Client(t), topic, partition)
	if err != nil {
		t.Fatalf("ask for the leader of %s/%d: %v", topic, partition, err)
	}
	return at.Leader
}

// describePartition asks brokers, until the one that answers knows the partition:
// kadm would answer from what it knew before.
func describePartition(ctx context.Context, client *kgo.Client, topic string, partition int32) (kmsg.MetadataResponseTopicPartition, error) {
	asked := kmsg.NewMetadataRequestTopic()
	asked.Topic = &topic
	request := kmsg.NewPtrMetadataRequest()
	request.Topics = append(request.Topics, asked)
	tick := newTick()
	defer tick.Stop()
	for {
		response, err := request.RequestWith(ctx, client)
		if err != nil {
			return kmsg.MetadataResponseTopicPartition{}, err
		}
		for _, t := range response.Topics {
			for _, p := range t.Partitions {
				if p.Partition == partition && p.ErrorCode == 0 {
					return p, nil
				}
			}
		}
		select {
		case <-ctx.Done():
			return kmsg.MetadataResponseTopicPartition{}, fmt.Errorf("wait for the partition: %w", context.Cause(ctx))
		case <-tick.C:
		}
	}
}

func ownFake(t testing.TB, brokers int) *KafkaCluster {
	t.Helper()
	fake := &ownFakes{brokers: brokers, dir: testDir(t, "kfake")}
	if err := fake.start(kfake.NumBrokers(brokers)); err != nil {
		t.Fatalf("start an in-process Kafka: %v", err)
	}
	t.Cleanup(func() { fake.cluster.Close() })
	addresses := fake.cluster.ListenAddrs()
	for _, address := range addresses {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		number, err := strconv.Atoi(port)
		if err != nil {
			t.Fatal(err)
		}
		fake.ports = append(fake.ports, number)
	}
	return &KafkaCluster{Brokers: addresses, own: fake}
}

// ownFakes is an in-process cluster that keeps its data on disk.
type ownFakes struct {
	brokers int
	dir     string
	ports   []int
	cluster *kfake.Cluster
}

func (f *ownFakes) start(options ...kfake.Opt) (err error) {
	f.cluster, err = kfake.NewCluster(append(options, kfake.DataDir(f.dir), kfake.GroupMinSessionTimeout(fakeMinSession))...)
	return err
}

func (f *ownFakes) restart(ctx context.Context, _ int32, _ bool) error {
	f.cluster.Close()
	tick := newTick()
	defer tick.Stop()
	for {
		err := f.start(kfake.Ports(f.ports...))
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-tick.C: // somebody's outgoing connection has a port of ours
		}
	}
}

func (f *ownFakes) moveLeader(_ context.Context, topic string, partition int32) error {
	next := (f.cluster.LeaderFor(topic, partition) + 1) % int32(f.brokers)
	return f.cluster.MoveTopicPartition(topic, partition, next)
}
