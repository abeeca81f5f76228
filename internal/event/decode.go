package event

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"buf.build/go/protovalidate"
	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// Decoder turns records into events. It is safe for concurrent use.
type Decoder struct {
	limits    Limits
	validator protovalidate.Validator
	own       bool // reads what this service states itself
}

// NewDecoder compiles the rules of the contract.
func NewDecoder(limits Limits) (*Decoder, error) {
	if err := limits.check(); err != nil {
		return nil, fmt.Errorf("check limits: %w", err)
	}
	messages := make([]proto.Message, 0, len(kinds))
	for _, k := range kinds {
		messages = append(messages, k.message.Zero().Interface())
	}
	validator, err := protovalidate.New(protovalidate.WithFailFast(), protovalidate.WithMessages(messages...), protovalidate.WithDisableLazy())
	if err != nil {
		return nil, fmt.Errorf("compile the contract's rules: %w", err)
	}
	return &Decoder{limits: limits, validator: validator}, nil
}

// Own is a decoder for the events that this service states itself: the same
// rules and limits, the sources and types that only the service may use
// included. What a caller of the API writes goes through it.
func (d *Decoder) Own() *Decoder {
	return &Decoder{limits: d.limits, validator: d.validator, own: true}
}

// Decoded is an accepted event: exactly one of Execution and Scenario is set.
// Nothing in it shares memory with the record.
type Decoded struct {
	Execution *execution.Event
	Scenario  *scenario.Event

	// KeyMismatch is set when the record's key is not the event's subject:
	// such an event is applied, and counted.
	KeyMismatch bool
}

// Header is the event's envelope, whichever it is.
func (d Decoded) Header() *fact.Header {
	if d.Execution != nil {
		return &d.Execution.Header
	}
	return &d.Scenario.Header
}

// Decode reads a record; now only decides whether a time is suspect. A record
// that cannot be accepted gives the rejection that names why.
func (d *Decoder) Decode(record kafkarecord.Record, now time.Time) (Decoded, *fact.Rejection) {
	if rejection := d.checkSize(record); rejection != nil {
		return Decoded{}, rejection
	}
	headers, contentType, binary, rejection := d.readHeaders(record.Headers)
	if rejection != nil {
		return Decoded{}, rejection
	}

	var e *envelope
	switch encoding := encodingOf(contentType); {
	case encoding == encodingUnsupported:
		return Decoded{}, fact.Reject(fact.ReasonUnsupported, contentTypeHeader, contentType,
			"application/json, application/protobuf or application/cloudevents+json, in UTF-8")
	case encoding == encodingStructured, !binary && (encoding != encodingProtobuf || isJSON(record.Value)):
		// Without ce_ headers only the body can be the envelope: some
		// producers forget the content type of the structured mode, and
		// Python's SDK 1.x gives that of the data in its place.
		if e, rejection = d.readStructured(record.Value); rejection != nil {
			return Decoded{}, rejection
		}
		if encoding == encodingProtobuf && e.contentType == "" {
			e.contentType = contentType
		}
		if binary {
			if rejection := conflict(headers, e); rejection != nil {
				return Decoded{}, rejection
			}
		}
		if e.traceParent == "" {
			e.traceParent = headers.traceParent
		}
	default:
		e = headers
		e.data = record.Value
		if contentType != "" {
			e.contentType = contentType
		}
	}

	decoded, rejection := d.decodeEnvelope(e, now)
	if rejection == nil {
		decoded.KeyMismatch = string(record.Key) != decoded.Header().Subject
	}
	return decoded, rejection
}

// wholeKey is the size up to which a key is whole in an oversize record too.
const wholeKey = 64<<10 - 1

func (d *Decoder) checkSize(record kafkarecord.Record) *fact.Rejection {
	size := int64(len(record.Key) + len(record.Value))
	if record.Oversize != nil {
		size = int64(len(record.Key)) + record.Oversize.Length
	}
	switch {
	case size > int64(d.limits.Record):
		return fact.Reject(fact.ReasonTooLarge, "", strconv.FormatInt(size, 10), "a record of at most "+strconv.Itoa(d.limits.Record)+" bytes")
	case record.Oversize != nil && len(record.Key) > wholeKey:
		return fact.Reject(fact.ReasonTooLarge, "key", "", "a record of at most "+strconv.Itoa(d.limits.Record)+" bytes")
	case record.Oversize != nil: // neither by its key nor by its value
		return fact.Reject(fact.ReasonHeaderLimit, "headers", "", "at most "+strconv.Itoa(d.limits.Headers)+" headers, of "+strconv.Itoa(d.limits.HeaderBytes)+" bytes in all")
	case record.Value == nil:
		return fact.Reject(fact.ReasonTombstone, "", "", "a record with a value; nothing is removed by tombstones")
	case len(record.Value) == 0:
		return fact.Reject(fact.ReasonEmpty, "", "", "a record with a value")
	default:
		return nil
	}
}

func (d *Decoder) decodeEnvelope(e *envelope, now time.Time) (Decoded, *fact.Rejection) {
	header, k, rejection := d.header(e, now)
	if rejection != nil {
		return Decoded{}, rejection
	}
	if e.data == nil {
		return Decoded{}, fact.Reject(fact.ReasonSchema, "data", "", "required")
	}
	m := k.message.New().Interface()
	unknown, rejection := d.readData(e, k, m)
	if rejection != nil {
		return Decoded{}, rejection
	}
	if e.prefix != "" && claims(unknown) {
		body, rejection := d.readStructured(e.data)
		if rejection != nil {
			return Decoded{}, fact.Reject(fact.ReasonModeConflict, rejection.Field, rejection.Value, "headers and body name the same event; the body: "+rejection.Rule)
		}
		if rejection := conflict(e, body); rejection != nil {
			return Decoded{}, rejection
		}
		return d.decodeEnvelope(body, now)
	}

	normalise(m)
	if !k.plan.plainlyMeets(structOf(m)) {
		if rejection := checkRules(d.validator, m); rejection != nil {
			return Decoded{}, rejection
		}
	}
	if subject := k.subjectOf(m); subject != header.Subject {
		return Decoded{}, fact.Reject(fact.ReasonSubjectMismatch, within("data", k.subjectField().name), subject, "the subject, which is "+header.Subject)
	}
	header.Unknown = objectOf(unknown)
	decoded := assemble(header, k, m)
	if decoded.Scenario != nil {
		if set, ok := decoded.Scenario.Payload.(*scenario.ScheduleSet); ok {
			// Cron and time zones are beyond what the .proto files can say.
			if rejection := scenario.ValidateSchedule(set.Schedule).Reject(fact.ReasonSchema, "data"); rejection != nil {
				return Decoded{}, rejection
			}
		}
	}
	return decoded, nil
}

// claims tells whether data itself looks like a CloudEvent. No message of the
// contract has a field of this name.
func claims(unknown []member) bool {
	for _, m := range unknown {
		if m.name == "specversion" {
			return true
		}
	}
	return false
}

// readData reads the data into m and gives what version 1 does not name.
func (d *Decoder) readData(e *envelope, k *kind, m proto.Message) ([]member, *fact.Rejection) {
	switch encodingOf(e.contentType) {
	case encodingJSON, encodingNone:
		r := newJSONReader(e.data, "data", k.maxTokens(&d.limits), &d.limits)
		defer r.free()
		rejection := r.readMessage(k.plan, structOf(m))
		if rejection != nil && !e.text && d.isProtobufOf(k, e.data) {
			return nil, fact.Reject(fact.ReasonEncoding, "data", "", "JSON, as the content type says; this is protobuf")
		}
		return r.unknown, rejection
	case encodingProtobuf:
		if e.text || isJSON(e.data) {
			return nil, fact.Reject(fact.ReasonEncoding, "data", string(e.data[:min(len(e.data), 512)]), "protobuf, as the content type says; this is JSON")
		}
		r := newWireReader(k.maxTokens(&d.limits), &d.limits)
		rejection := r.readMessage(e.data, k.plan, m)
		return r.unknown, rejection
	default:
		return nil, e.reject(fact.ReasonUnsupported, "datacontenttype", e.contentType, "application/json or application/protobuf")
	}
}

// isProtobufOf tells whether bytes that are no JSON are the protobuf of the
// expected message: all of it known, with an id where the id belongs.
func (d *Decoder) isProtobufOf(k *kind, data []byte) bool {
	m := k.message.New()
	return newWireReader(k.maxTokens(&d.limits), &d.limits).measure(data, k.plan, m.Descriptor()) == nil &&
		proto.Unmarshal(data, m.Interface()) == nil &&
		len(m.GetUnknown()) == 0 &&
		isID(k.subjectOf(m.Interface()))
}

// isJSON tells whether bytes are a JSON object. No protobuf of the contract
// begins with a brace: it would be the group of a field 15.
func isJSON(data []byte) bool {
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	return len(trimmed) > 0 && trimmed[0] == '{' && jsontext.Value(trimmed).IsValid()
}

// assemble makes the event of a message that has met all rules.
func assemble(header fact.Header, k *kind, m proto.Message) Decoded {
	header.Digest = k.digest(header.Subject, header.Time, header.Sequence, m)
	header.Data = written(func(b []byte) []byte { return appendMessage(b, k.plan, structOf(m), k.omit, standIn(m)) })
	if k.execution != nil {
		return Decoded{Execution: &execution.Event{Header: header, Payload: k.execution(m)}}
	}
	return Decoded{Scenario: &scenario.Event{Header: header, Payload: k.scenario(m)}}
}
