package scenario

import (
	"strconv"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// Catalog is what a set of events about scenarios, templates and schedules
// folds to. Folding a batch into what is stored, the store puts the rows that
// the batch touches into a catalog, applies the events, and writes those rows
// back; refolding everything begins with an empty one. The zero value is empty.
type Catalog struct {
	Scenarios map[ID]*Scenario
	Templates map[TemplateID]*Template
	Schedules map[ScheduleID]*ScheduleState
}

// Apply folds an event. Any order of the same events, with any repetition,
// gives the same catalog.
func (c *Catalog) Apply(e *Event) {
	switch p := e.Payload.(type) {
	case *TemplatePublished:
		loadOrCreate(&c.Templates, p.TemplateID, func() *Template { return &Template{ID: p.TemplateID} }).Apply(e)
	case *Published:
		c.scenario(p.ScenarioID).Apply(e)
	case *StatusChanged:
		c.scenario(p.ScenarioID).Apply(e)
	case *DependenciesDeclared:
		c.scenario(p.ScenarioID).Apply(e)
	case *ScheduleSet:
		c.schedule(p.Schedule.ScheduleID).Apply(e)
	case *ScheduleRemoved:
		c.schedule(p.ScheduleID).Apply(e)
	}
}

func (c *Catalog) scenario(id ID) *Scenario {
	return loadOrCreate(&c.Scenarios, id, func() *Scenario { return &Scenario{ID: id} })
}

func (c *Catalog) schedule(id ScheduleID) *ScheduleState {
	return loadOrCreate(&c.Schedules, id, func() *ScheduleState {
		return &ScheduleState{Schedule: Schedule{ScheduleID: id}}
	})
}

func loadOrCreate[K comparable, V any](m *map[K]*V, key K, create func() *V) *V {
	if *m == nil {
		*m = make(map[K]*V)
	}
	v := (*m)[key]
	if v == nil {
		v = create()
		(*m)[key] = v
	}
	return v
}

// Admit decides what Check cannot, because it depends on what else is known:
// dependencies must not close a cycle with those of other scenarios, and the
// parameters that a scenario says it was made with must fit its template, as
// ResolveTemplate gives it. On success the graph holds the new dependencies.
//
// A declaration that an already accepted later one has overtaken changes no
// dependency, and is admitted without a look at the graph. A template that is
// nil, perhaps because its event is still to come, is taken on trust.
func (c *Catalog) Admit(e *Event, g *Graph, template *Definition, limits Limits) *fact.Rejection {
	switch p := e.Payload.(type) {
	case *DependenciesDeclared:
		if s := c.Scenarios[p.ScenarioID]; s != nil && !e.Order().After(s.Dependencies.Declared) {
			return nil
		}
		return g.Declare(p.ScenarioID, p.Dependencies, limits)
	case *Published:
		if p.Template == nil || template == nil {
			return nil
		}
		return template.CheckParameters(p.Template.Parameters).Reject(fact.ReasonParameters, "data.template.parameters")
	}
	return nil
}

// Knows tells whether anything is known of what the event is about; of a
// schedule that was removed, nothing is.
func (c *Catalog) Knows(e *Event) bool {
	s, ok := c.Schedules[ScheduleID(e.Subject)]
	return !c.LastOrder(e).IsZero() && (!ok || !s.Removed)
}

// LastOrder is the order of the last event about the same scenario, template or
// schedule; zero when nothing is known of it.
func (c *Catalog) LastOrder(e *Event) (last fact.Order) {
	switch e.Payload.(type) {
	case *TemplatePublished:
		if t := c.Templates[TemplateID(e.Subject)]; t != nil {
			last = t.Marks.Of(templatePublished)
		}
	case *ScheduleSet, *ScheduleRemoved:
		if s := c.Schedules[ScheduleID(e.Subject)]; s != nil {
			last = s.Marks.Of(scheduleUpdated)
		}
	default:
		if s := c.Scenarios[ID(e.Subject)]; s != nil {
			last = s.Marks.Of(scenarioUpdated)
		}
	}
	return last
}

// maxExtends is how many templates may stand on one another.
const maxExtends = 16

// ResolveTemplate is a version of a template, merged with all that it extends.
// The version is a number, a content hash, or empty for the current one; of
// bases it is always the current one. Texts come from text, which says "" for
// one that is not known; the definition is then nil. The error is that of text.
func ResolveTemplate(id TemplateID, version string, text func(TemplateID, string) (string, error), limits Limits) (*Definition, *fact.Rejection, error) {
	const field = "data.template"
	parse := func(id TemplateID, version string) (*Definition, Problems, error) {
		t, err := text(id, version)
		if err != nil || t == "" {
			return nil, nil, err
		}
		d, problems := ParseDefinition(t, limits)
		return d, problems, nil
	}
	d, problems, err := parse(id, version)
	for depth := 0; err == nil && len(problems) == 0 && d != nil && d.Metadata.Extends != ""; depth++ {
		if depth == maxExtends {
			problems.add("metadata.extends", string(id), "more than %d templates stand on one another, or in a circle", maxExtends)
			break
		}
		var base *Definition
		base, problems, err = parse(d.Metadata.Extends, "")
		switch {
		case base == nil:
			d = nil
		case len(problems) == 0:
			d, problems = d.Extend(base, limits)
		}
	}
	if err != nil || len(problems) > 0 {
		return nil, problems.Reject(fact.ReasonDefinition, field), err
	}
	return d, nil, nil
}

// Text is the text of a version that the catalog holds, "" for any other.
func (t *Template) Text(version string) string {
	if v := t.version(version); v != nil {
		return v.Text
	}
	return ""
}

// version finds a version by number, hash, or as the current one; nil when it
// is not known here.
func (t *Template) version(version string) *Version {
	if version == "" {
		return t.Versions[t.Current]
	}
	if hash, err := ParseContentHash(version); err == nil {
		return t.Versions[hash]
	}
	for _, v := range t.Versions {
		if strconv.Itoa(int(v.Number)) == version {
			return v
		}
	}
	return nil
}
