package api_test

import (
	"testing"
	"time"

	"connectrpc.com/connect"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pruning"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/retention"
)

// A note on a run whose events are gone, or about to go, would go with them: it is
// refused. A pin is kept in the run's row.
func TestAPrunedRunTakesNoNote(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say(&contract.ExecutionStarted{ExecutionId: "exec-1", ScenarioId: "slow"})
	w.say(&contract.ExecutionFinished{ExecutionId: "exec-1", Outcome: "passed"})
	note := func(text string) *contract.AnnotateExecutionRequest {
		return &contract.AnnotateExecutionRequest{RequestId: w.request(), ExecutionId: "exec-1", Text: text}
	}
	call(w, w.executions.AnnotateExecution, note("before"))
	pruner := pruning.New(pruning.Config{Rules: retention.Rules{Policies: retention.ForDays("old", retention.Events, 1)}, Actor: "test", Pace: 0.01}, pruning.Parts{
		Store: w.store, Now: func() time.Time { return time.Now().AddDate(0, 0, 3) },
	})
	if done, err := pruner.Once(t.Context()); err != nil || len(done.Pruned) == 0 {
		t.Fatalf("pruned %v, error %v", done.Pruned, err)
	}
	refused(w, w.executions.AnnotateExecution, note("after"), connect.CodeFailedPrecondition, "execution_pruned", "execution_id")
	if r := call(w, w.executions.PinExecution, &contract.PinExecutionRequest{RequestId: w.request(), ExecutionId: "exec-1", Pinned: true}); !r.GetExecution().GetPinned() {
		t.Error("the run is not pinned")
	}
}
