package contractcheck

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/agext/levenshtein"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// others are attributes of CloudEvents and of its documented extensions that
// the contract does not name: who sends them knows why.
var others = map[string]bool{"dataschema": true, "tracestate": true, "partitionkey": true}

// checkNames reports names that version 1 does not know.
func (g *Grader) checkNames(h *fact.Header, at Place) {
	for _, m := range members(h.Extensions) {
		switch value := fact.Cut(m.value); {
		case others[m.name]:
		case m.name == "traceparent":
			g.found.add(TraceContext, h.Type, m.name, Example{at, value, "a W3C trace context; this one is kept, and not continued"})
		default:
			g.unknown(UnknownAttribute, "", fact.Cut(m.name), Example{at, value, nearest(m.name, event.Attributes())})
		}
	}
	for _, m := range members(h.Unknown) {
		name := index.ReplaceAllString(m.name, "[]")
		g.unknown(UnknownField, h.Type, fact.Cut("data."+m.name), Example{at, fact.Cut(m.value), nearest(name, g.fields[h.Type])})
	}
}

// unknown reports a name. The rule of e is the known name that was probably
// meant; empty when none is near.
func (g *Grader) unknown(what What, typ fact.Type, field string, e Example) {
	if e.Rule == "" {
		e.Rule = "no name of contract version 1: kept, and without effect"
		g.found.add(what, typ, field, e)
		return
	}
	e.Rule = "did you mean " + e.Rule + "? This name has no effect"
	g.found.add(LikelyTypo, typ, field, e)
}

type nameAndText struct{ name, value string }

// members of an object that the decoder has written: names, and values as JSON.
func members(object json.RawMessage) []nameAndText {
	if object == nil {
		return nil
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(object, &values); err != nil {
		return nil // the decoder writes objects
	}
	all := make([]nameAndText, 0, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		all = append(all, nameAndText{name, string(values[name])})
	}
	return all
}

// longestName is how much of a name is compared, in bytes: all known ones are
// shorter.
const longestName = 100

// nearest is the known name that an unknown one was probably meant to be: of the
// same object, and the same but for case and separators, or with at most two
// letters, and a third of all, changed. Empty when there is none.
func nearest(name string, known []string) string {
	if len(name) > longestName {
		return ""
	}
	best, least := "", 3
	object, last := cutLast(name)
	for _, k := range known {
		within, other := cutLast(k)
		if d := levenshtein.Distance(last, other, nil); within == object && d < least && 3*d <= len(other) {
			best, least = k, d
		}
	}
	return best
}

var separators = strings.NewReplacer("_", "", "-", "")

// cutLast splits a path into the object and the plain name of its field.
func cutLast(path string) (object, name string) {
	at := strings.LastIndexByte(path, '.') + 1
	return path[:at], separators.Replace(strings.ToLower(path[at:]))
}
