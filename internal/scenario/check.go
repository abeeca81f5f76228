package scenario

import (
	"slices"
	"strconv"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// Statuses is the closed list.
func Statuses() []Status {
	return []Status{StatusDraft, StatusActive, StatusArchived, StatusDeprecated}
}

// Check decides everything about an event that needs nothing but the event:
// nil when it may be accepted. What depends on other rows is decided by
// [Catalog.Admit].
func (e *Event) Check(limits Limits) *fact.Rejection {
	switch p := e.Payload.(type) {
	case *TemplatePublished:
		return p.check(limits)
	case *Published:
		return p.check(limits)
	case *StatusChanged:
		if !slices.Contains(Statuses(), p.Status) {
			return fact.Reject(fact.ReasonSchema, "data.status", string(p.Status), "want one of "+joined(Statuses()))
		}
	case *DependenciesDeclared:
		return ValidateDependencies(p.ScenarioID, p.Dependencies, limits)
	case *ScheduleSet:
		return ValidateSchedule(p.Schedule).Reject(fact.ReasonSchema, "data")
	case *ScheduleRemoved:
	}
	return nil
}

func (p *TemplatePublished) check(limits Limits) *fact.Rejection {
	d, problems := ParseDefinition(p.Definition, limits)
	switch {
	case len(problems) > 0:
	case d.Kind != KindTemplate:
		problems.add("kind", "", "want a document of apiVersion %s and kind Template", APIVersion)
	case d.Metadata.Extends != "" && d.Metadata.Extends == p.TemplateID:
		problems.add("metadata.extends", string(p.TemplateID), "a template cannot extend itself")
	}
	return problems.Reject(fact.ReasonDefinition, "data.definition")
}

func (p *Published) check(limits Limits) *fact.Rejection {
	d, problems := ParseDefinition(p.Definition, limits)
	if d != nil && d.Kind == KindTemplate {
		problems.add("kind", "Template", "want a Scenario; templates are published as such")
	}
	if len(problems) > 0 {
		return problems.Reject(fact.ReasonDefinition, "data.definition")
	}
	if t := p.Template; t != nil && t.Version != "" {
		_, notHash := ParseContentHash(t.Version)
		number, notNumber := strconv.ParseInt(t.Version, 10, 32)
		if notHash != nil && (notNumber != nil || number < 1) {
			return fact.Reject(fact.ReasonSchema, "data.template.version", t.Version, "want a version number or a sha256 in hex")
		}
	}
	return nil
}
