package coordsim_test

import (
	"reflect"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// Every record of a workload is an event that the service must apply, and each
// run is told in order: what is measured is no quarantine and no reordering.
func TestWorkloadsAreEventsInOrder(t *testing.T) {
	t.Parallel()
	decoder, err := event.NewDecoder(event.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	// So many that some runs end.
	events := map[string]int{"mixed": 20_000, "logs": 6000, "small": 3000}
	for _, name := range coordsim.Workloads() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := coordsim.Workload{Name: name, Seed: 1, Instance: "t1", Start: start, Events: events[name]}
			if err := w.Validate(); err != nil || w.About() == "" {
				t.Fatal(err, w.About())
			}
			records := drain(t, w.Generate())
			if len(records) != w.Events {
				t.Fatalf("%d records, want %d", len(records), w.Events)
			}
			seen, last, ended := map[fact.Key]bool{}, map[string]fact.Sequence{}, 0
			types, forms := map[fact.Type]int{}, map[string]bool{}
			for _, r := range records {
				decoded, rejection := decoder.Decode(r.Record, start)
				if rejection != nil {
					t.Fatalf("%s %s: %v", r.Type, r.ID, rejection)
				}
				h := decoded.Header()
				if seen[h.Key] || h.Suspect || r.Kind != coordsim.Event {
					t.Fatalf("%s %s is no event of its own", r.Type, r.ID)
				}
				if h.Sequence != last[r.Subject]+1 {
					t.Fatalf("%s says %d after %d", r.Subject, h.Sequence, last[r.Subject])
				}
				seen[h.Key], last[r.Subject] = true, h.Sequence
				types[r.Type]++
				forms[r.Form] = true
				if r.Type == fact.TypeFinished {
					ended++
				}
			}
			if len(forms) != len(coordsim.Forms()) || ended == 0 {
				t.Errorf("in the forms %v, %d runs end", forms, ended)
			}
			switch beats := types[fact.TypeHeartbeat]; name {
			case "mixed":
				if beats < w.Events*4/10 || beats > w.Events*7/10 || len(types) < 14 {
					t.Errorf("%d heartbeats of %d events, of types %v", beats, w.Events, types)
				}
			case "logs":
				if types[fact.TypeLogAppended] < w.Events*9/10 {
					t.Errorf("types %v", types)
				}
			case "small":
				if runs := len(last); runs < w.Events/6 {
					t.Errorf("%d runs of %d events", runs, w.Events)
				}
			}
			w.Events = 500
			if again := drain(t, w.Generate()); !reflect.DeepEqual(again, records[:500]) {
				t.Error("other records the second time")
			}
		})
	}
}

func TestWorkloadOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for _, w := range []coordsim.Workload{
		{Name: "heavy", Instance: "t1", Start: start, Events: 1},
		{Name: "mixed", Instance: "T 1", Start: start, Events: 1},
		{Name: "mixed", Instance: "t1", Events: 1},
		{Name: "mixed", Instance: "t1", Start: start},
	} {
		if w.Validate() == nil {
			t.Errorf("%+v is accepted", w)
		}
	}
}

// What is said afterwards is applied too, to the runs that it is said of.
func TestAfterwardsSpeaksOfFormerRuns(t *testing.T) {
	t.Parallel()
	decoder, err := event.NewDecoder(event.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	a := coordsim.Afterwards{Seed: 1, Instance: "t1", Start: start, Events: 500, Executions: []string{"exec-a", "exec-b"}}
	seen, said := map[fact.Key]bool{}, map[string]int{}
	for _, r := range drain(t, a.Generate()) {
		decoded, rejection := decoder.Decode(r.Record, start)
		if rejection != nil {
			t.Fatalf("%s %s: %v", r.Type, r.ID, rejection)
		}
		h := decoded.Header()
		if seen[h.Key] || h.RunID != "run-"+r.Subject {
			t.Fatalf("%+v", h)
		}
		seen[h.Key] = true
		said[r.Subject]++
	}
	if len(seen) != a.Events || len(said) != 2 || said["exec-a"] < 200 || said["exec-b"] < 200 {
		t.Errorf("%d events, by run %v", len(seen), said)
	}
}
