package contractcheck

import (
	"strings"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// definitions are the scenarios, templates and schedules of the records, as far
// as what is accepted next depends on them.
type definitions struct {
	catalog scenario.Catalog
	graph   scenario.Graph
	limits  scenario.Limits

	most, bytes int64 // of data that the catalog may hold, and holds
	left        int64 // events that found no more room
	numbers     *recent[string, *numbers]
}

// admit decides about a definition what depends on the others, and folds it.
func (d *definitions) admit(e *scenario.Event) *fact.Rejection {
	var template *scenario.Definition
	if p, ok := e.Payload.(*scenario.Published); ok && p.Template != nil {
		var rejection *fact.Rejection
		// Its error is that of text, which gives none.
		if template, rejection, _ = scenario.ResolveTemplate(p.Template.TemplateID, p.Template.Version, d.text, d.limits); rejection != nil {
			return rejection
		}
	}
	if rejection := d.catalog.Admit(e, &d.graph, template, d.limits); rejection != nil {
		return rejection
	}
	d.apply(e)
	return nil
}

// apply folds what others may refer to: templates by their texts, dependencies
// by the graph, which Admit has changed, and their orders.
func (d *definitions) apply(e *scenario.Event) {
	size := int64(len(e.Data))
	switch p := e.Payload.(type) {
	case *scenario.TemplatePublished:
		size += int64(len(p.Definition))
	case *scenario.DependenciesDeclared:
	default:
		return
	}
	if d.bytes+size > d.most {
		d.left++
		return
	}
	d.bytes += size
	d.catalog.Apply(e)
	if p, ok := e.Payload.(*scenario.TemplatePublished); ok {
		versions := d.catalog.Templates[p.TemplateID].Versions
		if v := versions[scenario.HashContent(p.Definition)]; v.Number == 0 {
			v.Number = int32(len(versions)) //nolint:gosec // far fewer fit into the catalog
		}
	}
}

// text is that of a template's version; "" when it is not among the records.
func (d *definitions) text(id scenario.TemplateID, version string) (string, error) {
	if t := d.catalog.Templates[id]; t != nil {
		return t.Text(version), nil
	}
	return "", nil
}

// numbersOf are the sequence numbers of a scenario, a template or a schedule.
func (d *definitions) numbersOf(h *fact.Header) *numbers {
	kind, _, _ := strings.Cut(h.Type.Short(), ".")
	key := kind + " " + h.Subject
	n, ok := d.numbers.get(key)
	if !ok {
		n = &numbers{}
		d.numbers.put(key, n)
	}
	return n
}
