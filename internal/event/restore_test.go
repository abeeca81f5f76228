package event_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// PostgreSQL gives jsonb back with spaces, its own order of names, and large
// numbers written out: the payload must be the same none the less.
func TestRestoreReadsWhatJSONBGivesBack(t *testing.T) {
	t.Parallel()
	d := newDecoder(t)
	record := dataOf(fact.TypeFinished, executionID, heartbeatWith(`"outcome":"passed","exit_code":3,"summary":{"a":1e20,"bb":[1.50,-0],"c":"\u0041"}`))
	want := payload(mustDecode(t, d, record))
	got, err := event.RestoreExecution(fact.TypeFinished, json.RawMessage(
		`{"outcome": "passed", "summary": {"c": "A", "a": 100000000000000000000, "bb": [1.50, 0]}, "exit_code": 3, "execution_id": "exec-market-crash-001"}`,
	))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, any(got)); diff != "" {
		t.Errorf("restored payload (-want +got):\n%s", diff)
	}
}

func TestRestoreTellsWhatItCannotRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		typ  fact.Type
		data string
	}{
		"another kind of type": {fact.TypeScenarioPublished, `{}`},
		"unknown type":         {"test-coordination.execution.exploded.v1", `{}`},
		"no object":            {fact.TypePaused, `[]`},
		"broken":               {fact.TypePaused, `{"reason":`},
		"count of lines":       {fact.TypeLogAppended, `{"line_count":"many"}`},
	} {
		if p, err := event.RestoreExecution(c.typ, json.RawMessage(c.data)); err == nil {
			t.Errorf("%s: restored %+v, want an error", name, p)
		}
	}
	if p, err := event.RestoreScenario(fact.TypePaused, json.RawMessage(`{}`)); err == nil {
		t.Errorf("restored %+v of another kind of type, want an error", p)
	}
	if p, err := event.RestoreScenario(fact.TypeScenarioPublished, json.RawMessage(`{"content_hash":"ab"}`)); err == nil {
		t.Errorf("restored %+v of half a hash, want an error", p)
	}
	if p, err := event.RestoreScenario(fact.TypeScheduleRemoved, json.RawMessage(`x`)); err == nil {
		t.Errorf("restored %+v of no JSON, want an error", p)
	}
}

func TestFaultIsInjectedWhenNotSaid(t *testing.T) {
	t.Parallel()
	d := newDecoder(t)
	decoded := mustDecode(t, d, dataOf(fact.TypeFaultInjected, executionID, heartbeatWith(`"fault_id":"f","fault_type":"kill","target_service":"exchange"`)))
	if got := decoded.Execution.Payload.(*execution.FaultInjected).Status; got != execution.FaultInjectedOK {
		t.Errorf("status is %q, want %q", got, execution.FaultInjectedOK)
	}
}

func TestEncodeRefusesWhatIsNoEvent(t *testing.T) {
	t.Parallel()
	if _, err := event.Encode(event.Outgoing{}, event.Binary, event.JSON); err == nil {
		t.Error("no message was encoded")
	}
	if _, err := event.Encode(event.Outgoing{Message: structpb.NewNullValue()}, event.Binary, event.JSON); err == nil {
		t.Error("a message that is no event was encoded")
	}
	if _, err := event.NewMessage("x", json.RawMessage(`{}`)); err == nil {
		t.Error("a message of an unknown type was made")
	}
	if _, err := event.NewMessage(fact.TypePaused, json.RawMessage(`{"reason":1}`)); err == nil {
		t.Error("a message of another form was made")
	}
}
