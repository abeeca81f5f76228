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

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/childproc"
)

// OwnBroker is a cluster of the kind that Broker gives, but with so many
// brokers and for this test alone, which may move its leaders and restart its
// brokers. Partitions lie on two brokers, where there are two.
func OwnBroker(t testing.TB, brokers int) *KafkaCluster {
	t.Helper()
	if onApache(t) {
		return ownApacheKafka(t, brokers, nil)
	}
	return ownFake(t, &ownFakes{ports: make([]int, brokers)})
}

// ProxiedBroker is an OwnBroker of one broker, and a proxy before it. Clients
// that come by the proxy are sent to the proxy for all that follows. The
// cluster's own clients (Brokers, Dial) come beside it, whatever it does.
func ProxiedBroker(t testing.TB) (*KafkaCluster, *NetworkProxy) {
	t.Helper()
	port, err := childproc.FreePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	behind := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	proxy := Proxy(t, behind)
	if onApache(t) {
		return ownApacheKafka(t, 1, outsideListener(port, proxy.Addr())), proxy
	}
	// An in-process broker has one listener, and tells everybody its address.
	k := ownFake(t, &ownFakes{ports: []int{port}, options: []kfake.Opt{
		kfake.ListenFn(func(network, address string) (net.Listener, error) {
			l, err := new(net.ListenConfig).Listen(t.Context(), network, address)
			if err != nil {
				return nil, err
			}
			return announced{l, proxy.Addr()}, nil
		}),
	}})
	k.Brokers = []string{behind}
	k.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, behind)
	}
	return k, proxy
}

// announced is a listener that gives another address as its own.
type announced struct {
	net.Listener
	address string
}

func (a announced) Addr() net.Addr { return announcedAddr(a.address) }

type announcedAddr string

func (announcedAddr) Network() string  { return "tcp" }
func (a announcedAddr) String() string { return string(a) }

// owned is what can be done to a cluster of the test's own.
type owned interface {
	// stop ends a broker, in order or by SIGKILL.
	stop(broker int32, crash bool) error
	// start starts it again and returns when it serves.
	start(ctx context.Context, broker int32) error
	// moveLeader makes another broker the leader of a partition.
	moveLeader(ctx context.Context, topic string, partition int32) error
}

// Stop stops the broker of an id in order. The brokers of an in-process cluster
// are one: all of them are stopped, and started again by Start.
func (k *KafkaCluster) Stop(t testing.TB, broker int32) {
	t.Helper()
	if err := k.own.stop(broker, false); err != nil {
		t.Fatalf("stop broker %d: %v", broker, err)
	}
}

// Start starts a broker again that was stopped, and returns when it serves.
func (k *KafkaCluster) Start(t testing.TB, broker int32) {
	t.Helper()
	if err := k.own.start(t.Context(), broker); err != nil {
		t.Fatalf("start broker %d again: %v", broker, err)
	}
}

// Restart is Stop and Start.
func (k *KafkaCluster) Restart(t testing.TB, broker int32) {
	t.Helper()
	k.Stop(t, broker)
	k.Start(t, broker)
}

// Crash is Restart after a SIGKILL. In-process brokers cannot be killed, and
// stop in order.
func (k *KafkaCluster) Crash(t testing.TB, broker int32) {
	t.Helper()
	if err := k.own.stop(broker, true); err != nil {
		t.Fatalf("kill broker %d: %v", broker, err)
	}
	k.Start(t, broker)
}

// MoveLeader makes another broker the leader of a partition.
func (k *KafkaCluster) MoveLeader(t testing.TB, topic string, partition int32) {
	t.Helper()
	if err := k.own.moveLeader(t.Context(), topic, partition); err != nil {
		t.Fatalf("move the leader of %s/%d: %v", topic, partition, err)
	}
}

func ownApacheKafka(t testing.TB, brokers int, more *moreListeners) *KafkaCluster {
	t.Helper()
	programs, err := ObtainApacheKafka(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := startKafkaNodes(t.Context(), programs, testDir(t, "kafka"), brokers, more)
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

func (nodes ownNodes) stop(broker int32, crash bool) error {
	if crash {
		return nodes[broker-1].kill()
	}
	return nodes[broker-1].stop()
}

func (nodes ownNodes) start(ctx context.Context, broker int32) error {
	n := nodes[broker-1]
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

// ownFake starts an in-process cluster, on these ports or, where they are 0, on
// any.
func ownFake(t testing.TB, fake *ownFakes) *KafkaCluster {
	t.Helper()
	fake.dir = testDir(t, "kfake")
	if err := fake.open(kfake.NumBrokers(len(fake.ports))); err != nil {
		t.Fatalf("start an in-process Kafka: %v", err)
	}
	t.Cleanup(func() { fake.cluster.Close() })
	addresses := fake.cluster.ListenAddrs()
	for i, address := range addresses {
		if fake.ports[i] != 0 {
			continue
		}
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		if fake.ports[i], err = strconv.Atoi(port); err != nil {
			t.Fatal(err)
		}
	}
	return &KafkaCluster{Brokers: addresses, own: fake}
}

// ownFakes is an in-process cluster that keeps its data on disk.
type ownFakes struct {
	dir     string
	ports   []int
	options []kfake.Opt // besides those of all
	cluster *kfake.Cluster
}

func (f *ownFakes) open(options ...kfake.Opt) (err error) {
	options = append(options, kfake.Ports(f.ports...), kfake.DataDir(f.dir), kfake.GroupMinSessionTimeout(fakeMinSession))
	f.cluster, err = kfake.NewCluster(append(options, f.options...)...)
	return err
}

func (f *ownFakes) stop(int32, bool) error {
	f.cluster.Close()
	return nil
}

func (f *ownFakes) start(ctx context.Context, _ int32) error {
	tick := newTick()
	defer tick.Stop()
	for {
		err := f.open()
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
	next := (f.cluster.LeaderFor(topic, partition) + 1) % int32(len(f.ports))
	return f.cluster.MoveTopicPartition(topic, partition, next)
}
