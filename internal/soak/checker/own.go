package checker

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// own is an event of the service about a run that it names.
type own struct {
	*event
	run, arrival int64
	written      time.Time // by the service's clock
}

// ownMessages are the data of what the service itself says of a run.
var ownMessages = map[string]func() proto.Message{
	"execution.interrupted":      func() proto.Message { return &contract.ExecutionInterrupted{} },
	"execution.requested":        func() proto.Message { return &contract.ExecutionRequested{} },
	"execution.cancel_requested": func() proto.Message { return &contract.ExecutionCancelRequested{} },
	"execution.pinned":           func() proto.Message { return &contract.ExecutionPinned{} },
	"execution.annotated":        func() proto.Message { return &contract.ExecutionAnnotated{} },
	"fault.clear_requested":      func() proto.Message { return &contract.FaultClearRequested{} },
}

// interruption is what an own event states, if it interrupts the run.
func (o *own) interruption() *contract.ExecutionInterrupted {
	m, _ := o.message.(*contract.ExecutionInterrupted)
	return m
}

// ownEvent reads an event of the service's own from its row: there is no record
// to hold it to. It is nil where the row is no such event.
func (x *execution) ownEvent(where string, row Row) *own {
	e := x.ownFromRow(where, "execution_events", x.id, row, ownMessages)
	if e == nil {
		return nil
	}
	o := &own{event: e, run: row.number("run"), arrival: row.number("arrival"), written: row.written()}
	for _, flag := range []string{"run_guessed", "time_suspect"} {
		if row.flag(flag) {
			x.add(Wrong, where+", event "+e.id, "execution_events."+flag+" of an own event", "true", "false: it names its run, and is said now")
		}
	}
	x.compareNames(where+", event "+e.id, o)
	if e.name != "execution.interrupted" {
		x.noteOwn(&stated{event: e, where: where, run: o.run, arrival: o.arrival, written: o.written})
	}
	return o
}

// ownFromRow reads an event that has no record from its row, and holds the row
// to it.
func (c *check) ownFromRow(where, table, subject string, row Row, types map[string]func() proto.Message) *event {
	typ, source := row.text("type"), row.text("source")
	name := strings.TrimSuffix(strings.TrimPrefix(typ, typePrefix), typeSuffix)
	message := types[name]
	if message == nil || typ != typePrefix+name+typeSuffix || !strings.HasPrefix(source, c.Sources) {
		c.report.add(Finding{Wrong, where, table, "a row of type " + typ + " from " + source + " without a record", "a record in Kafka"})
		return nil
	}
	e := &event{name: name, source: source, id: row.text("event_id"), subject: subject, sequence: row.number("sequence"), message: message()}
	if at, ok := row["event_time"].(time.Time); ok {
		e.when = at
	}
	raw, _ := row["data"].(json.RawMessage)
	if err := (protojson.UnmarshalOptions{DiscardUnknown: elsewhere[name] != nil}).Unmarshal(raw, e.message); err != nil {
		c.report.add(Finding{Wrong, where, table + ".data of an own event", show(raw), "JSON of " + name})
	}
	switch name {
	case "execution.interrupted": // which has always been written so
	case "fault.clear_requested":
		e.others = map[string]any{"caller": source}
	default:
		e.others = map[string]any{"caller": c.Caller}
	}
	if name == "execution.requested" {
		e.runID = e.id // which the coordinator has to repeat
	}
	e.key = keyOf(e.source, e.id, e.subject)
	e.order = orderOf(e.sequence, e.when, e.key)
	want := envelopeOf(e)
	want["data"] = row["data"]
	if table != "execution_events" {
		want["aggregate"], want["subject"] = row["aggregate"], subject
	}
	c.report.compare(where+", event "+e.id, table, row, want)
	return e
}

// compareNames holds what an own event says of its run to where it is.
func (x *execution) compareNames(where string, o *own) {
	m := o.message.ProtoReflect()
	fields := m.Descriptor().Fields()
	text := func(name protoreflect.Name) string { return m.Get(fields.ByName(name)).String() }
	if id := text("execution_id"); id != x.id {
		x.add(Wrong, where, "execution_events.data.execution_id of an own event", id, x.id)
	}
	if fields.ByName("run") == nil {
		return
	}
	if got, want := text("run"), strconv.FormatInt(o.run, 10); got != want {
		x.add(Wrong, where, "execution_events.data.run of an own event", got, want)
	}
	if fields.ByName("run_id") == nil {
		return
	}
	if got, want := text("run_id"), x.runIDOf(o.run); got != want {
		x.add(Wrong, where, "execution_events.data.run_id of an own event", got, want)
	}
}

// runIDOf is the runid of a run, by its row.
func (x *execution) runIDOf(run int64) string {
	for _, row := range x.rows["executions"] {
		if row.number("run") == run {
			return row.text("run_id")
		}
	}
	return ""
}

// apart takes the requests for runs out of the own events: they are placed by the
// rule, as events of others are, and count as those do.
func apart(owns []*own) (said []*own, asked []placed) {
	for _, o := range owns {
		if o.name == "execution.requested" {
			asked = append(asked, placed{event: o.event, run: o.run, arrival: o.arrival, written: o.written})
		} else {
			said = append(said, o)
		}
	}
	return said, asked
}
