package render_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report/render"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report/reporttest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares with a file that is kept, or writes it anew.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("%s is not current (-file +now); to write it anew: go test ./internal/report/render -update\n%s",
			path, cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")))
	}
}

// rendered is a report in a format.
func rendered(t testing.TB, format string, r *report.Report) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := render.Report(&b, format, r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func compared(t testing.TB, format string, c *report.Comparison) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := render.Comparison(&b, format, c); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The reports of all fixtures, in all formats but the frozen JSON, which package
// report holds.
func TestGoldenFiles(t *testing.T) {
	t.Parallel()
	for _, run := range reporttest.Runs() {
		for _, f := range render.Formats() {
			t.Run(run.Name+"/"+f.Name, func(t *testing.T) {
				t.Parallel()
				got := rendered(t, f.Name, reporttest.Report(t, run.Name))
				if f.Name == "json" {
					if _, frozen, err := run.Report(); err != nil || !bytes.Equal(frozen, got) {
						t.Errorf("the JSON is not what is frozen (%v)", err)
					}
					return
				}
				golden(t, run.Name+f.Extension, got)
			})
		}
	}
}

func comparison(t testing.TB) *report.Comparison {
	t.Helper()
	c := report.Compare(reporttest.Report(t, "market-crash-passed"), reporttest.Report(t, "steady-state-failed"))
	if _, err := c.Encode(); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestGoldenComparisons(t *testing.T) {
	t.Parallel()
	c := comparison(t)
	frozen, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range render.Formats() {
		if !f.Comparisons {
			continue
		}
		got := compared(t, f.Name, c)
		if f.Name == "json" {
			if !bytes.Equal(frozen, got) {
				t.Error("the JSON is not what is frozen")
			}
			continue
		}
		golden(t, "comparison"+f.Extension, got)
	}
}
