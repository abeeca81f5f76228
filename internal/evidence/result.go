package evidence

import (
	"fmt"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

// Check is one thing that holds in a bundle, or does not.
type Check string

// The checks, in their order.
const (
	CheckArchive    Check = "archive"    // the entries are those of the manifest, each once
	CheckEntries    Check = "entries"    // each has the size and the digest that the manifest names
	CheckDefinition Check = "definition" // has the digest that the report names
	CheckReport     Check = "report"     // has the digest that it carries, and that the manifest names
	CheckEvents     Check = "events"     // each has the key and the digest that it was accepted with; they are in order
	CheckChain      Check = "chain"      // ends in the head that report and manifest name
	CheckRebuild    Check = "rebuild"    // the report, built again, has the same bytes
	CheckCompared   Check = "compared"   // what the report says of other runs, their reports say
	CheckExpected   Check = "expected"   // report and manifest have the digests that were kept elsewhere
)

// Outcome is what a check came to.
type Outcome string

// The outcomes.
const (
	Holds      Outcome = "holds"
	Differs    Outcome = "differs"
	NotChecked Outcome = "not checked"
)

// Checked is a check with its outcome.
type Checked struct {
	Check   Check   `json:"check"`
	Outcome Outcome `json:"outcome"`
	Detail  string  `json:"detail,omitempty"` // what was looked at, or why nothing was
}

// Finding is something that does not hold.
type Finding struct {
	Check    Check  `json:"check"`
	Entry    string `json:"entry,omitempty"`
	Line     int64  `json:"line,omitempty"`  // of the entry, from 1
	Event    string `json:"event,omitempty"` // source and id
	Problem  string `json:"problem"`
	Expected string `json:"expected,omitempty"`
	Found    string `json:"found,omitempty"`
}

// String is the finding in a sentence. It may hold text of the bundle.
func (f Finding) String() string {
	text := string(f.Check) + ": "
	if f.Entry != "" {
		text += f.Entry
		if f.Line > 0 {
			text += fmt.Sprintf(" line %d", f.Line)
		}
		text += ": "
	}
	if f.Event != "" {
		text += "event " + f.Event + ": "
	}
	text += f.Problem
	if f.Expected != "" || f.Found != "" {
		text += fmt.Sprintf(": expected %s, found %s", orNothing(f.Expected), orNothing(f.Found))
	}
	return text
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// mostFindings bounds what is told.
const mostFindings = 100

// Result is what verification came to.
type Result struct {
	ExecutionID execution.ID        `json:"execution_id"`
	Run         execution.RunNumber `json:"run"`
	Status      execution.Status    `json:"status,omitempty"` // as the report says
	StartedAt   *time.Time          `json:"started_at,omitempty"`
	EndedAt     *time.Time          `json:"ended_at,omitempty"`
	Revision    int32               `json:"revision"`

	Events  int64  `json:"events"`
	Inexact int64  `json:"inexact"` // see ManifestEvents
	Chain   string `json:"chain"`   // head, of the events in the file

	// Report and Manifest are the digests to compare with those that were published,
	// or kept elsewhere.
	Report   string `json:"report_sha256"`
	Manifest string `json:"manifest_sha256"`

	Checks   []Checked `json:"checks"`
	Findings []Finding `json:"findings"` // at most 100
	Omitted  int64     `json:"omitted,omitempty"`

	Verified bool `json:"verified"` // nothing differs
}

func (r *Result) find(f Finding) {
	f.Event, f.Problem, f.Expected, f.Found = fact.Cut(f.Event), fact.Printable(f.Problem), fact.Cut(f.Expected), fact.Cut(f.Found)
	f.Entry = fact.Cut(f.Entry)
	for i := range r.Checks {
		if r.Checks[i].Check == f.Check {
			r.Checks[i].Outcome = Differs
		}
	}
	if len(r.Findings) == mostFindings {
		r.Omitted++
		return
	}
	r.Findings = append(r.Findings, f)
}

// begin lists a check; it holds until something is found.
func (r *Result) begin(c Check) { r.Checks = append(r.Checks, Checked{Check: c, Outcome: Holds}) }

// tell says what a check has looked at.
func (r *Result) tell(c Check, format string, values ...any) {
	for i := range r.Checks {
		if r.Checks[i].Check == c {
			r.Checks[i].Detail = fmt.Sprintf(format, values...)
		}
	}
}

// skip says that a check was not made.
func (r *Result) skip(c Check, why string) {
	r.Checks = append(r.Checks, Checked{Check: c, Outcome: NotChecked, Detail: why})
}

// outline takes over what the report says of the run.
func (r *Result) outline(of *report.Report) {
	r.Status, r.StartedAt, r.EndedAt = of.Verdict.Status, of.Run.StartedAt, of.Run.EndedAt
	r.Report = of.SHA256
}
