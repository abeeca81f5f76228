package checker_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/soak/checker"
)

// A history by hand: the records that a coordinator sent, and the rows that a
// faultless service makes of them, written down by a person. Tests change one
// thing each, and the checker must see it.

const (
	executionsTopic = "executions"
	scenariosTopic  = "scenarios"
	prefix          = "test-coordination."
)

// caller is who has made the calls to the API.
const caller = "anonymous"

// noon is when the history begins.
var noon = time.Date(2026, time.April, 1, 12, 0, 0, 0, time.UTC)

// second is so many seconds after noon.
func second(n int) time.Time { return noon.Add(time.Duration(n) * time.Second) }

type history struct {
	records  []checker.Record
	ends     map[checker.Partition]int64
	rows     map[string][]checker.Row
	states   map[string]map[string]string
	active   []string
	ledger   map[checker.Partition][]checker.Ack
	timeline uint32

	calls    []checker.Call
	commands *history // of its records alone; nil: not in use
	cleared  bool
	policies []checker.Policy
}

func (h *history) Ends(context.Context) (map[checker.Partition]int64, error) { return h.ends, nil }

func (h *history) Records(context.Context) iter.Seq2[checker.Record, error] {
	return func(yield func(checker.Record, error) bool) {
		for _, r := range h.records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (h *history) Rows(_ context.Context, table, from, to string) iter.Seq2[checker.Row, error] {
	id := func(r checker.Row) string { s, _ := r["execution_id"].(string); return s }
	rows := slices.SortedStableFunc(slices.Values(h.rows[table]), func(a, b checker.Row) int { return cmp.Compare(id(a), id(b)) })
	return func(yield func(checker.Row, error) bool) {
		for _, r := range rows {
			if id(r) >= from && (to == "" || id(r) < to) && !yield(r, nil) {
				return
			}
		}
	}
}

func (h *history) Split(_ context.Context, ranges int) ([]string, error) {
	if ranges == 1 {
		return nil, nil
	}
	return []string{"exec-b"}, nil
}

func (h *history) Timeline(context.Context) (uint32, error) { return h.timeline, nil }

func (h *history) States(_ context.Context, ids []string) ([]map[string]string, error) {
	states := make([]map[string]string, len(ids))
	for i, id := range ids {
		states[i] = h.states[id]
	}
	return states, nil
}

func (h *history) Active(context.Context) ([]string, error) { return h.active, nil }

// check judges it.
func (h *history) check(t *testing.T, options ...func(*checker.History)) *checker.Report {
	t.Helper()
	in := checker.History{Ledger: h.ledger, Log: h, Store: h, Live: h, Sources: "/tcda/", Calls: h.calls, Caller: caller, Cleared: h.cleared, Policies: h.policies}
	if h.commands != nil {
		in.Commands = h.commands
	}
	for _, o := range options {
		o(&in)
	}
	report, err := checker.Check(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// said is an event of a coordinator, as it is told to a history.
type said struct {
	id, subject, typ string
	at               time.Time
	sequence         int64
	runID            string
	source           string // /coordinator/a if empty
	caller           string // of an event of the service
	data             string // JSON
}

func (s said) from() string { return cmp.Or(s.source, "/coordinator/a") }

func (s said) key() []byte {
	var b []byte
	for _, text := range []string{s.from(), s.id, s.subject} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(text)))
		b = append(b, text...)
	}
	sum := sha256.Sum256(b)
	return sum[:]
}

func (s said) order() []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(cmp.Or(s.sequence, 1<<53)))
	b = binary.BigEndian.AppendUint64(b, uint64(s.at.Unix()))
	b = binary.BigEndian.AppendUint32(b, uint32(s.at.Nanosecond()))
	return append(b, s.key()...)
}

// send puts an event into Kafka, in binary mode, or structured where it says so.
func (h *history) send(topic string, partition int32, s said, structured bool) checker.Address {
	attributes := map[string]string{
		"specversion": "1.0", "type": prefix + s.typ + ".v1", "source": s.from(), "id": s.id, "subject": s.subject, "time": s.at.Format(time.RFC3339Nano),
	}
	if s.sequence != 0 {
		attributes["sequence"] = fmt.Sprint(s.sequence)
	}
	if s.runID != "" {
		attributes["runid"] = s.runID
	}
	r := checker.Record{Key: []byte(s.subject), Value: []byte(s.data)}
	if structured {
		whole := map[string]any{"data": json.RawMessage(s.data)}
		for name, value := range attributes {
			whole[name] = value
		}
		r.Value, _ = json.Marshal(whole)
		r.Headers = []checker.Header{{Name: "content-type", Value: []byte("application/cloudevents+json")}}
	} else {
		for _, name := range slices.Sorted(maps.Keys(attributes)) {
			r.Headers = append(r.Headers, checker.Header{Name: "ce_" + name, Value: []byte(attributes[name])})
		}
		r.Headers = append(r.Headers, checker.Header{Name: "content-type", Value: []byte("application/json")})
	}
	return h.put(topic, partition, r)
}

// put puts a record into Kafka.
func (h *history) put(topic string, partition int32, r checker.Record) checker.Address {
	p := checker.Partition{Topic: topic, Number: partition}
	r.Address = checker.Address{Topic: topic, Partition: partition, Offset: h.ends[p]}
	h.ends[p]++
	h.records = append(h.records, r)
	h.ledger[p] = append(h.ledger[p], checker.Ack{Offset: r.Offset, Sum: checker.Sum(r.Key, r.Value)})
	return r.Address
}

// accepted is the row of an event of a run, and that of the timeline.
func (h *history) accepted(at *checker.Address, s said, run, arrival int64, stored string, flags ...string) {
	row := checker.Row{
		"execution_id": s.subject, "run": run, "arrival": arrival, "event_key": s.key(), "order_key": s.order(), "type": prefix + s.typ + ".v1", "source": s.from(),
		"event_id": s.id, "event_time": s.at, "sequence": nil, "trace_parent": "", "correlation_id": "", "extensions": nil, "unknown_fields": nil,
		"run_guessed": slices.Contains(flags, "guessed"), "time_suspect": false, "topic": nil, "partition": nil, "kafka_offset": nil,
		"data": json.RawMessage(stored), "recorded_at": s.at,
	}
	if s.sequence != 0 {
		row["sequence"] = s.sequence
	}
	if s.caller != "" {
		row["extensions"] = json.RawMessage(`{"caller":"` + s.caller + `"}`)
	}
	if at != nil {
		row["topic"], row["partition"], row["kafka_offset"] = at.Topic, int64(at.Partition), at.Offset
	}
	h.rows["execution_events"] = append(h.rows["execution_events"], row)
	h.rows["analytics_timeline"] = append(h.rows["analytics_timeline"], checker.Row{
		"execution_id": s.subject, "run": run, "order_key": s.order(), "type": row["type"], "event_id": s.id,
		"late": slices.Contains(flags, "late"), "conflicting_outcome": slices.Contains(flags, "conflicting"),
	})
}

// add adds a row as it is.
func (h *history) add(table string, row checker.Row) { h.rows[table] = append(h.rows[table], row) }

// find is the row of a table whose column has the value.
func (h *history) find(t *testing.T, table, column string, value any) checker.Row {
	t.Helper()
	for _, row := range h.rows[table] {
		if row[column] == value {
			return row
		}
	}
	t.Fatalf("no row of %s has %v in %s", table, value, column)
	return nil
}

// remove removes rows of a table.
func (h *history) remove(t *testing.T, table, column string, value any) {
	t.Helper()
	before := len(h.rows[table])
	h.rows[table] = slices.DeleteFunc(h.rows[table], func(r checker.Row) bool { return r[column] == value })
	if len(h.rows[table]) == before {
		t.Fatalf("no row of %s has %v in %s", table, value, column)
	}
}

// runRow is a row of executions in which nothing was said but what differs.
func runRow(id string, run int64, differs checker.Row) checker.Row {
	row := checker.Row{
		"execution_id": id, "run": run, "version": int64(1), "run_id": nil, "status": "", "reported_outcome": "", "scenario_id": "", "scenario_version": "",
		"environment": "", "coordinator_id": "", "start_source": "", "trigger_type": "", "trigger_actor": "", "trigger_uri": "", "group_id": "", "attempt": nil,
		"dry_run": nil, "requested_at": nil, "started_at": nil, "ended_at": nil, "deadline": nil, "last_event_at": nil, "last_heartbeat_at": nil, "progress": nil,
		"message": "", "current_phase": "", "pause_reason": "", "exit_code": nil, "error_message": "", "lifecycle": "running", "interrupt_cause": "",
		"interrupt_events": nil, "interrupted_at": nil, "superseded_by": nil, "events": int64(0), "own_events": int64(0), "log_lines": int64(0), "snapshots": int64(0),
		"phases_total": int64(0), "steps_total": int64(0), "steps_failed": int64(0), "faults_total": int64(0), "faults_active": int64(0),
		"validations_passed": int64(0), "validations_failed": int64(0), "validations_skipped": int64(0), "validations_error": int64(0), "end_order": nil,
		"pinned": false, "cancel_requested_at": nil,
	}
	maps.Copy(row, differs)
	return row
}

// state is what Redis shows of a run of which nothing was said but what differs.
func state(version string, run int, differs map[string]string) map[string]string {
	s := map[string]string{"version": version, "run": fmt.Sprint(run)}
	for _, field := range []string{
		"run_id", "status", "scenario_id", "environment", "coordinator_id", "progress", "message", "current_phase", "requested_at", "started_at", "ended_at",
		"last_event_at", "deadline",
	} {
		s[field] = ""
	}
	for _, field := range []string{"events", "log_lines", "validations_passed", "validations_failed", "faults_active"} {
		s[field] = "0"
	}
	maps.Copy(s, differs)
	return s
}

func sha(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// finds wants the checker to find something of a class at a place in a field.
func (h *history) finds(t *testing.T, class checker.Class, where, field string) {
	t.Helper()
	r := h.check(t)
	found := slices.ContainsFunc(r.Examples, func(f checker.Finding) bool {
		return f.Class == class && strings.Contains(f.Where, where) && strings.Contains(f.Field+" is "+f.Got, field)
	})
	if r.Green() || !found || r.Count(class) == 0 {
		t.Errorf("want %s at %q in %q; found: %v", class, where, field, r.Examples)
	}
}
