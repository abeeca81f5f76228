package scenario_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// FuzzSchedule holds schedules to: what is accepted comes due in order, within
// its bounds, and never in a loop without end.
func FuzzSchedule(f *testing.F) {
	for _, seed := range [][2]string{
		{"0 3 * * *", "Europe/Zurich"},
		{"* * * * * *", ""},
		{"@every 1ns", ""},
		{"@reboot", "Local"},
		{"TZ=0", "../../etc/passwd"},
		{"0 0 29 2 *", "America/Argentina/ComodRivadavia"},
		{"0 0 30 2 *", "UTC"},
		{"*/7,3-50/13 1-23/2 ? JAN-dec sun,6", "Asia/Kathmandu"},
		{"*/0 5-1 99999999999999999999 L #", "Etc/GMT+12"},
		{"30 2 * * *", "Australia/Lord_Howe"},
		{"0 0 31 2,4,6,9,11 *", "Antarctica/Troll"},
		{strings.Repeat("0,", 120) + "0 * * * *", "right/UTC"},
	} {
		f.Add(seed[0], seed[1], int64(1775044800), int64(0), int64(0))
		f.Add(seed[0], seed[1], int64(253402300799), int64(1), int64(86400*365))
	}
	f.Fuzz(func(t *testing.T, cron, zone string, after, notBefore, length int64) {
		s := scenario.Schedule{ScenarioID: "s", Kind: scenario.ScheduleCron, Cron: cron, TimeZone: zone}
		from := time.Unix(clamp(after), 0).UTC()
		if notBefore != 0 {
			s.NotBefore = time.Unix(clamp(notBefore), 0).UTC()
		}
		if length != 0 {
			s.NotAfter = time.Unix(clamp(notBefore)+clamp(length), 0).UTC()
		}
		if problems := scenario.ValidateSchedule(s); len(problems) > 0 {
			for _, p := range problems {
				if p.Path == "" || p.Message == "" {
					t.Fatalf("problem %+v", p)
				}
			}
			return
		}
		last := from
		for _, due := range s.Next(from, 5) {
			if !due.After(last) || due.Location() != time.UTC || due.Before(s.NotBefore) || !s.NotAfter.IsZero() && due.After(s.NotAfter) {
				t.Fatalf("%q in %q is due at %v after %v, between %v and %v", cron, zone, due, last, s.NotBefore, s.NotAfter)
			}
			if due.Second() != 0 && due.Year() > 1973 { // before, zones had odd seconds
				t.Fatalf("%q in %q is due at %v, within a minute", cron, zone, due)
			}
			last = due
		}
	})
}

// clamp keeps seconds to the years that times may have.
func clamp(seconds int64) int64 { return max(0, seconds) % 253402300800 }

// FuzzPlaceholder gives any text as a value with placeholders: in a scenario,
// and in a template that is filled in. It answers at a bounded cost, and what is
// accepted without parameters says the same filled in.
func FuzzPlaceholder(f *testing.F) {
	for _, seed := range []string{
		"{{ .Variables.d + 10m }}", "{{ .Parameters.s }}", "{{.Variables.i-1+0x10}}", "{{ 1 - -1 }}", "{{", "}}{{", "{{}}", "{{ 9007199254740991 + 1 }}", "{{ 2562047h + 2562047h }}",
		"{{ 1e308 + 1e308 }}", "{{ .Variables.a }}{{ .Variables.a }}", "a {{ .Variables.i }} b", "{{ 1 + 1h }}", "{{ .Variables.typo }}", "{{ printf }}", "{{ .Variables.d + .Variables.d - 1ns }}",
		"{{ 1_000 + 017 + 0o17 }}", "{{ µ }}", "{{ 1µs + 1us }}", "{{{ 1 }}}", strings.Repeat("{{ 1 }}", 100),
	} {
		f.Add(seed, "x")
		f.Add("x", seed)
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		quoted := func(s string) string {
			b, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
		const spec = `"spec":{"variables":{"d":"1h","i":1,"a":"xy","b":TEXT},"phases":[{"name":"p","description":TEXT}]}}`
		scenarioText := `{"apiVersion":"chaos.trading/v1","kind":"Scenario","metadata":{"name":"n"},` + strings.ReplaceAll(spec, "TEXT", quoted(text))
		templateText := `{"apiVersion":"chaos.trading/v1","kind":"Template","metadata":{"name":"n"},"parameters":[{"name":"s","type":"string"}],` + strings.ReplaceAll(spec, "TEXT", quoted(text))
		limits := scenario.DefaultLimits()
		var plain, template *scenario.Definition
		var problems scenario.Problems
		used := allocated(func() {
			plain, problems = scenario.ParseDefinition(scenarioText, limits)
			template, _ = scenario.ParseDefinition(templateText, limits)
		})
		if used > mostMemory {
			t.Fatalf("%d MiB allocated", used>>20)
		}
		if plain != nil && template == nil {
			t.Fatalf("a scenario may say %q, a template may not", text)
		}
		if plain == nil && len(problems) == 0 {
			t.Fatal("neither accepted nor refused")
		}
		if template == nil {
			return
		}
		filled, problems := template.Instantiate(json.RawMessage(`{"s":`+quoted(value)+`}`), limits)
		if filled == nil && len(problems) == 0 {
			t.Fatal("neither filled in nor refused")
		}
		if plain != nil && filled != nil && plain.Spec.Phases[0].Description != filled.Spec.Phases[0].Description {
			t.Fatalf("%q is %q in a scenario, and %q filled in", text, plain.Spec.Phases[0].Description, filled.Spec.Phases[0].Description)
		}
	})
}
