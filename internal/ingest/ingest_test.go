package ingest_test

import (
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

func TestARunFromKafkaToRedis(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.produce(
		w.say(&contract.ExecutionRequested{ExecutionId: "exec-1", ScenarioId: "depeg"}),
		w.say(&contract.ExecutionStarted{ExecutionId: "exec-1", Environment: "staging"}),
		w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1", Message: "half way"}),
		w.say(&contract.ExecutionFinished{ExecutionId: "exec-1", Outcome: "passed"}),
	)
	w.run()
	w.verify()

	w.wantSums(4, 0, 0)
	run, err := w.store.Run(t.Context(), pgstore.RunKey{ID: "exec-1", Number: 1})
	if err != nil {
		t.Fatal(err)
	}
	if run.Status != execution.StatusPassed || run.Environment != "staging" || run.Message != "half way" || run.Counts.Events != 4 {
		t.Errorf("stored run is %+v", run)
	}
	live, _, ok, err := w.live.State(t.Context(), "exec-1")
	if err != nil || !ok {
		t.Fatalf("live state: found %t, error %v", ok, err)
	}
	if live.Status != execution.StatusPassed || live.Version != run.Version {
		t.Errorf("live state is %+v, stored version %d", live, run.Version)
	}
}
