package checker

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"sort"
	"strings"
)

func ofExecution(e *event) bool { return strings.HasPrefix(e.name, "execution.") }

// refused holds a record that is no event to its row in quarantine.
func (c *check) refused(r *Record, reason string) {
	row := c.quarantined[r.Address]
	if row == nil {
		c.report.add(Finding{Lost, r.String(), "quarantined_records", "absent", "a row for " + reason})
		return
	}
	if got := row.text("reason"); got != reason {
		c.report.add(Finding{Wrong, r.String(), "quarantined_records.reason", got, reason})
	}
	c.takeQuarantined(r.Address)
}

// kept holds what a row in quarantine keeps of a record to the record, whatever
// the reason is.
func (c *check) kept(r *Record) {
	row := c.quarantinedAt(r.Address)
	if row == nil {
		return
	}
	whole := row.flag("complete")
	var sum any
	if r.Value != nil {
		s := sha256.Sum256(r.Value)
		sum = s[:]
	}
	headers := make([]any, len(r.Headers))
	for i, h := range r.Headers {
		var value any
		if h.Value != nil {
			value = base64.StdEncoding.EncodeToString(h.Value)
		}
		headers[i] = []any{base64.StdEncoding.EncodeToString([]byte(h.Name)), value}
	}
	for _, x := range []struct {
		column string
		want   any
		agrees bool
	}{
		{"value_length", int64(len(r.Value)), equal(row["value_length"], int64(len(r.Value)))},
		{"value_sha256", sum, equal(row["value_sha256"], sum)},
		{"record_key", r.Key, keeps(row.bytes("record_key"), r.Key, whole)},
		{"record_value", r.Value, keeps(row.bytes("record_value"), r.Value, whole) && (row["record_value"] == nil) == (r.Value == nil)},
		{"record_headers", anyJSON{headers}, keepsHeaders(row["record_headers"], headers, whole)},
	} {
		if !x.agrees {
			c.report.add(Finding{Wrong, r.String(), "quarantined_records." + x.column, show(row[x.column]), show(x.want)})
		}
	}
}

// beginning is how much of a key or value is kept at least where not all is.
const beginning = 1 << 10

func keeps(held, given []byte, whole bool) bool {
	if whole {
		return bytes.Equal(held, given)
	}
	return len(held) >= min(len(given), beginning) && bytes.HasPrefix(given, held)
}

// keepsHeaders is the same of headers, of which the first may be kept.
func keepsHeaders(held any, given []any, whole bool) bool {
	raw, ok := held.(json.RawMessage)
	var list []any
	if !ok || json.Unmarshal(raw, &list) != nil || list == nil || len(list) > len(given) || whole && len(list) < len(given) {
		return false
	}
	return reflect.DeepEqual(list, given[:len(list)])
}

// takeQuarantined says that a row in quarantine is accounted for.
func (c *check) takeQuarantined(at Address) {
	c.report.mu.Lock()
	defer c.report.mu.Unlock()
	delete(c.quarantined, at)
	c.report.Quarantined++
	c.tallyOf(at.partition()).quarantined++
}

func (c *check) quarantinedAt(at Address) Row {
	c.report.mu.Lock()
	defer c.report.mu.Unlock()
	return c.quarantined[at]
}

func (c *check) tallyOf(p Partition) *tally {
	if c.judged[p] == nil {
		c.judged[p] = &tally{}
	}
	return c.judged[p]
}

// identity holds the records of one event identity against the rows: one of
// them is applied, equal ones are duplicates, others are in quarantine. rows are
// by address.
func (c *check) identity(group []*event, rows map[Address]Row) {
	sort.Slice(group, func(i, k int) bool { return before(group[i].at, group[k].at) })
	var applied *event
	for _, e := range group {
		if rows[e.at] == nil {
			continue
		}
		if applied != nil {
			c.report.add(Finding{Doubled, e.at.String(), "event " + e.id + " of " + e.subject, "applied again", "a duplicate of " + applied.at.String()})
			continue
		}
		applied = e
	}
	first := group[0]
	if applied == nil {
		// Others of the identity may wait in quarantine; this one had nothing to conflict with.
		if row := c.quarantinedAt(first.at); row != nil {
			c.report.add(Finding{Wrong, first.at.String(), "event " + first.id + " of " + first.subject, "quarantined as " + row.text("reason"), "applied"})
			c.takeQuarantined(first.at)
		} else {
			c.report.add(Finding{Lost, first.at.String(), "event " + first.id + " of " + first.subject, "no row", "applied"})
		}
		return
	}
	for _, e := range group {
		row := c.quarantinedAt(e.at)
		if e.at.partition() == applied.at.partition() && e.at.Offset < applied.at.Offset && !c.eventsGone(e.subject, 0) {
			c.report.add(Finding{Lost, e.at.String(), "event " + e.id + " of " + e.subject, "passed over for " + applied.at.String(), "applied"})
		}
		switch conflicts := !same(e, applied); {
		case row == nil && conflicts:
			c.report.add(Finding{Lost, e.at.String(), "event " + e.id + " of " + e.subject, "not quarantined", "id_conflict with " + applied.at.String()})
		case row == nil:
		case e == applied:
			c.report.add(Finding{Doubled, e.at.String(), "event " + e.id + " of " + e.subject, "applied, and quarantined as " + row.text("reason"), "applied"})
			c.takeQuarantined(e.at)
		case !conflicts || row.text("reason") != "id_conflict":
			want := "a duplicate of " + applied.at.String()
			if conflicts {
				want = "id_conflict"
			}
			c.report.add(Finding{Wrong, e.at.String(), "event " + e.id + " of " + e.subject, "quarantined as " + row.text("reason"), want})
			c.takeQuarantined(e.at)
		default:
			c.takeQuarantined(e.at)
		}
	}
}

func before(a, b Address) bool {
	switch {
	case a.Topic != b.Topic:
		return a.Topic < b.Topic
	case a.Partition != b.Partition:
		return a.Partition < b.Partition
	}
	return a.Offset < b.Offset
}

// leftovers are rows in quarantine that no record accounts for.
func (c *check) leftovers(context.Context) error {
	for at, row := range c.quarantined {
		c.report.add(Finding{Wrong, at.String(), "quarantined_records", "a row for " + row.text("reason"), "none: there is no such record, or it is an event"})
	}
	return nil
}

// partitions holds positions and sums of each partition to its records.
func (c *check) partitions(ctx context.Context) error {
	rows := map[Partition]Row{}
	for row, err := range c.Store.Rows(ctx, "ingest_partitions", "", "") {
		if err != nil {
			return err
		}
		rows[Partition{row.text("topic"), int32(row.number("partition"))}] = row //nolint:gosec // a partition's number
	}
	for p, end := range c.ends {
		row, found := rows[p], c.tallyOf(p)
		if row == nil {
			if end > 0 {
				c.report.add(Finding{Lost, p.String(), "ingest_partitions", "absent", fmt.Sprintf("position %d", end)})
			}
			continue
		}
		if next := row.number("next_offset"); next < end {
			c.report.add(Finding{Lost, p.String(), "ingest_partitions.next_offset", show(next), show(end)})
		} else if next > end {
			c.report.add(Finding{Wrong, p.String(), "ingest_partitions.next_offset", show(next), show(end)})
		}
		if why := row.text("stopped_reason"); why != "" {
			c.report.add(Finding{Wrong, p.String(), "ingest_partitions.stopped_reason", why, "none"})
		}
		applied := int64(0)
		if n := c.applied[p]; n != nil {
			applied = n.applied
		}
		if gone := c.prunedEvents[p]; gone > c.explained[p] {
			c.report.add(Finding{Doubled, p.String(), "pruned_events", show(gone), fmt.Sprintf("at most %d, which have no row", c.explained[p])})
		}
		applied += c.prunedEvents[p]
		c.sum(p, row, "applied", applied)
		c.sum(p, row, "quarantined", found.quarantined)
		c.sum(p, row, "duplicates", found.records-applied-found.quarantined)
	}
	return nil
}

// sum holds one of a partition's sums to what was counted.
func (c *check) sum(p Partition, row Row, column string, want int64) {
	got := row.number(column)
	f := Finding{Where: p.String(), Field: "ingest_partitions." + column, Got: show(got), Want: show(want)}
	switch {
	case got > want:
		f.Class = Doubled
		c.report.add(f)
	case got < want:
		f.Class = Lost
		c.report.add(f)
	}
}

// ledger holds what was acknowledged to what lies in Kafka.
func (c *check) ledger(context.Context) error {
	if len(c.Ledger) == 0 {
		c.report.add(Finding{Wrong, "ledger", "acknowledged records", "none", "some: nobody has sent what was judged"})
	}
	for p, acks := range c.Ledger {
		for _, ack := range acks {
			where := Address{p.Topic, p.Number, ack.Offset}.String()
			at, ok := slices.BinarySearchFunc(c.seen[p], ack.Offset, func(s Ack, offset int64) int { return cmp.Compare(s.Offset, offset) })
			if !ok {
				c.report.add(Finding{Lost, where, "record", "not in Kafka", "there: it was acknowledged"})
			} else if c.seen[p][at].Sum != ack.Sum {
				c.report.add(Finding{Wrong, where, "record", "another one in Kafka", "the one that was acknowledged"})
			}
		}
	}
	return nil
}
