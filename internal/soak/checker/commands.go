package checker

import (
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// commandTypes are those that the coordinator is told of.
var commandTypes = map[string]bool{"execution.requested": true, "execution.cancel_requested": true, "fault.clear_requested": true}

// place is where a record was published first.
type place struct {
	Address
	found bool
}

// commands holds what was published to the coordinator to what is stored. Each
// event that asks something of it is published, as it is stored and in the order
// of its key, and nothing else is. It may be published again: whoever reads it
// knows it by its id.
func (c *check) commands(ctx context.Context) error {
	if c.Commands == nil {
		return nil
	}
	told := map[[32]byte]*stated{}
	for _, s := range c.owns {
		if commandTypes[s.name] {
			told[s.key] = s
		}
	}
	first, at := map[[32]byte]place{}, map[Address][32]byte{}
	for r, err := range c.Commands.Records(ctx) {
		if err != nil {
			return err
		}
		c.report.Commands++
		key, ok := c.command(&r, told)
		if !ok {
			continue
		}
		at[r.Address] = key
		if !first[key].found {
			first[key] = place{r.Address, true}
		}
	}
	for key, s := range told {
		if !first[key].found {
			c.report.add(Finding{Lost, s.where, "command " + s.id, "not published", "published"})
		}
	}
	ids, err := c.outbox(ctx, told, at)
	if err != nil {
		return err
	}
	c.commandOrder(told, ids, first)
	return nil
}

// command holds a published record to the event that is stored, and gives its key;
// ok is false where there is none.
func (c *check) command(r *Record, told map[[32]byte]*stated) (key [32]byte, ok bool) {
	wrong := func(field, got, want string) {
		c.report.add(Finding{Wrong, r.String(), "command, " + field, got, want})
	}
	a, contentType, reason := headers(r)
	if reason != "" {
		wrong("headers", reason, "those of a CloudEvent")
		return key, false
	}
	key = keyOf(a["source"], a["id"], a["subject"])
	s := told[key]
	if s == nil && c.eventsGone(a["subject"], 0) {
		return key, false // it was published before the event was removed
	}
	if s == nil {
		// What a try has written of which nobody knows what became, a failover may
		// have taken back after it was published.
		if call := c.called[strings.TrimPrefix(a["id"], requestPrefix)]; call == nil || !call.Doubtful {
			wrong("id", a["id"]+" of "+a["subject"]+" by "+a["source"], "one that is stored")
		}
		return key, false
	}
	want := attributes{
		"specversion": "1.0", "type": typePrefix + s.name + typeSuffix, "source": s.source, "id": s.id, "subject": s.subject,
		"time": s.when.UTC().Format(time.RFC3339Nano),
	}
	switch m := s.message.(type) {
	case interface{ GetRunId() string }:
		want.say("runid", m.GetRunId())
	default:
		want.say("runid", s.runID)
	}
	for name := range want {
		if a[name] != want[name] {
			wrong(name, a[name], want[name])
		}
	}
	for name := range a {
		if want[name] == "" {
			wrong(name, a[name], "none")
		}
	}
	if contentType != "application/json" || string(r.Key) != s.subject {
		wrong("key and content type", string(r.Key)+", "+contentType, s.subject+", application/json")
	}
	m := s.message.ProtoReflect().New().Interface()
	if err := protojson.Unmarshal(r.Value, m); err != nil || !proto.Equal(m, s.message) {
		wrong("data", string(r.Value), words(s.message))
	}
	return key, true
}

func (a attributes) say(name, text string) {
	if text != "" {
		a[name] = text
	}
}

// outbox holds the rows that are to be published to the events that they are of,
// and to where they lie in Kafka. It gives their ids, by event.
func (c *check) outbox(ctx context.Context, told map[[32]byte]*stated, at map[Address][32]byte) (map[[32]byte]int64, error) {
	ids := map[[32]byte]int64{}
	for row, err := range c.Store.Rows(ctx, "outbox", "", "") {
		if err != nil {
			return nil, err
		}
		if row.text("topic_role") != "commands" {
			continue
		}
		where := fmt.Sprintf("outbox %d", row.number("id"))
		key, ok := keyFromHex(row.text("event_id"))
		s := told[key]
		if ok && s == nil && c.eventsGone(row.text("subject"), 0) {
			continue
		}
		if !ok || s == nil {
			c.report.add(Finding{Wrong, where, "outbox.event_id", row.text("type") + " of " + row.text("subject"), "an event that is stored"})
			continue
		}
		if ids[key] != 0 {
			c.report.add(Finding{Doubled, where, "outbox, event " + s.id, "two rows", "one"})
		}
		ids[key] = row.number("id")
		if status := row.text("status"); status != "published" {
			c.report.add(Finding{Lost, where, "outbox.status of " + s.id, status, "published"})
			continue
		}
		lies := Address{row.text("published_topic"), int32(row.number("published_partition")), row.number("published_offset")} //nolint:gosec // a partition's number
		if at[lies] != key {
			c.report.add(Finding{Wrong, where, "outbox.published_offset of " + s.id, lies.String(), "where it lies"})
		}
	}
	for key, s := range told {
		if ids[key] == 0 {
			c.report.add(Finding{Lost, s.where, "outbox, event " + s.id, "no row", "one"})
		}
	}
	return ids, nil
}

func keyFromHex(text string) (key [32]byte, ok bool) {
	b, err := hex.DecodeString(text)
	return [32]byte(append(b, make([]byte, 32)...)[:32]), err == nil && len(b) == 32
}

// commandOrder holds the order in which commands came first to that in which
// they were accepted, execution by execution.
func (c *check) commandOrder(told map[[32]byte]*stated, ids map[[32]byte]int64, first map[[32]byte]place) {
	of := map[string][]*stated{}
	for key, s := range told {
		if ids[key] != 0 && first[key].found {
			of[s.subject] = append(of[s.subject], s)
		}
	}
	for _, list := range of {
		slices.SortFunc(list, func(a, b *stated) int { return cmp.Compare(ids[a.key], ids[b.key]) })
		arrivals := map[int64]int64{}
		for i, s := range list {
			// The order of acceptance within a run is known without the outbox.
			if s.arrival <= arrivals[s.run] {
				c.report.add(Finding{Wrong, s.where, "outbox.id of " + s.id, show(ids[s.key]), "in the order of the run's events"})
			}
			arrivals[s.run] = s.arrival
			if i == 0 {
				continue
			}
			a, b := first[list[i-1].key], first[s.key]
			if a.partition() != b.partition() || a.Offset >= b.Offset {
				c.report.add(Finding{Wrong, s.where, "command " + s.id, "published first at " + b.String(), "after " + list[i-1].id + ", which is at " + a.String()})
			}
		}
	}
}
