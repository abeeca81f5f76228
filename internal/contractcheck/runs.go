package contractcheck

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// runs places the events of executions as the service does, and sees what
// follows from it.
type runs struct {
	latest *recent[execution.ID, *run]
	named  *recent[runName, *run] // those with a runid

	opened, ended int64
}

type runName struct {
	id    execution.ID
	runID string
}

// run is as much of a run's state as placing its next event needs.
type run struct {
	state   *execution.State
	numbers numbers
	last    fact.Order // of the last event in order, the end left out
	first   Place
}

func newRuns(most int) *runs {
	return &runs{latest: newRecent[execution.ID, *run](most), named: newRecent[runName, *run](most)}
}

// place finds the run of an event, or opens it, and folds the event.
func (g *Grader) place(e *execution.Event, at Place) {
	small := essence(e)
	id := small.ExecutionID()
	latest, _ := g.runs.latest.get(id)
	var named *run
	if e.RunID != "" {
		named, _ = g.runs.named.get(runName{id, small.RunID})
	}
	if latest == nil {
		latest = named // forgotten, among more ids than runs with a runid
	}
	var latestRun *execution.Run
	var number execution.RunNumber
	if latest != nil {
		latestRun = &latest.state.Run
	}
	if named != nil {
		number = named.state.Run.Number
	}
	p := execution.Place(latestRun, number, small)
	if p.Guessed {
		g.found.add(RunGuessed, e.Type, "runid", Example{at, fact.Cut(e.Subject), "a runid: without one, this event could belong to another run of its execution id as well"})
	}
	r := latest
	switch {
	case p.Opens: // a run that it supersedes is never the latest again: how that ends is not looked at
		r = &run{state: execution.NewState(id, p.Run, small.RunID), first: at}
		g.runs.opened++
		g.runs.latest.put(id, r)
		if small.RunID != "" {
			g.runs.named.put(runName{id, small.RunID}, r)
		}
	case named != nil:
		r = named
	}
	g.checkSequence(&e.Header, &r.numbers, at)
	g.checkEnd(r, e, at)
	r.state.Apply(small)
}

// checkEnd reports events behind the end of their run, and second ends.
func (g *Grader) checkEnd(r *run, e *execution.Event, at Place) {
	s, o := &r.state.Run, e.Order()
	hasEnded := s.ReportedOutcome != ""
	finished, isEnd := e.Payload.(*execution.Finished)
	switch {
	case isEnd && !hasEnded:
		g.runs.ended++
		if r.last.After(o) {
			g.found.add(Late, e.Type, "", Example{at, fact.Cut(e.Subject), "an end ordered behind all events of its run, by sequence, then by time"})
		}
	case isEnd && finished.Outcome != s.ReportedOutcome:
		g.found.add(ConflictingOutcome, e.Type, "data.outcome", Example{at, string(finished.Outcome), "one end for each run: the first in order decides, here and before it is " + string(s.ReportedOutcome)})
	case !isEnd && hasEnded && o.After(s.EndOrder):
		g.found.add(Late, e.Type, "", Example{at, fact.Cut(e.Subject), "ordered before the end of its run: it is shown, and changes no status"})
	}
	if !isEnd && o.After(r.last) {
		r.last = o
	}
}

// essence is what placing needs of an event, in memory of its own: the event's
// texts may hold all of its record.
func essence(e *execution.Event) *execution.Event {
	small := &execution.Event{Header: fact.Header{
		Key: e.Key, Source: strings.Clone(e.Source), Subject: strings.Clone(e.Subject), RunID: strings.Clone(e.RunID),
		Type: e.Type, Time: e.Time, Sequence: e.Sequence, Suspect: e.Suspect,
	}}
	switch p := e.Payload.(type) {
	case *execution.Requested:
		small.Payload = &execution.Requested{}
	case *execution.Started:
		small.Payload = &execution.Started{CoordinatorID: strings.Clone(p.CoordinatorID)}
	case *execution.Finished:
		small.Payload = &execution.Finished{Outcome: p.Outcome}
	default: // any that decides nothing
		small.Payload = &execution.Heartbeat{}
	}
	return small
}

// reportUnended adds the runs without an end to findings.
func (r *runs) reportUnended(found *findings) {
	unended := r.opened - r.ended
	if unended <= 0 {
		return
	}
	seen := map[*run]bool{}
	var open []*run
	keep := func(run *run) {
		if run.state.Run.ReportedOutcome == "" && !seen[run] {
			seen[run] = true
			open = append(open, run)
		}
	}
	r.latest.each(keep)
	r.named.each(keep)
	slices.SortFunc(open, func(a, b *run) int { return a.first.compare(b.first) })
	for _, run := range open {
		name := string(run.state.Run.ID)
		if run.state.Run.RunID != "" {
			name += ", runid " + run.state.Run.RunID
		}
		found.add(NoEnd, "", "", Example{run.first, fact.Cut(name), "an execution.finished, unless the run goes on"})
	}
	found.of(NoEnd, "", "").Count += unended - int64(len(open)) // those that were forgotten
}

// numbers are the sequence numbers of a run, or of a scenario, template or
// schedule, as they came.
type numbers struct {
	highest   fact.Sequence
	time      time.Time // of the event with the highest
	partition int32
}

// checkSequence reports numbers that do not rise. Gaps are fine. A lower number
// is a fault only if its event is later: else an earlier one has been overtaken
// on its way, which the service puts right. Between partitions nothing is said
// about the order of arrival.
func (g *Grader) checkSequence(h *fact.Header, n *numbers, at Place) {
	if h.Sequence == fact.NoSequence {
		return
	}
	number := func(n fact.Sequence) string { return strconv.FormatInt(int64(n), 10) }
	switch {
	case h.Sequence > n.highest || n.partition != at.Partition:
		n.highest, n.time, n.partition = h.Sequence, h.Time, at.Partition
	case h.Sequence == n.highest:
		g.found.add(SequenceNotRising, h.Type, "sequence", Example{at, number(h.Sequence), "a number for each event of a subject and run: another event has this one"})
	case !h.Suspect && h.Time.After(n.time):
		g.found.add(SequenceNotRising, h.Type, "sequence", Example{at, number(h.Sequence), "a number above " + number(n.highest) + ", which an event of an earlier time has"})
	default:
		g.found.add(OutOfOrder, h.Type, "sequence", Example{at, number(h.Sequence), "sent before the event with " + number(n.highest) + ": a producer with enable.idempotence keeps the order"})
	}
}
