package chaostoolkit

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// Source is the source of all events that are made of journals. It does not say
// who imported them: the same journal is the same events, wherever from.
const Source = "/chaostoolkit/journal"

// Names of the phases, in their order.
const (
	PhaseBefore    = "steady-state-before"
	PhaseMethod    = "method"
	PhaseDuring    = "steady-state-during"
	PhaseAfter     = "steady-state-after"
	PhaseRollbacks = "rollbacks"
)

// Options are what the journal does not say. They are no part of the events'
// ids: a journal that is imported again with others is an id conflict, and the
// first word stays.
type Options struct {
	ScenarioID  string // empty: made of the title
	Environment string
	Labels      map[string]string
}

// Converted is a journal in events.
type Converted struct {
	ScenarioID  string
	ExecutionID string
	RunID       string
	Definition  string            // the experiment, in canonical form
	Scenario    *event.Outgoing   // nil where the experiment is larger than a definition may be
	Execution   []event.Outgoing  // in their order
	Notes       []string          // what was cut, or could not be said
	Events      []*event.Outgoing // all of them
}

// definitionBytes is how large a definition may be by contract.
const definitionBytes = 512 << 10

// Convert says what a journal says in events. Where an activity's output or
// arguments do not fit into the contract's limits, they are kept as JSON text,
// cut, and a note says so. The error, if any, is a *Problem.
func Convert(j *Journal, o Options) (*Converted, error) {
	experiment, err := j.DeclaredExperiment()
	if err != nil {
		return nil, err
	}
	digest := hex.EncodeToString(j.Digest[:])
	slug := slugOf(experiment.Title)
	c := &converter{
		journal: j, experiment: experiment, options: o, digest: digest,
		service: serviceOf(experiment),
		out: &Converted{
			ScenarioID:  cmp.Or(o.ScenarioID, slug),
			ExecutionID: "ctk-" + slug + "-" + digest[:12],
			RunID:       "ctk-" + digest,
			Definition:  compact(j.Experiment),
		},
	}
	c.scenario()
	c.begin()
	if s := j.SteadyStates.Before; s != nil {
		c.steadyState(PhaseBefore, "before", "before", 1, []SteadyState{*s})
	}
	c.phase(PhaseMethod, 2, "the method", j.Run, phaseOf(j.Run), c.methodActivity)
	c.steadyState(PhaseDuring, "during", "during", 3, j.SteadyStates.During)
	if s := j.SteadyStates.After; s != nil {
		c.steadyState(PhaseAfter, "after", "after", 4, []SteadyState{*s})
	}
	c.phase(PhaseRollbacks, 5, "the rollbacks", j.Rollbacks, phaseOf(j.Rollbacks), c.rollbackActivity)
	c.end()
	return c.out, nil
}

// converter collects the events of one journal.
type converter struct {
	journal    *Journal
	experiment *Experiment
	options    Options
	digest     string
	service    string // that the experiment names; empty: none
	first      []stated
	between    []stated // sorted by time at the end
	out        *Converted
}

// stated is an event without its place among the others.
type stated struct {
	at      time.Time
	place   string // in the journal, unique: part of the id
	message proto.Message
}

func (c *converter) say(at time.Time, place string, m proto.Message) {
	c.between = append(c.between, stated{at, place, m})
}

func (c *converter) note(format string, args ...any) {
	c.out.Notes = append(c.out.Notes, fmt.Sprintf(format, args...))
}

// id is the same for the same place of the same journal.
func (c *converter) id(place string) string { return "ctk-" + c.digest[:32] + "-" + place }

func (c *converter) scenario() {
	var tags []string
	var declared []any
	if json.Unmarshal(c.experiment.Tags, &declared) == nil {
		for _, t := range declared {
			if s, ok := t.(string); ok && s != "" && len(tags) < 100 {
				tags = append(tags, text(s, nameBytes))
			}
		}
	}
	if present(c.experiment.Secrets) && string(c.experiment.Secrets) != "{}" {
		c.note("experiment.secrets is part of the definition, as the journal has it")
	}
	if len(c.out.Definition) > definitionBytes {
		c.note("experiment has %d bytes, a definition at most %d: the scenario is named, not published", len(c.out.Definition), definitionBytes)
		return
	}
	m := &contract.ScenarioPublished{
		ScenarioId: c.out.ScenarioID, Definition: c.out.Definition, ScenarioType: "chaostoolkit", Tags: tags,
		ChangeNote: "Imported from a Chaos Toolkit journal",
	}
	if c.service != "" {
		m.ServicesUnderTest = []string{c.service}
	}
	if h := c.experiment.Hypothesis.Title; h != "" {
		m.ExpectedOutcomes = []string{text(h, nameBytes)}
	}
	// Of several journals of one scenario that of the latest run is the last word.
	c.out.Scenario = &event.Outgoing{
		Source: Source, ID: c.id("scenario"), Time: c.journal.Start.Time, Sequence: fact.Sequence(c.journal.Start.UnixMilli()), Message: m,
	}
}

func (c *converter) begin() {
	j, id := c.journal, c.out.ExecutionID
	version := ""
	if c.out.Scenario != nil {
		sum := sha256.Sum256([]byte(c.out.Definition))
		version = hex.EncodeToString(sum[:])
	}
	requested := &contract.ExecutionRequested{
		ExecutionId: id, ScenarioId: c.out.ScenarioID, ScenarioVersion: version, Environment: text(c.options.Environment, nameBytes),
		Trigger: &contract.Trigger{Type: "chaostoolkit"}, Labels: c.options.Labels,
	}
	configuration := &structpb.Struct{Fields: map[string]*structpb.Value{
		"chaoslib_version": structpb.NewStringValue(text(j.Version, nameBytes)),
		"platform":         structpb.NewStringValue(text(j.Platform, nameBytes)),
		"node":             structpb.NewStringValue(text(j.Node, nameBytes)),
	}}
	if present(c.experiment.Configuration) {
		member(configuration, "configuration", c.experiment.Configuration)
	}
	c.first = append(c.first, stated{j.Start.Time, "requested", requested}, stated{j.Start.Time, "started", &contract.ExecutionStarted{
		ExecutionId: id, ScenarioId: c.out.ScenarioID, ScenarioVersion: version, Environment: requested.Environment, CoordinatorId: "chaostoolkit",
		ConfigurationSnapshot: structpb.NewStructValue(configuration),
	}})
}

// end puts all events into their order and gives them numbers. The end of the
// run is the last, whatever the clocks say.
func (c *converter) end() {
	j := c.journal
	outcome, why := j.Outcome()
	summary := &structpb.Struct{Fields: map[string]*structpb.Value{
		"tool":     structpb.NewStringValue("chaostoolkit"),
		"status":   structpb.NewStringValue(string(j.Status)),
		"deviated": structpb.NewBoolValue(j.Deviated),
		"start":    structpb.NewStringValue(j.Start.Format(time.RFC3339Nano)),
		"end":      structpb.NewStringValue(j.End.Format(time.RFC3339Nano)),
		"steady_state_met": structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{
			"before": met(j.SteadyStates.Before), "after": met(j.SteadyStates.After), "during": looks(j.SteadyStates.During),
		}}),
		"activities": structpb.NewNumberValue(float64(len(j.Run))),
		"rollbacks":  structpb.NewNumberValue(float64(len(j.Rollbacks))),
	}}
	if !math.IsNaN(j.Duration) && !math.IsInf(j.Duration, 0) {
		summary.Fields["duration"] = structpb.NewNumberValue(j.Duration)
	}
	slices.SortStableFunc(c.between, func(a, b stated) int { return a.at.Compare(b.at) })
	all := slices.Concat(c.first, c.between)
	// The tool does not say when the effect of an action ends. It counts as gone
	// when the experiment is over: a fault of a run of the past must not look
	// active for ever.
	for _, s := range c.between {
		if f, ok := s.message.(*contract.ExecutionFaultInjected); ok && f.Status != "failed" {
			all = append(all, stated{j.End.Time, s.place + "-cleared", &contract.ExecutionFaultCleared{ExecutionId: c.out.ExecutionID, FaultId: f.FaultId}})
		}
	}
	all = append(all, stated{j.End.Time, "finished", &contract.ExecutionFinished{
		ExecutionId: c.out.ExecutionID, Outcome: string(outcome), ErrorMessage: why, Summary: structpb.NewStructValue(summary),
	}})
	for i, s := range all {
		c.out.Execution = append(c.out.Execution, event.Outgoing{
			Source: Source, ID: c.id(s.place), Time: s.at, Sequence: fact.Sequence(i + 1), RunID: c.out.RunID, Message: s.message,
		})
	}
	if c.out.Scenario != nil {
		c.out.Events = append(c.out.Events, c.out.Scenario)
	}
	for i := range c.out.Execution {
		c.out.Events = append(c.out.Events, &c.out.Execution[i])
	}
}

func met(s *SteadyState) *structpb.Value {
	if s == nil || s.Met == nil {
		return structpb.NewNullValue()
	}
	return structpb.NewBoolValue(*s.Met)
}

// looks counts those during the method.
func looks(during []SteadyState) *structpb.Value {
	held := 0
	for i := range during {
		if !during[i].unmet() {
			held++
		}
	}
	return structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{
		"looks": structpb.NewNumberValue(float64(len(during))), "met": structpb.NewNumberValue(float64(held)),
	}})
}

// phaseOf is how a phase of activities ended.
func phaseOf(runs []Run) string {
	status := "passed"
	for i := range runs {
		if s := runs[i].step(); s == execution.PartError {
			return string(s)
		} else if s == execution.PartFailed {
			status = string(s)
		}
	}
	return status
}

// phase says a phase with its activities; one without any did not take place.
func (c *converter) phase(name string, ordinal int32, description string, runs []Run, status string, each func(phase, id string, r *Run)) {
	if len(runs) == 0 {
		return
	}
	began, ended := runs[0].Start.Time, time.Time{}
	for i := range runs {
		if runs[i].Start.Before(began) {
			began = runs[i].Start.Time
		}
		if end := c.endOf(&runs[i]); end.After(ended) {
			ended = end
		}
	}
	c.say(began, name+"-started", &contract.ExecutionPhaseStarted{ExecutionId: c.out.ExecutionID, Phase: name, Ordinal: &ordinal, Description: description})
	prefix := map[string]string{PhaseMethod: "method", PhaseRollbacks: "rollback"}[name]
	for i := range runs {
		each(name, fmt.Sprintf("%s-%d", prefix, i+1), &runs[i])
	}
	c.say(ended, name+"-finished", &contract.ExecutionPhaseFinished{ExecutionId: c.out.ExecutionID, Phase: name, Status: status})
}

// endOf is when an activity ended; one that the run was interrupted in may not
// say, and ended with it at the latest.
func (c *converter) endOf(r *Run) time.Time {
	if r.End.IsZero() {
		return c.journal.End.Time
	}
	return r.End.Time
}

// steadyState says the looks at the hypothesis in one part of the experiment.
func (c *converter) steadyState(name, prefix, part string, ordinal int32, states []SteadyState) {
	if len(states) == 0 {
		return
	}
	id, description := c.out.ExecutionID, text(c.experiment.Hypothesis.Title, textBytes)
	status := "passed"
	began, ended := time.Time{}, time.Time{}
	type look struct {
		id    string
		probe *Run
	}
	var all []look
	for i := range states {
		if states[i].unmet() && status == "passed" {
			status = "failed"
		}
		for k := range states[i].Probes {
			r := &states[i].Probes[k]
			at := fmt.Sprintf("%s-%d", prefix, k+1)
			if part == "during" {
				at = fmt.Sprintf("%s-%d-%d", prefix, i+1, k+1)
			}
			all = append(all, look{at, r})
			if r.step() != execution.PartPassed {
				status = "error"
			}
			if began.IsZero() || r.Start.Before(began) {
				began = r.Start.Time
			}
			if end := c.endOf(r); end.After(ended) {
				ended = end
			}
		}
	}
	if len(all) == 0 {
		began, ended = c.journal.Start.Time, c.journal.Start.Time
		if part == "after" {
			began, ended = c.journal.End.Time, c.journal.End.Time
		}
	}
	c.say(began, name+"-started", &contract.ExecutionPhaseStarted{ExecutionId: id, Phase: name, Ordinal: &ordinal, Description: description})
	for _, l := range all {
		c.step(name, l.id, l.probe, "assertion")
		c.validation(name, l.id, part, l.probe)
		c.exception(name, l.id, l.probe)
	}
	c.say(ended, name+"-finished", &contract.ExecutionPhaseFinished{ExecutionId: id, Phase: name, Status: status})
}
