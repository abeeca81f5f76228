package scenario

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// Problem is one thing that is wrong with an input, and where.
type Problem struct {
	Path    string // such as "spec.phases[1].actions[0].service"; empty for the whole
	Line    int    // from 1; 0 when the input has no lines
	Column  int    // from 1, in characters
	Value   string // the offending value; empty when there is none
	Message string // what is wrong or would have been right
}

// String is the problem as a compiler would print it:
// "12:9: spec.phases[1].actions[0].service: required".
func (p Problem) String() string {
	var b strings.Builder
	if p.Line > 0 {
		fmt.Fprintf(&b, "%d:%d: ", p.Line, p.Column)
	}
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// Problems is everything that is wrong with an input, in the order of the
// text. An empty list means that nothing is.
type Problems []Problem //nolint:recvcheck // only collecting needs the pointer

// printed is how many problems one message names.
const printed = 50

// Error names the problems, one a line, and counts those beyond the fiftieth.
func (ps Problems) Error() string {
	var b strings.Builder
	for i, p := range ps {
		if i == printed {
			fmt.Fprintf(&b, "\nand %d more", len(ps)-printed)
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.String())
	}
	return b.String()
}

// Reject turns the problems of the value at field into the one reason for
// which its record is quarantined; nil when there are none. A single problem
// is placed exactly, several are listed in the rule.
func (ps Problems) Reject(reason fact.Reason, field string) *fact.Rejection {
	switch len(ps) {
	case 0:
		return nil
	case 1:
		p := ps[0]
		if p.Path != "" {
			field += "." + p.Path
		}
		p.Path = ""
		return fact.Reject(reason, field, p.Value, p.String())
	default:
		return fact.Reject(reason, field, "", ps.Error())
	}
}

func (ps *Problems) add(path, value, format string, args ...any) {
	*ps = append(*ps, Problem{Path: path, Value: value, Message: fmt.Sprintf(format, args...)})
}

// sorted puts the problems into the order of the text. Problems at one place
// keep the order in which they were found.
func (ps Problems) sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return ps
}

// longestWord is how long, in bytes, a mistyped word may be for a guess.
const longestWord = 64

// nearest is the known word that was probably meant, with a question mark and
// in brackets, ready to be appended to a message; empty when none is close. It
// takes time for each known word: whoever has many, and many to ask about, asks
// for the first problems only.
func nearest(word string, known []string) string {
	if len(word) > longestWord {
		return ""
	}
	best, at := 3, ""
	for _, k := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(k), best); d < best && d < len(k) {
			best, at = d, k
		}
	}
	if at == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", fact.Cut(at))
}

// distance is the Levenshtein distance of a and b in bytes, or at least bound
// when their lengths alone are that far apart.
func distance(a, b string, bound int) int {
	if d := len(a) - len(b); d >= bound || -d >= bound {
		return bound
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			above := row[j+1]
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			row[j+1] = min(above+1, row[j]+1, substitute)
			diagonal = above
		}
	}
	return row[len(b)]
}
