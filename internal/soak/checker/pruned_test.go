package checker_test

import (
	"regexp"
	"testing"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/soak/checker"
)

// prunedAt is when retention has removed something, in the histories by hand.
var prunedAt = second(60)

// prune adds a tombstone of run 1 of exec-a.
func (h *history) prune(policy string, kinds ...string) checker.Row {
	h.policies = []checker.Policy{
		{Name: "whole", Scenarios: regexp.MustCompile(`^$`), Kinds: []string{"run"}},
		{Name: "papers", Scenarios: regexp.MustCompile(`^$`), Kinds: []string{"logs"}},
		{Name: "others", Scenarios: regexp.MustCompile(`^other$`), Kinds: []string{"run"}},
	}
	row := checker.Row{
		"execution_id": "exec-a", "run": int64(1), "run_id": nil, "scenario_id": "", "policy": policy, "status": "failed", "kinds": kinds, "pending": []string{},
		"first_event_at": second(1), "last_event_at": second(6), "suspect_from": nil, "suspect_until": nil, "ended_at": second(5), "last_start_at": second(1), "pruned_at": prunedAt,
	}
	h.add("pruned_runs", row)
	return row
}

// prunedWhole is the faultless history of which exec-a is gone.
func prunedWhole(t *testing.T) *history {
	t.Helper()
	h := faultless()
	h.prune("whole", "events", "logs", "reports", "results", "run", "snapshots")
	h.add("pruned_events", checker.Row{"topic": executionsTopic, "partition": int64(0), "events": int64(6)})
	for _, table := range []string{"execution_events", "analytics_timeline", "executions", "validation_results", "execution_logs"} {
		h.remove(t, table, "execution_id", "exec-a")
	}
	delete(h.states, "exec-a")
	return h
}

// prunedEvents is the faultless history of which the events of exec-a are gone, and its
// row is not.
func prunedEvents(t *testing.T) *history {
	t.Helper()
	h := faultless()
	h.prune("whole", "events")
	h.add("pruned_events", checker.Row{"topic": executionsTopic, "partition": int64(0), "events": int64(6)})
	h.remove(t, "execution_events", "execution_id", "exec-a")
	h.remove(t, "analytics_timeline", "execution_id", "exec-a")
	return h
}

// prunedLogs is the faultless history of which the lines of exec-a are gone.
func prunedLogs(t *testing.T) *history {
	t.Helper()
	h := faultless()
	h.prune("papers", "logs")
	h.remove(t, "execution_logs", "execution_id", "exec-a")
	return h
}

// ghost is a run that has opened by an event that is heard of after the end of exec-a.
func (h *history) ghost(s said) {
	at := h.send(executionsTopic, 1, s, false)
	h.accepted(&at, s, 2, 1, s.data)
	h.rows["execution_events"][len(h.rows["execution_events"])-1]["recorded_at"] = prunedAt.Add(second(10).Sub(noon))
	run := runRow("exec-a", 2, checker.Row{"status": "running", "last_event_at": s.at, "last_heartbeat_at": s.at, "events": int64(1)})
	if s.typ == "execution.started" {
		run["start_source"], run["started_at"], run["last_heartbeat_at"] = s.from(), s.at, nil
	}
	if s.runID != "" {
		run["run_id"] = s.runID
	}
	h.add("executions", run)
	h.rows["execution_ids"][0]["latest_run"] = int64(2)
	h.rows["ingest_partitions"][1]["next_offset"], h.rows["ingest_partitions"][1]["applied"] = int64(2), int64(1)
	h.states["exec-a"] = state("00000001-0000000002-0000000000000000001", 2, map[string]string{"status": "running", "last_event_at": s.at.Format("2006-01-02T15:04:05Z"), "events": "1", "run_id": s.runID})
	if s.typ == "execution.started" {
		h.states["exec-a"]["started_at"] = h.states["exec-a"]["last_event_at"]
	}
	h.active = append(h.active, "exec-a")
}

// What retention may remove is not missed, and what it has yet to remove, or came
// later, may be there.
func TestHistoryThatRetentionHasPrunedIsGreen(t *testing.T) {
	t.Parallel()
	for name, pruned := range map[string]func(*testing.T) *history{
		"whole": prunedWhole, "events": prunedEvents, "logs": prunedLogs,
		"rows wait to be removed": func(t *testing.T) *history {
			t.Helper()
			h := prunedWhole(t)
			h.rows["validation_results"] = faultless().rows["validation_results"]
			h.rows["pruned_runs"][0]["pending"] = []string{"results"}
			return h
		},
		"lines wait to be removed": func(t *testing.T) *history {
			t.Helper()
			h := faultless()
			h.prune("papers", "logs")["pending"] = []string{"logs"}
			return h
		},
		"lines came later": func(t *testing.T) *history {
			t.Helper()
			h := faultless()
			h.prune("papers", "logs")
			h.find(t, "execution_events", "event_id", "e4")["recorded_at"] = prunedAt
			return h
		},
		"the next run begins": func(t *testing.T) *history {
			t.Helper()
			h := prunedWhole(t)
			h.ghost(said{id: "e9", subject: "exec-a", typ: "execution.started", at: second(30), sequence: 1, data: `{"execution_id":"exec-a"}`})
			return h
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if r := pruned(t).check(t); !r.Green() || r.PrunedRuns != 1 {
				t.Errorf("%d pruned runs; found: %v", r.PrunedRuns, r.Examples)
			}
		})
	}
}

// As TestEachFaultIsSeen, of what retention removes.
func TestEachFaultOfRetentionIsSeen(t *testing.T) {
	t.Parallel()
	tombstone := func(column string, value any) func(*testing.T, *history) {
		return func(_ *testing.T, h *history) { h.rows["pruned_runs"][0][column] = value }
	}
	for name, c := range map[string]struct {
		of           func(*testing.T) *history
		breaks       func(*testing.T, *history)
		class        checker.Class
		where, field string
	}{
		"by a policy that there is not":    {prunedWhole, tombstone("policy", "mine"), checker.Wrong, "exec-a run 1", "pruned_runs.policy is mine"},
		"by a policy of other scenarios":   {prunedWhole, tombstone("policy", "others"), checker.Wrong, "exec-a run 1", "pruned_runs.policy is others"},
		"a kind of which no policy speaks": {prunedLogs, tombstone("kinds", []string{"logs", "snapshots"}), checker.Wrong, "exec-a run 1", "pruned_runs.kinds is snapshots"},
		"a run that has not ended":         {prunedWhole, tombstone("status", "running"), checker.Wrong, "exec-a run 1", "pruned_runs.status is running"},
		"a run that was pinned": {prunedWhole, func(_ *testing.T, h *history) {
			h.calls = append(h.calls, checker.Call{
				ID: "r1", Sent: second(7), Answered: second(8), Message: &contract.PinExecutionRequest{ExecutionId: "exec-a", Pinned: true},
				Answer: &contract.PinExecutionResponse{Execution: &contract.Execution{ExecutionId: "exec-a", Run: 1}},
			})
		}, checker.Wrong, "exec-a run 1", "pruned_runs is"},
		"a run without its tombstone": {prunedWhole, func(_ *testing.T, h *history) { h.rows["pruned_runs"] = nil }, checker.Lost, executionsTopic, "event e1"},
		"a row of a run that is gone": {prunedWhole, func(_ *testing.T, h *history) {
			h.add("executions", runRow("exec-a", 1, checker.Row{"status": "failed"}))
		}, checker.Wrong, "exec-a run 1", "executions is a row"},
		"a row of results that are gone": {prunedWhole, func(_ *testing.T, h *history) {
			h.rows["validation_results"] = faultless().rows["validation_results"]
		}, checker.Wrong, "exec-a run 1", "validation_results is a row"},
		"an event that was applied again": {prunedEvents, func(_ *testing.T, h *history) {
			h.accepted(&checker.Address{Topic: executionsTopic, Offset: 1}, beat, 1, 7, beat.data)
		}, checker.Wrong, "exec-a run 1", "execution_events is a row"},
		"a line from before": {prunedLogs, func(_ *testing.T, h *history) {
			h.rows["execution_logs"] = faultless().rows["execution_logs"]
		}, checker.Wrong, "exec-a run 1", "execution_logs"},
		"a line that is there no more, of a run that keeps its lines": {prunedLogs, tombstone("kinds", []string{}), checker.Lost, "exec-a run 1", "execution_logs"},
		"a run whose events are gone changes": {prunedEvents, func(t *testing.T, h *history) {
			t.Helper()
			h.find(t, "executions", "execution_id", "exec-a")["status"] = "passed"
		}, checker.Wrong, "exec-a run 1", "executions.status is passed"},
		"a run that is nowhere": {prunedWhole, func(_ *testing.T, h *history) {
			h.rows["pruned_runs"][0]["run"], h.rows["execution_ids"][0]["latest_run"] = int64(2), int64(2)
		}, checker.Lost, "exec-a run 1", "executions is no row"},
		"an event of no run that is gone": {prunedWhole, func(_ *testing.T, h *history) {
			h.send(executionsTopic, 1, said{id: "e9", subject: "exec-a", typ: "execution.heartbeat", at: second(3), runID: "second", data: `{"execution_id":"exec-a"}`}, false)
			h.rows["ingest_partitions"][1]["next_offset"] = int64(2)
		}, checker.Lost, executionsTopic + "/1@1", "event e9"},
		"more events are gone than there were": {prunedWhole, func(_ *testing.T, h *history) {
			h.rows["pruned_events"][0]["events"] = int64(7)
		}, checker.Doubled, executionsTopic + "/0", "pruned_events"},
		"fewer events are gone than were applied": {prunedWhole, func(_ *testing.T, h *history) {
			h.rows["pruned_events"][0]["events"] = int64(5)
		}, checker.Doubled, executionsTopic + "/0", "applied"},
		"a run opened by a repetition": {prunedWhole, func(_ *testing.T, h *history) {
			h.ghost(beat)
		}, checker.Wrong, "exec-a run 2", "executions is opened by event e2"},
		"a run opened by an event that names one that is gone": {prunedWhole, func(_ *testing.T, h *history) {
			h.rows["pruned_runs"][0]["run_id"] = "first"
			h.ghost(said{id: "e9", subject: "exec-a", typ: "execution.started", at: second(30), sequence: 1, runID: "first", data: `{"execution_id":"exec-a"}`})
		}, checker.Wrong, "exec-a run 2", "executions is opened by event e9"},
		"an event in another run than it names": {prunedWhole, func(_ *testing.T, h *history) {
			h.ghost(said{id: "e9", subject: "exec-a", typ: "execution.started", at: second(30), sequence: 1, runID: "second", data: `{"execution_id":"exec-a"}`})
			h.rows["executions"][len(h.rows["executions"])-1]["run_id"] = "third"
		}, checker.Wrong, executionsTopic + "/1@1", "run of event e9"},
		"a gap behind a run that is gone": {prunedWhole, func(_ *testing.T, h *history) {
			h.ghost(said{id: "e9", subject: "exec-a", typ: "execution.started", at: second(30), sequence: 1, data: `{"execution_id":"exec-a"}`})
			h.rows["execution_events"][len(h.rows["execution_events"])-1]["arrival"] = int64(2)
		}, checker.Wrong, "exec-a run 2", "execution_events.arrival"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := c.of(t)
			c.breaks(t, h)
			h.finds(t, c.class, c.where, c.field)
		})
	}
}
