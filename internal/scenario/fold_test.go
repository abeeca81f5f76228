package scenario_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario/examples"
)

// event makes an event; its sequence is also its place in time and its id.
func event(sequence int, payload scenario.Payload) *scenario.Event {
	return &scenario.Event{
		Header: fact.Header{
			Key:      fact.NewKey("test", fmt.Sprint(sequence), "subject"),
			Sequence: fact.Sequence(sequence),
			Time:     time.Date(2026, 1, 1, 0, sequence, 0, 0, time.UTC),
		},
		Payload: payload,
	}
}

func fold(events ...*scenario.Event) *scenario.Catalog {
	var c scenario.Catalog
	for _, e := range events {
		c.Apply(e)
	}
	return &c
}

// compareMarks compares the fold's marks as they are stored.
var compareMarks = cmp.Comparer(func(a, b fact.Marks) bool { return string(a.Bytes()) == string(b.Bytes()) })

func TestContentThatReturnsMakesNoThirdVersion(t *testing.T) {
	t.Parallel()
	publish := func(n int, text, author string) *scenario.Event {
		return event(n, &scenario.Published{ScenarioID: "s", Definition: text, Author: author})
	}
	s := fold(publish(1, "A", "ann"), publish(2, "B", "bob"), publish(3, "A", "cid")).Scenarios["s"]
	a, b := scenario.HashContent("A"), scenario.HashContent("B")
	if s.Current != a || s.Author != "cid" || len(s.Versions) != 2 || s.Versions[a].Author != "ann" || s.Versions[b].Text != "B" {
		t.Errorf("current %v by %s, versions %v", s.Current, s.Author, s.Versions)
	}
	// The pointer stays when a publication between the two arrives late.
	s = fold(publish(1, "A", "ann"), publish(3, "A", "cid"), publish(2, "B", "bob")).Scenarios["s"]
	if s.Current != a || s.Versions[b] == nil {
		t.Errorf("late: current %v, versions %v", s.Current, s.Versions)
	}
}

func TestScenarioStatus(t *testing.T) {
	t.Parallel()
	publish := func(n int) *scenario.Event { return event(n, &scenario.Published{ScenarioID: "s", Definition: "A"}) }
	status := func(n int, to scenario.Status) *scenario.Event {
		return event(n, &scenario.StatusChanged{ScenarioID: "s", Status: to})
	}
	declare := event(5, &scenario.DependenciesDeclared{ScenarioID: "s", Dependencies: requires("c", "b")})
	for name, c := range map[string]struct {
		events      []*scenario.Event
		want        scenario.Status
		placeholder bool
	}{
		"published":                       {[]*scenario.Event{publish(1)}, scenario.StatusActive, false},
		"status before publication":       {[]*scenario.Event{status(2, scenario.StatusDeprecated)}, scenario.StatusDeprecated, true},
		"then published":                  {[]*scenario.Event{status(2, scenario.StatusDeprecated), publish(1)}, scenario.StatusDeprecated, false},
		"published again":                 {[]*scenario.Event{status(2, scenario.StatusArchived), publish(3)}, scenario.StatusArchived, false},
		"the later status":                {[]*scenario.Event{status(3, scenario.StatusActive), status(2, scenario.StatusArchived)}, scenario.StatusActive, true},
		"dependencies alone":              {[]*scenario.Event{declare}, scenario.StatusDraft, true},
		"dependencies, then publications": {[]*scenario.Event{declare, publish(2)}, scenario.StatusActive, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := fold(c.events...).Scenarios["s"]
			if s.Status != c.want || s.Current.IsZero() != c.placeholder || s.PublishedAt.IsZero() != c.placeholder {
				t.Errorf("status %q, current %v", s.Status, s.Current)
			}
		})
	}
}

func TestDependencySetIsReplacedAsAWhole(t *testing.T) {
	t.Parallel()
	c := fold(
		event(3, &scenario.DependenciesDeclared{ScenarioID: "s", Dependencies: requires("c", "b")}),
		event(2, &scenario.DependenciesDeclared{ScenarioID: "s", Dependencies: requires("x")}))
	if diff := cmp.Diff(requires("b", "c"), c.Scenarios["s"].Dependencies.Dependencies); diff != "" {
		t.Errorf("dependencies (-want +got):\n%s", diff)
	}
	c.Apply(event(4, &scenario.DependenciesDeclared{ScenarioID: "s"}))
	if set := c.Scenarios["s"].Dependencies; len(set.Dependencies) != 0 || set.Declared.Sequence != 4 {
		t.Errorf("after an empty list: %+v", set)
	}
}

func TestScheduleTombstone(t *testing.T) {
	t.Parallel()
	set := func(n int, to scenario.ID) *scenario.Event {
		return event(n, &scenario.ScheduleSet{Schedule: scenario.Schedule{ScheduleID: "d", ScenarioID: to}})
	}
	remove := func(n int) *scenario.Event { return event(n, &scenario.ScheduleRemoved{ScheduleID: "d"}) }
	for name, c := range map[string]struct {
		events  []*scenario.Event
		removed bool
		of      scenario.ID
	}{
		"set":                         {[]*scenario.Event{set(1, "a")}, false, "a"},
		"removed":                     {[]*scenario.Event{set(1, "a"), remove(2)}, true, "a"},
		"a late setting stays buried": {[]*scenario.Event{remove(3), set(1, "a"), set(2, "b")}, true, "b"},
		"set again":                   {[]*scenario.Event{set(1, "a"), remove(2), set(3, "b")}, false, "b"},
		"only removed":                {[]*scenario.Event{remove(2)}, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := fold(c.events...).Schedules["d"]
			if s.Removed != c.removed || s.ScenarioID != c.of || s.ScheduleID != "d" {
				t.Errorf("removed %v, of %q", s.Removed, s.ScenarioID)
			}
		})
	}
}

// TestRefoldWithoutTexts folds events as they are read back, without the text
// that has a row of its own.
func TestRefoldWithoutTexts(t *testing.T) {
	t.Parallel()
	hash := scenario.HashContent(examples.MarketDisruption)
	withText := fold(
		event(1, &scenario.Published{ScenarioID: "s", Definition: examples.MarketDisruption}),
		event(2, &scenario.TemplatePublished{TemplateID: "t", Definition: examples.MarketDisruption}))
	without := fold(
		event(1, &scenario.Published{ScenarioID: "s", ContentHash: hash}),
		event(2, &scenario.TemplatePublished{TemplateID: "t", ContentHash: hash}))
	if diff := cmp.Diff(withText, without, compareMarks, cmpopts.IgnoreFields(scenario.Version{}, "Text")); diff != "" {
		t.Errorf("refold (-with text +without):\n%s", diff)
	}
}

// TestAnyOrderFoldsToTheSameCatalog is the contract's promise: the state is a
// function of the set of events.
func TestAnyOrderFoldsToTheSameCatalog(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var events []*scenario.Event
		for i := range rapid.IntRange(1, 12).Draw(t, "events") {
			e := event(i+1, payload(t))
			if rapid.Bool().Draw(t, "without sequence") {
				e.Sequence = fact.NoSequence
			}
			e.Time = e.Time.Truncate(time.Duration(rapid.IntRange(0, 3).Draw(t, "coarse")) * time.Hour)
			events = append(events, e)
		}
		want := fold(events...)
		again := append(events, rapid.SliceOf(rapid.SampledFrom(events)).Draw(t, "repeated")...)
		got := fold(rapid.Permutation(again).Draw(t, "order")...)
		if diff := cmp.Diff(want, got, compareMarks, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("catalog (-in order +shuffled):\n%s", diff)
		}
	})
}

// payload draws what an event states about one of two aggregates of each kind.
func payload(t *rapid.T) scenario.Payload {
	id := rapid.SampledFrom([]string{"x", "y"}).Draw(t, "id")
	text := rapid.SampledFrom([]string{"A", "B", "C"}).Draw(t, "text")
	author := rapid.SampledFrom([]string{"", "ann", "bob"}).Draw(t, "author")
	switch rapid.IntRange(0, 5).Draw(t, "payload") {
	case 0:
		return &scenario.TemplatePublished{TemplateID: scenario.TemplateID(id), Definition: text, Author: author}
	case 1:
		return &scenario.Published{ScenarioID: scenario.ID(id), Definition: text, Author: author, Tags: []string{text}}
	case 2:
		return &scenario.StatusChanged{ScenarioID: scenario.ID(id), Status: rapid.SampledFrom(scenario.Statuses()).Draw(t, "status")}
	case 3:
		return &scenario.DependenciesDeclared{ScenarioID: scenario.ID(id), Dependencies: requires(scenario.ID(text), scenario.ID(author))}
	case 4:
		return &scenario.ScheduleSet{Schedule: scenario.Schedule{ScheduleID: scenario.ScheduleID(id), Cron: text}}
	default:
		return &scenario.ScheduleRemoved{ScheduleID: scenario.ScheduleID(id)}
	}
}
