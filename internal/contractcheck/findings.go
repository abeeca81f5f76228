package contractcheck

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// Level is how bad a finding is.
type Level string

// The levels, worst first.
const (
	Violation      Level = "violation"      // breaks the contract
	Recommendation Level = "recommendation" // the service would have to guess; a violation in strict checks
	Note           Level = "note"           // good to know
)

// What names a finding. The reasons for which a record is quarantined
// (fact.Reasons) are such names too.
type What string

// The names of findings in records that the service accepts.
const (
	KeyMismatch       What = "key_mismatch"        // violation: the key is not the subject
	SequenceNotRising What = "sequence_not_rising" // violation: a number again, or a lower one for a later time

	SequenceMissing    What = "sequence_missing"    // recommendation
	RunIDMissing       What = "runid_missing"       // recommendation, for events of a run
	OutOfOrder         What = "out_of_order"        // recommendation: an earlier event behind a later one
	LikelyTypo         What = "likely_typo"         // recommendation: a name near one that is known
	TimeSuspect        What = "time_suspect"        // recommendation
	RunGuessed         What = "run_guessed"         // recommendation
	ConflictingOutcome What = "conflicting_outcome" // recommendation: a second end, which says something else
	TraceContext       What = "trace_context"       // recommendation: a traceparent that is none

	Duplicate        What = "duplicate"         // note: the same event again
	UnknownField     What = "unknown_field"     // note: kept, and without effect
	UnknownAttribute What = "unknown_attribute" // note: kept, and without effect
	Late             What = "late"              // note: ordered behind the end of its run
	NoEnd            What = "no_end"            // note: runs that have not finished
)

func (w What) level() Level {
	switch w {
	case SequenceMissing, RunIDMissing, OutOfOrder, LikelyTypo, TimeSuspect, RunGuessed, ConflictingOutcome, TraceContext:
		return Recommendation
	case Duplicate, UnknownField, UnknownAttribute, Late, NoEnd:
		return Note
	default: // and all reasons of the quarantine
		return Violation
	}
}

// ofEnvelope tells whether a finding has nothing to do with the event's type:
// those of all types are one group. How often a type lacks a sequence or a runid
// is in Report.Types.
func (w What) ofEnvelope() bool {
	switch w {
	case KeyMismatch, SequenceNotRising, SequenceMissing, RunIDMissing, OutOfOrder, TimeSuspect, RunGuessed, TraceContext,
		Duplicate, UnknownAttribute, Late, NoEnd:
		return true
	default:
		return false
	}
}

// Place is where a record was found: a line of a file, from 1, or else an
// offset of a partition.
type Place struct {
	Line      int64
	Partition int32
	Offset    int64
}

// String is the place as people read it.
func (p Place) String() string {
	if p.Line > 0 {
		return "line " + strconv.FormatInt(p.Line, 10)
	}
	return strconv.Itoa(int(p.Partition)) + "@" + strconv.FormatInt(p.Offset, 10)
}

// MarshalText makes the place a string in JSON.
func (p Place) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

func (p Place) compare(q Place) int {
	return cmp.Or(cmp.Compare(p.Line, q.Line), cmp.Compare(p.Partition, q.Partition), cmp.Compare(p.Offset, q.Offset))
}

// Finding is everything of one kind in one field, and where that matters of one
// event type. Its texts may repeat what a hostile record said.
type Finding struct {
	Level Level     `json:"level"`
	What  What      `json:"what"`
	Type  fact.Type `json:"type"`  // empty where it does not matter, or the record names none of the contract
	Field string    `json:"field"` // path, as in quarantine; empty for the whole record
	Count int64     `json:"count"`

	Examples []Example `json:"examples"` // the first few
}

// Example is one record of a finding.
type Example struct {
	Place Place  `json:"place"`
	Value string `json:"value"` // as received, cut
	Rule  string `json:"rule"`  // what would have been right
}

const (
	mostExamples = 3
	// mostFindings bounds the groups: fields may be named by hostile records.
	// Beyond it one group for each What takes the rest.
	mostFindings = 200
	otherFields  = "(other fields)"
)

type group struct {
	what  What
	typ   fact.Type
	field string
}

// findings groups what is found.
type findings struct {
	groups map[group]*Finding
}

// index is the number of an element, which does not make a field another one.
var index = regexp.MustCompile(`\[\d+\]`)

// of is the group that a finding belongs to.
func (f *findings) of(what What, typ fact.Type, field string) *Finding {
	if what.ofEnvelope() {
		typ = ""
	}
	g := group{what, typ, index.ReplaceAllString(field, "[]")}
	found := f.groups[g]
	if found == nil && len(f.groups) >= mostFindings {
		g = group{what, "", otherFields}
		found = f.groups[g]
	}
	if found == nil {
		found = &Finding{Level: what.level(), What: g.what, Type: g.typ, Field: g.field, Examples: []Example{}}
		if f.groups == nil {
			f.groups = map[group]*Finding{}
		}
		f.groups[g] = found
	}
	return found
}

// add counts one finding.
func (f *findings) add(what What, typ fact.Type, field string, e Example) {
	found := f.of(what, typ, field)
	found.Count++
	if len(found.Examples) < mostExamples {
		found.Examples = append(found.Examples, e)
	}
}

// reject counts a record that the service would quarantine.
func (f *findings) reject(typ fact.Type, at Place, r *fact.Rejection) {
	f.add(What(r.Reason), typ, r.Field, Example{Place: at, Value: r.Value, Rule: r.Rule})
}

// sorted are all findings, worst and most frequent first.
func (f *findings) sorted() []Finding {
	all := make([]Finding, 0, len(f.groups))
	for _, found := range f.groups {
		all = append(all, *found)
	}
	rank := func(l Level) int { return slices.Index([]Level{Violation, Recommendation, Note}, l) }
	slices.SortFunc(all, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(rank(a.Level), rank(b.Level)), cmp.Compare(b.Count, a.Count),
			cmp.Compare(a.What, b.What), cmp.Compare(a.Type, b.Type), cmp.Compare(a.Field, b.Field),
		)
	})
	return all
}
