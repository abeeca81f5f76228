package event

import (
	"bytes"
	"mime"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

const (
	attributePrefix   = "ce_"
	contentTypeHeader = "content-type"
	traceParentHeader = "traceparent" // as tracing libraries set it, beside CloudEvents
)

// readHeaders collects what the headers say; binary tells whether they claim
// to be a CloudEvent.
func (d *Decoder) readHeaders(headers []kafkarecord.Header) (e *envelope, contentType string, binary bool, rejection *fact.Rejection) {
	if len(headers) > d.limits.Headers {
		return nil, "", false, fact.Reject(fact.ReasonHeaderLimit, "headers", strconv.Itoa(len(headers)), "at most "+strconv.Itoa(d.limits.Headers)+" headers")
	}
	size, ours := 0, 0
	for _, h := range headers {
		size += len(h.Key) + len(h.Value)
		if isOurs(h.Key) {
			ours += len(h.Value)
		}
	}
	if size > d.limits.HeaderBytes {
		return nil, "", false, fact.Reject(fact.ReasonHeaderLimit, "headers", strconv.Itoa(size), "at most "+strconv.Itoa(d.limits.HeaderBytes)+" bytes in all headers")
	}

	e = &envelope{prefix: attributePrefix}
	var texts strings.Builder // one piece of memory for all values
	texts.Grow(ours)
	plainTrace := ""
	for i, h := range headers {
		if !isOurs(h.Key) {
			continue
		}
		if rejection := checkHeader(h, headers[:i]); rejection != nil {
			return nil, "", false, rejection
		}
		begin := texts.Len()
		texts.Write(h.Value)
		value := texts.String()[begin:]
		switch name, attribute := strings.CutPrefix(h.Key, attributePrefix); {
		case h.Key == contentTypeHeader:
			contentType = value
		case !attribute:
			plainTrace = value
		default:
			binary = true
			if at := e.attribute(name); at != nil {
				*at = value
			} else {
				e.extensions = append(e.extensions, member{name, appendString(nil, value)})
			}
		}
	}
	if e.traceParent == "" && isTraceParent(plainTrace) {
		e.traceParent = plainTrace
	}
	return e, contentType, binary, nil
}

// isOurs tells whether a header has to do with the event; others may be there.
func isOurs(name string) bool {
	return strings.HasPrefix(name, attributePrefix) || name == contentTypeHeader || name == traceParentHeader
}

func checkHeader(h kafkarecord.Header, before []kafkarecord.Header) *fact.Rejection {
	for _, other := range before {
		if other.Key == h.Key {
			return fact.Reject(fact.ReasonDuplicateKey, h.Key, string(h.Value), "a header given once")
		}
	}
	if !utf8.Valid(h.Value) || !utf8.ValidString(h.Key) {
		return fact.Reject(fact.ReasonUTF8, strings.ToValidUTF8(h.Key, "\uFFFD"), string(h.Value), "valid UTF-8")
	}
	if bytes.IndexByte(h.Value, 0) >= 0 || strings.IndexByte(h.Key, 0) >= 0 {
		return fact.Reject(fact.ReasonNUL, fact.Cut(h.Key), string(h.Value), "text without the character NUL")
	}
	return nil
}

// encoding is how data is written.
type encoding int

const (
	encodingJSON encoding = iota
	encodingProtobuf
	encodingStructured // a whole CloudEvent in JSON
	encodingNone       // nothing said
	encodingUnsupported
)

// encodingOf reads a content type.
func encodingOf(contentType string) encoding {
	switch contentType { // as nearly everybody writes them
	case "":
		return encodingNone
	case "application/json":
		return encodingJSON
	case "application/protobuf":
		return encodingProtobuf
	case "application/cloudevents+json":
		return encodingStructured
	}
	media, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		return encodingUnsupported
	}
	if charset := parameters["charset"]; charset != "" && !strings.EqualFold(charset, "utf-8") && !strings.EqualFold(charset, "us-ascii") {
		return encodingUnsupported
	}
	switch {
	case media == "application/cloudevents+json":
		return encodingStructured
	case strings.HasPrefix(media, "application/cloudevents"):
		return encodingUnsupported // batches, and CloudEvents' own protobuf
	case media == "application/json", media == "text/json", strings.HasSuffix(media, "+json"):
		return encodingJSON
	case media == "application/protobuf", media == "application/x-protobuf":
		return encodingProtobuf
	default:
		return encodingUnsupported
	}
}
