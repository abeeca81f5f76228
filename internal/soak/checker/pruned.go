package checker

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"time"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// Policy says what retention may remove, of which runs.
type Policy struct {
	Name      string
	Scenarios *regexp.Regexp // of the run
	Kinds     []string       // of data; with "run" everything goes
}

// whole is the kind of data that is the run's row.
const whole = "run"

// tombstone is what the service says it has removed of a run.
type tombstone struct {
	run                       int64
	runID, scenario, policy   string
	status                    string
	kinds, pending            []string
	first, last               any // times of its events, far future ones left out
	suspectFrom, suspectUntil any
	ended, lastStart          any
	prunedAt                  time.Time
}

func (t *tombstone) gone(kind string) bool { return slices.Contains(t.kinds, kind) }

func (t *tombstone) waits(kind string) bool { return slices.Contains(t.pending, kind) }

// kindOf is the kind of data that a table holds.
var kindOf = map[string]string{
	"execution_logs": "logs", "system_snapshots": "snapshots", "execution_events": "events", "analytics_timeline": "events", "execution_annotations": "events",
	"execution_phases": "results", "execution_steps": "results", "fault_injections": "results", "validation_results": "results",
	"executions": whole, "execution_details": whole,
}

// overlap is how long before a tombstone was dated an event may have been dated that
// was accepted after it: as long as a transaction takes. It is less than the quiet
// time of the policies, so what was there before is told from what came later.
const overlap = 4 * time.Second

// readPruned reads what retention says it has removed.
func (c *check) readPruned(ctx context.Context) error {
	c.pruned, c.prunedEvents, c.explained = map[string][]*tombstone{}, map[Partition]int64{}, map[Partition]int64{}
	for row, err := range c.Store.Rows(ctx, "pruned_runs", "", "") {
		if err != nil {
			return err
		}
		t := &tombstone{
			run: row.number("run"), runID: row.text("run_id"), scenario: row.text("scenario_id"), policy: row.text("policy"), status: row.text("status"),
			first: row["first_event_at"], last: row["last_event_at"], suspectFrom: row["suspect_from"], suspectUntil: row["suspect_until"],
			ended: row["ended_at"], lastStart: row["last_start_at"],
		}
		t.kinds, _ = row["kinds"].([]string)
		t.pending, _ = row["pending"].([]string)
		t.prunedAt, _ = row["pruned_at"].(time.Time)
		id := row.text("execution_id")
		c.pruned[id] = append(c.pruned[id], t)
		c.report.PrunedRuns++
		if t.gone(whole) {
			c.report.PrunedWhole++
		}
		c.coveredBy(id, t)
		c.notPinned(id, t)
	}
	for row, err := range c.Store.Rows(ctx, "pruned_events", "", "") {
		if err != nil {
			return err
		}
		n := row.number("events")
		c.prunedEvents[Partition{row.text("topic"), int32(row.number("partition"))}] = n //nolint:gosec // a partition's number
		c.report.PrunedEvents += n
		c.report.Applied += n
	}
	return nil
}

// coveredBy holds a tombstone to the policies.
func (c *check) coveredBy(id string, t *tombstone) {
	where := fmt.Sprintf("%s run %d", id, t.run)
	wrong := func(field, got, want string) { c.report.add(Finding{Wrong, where, "pruned_runs." + field, got, want}) }
	at := slices.IndexFunc(c.Policies, func(p Policy) bool { return p.Name == t.policy })
	switch {
	case at < 0:
		wrong("policy", t.policy, "one that there is")
		return
	case !c.Policies[at].Scenarios.MatchString(t.scenario):
		wrong("policy", t.policy+", of a run of "+t.scenario, "one that matches the run")
	}
	everything := slices.Contains(c.Policies[at].Kinds, whole)
	for _, kind := range t.kinds {
		// A run may have been of another scenario before, so parts may have gone by
		// another policy; the timeline goes only together with what the row goes with.
		if !everything && !slices.ContainsFunc(c.Policies, func(p Policy) bool { return !slices.Contains(p.Kinds, whole) && slices.Contains(p.Kinds, kind) }) {
			wrong("kinds", kind+" by "+t.policy, "kept")
		}
	}
	switch t.status {
	case "passed", "failed", "error", "cancelled", "timeout", "interrupted":
	default:
		wrong("status", t.status, "that of a run that has ended")
	}
}

// notPinned holds a tombstone to the pins that callers were told of.
func (c *check) notPinned(id string, t *tombstone) {
	var pins []*Call
	for i := range c.Calls {
		if m, ok := c.Calls[i].Message.(*contract.PinExecutionRequest); ok && m.GetExecutionId() == id && (c.Calls[i].Answer != nil || c.Calls[i].Doubtful) {
			pins = append(pins, &c.Calls[i])
		}
	}
	for _, pin := range pins {
		told, ok := pin.Answer.(*contract.PinExecutionResponse)
		if !ok || !pin.Message.(*contract.PinExecutionRequest).GetPinned() || int64(told.GetExecution().GetRun()) != t.run || !pin.Answered.Add(overlap).Before(t.prunedAt) {
			continue
		}
		released := slices.ContainsFunc(pins, func(other *Call) bool {
			return !other.Message.(*contract.PinExecutionRequest).GetPinned() && other.Sent.Before(t.prunedAt) && (other.Answer == nil || other.Answered.After(pin.Sent))
		})
		if !released {
			c.report.add(Finding{Wrong, fmt.Sprintf("%s run %d", id, t.run), "pruned_runs", fmt.Sprintf("%v, removed at %s", t.kinds, show(t.prunedAt)), "nothing removed: request " + pin.ID + " has pinned it"})
			return
		}
	}
}

// eventsGone tells whether retention has removed the events of a run of an id; of
// any, where none is named.
func (c *check) eventsGone(id string, run int64) bool {
	return slices.ContainsFunc(c.pruned[id], func(t *tombstone) bool { return t.gone("events") && (run == 0 || t.run == run) })
}

// runTold is the run that the answer to a call about an execution tells of.
func runTold(call *Call) int64 {
	switch m := call.Answer.(type) {
	case *contract.AnnotateExecutionResponse:
		return int64(m.GetAnnotation().GetRun())
	case interface{ GetExecution() *contract.Execution }:
		return int64(m.GetExecution().GetRun())
	}
	return 0
}

// tombstoneOf is what is gone of a run; nil for nothing.
func (x *execution) tombstoneOf(run int64) *tombstone {
	at := slices.IndexFunc(x.pruned[x.id], func(t *tombstone) bool { return t.run == run })
	if at < 0 {
		return nil
	}
	return x.pruned[x.id][at]
}

// gone tells whether a kind of data of a run is gone.
func (x *execution) gone(run int64, kind string) bool {
	t := x.tombstoneOf(run)
	return t != nil && t.gone(kind)
}

// dropDead takes rows out that are dead: those that wait to be removed. Of kinds to
// which nothing can be added when they are gone, no other may be there.
func (x *execution) dropDead() {
	if len(x.pruned[x.id]) == 0 {
		return
	}
	for table, rows := range x.rows {
		kind := kindOf[table]
		if kind == "" || kind == "logs" || kind == "snapshots" { // which see: withoutGone
			continue
		}
		x.rows[table] = slices.DeleteFunc(rows, func(row Row) bool {
			t := x.tombstoneOf(row.number("run"))
			if t == nil || !t.gone(kind) {
				return false
			}
			if _, ofKafka := row.address(); !t.waits(kind) && table != "analytics_timeline" && (table != "execution_events" || ofKafka) && table != "execution_annotations" {
				x.add(Wrong, x.subject(t.run), table, "a row", "none: it was pruned by "+t.policy)
			}
			return true
		})
	}
}

// withoutGone takes out of what the events of a run come to what retention has
// removed. What came later may be there, until the next pass.
func (x *execution) withoutGone(run int64, f *folded, events []placed) {
	t := x.tombstoneOf(run)
	if t == nil {
		return
	}
	written := map[int64]time.Time{}
	for _, e := range events {
		written[e.arrival] = e.written
	}
	stored := func(table string) map[[2]int64]bool {
		there := map[[2]int64]bool{}
		for _, row := range x.rows[table] {
			if row.number("run") == run {
				line, _ := row["line"].(int64)
				there[[2]int64{row.number("arrival"), line}] = true
			}
		}
		return there
	}
	remains := func(kind string, arrival int64, there bool) bool {
		return there && (t.waits(kind) || written[arrival].After(t.prunedAt.Add(-overlap)))
	}
	if t.gone("logs") {
		there := stored("execution_logs")
		for k := range f.lines {
			if !remains("logs", k[0], there[k]) {
				delete(f.lines, k)
			}
		}
	}
	if t.gone("snapshots") {
		there := stored("system_snapshots")
		for arrival := range f.snapshots {
			if !remains("snapshots", arrival, there[[2]int64{arrival}]) {
				delete(f.snapshots, arrival)
			}
		}
	}
}

// latestOf tells how far the runs of an id were, by the rows of events that come
// before a record in its partition.
func (x *execution) latestOf(at Address, rows map[Address]Row) (run int64) {
	for other, row := range rows {
		if other.partition() == at.partition() && other.Offset < at.Offset {
			run = max(run, row.number("run"))
		}
	}
	return run
}

// prunedGroup tells whether the records of one event identity have no row because
// retention has removed it, or because it is of a run whose events are gone. It
// counts as applied or as a duplicate then; nobody can say which. A copy with
// another content may be in quarantine from before.
func (x *execution) prunedGroup(group []*event, rows map[Address]Row) bool {
	if !x.eventsGone(x.id, 0) {
		return false
	}
	for _, e := range group {
		if rows[e.at] != nil {
			return false
		}
	}
	for _, e := range group {
		if !x.ofPruned(e, rows) {
			return false
		}
	}
	partitions := map[Partition]bool{}
	for _, e := range group {
		if row := x.quarantinedAt(e.at); row != nil && row.text("reason") == "id_conflict" && len(group) > 1 {
			x.takeQuarantined(e.at)
		}
		partitions[e.at.partition()] = true
	}
	x.report.mu.Lock()
	defer x.report.mu.Unlock()
	for p := range partitions {
		x.explained[p]++
	}
	return true
}

// ofPruned tells whether an event is of a run whose events are gone, or would be
// taken for one of them. With a runid it is of the run that it names. Without, it is
// of a run among whose events it is dated, or of the latest one, unless it begins
// another: as a start after its end does.
func (x *execution) ofPruned(e *event, rows map[Address]Row) bool {
	latest := x.latestOf(e.at, rows)
	return slices.ContainsFunc(x.pruned[x.id], func(t *tombstone) bool {
		switch {
		case !t.gone("events"):
			return false
		case e.runID != "" && e.runID == t.runID:
			return true
		case e.runID != "" && !e.suspect:
			return false
		case between(e.when, t.first, t.last) || between(e.when, t.suspectFrom, t.suspectUntil):
			return true
		}
		return t.run >= latest && !t.followedBy(e)
	})
}

func between(at time.Time, from, until any) bool {
	first, ok := from.(time.Time)
	last, also := until.(time.Time)
	at = at.Truncate(time.Microsecond)
	return ok && also && !at.Before(first) && !at.After(last)
}

// followedBy tells whether an event begins the run after one that is gone.
func (t *tombstone) followedBy(e *event) bool {
	switch e.message.(type) {
	case *contract.ExecutionRequested, *contract.ExecutionStarted:
	default:
		return false
	}
	after := func(moment any) bool {
		at, ok := moment.(time.Time)
		return !ok || e.when.Truncate(time.Microsecond).After(at)
	}
	return !e.suspect && after(t.ended) && after(t.lastStart)
}

// checkGhosts holds what is left of an id to its tombstones, where the order of all
// its events is not known any more: no run has opened by an event of one that was
// gone, numbers have no gaps, and events are in the runs that they name.
func (x *execution) checkGhosts(events []placed, owns []*own) {
	arrivals := map[int64][]int64{}
	for i := range events {
		e := &events[i]
		arrivals[e.run] = append(arrivals[e.run], e.arrival)
		named := x.runIDOf(e.run)
		if e.runID != "" && !e.suspect && e.runID != named && e.at.Topic != "" {
			x.add(Wrong, e.at.String(), "run of event "+e.id, fmt.Sprintf("%d, which is named %q", e.run, named), "the one named "+e.runID)
		}
		if e.arrival != 1 {
			continue
		}
		for _, t := range x.pruned[x.id] {
			if !t.gone("events") {
				continue
			}
			ghost := e.runID != "" && e.runID == t.runID
			if e.runID == "" && t.run == e.run-1 && e.written.After(t.prunedAt.Add(overlap)) {
				ghost = !t.followedBy(e.event)
			}
			if ghost {
				x.add(Wrong, x.subject(e.run), "executions", "opened by event "+e.id, fmt.Sprintf("none: it is of run %d, which was pruned", t.run))
			}
		}
	}
	for _, o := range owns {
		arrivals[o.run] = append(arrivals[o.run], o.arrival)
	}
	for run, list := range arrivals {
		slices.Sort(list)
		for i, arrival := range list {
			if arrival != int64(i+1) {
				x.add(Wrong, x.subject(run), "execution_events.arrival", show(arrival), show(int64(i+1)))
				break
			}
		}
	}
}

// checkNumbers holds the numbers of the runs of an id that are there, or that say
// that they were, to the latest.
func (x *execution) checkNumbers(runs map[int64]Row, latest int64) {
	for run := int64(1); run <= latest; run++ {
		switch there, gone := runs[run] != nil, x.gone(run, whole); {
		case there && gone:
			x.add(Wrong, x.subject(run), "executions", "a row", "none: it was pruned")
		case !there && !gone:
			x.add(Lost, x.subject(run), "executions", "no row", "one, or a tombstone that says that it was pruned")
		}
	}
}
