package bulk

import (
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// A row group is held in memory until it is full.
const (
	rowGroupRows  = 25_000
	rowGroupBytes = 16 << 20 // of values before encoding
)

// parquetWriter writes columns with their types: timestamps in microseconds of
// UTC, dates, 32 and 64 bit integers, doubles, booleans, texts, JSON and bytes.
// All may be NULL, for a view does not say. A numeric is a text with all its
// digits. Infinite times are the greatest and the least number (the least but
// one, as DuckDB reads it).
type parquetWriter struct {
	out     *parquet.GenericWriter[any]
	columns []pgstore.Column
	place   []int // of each column of the view among those of the file, which sorts them by name
	row     parquet.Row
	rows    int64
	bytes   int64
}

func newParquet(to io.Writer, columns []pgstore.Column, comment string) (*parquetWriter, error) {
	group := parquet.Group{}
	for _, c := range columns {
		// Each column has an encoder of its own, which holds its window once for each
		// processor that it may use.
		group[c.Name] = parquet.Compressed(parquet.Optional(node(c.Kind)), &zstd.Codec{Level: zstd.SpeedDefault, Concurrency: 1})
	}
	schema := parquet.NewSchema("view", ordered{group, columns})
	w := &parquetWriter{columns: columns, row: make(parquet.Row, len(columns))}
	for _, path := range schema.Columns() {
		w.place = append(w.place, slices.IndexFunc(columns, func(c pgstore.Column) bool { return c.Name == path[0] }))
	}
	if len(w.place) != len(columns) {
		return nil, fmt.Errorf("a file of %d columns for %d", len(w.place), len(columns))
	}
	w.out = parquet.NewGenericWriter[any](to, schema, parquet.KeyValueMetadata("comment", comment), parquet.CreatedBy("tcda", "", ""),
		parquet.WriteBufferSize(0), parquet.PageBufferSize(128<<10), parquet.DataPageStatistics(true))
	return w, nil
}

// ordered is a group whose fields keep the order of the columns.
type ordered struct {
	parquet.Group
	columns []pgstore.Column
}

// Fields are those of the group.
func (o ordered) Fields() []parquet.Field {
	fields := o.Group.Fields()
	at := func(f parquet.Field) int {
		return slices.IndexFunc(o.columns, func(c pgstore.Column) bool { return c.Name == f.Name() })
	}
	slices.SortFunc(fields, func(a, b parquet.Field) int { return at(a) - at(b) })
	return fields
}

func node(kind pgstore.Kind) parquet.Node {
	switch kind {
	case pgstore.KindBool:
		return parquet.Leaf(parquet.BooleanType)
	case pgstore.KindInt32:
		return parquet.Int(32)
	case pgstore.KindInt64:
		return parquet.Int(64)
	case pgstore.KindDouble:
		return parquet.Leaf(parquet.DoubleType)
	case pgstore.KindJSON:
		return parquet.JSON()
	case pgstore.KindBytes:
		return parquet.Leaf(parquet.ByteArrayType)
	case pgstore.KindTimestamp:
		return parquet.Timestamp(parquet.Microsecond)
	case pgstore.KindDate:
		return parquet.Date()
	case pgstore.KindText, pgstore.KindNumeric:
	}
	return parquet.String()
}

func (w *parquetWriter) write(cells []pgstore.Cell) error {
	for i, place := range w.place {
		c := &cells[place]
		if c.Null {
			w.row[i] = parquet.NullValue().Level(0, 0, i)
			continue
		}
		w.row[i] = value(w.columns[place].Kind, c).Level(0, 1, i)
		w.bytes += 8 + int64(len(c.Bytes))
	}
	if _, err := w.out.WriteRows([]parquet.Row{w.row}); err != nil {
		return fmt.Errorf("write a row: %w", err)
	}
	if w.rows++; w.rows >= rowGroupRows || w.bytes >= rowGroupBytes {
		w.rows, w.bytes = 0, 0
		if err := w.out.Flush(); err != nil {
			return fmt.Errorf("write a row group: %w", err)
		}
	}
	return nil
}

func value(kind pgstore.Kind, c *pgstore.Cell) parquet.Value {
	switch kind {
	case pgstore.KindBool:
		return parquet.BooleanValue(c.Int != 0)
	case pgstore.KindInt32:
		return parquet.Int32Value(int32(c.Int)) //nolint:gosec // of a column of 32 bits
	case pgstore.KindInt64:
		return parquet.Int64Value(c.Int)
	case pgstore.KindDouble:
		return parquet.DoubleValue(c.Double)
	case pgstore.KindTimestamp:
		return parquet.Int64Value(max(c.Int, -math.MaxInt64))
	case pgstore.KindDate:
		return parquet.Int32Value(int32(min(max(c.Int, -math.MaxInt32), math.MaxInt32))) //nolint:gosec // within its limits
	case pgstore.KindText, pgstore.KindNumeric, pgstore.KindJSON, pgstore.KindBytes:
	}
	return parquet.ByteArrayValue(c.Bytes)
}

func (w *parquetWriter) close() error {
	if err := w.out.Close(); err != nil {
		return fmt.Errorf("end a Parquet file: %w", err)
	}
	return nil
}
