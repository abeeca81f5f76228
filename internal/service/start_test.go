package service_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/childproc"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/opshttp"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgmigrate"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/service"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// waiting is a service that is not ready yet; its address is known beforehand.
type waiting struct {
	address string
	log     *buffer
	ready   <-chan service.Started
	ended   <-chan error
	stop    func()
}

// buffer is a log that may be read while it is written.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func startWaiting(t testing.TB, s settings) waiting {
	t.Helper()
	port, err := childproc.FreePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	ctx, stop := context.WithCancel(t.Context())
	ready, ended, log := make(chan service.Started, 1), make(chan error, 1), &buffer{}
	cfg := s.with("HTTP_LISTEN", address).load(t)
	go func() {
		defer close(ended)
		ended <- service.Run(ctx, cfg, service.Options{Log: zerolog.New(log), Ready: func(s service.Started) { ready <- s }})
	}()
	w := waiting{address: address, log: log, ready: ready, ended: ended, stop: stop}
	t.Cleanup(func() {
		stop()
		for range ended { // until it has ended
		}
	})
	testenv.Eventually(t, "it answers over HTTP", func() bool {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return w
}

// wantWaiting sees that the service lives, is not ready, and says for what it
// waits.
func (w waiting) wantWaiting(t testing.TB, what string) {
	t.Helper()
	testenv.Eventually(t, "it says that it is "+what, func() bool {
		code, report := askReadiness(t, w.address)
		return code == http.StatusServiceUnavailable && check(report, "service").Detail == what
	})
	select {
	case <-w.ready:
		t.Error("ready was called")
	default:
	}
	response, err := http.Get("http://" + w.address + "/livez") //nolint:noctx // a test's own server
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("/livez is %d", response.StatusCode)
	}
}

func (w waiting) wantReady(t testing.TB) {
	t.Helper()
	select {
	case <-w.ready:
	case err := <-w.ended:
		t.Fatalf("the service ended: %v", err)
	case <-time.After(testenv.Patience):
		t.Fatalf("not ready in time:\n%s", w.log)
	}
}

func check(r opshttp.Report, name string) opshttp.Result {
	i := slices.IndexFunc(r.Checks, func(c opshttp.Result) bool { return c.Name == name })
	if i < 0 {
		return opshttp.Result{}
	}
	return r.Checks[i]
}

func TestPostgresIsWaitedFor(t *testing.T) {
	t.Parallel()
	server, db := testenv.PostgresServer(t)
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	w := startWaiting(t, settingsFor(db, testenv.Redis(t), testenv.Kafka(t)))
	w.wantWaiting(t, "waiting for PostgreSQL")
	if _, report := askReadiness(t, w.address); check(report, "postgres").Status != opshttp.Unavailable {
		t.Errorf("report: %+v", report)
	}
	testenv.Eventually(t, "the log says so", func() bool { return strings.Contains(w.log.String(), `"message":"waiting for PostgreSQL"`) })
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.wantReady(t)
}

func TestTopicsAreWaitedFor(t *testing.T) {
	t.Parallel()
	kafka := testenv.Kafka(t)
	w := startWaiting(t, settingsFor(testenv.Postgres(t), testenv.Redis(t), kafka).with("KAFKA_CREATE_TOPICS", "false"))
	w.wantWaiting(t, "waiting for the input topics")
	testenv.Eventually(t, "the log says what to do", func() bool {
		return strings.Contains(w.log.String(), "create it, or let tcda do so with kafka-create-topics")
	})
	kafka.CreateTopic(t, "test-coordination.scenarios", 1, nil)
	kafka.CreateTopic(t, "test-coordination.executions", 1, nil)
	w.wantReady(t)
}

// What waits can be stopped.
func TestStopWhileWaiting(t *testing.T) {
	t.Parallel()
	s := settingsFor(testenv.Postgres(t), testenv.Redis(t), testenv.Kafka(t)).with("KAFKA_BROKERS", "127.0.0.1:1")
	w := startWaiting(t, s)
	w.wantWaiting(t, "waiting for Kafka")
	w.stop()
	if err := <-w.ended; err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestAnotherSchemaIsRefused(t *testing.T) {
	t.Parallel()
	cfg := settingsFor(testenv.EmptyPostgres(t), testenv.Redis(t), testenv.Kafka(t)).load(t)
	err := service.Run(t.Context(), cfg, service.Options{})
	var version *pgmigrate.VersionError
	if !errors.As(err, &version) || !strings.Contains(err.Error(), "run tcda migrate up") {
		t.Errorf("error is %v", err)
	}
}

func TestWhatCannotWorkIsRefused(t *testing.T) {
	t.Parallel()
	base := settingsFor(testenv.Postgres(t), testenv.Redis(t), testenv.Kafka(t))
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	nowhere := filepath.Join(t.TempDir(), "none.pem")
	for says, s := range map[string]settings{
		"http-listen":         base.with("HTTP_LISTEN", taken.Addr().String()),
		"kafka-tls-ca-file":   base.with("KAFKA_TLS", "true").with("KAFKA_TLS_CA_FILE", nowhere),
		"access-file":         base.with("ACCESS_FILE", nowhere),
		"http-tls-cert-file":  base.with("HTTP_TLS_CERT_FILE", nowhere).with("HTTP_TLS_KEY_FILE", nowhere),
		"kafka-tls-cert-file": base.with("KAFKA_TLS", "true").with("KAFKA_TLS_CERT_FILE", nowhere).with("KAFKA_TLS_KEY_FILE", nowhere),
	} {
		if err := service.Run(t.Context(), s.load(t), service.Options{}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("error is %v, want one that names %s", err, says)
		}
	}
}

// Redis is not needed: without it the service is ready, degraded, and ingests.
func TestWithoutRedisItWorks(t *testing.T) {
	t.Parallel()
	db, redis, kafka := testenv.Postgres(t), testenv.Redis(t), testenv.Kafka(t)
	if err := redis.Stop(); err != nil {
		t.Fatal(err)
	}
	cfg := settingsFor(db, redis, kafka).load(t)
	tcda := start(t, cfg)
	say(t, kafka.Client(t), cfg.Kafka.TopicExecutions, "1", time.Now(), &contract.ExecutionStarted{ExecutionId: "exec-1"})
	store := openStore(t, cfg)
	testenv.Eventually(t, "the run is stored", func() bool {
		_, err := store.Run(t.Context(), pgstore.RunKey{ID: "exec-1", Number: 1})
		return err == nil
	})
	tcda.becomes(t, "readiness is degraded without Redis", func(r opshttp.Report) bool {
		return r.Status == opshttp.Degraded && strings.HasPrefix(check(r, "redis").Detail, "no answer: ")
	})
}

// A partition that waits for an operator is seen in readiness, with the reason.
func TestAStoppedPartitionDegrades(t *testing.T) {
	t.Parallel()
	db, redis, kafka := testenv.Postgres(t), testenv.Redis(t), testenv.Kafka(t)
	cfg := settingsFor(db, redis, kafka).load(t)
	tcda := start(t, cfg)
	store := openStore(t, cfg)
	testenv.Eventually(t, "a partition is claimed", func() bool {
		all, err := store.Partitions(t.Context())
		return err == nil && len(all) > 0
	})
	all, err := store.Partitions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Stop(t.Context(), all[0], "a test", time.Now()); err != nil {
		t.Fatal(err)
	}
	tcda.becomes(t, "the stopped partition is told", func(r opshttp.Report) bool {
		found := check(r, "partitions")
		return found.Status == opshttp.Degraded && strings.Contains(found.Detail, "is stopped: a test; see tcda partitions list")
	})
}

// A quarantine over its soft limit is seen in readiness, until there is room
// again.
func TestAFullQuarantineDegrades(t *testing.T) {
	t.Parallel()
	db, redis, kafka := testenv.Postgres(t), testenv.Redis(t), testenv.Kafka(t)
	cfg := settingsFor(db, redis, kafka).with("QUARANTINE_SOFT_LIMIT", "1MiB").load(t)
	tcda := start(t, cfg)
	large, small := bytes.Repeat([]byte("x"), 520_000), []byte("[]")
	client := kafka.Client(t)
	for _, value := range append([][]byte{large, large}, slices.Repeat([][]byte{small}, 20)...) {
		// One key, so one partition and this order: a large one that came last would be kept in part, and fit.
		r := &kgo.Record{Topic: cfg.Kafka.TopicExecutions, Key: []byte("run-1"), Value: value}
		if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	tcda.becomes(t, "the full quarantine is told", func(r opshttp.Report) bool {
		found := check(r, "quarantine")
		return found.Status == opshttp.Degraded &&
			strings.Contains(found.Detail, "the soft limit is 1048576: only the beginnings of further ones are kept; requeue or discard some")
	})
	store := openStore(t, cfg)
	if _, err := store.DiscardOpen(t.Context(), pgstore.Discard{UpTo: 1 << 60, Most: 100, By: "operator", Why: "a test", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	tcda.becomes(t, "readiness is well again", func(r opshttp.Report) bool { return check(r, "quarantine").Status == opshttp.OK })
}

// A role that needs no Kafka is played without one.
func TestRolesApart(t *testing.T) {
	t.Parallel()
	s := settingsFor(testenv.Postgres(t), testenv.Redis(t), testenv.Kafka(t)).with("KAFKA_BROKERS", "127.0.0.1:1")
	for _, role := range []string{config.RoleMaintain, config.RoleReconcile} {
		tcda := start(t, s.with("ROLES", role).load(t))
		tcda.becomes(t, role+" is ready without Kafka", func(r opshttp.Report) bool { return check(r, "kafka").Name == "" })
		if err := tcda.stop(); err != nil {
			t.Errorf("%s: stop: %v", role, err)
		}
	}
}

// A stop that takes too long ends all the same, and says so.
func TestStopWithinTheDeadline(t *testing.T) {
	t.Parallel()
	server, db := testenv.PostgresServer(t)
	kafka := testenv.Kafka(t)
	s := settingsFor(db, testenv.Redis(t), kafka).
		with("SHUTDOWN_TIMEOUT", "1s").with("INGEST_APPLY_BUDGET", "1s").with("POSTGRES_STATEMENT_TIMEOUT", "900ms").with("POSTGRES_LOCK_TIMEOUT", "500ms")
	cfg := s.load(t)
	w := startWaiting(t, s)
	w.wantReady(t)
	coordinator := kafka.Client(t)
	begun := time.Now()
	say(t, coordinator, cfg.Kafka.TopicExecutions, "1", begun, &contract.ExecutionStarted{ExecutionId: "exec-1"})
	store := openStore(t, cfg)
	testenv.Eventually(t, "the partition is claimed and works", func() bool {
		_, err := store.Run(t.Context(), pgstore.RunKey{ID: "exec-1", Number: 1})
		return err == nil
	})
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	decoded := metric(t, w.address, `tcda_step_seconds_count{step="S2"}`)
	say(t, coordinator, cfg.Kafka.TopicExecutions, "2", begun, &contract.ExecutionHeartbeat{ExecutionId: "exec-1"})
	testenv.Eventually(t, "a batch waits for the frozen database", func() bool {
		return metric(t, w.address, `tcda_step_seconds_count{step="S2"}`) != decoded
	})
	w.stop()
	err := <-w.ended
	if resumed := server.Resume(); resumed != nil {
		t.Fatal(resumed)
	}
	// The batch in hand has the apply budget, and giving the partition back as much again.
	if !errors.Is(err, service.ErrStopTimeout) {
		t.Errorf("stop: %v", err)
	}
}

// metric is the value of a metric as the service shows it, as text.
func metric(t testing.TB, address, name string) string {
	t.Helper()
	response, err := http.Get("http://" + address + "/metrics") //nolint:noctx // a test's own server
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return value
		}
	}
	t.Fatalf("no metric %s in\n%s", name, text)
	return ""
}
