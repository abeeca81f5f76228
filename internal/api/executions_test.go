package api_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/api"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/command"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1/testcoordinationv1connect"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/lock"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// ask is a request for a run, in an environment.
func (w *world) ask(execution, scenario, environment string) *contract.RequestExecutionRequest {
	return &contract.RequestExecutionRequest{
		RequestId: w.request(), Execution: &contract.ExecutionRequested{ExecutionId: execution, ScenarioId: scenario, Environment: environment},
	}
}

// inRun is said of the run that was asked for.
func inRun(r *contract.RequestExecutionResponse) func(*event.Outgoing) {
	return func(o *event.Outgoing) { o.RunID = r.GetExecution().GetRunId() }
}

func TestRequestExecution(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	version := w.publish("slow", definition("100")).GetVersion()
	r := w.ask("exec-1", "slow", "staging")
	r.Execution.Parameters = parameters(w, map[string]any{"latency": 100})
	r.Execution.Trigger = &contract.Trigger{Type: "manual", Actor: "ada"}
	asked := call(w, w.executions.RequestExecution, r)
	got := asked.GetExecution()
	if got.GetStatus() != "pending" || got.GetRun() != 1 || got.GetScenarioVersion() != version.GetHash() || got.GetRunId() == "" || got.GetTrigger().GetActor() != "ada" {
		t.Errorf("asked for %v", got)
	}
	if diff := cmp.Diff(asked, call(w, w.executions.RequestExecution, r), protocmp.Transform()); diff != "" {
		t.Errorf("the repeat was answered otherwise (-first +repeat):\n%s", diff)
	}
	read := call(w, w.executions.GetExecution, &contract.GetExecutionRequest{ExecutionId: "exec-1"})
	if diff := cmp.Diff(got, read.GetExecution(), protocmp.Transform()); diff != "" {
		t.Errorf("it is read otherwise than it was answered (-answered +read):\n%s", diff)
	}
	refused(w, w.executions.RequestExecution, w.ask("exec-1", "slow", "staging"), connect.CodeFailedPrecondition, "execution_active", "execution.execution_id")

	// The coordinator repeats the runid, counts from 1, and is believed.
	sequence := func(n int64) func(*event.Outgoing) {
		return func(o *event.Outgoing) { inRun(asked)(o); o.Sequence = 1; _ = n }
	}
	w.say(&contract.ExecutionStarted{ExecutionId: "exec-1", Environment: "staging-2"}, sequence(1))
	cancelled := call(w, w.executions.CancelExecution, &contract.CancelExecutionRequest{RequestId: w.request(), ExecutionId: "exec-1", Reason: "enough"})
	if e := cancelled.GetExecution(); e.GetRun() != 1 || e.GetStatus() != "running" || e.GetEnvironment() != "staging-2" || e.GetCancelRequestedAt() == nil {
		t.Errorf("after the cancel was asked for: %v", e)
	}
	w.say(&contract.ExecutionFinished{ExecutionId: "exec-1", Outcome: "cancelled"}, inRun(asked))
	refused(w, w.executions.CancelExecution, &contract.CancelExecutionRequest{RequestId: w.request(), ExecutionId: "exec-1"}, connect.CodeFailedPrecondition, "execution_ended", "execution_id")

	again := call(w, w.executions.RequestExecution, w.ask("exec-1", "slow", "staging"))
	if again.GetExecution().GetRun() != 2 || again.GetExecution().GetStatus() != "pending" {
		t.Errorf("asked again: %v, want a second run", again.GetExecution())
	}
	pinned := call(w, w.executions.PinExecution, &contract.PinExecutionRequest{RequestId: w.request(), ExecutionId: "exec-1", Run: 1, Pinned: true, Reason: "evidence"})
	if e := pinned.GetExecution(); e.GetRun() != 1 || !e.GetPinned() || e.GetStatus() != "cancelled" {
		t.Errorf("pinned %v, want the first run", e)
	}
	pinned = call(w, w.executions.PinExecution, &contract.PinExecutionRequest{RequestId: w.request(), ExecutionId: "exec-1", Run: 1})
	if pinned.GetExecution().GetPinned() {
		t.Error("still pinned after it was let go")
	}
	note := call(w, w.executions.AnnotateExecution, &contract.AnnotateExecutionRequest{RequestId: w.request(), ExecutionId: "exec-1", Text: "look <here>"})
	if a := note.GetAnnotation(); a.GetRun() != 2 || a.GetText() != "look <here>" || a.GetAuthor() == "" || a.GetTime() == nil {
		t.Errorf("annotated %v", a)
	}
	var notes int
	if err := w.db.Pool(t).QueryRow(t.Context(), "SELECT count(*) FROM test_coordination.execution_annotations WHERE run = 2").Scan(&notes); err != nil || notes != 1 {
		t.Errorf("%d notes stored, error %v; want 1", notes, err)
	}
}

func TestWhatCannotBeAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("slow", definition("100"))
	refused(w, w.executions.RequestExecution, w.ask("exec-1", "none", ""), connect.CodeFailedPrecondition, "not_ready")
	named := w.ask("exec-1", "slow", "")
	named.Execution.ScenarioVersion = "7"
	refused(w, w.executions.RequestExecution, named, connect.CodeNotFound, "version_not_found", "execution.scenario_version")
	refused(w, w.executions.RequestExecution, w.ask("exec 1", "slow", ""), connect.CodeInvalidArgument, "invalid_argument", "execution.execution_id")
	locked := w.ask("exec-1", "slow", "")
	locked.Lock = &contract.LockToken{Name: "exec-1", Token: 3}
	refused(w, w.executions.RequestExecution, locked, connect.CodeAborted, "lock_not_held")
	none := connect.CodeNotFound
	refused(w, w.executions.CancelExecution, &contract.CancelExecutionRequest{RequestId: "r", ExecutionId: "exec-9"}, none, "execution_not_found", "execution_id")
	refused(w, w.executions.AnnotateExecution, &contract.AnnotateExecutionRequest{RequestId: "r", ExecutionId: "exec-9", Text: "x"}, none, "execution_not_found", "execution_id")
	refused(w, w.executions.PinExecution, &contract.PinExecutionRequest{RequestId: "r", ExecutionId: "exec-9"}, none, "execution_not_found", "execution_id")
	refused(w, w.executions.AnnotateExecution, &contract.AnnotateExecutionRequest{RequestId: "r", ExecutionId: "exec-9"}, connect.CodeInvalidArgument, "invalid_argument", "text")
	call(w, w.executions.RequestExecution, w.ask("exec-1", "slow", ""))
	refused(w, w.executions.PinExecution, &contract.PinExecutionRequest{RequestId: "r", ExecutionId: "exec-1", Run: 2}, none, "execution_not_found", "run")
	refused(w, w.executions.AnnotateExecution, &contract.AnnotateExecutionRequest{RequestId: "r", ExecutionId: "exec-1", Text: "a\x00b"}, connect.CodeInvalidArgument, "nul", "text")

	// A refused request wrote nothing, and its id is free.
	var executions int
	if err := w.db.Pool(t).QueryRow(t.Context(), "SELECT count(*) FROM test_coordination.execution_ids").Scan(&executions); err != nil || executions != 1 {
		t.Errorf("%d executions are known, error %v; want 1", executions, err)
	}
}

func TestARequestRestsOnItsLock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("slow", definition("100"))
	held, err := w.store.AcquireLock(t.Context(), lock.Ask{Name: "staging", Holder: "coordinator-1", Lease: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	r := w.ask("exec-1", "slow", "")
	r.Lock = &contract.LockToken{Name: "staging", Token: int64(held.Token)}
	call(w, w.executions.RequestExecution, r)
	if _, err := w.store.BreakLock(t.Context(), lock.Break{Name: "staging", Token: held.Token, By: "op", Reason: "stuck"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	refused(w, w.executions.CancelExecution, &contract.CancelExecutionRequest{RequestId: w.request(), ExecutionId: "exec-1", Lock: r.GetLock()}, connect.CodeAborted, "lock_lost")
}

func TestReadinessIsAskedForWithTheRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, id := range []string{"base", "depeg", "crash"} {
		w.publish(id, "text of "+id)
	}
	call(w, w.scenarios.DeclareDependencies, w.declare("depeg", &contract.Dependency{DependsOn: "base", Kind: "requires_success"}, &contract.Dependency{DependsOn: "crash", Kind: "conflicts_with"}))
	refused(w, w.executions.RequestExecution, w.ask("exec-d", "depeg", "staging"), connect.CodeFailedPrecondition, "not_ready")

	w.say(&contract.ExecutionStarted{ExecutionId: "exec-b", ScenarioId: "base", Environment: "staging"})
	w.say(&contract.ExecutionFinished{ExecutionId: "exec-b", Outcome: "passed"})
	ready := call(w, w.scenarios.CheckReadiness, &contract.CheckReadinessRequest{ScenarioId: "depeg", Environment: "staging"})
	if !ready.GetReady() {
		t.Fatalf("not ready: %v", ready)
	}
	if elsewhere := call(w, w.scenarios.CheckReadiness, &contract.CheckReadinessRequest{ScenarioId: "depeg", Environment: "lab"}); elsewhere.GetReady() {
		t.Errorf("ready where base has never passed: %v", elsewhere)
	}
	satisfied := map[string]string{}
	for _, f := range ready.GetFindings() {
		satisfied[f.GetRule()] = fmt.Sprintf("%s/%d", f.GetExecutionId(), f.GetRun())
	}
	if satisfied["requires_success"] != "exec-b/1" {
		t.Errorf("satisfied by %v, want requires_success by exec-b/1", satisfied)
	}

	call(w, w.executions.RequestExecution, w.ask("exec-c", "crash", "staging"))
	_, err := w.executions.RequestExecution(t.Context(), connect.NewRequest(w.ask("exec-d", "depeg", "staging")))
	var told *connect.Error
	if !errors.As(err, &told) || told.Code() != connect.CodeFailedPrecondition {
		t.Fatalf("error %v, want failed_precondition", err)
	}
	blocked := ""
	for _, d := range told.Details() {
		if v, err := d.Value(); err == nil {
			if m, ok := v.(*contract.CheckReadinessResponse); ok {
				for _, f := range m.GetFindings() {
					if !f.GetSatisfied() {
						blocked += f.GetRule() + " " + f.GetExecutionId()
					}
				}
			}
		}
	}
	if blocked != "conflicts_with exec-c" {
		t.Errorf("blocked by %q, want the conflicting run", blocked)
	}
}

// Two requests that exclude each other, again and again: never both accepted.
func TestExcludingRequestsAreNeverBothAccepted(t *testing.T) {
	t.Parallel()
	rounds := 1000
	if testing.Short() {
		rounds = 50
	}
	w := newWorld(t)
	w.publish("depeg", "text")
	w.publish("crash", "text")
	call(w, w.scenarios.DeclareDependencies, w.declare("depeg", &contract.Dependency{DependsOn: "crash", Kind: "must_not_overlap"}))
	for i := range rounds {
		type outcome struct {
			r   *connect.Response[contract.RequestExecutionResponse]
			err error
		}
		outcomes := make(chan outcome, 2)
		for _, id := range []string{"depeg", "crash"} {
			r := w.ask(fmt.Sprintf("exec-%s-%d", id, i), id, "staging")
			go func() {
				answer, err := w.executions.RequestExecution(t.Context(), connect.NewRequest(r))
				outcomes <- outcome{answer, err}
			}()
		}
		var accepted []*contract.RequestExecutionResponse
		for range 2 {
			switch o := <-outcomes; {
			case o.err == nil:
				accepted = append(accepted, o.r.Msg)
			case connect.CodeOf(o.err) != connect.CodeFailedPrecondition:
				t.Fatal(o.err)
			}
		}
		if len(accepted) != 1 {
			t.Fatalf("round %d: %d were accepted, want one: %v", i, len(accepted), accepted)
		}
		// It ends, so that the next round may begin.
		w.say(&contract.ExecutionFinished{ExecutionId: accepted[0].GetExecution().GetExecutionId(), Outcome: "passed"}, inRun(accepted[0]))
	}
	var overlapping int
	err := w.db.Pool(t).QueryRow(t.Context(), `SELECT count(*) FROM test_coordination.executions AS a JOIN test_coordination.executions AS b
		ON a.scenario_id = 'depeg' AND b.scenario_id = 'crash' AND a.requested_at < b.ended_at AND b.requested_at < a.ended_at`).Scan(&overlapping)
	if err != nil || overlapping != 0 {
		t.Errorf("%d pairs of runs overlap, error %v; want none", overlapping, err)
	}
}

// An execution that a batch has in hand holds up requests for it, and no others.
func TestAnExecutionInHandHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("slow", "text")
	w.say(&contract.ExecutionStarted{ExecutionId: "exec-busy", ScenarioId: "slow"})
	w.say(&contract.ExecutionFinished{ExecutionId: "exec-busy", Outcome: "passed"})
	pool := w.db.Pool(t)
	batch, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := batch.Exec(t.Context(), "SELECT FROM test_coordination.execution_ids WHERE execution_id = 'exec-busy' FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	held := make(chan error, 1)
	go func() {
		_, err := w.executions.RequestExecution(t.Context(), connect.NewRequest(w.ask("exec-busy", "slow", "staging")))
		held <- err
	}()
	testenv.Eventually(t, "the request waits for the batch", func() bool {
		var waiting int
		if err := pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&waiting); err != nil {
			t.Fatal(err)
		}
		return waiting == 1
	})
	call(w, w.executions.RequestExecution, w.ask("exec-other", "slow", "staging"))
	select {
	case err := <-held:
		t.Errorf("the request did not wait until the batch had ended: %v", err)
	default:
	}
	if err := batch.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-held; err != nil {
		t.Error(err)
	}
}

// another serves the API of another instance on the same database, whose clock is
// ahead by so much.
func (w *world) another(ahead time.Duration) testcoordinationv1connect.ExecutionServiceClient {
	w.Helper()
	decoder, err := event.NewDecoder(event.DefaultLimits())
	if err != nil {
		w.Fatal(err)
	}
	handler, err := api.NewHandler(api.Parts{
		Store: w.store, Limits: scenario.DefaultLimits(), Log: zerolog.New(zerolog.NewTestWriter(w)),
		Commands: command.New(command.Parts{
			Store: w.store, Decoder: decoder, Limits: scenario.DefaultLimits(), Source: "/tcda/another", Now: func() time.Time { return time.Now().Add(ahead) },
		}),
	})
	if err != nil {
		w.Fatal(err)
	}
	server := httptest.NewServer(handler)
	w.Cleanup(server.Close)
	return testcoordinationv1connect.NewExecutionServiceClient(server.Client(), server.URL)
}

// The last word on a pin holds, whichever instance is asked.
func TestAPinFollowsTheLastOneWhateverTheClocks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("slow", definition("100"))
	w.say(&contract.ExecutionStarted{ExecutionId: "exec-1", ScenarioId: "slow"})
	fast := w.another(10 * time.Minute)
	for n, instance := range []testcoordinationv1connect.ExecutionServiceClient{fast, w.executions, fast, w.executions, w.executions, fast} {
		pin := &contract.PinExecutionRequest{RequestId: w.request(), ExecutionId: "exec-1", Pinned: n%2 == 0}
		if answered := call(w, instance.PinExecution, pin).GetExecution().GetPinned(); answered != pin.GetPinned() {
			t.Errorf("word %d: pinned %t is answered with %t", n, pin.GetPinned(), answered)
		}
	}
}

// What a request stated is not stated again when its answer has been forgotten, not
// even by another instance, whose events have another source.
func TestForgottenRequestsAreNotCarriedOutAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish("slow", definition("100"))
	w.say(&contract.ExecutionStarted{ExecutionId: "exec-1", ScenarioId: "slow"})
	cancel := &contract.CancelExecutionRequest{RequestId: "cancel", ExecutionId: "exec-1", Reason: "enough"}
	pin := &contract.PinExecutionRequest{RequestId: "pin", ExecutionId: "exec-1", Pinned: true}
	archive := &contract.ChangeScenarioStatusRequest{RequestId: "archive", Change: &contract.ScenarioStatusChanged{ScenarioId: "slow", Status: "archived"}}
	ask := w.ask("exec-2", "slow", "staging")
	call(w, w.executions.RequestExecution, ask)
	call(w, w.executions.CancelExecution, cancel)
	call(w, w.executions.PinExecution, pin)
	call(w, w.scenarios.ChangeScenarioStatus, archive)
	if n, err := w.Store.ForgetAnswers(w.Context(), time.Now().Add(time.Hour), 100); err != nil || n != 5 {
		t.Fatalf("forgot %d answers, %v; want 5", n, err)
	}
	for _, instance := range []testcoordinationv1connect.ExecutionServiceClient{w.executions, w.another(0)} {
		refused(w, instance.RequestExecution, ask, connect.CodeAlreadyExists, "request_id_conflict", "request_id")
		refused(w, instance.CancelExecution, cancel, connect.CodeAlreadyExists, "request_id_conflict", "request_id")
		refused(w, instance.PinExecution, pin, connect.CodeAlreadyExists, "request_id_conflict", "request_id")
	}
	refused(w, w.scenarios.ChangeScenarioStatus, archive, connect.CodeAlreadyExists, "request_id_conflict", "request_id")
}
