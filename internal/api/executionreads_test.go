package api_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// all reads a list page by page to its end.
func all[R, A, E any](w *world, procedure func(context.Context, *connect.Request[R]) (*connect.Response[A], error), m *R, entries func(*A) []E) (every []E) {
	w.Helper()
	asked, ok := any(m).(proto.Message)
	if !ok {
		w.Fatalf("%T is no message", m)
	}
	token := asked.ProtoReflect().Descriptor().Fields().ByName("page_token")
	for range 1000 {
		answer := call(w, procedure, m)
		every = append(every, entries(answer)...)
		answered := any(answer).(proto.Message).ProtoReflect()
		next := answered.Get(answered.Descriptor().Fields().ByName("next_page_token")).String()
		asked.ProtoReflect().Set(token, protoreflect.ValueOfString(next))
		if next == "" {
			return every
		}
	}
	w.Fatalf("%T: the list has no end", m)
	return nil
}

// at dates an event; a run is heard of in the order in which it is said.
func at(t time.Time) func(*event.Outgoing) { return func(o *event.Outgoing) { o.Time = t } }

func runName(e *contract.Execution) string {
	return fmt.Sprintf("%s/%d", e.GetExecutionId(), e.GetRun())
}

func TestGetExecution(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say(&contract.ExecutionRequested{
		ExecutionId: "exec-1", ScenarioId: "slow", Environment: "lab", Labels: map[string]string{"team": "risk"}, Parameters: parameters(w, map[string]any{"latency": 100}),
		ConfigurationSnapshot: structpb.NewStringValue("default"),
	})
	w.say(&contract.ExecutionStarted{ExecutionId: "exec-1"})
	w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1", Progress: proto.Float64(0.5), SystemState: parameters(w, map[string]any{"orders": 7})})
	got := call(w, w.executions.GetExecution, &contract.GetExecutionRequest{ExecutionId: "exec-1"})
	e, d := got.GetExecution(), got.GetDetails()
	if e.GetRun() != 1 || e.GetStatus() != "running" || e.GetProgress() != 0.5 || e.GetCounts().GetEvents() != 3 || e.GetScenarioId() != "slow" {
		t.Errorf("execution is %v", e)
	}
	if d.GetLabels()["team"] != "risk" || d.GetParameters().GetFields()["latency"].GetNumberValue() != 100 || d.GetConfigurationSnapshot().GetStringValue() != "default" ||
		d.GetSystemState().GetFields()["orders"].GetNumberValue() != 7 || d.GetSummary() != nil {
		t.Errorf("details are %v", d)
	}
	w.say(&contract.ExecutionFinished{ExecutionId: "exec-1", Outcome: "passed", Summary: structpb.NewNumberValue(3)})
	w.say(&contract.ExecutionStarted{ExecutionId: "exec-1"})
	for run, status := range map[int32]string{0: "running", 1: "passed", 2: "running"} {
		got := call(w, w.executions.GetExecution, &contract.GetExecutionRequest{ExecutionId: "exec-1", Run: run})
		if got.GetExecution().GetStatus() != status {
			t.Errorf("run %d is %s, want %s", run, got.GetExecution().GetStatus(), status)
		}
	}
	first := call(w, w.executions.GetExecution, &contract.GetExecutionRequest{ExecutionId: "exec-1", Run: 1})
	if first.GetDetails().GetSummary().GetNumberValue() != 3 {
		t.Errorf("summary is %v", first.GetDetails().GetSummary())
	}
	version := first.GetExecution().GetVersion()
	call(w, w.executions.GetExecution, &contract.GetExecutionRequest{ExecutionId: "exec-1", Run: 1, MinVersion: version})
	refused(w, w.executions.GetExecution, &contract.GetExecutionRequest{ExecutionId: "exec-1", Run: 1, MinVersion: version + 1}, connect.CodeFailedPrecondition, "version_not_reached", "min_version")
	refused(w, w.executions.GetExecution, &contract.GetExecutionRequest{ExecutionId: "exec-9"}, connect.CodeNotFound, "execution_not_found", "execution_id")
	refused(w, w.executions.GetExecution, &contract.GetExecutionRequest{ExecutionId: "exec-1", Run: 3}, connect.CodeNotFound, "execution_not_found", "run")
	refused(w, w.executions.GetExecution, &contract.GetExecutionRequest{ExecutionId: "exec-1", MinVersion: -1}, connect.CodeInvalidArgument, "invalid_argument", "min_version")
	w.say(&contract.ExecutionStarted{ExecutionId: "bare"})
	if bare := call(w, w.executions.GetExecution, &contract.GetExecutionRequest{ExecutionId: "bare"}); bare.GetDetails().GetLabels() != nil || bare.GetDetails().GetParameters() != nil {
		t.Errorf("details of a run without any: %v", bare.GetDetails())
	}
}

func TestListExecutions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 12 {
		w.say(&contract.ExecutionRequested{
			ExecutionId: fmt.Sprintf("exec-%02d", i), ScenarioId: []string{"slow", "depeg"}[i%2], Environment: []string{"lab", "staging", "lab"}[i%3], GroupId: []string{"night", "", "day"}[i%3],
		})
	}
	for i := range 8 {
		w.say(&contract.ExecutionFinished{ExecutionId: fmt.Sprintf("exec-%02d", i), Outcome: []string{"passed", "failed", "error", "passed"}[i%4]})
	}
	for range 3 { // further runs of one id
		w.say(&contract.ExecutionStarted{ExecutionId: "exec-03", ScenarioId: "depeg"})
		w.say(&contract.ExecutionFinished{ExecutionId: "exec-03", Outcome: "cancelled"})
	}
	call(w, w.executions.PinExecution, &contract.PinExecutionRequest{RequestId: w.request(), ExecutionId: "exec-02", Pinned: true})
	call(w, w.executions.PinExecution, &contract.PinExecutionRequest{RequestId: w.request(), ExecutionId: "exec-05", Pinned: true})

	// What a list is held against is made of all that is stored.
	entries := (*contract.ListExecutionsResponse).GetExecutions
	everything := all(w, w.executions.ListExecutions, &contract.ListExecutionsRequest{PageSize: 500}, entries)
	if len(everything) != 15 || !slices.IsSortedFunc(everything, func(a, b *contract.Execution) int {
		return b.GetCreatedAt().AsTime().Compare(a.GetCreatedAt().AsTime())
	}) {
		t.Fatalf("%d runs, want 15, newest first: %v", len(everything), everything)
	}
	fifth, tenth := everything[10].GetCreatedAt(), everything[5].GetCreatedAt()
	for name, c := range map[string]struct {
		of    *contract.ListExecutionsRequest
		means func(e *contract.Execution) bool
		runs  int
	}{
		"all":      {&contract.ListExecutionsRequest{}, func(*contract.Execution) bool { return true }, 15},
		"id":       {&contract.ListExecutionsRequest{ExecutionId: "exec-03"}, func(e *contract.Execution) bool { return e.GetExecutionId() == "exec-03" }, 4},
		"group":    {&contract.ListExecutionsRequest{GroupId: "night"}, func(e *contract.Execution) bool { return e.GetGroupId() == "night" }, 4},
		"scenario": {&contract.ListExecutionsRequest{ScenarioId: "depeg"}, func(e *contract.Execution) bool { return e.GetScenarioId() == "depeg" }, 9},
		"statuses": {&contract.ListExecutionsRequest{Statuses: []string{"failed", "cancelled", "pending"}}, func(e *contract.Execution) bool {
			return slices.Contains([]string{"failed", "cancelled", "pending"}, e.GetStatus())
		}, 9},
		"pinned":      {&contract.ListExecutionsRequest{Pinned: true}, (*contract.Execution).GetPinned, 2},
		"environment": {&contract.ListExecutionsRequest{Environment: "staging"}, func(e *contract.Execution) bool { return e.GetEnvironment() == "staging" }, 4},
		"time": {&contract.ListExecutionsRequest{CreatedFrom: fifth, CreatedUntil: tenth}, func(e *contract.Execution) bool {
			return !e.GetCreatedAt().AsTime().Before(fifth.AsTime()) && e.GetCreatedAt().AsTime().Before(tenth.AsTime())
		}, 5},
		"id and time": {&contract.ListExecutionsRequest{ExecutionId: "exec-03", CreatedUntil: everything[0].GetCreatedAt()}, func(e *contract.Execution) bool {
			return e.GetExecutionId() == "exec-03" && e.GetCreatedAt().AsTime().Before(everything[0].GetCreatedAt().AsTime())
		}, 3},
		"scenario and status": {&contract.ListExecutionsRequest{ScenarioId: "slow", Statuses: []string{"passed"}, Environment: "lab"}, func(e *contract.Execution) bool {
			return e.GetScenarioId() == "slow" && e.GetStatus() == "passed" && e.GetEnvironment() == "lab"
		}, 1},
		"group and pinned": {&contract.ListExecutionsRequest{GroupId: "day", Pinned: true}, func(e *contract.Execution) bool { return e.GetGroupId() == "day" && e.GetPinned() }, 2},
		"none":             {&contract.ListExecutionsRequest{ScenarioId: "unknown"}, func(e *contract.Execution) bool { return e.GetScenarioId() == "unknown" }, 0},
	} {
		var want []string
		for _, e := range everything {
			if c.means(e) {
				want = append(want, runName(e))
			}
		}
		if len(want) != c.runs {
			t.Errorf("%s: the test means %d runs, want %d: %v", name, len(want), c.runs, want)
		}
		for _, size := range []int32{0, 1, 2, 7} {
			c.of.PageSize = size
			var got []string
			for _, e := range all(w, w.executions.ListExecutions, c.of, entries) {
				got = append(got, runName(e))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s by pages of %d (-want +got):\n%s", name, size, diff)
			}
		}
	}
	refused(w, w.executions.ListExecutions, &contract.ListExecutionsRequest{PageSize: 501}, connect.CodeInvalidArgument, "invalid_argument", "page_size")
	refused(w, w.executions.ListExecutions, &contract.ListExecutionsRequest{Statuses: []string{"gone"}}, connect.CodeInvalidArgument, "invalid_argument", "statuses[0]")
	page := call(w, w.executions.ListExecutions, &contract.ListExecutionsRequest{PageSize: 1})
	refused(w, w.executions.ListExecutions, &contract.ListExecutionsRequest{Pinned: true, PageToken: page.GetNextPageToken()}, connect.CodeInvalidArgument, "invalid_argument", "page_token")
}

// A filter that no index knows looks at so many runs, and says that there is more.
func TestAPageOfAFilterIsABoundedLook(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say(&contract.ExecutionStarted{ExecutionId: "wanted", Environment: "lab"})
	_, err := w.db.Pool(t).Exec(t.Context(), `INSERT INTO test_coordination.executions (execution_id, run, bucket, version, status, lifecycle, environment, marks, created_at, updated_at)
		SELECT 'other-' || n, 1, current_date, 1, 'pending', 'pending', 'staging', ''::bytea, now() + n * interval '1 ms', now() FROM generate_series(1, 1500) AS n`)
	if err != nil {
		t.Fatal(err)
	}
	r := &contract.ListExecutionsRequest{Environment: "lab"}
	first := call(w, w.executions.ListExecutions, r)
	if len(first.GetExecutions()) != 0 || first.GetNextPageToken() == "" {
		t.Errorf("the first page has %d runs, next %q; want none and a token", len(first.GetExecutions()), first.GetNextPageToken())
	}
	r.PageToken = first.GetNextPageToken()
	second := call(w, w.executions.ListExecutions, r)
	if len(second.GetExecutions()) != 1 || second.GetNextPageToken() != "" {
		t.Errorf("the second page has %d runs, next %q; want the one, and the end", len(second.GetExecutions()), second.GetNextPageToken())
	}
	if _, err := w.db.Pool(t).Exec(t.Context(), "DELETE FROM test_coordination.executions WHERE environment = 'staging'"); err != nil { // they came of no event
		t.Fatal(err)
	}
}

func TestListActiveExecutions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, id := range []string{"d", "b", "a", "c"} {
		w.say(&contract.ExecutionStarted{ExecutionId: id})
	}
	w.say(&contract.ExecutionFinished{ExecutionId: "b", Outcome: "passed"})
	w.say(&contract.ExecutionStarted{ExecutionId: "c"}, func(o *event.Outgoing) { o.Source = "/coordinator/b" }) // its first run is superseded
	var got []string
	for _, e := range all(w, w.executions.ListActiveExecutions, &contract.ListActiveExecutionsRequest{PageSize: 2}, (*contract.ListActiveExecutionsResponse).GetExecutions) {
		got = append(got, runName(e))
	}
	if diff := cmp.Diff([]string{"a/1", "c/2", "d/1"}, got); diff != "" {
		t.Errorf("active (-want +got):\n%s", diff)
	}
}

func TestFindByCorrelation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	connected := func(o *event.Outgoing) { o.CorrelationID = "order-7" }
	w.say(&contract.ExecutionStarted{ExecutionId: "a"}, connected)
	w.say(&contract.ExecutionHeartbeat{ExecutionId: "a"}, connected)
	w.say(&contract.ExecutionStarted{ExecutionId: "b"})
	w.say(&contract.ExecutionValidationRecorded{ExecutionId: "b", ValidationId: "v", AssertionType: "latency", Status: "passed", CorrelationId: "order-7"})
	w.say(&contract.ExecutionStarted{ExecutionId: "c"})
	got := call(w, w.executions.FindByCorrelation, &contract.FindByCorrelationRequest{CorrelationId: "order-7"})
	if len(got.GetExecutions()) != 2 || runName(got.GetExecutions()[0]) != "b/1" || runName(got.GetExecutions()[1]) != "a/1" || got.GetTruncated() {
		t.Errorf("found %v, want b and a", got)
	}
	if none := call(w, w.executions.FindByCorrelation, &contract.FindByCorrelationRequest{CorrelationId: "order-8"}); len(none.GetExecutions()) != 0 {
		t.Errorf("found %v, want nothing", none)
	}
	for i := range 101 {
		w.say(&contract.ExecutionStarted{ExecutionId: fmt.Sprintf("many-%03d", i)}, func(o *event.Outgoing) { o.CorrelationID = "storm" })
	}
	many := call(w, w.executions.FindByCorrelation, &contract.FindByCorrelationRequest{CorrelationId: "storm"})
	if len(many.GetExecutions()) != 100 || !many.GetTruncated() || many.GetExecutions()[0].GetExecutionId() != "many-100" {
		t.Errorf("%d found, truncated %t, the first %v", len(many.GetExecutions()), many.GetTruncated(), many.GetExecutions()[0])
	}
	refused(w, w.executions.FindByCorrelation, &contract.FindByCorrelationRequest{}, connect.CodeInvalidArgument, "invalid_argument", "correlation_id")
}

func TestExplainExecution(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say(&contract.ExecutionStarted{ExecutionId: "exec-1"})
	w.say(&contract.ExecutionFinished{ExecutionId: "exec-1", Outcome: "passed"})
	before := time.Now()
	w.say(&contract.ExecutionValidationRecorded{ExecutionId: "exec-1", ValidationId: "v", AssertionType: "latency", Status: "failed"})
	w.say(&contract.ExecutionFinished{ExecutionId: "exec-1", Outcome: "cancelled"})
	x := call(w, w.executions.ExplainExecution, &contract.ExplainExecutionRequest{ExecutionId: "exec-1"})
	topics := map[string]*contract.Decision{}
	for _, d := range x.GetDecisions() {
		topics[d.GetTopic()] = d
	}
	status := topics["status"]
	if x.GetStatus() != "failed" || x.GetReportedOutcome() != "passed" || x.GetConsidered() != 4 || status.GetValue() != "failed" || len(status.GetEvents()) != 2 ||
		status.GetEvents()[0].GetType() != "test-coordination.execution.finished.v1" || status.GetReason() == "" || topics["failed_validations"].GetValue() != "1" {
		t.Errorf("explained %v", x)
	}
	if x.GetLateCount() != 1 || !x.GetLate()[0].GetLate() || x.GetConflictingCount() != 1 || !x.GetConflicting()[0].GetConflictingOutcome() {
		t.Errorf("late %v, conflicting %v; want one each", x.GetLate(), x.GetConflicting())
	}
	if e := status.GetEvents()[0]; e.GetAddress().GetTopic() == "" || e.GetData() != nil || e.GetSource() != "/coordinator/a" {
		t.Errorf("the deciding event is %v, want its address and no data", e)
	}
	then := call(w, w.executions.ExplainExecution, &contract.ExplainExecutionRequest{ExecutionId: "exec-1", AsOf: timestamppb.New(before)})
	if then.GetStatus() != "passed" || then.GetConsidered() != 2 || then.GetLeftOut() != 2 {
		t.Errorf("before the validation: %v", then)
	}
	refused(w, w.executions.ExplainExecution, &contract.ExplainExecutionRequest{ExecutionId: "none"}, connect.CodeNotFound, "execution_not_found", "execution_id")
}
