package service_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// What was traced last is sent before a stop has ended; with a ratio of 0
// nothing is.
func TestSpansReachTheCollector(t *testing.T) {
	t.Parallel()
	for ratio, want := range map[string]bool{"1": true, "0": false} {
		t.Run("ratio "+ratio, func(t *testing.T) {
			t.Parallel()
			sent := make(chan string, 100)
			collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { sent <- r.URL.Path }))
			t.Cleanup(collector.Close)
			kafka := testenv.Kafka(t)
			cfg := settingsFor(testenv.Postgres(t), testenv.Redis(t), kafka).
				with("TRACING_ENDPOINT", collector.URL).with("TRACING_RATIO", ratio).load(t)
			tcda := start(t, cfg)
			say(t, kafka.Client(t), cfg.Kafka.TopicExecutions, "1", time.Now(), &contract.ExecutionStarted{ExecutionId: "exec-1"})
			store := openStore(t, cfg)
			testenv.Eventually(t, "the run is stored", func() bool {
				_, err := store.Run(t.Context(), pgstore.RunKey{ID: "exec-1", Number: 1})
				return err == nil
			})
			if err := tcda.stop(); err != nil {
				t.Fatal(err)
			}
			select {
			case path := <-sent:
				if !want || path != "/v1/traces" {
					t.Errorf("the collector was sent %s", path)
				}
			default:
				if want {
					t.Error("the collector was sent nothing")
				}
			}
		})
	}
}
