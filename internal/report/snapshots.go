package report

import (
	"maps"
	"slices"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
)

// Bounds of what is kept of snapshots.
const (
	mostServices = 64
	mostChanges  = 50 // listed of one difference
	mostHealth   = 50 // changes of health of one service
)

// snapshotWatch keeps of the snapshots of a run, in the order of their events, what
// differences and charts need. A snapshot with a suspect time is left out.
type snapshotWatch struct {
	services map[string]*watched // "" is the whole system
	omitted  int                 // snapshots of services beyond the bound
	faulted  bool                // a fault has been injected
}

func newSnapshotWatch() snapshotWatch { return snapshotWatch{services: map[string]*watched{}} }

// watched is one service. Of its snapshots at most four are held: where it came
// from, just before and just after the injection, and where it went.
type watched struct {
	first, baseline *snapshot // the first of all only until there is a baseline
	before, after   *snapshot // the last pre_injection, the first post_injection
	recovery, last  *snapshot // the last of all only until there is a recovery

	health                 []HealthAt
	healthBefore, healthAt string // before the first fault, and by the last snapshot
	metrics                map[string]*series
	metricsOmitted         int
}

type snapshot struct {
	ref     SnapshotRef
	content execution.SnapshotContent
}

func (w *snapshotWatch) add(e *execution.Event, p *execution.SnapshotCaptured) {
	service := w.services[p.Service]
	if service == nil {
		if len(w.services) >= mostServices {
			w.omitted++
			return
		}
		service = &watched{metrics: map[string]*series{}}
		w.services[p.Service] = service
	}
	s := &snapshot{
		ref:     SnapshotRef{ID: p.SnapshotID, Kind: p.Kind, At: moment(e.Time), Health: quoted(p.Health)},
		content: execution.SnapshotContent{State: p.State, Metrics: p.Metrics},
	}
	service.hold(s)
	service.feel(s.ref, w.faulted)
	service.measure(s.ref.At, metricsIn(p.Metrics), w.faulted)
}

func (w *watched) hold(s *snapshot) {
	switch s.ref.Kind {
	case execution.SnapshotBaseline:
		w.baseline, w.first = s, nil
	case execution.SnapshotPreInjection:
		w.before = s
	case execution.SnapshotPostInjection:
		if w.after == nil {
			w.after = s
		}
	case execution.SnapshotRecovery:
		w.recovery, w.last = s, nil
	case execution.SnapshotPeriodic, execution.SnapshotManual:
	}
	if w.first == nil && w.baseline == nil {
		w.first = s
	}
	if w.recovery == nil {
		w.last = s
	}
}

// feel notes the health where it changes: the first changes, and the latest.
func (w *watched) feel(ref SnapshotRef, faulted bool) {
	if ref.Health == "" {
		return
	}
	if !faulted || w.healthBefore == "" {
		w.healthBefore = ref.Health
	}
	if ref.Health == w.healthAt {
		return
	}
	w.healthAt = ref.Health
	change := HealthAt{At: ref.At, Health: ref.Health}
	if len(w.health) < mostHealth {
		w.health = append(w.health, change)
	} else {
		w.health[mostHealth-1] = change
	}
}

// differences are, for each service by name, how it differed
//
//   - from just before the faults to just after: from the last pre_injection, else
//     the last baseline, else the first snapshot, to the first post_injection;
//   - over the whole run: from the last baseline, else the first snapshot, to the
//     last recovery, else the last snapshot.
func (w *snapshotWatch) differences() []SnapshotDifference {
	all := []SnapshotDifference{}
	for _, name := range slices.Sorted(maps.Keys(w.services)) {
		s := w.services[name]
		start, end := s.baseline, s.recovery
		if start == nil {
			start = s.first
		}
		if end == nil {
			end = s.last
		}
		before := s.before
		if before == nil {
			before = start
		}
		if s.after != nil && s.after != before {
			all = append(all, compareSnapshots(name, before, s.after))
		}
		if start != end && (before != start || s.after != end) {
			all = append(all, compareSnapshots(name, start, end))
		}
	}
	return all
}

func compareSnapshots(service string, from, to *snapshot) SnapshotDifference {
	d := SnapshotDifference{Service: cutText(service), From: from.ref, To: to.ref, Changes: []ValueChange{}}
	diff, err := execution.DiffSnapshots(from.comparable(), to.comparable(), mostChanges)
	if err != nil { // cannot be: what is no JSON was made a text
		return d
	}
	d.Added, d.Removed, d.Changed = diff.Added, diff.Removed, diff.Changed
	for _, c := range diff.Changes {
		d.Changes = append(d.Changes, ValueChange{Kind: c.Kind, Path: cutText(c.Path), Before: c.Before, After: c.After, Relative: c.Relative})
	}
	d.Omitted = d.Added + d.Removed + d.Changed - len(d.Changes)
	return d
}

func (s *snapshot) comparable() execution.SnapshotContent {
	return execution.SnapshotContent{State: comparableJSON(s.content.State), Metrics: comparableJSON(s.content.Metrics)}
}
