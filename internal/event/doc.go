// Package event is the wire: it turns a Kafka record into an event of the
// domain, or into the reason why it is none, and writes such records for
// producers and for the service's own word on a run.
//
// It is a pure function of the record and the present time: no I/O, no state,
// safe for many goroutines. It must not know topics, offsets' meaning, tables
// or what an event does to a run. Definitions are only measured here; package
// scenario reads them.
//
// One record's way:
//
//	decode.go        the way itself, from size and mode to the event
//	headers.go       binary mode: attributes in headers
//	structured.go    structured mode: attributes in a JSON value
//	envelope.go      the rules of the attributes
//	jsonread.go      data in JSON, over jsontokens.go: unique keys, depth, tokens, numbers, sizes, NUL
//	wire.go          data in protobuf, after wiremeasure.go: the same limits, the same generated message
//	normalise.go     aliases become the canonical words
//	rules.go         the rules of the .proto files, run by protovalidate
//	digest.go        the same for both encodings and both modes
//	jsonwrite.go     canonical JSON, as it is stored
//	payload_*.go     the domain's payload; catalog.go knows which for each type
//
// The other way go restore.go (stored data to payload, for verification),
// whole.go (stored data and rows to the event as it came, for the archive),
// interrupted.go (the service's own event), encode.go (for producers) and
// outbound.go (what the service says to other programs).
package event
