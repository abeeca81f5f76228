package scenario_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// costly are texts of about the greatest length, each made to cost more than it
// shows.
func costly() map[string]string {
	const most = 500 << 10
	fill := func(before, unit, after string) string {
		return before + strings.Repeat(unit, (most-len(before)-len(after))/len(unit)) + after
	}
	list := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(strings.ReplaceAll(format, "#", fmt.Sprint(i)))
		}
		return b.String()
	}
	const variables = head + "spec:\n  phases: [{name: a, duration: 1m}]\n  variables:\n"
	return map[string]string{
		"a list of 250,000":            fill(head+"x: [", "a,", "]"),
		"a list of 250,000 in JSON":    fill(`{"apiVersion":"chaos.trading/v1","kind":"Scenario","x":[`, "0,", "0]}"),
		"levels that never end":        fill(head+"x: ", "[", ""),
		"levels of maps":               fill(head+"x: ", "{a: ", ""),
		"empty keys":                   fill(head+"x: {", ":,", "}"),
		"equal keys":                   fill(head+"x: {", "a: 1, ", "}"),
		"merge keys":                   fill(head+"x: {", "<<: {}, ", "}"),
		"anchors":                      fill(head+"x: [", "&a a,", "]"),
		"aliases":                      fill(head+"x: [&a a,", "*a,", "]"),
		"complex keys":                 fill(head, "? \n", ""),
		"comments":                     fill(head, "#\n", ""),
		"documents":                    fill(head, "---\na\n", ""),
		"directives":                   fill("%TAG ! a\n", "%TAG !a! b\n", "---\n"+head),
		"one long sum":                 fill(head+"spec: {variables: {a: '{{ 1", "+1", " }}'}}"),
		"one long number":              fill(head+"spec: {variables: {a: '{{ ", "1", " }}'}}"),
		"one long duration":            fill(head+"spec: {variables: {a: '{{ ", "1h", " }}'}}"),
		"placeholders":                 fill(head+"spec: {variables: {a: '", "{{1}}", "'}}"),
		"placeholders without end":     fill(head+"spec: {variables: {a: '", "{{", "'}}"),
		"almost the version":           fill("", "\n{,apiVersion: chaos.trading/v1 x", ""),
		"misspelled variables":         variables + list(4000, "    variable_number_#: '{{ .Variables.variable_numbex_# }}'\n"),
		"misspelled variables, longer": variables + list(60, "    variable_"+strings.Repeat("n", 3000)+"#: '{{ .Variables.variable_"+strings.Repeat("m", 3000)+"# }}'\n"),
		"misspelled fields":            head + "spec:\n  phases:\n" + list(4000, "    - {namf: p#, duratiom: 1m}\n"),
	}
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestDefinitionsAreReadAtABoundedCost(t *testing.T) { //nolint:paralleltest // measures the memory of the process
	for name, text := range costly() {
		t.Run(name, func(t *testing.T) {
			used := allocated(func() { _, _ = scenario.ParseDefinition(text, scenario.DefaultLimits()) })
			if used > mostMemory {
				t.Errorf("%d MiB allocated to read %d KiB", used>>20, len(text)>>10)
			}
		})
	}
}

// What would take long to compare is not compared.
func TestNothingIsGuessedForNamesThatNobodyMistypes(t *testing.T) {
	t.Parallel()
	for length, want := range map[int]bool{10: true, 3000: false} {
		text := head + "spec:\n  phases: [{name: a, duration: 1m}]\n  variables: {" + strings.Repeat("n", length) + ": 1, b: '{{ .Variables." + strings.Repeat("n", length-1) + " }}'}\n"
		_, problems := scenario.ParseDefinition(text, scenario.DefaultLimits())
		if len(problems) != 1 || strings.Contains(problems[0].Message, "did you mean") != want {
			t.Errorf("a name of %d bytes: %v, want a guess: %v", length, problems, want)
		}
	}
}

// Parameters are checked inside the transaction that holds the lock of all
// definitions.
func TestParametersAreCheckedAtABoundedCost(t *testing.T) { //nolint:paralleltest // measures the memory of the process
	var declared strings.Builder
	given := map[string]int{}
	for i := range 1500 {
		fmt.Fprintf(&declared, "  - {name: parameter_%d, type: int}\n", i)
		given[fmt.Sprint("parametre_", i)] = i
	}
	template := strings.Replace(templateHead, "parameters:\n", "parameters:\n"+declared.String(), 1) + onePhase
	d, problems := scenario.ParseDefinition(template, scenario.DefaultLimits())
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	object, err := json.Marshal(given)
	if err != nil {
		t.Fatal(err)
	}
	used := allocated(func() { problems = d.CheckParameters(object) })
	if len(problems) < 1500 {
		t.Fatalf("%d problems: %v", len(problems), problems)
	}
	if used > mostMemory {
		t.Errorf("%d MiB allocated to find %d problems", used>>20, len(problems))
	}
}
