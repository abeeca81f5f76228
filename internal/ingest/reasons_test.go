package ingest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// raw is a record in binary JSON with this data, of a heartbeat of exec-1.
func raw(data string, headers ...kafkarecord.Header) kafkarecord.Record {
	r := kafkarecord.Record{Key: []byte("exec-1"), Value: []byte(data), Headers: []kafkarecord.Header{
		{Key: "ce_specversion", Value: []byte("1.0")},
		{Key: "ce_type", Value: []byte(fact.TypeHeartbeat)},
		{Key: "ce_source", Value: []byte("/coordinator/a")},
		{Key: "ce_id", Value: []byte("e1")},
		{Key: "ce_subject", Value: []byte("exec-1")},
		{Key: "ce_time", Value: []byte("2026-04-01T12:00:00Z")},
		{Key: "content-type", Value: []byte("application/json")},
	}}
	for _, h := range headers {
		for i := range r.Headers {
			if r.Headers[i].Key == h.Key {
				r.Headers[i].Value = h.Value
				h.Key = ""
			}
		}
		if h.Key != "" {
			r.Headers = append(r.Headers, h)
		}
	}
	return r
}

func header(name, value string) kafkarecord.Header {
	return kafkarecord.Header{Key: name, Value: []byte(value)}
}

// reasonCase is a record that is quarantined for a reason, and what must have
// happened before.
type reasonCase struct {
	records func(*world) []kafkarecord.Record // the last of them is the bad one
	prepare func(*world, *settings)
	unread  bool
}

func records(all ...kafkarecord.Record) func(*world) []kafkarecord.Record {
	return func(*world) []kafkarecord.Record { return all }
}

const heartbeat = `{"execution_id":"exec-1"`

var reasonCases = map[fact.Reason]reasonCase{
	fact.ReasonEmpty:        {records: records(kafkarecord.Record{Key: []byte("k"), Value: []byte{}})},
	fact.ReasonTombstone:    {records: records(kafkarecord.Record{Key: []byte("k")})},
	fact.ReasonNotObject:    {records: records(raw(`[]`))},
	fact.ReasonJSON:         {records: records(raw(heartbeat + `}{}`))},
	fact.ReasonEncoding:     {records: records(raw("\x0a\x06exec-1\xff", header("content-type", "application/protobuf")))},
	fact.ReasonUTF8:         {records: records(raw(heartbeat + ",\"message\":\"\xff\xfe\"}"))},
	fact.ReasonNUL:          {records: records(raw(heartbeat + `,"message":"a\u0000b"}`))},
	fact.ReasonDuplicateKey: {records: records(raw(heartbeat + `,"message":"a","message":"b"}`))},
	fact.ReasonDepth:        {records: records(raw(heartbeat + `,"system_state":{"a":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}}`))},
	fact.ReasonTokenLimit:   {records: records(raw(heartbeat + `,"system_state":{"a":[` + strings.Repeat("0,", 20_000) + `0]}}`))},
	fact.ReasonTooLarge: {
		records: records(raw(heartbeat + `,"message":"` + strings.Repeat("x", 3<<20) + `"}`)),
	},
	fact.ReasonNumber:          {records: records(raw(heartbeat + `,"progress":1e131072}`))},
	fact.ReasonRange:           {records: records(raw(heartbeat+`}`, header("ce_sequence", "9223372036854775808")))},
	fact.ReasonTime:            {records: records(raw(heartbeat+`}`, header("ce_time", "2026-02-30T00:00:00Z")))},
	fact.ReasonTimeRange:       {records: records(raw(heartbeat+`}`, header("ce_time", "0001-01-01T00:00:00Z")))},
	fact.ReasonID:              {records: records(raw(`{"execution_id":"' OR 1=1;--"}`, header("ce_subject", "' OR 1=1;--")))},
	fact.ReasonSchema:          {records: records(raw(heartbeat+`,"outcome":"exploded"}`, header("ce_type", string(fact.TypeFinished))))},
	fact.ReasonUnsupported:     {records: records(raw(heartbeat+`}`, header("ce_specversion", "2.0")))},
	fact.ReasonUnsupportedType: {records: records(raw(heartbeat+`}`, header("ce_type", "test-coordination.execution.exploded.v1")))},
	fact.ReasonModeConflict: {records: records(raw(
		`{"specversion":"1.0","id":"other","source":"/b","subject":"exec-1","type":"test-coordination.execution.heartbeat.v1","time":"2026-04-01T12:00:00Z","data":{"execution_id":"exec-1"}}`,
		header("content-type", "application/cloudevents+json")))},
	fact.ReasonHeaderLimit:     {records: records(raw(heartbeat+`}`, header("x", strings.Repeat("x", 70_000))))},
	fact.ReasonSubjectMismatch: {records: records(raw(heartbeat+`}`, header("ce_subject", "exec-2")))},
	fact.ReasonIDConflict:      {records: records(raw(heartbeat+`}`), raw(heartbeat+`,"message":"another"}`))},
	fact.ReasonSourceNotAllowed: {
		records: records(raw(heartbeat+`}`, header("ce_source", "/stranger"))),
		prepare: func(_ *world, s *settings) { s.limits.AllowedSources = []string{"/coordinator/*"} },
	},
	fact.ReasonDefinition: {records: func(w *world) []kafkarecord.Record {
		return []kafkarecord.Record{w.say(&contract.TemplatePublished{TemplateId: "t", Definition: "apiVersion: chaos.trading/v1\nkind: Template\nspec: !!python/object {}\n"})}
	}},
	fact.ReasonParameters: {records: func(w *world) []kafkarecord.Record {
		template := "apiVersion: chaos.trading/v1\nkind: Template\nmetadata: {name: t}\nparameters:\n  - {name: n, type: int, required: true}\nspec:\n  phases: [{name: a, duration: 1m}]\n"
		parameters, err := structpb.NewStruct(map[string]any{"n": "not a number"})
		if err != nil {
			w.Fatal(err)
		}
		return []kafkarecord.Record{
			w.say(&contract.TemplatePublished{TemplateId: "t", Definition: template}),
			w.say(&contract.ScenarioPublished{ScenarioId: "s", Definition: "x", Template: &contract.TemplateUse{TemplateId: "t", Parameters: parameters}}),
		}
	}},
	fact.ReasonCycle: {records: func(w *world) []kafkarecord.Record {
		var out []kafkarecord.Record
		for n := range 5 {
			out = append(out, w.say(&contract.ScenarioDependenciesDeclared{ScenarioId: fmt.Sprint("s", n), Dependencies: []*contract.Dependency{
				{DependsOn: fmt.Sprint("s", (n+1)%5), Kind: "requires_success"},
			}}))
		}
		return out
	}},
	fact.ReasonLimit: {records: func(w *world) []kafkarecord.Record {
		m := &contract.ScenarioDependenciesDeclared{ScenarioId: "s"}
		for n := range 1001 {
			m.Dependencies = append(m.Dependencies, &contract.Dependency{DependsOn: fmt.Sprint("d", n), Kind: "conflicts_with"})
		}
		return []kafkarecord.Record{w.say(m)}
	}},
	fact.ReasonPanic: {
		records: records(raw(heartbeat + `,"message":"panic now"}`)),
		prepare: func(w *world, s *settings) {
			decoder, err := event.NewDecoder(event.DefaultLimits())
			if err != nil {
				w.Fatal(err)
			}
			s.parts.Decoder = panicky{decoder}
		},
	},
	fact.ReasonCrash: {
		records: records(raw(heartbeat + `}`)),
		unread:  true,
		prepare: func(w *world, _ *settings) {
			for range 3 { // three owners that never came back
				w.readAndDie(pgstore.ClaimRequest{Topic: topic, Owner: "dead", CarefulRecords: 10, Now: time.Now()})
			}
		},
	},
	fact.ReasonDatabase: {
		records: records(raw(heartbeat+`,"progress":0.9}`, header("ce_id", "refused"))),
		prepare: func(w *world, _ *settings) {
			w.exec("ALTER TABLE test_coordination.executions DROP CONSTRAINT executions_progress_check")
			w.exec("ALTER TABLE test_coordination.executions ADD CONSTRAINT executions_progress_check CHECK (progress < 0.5)")
		},
	},
}

// panicky is a decoder that a certain record makes panic.
type panicky struct{ *event.Decoder }

func (p panicky) Decode(r kafkarecord.Record, now time.Time) (event.Decoded, *fact.Rejection) {
	if strings.Contains(string(r.Value), "panic now") {
		panic("as asked")
	}
	return p.Decoder.Decode(r, now)
}

func (w *world) exec(statement string) {
	w.Helper()
	if _, err := w.db.Pool(w).Exec(w.Context(), statement); err != nil {
		w.Fatal(err)
	}
}

func TestEachReasonQuarantinesOneRecordAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, reason := range fact.Reasons() {
		t.Run(string(reason), func(t *testing.T) {
			t.Parallel()
			c, ok := reasonCases[reason]
			if !ok {
				t.Fatal("the reason has no case")
			}
			w := newWorld(t)
			all := c.records(w)
			bad := all[len(all)-1]
			after := w.say(&contract.ExecutionStarted{ExecutionId: "exec-after"})
			w.produce(append(all, after)...)
			w.run(func(s *settings) {
				if c.prepare != nil {
					c.prepare(w, s)
				}
			})

			w.wantSums(int64(len(all)), 0, 1)
			w.wantReasons(reason)
			if n := w.count("SELECT count(*) FROM executions WHERE execution_id = 'exec-after' AND status = 'running'"); n != 1 {
				t.Error("the next record of the partition was not applied")
			}
			if t.Failed() {
				return
			}
			got := w.quarantined()[0]
			if got.Offset != int64(len(all)-1) || got.Topic != topic {
				t.Errorf("quarantined from %s at %d, want the record at %d", got.Topic, got.Offset, len(all)-1)
			}
			switch {
			case c.unread:
				if got.Complete {
					t.Error("a record that was never read is said to be complete")
				}
			case reason == fact.ReasonTooLarge:
				if got.Complete || got.Length != int64(len(bad.Value)) || string(got.Record.Value) != string(bad.Value[:64<<10]) {
					t.Errorf("complete %t, length %d, %d bytes kept; want the first 64 KiB of %d", got.Complete, got.Length, len(got.Record.Value), len(bad.Value))
				}
			default:
				if !got.Complete || string(got.Record.Value) != string(bad.Value) || string(got.Record.Key) != string(bad.Key) || len(got.Record.Headers) != len(bad.Headers) {
					t.Errorf("kept %+v, want the record as it was: %+v", got.Record, bad)
				}
				if (got.Record.Value == nil) != (bad.Value == nil) {
					t.Error("a tombstone and an empty value are not told apart")
				}
			}
			w.verify()
		})
	}
}

// More headers than the reader holds are still said to be what is wrong, and the
// value is kept.
func TestAFloodOfHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	flood := raw(heartbeat + `}`)
	for range 10_000 {
		flood.Headers = append(flood.Headers, kafkarecord.Header{Key: "x"})
	}
	w.produce(flood, w.say(&contract.ExecutionStarted{ExecutionId: "exec-after"}))
	w.run()
	w.wantSums(1, 0, 1)
	w.wantReasons(fact.ReasonHeaderLimit)
	if q := w.quarantined(); len(q) == 1 && string(q[0].Record.Value) != string(flood.Value) {
		t.Errorf("kept the value %q, want %q", q[0].Record.Value, flood.Value)
	}
}
