package event

import (
	"bytes"
	"encoding/base64"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// readStructured reads a CloudEvent that is one JSON object. Its data is only
// cut out here and read like that of any other event.
func (d *Decoder) readStructured(value []byte) (*envelope, *fact.Rejection) {
	e := &envelope{}
	r := newJSONReader(value, "", d.limits.Tokens, &d.limits)
	defer r.free()
	if rejection := r.beginDocument(); rejection != nil {
		return nil, rejection
	}
	if rejection := r.open(); rejection != nil {
		return nil, rejection
	}
	hasData, hasBase64 := false, false
	for r.tokens.PeekKind() != '}' {
		raw, rejection := r.scalar()
		if rejection != nil {
			return nil, rejection
		}
		name, rejection := r.envelopeText(raw)
		if rejection != nil {
			return nil, rejection
		}
		r.path.enter(name)
		switch name {
		case "data":
			hasData = true
			rejection = r.cutOut(e)
		case "data_base64":
			hasBase64 = true
			rejection = r.decodeBase64(e)
		default:
			rejection = r.readAttribute(e, name)
		}
		if rejection != nil {
			return nil, rejection
		}
		r.path.leave()
	}
	if rejection := r.close(); rejection != nil {
		return nil, rejection
	}
	if hasData && hasBase64 {
		return nil, fact.Reject(fact.ReasonSchema, "data_base64", "", "data or data_base64, not both")
	}
	return e, r.endDocument()
}

// cutOut takes the value as it is written.
func (r *jsonReader) cutOut(e *envelope) *fact.Rejection {
	raw, rejection := r.scalar()
	if rejection != nil {
		return rejection
	}
	end := r.tokens.InputOffset()
	e.data, e.text = r.text[end-int64(len(raw)):end], true
	if raw.Kind() == 'n' {
		e.data = nil // null: no data
	}
	return nil
}

func (r *jsonReader) decodeBase64(e *envelope) *fact.Rejection {
	if kind := r.tokens.PeekKind(); kind != '"' && kind != 'n' {
		return r.mismatch("base64, as a string")
	}
	raw, rejection := r.scalar()
	if rejection != nil || raw.Kind() == 'n' {
		return rejection
	}
	text, rejection := r.unquote(raw, r.limits.Record)
	if rejection != nil {
		return rejection
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return r.reject(fact.ReasonEncoding, text, "base64: "+err.Error())
	}
	e.data = data
	return nil
}

// readAttribute takes strings; for the sequence a number too, because
// CloudEvents has integers. What version 1 does not name may be any JSON.
func (r *jsonReader) readAttribute(e *envelope, name string) *fact.Rejection {
	if r.tokens.PeekKind() == 'n' { // null: the attribute is not set
		_, rejection := r.scalar()
		return rejection
	}
	at := e.attribute(name)
	if at == nil {
		value, rejection := r.value()
		if rejection == nil {
			e.extensions = append(e.extensions, member{name, appendValue(nil, value)})
		}
		return rejection
	}
	if kind := r.tokens.PeekKind(); kind != '"' && (kind != '0' || name != "sequence") {
		return r.mismatch("a string")
	}
	raw, rejection := r.scalar()
	if rejection != nil {
		return rejection
	}
	if raw.Kind() == '0' {
		*at = string(raw)
		return nil
	}
	switch at {
	case &e.typ, &e.specVersion, &e.contentType: // few words
		*at, rejection = r.envelopeText(raw)
	default:
		*at, rejection = r.unquote(raw, r.limits.String)
	}
	return rejection
}

// envelopeText is unquote for what an envelope says: the usual takes no memory.
func (r *jsonReader) envelopeText(raw jsontext.Value) (string, *fact.Rejection) {
	if same, ok := usual[string(raw[1:len(raw)-1])]; ok {
		return same, nil
	}
	return r.unquote(raw, r.limits.String)
}

// conflict tells where headers and body, that both claim to be the CloudEvent,
// disagree; nil when every attribute of the headers is the body's too.
func conflict(headers, body *envelope) *fact.Rejection {
	for _, name := range [...]string{
		"specversion", "id", "source", "type", "subject", "time",
		"sequence", "runid", "traceparent", "correlationid",
	} {
		inHeader, inBody := *headers.attribute(name), *body.attribute(name)
		if inHeader != "" && inHeader != inBody {
			return fact.Reject(fact.ReasonModeConflict, name, inHeader+" / "+inBody, "headers and body name the same event")
		}
	}
	for _, header := range headers.extensions {
		agrees := false
		for _, other := range body.extensions {
			agrees = agrees || other.name == header.name && bytes.Equal(other.value, header.value)
		}
		if !agrees {
			return fact.Reject(fact.ReasonModeConflict, header.name, string(header.value), "headers and body name the same event")
		}
	}
	return nil
}
