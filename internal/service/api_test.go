package service_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/sync/errgroup"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1/testcoordinationv1connect"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// cleartext is a client that speaks HTTP/2 without TLS.
func cleartext() *http.Client {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: &http.Transport{Protocols: protocols}}
}

// The API is served beside health and metrics: by Connect as plain JSON, by gRPC
// and by gRPC-Web, on an address of its own, too, and with its description.
func TestTheAPIIsServed(t *testing.T) {
	t.Parallel()
	s := settingsFor(testenv.Postgres(t), testenv.Redis(t), testenv.Kafka(t)).with("API_GRPC_LISTEN", "127.0.0.1:0").with("API_CLEARTEXT_HTTP2", "true")
	r := start(t, s.load(t))
	url := "http://" + r.HTTP.String()

	body := strings.NewReader(`{"requestId":"r-1","scenario":{"scenarioId":"slow","definition":"text"}}`)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/testcoordination.v1.ScenarioService/PublishScenario", body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var published struct {
		Version struct {
			Number int `json:"number"`
		} `json:"version"`
	}
	raw, err := io.ReadAll(answer.Body)
	if err != nil || json.Unmarshal(raw, &published) != nil || published.Version.Number != 1 {
		t.Errorf("plain JSON was answered %s %s, error %v", answer.Status, raw, err)
	}

	for name, client := range map[string]testcoordinationv1connect.ScenarioServiceClient{
		"connect":            testcoordinationv1connect.NewScenarioServiceClient(http.DefaultClient, url),
		"connect, by GET":    testcoordinationv1connect.NewScenarioServiceClient(http.DefaultClient, url, connect.WithHTTPGet()),
		"gRPC-Web":           testcoordinationv1connect.NewScenarioServiceClient(http.DefaultClient, url, connect.WithGRPCWeb()),
		"gRPC":               testcoordinationv1connect.NewScenarioServiceClient(cleartext(), url, connect.WithGRPC()),
		"gRPC on its own":    testcoordinationv1connect.NewScenarioServiceClient(cleartext(), "http://"+r.GRPC.String(), connect.WithGRPC()),
		"connect, too":       testcoordinationv1connect.NewScenarioServiceClient(http.DefaultClient, "http://"+r.GRPC.String()),
		"JSON over HTTP/2":   testcoordinationv1connect.NewScenarioServiceClient(cleartext(), url, connect.WithProtoJSON()),
		"gRPC-Web with gzip": testcoordinationv1connect.NewScenarioServiceClient(http.DefaultClient, url, connect.WithGRPCWeb(), connect.WithSendGzip()),
	} {
		got, err := client.GetScenario(t.Context(), connect.NewRequest(&contract.GetScenarioRequest{ScenarioId: "slow"}))
		if err != nil || got.Msg.GetVersion().GetDefinition() != "text" {
			t.Errorf("%s: %v, error %v", name, got, err)
		}
	}
	for path, want := range map[string]string{
		"/schema/report/v1.schema.json":            `"$id": "test-coordination.report.v1.schema.json"`,
		"/schema/report/comparison.v1.schema.json": `"$id": "test-coordination.comparison.v1.schema.json"`,
		"/openapi.yaml":                            "openapi: 3.1.0", "/docs/": "<html", "/docs": "<html", "/readyz": "status",
	} {
		code, text := page(t, url+path)
		if code != http.StatusOK || !bytes.Contains(text, []byte(want)) {
			t.Errorf("%s: %d %.200s", path, code, text)
		}
	}
	// The page needs nothing from elsewhere.
	if _, text := page(t, url+"/docs/"); regexp.MustCompile(`(src|href)="?(https?:)?//`).Match(text) {
		t.Errorf("the page loads something from elsewhere: %s", text)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}

// A stop is in order although somebody has connected and says nothing.
func TestAStopWaitsForNoSilentClient(t *testing.T) {
	t.Parallel()
	r := start(t, settingsFor(testenv.Postgres(t), testenv.Redis(t), testenv.Kafka(t)).load(t))
	client, err := new(net.Dialer).DialContext(t.Context(), "tcp", r.HTTP.String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	if _, err := io.WriteString(client, "GET /livez HTTP/1.1\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := r.stop(); err != nil {
		t.Error(err)
	}
}

func page(t testing.TB, url string) (int, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, text
}

// However many callers wait, for whatever, ingest goes on.
func TestIngestWaitsForNoCaller(t *testing.T) {
	t.Parallel()
	db, kafka := testenv.Postgres(t), testenv.Kafka(t)
	pool := db.Pool(t)
	cfg := settingsFor(db, testenv.Redis(t), kafka).with("POSTGRES_LOCK_TIMEOUT", "19s").with("POSTGRES_STATEMENT_TIMEOUT", "19s").load(t)
	r := start(t, cfg)
	hold, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hold.Exec(t.Context(), "LOCK TABLE test_coordination.execution_locks IN ACCESS EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	locks := testcoordinationv1connect.NewLockServiceClient(http.DefaultClient, "http://"+r.HTTP.String())
	var callers errgroup.Group
	for range cfg.Postgres.PoolSize + cfg.API.PoolSize {
		callers.Go(func() error {
			_, err := locks.ListLocks(t.Context(), connect.NewRequest(&contract.ListLocksRequest{}))
			return err
		})
	}
	waiting := func() (n int) {
		if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	testenv.Eventually(t, "callers wait on all connections that are theirs", func() bool { return waiting() == cfg.API.PoolSize })
	say(t, kafka.Client(t), cfg.Kafka.TopicExecutions, "e-1", time.Now(), &contract.ExecutionStarted{ExecutionId: "exec-1"})
	testenv.Eventually(t, "the event is stored", func() bool {
		var stored int
		if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM test_coordination.execution_events").Scan(&stored); err != nil {
			t.Fatal(err)
		}
		return stored == 1
	})
	if n := waiting(); n == 0 {
		t.Error("no caller waits any more: nothing was shown")
	}
	if err := hold.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := callers.Wait(); err != nil {
		t.Error(err)
	}
}

// What was asked so long ago that nobody repeats it, and what came due so long ago
// that nobody asks for it, is forgotten at the start, and then every ten minutes.
func TestWhatIsOldIsForgotten(t *testing.T) {
	t.Parallel()
	db := testenv.Postgres(t)
	pool := db.Pool(t)
	_, err := pool.Exec(t.Context(), `INSERT INTO test_coordination.api_requests (request_id, procedure, parameters, caller, answer, received_at)
		SELECT 'old-' || n, 'p', sha256('x'), 'c', 'a'::bytea, now() - interval '3 hours' FROM generate_series(1, 6000) AS n
		UNION ALL SELECT 'new', 'p', sha256('x'), 'c', 'a'::bytea, now()`)
	if err != nil {
		t.Fatal(err)
	}
	_, err = pool.Exec(t.Context(), `INSERT INTO test_coordination.schedule_occurrences (schedule_id, occurrence_id, kind, due_at, status, reason, created_at, settled_at)
		SELECT 's', 'at:' || at, 'cron', at, 'missed', 'too_late', at, at
		FROM (SELECT now() - interval '41 days' + n * interval '1 second' AS at FROM generate_series(1, 6000) AS n UNION ALL SELECT now() - interval '39 days') AS t`)
	if err != nil {
		t.Fatal(err)
	}
	settings := settingsFor(db, testenv.Redis(t), testenv.Kafka(t)).with("API_REQUEST_MEMORY", "2h").with("OCCURRENCE_MEMORY", "960h")
	start(t, settings.load(t))
	for table, what := range map[string]string{"api_requests": "answer", "schedule_occurrences": "*"} {
		testenv.Eventually(t, "what is old is forgotten: "+table, func() bool {
			var left int
			if err := pool.QueryRow(t.Context(), "SELECT count("+what+") FROM test_coordination."+table).Scan(&left); err != nil {
				t.Fatal(err)
			}
			return left == 1
		})
	}
}
