package testenv

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// brokerVariable selects what Broker gives: "apache" for Apache Kafka.
const brokerVariable = "TCDA_TEST_KAFKA"

// fakeMinSession is how short sessions of groups may be in an in-process cluster.
const fakeMinSession = 50 * time.Millisecond

// KafkaCluster is a Kafka to test with.
type KafkaCluster struct {
	// Brokers are the addresses to begin with.
	Brokers []string
	// Fake injects faults, moves leaders and the like; nil for Apache Kafka.
	Fake *kfake.Cluster

	// TLS and Login are what clients need to be let in; nil: nothing.
	TLS   *tls.Config
	Login *KafkaLogin
	// Dial is how clients of the test's own connect; nil: to the addresses that
	// the brokers name.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	copies int16 // of each partition; 0 is 1
	own    owned // nil: others use it too
}

// Broker is the cluster for a test that must hold on any Kafka: an in-process one
// of the test's own, or with TCDA_TEST_KAFKA=apache the Apache Kafka that the
// process's tests share. Such a test names its topics and groups by UniqueName.
func Broker(t testing.TB) *KafkaCluster {
	t.Helper()
	if onApache(t) {
		return ApacheKafka(t)
	}
	return Kafka(t)
}

// onApache says which of the two tests that hold on any Kafka shall run on.
func onApache(t testing.TB) bool {
	t.Helper()
	switch chosen := os.Getenv(brokerVariable); chosen {
	case "", "kfake":
		return false
	case "apache":
		return true
	default:
		t.Fatalf(`%s is %q: want "kfake" or "apache"`, brokerVariable, chosen)
		return false
	}
}

// Kafka is an in-process cluster of one broker of the test's own, in memory, that
// allows group sessions as short as 50 ms. Options given here come after those.
func Kafka(t testing.TB, options ...kfake.Opt) *KafkaCluster {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{
		kfake.NumBrokers(1),
		kfake.GroupMinSessionTimeout(fakeMinSession),
	}, options...)...)
	if err != nil {
		t.Fatalf("start an in-process Kafka: %v", err)
	}
	t.Cleanup(cluster.Close)
	return &KafkaCluster{Brokers: cluster.ListenAddrs(), Fake: cluster}
}

// CreateTopic creates a topic, with settings such as "cleanup.policy".
func (k *KafkaCluster) CreateTopic(t testing.TB, name string, partitions int32, settings map[string]string) {
	t.Helper()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, partitions, max(1, k.copies)
	for key, value := range settings {
		setting := kmsg.NewCreateTopicsRequestTopicConfig()
		setting.Name, setting.Value = key, &value
		topic.Configs = append(topic.Configs, setting)
	}
	request := kmsg.NewPtrCreateTopicsRequest()
	request.Topics = append(request.Topics, topic)
	request.TimeoutMillis = int32(startLimit / time.Millisecond)

	client := k.Client(t)
	response, err := request.RequestWith(t.Context(), client)
	if err != nil {
		t.Fatalf("create topic %s: %v", name, err)
	}
	for _, created := range response.Topics {
		if err := kerr.ErrorForCode(created.ErrorCode); err != nil {
			t.Fatalf("create topic %s: %v", name, err)
		}
	}
}

// Client connects to the cluster until the test ends: an independent client, to
// produce what a test needs and to look at what is there.
func (k *KafkaCluster) Client(t testing.TB, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	own := []kgo.Opt{kgo.SeedBrokers(k.Brokers...)}
	if k.TLS != nil {
		own = append(own, kgo.DialTLSConfig(k.TLS))
	}
	if k.Login != nil {
		own = append(own, kgo.SASL(k.Login.mechanism()))
	}
	if k.Dial != nil {
		own = append(own, kgo.Dialer(k.Dial))
	}
	client, err := kgo.NewClient(append(own, options...)...)
	if err != nil {
		t.Fatalf("connect to Kafka: %v", err)
	}
	t.Cleanup(client.Close)
	return client
}

// CompactsSoon are settings of a topic that is compacted as soon as its last
// segment is a new one, which each of its batches begins.
func CompactsSoon() map[string]string {
	return map[string]string{
		"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "0",
		"segment.ms": "1", "segment.bytes": "1048576",
	}
}

// Clean makes retention and compaction do what they find to do. Apache Kafka
// does so by itself, several times a second: who waits for the outcome calls
// this again and again.
func (k *KafkaCluster) Clean() {
	if k.Fake != nil {
		k.Fake.ApplyRetention()
		k.Fake.Compact()
	}
}

// UniqueName makes a name for a topic or group that no other test has.
func UniqueName(base string) string {
	return base + "-" + strings.ToLower(rand.Text()[:12])
}
