package event

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// digest is sha-256 over type, subject, time, sequence and the deterministic
// protobuf of the known fields, each length-prefixed. A golden file holds each
// type's digest, and fact.DigestVersion is there to be raised.
func (k *kind) digest(subject string, at time.Time, sequence fact.Sequence, m proto.Message) (sum fact.Digest) {
	withScratch(func(b []byte) []byte {
		b = appendPart(b, string(k.typ))
		b = appendPart(b, subject)
		b = binary.BigEndian.AppendUint64(b, 12)
		b = binary.BigEndian.AppendUint64(b, uint64(at.Unix()))
		b = binary.BigEndian.AppendUint32(b, uint32(at.Nanosecond()))
		b = binary.BigEndian.AppendUint64(b, 8)
		b = binary.BigEndian.AppendUint64(b, uint64(sequence))
		size := len(b)
		b = append(b, make([]byte, 8)...)
		b = appendWire(b, k.plan, structOf(m))
		binary.BigEndian.PutUint64(b[size:], uint64(len(b)-size-8))
		sum = sha256.Sum256(b)
		return b
	})
	return sum
}

func appendPart(b []byte, part string) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(len(part)))
	return append(b, part...)
}
