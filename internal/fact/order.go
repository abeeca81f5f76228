package fact

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"time"
)

// Sequence is a producer's number for an event, 1..2^53-1, rising per subject
// and run.
type Sequence int64

const (
	// NoSequence stands for an event without a sequence.
	NoSequence Sequence = 0
	// MaxSequence is the largest number that every JSON reader keeps exactly.
	MaxSequence Sequence = 1<<53 - 1
)

func (s Sequence) orLast() Sequence {
	if s == NoSequence {
		return MaxSequence + 1
	}
	return s
}

// Order is the place of an event among the events of its aggregate: by
// sequence (events without one come last), then by time, then by key. It is
// total and a property of the event alone: Kafka offsets are addresses, never
// order. The zero Order comes before every event.
type Order struct {
	Sequence Sequence
	Time     time.Time
	Key      Key
}

// IsZero tells whether no event has been seen.
func (o Order) IsZero() bool { return o.Sequence == 0 }

// Compare is -1, 0 or +1 as o comes before, is, or comes after p.
func (o Order) Compare(p Order) int {
	if c := cmp.Compare(o.Sequence, p.Sequence); c != 0 {
		return c
	}
	if c := o.Time.Compare(p.Time); c != 0 {
		return c
	}
	return bytes.Compare(o.Key[:], p.Key[:])
}

// After tells whether o comes after p.
func (o Order) After(p Order) bool { return o.Compare(p) > 0 }

// OrderSize is the length of an encoded Order in bytes.
const OrderSize = 8 + 8 + 4 + len(Key{})

// AppendBinary appends the order key as it is stored: big-endian sequence,
// seconds since 1970, nanoseconds, event key. Encoded keys compare, byte by
// byte, as the orders do; PostgreSQL sorts a timeline by them. That holds from
// 1970 on: no accepted event is dated earlier.
func (o Order) AppendBinary(b []byte) ([]byte, error) {
	b = binary.BigEndian.AppendUint64(b, uint64(o.Sequence))
	b = binary.BigEndian.AppendUint64(b, uint64(o.Time.Unix()))
	b = binary.BigEndian.AppendUint32(b, uint32(o.Time.Nanosecond()))
	return append(b, o.Key[:]...), nil
}

// Bytes is the order key as it is stored; see AppendBinary.
func (o Order) Bytes() []byte {
	b, _ := o.AppendBinary(make([]byte, 0, OrderSize))
	return b
}

// lastSecond is 9999-12-31T23:59:59Z: no accepted event is dated later.
const lastSecond = 253402300799

// UnmarshalBinary reads what AppendBinary wrote for the order of an event. A
// zero order or one outside the accepted times is an error.
func (o *Order) UnmarshalBinary(b []byte) error {
	if len(b) != OrderSize {
		return fmt.Errorf("order key of %d bytes, want %d", len(b), OrderSize)
	}
	seq, sec := binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
	nsec := binary.BigEndian.Uint32(b[16:])
	if seq == 0 || seq > uint64(MaxSequence)+1 || sec > lastSecond || nsec >= 1e9 {
		return fmt.Errorf("order key out of range: sequence %d, second %d, nanosecond %d", seq, sec, nsec)
	}
	o.Sequence = Sequence(seq)
	o.Time = time.Unix(int64(sec), int64(nsec)).UTC()
	copy(o.Key[:], b[20:])
	return nil
}
