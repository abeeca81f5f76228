package fact

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Reason says why a record was quarantined. The list is closed and part of the
// contract.
type Reason string

// The reasons, in the order of contract version 1.
const (
	ReasonEmpty            Reason = "empty"
	ReasonTombstone        Reason = "tombstone"
	ReasonNotObject        Reason = "not_object"
	ReasonJSON             Reason = "json"
	ReasonEncoding         Reason = "encoding"
	ReasonUTF8             Reason = "utf8"
	ReasonNUL              Reason = "nul"
	ReasonDuplicateKey     Reason = "duplicate_key"
	ReasonDepth            Reason = "depth"
	ReasonTokenLimit       Reason = "token_limit"
	ReasonTooLarge         Reason = "too_large"
	ReasonNumber           Reason = "number"
	ReasonRange            Reason = "range"
	ReasonTime             Reason = "time"
	ReasonTimeRange        Reason = "time_range"
	ReasonID               Reason = "id"
	ReasonSchema           Reason = "schema"
	ReasonUnsupported      Reason = "unsupported"
	ReasonUnsupportedType  Reason = "unsupported_type"
	ReasonModeConflict     Reason = "mode_conflict"
	ReasonHeaderLimit      Reason = "header_limit"
	ReasonSubjectMismatch  Reason = "subject_mismatch"
	ReasonIDConflict       Reason = "id_conflict"
	ReasonDefinition       Reason = "definition"
	ReasonParameters       Reason = "parameters"
	ReasonCycle            Reason = "cycle"
	ReasonLimit            Reason = "limit"
	ReasonSourceNotAllowed Reason = "source_not_allowed"
	ReasonPanic            Reason = "panic"
	ReasonCrash            Reason = "crash"
	ReasonDatabase         Reason = "database"
)

// Reasons is the closed list.
func Reasons() []Reason {
	return []Reason{
		ReasonEmpty, ReasonTombstone, ReasonNotObject, ReasonJSON, ReasonEncoding, ReasonUTF8,
		ReasonNUL, ReasonDuplicateKey, ReasonDepth, ReasonTokenLimit, ReasonTooLarge, ReasonNumber,
		ReasonRange, ReasonTime, ReasonTimeRange, ReasonID, ReasonSchema, ReasonUnsupported,
		ReasonUnsupportedType, ReasonModeConflict, ReasonHeaderLimit, ReasonSubjectMismatch,
		ReasonIDConflict, ReasonDefinition, ReasonParameters, ReasonCycle, ReasonLimit,
		ReasonSourceNotAllowed, ReasonPanic, ReasonCrash, ReasonDatabase,
	}
}

// Rejection is why a record cannot become a fact: it names the field, the
// value (cut) and the rule, for the person who has to mend the producer. All
// three may repeat what a hostile record said, keys included.
type Rejection struct {
	Reason Reason
	Field  string // path in the record, such as "data.exit_code" or "ce_time"; empty when it is the whole
	Value  string // as received, cut to 80 characters, not quoted; empty when there is none
	Rule   string // what would have been right
}

// Lengths at which the parts of a Rejection are cut, in characters. A path is
// still of use at a length at which a value no longer is.
const (
	valueLength = 80
	fieldLength = 200
	ruleLength  = 400
)

// Reject builds a Rejection; its parts are cut and made fit to be stored as
// text: valid UTF-8 without NUL.
func Reject(reason Reason, field, value, rule string) *Rejection {
	return &Rejection{Reason: reason, Field: cut(field, fieldLength), Value: Cut(value), Rule: cut(rule, ruleLength)}
}

// Error is one line: reason, field, value and rule.
func (r *Rejection) Error() string {
	s := string(r.Reason)
	if r.Field != "" {
		s += ": " + oneLine(r.Field)
	}
	if r.Value != "" {
		s += " = " + strconv.Quote(r.Value)
	}
	if r.Rule != "" {
		s += ": " + oneLine(r.Rule)
	}
	return s
}

// Detail is the value, quoted, and the rule that it broke.
func (r *Rejection) Detail() string {
	switch {
	case r.Value == "":
		return r.Rule
	case r.Rule == "":
		return strconv.Quote(r.Value)
	}
	return strconv.Quote(r.Value) + ": " + r.Rule
}

// oneLine escapes what a terminal or a log would take for more than text.
func oneLine(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRune(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

// Cut shortens a hostile value for a message: at most 80 characters, valid
// UTF-8 without NUL, with an ellipsis when something is missing.
func Cut(s string) string { return cut(s, valueLength) }

func cut(s string, length int) string {
	// No more is looked at than the longest encoding of so many characters.
	long := len(s) > utf8.UTFMax*length
	if long {
		s = s[:utf8.UTFMax*length]
	}
	s = Printable(s)
	if utf8.RuneCountInString(s) <= length && !long {
		return s
	}
	r := []rune(s)
	return string(r[:min(length, len(r))]) + "…"
}

// Printable makes a hostile text fit to be stored and shown: valid UTF-8
// without NUL. Control characters stay; whoever prints escapes them.
func Printable(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\u2400")
}
