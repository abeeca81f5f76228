package retention_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/retention"
)

var now = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// old is a run that passed so many days ago.
func old(days int) retention.RunFacts {
	ended := now.Add(-time.Duration(days) * day)
	return retention.RunFacts{
		ExecutionID: "exec-1", Number: 1, ScenarioID: "depeg", Environment: "lab", Status: execution.StatusPassed, Labels: map[string]string{"team": "risk"},
		CreatedAt: ended.Add(-time.Hour), EndedAt: ended, LastEventAt: ended, ChangedAt: ended.Add(time.Second),
	}
}

func keepFor(days int) retention.Keep { return retention.Keep{Age: time.Duration(days) * day} }

func TestDecide(t *testing.T) {
	t.Parallel()
	all := retention.Policy{Name: "all", Keep: keepFor(30), Data: retention.Run}
	logs := retention.Policy{Name: "logs", Keep: keepFor(7), Data: retention.Logs}
	for name, c := range map[string]struct {
		policies []retention.Policy
		holds    []retention.Hold
		required []string
		run      func(*retention.RunFacts)
		days     int
		goes     retention.Kinds
		reason   retention.Reason
	}{
		"without a policy all is kept":     {days: 9999, reason: retention.NoPolicy},
		"old enough":                       {policies: []retention.Policy{all}, days: 30, goes: retention.Everything},
		"too young":                        {policies: []retention.Policy{all}, days: 29, reason: retention.ByPolicy},
		"logs sooner":                      {policies: []retention.Policy{logs, all}, days: 10, goes: retention.Logs},
		"logs with the run":                {policies: []retention.Policy{logs, all}, days: 31, goes: retention.Everything},
		"an earlier policy keeps the logs": {policies: []retention.Policy{{Name: "keep", Data: retention.Logs}, all}, days: 31, goes: retention.Everything &^ retention.Logs &^ retention.Run},
		"the first match decides": {
			policies: []retention.Policy{{Name: "risk", Match: retention.Match{Labels: map[string]string{"team": "risk"}}, Data: retention.Run}, all},
			days:     31, reason: retention.ByPolicy,
		},
		"no match": {
			policies: []retention.Policy{{Name: "x", Match: retention.Match{Scenarios: []string{"market-*"}}, Keep: keepFor(1), Data: retention.Run}},
			days:     31, reason: retention.NoPolicy,
		},
		"every condition": {
			policies: []retention.Policy{{Name: "x", Match: retention.Match{
				Scenarios: []string{"market-*", "d?peg"}, Environments: []string{"l*"}, Statuses: []execution.Status{execution.StatusPassed}, Labels: map[string]string{"team": "risk"},
			}, Keep: keepFor(1), Data: retention.Run}},
			days: 31, goes: retention.Everything,
		},
		"another status": {
			policies: []retention.Policy{{Name: "x", Match: retention.Match{Statuses: []execution.Status{execution.StatusFailed}}, Keep: keepFor(1), Data: retention.Run}},
			days:     31, reason: retention.NoPolicy,
		},
		"results not before the timeline": {policies: []retention.Policy{{Name: "x", Keep: keepFor(1), Data: retention.Results}}, days: 31, reason: retention.ByPolicy},
		"the timeline alone":              {policies: []retention.Policy{{Name: "x", Keep: keepFor(1), Data: retention.Events}}, days: 31, goes: retention.Events},
		"live":                            {policies: []retention.Policy{all}, days: 31, run: func(r *retention.RunFacts) { r.Status = execution.StatusRunning }, reason: retention.Live},
		"paused":                          {policies: []retention.Policy{all}, days: 31, run: func(r *retention.RunFacts) { r.Status = execution.StatusPaused }, reason: retention.Live},
		"pinned":                          {policies: []retention.Policy{all}, days: 31, run: func(r *retention.RunFacts) { r.Pinned = true }, reason: retention.Pinned},
		"held by its id":                  {policies: []retention.Policy{all}, holds: []retention.Hold{{ID: 7, ExecutionID: "exec-1"}}, days: 31, reason: retention.Held},
		"held by its scenario":            {policies: []retention.Policy{all}, holds: []retention.Hold{{ID: 7, ScenarioID: "depeg"}}, days: 31, reason: retention.Held},
		"held by its label":               {policies: []retention.Policy{all}, holds: []retention.Hold{{ID: 7, LabelName: "team", LabelValue: "risk"}}, days: 31, reason: retention.Held},
		"held by its birth":               {policies: []retention.Policy{all}, holds: []retention.Hold{{ID: 7, BornFrom: now.Truncate(day).Add(-31 * day), BornUntil: now.Truncate(day).Add(-31 * day)}}, days: 31, reason: retention.Held},
		"another run is held":             {policies: []retention.Policy{all}, holds: []retention.Hold{{ID: 7, ExecutionID: "exec-1", Run: 2}}, days: 31, goes: retention.Everything},
		"a hold of another scenario":      {policies: []retention.Policy{all}, holds: []retention.Hold{{ID: 7, ExecutionID: "exec-1", ScenarioID: "other"}}, days: 31, goes: retention.Everything},
		"a lifted hold":                   {policies: []retention.Policy{all}, holds: []retention.Hold{{ID: 7, ExecutionID: "exec-1", LiftedAt: now}}, days: 31, goes: retention.Everything},
		"changed lately":                  {policies: []retention.Policy{all}, days: 31, run: func(r *retention.RunFacts) { r.ChangedAt = now.Add(-time.Hour) }, reason: retention.Recent},
		"dated ahead":                     {policies: []retention.Policy{all}, days: 31, run: func(r *retention.RunFacts) { r.LastEventAt = now.Add(time.Hour) }, reason: retention.Recent},
		"ended long ago by a slow clock":  {policies: []retention.Policy{all}, days: 3, run: func(r *retention.RunFacts) { r.EndedAt = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC) }, reason: retention.ByPolicy},
		"ends in years by a fast clock":   {policies: []retention.Policy{all}, days: 31, run: func(r *retention.RunFacts) { r.EndedAt = now.AddDate(5, 0, 0) }, goes: retention.Everything},
		"gone before":                     {policies: []retention.Policy{logs}, days: 31, run: func(r *retention.RunFacts) { r.Gone = retention.Logs }, reason: retention.Removed},
		"the rest goes":                   {policies: []retention.Policy{all}, days: 31, run: func(r *retention.RunFacts) { r.Gone = retention.Logs }, goes: retention.Everything &^ retention.Logs},
		"others depend on it":             {policies: []retention.Policy{all}, required: []string{"depeg"}, days: 31, goes: retention.Everything &^ retention.Run, reason: retention.Needed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := old(c.days)
			if c.run != nil {
				c.run(&run)
			}
			rules := &retention.Rules{Policies: c.policies, Quiet: day}
			v := retention.NewDecider(rules, c.holds, c.required, now).Decide(&run)
			if v.Go != c.goes || v.Reason != c.reason {
				t.Errorf("goes %q, reason %q; want %q, %q", v.Go, v.Reason, c.goes, c.reason)
			}
			for _, kind := range v.Go.Each() {
				if _, ok := v.By[kind]; !ok {
					t.Errorf("no policy is named for %s", kind)
				}
			}
		})
	}
}

// The newest of each scenario are kept, whatever their age, those that have not ended
// among them.
func TestCountKeepsTheNewestOfEachScenario(t *testing.T) {
	t.Parallel()
	rules := &retention.Rules{Policies: []retention.Policy{{Name: "two", Keep: retention.Keep{Count: 2, Age: 10 * day}, Data: retention.Run}}}
	d := retention.NewDecider(rules, nil, nil, now)
	for i, c := range []struct {
		scenario string
		days     int
		status   execution.Status
		goes     bool
	}{
		{"a", 1, execution.StatusRunning, false},
		{"a", 20, execution.StatusPassed, false},
		{"b", 20, execution.StatusPassed, false},
		{"a", 21, execution.StatusPassed, true},
		{"b", 22, execution.StatusFailed, false},
		{"b", 23, execution.StatusPassed, true},
	} {
		run := old(c.days)
		run.ScenarioID, run.Status = c.scenario, c.status
		if v := d.Decide(&run); (v.Go != 0) != c.goes {
			t.Errorf("run %d of %s: goes %q", i, c.scenario, v.Go)
		}
	}
}

// Of a scenario that others depend on the newest run stays, and the newest that passed.
func TestRequiredRunsStay(t *testing.T) {
	t.Parallel()
	rules := &retention.Rules{Policies: retention.ForDays("all", retention.Run, 1)}
	d := retention.NewDecider(rules, nil, []string{"depeg"}, now)
	for i, c := range []struct {
		status      execution.Status
		environment string
		stays       bool
	}{
		{execution.StatusFailed, "lab", true},
		{execution.StatusFailed, "lab", false},
		{execution.StatusPassed, "lab", true},
		{execution.StatusPassed, "staging", true},
		{execution.StatusPassed, "lab", false},
	} {
		run := old(10 + i)
		run.Status, run.Environment = c.status, c.environment
		if v := d.Decide(&run); v.Go.Has(retention.Run) == c.stays {
			t.Errorf("run %d: goes %q", i, v.Go)
		}
	}
}

func drawRun(t *rapid.T) retention.RunFacts {
	run := old(rapid.IntRange(0, 60).Draw(t, "days"))
	run.ExecutionID = execution.ID(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "id"))
	run.ScenarioID = rapid.SampledFrom([]string{"depeg", "market-1", "market-2"}).Draw(t, "scenario")
	run.Environment = rapid.SampledFrom([]string{"lab", "staging"}).Draw(t, "environment")
	run.Status = rapid.SampledFrom([]execution.Status{execution.StatusPassed, execution.StatusFailed, execution.StatusRunning, execution.StatusPending, execution.StatusInterrupted}).Draw(t, "status")
	run.Pinned = rapid.Bool().Draw(t, "pinned")
	return run
}

func drawPolicy(t *rapid.T) retention.Policy {
	p := retention.Policy{Name: "p", Data: retention.Kinds(rapid.IntRange(1, int(retention.Everything)).Draw(t, "data"))}
	p.Keep = retention.Keep{Age: time.Duration(rapid.IntRange(0, 40).Draw(t, "age")) * day, Count: rapid.IntRange(0, 2).Draw(t, "count")}
	if rapid.Bool().Draw(t, "matches") {
		p.Match.Scenarios = []string{rapid.SampledFrom([]string{"*", "market-*", "depeg"}).Draw(t, "glob")}
	}
	if rapid.Bool().Draw(t, "status") {
		p.Match.Statuses = []execution.Status{execution.StatusFailed}
	}
	return p
}

// Whatever the policies are: a run that has not ended, is pinned or held loses nothing;
// a row goes with everything else or not at all; a kind goes only by the first policy
// that matches and speaks of it; and what goes today goes tomorrow.
func TestDecisionsAreSafe(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules := &retention.Rules{Policies: rapid.SliceOfN(rapid.Custom(drawPolicy), 0, 5).Draw(t, "policies"), Quiet: day}
		var holds []retention.Hold
		if rapid.Bool().Draw(t, "held") {
			holds = []retention.Hold{{ID: 1, ScenarioID: "market-1"}, {ID: 2, ExecutionID: "b"}}
		}
		runs := rapid.SliceOfN(rapid.Custom(drawRun), 1, 8).Draw(t, "runs")
		today, tomorrow := retention.NewDecider(rules, holds, nil, now), retention.NewDecider(rules, holds, nil, now.Add(day))
		for i := range runs {
			r := &runs[i]
			v := today.Decide(r)
			if v.Go != 0 && (!r.Status.Terminal() || r.Pinned || retention.HeldBy(holds, r) != 0) {
				t.Fatalf("%+v loses %s", r, v.Go)
			}
			if v.Go.Has(retention.Run) && v.Go != retention.Everything {
				t.Fatalf("the row goes, and not all: %s", v.Go)
			}
			if v.Go.Has(retention.Results) && !v.Go.Has(retention.Events) {
				t.Fatalf("results go before the timeline: %s", v.Go)
			}
			for _, kind := range v.Go.Each() {
				for at, p := range rules.Policies[:v.By[kind]] {
					matches := len(p.Match.Scenarios) == 0 || retention.Glob(p.Match.Scenarios[0], r.ScenarioID)
					matches = matches && (len(p.Match.Statuses) == 0 || r.Status == execution.StatusFailed)
					if matches && (p.Data.Has(kind) || p.Data.Has(retention.Run)) {
						t.Fatalf("%s goes by policy %d, though policy %d comes first", kind, v.By[kind], at)
					}
				}
				if rules.Policies[v.By[kind]].Keep.Forever() {
					t.Fatalf("%s goes by a policy that keeps for ever", kind)
				}
			}
			if after := tomorrow.Decide(r); !after.Go.Has(v.Go) {
				t.Fatalf("%s goes today, and only %s tomorrow", v.Go, after.Go)
			}
		}
	})
}

func TestGlob(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"*", "abc", true},
		{"a*c", "abbc", true},
		{"a*c", "abbd", false},
		{"?", "é", true},
		{"?", "", false},
		{"a**b", "ab", true},
		{"*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
		{"[a]", "a", false},
	} {
		if got := retention.Glob(c.pattern, c.text); got != c.want {
			t.Errorf("Glob(%q, %q) = %t", c.pattern, c.text, got)
		}
	}
}
