package render

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

// ctrfVersion is the version of the specification that is written; its schema is
// in testdata.
const ctrfVersion = "0.0.0"

type (
	ctrfReport struct {
		Format      string         `json:"reportFormat"`
		Version     string         `json:"specVersion"`
		ReportID    string         `json:"reportId"`
		RunID       string         `json:"runId"`
		Timestamp   string         `json:"timestamp,omitempty"`
		GeneratedBy string         `json:"generatedBy"`
		Results     ctrfResults    `json:"results"`
		Extra       map[string]any `json:"extra"`
	}
	ctrfResults struct {
		Tool        ctrfTool        `json:"tool"`
		Summary     ctrfSummary     `json:"summary"`
		Tests       []ctrfTest      `json:"tests"`
		Environment ctrfEnvironment `json:"environment"`
	}
	ctrfTool struct {
		Name    string `json:"name"`
		Version string `json:"version,omitempty"`
	}
	ctrfSummary struct {
		Tests    int   `json:"tests"`
		Passed   int   `json:"passed"`
		Failed   int   `json:"failed"`
		Skipped  int   `json:"skipped"`
		Pending  int   `json:"pending"`
		Other    int   `json:"other"`
		Flaky    int   `json:"flaky"`
		Suites   int   `json:"suites"`
		Start    int64 `json:"start"`
		Stop     int64 `json:"stop"`
		Duration int64 `json:"duration"`
	}
	ctrfTest struct {
		TestID        string            `json:"testId"`
		Name          string            `json:"name"`
		Status        string            `json:"status"`
		Duration      int64             `json:"duration"`
		Start         *int64            `json:"start,omitempty"`
		Stop          *int64            `json:"stop,omitempty"`
		Suite         []string          `json:"suite"`
		Message       string            `json:"message,omitempty"`
		Trace         string            `json:"trace,omitempty"`
		RawStatus     string            `json:"rawStatus,omitempty"`
		Type          string            `json:"type"`
		Labels        map[string]string `json:"labels,omitempty"`
		Retries       int               `json:"retries,omitempty"`
		RetryAttempts []ctrfAttempt     `json:"retryAttempts,omitempty"`
		Flaky         bool              `json:"flaky,omitempty"`
	}
	ctrfAttempt struct {
		Attempt  int32          `json:"attempt"`
		Status   string         `json:"status"`
		Duration *int64         `json:"duration,omitempty"`
		Start    *int64         `json:"start,omitempty"`
		Stop     *int64         `json:"stop,omitempty"`
		Extra    map[string]any `json:"extra"`
	}
	ctrfEnvironment struct {
		ReportName  string         `json:"reportName"`
		AppName     string         `json:"appName,omitempty"`
		AppVersion  string         `json:"appVersion,omitempty"`
		Environment string         `json:"testEnvironment,omitempty"`
		Healthy     *bool          `json:"healthy,omitempty"`
		Extra       map[string]any `json:"extra,omitempty"`
	}
)

func writeCTRF(w io.Writer, r *report.Report) error {
	doc := ctrfReport{
		Format: "CTRF", Version: ctrfVersion, ReportID: uuidOf("ctrf " + r.SHA256), RunID: fmt.Sprintf("%s/%d", r.Run.ExecutionID, r.Run.Number),
		GeneratedBy: "test-coordinator-data-adapter", Extra: map[string]any{},
		Results: ctrfResults{
			Tool:  ctrfTool{Name: "test-coordinator-data-adapter", Version: r.Builder},
			Tests: []ctrfTest{},
			Environment: ctrfEnvironment{
				ReportName: name(r), AppName: or(r.Run.ScenarioID, r.Definition.Name), AppVersion: or(versionText(r), r.Run.ScenarioVersion),
				Environment: r.Run.Environment,
			},
		},
	}
	for _, p := range origin(r) {
		doc.Extra[p.Name] = p.Value
	}
	doc.Extra["tcda.report.provisional"] = r.Provisional
	doc.Extra["tcda.headline"] = r.Verdict.Headline
	doc.Extra["tcda.metrics"] = r.Metrics
	if r.Provisional {
		doc.Results.Environment.ReportName = "PROVISIONAL: " + doc.Results.Environment.ReportName
	} else {
		healthy := r.SteadyState.Held
		if r.SteadyState.After.Total() > 0 {
			doc.Results.Environment.Healthy = &healthy
		}
	}
	if len(r.Run.Labels) > 0 {
		doc.Results.Environment.Extra = map[string]any{"labels": r.Run.Labels}
	}
	for _, t := range []*time.Time{r.Run.EndedAt, r.Run.StartedAt, r.Run.RequestedAt} {
		if t != nil && doc.Timestamp == "" {
			doc.Timestamp = exact(*t)
		}
	}
	sum := &doc.Results.Summary
	for _, s := range suites(r) {
		if len(s.Cases) > 0 {
			sum.Suites++
		}
		for i := range s.Cases {
			t := ctrfOf(&s.Cases[i], s.Name, r)
			doc.Results.Tests = append(doc.Results.Tests, t)
			sum.Tests++
			*map[string]*int{"passed": &sum.Passed, "failed": &sum.Failed, "skipped": &sum.Skipped, "pending": &sum.Pending, "other": &sum.Other}[t.Status]++
			if t.Flaky {
				sum.Flaky++
			}
		}
	}
	start, end := window(r)
	sum.Start, sum.Stop = start.UnixMilli(), end.UnixMilli()
	sum.Duration = max(0, sum.Stop-sum.Start)
	if r.Run.Duration != nil {
		sum.Duration = millis(r.Run.Duration)
	}
	return writeIndented(w, doc)
}

func ctrfOf(c *testCase, suite string, r *report.Report) ctrfTest {
	t := ctrfTest{
		TestID: parts("/", or(r.Run.ScenarioID, r.Definition.Name), suite, or(c.ID, "(unnamed)")), Name: or(c.Name, "(unnamed)"),
		Status: ctrfStatus(c.Outcome), RawStatus: c.Status, Duration: millis(c.Duration), Start: milliOf(c.Start), Stop: milliOf(c.Stop),
		Suite: append([]string{or(r.Run.ScenarioID, name(r)), suite}, compact(c.Phase)...), Type: "chaos",
		Trace: c.Detail, Labels: map[string]string{},
	}
	if c.Outcome != passed {
		t.Message = c.Message
	}
	for _, l := range []property{{"kind", c.Kind}, {"service", c.Service}, {"phase", c.Phase}, {"fault", c.Fault}} {
		if l.Value != "" {
			t.Labels[l.Name] = l.Value
		}
	}
	for _, e := range c.Earlier {
		a := ctrfAttempt{
			Attempt: e.Attempt, Status: ctrfStatus(e.Outcome),
			Extra: map[string]any{"execution_id": e.Brief.ExecutionID, "run": e.Brief.Run, "report_sha256": e.Brief.SHA256},
		}
		if c.Kind == "run" { // the times of the attempt are those of the run
			a.Start, a.Stop = milliOf(e.Brief.StartedAt), milliOf(e.Brief.EndedAt)
			if e.Brief.Duration != nil {
				d := millis(e.Brief.Duration)
				a.Duration = &d
			}
		}
		t.RetryAttempts = append(t.RetryAttempts, a)
		t.Flaky = t.Flaky || c.Outcome == passed && (e.Outcome == failed || e.Outcome == broken)
	}
	t.Retries = len(t.RetryAttempts)
	return t
}

func compact(texts ...string) []string {
	return slices.DeleteFunc(texts, func(s string) bool { return s == "" })
}

func ctrfStatus(o outcome) string {
	switch o {
	case passed:
		return "passed"
	case failed:
		return "failed"
	case broken:
		return "failed" // CTRF has no error; rawStatus has the word
	case skipped:
		return "skipped"
	case unfinished:
		return "pending"
	}
	return "other"
}

func millis(s *float64) int64 {
	if s == nil || math.IsNaN(*s) || *s < 0 || *s > 1e12 {
		return 0
	}
	return int64(math.Round(*s * 1000))
}

func milliOf(t *time.Time) *int64 {
	if t == nil {
		return nil
	}
	m := t.UnixMilli()
	return &m
}

// uuidOf is a UUID that follows from a text (version 8 of RFC 9562: the first bits
// of its sha-256).
func uuidOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

func writeIndented(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(true) // a reader that pastes it into a page is not harmed
	return e.Encode(v)
}
