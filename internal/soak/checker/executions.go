package checker

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// execution is all that is known of one execution id.
type execution struct {
	*check
	id     string
	events []*event         // of the records in Kafka, repetitions included
	rows   map[string][]Row // by table
}

func (x *execution) add(class Class, where, field, got, want string) {
	x.report.add(Finding{class, where, field, got, want})
}

// subject names a run in findings.
func (x *execution) subject(run int64) string { return fmt.Sprintf("%s run %d", x.id, run) }

func (x *execution) judge() {
	x.dropDead()
	rows, owns := x.eventRows()
	owns, asked := apart(owns)
	placedEvents := append(x.matchEvents(rows), asked...)
	if x.eventsGone(x.id, 0) {
		x.checkGhosts(placedEvents, owns)
	} else {
		x.checkPlaces(placedEvents, owns)
	}

	byRun, ownsOf := map[int64][]placed{}, map[int64][]*own{}
	for _, e := range placedEvents {
		byRun[e.run] = append(byRun[e.run], e)
	}
	for _, o := range owns {
		ownsOf[o.run] = append(ownsOf[o.run], o)
	}
	runs := map[int64]Row{}
	for _, row := range x.rows["executions"] {
		runs[row.number("run")] = row
	}
	for run := range byRun {
		if runs[run] == nil {
			x.add(Lost, x.subject(run), "executions", "no row", "one: it has events")
		}
	}
	latest := int64(0)
	for run, row := range runs {
		latest = max(latest, run)
		if x.gone(run, "events") {
			if got := row.text("status"); got != x.tombstoneOf(run).status {
				x.add(Wrong, x.subject(run), "executions.status", got, x.tombstoneOf(run).status+": nothing has come since it was pruned")
			}
			continue
		}
		if len(byRun[run]) == 0 {
			x.add(Wrong, x.subject(run), "executions", "a row", "none: no event is in this run")
			continue
		}
		f := fold(byRun[run], ownsOf[run])
		x.withoutGone(run, f, byRun[run])
		x.compareRun(run, row, f)
		x.checkAnswers(run, row, byRun[run], ownsOf[run])
		x.checkOrders(run, ownsOf[run])
		x.checkClears(run, byRun[run], ownsOf[run], f)
	}
	for _, t := range x.pruned[x.id] {
		latest = max(latest, t.run)
	}
	x.checkNumbers(runs, latest)
	for _, row := range x.rows["execution_ids"] {
		if got := row.number("latest_run"); got != latest {
			x.add(Wrong, x.id, "execution_ids.latest_run", show(got), show(latest))
		}
	}
	x.report.counted(&x.report.Runs, int64(len(runs)))
	switch row := runs[latest]; {
	case row == nil: // gone, or without a run at all
	case x.gone(latest, "events"):
		x.wantLive(row, &folded{run: row})
	default:
		x.wantLive(row, fold(byRun[latest], ownsOf[latest]))
	}
}

// eventRows are the rows of events by the address of their record, and those of
// the service's own events.
func (x *execution) eventRows() (map[Address]Row, []*own) {
	rows, owns := map[Address]Row{}, []*own{}
	keys := map[string]bool{}
	arrivals := map[[2]int64]bool{}
	for _, row := range x.rows["execution_events"] {
		where := x.subject(row.number("run"))
		identity := fmt.Sprintf("%s %s", row.text("source"), row.text("event_id"))
		if keys[identity] {
			x.add(Doubled, where, "execution_events "+identity, "two rows", "one")
		}
		keys[identity] = true
		if at := [2]int64{row.number("run"), row.number("arrival")}; arrivals[at] {
			x.add(Wrong, where, "execution_events.arrival", fmt.Sprintf("%d twice", at[1]), "once")
		} else {
			arrivals[at] = true
		}
		if at, ok := row.address(); !ok {
			if o := x.ownEvent(where, row); o != nil {
				owns = append(owns, o)
			}
		} else if rows[at] != nil {
			x.add(Doubled, at.String(), "execution_events", "two rows", "one")
		} else {
			rows[at] = row
		}
	}
	x.report.counted(&x.report.OwnEvents, int64(len(owns)))
	return rows, owns
}

// matchEvents finds out which records were applied, and holds their rows to
// them.
func (x *execution) matchEvents(rows map[Address]Row) []placed {
	groups := map[[32]byte][]*event{}
	for _, e := range x.events {
		groups[e.key] = append(groups[e.key], e)
	}
	known := map[Address]bool{}
	var applied []placed
	for _, group := range groups {
		if x.prunedGroup(group, rows) {
			for _, e := range group {
				known[e.at] = true
			}
			continue
		}
		x.identity(group, rows)
		for _, e := range group { // a doubled one is in its run, too
			known[e.at] = true
			if row := rows[e.at]; row != nil {
				applied = append(applied, placed{event: e, run: row.number("run"), arrival: row.number("arrival"), guessed: row.flag("run_guessed"), written: row.written()})
				x.compareEvent(e, row)
			}
		}
	}
	for at, row := range rows {
		if !known[at] {
			x.add(Wrong, at.String(), "execution_events "+row.text("event_id"), "a row", "none: no such record of this execution is in Kafka")
		}
	}
	x.countApplied(applied)
	return applied
}

func (x *execution) countApplied(applied []placed) {
	x.report.mu.Lock()
	defer x.report.mu.Unlock()
	x.report.Applied += int64(len(applied))
	for _, e := range applied {
		p := e.at.partition()
		if x.applied[p] == nil {
			x.applied[p] = &rowCounts{}
		}
		x.applied[p].applied++
	}
}

// compareEvent holds the row of an event to its record.
func (x *execution) compareEvent(e *event, row Row) {
	want := envelopeOf(e)
	want["data"] = row["data"]
	x.report.compare(e.at.String(), "execution_events", row, want)
	x.report.compareData(e, row, "execution_events.data")
	if suspect := row.flag("time_suspect"); suspect != e.suspect {
		x.add(Wrong, e.at.String(), "execution_events.time_suspect", show(suspect), show(e.suspect))
	}
}

// envelopeOf is what a row of an event must say of the envelope.
func envelopeOf(e *event) Row {
	want := Row{
		"event_key": e.key[:], "order_key": []byte(e.order), "type": typePrefix + e.name + typeSuffix, "source": e.source, "event_id": e.id,
		"event_time": e.when, "sequence": nil, "trace_parent": e.trace, "correlation_id": e.relates, "extensions": nil, "unknown_fields": nil,
	}
	if e.sequence != 0 {
		want["sequence"] = e.sequence
	}
	if len(e.others) > 0 {
		want["extensions"] = anyJSON{e.others}
	}
	return want
}

// elsewhere are the fields of the data that have rows of their own.
var elsewhere = map[string][]protoreflect.Name{
	"template.published":          {"definition"},
	"scenario.published":          {"definition"},
	"execution.log_appended":      {"lines"},
	"execution.snapshot_captured": {"state", "metrics"},
}

// compareData holds the data that is stored to the data that was sent.
func (r *Report) compareData(e *event, row Row, field string) {
	raw, _ := row["data"].(json.RawMessage)
	stored := messages[e.name]()
	err := protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(raw, stored)
	sent := e.message
	if fields := elsewhere[e.name]; len(fields) > 0 {
		sent = proto.Clone(sent)
		for _, name := range fields {
			m := sent.ProtoReflect()
			m.Clear(m.Descriptor().Fields().ByName(name))
		}
	}
	if err != nil || !proto.Equal(stored, sent) {
		want, _ := protojson.Marshal(sent) // it came from such a form
		r.add(Finding{Wrong, e.at.String(), field, show(raw), show(json.RawMessage(want))})
	}
}

// checkPlaces holds the runs of the events to the rule.
func (x *execution) checkPlaces(events []placed, owns []*own) {
	queues := map[Partition][]placed{}
	for _, e := range events {
		queues[e.at.partition()] = append(queues[e.at.partition()], e)
	}
	p := &placing{owns: map[[2]int64]*own{}, report: func(e *event, field string, got, want any) {
		where := x.id
		switch {
		case e == nil:
		case e.at.Topic == "":
			where = fmt.Sprintf("event %s of %s", e.id, x.id)
		default:
			where = fmt.Sprintf("%s, event %s of %s", e.at, e.id, x.id)
		}
		x.add(Wrong, where, field, fmt.Sprint(got), fmt.Sprint(want))
	}}
	for _, queue := range queues {
		// Those of our own, which have no address, open runs.
		slices.SortFunc(queue, func(a, b placed) int {
			return cmp.Or(cmp.Compare(a.at.Offset, b.at.Offset), cmp.Compare(a.run, b.run), cmp.Compare(a.arrival, b.arrival))
		})
		p.queues = append(p.queues, queue)
	}
	for _, o := range owns {
		p.owns[[2]int64{o.run, o.arrival}] = o
	}
	follows, decided := p.replay()
	switch {
	case !decided:
		x.report.counted(&x.report.Undecided, 1)
	case !follows:
		p.mismatch()
	}
}

// compareRun holds all rows of a run to what its events come to.
func (x *execution) compareRun(run int64, row Row, f *folded) {
	where := x.subject(run)
	x.report.compare(where, "executions", row, f.run)
	of := func(table string) []Row {
		return slices.DeleteFunc(slices.Clone(x.rows[table]), func(r Row) bool { return r.number("run") != run })
	}
	details := map[string]Row{}
	if f.details != nil {
		details[""] = f.details
	}
	compareParts(x, where, "execution_details", of("execution_details"), details, func(Row) string { return "" })
	compareParts(x, where, "execution_phases", of("execution_phases"), f.phases, func(r Row) string { return r.text("phase") })
	compareParts(x, where, "execution_steps", of("execution_steps"), f.steps, func(r Row) stepKey { return stepKey{r.text("step_id"), r.number("attempt")} })
	compareParts(x, where, "fault_injections", of("fault_injections"), f.faults, func(r Row) string { return r.text("fault_id") })
	compareParts(x, where, "validation_results", of("validation_results"), f.validations, func(r Row) string { return r.text("validation_id") })
	compareParts(x, where, "system_snapshots", of("system_snapshots"), f.snapshots, func(r Row) int64 { return r.number("arrival") })
	compareParts(x, where, "execution_annotations", of("execution_annotations"), f.notes, func(r Row) string { return hex.EncodeToString(r.bytes("order_key")) })
	compareParts(x, where, "execution_logs", of("execution_logs"), f.lines, func(r Row) [2]int64 { return [2]int64{r.number("arrival"), r.number("line")} })
	x.compareTimeline(where, of("analytics_timeline"), of("execution_events"), f)
}

func compareParts[K comparable](x *execution, where, table string, rows []Row, want map[K]Row, key func(Row) K) {
	seen := map[K]bool{}
	for _, row := range rows {
		k := key(row)
		switch {
		case seen[k]:
			x.add(Doubled, where, fmt.Sprintf("%s %v", table, k), "two rows", "one")
		case want[k] == nil:
			x.add(Wrong, where, fmt.Sprintf("%s %v", table, k), "a row", "none")
		default:
			x.report.compare(fmt.Sprintf("%s %v", where, k), table, row, want[k])
		}
		seen[k] = true
	}
	for k := range want {
		if !seen[k] {
			x.add(Lost, where, fmt.Sprintf("%s %v", table, k), "no row", "one")
		}
	}
}

// compareTimeline holds the flags that analysts see to the orders of the events.
func (x *execution) compareTimeline(where string, timeline, events []Row, f *folded) {
	if len(timeline) != len(events) {
		x.add(Wrong, where, "analytics_timeline", fmt.Sprintf("%d rows", len(timeline)), fmt.Sprintf("%d, one for each event", len(events)))
	}
	outcomes, shown := map[string]string{}, map[string]int{}
	for _, row := range events {
		var data struct {
			Outcome string `json:"outcome"`
		}
		if raw, ok := row["data"].(json.RawMessage); ok && row.text("type") == finishedType {
			_ = json.Unmarshal(raw, &data) // held to the record elsewhere
		}
		outcomes[string(row.bytes("order_key"))] = data.Outcome
	}
	for _, row := range timeline {
		key := string(row.bytes("order_key"))
		if shown[key]++; shown[key] > 1 {
			x.add(Doubled, where+", event "+row.text("event_id"), "analytics_timeline", "there again", "once")
		}
		after := f.end != "" && order(key) > f.end
		finished := row.text("type") == finishedType
		late := after && !finished
		conflicting := after && finished && outcomes[key] != f.run.text("reported_outcome")
		if got := row.flag("late"); got != late {
			x.add(Wrong, where+", event "+row.text("event_id"), "analytics_timeline.late", show(got), show(late))
		}
		if got := row.flag("conflicting_outcome"); got != conflicting {
			x.add(Wrong, where+", event "+row.text("event_id"), "analytics_timeline.conflicting_outcome", show(got), show(conflicting))
		}
	}
}

const finishedType = typePrefix + "execution.finished" + typeSuffix
