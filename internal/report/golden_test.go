package report_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report/reporttest"
)

var update = flag.Bool("update", false, "write golden files and schemas anew")

// golden compares with a file that is kept, or writes it anew.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("%s is not current (-file +now); to write it anew: go test ./internal/report -update\n%s", path, cmp.Diff(string(want), string(got)))
	}
}

// The bytes of these reports are frozen somewhere: whoever changes them raises
// report.BuilderVersion.
func TestGoldenReports(t *testing.T) {
	t.Parallel()
	for _, run := range reporttest.Runs() {
		t.Run(run.Name, func(t *testing.T) {
			t.Parallel()
			_, frozen, err := run.Report()
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "testdata/golden/"+run.Name+".json", frozen)
		})
	}
}

func TestGoldenComparison(t *testing.T) {
	t.Parallel()
	c := report.Compare(reporttest.Report(t, "market-crash-passed"), reporttest.Report(t, "steady-state-failed"))
	frozen, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/golden/comparison.json", frozen)
	again, err := report.DecodeComparison(frozen)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c, again); diff != "" {
		t.Errorf("read again (-was +is):\n%s", diff)
	}
}
