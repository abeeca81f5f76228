package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario/examples"
)

func TestTemplatesRender(t *testing.T) {
	t.Parallel()
	base, heir := inFile(t, "base.yaml", examples.ExchangeDisruption), inFile(t, "heir.yaml", examples.ExchangeOutage)
	parse := func(text string) *scenario.Definition {
		d, problems := scenario.ParseDefinition(text, scenario.DefaultLimits())
		if len(problems) > 0 {
			t.Fatalf("%v\n%s", problems, text)
		}
		return d
	}
	want, problems := parse(examples.ExchangeDisruption).Instantiate(json.RawMessage(
		`{"exchange": "12", "duration": "1h", "error_percent": 7, "latency_factor": 2, "cancel_open_orders": true, "mode": "errors"}`), scenario.DefaultLimits())
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	typed := []string{"templates", "render", base, "--set", "exchange=12", "--set=duration=1h", "--set=error_percent=7", "--set=latency_factor=2", "--set=cancel_open_orders=true", "--set-json", `mode="errors"`}
	if code, stdout, stderr := tcda(t, nil, "", typed...); code != 0 || stdout != want.Text || stderr != "" {
		t.Errorf("exit code %d, %s\n%s\nwant\n%s", code, stderr, stdout, want.Text)
	}
	code, stdout, stderr := tcda(t, nil, "", append(typed, "--json")...)
	var got struct {
		Definition  string         `json:"definition"`
		ContentHash string         `json:"content_hash"`
		Parameters  map[string]any `json:"parameters"`
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != 0 || got.Definition != want.Text || got.ContentHash != want.Hash.String() || got.Parameters["exchange"] != "12" || got.Parameters["error_percent"] != 7.0 {
		t.Errorf("exit code %d, %+v, %s (%v)", code, got, stderr, err)
	}

	// What a scenario overrides is its own, the rest is the template's.
	code, stdout, stderr = tcda(t, nil, examples.ExchangeOutage, "templates", "render", "-", "--extends", base, "--set", "exchange=a;b, c", "--set", "duration=1h")
	if code != 0 {
		t.Fatalf("exit code %d, %s", code, stderr)
	}
	d := parse(stdout)
	if names := []string{d.Spec.Phases[0].Name, d.Spec.Phases[2].Name, d.Spec.Phases[3].Name}; strings.Join(names, " ") != "baseline recovery aftermath" || d.Spec.Preconditions[0].Service != "a;b, c" {
		t.Errorf("phases %v, precondition %+v", names, d.Spec.Preconditions[0])
	}

	// A scenario has nothing to fill in.
	if code, stdout, stderr := tcda(t, nil, examples.MarketDisruption, "templates", "render", "-"); code != 0 || stdout != examples.MarketDisruption {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}

	for name, c := range map[string]struct {
		args []string
		code int
		want string // in what is printed to the standard error
	}{
		"wrong parameters": {
			[]string{base, "--set=exchnge=x", "--set=duration=soon", "--set=error_percent=many", "--set=cancel_open_orders=1"},
			1,
			base + ": exchange: required\n" + base + ": duration: want a value of type duration\n" + base + ": error_percent: want a value of type int\n" +
				base + ": cancel_open_orders: want a value of type bool\n" + base + ": exchnge: unknown parameter (did you mean \"exchange\"?)\n",
		},
		"base not given":       {[]string{heir}, 1, `tcda: the template "exchange-disruption" is extended: give its file by --extends`},
		"base without need":    {[]string{base, "--extends", base}, 1, "nothing is left that extends a template"},
		"base is no template":  {[]string{heir, "--extends", inFile(t, "s.yaml", examples.MarketDisruption)}, 1, "metadata.extends: want a Template"},
		"base with problems":   {[]string{heir, "--extends", inFile(t, "bad.yaml", twoProblems)}, 1, "bad.yaml:8:11: spec.phases[0].actions[0].service: required"},
		"file with problems":   {[]string{inFile(t, "bad.yaml", twoProblems)}, 1, "bad.yaml:10:7: spec.phases[1].duraton: unknown field"},
		"opaque":               {[]string{inFile(t, "legacy.json", examples.LegacyLatency)}, 1, "legacy.json: want a Template, or a Scenario that extends one"},
		"base is opaque":       {[]string{heir, "--extends", inFile(t, "legacy.json", examples.LegacyLatency)}, 1, "metadata.extends: want a Template"},
		"values of a scenario": {[]string{inFile(t, "s.yaml", examples.MarketDisruption), "--set=a=b"}, 1, "s.yaml: only a Template has parameters"},
		"set without a value":  {[]string{base, "--set", "exchange"}, exitUsage, "--set=exchange: want NAME=VALUE"},
		"set twice":            {[]string{base, "--set=mode=errors", `--set-json=mode="errors"`}, exitUsage, `--set-json=mode="errors": set twice`},
		"not JSON":             {[]string{base, "--set-json=mode=errors"}, exitUsage, "--set-json=mode=errors: not JSON"},
		"stdin twice":          {[]string{"-", "--extends=-"}, exitUsage, "- can stand for one file only"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := tcda(t, nil, "", append([]string{"templates", "render"}, c.args...)...)
			if code != c.code || stdout != "" && c.code != exitUsage || !strings.Contains(stdout+stderr, c.want) {
				t.Errorf("exit code %d, want %d; %s\n%s\nwant %q", code, c.code, stdout, stderr, c.want)
			}
		})
	}
}
