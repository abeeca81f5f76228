package render

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

// The dialect is that of Jenkins' xUnit plugin (junit-10.xsd, in testdata), which
// is what most readers of JUnit XML understand.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Time     string       `xml:"time,attr,omitempty"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name       string          `xml:"name,attr"`
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Skipped    int             `xml:"skipped,attr"`
		Time       string          `xml:"time,attr,omitempty"`
		Timestamp  string          `xml:"timestamp,attr,omitempty"`
		Properties []junitProperty `xml:"properties>property"`
		Cases      []junitCase     `xml:"testcase"`
		Out        string          `xml:"system-out,omitempty"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Name      string       `xml:"name,attr"`
		Classname string       `xml:"classname,attr"`
		Time      string       `xml:"time,attr,omitempty"`
		Failure   *junitReason `xml:"failure"`
		Error     *junitReason `xml:"error"`
		Skipped   *junitReason `xml:"skipped"`
		Out       string       `xml:"system-out,omitempty"`
	}
	junitReason struct {
		Type    string `xml:"type,attr,omitempty"`
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

func writeJUnit(w io.Writer, r *report.Report) error {
	scenario := or(r.Run.ScenarioID, string(r.Run.ExecutionID), "run")
	doc := junitSuites{Name: parts(" · ", name(r), string(r.Run.ExecutionID), "run "+fmt.Sprint(r.Run.Number)), Time: junitTime(r.Run.Duration)}
	if r.Provisional {
		doc.Name = "PROVISIONAL: " + doc.Name
	}
	for i, s := range suites(r) {
		if len(s.Cases) == 0 {
			continue
		}
		out := junitSuite{Name: s.Name, Tests: len(s.Cases), Timestamp: junitStamp(r)}
		for _, p := range origin(r) {
			out.Properties = append(out.Properties, junitProperty(p))
		}
		total := 0.0
		for j := range s.Cases {
			c := junitOf(&s.Cases[j], scenario)
			if d := s.Cases[j].Duration; d != nil && *d > 0 {
				total += *d
			}
			switch {
			case c.Failure != nil:
				out.Failures++
			case c.Error != nil:
				out.Errors++
			case c.Skipped != nil:
				out.Skipped++
			}
			out.Cases = append(out.Cases, c)
		}
		out.Time = junitTime(&total)
		if i == 0 {
			out.Out = summary(r)
		}
		doc.Tests += out.Tests
		doc.Failures += out.Failures
		doc.Errors += out.Errors
		doc.Suites = append(doc.Suites, out)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(doc); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func junitOf(c *testCase, scenario string) junitCase {
	out := junitCase{
		Name: or(c.Name, "(unnamed)"), Classname: parts(".", scenario, or(parts("/", c.Service, c.Phase), c.Kind)), Time: junitTime(c.Duration),
	}
	reason := &junitReason{Type: c.Kind, Message: c.Message, Text: c.Detail}
	switch c.Outcome {
	case passed:
		out.Out = c.Detail
	case failed:
		out.Failure = reason
	case broken:
		out.Error = reason
	case skipped:
		out.Skipped = reason
	case unfinished:
		reason.Type = "unfinished"
		out.Skipped = reason
	}
	return out
}

// junitTime is a duration as the schema wants it: no sign, no exponent, three
// digits after the point.
func junitTime(s *float64) string {
	if s == nil || math.IsNaN(*s) || *s < 0 || *s > 1e12 {
		return ""
	}
	return strconv.FormatFloat(*s, 'f', 3, 64)
}

func junitStamp(r *report.Report) string {
	for _, t := range []*time.Time{r.Run.StartedAt, r.Run.RequestedAt, r.Run.EndedAt} {
		if t != nil {
			return t.UTC().Format("2006-01-02T15:04:05")
		}
	}
	return ""
}

// summary is the report in some lines of plain text.
func summary(r *report.Report) string {
	var b strings.Builder
	if r.Provisional {
		b.WriteString("PROVISIONAL: the run has not ended; this report will change.\n")
	}
	fmt.Fprintf(&b, "%s\n", or(r.Verdict.Headline, string(r.Verdict.Status)))
	b.WriteString(facts(
		"status", string(r.Verdict.Status), "execution", fmt.Sprintf("%s, run %d", r.Run.ExecutionID, r.Run.Number),
		"started", exactOr(r.Run.StartedAt), "ended", exactOr(r.Run.EndedAt), "duration", seconds(r.Run.Duration),
		"validations", tally(r.Metrics.Validations), "faults", faultTally(&r.Metrics), "resilience score", numberOr(r.Metrics.Resilience)))
	for _, x := range r.Unexpected {
		fmt.Fprintf(&b, "\nunexpected: %s", x.Text)
	}
	for _, x := range r.Recommendations {
		fmt.Fprintf(&b, "\nrecommended (%s): %s", x.Priority, x.Text)
	}
	fmt.Fprintf(&b, "\nreport: sha256 %s, %s, builder %s", r.SHA256, r.Schema, r.Builder)
	return b.String()
}

func faultTally(m *report.Metrics) string {
	s := plural(m.Faults, "fault")
	if m.Faults == 0 {
		return "none"
	}
	return fmt.Sprintf("%s, %d recovered, %d failed, %d active", s, m.FaultsRecovered, m.FaultsFailed, m.FaultsActive)
}
