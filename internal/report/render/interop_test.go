//go:build interop

package render_test

import (
	"bytes"
	_ "embed" // the requirements
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/joshdk/go-junit"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report/render"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report/reporttest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv/pythonenv"
)

//go:embed testdata/requirements.txt
var requirements []byte

// all are the reports of the fixtures, and one with something in all of its parts.
func all(t *testing.T) map[string]*report.Report {
	t.Helper()
	reports := map[string]*report.Report{"sample": sample()}
	for _, run := range reporttest.Runs() {
		reports[run.Name] = reporttest.Report(t, run.Name)
	}
	return reports
}

// JUnit XML is valid by Jenkins' schema (lxml) and read by junitparser as by
// joshdk/go-junit; the Chaos Toolkit takes the experiment of a journal for valid;
// Python's csv module reads the tables.
func TestPythonConsumersReadReports(t *testing.T) {
	t.Parallel()
	python, err := pythonenv.Interpreter(requirements)
	if err != nil {
		t.Fatal(err)
	}
	dir, reports := t.TempDir(), all(t)
	for name, r := range reports {
		for _, f := range render.Formats() {
			if err := os.WriteFile(filepath.Join(dir, name+f.Extension), rendered(t, f.Name, r), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	var said bytes.Buffer
	command := exec.CommandContext(t.Context(), python, "testdata/consumers.py", dir, "testdata/schema/junit-10.xsd") //nolint:gosec // our own environment
	command.Stderr = &said
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &said)
	}
	var found map[string]struct {
		Error      string
		Cases      map[string]string
		Tests      int
		Failures   int
		Errors     int
		Title      string
		Activities int
		Run        []string
		Rows       []map[string]string
	}
	if err := json.Unmarshal(out, &found); err != nil { //nolint:musttag // names are matched whatever their case
		t.Fatalf("%v\n%s", err, out)
	}
	if want := len(reports) * 6; len(found) != want {
		t.Errorf("%d files were read, want %d", len(found), want)
	}
	for name, f := range found {
		if f.Error != "" {
			t.Errorf("%s: %s", name, f.Error)
		}
	}
	for name, r := range reports {
		suites, err := junit.Ingest(rendered(t, "junit", r))
		if err != nil {
			t.Fatal(err)
		}
		cases, failures, errors := map[string]string{}, 0, 0
		for _, s := range suites {
			failures, errors = failures+s.Totals.Failed, errors+s.Totals.Error
			for _, c := range s.Tests {
				cases[s.Name+"/"+c.Name] = string(c.Status)
			}
		}
		got := found[name+".junit.xml"]
		if diff := cmp.Diff(cases, got.Cases); diff != "" || got.Failures != failures || got.Errors != errors || got.Tests != len(cases) {
			t.Errorf("%s: %d tests, %d failures and %d errors in Python, %d and %d in Go; cases (-Go +Python):\n%s", name, got.Tests, got.Failures, got.Errors, failures, errors, diff)
		}
		journal := found[name+".journal.json"]
		if n := len(r.Faults) + len(r.Steps); journal.Activities < n || len(journal.Run) > n+len(r.Validations) || journal.Title == "" {
			t.Errorf("%s: the Chaos Toolkit finds %d activities in %q", name, journal.Activities, journal.Title)
		}
		rows := found[name+".csv"].Rows
		if len(rows) != len(r.Validations) {
			t.Errorf("%s: %d rows of validations, want %d", name, len(rows), len(r.Validations))
			continue
		}
		for i, v := range r.Validations {
			if got := strings.TrimPrefix(rows[i]["message"], "'"); got != shown(v.Message) || rows[i]["report_sha256"] == "" {
				t.Errorf("%s: the message of %s is %q, want %q", name, v.ID, got, shown(v.Message))
			}
		}
	}
}
