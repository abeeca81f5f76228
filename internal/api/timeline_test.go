package api_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// said is the short name of what an event says.
func said(e *contract.TimelineEvent) string {
	name := strings.TrimSuffix(strings.TrimPrefix(e.GetType(), "test-coordination.execution."), ".v1")
	for _, flag := range []struct {
		set  bool
		name string
	}{{e.GetLate(), "late"}, {e.GetConflictingOutcome(), "conflicting"}, {e.GetTimeSuspect(), "suspect"}, {e.GetAddress() == nil, "own"}} {
		if flag.set {
			name += " " + flag.name
		}
	}
	return name
}

func TestGetTimeline(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	began := time.Now().Add(-time.Hour)
	second := func(n int) time.Time { return began.Add(time.Duration(n) * time.Second) }
	w.say(&contract.ExecutionStarted{ExecutionId: "exec-1", Environment: "lab"}, at(second(0)))
	w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1", Progress: proto.Float64(0.5)}, at(second(3)))
	w.say(&contract.ExecutionPaused{ExecutionId: "exec-1"}, at(second(1)))
	w.say(&contract.ExecutionFinished{ExecutionId: "exec-1", Outcome: "passed"}, at(second(4)))
	w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1"}, at(second(5)))
	w.say(&contract.ExecutionFinished{ExecutionId: "exec-1", Outcome: "failed"}, at(second(6)))
	w.say(&contract.ExecutionFinished{ExecutionId: "exec-1", Outcome: "passed"}, at(second(7)))
	w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1"}, at(time.Now().AddDate(20, 0, 0)))
	call(w, w.executions.AnnotateExecution, &contract.AnnotateExecutionRequest{RequestId: w.request(), ExecutionId: "exec-1", Text: "look"})
	entries := (*contract.GetTimelineResponse).GetEvents
	want := []string{
		"started", "paused", "heartbeat", "finished", "heartbeat late", "finished conflicting", "finished", "annotated late own", "heartbeat late suspect",
	}
	for _, descending := range []bool{false, true} {
		for _, size := range []int32{0, 1, 4} {
			var got []string
			for _, e := range all(w, w.executions.GetTimeline, &contract.GetTimelineRequest{ExecutionId: "exec-1", PageSize: size, Descending: descending}, entries) {
				got = append(got, said(e))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("by pages of %d, descending %t (-want +got):\n%s", size, descending, diff)
			}
		}
		slices.Reverse(want)
	}
	first := call(w, w.executions.GetTimeline, &contract.GetTimelineRequest{ExecutionId: "exec-1", PageSize: 1}).GetEvents()[0]
	if a := first.GetAddress(); a.GetTopic() != "test-coordination.executions" || a.GetOffset() != 1 || first.GetSource() != "/coordinator/a" || first.GetEventId() != "event-1" ||
		!first.GetTime().AsTime().Equal(began) || first.GetRecordedAt() == nil || first.GetData().GetFields()["environment"].GetStringValue() != "lab" {
		t.Errorf("the first event is %v", first)
	}
	// The view says the same of each event.
	rows, err := w.db.Pool(t).Query(t.Context(), "SELECT event_id, late, conflicting_outcome, run_guessed, time_suspect FROM test_coordination.analytics_timeline WHERE execution_id = 'exec-1'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	flags := map[string][4]bool{}
	for rows.Next() {
		var id string
		var f [4]bool
		if err := rows.Scan(&id, &f[0], &f[1], &f[2], &f[3]); err != nil {
			t.Fatal(err)
		}
		flags[id] = f
	}
	told := map[string][4]bool{}
	for _, e := range all(w, w.executions.GetTimeline, &contract.GetTimelineRequest{ExecutionId: "exec-1"}, entries) {
		told[e.GetEventId()] = [4]bool{e.GetLate(), e.GetConflictingOutcome(), e.GetRunGuessed(), e.GetTimeSuspect()}
	}
	if diff := cmp.Diff(flags, told); diff != "" {
		t.Errorf("flags (-view +API):\n%s", diff)
	}
	refused(w, w.executions.GetTimeline, &contract.GetTimelineRequest{ExecutionId: "none"}, connect.CodeNotFound, "execution_not_found", "execution_id")
	page := call(w, w.executions.GetTimeline, &contract.GetTimelineRequest{ExecutionId: "exec-1", PageSize: 1})
	refused(w, w.executions.GetTimeline, &contract.GetTimelineRequest{ExecutionId: "exec-1", Descending: true, PageToken: page.GetNextPageToken()}, connect.CodeInvalidArgument, "invalid_argument", "page_token")
}

// A page that would be too large for a client ends early.
func TestAHeavyPageEndsEarly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say(&contract.ExecutionStarted{ExecutionId: "exec-1"})
	state := map[string]any{}
	for i := range 8 {
		state[fmt.Sprint("key-", i)] = strings.Repeat("x", 60_000)
	}
	for range 10 {
		w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1", SystemState: parameters(w, state)})
	}
	r := &contract.GetTimelineRequest{ExecutionId: "exec-1"}
	page := call(w, w.executions.GetTimeline, r)
	if n := len(page.GetEvents()); n < 2 || n > 9 || page.GetNextPageToken() == "" || proto.Size(page) > 4<<20 {
		t.Errorf("%d events of %d bytes, next %q; want some, within 4 MiB", n, proto.Size(page), page.GetNextPageToken())
	}
	if events := all(w, w.executions.GetTimeline, r, (*contract.GetTimelineResponse).GetEvents); len(events) != 11 {
		t.Errorf("%d events in all pages, want 11", len(events))
	}
}

func TestListLogs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	began := time.Now().Add(-time.Hour).Truncate(time.Second)
	second := func(n int) *timestamppb.Timestamp { return timestamppb.New(began.Add(time.Duration(n) * time.Second)) }
	w.say(&contract.ExecutionStarted{ExecutionId: "exec-1"}, at(began))
	for from := 5; from >= 0; from -= 5 { // the later lines come first
		var lines []*contract.LogLine
		for i := from; i < from+5; i++ {
			lines = append(lines, &contract.LogLine{
				Time: second(i), Message: fmt.Sprintf("Line %d", i), Level: []string{"info", "error"}[i%2], Service: []string{"exchange", "risk", "risk"}[i%3], Phase: "injection",
				Attributes: parameters(w, map[string]any{"n": i}),
			})
		}
		w.say(&contract.ExecutionLogAppended{ExecutionId: "exec-1", Lines: lines}, at(began.Add(time.Minute)))
	}
	w.say(&contract.ExecutionLogAppended{ExecutionId: "exec-1", Lines: []*contract.LogLine{{Message: "same time", Time: second(9)}, {Message: "same time, too", Time: second(9)}}}, at(began.Add(time.Minute)))
	messages := []string{"Line 0", "Line 1", "Line 2", "Line 3", "Line 4", "Line 5", "Line 6", "Line 7", "Line 8", "Line 9", "same time", "same time, too"}
	texts := func(lines []*contract.LogRecord) (texts []string) {
		for _, l := range lines {
			texts = append(texts, l.GetMessage())
		}
		return texts
	}
	entries := (*contract.ListLogsResponse).GetLines
	for name, c := range map[string]struct {
		of   *contract.ListLogsRequest
		want []string
	}{
		"all":      {&contract.ListLogsRequest{}, messages},
		"from":     {&contract.ListLogsRequest{From: second(4)}, messages[4:]},
		"until":    {&contract.ListLogsRequest{Until: second(4)}, messages[:4]},
		"between":  {&contract.ListLogsRequest{From: second(2), Until: second(9)}, messages[2:9]},
		"level":    {&contract.ListLogsRequest{Filter: &contract.LogFilter{Levels: []string{"error", "fatal"}}}, []string{"Line 1", "Line 3", "Line 5", "Line 7", "Line 9"}},
		"service":  {&contract.ListLogsRequest{Filter: &contract.LogFilter{Service: "exchange"}}, []string{"Line 0", "Line 3", "Line 6", "Line 9"}},
		"phase":    {&contract.ListLogsRequest{Filter: &contract.LogFilter{Phase: "injection"}}, messages[:10]},
		"contains": {&contract.ListLogsRequest{Filter: &contract.LogFilter{Contains: "SAME"}}, messages[10:]},
		"both":     {&contract.ListLogsRequest{Filter: &contract.LogFilter{Levels: []string{"info"}, Service: "risk"}}, []string{"Line 2", "Line 4", "Line 8"}},
		"none":     {&contract.ListLogsRequest{From: second(100)}, nil},
	} {
		c.of.ExecutionId = "exec-1"
		for _, size := range []int32{0, 1, 5} {
			c.of.PageSize = size
			if diff := cmp.Diff(c.want, texts(all(w, w.executions.ListLogs, c.of, entries))); diff != "" {
				t.Errorf("%s by pages of %d (-want +got):\n%s", name, size, diff)
			}
		}
		// From the end: each page is oldest first, the pages are not.
		c.of.Tail, c.of.PageSize = true, 5
		var got []string
		for _, line := range slices.Backward(all(w, w.executions.ListLogs, c.of, func(a *contract.ListLogsResponse) []*contract.LogRecord {
			lines := slices.Clone(a.GetLines())
			slices.Reverse(lines)
			return lines
		})) {
			got = append(got, line.GetMessage())
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s from the end (-want +got):\n%s", name, diff)
		}
	}
	tail := call(w, w.executions.ListLogs, &contract.ListLogsRequest{ExecutionId: "exec-1", Tail: true, PageSize: 3})
	if diff := cmp.Diff(messages[9:], texts(tail.GetLines())); diff != "" {
		t.Errorf("the last three (-want +got):\n%s", diff)
	}
	if l := call(w, w.executions.ListLogs, &contract.ListLogsRequest{ExecutionId: "exec-1", PageSize: 1}).GetLines()[0]; l.GetLevel() != "info" || l.GetAttributes().GetFields()["n"].GetNumberValue() != 0 || !l.GetTime().AsTime().Equal(began) {
		t.Errorf("the first line is %v", l)
	}
	refused(w, w.executions.ListLogs, &contract.ListLogsRequest{ExecutionId: "none"}, connect.CodeNotFound, "execution_not_found", "execution_id")
	refused(w, w.executions.ListLogs, &contract.ListLogsRequest{ExecutionId: "exec-1", Run: 2}, connect.CodeNotFound, "execution_not_found", "run")
}
