package config

import (
	"fmt"
	"strings"
)

// Problem is one setting that cannot be used.
type Problem struct {
	Setting string // its name, as in --name
	From    string // where the value was read, such as $VARIABLE or file:line; empty when it is not known
	Value   string // as given, secrets redacted; empty when there is none
	Rule    string // what would have been right
}

// String is one line: setting, value, place and rule.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.Setting)
	if p.Value != "" {
		fmt.Fprintf(&b, " = %q", p.Value)
	}
	if p.From != "" {
		fmt.Fprintf(&b, " (%s)", p.From)
	}
	return b.String() + ": " + p.Rule
}

// Problems is everything that is wrong with a configuration, in the order of
// the settings' rules.
type Problems []Problem

// Error is a heading and one line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, 0, len(ps)+1)
	lines = append(lines, fmt.Sprintf("configuration: %d problem(s)", len(ps)))
	for _, p := range ps {
		lines = append(lines, "  "+p.String())
	}
	return strings.Join(lines, "\n")
}
