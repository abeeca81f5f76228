package command

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/accept"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// Published is a content that has become the current one.
type Published struct {
	Version *scenario.Version
	New     bool // false: the scenario, or template, has had it before
}

// PublishScenario makes a definition the current one of a scenario.
func (t *Tx) PublishScenario(ctx context.Context, m *contract.ScenarioPublished) (Published, error) {
	d, newest, err := t.define(ctx, m)
	if err != nil {
		return Published{}, err
	}
	s := d.Catalog.Scenarios[scenario.ID(m.GetScenarioId())]
	return published(s.Versions[s.Current], newest), nil
}

// PublishTemplate makes a definition the current one of a template.
func (t *Tx) PublishTemplate(ctx context.Context, m *contract.TemplatePublished) (Published, error) {
	d, newest, err := t.define(ctx, m)
	if err != nil {
		return Published{}, err
	}
	v := d.Catalog.Templates[scenario.TemplateID(m.GetTemplateId())]
	return published(v.Versions[v.Current], newest), nil
}

func published(v *scenario.Version, newest int32) Published {
	return Published{Version: v, New: v.Number > newest}
}

// Instantiation is a scenario that was made of a template.
type Instantiation struct {
	Published
	Definition      string // resolved
	TemplateVersion int32  // that was resolved
}

// InstantiateTemplate resolves the template that m names, with its parameters,
// and publishes the result as the scenario of m, whose definition is filled in.
func (t *Tx) InstantiateTemplate(ctx context.Context, m *contract.ScenarioPublished) (Instantiation, error) {
	if err := t.Tx.LockDefinitions(ctx); err != nil { // the template must not change meanwhile
		return Instantiation{}, err
	}
	use := m.GetTemplate()
	template, err := t.Tx.Template(ctx, scenario.TemplateID(use.GetTemplateId()), use.GetVersion(), t.commands.Limits)
	if err != nil {
		return Instantiation{}, refuseTemplate(use, err)
	}
	var parameters []byte
	if object := use.GetParameters(); object != nil {
		if parameters, err = object.MarshalJSON(); err != nil {
			return Instantiation{}, fmt.Errorf("write the parameters as JSON: %w", err)
		}
	}
	resolved, problems := template.Merged.Instantiate(parameters, t.commands.Limits)
	if len(problems) > 0 {
		return Instantiation{}, &Rejected{problems.Reject(fact.ReasonParameters, "data.template.parameters")}
	}
	m.Definition, use.Version = resolved.Text, template.Version.Hash.String()
	p, err := t.PublishScenario(ctx, m)
	return Instantiation{Published: p, Definition: resolved.Text, TemplateVersion: template.Version.Number}, err
}

// ChangeScenarioStatus moves a scenario through its life; one that nobody has
// named yet is not known.
func (t *Tx) ChangeScenarioStatus(ctx context.Context, m *contract.ScenarioStatusChanged) error {
	_, _, err := t.define(ctx, m)
	return err
}

// DeclareDependencies states all dependencies of a scenario.
func (t *Tx) DeclareDependencies(ctx context.Context, m *contract.ScenarioDependenciesDeclared) ([]scenario.Dependency, error) {
	d, _, err := t.define(ctx, m)
	if err != nil {
		return nil, err
	}
	return d.Catalog.Scenarios[scenario.ID(m.GetScenarioId())].Dependencies.Dependencies, nil
}

// SetSchedule states a schedule.
func (t *Tx) SetSchedule(ctx context.Context, m *contract.ScheduleSet) (*scenario.ScheduleState, error) {
	d, _, err := t.define(ctx, m)
	if err != nil {
		return nil, err
	}
	return d.Catalog.Schedules[scenario.ScheduleID(m.GetScheduleId())], nil
}

// RemoveSchedule takes a schedule away.
func (t *Tx) RemoveSchedule(ctx context.Context, m *contract.ScheduleRemoved) (*scenario.ScheduleState, error) {
	d, _, err := t.define(ctx, m)
	if err != nil {
		return nil, err
	}
	return d.Catalog.Schedules[scenario.ScheduleID(m.GetScheduleId())], nil
}

// define accepts an event of our own about a scenario, a template or a
// schedule. It gives what was loaded for it, folded, and the number that the
// newest version had before.
func (t *Tx) define(ctx context.Context, m proto.Message) (*pgstore.Definitions, int32, error) {
	s := statement{message: m, id: t.nextID()}
	provisional, err := t.own(s) // says what to load
	if err != nil {
		return nil, 0, err
	}
	if err := t.Tx.LockDefinitions(ctx); err != nil {
		return nil, 0, err
	}
	d, err := t.Tx.LoadDefinitions(ctx, []*scenario.Event{provisional.Scenario})
	if err != nil {
		return nil, 0, err
	}
	if needsKnown(provisional.Scenario.Type) && !d.Catalog.Knows(provisional.Scenario) {
		return nil, 0, unknownAggregate(m)
	}
	newest := d.Newest(provisional.Scenario)
	s.follows = d.Catalog.LastOrder(provisional.Scenario)
	decoded, err := t.own(s)
	if err != nil {
		return nil, 0, err
	}
	e := decoded.Scenario
	if rejection, err := accept.Definition(ctx, d, e, t.commands.Limits); rejection != nil || err != nil {
		if rejection != nil {
			err = &Rejected{rejection}
		}
		return nil, 0, err
	}
	return d, newest, t.Tx.SaveDefinitions(ctx, pgstore.Partition{}, []pgstore.AcceptedDefinition{{Event: e, Offset: pgstore.OwnEvent}}, d)
}

// unknownAggregate refuses a word about something that is not there.
func unknownAggregate(m proto.Message) *Refusal {
	switch m := m.(type) {
	case *contract.ScheduleRemoved:
		return &Refusal{Kind: NotFound, Reason: "schedule_not_found", Field: "schedule_id", Message: "schedule " + m.GetScheduleId() + " is not known"}
	case *contract.ScenarioStatusChanged:
		return &Refusal{Kind: NotFound, Reason: "scenario_not_found", Field: "change.scenario_id", Message: "scenario " + m.GetScenarioId() + " is not known"}
	}
	return &Refusal{Kind: NotFound, Reason: "not_found", Message: "it is not known"}
}

// refuseTemplate gives the errors of a template their words.
func refuseTemplate(use *contract.TemplateUse, err error) error {
	var rejection *fact.Rejection
	switch {
	case errors.As(err, &rejection):
		return &Rejected{rejection}
	case errors.Is(err, pgstore.ErrNotFound):
		return &Refusal{Kind: NotFound, Reason: "template_not_found", Field: "template", Message: fmt.Sprintf("template %s, or its version %q, or one that it extends, is not known", use.GetTemplateId(), use.GetVersion())}
	}
	return err
}

// needsKnown tells whether an event only says something of what must be there
// already.
func needsKnown(typ fact.Type) bool {
	return typ == fact.TypeScenarioStatusChanged || typ == fact.TypeScheduleRemoved
}
