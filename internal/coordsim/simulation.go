package coordsim

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"regexp"
	"slices"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// LongUpdates is how often the long run of the demo reports: 36 hours, about
// every five seconds.
const LongUpdates = 26_000

// Options determine a simulation.
type Options struct {
	// Seed determines everything that is left to chance.
	Seed uint64
	// Instance is part of all event ids and runids, and so makes them unique over
	// restarts of the coordinator: 1 to 32 lower-case letters, digits and dashes.
	Instance string
	// Start is the present; what is told lies before it, and ends about there.
	Start time.Time
	// LongUpdates is how often the 36-hour run reports; 0 is the constant.
	LongUpdates int
	// Forms are those in use; nil is all four.
	Forms []Form
}

// Expectation is what must come of one run.
type Expectation struct {
	Execution execution.ID
	// Number is the run's number among those of its execution id where no runid
	// is given; else 0.
	Number execution.RunNumber
	RunID  string
	Status execution.Status
	Events int // to be applied
}

// Play is one thing that a coordinator goes through.
type Play struct {
	Name  string // short
	About string // what it shows, in one line
	Runs  []*Expectation
}

// Totals are what must come of all records.
type Totals struct {
	Applied, Duplicates, Quarantined int64
	Reasons                          map[fact.Reason]int64
}

// Records is the number of records.
func (t Totals) Records() int64 { return t.Applied + t.Duplicates + t.Quarantined }

// Simulation is a coordinator at work: several plays at the same time.
type Simulation struct {
	scripts []*script
	said    []said // in the order of arrival
}

var instanceForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// New works out a simulation.
func New(o Options) (*Simulation, error) {
	if !instanceForm.MatchString(o.Instance) {
		return nil, fmt.Errorf("instance %q: want 1 to 32 lower-case letters, digits and dashes", o.Instance)
	}
	if o.Start.IsZero() {
		return nil, errors.New("simulate a coordinator: no start given")
	}
	o.Start = o.Start.UTC().Truncate(time.Millisecond)
	if o.LongUpdates == 0 {
		o.LongUpdates = LongUpdates
	}
	if len(o.Forms) == 0 {
		o.Forms = Forms()
	}
	sim := &Simulation{}
	director := &director{Options: o, random: rand.New(rand.NewPCG(o.Seed, 0))} //nolint:gosec // chance that can be repeated is the point
	for _, play := range plays() {
		s := newScript(director, play.name, play.about)
		if err := play.write(s); err != nil {
			return nil, fmt.Errorf("write play %q: %w", play.name, err)
		}
		sim.scripts = append(sim.scripts, s)
		sim.said = append(sim.said, s.arrivals()...)
	}
	slices.SortStableFunc(sim.said, func(a, b said) int { return cmp.Compare(a.at, b.at) })
	return sim, nil
}

// Plays are what is played, in the order in which people should see it.
func (s *Simulation) Plays() []Play {
	all := make([]Play, len(s.scripts))
	for i, script := range s.scripts {
		all[i] = Play{Name: script.name, About: script.about, Runs: script.runs}
	}
	return all
}

// Expect sums up what must come of all records.
func (s *Simulation) Expect() Totals {
	t := Totals{Reasons: map[fact.Reason]int64{}}
	for i := range s.said {
		switch said := &s.said[i]; said.kind {
		case Duplicate:
			t.Duplicates++
		case Malformed:
			t.Quarantined++
			t.Reasons[said.reason]++
		default:
			t.Applied++
		}
	}
	return t
}

// Records are all records in the order in which they are sent.
func (s *Simulation) Records() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for i := range s.said {
			if r, err := s.said[i].record(); !yield(r, err) || err != nil {
				return
			}
		}
	}
}
