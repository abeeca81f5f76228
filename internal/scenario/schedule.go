package scenario

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // zones must be known on machines that have none

	"github.com/robfig/cron/v3"
)

// ScheduleKinds is the closed list.
func ScheduleKinds() []ScheduleKind {
	return []ScheduleKind{ScheduleOnce, ScheduleCron, ScheduleAfterScenario, ScheduleEvent}
}

// ConcurrencyPolicies is the closed list.
func ConcurrencyPolicies() []ConcurrencyPolicy {
	return []ConcurrencyPolicy{ConcurrencyAllow, ConcurrencyForbid, ConcurrencyReplace}
}

// leastDuration is what is kept of a stored duration: a shorter one would be
// none.
const leastDuration = time.Microsecond

// ValidateSchedule holds a schedule against the rules of its kind: what the
// kind needs is there, what belongs to another kind is not, and the schedule
// can come due.
func ValidateSchedule(s Schedule) Problems {
	var problems Problems
	if s.ScenarioID == "" {
		problems.add("scenario_id", "", "required")
	}
	if !slices.Contains(ScheduleKinds(), s.Kind) {
		problems.add("kind", string(s.Kind), "want one of %s", joined(ScheduleKinds()))
	} else {
		problems = append(problems, s.kindProblems()...)
	}
	if _, err := loadZone(s.TimeZone); err != nil {
		problems.add("time_zone", s.TimeZone, "%v", err)
	}
	if s.Kind == ScheduleCron && s.Cron != "" {
		if _, err := parseCron(s.Cron); err != nil {
			problems.add("cron", s.Cron, "%v", err)
		}
	}
	if s.Kind == ScheduleAfterScenario && s.AfterScenarioID != "" && s.AfterScenarioID == s.ScenarioID {
		problems.add("after_scenario_id", string(s.AfterScenarioID), "a scenario cannot come after itself")
	}
	if s.ConcurrencyPolicy != "" && !slices.Contains(ConcurrencyPolicies(), s.ConcurrencyPolicy) {
		problems.add("concurrency_policy", string(s.ConcurrencyPolicy), "want one of %s", joined(ConcurrencyPolicies()))
	}
	if s.StartingDeadline != nil && *s.StartingDeadline < leastDuration {
		problems.add("starting_deadline", s.StartingDeadline.String(), "must be at least %v", leastDuration)
	}
	if !s.NotBefore.IsZero() && !s.NotAfter.IsZero() && !s.NotBefore.Before(s.NotAfter) {
		problems.add("not_after", s.NotAfter.Format(time.RFC3339Nano), "must be later than not_before")
	}
	if s.Kind == ScheduleOnce && !s.RunAt.IsZero() && !s.within(s.RunAt) {
		problems.add("run_at", s.RunAt.Format(time.RFC3339Nano), "must lie between not_before and not_after")
	}
	return problems
}

// kindProblems names the fields that the kind needs and lacks, and those that
// mean something only for another kind.
func (s *Schedule) kindProblems() Problems {
	var problems Problems
	for _, f := range []struct {
		name string
		kind ScheduleKind
		set  bool
	}{
		{"cron", ScheduleCron, s.Cron != ""},
		{"run_at", ScheduleOnce, !s.RunAt.IsZero()},
		{"after_scenario_id", ScheduleAfterScenario, s.AfterScenarioID != ""},
		{"event_type", ScheduleEvent, s.EventType != ""},
	} {
		switch {
		case s.Kind == f.kind && !f.set:
			problems.add(f.name, "", "required for kind %s", s.Kind)
		case s.Kind != f.kind && f.set:
			problems.add(f.name, "", "only for kind %s", f.kind)
		}
	}
	return problems
}

func (s *Schedule) within(t time.Time) bool {
	return (s.NotBefore.IsZero() || !t.Before(s.NotBefore)) && (s.NotAfter.IsZero() || !t.After(s.NotAfter))
}

// Next is the next n times after a moment at which the schedule is due, in UTC;
// fewer when it ends before. A disabled schedule, and one that waits for a
// scenario or an event, has none. The schedule must be valid.
//
// A cron expression is read in the schedule's time zone as Kubernetes does: a
// time that the clocks skip in spring does not come that day, a time that they
// show twice in autumn comes twice.
func (s *Schedule) Next(after time.Time, n int) []time.Time {
	if s.Enabled != nil && !*s.Enabled {
		return nil
	}
	switch s.Kind {
	case ScheduleOnce:
		if n > 0 && s.RunAt.After(after) {
			return []time.Time{s.RunAt.UTC()}
		}
	case ScheduleCron:
		return s.nextCron(after, n)
	case ScheduleAfterScenario, ScheduleEvent:
	}
	return nil
}

func (s *Schedule) nextCron(after time.Time, n int) []time.Time {
	plan, err := parseCron(s.Cron)
	if err != nil {
		return nil
	}
	zone, err := loadZone(s.TimeZone)
	if err != nil {
		return nil
	}
	// An occurrence at not_before itself counts: look from just before it.
	if from := s.NotBefore.Add(-time.Nanosecond); !s.NotBefore.IsZero() && from.After(after) {
		after = from
	}
	var due []time.Time
	for t := after.In(zone); len(due) < n; {
		t = plan.Next(t)
		if t.IsZero() || !s.within(t) {
			break
		}
		due = append(due, t.UTC())
	}
	return due
}

// maxCron is how long an expression may be, in bytes; every list of all minutes
// fits.
const maxCron = 256

var fiveFields = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// parseCron reads a standard expression: minute, hour, day of month, month, day
// of week. Descriptors (@every) and zones within the expression are refused;
// the parser would load the latter from wherever its name leads, and panics on
// a zone with nothing behind it.
func parseCron(expression string) (cron.Schedule, error) {
	if len(expression) > maxCron {
		return nil, fmt.Errorf("longer than %d bytes", maxCron)
	}
	if strings.Contains(expression, "TZ=") {
		return nil, errors.New("the zone belongs into time_zone")
	}
	plan, err := fiveFields.Parse(expression)
	if err != nil {
		return nil, fmt.Errorf("want five fields (minute, hour, day of month, month, day of week): %w", err)
	}
	// The search ends after five years, which from this year on holds a leap day.
	if plan.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return nil, errors.New("never comes due")
	}
	return plan, nil
}

// zoneName is the shape of the names in the time zone database: without dots,
// each part with a capital. So a name never leads out of the database, nor to
// what systems keep in its directory under names of their own (localtime,
// posixrules, right/UTC).
var zoneName = regexp.MustCompile(`^[A-Z][A-Za-z0-9_+-]*(/[A-Z][A-Za-z0-9_+-]*){0,2}$`)

// loadZone finds a zone by its IANA name; an empty name is UTC. "Local" is
// refused, because it means something else on each machine.
func loadZone(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	if len(name) > 64 || !zoneName.MatchString(name) || name == "Local" {
		return nil, errors.New("want the IANA name of a time zone, such as Europe/Zurich")
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, errors.New("unknown time zone")
	}
	return zone, nil
}
