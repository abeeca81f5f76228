package retention_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/retention"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/yamlfile"
)

const file = `
policies:
  - name: audits
    match: {labels: {audit: "yes"}}
    keep: forever
  - name: nightly logs
    match:
      scenarios: [nightly-*, soak]
      statuses: [passed]
      environments: staging
    keep: {age: 7d}
    data: [logs, snapshots]
  - name: the rest
    keep: {age: 12w, count: 20}
`

func TestParse(t *testing.T) {
	t.Parallel()
	got, err := retention.Parse([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	want := []retention.Policy{
		{Name: "audits", Match: retention.Match{Labels: map[string]string{"audit": "yes"}}, Data: retention.Run},
		{Name: "nightly logs", Match: retention.Match{Scenarios: []string{"nightly-*", "soak"}, Statuses: []execution.Status{"passed"}, Environments: []string{"staging"}}, Keep: keepFor(7), Data: retention.Logs | retention.Snapshots},
		{Name: "the rest", Keep: retention.Keep{Age: 84 * day, Count: 20}, Data: retention.Run},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("policies (-want +got):\n%s", diff)
	}
	for i, want := range []string{
		"runs with everything of them (1 label(s)): kept for ever",
		"logs, snapshots (scenario nightly-* or soak, status passed, environment staging): kept for 7 days",
		"runs with everything of them: kept for 84 days, and the newest 20 of each scenario for ever",
	} {
		if said := got[i].Describe(); said != want {
			t.Errorf("policy %d: %q, want %q", i, said, want)
		}
	}
}

// All problems come at once, each with its line.
func TestProblemsOfAFile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"nothing":     {"", "must hold a list named policies"},
		"no YAML":     {"policies: [", "must be YAML"},
		"documents":   {"policies: [{name: a, keep: forever}]\n---\npolicies: []\n", "must be one YAML document"},
		"a list":      {"- name: x", "line 1: must be a mapping"},
		"no policies": {"policies: []", "line 1: policies: must be a list of policies, at least one"},
		"many": {
			"policies:\n- keep: {age: 5x}\n- name: a\n  keep: never\n  data: [logs, walls]\n- name: a\n  matches: {}\n  keep: {count: 0}\n- name: b\n  match: {statuses: [running], labels: [x]}\n- 7\nother: 1\n",
			"line 2: policies[0].name: is missing: it is shown wherever something goes by the policy\n" +
				"line 2: policies[0].keep.age: must be a time such as 30d, 12w or 36h, from 1h to 100 years\n" +
				"line 4: policies[1].keep: must be age, count or both, or the word forever\n" +
				"line 5: policies[1].data: must be of logs, snapshots, events, results, reports, run\n" +
				"line 6: policies[2].name: must be another one than that of line 3\n" +
				"line 7: policies[2].matches: is not known; want name, match, keep, data\n" +
				"line 8: policies[2].keep.count: must be a number from 1 to 1000000: so many of the newest runs of each scenario\n" +
				"line 9: policies[3].keep: is missing: want age, count or both, or the word forever\n" +
				"line 10: policies[3].match.statuses: must be of passed, failed, error, cancelled, timeout, interrupted: nothing else has ended\n" +
				"line 10: policies[3].match.labels: must be a mapping of names to texts\n" +
				"line 11: policies[4]: must be a mapping\n" +
				"line 12: other: is not known; want policies",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := retention.Parse([]byte(c.text))
			var problems yamlfile.Problems
			if !errors.As(err, &problems) {
				t.Fatalf("error %v, want Problems", err)
			}
			lines := make([]string, len(problems))
			for i, p := range problems {
				lines[i] = p.String()
			}
			if got := strings.Join(lines, "\n"); got != c.want && (len(lines) != 1 || !strings.HasPrefix(got, c.want)) {
				t.Errorf("problems:\n%s\nwant:\n%s", got, c.want)
			}
		})
	}
}
