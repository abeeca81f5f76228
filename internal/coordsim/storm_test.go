package coordsim_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// firstOf is the beginning of a storm.
func firstOf(t testing.TB, s coordsim.Storm, n int) []coordsim.Record {
	t.Helper()
	var all []coordsim.Record
	for r, err := range s.Generate() {
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, r); len(all) == n {
			break
		}
	}
	return all
}

// A storm has every type of event in every form, every reason for quarantine
// that one record can give, repetitions, conflicts and records in another
// partition; what it says of single records is what the decoder makes of them.
func TestStormHasEverything(t *testing.T) {
	t.Parallel()
	decoder, err := event.NewDecoder(event.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	types, forms, reasons := map[fact.Type]int{}, map[string]int{}, map[fact.Reason]int{}
	digests := map[fact.Key]fact.Digest{}
	repeated, conflicts, spread, suspect, unnamed := 0, 0, 0, 0, 0
	for _, r := range firstOf(t, coordsim.Storm{Seed: 1, Instance: "t1", Start: start}, 30_000) {
		spread += r.Spread
		decoded, rejection := decoder.Decode(r.Record, start)
		if r.Kind == coordsim.Malformed && r.Reason != fact.ReasonIDConflict {
			if rejection == nil || rejection.Reason != r.Reason {
				t.Fatalf("a spoilt record is refused as %v, want %s", rejection, r.Reason)
			}
			reasons[r.Reason]++
			continue
		}
		if rejection != nil {
			t.Fatalf("%s is refused: %v", r.Type, rejection)
		}
		h := decoded.Header()
		types[h.Type]++
		forms[r.Form]++
		if h.Suspect {
			suspect++
		}
		if h.RunID == "" && decoded.Execution != nil {
			unnamed++
		}
		digest, again := digests[h.Key]
		switch {
		case !again:
			digests[h.Key] = h.Digest
		case digest == h.Digest:
			repeated++
		default:
			conflicts++
		}
	}
	for _, typ := range fact.Types() {
		if types[typ] == 0 {
			t.Errorf("no %s", typ)
		}
	}
	if len(forms) != 4 || len(reasons) < 15 {
		t.Errorf("forms %v, reasons %v", forms, reasons)
	}
	if repeated == 0 || conflicts == 0 || spread == 0 || suspect == 0 || unnamed == 0 {
		t.Errorf("%d repeated, %d conflicts, %d in other partitions, %d in the future, %d without runid", repeated, conflicts, spread, suspect, unnamed)
	}
}

// A timeout in a definition would take the place of the setting by which a soak
// keeps silent runs from being interrupted.
func TestNoDefinitionOfAStormHasATimeout(t *testing.T) {
	t.Parallel()
	decoder, err := event.NewDecoder(event.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	definitions := map[string]int{}
	for _, r := range firstOf(t, coordsim.Storm{Seed: 1, Instance: "t1", Start: start}, 30_000) {
		decoded, rejection := decoder.Decode(r.Record, start)
		if rejection != nil || decoded.Scenario == nil {
			continue
		}
		switch p := decoded.Scenario.Payload.(type) {
		case *scenario.Published:
			definitions[p.Definition]++
		case *scenario.TemplatePublished:
			definitions[p.Definition]++
		}
	}
	if len(definitions) < 5 {
		t.Errorf("only %d definitions were looked at", len(definitions))
	}
	for text := range definitions {
		if strings.Contains(text, "timeout") {
			t.Errorf("it may interrupt runs:\n%s", text)
		}
	}
}

func TestSameSeedMakesTheSameStorm(t *testing.T) {
	t.Parallel()
	s := coordsim.Storm{Seed: 7, Instance: "t1", Start: start}
	if diff := cmp.Diff(firstOf(t, s, 2000), firstOf(t, s, 2000)); diff != "" {
		t.Error(diff)
	}
	other := s
	other.Seed = 8
	if slices.EqualFunc(firstOf(t, s, 100), firstOf(t, other, 100), func(a, b coordsim.Record) bool { return string(a.Value) == string(b.Value) }) {
		t.Error("another seed makes the same storm")
	}
}
