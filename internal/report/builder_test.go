package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution/executiontest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report/reporttest"
)

const anID = execution.ID("exec-1")

// event is one of the run, so long after executiontest.Base; the source orders
// those of the same time.
func event(after time.Duration, p execution.Payload) *execution.Event {
	return executiontest.New(anID, "/coordinator/a", fmt.Sprintf("e-%d-%T", after, p), executiontest.Base.Add(after), p)
}

// fataler is a test, or a rapid one.
type fataler interface {
	Helper()
	Fatal(args ...any)
}

// build makes the report of events in any order, without lines.
func build(tb fataler, c report.Context, events ...*execution.Event) *report.Report {
	tb.Helper()
	return builderOf(tb, events...).Report(c)
}

func builderOf(tb fataler, events ...*execution.Event) *report.Builder {
	tb.Helper()
	b := report.NewBuilder(anID, 1, "")
	for _, e := range inOrder(events) {
		if err := b.Add(e); err != nil {
			tb.Fatal(err)
		}
	}
	return b
}

func inOrder(events []*execution.Event) []*execution.Event {
	return slices.SortedFunc(slices.Values(events), func(a, b *execution.Event) int { return a.Order().Compare(b.Order()) })
}

func frozen(tb fataler, r *report.Report) []byte {
	tb.Helper()
	b, err := r.Encode()
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func TestAddWantsEachEventOnceAndInOrder(t *testing.T) {
	t.Parallel()
	first, second := event(0, &execution.Started{}), event(time.Minute, &execution.Paused{})
	b := builderOf(t, first, second)
	before := frozen(t, b.Report(report.Context{}))
	for name, e := range map[string]*execution.Event{"again": second, "earlier": first} {
		if err := b.Add(e); !errors.Is(err, report.ErrOrder) {
			t.Errorf("%s: %v", name, err)
		}
	}
	stranger := executiontest.New("exec-2", "/coordinator/a", "e", executiontest.Base.Add(time.Hour), &execution.Resumed{})
	if err := b.Add(stranger); err == nil || !strings.Contains(err.Error(), "exec-2") {
		t.Errorf("an event of another execution: %v", err)
	}
	if after := frozen(t, b.Report(report.Context{})); !bytes.Equal(before, after) {
		t.Errorf("events that were refused changed the report:\n%s", cmp.Diff(string(before), string(after)))
	}
}

func TestPinSaysNothingOfTheRun(t *testing.T) {
	t.Parallel()
	events := []*execution.Event{event(0, &execution.Started{}), event(time.Hour, &execution.Finished{Outcome: execution.StatusPassed})}
	without := frozen(t, build(t, report.Context{}, events...))
	with := frozen(t, build(t, report.Context{}, append(events, event(2*time.Hour, &execution.Pinned{Pinned: true}))...))
	if !bytes.Equal(without, with) {
		t.Errorf("a pin changed the report:\n%s", cmp.Diff(string(without), string(with)))
	}
}

// Every kind of late word makes another report: the digest shows it.
func TestLateEventChangesTheBytes(t *testing.T) {
	t.Parallel()
	events := []*execution.Event{event(0, &execution.Started{}), event(time.Hour, &execution.Finished{Outcome: execution.StatusPassed})}
	before := build(t, report.Context{}, events...)
	frozen(t, before)
	seen := map[string]string{before.SHA256: "without"}
	for name, p := range map[string]execution.Payload{
		"heartbeat": &execution.Heartbeat{}, "validation": &execution.ValidationRecorded{ValidationID: "v", Status: execution.ValidationFailed},
		"note": &execution.Annotated{Text: "x"}, "lines": &execution.LogAppended{Count: 1}, "another end": &execution.Finished{Outcome: execution.StatusError},
		"snapshot": &execution.SnapshotCaptured{SnapshotID: "s", Kind: execution.SnapshotPeriodic},
	} {
		r := build(t, report.Context{}, append(events, event(2*time.Hour, p))...)
		frozen(t, r)
		if other, twice := seen[r.SHA256]; twice {
			t.Errorf("the report with %s is the one of %s", name, other)
		}
		seen[r.SHA256] = name
	}
}

// drawLines draws lines of any level, some of them at the same time.
func drawLines(t *rapid.T) []placedLine {
	lines := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) placedLine {
		e := executiontest.New(anID, "/c", fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "event")), executiontest.Base, nil)
		l := execution.LogLine{
			Level:   rapid.SampledFrom([]string{"", "info", "warn", "error", "fatal", "odd", "WARN"}).Draw(t, "level"),
			Message: rapid.SampledFrom([]string{"", "a", "b\x1b[0m"}).Draw(t, "message"),
			Attributes: rapid.SampledFrom([]json.RawMessage{
				nil, json.RawMessage(`{"alert":"a"}`), json.RawMessage(`{"circuit_breaker":true}`), json.RawMessage(`{"alert":`),
			}).Draw(t, "attributes"),
		}
		if rapid.Bool().Draw(t, "timed") {
			l.Time = executiontest.Base.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "µs/2")) * time.Microsecond / 2)
		}
		return placedLine{e.Order(), 0, l}
	}), 0, 20).Draw(t, "lines")
	for i := range lines {
		lines[i].place = i
	}
	return lines
}

type placedLine struct {
	event fact.Order
	place int
	line  execution.LogLine
}

// The same events and lines give the same bytes, whatever order the lines come in,
// whenever they come, and whether or not a provisional report was built between.
func TestSameFactsSameBytes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		events := inOrder(executiontest.Events(t, anID, 30))
		lines := drawLines(t)
		c := report.Context{Definition: &report.DefinitionSource{Text: "free", TemplateParameters: []byte(`{"a":1,"b":"x"}`)}}
		build := func(lines []placedLine, early int) []byte {
			b := report.NewBuilder(anID, 1, "")
			for i, l := range lines {
				if i < early {
					b.AddLine(l.event, l.place, &l.line)
				}
			}
			for i, e := range events {
				if err := b.Add(e); err != nil {
					t.Fatal(err)
				}
				if i == early {
					b.Report(c)
				}
			}
			for i, l := range lines {
				if i >= early {
					b.AddLine(l.event, l.place, &l.line)
				}
			}
			encoded, err := b.Report(c).Encode()
			if err != nil {
				t.Fatal(err)
			}
			return encoded
		}
		one := build(lines, 0)
		other := build(rapid.Permutation(lines).Draw(t, "arrival"), rapid.IntRange(0, 20).Draw(t, "early"))
		if !bytes.Equal(one, other) {
			t.Fatalf("two reports of the same facts:\n%s", cmp.Diff(string(one), string(other)))
		}
	})
}

// asRow is free JSON as PostgreSQL's jsonb gives it back: other blanks, another
// order of keys, numbers written out.
func asRow(raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return raw
	}
	return writeRow(v)
}

func writeRow(v any) json.RawMessage {
	switch v := v.(type) {
	case map[string]any:
		var keys []string
		for k := range v {
			keys = append(keys, k)
		}
		slices.SortFunc(keys, func(a, b string) int { // jsonb: shorter keys first
			if len(a) != len(b) {
				return len(a) - len(b)
			}
			return strings.Compare(a, b)
		})
		var parts []string
		for _, k := range keys {
			name, _ := json.Marshal(k)
			parts = append(parts, string(name)+": "+string(writeRow(v[k])))
		}
		return json.RawMessage("{" + strings.Join(parts, ", ") + "}")
	case []any:
		var parts []string
		for _, item := range v {
			parts = append(parts, string(writeRow(item)))
		}
		return json.RawMessage("[" + strings.Join(parts, ", ") + "]")
	case json.Number:
		if at := strings.IndexAny(v.String(), "eE"); at >= 0 { // numeric has no exponent
			var mantissa, exponent int64
			if n, _ := fmt.Sscanf(strings.ToLower(v.String()), "%de%d", &mantissa, &exponent); n == 2 && exponent > 0 {
				return json.RawMessage(fmt.Sprintf("%d%s", mantissa, strings.Repeat("0", int(exponent))))
			}
		}
		return json.RawMessage(v.String())
	}
	b, _ := json.Marshal(v)
	return b
}

// Events that come from rows give the report of those that came from Kafka.
func TestRowsGiveTheBytesOfKafka(t *testing.T) {
	t.Parallel()
	changed := 0
	swap := func(raw json.RawMessage) json.RawMessage {
		row := asRow(raw)
		changed += len(row) - len(raw)
		return row
	}
	for _, run := range reporttest.Runs() {
		rows := *run
		rows.Events = nil
		for _, e := range run.Events {
			c := *e
			c.Data, c.Extensions, c.Unknown = nil, nil, nil
			switch p := e.Payload.(type) {
			case *execution.Requested:
				q := *p
				q.Parameters, q.ConfigurationSnapshot = swap(p.Parameters), swap(p.ConfigurationSnapshot)
				c.Payload = &q
			case *execution.Started:
				q := *p
				q.ConfigurationSnapshot = swap(p.ConfigurationSnapshot)
				c.Payload = &q
			case *execution.StepStarted:
				q := *p
				q.Parameters = swap(p.Parameters)
				c.Payload = &q
			case *execution.FaultInjected:
				q := *p
				q.Parameters = swap(p.Parameters)
				c.Payload = &q
			case *execution.ValidationRecorded:
				q := *p
				q.Evidence = swap(p.Evidence)
				c.Payload = &q
			case *execution.SnapshotCaptured:
				q := *p
				q.State, q.Metrics = swap(p.State), swap(p.Metrics)
				c.Payload = &q
			case *execution.Finished:
				q := *p
				q.Summary = swap(p.Summary)
				c.Payload = &q
			case *execution.LogAppended:
				q := *p
				q.Lines = slices.Clone(p.Lines)
				for i := range q.Lines {
					q.Lines[i].Attributes = swap(q.Lines[i].Attributes)
					q.Lines[i].Time = q.Lines[i].Time.Truncate(time.Microsecond)
				}
				c.Payload = &q
			}
			rows.Events = append(rows.Events, &c)
		}
		_, want, err := run.Report()
		if err != nil {
			t.Fatal(err)
		}
		_, got, err := rows.Report()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(want, got) {
			t.Errorf("%s from rows (-kafka +rows):\n%s", run.Name, cmp.Diff(string(want), string(got)))
		}
	}
	if changed == 0 {
		t.Error("no JSON was written in another way: this tested nothing")
	}
}

// nulls are the places of a JSON value that hold null.
func nulls(path string, v any) []string {
	var at []string
	switch v := v.(type) {
	case nil:
		return []string{path}
	case map[string]any:
		for k, item := range v {
			at = append(at, nulls(path+"."+k, item)...)
		}
	case []any:
		for i, item := range v {
			at = append(at, nulls(fmt.Sprintf("%s[%d]", path, i), item)...)
		}
	}
	return at
}

func TestListsAreNeverNull(t *testing.T) {
	t.Parallel()
	empty := report.NewBuilder(anID, 1, "").Report(report.Context{})
	reports := map[string][]byte{"nothing": frozen(t, empty), "zero": frozen(t, &report.Report{})}
	for _, run := range reporttest.Runs() {
		if run.Name != "hostile" { // its free JSON has null
			_, reports[run.Name], _ = run.Report()
		}
	}
	for name, b := range reports {
		var v any
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatal(err)
		}
		if at := nulls("", v); len(at) > 0 {
			t.Errorf("%s: null at %v", name, at)
		}
	}
	if empty.Verdict.Headline != "Pending: the run has not begun." || !empty.Provisional {
		t.Errorf("of no event: %q, provisional %v", empty.Verdict.Headline, empty.Provisional)
	}
}
