// Package chaostoolkittest holds what is stored of an imported journal against
// the journal, for tests. It reads the journal as plain JSON and the rows by
// plain SQL, and shares no code with package chaostoolkit.
package chaostoolkittest

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// run is an activity as the tool writes it.
type run struct {
	Activity struct {
		Type       string `json:"type"`
		Name       string `json:"name"`
		Tolerance  any    `json:"tolerance"`
		Background bool   `json:"background"`
	} `json:"activity"`
	Output       any      `json:"output"`
	Start        string   `json:"start"`
	End          string   `json:"end"`
	Status       string   `json:"status"`
	Duration     float64  `json:"duration"`
	Exception    []string `json:"exception"`
	ToleranceMet *bool    `json:"tolerance_met"`
}

type state struct {
	Met    *bool `json:"steady_state_met"`
	Probes []run `json:"probes"`
}

type journal struct {
	Experiment   json.RawMessage `json:"experiment"`
	Start        string          `json:"start"`
	End          string          `json:"end"`
	Status       string          `json:"status"`
	Deviated     bool            `json:"deviated"`
	Duration     float64         `json:"duration"`
	SteadyStates struct {
		Before *state  `json:"before"`
		After  *state  `json:"after"`
		During []state `json:"during"`
	} `json:"steady_states"`
	Run       []run `json:"run"`
	Rollbacks []run `json:"rollbacks"`
}

// step is a row of execution_steps, or what it should be.
type step struct {
	ID, Kind, Phase, Action, Status string
	Start, End                      time.Time
	Duration                        float64 // -1: none
}

// check is a row of validation_results, or what it should be.
type check struct {
	ID, Status, SteadyState string
	At                      time.Time
	Tolerance, Output, Met  any
}

// WantStored compares every fact of a journal with what is stored of its run:
// its status, start and end, the steady states, the activities with their status,
// output and durations, and the rollbacks.
func WantStored(t testing.TB, pool *pgxpool.Pool, executionID string, text []byte) {
	t.Helper()
	var j journal
	if err := json.Unmarshal(text, &j); err != nil {
		t.Fatalf("read the journal: %v", err)
	}
	wantRun(t, pool, executionID, &j)
	steps, checks, outputs, exceptions := expected(t, &j)
	gotSteps := rows(t, pool, `SELECT step_id, kind, phase, action, status, started_at, finished_at, coalesce(duration_seconds, -1)
		FROM test_coordination.execution_steps WHERE execution_id = $1`, executionID, func(r pgx.Rows, s *step) error {
		return r.Scan(&s.ID, &s.Kind, &s.Phase, &s.Action, &s.Status, &s.Start, &s.End, &s.Duration)
	})
	near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-9 })
	if diff := cmp.Diff(steps, byID(gotSteps, func(s step) string { return s.ID }), near); diff != "" {
		t.Errorf("activities (-journal +stored):\n%s", diff)
	}
	gotChecks := rows(t, pool, `SELECT validation_id, status, steady_state, recorded_at, evidence
		FROM test_coordination.validation_results WHERE execution_id = $1`, executionID, func(r pgx.Rows, c *check) error {
		var evidence map[string]any
		err := r.Scan(&c.ID, &c.Status, &c.SteadyState, &c.At, &evidence)
		c.Tolerance, c.Output, c.Met = evidence["tolerance"], evidence["output"], evidence["tolerance_met"]
		return err
	})
	if diff := cmp.Diff(checks, byID(gotChecks, func(c check) string { return c.ID })); diff != "" {
		t.Errorf("probes of the hypothesis (-journal +stored):\n%s", diff)
	}
	type line struct {
		Step, Level, Message string
		Output               any
	}
	gotOutputs, gotExceptions := map[string]any{}, map[string]string{}
	for _, l := range rows(t, pool, `SELECT step_id, level, message, attributes->'output' FROM test_coordination.execution_logs WHERE execution_id = $1`, executionID, func(r pgx.Rows, l *line) error {
		return r.Scan(&l.Step, &l.Level, &l.Message, &l.Output)
	}) {
		if l.Level == "error" {
			gotExceptions[l.Step] = l.Message
		} else {
			gotOutputs[l.Step] = l.Output
		}
	}
	if diff := cmp.Diff(outputs, gotOutputs); diff != "" {
		t.Errorf("outputs (-journal +stored):\n%s", diff)
	}
	if diff := cmp.Diff(exceptions, gotExceptions); diff != "" {
		t.Errorf("exceptions (-journal +stored):\n%s", diff)
	}
	wantFaults(t, pool, executionID, &j)
}

// wantRun compares the run itself, and its scenario.
func wantRun(t testing.TB, pool *pgxpool.Pool, id string, j *journal) {
	t.Helper()
	var status, reported, definition string
	var start, end time.Time
	var summary map[string]any
	err := pool.QueryRow(t.Context(), `SELECT e.status, e.reported_outcome, e.started_at, e.ended_at, d.summary, v.definition
		FROM test_coordination.executions AS e JOIN test_coordination.execution_details AS d USING (execution_id, run)
		JOIN test_coordination.scenario_versions AS v ON v.scenario_id = e.scenario_id AND encode(v.content_hash, 'hex') = e.scenario_version
		WHERE e.execution_id = $1`, id).Scan(&status, &reported, &start, &end, &summary, &definition)
	if err != nil {
		t.Fatalf("read run %s: %v", id, err)
	}
	met := func(s *state) any {
		if s == nil || s.Met == nil {
			return nil
		}
		return *s.Met
	}
	want := map[string]any{
		"status": j.Status, "deviated": j.Deviated, "duration": j.Duration,
		"before": met(j.SteadyStates.Before), "after": met(j.SteadyStates.After), "looks": float64(len(j.SteadyStates.During)),
		"start": moment(t, j.Start), "end": moment(t, j.End),
	}
	states, _ := summary["steady_state_met"].(map[string]any)
	during, _ := states["during"].(map[string]any)
	got := map[string]any{
		"status": summary["status"], "deviated": summary["deviated"], "duration": summary["duration"],
		"before": states["before"], "after": states["after"], "looks": during["looks"],
		"start": start.UTC(), "end": end.UTC(),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("run %s (-journal +stored):\n%s", id, diff)
	}
	unmet := j.SteadyStates.Before != nil && j.SteadyStates.Before.Met != nil && !*j.SteadyStates.Before.Met
	outcome := map[string]string{"completed": "passed", "interrupted": "cancelled", "aborted": "error", "failed": "error"}[j.Status]
	if j.Deviated || unmet && j.Status == "completed" {
		outcome = "failed"
	}
	if reported != outcome || status != outcome {
		t.Errorf("run %s is %s (reported %s), the journal's %s, deviated %v, means %s", id, status, reported, j.Status, j.Deviated, outcome)
	}
	var declared, kept any
	if json.Unmarshal(j.Experiment, &declared) != nil || json.Unmarshal([]byte(definition), &kept) != nil {
		t.Fatalf("the experiment, or the definition, is no JSON: %s", definition)
	}
	if diff := cmp.Diff(declared, kept); diff != "" {
		t.Errorf("experiment (-journal +stored):\n%s", diff)
	}
}

func wantFaults(t testing.TB, pool *pgxpool.Pool, id string, j *journal) {
	t.Helper()
	type fault struct {
		ID, Status string
		Requested  time.Time
	}
	want := map[string]fault{}
	for i, r := range j.Run {
		if r.Activity.Type == "action" {
			f := fault{fmt.Sprintf("method-%d", i+1), "cleared", moment(t, r.Start)}
			if r.Status == "failed" {
				f.Status = "failed"
			}
			want[f.ID] = f
		}
	}
	got := byID(rows(t, pool, "SELECT fault_id, status, requested_at FROM test_coordination.fault_injections WHERE execution_id = $1", id, func(r pgx.Rows, f *fault) error {
		err := r.Scan(&f.ID, &f.Status, &f.Requested)
		f.Requested = f.Requested.UTC()
		return err
	}), func(f fault) string { return f.ID })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("faults (-journal +stored):\n%s", diff)
	}
}

// expected is what a journal's activities should be stored as.
func expected(t testing.TB, j *journal) (steps map[string]step, checks map[string]check, outputs map[string]any, exceptions map[string]string) {
	t.Helper()
	steps, checks, outputs, exceptions = map[string]step{}, map[string]check{}, map[string]any{}, map[string]string{}
	add := func(id, kind, phase, part string, r run) {
		s := step{ID: id, Kind: kind, Phase: phase, Action: r.Activity.Name, Start: moment(t, r.Start), End: moment(t, r.End), Duration: r.Duration}
		s.Status = map[string]string{"succeeded": "passed", "failed": "failed", "": "error"}[r.Status]
		steps[id] = s
		if len(r.Exception) > 0 {
			exceptions[id] = strings.Join(r.Exception, "")
		}
		if part == "" {
			if r.Output != nil {
				outputs[id] = r.Output
			}
			return
		}
		c := check{ID: id, SteadyState: part, At: moment(t, r.End), Tolerance: r.Activity.Tolerance, Output: r.Output}
		switch {
		case r.Status != "succeeded":
			c.Status = "error"
		case *r.ToleranceMet:
			c.Status = "passed"
		default:
			c.Status = "failed"
		}
		c.Met = *r.ToleranceMet
		checks[id] = c
	}
	for part, s := range map[string]*state{"before": j.SteadyStates.Before, "after": j.SteadyStates.After} {
		if s != nil {
			for i, r := range s.Probes {
				add(fmt.Sprintf("%s-%d", part, i+1), "assertion", "steady-state-"+part, part, r)
			}
		}
	}
	for n, s := range j.SteadyStates.During {
		for i, r := range s.Probes {
			add(fmt.Sprintf("during-%d-%d", n+1, i+1), "assertion", "steady-state-during", "during", r)
		}
	}
	for i, r := range j.Run {
		kind := map[string]string{"action": "action", "probe": "assertion"}[r.Activity.Type]
		if r.Activity.Background && kind == "action" {
			kind = "parallel_action"
		}
		add(fmt.Sprintf("method-%d", i+1), kind, "method", "", r)
	}
	for i, r := range j.Rollbacks {
		add(fmt.Sprintf("rollback-%d", i+1), "rollback", "rollbacks", "", r)
	}
	return steps, checks, outputs, exceptions
}

func moment(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatalf("a time of the journal: %v", err)
	}
	return at.UTC()
}

func rows[T any](t testing.TB, pool *pgxpool.Pool, sql, id string, scan func(pgx.Rows, *T) error) []T {
	t.Helper()
	found, err := pool.Query(t.Context(), sql, id)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	var all []T
	for found.Next() {
		var one T
		if err := scan(found, &one); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func byID[T any](all []T, id func(T) string) map[string]T {
	found := map[string]T{}
	for _, one := range all {
		switch o := any(&one).(type) {
		case *step:
			o.Start, o.End = o.Start.UTC(), o.End.UTC()
		case *check:
			o.At = o.At.UTC()
		}
		found[id(one)] = one
	}
	return found
}
