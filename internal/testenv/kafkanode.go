package testenv

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/childproc"
)

// ApacheKafka is a real Apache Kafka of one node, which the process's tests
// share: topics and groups are named by UniqueName. Without Java or the download
// the test fails with instructions.
func ApacheKafka(t testing.TB) *KafkaCluster {
	t.Helper()
	node, err := sharedApacheKafka()
	if err != nil {
		t.Fatal(err)
	}
	return &KafkaCluster{Brokers: []string{node.address()}}
}

var sharedApacheKafka = sync.OnceValues(func() (*kafkaNode, error) {
	s, err := processScratch()
	if err != nil {
		return nil, err
	}
	programs, err := ObtainApacheKafka(context.Background(), os.Stderr)
	if err != nil {
		return nil, err
	}
	nodes, err := startKafkaNodes(context.Background(), programs, filepath.Join(s.dir, "apache-kafka"), 1, nil)
	if err != nil {
		return nil, fmt.Errorf("start Apache Kafka: %w", err)
	}
	return nodes[0], nil
})

// kafkaSettings hold for every node. Sessions may be as short as tests want
// them. Retention (of topics that ask for it: records of tests may be old) and
// compaction are at work several times a second, and a node that has died is
// given up soon.
const kafkaSettings = `
controller.listener.names=CONTROLLER
inter.broker.listener.name=BROKER
auto.create.topics.enable=false
offsets.topic.num.partitions=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=50
log.initial.task.delay.ms=100
log.retention.check.interval.ms=200
log.retention.ms=-1
log.cleaner.backoff.ms=100
log.cleaner.dedupe.buffer.size=4194304
broker.heartbeat.interval.ms=250
broker.session.timeout.ms=4000
`

// kafkaNode is one process of an Apache Kafka cluster. The first node of a
// cluster is its controller too.
type kafkaNode struct {
	programs KafkaPrograms
	dir      string
	id       int
	port     int
	process  *childproc.Process
}

func (n *kafkaNode) address() string  { return "127.0.0.1:" + strconv.Itoa(n.port) }
func (n *kafkaNode) settings() string { return filepath.Join(n.dir, "server.properties") }
func (n *kafkaNode) log() string      { return filepath.Join(n.dir, "kafka.log") }

// moreListeners are what a node has besides the listener that nobody has to
// ask at: those that ask who their clients are, or that a proxy leads to.
type moreListeners struct {
	listeners []kafkaListener
	settings  []string // lines
	format    []string // arguments, for what is in the storage from its beginning
}

type kafkaListener struct {
	name, protocol string
	port           int
	advertised     string // the address that clients are sent to, where it is another: a proxy's
}

// startKafkaNodes starts a cluster in a folder and waits until all that tests
// use is served.
func startKafkaNodes(ctx context.Context, programs KafkaPrograms, dir string, count int, secured *moreListeners) (nodes []*kafkaNode, err error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	ports := make([]int, count+1)
	for i := range ports {
		if ports[i], err = childproc.FreePort(ctx); err != nil {
			return nil, err
		}
	}
	defer func() {
		if err != nil {
			for _, n := range nodes {
				err = errors.Join(err, n.kill())
			}
		}
	}()
	cluster, controller := clusterID(), ports[count]
	formatted := make(chan error, count)
	for i := range count {
		n := &kafkaNode{programs: programs, dir: filepath.Join(dir, strconv.Itoa(i+1)), id: i + 1, port: ports[i]}
		if err := n.writeSettings(controller, min(count, 2), secured); err != nil {
			return nodes, err
		}
		nodes = append(nodes, n)
		go func() { formatted <- n.format(ctx, cluster, secured) }()
	}
	for range nodes {
		err = errors.Join(err, <-formatted)
	}
	if err != nil {
		return nodes, err
	}
	for _, n := range nodes {
		if err := n.launch(); err != nil {
			return nodes, err
		}
	}
	for _, n := range nodes {
		if err := n.await(ctx); err != nil {
			return nodes, err
		}
	}
	return nodes, nil
}

func (n *kafkaNode) writeSettings(controllerPort, copies int, secured *moreListeners) error {
	if err := os.MkdirAll(n.dir, 0o700); err != nil {
		return err
	}
	roles := "broker"
	listeners := []kafkaListener{{name: "BROKER", protocol: "PLAINTEXT", port: n.port}}
	if secured != nil {
		listeners = append(listeners, secured.listeners...)
	}
	var listen, advertise []string
	protocols := []string{"CONTROLLER:PLAINTEXT"}
	for _, l := range listeners {
		at := "127.0.0.1:" + strconv.Itoa(l.port)
		listen, advertise = append(listen, l.name+"://"+at), append(advertise, l.name+"://"+cmp.Or(l.advertised, at))
		protocols = append(protocols, l.name+":"+l.protocol)
	}
	controller := "127.0.0.1:" + strconv.Itoa(controllerPort)
	if n.id == 1 {
		roles = "broker,controller"
		listen = append(listen, "CONTROLLER://"+controller)
	}
	lines := []string{
		strings.TrimSpace(kafkaSettings),
		"process.roles=" + roles,
		"node.id=" + strconv.Itoa(n.id),
		"controller.quorum.bootstrap.servers=" + controller,
		"listeners=" + strings.Join(listen, ","),
		"advertised.listeners=" + strings.Join(advertise, ","),
		"listener.security.protocol.map=" + strings.Join(protocols, ","),
		"log.dirs=" + filepath.Join(n.dir, "data"),
		"offsets.topic.replication.factor=" + strconv.Itoa(copies),
		"transaction.state.log.replication.factor=" + strconv.Itoa(copies),
	}
	if secured != nil {
		lines = append(lines, secured.settings...)
	}
	return os.WriteFile(n.settings(), []byte(strings.Join(lines, "\n")+"\n"), 0o600)
}

func (n *kafkaNode) format(ctx context.Context, cluster string, secured *moreListeners) error {
	args := []string{"format", "--cluster-id", cluster, "--config", n.settings()}
	if n.id == 1 {
		args = append(args, "--standalone")
	}
	if secured != nil {
		args = append(args, secured.format...)
	}
	format := exec.CommandContext(ctx, n.programs.Java, n.programs.arguments("kafka.tools.StorageTool", args...)...)
	if said, err := format.CombinedOutput(); err != nil {
		return fmt.Errorf("format the storage: %w: %s", err, bytes.TrimSpace(said))
	}
	return nil
}

// launch starts the process, which is not at work when this returns.
func (n *kafkaNode) launch() (err error) {
	process, err := childproc.Start(childproc.Spec{
		Path:          n.programs.Java,
		Args:          n.programs.arguments("kafka.Kafka", n.settings()),
		Env:           []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"},
		Dir:           n.dir,
		LogFile:       n.log(),
		OnParentDeath: syscall.SIGKILL,
	})
	if err != nil {
		return err
	}
	n.process = process // the former one stays where there is no new one
	err = os.WriteFile(filepath.Join(n.dir, "kafka.pid"), []byte(strconv.Itoa(n.process.PID())), 0o600)
	if err != nil {
		return errors.Join(err, n.kill())
	}
	return nil
}

// await waits until the node serves.
func (n *kafkaNode) await(ctx context.Context) error {
	err := childproc.AwaitAnswer(ctx, n.process, func(ctx context.Context) bool { return kafkaAnswers(ctx, n.address()) })
	if err != nil {
		return fmt.Errorf("%w; it said: %s", err, childproc.LastLines(n.log()))
	}
	return nil
}

// stop ends the node in order: it hands its partitions over first.
func (n *kafkaNode) stop() error { return n.process.Stop(syscall.SIGTERM, startLimit) }

func (n *kafkaNode) kill() error {
	if n.process == nil {
		return nil
	}
	return n.process.Kill()
}

// arguments run a class in a small Java that starts fast.
func (p KafkaPrograms) arguments(class string, args ...string) []string {
	return append([]string{
		"-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
		"-cp", filepath.Join(p.Jars, "*"),
		class,
	}, args...)
}

// clusterID is 16 random bytes in URL-safe base64, as Kafka's tools make them:
// never with a leading dash, which a command line takes for an option.
func clusterID() string {
	id := make([]byte, 16)
	for {
		_, _ = rand.Read(id) // never fails
		if text := base64.RawURLEncoding.EncodeToString(id); !strings.HasPrefix(text, "-") {
			return text
		}
	}
}

// kafkaAnswers says whether the broker serves all that tests use. The coordinators
// of groups and of transactions come last: they make their topics on first use,
// and refuse requests until those are loaded. There is one partition of each, so
// one group and one transaction stand for all.
func kafkaAnswers(ctx context.Context, address string) bool {
	client, err := kgo.NewClient(kgo.SeedBrokers(address))
	if err != nil {
		return false
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if client.Ping(ctx) != nil {
		return false
	}
	const name = "testenv-ready"
	groups := kmsg.NewPtrOffsetFetchRequest()
	group := kmsg.NewOffsetFetchRequestGroup()
	group.Group = name
	groups.Group, groups.Groups = name, append(groups.Groups, group)
	offsets, err := groups.RequestWith(ctx, client)
	if err != nil || offsets.ErrorCode != 0 || len(offsets.Groups) != 1 || offsets.Groups[0].ErrorCode != 0 {
		return false
	}
	transaction := kmsg.NewPtrInitProducerIDRequest()
	transaction.TransactionalID = kmsg.StringPtr(name)
	transaction.TransactionTimeoutMillis = int32(time.Minute / time.Millisecond)
	producer, err := transaction.RequestWith(ctx, client)
	return err == nil && producer.ErrorCode == 0
}
