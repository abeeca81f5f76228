package render

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

// Format is a form that a report can be written in.
type Format struct {
	Name        string // such as junit
	MediaType   string // with its parameters
	Extension   string // of a file, with the dot; unique among the formats
	Description string // half a sentence
	Comparisons bool   // whether comparisons can be written in it, too
}

type format struct {
	Format
	report     func(io.Writer, *report.Report) error
	comparison func(io.Writer, *report.Comparison) error // nil: none
}

func formats() []format {
	return []format{
		{Format{"json", "application/json", ".json", "the report itself, byte for byte as it is frozen", true}, writeJSON, compareJSON},
		{Format{"markdown", "text/markdown; charset=utf-8", ".md", "for pull requests, issues and wikis (GitHub-flavoured)", true}, cleaned(writeMarkdown), cleaned(compareMarkdown)},
		{Format{"html", "text/html; charset=utf-8", ".html", "one page with pictures, to read offline and to print", true}, cleaned(writeHTML), cleaned(compareHTML)},
		{Format{"junit", "application/xml", ".junit.xml", "JUnit XML, as Jenkins and other CI read it", false}, cleaned(writeJUnit), nil},
		{Format{"ctrf", "application/json", ".ctrf.json", "Common Test Report Format (ctrf.io)", false}, cleaned(writeCTRF), nil},
		{Format{"chaostoolkit", "application/json", ".journal.json", "a journal as the Chaos Toolkit writes it", false}, cleaned(writeJournal), nil},
		{Format{"csv", "text/csv; charset=utf-8; header=present", ".csv", "a row for each validation; of a comparison, for each thing compared", true}, cleaned(writeValidationsCSV), cleaned(compareCSV)},
		{Format{"csv-faults", "text/csv; charset=utf-8; header=present", ".faults.csv", "a row for each fault", false}, cleaned(writeFaultsCSV), nil},
		{Format{"csv-steps", "text/csv; charset=utf-8; header=present", ".steps.csv", "a row for each attempt at a step", false}, cleaned(writeStepsCSV), nil},
		{Format{"csv-timeline", "text/csv; charset=utf-8; header=present", ".timeline.csv", "a row for each entry of the timeline", false}, cleaned(writeTimelineCSV), nil},
	}
}

// Formats lists the formats, the most general one first.
func Formats() []Format {
	var all []Format
	for _, f := range formats() {
		all = append(all, f.Format)
	}
	return all
}

// Lookup finds a format by its name.
func Lookup(name string) (Format, bool) {
	for _, f := range formats() {
		if f.Name == name {
			return f.Format, true
		}
	}
	return Format{}, false
}

// FormatError says that a report cannot be written in a format, and in which it can.
type FormatError struct {
	Format string
	Known  []string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("no format %q: choose one of %s", e.Format, strings.Join(e.Known, ", "))
}

// Report writes a report, which gets its digest if it has none. The error is a
// *FormatError, or one of writing or encoding.
func Report(w io.Writer, name string, r *report.Report) error {
	all := formats()
	i := slices.IndexFunc(all, func(f format) bool { return f.Name == name })
	if i < 0 {
		return unknown(name, all)
	}
	sealed := copied(r, unchanged) // the caller's is left as it is
	if sealed.SHA256 == "" {
		if _, err := sealed.Encode(); err != nil {
			return fmt.Errorf("write report as %s: %w", name, err)
		}
	}
	if err := all[i].report(w, sealed); err != nil {
		return fmt.Errorf("write report as %s: %w", name, err)
	}
	return nil
}

// Comparison writes a comparison. Errors are those of Report.
func Comparison(w io.Writer, name string, c *report.Comparison) error {
	all := slices.DeleteFunc(formats(), func(f format) bool { return f.comparison == nil })
	i := slices.IndexFunc(all, func(f format) bool { return f.Name == name })
	if i < 0 {
		return unknown(name, all)
	}
	sealed := copied(c, unchanged)
	if sealed.SHA256 == "" {
		if _, err := sealed.Encode(); err != nil {
			return fmt.Errorf("write comparison as %s: %w", name, err)
		}
	}
	if err := all[i].comparison(w, sealed); err != nil {
		return fmt.Errorf("write comparison as %s: %w", name, err)
	}
	return nil
}

func unknown(name string, all []format) error {
	known := make([]string, len(all))
	for i := range all {
		known[i] = all[i].Name
	}
	return &FormatError{Format: name, Known: known}
}

func cleaned[T any](write func(io.Writer, *T) error) func(io.Writer, *T) error {
	return func(w io.Writer, v *T) error { return write(w, copied(v, visible)) }
}

func writeJSON(w io.Writer, r *report.Report) error { return writeEncoded(w, r.Encode) }

func compareJSON(w io.Writer, c *report.Comparison) error { return writeEncoded(w, c.Encode) }

func writeEncoded(w io.Writer, encode func() ([]byte, error)) error {
	frozen, err := encode()
	if err != nil {
		return err
	}
	_, err = w.Write(frozen)
	return err
}
