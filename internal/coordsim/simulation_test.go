package coordsim_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

var start = time.Date(2026, 4, 3, 12, 0, 0, 0, time.UTC)

func simulate(t testing.TB, o coordsim.Options) *coordsim.Simulation {
	t.Helper()
	if o.Instance == "" {
		o.Instance = "t1"
	}
	if o.Start.IsZero() {
		o.Start = start
	}
	if o.LongUpdates == 0 {
		o.LongUpdates = 500
	}
	sim, err := coordsim.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return sim
}

func collect(t testing.TB, sim *coordsim.Simulation) []coordsim.Record {
	t.Helper()
	var all []coordsim.Record
	for r, err := range sim.Records() {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func TestTheSameOptionsGiveTheSameRecords(t *testing.T) {
	t.Parallel()
	one, two := collect(t, simulate(t, coordsim.Options{Seed: 7})), collect(t, simulate(t, coordsim.Options{Seed: 7}))
	if len(one) != len(two) {
		t.Fatalf("%d records, and %d the second time", len(one), len(two))
	}
	for i := range one {
		if !reflect.DeepEqual(one[i], two[i]) { // go-cmp takes a minute for so many
			t.Fatalf("record %d differs the second time:\n%s", i, cmp.Diff(one[i], two[i]))
		}
	}
	if other := collect(t, simulate(t, coordsim.Options{Seed: 8})); reflect.DeepEqual(one, other) {
		t.Error("another seed gives the same records")
	}
}

// What the simulation says of its records is what the decoder makes of them.
func TestRecordsAreWhatTheyAreSaidToBe(t *testing.T) {
	t.Parallel()
	decoder, err := event.NewDecoder(event.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	sim := simulate(t, coordsim.Options{Seed: 1})
	digests := map[fact.Key]fact.Digest{}
	forms := map[string]int{}
	types := map[fact.Type]int{}
	var totals coordsim.Totals
	totals.Reasons = map[fact.Reason]int64{}
	for _, r := range collect(t, sim) {
		decoded, rejection := decoder.Decode(r.Record, start)
		if r.Kind == coordsim.Malformed {
			totals.Quarantined++
			totals.Reasons[r.Reason]++
			// What needs to know other events is beyond the decoder.
			if beyond := []fact.Reason{fact.ReasonIDConflict, fact.ReasonDefinition, fact.ReasonCycle}; slices.Contains(beyond, r.Reason) {
				if rejection != nil {
					t.Errorf("%s: refused by the decoder: %v", r.Reason, rejection)
				}
			} else if rejection == nil || rejection.Reason != r.Reason {
				t.Errorf("%s: refused as %v", r.Reason, rejection)
			}
			continue
		}
		if rejection != nil {
			t.Fatalf("%s %s in %s: %v", r.Type, r.ID, r.Form, rejection)
		}
		h := decoded.Header()
		if h.Key != r.EventKey() || h.Type != r.Type || decoded.KeyMismatch || h.Suspect {
			t.Fatalf("%+v decodes to %+v", r.Identity, h)
		}
		if (r.Topic == coordsim.Executions) != r.Type.OfExecution() {
			t.Fatalf("%s goes to topic %d", r.Type, r.Topic)
		}
		forms[r.Form]++
		types[r.Type]++
		if first, known := digests[h.Key]; known {
			totals.Duplicates++
			if first != h.Digest {
				t.Errorf("%s %s again has another digest", r.Type, r.ID)
			}
		} else {
			totals.Applied++
		}
		digests[h.Key] = h.Digest
	}
	if diff := cmp.Diff(sim.Expect(), totals); diff != "" {
		t.Errorf("totals (-said +counted):\n%s", diff)
	}
	for _, f := range coordsim.Forms() {
		if forms[f.String()] == 0 {
			t.Errorf("no event in %s", f)
		}
	}
	for _, typ := range fact.Types() {
		if types[typ] == 0 {
			t.Errorf("no event of type %s", typ)
		}
	}
}

func TestPlaysCoverEveryStatus(t *testing.T) {
	t.Parallel()
	seen := map[execution.Status]bool{}
	events, applied := 0, 0
	for _, p := range simulate(t, coordsim.Options{}).Plays() {
		for _, r := range p.Runs {
			seen[r.Status] = true
			events += r.Events
			if (r.RunID == "") != (r.Number > 0) {
				t.Errorf("%s: run %+v must have either a runid or a number", p.Name, r)
			}
		}
	}
	for _, s := range execution.Statuses() {
		if !seen[s] {
			t.Errorf("no run ends as %s", s)
		}
	}
	for _, r := range collect(t, simulate(t, coordsim.Options{})) {
		if r.Kind == coordsim.Event && r.Type.OfExecution() {
			applied++
		}
	}
	if events != applied {
		t.Errorf("the runs expect %d events, there are %d", events, applied)
	}
}

func TestTheLongRunReportsEveryFiveSeconds(t *testing.T) {
	t.Parallel()
	beats := 0
	for _, r := range collect(t, simulate(t, coordsim.Options{LongUpdates: coordsim.LongUpdates})) {
		if r.Play == "36 hours" && r.Kind == coordsim.Event && r.Type == fact.TypeHeartbeat {
			beats++
		}
	}
	if beats < coordsim.LongUpdates || beats > coordsim.LongUpdates+100 {
		t.Errorf("%d heartbeats, want %d", beats, coordsim.LongUpdates)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for _, o := range []coordsim.Options{
		{Instance: "", Start: start},
		{Instance: "A b", Start: start},
		{Instance: "a"},
	} {
		if _, err := coordsim.New(o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}
