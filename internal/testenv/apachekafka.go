package testenv

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed" // the pom
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/childproc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/debpkg"
)

//go:embed apachekafka/pom.xml
var kafkaPOM []byte

// oldestJava is what Apache Kafka 4 runs on.
const oldestJava = 17

// KafkaPrograms is an Apache Kafka on disk, and what runs it.
type KafkaPrograms struct {
	Version string
	Java    string // its file
	Jars    string // folder
}

// ObtainApacheKafka downloads Apache Kafka from Maven Central into the user's
// cache, unless it is there, and tells so on progress. Java 17 or newer must be
// installed, and for the download Maven.
func ObtainApacheKafka(ctx context.Context, progress io.Writer) (KafkaPrograms, error) {
	programs := KafkaPrograms{Version: kafkaVersion()}
	cache, err := debpkg.CacheDir()
	if err != nil {
		return programs, err
	}
	programs.Jars = filepath.Join(cache, "apache-kafka-"+programs.Version)
	if programs.Java, err = findJava(ctx); err == nil {
		err = downloadKafka(ctx, programs.Jars, progress)
	}
	if err != nil {
		return programs, fmt.Errorf(`no Apache Kafka: %w; it needs Java %d and Maven: Debian and Ubuntu "apt-get install openjdk-17-jre-headless maven", `+
			`Fedora "dnf install java-21-openjdk-headless maven", macOS "brew install openjdk maven"`, err, oldestJava)
	}
	return programs, nil
}

func kafkaVersion() string {
	match := regexp.MustCompile(`<kafka.version>(.+)</kafka.version>`).FindSubmatch(kafkaPOM)
	return string(match[1])
}

var javaVersion = regexp.MustCompile(`version "(\d+)`)

func findJava(ctx context.Context) (string, error) {
	file := filepath.Join(os.Getenv("JAVA_HOME"), "bin", "java")
	if os.Getenv("JAVA_HOME") == "" {
		found, err := exec.LookPath("java")
		if err != nil {
			return "", fmt.Errorf("find java: %w", err)
		}
		file = found
	}
	said, err := exec.CommandContext(ctx, file, "-version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ask java for its version: %w", err)
	}
	match := javaVersion.FindSubmatch(said)
	if match == nil {
		return "", fmt.Errorf("unknown version of java: %q", said)
	}
	if major, err := strconv.Atoi(string(match[1])); err != nil || major < oldestJava {
		return "", fmt.Errorf("java is version %s", match[1])
	}
	return file, nil
}

// downloadKafka fills the folder of jars. Only a complete one gets the name.
func downloadKafka(ctx context.Context, jars string, progress io.Writer) (err error) {
	if err := os.MkdirAll(filepath.Dir(jars), 0o755); err != nil {
		return fmt.Errorf("make a folder for downloaded programs: %w", err)
	}
	unlock, err := debpkg.Lock(jars + ".lock")
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(jars); err == nil {
		return nil
	}
	work, err := os.MkdirTemp(filepath.Dir(jars), ".unpacking-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	pom := filepath.Join(work, "pom.xml")
	if err := os.WriteFile(pom, kafkaPOM, 0o600); err != nil {
		return err
	}
	fmt.Fprintf(progress, "downloading Apache Kafka %s from Maven Central (about 45 MB)\n", kafkaVersion())
	maven := exec.CommandContext(ctx, "mvn", "--batch-mode", "--quiet", "--file", pom,
		"dependency:copy-dependencies", "-DoutputDirectory="+filepath.Join(work, "jars"))
	if said, err := maven.CombinedOutput(); err != nil {
		return fmt.Errorf("download with Maven: %w: %s", err, bytes.TrimSpace(said))
	}
	return os.Rename(filepath.Join(work, "jars"), jars)
}

// ApacheKafka is a real Apache Kafka of one node, which the process's tests
// share: topics and groups are named by UniqueName. Without Java or the download
// the test fails with instructions.
func ApacheKafka(t testing.TB) *KafkaCluster {
	t.Helper()
	brokers, err := sharedApacheKafka()
	if err != nil {
		t.Fatal(err)
	}
	return &KafkaCluster{Brokers: brokers}
}

var sharedApacheKafka = sync.OnceValues(func() ([]string, error) {
	s, err := processScratch()
	if err != nil {
		return nil, err
	}
	programs, err := ObtainApacheKafka(context.Background(), os.Stderr)
	if err != nil {
		return nil, err
	}
	server, err := programs.Start(context.Background(), filepath.Join(s.dir, "apache-kafka"), "")
	if err != nil {
		return nil, err
	}
	return []string{server.Addr()}, nil
})

// kafkaSettings is a node that is broker and controller in one, with a single
// copy of everything, and sessions as short as tests want them. OUTSIDE is
// for clients that come through a proxy.
const kafkaSettings = `
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:%[2]d
listeners=BROKER://127.0.0.1:%[1]d,CONTROLLER://127.0.0.1:%[2]d,OUTSIDE://127.0.0.1:%[3]d
advertised.listeners=BROKER://127.0.0.1:%[1]d,OUTSIDE://%[4]s
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,OUTSIDE:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=BROKER
log.dirs=%[5]s
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=50
`

// ApacheKafkaServer is a running Apache Kafka, or one that was stopped and can
// be started again on the same ports and data.
type ApacheKafkaServer struct {
	programs      KafkaPrograms
	dir           string
	port, outside int
	process       *childproc.Process
}

// Start runs a server with its files in a folder that it makes. Clients that
// come by OutsideAddr are sent to the address outside, which should be a proxy
// before it; empty is OutsideAddr itself. It ends with this process.
func (p KafkaPrograms) Start(ctx context.Context, dir, outside string) (*ApacheKafkaServer, error) {
	s := &ApacheKafkaServer{programs: p, dir: dir}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	err := s.prepare(ctx, outside)
	if err == nil {
		err = s.launch(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("start Apache Kafka: %w", err)
	}
	return s, nil
}

// Addr is the address of the server itself.
func (s *ApacheKafkaServer) Addr() string { return "127.0.0.1:" + strconv.Itoa(s.port) }

// OutsideAddr is what a proxy before the server leads to.
func (s *ApacheKafkaServer) OutsideAddr() string { return "127.0.0.1:" + strconv.Itoa(s.outside) }

// Stop ends the server in order.
func (s *ApacheKafkaServer) Stop() error {
	// A frozen server could not obey.
	if err := s.process.Resume(); err != nil {
		return err
	}
	return s.process.Stop(syscall.SIGTERM, startLimit)
}

// Kill ends the server with SIGKILL.
func (s *ApacheKafkaServer) Kill() error { return s.process.Kill() }

// Pause freezes the server: connections stay open, and nobody answers.
func (s *ApacheKafkaServer) Pause() error { return s.process.Pause() }

// Resume ends a Pause.
func (s *ApacheKafkaServer) Resume() error { return s.process.Resume() }

// Restart starts the server again, after Stop or Kill; one that still runs is
// stopped first.
func (s *ApacheKafkaServer) Restart(ctx context.Context) error {
	if err := s.Stop(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := s.launch(ctx); err != nil {
		return fmt.Errorf("restart Apache Kafka: %w", err)
	}
	return nil
}

func (s *ApacheKafkaServer) settings() string { return filepath.Join(s.dir, "server.properties") }

// prepare formats the storage.
func (s *ApacheKafkaServer) prepare(ctx context.Context, outside string) (err error) {
	if err := os.Mkdir(s.dir, 0o700); err != nil {
		return err
	}
	var controller int
	for _, port := range []*int{&s.port, &s.outside, &controller} {
		if *port, err = childproc.FreePort(ctx); err != nil {
			return err
		}
	}
	if outside == "" {
		outside = s.OutsideAddr()
	}
	text := fmt.Sprintf(kafkaSettings, s.port, controller, s.outside, outside, filepath.Join(s.dir, "data"))
	if err := os.WriteFile(s.settings(), []byte(text), 0o600); err != nil {
		return err
	}
	format := exec.CommandContext(ctx, s.programs.Java, s.programs.arguments("kafka.tools.StorageTool",
		"format", "--standalone", "--cluster-id", clusterID(), "--config", s.settings())...)
	if said, err := format.CombinedOutput(); err != nil {
		return fmt.Errorf("format the storage: %w: %s", err, bytes.TrimSpace(said))
	}
	return nil
}

func (s *ApacheKafkaServer) launch(ctx context.Context) (err error) {
	log := filepath.Join(s.dir, "kafka.log")
	process, err := childproc.Start(childproc.Spec{
		Path:          s.programs.Java,
		Args:          s.programs.arguments("kafka.Kafka", s.settings()),
		Env:           []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"},
		Dir:           s.dir,
		LogFile:       log,
		OnParentDeath: syscall.SIGKILL,
	})
	if err != nil {
		return err
	}
	s.process = process // the former one stays where there is no new one
	if err := os.WriteFile(filepath.Join(s.dir, "kafka.pid"), []byte(strconv.Itoa(s.process.PID())), 0o600); err != nil {
		return errors.Join(err, s.process.Kill())
	}
	if err := awaitAnswer(ctx, s.process, func(ctx context.Context) bool { return kafkaAnswers(ctx, s.Addr()) }); err != nil {
		return errors.Join(fmt.Errorf("%w; it said: %s", err, lastLines(log)), s.process.Kill())
	}
	return nil
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
