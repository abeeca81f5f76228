package scenario_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario/examples"
)

// head begins a document whose spec follows.
const head = "apiVersion: chaos.trading/v1\nkind: Scenario\nmetadata: {name: n}\n"

// templateHead begins a template with one parameter of each type; its spec
// follows.
const templateHead = `apiVersion: chaos.trading/v1
kind: Template
metadata: {name: n}
parameters:
  - {name: s, type: string}
  - {name: e, type: enum, values: [a, 5m]}
  - {name: i, type: int, min: -3, max: 10}
  - {name: f, type: float, min: 0.5, max: 2}
  - {name: b, type: bool}
  - {name: d, type: duration, min: 1m, max: 36h}
`

// onePhase is the smallest spec.
const onePhase = "spec: {phases: [{name: p}]}\n"

func lines(problems scenario.Problems) []string {
	if len(problems) == 0 {
		return nil
	}
	return strings.Split(problems.Error(), "\n")
}

func TestParseDefinitionReportsAllProblemsWithTheirPlaces(t *testing.T) {
	t.Parallel()
	const text = `apiVersion: chaos.trading/v1
kind: Scenario
metadata:
  description: no name
  lables: [x]
spec:
  duration: 36 hours
  timeout: -1h
  phases:
    - name: baseline
    - name: injection
      parallel_actions:
        - {service: s, action: a, delay: 1m}
        - {service: s, action: a, delay: soon}
      actions:
        - action: inject_latency
          parameter: {ms: 5}
        - service: ""
          action: "{{ .Variables.shok }}"
      assertions: {type: alert}
    - name: baseline
      asertions: []
  variables: {shock: 5}
  rollback: {on_failure: always}
`
	_, problems := scenario.ParseDefinition(text, scenario.DefaultLimits())
	want := []string{
		`4:3: metadata.name: required`,
		`5:3: metadata.lables: unknown field`,
		`7:13: spec.duration: want a duration such as 36h, 1h30m or 1.5s`,
		`8:12: spec.timeout: must not be negative`,
		`14:42: spec.phases[1].parallel_actions[1].delay: want a duration such as 36h, 1h30m or 1.5s`,
		`16:11: spec.phases[1].actions[0].service: required`,
		`17:11: spec.phases[1].actions[0].parameter: unknown field (did you mean "parameters"?)`,
		`18:20: spec.phases[1].actions[1].service: must not be empty`,
		`19:19: spec.phases[1].actions[1].action: unknown name .Variables.shok (did you mean "shock"?)`,
		`20:19: spec.phases[1].assertions: want a list`,
		`21:13: spec.phases[2].name: duplicate phase, first on line 10`,
		`22:7: spec.phases[2].asertions: unknown field (did you mean "assertions"?)`,
		`24:26: spec.rollback.on_failure: want true or false`,
	}
	if diff := cmp.Diff(want, lines(problems)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestParseDefinitionProblems(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", 40) + strings.Repeat("]", 40)
	laughs := head + "a: &a [x, x]\n"
	for c := 'b'; c < 'k'; c++ {
		laughs += fmt.Sprintf("%c: &%c [*%c, *%c]\n", c, c, c-1, c-1)
	}
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"no kind":       {"apiVersion: chaos.trading/v1", []string{"1:1: kind: required: Scenario or Template"}},
		"another kind":  {"apiVersion: chaos.trading/v1\nkind: Workflow", []string{"2:7: kind: want Scenario or Template"}},
		"nothing else":  {"apiVersion: chaos.trading/v1\nkind: Scenario", []string{"1:1: metadata: required", "1:1: spec: required"}},
		"empty spec":    {head + "spec: {}", []string{"4:7: spec.phases: required"}},
		"no phase":      {head + "spec: {phases: []}", []string{"4:16: spec.phases: want at least one phase"}},
		"null phase":    {head + "spec: {phases: [~]}", []string{"4:17: spec.phases[0]: empty item"}},
		"spec is text":  {head + "spec: x", []string{"4:7: spec: want a map"}},
		"unknown field": {head + onePhase + "status: {}", []string{"5:1: status: unknown field"}},
		"phase is text": {head + "spec: {phases: [x]}", []string{"4:17: spec.phases[0]: want a map"}},
		"name is a map": {head + "spec: {phases: [{name: {}}]}", []string{"4:24: spec.phases[0].name: want text"}},
		"parameters are text": {
			head + "spec: {phases: [{name: p, actions: [{service: s, action: a, parameters: x}]}]}",
			[]string{"4:73: spec.phases[0].actions[0].parameters: want a map"},
		},
		"delay of a plain action": {
			head + "spec: {phases: [{name: p, actions: [{service: s, action: a, delay: 1m}]}]}",
			[]string{"4:61: spec.phases[0].actions[0].delay: unknown field"},
		},
		"zero duration": {head + "spec: {duration: 0s, phases: [{name: p}]}", []string{"4:18: spec.duration: must be longer than zero"}},

		"broken YAML":    {"apiVersion: chaos.trading/v1\nkind: [", []string{"3:1: cannot be read as YAML: did not find expected node content"}},
		"two documents":  {head + onePhase + "---\na: b\n", []string{"cannot be read as YAML: yaml: expected single document, found multiple"}},
		"broken JSON":    {`{"kind": "Scenario", "apiVersion": "chaos.trading/v1", "spec": `, []string{"2:1: cannot be read as YAML: did not find expected node content"}},
		"too deep":       {head + "spec: " + deep, []string{"4:39: cannot be read as YAML: exceeded max depth of 32"}},
		"too deep, JSON": {`{"apiVersion":"chaos.trading/v1","spec":` + deep + `}`, []string{"1:72: nested too deeply"}},

		"anchor":               {head + "spec: {phases: [{name: &x p}]}", []string{"4:24: spec.phases[0].name: anchors are not part of the definition language"}},
		"tag":                  {head + "spec: {phases: [{name: !!python/name p}]}", []string{"4:24: spec.phases[0].name: tags are not part of the definition language"}},
		"own tag":              {head + "spec: {phases: [{name: !secret p}]}", []string{"4:24: spec.phases[0].name: tags are not part of the definition language"}},
		"merge key":            {head + "spec: {<<: {duration: 1h}, phases: [{name: p}]}", []string{"4:8: spec.<<: merge keys are not part of the definition language"}},
		"duplicate key":        {head + onePhase + "kind: Template", []string{"5:1: kind: duplicate key, first on line 2"}},
		"duplicate key, 5":     {head + "spec: {phases: [{name: p, actions: [{service: s, action: a, parameters: {a: 1, \"a\": 2}}]}]}", []string{"4:80: spec.phases[0].actions[0].parameters.a: duplicate key, first on line 4"}},
		"two versions":         {head + onePhase + "apiVersion: v2", []string{"5:1: apiVersion: duplicate key, first on line 1"}},
		"bare placeholder":     {head + "spec: {duration: {{ .Variables.x }}, phases: [{name: p}]}", []string{"4:19: spec.duration: a key must be text (a placeholder must be quoted)"}},
		"a list as key":        {head + "? [a]\n: b\n" + onePhase, []string{"4:3: a key must be text"}},
		"NUL":                  {head + "spec: {phases: [{name: \"a\\0\"}]}", []string{"4:24: spec.phases[0].name: must not contain the character U+0000"}},
		"large integer":        {head + "spec: {variables: {a: 9007199254740992}, phases: [{name: p}]}", []string{"4:23: spec.variables.a: integers lie within ±(2^53-1)"}},
		"infinity":             {head + "spec: {variables: {a: .inf}, phases: [{name: p}]}", []string{"4:23: spec.variables.a: numbers must be finite"}},
		"variable with a dash": {head + "spec: {variables: {a-b: 1}, phases: [{name: p}]}", []string{"4:20: spec.variables.a-b: the name of a variable is made of letters, digits and _"}},
		"variable of itself":   {head + "spec: {variables: {a: '{{ .Variables.a }}'}, phases: [{name: p}]}", []string{"4:23: spec.variables.a: unknown name .Variables.a"}},
		"variable below":       {head + "spec: {variables: {a: '{{ .Variables.b }}', b: 1}, phases: [{name: p}]}", []string{"4:23: spec.variables.a: unknown name .Variables.b"}},
		"parameter":            {head + "spec: {phases: [{name: '{{ .Parameters.a }}'}]}", []string{"4:24: spec.phases[0].name: a Scenario has no parameters: .Parameters.a"}},
		"placeholder in a key": {head + "spec: {variables: {a: {'{{ x }}': 1}}, phases: [{name: p}]}", []string{`4:24: spec.variables.a["{{ x }}"]: placeholders stand in values, not in keys`}},
		"anchor on a key":      {head + "&x " + onePhase, []string{"4:1: spec: anchors and tags are not part of the definition language"}},
		"NUL in a key":         {head + "\"a\\0\": 1\n" + onePhase, []string{`4:1: ["a␀"]: must not contain the character U+0000`}},
		"a long key":           {head + strings.Repeat("k", 200) + ": 1\n" + onePhase, []string{`4:1: ["` + strings.Repeat("k", 80) + `…"]: unknown field`}},
		"a key with dots":      {head + "spec: {variables: {a: {x.y: .nan}}, phases: [{name: p}]}", []string{`4:29: spec.variables.a["x.y"]: numbers must be finite`}},

		"parameters of a scenario": {head + "parameters: []\n" + onePhase, []string{"4:13: parameters: only a Template has parameters"}},
		"placeholder as base":      {"apiVersion: chaos.trading/v1\nkind: Template\nmetadata: {name: n, extends: \"{{ .Parameters.x }}\"}\nspec: {}", []string{"3:30: metadata.extends: must name a template, not a placeholder"}},
		"a billion laughs": {laughs, append(
			[]string{"4:4: a: anchors are not part of the definition language"},
			func() (all []string) {
				for i := range 9 {
					c := 'b' + rune(i)
					all = append(all,
						fmt.Sprintf("%d:4: %c: anchors are not part of the definition language", 5+i, c),
						fmt.Sprintf("%d:8: %c[0]: aliases are not part of the definition language", 5+i, c),
						fmt.Sprintf("%d:12: %c[1]: aliases are not part of the definition language", 5+i, c))
				}
				return all
			}()...)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, problems := scenario.ParseDefinition(c.text, scenario.DefaultLimits())
			if diff := cmp.Diff(c.want, lines(problems)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if d != nil {
				t.Error("a definition with problems was returned")
			}
		})
	}
}

func TestParseDefinitionLimits(t *testing.T) {
	t.Parallel()
	limits := scenario.DefaultLimits()
	limits.DefinitionBytes, limits.Nodes = 1000, 20
	many := head + "spec: {phases: [{name: p}], success_criteria: [" + strings.Repeat("a, ", 10) + "a]}"
	if _, problems := scenario.ParseDefinition(many, limits); len(problems) != 1 || problems[0].Message != "more than 20 keys and values" {
		t.Errorf("many nodes: %v", problems)
	}
	if _, problems := scenario.ParseDefinition(strings.Repeat("x", 1001), limits); len(problems) != 1 || problems[0].Message != "longer than 1000 bytes" {
		t.Errorf("long text: %v", problems)
	}
}

func TestManyProblemsAreCounted(t *testing.T) {
	t.Parallel()
	_, problems := scenario.ParseDefinition(head+"spec: {phases: ["+strings.Repeat("{}, ", 70)+"{}]}", scenario.DefaultLimits())
	got := lines(problems)
	if len(problems) != 71 || len(got) != 51 || got[50] != "and 21 more" {
		t.Errorf("%d problems in %d lines, the last %q", len(problems), len(got), got[len(got)-1])
	}
}

func TestVariablesCannotExplode(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(head + "spec:\n  phases: [{name: p}]\n  variables:\n    v0: " + strings.Repeat("x", 100) + "\n")
	for i := range 60 {
		fmt.Fprintf(&b, "    v%d: '{{ .Variables.v%d }}{{ .Variables.v%d }}'\n", i+1, i, i)
	}
	_, problems := scenario.ParseDefinition(b.String(), scenario.DefaultLimits())
	if len(problems) == 0 || problems[0].Message != "the placeholders of this document expand to too much text" {
		t.Errorf("problems = %v", lines(problems))
	}
}

func TestOpaqueDefinitionsAreNeverRefusedForTheirForm(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"free JSON":        examples.LegacyLatency,
		"another language": "apiVersion: litmuschaos.io/v1alpha1\nkind: ChaosEngine",
		"another version":  "apiVersion: chaos.trading/v2\nkind: Scenario",
		"not YAML":         "{{{ %% \t- :\n  x: [",
		"a scalar":         "restart everything",
		"an array":         "[1, 2]",
		"two documents":    "a: 1\n---\nb: 2",
		"duplicate keys":   "a: 1\na: 2",
		"tags":             "a: !!python/object:os.system x",
		"unknown alias":    "a: *b",
		"deep":             strings.Repeat("[", 100_000),
		"inner apiVersion": "steps: {apiVersion: chaos.trading/v1, kind: Scenario}",
		"only a comment":   "# apiVersion: chaos.trading/v1",
		"a billion laughs": "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]",
		"empty":            "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := parse(t, text)
			sum := sha256.Sum256([]byte(text))
			if d.Kind != scenario.KindOpaque || d.Text != text || d.Hash.String() != hex.EncodeToString(sum[:]) {
				t.Errorf("kind %q, hash %v, text %q", d.Kind, d.Hash, d.Text)
			}
		})
	}
}

func TestContentHash(t *testing.T) {
	t.Parallel()
	h := scenario.HashContent("x")
	got, err := scenario.ParseContentHash(h.String())
	if err != nil || got != h || h.IsZero() {
		t.Errorf("ParseContentHash(%q) = %v, %v", h, got, err)
	}
	for _, s := range []string{"", "12", h.String()[1:], h.String() + "00", strings.Repeat("g", 64)} {
		if _, err := scenario.ParseContentHash(s); err == nil {
			t.Errorf("ParseContentHash(%q) accepted it", s)
		}
	}
}
