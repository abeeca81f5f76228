package checker

import (
	"fmt"
	"slices"
	"time"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// clearing is what the service asks for at most once.
type clearing struct {
	fault string
	end   time.Time // of the run
}

// checkClears holds what the service has asked of the coordinator by itself to
// what it knew then: it may ask for faults that act on their targets in a run that
// has ended, once for each end; and with time enough it must have asked for those
// that still do.
func (x *execution) checkClears(run int64, events []placed, owns []*own, f *folded) {
	asked, last := map[clearing]string{}, map[string]time.Time{}
	owns = slices.Clone(owns)
	slices.SortFunc(owns, func(a, b *own) int { return int(a.arrival - b.arrival) })
	for _, o := range owns {
		m, ok := o.message.(*contract.FaultClearRequested)
		if !ok {
			continue
		}
		where := x.subject(run) + ", event " + o.id
		then := foldUntil(o.arrival-1, events, owns)
		fault := then.faults[m.GetFaultId()]
		if s := fault.text("status"); !acts(fault) || m.GetFaultType() != fault.text("fault_type") || m.GetTargetService() != fault.text("target_service") {
			x.add(Wrong, where, "fault.clear_requested", words(m), fmt.Sprintf("of a fault that acts; it is %q: %s on %s", s, fault.text("fault_type"), fault.text("target_service")))
		}
		end, ended := then.run["ended_at"].(time.Time)
		if !ended || !o.when.After(end) {
			x.add(Wrong, where, "fault.clear_requested", show(o.when), "after the end of the run: "+show(then.run["ended_at"]))
		}
		c := clearing{m.GetFaultId(), end.Truncate(time.Microsecond)}
		if before := asked[c]; before != "" {
			x.add(Doubled, where, "fault.clear_requested", "asked for again", "once for this end, as "+before)
		}
		asked[c], last[c.fault] = o.id, o.when
	}
	if !x.Cleared || f.run["ended_at"] == nil {
		return
	}
	for id, fault := range f.faults {
		if end := f.run["ended_at"].(time.Time); acts(fault) && !last[id].After(end) {
			x.add(Lost, x.subject(run), "fault.clear_requested of "+id, "none", "one: the run has ended, and the fault acts on its target")
		}
	}
}

func acts(fault Row) bool {
	return fault.text("status") == "injected" || fault.text("status") == "in_progress"
}

// checkOrders holds what was said of a run through the API to the order in which
// it was said: the pin that was accepted last is in force, and the cancel that was
// accepted first is shown.
func (x *execution) checkOrders(run int64, owns []*own) {
	owns = slices.Clone(owns)
	slices.SortFunc(owns, func(a, b *own) int { return int(a.arrival - b.arrival) })
	before := map[string]*own{}
	for _, o := range owns {
		if o.name != "execution.pinned" && o.name != "execution.cancel_requested" {
			continue
		}
		if former := before[o.name]; former != nil && o.order <= former.order {
			x.add(Wrong, x.subject(run)+", event "+o.id, "execution_events.order_key", show([]byte(o.order)), "one after that of "+former.id)
		}
		if before[o.name] == nil || o.name == "execution.pinned" {
			before[o.name] = o // of cancels only the first counts, whatever follows it
		}
	}
}
