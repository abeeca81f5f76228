// Package pruning removes from PostgreSQL what package retention decides to go: in
// passes, each of which can be cut off at any moment and is finished by the next.
//
//	plan     walk all runs, the youngest first, and ask retention about each
//	mark     page by page: write the tombstones, under the locks of ingest (S4b);
//	         the row of a run that goes whole goes with them
//	remove   month by month: drop the partitions of which not much stays, or delete
//	         the rows in batches, with pauses, so that ingest keeps its speed
//
// Only one instance works at a time: it leads the loop "retention". The package
// decides nothing, and knows no table: package pgstore does.
//
// Not obvious: between mark and remove the rows that have gone still lie in their
// tables, and nobody misses them; what is pending is noted with the tombstones. The
// state in Redis of a run that is gone expires by itself.
package pruning

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/retention"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
)

// leadership is the name of the loop.
const leadership = "retention"

// Config bounds a pass. Zero values are replaced by the defaults that are named.
type Config struct {
	Rules    retention.Rules
	Actor    string        // in the audit log
	Interval time.Duration // between two passes: 1 h

	PageRuns int     // runs that are marked in one transaction at most: 500
	PageRows int64   // and rows that are removed in one, about: 20,000
	Pace     float64 // a pause after each transaction, in times of what it took: DefaultPace; negative: none

	LockTries int           // how often a step is tried that others are in the way of: 6
	LockPause time.Duration // before the second try, doubled for each further one: 1 s
}

// DefaultPace leaves the database to others for five sixths of the time.
const DefaultPace = 5

func (c *Config) setDefaults() {
	c.Interval = cmp.Or(c.Interval, time.Hour)
	c.PageRuns = cmp.Or(c.PageRuns, 500)
	c.PageRows = cmp.Or(c.PageRows, 20_000)
	c.Pace = cmp.Or(c.Pace, DefaultPace)
	c.LockTries = cmp.Or(c.LockTries, 6)
	c.LockPause = cmp.Or(c.LockPause, time.Second)
}

// Parts are what a pruner works with.
type Parts struct {
	Store   *pgstore.Store
	Metrics *telemetry.RetentionMetrics // nil: nothing is counted
	Log     zerolog.Logger
	Now     func() time.Time // nil: the clock

	// Probe is called before each step that writes, for tests; an error ends the pass.
	Probe func(step string) error
}

// Pruner removes what goes.
type Pruner struct {
	cfg Config
	Parts

	clock func() time.Time                           // that steps are measured by
	rest  func(context.Context, time.Duration) error // between them
}

// New makes a pruner.
func New(cfg Config, parts Parts) *Pruner {
	cfg.setDefaults()
	if parts.Now == nil {
		parts.Now = time.Now
	}
	if parts.Probe == nil {
		parts.Probe = func(string) error { return nil }
	}
	return &Pruner{cfg: cfg, Parts: parts, clock: time.Now, rest: pause}
}

// Result is what a pass has done.
type Result struct {
	Pruned       map[retention.PolicyKind]retention.Tally
	Changed      int64 // runs that were left because they, or others of their groups, had changed since it was decided
	Replaced     int   // partitions
	Freed        int64 // bytes that are the operating system's again
	Locked       int   // partitions that were in use all the time, and wait for the next pass
	AuditEntries int64 // removed from the audit log
	PendingRows  int64 // of pruned runs, that still lie in their tables, about
}

// ErrOtherLeads says that another instance is pruning just now.
var ErrOtherLeads = errors.New("another instance is pruning just now")

// Run prunes until ctx ends. Without a rule it only finishes what was begun.
func (p *Pruner) Run(ctx context.Context) {
	tick := time.NewTicker(p.cfg.Interval)
	defer tick.Stop()
	for {
		switch _, err := p.Once(ctx); {
		case ctx.Err() != nil:
			return
		case err != nil && !errors.Is(err, ErrOtherLeads):
			p.failed(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (p *Pruner) failed(err error) {
	if p.Metrics != nil {
		p.Metrics.PassFailed()
	}
	level := zerolog.WarnLevel
	if _, unlisted := pgstore.UnlistedState(err); unlisted || pgstore.ClassOf(err) != pgstore.Infrastructure {
		level = zerolog.ErrorLevel
	}
	p.Log.WithLevel(level).Err(err).Msg("a pass of retention was cut off; the next one finishes it")
}

// Once makes one pass, unless another instance does.
func (p *Pruner) Once(ctx context.Context) (Result, error) {
	var done Result
	won, err := p.Store.Lead(ctx, leadership, func(ctx context.Context) error {
		var err error
		done, err = p.pass(ctx)
		return err
	})
	if err == nil && !won {
		err = ErrOtherLeads
	}
	return done, err
}

// pageSize is how many runs a plan reads at a time.
const pageSize = 2000

// Plan decides what would go now.
func (p *Pruner) Plan(ctx context.Context) (*retention.Plan, []retention.Hold, error) {
	return p.plan(ctx, 0)
}

// plan is Plan with pauses between pages, in times of what these took.
func (p *Pruner) plan(ctx context.Context, pace float64) (*retention.Plan, []retention.Hold, error) {
	holds, err := p.Store.Holds(ctx, false)
	if err != nil {
		return nil, nil, err
	}
	required, err := p.Store.RequiredScenarios(ctx)
	if err != nil {
		return nil, nil, err
	}
	labels := p.cfg.Rules.NeedsLabels()
	for _, h := range holds {
		labels = labels || h.LabelName != ""
	}
	plan := retention.NewPlan(&p.cfg.Rules)
	decider := retention.NewDecider(&p.cfg.Rules, holds, required, p.Now().UTC())
	for before := pgstore.YoungestRun(); ; {
		var runs []retention.Stored
		watch := p.start()
		if runs, before, err = p.Store.RunsForRetention(ctx, before, labels, pageSize); err != nil {
			return nil, nil, err
		}
		for i := range runs {
			plan.Add(&runs[i], decider.Decide(&runs[i].RunFacts))
		}
		if len(runs) < pageSize {
			plan.Finish()
			return plan, holds, nil
		}
		if err := p.rest(ctx, times(pace, watch.took())); err != nil {
			return nil, nil, err
		}
	}
}

// auditPatience is how long a pass that is cut off still tries to say what it has done.
const auditPatience = 10 * time.Second

// pass makes one pass, and notes in the audit log what it has done, also if it is cut
// off.
func (p *Pruner) pass(ctx context.Context) (Result, error) {
	done := Result{Pruned: map[retention.PolicyKind]retention.Tally{}}
	err := p.work(ctx, &done)
	cutOff := err != nil
	if !cutOff {
		err = p.measure(ctx, &done)
	}
	if done.didNothing() {
		return done, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditPatience)
	defer cancel()
	return done, errors.Join(err, p.Store.AuditPass(ctx, p.cfg.Actor, done.details(cutOff), p.Now().UTC()))
}

// work does what a pass is to do.
func (p *Pruner) work(ctx context.Context, done *Result) error {
	if err := p.removeAll(ctx, everyMonth, done); err != nil { // what another pass has begun
		return err
	}
	if !p.cfg.Rules.Any() {
		return nil
	}
	for {
		plan, holds, err := p.plan(ctx, p.cfg.Pace)
		if err != nil {
			return fmt.Errorf("plan: %w", err)
		}
		p.showKept(plan)
		if len(plan.Due) > 0 {
			p.Log.Info().Int("runs", len(plan.Due)).Int64("of", plan.Runs).Msg("retention begins a pass")
		}
		err = p.prune(ctx, plan.Due, holds, done)
		if errors.Is(err, pgstore.ErrHoldsChanged) {
			p.Log.Info().Msg("a legal hold was placed; retention decides anew")
			if err := p.removeAll(ctx, everyMonth, done); err != nil { // what is marked already
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		break
	}
	return p.forgetAudit(ctx, done)
}

// prune marks what is due, and removes it, month by month. Of groups that lie in
// several months the oldest counts: what younger ones lose by them is removed when
// these have been marked, too, so that each partition is looked at once.
func (p *Pruner) prune(ctx context.Context, due []retention.Due, holds []retention.Hold, done *Result) error {
	size := newPager()
	for begin := 0; begin < len(due); {
		month, end := due[begin].Month(), begin
		for end < len(due) && due[end].Month().Equal(month) {
			end++
		}
		next := everyMonth
		if end < len(due) {
			next = due[end].Month()
		}
		for page := range p.pages(due[begin:end], size) {
			if err := p.mark(ctx, page, holds, size, done); err != nil {
				return err
			}
		}
		if err := p.removeAll(ctx, next, done); err != nil {
			return err
		}
		p.Log.Info().Str("month", month.Format("2006-01")).Int("runs", end-begin).Int("done", end).Int("of", len(due)).
			Int64("bytes_freed", done.Freed).Msg("retention is through with a month")
		begin = end
	}
	return nil
}

// pages cuts runs into pages that one transaction marks; a group goes into one, however
// large it is.
func (p *Pruner) pages(due []retention.Due, size *pager) func(func([]retention.Due) bool) {
	return func(yield func([]retention.Due) bool) {
		for len(due) > 0 {
			n, rows := 0, int64(0)
			runs, most := size.of(int64(p.cfg.PageRuns)), size.of(p.cfg.PageRows)
			for n < len(due) {
				end, more := n+1, due[n].Rows()
				for ; end < len(due) && due[end].GoesWith(&due[n]); end++ {
					more += due[end].Rows()
				}
				if n > 0 && (int64(end) > runs || rows+more > most) {
					break
				}
				n, rows = end, rows+more
			}
			if !yield(due[:n]) {
				return
			}
			due = due[n:]
		}
	}
}

// mark writes the tombstones of a page.
func (p *Pruner) mark(ctx context.Context, page []retention.Due, holds []retention.Hold, size *pager, done *Result) error {
	return p.paced(ctx, "mark", size, func(watch *stopwatch) error {
		pruned, err := p.Store.PruneRuns(ctx, pgstore.PruneRequest{Due: page, Holds: holds, Now: p.Now().UTC(), Begun: watch.restart})
		if err != nil {
			return err
		}
		done.Changed += int64(len(page) - len(pruned))
		for _, d := range pruned {
			for _, kind := range d.Go.Each() {
				k := retention.PolicyKind{Policy: d.Policy, Kind: kind}
				t := done.Pruned[k]
				rows := d.Sizes.Of(kind)
				done.Pruned[k] = retention.Tally{Runs: t.Runs + 1, Rows: t.Rows + rows}
				if p.Metrics != nil {
					p.Metrics.Pruned(kind.String(), d.Policy, 1, rows)
				}
			}
		}
		return nil
	})
}

func (p *Pruner) start() *stopwatch { return &stopwatch{clock: p.clock, began: p.clock()} }

// paced does a step, and then nothing for some times as long: what the database does
// for us is a share of what it could. By how long it took the next page is sized; nil:
// there are no pages. A step that others are in the way of is tried again, later and
// later; if they are at each try the error is one of which pgstore.WaitedForLock tells.
func (p *Pruner) paced(ctx context.Context, step string, size *pager, do func(*stopwatch) error) error {
	wait := p.cfg.LockPause
	for try := 1; ; try++ {
		if err := p.Probe(step); err != nil {
			return err
		}
		watch := p.start()
		err := do(watch)
		if err == nil {
			took := watch.took()
			if size != nil {
				size.took(took)
			}
			return p.rest(ctx, times(p.cfg.Pace, took))
		}
		if !pgstore.WaitedForLock(err) {
			return err
		}
		if p.Metrics != nil {
			p.Metrics.Locked()
		}
		if try >= p.cfg.LockTries {
			return err
		}
		if err := p.rest(ctx, wait); err != nil {
			return err
		}
		wait *= 2
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// auditPage is how many entries of the audit log are removed at once.
const auditPage = 5000

// forgetAudit removes entries of the audit log, if a setting says so.
func (p *Pruner) forgetAudit(ctx context.Context, done *Result) error {
	if p.cfg.Rules.Audit <= 0 {
		return nil
	}
	before := p.Now().Add(-p.cfg.Rules.Audit)
	for {
		var n int64
		err := p.paced(ctx, "forget", nil, func(*stopwatch) (err error) {
			n, err = p.Store.ForgetAudit(ctx, before, auditPage)
			return err
		})
		done.AuditEntries += n
		if err != nil || n < auditPage {
			return err
		}
	}
}

// measure looks at what a pass that has come to its end has left, and tells of it.
func (p *Pruner) measure(ctx context.Context, done *Result) error {
	pending, err := p.Store.PendingRows(ctx)
	if err != nil {
		return err
	}
	for _, rows := range pending {
		done.PendingRows += rows.Rows
	}
	if p.Metrics != nil {
		p.Metrics.PassEnded(p.Now(), done.PendingRows)
	}
	if !done.didNothing() {
		p.Log.Info().Int("partitions", done.Replaced).Int64("bytes_freed", done.Freed).Int64("changed_meanwhile", done.Changed).
			Int64("audit_entries", done.AuditEntries).Int64("rows_pending", done.PendingRows).Msg("retention has ended a pass")
	}
	return nil
}

// didNothing tells whether there is nothing to tell of.
func (r *Result) didNothing() bool {
	return len(r.Pruned) == 0 && r.Replaced == 0 && r.AuditEntries == 0
}

// details is the result for the audit log.
func (r *Result) details(cutOff bool) any {
	type line struct {
		Policy string `json:"policy"`
		Kind   string `json:"kind"`
		Runs   int64  `json:"runs"`
		Rows   int64  `json:"rows"`
	}
	lines := []line{}
	for k, t := range r.Pruned {
		lines = append(lines, line{k.Policy, k.Kind.String(), t.Runs, t.Rows})
	}
	return map[string]any{"pruned": lines, "partitions": r.Replaced, "bytes_freed": r.Freed, "audit_entries": r.AuditEntries, "cut_off": cutOff}
}

// KeptReasons are the reasons that are shown.
func KeptReasons() []retention.Reason {
	return []retention.Reason{retention.Live, retention.Pinned, retention.Held, retention.Recent, retention.Needed, retention.Group}
}

func (p *Pruner) showKept(plan *retention.Plan) {
	if p.Metrics == nil {
		return
	}
	for _, reason := range KeptReasons() {
		p.Metrics.Kept(string(reason), plan.Kept[reason])
	}
}
