package event

import (
	"strconv"
	"strings"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// envelope is a CloudEvent before its attributes are judged.
type envelope struct {
	prefix string // "ce_" when the attributes come from headers; for messages to people

	specVersion, id, source, typ, subject, time string
	contentType                                 string
	sequence, runID, traceParent, correlationID string
	extensions                                  []member

	data []byte // as it lies in the record, or decoded from base64
	text bool   // data was given as JSON in a structured event, not as bytes
}

// attribute is where the attribute of that name is kept; nil for an extension
// that version 1 does not name.
func (e *envelope) attribute(name string) *string {
	switch name {
	case "specversion":
		return &e.specVersion
	case "id":
		return &e.id
	case "source":
		return &e.source
	case "type":
		return &e.typ
	case "subject":
		return &e.subject
	case "time":
		return &e.time
	case "datacontenttype":
		return &e.contentType
	case "sequence":
		return &e.sequence
	case "runid":
		return &e.runID
	case "traceparent":
		return &e.traceParent
	case "correlationid":
		return &e.correlationID
	default:
		return nil
	}
}

// usual are the names of attributes, and values that nearly all events have.
var usual = func() map[string]string {
	texts := []string{
		"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "sequence", "runid", "traceparent", "correlationid",
		"data", "data_base64", "1.0", "application/json", "application/protobuf", "application/cloudevents+json",
	}
	for typ := range kinds {
		texts = append(texts, string(typ))
	}
	usual := make(map[string]string, len(texts))
	for _, text := range texts {
		usual[text] = text
	}
	return usual
}()

func (e *envelope) reject(reason fact.Reason, name, value, rule string) *fact.Rejection {
	return fact.Reject(reason, e.prefix+name, value, rule)
}

// header judges the attributes and gives the envelope of the accepted event,
// without what follows from the data, and the kind that its type names.
func (d *Decoder) header(e *envelope, now time.Time) (fact.Header, *kind, *fact.Rejection) {
	var none fact.Header
	for _, required := range [...]struct{ name, value string }{
		{"specversion", e.specVersion},
		{"type", e.typ},
		{"source", e.source},
		{"id", e.id},
		{"subject", e.subject},
		{"time", e.time},
	} {
		if required.value == "" {
			return none, nil, e.reject(fact.ReasonSchema, required.name, "", "required")
		}
	}
	if e.specVersion != "1.0" {
		return none, nil, e.reject(fact.ReasonUnsupported, "specversion", e.specVersion, "1.0")
	}
	k, ok := kinds[fact.Type(e.typ)]
	if !ok {
		return none, nil, e.reject(fact.ReasonUnsupportedType, "type", e.typ, "a type of contract version 1")
	}
	if k.own && !d.own {
		return none, nil, e.reject(fact.ReasonUnsupportedType, "type", e.typ, "a type that producers may send; this one only the service makes")
	}
	if rejection := d.checkSource(e); rejection != nil {
		return none, nil, rejection
	}
	for _, id := range [...]struct{ name, value string }{{"id", e.id}, {"subject", e.subject}} {
		if !isID(id.value) {
			return none, nil, e.reject(fact.ReasonID, id.name, id.value, "an id matches "+idPattern)
		}
	}
	at, flaw := parseTime(e.time, &d.limits)
	if flaw != nil {
		return none, nil, e.reject(flaw.reason, "time", e.time, flaw.rule)
	}
	sequence, flaw := parseSequence(e.sequence)
	if flaw != nil {
		return none, nil, e.reject(flaw.reason, "sequence", e.sequence, flaw.rule)
	}
	for _, opaque := range [...]struct{ name, value string }{{"runid", e.runID}, {"correlationid", e.correlationID}} {
		if flaw := checkString(opaque.value, d.limits.Correlation); flaw != nil {
			return none, nil, e.reject(flaw.reason, opaque.name, opaque.value, flaw.rule)
		}
	}
	if !isTraceParent(e.traceParent) { // tracing never costs an event: an odd one is kept, and not continued
		if e.traceParent != "" {
			e.extensions = append(e.extensions, member{"traceparent", appendString(nil, e.traceParent)})
		}
		e.traceParent = ""
	}
	return fact.Header{
		Key:           fact.NewKey(e.source, e.id, e.subject),
		Source:        e.source,
		ID:            e.id,
		Subject:       e.subject,
		Type:          k.typ,
		Time:          at,
		Sequence:      sequence,
		RunID:         e.runID,
		TraceParent:   e.traceParent,
		CorrelationID: e.correlationID,
		Suspect:       at.After(now.Add(d.limits.AcceptedFuture)),
		Extensions:    objectOf(e.extensions),
	}, k, nil
}

// inURIs are the characters that a URI reference may hold.
var inURIs = func() (in [256]bool) {
	for c := '!'; c <= '~'; c++ {
		in[c] = !strings.ContainsRune("\"<>\\^`{|}", c)
	}
	return in
}()

// checkSource holds the source to the form of a URI reference, without
// parsing it: nothing is ever fetched from there.
func (d *Decoder) checkSource(e *envelope) *fact.Rejection {
	if len(e.source) > d.limits.Source {
		return e.reject(fact.ReasonTooLarge, "source", e.source, "at most "+strconv.Itoa(d.limits.Source)+" bytes")
	}
	for i := range len(e.source) {
		if !inURIs[e.source[i]] {
			return e.reject(fact.ReasonSchema, "source", e.source, "a URI reference")
		}
	}
	if reserved := d.limits.ReservedSources; !d.own && reserved != "" && strings.HasPrefix(e.source, reserved) {
		return e.reject(fact.ReasonSourceNotAllowed, "source", e.source, "sources that begin with "+reserved+" belong to the service")
	}
	if d.own || len(d.limits.AllowedSources) == 0 {
		return nil
	}
	for _, allowed := range d.limits.AllowedSources {
		prefix, open := strings.CutSuffix(allowed, "*")
		if e.source == allowed || open && strings.HasPrefix(e.source, prefix) {
			return nil
		}
	}
	return e.reject(fact.ReasonSourceNotAllowed, "source", e.source, "a source that the settings allow")
}

// parseSequence reads a decimal string; leading zeros are fine, because some
// producers pad so that strings sort.
func parseSequence(text string) (fact.Sequence, *flaw) {
	if text == "" {
		return fact.NoSequence, nil
	}
	digits := strings.TrimPrefix(text, "-")
	if digits == "" || len(digits) > 32 || strings.Trim(digits, "0123456789") != "" {
		return 0, &flaw{fact.ReasonSchema, "a decimal number as a string"}
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 1 || n > int64(fact.MaxSequence) {
		return 0, &flaw{fact.ReasonRange, "a sequence from 1 to 2^53-1"}
	}
	return fact.Sequence(n), nil
}

// isTraceParent tells whether text is a W3C trace context that can be continued.
func isTraceParent(text string) bool {
	if len(text) != 55 || text[:2] == "ff" || text[2] != '-' || text[35] != '-' || text[52] != '-' {
		return false
	}
	for i := range len(text) {
		switch c := text[i]; {
		case '0' <= c && c <= '9', 'a' <= c && c <= 'f':
		case i == 2 || i == 35 || i == 52:
		default:
			return false
		}
	}
	return strings.Trim(text[3:35], "0") != "" && strings.Trim(text[36:52], "0") != ""
}
