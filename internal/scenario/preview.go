package scenario

import "time"

// Upcoming is one of the next times of a schedule.
type Upcoming struct {
	At time.Time // in the schedule's zone

	// Twice says that the clocks show this time twice on that day; a cron schedule
	// is due at both.
	Twice bool
}

// Preview is the next n times after a moment at which the schedule is due, as
// Next gives them, and the local times among them that the clocks skip: no
// occurrence comes of those. The skipped ones are in UTC, but mean the clocks of
// the schedule's zone. A disabled schedule is shown as if it were enabled.
func (s *Schedule) Preview(after time.Time, n int) (upcoming []Upcoming, skipped []time.Time) {
	enabled := *s
	enabled.Enabled = nil
	zone, err := loadZone(s.TimeZone)
	if err != nil {
		return nil, nil
	}
	due := enabled.Next(after, n)
	for _, t := range due {
		upcoming = append(upcoming, Upcoming{At: t.In(zone), Twice: shownTwice(t.In(zone))})
	}
	if s.Kind == ScheduleCron && len(due) > 0 {
		skipped = enabled.skippedBetween(after.In(zone), due[len(due)-1].In(zone))
	}
	return upcoming, skipped
}

// shownTwice tells whether the clocks of a time's zone show it a second time,
// after they have been set back.
func shownTwice(t time.Time) bool {
	_, offset := t.Zone()
	start, end := t.ZoneBounds()
	if !start.IsZero() {
		_, before := start.Add(-time.Nanosecond).Zone()
		if back := seconds(before - offset); back > 0 && t.Sub(start) < back {
			return true
		}
	}
	if !end.IsZero() {
		_, later := end.Zone()
		if back := seconds(offset - later); back > 0 && end.Sub(t) <= back {
			return true
		}
	}
	return false
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// skippedBetween are the local times between two moments that the expression
// names and the clocks skip, as if the zone were UTC.
func (s *Schedule) skippedBetween(after, until time.Time) []time.Time {
	var skipped []time.Time
	clocks := *s
	clocks.TimeZone, clocks.NotBefore, clocks.NotAfter = "", time.Time{}, time.Time{}
	// Each time that the clocks are set forward skips one stretch.
	for t := after; ; {
		_, end := t.ZoneBounds()
		if end.IsZero() || end.After(until) {
			return skipped
		}
		_, before := t.Zone()
		_, later := end.Zone()
		if forward := seconds(later - before); forward > 0 {
			first := onClocks(end.In(t.Location())).Add(-forward)
			skipped = append(skipped, clocks.dueIn(first.Add(-time.Nanosecond), first.Add(forward-time.Nanosecond))...)
		}
		t = end.In(t.Location())
	}
}

// onClocks is what the clocks of a time's zone show, as if it were UTC.
func onClocks(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.UTC().Add(seconds(offset))
}
