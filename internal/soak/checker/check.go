package checker

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// check is one judgement.
type check struct {
	*History
	report *Report

	ends        map[Partition]int64
	ahead       time.Time                // times after it are suspect
	quarantined map[Address]Row          // all that is quarantined
	judged      map[Partition]*tally     // what was found of each partition
	definitions map[string][]*event      // by kind and subject
	live        map[string]liveWant      // by execution id
	seen        map[Partition][]Ack      // what lies in Kafka
	applied     map[Partition]*rowCounts // by the rows of events

	called   map[string]*Call // by the id of the request
	owns     []*stated        // of the service, interruptions left out
	versions map[string]int64 // of scenarios, by id and hash: the number

	published map[string][]publication // the same: how it was
	runsTold  map[string]tellings      // by execution id
	numbers   map[string]tellings      // of versions, by scenario id

	pruned       map[string][]*tombstone // by execution id
	prunedEvents map[Partition]int64     // as the service counts them
	explained    map[Partition]int64     // events without a row that tombstones account for
}

// tally counts the records of a partition.
type tally struct{ records, quarantined int64 }

type rowCounts struct{ applied int64 }

// Check judges a history. An error says that it could not be read.
func Check(ctx context.Context, h History) (*Report, error) {
	if h.PassRecords == 0 {
		h.PassRecords = 1_500_000
	}
	c := &check{
		History: &h, report: &Report{}, ahead: time.Now().Add(24 * time.Hour),
		quarantined: map[Address]Row{}, judged: map[Partition]*tally{}, definitions: map[string][]*event{}, live: map[string]liveWant{},
		seen: map[Partition][]Ack{}, applied: map[Partition]*rowCounts{}, called: map[string]*Call{}, versions: map[string]int64{},
		published: map[string][]publication{}, runsTold: map[string]tellings{}, numbers: map[string]tellings{},
	}
	for _, step := range []func(context.Context) error{
		c.readCalls, c.readPruned, c.readEnds, c.readQuarantine, c.runs, c.definitionRows, c.leftovers, c.partitions, c.ledger, c.calls, c.commands, c.liveStates,
	} {
		if err := step(ctx); err != nil {
			return nil, fmt.Errorf("check the history: %w", err)
		}
	}
	r := c.report
	r.Duplicates = r.Records - r.Applied - r.Quarantined
	return r, nil
}

func (c *check) readEnds(ctx context.Context) (err error) {
	c.ends, err = c.Log.Ends(ctx)
	return err
}

func (c *check) readQuarantine(ctx context.Context) error {
	for row, err := range c.Store.Rows(ctx, "quarantined_records", "", "") {
		if err != nil {
			return err
		}
		at, _ := row.address()
		if before := c.quarantined[at]; before != nil {
			c.report.add(Finding{Doubled, at.String(), "quarantined_records", "two rows", "one"})
		}
		c.quarantined[at] = row
	}
	return nil
}

// runs judges all executions, in passes over ranges of ids.
func (c *check) runs(ctx context.Context) error {
	total := int64(0)
	for _, end := range c.ends {
		total += end
	}
	ranges := int(total)/c.PassRecords + 1
	bounds, err := c.Store.Split(ctx, ranges)
	if err != nil {
		return err
	}
	bounds = slices.Compact(append(append([]string{""}, bounds...), ""))
	if len(bounds) == 1 {
		bounds = []string{"", ""}
	}
	for i := range len(bounds) - 1 {
		if err := c.pass(ctx, bounds[i], bounds[i+1], i == 0); err != nil {
			return err
		}
	}
	return nil
}

// pass judges the executions of one range of ids; the first pass also all
// records that are no event of any.
func (c *check) pass(ctx context.Context, from, to string, first bool) error {
	events := map[string][]*event{}
	var chunk []Record
	flush := func() {
		for i, d := range c.decodeAll(chunk) {
			switch {
			case d.reason != "":
				if first {
					c.refused(&chunk[i], d.reason)
				}
			case !ofExecution(d.event):
				if first {
					kind, _, _ := strings.Cut(d.name, ".")
					c.definitions[kind+" "+d.subject] = append(c.definitions[kind+" "+d.subject], d.event)
				}
			case within(d.subject, from, to):
				events[d.subject] = append(events[d.subject], d.event)
			}
		}
		chunk = chunk[:0]
	}
	for r, err := range c.Log.Records(ctx) {
		if err != nil {
			return err
		}
		if first {
			c.saw(&r)
			c.kept(&r)
		} else if id := subjectOf(&r); id != "" && !within(id, from, to) {
			continue
		}
		if chunk = append(chunk, r); len(chunk) >= chunkRecords {
			flush()
		}
	}
	flush()
	return c.judgeRange(ctx, from, to, events)
}

// chunkRecords are decoded at a time, on all processors.
const chunkRecords = 2048

type decoded struct {
	*event
	reason string
}

func (c *check) decodeAll(records []Record) []decoded {
	out := make([]decoded, len(records))
	var group errgroup.Group
	for part := range runtime.GOMAXPROCS(0) {
		group.Go(func() error {
			for i := part; i < len(records); i += runtime.GOMAXPROCS(0) {
				out[i].event, out[i].reason = decode(&records[i], c.ahead)
			}
			return nil
		})
	}
	_ = group.Wait() // they return no errors
	return out
}

// subjectOf is the subject where it is quickly found; empty where it is not.
func subjectOf(r *Record) string {
	for _, h := range r.Headers {
		if h.Name == "ce_subject" {
			return string(h.Value)
		}
	}
	return ""
}

func within(id, from, to string) bool { return id >= from && (to == "" || id < to) }

// saw notes that a record lies in Kafka.
func (c *check) saw(r *Record) {
	p := r.partition()
	c.seen[p] = append(c.seen[p], Ack{r.Offset, Sum(r.Key, r.Value)})
	if c.judged[p] == nil {
		c.judged[p] = &tally{}
	}
	c.judged[p].records++
	c.report.Records++
}

// tables hold the rows of runs.
var tables = []string{
	"execution_events", "analytics_timeline", "executions", "execution_details", "execution_phases", "execution_steps", "fault_injections",
	"validation_results", "system_snapshots", "execution_logs", "execution_annotations", "execution_ids",
}

// judgeRange walks records and rows of a range side by side, by execution id.
func (c *check) judgeRange(ctx context.Context, from, to string, events map[string][]*event) error {
	ids := make([]string, 0, len(events))
	for id := range events {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	streams := make([]*stream, len(tables))
	for i, table := range tables {
		streams[i] = newStream(c.Store.Rows(ctx, table, from, to))
	}
	defer func() {
		for _, s := range streams {
			s.stop()
		}
	}()
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for {
		id, found := "", false
		if len(ids) > 0 {
			id, found = ids[0], true
		}
		for _, s := range streams {
			if head, ok := s.head(); ok && (!found || head < id) {
				id, found = head, true
			}
		}
		if !found {
			break
		}
		x := &execution{check: c, id: id, events: events[id], rows: map[string][]Row{}}
		delete(events, id)
		if len(ids) > 0 && ids[0] == id {
			ids = ids[1:]
		}
		for i, s := range streams {
			x.rows[tables[i]] = s.take(id)
		}
		group.Go(func() error { x.judge(); return nil })
	}
	errs := []error{group.Wait()}
	for _, s := range streams {
		errs = append(errs, s.err)
	}
	return errors.Join(errs...)
}
