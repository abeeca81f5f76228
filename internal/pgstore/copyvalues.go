package pgstore

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

func appendRow(b []byte, c *rowsToCopy, codecs *pgtype.Map) ([]byte, error) {
	values, err := c.source.Values()
	if err != nil {
		return nil, err
	}
	if len(values) != len(c.types) {
		return nil, fmt.Errorf("encode row: %d values for %d columns", len(values), len(c.types))
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(values)))
	for i, v := range values {
		if b, err = appendValue(b, codecs, c.types[i], v); err != nil {
			return nil, fmt.Errorf("failed to encode args[%d]: %w", i, err) // as pgx words it: see isEncodeError
		}
	}
	return b, nil
}

// appendValue appends a value, or what a pointer points to, with its length
// before it. The forms that rows mostly have are written here, all others by
// pgx.
func appendValue(b []byte, codecs *pgtype.Map, oid uint32, v any) ([]byte, error) {
	switch v := v.(type) {
	case **string:
		if oid == pgtype.TextOID {
			return appendNullable(b, *v, appendBytes), nil
		}
	case *string:
		if oid == pgtype.TextOID {
			return appendBytes(b, *v), nil
		}
	case *[]byte:
		if oid == pgtype.ByteaOID && *v != nil {
			return appendBytes(b, *v), nil
		}
	case *json.RawMessage:
		switch {
		case *v == nil:
			return appendNull(b), nil
		case oid == pgtype.JSONBOID:
			b = binary.BigEndian.AppendUint32(b, uint32(len(*v)+1))
			b = append(b, 1) // version of jsonb's binary form
			return append(b, *v...), nil
		case oid == pgtype.JSONOID: // pgx would write what the pointer points to anew
			return appendBytes(b, *v), nil
		}
	case **int64:
		if oid == pgtype.Int8OID {
			return appendNullable(b, *v, appendInt64), nil
		}
	case *int64:
		if oid == pgtype.Int8OID {
			return appendInt64(b, *v), nil
		}
	case **int32:
		if oid == pgtype.Int4OID {
			return appendNullable(b, *v, appendInt32), nil
		}
	case *int32:
		if oid == pgtype.Int4OID {
			return appendInt32(b, *v), nil
		}
	case *int16:
		if oid == pgtype.Int2OID {
			b = binary.BigEndian.AppendUint32(b, 2)
			return binary.BigEndian.AppendUint16(b, uint16(*v)), nil
		}
	case *bool:
		if oid == pgtype.BoolOID {
			b = binary.BigEndian.AppendUint32(b, 1)
			if *v {
				return append(b, 1), nil
			}
			return append(b, 0), nil
		}
	case **float64:
		if oid == pgtype.Float8OID {
			return appendNullable(b, *v, appendFloat64), nil
		}
	case **time.Time:
		if oid == pgtype.TimestamptzOID {
			return appendNullable(b, *v, appendMoment), nil
		}
	case *time.Time:
		switch oid {
		case pgtype.TimestamptzOID:
			return appendMoment(b, *v), nil
		case pgtype.DateOID:
			return appendDate(b, *v), nil
		}
	}
	at := len(b)
	encoded, err := codecs.Encode(oid, pgtype.BinaryFormatCode, v, append(b, 0, 0, 0, 0))
	if err != nil {
		return nil, err
	}
	if encoded == nil {
		return appendNull(b), nil
	}
	binary.BigEndian.PutUint32(encoded[at:], uint32(len(encoded)-at-4))
	return encoded, nil
}

func appendNull(b []byte) []byte { return binary.BigEndian.AppendUint32(b, 0xffffffff) }

func appendNullable[V any](b []byte, v *V, appendOne func([]byte, V) []byte) []byte {
	if v == nil {
		return appendNull(b)
	}
	return appendOne(b, *v)
}

func appendBytes[T ~string | ~[]byte](b []byte, v T) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(v)))
	return append(b, v...)
}

func appendInt64(b []byte, v int64) []byte {
	b = binary.BigEndian.AppendUint32(b, 8)
	return binary.BigEndian.AppendUint64(b, uint64(v))
}

func appendInt32(b []byte, v int32) []byte {
	b = binary.BigEndian.AppendUint32(b, 4)
	return binary.BigEndian.AppendUint32(b, uint32(v))
}

func appendFloat64(b []byte, v float64) []byte {
	b = binary.BigEndian.AppendUint32(b, 8)
	return binary.BigEndian.AppendUint64(b, math.Float64bits(v))
}

// appendDate appends a date, which has no time zone.
func appendDate(b []byte, t time.Time) []byte {
	year, month, day := t.Date()
	days := time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix()/86_400 - postgresEpoch/86_400_000_000
	return appendInt32(b, int32(days))
}

// appendMoment appends a timestamptz, which has microseconds.
func appendMoment(b []byte, t time.Time) []byte {
	return appendInt64(b, t.Unix()*1e6+int64(t.Nanosecond()/1e3)-postgresEpoch)
}

// postgresEpoch is 2000-01-01 00:00 UTC in microseconds of Unix time: times in
// the binary form count from there.
const postgresEpoch = 946_684_800 * 1_000_000
