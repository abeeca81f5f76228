package render

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

// tone is what a status means to a reader: it chooses colour and mark, never alone.
func tone(status string) string {
	switch status {
	case "passed", "recovered", "healthy", "ok", "up":
		return "good"
	case "failed", "error", "timeout", "unhealthy", "down", "critical", "high":
		return "bad"
	case "interrupted", "cancelled", "degraded", "injected", "in_progress", "warning", "medium", "late":
		return "warn"
	case "running", "paused", "cleared":
		return "busy"
	}
	return "idle"
}

// mark is a sign for a status that does without colour.
func mark(status string) string {
	switch status {
	case "failed":
		return "✗"
	case "skipped", "cancelled":
		return "⊘"
	case "timeout":
		return "◷"
	case "paused":
		return "‖"
	case "cleared":
		return "◐"
	case "high":
		return "▲"
	case "medium":
		return "◆"
	case "low":
		return "▽"
	}
	return map[string]string{"good": "✓", "bad": "✗", "warn": "⚠", "busy": "▸", "idle": "○"}[tone(status)]
}

// goneText says what retention had removed of the run; empty for nothing.
func goneText(r *report.Report) string {
	g := r.Inputs.Gone
	if g == nil {
		return ""
	}
	what := map[string]string{report.GoneLogs: "log lines", report.GoneSnapshots: "snapshots"}
	names := make([]string, len(g.Kinds))
	for i, kind := range g.Kinds {
		names[i] = or(what[kind], kind)
	}
	text := capital(strings.Join(names, " and ")) + " of this run were removed by retention, last" + optional(" by policy %s", g.Policy) +
		" on " + stamp(g.At) + ": this report was made without them."
	if g.Revision > 0 {
		text += fmt.Sprintf(" Revision %d was made from the whole run, as it was then.", g.Revision)
	}
	return text
}

// word is a status or a name of the contract as people write it.
func word(s string) string { return strings.ReplaceAll(s, "_", " ") }

func optional(form, s string) string {
	if s == "" {
		return ""
	}
	return fmt.Sprintf(form, s)
}

func attemptText(r *report.Report) string {
	if r.Run.Attempt == 0 {
		return ""
	}
	return strconv.Itoa(int(r.Run.Attempt))
}

func first[T any](all []T, most int) []T { return all[:min(len(all), most)] }

// failedFirst is the order in which people look at validations.
func failedFirst(all []report.Validation) []*report.Validation {
	rank := func(v *report.Validation) int {
		switch v.Status {
		case execution.ValidationFailed:
			return 0
		case execution.ValidationError:
			return 1
		case execution.ValidationPassed:
			return 2
		case execution.ValidationSkipped:
			return 3
		}
		return 4
	}
	sorted := make([]*report.Validation, len(all))
	for i := range all {
		sorted[i] = &all[i]
	}
	slices.SortStableFunc(sorted, func(a, b *report.Validation) int { return cmp.Compare(rank(a), rank(b)) })
	return sorted
}

func byPriority(all []report.Recommendation) []report.Recommendation {
	rank := func(r report.Recommendation) int {
		if i := slices.Index([]string{"high", "medium", "low"}, r.Priority); i >= 0 {
			return i
		}
		return 3
	}
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b report.Recommendation) int { return cmp.Compare(rank(a), rank(b)) })
	return sorted
}

// steadyWord says what became of the steady state.
func steadyWord(s report.SteadyState) string {
	switch {
	case s.After.Total() == 0:
		return "It was not asked for after the faults."
	case s.Returned:
		return "The system left its steady state and came back."
	case s.Held:
		return "The steady state held."
	}
	return "The system did not come back to its steady state."
}

// change is a change of a duration, with its sign.
func change(s *float64) string {
	if s == nil {
		return none
	}
	if *s > 0 {
		return "+" + seconds(s)
	}
	return seconds(s)
}

// figureName is the name of a figure for people: mean_recovery is mean recovery.
func figureName(s string) string {
	s = strings.TrimSuffix(word(s), " seconds")
	return capital(s)
}

func capital(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	if size == 0 {
		return s
	}
	return string(unicode.ToUpper(r)) + s[size:]
}

// figure is a figure in its unit.
func figure(v *float64, unit string) string {
	switch {
	case v == nil || math.IsNaN(*v):
		return none
	case unit == "s" || unit == "seconds":
		return seconds(v)
	}
	return number(*v)
}

func figureChange(v *float64, unit string) string {
	switch {
	case v == nil || math.IsNaN(*v):
		return none
	case unit == "s" || unit == "seconds":
		return change(v)
	}
	return signed(*v)
}

func sorted(all []string) []string {
	slices.Sort(all)
	return all
}

// telling leaves out the figures that are zero, or unknown, in both runs.
func telling(all []report.FigureChange) []report.FigureChange {
	nothing := func(v *float64) bool { return v == nil || *v == 0 }
	return slices.DeleteFunc(slices.Clone(all), func(f report.FigureChange) bool { return nothing(f.A) && nothing(f.B) })
}
