package event_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// Each pair is one event, written in two ways that must be one.
func TestSameEventWrittenDifferently(t *testing.T) {
	t.Parallel()
	d := newDecoder(t)
	finished := func(members string) kafkarecord.Record {
		return dataOf(fact.TypeFinished, executionID, heartbeatWith(members))
	}
	recovered := func(members string) kafkarecord.Record {
		return dataOf(fact.TypeFaultRecovered, executionID, heartbeatWith(`"fault_id":"f",`+members))
	}
	plain := heartbeatWith(`"current_phase":"a","progress":0.5`)
	base := binary(plain)
	for _, c := range []struct {
		name     string
		one, two kafkarecord.Record
	}{
		{"camel case", binary(heartbeatWith(`"currentPhase":"a","progress":0.5`)), base},
		{"escapes", binary(heartbeatWith(`"current\u005fphase":"\u0061","progress":5e-1`)), base},
		{"spaces and order", binary("\r\n{ \"progress\" : 0.5 ,\t\"current_phase\":\"a\",\"execution_id\":\"" + executionID + "\"}\n"), base},
		{"number as text", binary(heartbeatWith(`"current_phase":"a","progress":"0.5"`)), base},
		{"null says nothing", binary(heartbeatWith(`"current_phase":"a","progress":0.5,"message":null,"system_state":null`)), base},
		{"empty text says nothing", binary(heartbeatWith(`"current_phase":"a","progress":0.5,"message":""`)), base},
		{"an empty map says nothing", dataOf(fact.TypeRequested, executionID, heartbeatWith(`"scenario_id":"s","labels":{}`)), dataOf(fact.TypeRequested, executionID, heartbeatWith(`"scenario_id":"s"`))},
		{"charset", binary(plain, "content-type=application/json; charset=UTF-8"), base},
		{"vendor's JSON", binary(plain, "content-type=application/vnd.coordinator+json"), base},
		{"time in another zone", binary(plain, "ce_time=2026-04-01T14:00:00.000+02:00"), base},
		{"structured", structured(`"data":` + plain), base},
		{"structured, data first", structured(`"data":`+plain+`,"id":"evt-1"`, "id"), base},
		{"structured, base64", structured(`"data_base64":"eyJleGVjdXRpb25faWQiOiJleGVjLW1hcmtldC1jcmFzaC0wMDEiLCJjdXJyZW50X3BoYXNlIjoiYSIsInByb2dyZXNzIjowLjV9"`), base},
		{"structured, no content type", kafkarecord.Record{Key: base.Key, Value: structured(`"data":` + plain).Value}, base},
		{"structured, content type of the data", called("application/json", structured(`"data":`+plain)), base},
		{"structured, content type of data in protobuf", called("application/protobuf", structured(`"data_base64":"ChVleGVjLW1hcmtldC1jcmFzaC0wMDERAAAAAAAA4D8iAWE="`)), base},
		{"structured, and headers agree", withHeaders(structured(`"data":`+plain), heartbeatHeaders...), base},
		{"structured in a binary record that agrees", binary(string(structured(`"data":` + plain).Value)), base},
		{"sequence padded", binary(plain, "ce_sequence=0000000000000000042"), binary(plain, "ce_sequence=42")},
		{"sequence as a number", structured(`"sequence":42,"data":` + plain), binary(plain, "ce_sequence=42")},

		{"completed", finished(`"outcome":"completed"`), finished(`"outcome":"passed"`)},
		{"success", finished(`"outcome":"success"`), finished(`"outcome":"passed"`)},
		{"stopped", finished(`"outcome":"stopped"`), finished(`"outcome":"cancelled"`)},
		{"failure", finished(`"outcome":"failure"`), finished(`"outcome":"failed"`)},
		{"exit code as float", finished(`"outcome":"passed","exit_code":3e0`), finished(`"outcome":"passed","exit_code":3`)},
		{"exit code as text", finished(`"outcome":"passed","exit_code":"3"`), finished(`"outcome":"passed","exit_code":3.0`)},
		{"order of free names", finished(`"outcome":"passed","summary":{"b":1,"a":[1.0,-0]}`), finished(`"outcome":"passed","summary":{"a":[1,0],"b":1e0}`)},
		{"Go duration", recovered(`"recovery_time":"2m"`), recovered(`"recovery_time":"120s"`)},
		{"Go duration in parts", recovered(`"recovery_time":"1h0.5s"`), recovered(`"recovery_time":"3600.500s"`)},
		{
			"level in capitals",
			dataOf(fact.TypeLogAppended, executionID, heartbeatWith(`"lines":[{"message":"x","level":"WARN"}]`)),
			dataOf(fact.TypeLogAppended, executionID, heartbeatWith(`"lines":[{"message":"x","level":"warn"}]`)),
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(mustDecode(t, d, c.two), mustDecode(t, d, c.one)); diff != "" {
				t.Errorf("(-as expected +as written):\n%s", diff)
			}
		})
	}
}

// called is the record with another content type and no further header.
func called(contentType string, r kafkarecord.Record) kafkarecord.Record {
	r.Headers = []kafkarecord.Header{{Key: "content-type", Value: []byte(contentType)}}
	return r
}

// Each change makes another event: the digest must tell them apart.
func TestDigestTellsEventsApart(t *testing.T) {
	t.Parallel()
	d := newDecoder(t)
	seen := map[fact.Digest]string{}
	for name, record := range map[string]kafkarecord.Record{
		"plain":               binary(heartbeatWith("")),
		"a nanosecond later":  binary(heartbeatWith(""), "ce_time=2026-04-01T12:00:00.000000001Z"),
		"a sequence":          binary(heartbeatWith(""), "ce_sequence=1"),
		"another sequence":    binary(heartbeatWith(""), "ce_sequence=2"),
		"a message":           binary(heartbeatWith(`"message":"a"`)),
		"the same as a phase": binary(heartbeatWith(`"current_phase":"a"`)),
		"no progress":         binary(heartbeatWith(`"progress":0`)),
		"an empty state":      binary(heartbeatWith(`"system_state":{}`)),
		"another type":        binary(heartbeatWith(""), "ce_type="+string(fact.TypePaused)),
		"another subject":     binary(`{"execution_id":"exec-2"}`, "ce_subject=exec-2"),
	} {
		digest := mustDecode(t, d, record).Header().Digest
		if other, ok := seen[digest]; ok {
			t.Errorf("%q and %q have one digest", name, other)
		}
		seen[digest] = name
	}
}

// What is not part of an event's statement leaves its digest alone.
func TestDigestIgnoresTransport(t *testing.T) {
	t.Parallel()
	d := newDecoder(t)
	want := mustDecode(t, d, binary(heartbeatWith(""))).Header().Digest
	for name, record := range map[string]kafkarecord.Record{
		"extension":     binary(heartbeatWith(""), "ce_tenant=x"),
		"trace":         binary(heartbeatWith(""), "ce_traceparent=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
		"run":           binary(heartbeatWith(""), "ce_runid=r"),
		"unknown field": binary(heartbeatWith(`"colour":"red"`)),
	} {
		if got := mustDecode(t, d, record).Header().Digest; got != want {
			t.Errorf("%s changes the digest", name)
		}
	}
}

func TestEnvelopeIsKept(t *testing.T) {
	t.Parallel()
	d := newDecoder(t)
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	got := mustDecode(t, d, binary(
		heartbeatWith(`"colour":{"b":1,"a":"x"},"system_state":{"k":null},"a.b":[1.50],"":0`),
		"ce_sequence=7", "ce_runid=run 1", "ce_correlationid=c", "ce_tenant=\"t\"", "traceparent="+trace, "x-other=ignored",
		"ce_dataschema=http://169.254.169.254/x",
	))
	want := fact.Header{
		Key: fact.NewKey("/coordinator/a", "evt-1", executionID), Digest: got.Header().Digest,
		Source: "/coordinator/a", ID: "evt-1", Subject: executionID, Type: fact.TypeHeartbeat,
		Time: time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC), Sequence: 7, RunID: "run 1", TraceParent: trace, CorrelationID: "c",
		Data:       json.RawMessage(`{"execution_id":"exec-market-crash-001","system_state":{"k":null}}`),
		Extensions: json.RawMessage(`{"dataschema":"http://169.254.169.254/x","tenant":"\"t\""}`),
		Unknown:    json.RawMessage(`{"[\"\"]":0,"[\"a.b\"]":[1.5],"colour":{"a":"x","b":1}}`),
	}
	if diff := cmp.Diff(want, *got.Header()); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	if loc := got.Header().Time.Location(); loc != time.UTC {
		t.Errorf("time is in %v, want UTC", loc)
	}
}

func TestOddTraceIsKeptButNotContinued(t *testing.T) {
	t.Parallel()
	d := newDecoder(t)
	for _, odd := range []string{
		"x",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
		"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
	} {
		header := mustDecode(t, d, binary(heartbeatWith(""), "ce_traceparent="+odd)).Header()
		if header.TraceParent != "" || string(header.Extensions) != `{"traceparent":"`+odd+`"}` {
			t.Errorf("traceparent %q: continued %q, kept %s", odd, header.TraceParent, header.Extensions)
		}
	}
}

func TestFutureIsSuspect(t *testing.T) {
	t.Parallel()
	d := newDecoder(t)
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		time    string
		suspect bool
	}{
		{"2026-04-01T12:00:00Z", false},
		{"2026-04-01T12:00:00.000000001Z", true},
		{"2036-04-01T12:00:00Z", true},
		{"9999-12-31T23:59:59.999999999Z", true},
		{"2000-01-01T00:00:00Z", false},
	} {
		decoded, rejection := d.Decode(binary(heartbeatWith(""), "ce_time="+c.time), now)
		if rejection != nil {
			t.Errorf("%s: %v", c.time, rejection)
		} else if decoded.Header().Suspect != c.suspect {
			t.Errorf("%s: suspect %v, want %v", c.time, !c.suspect, c.suspect)
		}
	}
}

func TestKeyMismatchIsAccepted(t *testing.T) {
	t.Parallel()
	d := newDecoder(t)
	for key, want := range map[string]bool{executionID: false, "exec-2": true, "": true} {
		record := binary(heartbeatWith(""))
		record.Key = []byte(key)
		if got := mustDecode(t, d, record).KeyMismatch; got != want {
			t.Errorf("key %q: mismatch %v, want %v", key, got, want)
		}
	}
}

// Records at the limits are inside them.
func TestLimitsAreInclusive(t *testing.T) {
	t.Parallel()
	d := newDecoder(t)
	for name, record := range map[string]kafkarecord.Record{
		"32 levels":          binary(heartbeatWith(`"system_state":{"a":` + strings.Repeat("[", 30) + strings.Repeat("]", 30) + `}`)),
		"10,000 tokens":      binary(heartbeatWith(`"x":[` + strings.Repeat("0,", 9992) + `0]`)),
		"text of 64 KiB":     binary(heartbeatWith(`"message":"` + strings.Repeat("x", 64<<10) + `"`)),
		"number of 32":       binary(heartbeatWith(`"x":0.` + strings.Repeat("1", 30))),
		"largest integer":    binary(heartbeatWith(`"x":[9007199254740991,-9007199254740991]`)),
		"largest float":      binary(heartbeatWith(`"x":1.7976931348623157e308`)),
		"smallest float":     binary(heartbeatWith(`"x":1e-999`)),
		"largest sequence":   binary(heartbeatWith(""), "ce_sequence=9007199254740991"),
		"id of 200":          binary(heartbeatWith(""), "ce_id="+strings.Repeat("z", 200)),
		"source of 255":      binary(heartbeatWith(""), "ce_source=/"+strings.Repeat("z", 254)),
		"definition 512 KiB": dataOf(fact.TypeScenarioPublished, "s", `{"scenario_id":"s","definition":"`+strings.Repeat("x", 512<<10)+`"}`),
		"1,000 log lines":    dataOf(fact.TypeLogAppended, executionID, heartbeatWith(`"lines":[`+strings.Repeat(`{"message":"x"},`, 999)+`{"message":"x"}]`)),
		"largest exit code":  dataOf(fact.TypeFinished, executionID, heartbeatWith(`"outcome":"error","exit_code":-2147483648`)),
		"a record of 1 MiB":  binary(heartbeatWith("") + strings.Repeat(" ", 1<<20-len(executionID)-len(heartbeatWith("")))),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mustDecode(t, d, record)
		})
	}
}

func TestTextsAreKeptLiterally(t *testing.T) {
	t.Parallel()
	d := newDecoder(t)
	const text = "=HYPERLINK(\"x\")\n{\"level\":\"error\"}\x1b[2J<script>\u2028😀"
	quoted, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	heartbeat := mustDecode(t, d, binary(heartbeatWith(`"message":`+string(quoted)))).Execution.Payload.(*execution.Heartbeat)
	if heartbeat.Message != text {
		t.Errorf("message is %q, want %q", heartbeat.Message, text)
	}
	definition := `{name: "free", "steps": [], "name": "twice"} {{ not yaml`
	quoted, err = json.Marshal(definition)
	if err != nil {
		t.Fatal(err)
	}
	record := dataOf(fact.TypeScenarioPublished, "s", `{"scenario_id":"s","definition":`+string(quoted)+`}`)
	if got := mustDecode(t, d, record).Scenario.Payload.(*scenario.Published).Definition; got != definition {
		t.Errorf("definition is %q, want %q", got, definition)
	}
}

// The reader of the log reuses its buffers.
func TestNothingSharesMemoryWithTheRecord(t *testing.T) {
	t.Parallel()
	d := newDecoder(t)
	for _, typ := range fact.Types() {
		for _, form := range forms {
			record := encode(t, outgoing(t, typ), form.mode, form.encoding)
			want := mustDecode(t, d, encode(t, outgoing(t, typ), form.mode, form.encoding))
			got := mustDecode(t, d, record)
			for _, b := range append([][]byte{record.Key, record.Value}, headerValues(record)...) {
				for i := range b {
					b[i] = '!'
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s %s changed with its record:\n%s", typ, form, diff)
			}
		}
	}
}

func headerValues(record kafkarecord.Record) [][]byte {
	var values [][]byte
	for _, h := range record.Headers {
		values = append(values, h.Value)
	}
	return values
}

func TestRefusesLimitsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*event.Limits){
		"record":          func(l *event.Limits) { l.Record = 0 },
		"depth":           func(l *event.Limits) { l.Depth = -1 },
		"accepted future": func(l *event.Limits) { l.AcceptedFuture = -time.Hour },
		"earliest is 1969-12-31T23:59:59Z, must be 1970-01-01T00:00:00Z or later": func(l *event.Limits) { l.Earliest = time.Unix(0, -1).UTC() },
		"earliest is 0001-01-01T00:00:00Z":                                        func(l *event.Limits) { l.Earliest = time.Time{} },
	} {
		limits := event.DefaultLimits()
		change(&limits)
		if _, err := event.NewDecoder(limits); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v, want one that names it", name, err)
		}
	}
	limits := event.DefaultLimits()
	limits.Earliest = time.Unix(0, 0)
	if _, err := event.NewDecoder(limits); err != nil {
		t.Errorf("earliest in 1970: %v", err)
	}
}
