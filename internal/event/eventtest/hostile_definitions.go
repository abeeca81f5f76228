package eventtest

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

const (
	scenarioHead = "apiVersion: chaos.trading/v1\nkind: Scenario\nmetadata: {name: n}\n"
	templateHead = "apiVersion: chaos.trading/v1\nkind: Template\nmetadata: {name: n}\n"
	somePhase    = "spec: {phases: [{name: a, duration: 1m}]}\n"
)

func quoted(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err) // a text can always be quoted
	}
	return string(b)
}

// scenario publishes a definition under the line's own id.
func (h *hostiles) scenario(definition, members string) kafkarecord.Record {
	return h.data(fact.TypeScenarioPublished, `{"scenario_id":"`+h.id()+`","definition":`+quoted(definition)+members+`}`)
}

func (h *hostiles) template(definition string) kafkarecord.Record {
	return h.data(fact.TypeTemplatePublished, `{"template_id":"`+h.id()+`","definition":`+quoted(definition)+`}`)
}

// laughs is YAML of a few hundred bytes that stands for a billion of them.
func laughs() string {
	b := "a: &a [lol,lol,lol,lol,lol,lol,lol,lol,lol]\n"
	for c := 'b'; c <= 'i'; c++ {
		b += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", c-1), 9), ","))
	}
	return b
}

// definitions are texts of the definition language, and of what YAML can do
// beside it.
func (h *hostiles) definitions() {
	h.begin("definitions")
	for name, text := range inOrder(map[string]string{
		"a billion laughs":            scenarioHead + laughs() + somePhase,
		"a billion laughs in JSON":    `{"apiVersion":"chaos.trading/v1","kind":"Scenario",` + strings.Repeat(`"a":{`, 40) + strings.Repeat("}", 40) + "}",
		"an anchor":                   scenarioHead + "spec: {phases: [&a {name: a, duration: 1m}]}\n",
		"an alias to itself":          scenarioHead + "spec: &a {phases: *a}\n",
		"a merge key":                 scenarioHead + "spec: {<<: {phases: []}}\n",
		"a tag of Python":             scenarioHead + "spec: !!python/object/apply:os.system [id]\n",
		"a binary":                    scenarioHead + "spec: {phases: [{name: !!binary cA==}]}\n",
		"a set":                       scenarioHead + "spec: !!set {phases}\n",
		"a local tag":                 scenarioHead + "spec: !x {phases: []}\n",
		"a key twice":                 scenarioHead + somePhase + somePhase,
		"a key twice, once in quotes": scenarioHead + somePhase + `"spec": {}` + "\n",
		"a key twice in JSON":         `{"apiVersion":"chaos.trading/v1","kind":"Scenario","metadata":{"name":"n"},"spec":{"phases":[{"name":"a"}]},"sp\u0065c":{}}`,
		"not a number":                scenarioHead + "spec: {variables: {a: .nan}, phases: [{name: a}]}\n",
		"infinite":                    scenarioHead + "spec: {variables: {a: -.inf}, phases: [{name: a}]}\n",
		"an integer beyond 2^53":      scenarioHead + "spec: {variables: {a: 0x20000000000001}, phases: [{name: a}]}\n",
		"y for true":                  scenarioHead + "spec: {phases: [{name: a}], rollback: {on_failure: y}}\n",
		"no for false":                scenarioHead + "spec: {phases: [{name: a}], rollback: {on_failure: no}}\n",
		"two documents":               scenarioHead + somePhase + "---\n" + scenarioHead + somePhase,
		"a directive":                 "%TAG ! tag:x,2000:\n---\n" + scenarioHead + "spec: !y {}\n",
		"a complex key":               scenarioHead + "? [a]\n: b\n" + somePhase,
		"a null key":                  scenarioHead + "~: b\n" + somePhase,
		"tabs":                        scenarioHead + "spec:\n\tphases: []\n",
		"cut off":                     scenarioHead + "spec: {phases: [",
		"5,000 levels":                scenarioHead + "spec: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "\n",
		"5,000 levels of dashes":      scenarioHead + "spec:\n" + strings.Repeat("- ", 5000) + "\n",
		"11,000 keys":                 scenarioHead + "spec: {variables: {" + strings.Repeat("a: 1, ", 11_000) + "}}\n",
		"a template":                  templateHead + somePhase,
		"no kind":                     "apiVersion: chaos.trading/v1\n" + somePhase,
		"another kind":                "apiVersion: chaos.trading/v1\nkind: scenario\nmetadata: {name: n}\n" + somePhase,
		"a misspelled field":          scenarioHead + "spec: {phase: []}\n",
		"a duration below zero":       scenarioHead + "spec: {duration: -1h, phases: [{name: a}]}\n",
		"a duration beyond all":       scenarioHead + "spec: {duration: 99999999h, phases: [{name: a}]}\n",
		"a duration as a number":      scenarioHead + "spec: {duration: 60, phases: [{name: a}]}\n",
		"a phase twice":               scenarioHead + "spec: {phases: [{name: a}, {name: a}]}\n",
		"an unknown placeholder":      scenarioHead + "spec: {phases: [{name: '{{ .Parameters.x }}'}]}\n",
		"a placeholder of its own":    scenarioHead + "spec: {variables: {a: '{{ .Variables.a }}'}, phases: [{name: a}]}\n",
		"a placeholder with a call":   scenarioHead + `spec: {phases: [{name: '{{ printf "%s" .Parameters }}'}]}` + "\n",
		"a placeholder in a key":      scenarioHead + "spec: {variables: {'{{ .Variables.a }}': 1}, phases: [{name: a}]}\n",
		"a placeholder that overflows": scenarioHead +
			"spec: {variables: {a: '{{ 2562047h + 2562047h }}'}, phases: [{name: a}]}\n",
		"placeholders that double": scenarioHead + "spec:\n  phases: [{name: a}]\n  variables:\n    v0: " + strings.Repeat("x", 100) + "\n" + doubling(30),
	}) {
		h.refused(fact.ReasonDefinition, "a scenario with "+name, h.scenario(text, ""))
	}
	h.refused(fact.ReasonDefinition, "a template that is opaque", h.template("{}"))
	h.refused(fact.ReasonDefinition, "a template that extends itself", h.template(strings.Replace(templateHead, "name: n", "name: n, extends: "+h.id(), 1)+somePhase))
	h.refused(fact.ReasonTooLarge, "a definition of 513 KiB", h.scenario(strings.Repeat("x", 513<<10), ""))
	h.refused(fact.ReasonSchema, "an empty definition", h.scenario("", ""))

	h.begin("free-form definitions")
	for name, text := range inOrder(map[string]string{
		"as the coordinator writes them": `{"name":"n","description":"d","steps":[]}`,
		"broken YAML":                    "{name: [",
		"of another version":             "apiVersion: chaos.trading/v2\nkind: Scenario\nspec: !!python/object {}\n",
		"a billion laughs":               laughs(),
		"the version in a text":          "note: 'apiVersion: chaos.trading/v1'\n: [",
		"spaces":                         " \n\t",
		"only a byte order mark":         "\ufeff",
		"in brackets without end":        strings.Repeat("[", 100_000),
		"with every key twice":           `{"a":1,"a":2}`,
		"512 KiB of one letter":          strings.Repeat("é", 256<<10),
	}) {
		h.accepted("opaque: "+name, h.scenario(text, ""))
	}
	h.accepted("octal, dates, underscores and no", h.scenario(scenarioHead+
		"spec: {variables: {a: 0o17, b: 017, c: 2026-02-30, d: 1_000, e: no, f: 12:30:45, g: 1e3, h: ~, i: ''}, phases: [{name: a}]}\n", ""))
}

// doubling are n variables, each twice the one before.
func doubling(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "    v%d: '{{ .Variables.v%d }}{{ .Variables.v%d }}'\n", i+1, i, i)
	}
	return b.String()
}

// templates are parameters that do not fit their template, one published for
// each line.
func (h *hostiles) templates() {
	h.begin("parameters")
	const typed = `parameters:
  - {name: s, type: string}
  - {name: e, type: enum, values: [a, b]}
  - {name: i, type: int, required: true, min: 1, max: 10}
  - {name: f, type: float, min: 0.5}
  - {name: b, type: bool}
  - {name: d, type: duration, max: 36h, default: 1h}
spec: {duration: '{{ .Parameters.d + 10m }}', phases: [{name: a, description: '{{ .Parameters.s }}'}]}
`
	use := func(parameters string) kafkarecord.Record {
		h.after(about(h.id()+"-t", fact.TypeTemplatePublished, `{"template_id":"`+h.id()+`-t","definition":`+quoted(templateHead+typed)+`}`))
		return h.scenario("x", `,"template":{"template_id":"`+h.id()+`-t","parameters":`+parameters+`}`)
	}
	for name, parameters := range inOrder(map[string]string{
		"missing":                `{}`,
		"none at all":            `null`,
		"null":                   `{"i":null}`,
		"a text for a number":    `{"i":"3"}`,
		"a fraction":             `{"i":1.5}`,
		"out of range":           `{"i":11}`,
		"far out of range":       `{"i":1e300}`,
		"unknown":                `{"i":1,"x":1}`,
		"in another case":        `{"I":1}`,
		"not a word of the enum": `{"i":1,"e":"c"}`,
		"a number for a text":    `{"i":1,"s":1}`,
		"a text for a flag":      `{"i":1,"b":"true"}`,
		"a list":                 `{"i":1,"s":["a"]}`,
		"a duration beyond all":  `{"i":1,"d":"9999999h"}`,
		"not a duration":         `{"i":1,"d":"P1D"}`,
		"nested for nothing":     `{"i":{"i":{"i":1}}}`,
		"2,000 unknown":          `{"i":1` + numbered(2000, `,"parametre_%d":1`) + `}`,
	}) {
		h.refused(fact.ReasonParameters, "parameters: "+name, use(parameters))
	}
	h.refused(fact.ReasonParameters, "parameters: a placeholder", use(`{"i":1,"s":"{{ .Parameters.s }}"}`))
	h.accepted("parameters that look like YAML", use(`{"i":1,"s":"\n- !!python/object {}: &a *a #"}`))
	h.accepted("a duration below zero, where nothing forbids it", use(`{"i":1,"d":"-10m"}`))
	h.accepted("parameters that fit", use(`{"i":1e0,"e":"a","f":5e-1,"b":true,"d":"36h"}`))

	// Only when the template is filled in are they put in place of their names;
	// that has a budget.
	h.begin("bombs of parameters")
	bomb := func(name, variables string) {
		h.after(about(h.id()+"-t", fact.TypeTemplatePublished, `{"template_id":"`+h.id()+`-t","definition":`+
			quoted(templateHead+"parameters: [{name: s, type: string}]\nspec:\n  phases: [{name: a}]\n  variables:\n"+variables)+`}`))
		h.accepted(name, h.scenario("x", `,"template":{"template_id":"`+h.id()+`-t","parameters":{"s":"`+strings.Repeat("x", 64<<10)+`"}}`))
	}
	bomb("64 KiB, doubled ten times", "    v0: '{{ .Parameters.s }}'\n"+doubling(10))
	bomb("64 KiB, used 3,000 times", numbered(3000, "    v%d: '{{ .Parameters.s }}'\n"))
}

func numbered(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// schedules are schedules that could never come due, or too often.
func (h *hostiles) schedules() {
	h.begin("schedules")
	set := func(members string) kafkarecord.Record {
		return h.data(fact.TypeScheduleSet, `{"schedule_id":"`+h.id()+`","scenario_id":"s",`+members+`}`)
	}
	for _, cron := range []string{
		"* * * * * *", "@every 1ns", "@reboot", "@daily", "TZ=Europe/Zurich 0 3 * * *", "CRON_TZ=../../etc/passwd 0 3 * * *", "TZ=0", "0 0 30 2 *", "0 0 31 4,6,9,11 *", "60 * * * *", "* 24 * * *",
		"* * 0 * *", "* * * 13 *", "* * * * 8", "*/0 * * * *", "*/-1 * * * *", "5-1 * * * *", "1-2-3 * * * *", "1//2 * * * *", "*/99999999999999999999 * * * *", "99999999999999999999 * * * *",
		"0 0 1 1 * 2026", "x * * * *", "* * * * *\n* * * * *", "١ * * * *", "* * * * L", "0 0 1W * *", "? ? ? ?", " ", strings.Repeat("0,", 200) + "0 * * * *", "%s%n * * * *",
	} {
		h.refused(fact.ReasonSchema, "cron "+cron[:min(len(cron), 50)], set(`"kind":"cron","cron":`+quoted(cron)))
	}
	for _, zone := range []string{
		"../../etc/passwd", "/etc/localtime", "Local", "localtime", "posixrules", "right/UTC", "UTC+25", "europe/zurich", "Europe/Zurich\x01", "Europe//Zurich", "Europe/", "Mars/Olympus", ".", "C:\\Windows",
		strings.Repeat("A/", 1000) + "A", "GMT+0 ", "UTC;rm",
	} {
		h.refused(fact.ReasonSchema, "zone "+zone[:min(len(zone), 50)], set(`"kind":"cron","cron":"0 3 * * *","time_zone":`+quoted(zone)))
	}
	h.refused(fact.ReasonSchema, "once without a time", set(`"kind":"once"`))
	h.refused(fact.ReasonSchema, "cron with a time", set(`"kind":"cron","cron":"0 3 * * *","run_at":"2026-05-01T00:00:00Z"`))
	h.refused(fact.ReasonSchema, "after itself", set(`"kind":"after_scenario","after_scenario_id":"s"`))
	h.refused(fact.ReasonSchema, "ends before it begins", set(`"kind":"cron","cron":"0 3 * * *","not_before":"2026-05-02T00:00:00Z","not_after":"2026-05-01T00:00:00Z"`))
	h.refused(fact.ReasonSchema, "a deadline of a nanosecond", set(`"kind":"cron","cron":"0 3 * * *","starting_deadline":"1ns"`))
	h.refused(fact.ReasonRange, "a deadline of 200 years", set(`"kind":"cron","cron":"0 3 * * *","starting_deadline":"1752000h"`))
	h.accepted("29 February, in a zone of the embedded database", set(`"kind":"cron","cron":"0 0 29 2 *","time_zone":"America/Argentina/ComodRivadavia"`))
	h.accepted("every list of all minutes", set(`"kind":"cron","cron":"`+strings.TrimPrefix(numbered(60, ",%d"), ",")+` * * * *"`))
	h.accepted("names and steps", set(`"kind":"cron","cron":"*/7,3-50/13 1-23/2 ? JAN-dec sun,6"`))
}

// dependencies are graphs that cannot be walked to an end.
func (h *hostiles) dependencies() {
	declare := func(id string, on ...string) kafkarecord.Record {
		edges := make([]string, len(on))
		for i, other := range on {
			edges[i] = `{"depends_on":"` + other + `","kind":"requires_run"}`
		}
		return about(id, fact.TypeDependenciesDeclared, `{"scenario_id":"`+id+`","dependencies":[`+strings.Join(edges, ",")+`]}`)
	}
	h.begin("dependencies")
	h.refused(fact.ReasonCycle, "on itself", declare(h.id(), h.id()))
	h.refused(fact.ReasonCycle, "on itself, to exclude itself", h.data(fact.TypeDependenciesDeclared,
		`{"scenario_id":"`+h.id()+`","dependencies":[{"depends_on":"a","kind":"conflicts_with"},{"depends_on":"`+h.id()+`","kind":"conflicts_with"}]}`))
	for i := range 4 {
		h.after(declare(fmt.Sprint(h.id(), "-", i), fmt.Sprint(h.id(), "-", i+1)))
	}
	h.refused(fact.ReasonCycle, "a cycle over 5 scenarios", declare(h.id()+"-4", h.id()+"-0"))
	h.after(declare(h.id()+"-a", h.id()))
	h.refused(fact.ReasonCycle, "a cycle over 2, among others", declare(h.id(), "x", h.id()+"-a", "y"))
	h.refused(fact.ReasonSchema, "the same twice", declare(h.id(), "a", "a"))
	h.refused(fact.ReasonLimit, "1,001 edges", declare(h.id(), strings.Fields(numbered(1001, "d-%d "))...))
	h.refused(fact.ReasonSchema, "a maximum age of a nanosecond", h.data(fact.TypeDependenciesDeclared,
		`{"scenario_id":"`+h.id()+`","dependencies":[{"depends_on":"a","kind":"requires_run","max_age":"1ns"}]}`))
	h.refused(fact.ReasonSchema, "of no kind", h.data(fact.TypeDependenciesDeclared, `{"scenario_id":"`+h.id()+`","dependencies":[{"depends_on":"a"}]}`))
	h.accepted("a cycle of exclusions", h.data(fact.TypeDependenciesDeclared, `{"scenario_id":"`+h.id()+`","dependencies":[{"depends_on":"a","kind":"must_not_overlap"}]}`))

	// 10 lists of 999 fill the graph; nothing that comes later may add to it.
	h.begin("a full graph of dependencies")
	for i := range 10 {
		h.after(declare(fmt.Sprint(h.id(), "-", i), strings.Fields(numbered(990, fmt.Sprint(h.id(), "-d")+"%d "))...))
	}
	h.refused(fact.ReasonLimit, "10,000 edges", declare(h.id(), strings.Fields(numbered(200, "d-%d "))...))
}
