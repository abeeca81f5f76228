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
//	record ─ envelope.go     which mode (headers.go binary, structured.go JSON), attributes and their rules
//	       ─ jsonread.go     data in JSON     ─┐ strict: unique keys, depth, tokens, numbers, sizes, NUL
//	       ─ wire.go         data in protobuf ─┘ the same limits; both give the generated message
//	       ─ normalise.go    aliases become the canonical words
//	       ─ rules.go        the rules of the .proto files (protovalidate)
//	       ─ digest.go       the same for both encodings and both modes
//	       ─ jsonwrite.go    canonical JSON, as it is stored
//	       ─ payload_*.go    the domain's payload
package event
