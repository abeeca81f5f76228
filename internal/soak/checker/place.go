package checker

import (
	"fmt"
	"maps"
	"slices"
	"time"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// placed is an event with what its row says of its place.
type placed struct {
	*event
	run     int64
	arrival int64
	guessed bool
	written time.Time // by the service's clock
}

// runSoFar is what the rule needs to know of a run while events come in.
type runSoFar struct {
	runID       string
	arrivals    int64
	events      int64
	start       *event // the first in order
	coordinator *event // the last in order that names one
	finish      *event // the first in order
	interrupted *own   // the one with the most events, of those the first in order
	last        time.Time
}

func (r runSoFar) terminal() bool {
	return r.finish != nil || r.interrupted != nil && r.interrupted.interruption().GetRealEvents() == r.events
}

// endedBefore tells whether the run had ended before the event happened.
func (r runSoFar) endedBefore(e *event) bool {
	switch {
	case !r.terminal():
		return false
	case r.finish == nil:
		return e.when.After(r.interrupted.when)
	}
	return e.when.After(r.credible(r.finish))
}

// credible is when an event happened, or the last credible time of the run for
// an event that is dated in the far future.
func (r runSoFar) credible(e *event) time.Time {
	if e.suspect {
		return r.last
	}
	return e.when
}

// anotherStart tells whether a start is not the one that the run began with:
// from another source or coordinator, or numbered not above it.
func (r runSoFar) anotherStart(e *event) bool {
	coordinator := e.message.(*contract.ExecutionStarted).GetCoordinatorId()
	return e.source != r.start.source ||
		coordinator != "" && r.coordinator != nil && coordinator != r.coordinator.message.(*contract.ExecutionStarted).GetCoordinatorId() ||
		e.sequence != 0 && (r.start.sequence == 0 || e.sequence <= r.start.sequence)
}

func (r runSoFar) with(e *event) runSoFar {
	r.arrivals++
	r.events++
	if !e.suspect && e.when.After(r.last) {
		r.last = e.when
	}
	switch m := e.message.(type) {
	case *contract.ExecutionStarted:
		if r.start == nil || e.order < r.start.order {
			r.start = e
		}
		if m.GetCoordinatorId() != "" && (r.coordinator == nil || e.order > r.coordinator.order) {
			r.coordinator = e
		}
	case *contract.ExecutionFinished:
		if r.finish == nil || e.order < r.finish.order {
			r.finish = e
		}
	}
	return r
}

func (r runSoFar) withOwn(o *own) runSoFar {
	r.arrivals++
	if m := o.interruption(); m != nil {
		held, events := r.interrupted, m.GetRealEvents()
		if held == nil || events > held.interruption().GetRealEvents() || events == held.interruption().GetRealEvents() && o.order < held.order {
			r.interrupted = o
		}
	}
	return r
}

// decision is which run an event belongs to.
type decision struct {
	run        int64
	opens      bool
	guessed    bool
	supersedes int64 // 0: none
}

// decide is the rule of the contract.
func decide(runs map[int64]runSoFar, e *event) decision {
	latest := int64(len(runs))
	if latest == 0 {
		return decision{run: 1, opens: true}
	}
	if e.runID != "" {
		for number, r := range runs {
			if r.runID == e.runID {
				return decision{run: number}
			}
		}
		if !e.suspect {
			return decision{run: latest + 1, opens: true}
		}
	}
	r := runs[latest]
	_, requests := e.message.(*contract.ExecutionRequested)
	_, starts := e.message.(*contract.ExecutionStarted)
	opens := (requests || starts) && r.endedBefore(e) ||
		starts && r.start != nil && e.when.After(r.credible(r.start)) && r.anotherStart(e)
	if !opens || e.suspect {
		// Ambiguous: the event names no run where runs have names, or the id has had
		// others, or it comes after the end, or it looks like a beginning.
		beginning := r.start != nil && (requests && e.when.After(r.credible(r.start)) || starts && (e.sequence == 0 || r.anotherStart(e)))
		return decision{run: latest, guessed: e.runID != "" || r.runID != "" || latest > 1 || r.endedBefore(e) || beginning}
	}
	d := decision{run: latest + 1, opens: true}
	if !r.terminal() {
		d.supersedes = latest
	}
	return d
}

// placing replays how the events of one execution id were accepted: those of a
// partition in the order of their offsets, those of a run in the order of their
// arrival. Where that leaves a choice, every choice is tried, the one first that
// was written first.
type placing struct {
	queues   [][]placed        // of each partition, and of our own requests
	owns     map[[2]int64]*own // what we said of runs, by run and arrival
	failed   map[string]bool   // from where no choice leads on
	tries    int
	best     int    // how many events were placed at most
	mismatch func() // reports where that ended
	report   func(e *event, field string, got, want any)
}

type placingState struct {
	heads []int
	runs  map[int64]runSoFar
	done  int
	owns  int
}

// maxTries bounds the search.
const maxTries = 20_000

// replay tells whether the stored places follow the rule, and whether that
// could be decided.
func (p *placing) replay() (follows, decided bool) {
	p.failed = map[string]bool{}
	ok := p.from(placingState{heads: make([]int, len(p.queues)), runs: map[int64]runSoFar{}})
	return ok, ok || p.tries < maxTries
}

func (p *placing) from(s placingState) bool {
	for {
		if !p.absorb(&s) {
			return false
		}
		var candidates []int
		left := false
		for q := range p.queues {
			if s.heads[q] == len(p.queues[q]) {
				continue
			}
			left = true
			e := p.queues[q][s.heads[q]]
			if e.arrival == s.runs[e.run].arrivals+1 {
				candidates = append(candidates, q)
			}
		}
		switch {
		case !left:
			if s.owns != len(p.owns) {
				p.stuck(s, func() { p.report(nil, "own events", len(p.owns), s.owns) })
				return false
			}
			return true
		case len(candidates) == 0:
			p.stuck(s, func() {
				for q := range p.queues {
					if s.heads[q] < len(p.queues[q]) {
						e := p.queues[q][s.heads[q]]
						p.report(e.event, "arrival", e.arrival, s.runs[e.run].arrivals+1)
						return
					}
				}
			})
			return false
		case len(candidates) == 1:
			if !p.take(&s, candidates[0]) {
				return false
			}
		default:
			at := fmt.Sprint(s.heads) // what was accepted so far says what the runs are
			if p.failed[at] {
				return false
			}
			slices.SortFunc(candidates, func(a, b int) int {
				return p.queues[a][s.heads[a]].written.Compare(p.queues[b][s.heads[b]].written)
			})
			for _, q := range candidates {
				if p.tries++; p.tries >= maxTries {
					return false
				}
				branch := placingState{heads: append([]int(nil), s.heads...), runs: maps.Clone(s.runs), done: s.done, owns: s.owns}
				if p.take(&branch, q) && p.from(branch) {
					return true
				}
			}
			p.failed[at] = true
			return false
		}
	}
}

// absorb takes what we have said of runs and comes next in them. It changes
// nothing that the rule looks at, so it leaves no choice. An interruption comes
// with the start that it is about.
func (p *placing) absorb(s *placingState) bool {
	for s.owns < len(p.owns) {
		before := s.owns
		for number, r := range s.runs {
			o := p.owns[[2]int64{number, r.arrivals + 1}]
			if o == nil || o.interruption() != nil {
				continue
			}
			_, cancels := o.message.(*contract.ExecutionCancelRequested)
			_, clears := o.message.(*contract.FaultClearRequested)
			if cancels && r.terminal() || clears && !r.terminal() {
				p.stuck(*s, func() { p.report(o.event, fmt.Sprintf("run %d ended", number), r.terminal(), !r.terminal()) })
				return false
			}
			s.runs[number] = r.withOwn(o)
			s.owns++
		}
		if s.owns == before {
			return true
		}
	}
	return true
}

// take accepts the next event of a partition, if the rule says what is stored.
func (p *placing) take(s *placingState, q int) bool {
	e := p.queues[q][s.heads[q]]
	d := decide(s.runs, e.event)
	latest, asked := s.runs[int64(len(s.runs))], e.at.Topic == ""
	switch {
	case asked && !d.opens:
		p.stuck(*s, func() { p.report(e.event, "a run of its own", "none", "one: somebody asked for it") })
		return false
	case asked && len(s.runs) > 0 && !latest.terminal():
		p.stuck(*s, func() { p.report(e.event, fmt.Sprintf("run %d ended", len(s.runs)), false, true) })
		return false
	case d.run != e.run:
		p.stuck(*s, func() { p.report(e.event, "run", e.run, d.run) })
		return false
	case d.guessed != e.guessed:
		p.stuck(*s, func() { p.report(e.event, "run_guessed", e.guessed, d.guessed) })
		return false
	}
	if d.supersedes != 0 {
		r := s.runs[d.supersedes]
		o := p.owns[[2]int64{d.supersedes, r.arrivals + 1}]
		switch {
		case o == nil || o.interruption() == nil:
			p.stuck(*s, func() { p.report(e.event, "interruption of the run before", "absent", d.supersedes) })
			return false
		case o.interruption().GetRealEvents() != r.events || int64(o.interruption().GetSupersededBy()) != d.run ||
			o.interruption().GetCause() != "superseded" || !o.when.Equal(e.when):
			p.stuck(*s, func() { p.report(e.event, "interruption of the run before", o.interruption(), r.events) })
			return false
		}
		s.runs[d.supersedes] = r.withOwn(o)
		s.owns++
	}
	r := s.runs[d.run]
	if d.opens {
		r.runID = e.runID
	}
	s.runs[d.run] = r.with(e.event)
	s.heads[q]++
	s.done++
	return true
}

// stuck remembers where the replay that came farthest ended.
func (p *placing) stuck(s placingState, report func()) {
	if s.done >= p.best {
		p.best, p.mismatch = s.done, report
	}
}
