package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario/examples"
)

// inFile is a file of its own with the text, and its name.
func inFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const twoProblems = `apiVersion: chaos.trading/v1
kind: Scenario
metadata: {name: n}
spec:
  phases:
    - name: a
      actions:
        - action: stop
    - name: b
      duraton: 1m
`

func TestScenariosValidate(t *testing.T) {
	t.Parallel()
	good, legacy := inFile(t, "good.yaml", examples.MarketDisruption), inFile(t, "legacy.json", examples.LegacyLatency)
	bad := inFile(t, "bad.yaml", twoProblems)
	missing := filepath.Join(t.TempDir(), "missing\x1b[2J.yaml")
	hash := func(text string) string { return scenario.HashContent(text).String() }
	goodLine := good + `: scenario "Market disruption", phases: 3, sha256 ` + hash(examples.MarketDisruption) + "\n"
	legacyLine := legacy + ": opaque: kept as it is, nothing in it is checked; sha256 " + hash(examples.LegacyLatency) + "\n"
	badLines := bad + ":8:11: spec.phases[0].actions[0].service: required\n" +
		bad + `:10:7: spec.phases[1].duraton: unknown field (did you mean "duration"?)` + "\n"
	for name, c := range map[string]struct {
		args  []string
		stdin string
		code  int
		want  string
	}{
		"good":              {[]string{good}, "", 0, goodLine},
		"opaque":            {[]string{legacy}, "", 0, legacyLine},
		"opaque, strictly":  {[]string{"--strict", legacy}, "", 1, legacy + ": not of the definition language: want a map with apiVersion chaos.trading/v1\n"},
		"all files":         {[]string{bad, good, legacy}, "", 1, badLines + goodLine + legacyLine},
		"standard input":    {[]string{"-"}, twoProblems, 1, strings.ReplaceAll(badLines, bad, "-")},
		"no such file":      {[]string{missing, good}, "", 1, strings.ReplaceAll(missing, "\x1b", `\x1b`) + ": open: no such file or directory\n" + goodLine},
		"a directory":       {[]string{"/"}, "", 1, "/: read: is a directory\n"},
		"not text":          {[]string{"-"}, "a: \xff", 1, "-: not valid UTF-8\n"},
		"with a NUL":        {[]string{"-"}, "a: \x00", 1, "-: must not contain the character U+0000\n"},
		"too long":          {[]string{"--limits-definition-bytes=1KiB", "-"}, strings.Repeat("é", 600), 1, "-: longer than 1024 bytes\n"},
		"just short enough": {[]string{"--limits-definition-bytes=1KiB", "-"}, strings.Repeat("a", 1024), 0, "-: opaque: kept as it is, nothing in it is checked; sha256 " + hash(strings.Repeat("a", 1024)) + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := tcda(t, nil, c.stdin, append([]string{"scenarios", "validate"}, c.args...)...)
			if diff := cmp.Diff(c.want, stdout); diff != "" || code != c.code || stderr != "" {
				t.Errorf("exit code %d, want %d; %s\n(-want +got):\n%s", code, c.code, stderr, diff)
			}
		})
	}
	if code, _, stderr := tcda(t, nil, "", "scenarios", "validate", "-", "-"); code != exitUsage || !strings.Contains(stderr, "- can stand for one file only") {
		t.Errorf("standard input twice: exit code %d, %s", code, stderr)
	}
}

func TestScenariosValidateAsJSON(t *testing.T) {
	t.Parallel()
	good, bad := inFile(t, "good.json", examples.RestartRiskMonitor), inFile(t, "bad.yaml", twoProblems)
	code, stdout, stderr := tcda(t, nil, "", "scenarios", "validate", "--json", good, bad)
	var got []checkedFile
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != 1 || stderr != "" {
		t.Fatalf("exit code %d, %s%s (%v)", code, stdout, stderr, err)
	}
	d, problems := scenario.ParseDefinition(examples.RestartRiskMonitor, scenario.DefaultLimits())
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := []checkedFile{
		{File: good, Valid: true, Kind: "scenario", Name: d.Metadata.Name, Phases: len(d.Spec.Phases), ContentHash: d.Hash.String(), Problems: []definitionProblem{}},
		{File: bad, Problems: []definitionProblem{
			{Path: "spec.phases[0].actions[0].service", Line: 8, Column: 11, Message: "required"},
			{Path: "spec.phases[1].duraton", Line: 10, Column: 7, Value: "duraton", Message: `unknown field (did you mean "duration"?)`},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
