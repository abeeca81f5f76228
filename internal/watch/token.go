package watch

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
)

// Told is what a follower was told last of each execution.
type Told map[execution.ID]redisstore.Version

// ErrToken says that a text is no token of what is followed.
var ErrToken = errors.New("not a token of what is followed")

// Token is what was told as a text. It names the executions by a digest of all of
// them and has numbers in their order, 0 for a run of which nothing was told: a
// hundred executions are less than 2 KiB.
func (t Told) Token(ids []execution.ID) string {
	ids = sorted(ids)
	b := digestOf(ids)
	for _, id := range ids {
		timeline, run, row, ok := t[id].Parts()
		if !ok {
			b = append(b, 0)
			continue
		}
		b = binary.AppendUvarint(b, uint64(run))
		b = binary.AppendUvarint(b, uint64(timeline))
		b = binary.AppendUvarint(b, uint64(row))
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// ParseToken reads a token of the same executions, in whatever order; the empty text
// says that nothing was told. The error is ErrToken.
func ParseToken(token string, ids []execution.ID) (Told, error) {
	told := Told{}
	if token == "" {
		return told, nil
	}
	ids = sorted(ids)
	digest := digestOf(ids)
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || !bytes.HasPrefix(b, digest) {
		return nil, ErrToken
	}
	r := numbers{rest: b[len(digest):]}
	for _, id := range ids {
		run := r.next(1<<31 - 1)
		if run == 0 {
			continue
		}
		timeline, row := r.next(1<<32-1), r.next(1<<63-1)
		told[id] = redisstore.NewVersion(uint32(timeline), execution.RunNumber(run), int64(row))
		r.wrong = r.wrong || told[id] == ""
	}
	if r.wrong || len(r.rest) > 0 {
		return nil, ErrToken
	}
	return told, nil
}

// numbers reads what AppendUvarint wrote.
type numbers struct {
	rest  []byte
	wrong bool
}

func (r *numbers) next(most uint64) uint64 {
	n, length := binary.Uvarint(r.rest)
	if length <= 0 || n > most {
		r.rest, r.wrong = nil, true
		return 0
	}
	r.rest = r.rest[length:]
	return n
}

func sorted(ids []execution.ID) []execution.ID { return slices.Sorted(slices.Values(ids)) }

func digestOf(ids []execution.ID) []byte {
	h := sha256.New()
	for _, id := range ids {
		h.Write([]byte(id))
		h.Write([]byte{0})
	}
	return h.Sum(nil)[:8]
}
