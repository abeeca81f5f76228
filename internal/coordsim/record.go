package coordsim

import (
	"fmt"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// Topic is one of the two input topics, whatever their names are.
type Topic int

// The input topics.
const (
	Executions Topic = iota // everything a run emits
	Scenarios               // templates, definitions, dependencies, schedules
)

// topicOf is the topic that events of a type belong to.
func topicOf(t fact.Type) Topic {
	if t.OfExecution() {
		return Executions
	}
	return Scenarios
}

// Kind says what the service must make of a record.
type Kind string

// The kinds of records.
const (
	Event     Kind = "event"     // applied
	Duplicate Kind = "duplicate" // an event again: recognised, without effect
	Malformed Kind = "malformed" // quarantined
	Unjudged  Kind = "unjudged"  // from a recording: nobody has said what must come of it
)

// Form is one of the four ways to write an event.
type Form struct {
	Mode     event.Mode
	Encoding event.Encoding
}

// Forms are all four.
func Forms() []Form {
	return []Form{
		{event.Binary, event.JSON},
		{event.Binary, event.Protobuf},
		{event.Structured, event.JSON},
		{event.Structured, event.Protobuf},
	}
}

// String is the form as ledgers name it, such as "binary-json".
func (f Form) String() string {
	mode, encoding := "binary", "json"
	if f.Mode == event.Structured {
		mode = "structured"
	}
	if f.Encoding == event.Protobuf {
		encoding = "protobuf"
	}
	return mode + "-" + encoding
}

// Identity is who says what about whom; empty for a record that is no event.
type Identity struct {
	Source  string    `json:"source,omitempty"`
	ID      string    `json:"id,omitempty"`
	Subject string    `json:"subject,omitempty"`
	Type    fact.Type `json:"type,omitempty"`
}

// EventKey is the key of the event, by which the service knows it.
func (i Identity) EventKey() fact.Key { return fact.NewKey(i.Source, i.ID, i.Subject) }

// Record is one record to be sent.
type Record struct {
	kafkarecord.Record
	Identity

	Topic  Topic
	Kind   Kind
	Form   string      // of an event; empty when it is in none
	Reason fact.Reason // for which a Malformed one must be quarantined
	Play   string      // name of the play that it belongs to
	Spread int         // how many partitions beside that of its key it goes to
}

// encode writes an event as a record.
func encode(o event.Outgoing, form Form) (Record, error) {
	written, err := event.Encode(o, form.Mode, form.Encoding)
	if err != nil {
		return Record{}, fmt.Errorf("write event %s: %w", o.ID, err)
	}
	typ, err := event.TypeOf(o.Message)
	if err != nil {
		return Record{}, fmt.Errorf("write event %s: %w", o.ID, err)
	}
	return Record{
		Record:   written,
		Identity: Identity{Source: o.Source, ID: o.ID, Subject: string(written.Key), Type: typ},
		Topic:    topicOf(typ),
		Kind:     Event,
		Form:     form.String(),
	}, nil
}
