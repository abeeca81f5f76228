package checker_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/soak/checker"
)

// A request that names no run means the latest, which is none before those that
// anybody had been told of when it was sent.
func TestLatestRunIsNoneBeforeOneThatWasTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		run   int64 // where the request without a run is carried out
		sent  time.Time
		green bool
	}{
		"on the one that was told":                     {2, second(32), true},
		"on one before":                                {1, second(32), false},
		"on one before, while the answer is under way": {1, second(31), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := called()
			h.note(t, "r9", "exec-b", 2, 2, 2, second(31))
			h.note(t, "r10", "exec-b", 0, c.run, 3, c.sent)
			if c.green {
				wantGreen(t, h)
			} else {
				h.finds(t, checker.Wrong, "exec-b run 1", `the run of event request:r10 is "1"`)
			}
		})
	}
}

// note is a request to annotate a run, of that number or 0, which is carried out on
// a run.
func (h *history) note(t *testing.T, id, execution string, named int32, run, arrival int64, at time.Time) {
	t.Helper()
	text := "seen by " + id
	s := said{
		id: "request:" + id, subject: execution, typ: "execution.annotated", at: at, sequence: 3, source: "/tcda/a", caller: caller,
		data: fmt.Sprintf(`{"execution_id":"%s","run":%d,"text":"%s","author":"anonymous"}`, execution, run, text),
	}
	h.accepted(nil, s, run, arrival, s.data)
	for _, row := range h.rows["executions"] {
		if row["execution_id"] == execution && row["run"] == run {
			row["own_events"] = row["own_events"].(int64) + 1
		}
	}
	h.add("execution_annotations", checker.Row{"execution_id": execution, "run": run, "order_key": s.order(), "annotated_at": at, "author": caller, "text": text})
	h.answered(id, at, &contract.AnnotateExecutionRequest{RequestId: id, ExecutionId: execution, Run: named, Text: text},
		&contract.AnnotateExecutionResponse{Annotation: &contract.Annotation{Run: int32(run), Author: caller, Text: text, Time: timestamppb.New(at)}})
}

// A note comes after what was said before, and is dated so where that is dated
// later; its caller may be told that time, or when it was written, and no other.
func TestTimeOfANoteIsThatOfItsWritingOrRightAfterAnEvent(t *testing.T) {
	t.Parallel()
	const microsecond = time.Microsecond
	sent, before := second(28), letGo.at
	for name, c := range map[string]struct {
		dated, told time.Time
		finds       string
	}{
		"right after, and told so":   {before.Add(microsecond), before.Add(microsecond), ""},
		"right after, told when":     {before.Add(microsecond), sent, ""},
		"right after, told another":  {before.Add(microsecond), before, "the time in the answer"},
		"later than right after":     {before.Add(2 * microsecond), sent, "execution_events.event_time"},
		"when it was written":        {sent, sent, ""},
		"as much later as clocks do": {sent.Add(200 * time.Millisecond), sent.Add(200 * time.Millisecond), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := called()
			h.note(t, "r9", "exec-d", 1, 1, 10, sent)
			row := h.find(t, "execution_events", "event_id", "request:r9")
			s := said{id: "request:r9", subject: "exec-d", source: "/tcda/a", at: c.dated, sequence: 4}
			row["event_time"], row["sequence"], row["order_key"] = s.at, s.sequence, s.order()
			shown := h.find(t, "analytics_timeline", "event_id", "request:r9")
			shown["order_key"], shown["late"] = s.order(), true
			kept := h.find(t, "execution_annotations", "text", "seen by r9")
			kept["order_key"], kept["annotated_at"] = s.order(), s.at
			h.calls[len(h.calls)-1].Answer.(*contract.AnnotateExecutionResponse).Annotation.Time = timestamppb.New(c.told)
			h.rememberAnswer(t, "r9")
			if c.finds == "" {
				wantGreen(t, h)
			} else {
				h.finds(t, checker.Wrong, "r9", c.finds)
			}
		})
	}
}

// Of all who publish a content, one is told that it is new: nobody had published
// it before.
func TestOneWhoPublishesAContentIsToldThatItIsNew(t *testing.T) {
	t.Parallel()
	const fromKafka = hashOfDefinition
	for name, c := range map[string]struct {
		definition string
		number     int32
		isNew      bool
		change     func(*testing.T, *history)
		class      checker.Class // none: it is green
		finds      string
	}{
		"again":         {newDefinition, 2, false, nil, "", ""},
		"again, as new": {newDefinition, 2, true, nil, checker.Doubled, "a new version"},
		"again, when the first was in doubt": {newDefinition, 2, false, func(_ *testing.T, h *history) {
			h.calls[0].Answer, h.calls[0].Answered, h.calls[0].Doubtful = nil, time.Time{}, true
		}, "", ""},
		"again, and nobody as new": {newDefinition, 2, false, func(_ *testing.T, h *history) {
			h.calls[0].Answer.(*contract.PublishScenarioResponse).NewVersion = false
		}, checker.Wrong, "no new version"},
		"again, and the other came later": {newDefinition, 2, false, func(_ *testing.T, h *history) {
			h.calls[0].Sent, h.calls[0].Answered = second(40), second(41)
		}, checker.Wrong, "no new version"},
		"after Kafka":         {fromKafka, 1, false, nil, "", ""},
		"after Kafka, as new": {fromKafka, 1, true, nil, checker.Wrong, "a new version, 1"},
		"before Kafka": {fromKafka, 1, false, func(t *testing.T, h *history) {
			h.find(t, "definition_events", "event_id", "d1")["recorded_at"] = second(40)
		}, checker.Wrong, "no new version"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := called()
			h.publishAgain(t, c.definition, &contract.PublishScenarioResponse{
				NewVersion: c.isNew, Version: &contract.DefinitionVersion{Number: c.number, Hash: hex.EncodeToString(sha(c.definition))},
			})
			if c.change != nil {
				c.change(t, h)
				h.rememberAnswer(t, "r1")
			}
			if c.class == "" {
				wantGreen(t, h)
			} else {
				h.finds(t, c.class, "request r9", "the answer is "+c.finds)
			}
		})
	}
}

// publishAgain publishes a content of the scenario that it has had.
func (h *history) publishAgain(t *testing.T, definition string, answer *contract.PublishScenarioResponse) {
	t.Helper()
	s := said{id: "request:r9", subject: "calm", typ: "scenario.published", at: second(30), sequence: 2, source: "/tcda/b"}
	row := checker.Row{}
	for column, value := range h.find(t, "definition_events", "event_id", "request:r1") {
		row[column] = value
	}
	row["event_id"], row["event_key"], row["order_key"], row["event_time"], row["recorded_at"] = s.id, s.key(), s.order(), s.at, s.at
	row["source"], row["sequence"], row["data"] = s.source, s.sequence, json.RawMessage(`{"scenario_id":"calm"}`)
	h.add("definition_events", row)
	if definition != newDefinition { // it comes before what has no sequence
		h.find(t, "scenario_versions", "definition", definition)["published_at"] = s.at
	}
	h.answered("r9", s.at, &contract.PublishScenarioRequest{RequestId: "r9", Scenario: &contract.ScenarioPublished{ScenarioId: "calm", Definition: definition}}, answer)
}

// A ledger that does not say when it was asked and answered proves too little.
func TestLedgerWithoutTimesIsRefused(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*checker.Call){
		"not sent":             func(x *checker.Call) { x.Sent = time.Time{} },
		"not answered":         func(x *checker.Call) { x.Answered = time.Time{} },
		"answered before sent": func(x *checker.Call) { x.Answered = x.Sent.Add(-1) },
	} {
		h := called()
		change(&h.calls[1])
		_, err := checker.Check(t.Context(), checker.History{Ledger: h.ledger, Log: h, Store: h, Calls: h.calls, Sources: "/tcda/"})
		if err == nil || !strings.Contains(err.Error(), "request r2 was sent and answered") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func wantGreen(t *testing.T, h *history) {
	t.Helper()
	if r := h.check(t); !r.Green() {
		t.Errorf("not green: %v", r.Examples)
	}
}
