package coordsim

import (
	"cmp"
	"container/heap"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// Workload is load to measure with: runs as coordinators really lead them, many
// at the same time, told in the order of their clocks. Every record is an
// event that must be applied.
type Workload struct {
	Name     string // of Workloads
	Seed     uint64
	Instance string    // as in Options
	Start    time.Time // of the first runs
	Events   int
	Parallel int // runs at the same time; 0: as many as the workload has
}

// workload is how the runs of one kind are led.
type workload struct {
	about    string
	parallel int // runs at the same time
	write    func(*diary)
}

var workloads = map[string]workload{
	"mixed": {"runs of 2 to 10 minutes with a heartbeat every 5 s, phases, steps, faults, validations, snapshots, logs", 400, writeMixedRun},
	"logs":  {"a flood of logs, 10 to 100 lines an event", 100, writeLogFlood},
	"small": {"many small runs of 6 events each", 200, writeSmallRun},
}

// Workloads are the names, the usual one first.
func Workloads() []string { return []string{"mixed", "logs", "small"} }

// About says in a line what the workload is.
func (w Workload) About() string { return workloads[w.Name].about }

// Validate tells what is wrong with the options.
func (w Workload) Validate() error {
	var errs []error
	if !slices.Contains(Workloads(), w.Name) {
		errs = append(errs, fmt.Errorf("workload %q: want one of %q", w.Name, Workloads()))
	}
	if !instanceForm.MatchString(w.Instance) {
		errs = append(errs, fmt.Errorf("instance %q: want 1 to 32 lower-case letters, digits and dashes", w.Instance))
	}
	if w.Events < 1 {
		errs = append(errs, errors.New("no events asked for"))
	}
	if w.Start.IsZero() {
		errs = append(errs, errors.New("no start given"))
	}
	return errors.Join(errs...)
}

// Generate makes the records; the options must be valid.
func (w Workload) Generate() iter.Seq2[Record, error] {
	kind := workloads[w.Name]
	return func(yield func(Record, error) bool) {
		g := &workloadGenerator{Workload: w, kind: kind, random: rand.New(rand.NewPCG(w.Seed, 2))} //nolint:gosec // chance that can be repeated is the point
		for range cmp.Or(w.Parallel, kind.parallel) {
			// Not all at the same moment, and soon out of step.
			g.live = append(g.live, g.begin(w.Start.Add(time.Duration(g.random.Int64N(int64(30*time.Second))))))
		}
		heap.Init(&g.live)
		for range w.Events {
			if r, err := g.next(); !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// workloadGenerator tells the events of all live runs in order of time.
type workloadGenerator struct {
	Workload
	kind   workload
	random *rand.Rand
	live   liveRuns
	begun  int
	events int
}

// begin writes down all that a run is going to say.
func (g *workloadGenerator) begin(at time.Time) *diary {
	d := &diary{
		id: fmt.Sprintf("exec-%s-%s-%06d", g.Name, g.Instance, g.begun), clock: at, random: g.random,
		// A coordinator writes in one form.
		form: Forms()[g.begun%len(Forms())],
	}
	g.begun++
	g.kind.write(d)
	// Where events of a run are told at other times than they are written down:
	// heartbeats between them.
	slices.SortStableFunc(d.said, func(a, b moment) int { return a.at.Compare(b.at) })
	return d
}

func (g *workloadGenerator) next() (Record, error) {
	d := g.live[0]
	m := d.said[d.told]
	d.told++
	g.events++
	out := event.Outgoing{
		Source: "/coordinator/" + g.Name, ID: fmt.Sprintf("%s-%s-%09d", g.Name, g.Instance, g.events), Time: m.at,
		Sequence: fact.Sequence(d.told), RunID: "run-" + d.id, Message: m.message,
	}
	form := d.form
	if d.told == len(d.said) {
		g.live[0] = g.begin(m.at.Add(time.Millisecond))
	}
	heap.Fix(&g.live, 0)
	return encode(out, form)
}

// diary is what one run says, and when.
type diary struct {
	id     string
	form   Form
	clock  time.Time
	random *rand.Rand
	said   []moment
	told   int
}

type moment struct {
	at      time.Time
	message proto.Message
}

// say adds an event at the present of the run, which goes on by a moment.
func (d *diary) say(m proto.Message) {
	d.said = append(d.said, moment{d.clock, m})
	d.pass(time.Millisecond)
}

func (d *diary) pass(t time.Duration) { d.clock = d.clock.Add(t) }

// liveRuns is a heap by the time of the next event, and by id where that is the
// same.
type liveRuns []*diary

func (l *liveRuns) Len() int { return len(*l) }

func (l *liveRuns) Less(i, j int) bool {
	a, b := (*l)[i], (*l)[j]
	if order := a.said[a.told].at.Compare(b.said[b.told].at); order != 0 {
		return order < 0
	}
	return a.id < b.id
}

func (l *liveRuns) Swap(i, j int) { (*l)[i], (*l)[j] = (*l)[j], (*l)[i] }

// Push and Pop are heap's; the number of live runs never changes.
func (l *liveRuns) Push(x any) { *l = append(*l, x.(*diary)) }

// Pop removes the last.
func (l *liveRuns) Pop() any {
	last := (*l)[len(*l)-1]
	*l = (*l)[:len(*l)-1]
	return last
}
