package event_test

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// Reasons that need more than one record: they are given, and tested, where
// definitions, other events and tables are known.
var reasonsOfOthers = []fact.Reason{
	fact.ReasonIDConflict, fact.ReasonDefinition, fact.ReasonParameters, fact.ReasonCycle,
	fact.ReasonPanic, fact.ReasonCrash, fact.ReasonDatabase,
}

func TestEveryReasonIsTested(t *testing.T) {
	t.Parallel()
	tested := map[fact.Reason]int{}
	for _, c := range slices.Concat(recordRejects(), jsonRejects(), valueRejects(), attributeRejects(), contentTypeAndModeRejects(t), protobufRejects(t)) {
		tested[c.reason]++
	}
	for _, reason := range fact.Reasons() {
		if elsewhere := slices.Contains(reasonsOfOthers, reason); elsewhere != (tested[reason] == 0) {
			t.Errorf("reason %s: %d tests here, expected elsewhere: %v", reason, tested[reason], elsewhere)
		}
	}
}

func TestRejectsRecords(t *testing.T) {
	t.Parallel()
	runRejects(t, recordRejects())
}

// recordRejects are records that are refused before anything in them is read.
func recordRejects() []rejectCase {
	many := make([]kafkarecord.Header, 65)
	for i := range many {
		many[i].Key = fmt.Sprintf("h%d", i)
	}
	return []rejectCase{
		{"nil value", kafkarecord.Record{Key: []byte("k")}, fact.ReasonTombstone, ""},
		{"tombstone with headers", kafkarecord.Record{Headers: heartbeatHeaders}, fact.ReasonTombstone, ""},
		{"empty value", binary(""), fact.ReasonEmpty, ""},
		{"one byte too large", binary(strings.Repeat(" ", 1<<20-len(executionID)+1)), fact.ReasonTooLarge, ""},
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
			kafkarecord.Record{Key: []byte("k"), Value: []byte("{}"), Headers: heartbeatHeaders, Oversize: &kafkarecord.Oversize{Length: 2}},
			fact.ReasonHeaderLimit, "headers",
		},
		{
			"headers not held in memory, of a value at the limit",
			kafkarecord.Record{Value: make([]byte, 64<<10), Oversize: &kafkarecord.Oversize{Length: 1 << 20}},
			fact.ReasonHeaderLimit, "headers",
		},
		{"65 headers", withHeaders(binary("{}"), many...), fact.ReasonHeaderLimit, "headers"},
		{
			"headers of 70 KB",
			withHeaders(binary("{}"), kafkarecord.Header{Key: "x", Value: make([]byte, 70_000)}),
			fact.ReasonHeaderLimit, "headers",
		},
	}
}

func TestRejectsJSON(t *testing.T) {
	t.Parallel()
	runRejects(t, jsonRejects())
}

func TestRejectsValues(t *testing.T) {
	t.Parallel()
	runRejects(t, valueRejects())
}

// jsonRejects are flaws of the JSON itself.
func jsonRejects() []rejectCase {
	nested := func(n int) string {
		return heartbeatWith(`"system_state":{"a":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`)
	}
	var keys strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&keys, `,"%x":0`, i)
	}
	cases := []rejectCase{
		{"two documents", binary(heartbeatWith("") + heartbeatWith("")), fact.ReasonJSON, "data"},
		{"text behind the document", binary(heartbeatWith("") + " x"), fact.ReasonJSON, "data"},
		{"cut off", binary(`{"execution_id":"exec`), fact.ReasonJSON, "data.execution_id"},
		{"only spaces", binary("  \n "), fact.ReasonJSON, "data"},
		{"comma at the end", binary(heartbeatWith(`"message":"x",`)), fact.ReasonJSON, "data"},
		{"comment", binary(`{/* */"execution_id":"exec-1"}`), fact.ReasonJSON, "data"},
		{"byte order mark", binary("\ufeff" + heartbeatWith("")), fact.ReasonJSON, "data"},
		{"line break in a string", binary(heartbeatWith("\"message\":\"a\nb\"")), fact.ReasonJSON, "data.message"},
		{"NaN", binary(heartbeatWith(`"progress":NaN`)), fact.ReasonJSON, "data.progress"},

		{"duplicate name", binary(heartbeatWith(`"message":"a","message":"b"`)), fact.ReasonDuplicateKey, "data.message"},
		{"duplicate of the id", binary(heartbeatWith(`"execution_id":"exec-2"`)), fact.ReasonDuplicateKey, "data.execution_id"},
		{"duplicate by escape", binary(heartbeatWith(`"message":"a","m\u0065ssage":"b"`)), fact.ReasonDuplicateKey, "data.message"},
		{"snake and camel", binary(heartbeatWith(`"executionId":"exec-2"`)), fact.ReasonDuplicateKey, "data.execution_id"},
		{"snake null and camel", binary(heartbeatWith(`"current_phase":null,"currentPhase":"a"`)), fact.ReasonDuplicateKey, "data.current_phase"},
		{
			"duplicate at depth 5",
			binary(heartbeatWith(`"system_state":{"a":{"b":{"c":{"d":1,"d":2}}}}`)),
			fact.ReasonDuplicateKey, "data.system_state.a.b.c.d",
		},
		{"duplicate in an unknown field", binary(heartbeatWith(`"x":[{"d":1,"d":2}]`)), fact.ReasonDuplicateKey, "data.x[0].d"},

		{"raw bytes ff fe", binary(heartbeatWith("\"message\":\"\xff\xfe\"")), fact.ReasonUTF8, "data"},
		{"overlong slash", binary(heartbeatWith("\"message\":\"\xc0\xaf\"")), fact.ReasonUTF8, "data"},
		{"lone surrogate", binary(heartbeatWith(`"message":"\ud800"`)), fact.ReasonUTF8, "data.message"},
		{"surrogates the wrong way round", binary(heartbeatWith(`"message":"\udc00\ud800"`)), fact.ReasonUTF8, "data.message"},
		{"lone surrogate in a name", binary(heartbeatWith(`"\uD83D":1`)), fact.ReasonUTF8, "data"},
		{"high surrogate and a letter", binary(heartbeatWith(`"message":"\ud83dx"`)), fact.ReasonUTF8, "data.message"},

		{"escaped NUL", binary(heartbeatWith(`"message":"a\u0000b"`)), fact.ReasonNUL, "data.message"},
		{"escaped NUL in the id", binary(`{"execution_id":"exec\u0000-1"}`), fact.ReasonNUL, "data.execution_id"},
		{"escaped NUL in a free name", binary(heartbeatWith(`"system_state":{"a\u0000":1}`)), fact.ReasonNUL, "data.system_state"},
		{"escaped NUL in an unknown field", binary(heartbeatWith(`"x":"\u0000"`)), fact.ReasonNUL, "data.x"},
		{"raw NUL in a string", binary(heartbeatWith("\"message\":\"a\x00b\"")), fact.ReasonNUL, "data"},
		{"raw NUL behind the document", binary(heartbeatWith("") + "\x00"), fact.ReasonNUL, "data"},
		{
			"NUL in a log line",
			dataOf(fact.TypeLogAppended, executionID, heartbeatWith(`"lines":[{"message":"ok"},{"message":"\u0000"}]`)),
			fact.ReasonNUL, "data.lines[1].message",
		},

		{"33 levels", binary(nested(31)), fact.ReasonDepth, "data.system_state.a" + strings.Repeat("[0]", 30)},
		{"5,000 levels", binary(nested(5000)), fact.ReasonDepth, "data.system_state.a" + strings.Repeat("[0]", 30)},
		{"20,000 levels where a text belongs", binary(heartbeatWith(`"message":` + strings.Repeat("[", 20_000))), fact.ReasonDepth, "data"},
		{"20,000 levels that never end", binary(heartbeatWith(`"x":` + strings.Repeat("[", 20_000))), fact.ReasonDepth, "data.x" + strings.Repeat("[0]", 31)},

		{"100,000 keys", binary(heartbeatWith(keys.String()[1:])), fact.ReasonTokenLimit, "data.1386"},
		{"100,000 keys in an unknown object", binary(heartbeatWith(`"x":{` + keys.String()[1:] + `}`)), fact.ReasonTokenLimit, "data.x.1385"},
		{
			"110,000 tokens of a snapshot",
			dataOf(fact.TypeSnapshotCaptured, executionID, heartbeatWith(`"state":[`+strings.Repeat("0,", 110_000)+`0]`)),
			fact.ReasonTokenLimit, "data.state[99995]",
		},

		{"a text of 64 KiB and one byte", binary(heartbeatWith(`"message":"` + strings.Repeat("x", 64<<10+1) + `"`)), fact.ReasonTooLarge, "data.message"},
		{"a free name of 64 KiB and one byte", binary(heartbeatWith(`"system_state":{"` + strings.Repeat("x", 64<<10+1) + `":1}`)), fact.ReasonTooLarge, "data.system_state"},
		{
			"a definition of 512 KiB and one byte",
			dataOf(fact.TypeScenarioPublished, "s", `{"scenario_id":"s","definition":"`+strings.Repeat("x", 512<<10+1)+`"}`),
			fact.ReasonTooLarge, "data.definition",
		},
	}
	for value, text := range map[string]string{"null": "null", "array": "[]", "string": `"x"`, "number": "42", "true": " true"} {
		cases = append(cases, rejectCase{"data is " + value, binary(text), fact.ReasonNotObject, "data"})
		cases = append(cases, rejectCase{"record is " + value, kafkarecord.Record{Value: []byte(text)}, fact.ReasonNotObject, ""})
	}
	return cases
}

// valueRejects are flaws of what good JSON says.
func valueRejects() []rejectCase {
	finished := func(members string) kafkarecord.Record {
		return dataOf(fact.TypeFinished, executionID, heartbeatWith(`"outcome":"passed",`+members))
	}
	step := func(members string) kafkarecord.Record {
		return dataOf(fact.TypeStepFinished, executionID, heartbeatWith(`"step_id":"s","kind":"wait","status":"passed",`+members))
	}
	schedule := func(members string) kafkarecord.Record {
		return dataOf(fact.TypeScheduleSet, "n", `{"schedule_id":"n","scenario_id":"s",`+members+`}`)
	}
	line := `{"message":"x"},`
	return []rejectCase{
		{"1e131072 in free JSON", binary(heartbeatWith(`"system_state":{"n":1e131072}`)), fact.ReasonNumber, "data.system_state.n"},
		{"1e131072 in an unknown field", binary(heartbeatWith(`"n":1e131072`)), fact.ReasonNumber, "data.n"},
		{"1e131072 in a double", binary(heartbeatWith(`"progress":1e131072`)), fact.ReasonNumber, "data.progress"},
		{"33 digits", binary(heartbeatWith(`"n":0.` + strings.Repeat("1", 31))), fact.ReasonNumber, "data.n"},
		{"33 digits of an exit code", finished(`"exit_code":` + strings.Repeat("1", 33)), fact.ReasonNumber, "data.exit_code"},
		{"text NaN for a double", binary(heartbeatWith(`"progress":"NaN"`)), fact.ReasonSchema, "data.progress"},
		{"text Infinity for a double", binary(heartbeatWith(`"progress":"-Infinity"`)), fact.ReasonSchema, "data.progress"},

		{"exit code beyond int4", finished(`"exit_code":2147483648`), fact.ReasonRange, "data.exit_code"},
		{"exit code beyond int8", finished(`"exit_code":9223372036854775808`), fact.ReasonRange, "data.exit_code"},
		{"exit code as text beyond int4", finished(`"exit_code":"-2147483649"`), fact.ReasonRange, "data.exit_code"},
		{"exit code 1e400", finished(`"exit_code":1e400`), fact.ReasonRange, "data.exit_code"},
		{"integer beyond 2^53-1", binary(heartbeatWith(`"system_state":{"n":9007199254740992}`)), fact.ReasonRange, "data.system_state.n"},
		{"integer below -(2^53-1)", binary(heartbeatWith(`"n":-9007199254740993`)), fact.ReasonRange, "data.n"},
		{"progress above 1", binary(heartbeatWith(`"progress":1.0000001`)), fact.ReasonRange, "data.progress"},
		{"attempt below zero", step(`"attempt":-1`), fact.ReasonRange, "data.attempt"},
		{"duration below zero", step(`"duration":"-1ns"`), fact.ReasonRange, "data.duration"},
		{"duration of 101 years", step(`"duration":"884760h"`), fact.ReasonRange, "data.duration"},
		{"duration of ten thousand years", step(`"duration":"315576000000s"`), fact.ReasonRange, "data.duration"},

		{"started 30 February", step(`"started_at":"2026-02-30T00:00:00Z"`), fact.ReasonTime, "data.started_at"},
		{"started without zone", step(`"started_at":"2026-02-03T00:00:00"`), fact.ReasonTime, "data.started_at"},
		{"started in the year 1", step(`"started_at":"0001-01-01T00:00:00Z"`), fact.ReasonTimeRange, "data.started_at"},

		{"id with a quote", dataOf(fact.TypeFaultCleared, executionID, heartbeatWith(`"fault_id":"' OR 1=1;--"`)), fact.ReasonID, "data.fault_id"},
		{"optional id with a slash", dataOf(fact.TypeStarted, executionID, heartbeatWith(`"coordinator_id":"a/b"`)), fact.ReasonID, "data.coordinator_id"},
		{
			"id deep inside",
			dataOf(fact.TypeLogAppended, executionID, heartbeatWith(`"lines":[`+line+`{"message":"x","step_id":"."}]`)),
			fact.ReasonID, "data.lines[1].step_id",
		},

		{"nothing", binary(`{}`), fact.ReasonSchema, "data.execution_id"},
		{"required text is null", finished(`"error_message":1`), fact.ReasonSchema, "data.error_message"},
		{"id is null", binary(`{"execution_id":null}`), fact.ReasonSchema, "data.execution_id"},
		{"id is a number", binary(`{"execution_id":1}`), fact.ReasonSchema, "data.execution_id"},
		{"unknown status word", dataOf(fact.TypePhaseFinished, executionID, heartbeatWith(`"phase":"p","status":"Passed"`)), fact.ReasonSchema, "data.status"},
		{"outcome interrupted is ours", dataOf(fact.TypeFinished, executionID, heartbeatWith(`"outcome":"interrupted"`)), fact.ReasonSchema, "data.outcome"},
		{"outcome missing", dataOf(fact.TypeFinished, executionID, heartbeatWith("")), fact.ReasonSchema, "data.outcome"},
		{"fraction of an exit code", finished(`"exit_code":1.5`), fact.ReasonSchema, "data.exit_code"},
		{"hexadecimal exit code", finished(`"exit_code":"0x10"`), fact.ReasonSchema, "data.exit_code"},
		{"text for a bool", dataOf(fact.TypeRequested, executionID, heartbeatWith(`"scenario_id":"s","dry_run":"true"`)), fact.ReasonSchema, "data.dry_run"},
		{"array for an object", binary(heartbeatWith(`"system_state":[]`)), fact.ReasonSchema, "data.system_state"},
		{"text for a message", dataOf(fact.TypeRequested, executionID, heartbeatWith(`"trigger":"cron"`)), fact.ReasonSchema, "data.trigger"},
		{"object for a list", dataOf(fact.TypeLogAppended, executionID, heartbeatWith(`"lines":{}`)), fact.ReasonSchema, "data.lines"},
		{"null in a list", dataOf(fact.TypeScenarioPublished, "s", `{"scenario_id":"s","definition":"x","tags":[null]}`), fact.ReasonSchema, "data.tags[0]"},
		{"number in labels", dataOf(fact.TypeRequested, executionID, heartbeatWith(`"scenario_id":"s","labels":{"a":1}`)), fact.ReasonSchema, "data.labels.a"},
		{"text in metrics", dataOf(fact.TypeSnapshotCaptured, executionID, heartbeatWith(`"snapshot_id":"s","kind":"manual","metrics":{"a":"fast"}`)), fact.ReasonSchema, "data.metrics.a"},
		{"no lines", dataOf(fact.TypeLogAppended, executionID, heartbeatWith(`"lines":[]`)), fact.ReasonSchema, "data.lines"},
		{"duration as a number", step(`"duration":5`), fact.ReasonSchema, "data.duration"},
		{"duration without unit", step(`"duration":"5"`), fact.ReasonSchema, "data.duration"},
		{"version by name", dataOf(fact.TypeStarted, executionID, heartbeatWith(`"scenario_version":"latest"`)), fact.ReasonSchema, "data.scenario_version"},
		{"cron of six fields", schedule(`"kind":"cron","cron":"* * * * * *"`), fact.ReasonSchema, "data.cron"},
		{"cron every nanosecond", schedule(`"kind":"cron","cron":"@every 1ns"`), fact.ReasonSchema, "data.cron"},
		{"time zone as a path", schedule(`"kind":"cron","cron":"0 3 * * *","time_zone":"../../etc/passwd"`), fact.ReasonSchema, "data.time_zone"},

		{"1,001 log lines", dataOf(fact.TypeLogAppended, executionID, heartbeatWith(`"lines":[`+strings.Repeat(line, 1000)+line[:len(line)-1]+`]`)), fact.ReasonLimit, "data.lines"},
		{
			"10,000 dependencies",
			dataOf(fact.TypeDependenciesDeclared, "s", `{"scenario_id":"s","dependencies":[`+strings.Repeat(`{"depends_on":"a","kind":"requires_run"},`, 9999)+`{}]}`),
			fact.ReasonLimit, "data.dependencies",
		},
		{"another id in the data", binary(`{"execution_id":"exec-2"}`), fact.ReasonSubjectMismatch, "data.execution_id"},
	}
}
