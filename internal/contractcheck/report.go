package contractcheck

import (
	"fmt"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// Verdict is the outcome of a check in one word.
type Verdict string

// The verdicts.
const (
	Conforms Verdict = "conforms"
	Violated Verdict = "violated"
	Nothing  Verdict = "nothing" // no record was there to judge
)

// Report is what came of all records. Texts in it may be hostile: whoever
// prints them escapes them.
type Report struct {
	Verdict Verdict `json:"verdict"`
	Strict  bool    `json:"strict"` // recommendations counted as violations

	Records    int64 `json:"records"`
	Accepted   int64 `json:"accepted"`
	Duplicates int64 `json:"duplicates"` // recognised, without effect
	Refused    int64 `json:"refused"`    // would be quarantined

	Violations      int64 `json:"violations"` // by record and rule: one record may break several
	Recommendations int64 `json:"recommendations"`
	Notes           int64 `json:"notes"`

	Runs      int64 `json:"runs"`
	RunsEnded int64 `json:"runs_ended"`

	Types    []TypeCount `json:"types"` // those that came, in the order of the contract
	Findings []Finding   `json:"findings"`

	// Missed says in plain words what can have been missed because something was
	// forgotten, or not looked at.
	Missed []string `json:"missed"`
}

// TypeCount is how often a type came.
type TypeCount struct {
	Type            fact.Type `json:"type"`
	Events          int64     `json:"events"` // accepted, each once
	Refused         int64     `json:"refused"`
	WithoutSequence int64     `json:"without_sequence"`
	WithoutRunID    int64     `json:"without_runid"` // of events of a run
}

// Report sums up. The grader is used up by it.
func (g *Grader) Report() Report {
	r := Report{
		Strict: g.config.Strict, Records: g.records, Accepted: g.accepted, Duplicates: g.duplicates, Refused: g.refused,
		Runs: g.runs.opened, RunsEnded: g.runs.ended, Types: []TypeCount{}, Missed: g.missed(),
	}
	g.runs.reportUnended(&g.found)
	for _, typ := range fact.Types() {
		if c := g.types[typ]; c != nil {
			r.Types = append(r.Types, *c)
		}
	}
	if g.config.Strict {
		for _, f := range g.found.groups {
			if f.Level == Recommendation {
				f.Level = Violation
			}
		}
	}
	r.Findings = g.found.sorted()
	for i := range r.Findings {
		switch f := &r.Findings[i]; f.Level {
		case Violation:
			r.Violations += f.Count
		case Recommendation:
			r.Recommendations += f.Count
		case Note:
			r.Notes += f.Count
		}
	}
	switch {
	case r.Violations > 0:
		r.Verdict = Violated
	case r.Records == 0:
		r.Verdict = Nothing
	default:
		r.Verdict = Conforms
	}
	return r
}

// missed says what the limits of memory can have kept from being seen.
func (g *Grader) missed() []string {
	m, missed := g.config.Memory, []string{}
	if n := g.known.forgotten; n > 0 {
		missed = append(missed, fmt.Sprintf("%d events were forgotten: %d are remembered at most. A repeat, or another event under the same id, that came more than %d events later went unnoticed.", n, m.Events, m.Events/2))
	}
	if n := max(g.runs.latest.forgotten, g.runs.named.forgotten); n > 0 { // mostly the same runs
		missed = append(missed, fmt.Sprintf("%d runs were forgotten: %d are remembered at most, those used last. An event that came for one after that was taken for the begin of a new one.", n, m.Runs))
	}
	if n := g.definitions.numbers.forgotten; n > 0 {
		missed = append(missed, fmt.Sprintf("The sequences of %d scenarios, templates or schedules were forgotten: %d are remembered at most.", n, m.Runs))
	}
	if n := g.definitions.left; n > 0 {
		missed = append(missed, fmt.Sprintf("%d templates and declarations of dependencies were judged alone: %d bytes of them are remembered at most. What was made from such a template was not held against it.", n, m.Definitions))
	}
	return missed
}
