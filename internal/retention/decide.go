package retention

import (
	"slices"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
)

// RunFacts is what decides about a run.
type RunFacts struct {
	ExecutionID execution.ID
	Number      execution.RunNumber
	ScenarioID  string
	GroupID     string // of its attempts, within the scenario; empty: it stands alone
	Environment string
	Status      execution.Status
	Labels      map[string]string // nil where nobody asks for them
	Pinned      bool

	CreatedAt   time.Time // first heard of here
	EndedAt     time.Time // by the coordinator's clock
	LastEventAt time.Time // likewise
	ChangedAt   time.Time // last change after the end, by ours

	Gone Kinds // what has been removed of it before, and nothing came since
}

// endedAt is the moment from which its age counts: the end that the coordinator
// named, as far as it lies between what is known here.
func (r *RunFacts) endedAt() time.Time {
	at := r.EndedAt
	if at.Before(r.CreatedAt) {
		at = r.CreatedAt // its clock was slow, or it told us late
	}
	if !r.ChangedAt.IsZero() && at.After(r.ChangedAt) {
		at = r.ChangedAt // or fast
	}
	return at
}

// Reason says why a run is kept although a policy would have it go, or why none
// would.
type Reason string

// Why runs are kept.
const (
	Goes     Reason = ""         // at least something goes
	Live     Reason = "live"     // it has not ended
	Pinned   Reason = "pinned"   // somebody keeps it
	Held     Reason = "held"     // a legal hold
	Recent   Reason = "recent"   // changed within the quiet time, or dated ahead of the clock
	Needed   Reason = "needed"   // others need it
	Group    Reason = "group"    // another attempt of its group stays; see Plan
	ByPolicy Reason = "policy"   // no policy would have any of it go yet
	Removed  Reason = "removed"  // what would go is gone already
	NoPolicy Reason = "nopolicy" // no policy speaks of it
)

// Verdict is what becomes of one run.
type Verdict struct {
	Go     Kinds         // what goes now
	By     map[Kinds]int // for each kind of Go the place of its policy in Rules.Policies
	Reason Reason        // why nothing goes, or not all of what policies would have go
	Due    Kinds         // what policies would have go, were there no other reason
	DueBy  map[Kinds]int // for each kind of Due the place of its policy
	Hold   int64         // the hold, where Reason is Held
}

// Decider decides about runs, which it must be asked about in the order of
// their births, the youngest first: policies that keep a number count.
type Decider struct {
	rules    *Rules
	holds    []Hold
	required map[string]bool
	now      time.Time

	counted map[counted]int
	seen    map[required]bool
}

type counted struct {
	policy   int
	scenario string
}

type required struct {
	scenario, environment string
	passed                bool
}

// NewDecider makes one for a pass. requiredScenarios are those that others depend
// on having run.
func NewDecider(rules *Rules, holds []Hold, requiredScenarios []string, now time.Time) *Decider {
	d := &Decider{rules: rules, holds: holds, required: map[string]bool{}, now: now, counted: map[counted]int{}, seen: map[required]bool{}}
	for _, s := range requiredScenarios {
		d.required[s] = true
	}
	return d
}

// Decide says what becomes of a run.
func (d *Decider) Decide(r *RunFacts) Verdict {
	needed := d.neededByOthers(r) // noted of every run, whatever becomes of it
	v := d.byPolicies(r)
	switch hold := HeldBy(d.holds, r); {
	case !r.Status.Terminal():
		v.Reason = Live
	case r.Pinned:
		v.Reason = Pinned
	case hold != 0:
		v.Reason, v.Hold = Held, hold
	case d.now.Sub(r.ChangedAt) < d.rules.Quiet || r.LastEventAt.After(d.now):
		v.Reason = Recent
	case v.Due == 0:
	default:
		v.Go = v.Due
		if needed && v.Go.Has(Run) {
			v.Go &^= Run
			v.Reason = Needed
		}
		v.Go &^= r.Gone
		if v.Go == 0 && v.Reason == Goes {
			v.Reason = Removed
		}
		v.By = map[Kinds]int{}
		for _, kind := range v.Go.Each() {
			v.By[kind] = v.DueBy[kind]
		}
	}
	return v
}

// byPolicies finds what is due by policies alone.
func (d *Decider) byPolicies(r *RunFacts) Verdict {
	v := Verdict{DueBy: map[Kinds]int{}, Reason: NoPolicy}
	due := map[int]bool{} // of the policies that match, in turn
	spoken := Kinds(0)
	for i := range d.rules.Policies {
		p := &d.rules.Policies[i]
		if !p.Match.matches(r) {
			continue
		}
		due[i] = d.due(i, p, r)
		for _, kind := range Everything.Each() {
			if spoken.Has(kind) || !p.covers(kind) {
				continue
			}
			spoken |= kind
			if due[i] {
				v.Due |= kind
				v.DueBy[kind] = i
			}
		}
	}
	if v.Due.Has(Run) && v.Due != Everything {
		v.Due &^= Run // an earlier policy keeps something of it
		delete(v.DueBy, Run)
	}
	if v.Due.Has(Results) && !(v.Due | r.Gone).Has(Events) {
		v.Due &^= Results // a late event is merged into them
		delete(v.DueBy, Results)
	}
	switch {
	case v.Due != 0:
		v.Reason = Goes
	case spoken != 0:
		v.Reason = ByPolicy
	}
	return v
}

// due counts a run that a policy matches, and tells whether it would go by it. Runs
// that have not ended have the first places: they are among the newest.
func (d *Decider) due(i int, p *Policy, r *RunFacts) bool {
	rank := 0
	if p.Keep.Count > 0 {
		k := counted{i, r.ScenarioID}
		rank = d.counted[k]
		d.counted[k]++
	}
	switch {
	case !r.Status.Terminal(), p.Keep.Forever():
		return false
	case p.Keep.Age > 0 && d.now.Sub(r.endedAt()) < p.Keep.Age:
		return false
	case p.Keep.Count > 0 && rank < p.Keep.Count:
		return false
	}
	return true
}

// neededByOthers tells whether a run is the newest, or the newest that passed, of a
// scenario that others depend on, in its environment.
func (d *Decider) neededByOthers(r *RunFacts) bool {
	if !d.required[r.ScenarioID] || !r.Status.Terminal() {
		return false
	}
	needed := false
	for _, passed := range []bool{false, true} {
		k := required{r.ScenarioID, r.Environment, passed}
		if (!passed || r.Status == execution.StatusPassed) && !d.seen[k] {
			d.seen[k], needed = true, true
		}
	}
	return needed
}

// HeldBy is the id of a hold that covers a run; 0: none does.
func HeldBy(holds []Hold, r *RunFacts) int64 {
	if i := slices.IndexFunc(holds, func(h Hold) bool { return h.LiftedAt.IsZero() && h.Covers(r) }); i >= 0 {
		return holds[i].ID
	}
	return 0
}
