package retention

import (
	"cmp"
	"slices"
	"time"

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
}

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

// Plan is what goes in one pass.
type Plan struct {
	Due      []Due // in the order of their buckets
	Runs     int64 // looked at
	ByPolicy map[PolicyMonth]Tally
	Months   map[MonthKind]Split
	Kept     map[Reason]int64 // runs that a policy would have lose something, by why they do not

	policies []Policy
	latest   map[execution.ID]int // of ids with several runs: place in Due of the youngest that is stored; -1: it stays
}

// NewPlan is an empty one.
func NewPlan(rules *Rules) *Plan {
	return &Plan{
		ByPolicy: map[PolicyMonth]Tally{}, Months: map[MonthKind]Split{}, Kept: map[Reason]int64{},
		policies: rules.Policies, latest: map[execution.ID]int{},
	}
}

// Add notes the verdict on a run, the next younger ones having been added.
func (p *Plan) Add(r *Stored, v Verdict) {
	p.Runs++
	if v.Reason != Goes && v.Due != 0 && v.Reason != Removed {
		p.Kept[v.Reason]++
	}
	for _, kind := range (Everything &^ v.Go &^ r.Gone).Each() {
		p.month(r.Bucket, kind, r.Rows.Of(kind), false)
	}
	place := -1
	if v.Go != 0 {
		place = len(p.Due)
		first := v.Go.Each()[0]
		if v.Go.Has(Run) {
			first = Run
		}
		p.Due = append(p.Due, Due{
			ExecutionID: r.ExecutionID, Number: r.Number, Version: r.Version, Bucket: r.Bucket,
			Go: v.Go, Policy: p.policies[v.By[first]].Name, Sizes: r.Rows,
		})
		for _, kind := range v.Go.Each() {
			p.policy(p.policies[v.By[kind]].Name, r.Bucket, kind, r.Rows.Of(kind), 1)
			p.month(r.Bucket, kind, r.Rows.Of(kind), true)
		}
	}
	p.keepLatest(r, v, place)
}

// keepLatest keeps the row of the latest run of an id as long as that of an older
// one is kept: who asks for the execution without a number asks for it. A run with a
// number above 1 is met before the older ones of its id.
func (p *Plan) keepLatest(r *Stored, v Verdict, place int) {
	latest, known := p.latest[r.ExecutionID]
	switch {
	case !known && r.Number > 1:
		p.latest[r.ExecutionID] = place
	case known && latest >= 0 && !v.Go.Has(Run):
		d := &p.Due[latest]
		if d.Go.Has(Run) {
			d.Go &^= Run
			p.policy(d.Policy, d.Bucket, Run, 0, -1)
			p.Kept[Needed]++
			k := MonthKind{MonthOf(d.Bucket), Run}
			split := p.Months[k]
			split.Go.Runs--
			split.Stay.Runs++
			p.Months[k] = split
		}
		p.latest[r.ExecutionID] = -1
	}
}

func (p *Plan) policy(name string, bucket time.Time, kind Kinds, rows, runs int64) {
	k := PolicyMonth{name, MonthKind{MonthOf(bucket), kind}}
	t := p.ByPolicy[k]
	t.Runs, t.Rows = t.Runs+runs, t.Rows+rows
	p.ByPolicy[k] = t
}

func (p *Plan) month(bucket time.Time, kind Kinds, rows int64, goes bool) {
	k := MonthKind{MonthOf(bucket), kind}
	split := p.Months[k]
	if goes {
		split.Go.add(rows)
	} else {
		split.Stay.add(rows)
	}
	p.Months[k] = split
}

// Finish ends the plan: what goes is put in the order of the buckets, the oldest
// first.
func (p *Plan) Finish() {
	p.Due = slices.DeleteFunc(p.Due, func(d Due) bool { return d.Go == 0 })
	slices.SortFunc(p.Due, func(a, b Due) int {
		return cmp.Or(a.Bucket.Compare(b.Bucket), cmp.Compare(a.ExecutionID, b.ExecutionID), cmp.Compare(a.Number, b.Number))
	})
	p.latest = nil
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
