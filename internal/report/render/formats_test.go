package render_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report/render"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report/reporttest"
)

func TestFormatsAreTold(t *testing.T) {
	t.Parallel()
	var names, extensions, comparisons []string
	for _, f := range render.Formats() {
		names, extensions = append(names, f.Name), append(extensions, f.Extension)
		if f.Comparisons {
			comparisons = append(comparisons, f.Name)
		}
		if found, ok := render.Lookup(f.Name); !ok || found != f {
			t.Errorf("%s is looked up as %+v", f.Name, found)
		}
		if f.MediaType == "" || f.Description == "" || !strings.HasPrefix(f.Extension, ".") {
			t.Errorf("%s is not described: %+v", f.Name, f)
		}
	}
	if diff := cmp.Diff([]string{"json", "markdown", "html", "junit", "ctrf", "chaostoolkit", "csv", "csv-faults", "csv-steps", "csv-timeline"}, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"json", "markdown", "html", "csv"}, comparisons); diff != "" {
		t.Errorf("those for comparisons (-want +got):\n%s", diff)
	}
	slices.Sort(extensions)
	if len(slices.Compact(extensions)) != len(names) {
		t.Errorf("two formats have one extension: %v", extensions)
	}
	if _, ok := render.Lookup("pdf"); ok {
		t.Error("pdf is known")
	}
}

func TestUnknownFormatsAreRefused(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	unknown := &render.FormatError{}
	if err := render.Report(&b, "pdf", sample()); !errors.As(err, &unknown) || !slices.Contains(unknown.Known, "junit") {
		t.Errorf("a report as pdf: %v", err)
	}
	if err := render.Comparison(&b, "junit", comparison(t)); !errors.As(err, &unknown) || slices.Contains(unknown.Known, "junit") {
		t.Errorf("a comparison as junit: %v", err)
	}
	if b.Len() > 0 {
		t.Errorf("something was written: %s", &b)
	}
}

// Each file says which report it was made from, and by which rules.
func TestEveryFormatNamesItsReport(t *testing.T) {
	t.Parallel()
	for _, run := range reporttest.Runs() {
		r := reporttest.Report(t, run.Name)
		for _, f := range render.Formats() {
			text := string(rendered(t, f.Name, r))
			if lines := strings.Count(text, "\n"); strings.HasPrefix(f.Name, "csv") && lines < 2 {
				continue // a table without rows
			}
			for _, want := range []string{r.SHA256, report.Schema} {
				if !strings.Contains(strings.ReplaceAll(text, `\`, ""), want) {
					t.Errorf("%s of %s does not tell %s", f.Name, run.Name, want)
				}
			}
			for _, sign := range []string{"PROVISIONAL", `"provisional": true`, ",true,"} {
				if strings.Contains(text, sign) && sign != ",true," && !r.Provisional {
					t.Errorf("%s of %s calls itself provisional", f.Name, run.Name)
				}
			}
			if r.Provisional && !strings.Contains(text, "PROVISIONAL") && !strings.Contains(text, `"provisional": true`) && !strings.Contains(text, ",true,") {
				t.Errorf("%s of %s does not say that it is provisional", f.Name, run.Name)
			}
		}
	}
}

// Whoever reads a report that was made from the rest of a run is told so.
func TestPeopleAreToldWhatIsGone(t *testing.T) {
	t.Parallel()
	whole := sample()
	r := sample()
	r.Inputs.Gone = &report.Gone{
		Kinds: []string{report.GoneLogs, report.GoneSnapshots}, Policy: "old <runs>", At: time.Date(2026, 11, 27, 3, 0, 0, 0, time.UTC), Revision: 2, SHA256: "beef",
	}
	for _, format := range []string{"markdown", "html", "junit", "ctrf", "chaostoolkit"} {
		text := string(rendered(t, format, r))
		for _, want := range []string{"Log lines and snapshots of this run were removed by retention", "runs", "2026", "Revision 2 was made from the whole run"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not say %q", format, want)
			}
		}
		if strings.Contains(string(rendered(t, format, whole)), "retention") {
			t.Errorf("%s says that something of a whole run is gone", format)
		}
	}
	r.Inputs.Gone = &report.Gone{Kinds: []string{report.GoneLogs}, At: r.Inputs.Gone.At}
	if text := string(rendered(t, "markdown", r)); !strings.Contains(text, "Log lines of this run were removed by retention, last on ") || strings.Contains(text, "Revision") {
		t.Errorf("markdown: %.1000s", text)
	}
}

func TestSameReportSameBytes(t *testing.T) {
	t.Parallel()
	for _, f := range render.Formats() {
		a, b := rendered(t, f.Name, reporttest.Report(t, "hostile")), rendered(t, f.Name, reporttest.Report(t, "hostile"))
		if !bytes.Equal(a, b) {
			t.Errorf("%s differs from one time to the next", f.Name)
		}
	}
}

// What is rendered stays as it was, with a digest or without.
func TestRenderingChangesNoReport(t *testing.T) {
	t.Parallel()
	want, r := sample(), sample()
	for _, f := range render.Formats() {
		text := rendered(t, f.Name, r)
		if strings.Contains(string(text), `sha256":""`) || strings.Contains(string(text), "sha256``") {
			t.Errorf("%s has no digest", f.Name)
		}
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("the report has changed (-was +is):\n%s", diff)
	}
}

// failing is a writer that is full.
type failing struct{ room int }

func (f *failing) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, errors.New("no space left on device")
	}
	return len(p), nil
}

func TestWriteErrorsAreTold(t *testing.T) {
	t.Parallel()
	for _, f := range render.Formats() {
		if err := render.Report(&failing{}, f.Name, sample()); err == nil {
			t.Errorf("%s was written to nowhere", f.Name)
		}
	}
}

// An almost empty report is written, too: a run of which nothing but its pending
// is known.
func TestEmptyReports(t *testing.T) {
	t.Parallel()
	for _, f := range render.Formats() {
		rendered(t, f.Name, &report.Report{Schema: report.Schema})
		if f.Comparisons {
			compared(t, f.Name, &report.Comparison{})
		}
	}
}

func TestSizesAreBounded(t *testing.T) {
	t.Parallel()
	r := sample()
	for range 12 { // 45,056 validations, 12,288 faults
		r.Validations = append(r.Validations, r.Validations...)
		r.Faults = append(r.Faults, r.Faults...)
		r.Timeline.Entries = append(r.Timeline.Entries, r.Timeline.Entries...)
	}
	for format, most := range map[string]int{"html": 3 << 20, "markdown": 128 << 10} {
		got := rendered(t, format, r)
		if len(got) > most {
			t.Errorf("%s is of %d bytes", format, len(got))
		}
		if !strings.Contains(string(got), "the JSON has them all") {
			t.Errorf("%s does not say that it leaves something out", format)
		}
	}
}
