package evidence

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// Line is a line of events.jsonl.
type Line struct {
	// Event is the event as a CloudEvent in structured mode, whole: log lines and
	// snapshots too. Its runid is that of the manifest, and is not repeated.
	Event jsontext.Value `json:"event"`

	Record Record `json:"record"`

	// Chain is h(n), in hex: h(0) is 32 zero bytes, h(n) = sha-256 of h(n-1), key and
	// digest, 96 bytes.
	Chain string `json:"chain"`
}

// Record is what the service recorded about an event when it accepted it.
type Record struct {
	Key           string    `json:"key"`            // identity, in hex: sha-256 over source, id and subject
	Digest        string    `json:"digest"`         // of what it states, in hex
	DigestVersion int16     `json:"digest_version"` // fact.DigestVersion
	Arrival       int64     `json:"arrival"`        // number in the run by order of acceptance, from 1
	RecordedAt    time.Time `json:"recorded_at"`    // UTC, by the service's clock

	// Where it lies in Kafka; nothing of an event of the service itself.
	Topic     string `json:"topic,omitempty"`
	Partition *int32 `json:"partition,omitempty"`
	Offset    *int64 `json:"offset,omitempty"`

	RunGuessed  bool `json:"run_guessed,omitempty"`  // which run it belongs to was ambiguous
	TimeSuspect bool `json:"time_suspect,omitempty"` // its time was in the future

	// Inexact marks log lines that an early version of the service has stored: their
	// times were kept to the microsecond, and not whether a line had one of its own.
	// What they say is whole, their digest cannot be computed from it.
	Inexact bool `json:"inexact,omitempty"`

	Unknown jsontext.Value `json:"unknown_fields,omitempty"` // fields of its data that the contract does not name
}

// Event is an accepted event as it is stored.
type Event struct {
	fact.Header // Data as it is stored
	event.Rows  // and what has rows of its own

	DigestVersion int16
	Arrival       int64
	RecordedAt    time.Time
	Guessed       bool
	Topic         string // empty for an event of the service itself
	Partition     int32
	Offset        int64
}

// chain is a hash chain over events: see report.Inputs.
type chain [sha256.Size]byte

func (c chain) next(key fact.Key, digest fact.Digest) chain {
	var b [3 * sha256.Size]byte
	copy(b[:], c[:])
	copy(b[sha256.Size:], key[:])
	copy(b[2*sha256.Size:], digest[:])
	return sha256.Sum256(b[:])
}

func (c chain) String() string { return hex.EncodeToString(c[:]) }

// appendLine appends the line of an event, with its line break.
func appendLine(b []byte, e *Event, c chain) (line []byte, inexact bool, err error) {
	data, exact, err := event.RestoreWhole(&e.Header, e.Rows)
	if err != nil {
		return nil, false, err
	}
	b = append(b, `{"event":`...)
	if b, err = event.AppendArchived(b, &e.Header, data); err != nil {
		return nil, false, err
	}
	r := Record{
		Key: e.Key.String(), Digest: e.Digest.String(), DigestVersion: e.DigestVersion, Arrival: e.Arrival, RecordedAt: e.RecordedAt.UTC(),
		Topic: e.Topic, RunGuessed: e.Guessed, TimeSuspect: e.Suspect, Inexact: !exact,
	}
	if e.Topic != "" {
		r.Partition, r.Offset = &e.Partition, &e.Offset
	}
	if e.Unknown != nil {
		r.Unknown = jsontext.Value(e.Unknown).Clone()
		if err := r.Unknown.Canonicalize(); err != nil {
			return nil, false, fmt.Errorf("read unknown fields: %w", err)
		}
	}
	record, err := jsonv2.Marshal(&r)
	if err != nil {
		return nil, false, fmt.Errorf("write the record: %w", err)
	}
	b = append(append(b, `,"record":`...), record...)
	b = append(append(b, `,"chain":"`...), c.String()...)
	return append(b, "\"}\n"...), !exact, nil
}

// parseLine reads a line without its line break; nothing is judged but its form.
func parseLine(b []byte) (*Line, error) {
	l := &Line{}
	if err := jsonv2.Unmarshal(b, l, jsonv2.RejectUnknownMembers(true)); err != nil {
		return nil, err
	}
	return l, nil
}

// hash32 reads 32 bytes in lower-case hex.
func hash32[T ~[32]byte](text string) (h T, ok bool) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(h) || hex.EncodeToString(b) != text {
		return h, false
	}
	copy(h[:], b)
	return h, true
}

// asStored is the event of a line as the service's own tables give it to a report:
// with the digest that it was accepted with, and times of log lines to the
// microsecond, that of the event where one has none.
func asStored(e *execution.Event, r *Record, digest fact.Digest) *execution.Event {
	stored := *e
	stored.Digest = digest
	stored.Suspect = r.TimeSuspect
	stored.Unknown = json.RawMessage(r.Unknown)
	if p, ok := e.Payload.(*execution.LogAppended); ok {
		lines := make([]execution.LogLine, len(p.Lines))
		for i, l := range p.Lines {
			if l.Time.IsZero() {
				l.Time = e.Time
			}
			l.Time = l.Time.Truncate(time.Microsecond)
			lines[i] = l
		}
		stored.Payload = &execution.LogAppended{Lines: lines, Count: p.Count}
	}
	return &stored
}
