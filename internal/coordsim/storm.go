package coordsim

import (
	"cmp"
	"container/heap"
	"fmt"
	"iter"
	"math/rand/v2"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// Storm determines load without end in which everything happens that a
// coordinator, its network and its users can do wrong: execution ids are used
// again with and without a runid, runs die without a word, events arrive late,
// in any order, twice and in another partition, ends contradict each other, ids
// are taken for other content, and records are spoilt. Unlike a Simulation it
// does not say what must come of it: that depends on the order of acceptance,
// and is for a checker to find out.
type Storm struct {
	Seed     uint64
	Instance string        // as in Options
	Start    time.Time     // of the first event
	Step     time.Duration // between two events: 100 µs
	Parallel int           // runs at the same time: 60
	Length   int           // events of a run, about: 60
}

// Shares of what a storm does to its events, in thousandths.
const (
	stormLate       = 60 // an event arrives later than others that were said after it
	stormRepeated   = 40 // it is sent again, soon
	stormMuchLater  = 8  // it is sent again, long after
	stormConflict   = 3  // its id is taken for other content
	stormSpoilt     = 6  // a record that can never be accepted comes before it
	stormUnnumbered = 20 // it has no sequence
	stormFuture     = 1  // it is dated ten years ahead
	stormDefinition = 15 // in its place something is said about definitions
)

// Generate makes the storm.
func (s Storm) Generate() iter.Seq2[Record, error] {
	s.Step, s.Parallel, s.Length = cmp.Or(s.Step, 100*time.Microsecond), cmp.Or(s.Parallel, 60), cmp.Or(s.Length, 60)
	s.Start = s.Start.UTC().Truncate(time.Millisecond)
	return func(yield func(Record, error) bool) {
		g := &stormGenerator{Storm: s, random: rand.New(rand.NewPCG(s.Seed, 2)), runs: make([]stormRun, s.Parallel)} //nolint:gosec // chance that can be repeated is the point
		for {
			if r, err := g.next(); !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// stormRun is a run that a storm tells of.
type stormRun struct {
	id, runID, source, coordinator string

	uses     int // of the id
	said     int
	length   int
	sequence fact.Sequence
	dies     bool // without a word
	phase    string
}

type stormGenerator struct {
	Storm
	random *rand.Rand
	runs   []stormRun
	begun  int
	events int
	tick   int
	late   lateRecords
	recent [4096]event.Outgoing // some of what was said, to be sent again
}

// in tells whether something with a share in thousandths happens.
func (g *stormGenerator) in(thousandths int) bool { return g.random.IntN(1000) < thousandths }

// next is the next record to be sent: one that is due, or a new one.
func (g *stormGenerator) next() (Record, error) {
	for {
		g.tick++
		if len(g.late) > 0 && g.late[0].due <= g.tick {
			return heap.Pop(&g.late).(lateRecord).Record, nil
		}
		if g.in(stormSpoilt) {
			return g.spoilt()
		}
		out := g.say()
		r, err := encode(out, g.form())
		if err != nil {
			return Record{}, err
		}
		if err := g.again(out); err != nil {
			return Record{}, err
		}
		if !g.in(stormLate) {
			return r, nil
		}
		g.later(r, 1+g.random.IntN(400))
	}
}

func (g *stormGenerator) form() Form { return Forms()[g.random.IntN(4)] }

// later sends a record after others.
func (g *stormGenerator) later(r Record, ticks int) {
	heap.Push(&g.late, lateRecord{r, g.tick + ticks})
}

// elsewhere is a record on its way to another partition than its key's, now and
// then.
func (g *stormGenerator) elsewhere(r Record) Record {
	if g.in(300) {
		r.Spread = 1 + g.random.IntN(3)
	}
	return r
}

// again plans what else comes of an event: repetitions and conflicts.
func (g *stormGenerator) again(out event.Outgoing) error {
	g.recent[g.random.IntN(len(g.recent))] = out
	if g.in(stormRepeated) {
		if err := g.repeat(out, 1+g.random.IntN(600)); err != nil {
			return err
		}
	}
	if old := g.recent[g.random.IntN(len(g.recent))]; old.Message != nil && g.in(stormMuchLater) {
		if err := g.repeat(old, 1); err != nil {
			return err
		}
	}
	if !g.in(stormConflict) {
		return nil
	}
	out.Message = tamperedWith(out.Message)
	r, err := encode(out, g.form())
	if err != nil {
		return err
	}
	r.Kind, r.Reason = Malformed, fact.ReasonIDConflict // whichever of the two is accepted first
	g.later(g.elsewhere(r), 1+g.random.IntN(600))
	return nil
}

func (g *stormGenerator) repeat(out event.Outgoing, ticks int) error {
	r, err := encode(out, g.form())
	if err != nil {
		return err
	}
	r.Kind = Duplicate
	g.later(g.elsewhere(r), ticks)
	return nil
}

// tamperedWith is other content for the subject.
func tamperedWith(m proto.Message) proto.Message {
	if h, ok := m.(*contract.ExecutionHeartbeat); ok {
		return &contract.ExecutionHeartbeat{ExecutionId: h.GetExecutionId(), Message: h.GetMessage() + ", tampered with"}
	}
	other := proto.Clone(m)
	fields := other.ProtoReflect().Descriptor().Fields()
	for _, name := range []string{"author", "description", "error", "reason", "message", "service", "health", "environment", "error_message"} {
		if f := fields.ByTextName(name); f != nil && f.Kind() == protoreflect.StringKind {
			other.ProtoReflect().Set(f, protoreflect.ValueOfString("tampered with"))
			return other
		}
	}
	return other // the same again: a duplicate
}

// say is the next event of one of the runs, or about a definition.
func (g *stormGenerator) say() event.Outgoing {
	g.events++
	out := event.Outgoing{ID: fmt.Sprintf("%s-%09d", g.Instance, g.events), Time: g.Start.Add(time.Duration(g.events) * g.Step)}
	if g.in(100) {
		out.CorrelationID = fmt.Sprint("correlated-", g.random.IntN(100))
	}
	if g.in(50) {
		out.Extensions = map[string]string{"region": "eu-central"}
	}
	if g.in(stormDefinition) {
		out.Source, out.Message = "/coordinator/definitions", g.definition()
		if g.in(500) {
			out.Sequence = fact.Sequence(1 + g.random.IntN(1_000_000)) // in no order
		}
		return out
	}
	run := &g.runs[g.random.IntN(len(g.runs))]
	if run.said == run.length {
		g.begin(run)
	}
	out.Source, out.RunID, out.Message = run.source, run.runID, g.tell(run)
	run.said++
	run.sequence++
	if !g.in(stormUnnumbered) {
		out.Sequence = run.sequence
	}
	if _, ends := out.Message.(*contract.ExecutionFinished); g.in(stormFuture) && !ends {
		out.Time = out.Time.AddDate(10, 0, 0)
	}
	return out
}

// begin makes another run of the slot: of a new id, or of the same again.
func (g *stormGenerator) begin(run *stormRun) {
	g.begun++
	before := *run
	*run = stormRun{
		length: 3 + g.random.IntN(2*g.Length), source: fmt.Sprint("/coordinator/", g.random.IntN(3)), dies: g.in(150),
		id: fmt.Sprintf("storm-%s-%07d", g.Instance, g.begun), runID: fmt.Sprintf("run-%s-%07d", g.Instance, g.begun),
	}
	run.coordinator = "coordinator-" + run.source[len("/coordinator/"):]
	if before.id != "" && before.uses < 6 && g.in(400) {
		run.id, run.uses = before.id, before.uses+1
		// Whoever gives no runid seldom does so for one run only.
		if before.runID == "" && !g.in(50) || before.runID != "" && g.in(150) {
			run.runID = ""
		}
		return
	}
	if g.in(300) {
		run.runID = ""
	}
}

// lateRecord is a record that is sent after others.
type lateRecord struct {
	Record
	due int // tick
}

type lateRecords []lateRecord

func (l *lateRecords) Len() int           { return len(*l) }
func (l *lateRecords) Less(i, j int) bool { return (*l)[i].due < (*l)[j].due }
func (l *lateRecords) Swap(i, j int)      { (*l)[i], (*l)[j] = (*l)[j], (*l)[i] }

// Push and Pop are heap's.
func (l *lateRecords) Push(r any) { *l = append(*l, r.(lateRecord)) }

// Pop is heap's.
func (l *lateRecords) Pop() any {
	old := *l
	last := old[len(old)-1]
	*l = old[:len(old)-1]
	return last
}
