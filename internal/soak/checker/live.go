package checker

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// liveWant is what Redis must show of an execution.
type liveWant struct {
	run, version int64
	active       bool
	values       []string // of liveFields
}

// liveFields are those of a state that are columns of the run, too.
var liveFields = []string{
	"run_id", "status", "scenario_id", "environment", "coordinator_id", "progress", "message", "current_phase", "requested_at", "started_at", "ended_at",
	"last_event_at", "deadline", "events", "log_lines", "validations_passed", "validations_failed", "faults_active",
}

// wantLive notes what Redis must show: what the events of the latest run come
// to, under the version of its row.
func (x *execution) wantLive(row Row, f *folded) {
	text := func(column string) string {
		switch v := f.run[column].(type) {
		case nil:
			return ""
		case time.Time:
			return v.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano)
		case float64:
			return strconv.FormatFloat(v, 'g', -1, 64)
		case string:
			return v[:min(len(v), 1024)]
		default:
			return fmt.Sprint(v)
		}
	}
	want := liveWant{run: row.number("run"), version: row.number("version")}
	switch text("status") {
	case "pending", "running", "paused":
		want.active = true
	}
	for _, field := range liveFields {
		want.values = append(want.values, text(field))
	}
	x.report.mu.Lock()
	defer x.report.mu.Unlock()
	x.live[x.id] = want
}

// lookAgain is between two looks at what lags behind.
const lookAgain = 200 * time.Millisecond

// liveStates compares Redis with the rows. It is written after the commit and
// mended by reconciliation, so what differs is looked at again for the grace.
func (c *check) liveStates(ctx context.Context) error {
	if c.Live == nil {
		return nil
	}
	timeline, err := c.Store.Timeline(ctx)
	if err != nil {
		return err
	}
	for deadline := time.Now().Add(c.Grace); ; {
		found, err := c.lookAtLive(ctx, timeline)
		if err != nil {
			return err
		}
		if len(found) == 0 || time.Now().After(deadline) {
			for _, f := range found {
				c.report.add(f)
			}
			c.report.LiveStates = int64(len(c.live))
			return nil
		}
		timer := time.NewTimer(lookAgain)
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
}

func (c *check) lookAtLive(ctx context.Context, timeline uint32) (found []Finding, err error) {
	ids := make([]string, 0, len(c.live))
	for id := range c.live {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for chunk := range slices.Chunk(ids, 1000) {
		states, err := c.Live.States(ctx, chunk)
		if err != nil {
			return nil, err
		}
		for i, id := range chunk {
			found = append(found, compareLive(id, states[i], c.live[id], timeline)...)
		}
	}
	members, err := c.Live.Active(ctx)
	if err != nil {
		return nil, err
	}
	active := map[string]bool{}
	for _, id := range members {
		active[id] = true
		if !c.live[id].active {
			found = append(found, Finding{Wrong, id, "active set in Redis", "a member", "none: its latest run has ended, or there is none"})
		}
	}
	for _, id := range ids {
		if c.live[id].active && !active[id] {
			found = append(found, Finding{Wrong, id, "active set in Redis", "no member", "one: its latest run is live"})
		}
	}
	return found, nil
}

func compareLive(id string, state map[string]string, want liveWant, timeline uint32) (found []Finding) {
	version := fmt.Sprintf("%08X-%010d-%019d", timeline, want.run, want.version)
	if len(state) == 0 {
		return []Finding{{Wrong, id, "state in Redis", "absent", "version " + version}}
	}
	compare := func(field, value string) {
		if state[field] != value {
			found = append(found, Finding{Wrong, id, "state in Redis, " + field, strconv.Quote(state[field]), strconv.Quote(value)})
		}
	}
	compare("version", version)
	compare("run", strconv.FormatInt(want.run, 10))
	for i, field := range liveFields {
		compare(field, want.values[i])
	}
	return found
}
