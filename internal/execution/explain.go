package execution

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// RecordedEvent is an event of a run with where and when it was recorded.
type RecordedEvent struct {
	*Event
	Address    *Address // in Kafka; nil for an event of this service
	RecordedAt time.Time
}

// Address is where an event stands in Kafka.
type Address struct {
	Topic     string
	Partition int32
	Offset    int64
}

// Explanation says why a run has its status.
type Explanation struct {
	Status          Status     // as the fold has it; pending where no event is considered
	ReportedOutcome Status     // the coordinator's word on the end; empty when there is none
	EndOrder        fact.Order // of the event that decided the end; zero when none did

	Considered int // events
	LeftOut    int // recorded after the moment asked for

	Decisions []Decision // one for each topic that applies, in the order of Topics

	// Events that come after the deciding end, in order, at most 50 each. A
	// late one changes no status, unless it is a failed validation; a
	// conflicting one says another outcome, too late.
	Late             []RecordedEvent
	LateCount        int
	Conflicting      []RecordedEvent
	ConflictingCount int
}

// Decision is one thing that is known of a run, and what decided it.
type Decision struct {
	Topic  Topic
	Value  string          // a status, a time (RFC 3339, UTC) or a number of validations
	Events []RecordedEvent // that decided it, in order, at most 50; none where nothing was said
	Reason string          // one sentence without a full stop
}

// Topic is what a decision is about.
type Topic string

// The topics.
const (
	TopicStatus            Topic = "status"
	TopicStarted           Topic = "started"
	TopicEnded             Topic = "ended"
	TopicInterrupted       Topic = "interrupted"
	TopicFailedValidations Topic = "failed_validations"
)

// Topics is the closed list. Status is always decided, the others where there
// is something to say.
func Topics() []Topic {
	return []Topic{TopicStatus, TopicStarted, TopicEnded, TopicInterrupted, TopicFailedValidations}
}

// mostListed is how many events an explanation lists of a kind. A run of 36
// hours that goes on after its end has thousands of late ones.
const mostListed = 50

// Explain says why a run has its status: events are all of its events, in any
// order. With a moment that is not zero, only those recorded by then count, and
// the answer is what this service knew at that moment; when something had
// happened is another question, which the timeline answers.
//
// The status is that of the fold over these events; the deciding events are
// those whose orders the fold has kept.
func Explain(events []RecordedEvent, asOf time.Time) Explanation {
	x := explainer{state: NewState("", 0, "")}
	for _, e := range events {
		if asOf.IsZero() || !e.RecordedAt.After(asOf) {
			x.sorted = append(x.sorted, e)
		}
	}
	slices.SortFunc(x.sorted, func(a, b RecordedEvent) int { return a.Order().Compare(b.Order()) })
	for _, e := range x.sorted {
		x.state.Apply(e.Event)
	}
	r := &x.state.Run
	x.Status, x.ReportedOutcome, x.EndOrder = r.Status, r.ReportedOutcome, r.EndOrder
	x.Considered, x.LeftOut = len(x.sorted), len(events)-len(x.sorted)
	x.findFailed()
	x.status()
	x.started()
	x.ended()
	x.interrupted()
	x.validations()
	x.afterTheEnd()
	return x.Explanation
}

type explainer struct {
	Explanation
	sorted []RecordedEvent
	state  *State
	failed []RecordedEvent // the validations that stand as failed, in order
}

// at is the event of an order that the fold has kept; none for the zero one.
func (x *explainer) at(o fact.Order) []RecordedEvent {
	i, found := sort.Find(len(x.sorted), func(i int) int { return o.Compare(x.sorted[i].Order()) })
	if !found {
		return nil
	}
	return []RecordedEvent{x.sorted[i]}
}

func (x *explainer) decide(topic Topic, value string, events []RecordedEvent, format string, args ...any) {
	x.Decisions = append(x.Decisions, Decision{
		Topic: topic, Value: value, Events: events[:min(len(events), mostListed)], Reason: fmt.Sprintf(format, args...),
	})
}

func (x *explainer) findFailed() {
	for _, e := range x.sorted {
		if p, ok := e.Payload.(*ValidationRecorded); ok && p.Status == ValidationFailed &&
			x.state.Validations[p.ValidationID].Order == e.Order() {
			x.failed = append(x.failed, e)
		}
	}
}

func (x *explainer) status() {
	r := &x.state.Run
	end := x.at(r.EndOrder)
	value := string(r.Status)
	switch lifecycle := x.at(r.Marks.Of(runLifecycle)); {
	case r.ReportedOutcome == StatusPassed && r.Status == StatusFailed:
		x.decide(TopicStatus, value, slices.Concat(end, x.failed), "the coordinator reported passed, and %s failed", count(len(x.failed), "validation"))
	case len(end) > 0:
		x.decide(TopicStatus, value, end, "the coordinator reported %s", r.ReportedOutcome)
	case r.Status == StatusInterrupted:
		x.decide(TopicStatus, value, x.at(r.Marks.Of(runInterruption)), "no end was reported, and %s", x.cause())
	case len(lifecycle) > 0:
		x.decide(TopicStatus, value, lifecycle, "no end was reported, and %s is the last of started, paused and resumed", named(lifecycle[0]))
	case x.Considered == 0:
		x.decide(TopicStatus, value, nil, "no event was known")
	default:
		x.decide(TopicStatus, value, x.at(r.Marks.Of(runRequested)), "no event says that the run was started, paused or resumed, or has ended")
	}
}

func (x *explainer) started() {
	r := &x.state.Run
	if !r.HasStarted() {
		return
	}
	starts := countOf[*Started](x.sorted)
	reason := "it is the only started event"
	if starts > 1 {
		reason = fmt.Sprintf("it is the first in order of %d started events", starts)
	}
	x.decide(TopicStarted, moment(r.StartedAt), x.at(r.StartOrder()), "%s", reason)
}

func (x *explainer) ended() {
	r := &x.state.Run
	switch ends := countOf[*Finished](x.sorted); {
	case ends > 1:
		x.decide(TopicEnded, moment(r.EndedAt), x.at(r.EndOrder), "it is the first in order of %d finished events", ends)
	case ends == 1:
		x.decide(TopicEnded, moment(r.EndedAt), x.at(r.EndOrder), "it is the only finished event")
	case r.Status == StatusInterrupted:
		x.decide(TopicEnded, moment(r.EndedAt), x.at(r.Marks.Of(runInterruption)), "nobody reported an end: this is when the run was called interrupted")
	}
}

func (x *explainer) interrupted() {
	r := &x.state.Run
	i := r.Interruption
	if i == nil {
		return
	}
	events := x.at(r.Marks.Of(runInterruption))
	switch {
	case r.Status == StatusInterrupted:
		x.decide(TopicInterrupted, moment(i.At), events, "it holds: %s, and nothing has been heard of the run since", x.cause())
	case r.ReportedOutcome != "":
		x.decide(TopicInterrupted, moment(i.At), events, "it does not hold: an end was reported")
	default:
		x.decide(TopicInterrupted, moment(i.At), events, "it does not hold: it counted %s of others, and there are %d", count(int(i.RealEvents), "event"), r.Counts.Events)
	}
}

// cause is why the run was called interrupted.
func (x *explainer) cause() string {
	switch i := x.state.Run.Interruption; {
	case i.Cause == CauseSuperseded && i.SupersededBy > 0:
		return fmt.Sprintf("run %d of the same execution began", i.SupersededBy)
	case i.Cause == CauseSuperseded:
		return "another run of the same execution began"
	}
	return "the run showed no sign of life"
}

func (x *explainer) validations() {
	if len(x.failed) == 0 {
		return
	}
	value := strconv.Itoa(len(x.failed))
	switch r := &x.state.Run; {
	case r.ReportedOutcome == StatusPassed:
		x.decide(TopicFailedValidations, value, x.failed, "a failed validation turns passed into failed, whenever it arrives")
	case r.ReportedOutcome != "":
		x.decide(TopicFailedValidations, value, x.failed, "they decide nothing: the coordinator reported %s", r.ReportedOutcome)
	default:
		x.decide(TopicFailedValidations, value, x.failed, "they decide nothing yet: no end was reported")
	}
}

// afterTheEnd flags events as the timeline does.
func (x *explainer) afterTheEnd() {
	end := x.state.Run.EndOrder
	if end.IsZero() {
		return
	}
	add := func(list *[]RecordedEvent, n *int, e RecordedEvent) {
		if *n++; len(*list) < mostListed {
			*list = append(*list, e)
		}
	}
	for _, e := range x.sorted {
		if !e.Order().After(end) {
			continue
		}
		p, finished := e.Payload.(*Finished)
		switch {
		case !finished:
			add(&x.Late, &x.LateCount, e)
		case p.Outcome != x.ReportedOutcome:
			add(&x.Conflicting, &x.ConflictingCount, e)
		}
	}
}

// named is a lifecycle event by the word of its type.
func named(e RecordedEvent) string {
	switch e.Payload.(type) {
	case *Paused:
		return "paused"
	case *Resumed:
		return "resumed"
	}
	return "started"
}

func countOf[P Payload](events []RecordedEvent) (n int) {
	for _, e := range events {
		if _, ok := e.Payload.(P); ok {
			n++
		}
	}
	return n
}

func count(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}

func moment(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
