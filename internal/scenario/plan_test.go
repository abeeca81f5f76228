package scenario_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// set is a schedule that was set at the beginning of 2026.
func set(s scenario.Schedule) *scenario.ScheduleState {
	s.ScheduleID, s.ScenarioID = "nightly", "a"
	return &scenario.ScheduleState{Schedule: s, CreatedAt: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
}

// shown is what matters of occurrences, one a line.
func shown(occurrences []scenario.Occurrence) []string {
	var out []string
	for _, o := range occurrences {
		line := o.DueAt.Format(time.RFC3339)
		if !o.DueUntil.IsZero() {
			line += " to " + o.DueUntil.Format(time.RFC3339)
		}
		line += " " + string(o.Status)
		if o.Reason != "" {
			line += " " + string(o.Reason)
		}
		out = append(out, line)
	}
	return out
}

func duration(d time.Duration) *time.Duration { return &d }

func TestPlan(t *testing.T) {
	t.Parallel()
	no := false
	hourly := scenario.Schedule{Kind: scenario.ScheduleCron, Cron: "0 * * * *"}
	once := scenario.Schedule{Kind: scenario.ScheduleOnce, RunAt: at(t, "2026-05-01T12:00:00Z")}
	with := func(s scenario.Schedule, change func(*scenario.Schedule)) *scenario.ScheduleState {
		change(&s)
		return set(s)
	}
	for name, c := range map[string]struct {
		s            *scenario.ScheduleState
		after, until string
		want         []string
		next         string // empty: never
	}{
		"both ends": {
			set(hourly), "2026-05-01T10:00:00Z", "2026-05-01T12:00:00Z",
			[]string{"2026-05-01T11:00:00Z due", "2026-05-01T12:00:00Z due"},
			"2026-05-01T13:00:00Z",
		},
		"nothing yet": {set(hourly), "2026-05-01T10:00:00Z", "2026-05-01T10:59:59Z", nil, "2026-05-01T11:00:00Z"},
		"a clock that went back": {
			set(hourly), "2026-05-01T12:00:00Z", "2026-05-01T10:30:00Z", nil, "2026-05-01T11:00:00Z",
		},
		"too late": {
			with(hourly, func(s *scenario.Schedule) { s.StartingDeadline = duration(30 * time.Minute) }), "2026-05-01T09:00:00Z", "2026-05-01T11:30:00Z",
			[]string{"2026-05-01T10:00:00Z missed too_late", "2026-05-01T11:00:00Z due"},
			"2026-05-01T12:00:00Z",
		},
		"after its window": {
			with(hourly, func(s *scenario.Schedule) { s.NotAfter = at(t, "2026-05-01T11:15:00Z") }), "2026-05-01T10:00:00Z", "2026-05-01T12:30:00Z",
			[]string{"2026-05-01T11:00:00Z missed too_late"},
			"",
		},
		"before its window": {
			with(hourly, func(s *scenario.Schedule) { s.NotBefore = at(t, "2026-05-01T11:30:00Z") }), "2026-05-01T10:00:00Z", "2026-05-01T11:10:00Z",
			nil, "2026-05-01T12:00:00Z",
		},
		"disabled": {with(hourly, func(s *scenario.Schedule) { s.Enabled = &no }), "2026-05-01T10:00:00Z", "2026-05-01T12:00:00Z", nil, ""},
		"removed":  {&scenario.ScheduleState{Schedule: hourly, Removed: true}, "2026-05-01T10:00:00Z", "2026-05-01T12:00:00Z", nil, ""},
		"once, to come": {
			set(once), "2026-05-01T10:00:00Z", "2026-05-01T11:59:59Z", nil, "2026-05-01T12:00:00Z",
		},
		"once":                          {set(once), "2026-05-01T10:00:00Z", "2026-05-01T12:00:00Z", []string{"2026-05-01T12:00:00Z due"}, ""},
		"once, after a long sleep":      {set(once), "2026-05-01T10:00:00Z", "2026-05-02T12:00:00Z", []string{"2026-05-01T12:00:00Z due"}, ""},
		"once, heard of a little later": {set(once), "2026-05-01T12:30:00Z", "2026-05-01T13:00:00Z", []string{"2026-05-01T12:00:00Z due"}, ""},
		"once, heard of years later": {
			set(once), "2028-05-01T12:30:00Z", "2028-05-01T12:30:01Z", []string{"2026-05-01T12:00:00Z missed heard_late"}, "",
		},
		"once, heard of late within its deadline": {
			with(once, func(s *scenario.Schedule) { s.StartingDeadline = duration(3 * time.Hour) }), "2026-05-01T14:30:00Z", "2026-05-01T14:30:01Z",
			[]string{"2026-05-01T12:00:00Z due"},
			"",
		},
		"after scenario": {set(scenario.Schedule{Kind: scenario.ScheduleAfterScenario, AfterScenarioID: "b"}), "2026-05-01T10:00:00Z", "2026-05-01T12:00:00Z", nil, ""},
		"event":          {set(scenario.Schedule{Kind: scenario.ScheduleEvent, EventType: "b"}), "2026-05-01T10:00:00Z", "2026-05-01T12:00:00Z", nil, ""},

		"Berlin, spring: the skipped time does not come": {
			set(scenario.Schedule{Kind: scenario.ScheduleCron, Cron: "30 2 * * *", TimeZone: "Europe/Berlin"}), "2026-03-27T12:00:00Z", "2026-03-30T12:00:00Z",
			[]string{"2026-03-28T01:30:00Z due", "2026-03-30T00:30:00Z due"},
			"2026-03-31T00:30:00Z",
		},
		"Berlin, autumn: the doubled time comes twice": {
			set(scenario.Schedule{Kind: scenario.ScheduleCron, Cron: "30 2 * * *", TimeZone: "Europe/Berlin"}), "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z",
			[]string{"2026-10-25T00:30:00Z due", "2026-10-25T01:30:00Z due"},
			"2026-10-26T01:30:00Z",
		},
		"New York, spring: an hour less": {
			set(scenario.Schedule{Kind: scenario.ScheduleCron, Cron: "0 * * * *", TimeZone: "America/New_York"}), "2026-03-08T05:30:00Z", "2026-03-08T08:00:00Z",
			[]string{"2026-03-08T06:00:00Z due", "2026-03-08T07:00:00Z due", "2026-03-08T08:00:00Z due"},
			"2026-03-08T09:00:00Z",
		},
		"New York, autumn: an hour more": {
			set(scenario.Schedule{Kind: scenario.ScheduleCron, Cron: "15 1 * * *", TimeZone: "America/New_York"}), "2026-10-31T12:00:00Z", "2026-11-02T12:00:00Z",
			[]string{"2026-11-01T05:15:00Z due", "2026-11-01T06:15:00Z due", "2026-11-02T06:15:00Z due"},
			"2026-11-03T06:15:00Z",
		},
		"Lord Howe, spring: half an hour is skipped": { // 2026-10-04, 2:00 becomes 2:30
			set(scenario.Schedule{Kind: scenario.ScheduleCron, Cron: "15,45 2 * * *", TimeZone: "Australia/Lord_Howe"}), "2026-10-03T12:00:00Z", "2026-10-04T12:00:00Z",
			[]string{"2026-10-03T15:45:00Z due"},
			"2026-10-04T15:15:00Z",
		},
		"Lord Howe, autumn: half an hour comes twice": { // 2026-04-05, 2:00 becomes 1:30
			set(scenario.Schedule{Kind: scenario.ScheduleCron, Cron: "15,45 1 * * *", TimeZone: "Australia/Lord_Howe"}), "2026-04-04T12:00:00Z", "2026-04-05T12:00:00Z",
			[]string{"2026-04-04T14:15:00Z due", "2026-04-04T14:45:00Z due", "2026-04-04T15:15:00Z due"},
			"2026-04-05T14:45:00Z",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := c.s.Plan(at(t, c.after), at(t, c.until))
			if diff := cmp.Diff(c.want, shown(got.Occurrences)); diff != "" {
				t.Errorf("occurrences (-want +got):\n%s", diff)
			}
			next := ""
			if !got.Next.IsZero() {
				next = got.Next.Format(time.RFC3339)
			}
			if next != c.next {
				t.Errorf("next %q, want %q", next, c.next)
			}
		})
	}
}

// A thousand late runs are enough, and it must not take the time of ten years of
// minutes to find them.
func TestALongSleepMakesABoundedNumber(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cron         string
		after, until string
		first, last  string // due
		until1       string // what the summary reaches to; empty: there is none
		want         int
	}{
		"ten years of minutes": {
			"* * * * *", "2016-05-01T00:00:30Z", "2026-05-01T00:00:00Z", "2016-05-01T00:01:00Z", "2026-05-01T00:00:00Z", "2026-04-30T07:21:00Z", 1001,
		},
		"one more than a thousand": {"* * * * *", "2026-05-01T00:00:00Z", "2026-05-01T16:41:00Z", "2026-05-01T00:01:00Z", "2026-05-01T16:41:00Z", "2026-05-01T00:02:00Z", 1001},
		"a thousand":               {"* * * * *", "2026-05-01T00:00:00Z", "2026-05-01T16:40:00Z", "2026-05-01T00:01:00Z", "2026-05-01T16:40:00Z", "", 1000},
		"hundred years of leap days": {
			"0 0 29 2 *", "1926-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "1928-02-29T00:00:00Z", "2024-02-29T00:00:00Z", "", 25,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := set(scenario.Schedule{Kind: scenario.ScheduleCron, Cron: c.cron})
			made := s.Plan(at(t, c.after), at(t, c.until)).Occurrences
			if len(made) != c.want {
				t.Fatalf("%d occurrences, want %d", len(made), c.want)
			}
			summary := fmt.Sprintf("%s due", c.first)
			if c.until1 != "" {
				summary = fmt.Sprintf("%s to %s missed too_many", c.first, c.until1)
				if next := made[1].DueAt.Format(time.RFC3339); next != c.until1 {
					t.Errorf("the first after the summary is due at %s, want %s", next, c.until1)
				}
			}
			want := []string{summary, c.last + " due"}
			if diff := cmp.Diff(want, shown([]scenario.Occurrence{made[0], made[len(made)-1]})); diff != "" {
				t.Errorf("first and last (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTheSameCauseMakesTheSameOccurrence(t *testing.T) {
	t.Parallel()
	s := set(scenario.Schedule{Kind: scenario.ScheduleCron, Cron: "0 * * * *", TimeZone: "Asia/Kolkata"})
	one, other := s.Plan(at(t, "2026-05-01T00:00:00Z"), at(t, "2026-05-01T03:00:00Z")), s.Plan(at(t, "2026-05-01T01:00:00Z"), at(t, "2026-05-01T02:00:00Z"))
	if got, want := other.Occurrences[0].ID, one.Occurrences[1].ID; got != want || got != "at:2026-05-01T01:30:00Z" {
		t.Errorf("ids %s and %s", got, want)
	}
	after := set(scenario.Schedule{Kind: scenario.ScheduleAfterScenario, AfterScenarioID: "b"})
	ids := map[scenario.OccurrenceID]bool{}
	for _, run := range []scenario.RunRef{{"x", 1}, {"x", 2}, {"y", 1}, {"x1", 1}, {"x", 1}} {
		o, ok := after.Trigger(scenario.Trigger{Kind: scenario.ScheduleAfterScenario, Source: "b", At: at(t, "2026-05-01T00:00:00Z"), Run: run}, at(t, "2026-05-01T00:00:00Z"))
		if !ok {
			t.Fatalf("run %s makes none", run)
		}
		ids[o.ID] = true
	}
	if len(ids) != 4 {
		t.Errorf("%d ids of four runs: %v", len(ids), ids)
	}
}

func TestTrigger(t *testing.T) {
	t.Parallel()
	no := false
	after := scenario.Schedule{Kind: scenario.ScheduleAfterScenario, AfterScenarioID: "b"}
	event := scenario.Schedule{Kind: scenario.ScheduleEvent, EventType: "deployed"}
	run := func(source, when string) scenario.Trigger {
		return scenario.Trigger{Kind: scenario.ScheduleAfterScenario, Source: source, At: at(t, when), Run: scenario.RunRef{ExecutionID: "x", Run: 1}}
	}
	accepted := func(source, when string) scenario.Trigger {
		return scenario.Trigger{Kind: scenario.ScheduleEvent, Source: source, At: at(t, when), EventKey: fact.NewKey("s", "1", "x")}
	}
	with := func(s scenario.Schedule, change func(*scenario.ScheduleState)) *scenario.ScheduleState {
		state := set(s)
		change(state)
		return state
	}
	const noon, seen = "2026-05-01T12:00:00Z", "2026-05-01T12:00:05Z"
	for name, c := range map[string]struct {
		s    *scenario.ScheduleState
		t    scenario.Trigger
		seen string
		want []string
	}{
		"the scenario":             {set(after), run("b", noon), seen, []string{noon + " due"}},
		"another scenario":         {set(after), run("c", noon), seen, nil},
		"an event of that name":    {set(after), accepted("b", noon), seen, nil},
		"the event":                {set(event), accepted("deployed", noon), seen, []string{noon + " due"}},
		"another event":            {set(event), accepted("removed", noon), seen, nil},
		"a scenario of that name":  {set(event), run("deployed", noon), seen, nil},
		"another kind":             {set(scenario.Schedule{Kind: scenario.ScheduleOnce, RunAt: at(t, noon)}), run("b", noon), seen, nil},
		"before it was set":        {set(event), accepted("deployed", "2025-12-31T23:59:59Z"), seen, nil},
		"disabled":                 {with(event, func(s *scenario.ScheduleState) { s.Enabled = &no }), accepted("deployed", noon), seen, nil},
		"removed":                  {with(event, func(s *scenario.ScheduleState) { s.Removed = true }), accepted("deployed", noon), seen, nil},
		"before its window":        {with(event, func(s *scenario.ScheduleState) { s.NotBefore = at(t, seen) }), accepted("deployed", noon), seen, nil},
		"long past":                {set(event), accepted("deployed", noon), "2026-05-01T13:00:01Z", []string{noon + " missed heard_late"}},
		"not long past":            {set(event), accepted("deployed", noon), "2026-05-01T13:00:00Z", []string{noon + " due"}},
		"long past, with deadline": {with(event, func(s *scenario.ScheduleState) { s.StartingDeadline = duration(2 * time.Hour) }), accepted("deployed", noon), "2026-05-01T13:30:00Z", []string{noon + " due"}},
		"forgotten":                {set(event), accepted("deployed", noon), "2026-05-31T12:00:01Z", nil},
		"forgotten, with deadline": {with(event, func(s *scenario.ScheduleState) { s.StartingDeadline = duration(1000 * time.Hour) }), accepted("deployed", noon), "2026-05-31T12:00:01Z", nil},
		"remembered, in deadline":  {with(event, func(s *scenario.ScheduleState) { s.StartingDeadline = duration(1000 * time.Hour) }), accepted("deployed", noon), "2026-05-31T12:00:00Z", []string{noon + " due"}},
		"past its deadline":        {with(event, func(s *scenario.ScheduleState) { s.StartingDeadline = duration(time.Second) }), accepted("deployed", noon), seen, []string{noon + " missed too_late"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var made []scenario.Occurrence
			if o, ok := c.s.Trigger(c.t, at(t, c.seen)); ok {
				made = append(made, o)
			}
			if diff := cmp.Diff(c.want, shown(made)); diff != "" {
				t.Errorf("occurrence (-want +got):\n%s", diff)
			}
		})
	}
}

func TestSettle(t *testing.T) {
	t.Parallel()
	no := false
	daily := scenario.Schedule{Kind: scenario.ScheduleCron, Cron: "0 12 * * *"}
	event := scenario.Schedule{Kind: scenario.ScheduleEvent, EventType: "deployed"}
	const noon = "2026-05-01T12:00:00Z"
	made := set(daily).Plan(at(t, "2026-05-01T00:00:00Z"), at(t, noon)).Occurrences[0]
	triggered, ok := set(event).Trigger(scenario.Trigger{Kind: scenario.ScheduleEvent, Source: "deployed", At: at(t, noon)}, at(t, noon))
	if !ok {
		t.Fatal("no occurrence")
	}
	with := func(s scenario.Schedule, change func(*scenario.ScheduleState)) *scenario.ScheduleState {
		state := set(s)
		change(state)
		return state
	}
	for name, c := range map[string]struct {
		s    *scenario.ScheduleState
		o    scenario.Occurrence
		now  string
		want string
	}{
		"as it was":            {set(daily), made, "2026-05-03T12:00:00Z", "due"},
		"other parameters":     {with(daily, func(s *scenario.ScheduleState) { s.Parameters = []byte("{}") }), made, noon, "due"},
		"also due then":        {set(scenario.Schedule{Kind: scenario.ScheduleCron, Cron: "0 * * * *"}), made, noon, "due"},
		"not due then":         {set(scenario.Schedule{Kind: scenario.ScheduleCron, Cron: "0 13 * * *"}), made, noon, "skipped changed"},
		"in another zone":      {with(daily, func(s *scenario.ScheduleState) { s.TimeZone = "Europe/Berlin" }), made, noon, "skipped changed"},
		"another kind":         {set(scenario.Schedule{Kind: scenario.ScheduleOnce, RunAt: at(t, noon)}), made, noon, "skipped changed"},
		"disabled":             {with(daily, func(s *scenario.ScheduleState) { s.Enabled = &no }), made, noon, "skipped disabled"},
		"removed":              {with(daily, func(s *scenario.ScheduleState) { s.Removed = true }), made, noon, "skipped removed"},
		"a deadline, in time":  {with(daily, func(s *scenario.ScheduleState) { s.StartingDeadline = duration(time.Hour) }), made, "2026-05-01T13:00:00Z", "due"},
		"a deadline, too late": {with(daily, func(s *scenario.ScheduleState) { s.StartingDeadline = duration(time.Hour) }), made, "2026-05-01T13:00:01Z", "missed too_late"},
		"not after":            {with(daily, func(s *scenario.ScheduleState) { s.NotAfter = at(t, "2026-05-01T12:30:00Z") }), made, "2026-05-01T12:30:01Z", "missed too_late"},
		"event":                {set(event), triggered, noon, "due"},
		"event, another type":  {set(scenario.Schedule{Kind: scenario.ScheduleEvent, EventType: "removed"}), triggered, noon, "skipped changed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := c.o
			settled := c.s.Settle(&o, at(t, c.now))
			got := string(o.Status)
			if o.Reason != "" {
				got += " " + string(o.Reason)
			}
			if got != c.want || settled != (o.Status != scenario.OccurrenceDue) {
				t.Errorf("%s (settled: %t), want %s", got, settled, c.want)
			}
		})
	}
}

func TestPreview(t *testing.T) {
	t.Parallel()
	no := false
	for name, c := range map[string]struct {
		s       scenario.Schedule
		after   string
		n       int
		want    []string
		skipped []string
	}{
		"Berlin, spring": {
			scenario.Schedule{Kind: scenario.ScheduleCron, Cron: "30 2 * * *", TimeZone: "Europe/Berlin"},
			"2026-03-27T12:00:00Z", 2,
			[]string{"2026-03-28T02:30:00+01:00", "2026-03-30T02:30:00+02:00"},
			[]string{"2026-03-29T02:30:00"},
		},
		"Berlin, spring, none before the first": {
			scenario.Schedule{Kind: scenario.ScheduleCron, Cron: "30 2 * * *", TimeZone: "Europe/Berlin"},
			"2026-03-27T12:00:00Z", 1,
			[]string{"2026-03-28T02:30:00+01:00"},
			nil,
		},
		"Berlin, autumn": {
			scenario.Schedule{Kind: scenario.ScheduleCron, Cron: "0,30 2-3 * * *", TimeZone: "Europe/Berlin"},
			"2026-10-24T22:00:00Z", 5,
			[]string{"2026-10-25T02:00:00+02:00 twice", "2026-10-25T02:30:00+02:00 twice", "2026-10-25T02:00:00+01:00 twice", "2026-10-25T02:30:00+01:00 twice", "2026-10-25T03:00:00+01:00"},
			nil,
		},
		"New York, both": {
			scenario.Schedule{Kind: scenario.ScheduleCron, Cron: "30 1-2 8 3 *", TimeZone: "America/New_York", Enabled: &no},
			"2026-01-01T00:00:00Z", 3,
			[]string{"2026-03-08T01:30:00-05:00", "2027-03-08T01:30:00-05:00", "2027-03-08T02:30:00-05:00"},
			[]string{"2026-03-08T02:30:00"},
		},
		"Lord Howe, spring": {
			scenario.Schedule{Kind: scenario.ScheduleCron, Cron: "*/15 2 * * *", TimeZone: "Australia/Lord_Howe"},
			"2026-10-03T14:00:00Z", 3,
			[]string{"2026-10-04T02:30:00+11:00", "2026-10-04T02:45:00+11:00", "2026-10-05T02:00:00+11:00"},
			[]string{"2026-10-04T02:00:00", "2026-10-04T02:15:00"},
		},
		"Lord Howe, autumn": {
			scenario.Schedule{Kind: scenario.ScheduleCron, Cron: "15,45 1 * * *", TimeZone: "Australia/Lord_Howe"},
			"2026-04-04T12:00:00Z", 4,
			[]string{"2026-04-05T01:15:00+11:00", "2026-04-05T01:45:00+11:00 twice", "2026-04-05T01:45:00+10:30 twice", "2026-04-06T01:15:00+10:30"},
			nil,
		},
		"once": {scenario.Schedule{Kind: scenario.ScheduleOnce, RunAt: at(t, "2026-07-01T12:00:00Z"), TimeZone: "Europe/Berlin"}, "2026-01-01T00:00:00Z", 3, []string{"2026-07-01T14:00:00+02:00"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			upcoming, skipped := c.s.Preview(at(t, c.after), c.n)
			var got, gotSkipped []string
			for _, u := range upcoming {
				line := u.At.Format(time.RFC3339)
				if u.Twice {
					line += " twice"
				}
				got = append(got, line)
			}
			for _, s := range skipped {
				gotSkipped = append(gotSkipped, s.Format("2006-01-02T15:04:05"))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("upcoming (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.skipped, gotSkipped); diff != "" {
				t.Errorf("skipped (-want +got):\n%s", diff)
			}
		})
	}
}
