package scenario_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

func at(t *testing.T, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return v.UTC()
}

func TestValidateSchedule(t *testing.T) {
	t.Parallel()
	noon, later := at(t, "2026-05-01T12:00:00Z"), at(t, "2026-05-02T12:00:00Z")
	deadline := func(d time.Duration) *time.Duration { return &d }
	for name, c := range map[string]struct {
		s    scenario.Schedule
		want []string // each problem begins with one of these
	}{
		"cron": {scenario.Schedule{
			Kind: scenario.ScheduleCron, Cron: "*/15 8-18 * JAN-NOV MON-FRI", TimeZone: "America/Argentina/Buenos_Aires",
			ConcurrencyPolicy: scenario.ConcurrencyForbid, StartingDeadline: deadline(time.Minute), NotBefore: noon, NotAfter: later,
		}, nil},
		"once":           {scenario.Schedule{Kind: scenario.ScheduleOnce, RunAt: noon, NotBefore: noon, NotAfter: later, TimeZone: "Etc/GMT+5"}, nil},
		"after scenario": {scenario.Schedule{Kind: scenario.ScheduleAfterScenario, AfterScenarioID: "b"}, nil},
		"event":          {scenario.Schedule{Kind: scenario.ScheduleEvent, EventType: "deployment.finished"}, nil},

		"no kind":             {scenario.Schedule{}, []string{"kind: want one of once, cron, after_scenario, event"}},
		"kind weekly":         {scenario.Schedule{Kind: "weekly"}, []string{"kind: want one of"}},
		"cron without cron":   {scenario.Schedule{Kind: scenario.ScheduleCron}, []string{"cron: required for kind cron"}},
		"once without time":   {scenario.Schedule{Kind: scenario.ScheduleOnce}, []string{"run_at: required for kind once"}},
		"after nothing":       {scenario.Schedule{Kind: scenario.ScheduleAfterScenario}, []string{"after_scenario_id: required"}},
		"event without type":  {scenario.Schedule{Kind: scenario.ScheduleEvent}, []string{"event_type: required"}},
		"after itself":        {scenario.Schedule{Kind: scenario.ScheduleAfterScenario, AfterScenarioID: "a"}, []string{"after_scenario_id: a scenario cannot come after itself"}},
		"of another kind":     {scenario.Schedule{Kind: scenario.ScheduleOnce, RunAt: noon, Cron: "* * * * *", EventType: "x"}, []string{"cron: only for kind cron", "event_type: only for kind event"}},
		"policy":              {scenario.Schedule{Kind: scenario.ScheduleOnce, RunAt: noon, ConcurrencyPolicy: "queue"}, []string{"concurrency_policy: want one of allow, forbid, replace"}},
		"deadline zero":       {scenario.Schedule{Kind: scenario.ScheduleOnce, RunAt: noon, StartingDeadline: deadline(0)}, []string{"starting_deadline: must be at least 1µs"}},
		"deadline too short":  {scenario.Schedule{Kind: scenario.ScheduleOnce, RunAt: noon, StartingDeadline: deadline(999)}, []string{"starting_deadline: must be at least 1µs"}},
		"shortest deadline":   {scenario.Schedule{Kind: scenario.ScheduleOnce, RunAt: noon, StartingDeadline: deadline(time.Microsecond)}, nil},
		"window turned round": {scenario.Schedule{Kind: scenario.ScheduleCron, Cron: "* * * * *", NotBefore: later, NotAfter: noon}, []string{"not_after: must be later than not_before"}},
		"empty window":        {scenario.Schedule{Kind: scenario.ScheduleCron, Cron: "* * * * *", NotBefore: noon, NotAfter: noon}, []string{"not_after: must be later than not_before"}},
		"once, too late":      {scenario.Schedule{Kind: scenario.ScheduleOnce, RunAt: later, NotAfter: noon}, []string{"run_at: must lie between"}},
		"all at once": {
			scenario.Schedule{Kind: scenario.ScheduleCron, Cron: "@daily", TimeZone: "Mars/Base", StartingDeadline: deadline(-1)},
			[]string{"time_zone: unknown time zone", "cron: want five fields", "starting_deadline: must be at least"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.s.ScenarioID = "a"
			got := lines(scenario.ValidateSchedule(c.s))
			if len(got) != len(c.want) {
				t.Fatalf("problems = %q, want %q", got, c.want)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], c.want[i]) {
					t.Errorf("problem %q, want %q", got[i], c.want[i])
				}
			}
		})
	}
	if got := lines(scenario.ValidateSchedule(scenario.Schedule{Kind: scenario.ScheduleOnce, RunAt: noon})); len(got) != 1 || got[0] != "scenario_id: required" {
		t.Errorf("no scenario: %q", got)
	}
}

func TestHostileCron(t *testing.T) {
	t.Parallel()
	for _, expression := range []string{
		"* * * * * *", "* * * *", "@every 1ns", "@reboot", "@daily", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8",
		"*/0 * * * *", "5-1 * * * *", "0 0 30 2 *", "-1 * * * *", "9999999999999999999999 * * * *", "a b c d e", "  ", "\x00 * * * *",
		"TZ=../../etc/passwd * * * * *", "CRON_TZ=UTC * * * * *", "TZ=UTC", "CRON_TZ=",
		strings.Repeat("1,", 200) + "1 * * * *",
	} {
		t.Run(expression, func(t *testing.T) {
			t.Parallel()
			s := scenario.Schedule{ScenarioID: "a", Kind: scenario.ScheduleCron, Cron: expression}
			problems := scenario.ValidateSchedule(s)
			if len(problems) != 1 || problems[0].Path != "cron" || problems[0].Value != expression {
				t.Errorf("problems = %v", problems)
			}
			if due := s.Next(at(t, "2026-01-01T00:00:00Z"), 1); due != nil {
				t.Errorf("an invalid schedule is due at %v", due)
			}
		})
	}
}

func TestHostileTimeZones(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{
		"../../etc/passwd", "/etc/localtime", "Europe/../../../etc/passwd", "Local", "localtime", ".", "..", "Europe\\Zurich", "Europe//Zurich",
		"Europe/", "right/Europe/Zurich", "posix/UTC", "UTC\x00", " UTC", "+01:00", "Mars/Base", "tzdata.zi", strings.Repeat("A", 65),
	} {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			problems := scenario.ValidateSchedule(scenario.Schedule{
				ScenarioID: "a", Kind: scenario.ScheduleCron, Cron: "* * * * *", TimeZone: zone,
			})
			if len(problems) != 1 || problems[0].Path != "time_zone" {
				t.Errorf("problems = %v", problems)
			}
		})
	}
}

func TestNext(t *testing.T) {
	t.Parallel()
	no := false
	for name, c := range map[string]struct {
		s     scenario.Schedule
		after string
		n     int
		want  []string
	}{
		"weekdays": {
			scenario.Schedule{Kind: scenario.ScheduleCron, Cron: "30 9 * * MON-FRI"},
			"2026-01-02T09:30:00Z", 2,
			[]string{"2026-01-05T09:30:00Z", "2026-01-06T09:30:00Z"},
		},
		"half-hour zone": {
			scenario.Schedule{Kind: scenario.ScheduleCron, Cron: "0 0 * * *", TimeZone: "Asia/Kolkata"},
			"2026-01-01T00:00:00Z", 1,
			[]string{"2026-01-01T18:30:00Z"},
		},
		"spring: the skipped time does not come": {
			scenario.Schedule{Kind: scenario.ScheduleCron, Cron: "30 2 * * *", TimeZone: "Europe/Zurich"},
			"2026-03-28T12:00:00Z", 2,
			[]string{"2026-03-30T00:30:00Z", "2026-03-31T00:30:00Z"}, // not on the 29th
		},
		"spring: the wall clock is kept": {
			scenario.Schedule{Kind: scenario.ScheduleCron, Cron: "0 9 * * *", TimeZone: "America/New_York"},
			"2026-03-07T00:00:00Z", 3,
			[]string{"2026-03-07T14:00:00Z", "2026-03-08T13:00:00Z", "2026-03-09T13:00:00Z"},
		},
		"autumn: the doubled time comes twice": {
			scenario.Schedule{Kind: scenario.ScheduleCron, Cron: "30 1 * * *", TimeZone: "America/New_York"},
			"2026-10-31T12:00:00Z", 3,
			[]string{"2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z", "2026-11-02T06:30:00Z"},
		},
		"leap day": {
			scenario.Schedule{Kind: scenario.ScheduleCron, Cron: "0 0 29 2 *"},
			"2026-01-01T00:00:00Z", 2,
			[]string{"2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"},
		},
		"not before is included, not after too": {
			scenario.Schedule{
				Kind: scenario.ScheduleCron, Cron: "0 * * * *",
				NotBefore: at(t, "2026-01-01T10:00:00Z"), NotAfter: at(t, "2026-01-01T12:00:00Z"),
			},
			"2025-01-01T00:00:00Z", 9,
			[]string{"2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z", "2026-01-01T12:00:00Z"},
		},
		"once":           {scenario.Schedule{Kind: scenario.ScheduleOnce, RunAt: at(t, "2026-01-01T10:00:00Z")}, "2026-01-01T09:00:00Z", 5, []string{"2026-01-01T10:00:00Z"}},
		"once, over":     {scenario.Schedule{Kind: scenario.ScheduleOnce, RunAt: at(t, "2026-01-01T10:00:00Z")}, "2026-01-01T10:00:00Z", 5, nil},
		"none wanted":    {scenario.Schedule{Kind: scenario.ScheduleOnce, RunAt: at(t, "2026-01-01T10:00:00Z")}, "2026-01-01T09:00:00Z", 0, nil},
		"disabled":       {scenario.Schedule{Kind: scenario.ScheduleCron, Cron: "* * * * *", Enabled: &no}, "2026-01-01T09:00:00Z", 5, nil},
		"after scenario": {scenario.Schedule{Kind: scenario.ScheduleAfterScenario, AfterScenarioID: "b"}, "2026-01-01T09:00:00Z", 5, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.s.ScenarioID = "a"
			if problems := scenario.ValidateSchedule(c.s); len(problems) > 0 {
				t.Fatalf("schedule: %v", problems)
			}
			var got []string
			for _, due := range c.s.Next(at(t, c.after), c.n) {
				got = append(got, due.Format(time.RFC3339))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("due (-want +got):\n%s", diff)
			}
		})
	}
}
