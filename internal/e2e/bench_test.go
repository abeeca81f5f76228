package e2e_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/bench"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// The built programs measure themselves, by the command that people type, and
// write the report for programs.
func TestBench(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "report.json")
	dir := testenv.DataDir(t)
	start(t, nil, "tcda-lab", "bench", "--only=small,ceiling", "--rounds=1", "--events=2000", "--set=INGEST_BATCH_RECORDS=50",
		"--postgres=shared_buffers=64MB", "--data-dir="+dir, "--json="+file).wantSuccess()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var report bench.Report
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	if f := report.Find("small", "end to end"); f == nil || f.Of != "ceiling" || f.Ratio <= 0 {
		t.Errorf("end to end: %+v", f)
	}
	if report.Machine.Own["INGEST_BATCH_RECORDS"] != "50" || report.Machine.Settings["shared_buffers"] != "64MB" {
		t.Errorf("machine %+v", report.Machine)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
