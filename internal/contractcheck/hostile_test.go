package contractcheck_test

import (
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/contractcheck"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event/eventtest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// A grader takes of each hostile line what the service takes of it, and refuses
// the rest for the same reason.
func TestHostileRecords(t *testing.T) {
	t.Parallel()
	for _, line := range eventtest.Hostiles(t) {
		t.Run(line.Class+"/"+line.Name, func(t *testing.T) {
			t.Parallel()
			g := newGrader(t)
			for i, before := range line.Before {
				g.Add(before, contractcheck.Place{Offset: int64(i)})
			}
			last := contractcheck.Place{Offset: int64(len(line.Before))}
			g.Add(line.Record, last)
			r := g.Report()
			wantRefused, wantDuplicates := int64(0), int64(0)
			if line.Reason != "" {
				wantRefused = 1
			}
			if line.Duplicate {
				wantDuplicates = 1
			}
			if r.Refused != wantRefused || r.Duplicates != wantDuplicates || r.Records != int64(len(line.Before))+1 || r.Accepted != r.Records-r.Refused-r.Duplicates {
				t.Fatalf("%d records: %d accepted, %d repeated, %d refused\n%+v", r.Records, r.Accepted, r.Duplicates, r.Refused, r.Findings)
			}
			what := contractcheck.What(line.Reason)
			switch line.Flag {
			case "late":
				what = contractcheck.Late
			case "conflicting_outcome":
				what = contractcheck.ConflictingOutcome
			case "time_suspect":
				what = contractcheck.TimeSuspect
			}
			if what == "" {
				return
			}
			f := finding(t, &r, what)
			if f.Count != 1 || f.Examples[0].Place != last {
				t.Errorf("%+v, want it at %v", f, last)
			}
			if line.Reason != "" && r.Verdict != contractcheck.Violated {
				t.Errorf("verdict %s", r.Verdict)
			}
		})
	}
}

// A refused record is counted with its field, and its type as far as it can be
// read.
func TestRejects(t *testing.T) {
	t.Parallel()
	for _, reject := range eventtest.Rejects(t) {
		g := newGrader(t)
		g.Add(reject.Record, contractcheck.Place{Line: 7})
		r := g.Report()
		if r.Refused != 1 || len(r.Findings) != 1 {
			t.Errorf("%s: %+v", reject.Name, r)
			continue
		}
		if f := r.Findings[0]; f.What != contractcheck.What(reject.Reason) || f.Level != contractcheck.Violation || f.Examples[0].Place.String() != "line 7" {
			t.Errorf("%s: %+v", reject.Name, f)
		}
	}
}

// Each golden event conforms in all four forms, which are one event.
func TestGoldenEventsConform(t *testing.T) {
	t.Parallel()
	for _, typ := range fact.Types() {
		g := newGrader(t)
		for i, record := range eventtest.Golden(t, typ) {
			g.Add(record, contractcheck.Place{Offset: int64(i)})
		}
		r := g.Report()
		if r.Verdict != contractcheck.Conforms || r.Accepted != 1 || r.Duplicates != 3 || r.Recommendations != 0 {
			t.Errorf("%s: %+v", typ, r)
		}
	}
}

// The simulated coordinator conforms in all that it sends as an event; of its
// malformed records each is refused for the reason that it was made for.
func TestSimulatedCoordinator(t *testing.T) {
	t.Parallel()
	sim, err := coordsim.New(coordsim.Options{Seed: 1, Instance: "check", Start: now, LongUpdates: 2000})
	if err != nil {
		t.Fatal(err)
	}
	good, all := newGrader(t), newGrader(t)
	offset := int64(0)
	for record, err := range sim.Records() {
		if err != nil {
			t.Fatal(err)
		}
		at := contractcheck.Place{Offset: offset}
		all.Add(record.Record, at)
		if record.Kind != coordsim.Malformed {
			good.Add(record.Record, at)
		}
		offset++
	}
	expect := sim.Expect()
	if r := good.Report(); r.Verdict != contractcheck.Conforms || r.Accepted != expect.Applied || r.Duplicates != expect.Duplicates {
		t.Errorf("%d accepted, %d repeated, want %d and %d:\n%+v", r.Accepted, r.Duplicates, expect.Applied, expect.Duplicates, r.Findings)
	}
	r := all.Report()
	if r.Verdict != contractcheck.Violated || r.Accepted != expect.Applied || r.Duplicates != expect.Duplicates || r.Refused != expect.Quarantined {
		t.Errorf("%d accepted, %d repeated, %d refused, want %+v", r.Accepted, r.Duplicates, r.Refused, expect)
	}
	reasons := map[fact.Reason]int64{}
	for _, f := range r.Findings {
		if f.Level == contractcheck.Violation {
			reasons[fact.Reason(f.What)] += f.Count
		}
	}
	for reason, n := range expect.Reasons {
		if reasons[reason] != n {
			t.Errorf("%d refused for %s, want %d", reasons[reason], reason, n)
		}
	}

	runs, ended := int64(0), int64(0)
	for _, play := range sim.Plays() {
		for _, run := range play.Runs {
			runs++
			if run.Status.Terminal() && run.Status != "interrupted" {
				ended++
			}
		}
	}
	if r.Runs != runs || r.RunsEnded != ended {
		t.Errorf("%d runs, of them %d ended; want %d and %d", r.Runs, r.RunsEnded, runs, ended)
	}
}

// The events of generated load conform as well, in strict checks too.
func TestGeneratedLoad(t *testing.T) {
	t.Parallel()
	load := coordsim.Load{Seed: 1, Instance: "load", Start: now, Records: 5000, Parallel: 20, Length: 50}
	if err := load.Validate(); err != nil {
		t.Fatal(err)
	}
	g := newGrader(t, strict)
	for record, err := range load.Generate() {
		if err != nil {
			t.Fatal(err)
		}
		if record.Kind != coordsim.Malformed {
			g.Add(record.Record, contractcheck.Place{})
		}
	}
	if r := g.Report(); r.Verdict != contractcheck.Conforms || r.Accepted < 4000 {
		t.Errorf("%+v", r)
	}
}
