package scenario

import (
	"encoding/json"

	"go.yaml.in/yaml/v4"
)

// The shape of the definition language, as far as it is not told by the types
// in definition.go: which fields are required, and what must not repeat.

func (r *reader) document(n *yaml.Node, d *Definition) {
	ignore := func(*yaml.Node, *place) {} // read before
	fields := []field{
		{"apiVersion", true, ignore},
		{"kind", true, ignore},
		{"metadata", true, func(n *yaml.Node, p *place) { r.metadata(n, p, &d.Metadata) }},
		{"parameters", false, ignore},
		{"spec", true, func(n *yaml.Node, p *place) { r.spec(n, p, d) }},
	}
	r.object(n, nil, fields...)
}

func (r *reader) metadata(n *yaml.Node, p *place, m *Metadata) {
	r.object(n, p,
		field{"name", true, r.word(&m.Name)},
		field{"description", false, r.text(&m.Description)},
		field{"version", false, r.text(&m.Version)},
		field{"author", false, r.text(&m.Author)},
		field{"tags", false, r.texts(&m.Tags)},
		field{"extends", false, func(n *yaml.Node, p *place) {
			r.word((*string)(&m.Extends))(n, p)
			if _, waits := r.pending[n]; waits {
				r.problems.report(p, n, "must name a template, not a placeholder")
			}
		}},
	)
}

func (r *reader) spec(n *yaml.Node, p *place, d *Definition) {
	s := &d.Spec
	r.object(n, p,
		field{"duration", false, r.duration(&s.Duration, false)},
		field{"timeout", false, r.duration(&s.Timeout, false)},
		field{"variables", false, r.jsonObject(&s.Variables)},
		field{"preconditions", false, r.conditions(&s.Preconditions, false)},
		field{"postconditions", false, r.conditions(&s.Postconditions, false)},
		// A document that extends another may take all phases from its base.
		field{"phases", d.Metadata.Extends == "", r.phases(&s.Phases)},
		field{"rollback", false, func(n *yaml.Node, p *place) {
			s.Rollback = &Rollback{}
			r.object(n, p,
				field{"on_failure", false, r.boolean(&s.Rollback.OnFailure)},
				field{"actions", false, r.actions(&s.Rollback.Actions, false)},
			)
		}},
		field{"success_criteria", false, func(n *yaml.Node, p *place) {
			r.list(n, p, func(n *yaml.Node, p *place) {
				var criterion json.RawMessage
				r.json(&criterion)(n, p)
				s.SuccessCriteria = append(s.SuccessCriteria, criterion)
			})
		}},
		field{"reporting", false, func(n *yaml.Node, p *place) {
			r.object(n, p,
				field{"generate_timeline", false, r.boolean(&s.Reporting.GenerateTimeline)},
				field{"include_performance_impact", false, r.boolean(&s.Reporting.IncludePerformanceImpact)},
				field{"correlate_with_audit_logs", false, r.boolean(&s.Reporting.CorrelateWithAuditLogs)},
			)
		}},
	)
}

func (r *reader) phases(to *[]Phase) func(*yaml.Node, *place) {
	return func(n *yaml.Node, p *place) {
		if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
			r.problems.report(p, n, "want at least one phase")
		}
		first := make(map[string]*yaml.Node)
		r.list(n, p, func(n *yaml.Node, p *place) {
			var phase Phase
			r.object(n, p,
				field{"name", true, func(n *yaml.Node, p *place) {
					r.word(&phase.Name)(n, p)
					if before, ok := first[n.Value]; ok && n.Kind == yaml.ScalarNode {
						r.problems.report(p, n, "duplicate phase, first on line %d", before.Line)
						return
					}
					first[n.Value] = n
				}},
				field{"duration", false, r.duration(&phase.Duration, false)},
				field{"description", false, r.text(&phase.Description)},
				field{"actions", false, r.actions(&phase.Actions, false)},
				field{"parallel_actions", false, r.actions(&phase.ParallelActions, true)},
				field{"assertions", false, r.conditions(&phase.Assertions, true)},
			)
			*to = append(*to, phase)
		})
	}
}

func (r *reader) actions(to *[]Action, delayed bool) func(*yaml.Node, *place) {
	return func(n *yaml.Node, p *place) {
		r.list(n, p, func(n *yaml.Node, p *place) {
			var a Action
			fields := []field{
				{"service", true, r.word(&a.Service)},
				{"action", true, r.word(&a.Action)},
				{"parameters", false, r.jsonObject(&a.Parameters)},
			}
			if delayed {
				fields = append(fields, field{"delay", false, r.duration(&a.Delay, true)})
			}
			r.object(n, p, fields...)
			*to = append(*to, a)
		})
	}
}

func (r *reader) conditions(to *[]Condition, timed bool) func(*yaml.Node, *place) {
	return func(n *yaml.Node, p *place) {
		r.list(n, p, func(n *yaml.Node, p *place) {
			var c Condition
			fields := []field{
				{"type", true, r.word(&c.Type)},
				{"expect", false, r.json(&c.Expect)},
				{"service", false, r.text(&c.Service)},
				{"parameters", false, r.jsonObject(&c.Parameters)},
			}
			if timed {
				fields = append(fields, field{"within", false, r.duration(&c.Within, false)})
			}
			r.object(n, p, fields...)
			*to = append(*to, c)
		})
	}
}

// declarations reads the parameters of a template.
func (r *reader) declarations(n *yaml.Node, kind Kind) []Parameter {
	p := (*place)(nil).field("parameters")
	if n == nil {
		return nil
	}
	if kind != KindTemplate {
		r.problems.report(p, n, "only a Template has parameters")
		return nil
	}
	var all []Parameter
	first := make(map[string]bool)
	r.list(n, p, func(n *yaml.Node, p *place) {
		d := r.declaration(n, p)
		if d.Name != "" && first[d.Name] {
			r.problems.report(p.field("name"), find(n, "name"), "duplicate parameter")
			return
		}
		first[d.Name] = true
		all = append(all, d)
	})
	return all
}
