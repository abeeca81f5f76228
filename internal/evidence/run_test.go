package evidence_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/evidence"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

const (
	id         = "exec-market-crash-001"
	definition = "apiVersion: chaos.trading/v1\nkind: Scenario\nmetadata:\n  name: market crash\nspec:\n  phases:\n    - name: injection\n      duration: 1m\n"
)

var begin = time.Date(2026, time.November, 27, 1, 2, 3, 123_456_789, time.UTC)

// recorder accepts events as the service does, and keeps of them what its tables
// keep.
type recorder struct {
	testing.TB
	decoder *event.Decoder
	events  []*evidence.Event
}

func newRecorder(t testing.TB) *recorder {
	t.Helper()
	d, err := event.NewDecoder(event.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return &recorder{TB: t, decoder: d.Own()}
}

// say accepts an event of a type; data is JSON without the execution id.
func (r *recorder) say(typ fact.Type, data string, change ...func(*event.Outgoing)) {
	r.Helper()
	full := `{"execution_id":"` + id + `"}`
	if data != "" {
		full = `{"execution_id":"` + id + `",` + data + `}`
	}
	m, err := event.NewMessage(typ, json.RawMessage(full))
	if err != nil {
		r.Fatal(err)
	}
	r.message(m, change...)
}

func (r *recorder) message(m proto.Message, change ...func(*event.Outgoing)) {
	r.Helper()
	n := len(r.events) + 1
	o := event.Outgoing{
		Source: "/coordinator/a", ID: fmt.Sprintf("evt-%d", n), Time: begin.Add(time.Duration(n) * time.Second), Sequence: fact.Sequence(n), RunID: "run-7",
		CorrelationID: "order 66", Message: m,
	}
	for _, c := range change {
		c(&o)
	}
	record, err := event.Encode(o, event.Binary, event.JSON)
	if err != nil {
		r.Fatal(err)
	}
	decoded, rejection := r.decoder.Decode(record, begin)
	if rejection != nil {
		r.Fatal(rejection)
	}
	r.events = append(r.events, stored(decoded.Execution, int64(n)))
}

// stored is an event as tables keep it: times of log lines to the microsecond, and
// that of the event for a line without one; no runid.
func stored(e *execution.Event, n int64) *evidence.Event {
	s := &evidence.Event{
		Header: e.Header, DigestVersion: fact.DigestVersion, Arrival: n, RecordedAt: begin.Add(time.Hour + time.Duration(n)*time.Millisecond).Truncate(time.Microsecond),
		Topic: "test-coordination.executions", Partition: 3, Offset: 1000 + n,
	}
	s.RunID = ""
	switch p := e.Payload.(type) {
	case *execution.LogAppended:
		for _, l := range p.Lines {
			if l.Time.IsZero() {
				l.Time = e.Time
			}
			l.Time = l.Time.Truncate(time.Microsecond)
			s.Lines = append(s.Lines, l)
		}
	case *execution.SnapshotCaptured:
		s.State, s.Metrics = p.State, p.Metrics
	}
	if strings.HasPrefix(e.Source, "/tcda/") {
		s.Topic, s.Partition, s.Offset = "", 0, -1
	}
	return s
}

func own(o *event.Outgoing) { o.Source, o.Sequence = "/tcda/a", fact.NoSequence }

// crash are the events of a run with one of everything.
func crash(t testing.TB) []*evidence.Event {
	t.Helper()
	r := newRecorder(t)
	r.say(fact.TypeRequested, `"scenario_id":"market-crash","environment":"staging","labels":{"team":"risk"},"parameters":{"factor":2}`)
	r.say(fact.TypeStarted, `"scenario_id":"market-crash","environment":"staging","coordinator_id":"c-1"`, func(o *event.Outgoing) {
		o.Extensions = map[string]string{"tenant": "t1", "zone": "<script>"}
	})
	r.say(fact.TypePhaseStarted, `"phase":"injection","ordinal":0`)
	r.say(fact.TypeSnapshotCaptured, `"snapshot_id":"snap-1","kind":"pre_injection","service":"exchange","state":{"book":[[1,2],[3,4]]},"metrics":{"p99_ms":12.5,"orders":1200},"health":"healthy"`)
	r.say(fact.TypeFaultInjected, `"fault_id":"fault-1","fault_type":"network_latency","target_service":"exchange","parameters":{"ms":250,"weight":3},"phase":"injection"`)
	r.say(fact.TypeLogAppended, `"lines":[{"message":"depeg begins","time":"2026-11-27T01:02:09.000000123Z","level":"INFO","service":"exchange"},{"message":"no time\n\u001b[2J","level":"error","attributes":{"k":"v"}}]`)
	r.say(fact.TypeHeartbeat, `"progress":0.5,"current_phase":"injection","system_state":{"exchange":"degraded"}`)
	r.say(fact.TypeValidationRecorded, `"validation_id":"val-1","assertion_type":"alert_raised","status":"passed","fault_id":"fault-1","expected":"alert","actual":"alert","steady_state":"during"`)
	r.say(fact.TypeFaultCleared, `"fault_id":"fault-1"`)
	r.say(fact.TypeFaultRecovered, `"fault_id":"fault-1","recovery_time":"4.5s"`)
	r.say(fact.TypePhaseFinished, `"phase":"injection","status":"passed"`)
	r.say(fact.TypeFinished, `"outcome":"passed","summary":{"text":"all good","n":1e20}`)
	r.say(fact.TypeAnnotated, `"run":2,"text":"seen","author":"Ada"`, own)
	r.say(fact.TypePinned, `"run":2,"pinned":true,"reason":"audit","actor":"Ada"`, own)
	return ordered(r.events)
}

// ordered are events in their order, as the service reads them.
func ordered(events []*evidence.Event) []*evidence.Event {
	slices.SortFunc(events, func(a, b *evidence.Event) int { return a.Order().Compare(b.Order()) })
	return events
}

func each(events []*evidence.Event) iter.Seq2[*evidence.Event, error] {
	return func(yield func(*evidence.Event, error) bool) {
		for _, e := range events {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// reportOf is the frozen report of events.
func reportOf(t testing.TB, events []*evidence.Event, about report.Context) (*report.Report, []byte) {
	t.Helper()
	r, err := evidence.Build(id, 2, "run-7", about, each(events))
	if err != nil {
		t.Fatal(err)
	}
	body, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return r, body
}

// sourceOf is what a bundle of events is made from.
func sourceOf(t testing.TB, events []*evidence.Event) evidence.Source {
	t.Helper()
	earlier, earlierBody := reportOf(t, events[:5], report.Context{})
	r, body := reportOf(t, events, report.Context{
		Definition: &report.DefinitionSource{ScenarioID: "market-crash", Number: 4, Text: definition, Author: "Ada", Type: "combined", Services: []string{"exchange"}},
		Previous:   []report.Brief{earlier.Brief()},
	})
	return evidence.Source{
		Revision: 1, Report: body, HTML: []byte("<!doctype html>\n"), Definition: []byte(definition), Events: each(events),
		Compared: func(_ context.Context, sha256 string) ([]byte, error) {
			if sha256 != earlier.SHA256 {
				return nil, fmt.Errorf("asked for %s, which %s is not compared with", sha256, r.SHA256)
			}
			return earlierBody, nil
		},
	}
}

// write is the bundle of a source.
func write(t testing.TB, s evidence.Source) ([]byte, *evidence.Manifest) {
	t.Helper()
	var b bytes.Buffer
	manifest, err := evidence.Write(t.Context(), &b, s)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), manifest
}

// verify is the result of a file that can be read.
func verify(t testing.TB, b []byte, expected evidence.Expected) *evidence.Result {
	t.Helper()
	r, err := evidence.Verify(t.Context(), bytes.NewReader(b), int64(len(b)), expected)
	if err != nil {
		t.Fatal(err)
	}
	if r.Verified != (len(r.Findings) == 0) {
		t.Errorf("verified %t with findings %v", r.Verified, r.Findings)
	}
	return r
}

// files are a bundle taken apart.
type files struct {
	names   []string
	content map[string][]byte
}

func unpack(t testing.TB, b []byte) *files {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	f := &files{content: map[string][]byte{}}
	for _, file := range z.File {
		from, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(from)
		if err != nil {
			t.Fatal(err)
		}
		f.names, f.content[file.Name] = append(f.names, file.Name), content
	}
	return f
}

func (f *files) pack(t testing.TB) []byte {
	t.Helper()
	return packed(t, f, "", nil, nil, "")
}

func (f *files) manifest(t testing.TB) *evidence.Manifest {
	t.Helper()
	m := &evidence.Manifest{}
	if err := json.Unmarshal(f.content["manifest.json"], m); err != nil {
		t.Fatal(err)
	}
	return m
}

func (f *files) setManifest(t testing.TB, m *evidence.Manifest) {
	t.Helper()
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	f.content["manifest.json"] = append(b, '\n')
}

// relist makes the manifest's sizes and digests those of the entries, as somebody
// would who wants to hide what he did.
func (f *files) relist(t testing.TB) {
	t.Helper()
	m := f.manifest(t)
	for i := range m.Entries {
		content := f.content[m.Entries[i].Name]
		sum := sha256.Sum256(content)
		m.Entries[i].Size, m.Entries[i].SHA256 = int64(len(content)), hex.EncodeToString(sum[:])
	}
	f.setManifest(t, m)
}

// lines are the lines of the events.
func (f *files) lines() []string {
	return strings.SplitAfter(strings.TrimSuffix(string(f.content["events.jsonl"]), "\n"), "\n")
}

func (f *files) setLines(lines []string) {
	for i, l := range lines {
		lines[i] = strings.TrimSuffix(l, "\n") + "\n"
	}
	f.content["events.jsonl"] = []byte(strings.Join(lines, ""))
}
