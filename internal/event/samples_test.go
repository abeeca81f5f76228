package event_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event/eventtest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

const executionID = eventtest.ExecutionID

// sampleData is one event of each type with every field set that may stand
// together, in proto JSON.
var sampleData = map[fact.Type]string{
	fact.TypeTemplatePublished: `{"template_id":"tpl-exchange-disruption","definition":"apiVersion: chaos.trading/v1\nkind: Template\nmetadata:\n  name: exchange disruption\nspec:\n  phases:\n    - name: baseline\n      duration: 1m\n",
		"author":"Ada","change_note":"first"}`,
	fact.TypeScenarioPublished: `{"scenario_id":"market-crash","definition":"{\"name\":\"market crash\",\"steps\":[]}","scenario_type":"combined","category":"market",
		"services_under_test":["risk-monitor","exchange"],"expected_outcomes":["alert within 4h"],"tags":["nightly","36h"],"author":"Ada","change_note":"=HYPERLINK(1)",
		"template":{"template_id":"tpl-exchange-disruption","version":"3","parameters":{"duration":"10m","factor":1.5,"services":["a",null,true]}}}`,
	fact.TypeScenarioStatusChanged: `{"scenario_id":"market-crash","status":"active"}`,
	fact.TypeDependenciesDeclared: `{"scenario_id":"market-crash","dependencies":[{"depends_on":"smoke","kind":"requires_success","max_age":"86400s"},
		{"depends_on":"failover","kind":"must_not_overlap"}]}`,
	fact.TypeScheduleSet: `{"schedule_id":"nightly","scenario_id":"market-crash","kind":"cron","cron":"0 3 * * 1-5","time_zone":"Europe/Zurich","enabled":true,"concurrency_policy":"forbid","starting_deadline":"600s",
		"not_before":"2026-01-01T00:00:00Z","not_after":"2027-01-01T00:00:00Z","parameters":{"depth":2}}`,
	fact.TypeScheduleRemoved: `{"schedule_id":"nightly"}`,
	fact.TypeRequested: `{"execution_id":"exec-market-crash-001","scenario_id":"market-crash","scenario_version":"7","environment":"staging","parameters":{"factor":2},
		"trigger":{"type":"schedule","actor":"nightly","uri":"http://169.254.169.254/latest"},"labels":{"team":"risk","build":"42"},
		"configuration_snapshot":[1,"two",null],"attempt":1,"group_id":"release-42","dry_run":false}`,
	fact.TypeStarted: `{"execution_id":"exec-market-crash-001","scenario_id":"market-crash",
		"scenario_version":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","environment":"staging","coordinator_id":"coordinator-1",
		"configuration_snapshot":{"retries":3,"nested":{"deep":[{"x":1e+300}]}},"deadline":"2026-04-03T12:00:00.000000001Z"}`,
	fact.TypeHeartbeat: `{"execution_id":"exec-market-crash-001","progress":0.25,"message":"injecting","current_phase":"injection",
		"system_state":{"exchange":"degraded","latency_ms":12.5}}`,
	fact.TypePaused:        `{"execution_id":"exec-market-crash-001","reason":"manual"}`,
	fact.TypeResumed:       `{"execution_id":"exec-market-crash-001","reason":"manual"}`,
	fact.TypePhaseStarted:  `{"execution_id":"exec-market-crash-001","phase":"injection","ordinal":0,"description":"depeg"}`,
	fact.TypePhaseFinished: `{"execution_id":"exec-market-crash-001","phase":"injection","status":"failed","error":"timed out"}`,
	fact.TypeStepStarted: `{"execution_id":"exec-market-crash-001","step_id":"step-1","kind":"parallel_action","phase":"injection","service":"exchange",
		"action":"delay","parameters":{"ms":250},"attempt":2}`,
	fact.TypeStepFinished: `{"execution_id":"exec-market-crash-001","step_id":"step-1","kind":"action","phase":"injection","service":"exchange","action":"delay",
		"parameters":{"ms":250},"status":"passed","started_at":"2026-04-01T12:00:00.5Z","duration":"90.250s","error":"none","attempt":1}`,
	fact.TypeFaultInjected: `{"execution_id":"exec-market-crash-001","fault_id":"fault-1","fault_type":"network_latency","target_service":"exchange",
		"parameters":{"ms":250},"phase":"injection","step_id":"step-1","blast_radius":"one venue","status":"in_progress","error":"slow"}`,
	fact.TypeFaultCleared:   `{"execution_id":"exec-market-crash-001","fault_id":"fault-1","error":"stuck"}`,
	fact.TypeFaultRecovered: `{"execution_id":"exec-market-crash-001","fault_id":"fault-1","recovery_time":"12.000000007s"}`,
	fact.TypeValidationRecorded: `{"execution_id":"exec-market-crash-001","validation_id":"val-1","assertion_type":"alert_raised","status":"failed","phase":"recovery",
		"step_id":"step-1","fault_id":"fault-1","service":"risk-monitor","expected":"alert","actual":"none","operator":"<=","threshold":0,"unit":"s","within":"14400s",
		"observed_after":"0s","message":"late","evidence":{"alerts":[]},"steady_state":"after","correlation_id":"corr/1"}`,
	fact.TypeSnapshotCaptured: `{"execution_id":"exec-market-crash-001","snapshot_id":"snap-1","kind":"pre_injection","service":"exchange","phase":"baseline",
		"state":{"book":[[1,2],[3,4]],"open":true},"metrics":{"p99_ms":12.5,"orders":1200},"health":"healthy"}`,
	fact.TypeLogAppended: `{"execution_id":"exec-market-crash-001","lines":[{"message":"started\n{\"level\":\"error\"}","time":"2026-04-01T12:00:00Z","level":"info",
		"service":"exchange","phase":"injection","step_id":"step-1","attributes":{"k":"v"}},{"message":"\u001b[2J"}]}`,
	fact.TypeFinished: `{"execution_id":"exec-market-crash-001","outcome":"passed","exit_code":0,"error_message":"none","summary":"all good"}`,
}

var (
	sampleTime = time.Date(2026, time.April, 1, 12, 0, 0, 123_456_789, time.UTC)
	sampleNow  = sampleTime.Add(time.Minute)
)

// outgoing is the sample of a type as a producer would send it.
func outgoing(t testing.TB, typ fact.Type) event.Outgoing {
	t.Helper()
	return event.Outgoing{
		Source:        "/coordinator/a",
		ID:            "evt-" + strings.ReplaceAll(typ.Short(), ".", "-"),
		Time:          sampleTime,
		Sequence:      42,
		RunID:         "run/7",
		TraceParent:   "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		CorrelationID: "order 66",
		Extensions:    map[string]string{"dataschema": "http://169.254.169.254/schema", "tenant": "t1"},
		Message:       message(t, typ, sampleData[typ]),
	}
}

func message(t testing.TB, typ fact.Type, data string) proto.Message {
	t.Helper()
	m, err := event.NewMessage(typ, json.RawMessage(data))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func encode(t testing.TB, o event.Outgoing, mode event.Mode, encoding event.Encoding) kafkarecord.Record {
	t.Helper()
	record, err := event.Encode(o, mode, encoding)
	if err != nil {
		t.Fatal(err)
	}
	return record
}

func newDecoder(t testing.TB) *event.Decoder {
	t.Helper()
	d, err := event.NewDecoder(event.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// mustDecode is the event of a record that has to be accepted.
func mustDecode(t testing.TB, d *event.Decoder, record kafkarecord.Record) event.Decoded {
	t.Helper()
	decoded, rejection := d.Decode(record, sampleNow)
	if rejection != nil {
		t.Fatalf("rejected: %v\nvalue: %s", rejection, fact.Cut(string(record.Value)))
	}
	return decoded
}

// payload is the domain's payload, of whichever event it is.
func payload(d event.Decoded) any {
	if d.Execution != nil {
		return d.Execution.Payload
	}
	return d.Scenario.Payload
}

// restore reads the payload back from the stored data.
func restore(typ fact.Type, data json.RawMessage) (any, error) {
	if typ.OfExecution() {
		return event.RestoreExecution(typ, data)
	}
	return event.RestoreScenario(typ, data)
}

type form struct {
	mode     event.Mode
	encoding event.Encoding
}

func (f form) String() string {
	return [...]string{"binary", "structured"}[f.mode] + " " + [...]string{"json", "protobuf"}[f.encoding]
}

// forms are the four ways to write an event.
var forms = []form{
	{event.Binary, event.JSON},
	{event.Binary, event.Protobuf},
	{event.Structured, event.JSON},
	{event.Structured, event.Protobuf},
}
