// Package fact holds what all accepted events have in common, whatever they
// are about: identity, order, and the closed list of reasons for which a
// record never becomes one.
//
// A fact is an event that the service has accepted. The package knows nothing
// of Kafka, CloudEvents encodings or tables; the wire form is decoded by
// package event, and what a fact means is decided by packages execution and
// scenario.
package fact

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"time"
)

// Key identifies an event: sha-256 over (source, id, subject), each
// length-prefixed, so that no two triples share a key by concatenation.
type Key [sha256.Size]byte

// NewKey computes the key of an event.
func NewKey(source, id, subject string) Key {
	b := make([]byte, 0, 512) // enough for nearly all, on the stack
	for _, s := range [...]string{source, id, subject} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(s)))
		b = append(b, s...)
	}
	return sha256.Sum256(b)
}

// String is the key in lower-case hex, as people see it.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// Digest is sha-256 over the canonical form of an event: the same for JSON and
// protobuf, binary and structured mode. Same key and same digest is a
// duplicate; same key and another digest is an id conflict.
type Digest [sha256.Size]byte

// DigestVersion names the canonical form that Digest is computed over. It is
// stored with each event, so that a change of the form cannot turn old
// duplicates into conflicts.
const DigestVersion = 1

// String is the digest in lower-case hex.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// Header is the envelope of an accepted event.
type Header struct {
	Key    Key
	Digest Digest

	Source  string
	ID      string
	Subject string    // the aggregate's id
	Type    Type      // with prefix and version
	Time    time.Time // when it happened, UTC, nanoseconds kept

	Sequence      Sequence // rising per subject and run; NoSequence when the producer gave none
	RunID         string   // opaque, new for each run; empty when the producer gave none
	TraceParent   string   // W3C trace context; empty when absent
	CorrelationID string

	// Suspect marks a time later than the accepted future (24 h by default).
	// Such an event is ordered by its sequence and never opens a run.
	Suspect bool

	Data       json.RawMessage // canonical JSON of the data, as stored; large parts that have rows of their own are left out
	Extensions json.RawMessage // extension attributes that version 1 does not name; nil when none
	Unknown    json.RawMessage // fields of the data that version 1 does not name; nil when none
}

// Order is the event's place among the events of its aggregate.
func (h *Header) Order() Order {
	return Order{Sequence: h.Sequence.orLast(), Time: h.Time, Key: h.Key}
}
