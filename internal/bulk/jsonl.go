package bulk

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// jsonlWriter writes one object a line: numbers as numbers, with all their
// digits, JSON as it is, bytes in base64, times as texts. What JSON has no number
// for is a text: "NaN", "Infinity", "-Infinity".
type jsonlWriter struct {
	out     io.Writer
	columns []pgstore.Column
	names   [][]byte // quoted, with their colons
	line    []byte
}

func newJSONL(to io.Writer, columns []pgstore.Column) *jsonlWriter {
	w := &jsonlWriter{out: to, columns: columns}
	for i := range columns {
		w.names = append(w.names, append(quote(nil, columns[i].Name), ':'))
	}
	return w
}

// quote appends a text as JSON. Line separators that old JavaScript trips over
// are escaped.
func quote(b []byte, text string) []byte {
	b, err := jsontext.AppendQuote(b, text)
	if err != nil { // not valid UTF-8: it has been replaced
		return b
	}
	return b
}

func (w *jsonlWriter) write(cells []pgstore.Cell) error {
	w.line = append(w.line[:0], '{')
	for i := range cells {
		if i > 0 {
			w.line = append(w.line, ',')
		}
		w.line = append(w.line, w.names[i]...)
		if err := w.value(w.columns[i].Kind, &cells[i]); err != nil {
			return fmt.Errorf("write column %s: %w", w.columns[i].Name, err)
		}
	}
	w.line = append(w.line, '}', '\n')
	_, err := w.out.Write(w.line)
	return err
}

func (w *jsonlWriter) value(kind pgstore.Kind, c *pgstore.Cell) error {
	if c.Null {
		w.line = append(w.line, "null"...)
		return nil
	}
	switch kind {
	case pgstore.KindText:
		w.line = quote(w.line, string(c.Bytes))
	case pgstore.KindNumeric:
		if bytes.ContainsAny(c.Bytes, "NI") { // NaN, Infinity
			w.line = quote(w.line, string(c.Bytes))
			break
		}
		w.line = append(w.line, c.Bytes...)
	case pgstore.KindJSON:
		// One line: json, other than jsonb, is given back as it was written.
		v := jsontext.Value(bytes.Clone(c.Bytes))
		if err := v.Compact(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
			return err
		}
		w.line = append(w.line, v...)
	case pgstore.KindBool:
		w.line = strconv.AppendBool(w.line, c.Int != 0)
	case pgstore.KindInt32, pgstore.KindInt64:
		w.line = strconv.AppendInt(w.line, c.Int, 10)
	case pgstore.KindDouble:
		if math.IsNaN(c.Double) || math.IsInf(c.Double, 0) {
			w.line = quote(w.line, doubleText(c.Double))
			break
		}
		w.line = strconv.AppendFloat(w.line, c.Double, 'g', -1, 64)
	case pgstore.KindBytes:
		w.line = append(w.line, '"')
		w.line = base64.StdEncoding.AppendEncode(w.line, c.Bytes)
		w.line = append(w.line, '"')
	case pgstore.KindTimestamp:
		w.line = quote(w.line, timestampText(c.Int))
	case pgstore.KindDate:
		w.line = quote(w.line, dateText(c.Int))
	}
	return nil
}

func (w *jsonlWriter) close() error { return nil }
