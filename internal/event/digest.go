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
func digest(typ fact.Type, subject string, at time.Time, sequence fact.Sequence, m proto.Message) (sum fact.Digest, err error) {
	withScratch(func(b []byte) []byte {
		if b, err = appendDigested(b, typ, subject, at, sequence, m); err == nil {
			sum = sha256.Sum256(b)
		}
		return b
	})
	return sum, err
}

func appendDigested(b []byte, typ fact.Type, subject string, at time.Time, sequence fact.Sequence, m proto.Message) ([]byte, error) {
	options := proto.MarshalOptions{Deterministic: true}
	size := options.Size(m)
	options.UseCachedSize = true

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
		return b, fmt.Errorf("encode %s for its digest: %w", typ, err)
	}
	return b, nil
}

func appendPart(b []byte, part string) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(len(part)))
	return append(b, part...)
}
