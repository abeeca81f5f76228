package contractcheck

import (
	"bytes"
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// Config is what a check goes by.
type Config struct {
	Decoder     *event.Decoder // with the service's limits; may be shared
	Definitions scenario.Limits
	Memory      Memory
	Now         time.Time // decides which times are suspect
	Strict      bool      // recommendations are violations
}

// Memory bounds what a grader remembers, whatever comes. What is used last is
// remembered; when something was forgotten the report says what can have been
// missed by it.
type Memory struct {
	Events      int   // event keys, for duplicates and conflicts; 32 bytes each, of a hash for key and digest
	Runs        int   // runs with a runid, and execution ids; some 2 KiB each. Also scenarios, templates and schedules
	Definitions int64 // bytes of templates and dependencies
}

// DefaultMemory makes a process of some 250 MiB when it is full.
func DefaultMemory() Memory {
	return Memory{Events: 1_000_000, Runs: 20_000, Definitions: 32 << 20}
}

// Grader judges records, one after the other, in the order in which they lie in
// their partition. It is not safe for concurrent use.
type Grader struct {
	config Config
	fields map[fact.Type][]string

	records, accepted, duplicates, refused int64
	types                                  map[fact.Type]*TypeCount

	found       findings
	known       *recent[half, half]
	runs        *runs
	definitions *definitions
}

// half of a hash is enough to tell events apart by, and saves half the memory.
type half [16]byte

func halfOf(whole [32]byte) half { return half(whole[:16]) }

// New makes a grader that has seen nothing.
func New(config Config) *Grader {
	g := &Grader{
		config: config, fields: map[fact.Type][]string{}, types: map[fact.Type]*TypeCount{},
		known: newRecent[half, half](config.Memory.Events),
		runs:  newRuns(config.Memory.Runs),
		definitions: &definitions{
			limits: config.Definitions, most: config.Memory.Definitions, numbers: newRecent[string, *numbers](config.Memory.Runs),
		},
	}
	for _, typ := range fact.Types() {
		g.fields[typ] = event.FieldNames(typ)
	}
	return g
}

// Add judges a record. One from a file has no key, which is then not judged.
func (g *Grader) Add(record kafkarecord.Record, at Place) {
	g.records++
	decoded, rejection := g.decode(record)
	if rejection != nil {
		g.refuse(claimedType(record), at, rejection)
		return
	}
	h := decoded.Header()
	digest := halfOf(h.Digest)
	switch before, known := g.known.get(halfOf(h.Key)); {
	case known && before == digest:
		g.duplicates++
		g.found.add(Duplicate, h.Type, "", Example{at, fact.Cut(h.ID), "sent once; a repeat is recognised, and changes nothing"})
		return
	case known:
		g.refuse(h.Type, at, fact.Reject(fact.ReasonIDConflict, "", h.ID, "an id of its own: another event has this source, id and subject"))
		return
	}
	if decoded.Scenario != nil {
		if rejection := g.definitions.admit(decoded.Scenario); rejection != nil {
			g.refuse(h.Type, at, rejection)
			return
		}
	}
	g.known.put(halfOf(h.Key), digest)
	g.accepted++
	g.accept(decoded, record.Key, at)
}

// decode is the service's way, without its partition. A panic is the record's
// fault, as it is there.
func (g *Grader) decode(record kafkarecord.Record) (decoded event.Decoded, rejection *fact.Rejection) {
	defer func() {
		if r := recover(); r != nil {
			rejection = fact.Reject(fact.ReasonPanic, "", fmt.Sprint(r), "a record that can be read: this is a fault of tcda, please report it")
		}
	}()
	decoded, rejection = g.config.Decoder.Decode(record, g.config.Now)
	if rejection == nil && decoded.Scenario != nil {
		rejection = decoded.Scenario.Check(g.config.Definitions)
	}
	return decoded, rejection
}

func (g *Grader) refuse(typ fact.Type, at Place, rejection *fact.Rejection) {
	g.refused++
	if typ != "" {
		g.count(typ).Refused++
	}
	g.found.reject(typ, at, rejection)
}

// accept looks at an event that the service would take for what is not as it
// should be.
func (g *Grader) accept(decoded event.Decoded, key []byte, at Place) {
	h := decoded.Header()
	count := g.count(h.Type)
	count.Events++
	if decoded.KeyMismatch && at.Line == 0 {
		g.found.add(KeyMismatch, h.Type, "key", Example{at, fact.Cut(string(key)), "the subject, which is " + h.Subject + ": only so do events of a subject stay in order"})
	}
	if h.Sequence == fact.NoSequence {
		count.WithoutSequence++
		g.found.add(SequenceMissing, h.Type, "sequence", Example{at, "", "a number that rises for each subject and run: without it, times decide the order"})
	}
	if h.Type.OfExecution() && h.RunID == "" {
		count.WithoutRunID++
		g.found.add(RunIDMissing, h.Type, "runid", Example{at, "", "a runid, new for each run: without it, runs of an execution id are told apart by guessing"})
	}
	if h.Suspect {
		g.found.add(TimeSuspect, h.Type, "time", Example{at, h.Time.Format(time.RFC3339Nano), "a time that is not far ahead: this event is ordered by its sequence, and opens no run"})
	}
	g.checkNames(h, at)
	if decoded.Execution != nil {
		g.place(decoded.Execution, at)
		return
	}
	g.checkSequence(h, g.definitions.numbersOf(h), at)
}

func (g *Grader) count(typ fact.Type) *TypeCount {
	c := g.types[typ]
	if c == nil {
		c = &TypeCount{Type: typ}
		g.types[typ] = c
	}
	return c
}

// claimedType is the type that a refused record names, if it is one of the
// contract; else empty.
func claimedType(record kafkarecord.Record) fact.Type {
	claimed := ""
	for _, h := range record.Headers {
		if h.Key == "ce_type" {
			claimed = string(h.Value)
		}
	}
	if claimed == "" {
		claimed = typeInside(record.Value)
	}
	for _, typ := range fact.Types() {
		if string(typ) == claimed {
			return typ
		}
	}
	return ""
}

// typeInside is the member named type of what may be a structured event, as far
// as it can be read.
func typeInside(value []byte) string {
	tokens := jsontext.NewDecoder(bytes.NewReader(value), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if t, err := tokens.ReadToken(); err != nil || t.Kind() != '{' {
		return ""
	}
	for {
		name, err := tokens.ReadToken()
		if err != nil || name.Kind() != '"' {
			return ""
		}
		if name.String() == "type" {
			if t, err := tokens.ReadToken(); err == nil && t.Kind() == '"' {
				return t.String()
			}
			return ""
		}
		if err := tokens.SkipValue(); err != nil {
			return ""
		}
	}
}
