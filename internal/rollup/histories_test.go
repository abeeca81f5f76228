package rollup_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// history is what coordinators say of many runs, in an order in which it may be
// heard.
type history struct {
	testing.TB
	*rand.Rand
	noon    time.Time
	said    int
	records []*kgo.Record
}

func (h *history) of(texts ...string) string { return texts[h.IntN(len(texts))] }

// chance tells yes in so many of a hundred cases.
func (h *history) chance(percent int) bool { return h.IntN(100) < percent }

func (h *history) say(run string, at time.Time, m proto.Message) {
	h.Helper()
	h.said++
	record, err := event.Encode(event.Outgoing{Source: "/coordinator/a", ID: fmt.Sprint("event-", h.said), Time: at, RunID: run, Message: m}, event.Binary, event.JSON)
	if err != nil {
		h.Fatal(err)
	}
	out := &kgo.Record{Key: record.Key, Value: record.Value}
	for _, header := range record.Headers {
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: header.Key, Value: header.Value})
	}
	h.records = append(h.records, out)
	if h.chance(10) { // twice
		h.records = append(h.records, out)
	}
}

// hostile is text of which nothing is a name.
const hostile = "'; DROP TABLE x; --<script>=1+1\u202e"

// run says all of one run: mostly it ends, it may be an attempt of a group, and
// some of its events are dated before or after it.
func (h *history) run(n int) {
	h.Helper()
	id, run := fmt.Sprint("exec-", n%80), fmt.Sprint("run-", n) // ids are used again
	at := h.noon.Add(-time.Duration(h.IntN(20*24*3600)) * time.Second).Add(time.Duration(h.IntN(1e6)) * time.Microsecond)
	scenario := h.of("depeg", "latency", "restart", "never-passes")
	environment := h.of("lab", "staging", "", hostile)
	if h.chance(80) {
		m := &contract.ExecutionRequested{ExecutionId: id, ScenarioId: scenario, ScenarioVersion: h.of("", "1", "2"), Environment: environment}
		if h.chance(40) {
			m.GroupId = fmt.Sprint("group-", h.IntN(25))
			if h.chance(70) {
				attempt := int32(1 + h.IntN(4))
				m.Attempt = &attempt
			}
		}
		if h.chance(40) {
			m.Labels = map[string]string{"team": h.of("risk", "settlement"), h.of("branch", hostile): h.of("main", hostile)}
		}
		if h.chance(20) {
			dry := h.chance(60)
			m.DryRun = &dry
		}
		h.say(run, at.Add(-time.Duration(h.IntN(7200))*time.Second), m)
	}
	if h.chance(85) {
		h.say(run, at, &contract.ExecutionStarted{ExecutionId: id, ScenarioId: scenario, Environment: environment, CoordinatorId: "coordinator-a"})
	}
	end := at.Add(time.Duration(h.ExpFloat64() * float64(20*time.Minute)))
	h.faults(id, run, at, end)
	if h.chance(90) {
		outcome := h.of("passed", "passed", "passed", "failed", "error", "cancelled", "timeout")
		if scenario == "never-passes" && outcome == "passed" {
			outcome = "failed"
		}
		h.say(run, end, &contract.ExecutionFinished{ExecutionId: id, Outcome: outcome})
	}
	if h.chance(10) {
		h.say(run, end.Add(time.Hour), &contract.ExecutionHeartbeat{ExecutionId: id, Message: "late"})
	}
}

// faults says what was done to services in a run, and what was seen of it.
func (h *history) faults(id, run string, at, end time.Time) {
	h.Helper()
	within := func() time.Time { return at.Add(time.Duration(h.Float64() * float64(end.Sub(at)+time.Minute))) }
	faults := h.IntN(4)
	for f := range faults {
		name := fmt.Sprint("fault-", f)
		injected := within()
		m := &contract.ExecutionFaultInjected{ExecutionId: id, FaultId: name, FaultType: h.of("latency", "kill", hostile), TargetService: h.of("exchange", "risk"), Status: h.of("", "", "injected", "failed")}
		if h.chance(60) {
			weight := []*structpb.Value{structpb.NewNumberValue(float64(h.IntN(13))), structpb.NewNumberValue(2.5), structpb.NewStringValue("7"), structpb.NewNullValue()}
			m.Parameters = &structpb.Struct{Fields: map[string]*structpb.Value{"weight": weight[h.IntN(len(weight))]}}
		}
		if m.GetStatus() == "failed" {
			m.Error = "no such service"
		}
		if h.chance(95) {
			h.say(run, injected, m)
		}
		cleared := injected.Add(time.Duration(h.IntN(600)) * time.Second)
		if h.chance(70) {
			h.say(run, cleared, &contract.ExecutionFaultCleared{ExecutionId: id, FaultId: name})
		}
		if h.chance(60) {
			r := &contract.ExecutionFaultRecovered{ExecutionId: id, FaultId: name}
			if h.chance(50) {
				r.RecoveryTime = durationpb.New(time.Duration(h.IntN(3600e6)) * time.Microsecond)
			}
			h.say(run, cleared.Add(time.Duration(h.IntN(900)-100)*time.Second), r)
		}
	}
	for v := range h.IntN(6) {
		m := &contract.ExecutionValidationRecorded{
			ExecutionId: id, ValidationId: fmt.Sprint("validation-", v), AssertionType: h.of("alert", "balance", hostile), Service: h.of("risk", ""),
			Status: h.of("passed", "passed", "failed", "skipped", "error"),
		}
		if h.chance(60) {
			m.FaultId = fmt.Sprint("fault-", h.IntN(faults+1)) // maybe one that there is not
		}
		h.say(run, within(), m)
	}
}

// scramble has what was said heard in another order: mostly a little later, now
// and then much.
func (h *history) scramble() {
	for i := range h.records {
		j := min(len(h.records)-1, i+h.IntN(8))
		if h.chance(5) {
			j = h.IntN(len(h.records))
		}
		h.records[i], h.records[j] = h.records[j], h.records[i]
	}
}
