package checker

import (
	"fmt"
	"time"
)

// clocks is how far two processes on one machine may differ in what time it is: the
// clock may be set a little meanwhile, and rows keep microseconds.
const clocks = 250 * time.Millisecond

// during tells whether something may have happened between the request and its
// answer. Of one that was never answered the end is not known.
func (x *Call) during(at time.Time) bool {
	return !at.Before(x.Sent.Add(-clocks)) && (x.Answer == nil || !at.After(x.Answered.Add(clocks)))
}

// compareWritten holds when a statement was written to when it was asked for.
func (c *check) compareWritten(call *Call, s *stated) {
	if !call.during(s.written) {
		c.report.add(Finding{Wrong, s.where, "recorded_at of event " + s.id, show(s.written), fmt.Sprintf("between %s and %s", show(call.Sent), show(call.Answered))})
	}
}

// checkTime holds when something was said of a run to when it was written. It comes
// after what was said before: where that is dated later, by the least.
func (x *execution) checkTime(run int64, o *own, events []placed, owns []*own) {
	if o.when.Sub(o.written).Abs() <= clocks {
		return
	}
	least := time.Microsecond
	for _, e := range events {
		if o.when.Equal(e.when.Truncate(least).Add(least)) {
			return
		}
	}
	for _, e := range owns {
		if o.when.Equal(e.when.Truncate(least).Add(least)) {
			return
		}
	}
	x.add(Wrong, x.subject(run)+", event "+o.id, "execution_events.event_time", show(o.when), "when it was written, "+show(o.written)+", or right after another event")
}
