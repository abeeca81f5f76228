package pgstore

import (
	"context"
	"encoding/binary"
	"reflect"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
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

// copyChunk is about how much is encoded before it is sent.
const copyChunk = 48 << 10

// copyBuffers are buffers of copyWriters.
var copyBuffers = sync.Pool{New: func() any { return new([]byte) }}

// copyWriter sends statements and the rows that those of them which copy read,
// in the binary form. Source: PostgreSQL documentation, COPY, "Binary Format",
// and "Message Formats", Query, CopyData and CopyDone.
type copyWriter struct {
	codecs *pgtype.Map
	to     *pgproto3.Frontend
	buffer []byte // encoded, not sent
	err    error  // of the connection; who reads from it will say more
}

// send sends the statements at once, and the rows behind them: each COPY begins
// to read where the one before it has ended. The error is of a value that cannot
// be sent; the server then gives up.
func (w *copyWriter) send(statements []string, copies []rowsToCopy) error {
	buffer := copyBuffers.Get().(*[]byte)
	w.buffer = (*buffer)[:0]
	defer func() {
		w.flush()
		*buffer = w.buffer
		copyBuffers.Put(buffer)
	}()
	at := w.begin('Q')
	w.buffer = append(w.buffer, strings.Join(statements, "; ")...)
	w.buffer = append(w.buffer, 0)
	w.end(at)
	for i := range copies {
		if err := w.copy(&copies[i]); err != nil {
			at := w.begin('f') // CopyFail
			w.buffer = append(w.buffer, "a value cannot be sent\x00"...)
			w.end(at)
			return interpret(copies[i].op, err)
		}
	}
	return nil
}

func (w *copyWriter) copy(c *rowsToCopy) error {
	at := w.begin('d') // CopyData
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
			at = w.begin('d')
		}
	}
	if err := c.source.Err(); err != nil {
		w.buffer = w.buffer[:at]
		return err
	}
	w.buffer = binary.BigEndian.AppendUint16(w.buffer, 0xffff)
	w.end(at)
	w.end(w.begin('c')) // CopyDone
	return nil
}

// begin begins a message, and end writes its length.
func (w *copyWriter) begin(kind byte) (at int) {
	at = len(w.buffer)
	w.buffer = append(w.buffer, kind, 0, 0, 0, 0)
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
