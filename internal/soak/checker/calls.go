package checker

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoregistry"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// requestPrefix begins the id of the event that a request states; the request's
// id follows.
const requestPrefix = "request:"

// stated is an event of our own that is no interruption, and where it is.
type stated struct {
	*event
	where        string
	run, arrival int64     // 0: about a definition
	written      time.Time // by the service's clock
}

// noteOwn keeps an event of our own, to be held to calls and commands.
func (c *check) noteOwn(s *stated) {
	c.report.mu.Lock()
	defer c.report.mu.Unlock()
	c.owns = append(c.owns, s)
}

// readCalls sorts the calls by their ids, and what was told by when it was.
func (c *check) readCalls(context.Context) error {
	for i := range c.Calls {
		call := &c.Calls[i]
		if c.called[call.ID] != nil {
			return fmt.Errorf("request %s is in the ledger twice", call.ID)
		}
		if call.Sent.IsZero() || call.Answer != nil && call.Answered.Before(call.Sent) {
			return fmt.Errorf("the ledger does not say when request %s was sent and answered", call.ID)
		}
		c.called[call.ID] = call
		if call.Answer != nil {
			c.report.Calls++
		}
	}
	c.noteTold()
	return nil
}

// calledFor is the call that an event of our own states; nil for none.
func (c *check) calledFor(e *event) *Call {
	if len(e.id) <= len(requestPrefix) || e.id[:len(requestPrefix)] != requestPrefix {
		return nil
	}
	return c.called[e.id[len(requestPrefix):]]
}

// calls holds what the callers were told to what is stored: of each write that
// was answered there is one event, and of each that was refused there is none.
func (c *check) calls(ctx context.Context) error {
	found := map[string][]*stated{}
	for _, s := range c.owns {
		if s.name == "fault.clear_requested" { // which the service says by itself
			continue
		}
		call := c.calledFor(s.event)
		if call == nil {
			c.report.add(Finding{Wrong, s.where, "event " + s.id, "a row", "none: nobody has asked for it"})
			continue
		}
		found[call.ID] = append(found[call.ID], s)
	}
	for i := range c.Calls {
		call := &c.Calls[i]
		events, where := found[call.ID], "request "+call.ID
		switch {
		case len(events) > 1:
			c.report.add(Finding{Doubled, where, "event " + events[1].id, fmt.Sprintf("%d rows, in %s and %s", len(events), events[0].where, events[1].where), "one"})
		case len(events) == 0 && call.Answer != nil && c.eventsGone(subjectOfCall(call), max(runTold(call), 1)):
		case len(events) == 0 && call.Answer != nil:
			c.report.add(Finding{Lost, where, "event " + requestPrefix + call.ID, "no row", "one: it was answered"})
		case len(events) == 1 && call.Answer == nil && !call.Doubtful:
			c.report.add(Finding{Wrong, where, "event " + events[0].id, "a row in " + events[0].where, "none: it was refused as " + call.Refusal})
		}
		for _, s := range events {
			c.compareStatement(call, s)
			c.compareRunTold(call, s)
			c.compareWritten(call, s)
		}
	}
	c.compareVersions()
	return c.requestRows(ctx, found)
}

// requestRows holds the rows by which the service knows requests again to the
// calls, and to the events that the requests have stated.
func (c *check) requestRows(ctx context.Context, found map[string][]*stated) error {
	known := map[string]bool{}
	for row, err := range c.Store.Rows(ctx, "api_requests", "", "") {
		if err != nil {
			return err
		}
		id := row.text("request_id")
		where, call := "request "+id, c.called[id]
		if call == nil || call.Answer == nil && !call.Doubtful {
			c.report.add(Finding{Wrong, where, "api_requests", "a row", "none: nobody asked for it, or it was refused"})
			continue
		}
		if known[id] {
			c.report.add(Finding{Doubled, where, "api_requests", "two rows", "one"})
		}
		known[id] = true
		procedure, answer := procedureOf(call.Message)
		for _, x := range []struct{ column, want string }{{"procedure", procedure}, {"caller", c.Caller}} {
			if got := row.text(x.column); got != x.want {
				c.report.add(Finding{Wrong, where, "api_requests." + x.column, got, x.want})
			}
		}
		switch {
		case answer == nil || proto.Unmarshal(row.bytes("answer"), answer) != nil:
			c.report.add(Finding{Wrong, where, "api_requests.answer", show(row["answer"]), "an answer of " + procedure})
		case call.Answer != nil && !proto.Equal(answer, call.Answer):
			c.report.add(Finding{Wrong, where, "api_requests.answer", words(answer), words(call.Answer)})
		}
		if len(found[id]) == 0 && call.Answer == nil && !c.eventsGone(subjectOfCall(call), 0) {
			c.report.add(Finding{Lost, where, "event " + requestPrefix + id, "no row", "one: the request is noted as carried out"})
		}
	}
	for i := range c.Calls {
		if id := c.Calls[i].ID; !known[id] && (c.Calls[i].Answer != nil || len(found[id]) > 0) {
			c.report.add(Finding{Lost, "request " + id, "api_requests", "no row", "one: it was carried out"})
		}
	}
	return nil
}

// procedureOf is the path of the procedure that takes a request, and an empty
// answer of it.
func procedureOf(request proto.Message) (path string, answer proto.Message) {
	d := request.ProtoReflect().Descriptor()
	services := d.ParentFile().Services()
	for i := range services.Len() {
		methods := services.Get(i).Methods()
		for k := range methods.Len() {
			m := methods.Get(k)
			if m.Input().FullName() != d.FullName() {
				continue
			}
			path = "/" + string(services.Get(i).FullName()) + "/" + string(m.Name())
			if typ, err := protoregistry.GlobalTypes.FindMessageByName(m.Output().FullName()); err == nil {
				answer = typ.New().Interface()
			}
			return path, answer
		}
	}
	return "", nil
}

// hashForm is that of the hash of a definition.
var hashForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// compareStatement holds the event of a request to the request.
func (c *check) compareStatement(call *Call, s *stated) {
	want := c.statementOf(call, s)
	if want == nil || !proto.Equal(want, s.message) || s.subject != subjectOfCall(call) {
		c.report.add(Finding{Wrong, s.where, "event " + s.id + " of " + s.subject, words(s.message), words(want) + " of " + subjectOfCall(call)})
	}
}

// statementOf is what an event must state of a request. What only the service
// can know of it (which run is the latest, which version) is taken from the event.
func (c *check) statementOf(call *Call, s *stated) proto.Message {
	run := int32(s.run) //nolint:gosec // the number of a run
	switch m := call.Message.(type) {
	case *contract.PublishScenarioRequest:
		want := proto.CloneOf(m.GetScenario())
		want.Definition = "" // which is held to the version's row
		return want
	case *contract.RequestExecutionRequest:
		want := proto.CloneOf(m.GetExecution())
		if got, ok := s.message.(*contract.ExecutionRequested); ok && hashForm.MatchString(got.GetScenarioVersion()) && c.versionKnown(want.GetScenarioId(), got.GetScenarioVersion()) {
			want.ScenarioVersion = got.GetScenarioVersion()
		}
		return want
	case *contract.CancelExecutionRequest:
		got, _ := s.message.(*contract.ExecutionCancelRequested)
		return &contract.ExecutionCancelRequested{ExecutionId: m.GetExecutionId(), Run: cmp.Or(m.GetRun(), run), RunId: got.GetRunId(), Reason: m.GetReason(), Actor: c.Caller}
	case *contract.PinExecutionRequest:
		return &contract.ExecutionPinned{ExecutionId: m.GetExecutionId(), Run: cmp.Or(m.GetRun(), run), Pinned: m.GetPinned(), Reason: m.GetReason(), Actor: c.Caller}
	case *contract.AnnotateExecutionRequest:
		return &contract.ExecutionAnnotated{ExecutionId: m.GetExecutionId(), Run: cmp.Or(m.GetRun(), run), Text: m.GetText(), Author: c.Caller}
	}
	return nil
}

// versionKnown tells whether a scenario has a content of that hash.
func (c *check) versionKnown(scenario, hash string) bool { return c.versions[scenario+" "+hash] > 0 }

// subjectOfCall is what a request is about.
func subjectOfCall(call *Call) string {
	switch m := call.Message.(type) {
	case *contract.PublishScenarioRequest:
		return m.GetScenario().GetScenarioId()
	case *contract.RequestExecutionRequest:
		return m.GetExecution().GetExecutionId()
	case interface{ GetExecutionId() string }:
		return m.GetExecutionId()
	}
	return ""
}

// checkAnswers holds the answers about a run to what it was in the transaction
// that gave them: what was accepted until then, and nothing else.
func (x *execution) checkAnswers(run int64, row Row, events []placed, owns []*own) {
	version := int64(0) // as it was told last
	for _, o := range inOrder(events, owns) {
		call := x.calledFor(o.event)
		if call == nil {
			continue
		}
		x.checkTime(run, o, events, owns)
		where := "request " + call.ID
		if noted, ok := call.Answer.(*contract.AnnotateExecutionResponse); ok {
			a := noted.GetAnnotation()
			if int64(a.GetRun()) != run || a.GetAuthor() != x.Caller || a.GetText() != o.message.(*contract.ExecutionAnnotated).GetText() {
				x.add(Wrong, where, "the answer", words(a), "the note in "+x.subject(run))
			}
			if at := a.GetTime().AsTime(); !call.during(at) && !at.Equal(o.when) {
				x.add(Wrong, where, "the time in the answer", show(at), "between "+show(call.Sent)+" and "+show(call.Answered)+", or that of the event: "+show(o.when))
			}
			continue
		}
		told, ok := call.Answer.(interface{ GetExecution() *contract.Execution })
		if !ok {
			continue
		}
		got, want := told.GetExecution(), foldUntil(o.arrival, events, owns).answer(x.id, run)
		want.CreatedAt, want.Version = row.moment("created_at"), got.GetVersion() // how often the service had written is for it to say
		if !proto.Equal(got, want) {
			x.add(Wrong, where, "the answer", words(got), words(want))
		}
		if got.GetVersion() <= version || got.GetVersion() > row.number("version") {
			x.add(Wrong, where, "the version in the answer", show(got.GetVersion()), fmt.Sprintf("after %d, and up to %d", version, row.number("version")))
		}
		version = got.GetVersion()
	}
}

// inOrder are the events of our own in a run as they were accepted.
func inOrder(events []placed, owns []*own) []*own {
	all := slices.Clone(owns)
	for _, e := range events {
		if e.at.Topic == "" {
			all = append(all, &own{event: e.event, run: e.run, arrival: e.arrival, written: e.written})
		}
	}
	slices.SortFunc(all, func(a, b *own) int { return cmp.Compare(a.arrival, b.arrival) })
	return all
}

// foldUntil is what a run was when an event was accepted, that event included.
func foldUntil(arrival int64, events []placed, owns []*own) *folded {
	return fold(slices.DeleteFunc(slices.Clone(events), func(e placed) bool { return e.arrival > arrival }),
		slices.DeleteFunc(slices.Clone(owns), func(o *own) bool { return o.arrival > arrival }))
}

// words are a message for people.
func words(m proto.Message) string {
	const enough = 600
	if m == nil {
		return "none"
	}
	text, err := protojson.Marshal(m)
	if err != nil {
		return err.Error()
	}
	text = bytes.TrimSpace(text)
	return string(text[:min(len(text), enough)])
}
