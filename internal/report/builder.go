package report

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// ErrOrder says that an event was added that does not come after the one before.
var ErrOrder = errors.New("events must be added in their order, each once")

// Builder makes the report of one run out of its events, in memory that is bounded
// by the parts of the run and not by its heartbeats, log lines and snapshots:
//
//   - of the parts (phases, steps, faults, validations) it keeps the folded state,
//     without JSON of more than 4 KiB;
//   - of lines the counts, the 100 that stand out most, and 500 signals of each kind;
//   - of snapshots at most 4 for each of at most 64 services, and of each metric 58
//     points;
//   - of the timeline 2,000 entries.
//
// It is not safe for use by several goroutines.
type Builder struct {
	id     execution.ID
	number execution.RunNumber

	state *execution.State
	why   *execution.Explainer
	last  fact.Order // of the latest event added

	events  int64
	chain   [sha256.Size]byte
	suspect int

	ofOthers aftermath
	free     freeParts
	lines    lineDigest
	watch    snapshotWatch
	happened happenings
	notes    []Annotation
}

// aftermath counts events of others that were ordered after the end.
type aftermath struct{ late, conflicting int }

// Context is what a report says beside the run's own events.
type Context struct {
	Definition *DefinitionSource // nil: not known
	Attempts   []Brief           // earlier attempts of the group, the first one first
	Previous   []Brief           // earlier ended runs of the scenario in the environment, the newest first
	Gone       *Gone             // nil: nothing; else no line, and no content of a snapshot, of these kinds was given
}

// NewBuilder begins the report of a run.
func NewBuilder(id execution.ID, number execution.RunNumber, runID string) *Builder {
	state := execution.NewState(id, number, runID)
	return &Builder{
		id: id, number: number, state: state, why: execution.NewExplainer(state),
		free: newFreeParts(), lines: newLineDigest(), watch: newSnapshotWatch(),
	}
}

// Add takes the next event of the run, in their order (fact.Order): with the whole
// of its payload but the lines of a LogAppended, of which it needs the Count; AddLine
// takes these. An event out of order, or for the second time, is ErrOrder and leaves
// the builder as it is. A pin says nothing of the run and is passed over.
func (b *Builder) Add(e *execution.Event) error {
	o := e.Order()
	if !o.After(b.last) {
		return fmt.Errorf("event %q of %q at %s: %w", e.ID, e.Source, e.Time, ErrOrder)
	}
	if e.ExecutionID() != b.id {
		return fmt.Errorf("event %q of %q is of execution %q, the report of %q", e.ID, e.Source, e.Subject, b.id)
	}
	b.last = o
	if _, pin := e.Payload.(*execution.Pinned); pin {
		return nil
	}
	b.events++
	b.chain = chained(b.chain, e.Key, e.Digest)
	if e.Suspect {
		b.suspect++
	}
	if p, ok := e.Payload.(*execution.SnapshotCaptured); ok && !e.Suspect {
		b.watch.add(e, p)
	}
	b.why.Add(execution.RecordedEvent{Event: b.slim(e)})

	switch p := e.Payload.(type) {
	case *execution.FaultInjected:
		if !b.state.Faults[p.FaultID].InjectedAt.IsZero() {
			b.watch.faulted = true
		}
	case *execution.Annotated:
		b.notes = append(b.notes, Annotation{At: moment(e.Time), Author: cutText(p.Author), Text: cutText(p.Text)})
	}
	late, conflicting := b.afterTheEnd(o, e)
	b.happened.add(e, late, conflicting)
	return nil
}

// afterTheEnd flags an event as the timeline does, and counts those of others:
// what this service itself or a person adds after the end is as it should be.
func (b *Builder) afterTheEnd(o fact.Order, e *execution.Event) (late, conflicting bool) {
	r := &b.state.Run
	if r.EndOrder.IsZero() || !o.After(r.EndOrder) {
		return false, false
	}
	p, finished := e.Payload.(*execution.Finished)
	late, conflicting = !finished, finished && p.Outcome != r.ReportedOutcome
	if !own(e.Payload) {
		b.ofOthers.late += one(late)
		b.ofOthers.conflicting += one(conflicting)
	}
	return late, conflicting
}

// own tells whether only this service says such things.
func own(p execution.Payload) bool {
	switch p.(type) {
	case *execution.Interrupted, *execution.CancelRequested, *execution.ClearRequested, *execution.Annotated, *execution.Pinned:
		return true
	}
	return false
}

// chained is the next head of the hash chain over the events.
func chained(head [sha256.Size]byte, key fact.Key, digest fact.Digest) [sha256.Size]byte {
	var link [sha256.Size + len(key) + len(digest)]byte
	n := copy(link[:], head[:])
	n += copy(link[n:], key[:])
	copy(link[n:], digest[:])
	return sha256.Sum256(link[:])
}

// slim is an event without what the fold need not hold: a copy, as the event is
// the caller's.
func (b *Builder) slim(e *execution.Event) *execution.Event {
	s := *e
	s.Data, s.Extensions, s.Unknown = nil, nil, nil
	switch p := e.Payload.(type) {
	case *execution.Heartbeat:
		c := *p
		c.SystemState = nil
		s.Payload = &c
	case *execution.LogAppended:
		s.Payload = &execution.LogAppended{Count: p.Count}
	case *execution.SnapshotCaptured:
		c := *p
		c.State, c.Metrics = nil, nil
		s.Payload = &c
	default:
		s.Payload = b.free.slim(e.Payload)
	}
	return &s
}

// Report builds the report from what was added. It is provisional while the run has
// not ended. More may be added afterwards, for another report.
func (b *Builder) Report(c Context) *Report {
	run := &b.state.Run
	r := &Report{
		Schema: Schema, Builder: BuilderVersion,
		Provisional: !run.Status.Terminal(),
		Run:         runOf(b.state),
		Definition:  resolveDefinition(c.Definition, b.state.Details.Parameters.Value),
		Phases:      phasesOf(b.state),
		Steps:       stepsOf(b.state),
		Validations: validationsOf(b.state, b.free),
		Snapshots:   b.watch.differences(),
		Logs:        b.lines.logs(),
		Timeline:    b.happened.timeline(),
		Annotations: append([]Annotation{}, b.notes...),
		Attempts:    append([]Brief{}, c.Attempts...),
	}
	r.SnapshotsOmitted = b.watch.omitted
	if c.Gone.Lacks(GoneSnapshots) { // without their contents all are alike
		r.Snapshots = []SnapshotDifference{}
	}
	r.Faults = faultsOf(b.state, b.free, r.Validations)
	r.SteadyState = steadyStateOf(r.Validations)
	r.Impact = b.watch.impact(r.Faults)
	var signals signalTotals
	r.Alerts, r.CircuitBreakers, signals = b.lines.signals(r.Validations)
	r.Metrics = b.metrics(r, signals)
	r.Verdict = verdictOf(b.why.Explain(), r)
	r.Inputs = Inputs{
		Events: b.events, Chain: hex.EncodeToString(b.chain[:]),
		DefinitionSHA256: r.Definition.SHA256, Compared: compared(c), Gone: goneOf(c.Gone),
	}
	if d := c.Definition; d != nil {
		r.Inputs.Publication = d.Publication
		if d.TemplateSHA256 != "" {
			r.Inputs.TemplateID, r.Inputs.TemplateSHA256 = d.TemplateID, d.TemplateSHA256
		}
	}
	r.Previous = changesAgainst(r, c.Previous)
	r.Unexpected = Unexpected(r)
	r.Recommendations = Recommend(r)
	fillLists(r)
	return r
}

// goneOf is a copy, with times as reports have them.
func goneOf(g *Gone) *Gone {
	if g == nil {
		return nil
	}
	c := *g
	c.At, c.Policy = moment(g.At), cutText(g.Policy)
	return &c
}

func compared(c Context) []string {
	digests := make([]string, 0, len(c.Attempts)+len(c.Previous))
	for _, b := range c.Attempts {
		digests = append(digests, b.SHA256)
	}
	for _, b := range c.Previous {
		digests = append(digests, b.SHA256)
	}
	return digests
}

// runOf is the outline of the run.
func runOf(s *execution.State) Run {
	r := &s.Run
	run := Run{
		ExecutionID: r.ID, Number: r.Number, RunID: cutText(r.RunID),
		ScenarioID: r.ScenarioID, ScenarioVersion: cutText(r.ScenarioVersion), Environment: cutText(r.Environment),
		CoordinatorID: cutText(r.CoordinatorID), GroupID: cutText(r.GroupID),
		RequestedAt: momentOrNil(r.RequestedAt), StartedAt: momentOrNil(r.StartedAt), EndedAt: momentOrNil(r.EndedAt), Deadline: momentOrNil(r.Deadline),
		ExitCode: r.ExitCode, ErrorMessage: cutText(r.ErrorMessage),
		Summary:       freeJSON(s.Details.Summary.Value, mostSummary),
		Configuration: freeJSON(s.Details.ConfigurationSnapshot.Value, mostSummary),
		Labels:        labelsOf(s.Details.Labels.Value),
	}
	if t := r.Trigger; t != (execution.Trigger{}) {
		run.Trigger = &Trigger{Type: cutText(t.Type), Actor: cutText(t.Actor), URI: cutText(t.URI)}
	}
	if r.Attempt != nil {
		run.Attempt = *r.Attempt
	}
	run.DryRun = r.DryRun != nil && *r.DryRun
	run.Duration = between(run.StartedAt, run.EndedAt)
	return run
}

func labelsOf(raw json.RawMessage) map[string]string {
	if len(raw) == 0 {
		return nil
	}
	var labels map[string]string
	if json.Unmarshal(raw, &labels) != nil { // was made of such a map
		return nil
	}
	for k, v := range labels {
		labels[k] = cutText(v)
	}
	return labels
}
