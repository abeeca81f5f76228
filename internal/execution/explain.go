package execution

import (
	"fmt"
	"maps"
	"slices"
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
	var sorted []RecordedEvent
	for _, e := range events {
		if asOf.IsZero() || !e.RecordedAt.After(asOf) {
			sorted = append(sorted, e)
		}
	}
	slices.SortFunc(sorted, func(a, b RecordedEvent) int { return a.Order().Compare(b.Order()) })
	x := NewExplainer(NewState("", 0, ""))
	for _, e := range sorted {
		x.Add(e)
	}
	told := x.Explain()
	told.LeftOut = len(events) - len(sorted)
	return told
}

// Explainer is Explain for a run whose events are too many to be held at once:
// it folds them one after the other, and keeps those that decide or are listed.
type Explainer struct {
	state *State

	considered   int
	starts, ends int
	kept         map[int]RecordedEvent    // by the slot of the run's marks that it is in
	failed       map[string]RecordedEvent // the validations that stand as failed, by id

	late, conflicting           []RecordedEvent // the first of them
	lateCount, conflictingCount int
}

// NewExplainer begins with a state that nothing was folded into yet. The
// explainer folds into it; the caller may look at it.
func NewExplainer(empty *State) *Explainer {
	return &Explainer{state: empty, kept: map[int]RecordedEvent{}, failed: map[string]RecordedEvent{}}
}

// keptSlots are the marks of a run whose events may be said to have decided.
var keptSlots = []int{runRequested, runStarted, runLifecycle, runEnd, runInterruption}

// Add takes the next event of the run in their order. Of the events that it
// keeps, only header and payload are needed later.
func (x *Explainer) Add(e RecordedEvent) {
	x.considered++
	x.state.Apply(e.Event)
	o, r := e.Order(), &x.state.Run
	for _, slot := range keptSlots {
		if r.Marks.Of(slot).Compare(o) == 0 {
			x.kept[slot] = e
		}
	}
	switch p := e.Payload.(type) {
	case *Started:
		x.starts++
	case *Finished:
		x.ends++
	case *ValidationRecorded: // the last in order stands
		delete(x.failed, p.ValidationID)
		if p.Status == ValidationFailed {
			x.failed[p.ValidationID] = e
		}
	}
	x.afterTheEnd(e)
}

// afterTheEnd flags an event as the timeline does. Events come in order, so the
// end that the fold has is the one that decides.
func (x *Explainer) afterTheEnd(e RecordedEvent) {
	r := &x.state.Run
	if r.EndOrder.IsZero() || !e.Order().After(r.EndOrder) {
		return
	}
	add := func(list *[]RecordedEvent, n *int) {
		if *n++; len(*list) < mostListed {
			*list = append(*list, e)
		}
	}
	p, finished := e.Payload.(*Finished)
	switch {
	case !finished:
		add(&x.late, &x.lateCount)
	case p.Outcome != r.ReportedOutcome:
		add(&x.conflicting, &x.conflictingCount)
	}
}

// Explain says why the run has its status after the events so far.
func (x *Explainer) Explain() Explanation {
	r := &x.state.Run
	t := telling{Explainer: x, Explanation: Explanation{
		Status: r.Status, ReportedOutcome: r.ReportedOutcome, EndOrder: r.EndOrder, Considered: x.considered,
		Late: slices.Clone(x.late), LateCount: x.lateCount,
		Conflicting: slices.Clone(x.conflicting), ConflictingCount: x.conflictingCount,
	}}
	t.broken = slices.SortedFunc(maps.Values(x.failed), func(a, b RecordedEvent) int { return a.Order().Compare(b.Order()) })
	t.status()
	t.started()
	t.ended()
	t.interrupted()
	t.validations()
	return t.Explanation
}

// telling is one explanation while it is made.
type telling struct {
	*Explainer
	Explanation
	broken []RecordedEvent // the validations that stand as failed, in order
}

// at is the event that a mark of the run holds; none for an empty one.
func (t *telling) at(slot int) []RecordedEvent {
	if t.state.Run.Marks.Of(slot).IsZero() {
		return nil
	}
	return []RecordedEvent{t.kept[slot]}
}

func (t *telling) decide(topic Topic, value string, events []RecordedEvent, format string, args ...any) {
	t.Decisions = append(t.Decisions, Decision{
		Topic: topic, Value: value, Events: events[:min(len(events), mostListed)], Reason: fmt.Sprintf(format, args...),
	})
}

func (t *telling) status() {
	r := &t.state.Run
	end := t.at(runEnd)
	value := string(r.Status)
	switch lifecycle := t.at(runLifecycle); {
	case r.ReportedOutcome == StatusPassed && r.Status == StatusFailed:
		t.decide(TopicStatus, value, slices.Concat(end, t.broken), "the coordinator reported passed, and %s failed", count(len(t.broken), "validation"))
	case len(end) > 0:
		t.decide(TopicStatus, value, end, "the coordinator reported %s", r.ReportedOutcome)
	case r.Status == StatusInterrupted:
		t.decide(TopicStatus, value, t.at(runInterruption), "no end was reported, and %s", t.cause())
	case len(lifecycle) > 0:
		t.decide(TopicStatus, value, lifecycle, "no end was reported, and %s is the last of started, paused and resumed", named(lifecycle[0]))
	case t.Considered == 0:
		t.decide(TopicStatus, value, nil, "no event was known")
	default:
		t.decide(TopicStatus, value, t.at(runRequested), "no event says that the run was started, paused or resumed, or has ended")
	}
}

func (t *telling) started() {
	r := &t.state.Run
	if !r.HasStarted() {
		return
	}
	starts := t.starts
	reason := "it is the only started event"
	if starts > 1 {
		reason = fmt.Sprintf("it is the first in order of %d started events", starts)
	}
	t.decide(TopicStarted, moment(r.StartedAt), t.at(runStarted), "%s", reason)
}

func (t *telling) ended() {
	r := &t.state.Run
	switch ends := t.ends; {
	case ends > 1:
		t.decide(TopicEnded, moment(r.EndedAt), t.at(runEnd), "it is the first in order of %d finished events", ends)
	case ends == 1:
		t.decide(TopicEnded, moment(r.EndedAt), t.at(runEnd), "it is the only finished event")
	case r.Status == StatusInterrupted:
		t.decide(TopicEnded, moment(r.EndedAt), t.at(runInterruption), "nobody reported an end: this is when the run was called interrupted")
	}
}

func (t *telling) interrupted() {
	r := &t.state.Run
	i := r.Interruption
	if i == nil {
		return
	}
	events := t.at(runInterruption)
	switch {
	case r.Status == StatusInterrupted:
		t.decide(TopicInterrupted, moment(i.At), events, "it holds: %s, and nothing has been heard of the run since", t.cause())
	case r.ReportedOutcome != "":
		t.decide(TopicInterrupted, moment(i.At), events, "it does not hold: an end was reported")
	default:
		t.decide(TopicInterrupted, moment(i.At), events, "it does not hold: it counted %s of others, and there are %d", count(int(i.RealEvents), "event"), r.Counts.Events)
	}
}

// cause is why the run was called interrupted.
func (t *telling) cause() string {
	switch i := t.state.Run.Interruption; {
	case i.Cause == CauseSuperseded && i.SupersededBy > 0:
		return fmt.Sprintf("run %d of the same execution began", i.SupersededBy)
	case i.Cause == CauseSuperseded:
		return "another run of the same execution began"
	}
	return "the run showed no sign of life"
}

func (t *telling) validations() {
	if len(t.broken) == 0 {
		return
	}
	value := strconv.Itoa(len(t.broken))
	switch r := &t.state.Run; {
	case r.ReportedOutcome == StatusPassed:
		t.decide(TopicFailedValidations, value, t.broken, "a failed validation turns passed into failed, whenever it arrives")
	case r.ReportedOutcome != "":
		t.decide(TopicFailedValidations, value, t.broken, "they decide nothing: the coordinator reported %s", r.ReportedOutcome)
	default:
		t.decide(TopicFailedValidations, value, t.broken, "they decide nothing yet: no end was reported")
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

func count(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}

func moment(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
