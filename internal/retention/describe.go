package retention

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Describe says in one line what a policy keeps.
func (p *Policy) Describe() string {
	var b strings.Builder
	b.WriteString(strings.Join(p.Data.Names(), ", "))
	if p.Data.Has(Run) {
		b.Reset()
		b.WriteString("runs with everything of them")
	}
	if about := p.Match.describe(); about != "" {
		b.WriteString(" (" + about + ")")
	}
	b.WriteString(": " + p.Keep.String())
	return b.String()
}

func (m *Match) describe() string {
	var parts []string
	list := func(name string, values []string) {
		if len(values) > 0 {
			parts = append(parts, name+" "+strings.Join(values, " or "))
		}
	}
	list("scenario", m.Scenarios)
	statuses := make([]string, len(m.Statuses))
	for i, s := range m.Statuses {
		statuses[i] = string(s)
	}
	list("status", statuses)
	list("environment", m.Environments)
	if len(m.Labels) > 0 {
		parts = append(parts, strconv.Itoa(len(m.Labels))+" label(s)")
	}
	return strings.Join(parts, ", ")
}

// String says what is kept.
func (k Keep) String() string {
	switch {
	case k.Forever():
		return "kept for ever"
	case k.Age == 0:
		return fmt.Sprintf("the newest %d of each scenario are kept", k.Count)
	case k.Count == 0:
		return "kept for " + Age(k.Age)
	}
	return fmt.Sprintf("kept for %s, and the newest %d of each scenario for ever", Age(k.Age), k.Count)
}

// Age writes an age in days where it is some.
func Age(d time.Duration) string {
	switch {
	case d == day:
		return "1 day"
	case d%day == 0:
		return strconv.Itoa(int(d/day)) + " days"
	}
	return d.String()
}
