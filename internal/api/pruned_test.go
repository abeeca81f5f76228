package api_test

import (
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

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

// Whoever asks for a run, or for lines that are not there any more, hears what became
// of them.
func TestWhatIsGoneIsSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, id := range []string{"exec-1", "exec-2"} {
		w.say(&contract.ExecutionStarted{ExecutionId: id, ScenarioId: id})
		w.say(&contract.ExecutionLogAppended{ExecutionId: id, Lines: []*contract.LogLine{{Message: "one"}}})
		w.say(&contract.ExecutionFinished{ExecutionId: id, Outcome: "passed"})
	}
	policies := retention.ForDays("logs-retention-days", retention.Logs, 1)
	policies[0].Match.Scenarios = []string{"exec-1"}
	at := time.Now().AddDate(0, 0, 3).UTC().Truncate(time.Microsecond)
	pruner := pruning.New(pruning.Config{Rules: retention.Rules{Policies: policies}, Actor: "test", Pace: 0.01}, pruning.Parts{Store: w.store, Now: func() time.Time { return at }})
	if done, err := pruner.Once(t.Context()); err != nil || len(done.Pruned) != 1 {
		t.Fatalf("pruned %v, error %v", done.Pruned, err)
	}
	want := &contract.RemovedData{Kinds: []string{"logs"}, Policy: "logs-retention-days", RemovedAt: timestamppb.New(at)}
	run, lines := &contract.GetExecutionRequest{ExecutionId: "exec-1"}, &contract.ListLogsRequest{ExecutionId: "exec-1"}
	if got := call(w, w.executions.GetExecution, run).GetRemoved(); !proto.Equal(got, want) {
		t.Errorf("of the run %v is removed, want %v", got, want)
	}
	if got := call(w, w.executions.ListLogs, lines); len(got.GetLines()) > 0 || !proto.Equal(got.GetRemoved(), want) {
		t.Errorf("the page is %v, want no line, and that %v is removed", got, want)
	}
	run.ExecutionId, lines.ExecutionId = "exec-2", "exec-2"
	if got := call(w, w.executions.GetExecution, run).GetRemoved(); got != nil {
		t.Errorf("of the other run %v is removed, want nothing", got)
	}
	if got := call(w, w.executions.ListLogs, lines); len(got.GetLines()) != 1 || got.GetRemoved() != nil {
		t.Errorf("the page of the other is %v, want its line", got)
	}
}
