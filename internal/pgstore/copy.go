package pgstore

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"
)

// columnTypes remembers the types of the columns that are copied into. The
// server is asked once for each statement, not with each COPY.
type columnTypes struct {
	mu    sync.RWMutex
	known map[string][]uint32 // OIDs, by COPY statement
}

func (c *columnTypes) of(statement string) ([]uint32, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	types, ok := c.known[statement]
	return types, ok
}

func (c *columnTypes) keep(statement string, types []uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = map[string][]uint32{}
	}
	c.known[statement] = types
}

func (c *columnTypes) forget(statement string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, statement)
}

// rowsToCopy is what one COPY writes.
type rowsToCopy struct {
	op        string // for its error
	statement string
	types     []uint32
	source    pgx.CopyFromSource
	written   int64
}

// structRows gives pointers to the values of generated rows, which lie in the
// order of their columns. The generated code puts each value into an interface
// of its own: a quarter of all allocations there were.
type structRows struct {
	rows   reflect.Value // a slice of structs
	next   int
	values []any // of the row before next
}

func newStructRows[R any](rows []R) *structRows {
	return &structRows{rows: reflect.ValueOf(rows), values: make([]any, reflect.TypeFor[R]().NumField())}
}

// Next goes on to the next row.
func (r *structRows) Next() bool {
	if r.next == r.rows.Len() {
		return false
	}
	row := r.rows.Index(r.next)
	for i := range r.values {
		r.values[i] = row.Field(i).Addr().Interface()
	}
	r.next++
	return true
}

// Values are valid until the next row.
func (r *structRows) Values() ([]any, error) { return r.values, nil }

// Err is of reading rows, which lie in memory.
func (r *structRows) Err() error { return nil }

// copying has the rows of the next COPY read from there.
func (p *pipeline) copying(rows pgx.CopyFromSource) { p.rows = rows }

// CopyFrom keeps rows for COPY. How many are written is seen later.
func (p *pipeline) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, source pgx.CopyFromSource) (int64, error) {
	if p.rows != nil {
		source, p.rows = p.rows, nil
	}
	quoted := make([]string, len(columns))
	for i, name := range columns {
		quoted[i] = pgx.Identifier{name}.Sanitize()
	}
	list := strings.Join(quoted, ", ")
	statement := "COPY " + table.Sanitize() + " (" + list + ") FROM STDIN BINARY"
	types, ok := p.types.of(statement)
	if !ok {
		if err := p.settle(); err != nil {
			return 0, err
		}
		described, err := p.conn.PgConn().Prepare(ctx, "", "SELECT "+list+" FROM "+table.Sanitize(), nil)
		if err != nil {
			return 0, interpret(p.op, err)
		}
		for _, f := range described.Fields {
			types = append(types, f.DataTypeOID)
		}
		p.types.keep(statement, types)
	}
	p.copies = append(p.copies, rowsToCopy{op: p.op, statement: statement, types: types, source: source})
	return 0, nil
}

// copyRows writes the rows that were kept for COPY, and ends the transaction
// with them if it should: all in one round trip, for each COPY begins to read
// where the one before it has ended.
func (p *pipeline) copyRows(ctx context.Context, commit bool) error {
	copies := p.copies
	p.copies = nil
	statements := make([]string, len(copies), len(copies)+1)
	for i := range copies {
		statements[i] = copies[i].statement
	}
	if commit {
		statements = append(statements, "commit")
	}
	if len(statements) == 0 {
		return nil
	}
	conn := p.conn.PgConn()
	results := conn.Exec(ctx, strings.Join(statements, "; "))
	var unsent error   // a value that cannot be sent
	if conn.IsBusy() { // it was sent
		w := &copyWriter{codecs: p.conn.TypeMap(), to: conn.Frontend()}
		unsent = w.copyAll(copies)
	}
	var dropped error
	for i := range copies {
		tag, err := nextTag(results)
		switch {
		case err == nil && tag.RowsAffected() != copies[i].written:
			dropped = fmt.Errorf("%s: %w: %d of %d were written", copies[i].op, ErrRowsDropped, tag.RowsAffected(), copies[i].written)
		case err != nil:
			p.types.forget(copies[i].statement) // a migration may have changed them
			switch {
			case unsent != nil:
				return unsent
			case commit && !refused(err):
				return fmt.Errorf("%w: %w", ErrInDoubt, interpret(copies[i].op, err))
			}
			return interpret(copies[i].op, err)
		}
	}
	if commit {
		switch tag, err := nextTag(results); {
		case err != nil:
			err = interpretCommit(err)
			if errors.Is(err, ErrInDoubt) {
				err = errors.Join(err, dropped) // for who finds that it was committed
			}
			return err
		case tag.String() == "ROLLBACK":
			return interpretCommit(pgx.ErrTxCommitRollback)
		}
	}
	if err := results.Close(); err != nil && !commit { // after COMMIT it is done
		return interpret("copy rows", err)
	}
	return dropped
}

// nextTag reads the result of the next statement.
func nextTag(results *pgconn.MultiResultReader) (pgconn.CommandTag, error) {
	if results.NextResult() {
		return results.ResultReader().Close()
	}
	if err := results.Close(); err != nil {
		return pgconn.CommandTag{}, err
	}
	return pgconn.CommandTag{}, errNoResult
}

var errNoResult = errors.New("a statement has no result")

// copyChunk is about how much is encoded before it is sent.
const copyChunk = 48 << 10

// copyWriter sends rows in the binary form of COPY. Source: PostgreSQL
// documentation, COPY, "Binary Format", and "Message Formats", CopyData and
// CopyDone.
type copyWriter struct {
	codecs *pgtype.Map
	to     *pgproto3.Frontend
	buffer []byte // encoded, not sent
	err    error  // of the connection; who reads from it will say more
}

// copyAll sends the rows of one COPY after the other. The error is of a value
// that cannot be sent; the server then gives up.
func (w *copyWriter) copyAll(copies []rowsToCopy) error {
	defer w.flush()
	for i := range copies {
		if err := w.copy(&copies[i]); err != nil {
			w.flush()
			w.to.Send(&pgproto3.CopyFail{Message: err.Error()})
			w.err = w.to.Flush()
			return interpret(copies[i].op, err)
		}
	}
	return nil
}

func (w *copyWriter) copy(c *rowsToCopy) error {
	at := w.begin()
	w.buffer = append(w.buffer, "PGCOPY\n\xff\r\n\x00"...)
	w.buffer = binary.BigEndian.AppendUint64(w.buffer, 0) // no flags, no extension
	for c.source.Next() {
		longer, err := appendRow(w.buffer, c, w.codecs)
		if err != nil {
			w.buffer = w.buffer[:at] // a message that was begun is none
			return err
		}
		w.buffer = longer
		c.written++
		if len(w.buffer) >= copyChunk {
			w.end(at)
			w.flush()
			at = w.begin()
		}
	}
	if err := c.source.Err(); err != nil {
		w.buffer = w.buffer[:at]
		return err
	}
	w.buffer = binary.BigEndian.AppendUint16(w.buffer, 0xffff)
	w.end(at)
	w.buffer = append(w.buffer, 'c', 0, 0, 0, 4) // CopyDone
	return nil
}

// begin begins a CopyData message, and end writes its length.
func (w *copyWriter) begin() (at int) {
	at = len(w.buffer)
	w.buffer = append(w.buffer, 'd', 0, 0, 0, 0)
	return at
}

func (w *copyWriter) end(at int) {
	binary.BigEndian.PutUint32(w.buffer[at+1:], uint32(len(w.buffer)-at-1))
}

func (w *copyWriter) flush() {
	if w.err == nil && len(w.buffer) > 0 {
		w.err = w.to.SendUnbufferedEncodedCopyData(w.buffer)
	}
	w.buffer = w.buffer[:0]
}

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
			return appendNullable(b, *v, appendText), nil
		}
	case *string:
		if oid == pgtype.TextOID {
			return appendText(b, *v), nil
		}
	case *[]byte:
		if oid == pgtype.ByteaOID && *v != nil {
			b = binary.BigEndian.AppendUint32(b, uint32(len(*v)))
			return append(b, *v...), nil
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
			b = binary.BigEndian.AppendUint32(b, uint32(len(*v)))
			return append(b, *v...), nil
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

func appendText(b []byte, v string) []byte {
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
