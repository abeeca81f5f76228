package service_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// From records of a run to its report: it settles, the report is frozen, an event
// tells of it, and where that event says, the report is, with the same digest. Two
// processes share the work: one publishes, the other builds and serves.
func TestASettledRunIsReported(t *testing.T) {
	t.Parallel()
	kafka := testenv.Kafka(t)
	s := settingsFor(testenv.Postgres(t), testenv.Redis(t), kafka).with("OUTBOX_SETTLED_AFTER", "1s")
	start(t, s.with("ROLES", "ingest,maintain,outbox").load(t))
	cfg := s.with("ROLES", config.RoleReport+",api").with("INSTANCE", "test-2").load(t)
	serving := start(t, cfg)
	store := openStore(t, cfg)
	testenv.Eventually(t, "settled runs are looked for", func() bool {
		_, err := store.SettledCursor(t.Context())
		return err == nil
	})
	coordinator := kafka.Client(t)
	begun := time.Now()
	say(t, coordinator, cfg.Kafka.TopicExecutions, "1", begun, &contract.ExecutionStarted{ExecutionId: "exec-1", ScenarioId: "depeg"})
	say(t, coordinator, cfg.Kafka.TopicExecutions, "2", begun.Add(time.Second), &contract.ExecutionFinished{ExecutionId: "exec-1", Outcome: "passed"})

	var told struct {
		Revision int    `json:"revision"`
		SHA256   string `json:"sha256"`
		Path     string `json:"path"`
		Status   string `json:"status"`
	}
	if err := json.Unmarshal(readTyped(t, kafka, cfg.Kafka.TopicReports, "test-coordination.report.published.v1").Value, &told); err != nil || told.Revision != 1 || told.Status != "passed" {
		t.Fatalf("told of %+v, %v", told, err)
	}
	url := "http://" + serving.HTTP.String()
	code, body := page(t, url+told.Path)
	if r, err := report.Decode(body); code != http.StatusOK || err != nil || r.SHA256 != told.SHA256 {
		t.Errorf("%s: %d, %v: %.200s", told.Path, code, err, body)
	}
	if code, body := page(t, url+"/reports/exec-1/0.html"); code != http.StatusOK || !bytes.Contains(body, []byte(told.SHA256)) {
		t.Errorf("page: %d %.200s", code, body)
	}
	testenv.Eventually(t, "the metrics count one report", func() bool {
		code, body := page(t, url+"/metrics")
		return code == http.StatusOK && bytes.Contains(body, []byte("tcda_report_revisions_total 1\n")) && bytes.Contains(body, []byte("tcda_reports_built_total 1\n"))
	})
}

// readTyped waits for the first record of a type.
func readTyped(t testing.TB, kafka *testenv.KafkaCluster, topic, typ string) *kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testenv.Patience)
	defer cancel()
	reader := kafka.Client(t, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMinAge(50*time.Millisecond), kgo.MetadataMaxAge(200*time.Millisecond))
	for ctx.Err() == nil {
		for _, r := range reader.PollFetches(ctx).Records() {
			for _, h := range r.Headers {
				if h.Key == "ce_type" && string(h.Value) == typ {
					return r
				}
			}
		}
	}
	t.Fatalf("no %s came to topic %s", typ, topic)
	return nil
}
