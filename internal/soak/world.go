package soak

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/childproc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/redisserver"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgserver"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/soak/checker"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/soak/faultproxy"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// Names in the world of a soak.
const (
	database            = "trading_ecosystem"
	group               = "soak"
	executionPartitions = 6
	scenarioPartitions  = 2

	// session is how soon the group forgets who has died; it must exceed the
	// service's budgets.
	session = 5 * time.Second
)

var topics = coordsim.Topics{Executions: "test-coordination.executions", Scenarios: "test-coordination.scenarios"}

// What the service writes: the commands are judged, the reports are not.
const (
	commandsTopic      = "test-coordination.commands"
	commandsPartitions = 3
	reportsTopic       = "test-coordination.reports"
)

// world is everything around the service, and the service.
type world struct {
	options Options
	dir     string

	kafka    broker
	redis    *redisserver.Server
	clusters int // that have been made

	nextFailover time.Time // there is none before; of the lane of PostgreSQL

	kafkaProxy, redisProxy, postgresProxy *faultproxy.Proxy

	// calling is held for reading while a caller's request is under way; who holds
	// it for writing has them all at rest. See callers.
	calling sync.RWMutex

	workers  []*worker
	lostTail atomic.Int64 // records whose commits were lost in failovers

	mu       sync.Mutex
	postgres *pgserver.Server // the present primary
	problems []string
}

// primary is the server that PostgreSQL is at present.
func (w *world) primary() *pgserver.Server {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.postgres
}

func (w *world) setPrimary(s *pgserver.Server) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.postgres = s
}

// problem notes something that must not be.
func (w *world) problem(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.problems = append(w.problems, what)
}

// noted are the problems so far.
func (w *world) noted() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.problems)
}

// newWorld starts the servers and makes topics and schema. On an error what has
// been started ends with this process.
func newWorld(ctx context.Context, o Options) (*world, error) {
	dir, err := testenv.ProcessDir("soak")
	if err != nil {
		return nil, err
	}
	w := &world{options: o, dir: dir}
	for _, p := range []**faultproxy.Proxy{&w.kafkaProxy, &w.redisProxy, &w.postgresProxy} {
		if *p, err = faultproxy.New(ctx); err != nil {
			return nil, err
		}
	}
	for _, step := range []func(context.Context) error{w.startPostgres, w.startRedis, w.startKafka, w.createTopics, w.writePolicies, w.migrate} {
		if err := step(ctx); err != nil {
			return nil, fmt.Errorf("prepare the soak: %w", err)
		}
	}
	for _, name := range []string{"a", "b"} {
		port, err := childproc.FreePort(ctx)
		if err != nil {
			return nil, err
		}
		w.workers = append(w.workers, &worker{world: w, name: name, listen: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))})
	}
	return w, nil
}

// close ends everything, and removes all files unless they are to be kept.
func (w *world) close(keep bool) error {
	var errs []error
	for _, x := range w.workers {
		if x.process != nil {
			errs = append(errs, x.kill())
		}
	}
	for _, p := range []*faultproxy.Proxy{w.kafkaProxy, w.redisProxy, w.postgresProxy} {
		p.Close()
	}
	errs = append(errs, w.kafka.Kill(), w.redis.Kill(), w.primary().Close())
	if !keep {
		errs = append(errs, os.RemoveAll(w.dir))
		return errors.Join(errs...)
	}
	fmt.Fprintf(w.options.Progress, "the files are left; PostgreSQL opens them with\n\tgo run ./internal/testenv/cmd/testdb %s %s\nand they go with\n\trm -rf %s\n",
		w.primary().DataDir(), database, w.dir)
	errs = append(errs, testenv.KeepProcessDirs())
	return errors.Join(errs...)
}

// postgresSettings are those of each cluster. Commits wait for the disk; the
// rest is as small as one machine for everything wants it, but for the connections:
// where a server stood still, those before it and those after are there at once.
var postgresSettings = map[string]string{"timezone": "Canada/Newfoundland", "max_connections": "300", "max_wal_size": "2GB", "wal_keep_size": "512MB"}

func (w *world) startPostgres(ctx context.Context) error {
	server, err := pgserver.Start(ctx, pgserver.Options{DataDir: w.nextCluster(), Durable: true, Settings: postgresSettings, Progress: w.options.Progress})
	if err != nil {
		return err
	}
	w.setPrimary(server)
	w.postgresProxy.LeadTo(server.Addr())
	return server.EnsureDatabase(ctx, database)
}

// nextCluster is the folder of a further cluster.
func (w *world) nextCluster() string {
	w.clusters++
	return filepath.Join(w.dir, "postgres-"+strconv.Itoa(w.clusters))
}

func (w *world) startRedis(ctx context.Context) error {
	program, err := redisserver.Obtain(ctx, w.options.Progress)
	if err != nil {
		return err
	}
	dir := filepath.Join(w.dir, "redis")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if w.redis, err = redisserver.Start(ctx, program, dir, "maxmemory-policy noeviction"); err != nil {
		return err
	}
	w.redisProxy.LeadTo(w.redis.Addr())
	return nil
}

func (w *world) startKafka(ctx context.Context) (err error) {
	if w.kafka, err = newBroker(ctx, w.options, filepath.Join(w.dir, "kafka"), w.kafkaProxy.Addr()); err != nil {
		return err
	}
	w.kafkaProxy.LeadTo(w.kafka.Behind())
	return nil
}

func (w *world) createTopics(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(w.kafka.Direct()))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	for topic, partitions := range map[string]int32{topics.Executions: executionPartitions, topics.Scenarios: scenarioPartitions, commandsTopic: commandsPartitions, reportsTopic: 1} {
		// Who asks again, since the answer was lost, finds it there.
		if _, err := admin.CreateTopic(ctx, partitions, 1, nil, topic); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("create topic %s: %w", topic, err)
		}
	}
	return nil
}

func (w *world) migrate(ctx context.Context) error {
	command := exec.CommandContext(ctx, w.options.Program, "migrate", "up")
	command.Env = w.environment("migrate", "")
	if said, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("migrate: %w: %s", err, said)
	}
	return nil
}

// kafkaLog is what Kafka holds, read beside the proxy.
func (w *world) kafkaLog() checker.Kafka {
	return checker.Kafka{Brokers: []string{w.kafka.Direct()}, Topics: []string{topics.Executions, topics.Scenarios}}
}

// commandsLog is what was published to the coordinator.
func (w *world) commandsLog() checker.Kafka {
	return checker.Kafka{Brokers: []string{w.kafka.Direct()}, Topics: []string{commandsTopic}}
}

// databaseURL leads to the primary by itself, or through the proxy.
func (w *world) databaseURL(through bool) string {
	server := w.primary()
	url := server.URL(database)
	if through {
		return strings.Replace(url, server.Addr(), w.postgresProxy.Addr(), 1)
	}
	return url
}

// environment are the settings of an instance, and nothing else of this
// process's environment. It listens anywhere, if nothing is given.
func (w *world) environment(instance, listen string) []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir}
	for name, value := range map[string]string{
		"INSTANCE":               instance,
		"POSTGRES_URL":           w.databaseURL(true),
		"REDIS_URL":              "redis://" + w.redisProxy.Addr(),
		"KAFKA_BROKERS":          w.kafka.Outside(),
		"KAFKA_GROUP_ID":         group,
		"KAFKA_TOPIC_EXECUTIONS": topics.Executions,
		"KAFKA_TOPIC_SCENARIOS":  topics.Scenarios,
		"KAFKA_TOPIC_COMMANDS":   commandsTopic,
		"KAFKA_TOPIC_REPORTS":    reportsTopic,
		"HTTP_LISTEN":            cmp.Or(listen, "127.0.0.1:0"),
		"LOG_FORMAT":             "json",
		// As short as the rules about deadlines allow: the group soon forgets who
		// has died, and who hangs is soon passed over.
		"KAFKA_FETCH_MAX_WAIT":       "100ms",
		"KAFKA_SESSION_TIMEOUT":      session.String(),
		"KAFKA_HEARTBEAT":            "300ms",
		"KAFKA_REBALANCE_TIMEOUT":    "8s",
		"KAFKA_COMMIT_INTERVAL":      "500ms",
		"INGEST_APPLY_BUDGET":        "1900ms",
		"POSTGRES_CONNECT_TIMEOUT":   "2s",
		"POSTGRES_STATEMENT_TIMEOUT": "1800ms",
		"POSTGRES_LOCK_TIMEOUT":      "1500ms",
		"POSTGRES_IDLE_TIMEOUT":      "1800ms",
		"RECONCILE_INTERVAL":         "1s",
		"OUTBOX_SETTLED_AFTER":       "2s",
		"RETENTION_FILE":             w.policiesFile(),
		"RETENTION_INTERVAL":         "1s",
		"RETENTION_QUIET":            retentionQuiet.String(),
		// Orphaned faults are asked for at once. Of silence the checker cannot tell who
		// has heard it, so no run is interrupted for it.
		"LIVENESS_INTERVAL": "1s",
		"LIVENESS_GRACE":    "1s",
		"LIVENESS_SILENCE":  "24h",
		// No topic for dead letters: ingest would wait for the outbox; see mute.
	} {
		env = append(env, config.EnvPrefix+name+"="+value)
	}
	return env
}

// admin is a Redis client for faults, beside the proxy.
func (w *world) admin() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: w.redis.Addr(), MaxRetries: -1, ContextTimeoutEnabled: true, ReadTimeout: time.Minute})
}

// position is how far the service is.
type position struct {
	taken  int64          // records that it counts
	owned  map[string]int // partitions, by worker
	claims map[partition]claim
	next   map[partition]int64
	stops  []string // partitions that have stopped, and why
}

// claim says which worker has claimed a partition, and which claim of it that was.
type claim struct {
	owner string
	epoch int64
}

type partition struct {
	topic  string
	number int32
}

// readPosition asks a database directly how far the service is.
func readPosition(ctx context.Context, url string) (p position, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return p, err
	}
	defer func() { _ = conn.Close(ctx) }()
	rows, err := conn.Query(ctx, `SELECT topic, partition, owner, epoch, next_offset, applied + duplicates + quarantined, stopped_reason FROM test_coordination.ingest_partitions`)
	if err != nil {
		return p, err
	}
	p.next, p.owned, p.claims = map[partition]int64{}, map[string]int{}, map[partition]claim{}
	var at partition
	var held claim
	var next, taken int64
	var stopped string
	_, err = pgx.ForEachRow(rows, []any{&at.topic, &at.number, &held.owner, &held.epoch, &next, &taken, &stopped}, func() error {
		p.next[at] = next
		p.owned[held.owner]++
		p.claims[at] = held
		p.taken += taken
		if stopped != "" {
			p.stops = append(p.stops, fmt.Sprintf("%s/%d: %s", at.topic, at.number, stopped))
		}
		return nil
	})
	return p, err
}

// await reads the position until it is as wanted; false is for not in time.
func (w *world) await(ctx context.Context, limit time.Duration, wanted func(position) bool) (position, bool) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		if p, err := readPosition(ctx, w.databaseURL(false)); err == nil && wanted(p) {
			return p, true
		}
		if !wait(ctx, 100*time.Millisecond) {
			return position{}, false
		}
	}
}

// mustRead reads the position of a database that answers, if not at once.
func (w *world) mustRead(ctx context.Context) (position, error) {
	p, ok := w.await(ctx, time.Minute, readable)
	if !ok {
		return p, errors.New("the database does not tell the position for a minute")
	}
	return p, nil
}

// readable is any position.
func readable(position) bool { return true }

// claimed tells whether a worker has claimed a partition since then.
func (p position) claimed(by string, then position) bool {
	for at, now := range p.claims {
		if now.owner == by && now.epoch > then.claims[at].epoch {
			return true
		}
	}
	return false
}

// overtaken tells whether another has claimed a partition that was a worker's.
func (p position) overtaken(who string, then position) bool {
	for at, former := range then.claims {
		if now := p.claims[at]; former.owner == who && now.owner != who && now.owner != "" && now.epoch > former.epoch {
			return true
		}
	}
	return false
}

// left is how many records there are from the position to the ends of the log.
func (p position) left(ends map[checker.Partition]int64) (n int64) {
	for at, end := range ends {
		n += max(0, end-p.next[partition{at.Topic, at.Number}])
	}
	return n
}

func (p position) sum() (n int64) {
	for _, next := range p.next {
		n += next
	}
	return n
}
