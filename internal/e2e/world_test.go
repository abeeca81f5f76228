package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/opshttp"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// Partitions of the input topics.
const (
	executionPartitions = 4
	scenarioPartitions  = 2
)

// world is what one test has to itself: a schema that tcda migrate has made,
// a Redis, and topics on a Kafka.
type world struct {
	testing.TB
	topics coordsim.Topics
	db     *testenv.DB
	redis  *testenv.RedisServer
	kafka  *testenv.KafkaCluster
	http   string            // address of health and metrics of the service started last
	env    map[string]string // of all programs

	store *pgstore.Store   // to look at what they have stored
	log   *kafkalog.Client // to look at how far the topics go
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldOn(t, testenv.Broker(t))
}

func newWorldOn(t testing.TB, kafka *testenv.KafkaCluster) *world {
	t.Helper()
	w := newEmptyWorld(t, kafka)
	start(t, w.env, "tcda", "migrate", "up").wantSuccess()
	return w
}

// newEmptyWorld is one whose database has no schema yet.
func newEmptyWorld(t testing.TB, kafka *testenv.KafkaCluster) *world {
	t.Helper()
	db, redis := testenv.EmptyPostgres(t), testenv.Redis(t)
	w := worldOf(t, kafka, redis, map[string]string{"POSTGRES_URL": db.URL, "REDIS_URL": redis.URL()})
	w.db = db
	w.connect(db.URL)
	return w
}

// worldOf has topics of its own and these servers, at addresses that settings
// name. Nothing is migrated yet.
func worldOf(t testing.TB, kafka *testenv.KafkaCluster, redis *testenv.RedisServer, settings map[string]string) *world {
	t.Helper()
	w := &world{
		TB: t, redis: redis, kafka: kafka,
		topics: coordsim.Topics{Executions: testenv.UniqueName("executions"), Scenarios: testenv.UniqueName("scenarios")},
	}
	w.kafka.CreateTopic(t, w.topics.Executions, executionPartitions, nil)
	w.kafka.CreateTopic(t, w.topics.Scenarios, scenarioPartitions, nil)
	commands, reports := testenv.UniqueName("commands"), testenv.UniqueName("reports")
	w.kafka.CreateTopic(t, commands, 1, nil)
	w.kafka.CreateTopic(t, reports, 1, nil)
	w.env = map[string]string{}
	for name, value := range map[string]string{
		"INSTANCE":               "e2e",
		"KAFKA_BROKERS":          w.kafka.Brokers[0],
		"KAFKA_GROUP_ID":         testenv.UniqueName("tcda"),
		"KAFKA_TOPIC_EXECUTIONS": w.topics.Executions,
		"KAFKA_TOPIC_SCENARIOS":  w.topics.Scenarios,
		"KAFKA_TOPIC_COMMANDS":   commands,
		"KAFKA_TOPIC_REPORTS":    reports,
		"HTTP_LISTEN":            "127.0.0.1:0",
		"LOG_FORMAT":             "json",
		// Small batches, so that there are many moments to die at, and a short
		// session, so that the group soon forgets who has died.
		"INGEST_BATCH_RECORDS":       "50",
		"KAFKA_FETCH_MAX_WAIT":       "50ms",
		"KAFKA_SESSION_TIMEOUT":      "6s",
		"KAFKA_HEARTBEAT":            "300ms",
		"INGEST_APPLY_BUDGET":        "2900ms",
		"POSTGRES_STATEMENT_TIMEOUT": "2800ms",
		"POSTGRES_LOCK_TIMEOUT":      "2s",
		"POSTGRES_IDLE_TIMEOUT":      "2s",
		"RECONCILE_INTERVAL":         "1s",
	} {
		w.env[config.EnvPrefix+name] = value
	}
	for name, value := range settings {
		w.env[config.EnvPrefix+name] = value
	}
	return w
}

// connect opens the connections of the test's own.
func (w *world) connect(postgres string) {
	w.Helper()
	var err error
	if w.store, err = pgstore.Open(w.Context(), pgstore.Config{URL: postgres, MaxConns: 4}); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(w.store.Close)
	w.log, err = kafkalog.Open(kafkalog.Config{
		Brokers: w.kafka.Brokers, ClientID: "e2e", Topics: []string{w.topics.Executions, w.topics.Scenarios},
		TLS: w.kafka.TLS, SASL: w.login(), Dial: w.kafka.Dial,
	})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(w.log.Close)
}

// login is who the test itself is to Kafka.
func (w *world) login() *kafkalog.SASL {
	if l := w.kafka.Login; l != nil {
		return &kafkalog.SASL{Mechanism: kafkalog.Mechanism(l.Mechanism), User: l.User, Password: l.Password}
	}
	return nil
}

// listening is what the service's first line of log says of its port.
var listening = regexp.MustCompile(`"http":"([^"]+)"`)

// serve starts the service and waits until it is ready.
func (w *world) serve() *process {
	w.Helper()
	return w.ready(start(w, w.env, "tcda", "serve"))
}

// serveAs is serve for one of several services, under a name of its own.
func (w *world) serveAs(instance string) *process {
	w.Helper()
	return w.ready(start(w, w.with("INSTANCE", instance), "tcda", "serve"))
}

// with is the environment of all programs, with some settings changed: name,
// value, and so on.
func (w *world) with(pairs ...string) map[string]string {
	env := maps.Clone(w.env)
	for i := 0; i < len(pairs); i += 2 {
		env[config.EnvPrefix+pairs[i]] = pairs[i+1]
	}
	return env
}

// ready waits until a service is ready.
func (w *world) ready(p *process) *process {
	w.Helper()
	w.http = ""
	testenv.Eventually(w, "the service is ready", func() bool {
		if !p.running() {
			w.Fatalf("tcda serve has ended: %v; it said:\n%s", p.err, p.said.tail())
		}
		if w.http == "" {
			said := listening.FindStringSubmatch(p.said.text())
			if said == nil {
				return false
			}
			w.http = said[1]
		}
		_, code := w.ask("/readyz")
		return code == http.StatusOK
	})
	return p
}

// ask is what the service answers to GET; code 0 when it does not answer.
func (w *world) ask(path string) (body []byte, code int) {
	w.Helper()
	request, err := http.NewRequestWithContext(w.Context(), http.MethodGet, "http://"+w.http+path, http.NoBody)
	if err != nil {
		w.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, 0
	}
	defer response.Body.Close()
	if body, err = io.ReadAll(response.Body); err != nil {
		return nil, 0
	}
	return body, response.StatusCode
}

// client keeps no connection: the next request may be for the next process.
var client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// report is the answer at a path of health.
func (w *world) report(path string) (opshttp.Report, int) {
	w.Helper()
	body, code := w.ask(path)
	var report opshttp.Report
	if err := json.Unmarshal(body, &report); err != nil {
		w.Fatalf("GET %s: %d %q: %v", path, code, body, err)
	}
	return report, code
}

// becomes waits until the service is ready, and of a status, by one answer: a check
// that a busy machine kept from answering in time is made again. Redis never stands in
// the way.
func (w *world) becomes(path string, status opshttp.Status) {
	w.Helper()
	var last string
	defer func() {
		if w.Failed() {
			w.Logf("GET %s: %s", path, last)
		}
	}()
	testenv.Eventually(w, path+" is "+string(status), func() bool {
		report, code := w.report(path)
		last = fmt.Sprintf("%d %+v", code, report)
		for _, c := range report.Checks {
			if c.Name == "redis" && c.Status == opshttp.Unavailable {
				w.Fatal("Redis makes the service unavailable")
			}
		}
		return code == http.StatusOK && report.Status == status
	})
}

// partition names a partition of a topic.
type partition struct {
	topic  string
	number int32
}

// ends is how far each partition goes.
func (w *world) ends() map[partition]int64 {
	w.Helper()
	all := map[partition]int64{}
	for topic, n := range map[string]int32{w.topics.Executions: executionPartitions, w.topics.Scenarios: scenarioPartitions} {
		for number := range n {
			offsets, err := w.log.Offsets(w.Context(), topic, number)
			// Each connection that the client has kept since before the broker was
			// restarted fails once.
			for tries := 1; err != nil && tries < 10; tries++ {
				offsets, err = w.log.Offsets(w.Context(), topic, number)
			}
			if err != nil {
				w.Fatal(err)
			}
			all[partition{topic, number}] = offsets.End
		}
	}
	return all
}

// partitions is where the service stands, by its own account.
func (w *world) partitions() map[partition]pgstore.Partition {
	w.Helper()
	stored, err := w.store.Partitions(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	all := map[partition]pgstore.Partition{}
	for _, p := range stored {
		all[partition{p.Topic, p.Number}] = p
	}
	return all
}

// ingested is how many records the service has taken.
func (w *world) ingested() (records int64) {
	w.Helper()
	for _, p := range w.partitions() {
		records += p.Applied + p.Duplicates + p.Quarantined
	}
	return records
}

// drain waits until the service stands at the end of every partition.
func (w *world) drain() {
	w.Helper()
	ends := w.ends()
	testenv.Eventually(w, "everything is ingested", func() bool {
		stored := w.partitions()
		for p, end := range ends {
			if stored[p].Next < end {
				return false
			}
		}
		return true
	})
}

// verify runs tcda verify, which must find nothing. The service still runs: a
// live state that Redis did not take in time is written by reconciliation.
func (w *world) verify() {
	w.Helper()
	start(w, w.with("REDIS_TIMEOUT", "1m", "REDIS_CONNECT_TIMEOUT", "1m"), "tcda", "verify", "--live-grace="+testenv.Patience.String()).wantSuccess()
}
