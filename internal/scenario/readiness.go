package scenario

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Readiness is whether a scenario may run now, and everything that was looked
// at to tell.
type Readiness struct {
	Ready    bool
	Findings []Finding // the refusals and the satisfied, in the order in which the rules are declared

	// What the definition itself asks for. This service does not observe the
	// system under test: the coordinator checks them, and they decide nothing.
	Preconditions  []Condition
	Postconditions []Condition
}

// Finding is the answer to one rule.
type Finding struct {
	Rule       FindingRule
	Scenario   ID            // the other scenario; the checked one where no other takes part
	DeclaredBy []ID          // of a rule between scenarios: which of the two declared it
	Satisfied  bool          // false: the scenario may not run
	Warning    bool          // satisfied, but somebody should know
	Run        *RunRef       // the run that satisfies, or is in the way; nil when there is none
	At         time.Time     // when that run ended, or for one in the way began; or when the kill switch was set
	Age        time.Duration // of that run since At, never negative; zero without a run
	MaxAge     time.Duration // zero: any age
	Message    string        // one sentence without a full stop
}

// FindingRule names what a finding is about.
type FindingRule string

// The rules, in the order in which they are reported. The last four are the
// kinds of dependencies.
const (
	RuleKillSwitch      FindingRule = "kill_switch"
	RuleKnown           FindingRule = "known"
	RuleContent         FindingRule = "content"
	RuleStatus          FindingRule = "status"
	RuleRequiresSuccess             = FindingRule(RequiresSuccess)
	RuleRequiresRun                 = FindingRule(RequiresRun)
	RuleConflictsWith               = FindingRule(ConflictsWith)
	RuleMustNotOverlap              = FindingRule(MustNotOverlap)
)

// RunRef names a run: execution ids are reused.
type RunRef struct {
	ExecutionID string
	Run         int32 // from 1
}

// OtherRun is a run of some scenario.
type OtherRun struct {
	RunRef
	ScenarioID  ID
	Environment string    // empty: nobody said
	At          time.Time // of an ended run its end, of an active one its start (or request)
}

// Declaration is a dependency and who declared it.
type Declaration struct {
	By ID
	Dependency
}

// KillSwitch is the operator's word that no run may begin. The zero value is
// off.
type KillSwitch struct {
	On     bool
	By     string
	Reason string
	Since  time.Time
}

// ReadinessInput is a scenario and all that is known when somebody asks for a
// run of it. Which runs to look for is said by [NeededFacts].
type ReadinessInput struct {
	ID          ID
	Scenario    *Scenario   // nil: no such scenario
	Definition  *Definition // the version that is to run; nil: it has no content yet
	Environment string      // in which it is to run; empty: nobody said
	Declared    []Declaration
	Passed      []OtherRun // runs that passed; the latest of each scenario and environment suffice
	Ended       []OtherRun // likewise, runs that the coordinator said have ended, whatever the outcome
	Active      []OtherRun // runs that have not ended
	KillSwitch  KillSwitch
}

// FactsNeeded is which runs of other scenarios decide, each id once and in
// order. Runs of other scenarios may be given too; they count for nothing.
type FactsNeeded struct {
	Passed []ID // whose latest passed runs
	Ended  []ID // whose latest ended runs: passed, failed, error, cancelled or timeout; an interrupted run may still go on unseen
	Active []ID // whose runs now pending, running or paused
}

// NeededFacts says what to look up before [CheckReadiness]: declared are the
// dependencies of the scenario and those of others that exclude it, as
// [Graph.Declarations] gives them.
func NeededFacts(id ID, declared []Declaration) FactsNeeded {
	var n FactsNeeded
	for _, d := range declared {
		other, applies := d.about(id)
		if !applies {
			continue
		}
		switch d.Kind {
		case RequiresSuccess:
			n.Passed = append(n.Passed, other)
		case RequiresRun:
			n.Ended = append(n.Ended, other)
		case ConflictsWith, MustNotOverlap:
			n.Active = append(n.Active, other)
		}
	}
	for _, ids := range []*[]ID{&n.Passed, &n.Ended, &n.Active} {
		slices.Sort(*ids)
		*ids = slices.Compact(*ids)
	}
	return n
}

// about is the other scenario of a declaration that concerns id. What is
// required concerns only the one that requires it, an exclusion both.
func (d *Declaration) about(id ID) (other ID, applies bool) {
	switch {
	case d.By == id:
		return d.DependsOn, true
	case d.DependsOn == id && !d.Kind.Requires():
		return d.By, true
	}
	return "", false
}

// Declarations is what a scenario declares, and what others declare that
// excludes it: all that its readiness depends on.
func (g *Graph) Declarations(id ID) []Declaration {
	var all []Declaration
	for _, d := range g.edges[id] {
		all = append(all, Declaration{By: id, Dependency: d})
	}
	for _, by := range sortedKeys(g.edges) {
		for _, d := range g.edges[by] {
			if by != id && d.DependsOn == id && !d.Kind.Requires() {
				all = append(all, Declaration{By: by, Dependency: d})
			}
		}
	}
	return all
}

// CheckReadiness decides whether a scenario may run at the moment now.
//
//   - The kill switch forbids every run.
//   - The scenario is known and has content. Of its statuses, active may run;
//     draft and deprecated may run with a warning, because a draft has to be
//     tried and a deprecated scenario is still needed by those who have not
//     moved on; archived may not.
//   - requires_success wants a run of the other scenario that passed,
//     requires_run one that has ended, whatever its outcome. With a max_age
//     that run must have ended at most so long ago. It counts when it was in
//     the same environment.
//   - conflicts_with is about the system: the two would disturb each other, so
//     neither may begin while the other is active in the same environment. In
//     another environment it may.
//   - must_not_overlap is about time: the two share something of which there is
//     one for all environments (a venue's test account, the people on watch),
//     so neither may begin while the other is active anywhere.
//
// Both exclusions hold in both directions, whoever declared them, and a max_age
// has no meaning for them. Where the run or the request says no environment,
// the two count as being in the same: for an exclusion that is the careful
// answer, and a requirement could otherwise never be met by those who do not
// use environments.
//
// Nothing here forbids a second run of the scenario itself: that is the
// schedule's concurrency policy.
func CheckReadiness(in ReadinessInput, now time.Time) Readiness {
	c := readinessCheck{ReadinessInput: in, now: now}
	c.itself()
	c.dependencies()
	r := Readiness{Ready: true, Findings: c.findings}
	for _, f := range c.findings {
		r.Ready = r.Ready && f.Satisfied
	}
	if d := in.Definition; d != nil {
		r.Preconditions, r.Postconditions = d.Spec.Preconditions, d.Spec.Postconditions
	}
	return r
}

type readinessCheck struct {
	ReadinessInput
	now      time.Time
	findings []Finding
}

func (c *readinessCheck) add(f Finding) { c.findings = append(c.findings, f) }

// itself looks at what concerns the scenario alone.
func (c *readinessCheck) itself() {
	f := Finding{Rule: RuleKillSwitch, Scenario: c.ID, Satisfied: !c.KillSwitch.On, Message: "new runs are accepted"}
	if k := c.KillSwitch; k.On {
		f.At = k.Since
		f.Message = "no new runs are accepted: the kill switch was set by " + cmp.Or(k.By, "somebody") + ": " + cmp.Or(k.Reason, "no reason was given")
	}
	c.add(f)

	if c.Scenario == nil {
		c.add(Finding{Rule: RuleKnown, Scenario: c.ID, Message: "there is no such scenario"})
		return // the rest would only repeat it
	}
	c.add(Finding{Rule: RuleKnown, Scenario: c.ID, Satisfied: true, Message: "the scenario is known"})

	f = Finding{Rule: RuleContent, Scenario: c.ID, Satisfied: true, Message: "the scenario has content"}
	if c.Definition == nil {
		f.Satisfied, f.Message = false, "the scenario has no content yet: only its status or dependencies were stated"
	}
	c.add(f)

	f = Finding{Rule: RuleStatus, Scenario: c.ID, Satisfied: true, Message: "the scenario is " + string(c.Scenario.Status)}
	switch c.Scenario.Status {
	case StatusActive:
	case StatusDraft:
		f.Warning, f.Message = true, "the scenario is a draft: it may be tried, and may change"
	case StatusDeprecated:
		f.Warning, f.Message = true, "the scenario is deprecated: it may run, and should be replaced"
	case StatusArchived:
		f.Satisfied, f.Message = false, "the scenario is archived"
	default:
		f.Satisfied, f.Message = false, fmt.Sprintf("the scenario has an unknown status %q", c.Scenario.Status)
	}
	c.add(f)
}

// dependencies looks at the other scenarios.
func (c *readinessCheck) dependencies() {
	passed, ended, active := byScenario(c.Passed), byScenario(c.Ended), byScenario(c.Active)
	for _, d := range c.rules() {
		f := Finding{Rule: FindingRule(d.Kind), Scenario: d.other, DeclaredBy: d.by, MaxAge: d.maxAge}
		switch d.Kind {
		case RequiresSuccess:
			c.add(c.required(f, passed[d.other], "passed"))
		case RequiresRun:
			c.add(c.required(f, ended[d.other], "ended"))
		case ConflictsWith:
			c.excluded(f, active[d.other], c.sameEnvironment)
		case MustNotOverlap:
			c.excluded(f, active[d.other], func(OtherRun) bool { return true })
		}
	}
}

// readinessRule is what one or both of two scenarios declared.
type readinessRule struct {
	Kind   DependencyKind
	other  ID
	by     []ID
	maxAge time.Duration
}

// rules are the declarations that apply, the same one of both sides put
// together, by kind and then by the other scenario.
func (c *readinessCheck) rules() []readinessRule {
	type about struct {
		kind  DependencyKind
		other ID
	}
	at := map[about]int{}
	var all []readinessRule
	for _, d := range c.Declared {
		other, applies := d.about(c.ID)
		if !applies {
			continue
		}
		key := about{d.Kind, other}
		if i, ok := at[key]; ok {
			all[i].by = append(all[i].by, d.By)
			continue
		}
		r := readinessRule{Kind: d.Kind, other: other, by: []ID{d.By}}
		if d.MaxAge != nil && d.Kind.Requires() {
			r.maxAge = *d.MaxAge
		}
		at[key] = len(all)
		all = append(all, r)
	}
	for i := range all {
		slices.Sort(all[i].by)
		all[i].by = slices.Compact(all[i].by)
	}
	kinds := DependencyKinds()
	slices.SortFunc(all, func(a, b readinessRule) int {
		return cmp.Or(cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)), cmp.Compare(a.other, b.other))
	})
	return all
}

// mostAhead is how far in the future an end may be dated to be taken for a
// clock that is fast: what the contract accepts as a time.
const mostAhead = 24 * time.Hour

// required looks for a run of the other scenario that is good enough.
func (c *readinessCheck) required(f Finding, runs []OtherRun, did string) Finding {
	var latest *OtherRun
	elsewhere := false
	for i := range runs {
		switch r := &runs[i]; {
		case !c.sameEnvironment(*r):
			elsewhere = true
		case latest == nil || r.At.After(latest.At):
			latest = r
		}
	}
	if latest == nil {
		f.Message = fmt.Sprintf("no run of %s has %s", f.Scenario, did)
		if elsewhere {
			f.Message += " in environment " + c.Environment
		}
		return f
	}
	f.Run, f.At, f.Age = &latest.RunRef, latest.At, max(c.now.Sub(latest.At), 0)
	which := fmt.Sprintf("run %d of %s %s", latest.Run, latest.ExecutionID, did)
	switch {
	case f.MaxAge > 0 && latest.At.After(c.now.Add(mostAhead)):
		f.Message = which + " at a time in the far future: its age cannot be told"
	case f.MaxAge > 0 && f.Age > f.MaxAge:
		f.Message = fmt.Sprintf("%s %s ago, at most %s is allowed", which, people(f.Age), people(f.MaxAge))
	default:
		f.Satisfied, f.Message = true, fmt.Sprintf("%s %s ago", which, people(f.Age))
	}
	return f
}

// people is a duration as people read it: whole seconds, where it has some.
func people(d time.Duration) string {
	if d >= time.Second {
		d = d.Truncate(time.Second)
	}
	return formatDuration(d)
}

// excluded adds one finding for each active run that is in the way, or one
// that says that none is.
func (c *readinessCheck) excluded(f Finding, runs []OtherRun, counts func(OtherRun) bool) {
	free := f
	free.Satisfied, free.Message = true, fmt.Sprintf("no run of %s is in the way", f.Scenario)
	for i := range runs {
		r := &runs[i]
		if !counts(*r) {
			continue
		}
		free.Satisfied = false
		f.Run, f.At, f.Age = &r.RunRef, r.At, max(c.now.Sub(r.At), 0)
		f.Message = fmt.Sprintf("run %d of %s is active", r.Run, r.ExecutionID)
		if r.Environment != "" {
			f.Message += " in environment " + r.Environment
		}
		c.add(f)
	}
	if free.Satisfied {
		c.add(free)
	}
}

func (c *readinessCheck) sameEnvironment(r OtherRun) bool {
	return r.Environment == c.Environment || r.Environment == "" || c.Environment == ""
}

// byScenario groups runs; each group is in an order that does not depend on
// that of the facts.
func byScenario(runs []OtherRun) map[ID][]OtherRun {
	groups := map[ID][]OtherRun{}
	for _, r := range runs {
		groups[r.ScenarioID] = append(groups[r.ScenarioID], r)
	}
	for _, g := range groups {
		slices.SortFunc(g, func(a, b OtherRun) int {
			return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ExecutionID, b.ExecutionID), cmp.Compare(a.Run, b.Run))
		})
	}
	return groups
}
