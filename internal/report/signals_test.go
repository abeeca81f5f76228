package report_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution/executiontest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

func TestWordsOfAssertions(t *testing.T) {
	t.Parallel()
	for assertion, want := range map[string]string{
		"alert": "alert", "alert_raised": "alert", "risk-alerts": "alert", "alertRaised": "alert", "ALERT": "alert", "risk.alert/raised": "alert", "p99AlertSent": "alert",
		"circuit_breaker": "breaker", "circuitBreaker": "breaker", "circuitbreaker-open": "breaker", "breaker": "breaker", "breakers_tripped": "breaker", "CircuitBreaker": "breaker",
		"alert_and_breaker": "alert breaker",
		"":                  "", "alerting": "", "no_alert": "", "alert_not_raised": "", "breaker_closed": "", "alert_resolved": "", "circuit": "", "redalert": "", "metric_below": "",
	} {
		alert, breaker := report.Meaning(assertion)
		var got []string
		if alert {
			got = append(got, "alert")
		}
		if breaker {
			got = append(got, "breaker")
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q says %v, want %q", assertion, got, want)
		}
	}
}

func TestSignalsOfLines(t *testing.T) {
	t.Parallel()
	for attributes, want := range map[string]string{
		`{"alert": true}`: "alert=alert", `{"alert": "drawdown"}`: "alert=drawdown", `{"alert": false}`: "", `{"alert": ""}`: "", `{"alert": null}`: "", `{"alert": 1}`: "", `{"alert": "off"}`: "",
		`{"circuit_breaker": true}`: "breaker=circuit breaker", `{"circuit_breaker": "gateway"}`: "breaker=gateway", `{"circuit_breaker": "open"}`: "breaker=circuit breaker",
		`{"circuit_breaker": "closed"}`: "", `{"circuit_breaker": "HALF_OPEN"}`: "",
		`{"event": "alert"}`: "alert=alert", `{"type": "alert_raised"}`: "alert=alert_raised", `{"event": "AlertFired"}`: "alert=AlertFired", `{"event": "alert_resolved"}`: "", `{"event": "alerting"}`: "",
		`{"event": "circuit_breaker_opened"}`: "breaker=circuit_breaker_opened", `{"type": "circuit_breaker_triggered"}`: "breaker=circuit_breaker_triggered",
		`{"event": "circuit_breaker_closed"}`: "", `{"event": "circuit_breaker_half_open"}`: "", `{"event": 5, "alerts": true}`: "",
		`{"alert": "a", "circuit_breaker": "b"}`: "alert=a breaker=b", `{"alert": "a", "event": "alert"}`: "alert=a", `{"alert": `: "", ``: "", `{"other": true}`: "",
	} {
		b := report.NewBuilder(anID, 1, "")
		b.AddLine(event(0, nil).Order(), 0, &execution.LogLine{Message: "m", Service: "engine", Attributes: json.RawMessage(attributes)})
		r := b.Report(report.Context{})
		var got []string
		for _, s := range r.Alerts {
			got = append(got, "alert="+s.Name)
		}
		for _, s := range r.CircuitBreakers {
			got = append(got, "breaker="+s.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s says %q, want %q", attributes, got, want)
		}
		for _, s := range r.Alerts {
			if s.From != "log" || s.Service != "engine" || s.Detail != "m" || !s.At.Equal(executiontest.Base) {
				t.Errorf("signal %+v", s)
			}
		}
	}
}

func TestSignalsOfValidations(t *testing.T) {
	t.Parallel()
	r := build(t, report.Context{},
		validated(0, execution.ValidationRecorded{ValidationID: "a", AssertionType: "alert_raised", Status: "passed", Service: "risk", Message: "drawdown", Actual: "x"}),
		validated(1, execution.ValidationRecorded{ValidationID: "b", AssertionType: "alert_raised", Status: "failed"}),
		validated(2, execution.ValidationRecorded{ValidationID: "c", AssertionType: "breaker", Status: "passed", Actual: "open"}),
	)
	if len(r.Alerts) != 1 || r.Alerts[0].Ref != "validation a" || r.Alerts[0].Detail != "drawdown" || r.Alerts[0].From != "validation" || r.Alerts[0].Service != "risk" {
		t.Errorf("alerts %+v", r.Alerts)
	}
	if len(r.CircuitBreakers) != 1 || r.CircuitBreakers[0].Detail != "open" || r.Metrics.CircuitBreakers != 1 || r.Metrics.Alerts != 1 {
		t.Errorf("breakers %+v, metrics %+v", r.CircuitBreakers, r.Metrics)
	}
}

// Of too many notable lines the severest stay, of equals the first.
func TestNotableLines(t *testing.T) {
	t.Parallel()
	b := report.NewBuilder(anID, 1, "")
	for i := range 300 {
		level := []string{"warn", "error", "info"}[i%3]
		if i == 299 {
			level = "FATAL"
		}
		b.AddLine(event(0, nil).Order(), i, &execution.LogLine{
			Message: fmt.Sprintf("%03d", i), Level: level, Time: executiontest.Base.Add(time.Duration(300-i) * time.Second),
		})
	}
	logs := b.Report(report.Context{}).Logs
	if len(logs.Notable) != 100 || logs.Omitted != 101 || logs.Lines != 300 {
		t.Fatalf("%d notable, %d omitted of %d", len(logs.Notable), logs.Omitted, logs.Lines)
	}
	if first := logs.Notable[0]; first.Message != "299" || first.Level != "fatal" {
		t.Errorf("first by time: %+v", first)
	}
	for i, l := range logs.Notable[1:] {
		if want := fmt.Sprintf("%03d", 298-3*i); l.Level != "error" || l.Message != want {
			t.Fatalf("line %d is %+v, want %s", i, l, want)
		}
	}
	for level, n := range map[string]int64{"warn": 100, "error": 100, "info": 99, "fatal": 1} {
		if logs.Levels[level] != n {
			t.Errorf("%d lines of %s, want %d", logs.Levels[level], level, n)
		}
	}
}

func TestTextsAreCutAtRunes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"short": "short", "0123456789": "0123456789", "0123456789a": "0123456…", "aéééééé": "aééé…", "éééééé": "ééé…"} {
		if got := report.Cut(text, 10); got != want {
			t.Errorf("%q cut to %q, want %q", text, got, want)
		}
	}
	if got := report.OneLine("a\nb\x1b[0m\u2028c\td ", 100); got != "a b [0m c d" {
		t.Errorf("one line: %q", got)
	}
	b := report.NewBuilder(anID, 1, "")
	b.AddLine(event(0, nil).Order(), 0, &execution.LogLine{Level: "error", Message: strings.Repeat("é", 3000)})
	if m := b.Report(report.Context{}).Logs.Notable[0].Message; len(m) > 2<<10 || !strings.HasSuffix(m, "é…") {
		t.Errorf("a line of %d bytes, ends %q", len(m), m[len(m)-6:])
	}
}
