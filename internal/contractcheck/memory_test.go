package contractcheck_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/contractcheck"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event/eventtest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// What is forgotten is said, and what is near is still seen.
func TestForgottenEvents(t *testing.T) {
	t.Parallel()
	g := newGrader(t, func(c *contractcheck.Config) { c.Memory.Events = 100 })
	for i := range 300 {
		g.Add(beat(i+1, 0), contractcheck.Place{Offset: int64(i)})
	}
	g.Add(beat(270, 0), contractcheck.Place{Offset: 300}) // known
	g.Add(beat(1, 0), contractcheck.Place{Offset: 301})   // forgotten
	r := g.Report()
	if r.Duplicates != 1 || r.Accepted != 301 {
		t.Errorf("%d repeated, %d accepted", r.Duplicates, r.Accepted)
	}
	if len(r.Missed) != 1 || !strings.Contains(r.Missed[0], "100 are remembered at most") || !strings.Contains(r.Missed[0], "more than 50 events later") {
		t.Errorf("missed: %q", r.Missed)
	}
}

// ofRun is an event of a run of its own.
func ofRun(i int, typ fact.Type, members string) kafkarecord.Record {
	id := fmt.Sprintf("exec-%d", i)
	return keyed(id, eventtest.Binary(`{"execution_id":"`+id+`"`+members+`}`, "ce_subject="+id, "ce_type="+string(typ), "ce_id="+string(typ), "ce_runid=r", "ce_sequence=1"))
}

// Runs that have been forgotten are counted all the same.
func TestForgottenRuns(t *testing.T) {
	t.Parallel()
	g := newGrader(t, func(c *contractcheck.Config) { c.Memory.Runs = 10 })
	for i := range 100 {
		g.Add(ofRun(i, fact.TypeStarted, ""), contractcheck.Place{Offset: int64(i)})
	}
	r := g.Report()
	if f := finding(t, &r, contractcheck.NoEnd); f.Count != 100 || len(f.Examples) != 3 || r.Runs != 100 {
		t.Errorf("%d runs, %+v", r.Runs, f)
	}
	if len(r.Missed) != 1 || !strings.Contains(r.Missed[0], "runs were forgotten: 10 are remembered") {
		t.Errorf("missed: %q", r.Missed)
	}
}

// A run is found by its runid when its execution id has been forgotten.
func TestForgottenExecutionIDs(t *testing.T) {
	t.Parallel()
	g := newGrader(t, func(c *contractcheck.Config) { c.Memory.Runs = 10 })
	g.Add(beat(1, 0), contractcheck.Place{Offset: 1})
	for i := range 20 {
		other := ofRun(i, fact.TypeHeartbeat, "")
		other.Headers = slices.DeleteFunc(other.Headers, func(h kafkarecord.Header) bool { return h.Key == "ce_runid" })
		g.Add(other, contractcheck.Place{Offset: int64(i + 2)})
	}
	g.Add(end(2, 1, "passed"), contractcheck.Place{Offset: 99})
	if r := g.Report(); r.Runs != 21 || r.RunsEnded != 1 {
		t.Errorf("%d runs, %d ended", r.Runs, r.RunsEnded)
	}
}

func TestForgottenDefinitions(t *testing.T) {
	t.Parallel()
	g := newGrader(t, func(c *contractcheck.Config) { c.Memory.Runs, c.Memory.Definitions = 2, 10 })
	for _, typ := range []fact.Type{fact.TypeTemplatePublished, fact.TypeScenarioPublished, fact.TypeScheduleSet, fact.TypeDependenciesDeclared} {
		g.Add(eventtest.Golden(t, typ)[0], contractcheck.Place{Offset: 1})
	}
	r := g.Report()
	if r.Accepted != 4 || len(r.Missed) != 2 || !strings.Contains(r.Missed[0], "sequences of ") || !strings.Contains(r.Missed[1], "2 templates and declarations of dependencies were judged alone: 10 bytes") {
		t.Errorf("%d accepted, missed: %q", r.Accepted, r.Missed)
	}
}

// Hostile names make no more groups than there is room for, and are counted.
func TestGroupsAreBounded(t *testing.T) {
	t.Parallel()
	g := newGrader(t)
	for i := range 1000 {
		g.Add(said(i+1, 0, fact.TypeHeartbeat, fmt.Sprintf(`"%s%d":1`, strings.Repeat("x", 30), i)), contractcheck.Place{Offset: int64(i)})
		g.Add(said(i+1, 0, fact.TypeHeartbeat, fmt.Sprintf(`"system_state":{"y%d":1e999}`, i)), contractcheck.Place{Offset: int64(i)})
	}
	r := g.Report()
	if len(r.Findings) > 205 {
		t.Errorf("%d groups", len(r.Findings))
	}
	if r.Refused != 1000 || r.Violations != 1000 || r.Notes != 1001 { // one run without an end
		t.Errorf("%d refused, %d violations, %d notes", r.Refused, r.Violations, r.Notes)
	}
}

// A grader keeps nothing of the records but what Memory allows: here 64 KiB
// messages and sources of executions that never come again.
func TestRecordsAreNotKept(t *testing.T) { //nolint:paralleltest // measures the memory of the process
	g := newGrader(t, func(c *contractcheck.Config) {
		c.Memory = contractcheck.Memory{Events: 1000, Runs: 100, Definitions: 1 << 20}
	})
	members := `,"message":"` + strings.Repeat("m", 60_000) + `","current_phase":"p"`
	add := func(from, to int) {
		for i := from; i < to; i++ {
			g.Add(ofRun(i, fact.TypeHeartbeat, members), contractcheck.Place{Offset: int64(i)})
		}
	}
	live := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	add(0, 5)
	before := live()
	add(5, 2000)
	after := live()
	if grown := int64(after) - int64(before); grown > 1<<20 {
		t.Errorf("%d bytes more are kept after 2,000 records of 60 KB", grown)
	}
	if r := g.Report(); r.Accepted != 2000 {
		t.Errorf("%d accepted", r.Accepted)
	}
}
