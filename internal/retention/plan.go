package retention

import (
	"cmp"
	"math/bits"
	"slices"
	"time"
	"unique"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
)

// Rows are how many rows of each kind a run has, as it counts them itself; one for
// its reports, of which hardly any run has more.
type Rows struct{ Logs, Snapshots, Events, Results, Reports int64 }

// Of is how many the kinds have together.
func (r Rows) Of(k Kinds) (n int64) {
	for kind, rows := range map[Kinds]int64{Logs: r.Logs, Snapshots: r.Snapshots, Events: r.Events, Results: r.Results, Reports: r.Reports} {
		if k.Has(kind) {
			n += rows
		}
	}
	return n
}

// Stored is a run as a pass meets it.
type Stored struct {
	RunFacts

	Version int64 // of its row: it is decided on this, and nothing newer
	Bucket  time.Time
	Several bool // other runs of its id are stored, too
	Rows    Rows
}

// Due is a run of which something goes.
type Due struct {
	ExecutionID execution.ID
	Number      execution.RunNumber
	Version     int64
	Bucket      time.Time
	Go          Kinds
	Policy      string // that has its most go: of the row, or else of the first kind
	Sizes       Rows   // of the run

	by       policiesOfKinds
	reason   Reason                // why not all goes that policies would have go
	scenario unique.Handle[string] // many runs are of one
	group    *group                // nil: it goes by itself
}

// policiesOfKinds are the places of the policies that kinds go by.
type policiesOfKinds [numKinds]int32

func (p *policiesOfKinds) of(kind Kinds) *int32 { return &p[bits.TrailingZeros8(uint8(kind))] }

// GoesWith tells whether two of a plan are attempts of one group that lose what
// figures are made from: these are marked together, whatever their number.
func (d *Due) GoesWith(other *Due) bool { return d.group != nil && d.group == other.group }

// Month is the first day of the month in which it goes: that of its bucket, or of the
// oldest among those that go with it.
func (d *Due) Month() time.Time { return MonthOf(d.first()) }

func (d *Due) first() time.Time {
	if d.group != nil {
		return d.group.first
	}
	return d.Bucket
}

func (d *Due) groupID() string {
	if d.group != nil {
		return d.group.id
	}
	return ""
}

// andByTheSamePolicy adds to kinds that are to stay, if results are among them, whatever
// else goes by the same policy: a run that is to go whole stays whole.
func (d *Due) andByTheSamePolicy(kinds Kinds) Kinds {
	if kinds.Has(Results) && d.Go.Has(Results) {
		for _, kind := range d.Go.Each() {
			if *d.by.of(kind) == *d.by.of(Results) {
				kinds |= kind
			}
		}
	}
	return kinds
}

// compare is the order in which runs go: the oldest first, those of a scenario and of a
// group together. So runs of one id that are of several scenarios may come in another
// order than their numbers, and the latest waits for the next pass.
func (d *Due) compare(other *Due) int {
	return cmp.Or(d.first().Compare(other.first()), cmp.Compare(d.scenario.Value(), other.scenario.Value()), cmp.Compare(d.groupID(), other.groupID()),
		d.Bucket.Compare(other.Bucket), cmp.Compare(d.ExecutionID, other.ExecutionID), cmp.Compare(d.Number, other.Number))
}

// group is what is known of the attempts of one.
type group struct {
	groupKey

	goes   Kinds     // goes of all of them, or has gone
	places []int     // in Due of those of which something goes that figures are made from
	first  time.Time // bucket of the oldest among those
}

type groupKey struct{ scenario, id string }

// Rows is how many rows go, as the run counts them.
func (d *Due) Rows() int64 { return d.Sizes.Of(d.Go) }

// Tally is how much of something there is.
type Tally struct{ Runs, Rows int64 }

func (t *Tally) add(rows int64) { t.Runs, t.Rows = t.Runs+1, t.Rows+rows }

// PolicyKind is a kind of data that goes by a policy.
type PolicyKind struct {
	Policy string
	Kind   Kinds
}

// PolicyMonth is a kind of data of a month's runs that goes by a policy.
type PolicyMonth struct {
	Policy string
	MonthKind
}

// MonthKind is a kind of data of the runs that were born in a month.
type MonthKind struct {
	Month time.Time // its first day
	Kind  Kinds
}

// Split is what goes and what stays.
type Split struct{ Go, Stay Tally }

// Plan is what goes in one pass. All but Runs is known once it is finished.
type Plan struct {
	Due      []Due // the oldest first, attempts of a group that go together behind each other
	Runs     int64 // looked at
	ByPolicy map[PolicyMonth]Tally
	Months   map[MonthKind]Split
	Kept     map[Reason]int64 // runs that a policy would have lose something, by why they do not

	policies []Policy
	ids      map[execution.ID]*runsOfID // of which several are stored
	groups   map[groupKey]*group
	recheck  []*group // whose attempts may have to keep more
}

// NewPlan is an empty one.
func NewPlan(rules *Rules) *Plan {
	return &Plan{
		ByPolicy: map[PolicyMonth]Tally{}, Months: map[MonthKind]Split{}, Kept: map[Reason]int64{},
		policies: rules.Policies, ids: map[execution.ID]*runsOfID{}, groups: map[groupKey]*group{},
	}
}

// Add notes the verdict on a run, the next younger ones having been added.
func (p *Plan) Add(r *Stored, v Verdict) {
	p.Runs++
	for _, kind := range (Everything &^ v.Go &^ r.Gone).Each() {
		p.stays(r.Bucket, kind, r.Rows.Of(kind))
	}
	place := -1
	switch {
	case v.Go != 0:
		place = len(p.Due)
		p.Due = append(p.Due, Due{
			ExecutionID: r.ExecutionID, Number: r.Number, Version: r.Version, Bucket: r.Bucket, Go: v.Go, Sizes: r.Rows, reason: v.Reason,
			scenario: unique.Make(r.ScenarioID),
		})
		for kind, policy := range v.By {
			*p.Due[place].by.of(kind) = int32(policy) //nolint:gosec // a place in a file that a person wrote
		}
	case v.Reason != Goes && v.Due != 0 && v.Reason != Removed:
		p.Kept[v.Reason]++
	}
	if r.GroupID != "" {
		p.ofGroup(r, v, place)
	}
	if r.Several {
		p.ofID(r, v, place)
	}
}

// ofGroup notes what of an attempt the others of its group may lose, too.
func (p *Plan) ofGroup(r *Stored, v Verdict, place int) {
	k := groupKey{r.ScenarioID, r.GroupID}
	g := p.groups[k]
	if g == nil {
		g = &group{groupKey: k, goes: Everything}
		p.groups[k], p.recheck = g, append(p.recheck, g)
	}
	g.goes &= v.Go | r.Gone
	if v.Go&Figures != 0 {
		g.places = append(g.places, place)
		p.Due[place].group = g
	}
}

// runsOfID is what is known of the runs of an id.
type runsOfID struct {
	latest execution.RunNumber
	place  int  // in Due of the latest; -1: its row stays
	stay   bool // the row of another one does
}

// ofID notes whether the row of a run stays, for the sake of the latest of its id. Runs
// need not be met in the order of their numbers: clocks differ.
func (p *Plan) ofID(r *Stored, v Verdict, place int) {
	if !v.Go.Has(Run) {
		place = -1
	}
	id := p.ids[r.ExecutionID]
	switch {
	case id == nil:
		p.ids[r.ExecutionID] = &runsOfID{latest: r.Number, place: place}
	case r.Number > id.latest:
		id.stay = id.stay || id.place < 0
		id.latest, id.place = r.Number, place
	default:
		id.stay = id.stay || place < 0
	}
}

// keepLatest keeps the row of the latest run of an id as long as that of another one is
// kept: who asks for the execution without a number asks for it.
func (p *Plan) keepLatest() {
	for place := range p.Due {
		if id := p.ids[p.Due[place].ExecutionID]; id != nil && id.stay && id.place == place {
			p.hold(place, Run, Needed)
		}
	}
}

// hold keeps kinds of a run that would go, and with its row that of the latest of its
// id. Its group is looked at again.
func (p *Plan) hold(place int, kinds Kinds, why Reason) {
	d := &p.Due[place]
	if kinds &= d.Go; kinds == 0 {
		return
	}
	d.Go &^= kinds
	if d.reason == Goes {
		d.reason = why
	}
	for _, kind := range kinds.Each() {
		p.stays(d.Bucket, kind, d.Sizes.Of(kind))
	}
	if d.group != nil && d.group.goes&kinds != 0 {
		d.group.goes &^= kinds
		p.recheck = append(p.recheck, d.group)
	}
	if id := p.ids[d.ExecutionID]; id != nil && kinds.Has(Run) {
		if d.Number == id.latest {
			id.place = -1
		} else if id.stay = true; id.place >= 0 {
			p.hold(id.place, Run, Needed)
		}
	}
}

func (p *Plan) stays(bucket time.Time, kind Kinds, rows int64) {
	k := MonthKind{MonthOf(bucket), kind}
	split := p.Months[k]
	split.Stay.add(rows)
	p.Months[k] = split
}

func (p *Plan) goes(d *Due, kind Kinds) {
	rows, k := d.Sizes.Of(kind), MonthKind{MonthOf(d.Bucket), kind}
	split := p.Months[k]
	split.Go.add(rows)
	p.Months[k] = split
	by := PolicyMonth{p.policies[*d.by.of(kind)].Name, k}
	t := p.ByPolicy[by]
	t.add(rows)
	p.ByPolicy[by] = t
}

// Finish ends the plan, when all runs were added: the latest runs of ids keep their rows
// if others do, attempts what others of their groups keep; what goes is counted, and put
// in order.
func (p *Plan) Finish() {
	p.keepLatest()
	for len(p.recheck) > 0 {
		g := p.recheck[0]
		p.recheck = p.recheck[1:]
		for _, place := range g.places {
			p.hold(place, p.Due[place].andByTheSamePolicy(Figures&^g.goes), Group)
		}
	}
	for i := range p.Due {
		d := &p.Due[i]
		if d.reason != Goes {
			p.Kept[d.reason]++
		}
		for _, kind := range d.Go.Each() {
			p.goes(d, kind)
		}
		switch {
		case d.Go.Has(Run):
			d.Policy = p.policies[*d.by.of(Run)].Name
		case d.Go != 0:
			d.Policy = p.policies[*d.by.of(d.Go.Each()[0])].Name
		}
		if d.Go&Figures == 0 {
			d.group = nil
		}
		if g := d.group; g != nil && (g.first.IsZero() || d.Bucket.Before(g.first)) {
			g.first = d.Bucket
		}
	}
	p.Due = slices.DeleteFunc(p.Due, func(d Due) bool { return d.Go == 0 })
	slices.SortFunc(p.Due, func(a, b Due) int { return a.compare(&b) })
	p.ids, p.groups = nil, nil
}

// MonthOf is the first day of the month of a bucket.
func MonthOf(bucket time.Time) time.Time {
	return time.Date(bucket.Year(), bucket.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// CopyRows is how many rows may be copied, so that what is left of a partition
// goes to the operating system. It takes some ten seconds, in which late events of
// the runs of its buckets wait, and are tried again; to delete what goes instead
// takes longer, and returns nothing.
const CopyRows = 1_000_000

// bytesPerRow is what a row takes at least with its entries in indexes, in a table
// from which nothing was deleted.
const bytesPerRow = 1 << 10

// WorthReplacing tells whether a partition should be dropped and what stays of it
// copied: when no run is born in its buckets any more, which upper is the end of,
// what stays is not much, and what goes is more than that, or most of the partition
// is rows that were deleted before.
func WorthReplacing(goes, stays, bytes int64, upper, now time.Time) bool {
	return upper.Before(now.UTC().Truncate(day)) && stays <= CopyRows &&
		(goes >= stays || bytes >= bytesPerRow*(goes+stays)+8<<20)
}
