package chaostoolkit

import (
	"bytes"
	"crypto/sha256"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Problem is what keeps a text from being a journal: where, what stands there,
// and what is wanted.
type Problem struct {
	Path  string // such as run[2].start; empty: the whole
	Value string // cut; empty: nothing stands there
	Rule  string
}

// Error is one line. The value is quoted: nothing in it moves a terminal.
func (p *Problem) Error() string {
	s := p.Rule
	if p.Value != "" {
		s = strconv.Quote(p.Value) + ": " + s
	}
	if p.Path != "" {
		s = p.Path + ": " + s
	}
	return s
}

// Read reads a journal. Python's NaN and Infinity, which are no JSON, are read
// as the texts "NaN", "Infinity" and "-Infinity"; what is no UTF-8 becomes
// U+FFFD. The error, if any, is a *Problem.
func Read(text []byte) (*Journal, error) {
	whole := jsontext.Value(quoteNonFinite(text))
	lenient := jsontext.AllowInvalidUTF8(true)
	canonical := jsontext.Value(bytes.Clone(whole))
	if err := canonical.Format(lenient, jsontext.ReorderRawObjects(true)); err != nil {
		return nil, syntaxProblem(err)
	}
	if canonical.Kind() != jsontext.KindBeginObject {
		return nil, &Problem{Value: cut(string(canonical)), Rule: "must be a JSON object"}
	}
	j := &Journal{}
	if err := json.Unmarshal(canonical, j); err != nil {
		return nil, typeProblem(err, canonical)
	}
	// Integers keep their digits: a double would not hold all of them.
	if err := canonical.Format(lenient, jsontext.CanonicalizeRawFloats(true), jsontext.CanonicalizeRawInts(false)); err != nil {
		return nil, syntaxProblem(err)
	}
	j.Digest = sha256.Sum256(canonical)
	if p := j.check(); p != nil {
		return nil, p
	}
	return j, nil
}

// DeclaredExperiment reads what the journal says of its experiment.
func (j *Journal) DeclaredExperiment() (*Experiment, error) {
	var e Experiment
	if err := json.Unmarshal(j.Experiment, &e); err != nil {
		p := typeProblem(err, jsontext.Value(j.Experiment))
		p.Path = strings.TrimSuffix("experiment."+p.Path, ".")
		return nil, p
	}
	if e.Title == "" {
		return nil, &Problem{Path: "experiment.title", Rule: "is missing"}
	}
	return &e, nil
}

// check wants what the events cannot do without.
func (j *Journal) check() *Problem {
	missing := func(path string) *Problem { return &Problem{Path: path, Rule: "is missing"} }
	switch {
	case len(j.Experiment) == 0 || string(j.Experiment) == "null":
		return missing("experiment")
	case j.Start.IsZero():
		return missing("start")
	case j.End.IsZero():
		return missing("end")
	case j.End.Before(j.Start.Time):
		return &Problem{Path: "end", Value: j.End.Format(withoutZone), Rule: "must not be before the start"}
	case !slices.Contains([]Status{Completed, Failed, Aborted, Interrupted}, j.Status):
		return &Problem{Path: "status", Value: cut(string(j.Status)), Rule: "must be completed, failed, aborted or interrupted"}
	}
	if _, err := j.DeclaredExperiment(); err != nil {
		var p *Problem
		errors.As(err, &p)
		return p
	}
	for path, runs := range j.activities() {
		for i := range runs {
			if p := runs[i].check(); p != nil {
				p.Path = fmt.Sprintf("%s[%d].%s", path, i, p.Path)
				return p
			}
		}
	}
	return nil
}

func (r *Run) check() *Problem {
	switch {
	case r.Activity.Name == "":
		return &Problem{Path: "activity.name", Rule: "is missing"}
	case r.Activity.Type != TypeAction && r.Activity.Type != TypeProbe:
		return &Problem{Path: "activity.type", Value: cut(r.Activity.Type), Rule: "must be action or probe"}
	case r.Start.IsZero():
		return &Problem{Path: "start", Rule: "is missing"}
	case !r.End.IsZero() && r.End.Before(r.Start.Time):
		return &Problem{Path: "end", Value: r.End.Format(withoutZone), Rule: "must not be before the start"}
	case r.Duration < 0:
		return &Problem{Path: "duration", Value: strconv.FormatFloat(r.Duration, 'g', -1, 64), Rule: "must not be negative"}
	case r.Status != "" && r.Status != ActivitySucceeded && r.Status != ActivityFailed:
		return &Problem{Path: "status", Value: cut(r.Status), Rule: "must be succeeded or failed"}
	}
	return nil
}

// activities are all that were begun, by where they stand, in a fixed order.
func (j *Journal) activities() func(func(string, []Run) bool) {
	return func(yield func(string, []Run) bool) {
		if s := j.SteadyStates.Before; s != nil && !yield("steady_states.before.probes", s.Probes) {
			return
		}
		for i, s := range j.SteadyStates.During {
			if !yield(fmt.Sprintf("steady_states.during[%d].probes", i), s.Probes) {
				return
			}
		}
		if s := j.SteadyStates.After; s != nil && !yield("steady_states.after.probes", s.Probes) {
			return
		}
		if yield("run", j.Run) {
			yield("rollbacks", j.Rollbacks)
		}
	}
}

// syntaxProblem is for a text that is no JSON.
func syntaxProblem(err error) *Problem {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		what := "no JSON"
		if syntax.Err != nil {
			what = syntax.Err.Error()
		}
		return &Problem{Path: dotted(syntax.JSONPointer), Rule: fmt.Sprintf("at byte %d: %s", syntax.ByteOffset, oneLine(what))}
	}
	return &Problem{Rule: oneLine(err.Error())}
}

// typeProblem is for a member of another type than is wanted.
func typeProblem(err error, whole jsontext.Value) *Problem {
	var semantic *json.SemanticError
	if !errors.As(err, &semantic) {
		return syntaxProblem(err)
	}
	p := &Problem{Path: dotted(semantic.JSONPointer), Value: cut(string(at(whole, semantic.JSONPointer))), Rule: "is of the wrong type"}
	switch {
	case errors.Is(semantic.Err, errTime):
		p.Rule = errTime.Error()
	case errors.Is(semantic.Err, strconv.ErrRange):
		p.Rule = "must be a number that a double holds"
	case semantic.JSONKind != 0 && semantic.GoType != nil:
		p.Rule = fmt.Sprintf("must not be %s", kindName(semantic.JSONKind))
	}
	return p
}

// at is the value at a place; nil where there is none.
func at(whole jsontext.Value, pointer jsontext.Pointer) jsontext.Value {
	for token := range pointer.Tokens() {
		var members map[string]jsontext.Value
		var elements []jsontext.Value
		if json.Unmarshal(whole, &members) == nil {
			whole = members[token]
		} else if i, err := strconv.Atoi(token); err == nil && json.Unmarshal(whole, &elements) == nil && i < len(elements) {
			whole = elements[i]
		} else {
			return nil
		}
	}
	return whole
}

func kindName(k jsontext.Kind) string {
	switch k {
	case jsontext.KindNull:
		return "null"
	case jsontext.KindTrue, jsontext.KindFalse:
		return "a boolean"
	case jsontext.KindString:
		return "a text"
	case jsontext.KindNumber:
		return "a number"
	case jsontext.KindBeginObject:
		return "an object"
	case jsontext.KindBeginArray:
		return "an array"
	default:
		return "this"
	}
}

// dotted is a JSON pointer as people write it: run[2].start; cut, for a journal may
// nest thousands deep.
func dotted(pointer jsontext.Pointer) string {
	var b strings.Builder
	for token := range pointer.Tokens() {
		if b.Len() > 2*shown {
			b.WriteString("...")
			break
		}
		if _, err := strconv.ParseUint(token, 10, 32); err == nil {
			b.WriteString("[" + token + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(oneLine(token))
	}
	return b.String()
}

// shown is how much of a value an error repeats.
const shown = 80

func cut(s string) string {
	if len(s) <= shown {
		return s
	}
	s = s[:shown]
	for !utf8.ValidString(s) && s != "" {
		s = s[:len(s)-1]
	}
	return s + "..."
}

// oneLine is a text without what a terminal obeys.
func oneLine(s string) string {
	quoted := strconv.Quote(cut(s))
	return quoted[1 : len(quoted)-1]
}

// quoteNonFinite turns the words that Python writes for numbers that JSON does
// not have into texts.
func quoteNonFinite(text []byte) []byte {
	if !bytes.Contains(text, []byte("NaN")) && !bytes.Contains(text, []byte("Infinity")) {
		return text
	}
	out := make([]byte, 0, len(text)+64)
	inString := false
	for i := 0; i < len(text); {
		if inString {
			switch text[i] {
			case '\\':
				end := min(i+2, len(text))
				out = append(out, text[i:end]...)
				i = end
				continue
			case '"':
				inString = false
			}
			out = append(out, text[i])
			i++
			continue
		}
		word := ""
		for _, w := range []string{"NaN", "-Infinity", "Infinity"} {
			if bytes.HasPrefix(text[i:], []byte(w)) {
				word = w
				break
			}
		}
		if word != "" {
			out = append(append(append(out, '"'), word...), '"')
			i += len(word)
			continue
		}
		inString = text[i] == '"'
		out = append(out, text[i])
		i++
	}
	return out
}

// present tells whether a member is there and not null.
func present(v stdjson.RawMessage) bool { return len(v) > 0 && string(v) != "null" }
