package reporting_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/retention"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario/examples"
)

// Where only reports are removed, the next one of a run has a number that none had.
func TestNumbersOfRevisionsDoNotComeAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := play{id: "exec-1"}
	w.perform(p)
	w.settle("exec-1")
	w.start()
	w.done()
	late := func(n int) int32 {
		t.Helper()
		id := fmt.Sprint("late-", n)
		w.say(p, id, time.Duration(20+n)*time.Second, &contract.ExecutionValidationRecorded{ExecutionId: "exec-1", ValidationId: id, AssertionType: "health", Status: "passed"})
		w.settle("exec-1")
		w.done()
		f, err := w.Store.Report(t.Context(), runOf("exec-1"), 0)
		if err != nil {
			t.Fatal(err)
		}
		return f.Revision
	}
	var month retention.MonthKind
	prune := func() {
		t.Helper()
		run, err := w.Store.Run(t.Context(), runOf("exec-1"))
		if err != nil {
			t.Fatal(err)
		}
		month = retention.MonthKind{Month: retention.MonthOf(run.Bucket), Kind: retention.Reports}
		due := retention.Due{ExecutionID: run.ID, Number: run.Number, Version: run.Version, Bucket: run.Bucket, Go: retention.Reports, Policy: "reports"}
		pruned, err := w.Store.PruneRuns(t.Context(), pgstore.PruneRequest{Due: []retention.Due{due}, Now: time.Now()})
		if err != nil || len(pruned) != 1 {
			t.Fatalf("%d runs pruned, error %v", len(pruned), err)
		}
	}
	remove := func() {
		t.Helper()
		if n, err := w.Store.RemovePending(t.Context(), month, 1000, time.Now()); err != nil || n != 1 {
			t.Fatalf("rows of %d runs removed, error %v", n, err)
		}
	}

	if got := late(1); got != 2 {
		t.Fatalf("revision %d, want 2", got)
	}
	prune()
	remove()
	if got := late(2); got != 3 {
		t.Errorf("revision %d after two were removed, want 3", got)
	}
	prune()
	if got := late(3); got != 4 {
		t.Errorf("revision %d while others are pending, want 4", got)
	}
	remove() // and with it the one that was frozen meanwhile
	if got := late(4); got != 5 {
		t.Errorf("revision %d after all were removed, want 5", got)
	}
}

// The defaults of a template are those of the version that was meant when the
// scenario was published, whatever became of the template later.
func TestDefaultsAreThoseOfTheTemplateAtThatTime(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publishTemplate(examples.ExchangeDisruption, -3*time.Hour)
	w.publishScenario(-2 * time.Hour)
	w.perform(play{id: "exec-1"})
	first, err := w.reports.Build(t.Context(), runOf("exec-1"))
	if err != nil {
		t.Fatal(err)
	}
	got := parametersOf(first.Report)
	if got["error_percent"] != "default 30" || got["exchange"] != "template kraken-simulator" {
		t.Errorf("parameters: %v", got)
	}
	if in := first.Report.Inputs; in.TemplateID != "exchange-disruption" || in.TemplateSHA256 != scenario.HashContent(examples.ExchangeDisruption).String() || in.Publication == "" {
		t.Errorf("inputs: %+v", in)
	}
	w.publishTemplate(newerTemplate(t), -time.Hour)
	again, err := w.reports.Build(t.Context(), runOf("exec-1"))
	if err != nil {
		t.Fatal(err)
	}
	if string(again.Body) != string(first.Body) {
		t.Error("a later version of the template changes the report")
	}
}

// A template that becomes known late, dated before the scenario, makes a revision
// when the run settles again, as a definition does.
func TestATemplateThatComesLateMakesARevision(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publishScenario(-2 * time.Hour)
	w.perform(play{id: "exec-1"})
	w.settle("exec-1")
	w.start()
	w.done()
	if in := w.newest("exec-1").Inputs; in.DefinitionSHA256 == "" || in.TemplateID != "" || in.TemplateSHA256 != "" {
		t.Errorf("inputs without a template: %+v", in)
	}
	for i, text := range []string{newerTemplate(t), examples.ExchangeDisruption} {
		w.publishTemplate(text, -4*time.Hour+time.Duration(i)*time.Hour)
		w.settle("exec-1")
		w.done()
		r := w.newest("exec-1")
		if n, want := len(w.revisions("exec-1")), scenario.HashContent(text).String(); n != i+2 || r.Inputs.TemplateSHA256 != want || r.Inputs.TemplateID != "exchange-disruption" {
			t.Errorf("%d revisions, of template %q, want %d, of %q", n, r.Inputs.TemplateSHA256, i+2, want)
		}
		if got, want := parametersOf(r)["error_percent"], []string{"default 40", "default 30"}[i]; got != want {
			t.Errorf("error_percent is %q, want %q", got, want)
		}
	}
	w.told("exec-1")
}

// publishTemplate publishes a template so long after the run began.
func (w *world) publishTemplate(text string, after time.Duration) {
	w.Helper()
	w.Say(&contract.TemplatePublished{TemplateId: "exchange-disruption", Definition: text}, func(o *event.Outgoing) { o.Time = begun.Add(after) })
}

// publishScenario publishes a scenario that uses the template.
func (w *world) publishScenario(after time.Duration) {
	w.Helper()
	parameters, err := structpb.NewStruct(map[string]any{"exchange": "kraken-simulator", "duration": "45m"})
	if err != nil {
		w.Fatal(err)
	}
	w.Say(&contract.ScenarioPublished{
		ScenarioId: "depeg", Definition: "apiVersion: chaos.trading/v1\nkind: Scenario\nmetadata:\n  name: depeg\nspec:\n  duration: 1m\n  phases:\n  - name: injection\n    duration: 1m\n",
		Template: &contract.TemplateUse{TemplateId: "exchange-disruption", Parameters: parameters},
	}, func(o *event.Outgoing) { o.Time = begun.Add(after) })
}

// newerTemplate has another default.
func newerTemplate(t *testing.T) string {
	t.Helper()
	newer := strings.ReplaceAll(examples.ExchangeDisruption, "error_percent, type: int, default: 30", "error_percent, type: int, default: 40")
	if newer == examples.ExchangeDisruption {
		t.Fatal("the example has changed")
	}
	return newer
}

// parametersOf are the parameters of a report, each with where it is from.
func parametersOf(r *report.Report) map[string]string {
	all := map[string]string{}
	for _, p := range r.Definition.Parameters {
		all[p.Name] = p.From + " " + p.Value
	}
	return all
}
