package event

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// Mode is where the CloudEvents attributes are.
type Mode int

// The modes of the Kafka binding.
const (
	Binary     Mode = iota // in headers; the value is the data
	Structured             // in the value, which is one JSON object
)

// Encoding is how the data is written.
type Encoding int

// The encodings of the contract.
const (
	JSON Encoding = iota
	Protobuf
)

// Outgoing is an event to be written, as a producer states it.
type Outgoing struct {
	Source        string
	ID            string
	Subject       string // empty: the id in the message
	Time          time.Time
	Sequence      fact.Sequence // fact.NoSequence: none
	RunID         string
	TraceParent   string
	CorrelationID string
	Extensions    map[string]string // further attributes

	Message proto.Message // of the contract; its type is the event's type
}

// Encode writes an event as a record with key, value and headers. It does not
// judge: what a decoder refuses can be written too.
func Encode(o Outgoing, mode Mode, encoding Encoding) (kafkarecord.Record, error) {
	if o.Message == nil {
		return kafkarecord.Record{}, errNoMessage
	}
	k, err := kindOf(o.Message)
	if err != nil {
		return kafkarecord.Record{}, fmt.Errorf("encode an event: %w", err)
	}
	if o.Subject == "" {
		o.Subject = k.subjectOf(o.Message)
	}
	contentType := "application/json"
	var data []byte
	if encoding == Protobuf {
		contentType = "application/protobuf"
		if data, err = (proto.MarshalOptions{Deterministic: true}).Marshal(o.Message); err != nil {
			return kafkarecord.Record{}, fmt.Errorf("encode data of %s: %w", k.typ, err)
		}
	} else {
		data = appendMessage(nil, k.plan, structOf(o.Message), nil, "")
	}

	attributes := o.attributes(k.typ)
	record := kafkarecord.Record{Key: []byte(o.Subject)}
	if mode == Structured {
		attributes = append(attributes, attribute{"datacontenttype", contentType})
		record.Value = structuredValue(attributes, data, encoding)
		record.Headers = []kafkarecord.Header{{Key: contentTypeHeader, Value: []byte("application/cloudevents+json")}}
		return record, nil
	}
	record.Value = data
	for _, a := range attributes {
		record.Headers = append(record.Headers, kafkarecord.Header{Key: attributePrefix + a.name, Value: []byte(a.value)})
	}
	record.Headers = append(record.Headers, kafkarecord.Header{Key: contentTypeHeader, Value: []byte(contentType)})
	return record, nil
}

var errNoMessage = errors.New("encode an event: no message")

// NewMessage makes the message of an event type from JSON in proto mapping;
// nothing but its form is judged.
func NewMessage(typ fact.Type, data json.RawMessage) (proto.Message, error) {
	k, ok := kinds[typ]
	if !ok {
		return nil, fmt.Errorf("%q is not a type of the contract", typ)
	}
	m, _, err := restoreMessage(k, data)
	return m, err
}

type attribute struct{ name, value string }

// attributes are those that are set, in a fixed order.
func (o *Outgoing) attributes(typ fact.Type) []attribute {
	sequence := ""
	if o.Sequence != fact.NoSequence {
		sequence = strconv.FormatInt(int64(o.Sequence), 10)
	}
	all := []attribute{
		{"specversion", "1.0"},
		{"type", string(typ)},
		{"source", o.Source},
		{"id", o.ID},
		{"subject", o.Subject},
		{"time", o.Time.UTC().Format(time.RFC3339Nano)},
		{"sequence", sequence},
		{"runid", o.RunID},
		{"traceparent", o.TraceParent},
		{"correlationid", o.CorrelationID},
	}
	for _, name := range slices.Sorted(maps.Keys(o.Extensions)) {
		all = append(all, attribute{name, o.Extensions[name]})
	}
	return slices.DeleteFunc(all, func(a attribute) bool { return a.value == "" })
}

func structuredValue(attributes []attribute, data []byte, encoding Encoding) []byte {
	b := []byte{'{'}
	for _, a := range attributes {
		b = append(appendString(b, a.name), ':')
		b = append(appendString(b, a.value), ',')
	}
	if encoding == Protobuf {
		b = append(b, `"data_base64":"`...)
		b = base64.StdEncoding.AppendEncode(b, data)
		return append(b, `"}`...)
	}
	b = append(b, `"data":`...)
	b = append(b, data...)
	return append(b, '}')
}
