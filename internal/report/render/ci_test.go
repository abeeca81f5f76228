package render_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/joshdk/go-junit"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report/reporttest"
)

// caseOf finds a case of a suite by the beginning of its name.
func caseOf(t *testing.T, suites []junit.Suite, suite, name string) junit.Test {
	t.Helper()
	for _, s := range suites {
		for _, c := range s.Tests {
			if s.Name == suite && strings.HasPrefix(c.Name, name) {
				return c
			}
		}
	}
	t.Fatalf("no case %s in suite %s", name, suite)
	return junit.Test{}
}

func TestJUnitSaysWhatFailed(t *testing.T) {
	t.Parallel()
	suites, err := junit.Ingest(rendered(t, "junit", sample()))
	if err != nil {
		t.Fatal(err)
	}
	type totals struct{ Tests, Passed, Failed, Error, Skipped int }
	got := map[string]totals{}
	for _, s := range suites {
		got[s.Name] = totals{s.Totals.Tests, s.Totals.Passed, s.Totals.Failed, s.Totals.Error, s.Totals.Skipped}
		if s.Properties["tcda.execution_id"] != "exec-stablecoin-depeg-001" || s.Properties["tcda.run"] != "3" || len(s.Properties["tcda.report.sha256"]) != 64 {
			t.Errorf("suite %s does not say which run it is of: %v", s.Name, s.Properties)
		}
	}
	want := map[string]totals{"run": {1, 0, 1, 0, 0}, "validations": {11, 7, 2, 1, 1}, "steps": {3, 2, 1, 0, 0}, "faults": {3, 2, 0, 1, 0}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("totals (-want +got):\n%s", diff)
	}
	alert := caseOf(t, suites, "validations", "v-alert")
	if alert.Name != "v-alert · alert_raised" || alert.Classname != "stablecoin-depeg.risk-monitor/depeg" || alert.Status != junit.StatusFailed {
		t.Errorf("the alert is %+v", alert)
	}
	if alert.Message != "expected alert within 4 min, got no alert after 5 min 50 s" {
		t.Errorf("it failed because %q", alert.Message)
	}
	if latency := caseOf(t, suites, "validations", "v-latency"); latency.Duration.Milliseconds() != 14200 {
		t.Errorf("the latency was seen after %v", latency.Duration)
	}
	if kill := caseOf(t, suites, "faults", "f-kill"); kill.Status != junit.StatusError || kill.Message != "permission denied: pods/delete" {
		t.Errorf("the fault that was not injected is %+v", kill)
	}
	if !strings.Contains(suites[0].SystemOut, "recommended (high): Alert on stale market data") {
		t.Errorf("the summary is %q", suites[0].SystemOut)
	}
}

// A run that ended badly without a failed validation is not green in CI; one that
// passed is.
func TestVerdictDecidesJUnitAndCTRF(t *testing.T) {
	t.Parallel()
	for status, want := range map[execution.Status][2]string{
		execution.StatusPassed: {"passed", "passed"}, execution.StatusFailed: {"failed", "failed"}, execution.StatusError: {"error", "failed"},
		execution.StatusTimeout: {"error", "failed"}, execution.StatusInterrupted: {"error", "failed"}, execution.StatusCancelled: {"skipped", "skipped"},
		execution.StatusRunning: {"skipped", "pending"},
	} {
		r := &report.Report{Schema: report.Schema, Verdict: report.Verdict{Status: status}}
		suites, err := junit.Ingest(rendered(t, "junit", r))
		if err != nil {
			t.Fatal(err)
		}
		if got := caseOf(t, suites, "run", "verdict"); string(got.Status) != want[0] {
			t.Errorf("JUnit calls a run %s that is %s", got.Status, status)
		}
		doc := ctrfOf(t, r)
		if got := doc.Results.Tests[0]; got.Status != want[1] || got.RawStatus != string(status) {
			t.Errorf("CTRF calls a run %s (%s) that is %s", got.Status, got.RawStatus, status)
		}
	}
}

// ctrf is as much of the format as is looked at here.
type ctrf struct {
	ReportID string `json:"reportId"`
	Results  struct {
		Summary struct {
			Tests, Passed, Failed, Skipped, Pending, Other, Flaky int
			Start, Stop                                           int64
		}
		Tests []struct {
			Name, Status, RawStatus, Message, TestID string
			Suite                                    []string
			Duration                                 int64
			Retries                                  int
			Flaky                                    bool
			RetryAttempts                            []struct {
				Attempt int
				Status  string
			}
		}
	}
	Extra map[string]any
}

func ctrfOf(t *testing.T, r *report.Report) (doc ctrf) {
	t.Helper()
	if err := json.Unmarshal(rendered(t, "ctrf", r), &doc); err != nil { //nolint:musttag // names are matched whatever their case
		t.Fatal(err)
	}
	return doc
}

// The schema is that of the npm package ctrf, see testdata/schema.
func TestCTRFFitsItsSchema(t *testing.T) {
	t.Parallel()
	published, err := os.Open("testdata/schema/ctrf-schema-0.0.json")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = published.Close() }()
	document, err := jsonschema.UnmarshalJSON(published)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("ctrf.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("ctrf.json")
	if err != nil {
		t.Fatal(err)
	}
	reports := map[string]*report.Report{"sample": sample(), "empty": {Schema: report.Schema}}
	for _, run := range reporttest.Runs() {
		reports[run.Name] = reporttest.Report(t, run.Name)
	}
	for name, r := range reports {
		text := rendered(t, "ctrf", r)
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		doc := ctrfOf(t, r)
		s := doc.Results.Summary
		if s.Tests != len(doc.Results.Tests) || s.Tests != s.Passed+s.Failed+s.Skipped+s.Pending+s.Other || s.Stop < s.Start {
			t.Errorf("%s does not add up: %+v", name, s)
		}
	}
	if err := schema.Validate(map[string]any{"reportFormat": "CTRF"}); err == nil {
		t.Error("the schema takes anything")
	}
}

func TestCTRFKnowsAttempts(t *testing.T) {
	t.Parallel()
	r := sample()
	r.Verdict.Status = execution.StatusPassed
	for i := range r.Validations {
		if r.Validations[i].ID == "v-queue" && r.Validations[i].Status != execution.ValidationPassed {
			t.Fatal("the queue has not passed")
		}
	}
	seen := 0
	for _, c := range ctrfOf(t, r).Results.Tests {
		switch {
		case strings.HasSuffix(c.TestID, "run/verdict"), strings.HasSuffix(c.TestID, "/v-queue"):
			if !c.Flaky || c.Retries != 1 || len(c.RetryAttempts) != 1 || c.RetryAttempts[0].Status != "failed" || c.RetryAttempts[0].Attempt != 1 {
				t.Errorf("%s passed after it had failed: %+v", c.TestID, c)
			}
			seen++
		case strings.HasSuffix(c.TestID, "/v-alert"):
			if c.Flaky || c.Retries != 1 {
				t.Errorf("%s failed again: %+v", c.TestID, c)
			}
			seen++
		case c.Flaky || c.Retries > 0:
			t.Errorf("%s was not tried before: %+v", c.TestID, c)
		}
	}
	if seen != 3 {
		t.Errorf("%d of 3 tests were seen", seen)
	}
}

// One report has one id; another has another.
func TestCTRFIDFollowsFromTheReport(t *testing.T) {
	t.Parallel()
	a, b := ctrfOf(t, sample()).ReportID, ctrfOf(t, reporttest.Report(t, "hostile")).ReportID
	if a != ctrfOf(t, sample()).ReportID || a == b {
		t.Errorf("the ids are %s and %s", a, b)
	}
}

func TestJournalTellsTheRun(t *testing.T) {
	t.Parallel()
	var j struct {
		Status       string
		Deviated     bool
		Duration     float64
		SteadyStates map[string]json.RawMessage `json:"steady_states"`
		Experiment   struct {
			Title      string
			Method     []map[string]any
			Hypothesis struct {
				Probes []map[string]any
			} `json:"steady-state-hypothesis"`
		}
		Run, Rollbacks []struct {
			Activity  struct{ Name, Type string }
			Status    string
			Exception []string
		}
	}
	if err := json.Unmarshal(rendered(t, "chaostoolkit", sample()), &j); err != nil { //nolint:musttag // names are matched whatever their case
		t.Fatal(err)
	}
	if j.Status != "completed" || !j.Deviated || j.Duration != 1290 || j.Experiment.Title != "Stablecoin depegs while settlement is slow" {
		t.Errorf("the journal says %s, deviated %v, %v s of %q", j.Status, j.Deviated, j.Duration, j.Experiment.Title)
	}
	var began []string
	for _, r := range j.Run {
		began = append(began, strings.Fields(r.Activity.Name)[0]+" "+r.Activity.Type+" "+r.Status)
	}
	want := []string{
		"slow-settlement action succeeded", "f-latency action succeeded", "wait-for-alert probe failed", "v-latency probe succeeded", "f-depeg action succeeded",
		"v-breaker probe succeeded", "v-alert probe succeeded", "v-hedge probe failed", "f-kill action failed", "v-optional probe succeeded",
	}
	if diff := cmp.Diff(want, began); diff != "" {
		t.Errorf("what was done (-want +got):\n%s", diff)
	}
	if len(j.Rollbacks) != 1 || len(j.Experiment.Method) != len(j.Run) || len(j.Experiment.Hypothesis.Probes) != 6 {
		t.Errorf("%d rollbacks, %d of %d in the method, %d probes of the hypothesis", len(j.Rollbacks), len(j.Experiment.Method), len(j.Run), len(j.Experiment.Hypothesis.Probes))
	}
	for when, met := range map[string]bool{"before": true, "after": true} {
		var state struct {
			Met bool `json:"steady_state_met"`
		}
		if err := json.Unmarshal(j.SteadyStates[when], &state); err != nil || state.Met != met {
			t.Errorf("the steady state %s: %s", when, j.SteadyStates[when])
		}
	}
	for status, want := range map[execution.Status]string{
		execution.StatusPassed: `"completed"`, execution.StatusError: `"aborted"`, execution.StatusTimeout: `"interrupted"`,
		execution.StatusCancelled: `"interrupted"`, execution.StatusRunning: `null`,
	} {
		text := string(rendered(t, "chaostoolkit", &report.Report{Schema: report.Schema, Verdict: report.Verdict{Status: status}}))
		if !strings.Contains(text, `"status": `+want) || !strings.Contains(text, `"deviated": false`) {
			t.Errorf("the journal of a run that is %s does not say %s", status, want)
		}
	}
}
