package pgstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// QuarantineLimits bound what open quarantined records take of the disk: a
// flood of poison must not fill it. Zero: no limit.
type QuarantineLimits struct {
	// Soft is how many bytes they may take before further records are kept in
	// part only: their address, the beginnings of key, headers and value, length
	// and sum.
	Soft int64
	// Hard is how many bytes they may take at all. What does not fit is not
	// quarantined, and nothing is dropped: the batch fails with ErrQuarantineFull.
	Hard int64
}

// ErrQuarantineFull says that a bad record finds no room in the quarantine: its
// partition cannot go on until an operator has made some.
var ErrQuarantineFull = errors.New("the quarantine is full")

// QuarantineUsage is what the open quarantined records take.
type QuarantineUsage struct {
	Records int64
	Bytes   int64 // with 512 for each row
}

// Quarantined says what a transaction has put into quarantine.
type Quarantined struct {
	Before, After QuarantineUsage // equal when it was nothing
	InPart        int             // records of which only the beginnings were kept, for want of room
}

// Crossed tells whether it was this transaction that reached a limit.
func (q *Quarantined) Crossed(limit int64) bool {
	return limit > 0 && q.Before.Bytes <= limit && q.After.Bytes > limit
}

// Exceeded says that the soft limit, or the hard one, is reached, and what that
// means; nil when neither is.
func (l QuarantineLimits) Exceeded(u QuarantineUsage) error {
	switch {
	case l.Hard > 0 && u.Bytes+rowBytes > l.Hard:
		return fmt.Errorf("%d open records take %d bytes, the hard limit is %d: partitions stop at their next bad record; requeue or discard some", u.Records, u.Bytes, l.Hard)
	case l.Soft > 0 && u.Bytes > l.Soft:
		return fmt.Errorf("%d open records take %d bytes, the soft limit is %d: only the beginnings of further ones are kept; requeue or discard some", u.Records, u.Bytes, l.Soft)
	}
	return nil
}

// QuarantineLimits are those that the store was opened with.
func (s *Store) QuarantineLimits() QuarantineLimits { return s.quarantine }

// QuarantineUsage is what the open quarantined records take now.
func (s *Store) QuarantineUsage(ctx context.Context) (QuarantineUsage, error) {
	u, err := s.q.QuarantineUsage(ctx)
	return QuarantineUsage{u.OpenRecords, u.OpenBytes}, interpret("ask what the quarantine takes", err)
}

// Quarantined is what this transaction has put into quarantine so far.
func (tx *Tx) Quarantined() Quarantined { return tx.quarantined }

const (
	// sampleBytes is how much is kept of a key, of headers and of a value when
	// the quarantine is over its soft limit.
	sampleBytes = 1 << 10
	// rowBytes is what a row takes beside its values: quarantined_bytes in
	// schema.sql says the same.
	rowBytes = 512
)

// keptRecord is what is kept of a record.
type keptRecord struct {
	key, value []byte
	headers    json.RawMessage
	whole      bool // all that was given is kept
}

func (k *keptRecord) bytes() int64 {
	return int64(rowBytes + len(k.key) + len(k.value) + len(k.headers))
}

// keep makes what is kept of a record; a sample is the beginnings of it.
func keep(r *kafkarecord.Record, sample bool) (keptRecord, error) {
	k := keptRecord{key: r.Key, value: r.Value, whole: true}
	given := r.Headers
	if sample {
		k.key, k.value = beginning(r.Key), beginning(r.Value)
		given = beginningOf(r.Headers)
		k.whole = len(k.key) == len(r.Key) && len(k.value) == len(r.Value) && len(given) == len(r.Headers)
	}
	var err error
	k.headers, err = headersJSON(given)
	return k, err
}

func beginning(b []byte) []byte { return b[:min(len(b), sampleBytes)] }

// beginningOf are the first headers, as long as they are small together.
func beginningOf(headers []kafkarecord.Header) []kafkarecord.Header {
	left := sampleBytes
	for i, h := range headers {
		if left -= len(h.Key) + len(h.Value) + 2; left < 0 {
			return headers[:i]
		}
	}
	return headers
}

// room decides, record by record, what fits.
type room struct {
	limits QuarantineLimits
	used   int64
	inPart int
}

// take is what there is room for of one more record.
func (m *room) take(p *Poison) (keptRecord, error) {
	k, err := keep(&p.Record, false)
	if err != nil {
		return k, err
	}
	said := int64(len(p.Rejection.Field) + len(p.Rejection.Detail()))
	if m.limits.Soft > 0 && m.used+k.bytes()+said > m.limits.Soft {
		if k, err = keep(&p.Record, true); err != nil {
			return k, err
		}
		if !k.whole {
			m.inPart++
		}
	}
	m.used += k.bytes() + said
	if m.limits.Hard > 0 && m.used > m.limits.Hard {
		return k, fmt.Errorf("%w: the open records take %d bytes, and at most %d are allowed", ErrQuarantineFull, m.used-k.bytes()-said, m.limits.Hard)
	}
	return k, nil
}
