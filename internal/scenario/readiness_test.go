package scenario_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario/examples"
)

var noon = time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)

// readyInput is a scenario "a" that may run; each test changes what it is about.
func readyInput(t *testing.T, declared ...scenario.Declaration) scenario.ReadinessInput {
	t.Helper()
	return scenario.ReadinessInput{
		ID: "a", Scenario: &scenario.Scenario{ID: "a", Status: scenario.StatusActive},
		Definition: parse(t, examples.StablecoinDepeg), Environment: "staging", Declared: declared,
	}
}

func declares(by scenario.ID, kind scenario.DependencyKind, on scenario.ID, maxAge ...time.Duration) scenario.Declaration {
	d := scenario.Declaration{By: by, Dependency: scenario.Dependency{DependsOn: on, Kind: kind}}
	if len(maxAge) > 0 {
		d.MaxAge = &maxAge[0]
	}
	return d
}

// ran is a run that ended or began so long before noon.
func ran(of scenario.ID, ago time.Duration, environment string) scenario.OtherRun {
	return scenario.OtherRun{
		RunRef: scenario.RunRef{ExecutionID: "exec-" + string(of), Run: 3}, ScenarioID: of, Environment: environment, At: noon.Add(-ago),
	}
}

// verdicts are the findings as "rule other: message", a refusal with "!" and a
// warning with "?" before it.
func verdicts(r scenario.Readiness) []string {
	var all []string
	for _, f := range r.Findings {
		mark := ""
		if !f.Satisfied {
			mark = "!"
		} else if f.Warning {
			mark = "?"
		}
		all = append(all, fmt.Sprintf("%s%s %s: %s", mark, f.Rule, f.Scenario, f.Message))
	}
	return all
}

func TestReadinessOfTheScenarioItself(t *testing.T) {
	t.Parallel()
	status := func(s scenario.Status) func(*scenario.ReadinessInput) {
		return func(in *scenario.ReadinessInput) { in.Scenario.Status = s }
	}
	for name, c := range map[string]struct {
		change func(*scenario.ReadinessInput)
		ready  bool
		want   string // one of the findings
	}{
		"active":     {status(scenario.StatusActive), true, "status a: the scenario is active"},
		"draft":      {status(scenario.StatusDraft), true, "?status a: the scenario is a draft: it may be tried, and may change"},
		"deprecated": {status(scenario.StatusDeprecated), true, "?status a: the scenario is deprecated: it may run, and should be replaced"},
		"archived":   {status(scenario.StatusArchived), false, "!status a: the scenario is archived"},
		"unheard of": {status("retired"), false, `!status a: the scenario has an unknown status "retired"`},
		"no content": {
			func(in *scenario.ReadinessInput) { in.Definition = nil }, false,
			"!content a: the scenario has no content yet: only its status or dependencies were stated",
		},
		"unknown": {func(in *scenario.ReadinessInput) { in.Scenario = nil }, false, "!known a: there is no such scenario"},
		"kill switch": {
			func(in *scenario.ReadinessInput) {
				in.KillSwitch = scenario.KillSwitch{On: true, By: "ops@desk", Reason: "market open", Since: noon}
			}, false,
			"!kill_switch a: no new runs are accepted: the kill switch was set by ops@desk: market open",
		},
		"kill switch without a word": {
			func(in *scenario.ReadinessInput) { in.KillSwitch.On = true }, false,
			"!kill_switch a: no new runs are accepted: the kill switch was set by somebody: no reason was given",
		},
		"opaque": {func(in *scenario.ReadinessInput) { in.Definition = parse(t, examples.LegacyLatency) }, true, "content a: the scenario has content"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := readyInput(t)
			c.change(&in)
			got := scenario.CheckReadiness(in, noon)
			if got.Ready != c.ready || !slices.Contains(verdicts(got), c.want) {
				t.Errorf("ready = %v, want %v with %q:\n%s", got.Ready, c.ready, c.want, strings.Join(verdicts(got), "\n"))
			}
		})
	}
}

func TestReadinessRequirements(t *testing.T) {
	t.Parallel()
	success, anyRun := declares("a", scenario.RequiresSuccess, "b"), declares("a", scenario.RequiresRun, "b")
	hour := declares("a", scenario.RequiresSuccess, "b", time.Hour)
	for name, c := range map[string]struct {
		rule   scenario.Declaration
		passed []scenario.OtherRun
		ended  []scenario.OtherRun
		want   string
	}{
		"passed":            {success, []scenario.OtherRun{ran("b", 90*time.Minute, "staging")}, nil, "requires_success b: run 3 of exec-b passed 1h30m ago"},
		"never":             {success, nil, []scenario.OtherRun{ran("b", 0, "staging")}, "!requires_success b: no run of b has passed"},
		"of another":        {success, []scenario.OtherRun{ran("c", 0, "staging")}, nil, "!requires_success b: no run of b has passed"},
		"elsewhere":         {success, []scenario.OtherRun{ran("b", 0, "dev")}, nil, "!requires_success b: no run of b has passed in environment staging"},
		"wherever":          {success, []scenario.OtherRun{ran("b", 0, "")}, nil, "requires_success b: run 3 of exec-b passed 0s ago"},
		"the latest counts": {success, []scenario.OtherRun{ran("b", time.Hour, "staging"), ran("b", time.Minute, "staging"), ran("b", time.Second, "dev")}, nil, "requires_success b: run 3 of exec-b passed 1m ago"},
		"just young enough": {hour, []scenario.OtherRun{ran("b", time.Hour, "staging")}, nil, "requires_success b: run 3 of exec-b passed 1h ago"},
		"too old":           {hour, []scenario.OtherRun{ran("b", time.Hour+1, "staging")}, nil, "!requires_success b: run 3 of exec-b passed 1h ago, at most 1h is allowed"},
		"by a fast clock":   {hour, []scenario.OtherRun{ran("b", -time.Minute, "staging")}, nil, "requires_success b: run 3 of exec-b passed 0s ago"},
		"in ten years":      {hour, []scenario.OtherRun{ran("b", -25*time.Hour, "staging")}, nil, "!requires_success b: run 3 of exec-b passed at a time in the far future: its age cannot be told"},
		"ended":             {anyRun, nil, []scenario.OtherRun{ran("b", time.Minute, "staging")}, "requires_run b: run 3 of exec-b ended 1m ago"},
		"never ended":       {anyRun, nil, nil, "!requires_run b: no run of b has ended"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := readyInput(t, c.rule)
			in.Passed, in.Ended = c.passed, c.ended
			got := scenario.CheckReadiness(in, noon)
			if last := verdicts(got)[len(got.Findings)-1]; last != c.want || got.Ready == strings.HasPrefix(c.want, "!") {
				t.Errorf("ready = %v, %q, want %q", got.Ready, last, c.want)
			}
		})
	}
}

func TestReadinessExclusions(t *testing.T) {
	t.Parallel()
	in := func(environment string) []scenario.OtherRun {
		return []scenario.OtherRun{ran("b", time.Minute, environment)}
	}
	for _, by := range []scenario.ID{"a", "b"} { // in both directions
		on := map[scenario.ID]scenario.ID{"a": "b", "b": "a"}[by]
		for name, c := range map[string]struct {
			kind   scenario.DependencyKind
			active []scenario.OtherRun
			asks   string // the environment
			want   string
		}{
			"conflict here":                        {scenario.ConflictsWith, in("staging"), "staging", "!conflicts_with b: run 3 of exec-b is active in environment staging"},
			"conflict elsewhere":                   {scenario.ConflictsWith, in("dev"), "staging", "conflicts_with b: no run of b is in the way"},
			"conflict nobody knows where":          {scenario.ConflictsWith, in(""), "staging", "!conflicts_with b: run 3 of exec-b is active"},
			"conflict with a request for anywhere": {scenario.ConflictsWith, in("dev"), "", "!conflicts_with b: run 3 of exec-b is active in environment dev"},
			"nothing active":                       {scenario.ConflictsWith, nil, "staging", "conflicts_with b: no run of b is in the way"},
			"overlap here":                         {scenario.MustNotOverlap, in("staging"), "staging", "!must_not_overlap b: run 3 of exec-b is active in environment staging"},
			"overlap elsewhere":                    {scenario.MustNotOverlap, in("dev"), "staging", "!must_not_overlap b: run 3 of exec-b is active in environment dev"},
			"another is active":                    {scenario.MustNotOverlap, []scenario.OtherRun{ran("c", 0, "staging")}, "staging", "must_not_overlap b: no run of b is in the way"},
		} {
			t.Run(string(by)+" declares: "+name, func(t *testing.T) {
				t.Parallel()
				input := readyInput(t, declares(by, c.kind, on))
				input.Active, input.Environment = c.active, c.asks
				got := scenario.CheckReadiness(input, noon)
				last := got.Findings[len(got.Findings)-1]
				if text := verdicts(got)[len(got.Findings)-1]; text != c.want || got.Ready == strings.HasPrefix(c.want, "!") {
					t.Errorf("ready = %v, %q, want %q", got.Ready, text, c.want)
				}
				if !slices.Equal(last.DeclaredBy, []scenario.ID{by}) || last.Satisfied != (last.Run == nil) {
					t.Errorf("finding %+v", last)
				}
			})
		}
	}
}

func TestReadinessNamesEveryRunInTheWay(t *testing.T) {
	t.Parallel()
	in := readyInput(t, declares("a", scenario.MustNotOverlap, "b", time.Second), declares("b", scenario.MustNotOverlap, "a"))
	in.Active = []scenario.OtherRun{ran("b", time.Minute, "dev"), ran("b", time.Hour, "staging")}
	got := scenario.CheckReadiness(in, noon).Findings[4:]
	run := &scenario.RunRef{ExecutionID: "exec-b", Run: 3}
	both := []scenario.ID{"a", "b"}
	want := []scenario.Finding{
		{Rule: "must_not_overlap", Scenario: "b", DeclaredBy: both, Run: run, At: noon.Add(-time.Hour), Age: time.Hour, Message: "run 3 of exec-b is active in environment staging"},
		{Rule: "must_not_overlap", Scenario: "b", DeclaredBy: both, Run: run, At: noon.Add(-time.Minute), Age: time.Minute, Message: "run 3 of exec-b is active in environment dev"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

func TestReadinessReportsTheConditionsOfTheDefinition(t *testing.T) {
	t.Parallel()
	in := readyInput(t)
	in.Definition = parse(t, examples.MarketDisruption)
	got := scenario.CheckReadiness(in, noon)
	spec := in.Definition.Spec
	if len(spec.Preconditions) == 0 || len(spec.Postconditions) == 0 {
		t.Fatal("the example has no conditions")
	}
	if diff := cmp.Diff(spec.Preconditions, got.Preconditions) + cmp.Diff(spec.Postconditions, got.Postconditions); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
}

func TestNeededFacts(t *testing.T) {
	t.Parallel()
	var g scenario.Graph
	g.Replace("a", []scenario.Dependency{
		{DependsOn: "z", Kind: scenario.RequiresSuccess},
		{DependsOn: "m", Kind: scenario.RequiresSuccess},
		{DependsOn: "z", Kind: scenario.RequiresRun},
		{DependsOn: "b", Kind: scenario.ConflictsWith},
	})
	g.Replace("b", []scenario.Dependency{{DependsOn: "a", Kind: scenario.MustNotOverlap}, {DependsOn: "z", Kind: scenario.ConflictsWith}})
	g.Replace("c", []scenario.Dependency{{DependsOn: "a", Kind: scenario.ConflictsWith}})
	g.Replace("d", []scenario.Dependency{{DependsOn: "a", Kind: scenario.RequiresSuccess}})
	got := scenario.NeededFacts("a", g.Declarations("a"))
	want := scenario.FactsNeeded{Passed: []scenario.ID{"m", "z"}, Ended: []scenario.ID{"z"}, Active: []scenario.ID{"b", "c"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("needed (-want +got):\n%s", diff)
	}
}

// TestReadinessProperties draws a graph and runs. An exclusion works alike in
// both directions; facts that were not asked for change nothing; and the
// verdict is that of a short reading of the rules.
func TestReadinessProperties(t *testing.T) {
	t.Parallel()
	ids := []scenario.ID{"a", "b", "c", "d"}
	definition := parse(t, examples.LegacyLatency)
	rapid.Check(t, func(t *rapid.T) {
		var g scenario.Graph
		for _, id := range ids {
			var list []scenario.Dependency
			for _, on := range ids {
				for _, kind := range scenario.DependencyKinds() {
					if id == on || rapid.IntRange(0, 5).Draw(t, "edge") > 0 {
						continue
					}
					list = append(list, declares(id, kind, on, rapid.SampledFrom([]time.Duration{time.Minute, time.Hour}).Draw(t, "maxAge")).Dependency)
				}
			}
			g.Replace(id, list)
		}
		runs := func(label string) []scenario.OtherRun {
			return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) scenario.OtherRun {
				return ran(rapid.SampledFrom(ids).Draw(t, "of"),
					rapid.SampledFrom([]time.Duration{time.Second, 30 * time.Minute, 2 * time.Hour}).Draw(t, "ago"),
					rapid.SampledFrom([]string{"", "dev", "staging"}).Draw(t, "in"))
			}), 0, 4).Draw(t, label)
		}
		passed, ended, active := runs("passed"), runs("ended"), runs("active")
		check := func(id scenario.ID, environment string, passed, ended, active []scenario.OtherRun) scenario.Readiness {
			return scenario.CheckReadiness(scenario.ReadinessInput{
				ID: id, Scenario: &scenario.Scenario{ID: id, Status: scenario.StatusActive}, Definition: definition, Environment: environment,
				Declared: g.Declarations(id), Passed: passed, Ended: ended, Active: active,
			}, noon)
		}
		environment := rapid.SampledFrom([]string{"", "dev", "staging"}).Draw(t, "environment")
		got := check("a", environment, passed, ended, active)

		only := func(runs []scenario.OtherRun, of []scenario.ID) []scenario.OtherRun {
			return slices.DeleteFunc(slices.Clone(runs), func(r scenario.OtherRun) bool { return !slices.Contains(of, r.ScenarioID) })
		}
		need := scenario.NeededFacts("a", g.Declarations("a"))
		if diff := cmp.Diff(got, check("a", environment, only(passed, need.Passed), only(ended, need.Ended), only(active, need.Active)), cmp.AllowUnexported(scenario.Definition{})); diff != "" {
			t.Fatalf("facts that were not asked for count (-all +asked for):\n%s", diff)
		}

		near := func(r scenario.OtherRun) bool {
			return r.Environment == "" || environment == "" || r.Environment == environment
		}
		ready := true
		for _, d := range g.Declarations("a") {
			other := d.DependsOn
			if other == "a" {
				other = d.By
			}
			met := func(runs []scenario.OtherRun) bool {
				return slices.ContainsFunc(runs, func(r scenario.OtherRun) bool {
					return r.ScenarioID == other && near(r) && noon.Sub(r.At) <= *d.MaxAge
				})
			}
			switch d.Kind {
			case scenario.RequiresSuccess:
				ready = ready && met(passed)
			case scenario.RequiresRun:
				ready = ready && met(ended)
			case scenario.ConflictsWith, scenario.MustNotOverlap:
				ready = ready && !slices.ContainsFunc(active, func(r scenario.OtherRun) bool {
					return r.ScenarioID == other && (near(r) || d.Kind == scenario.MustNotOverlap)
				})
			}
		}
		if got.Ready != ready {
			t.Fatalf("ready = %v, the rules say %v:\n%s", got.Ready, ready, strings.Join(verdicts(got), "\n"))
		}

		excluded := func(who, by scenario.ID) bool {
			run := ran(by, time.Minute, "dev")
			return slices.ContainsFunc(check(who, "dev", nil, nil, []scenario.OtherRun{run}).Findings, func(f scenario.Finding) bool {
				return f.Run != nil
			})
		}
		if excluded("a", "b") != excluded("b", "a") {
			t.Fatal("a and b exclude each other in one direction only")
		}
	})
}
