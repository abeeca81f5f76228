package eventtest

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// Hostile is one line of the table of hostile inputs: a record, and what
// becomes of it behind good ones. It is at once a seed of the fuzz targets.
type Hostile struct {
	Class  string // what the line is an example of; each class has several
	Name   string
	Before []kafkarecord.Record // accepted, each of them
	Record kafkarecord.Record

	Reason    fact.Reason // why it is quarantined; empty: it is not
	Duplicate bool        // it is known already, and changes nothing

	// Flag is what an accepted event is marked with, as a column of its row.
	Flag string
}

// Hostiles is the whole table. Names are unique, and no line shares an id with
// another, so that all of it can go through one database. Refused records
// without a name of their own (Rejects) are among it.
func Hostiles(t testing.TB) []Hostile {
	t.Helper()
	h := &hostiles{}
	h.texts()
	h.numbers()
	h.times()
	h.envelopes()
	h.encodings()
	h.identities()
	h.runs()
	h.definitions()
	h.templates()
	h.schedules()
	h.dependencies()
	for i, r := range Rejects(t) {
		if r.Record.Oversize == nil { // else it is as no producer can send it
			h.all = append(h.all, Hostile{Class: "refused by itself", Name: fmt.Sprintf("%d: %s", i+1, r.Name), Record: r.Record, Reason: r.Reason})
		}
	}
	return h.all
}

// hostiles collects the lines of the table. Each line has an id, which is the
// subject and the event's id of the records that are made for it.
type hostiles struct {
	all    []Hostile
	class  string
	before []kafkarecord.Record
}

func (h *hostiles) begin(class string) { h.class = class }

// id is that of the line that is added next.
func (h *hostiles) id() string { return fmt.Sprintf("hostile-%d", len(h.all)+1) }

// after says what precedes the line that is added next.
func (h *hostiles) after(before ...kafkarecord.Record) { h.before = append(h.before, before...) }

func (h *hostiles) add(line Hostile) {
	line.Class, line.Before = h.class, h.before
	h.before = nil
	h.all = append(h.all, line)
}

func (h *hostiles) refused(reason fact.Reason, name string, record kafkarecord.Record) {
	h.add(Hostile{Name: name, Record: record, Reason: reason})
}

func (h *hostiles) accepted(name string, record kafkarecord.Record) {
	h.add(Hostile{Name: name, Record: record})
}

func (h *hostiles) flagged(flag, name string, record kafkarecord.Record) {
	h.add(Hostile{Name: name, Record: record, Flag: flag})
}

func (h *hostiles) duplicate(name string, record kafkarecord.Record) {
	h.add(Hostile{Name: name, Record: record, Duplicate: true})
}

// data is a record in binary JSON about the line's own aggregate.
func (h *hostiles) data(typ fact.Type, data string, changes ...string) kafkarecord.Record {
	return about(h.id(), typ, data, changes...)
}

// event is a record of the line's own execution: the id, then those members.
func (h *hostiles) event(typ fact.Type, members string, changes ...string) kafkarecord.Record {
	if members != "" {
		members = "," + members
	}
	return h.data(typ, `{"execution_id":"`+h.id()+`"`+members+`}`, changes...)
}

// beat is a heartbeat of the line's own execution.
func (h *hostiles) beat(members string, changes ...string) kafkarecord.Record {
	return h.event(fact.TypeHeartbeat, members, changes...)
}

// about is a record in binary JSON about an aggregate, with its id as the
// event's id.
func about(subject string, typ fact.Type, data string, changes ...string) kafkarecord.Record {
	r := Binary(data, slices.Concat([]string{"ce_type=" + string(typ), "ce_subject=" + subject, "ce_id=" + subject}, changes)...)
	r.Key = []byte(subject)
	return r
}

// whole is a record in structured mode about the line's own execution, with
// further members behind those of the envelope.
func (h *hostiles) whole(members string) kafkarecord.Record {
	r := Structured(`"id":"`+h.id()+`","subject":"`+h.id()+`",`+members, "id", "subject")
	r.Key = []byte(h.id())
	return r
}

// inOrder walks a map by its keys: the same table each time.
func inOrder[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if !yield(key, m[key]) {
				return
			}
		}
	}
}
