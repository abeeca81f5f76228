package checker_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/soak/checker"
)

// heartbeat is a record in binary mode, with changes: an attribute, or the value
// under "".
func heartbeat(changes map[string]string) checker.Record {
	value, changed := changes[""]
	if !changed {
		value = `{"execution_id":"exec-a","message":"half"}`
	}
	r := checker.Record{Key: []byte("exec-a"), Value: []byte(value)}
	attributes := map[string]string{
		"ce_specversion": "1.0", "ce_type": prefix + "execution.heartbeat.v1", "ce_source": "/coordinator/a", "ce_id": "e1", "ce_subject": "exec-a",
		"ce_time": "2026-04-01T12:00:00Z", "ce_sequence": "7", "ce_runid": "run-1", "content-type": "application/json",
	}
	for name, text := range attributes {
		if other, ok := changes[name]; ok {
			text = other
		}
		if text != "" {
			r.Headers = append(r.Headers, checker.Header{Name: name, Value: []byte(text)})
		}
	}
	return r
}

func TestOneEventInAllFormsIsOne(t *testing.T) {
	t.Parallel()
	message, err := proto.Marshal(&contract.ExecutionHeartbeat{ExecutionId: "exec-a", Message: "half"})
	if err != nil {
		t.Fatal(err)
	}
	whole := `{"specversion":"1.0","type":"test-coordination.execution.heartbeat.v1","source":"/coordinator/a","id":"e1","subject":"exec-a",` +
		`"time":"2026-04-01T12:00:00Z","sequence":"7","runid":"run-1",`
	structured := []checker.Header{{Name: "content-type", Value: []byte("application/cloudevents+json; charset=utf-8")}}
	first, reason := checker.Decode(heartbeat(nil), second(0))
	if reason != "" {
		t.Fatal(reason)
	}
	for name, r := range map[string]checker.Record{
		"binary JSON, camel case": heartbeat(map[string]string{"": ` {"executionId":"exec-a", "message":"half", "unknown": [1]}`}),
		"binary protobuf":         heartbeat(map[string]string{"content-type": "application/protobuf", "": string(message)}),
		"structured JSON":         {Value: []byte(whole + `"data" : {"execution_id":"exec-a","message":"half"}}`), Headers: structured},
		"structured protobuf": {
			Value:   []byte(whole + `"datacontenttype":"application/protobuf","data_base64":"` + base64.StdEncoding.EncodeToString(message) + `"}`),
			Headers: structured,
		},
		"structured, sequence as a number, no content type": {
			Value: []byte(strings.Replace(whole, `"7"`, `7`, 1) + `"data":{"execution_id":"exec-a","message":"half"}}`),
		},
	} {
		if event, reason := checker.Decode(r, second(0)); event != first {
			t.Errorf("%s: %s%s\nwant %s", name, reason, event, first)
		}
	}
}

func TestReasons(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		reason  string
		changes map[string]string
	}{
		{"empty", map[string]string{"": ""}},
		{"too_large", map[string]string{"": strings.Repeat(" ", 1<<20)}},
		{"not_object", map[string]string{"": `[]`}},
		{"json", map[string]string{"": `{"execution_id": "exec-a", "progr`}},
		{"json", map[string]string{"": `{"execution_id": "exec-a"}{}`}},
		{"utf8", map[string]string{"": "{\"execution_id\": \"exec-a\", \"message\": \"\xff\"}"}},
		{"utf8", map[string]string{"ce_id": "\xff"}},
		{"nul", map[string]string{"": `{"execution_id": "exec-a", "message": "a\u0000b"}`}},
		{"duplicate_key", map[string]string{"": `{"execution_id": "exec-a", "system_state": {"a": {"b": 1, "b": 2}}}`}},
		{"depth", map[string]string{"": `{"execution_id": "exec-a", "system_state": {"a": ` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}}`}},
		{"number", map[string]string{"": `{"execution_id": "exec-a", "system_state": {"n": 1e131072}}`}},
		{"range", map[string]string{"": `{"execution_id": "exec-a", "progress": 1.5}`}},
		{"range", map[string]string{"ce_sequence": "9007199254740992"}},
		{"time", map[string]string{"ce_time": "2026-02-30T12:00:00Z"}},
		{"time_range", map[string]string{"ce_time": "1999-12-31T23:59:59Z"}},
		{"id", map[string]string{"ce_subject": "' OR 1=1;--", "": `{"execution_id": "' OR 1=1;--"}`}},
		{"schema", map[string]string{"": `{"message": "whose?"}`}},
		{"schema", map[string]string{"ce_id": ""}},
		{"schema", map[string]string{"ce_type": prefix + "execution.finished.v1"}},
		{"unsupported", map[string]string{"ce_specversion": "2.0"}},
		{"unsupported", map[string]string{"content-type": "text/plain"}},
		{"unsupported_type", map[string]string{"ce_type": prefix + "execution.teleported.v1"}},
		{"unsupported_type", map[string]string{"ce_type": prefix + "execution.interrupted.v1"}},
		{"encoding", map[string]string{"content-type": "application/protobuf"}},
		{"subject_mismatch", map[string]string{"": `{"execution_id": "exec-b"}`}},
		{"definition", map[string]string{"ce_type": prefix + "scenario.published.v1", "": `{"scenario_id": "exec-a", "definition": "apiVersion: chaos.trading/v1\nmetadata: {}\n"}`}},
		{"cycle", map[string]string{
			"ce_type": prefix + "scenario.dependencies_declared.v1", "": `{"scenario_id": "exec-a", "dependencies": [{"depends_on": "exec-a", "kind": "requires_run"}]}`,
		}},
	} {
		if event, reason := checker.Decode(heartbeat(c.changes), second(0)); reason != c.reason {
			t.Errorf("%q: %s%s, want %s", c.changes, reason, event, c.reason)
		}
	}
	if _, reason := checker.Decode(checker.Record{Key: []byte("exec-a")}, second(0)); reason != "tombstone" {
		t.Errorf("a record without a value: %s", reason)
	}
}
