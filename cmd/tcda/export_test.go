package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/bulk"
)

func TestExportCommand(t *testing.T) {
	t.Parallel()
	i := install(t)
	i.produce(i.started("exec-1"), i.started("exec-2"))
	i.serve()

	stdout, _ := i.tcda(0, "export", "--list")
	for _, want := range []string{"analytics_executions", "execution_id, run", "One row for each run."} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the list lacks %q:\n%s", want, stdout)
		}
	}
	views := object[[]bulk.View](i, 0, "export", "--list")
	if at := slices.IndexFunc(views, func(v bulk.View) bool { return v.Name == "analytics_executions" }); at < 0 || !views[at].Scenario {
		t.Errorf("views: %+v", views)
	}
	dir := t.TempDir()
	if stdout, _ := i.tcda(0, "export", "executions", "--format=csv", "--columns=execution_id,status", "-o", dir); stdout != "analytics_executions: 2 rows in 1 part\n" {
		t.Errorf("said %q", stdout)
	}
	text, err := os.ReadFile(filepath.Join(dir, "analytics_executions", "part-00001.csv"))
	if err != nil || string(text) != "execution_id,status\nexec-1,running\nexec-2,running\n" {
		t.Errorf("the part is %q, %v", text, err)
	}
	if _, stderr := i.tcda(1, "export", "executions", "--format=csv", "-o", dir); !strings.Contains(stderr, "--resume") {
		t.Errorf("said %q", stderr)
	}
	if manifests := object[[]bulk.Manifest](i, 0, "export", "--all", "-o", t.TempDir()); len(manifests) < 4 || !manifests[0].Complete {
		t.Errorf("manifests: %+v", manifests)
	}
	for _, wrong := range [][]string{
		{},
		{"nothing"},
		{"executions", "--all"},
		{"executions", "--columns=nothing"},
		{"executions", "--raw-text"},
		{"executions", "--since=2026-01-02", "--until=2026-01-01"},
		{"executions", "--part-rows=0"},
	} {
		if _, stderr := i.tcda(exitUsage, append([]string{"export"}, wrong...)...); stderr == "" {
			t.Errorf("%v: nothing is said", wrong)
		}
	}
}
