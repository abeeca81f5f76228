package pgstore

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// columnTypes remembers the types of the columns that are copied into. The
// server is asked once for each statement, not with each COPY.
type columnTypes struct {
	mu    sync.RWMutex
	known map[string][]uint32 // OIDs, by COPY statement
}

// of gives the statement that copies into the columns, and their types.
func (c *columnTypes) of(ctx context.Context, conn *pgx.Conn, table pgx.Identifier, columns []string) (statement string, types []uint32, err error) {
	quoted := make([]string, len(columns))
	for i, name := range columns {
		quoted[i] = pgx.Identifier{name}.Sanitize()
	}
	list := strings.Join(quoted, ", ")
	statement = "COPY " + table.Sanitize() + " (" + list + ") FROM STDIN BINARY"
	c.mu.RLock()
	types, ok := c.known[statement]
	c.mu.RUnlock()
	if ok {
		return statement, types, nil
	}
	described, err := conn.PgConn().Prepare(ctx, "", "SELECT "+list+" FROM "+table.Sanitize(), nil)
	if err != nil {
		return "", nil, err
	}
	for _, f := range described.Fields {
		types = append(types, f.DataTypeOID)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = map[string][]uint32{}
	}
	c.known[statement] = types
	return statement, types, nil
}

func (c *columnTypes) forget(statement string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, statement)
}

// copyChunk is about how much is encoded before it is sent.
const copyChunk = 48 << 10

// copyReader gives rows in the binary form of COPY. Source: PostgreSQL
// documentation, COPY, "Binary Format".
type copyReader struct {
	source pgx.CopyFromSource
	types  []uint32
	codecs *pgtype.Map

	begun, ended bool
	ready, rest  []byte // encoded; what of it has not been read
	err          error
}

// Read encodes as many rows as fill a chunk.
func (r *copyReader) Read(b []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.err != nil {
			return 0, r.err
		}
		if r.ended {
			return 0, io.EOF
		}
		if r.rest, r.err = r.encode(r.ready[:0]); r.err != nil {
			r.rest = nil
			return 0, r.err
		}
		r.ready = r.rest
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *copyReader) encode(b []byte) ([]byte, error) {
	if !r.begun {
		r.begun = true
		b = append(b, "PGCOPY\n\xff\r\n\x00"...)
		b = binary.BigEndian.AppendUint64(b, 0) // no flags, no extension
	}
	for len(b) < copyChunk {
		if !r.source.Next() {
			r.ended = true
			return binary.BigEndian.AppendUint16(b, 0xffff), r.source.Err()
		}
		values, err := r.source.Values()
		if err != nil {
			return nil, err
		}
		if len(values) != len(r.types) {
			return nil, fmt.Errorf("encode row: %d values for %d columns", len(values), len(r.types))
		}
		b = binary.BigEndian.AppendUint16(b, uint16(len(values)))
		for i, v := range values {
			if b, err = r.value(b, r.types[i], v); err != nil {
				return nil, fmt.Errorf("failed to encode args[%d]: %w", i, err) // as pgx words it: see isEncodeError
			}
		}
	}
	return b, nil
}

// value appends a value with its length before it. The forms that rows mostly
// have are written here, all others by pgx.
func (r *copyReader) value(b []byte, oid uint32, v any) ([]byte, error) {
	switch v := v.(type) {
	case string:
		if oid == pgtype.TextOID {
			b = binary.BigEndian.AppendUint32(b, uint32(len(v)))
			return append(b, v...), nil
		}
	case *string:
		if oid == pgtype.TextOID && v != nil {
			b = binary.BigEndian.AppendUint32(b, uint32(len(*v)))
			return append(b, *v...), nil
		}
	case []byte:
		if oid == pgtype.ByteaOID && v != nil {
			b = binary.BigEndian.AppendUint32(b, uint32(len(v)))
			return append(b, v...), nil
		}
	case json.RawMessage:
		if oid == pgtype.JSONBOID && v != nil {
			b = binary.BigEndian.AppendUint32(b, uint32(len(v)+1))
			b = append(b, 1) // version of jsonb's binary form
			return append(b, v...), nil
		}
	case int64:
		if oid == pgtype.Int8OID {
			b = binary.BigEndian.AppendUint32(b, 8)
			return binary.BigEndian.AppendUint64(b, uint64(v)), nil
		}
	case *int64:
		if oid == pgtype.Int8OID && v != nil {
			b = binary.BigEndian.AppendUint32(b, 8)
			return binary.BigEndian.AppendUint64(b, uint64(*v)), nil
		}
	case *int32:
		if oid == pgtype.Int4OID && v != nil {
			b = binary.BigEndian.AppendUint32(b, 4)
			return binary.BigEndian.AppendUint32(b, uint32(*v)), nil
		}
	case int16:
		if oid == pgtype.Int2OID {
			b = binary.BigEndian.AppendUint32(b, 2)
			return binary.BigEndian.AppendUint16(b, uint16(v)), nil
		}
	case int32:
		if oid == pgtype.Int4OID {
			b = binary.BigEndian.AppendUint32(b, 4)
			return binary.BigEndian.AppendUint32(b, uint32(v)), nil
		}
	case bool:
		if oid == pgtype.BoolOID {
			b = binary.BigEndian.AppendUint32(b, 1)
			if v {
				return append(b, 1), nil
			}
			return append(b, 0), nil
		}
	case time.Time:
		switch oid {
		case pgtype.DateOID:
			year, month, day := v.Date()
			days := time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix()/86_400 - postgresEpoch/86_400_000_000
			b = binary.BigEndian.AppendUint32(b, 4)
			return binary.BigEndian.AppendUint32(b, uint32(int32(days))), nil
		case pgtype.TimestamptzOID:
			b = binary.BigEndian.AppendUint32(b, 8)
			return binary.BigEndian.AppendUint64(b, uint64(v.Unix()*1e6+int64(v.Nanosecond()/1e3)-postgresEpoch)), nil
		}
	}
	at := len(b)
	b = append(b, 0, 0, 0, 0)
	if raw, ok := v.(json.RawMessage); ok && raw == nil {
		binary.BigEndian.PutUint32(b[at:], 0xffffffff)
		return b, nil
	}
	encoded, err := r.codecs.Encode(oid, pgtype.BinaryFormatCode, v, b)
	if err != nil {
		return nil, err
	}
	if encoded == nil { // NULL
		binary.BigEndian.PutUint32(b[at:], 0xffffffff)
		return b, nil
	}
	binary.BigEndian.PutUint32(encoded[at:], uint32(len(encoded)-at-4))
	return encoded, nil
}

// postgresEpoch is 2000-01-01 00:00 UTC in microseconds of Unix time: times in
// the binary form count from there.
const postgresEpoch = 946_684_800 * 1_000_000
