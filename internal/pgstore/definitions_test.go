package pgstore_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// author makes events about definitions, each a second later than the one before.
type author struct{ said int }

func (a *author) say(subject string, p scenario.Payload) *scenario.Event {
	a.said++
	id := fmt.Sprint("event-", a.said)
	return &scenario.Event{
		Header: fact.Header{
			Key: fact.NewKey("source", id, subject), Digest: fact.Digest{byte(a.said)}, Source: "source", ID: id, Subject: subject,
			Type: "test-coordination.scenario.published.v1", Time: said.Add(time.Duration(a.said) * time.Second), Data: object,
		},
		Payload: p,
	}
}

// fold takes the events of one batch into the store, as S4 does.
func fold(t testing.TB, s *pgstore.Store, events ...*scenario.Event) {
	t.Helper()
	foldAt(t, s, now, events...)
}

func foldAt(t testing.TB, s *pgstore.Store, at time.Time, events ...*scenario.Event) {
	t.Helper()
	must(t, s.BatchAt(t.Context(), at, func(tx *pgstore.Tx) error { return saveDefinitions(t, tx, events) }))
}

// saveDefinitions is S4b to S4e for events about definitions.
func saveDefinitions(t testing.TB, tx *pgstore.Tx, events []*scenario.Event) error {
	if err := tx.LockDefinitions(t.Context()); err != nil {
		return err
	}
	d, err := tx.LoadDefinitions(t.Context(), events)
	if err != nil {
		return err
	}
	accepted := make([]pgstore.AcceptedDefinition, len(events))
	for i, e := range events {
		d.Apply(e)
		accepted[i] = pgstore.AcceptedDefinition{Event: e, Offset: int64(i)}
	}
	return tx.SaveDefinitions(t.Context(), pgstore.Partition{Topic: "t"}, accepted, d)
}

// load gives what the fold of such events would begin with.
func load(t testing.TB, s *pgstore.Store, events ...*scenario.Event) *pgstore.Definitions {
	t.Helper()
	var d *pgstore.Definitions
	must(t, s.Batch(t.Context(), now, func(tx *pgstore.Tx) (err error) {
		d, err = tx.LoadDefinitions(t.Context(), events)
		return err
	}))
	return d
}

// numbers are the texts of all versions of a scenario or template by number.
func numbers(t testing.TB, s *pgstore.Store, kind, id string) map[int32]string {
	t.Helper()
	stored, err := s.StoredDefinition(t.Context(), pgstore.Aggregate{Kind: kind, ID: id})
	must(t, err)
	texts := map[int32]string{}
	for _, c := range stored.Catalog.Scenarios {
		for _, v := range c.Versions {
			texts[v.Number] = v.Text
		}
	}
	for _, c := range stored.Catalog.Templates {
		for _, v := range c.Versions {
			texts[v.Number] = v.Text
		}
	}
	if int(stored.Versions) != len(texts) {
		t.Errorf("the row counts %d versions, there are %d", stored.Versions, len(texts))
	}
	return texts
}

func TestAContentThatComesBackIsNoNewVersion(t *testing.T) {
	t.Parallel()
	publish := map[string]func(a *author, text string) *scenario.Event{
		"scenario": func(a *author, text string) *scenario.Event {
			return a.say("x", &scenario.Published{ScenarioID: "x", Definition: text})
		},
		"template": func(a *author, text string) *scenario.Event {
			return a.say("x", &scenario.TemplatePublished{TemplateID: "x", Definition: text})
		},
	}
	current := func(d *pgstore.Definitions) scenario.ContentHash {
		if s := d.Catalog.Scenarios["x"]; s != nil {
			return s.Current
		}
		return d.Catalog.Templates["x"].Current
	}
	for kind, say := range publish {
		for name, batches := range map[string][][]string{
			"one by one":   {{"A"}, {"B"}, {"A"}, {"C"}},
			"in one batch": {{"A", "B", "A", "C"}},
			"in two":       {{"A", "B"}, {"A", "C"}},
		} {
			t.Run(kind+" "+name, func(t *testing.T) {
				t.Parallel()
				s, a := openStore(t, testenv.Postgres(t)), &author{}
				for _, texts := range batches {
					var events []*scenario.Event
					for _, text := range texts {
						events = append(events, say(a, text))
					}
					fold(t, s, events...)
				}
				want := map[int32]string{1: "A", 2: "B", 3: "C"}
				if diff := cmp.Diff(want, numbers(t, s, kind, "x")); diff != "" {
					t.Errorf("versions (-want +got):\n%s", diff)
				}
				back := say(a, "B")
				fold(t, s, back)
				if diff := cmp.Diff(want, numbers(t, s, kind, "x")); diff != "" {
					t.Errorf("versions after B came back (-want +got):\n%s", diff)
				}
				if got := current(load(t, s, back)); got != scenario.HashContent("B") {
					t.Errorf("current is %s, want B", got)
				}
			})
		}
	}
}

func TestDefinitionsComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	s, a := openStore(t, testenv.Postgres(t)), &author{}
	at := said.UTC().Truncate(time.Microsecond)
	batch := []*scenario.Event{
		a.say("base", &scenario.TemplatePublished{TemplateID: "base", Definition: "base text", Author: "me", ChangeNote: "first"}),
		a.say("full", &scenario.Published{
			ScenarioID: "full", Definition: "text", ScenarioType: "chaos", Category: "market", ServicesUnderTest: []string{"b", "a"}, ExpectedOutcomes: []string{"o"},
			Tags: []string{"t", ""}, Author: "me", ChangeNote: "note", Template: &scenario.TemplateUse{TemplateID: "base", Version: "1", Parameters: object},
		}),
		a.say("full", &scenario.StatusChanged{ScenarioID: "full", Status: scenario.StatusArchived}),
		a.say("full", &scenario.DependenciesDeclared{ScenarioID: "full", Dependencies: []scenario.Dependency{
			{DependsOn: "bare", Kind: scenario.RequiresSuccess, MaxAge: pointer(90 * time.Minute)}, {DependsOn: "other", Kind: scenario.ConflictsWith},
		}}),
		a.say("bare", &scenario.StatusChanged{ScenarioID: "bare", Status: scenario.StatusDraft}),
		a.say("empty", &scenario.DependenciesDeclared{ScenarioID: "empty"}),
		a.say("full", &scenario.ScheduleSet{Schedule: scenario.Schedule{
			ScheduleID: "full", ScenarioID: "full", Kind: "cron", Cron: "* * * * *", TimeZone: "Europe/Berlin", RunAt: at, AfterScenarioID: "bare", EventType: "x",
			Enabled: pointer(false), ConcurrencyPolicy: "forbid", StartingDeadline: pointer(time.Minute), NotBefore: at, NotAfter: at, Parameters: object,
		}}),
		a.say("gone", &scenario.ScheduleRemoved{ScheduleID: "gone"}),
	}
	fold(t, s, batch...)
	var want scenario.Catalog
	for _, e := range batch {
		want.Apply(e)
	}
	texts := cmpopts.IgnoreFields(scenario.Version{}, "Text", "Number") // numbers are the store's, texts are not loaded
	times := cmp.Comparer(func(a, b time.Time) bool {
		return a.Truncate(time.Microsecond).Equal(b.Truncate(time.Microsecond))
	})
	if diff := cmp.Diff(want, load(t, s, batch...).Catalog, sameFacts, texts, times, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("definitions (-folded +loaded):\n%s", diff)
	}

	// A declaration replaces the whole list.
	fold(t, s, a.say("full", &scenario.DependenciesDeclared{ScenarioID: "full", Dependencies: []scenario.Dependency{{DependsOn: "new", Kind: scenario.RequiresRun}}}))
	d := load(t, s, batch[3])
	if got := d.Catalog.Scenarios["full"].Dependencies.Dependencies; len(got) != 1 || got[0].DependsOn != "new" || d.Graph.Len() != 1 {
		t.Errorf("after a new declaration: %+v, %d edges in all", got, d.Graph.Len())
	}
}

// A template is found with what it stands on, be it stored or of the batch in
// hand, and as that is after each event.
func TestATemplateIsWhatItsTextsAreNow(t *testing.T) {
	t.Parallel()
	s, a := openStore(t, testenv.Postgres(t)), &author{}
	template := func(id, extends, phase string) *scenario.Event {
		text := "apiVersion: chaos.trading/v1\nkind: Template\nmetadata: {name: " + id
		if extends != "" {
			text += ", extends: " + extends
		}
		return a.say(id, &scenario.TemplatePublished{TemplateID: scenario.TemplateID(id), Definition: text + "}\nspec: {phases: [{name: " + phase + "}]}\n"})
	}
	fold(t, s, template("top", "middle", "t1"), template("middle", "base", "m1"), template("one", "two", "o1"), template("two", "one", "o2"))
	must(t, s.Trial(t.Context(), now, func(tx *pgstore.Tx) error {
		again, base, newer := template("top", "", "t2"), template("base", "", "b1"), template("base", "", "b2")
		d, err := tx.LoadDefinitions(t.Context(), []*scenario.Event{again, base, newer})
		must(t, err)
		phases := func(id scenario.TemplateID, version string) string {
			t.Helper()
			use := &scenario.TemplateUse{TemplateID: id, Version: version}
			got, rejection, err := d.Template(t.Context(), use, scenario.DefaultLimits())
			must(t, err)
			again, rejectedAgain, err := d.Template(t.Context(), use, scenario.DefaultLimits())
			must(t, err)
			if again != got || rejectedAgain != rejection {
				t.Errorf("template %s %q was read anew for its second use", id, version)
			}
			switch {
			case rejection != nil:
				return string(rejection.Reason)
			case got == nil:
				return "not known"
			}
			var names []string
			for _, p := range got.Spec.Phases {
				names = append(names, p.Name)
			}
			return strings.Join(names, " ")
		}
		want := func(when string, want map[[2]string]string) {
			t.Helper()
			for use, phasesOf := range want {
				if got := phases(scenario.TemplateID(use[0]), use[1]); got != phasesOf {
					t.Errorf("%s, template %q: %s, want %s", when, use, got, phasesOf)
				}
			}
		}
		want("without its base", map[[2]string]string{{"top", ""}: "not known", {"top", "9"}: "not known", {"other", ""}: "not known", {"one", ""}: "definition"})
		d.Apply(base)
		want("with it", map[[2]string]string{{"top", ""}: "b1 m1 t1", {"top", "1"}: "b1 m1 t1", {"base", "1"}: "b1", {"base", "2"}: "not known"})
		d.Apply(newer)
		d.Apply(again)
		hash := scenario.HashContent(base.Payload.(*scenario.TemplatePublished).Definition).String()
		want("with newer ones", map[[2]string]string{{"top", ""}: "t2", {"top", "1"}: "b2 m1 t1", {"top", "2"}: "t2", {"middle", ""}: "b2 m1", {"base", hash}: "b1"})
		return nil
	}))
}

func TestDefinitionEventsAreKnownAfterwards(t *testing.T) {
	t.Parallel()
	s, a := openStore(t, testenv.Postgres(t)), &author{}
	stored, other := a.say("x", &scenario.StatusChanged{ScenarioID: "x", Status: scenario.StatusDraft}), a.say("x", &scenario.StatusChanged{ScenarioID: "x"})
	fold(t, s, stored)
	must(t, s.Batch(t.Context(), now, func(tx *pgstore.Tx) error {
		known, err := tx.KnownDefinitionEvents(t.Context(), []*scenario.Event{stored, other})
		if err != nil {
			return err
		}
		want := map[fact.Key]pgstore.Known{stored.Key: {Digest: stored.Digest, DigestVersion: fact.DigestVersion}}
		if diff := cmp.Diff(want, known); diff != "" {
			t.Errorf("known events (-want +got):\n%s", diff)
		}
		return nil
	}))
}
