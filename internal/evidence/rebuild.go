package evidence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

// addTo gives a report an event as it is stored.
func addTo(b *report.Builder, e *execution.Event) error {
	p, ok := e.Payload.(*execution.LogAppended)
	if !ok {
		return b.Add(e)
	}
	counted := *e
	counted.Payload = &execution.LogAppended{Count: p.Count}
	if err := b.Add(&counted); err != nil {
		return err
	}
	for i := range p.Lines {
		b.AddLine(e.Order(), i, &p.Lines[i])
	}
	return nil
}

// Build makes the report of a run of its events as they are stored.
func Build(id execution.ID, number execution.RunNumber, runID string, c report.Context, events iter.Seq2[*Event, error]) (*report.Report, error) {
	b := report.NewBuilder(id, number, runID)
	for e, err := range events {
		if err != nil {
			return nil, fmt.Errorf("read events: %w", err)
		}
		if e.Type == fact.TypePinned {
			continue
		}
		payload, err := event.RestoreExecution(e.Type, e.Data)
		if err != nil {
			return nil, fmt.Errorf("read event %s: %w", e.Key, err)
		}
		switch p := payload.(type) {
		case *execution.LogAppended:
			p.Lines = e.Lines
		case *execution.SnapshotCaptured:
			p.State, p.Metrics = e.State, e.Metrics
		}
		if err := addTo(b, &execution.Event{Header: e.Header, Payload: payload}); err != nil {
			return nil, fmt.Errorf("add event %s: %w", e.Key, err)
		}
	}
	return b.Report(c), nil
}

// contextOf is what a report was told beside its events, as it tells it itself: of
// other runs, and of how its definition was published (by whom, for which services,
// with what of a template). The rebuilt report then differs in everything that does
// not follow from that. The text of the definition is the bundle's.
func contextOf(r *report.Report, definition []byte) report.Context {
	c := report.Context{Attempts: r.Attempts}
	for i := range r.Previous {
		c.Previous = append(c.Previous, r.Previous[i].Brief)
	}
	if !r.Definition.Known {
		return c
	}
	d := &r.Definition
	c.Definition = &report.DefinitionSource{
		ScenarioID: r.Run.ScenarioID, Number: d.Version, Text: string(definition), Author: d.Author, Type: d.Type,
		Services: d.Services, ExpectedOutcomes: d.ExpectedOutcomes, TemplateID: d.TemplateID, TemplateVersion: d.TemplateVersion,
		TemplateParameters: templateParameters(d.Parameters), TemplateText: templateText(d.Parameters),
		Publication: r.Inputs.Publication, TemplateSHA256: r.Inputs.TemplateSHA256,
	}
	return c
}

// templateParameters are those that a report has from a template, as an object;
// nil when there is none. All are texts there: of a number, its JSON.
func templateParameters(all []report.Parameter) []byte {
	values := map[string]string{}
	for _, p := range all {
		if p.From == "template" {
			values[p.Name] = p.Value
		}
	}
	if len(values) == 0 {
		return nil
	}
	return jsonOf(values)
}

// templateText is a template with the defaults that a report has; empty when there is
// none. Those of the definition itself come before it, and are the same.
func templateText(all []report.Parameter) string {
	type parameter struct {
		Name    string `json:"name"`
		Type    string `json:"type"`
		Default string `json:"default"`
	}
	var defaults []parameter
	for _, p := range all {
		if p.From == "default" {
			defaults = append(defaults, parameter{p.Name, "string", p.Value})
		}
	}
	if defaults == nil {
		return ""
	}
	return string(jsonOf(map[string]any{
		"apiVersion": "chaos.trading/v1", "kind": "Template", "metadata": map[string]any{"name": "defaults"}, "parameters": defaults,
		"spec": map[string]any{"phases": []any{map[string]any{"name": "none"}}},
	}))
}

// jsonOf is JSON of texts.
func jsonOf(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil { // of texts it can always be made
		return nil
	}
	return b
}

// difference is the first line in which two texts differ; the line numbers from 1.
func difference(a, b []byte) (line int64, inA, inB string) {
	for line = 1; ; line++ {
		x, restA, moreA := bytes.Cut(a, []byte{'\n'})
		y, restB, moreB := bytes.Cut(b, []byte{'\n'})
		if !bytes.Equal(x, y) || moreA != moreB {
			return line, string(bytes.TrimSpace(x)), string(bytes.TrimSpace(y))
		}
		if !moreA {
			return 0, "", ""
		}
		a, b = restA, restB
	}
}
