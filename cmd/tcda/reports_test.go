package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/api/apitest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

// ran says that a run was there; its message is one that a terminal might obey.
func ran(w *apitest.World, id, outcome string) {
	w.Helper()
	at := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	timed := func(after time.Duration) func(*event.Outgoing) {
		return func(o *event.Outgoing) { o.Time = at.Add(after) }
	}
	w.Say(&contract.ExecutionStarted{ExecutionId: id, ScenarioId: "depeg", Environment: "staging"}, timed(0))
	w.Say(&contract.ExecutionValidationRecorded{ExecutionId: id, ValidationId: "v-1", AssertionType: "health", Status: "failed", Message: "gone\x1b[2J\u202e!"}, timed(time.Second))
	if outcome != "" {
		w.Say(&contract.ExecutionFinished{ExecutionId: id, Outcome: outcome}, timed(time.Minute))
	}
}

func TestReportCommands(t *testing.T) {
	t.Parallel()
	c, w := calls(t)
	ran(w, "exec-1", "passed")
	ran(w, "exec-2", "failed")
	ran(w, "running", "")
	c.shows([]string{"revision 1 of the report of exec-1/1 is frozen, sha256 "}, "reports", "generate", "exec-1")
	c.shows([]string{"revision 1 of the report of exec-1/1 says all that is known"}, "reports", "generate", "exec-1/1")
	c.shows([]string{"running/1 goes on: its report is provisional"}, "reports", "generate", "running")
	if g := answer[contract.GenerateReportResponse](c, 0, "reports", "generate", "exec-2"); !g.GetFrozen() {
		t.Errorf("generated %v", g)
	}
	c.shows([]string{"RUN ", "exec-2/1", "exec-1/1", "failed", "depeg"}, "reports", "list")
	if l := answer[contract.ListReportsResponse](c, 0, "reports", "list", "--scenario=depeg", "--limit=1"); len(l.GetReports()) != 1 || l.GetNextPageToken() == "" {
		t.Errorf("listed %v", l)
	}
	stdout, _ := c.tcda(0, "reports", "show", "exec-1")
	if !strings.Contains(stdout, "exec-1") || !strings.Contains(stdout, "#") || strings.ContainsAny(stdout, "\x1b\u202e") {
		t.Errorf("shown:\n%q", stdout)
	}
	stdout, _ = c.tcda(0, "reports", "show", "exec-1", "--json")
	if r, err := report.Decode([]byte(stdout)); err != nil || r.Run.ExecutionID != "exec-1" {
		t.Errorf("show --json is no report: %v\n%s", err, stdout)
	}
	c.shows([]string{"exec-1", "exec-2"}, "reports", "compare", "exec-1", "exec-2")
	stdout, _ = c.tcda(0, "reports", "compare", "exec-1", "exec-2", "--json")
	if !json.Valid([]byte(stdout)) || !strings.Contains(stdout, "test-coordination.comparison/v1") {
		t.Errorf("compare --json:\n%s", stdout)
	}
	c.shows([]string{"junit", "chaostoolkit", ".html"}, "reports", "formats")

	folder := t.TempDir()
	name := filepath.Join(folder, "report.html")
	c.shows([]string{name + ": "}, "reports", "export", "exec-1", "--output", name)
	if page, err := os.ReadFile(name); err != nil || !strings.Contains(string(page), "<html") {
		t.Errorf("exported: %v\n%.200s", err, page)
	}
	c.fails(1, []string{"is there already: say --force"}, "reports", "export", "exec-1", "--output", name)
	c.shows([]string{name}, "reports", "export", "exec-1", "--output", name, "--force")
	stdout, _ = c.tcda(0, "reports", "export", "running", "--format=junit", "--output=-")
	if !strings.HasPrefix(stdout, "<?xml") {
		t.Errorf("junit:\n%.200s", stdout)
	}
	all := filepath.Join(folder, "all")
	c.shows([]string{"report-exec-1-1-r1.ctrf.json", "report-exec-2-1-r1.ctrf.json"}, "reports", "export", "--all", "--format=ctrf", "--output", all)
	if files, err := os.ReadDir(all); err != nil || len(files) != 2 {
		t.Errorf("exported %v, %v", files, err)
	}

	c.fails(2, []string{"name a run, or say --all"}, "reports", "export")
	c.fails(2, []string{"go with one run"}, "reports", "export", "--all", "--revision=1")
	c.fails(2, []string{"--output takes a folder"}, "reports", "export", "--all", "--output=-")
	c.fails(2, []string{"goes with --all"}, "reports", "export", "exec-1", "--status=failed", "--output=-")
	c.fails(4, []string{"execution nobody is not known"}, "reports", "show", "nobody")
	c.fails(4, []string{"no report of revision 7"}, "reports", "show", "exec-1", "--revision=7")
	c.fails(2, []string{"format: ", "junit"}, "reports", "export", "exec-1", "--format=docx", "--output=-")
}
