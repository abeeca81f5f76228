package event_test

import (
	"strings"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

// The summary of a report stays within 256 KiB, whatever the texts are: of what
// JSON writes with six bytes for one, and of characters that a cut may part.
func TestASummaryOfAReportIsBounded(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)
	for name, text := range map[string]string{
		"control characters": strings.Repeat("\x01", 64<<10), "quotes": strings.Repeat(`"`, 64<<10), "markup": strings.Repeat("<&>", 20<<10),
		"wide": "a" + strings.Repeat("\U0001F600", 16<<10), "short": "all was well",
	} {
		score := 62.5
		r := &report.Report{
			Builder: "1", SHA256: strings.Repeat("ab", 32),
			Run:     report.Run{ExecutionID: executionID, Number: 3, RunID: "run-a", ScenarioID: "depeg", Environment: text, GroupID: text},
			Verdict: report.Verdict{Status: execution.StatusFailed, Reported: execution.StatusPassed, Headline: text},
			Metrics: report.Metrics{Validations: report.Tally{Passed: 1, Failed: 2}, Resilience: &score},
		}
		for range 50 {
			r.Recommendations = append(r.Recommendations, report.Recommendation{Rule: "rule", Priority: "high", Text: text, Because: []string{text}})
			r.Unexpected = append(r.Unexpected, report.Finding{Rule: "rule", Text: text})
		}
		out, err := event.NewReportPublished("/tcda/a", r, event.Publication{Revision: 2, Size: 12345, At: at, Path: "/reports/x/3?revision=2"})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		size := len(out.Record.Value)
		for _, h := range out.Record.Headers {
			size += len(h.Key) + len(h.Value)
		}
		if size > 256<<10 {
			t.Errorf("%s: %d bytes", name, size)
		}
		value := string(out.Record.Value)
		for _, want := range []string{`"revision":2`, `"size_bytes":12345`, `"findings":50`, `"recommendations":50`, `"resilience_score":62.5`, `"status":"failed","reported_outcome":"passed"`, `"path":"/reports/x/3?revision=2"`} {
			if !strings.Contains(value, want) {
				t.Errorf("%s: the summary lacks %s: %.600s", name, want, value)
			}
		}
		if strings.Contains(value, "\ufffd") || strings.Count(value, `"rule":"rule"`) != 5 {
			t.Errorf("%s: %.600s", name, value)
		}
		again, err := event.NewReportPublished("/tcda/b", r, event.Publication{Revision: 2, Size: 12345, At: at.Add(time.Hour), Path: "/reports/x/3?revision=2"})
		if err != nil || again.ID != out.ID || out.Type != fact.TypeReportPublished || out.Subject != executionID {
			t.Errorf("%s: another instance says %s, %v; want %s", name, again.ID, err, out.ID)
		}
		if other, err := event.NewReportPublished("/tcda/a", r, event.Publication{Revision: 3, Size: 1, At: at, Path: "/x"}); err != nil || other.ID == out.ID {
			t.Errorf("%s: two revisions have the id %s, %v", name, out.ID, err)
		}
	}
}
