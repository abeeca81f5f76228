package coordsim_test

import (
	"iter"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

func drain(t testing.TB, records iter.Seq2[coordsim.Record, error]) []coordsim.Record {
	t.Helper()
	var all []coordsim.Record
	for r, err := range records {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, r)
	}
	return all
}

func TestLoadIsWhatTheMixSays(t *testing.T) {
	t.Parallel()
	decoder, err := event.NewDecoder(event.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	load := coordsim.Load{Seed: 1, Instance: "t1", Start: start, Records: 2000, Parallel: 5, Length: 40}
	if err := load.Validate(); err != nil {
		t.Fatal(err)
	}
	all := drain(t, load.Generate())
	if len(all) != load.Records {
		t.Fatalf("%d records, want %d", len(all), load.Records)
	}
	kinds, types := map[coordsim.Kind]int{}, map[fact.Type]int{}
	seen := map[fact.Key]bool{}
	for _, r := range all {
		kinds[r.Kind]++
		decoded, rejection := decoder.Decode(r.Record, start)
		if r.Kind == coordsim.Malformed {
			if rejection == nil || rejection.Reason != r.Reason {
				t.Fatalf("a malformed record is refused as %v, want %s", rejection, r.Reason)
			}
			continue
		}
		if rejection != nil {
			t.Fatalf("%s: %v", r.Type, rejection)
		}
		if key := decoded.Header().Key; seen[key] != (r.Kind == coordsim.Duplicate) {
			t.Fatalf("%s %s is called %s, and was seen before: %t", r.Type, r.ID, r.Kind, seen[key])
		}
		seen[decoded.Header().Key] = true
		types[r.Type]++
	}
	// The weights of the default mix are per cent.
	if n := kinds[coordsim.Duplicate]; n < 40 || n > 130 {
		t.Errorf("%d duplicates of %d, want about 4 %%", n, len(all))
	}
	if n := kinds[coordsim.Malformed]; n < 5 || n > 50 {
		t.Errorf("%d malformed of %d, want about 1 %%", n, len(all))
	}
	for _, typ := range []fact.Type{fact.TypeStarted, fact.TypeFinished, fact.TypeHeartbeat, fact.TypeLogAppended, fact.TypeFaultInjected} {
		if types[typ] == 0 {
			t.Errorf("no %s", typ)
		}
	}
}

func TestLoadOfOneKindAndForm(t *testing.T) {
	t.Parallel()
	form := coordsim.Form{Mode: event.Structured, Encoding: event.Protobuf}
	load := coordsim.Load{Instance: "t1", Start: start, Records: 50, Length: 10, Mix: map[string]int{"heartbeat": 1}, Forms: []coordsim.Form{form}}
	for _, r := range drain(t, load.Generate()) {
		if r.Form != form.String() || r.Kind != coordsim.Event {
			t.Fatalf("%s in %s", r.Kind, r.Form)
		}
		if r.Type != fact.TypeStarted && r.Type != fact.TypeHeartbeat && r.Type != fact.TypeFinished {
			t.Fatalf("type %s", r.Type)
		}
	}
}

func TestLoadIsChecked(t *testing.T) {
	t.Parallel()
	good := coordsim.Load{Instance: "t1", Start: start, Records: 1}
	for name, spoil := range map[string]func(*coordsim.Load){
		"no records":      func(l *coordsim.Load) { l.Records = 0 },
		"instance":        func(l *coordsim.Load) { l.Instance = "A" },
		"unknown name":    func(l *coordsim.Load) { l.Mix = map[string]int{"gossip": 1} },
		"negative weight": func(l *coordsim.Load) { l.Mix = map[string]int{"heartbeat": -1} },
		"no event":        func(l *coordsim.Load) { l.Mix = map[string]int{"malformed": 1} },
	} {
		bad := good
		spoil(&bad)
		if bad.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
}

func TestMixNamesAreEventsOrNot(t *testing.T) {
	t.Parallel()
	want := []string{"fault_injected", "heartbeat", "log_appended", "snapshot_captured", "step_finished", "validation_recorded", "duplicate", "malformed"}
	if diff := cmp.Diff(want, coordsim.MixNames()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}
