package evidence_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/evidence"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report/reporttest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// fixture is what a bundle of a fixture is made from: its report is built of what
// is stored of the events.
func fixture(t testing.TB, run *reporttest.Run, about report.Context) evidence.Source {
	t.Helper()
	events := make([]*evidence.Event, len(run.Events))
	for i, e := range run.Events {
		events[i] = stored(e, int64(i+1))
	}
	built, err := evidence.Build(run.ExecutionID, run.Number, run.RunID, about, each(events))
	if err != nil {
		t.Fatal(err)
	}
	body, err := built.Encode()
	if err != nil {
		t.Fatal(err)
	}
	s := evidence.Source{Revision: 3, Report: body, Events: each(events)}
	if about.Definition != nil {
		s.Definition = []byte(about.Definition.Text)
	}
	kept := map[string][]byte{}
	for _, other := range append(append([]*reporttest.Run{}, run.Attempts...), run.Previous...) {
		r, frozen, err := other.Report()
		if err != nil {
			t.Fatal(err)
		}
		kept[r.SHA256] = frozen
	}
	s.Compared = func(_ context.Context, sha256 string) ([]byte, error) {
		if kept[sha256] == nil && sha256 != strings.Repeat("a", 64) {
			return nil, errors.New("a report is asked for that is compared with nothing")
		}
		return kept[sha256], nil
	}
	return s
}

// Bundles of runs of every kind hold together, with a report that is the one that
// the events gave before they were stored.
func TestFixturesAreVerified(t *testing.T) {
	t.Parallel()
	names := map[string]string{}
	for _, run := range reporttest.Runs() {
		t.Run(run.Name, func(t *testing.T) {
			t.Parallel()
			about, err := run.Context()
			if err != nil {
				t.Fatal(err)
			}
			s := fixture(t, run, about)
			_, frozen, err := run.Report()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(s.Report, frozen) {
				t.Error("what is stored gives another report")
			}
			b, manifest := write(t, s)
			r := verify(t, b, evidence.Expected{Report: manifest.Report.SHA256, Manifest: manifest.SHA256()})
			for _, c := range r.Checks {
				if c.Outcome != evidence.Holds && (c.Check != evidence.CheckDefinition || about.Definition != nil) {
					t.Errorf("%s: %s, %s", c.Check, c.Outcome, c.Detail)
				}
			}
			for _, f := range r.Findings {
				t.Error(f)
			}
			if r.ExecutionID != run.ExecutionID || r.Run != run.Number || r.Inexact != 0 {
				t.Errorf("result %+v", r)
			}
		})
		if run.Definition != nil {
			names[run.Name] = run.Definition.Text
		}
	}
	if len(names) < 3 {
		t.Errorf("only %d fixtures have a definition", len(names))
	}
}

// However long, or odd, what is known of the definition: the report is built again
// from what it says of it.
func TestReportOfAnyContextIsBuiltAgain(t *testing.T) {
	t.Parallel()
	run := reporttest.Get(t, reporttest.Runs()[0].Name)
	long := strings.Repeat("é<script>\x1b[2J", 20_000)
	for name, change := range map[string]func(*report.DefinitionSource){
		"long texts": func(d *report.DefinitionSource) {
			d.Author, d.Type, d.TemplateID, d.TemplateVersion = long, long, long, long
			d.Services, d.ExpectedOutcomes = []string{long, "a", long}, []string{long}
		},
		"many texts": func(d *report.DefinitionSource) {
			d.Services, d.ExpectedOutcomes = strings.Split(strings.Repeat("s,", 5000), ","), strings.Split(strings.Repeat("o,", 5000), ",")
		},
		"parameters": func(d *report.DefinitionSource) {
			d.TemplateParameters = []byte(`{"text":"a","number":"1","n":1,"true":"true","list":[1,"2"],"null":null,"long":"` + strings.Repeat("x", 100_000) + `","big":{"a":"` + strings.Repeat("y", 100_000) + `"}}`)
		},
		"defaults": func(d *report.DefinitionSource) {
			d.TemplateText = "apiVersion: chaos.trading/v1\nkind: Template\nmetadata: {name: t}\nparameters:\n  - {name: n, type: int, default: 7}\n  - {name: b, type: bool, default: true}\n" +
				"  - {name: d, type: duration, default: 1h30m}\n  - {name: f, type: float, default: 1e20}\n  - {name: s, type: string, default: \"=1+1 <script>\"}\nspec:\n  phases:\n    - name: p\n      duration: 1m\n"
			d.TemplateParameters, d.Publication = []byte(`{"n":8}`), strings.Repeat("5e", 32)
			d.TemplateID, d.TemplateSHA256 = "t", scenario.HashContent(d.TemplateText).String()
		},
		"no metadata": func(d *report.DefinitionSource) { *d = report.DefinitionSource{Text: d.Text} },
		"opaque JSON": func(d *report.DefinitionSource) { d.Text = `{"name":"crash","steps":[1,2]}` },
		"no text":     func(d *report.DefinitionSource) { d.Text = "" },
		"any text":    func(d *report.DefinitionSource) { d.Text = long },
	} {
		d := *run.Definition
		change(&d)
		s := fixture(t, run, report.Context{Definition: &d, Attempts: []report.Brief{{ExecutionID: execution.ID("a"), Run: 1, SHA256: strings.Repeat("a", 64)}}})
		if from, want := strings.Count(string(s.Report), `"from": "default"`), 4; name == "defaults" && from != want {
			t.Errorf("the report has %d defaults, want %d", from, want)
		}
		b, _ := write(t, s)
		r := verify(t, b, evidence.Expected{})
		for _, f := range r.Findings {
			t.Errorf("%s: %s", name, f)
		}
		if o := outcomes(r); o[evidence.CheckRebuild] != evidence.Holds || o[evidence.CheckDefinition] != evidence.Holds {
			t.Errorf("%s: %v", name, r.Checks)
		}
	}
}
