package scenario_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario/examples"
)

func TestParameterDeclarations(t *testing.T) {
	t.Parallel()
	const begin = "apiVersion: chaos.trading/v1\nkind: Template\nmetadata: {name: n}\n" + onePhase
	for name, c := range map[string]struct {
		parameters string
		want       []string
	}{
		"all types":          {"[{name: a, type: int, default: 3, min: 1, max: 3}, {name: b, type: enum, values: [1, x], default: 1}]", nil},
		"not a list":         {"{a: int}", []string{"5:13: parameters: want a list"}},
		"no name":            {"[{type: int}]", []string{"5:14: parameters[0].name: required"}},
		"a name with a dash": {"[{name: a-b, type: int}]", []string{"5:21: parameters[0].name: the name of a parameter is made of letters, digits and _"}},
		"no type":            {"[{name: a}]", []string{"5:14: parameters[0].type: required"}},
		"unknown type":       {"[{name: a, type: integer}]", []string{"5:30: parameters[0].type: want one of string, enum, int, float, bool, duration"}},
		"twice":              {"[{name: a, type: int}, {name: a, type: int}]", []string{"5:43: parameters[1].name: duplicate parameter"}},
		"enum without words": {"[{name: a, type: enum}]", []string{"5:14: parameters[0].values: required for an enum"}},
		"words of an int":    {"[{name: a, type: int, values: [1]}]", []string{"5:43: parameters[0].values: only for an enum"}},
		"bound of a string":  {"[{name: a, type: string, min: 1}]", []string{"5:43: parameters[0].min: only for int, float and duration"}},
		"bound of bad type":  {"[{name: a, type: duration, max: 5}]", []string{"5:45: parameters[0].max: want a value of type duration"}},
		"crossed bounds":     {"[{name: a, type: float, min: 2, max: 1.5}]", []string{"5:50: parameters[0].max: less than min"}},
		"default too small":  {"[{name: a, type: duration, min: 1h, default: 59m}]", []string{"5:58: parameters[0].default: less than 1h"}},
		"default too large":  {"[{name: a, type: int, max: 1, default: 2}]", []string{"5:52: parameters[0].default: more than 1"}},
		"default no word":    {"[{name: a, type: enum, values: [x, y], default: z}]", []string{"5:61: parameters[0].default: want one of x, y"}},
		"default of bad type": {
			"[{name: a, type: bool, default: 1}, {name: b, type: string, default: 1}, {name: c, type: int, default: [1]}]",
			[]string{
				"5:45: parameters[0].default: want a value of type bool",
				"5:82: parameters[1].default: want a value of type string",
				"5:116: parameters[2].default: want a single value of type int",
			},
		},
		"placeholder in a default": {"[{name: a, type: string, default: '{{ .Parameters.b }}'}]", []string{"5:47: parameters[0].default: must not contain a placeholder"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, problems := scenario.ParseDefinition(begin+"parameters: "+c.parameters, scenario.DefaultLimits())
			if diff := cmp.Diff(c.want, lines(problems)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParametersAsRead(t *testing.T) {
	t.Parallel()
	d := parse(t, examples.ExchangeDisruption)
	duration, factor := d.Parameters[1], d.Parameters[4]
	if !duration.Required || duration.Default != nil || duration.Min.String() != "1m" || duration.Max.Type() != scenario.TypeDuration {
		t.Errorf("duration = %+v", duration)
	}
	if factor.Default.String() != "2.5" || factor.Default.Type() != scenario.TypeFloat || factor.Min.Type() != scenario.TypeFloat || factor.Max != nil {
		t.Errorf("latency_factor = %+v", factor)
	}
}

// TestPlaceholdersOfATemplate checks templates without values: types suffice.
func TestPlaceholdersOfATemplate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		duration string // of the spec
		want     string // message; empty when right
	}{
		"a duration":                 {"{{ .Parameters.d }}", ""},
		"no spaces":                  {"{{.Parameters.d+10m-1s}}", ""},
		"a string may hold one":      {"{{ .Parameters.s }}", ""},
		"an enum may hold one":       {"{{ .Parameters.e }}", ""},
		"a variable":                 {"{{ .Variables.v + .Parameters.d }}", ""},
		"an int":                     {"{{ .Parameters.i }}", "want a duration such as 36h, 1h30m or 1.5s, this is of type int"},
		"int + float":                {"{{ .Parameters.i + .Parameters.f }}", "want a duration such as 36h, 1h30m or 1.5s, this is of type float"},
		"a bool":                     {"{{ .Parameters.b }}", "want a duration such as 36h, 1h30m or 1.5s, this is of type bool"},
		"duration + int":             {"{{ .Parameters.d + .Parameters.i }}", "+ and - take two durations or two numbers, not duration and int"},
		"string + duration":          {"{{ .Parameters.s + 1m }}", "+ and - take two durations or two numbers, not string and duration"},
		"bool - bool":                {"{{ .Parameters.b - .Parameters.b }}", "+ and - take two durations or two numbers, not bool and bool"},
		"unknown parameter":          {"{{ .Parameters.x }}", "unknown name .Parameters.x"},
		"unknown variable":           {"{{ .Variables.w }}", "unknown name .Variables.w"},
		"a list":                     {"{{ .Variables.l }}", "unknown name .Variables.l"},
		"nothing":                    {"{{ }}", "want .Parameters.x, .Variables.x, a duration or a number before the end"},
		"not closed":                 {"{{ .Parameters.d", "placeholder without }}"},
		"a function":                 {"{{ env \\\"HOME\\\" }}", `want .Parameters.x, .Variables.x, a duration or a number before "env \"HOME\""`},
		"a dangling sign":            {"{{ .Parameters.d + }}", "want .Parameters.x, .Variables.x, a duration or a number before the end"},
		"a leading sign":             {"{{ -1m }}", `want .Parameters.x, .Variables.x, a duration or a number before "-1m"`},
		"multiplication":             {"{{ .Parameters.d * 2 }}", `want + or - before "* 2"`},
		"a bad literal":              {"{{ .Parameters.d + 5minutes }}", "neither a duration nor a number: 5minutes"},
		"a text cannot be a literal": {"{{ .Parameters.d + abc }}", `want .Parameters.x, .Variables.x, a duration or a number before "abc"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, problems := scenario.ParseDefinition(templateHead+
				`spec: {variables: {v: 5m, l: [1]}, phases: [{name: p}], duration: "`+c.duration+`"}`, scenario.DefaultLimits())
			got := ""
			if len(problems) > 0 {
				got = problems[0].Message
			}
			if got != c.want || len(problems) > 1 {
				t.Errorf("problems = %v, want %q", lines(problems), c.want)
			}
		})
	}
}

func TestCheckParameters(t *testing.T) {
	t.Parallel()
	d := parse(t, templateHead+"  - {name: needed, type: string, required: true}\n"+onePhase)
	for name, c := range map[string]struct {
		object string
		want   []string
	}{
		"right":           {`{"needed": "x", "s": "36h", "e": "5m", "i": -3, "f": 2, "b": true, "d": "36h"}`, nil},
		"float":           {`{"needed": "x", "f": 5e-1}`, nil},
		"null is missing": {`{"needed": null, "i": null}`, []string{"needed: required"}},
		"none":            {``, []string{"needed: required"}},
		"null":            {`null`, []string{"needed: required"}},
		"not an object":   {`[1]`, []string{"want a JSON object"}},
		"not JSON":        {`{`, []string{"want a JSON object"}},
		"wrong types": {
			`{"needed": 1, "s": true, "e": {}, "i": 1.5, "f": "1", "b": "true", "d": 60}`,
			[]string{
				"s: want a value of type string", "e: want a single value of type enum", "i: want a value of type int",
				"f: want a value of type float", "b: want a value of type bool", "d: want a value of type duration",
				"needed: want a value of type string",
			},
		},
		"out of range": {
			`{"needed": "x", "e": "b", "i": 11, "f": 0.49, "d": "36h1ns"}`,
			[]string{"e: want one of a, 5m", "i: more than 10", "f: less than 0.5", "d: more than 36h"},
		},
		"unknown":         {`{"needd": "x"}`, []string{"needed: required", `needd: unknown parameter (did you mean "needed"?)`}},
		"duplicate":       {`{"needed": "x", "needed": "y"}`, []string{"needed: duplicate key, first on line 1"}},
		"injection":       {`{"needed": "{{ .Variables.secret }}"}`, []string{"needed: must not contain a placeholder"}},
		"beyond float64":  {`{"needed": "x", "f": 1e400}`, []string{"f: numbers must be finite"}},
		"beyond integers": {`{"needed": "x", "i": 9223372036854775808}`, []string{"i: integers lie within ±(2^53-1)"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, lines(d.CheckParameters(json.RawMessage(c.object)))); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
	if got := lines(parse(t, head+onePhase).CheckParameters(nil)); len(got) != 1 || got[0] != "only a Template has parameters" {
		t.Errorf("scenario: %v", got)
	}
}

func TestInstantiateKeepsTypesAndArithmetic(t *testing.T) {
	t.Parallel()
	d := parse(t, templateHead+`spec:
  variables:
    base: "{{ .Parameters.d }}"
    later: "{{ .Variables.base + 90m - 30s }}"
    list: [1, "{{ .Parameters.i }}"]
  phases:
    - name: "{{ .Parameters.s }}"
      duration: "{{ .Variables.later }}"
      actions:
        - service: x
          action: y
          parameters:
            int: "{{ .Parameters.i + 1 }}"
            float: "{{ .Parameters.f + .Parameters.i }}"
            whole_float: "{{ .Parameters.f + 0.5 }}"
            bool: "{{ .Parameters.b }}"
            text: "{{ .Parameters.i }} of {{ .Parameters.s }}"
            digits: "{{ .Parameters.i }}{{ .Parameters.i }}"
            number_as_text: "12"
            when: "2020-01-01"
            nothing: ~
            yes: "yes"
`)
	params := json.RawMessage(`{"s": "a: \"b\" # c\n- 'd' \u0007 é 😀", "e": "a", "i": 9, "f": 1.5, "b": true, "d": "1h"}`)
	got, problems := d.Instantiate(params, scenario.DefaultLimits())
	if len(problems) > 0 {
		t.Fatalf("instantiate:\n%v", problems)
	}
	phase := got.Spec.Phases[0]
	if want := "a: \"b\" # c\n- 'd' \a é 😀"; phase.Name != want || phase.Duration != 2*time.Hour+29*time.Minute+30*time.Second {
		t.Errorf("name %q, duration %v", phase.Name, phase.Duration)
	}
	want := `{"int":10,"float":10.5,"whole_float":2,"bool":true,` +
		`"text":"9 of a: \"b\" # c\n- 'd' \u0007 é 😀","digits":"99","number_as_text":"12","when":"2020-01-01","nothing":null,"yes":"yes"}`
	if diff := cmp.Diff(want, string(phase.Actions[0].Parameters)); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
	if got, want := string(got.Spec.Variables), `{"base":"1h","later":"2h29m30s","list":[1,9]}`; got != want {
		t.Errorf("variables = %s, want %s", got, want)
	}
	again, _ := d.Instantiate(params, scenario.DefaultLimits())
	if again.Hash != got.Hash || got.Kind != scenario.KindScenario || got.Hash != scenario.HashContent(got.Text) {
		t.Error("the same parameters gave another text")
	}
}

func TestInstantiateProblems(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spec, params string
		want         []string
	}{
		"optional, but used": {
			`{phases: [{name: "{{ .Parameters.s }}"}]}`, `{}`,
			[]string{"11:24: spec.phases[0].name: .Parameters.s has neither a value nor a default"},
		},
		"optional and unused": {`{phases: [{name: p}]}`, `{}`, nil},
		"negative duration": {
			`{phases: [{name: p, duration: "{{ .Parameters.d - 2h }}"}]}`, `{"d": "1h"}`,
			[]string{"spec.phases[0].duration: must not be negative"},
		},
		"a string that is no duration": {
			`{phases: [{name: p, duration: "{{ .Parameters.s }}"}]}`, `{"s": "soon"}`,
			[]string{"spec.phases[0].duration: want a duration such as 36h, 1h30m or 1.5s"},
		},
		"duration overflow": {
			`{phases: [{name: p, duration: "{{ .Parameters.d + 2562047h }}"}]}`, `{"d": "36h"}`,
			[]string{"11:37: spec.phases[0].duration: the result is too long for a duration"},
		},
		"integer overflow": {
			`{phases: [{name: p}], success_criteria: ["{{ 9007199254740991 + .Parameters.i }}"]}`, `{"i": 1}`,
			[]string{"11:48: spec.success_criteria[0]: the result leaves ±(2^53-1)"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := parse(t, templateHead+"spec: "+c.spec)
			_, problems := d.Instantiate(json.RawMessage(c.params), scenario.DefaultLimits())
			if diff := cmp.Diff(c.want, lines(problems)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestExtend(t *testing.T) {
	t.Parallel()
	base := parse(t, templateHead+`spec:
  duration: 1h
  timeout: 2h
  variables: {a: 1, b: 2}
  phases: [{name: one, duration: 1m}, {name: two, duration: "{{ .Parameters.d }}"}]
`)
	over := parse(t, `apiVersion: chaos.trading/v1
kind: Template
metadata: {name: over, extends: base, tags: [t]}
parameters: [{name: i, type: int, default: 7}, {name: more, type: bool, default: true}]
spec:
  timeout: 3h
  variables: {b: 3, c: "{{ .Variables.a + 1 }}"}
  phases: [{name: three, description: "{{ .Parameters.more }}"}, {name: one, duration: 5m}]
`)
	if _, problems := over.Instantiate(nil, scenario.DefaultLimits()); len(problems) != 1 || problems[0].Path != "metadata.extends" {
		t.Errorf("instantiated without its base: %v", problems)
	}
	merged, problems := over.Extend(base, scenario.DefaultLimits())
	if len(problems) > 0 {
		t.Fatalf("extend:\n%v", problems)
	}
	if merged.Kind != scenario.KindTemplate || merged.Metadata.Name != "over" || len(merged.Parameters) != 7 {
		t.Errorf("kind %q, name %q, %d parameters", merged.Kind, merged.Metadata.Name, len(merged.Parameters))
	}
	d, problems := merged.Instantiate(json.RawMessage(`{"d": "10m"}`), scenario.DefaultLimits())
	if len(problems) > 0 {
		t.Fatalf("instantiate:\n%v", problems)
	}
	want := []scenario.Phase{
		{Name: "one", Duration: 5 * time.Minute},
		{Name: "two", Duration: 10 * time.Minute},
		{Name: "three", Description: "true"},
	}
	if diff := cmp.Diff(want, d.Spec.Phases); diff != "" {
		t.Errorf("phases (-want +got):\n%s", diff)
	}
	if got, want := string(d.Spec.Variables), `{"a":1,"b":3,"c":2}`; got != want {
		t.Errorf("variables = %s, want %s", got, want)
	}
	if d.Spec.Duration != time.Hour || d.Spec.Timeout != 3*time.Hour {
		t.Errorf("duration %v, timeout %v", d.Spec.Duration, d.Spec.Timeout)
	}
}

func TestExtendProblems(t *testing.T) {
	t.Parallel()
	scene, template := parse(t, head+onePhase), parse(t, templateHead+onePhase)
	heir := parse(t, "apiVersion: chaos.trading/v1\nkind: Scenario\nmetadata: {name: n, extends: base}\nspec: {duration: '{{ .Variables.x }}'}")
	for name, c := range map[string]struct {
		of, base *scenario.Definition
		want     []string
	}{
		"extends nothing":             {scene, template, []string{"extends nothing"}},
		"base is a scenario":          {heir, scene, []string{"metadata.extends: want a Template"}},
		"the base lacks the variable": {heir, template, []string{"spec.duration: unknown name .Variables.x"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, problems := c.of.Extend(c.base, scenario.DefaultLimits())
			if diff := cmp.Diff(c.want, lines(problems)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}
