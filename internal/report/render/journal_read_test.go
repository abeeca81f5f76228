package render_test

import (
	"bytes"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/chaostoolkit"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report/render"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report/reporttest"
)

// The journal of a run that has ended can be imported as one of the tool itself.
func TestAJournalIsReadAsTheToolsOwn(t *testing.T) {
	t.Parallel()
	for _, run := range reporttest.Runs() {
		r := reporttest.Report(t, run.Name)
		if r.Provisional {
			continue
		}
		var out bytes.Buffer
		if err := render.Report(&out, "chaostoolkit", r); err != nil {
			t.Fatal(err)
		}
		j, err := chaostoolkit.Read(out.Bytes())
		if err != nil {
			t.Errorf("%s: %v", run.Name, err)
			continue
		}
		want := r.Verdict.Status
		if want == execution.StatusTimeout || want == execution.StatusInterrupted { // words that the tool does not have
			want = execution.StatusCancelled
		}
		if outcome, why := j.Outcome(); outcome != want {
			t.Errorf("%s: a run that is %s is read as %s: %s", run.Name, r.Verdict.Status, outcome, why)
		}
	}
}
