package eventtest

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// Reject is one hostile record that is refused for what it is, and what must be
// said of it.
type Reject struct {
	Name   string
	Record kafkarecord.Record
	Reason fact.Reason
	Field  string
}

// Rejects are all of them. Those whose record is marked as oversize are as the
// reader of the log gives them; no producer can send them so.
func Rejects(t testing.TB) []Reject {
	t.Helper()
	return slices.Concat(RecordRejects(), JSONRejects(), ValueRejects(), AttributeRejects(), ContentTypeAndModeRejects(t), ProtobufRejects(t))
}

// RecordRejects are records that are refused before anything in them is read.
func RecordRejects() []Reject {
	many := make([]kafkarecord.Header, 65)
	for i := range many {
		many[i].Key = fmt.Sprintf("h%d", i)
	}
	return []Reject{
		{"nil value", kafkarecord.Record{Key: []byte("k")}, fact.ReasonTombstone, ""},
		{"tombstone with headers", kafkarecord.Record{Headers: HeartbeatHeaders}, fact.ReasonTombstone, ""},
		{"empty value", Binary(""), fact.ReasonEmpty, ""},
		{"one byte too large", Binary(strings.Repeat(" ", 1<<20-len(ExecutionID)+1)), fact.ReasonTooLarge, ""},
		{
			"3 MiB, not held in memory",
			kafkarecord.Record{Value: make([]byte, 64<<10), Oversize: &kafkarecord.Oversize{Length: 3 << 20, SHA256: sha256.Sum256(nil)}},
			fact.ReasonTooLarge, "",
		},
		{
			"key and value together too large, not held in memory",
			kafkarecord.Record{Key: []byte("k"), Value: make([]byte, 64<<10), Oversize: &kafkarecord.Oversize{Length: 1 << 20}},
			fact.ReasonTooLarge, "",
		},
		{
			"key too large, not held in memory",
			kafkarecord.Record{Key: make([]byte, 64<<10), Value: []byte("{}"), Oversize: &kafkarecord.Oversize{Length: 2}},
			fact.ReasonTooLarge, "key",
		},
		{
			"headers not held in memory",
			kafkarecord.Record{Key: []byte("k"), Value: []byte("{}"), Headers: HeartbeatHeaders, Oversize: &kafkarecord.Oversize{Length: 2}},
			fact.ReasonHeaderLimit, "headers",
		},
		{
			"headers not held in memory, of a value at the limit",
			kafkarecord.Record{Value: make([]byte, 64<<10), Oversize: &kafkarecord.Oversize{Length: 1 << 20}},
			fact.ReasonHeaderLimit, "headers",
		},
		{"65 headers", WithHeaders(Binary("{}"), many...), fact.ReasonHeaderLimit, "headers"},
		{
			"headers of 70 KB",
			WithHeaders(Binary("{}"), kafkarecord.Header{Key: "x", Value: make([]byte, 70_000)}),
			fact.ReasonHeaderLimit, "headers",
		},
	}
}

// JSONRejects are flaws of the JSON itself.
func JSONRejects() []Reject {
	nested := func(n int) string {
		return HeartbeatWith(`"system_state":{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`)
	}
	var keys strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&keys, `,"%x":0`, i)
	}
	cases := []Reject{
		{"two documents", Binary(HeartbeatWith("") + HeartbeatWith("")), fact.ReasonJSON, "data"},
		{"text behind the document", Binary(HeartbeatWith("") + " x"), fact.ReasonJSON, "data"},
		{"cut off", Binary(`{"execution_id":"exec`), fact.ReasonJSON, "data.execution_id"},
		{"only spaces", Binary("  \n "), fact.ReasonJSON, "data"},
		{"comma at the end", Binary(HeartbeatWith(`"message":"x",`)), fact.ReasonJSON, "data"},
		{"comment", Binary(`{/* */"execution_id":"exec-1"}`), fact.ReasonJSON, "data"},
		{"byte order mark", Binary("\ufeff" + HeartbeatWith("")), fact.ReasonJSON, "data"},
		{"line break in a string", Binary(HeartbeatWith("\"message\":\"a\nb\"")), fact.ReasonJSON, "data.message"},
		{"NaN", Binary(HeartbeatWith(`"progress":NaN`)), fact.ReasonJSON, "data.progress"},

		{"duplicate name", Binary(HeartbeatWith(`"message":"a","message":"b"`)), fact.ReasonDuplicateKey, "data.message"},
		{"duplicate of the id", Binary(HeartbeatWith(`"execution_id":"exec-2"`)), fact.ReasonDuplicateKey, "data.execution_id"},
		{"duplicate by escape", Binary(HeartbeatWith(`"message":"a","m\u0065ssage":"b"`)), fact.ReasonDuplicateKey, "data.message"},
		{"snake and camel", Binary(HeartbeatWith(`"executionId":"exec-2"`)), fact.ReasonDuplicateKey, "data.execution_id"},
		{"snake null and camel", Binary(HeartbeatWith(`"current_phase":null,"currentPhase":"a"`)), fact.ReasonDuplicateKey, "data.current_phase"},
		{
			"duplicate at depth 5",
			Binary(HeartbeatWith(`"system_state":{"a":{"b":{"c":{"d":1,"d":2}}}}`)),
			fact.ReasonDuplicateKey, "data.system_state.a.b.c.d",
		},
		{"duplicate in an unknown field", Binary(HeartbeatWith(`"x":[{"d":1,"d":2}]`)), fact.ReasonDuplicateKey, "data.x[0].d"},

		{"raw bytes ff fe", Binary(HeartbeatWith("\"message\":\"\xff\xfe\"")), fact.ReasonUTF8, "data"},
		{"overlong slash", Binary(HeartbeatWith("\"message\":\"\xc0\xaf\"")), fact.ReasonUTF8, "data"},
		{"lone surrogate", Binary(HeartbeatWith(`"message":"\ud800"`)), fact.ReasonUTF8, "data.message"},
		{"surrogates the wrong way round", Binary(HeartbeatWith(`"message":"\udc00\ud800"`)), fact.ReasonUTF8, "data.message"},
		{"lone surrogate in a name", Binary(HeartbeatWith(`"\uD83D":1`)), fact.ReasonUTF8, "data"},
		{"high surrogate and a letter", Binary(HeartbeatWith(`"message":"\ud83dx"`)), fact.ReasonUTF8, "data.message"},

		{"escaped NUL", Binary(HeartbeatWith(`"message":"a\u0000b"`)), fact.ReasonNUL, "data.message"},
		{"escaped NUL in the id", Binary(`{"execution_id":"exec\u0000-1"}`), fact.ReasonNUL, "data.execution_id"},
		{"escaped NUL in a free name", Binary(HeartbeatWith(`"system_state":{"a\u0000":1}`)), fact.ReasonNUL, "data.system_state"},
		{"escaped NUL in an unknown field", Binary(HeartbeatWith(`"x":"\u0000"`)), fact.ReasonNUL, "data.x"},
		{"raw NUL in a string", Binary(HeartbeatWith("\"message\":\"a\x00b\"")), fact.ReasonNUL, "data"},
		{"raw NUL behind the document", Binary(HeartbeatWith("") + "\x00"), fact.ReasonNUL, "data"},
		{
			"NUL in a log line",
			DataOf(fact.TypeLogAppended, ExecutionID, HeartbeatWith(`"lines":[{"message":"ok"},{"message":"\u0000"}]`)),
			fact.ReasonNUL, "data.lines[1].message",
		},

		{"33 levels", Binary(nested(31)), fact.ReasonDepth, "data.system_state.a" + strings.Repeat("[0]", 30)},
		{"5,000 levels", Binary(nested(5000)), fact.ReasonDepth, "data.system_state.a" + strings.Repeat("[0]", 30)},
		{"20,000 levels where a text belongs", Binary(HeartbeatWith(`"message":` + strings.Repeat("[", 20_000))), fact.ReasonDepth, "data"},
		{"20,000 levels that never end", Binary(HeartbeatWith(`"x":` + strings.Repeat("[", 20_000))), fact.ReasonDepth, "data.x" + strings.Repeat("[0]", 31)},

		{"100,000 keys", Binary(HeartbeatWith(keys.String()[1:])), fact.ReasonTokenLimit, "data.1386"},
		{"100,000 keys in an unknown object", Binary(HeartbeatWith(`"x":{` + keys.String()[1:] + `}`)), fact.ReasonTokenLimit, "data.x.1385"},
		{
			"110,000 tokens of a snapshot",
			DataOf(fact.TypeSnapshotCaptured, ExecutionID, HeartbeatWith(`"state":[`+strings.Repeat("0,", 110_000)+`0]`)),
			fact.ReasonTokenLimit, "data.state[99995]",
		},

		{"a text of 64 KiB and one byte", Binary(HeartbeatWith(`"message":"` + strings.Repeat("x", 64<<10+1) + `"`)), fact.ReasonTooLarge, "data.message"},
		{"a free name of 64 KiB and one byte", Binary(HeartbeatWith(`"system_state":{"` + strings.Repeat("x", 64<<10+1) + `":1}`)), fact.ReasonTooLarge, "data.system_state"},
		{
			"a definition of 512 KiB and one byte",
			DataOf(fact.TypeScenarioPublished, "s", `{"scenario_id":"s","definition":"`+strings.Repeat("x", 512<<10+1)+`"}`),
			fact.ReasonTooLarge, "data.definition",
		},
	}
	for value, text := range inOrder(map[string]string{"null": "null", "array": "[]", "string": `"x"`, "number": "42", "true": " true"}) {
		cases = append(cases,
			Reject{"data is " + value, Binary(text), fact.ReasonNotObject, "data"},
			Reject{"record is " + value, kafkarecord.Record{Value: []byte(text)}, fact.ReasonNotObject, ""})
	}
	return cases
}

// ValueRejects are flaws of what good JSON says.
func ValueRejects() []Reject {
	finished := func(members string) kafkarecord.Record {
		return DataOf(fact.TypeFinished, ExecutionID, HeartbeatWith(`"outcome":"passed",`+members))
	}
	step := func(members string) kafkarecord.Record {
		return DataOf(fact.TypeStepFinished, ExecutionID, HeartbeatWith(`"step_id":"s","kind":"wait","status":"passed",`+members))
	}
	schedule := func(members string) kafkarecord.Record {
		return DataOf(fact.TypeScheduleSet, "n", `{"schedule_id":"n","scenario_id":"s",`+members+`}`)
	}
	line := `{"message":"x"},`
	return []Reject{
		{"1e131072 in free JSON", Binary(HeartbeatWith(`"system_state":{"n":1e131072}`)), fact.ReasonNumber, "data.system_state.n"},
		{"1e131072 in an unknown field", Binary(HeartbeatWith(`"n":1e131072`)), fact.ReasonNumber, "data.n"},
		{"1e131072 in a double", Binary(HeartbeatWith(`"progress":1e131072`)), fact.ReasonNumber, "data.progress"},
		{"33 digits", Binary(HeartbeatWith(`"n":0.` + strings.Repeat("1", 31))), fact.ReasonNumber, "data.n"},
		{"33 digits of an exit code", finished(`"exit_code":` + strings.Repeat("1", 33)), fact.ReasonNumber, "data.exit_code"},
		{"text NaN for a double", Binary(HeartbeatWith(`"progress":"NaN"`)), fact.ReasonSchema, "data.progress"},
		{"text Infinity for a double", Binary(HeartbeatWith(`"progress":"-Infinity"`)), fact.ReasonSchema, "data.progress"},

		{"exit code beyond int4", finished(`"exit_code":2147483648`), fact.ReasonRange, "data.exit_code"},
		{"exit code beyond int8", finished(`"exit_code":9223372036854775808`), fact.ReasonRange, "data.exit_code"},
		{"exit code as text beyond int4", finished(`"exit_code":"-2147483649"`), fact.ReasonRange, "data.exit_code"},
		{"exit code 1e400", finished(`"exit_code":1e400`), fact.ReasonRange, "data.exit_code"},
		{"integer beyond 2^53-1", Binary(HeartbeatWith(`"system_state":{"n":9007199254740992}`)), fact.ReasonRange, "data.system_state.n"},
		{"integer below -(2^53-1)", Binary(HeartbeatWith(`"n":-9007199254740993`)), fact.ReasonRange, "data.n"},
		{"progress above 1", Binary(HeartbeatWith(`"progress":1.0000001`)), fact.ReasonRange, "data.progress"},
		{"attempt below zero", step(`"attempt":-1`), fact.ReasonRange, "data.attempt"},
		{"duration below zero", step(`"duration":"-1ns"`), fact.ReasonRange, "data.duration"},
		{"duration of 101 years", step(`"duration":"884760h"`), fact.ReasonRange, "data.duration"},
		{"duration of ten thousand years", step(`"duration":"315576000000s"`), fact.ReasonRange, "data.duration"},

		{"started 30 February", step(`"started_at":"2026-02-30T00:00:00Z"`), fact.ReasonTime, "data.started_at"},
		{"started without zone", step(`"started_at":"2026-02-03T00:00:00"`), fact.ReasonTime, "data.started_at"},
		{"started in the year 1", step(`"started_at":"0001-01-01T00:00:00Z"`), fact.ReasonTimeRange, "data.started_at"},

		{"id with a quote", DataOf(fact.TypeFaultCleared, ExecutionID, HeartbeatWith(`"fault_id":"' OR 1=1;--"`)), fact.ReasonID, "data.fault_id"},
		{"optional id with a slash", DataOf(fact.TypeStarted, ExecutionID, HeartbeatWith(`"coordinator_id":"a/b"`)), fact.ReasonID, "data.coordinator_id"},
		{
			"id deep inside",
			DataOf(fact.TypeLogAppended, ExecutionID, HeartbeatWith(`"lines":[`+line+`{"message":"x","step_id":"."}]`)),
			fact.ReasonID, "data.lines[1].step_id",
		},

		{"nothing", Binary(`{}`), fact.ReasonSchema, "data.execution_id"},
		{"required text is null", finished(`"error_message":1`), fact.ReasonSchema, "data.error_message"},
		{"id is null", Binary(`{"execution_id":null}`), fact.ReasonSchema, "data.execution_id"},
		{"id is a number", Binary(`{"execution_id":1}`), fact.ReasonSchema, "data.execution_id"},
		{"unknown status word", DataOf(fact.TypePhaseFinished, ExecutionID, HeartbeatWith(`"phase":"p","status":"Passed"`)), fact.ReasonSchema, "data.status"},
		{"outcome interrupted is ours", DataOf(fact.TypeFinished, ExecutionID, HeartbeatWith(`"outcome":"interrupted"`)), fact.ReasonSchema, "data.outcome"},
		{"outcome missing", DataOf(fact.TypeFinished, ExecutionID, HeartbeatWith("")), fact.ReasonSchema, "data.outcome"},
		{"fraction of an exit code", finished(`"exit_code":1.5`), fact.ReasonSchema, "data.exit_code"},
		{"hexadecimal exit code", finished(`"exit_code":"0x10"`), fact.ReasonSchema, "data.exit_code"},
		{"text for a bool", DataOf(fact.TypeRequested, ExecutionID, HeartbeatWith(`"scenario_id":"s","dry_run":"true"`)), fact.ReasonSchema, "data.dry_run"},
		{"array for an object", Binary(HeartbeatWith(`"system_state":[]`)), fact.ReasonSchema, "data.system_state"},
		{"text for a message", DataOf(fact.TypeRequested, ExecutionID, HeartbeatWith(`"trigger":"cron"`)), fact.ReasonSchema, "data.trigger"},
		{"object for a list", DataOf(fact.TypeLogAppended, ExecutionID, HeartbeatWith(`"lines":{}`)), fact.ReasonSchema, "data.lines"},
		{"null in a list", DataOf(fact.TypeScenarioPublished, "s", `{"scenario_id":"s","definition":"x","tags":[null]}`), fact.ReasonSchema, "data.tags[0]"},
		{"number in labels", DataOf(fact.TypeRequested, ExecutionID, HeartbeatWith(`"scenario_id":"s","labels":{"a":1}`)), fact.ReasonSchema, "data.labels.a"},
		{"text in metrics", DataOf(fact.TypeSnapshotCaptured, ExecutionID, HeartbeatWith(`"snapshot_id":"s","kind":"manual","metrics":{"a":"fast"}`)), fact.ReasonSchema, "data.metrics.a"},
		{"no lines", DataOf(fact.TypeLogAppended, ExecutionID, HeartbeatWith(`"lines":[]`)), fact.ReasonSchema, "data.lines"},
		{"duration as a number", step(`"duration":5`), fact.ReasonSchema, "data.duration"},
		{"duration without unit", step(`"duration":"5"`), fact.ReasonSchema, "data.duration"},
		{"version by name", DataOf(fact.TypeStarted, ExecutionID, HeartbeatWith(`"scenario_version":"latest"`)), fact.ReasonSchema, "data.scenario_version"},
		{"cron of six fields", schedule(`"kind":"cron","cron":"* * * * * *"`), fact.ReasonSchema, "data.cron"},
		{"cron every nanosecond", schedule(`"kind":"cron","cron":"@every 1ns"`), fact.ReasonSchema, "data.cron"},
		{"time zone as a path", schedule(`"kind":"cron","cron":"0 3 * * *","time_zone":"../../etc/passwd"`), fact.ReasonSchema, "data.time_zone"},

		{"1,001 log lines", DataOf(fact.TypeLogAppended, ExecutionID, HeartbeatWith(`"lines":[`+strings.Repeat(line, 1000)+line[:len(line)-1]+`]`)), fact.ReasonLimit, "data.lines"},
		{
			"10,000 dependencies",
			DataOf(fact.TypeDependenciesDeclared, "s", `{"scenario_id":"s","dependencies":[`+strings.Repeat(`{"depends_on":"a","kind":"requires_run"},`, 9999)+`{}]}`),
			fact.ReasonLimit, "data.dependencies",
		},
		{"another id in the data", Binary(`{"execution_id":"exec-2"}`), fact.ReasonSubjectMismatch, "data.execution_id"},
	}
}
