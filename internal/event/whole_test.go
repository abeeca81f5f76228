package event_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// stored is what is kept of an event in rows of its own: times lose what is below
// a microsecond, and a line without a time has that of its event.
func stored(e *execution.Event) event.Rows {
	switch p := e.Payload.(type) {
	case *execution.LogAppended:
		lines := append([]execution.LogLine(nil), p.Lines...)
		for i := range lines {
			if lines[i].Time.IsZero() {
				lines[i].Time = e.Time
			}
			lines[i].Time = lines[i].Time.Truncate(time.Microsecond)
		}
		return event.Rows{Lines: lines}
	case *execution.SnapshotCaptured:
		return event.Rows{State: p.State, Metrics: p.Metrics}
	}
	return event.Rows{}
}

func newArchiveDecoder(t testing.TB) *event.Decoder {
	t.Helper()
	d, err := event.NewArchiveDecoder()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// archived writes an event as it is stored, and reads it again.
func archived(t testing.TB, archive *event.Decoder, e *execution.Event, rows event.Rows) (*execution.Event, bool) {
	t.Helper()
	data, exact, err := event.RestoreWhole(&e.Header, rows)
	if err != nil {
		t.Fatal(err)
	}
	value, err := event.AppendArchived(nil, &e.Header, data)
	if err != nil {
		t.Fatal(err)
	}
	read, rejection := archive.DecodeArchived(value)
	if rejection != nil {
		t.Fatalf("%v in %s", rejection, value)
	}
	return read, exact
}

func TestArchivedEventIsTheOneThatCame(t *testing.T) {
	t.Parallel()
	d, archive := newDecoder(t), newArchiveDecoder(t)
	for _, typ := range fact.Types() {
		if !typ.OfExecution() {
			continue
		}
		for _, form := range forms {
			e := mustDecode(t, d, encode(t, outgoing(t, typ), form.mode, form.encoding)).Execution
			read, exact := archived(t, archive, e, stored(e))
			if diff := cmp.Diff(e, read); diff != "" || !exact {
				t.Errorf("%s, %s: exact %t (-accepted +read):\n%s", typ, form, exact, diff)
			}
		}
	}
}

// However times of lines were written, their digest is found again; where it was
// not kept how, that is said.
func TestArchivedLinesHaveTheDigestTheyCameWith(t *testing.T) {
	t.Parallel()
	d, archive := newDecoder(t), newArchiveDecoder(t)
	const at = "2026-04-01T12:00:00.123456789Z" // sampleTime
	for name, lines := range map[string]string{
		"none has a time":       `[{"message":"a"},{"message":"b","attributes":{}}]`,
		"to the microsecond":    `[{"message":"a","time":"2026-04-01T12:00:00.000001Z"}]`,
		"to the nanosecond":     `[{"message":"a","time":"2026-04-01T12:00:00.000001999Z"},{"message":"b","time":"2026-04-01T12:00:00.1Z"}]`,
		"some have none":        `[{"message":"a","time":"` + at + `"},{"message":"b"},{"message":"c","time":"2026-04-01T12:00:00.123456Z","attributes":{"n":1e20,"z":-0.0,"a":[null]}}]`,
		"that of the event":     `[{"message":"a","time":"` + at + `","level":"WARN"}]`,
		"text of any form":      `[{"message":"\u001b[2J<script>=1+1\u2028","service":"s","phase":"p","step_id":"step"}]`,
		"an odd number of them": `[{"message":"1"},{"message":"2"},{"message":"3"}]`,
	} {
		e := mustDecode(t, d, dataOf(fact.TypeLogAppended, executionID, heartbeatWith(`"lines":`+lines))).Execution
		read, exact := archived(t, archive, e, stored(e))
		if read.Digest != e.Digest || !exact {
			t.Errorf("%s: digest %s, exact %t, accepted with %s", name, read.Digest, exact, e.Digest)
		}
		older := *e
		older.Data = json.RawMessage(`{"execution_id":"` + executionID + `","line_count":` + string(rune('0'+len(e.Payload.(*execution.LogAppended).Lines))) + `}`)
		if read, exact := archived(t, archive, &older, stored(e)); exact || (read.Digest == e.Digest) != (name == "to the microsecond") {
			t.Errorf("%s, stored by an earlier version: exact %t, same digest %t", name, exact, read.Digest == e.Digest)
		}
	}
}

func TestWholeTellsWhatIsMissing(t *testing.T) {
	t.Parallel()
	d := newDecoder(t)
	e := mustDecode(t, d, encode(t, outgoing(t, fact.TypeLogAppended), event.Binary, event.JSON)).Execution
	for name, alter := range map[string]func(h *fact.Header, rows *event.Rows){
		"a line":          func(_ *fact.Header, rows *event.Rows) { rows.Lines = rows.Lines[1:] },
		"a line too many": func(_ *fact.Header, rows *event.Rows) { rows.Lines = append(rows.Lines, rows.Lines[0]) },
		"other type":      func(h *fact.Header, _ *event.Rows) { h.Type = fact.TypeScenarioPublished },
		"no JSON":         func(h *fact.Header, _ *event.Rows) { h.Data = json.RawMessage(`{`) },
		"attributes":      func(_ *fact.Header, rows *event.Rows) { rows.Lines[0].Attributes = json.RawMessage(`[`) },
		"times of others": func(h *fact.Header, _ *event.Rows) { h.Data = json.RawMessage(`{"line_count":2,"line_times":[1]}`) },
		"no time":         func(h *fact.Header, _ *event.Rows) { h.Data = json.RawMessage(`{"line_count":2,"line_times":1000}`) },
	} {
		h, rows := e.Header, stored(e)
		alter(&h, &rows)
		if data, _, err := event.RestoreWhole(&h, rows); err == nil {
			t.Errorf("%s: restored %s, want an error", name, data)
		}
	}
}

func TestArchiveHoldsRunsAlone(t *testing.T) {
	t.Parallel()
	record := encode(t, outgoing(t, fact.TypeScenarioPublished), event.Structured, event.JSON)
	if e, rejection := newArchiveDecoder(t).DecodeArchived(record.Value); rejection == nil {
		t.Errorf("decoded %v, which is of no run", e)
	}
}
