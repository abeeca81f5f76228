package testenv

import (
	"crypto/rand"
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

// KafkaCluster is a Kafka to test with.
type KafkaCluster struct {
	// Brokers are the addresses to begin with.
	Brokers []string
	// Fake injects faults, moves leaders and the like; nil for Apache Kafka.
	Fake *kfake.Cluster
}

// Broker is the cluster for a test that must hold on any Kafka: an in-process one
// of the test's own, or with TCDA_TEST_KAFKA=apache the Apache Kafka that the
// process's tests share. Such a test names its topics and groups by UniqueName.
func Broker(t testing.TB) *KafkaCluster {
	t.Helper()
	switch chosen := os.Getenv(brokerVariable); chosen {
	case "", "kfake":
		return Kafka(t)
	case "apache":
		return ApacheKafka(t)
	default:
		t.Fatalf(`%s is %q: want "kfake" or "apache"`, brokerVariable, chosen)
		return nil
	}
}

// Kafka is an in-process cluster of one broker of the test's own, in memory, that
// allows group sessions as short as 50 ms. Options given here come after those.
func Kafka(t testing.TB, options ...kfake.Opt) *KafkaCluster {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{
		kfake.NumBrokers(1),
		kfake.GroupMinSessionTimeout(50 * time.Millisecond),
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
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, partitions, 1
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
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(k.Brokers...)}, options...)...)
	if err != nil {
		t.Fatalf("connect to Kafka: %v", err)
	}
	t.Cleanup(client.Close)
	return client
}

// UniqueName makes a name for a topic or group that no other test has.
func UniqueName(base string) string {
	return base + "-" + strings.ToLower(rand.Text()[:12])
}
