package render

import (
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

// window is the time that a run took, for axes and for formats that must have a
// start and an end: started to ended as far as they are known, else what its parts
// say. What lies after the end belongs to it up to half of the run's length;
// later, and earlier than the start, are clocks that are wrong.
func window(r *report.Report) (start, end time.Time) {
	var first, last time.Time
	see := func(times ...*time.Time) {
		for _, t := range times {
			if t == nil || t.IsZero() {
				continue
			}
			if first.IsZero() || t.Before(first) {
				first = *t
			}
			if t.After(last) {
				last = *t
			}
		}
	}
	for i := range r.Phases {
		see(r.Phases[i].StartedAt, r.Phases[i].FinishedAt)
	}
	for i := range r.Faults {
		see(r.Faults[i].InjectedAt, r.Faults[i].ClearedAt, r.Faults[i].RecoveredAt)
	}
	for i := range r.Validations {
		see(&r.Validations[i].At)
	}
	for i := range r.Steps {
		see(r.Steps[i].StartedAt, r.Steps[i].FinishedAt)
	}
	if first.IsZero() {
		for i := range r.Timeline.Entries {
			if !r.Timeline.Entries[i].Suspect {
				see(&r.Timeline.Entries[i].At)
			}
		}
	}
	see(r.Run.EndedAt)
	switch {
	case r.Run.StartedAt != nil:
		start = *r.Run.StartedAt
	case r.Run.RequestedAt != nil:
		start = *r.Run.RequestedAt
	case !first.IsZero():
		start = first
	default:
		start = time.Unix(0, 0)
	}
	end = last
	if r.Run.EndedAt != nil {
		end = *r.Run.EndedAt
		if latest := end.Add(end.Sub(start) / 2); last.After(end) && !last.After(latest) {
			end = last
		}
	}
	if end.Before(start) {
		end = start
	}
	return start.UTC(), end.UTC()
}
