package retention_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/retention"
)

// attempt is a run of group "g" that passed so many days ago, with one row of each kind.
func attempt(id string, days int, change ...func(*retention.Stored)) retention.Stored {
	r := retention.Stored{RunFacts: old(days), Version: 1, Several: true, Rows: retention.Rows{Logs: 1, Snapshots: 1, Events: 1, Results: 1, Reports: 1}}
	r.ExecutionID, r.GroupID = execution.ID(id), "g"
	for _, c := range change {
		c(&r)
	}
	r.Bucket = r.CreatedAt.Truncate(day)
	return r
}

func planOf(rules *retention.Rules, holds []retention.Hold, required []string, runs []retention.Stored) *retention.Plan {
	plan, decider := retention.NewPlan(rules), retention.NewDecider(rules, holds, required, now)
	for i := range runs {
		plan.Add(&runs[i], decider.Decide(&runs[i].RunFacts))
	}
	plan.Finish()
	return plan
}

// What figures are made from goes of all attempts of a group, or of none.
func TestAttemptsOfAGroupGoTogether(t *testing.T) {
	t.Parallel()
	pinned := func(r *retention.Stored) { r.Pinned = true }
	number := func(id string, n execution.RunNumber) func(*retention.Stored) {
		return func(r *retention.Stored) { r.ExecutionID, r.Number = execution.ID(id), n }
	}
	group := func(id string) func(*retention.Stored) { return func(r *retention.Stored) { r.GroupID = id } }
	scenario := func(id string) func(*retention.Stored) { return func(r *retention.Stored) { r.ScenarioID = id } }
	gone := func(kinds retention.Kinds) func(*retention.Stored) {
		return func(r *retention.Stored) { r.Gone = kinds }
	}
	all := retention.ForDays("all", retention.Run, 30)
	parts := append(retention.ForDays("results", retention.Events|retention.Results, 30), retention.ForDays("all", retention.Run, 60)...)
	const everything, noRow = "logs,snapshots,events,results,reports,run", "logs,snapshots,events,results,reports"
	for name, c := range map[string]struct {
		policies []retention.Policy
		holds    []retention.Hold
		required []string
		runs     []retention.Stored // the youngest first
		goes     map[string]string
		kept     map[retention.Reason]int64
	}{
		"all are old enough": {policies: all, runs: []retention.Stored{attempt("b", 31), attempt("a", 40)}, goes: map[string]string{"a/1": everything, "b/1": everything}},
		"the last is too young": {
			policies: all, runs: []retention.Stored{attempt("b", 29), attempt("a", 40)},
			goes: map[string]string{}, kept: map[retention.Reason]int64{retention.Group: 1},
		},
		"an early one is pinned": {
			policies: all, runs: []retention.Stored{attempt("c", 31), attempt("b", 32, pinned), attempt("a", 33)},
			goes: map[string]string{}, kept: map[retention.Reason]int64{retention.Group: 2, retention.Pinned: 1},
		},
		"one is held": {
			policies: all, holds: []retention.Hold{{ID: 1, ExecutionID: "a"}}, runs: []retention.Stored{attempt("b", 31), attempt("a", 33)},
			goes: map[string]string{}, kept: map[retention.Reason]int64{retention.Group: 1, retention.Held: 1},
		},
		"one has not ended": {
			policies: all, runs: []retention.Stored{attempt("b", 31, func(r *retention.Stored) { r.Status = execution.StatusRunning }), attempt("a", 33)},
			goes: map[string]string{}, kept: map[retention.Reason]int64{retention.Group: 1},
		},
		"others of the group id are of another scenario": {
			policies: all, runs: []retention.Stored{attempt("b", 31, pinned, scenario("market")), attempt("a", 33)},
			goes: map[string]string{"a/1": everything}, kept: map[retention.Reason]int64{retention.Pinned: 1},
		},
		"runs without a group are none": {
			policies: all, runs: []retention.Stored{attempt("b", 31, pinned, group("")), attempt("a", 33, group(""))},
			goes: map[string]string{"a/1": everything}, kept: map[retention.Reason]int64{retention.Pinned: 1},
		},
		"logs alone go by themselves": {
			policies: retention.ForDays("logs", retention.Logs|retention.Events, 30), runs: []retention.Stored{attempt("b", 29), attempt("a", 31)},
			goes: map[string]string{"a/1": "logs,events"},
		},
		"the last is too young, and logs go by themselves": {
			policies: append(retention.ForDays("logs", retention.Logs, 5), all...), runs: []retention.Stored{attempt("b", 29), attempt("a", 40)},
			goes: map[string]string{"a/1": "logs", "b/1": "logs"}, kept: map[retention.Reason]int64{retention.Group: 1},
		},
		"results go, and the row not yet": {
			policies: parts, runs: []retention.Stored{attempt("b", 31), attempt("a", 61)},
			goes: map[string]string{"a/1": noRow, "b/1": "events,results"}, kept: map[retention.Reason]int64{retention.Group: 1},
		},
		"results of another are gone already": {
			policies: parts, runs: []retention.Stored{attempt("b", 31, gone(retention.Events|retention.Results)), attempt("a", 32)},
			goes: map[string]string{"a/1": "events,results"},
		},
		"the row of another is needed": {
			policies: all, required: []string{"depeg"}, runs: []retention.Stored{attempt("b", 31), attempt("a", 32)},
			goes: map[string]string{"a/1": noRow, "b/1": noRow}, kept: map[retention.Reason]int64{retention.Needed: 1, retention.Group: 1},
		},
		"nothing is left to go": {
			policies: retention.ForDays("results", retention.Results, 30), runs: []retention.Stored{attempt("b", 31, pinned), attempt("a", 32, gone(retention.Events))},
			goes: map[string]string{}, kept: map[retention.Reason]int64{retention.Group: 1},
		},
		"the latest was heard of before": {
			policies: all, runs: []retention.Stored{attempt("", 31, number("x", 1), pinned, group("")), attempt("", 32, number("x", 2), group(""))},
			goes: map[string]string{"x/2": noRow}, kept: map[retention.Reason]int64{retention.Pinned: 1, retention.Needed: 1},
		},
		// x2 keeps its row, for that of x1 stays, and with it y1 of its group; so on.
		"from group to group by ids": {
			policies: all, runs: []retention.Stored{
				attempt("", 31, number("y", 2), group("h")), attempt("", 32, number("x", 2), group("i")), attempt("", 33, number("y", 1), group("i")),
				attempt("", 34, number("x", 1)), attempt("p", 35, pinned), attempt("z", 36, group("h")),
			},
			goes: map[string]string{"x/2": noRow, "y/1": noRow, "y/2": noRow, "z/1": noRow},
			kept: map[retention.Reason]int64{retention.Pinned: 1, retention.Group: 3, retention.Needed: 2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan := planOf(&retention.Rules{Policies: c.policies, Quiet: day}, c.holds, c.required, c.runs)
			goes := map[string]string{}
			for _, d := range plan.Due {
				goes[fmt.Sprintf("%s/%d", d.ExecutionID, d.Number)] = d.Go.String()
			}
			if !maps.Equal(goes, c.goes) {
				t.Errorf("goes %v, want %v", goes, c.goes)
			}
			if !maps.Equal(plan.Kept, c.kept) {
				t.Errorf("kept %v, want %v", plan.Kept, c.kept)
			}
		})
	}
}

// A group goes with the month of its oldest attempt, all behind each other; others go
// in the order of their births.
func TestGroupsGoWithTheirOldest(t *testing.T) {
	t.Parallel()
	alone := func(r *retention.Stored) { r.GroupID = "" }
	plan := planOf(&retention.Rules{Policies: retention.ForDays("all", retention.Run, 1)}, nil, nil, []retention.Stored{
		attempt("f", 10), attempt("e", 20, alone), attempt("d", 40), attempt("c", 41, alone), attempt("b", 45), attempt("a", 70, alone),
	})
	var order []string
	for i := range plan.Due {
		d := &plan.Due[i]
		order = append(order, fmt.Sprintf("%s in %s, %t", d.ExecutionID, d.Month().Format("2006-01"), i > 0 && d.GoesWith(&plan.Due[i-1])))
	}
	want := []string{"a in 2026-04, false", "b in 2026-05, false", "d in 2026-05, true", "f in 2026-05, true", "c in 2026-05, false", "e in 2026-06, false"}
	if !slices.Equal(order, want) {
		t.Errorf("%q\nwant %q", order, want)
	}
}

// Whatever runs and policies there are: what goes is the most that keeps the rules of
// groups and of latest runs, and every run is counted once for each kind that it has.
func TestPlansKeepGroupsAndCountAll(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		rules := &retention.Rules{Policies: rapid.SliceOfN(rapid.Custom(drawPolicy), 1, 4).Draw(t, "policies"), Quiet: day}
		required := rapid.SliceOfN(rapid.Just("depeg"), 0, 1).Draw(t, "required")
		runs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) retention.Stored {
			r := attempt("", 0)
			r.RunFacts = drawRun(t)
			r.Pinned = r.Pinned && rapid.Bool().Draw(t, "really")
			r.ExecutionID = execution.ID(rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}).Draw(t, "id"))
			r.GroupID = rapid.SampledFrom([]string{"", "g", "h", "i"}).Draw(t, "group")
			r.Gone = retention.Kinds(rapid.IntRange(0, int(retention.Everything)).Draw(t, "gone")) &^ retention.Run
			r.Bucket = r.CreatedAt.Truncate(day)
			return r
		}), 1, 14).Draw(t, "runs")
		slices.SortStableFunc(runs, func(a, b retention.Stored) int { return b.CreatedAt.Compare(a.CreatedAt) })
		numbers := map[execution.ID]execution.RunNumber{}
		places := make([]int, len(runs))
		for i := range places {
			places[i] = i
		}
		for _, i := range rapid.Permutation(places).Draw(t, "numbered") {
			numbers[runs[i].ExecutionID]++
			runs[i].Number = numbers[runs[i].ExecutionID]
		}
		plan, want := planOf(rules, nil, required, runs), modelOf(rules, required, runs)
		goes := map[string]retention.Kinds{}
		for i, d := range plan.Due {
			goes[fmt.Sprint(d.ExecutionID, d.Number)] = d.Go
			if i > 0 && d.Month().Before(plan.Due[i-1].Month()) {
				t.Fatalf("%+v goes too late", d)
			}
		}
		goRuns, stay := map[retention.Kinds]int64{}, map[retention.Kinds]int64{}
		for i := range runs {
			r := &runs[i]
			if got := goes[fmt.Sprint(r.ExecutionID, r.Number)]; got != want[i] {
				t.Fatalf("%s run %d: goes %q, want %q", r.ExecutionID, r.Number, got, want[i])
			}
			for _, kind := range want[i].Each() {
				goRuns[kind]++
			}
			for _, kind := range (retention.Everything &^ want[i] &^ r.Gone).Each() {
				stay[kind]++
			}
		}
		for k, split := range plan.Months {
			goRuns[k.Kind] -= split.Go.Runs
			stay[k.Kind] -= split.Stay.Runs
		}
		for k, n := range goRuns {
			if n != 0 || stay[k] != 0 {
				t.Fatalf("%s: %d that go and %d that stay are not counted: %+v", k, n, stay[k], plan.Months)
			}
		}
		byPolicy := map[retention.MonthKind]retention.Tally{}
		for k, tally := range plan.ByPolicy {
			sum := byPolicy[k.MonthKind]
			byPolicy[k.MonthKind] = retention.Tally{Runs: sum.Runs + tally.Runs, Rows: sum.Rows + tally.Rows}
		}
		for k, split := range plan.Months {
			if split.Go != byPolicy[k] {
				t.Fatalf("%+v: %+v goes, by policies %+v", k, split.Go, byPolicy[k])
			}
		}
	})
}

// modelOf says what goes of each run: verdicts, from which is taken what a rule forbids,
// until none does.
func modelOf(rules *retention.Rules, required []string, runs []retention.Stored) []retention.Kinds {
	decider, goes, latest := retention.NewDecider(rules, nil, required, now), make([]retention.Kinds, len(runs)), map[execution.ID]int{}
	by := make([]map[retention.Kinds]int, len(runs))
	for i := range runs {
		verdict := decider.Decide(&runs[i].RunFacts)
		goes[i], by[i] = verdict.Go, verdict.By
		if at, known := latest[runs[i].ExecutionID]; !known || runs[at].Number < runs[i].Number {
			latest[runs[i].ExecutionID] = i
		}
	}
	for changed := true; changed; {
		before := slices.Clone(goes)
		for i := range runs {
			for j := range runs {
				if runs[i].GroupID != "" && runs[i].GroupID == runs[j].GroupID && runs[i].ScenarioID == runs[j].ScenarioID {
					stays := retention.Figures &^ (goes[j] | runs[j].Gone)
					for kind, policy := range by[i] {
						if stays.Has(retention.Results) && goes[i].Has(retention.Results) && policy == by[i][retention.Results] {
							stays |= kind
						}
					}
					goes[i] &^= stays
				}
			}
			if at := latest[runs[i].ExecutionID]; !goes[i].Has(retention.Run) {
				goes[at] &^= retention.Run
			}
		}
		changed = !slices.Equal(before, goes)
	}
	return goes
}
