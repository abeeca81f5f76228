package event

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// digest is sha-256 over type, subject, time, sequence and the deterministic
// protobuf of the known fields, each length-prefixed. m must hold no unknown
// fields. The library does not promise the same bytes for ever; a golden file
// holds each type's digest, and fact.DigestVersion is there to be raised.
func digest(typ fact.Type, subject string, at time.Time, sequence fact.Sequence, m proto.Message) (fact.Digest, error) {
	options := proto.MarshalOptions{Deterministic: true}
	size := options.Size(m)
	options.UseCachedSize = true

	b := make([]byte, 0, 5*8+12+8+len(typ)+len(subject)+size)
	b = appendPart(b, string(typ))
	b = appendPart(b, subject)
	b = binary.BigEndian.AppendUint64(b, 12)
	b = binary.BigEndian.AppendUint64(b, uint64(at.Unix()))
	b = binary.BigEndian.AppendUint32(b, uint32(at.Nanosecond()))
	b = binary.BigEndian.AppendUint64(b, 8)
	b = binary.BigEndian.AppendUint64(b, uint64(sequence))
	b = binary.BigEndian.AppendUint64(b, uint64(size))
	b, err := options.MarshalAppend(b, m)
	if err != nil {
		return fact.Digest{}, fmt.Errorf("encode %s for its digest: %w", typ, err)
	}
	return sha256.Sum256(b), nil
}

func appendPart(b []byte, part string) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(len(part)))
	return append(b, part...)
}
