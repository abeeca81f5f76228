package retention

import (
	"slices"
	"strings"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
)

// Policy says for how long some kinds of data of some runs are kept.
type Policy struct {
	Name  string
	Match Match
	Keep  Keep
	Data  Kinds // never empty
}

// Match selects runs: those that meet every condition that is given.
type Match struct {
	Scenarios    []string // globs: * is any text, ? any character
	Statuses     []execution.Status
	Environments []string // globs
	Labels       map[string]string
}

// Keep is what a policy keeps of the runs that it matches: those younger than Age,
// and the newest Count of each scenario. Without either it keeps all.
type Keep struct {
	Age   time.Duration // since the end of the run; 0: age keeps nothing
	Count int           // 0: number keeps nothing
}

// Forever tells whether nothing ever goes by it.
func (k Keep) Forever() bool { return k.Age == 0 && k.Count == 0 }

// covers tells whether a policy decides about a kind.
func (p *Policy) covers(kind Kinds) bool { return p.Data.Has(kind) || p.Data.Has(Run) }

func (m *Match) matches(r *RunFacts) bool {
	if len(m.Scenarios) > 0 && !anyGlob(m.Scenarios, r.ScenarioID) {
		return false
	}
	if len(m.Environments) > 0 && !anyGlob(m.Environments, r.Environment) {
		return false
	}
	if len(m.Statuses) > 0 && !slices.Contains(m.Statuses, r.Status) {
		return false
	}
	for name, value := range m.Labels {
		if got, ok := r.Labels[name]; !ok || got != value {
			return false
		}
	}
	return true
}

func anyGlob(patterns []string, text string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return Glob(p, text) })
}

// Glob tells whether a text is of a pattern, in which * is any text and ? any
// character. It takes time of at most the product of both lengths.
func Glob(pattern, text string) bool {
	p, t := []rune(pattern), []rune(text)
	at, star, from := 0, -1, 0
	for i := 0; i < len(t); {
		switch {
		case at < len(p) && p[at] == '*':
			star, from = at, i
			at++
		case at < len(p) && (p[at] == '?' || p[at] == t[i]):
			at++
			i++
		case star >= 0:
			from++
			at, i = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(string(p[at:]), "*") == ""
}

// Rules are everything that decides.
type Rules struct {
	Policies []Policy
	Quiet    time.Duration // a run that has changed since so long is left alone
	Audit    time.Duration // entries of the audit log that are older go; 0: none
}

// Any tells whether anything can go at all.
func (r *Rules) Any() bool {
	return r.Audit > 0 || slices.ContainsFunc(r.Policies, func(p Policy) bool { return !p.Keep.Forever() })
}

// NeedsLabels tells whether labels of runs are asked for.
func (r *Rules) NeedsLabels() bool {
	return slices.ContainsFunc(r.Policies, func(p Policy) bool { return len(p.Match.Labels) > 0 })
}

// ForDays is a policy for all runs, as the simple settings say it; 0 days are none.
func ForDays(name string, data Kinds, days int) []Policy {
	if days <= 0 {
		return nil
	}
	return []Policy{{Name: name, Keep: Keep{Age: time.Duration(days) * day}, Data: data}}
}

const day = 24 * time.Hour
