package bulk

import (
	"encoding/base64"
	"encoding/csv"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/csvtext"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// csvWriter writes RFC 4180 with a heading. NULL is an empty cell, and so is the
// empty text.
type csvWriter struct {
	out     io.Writer
	csv     *csv.Writer
	columns []pgstore.Column
	raw     bool
	cells   []string
}

func newCSV(to io.Writer, columns []pgstore.Column, raw bool) (*csvWriter, error) {
	w := &csvWriter{out: to, csv: csv.NewWriter(to), columns: columns, raw: raw, cells: make([]string, len(columns))}
	for i := range columns {
		w.cells[i] = columns[i].Name
	}
	return w, w.csv.Write(w.cells)
}

func (w *csvWriter) write(cells []pgstore.Cell) error {
	for i := range cells {
		w.cells[i] = ""
		if !cells[i].Null {
			w.cells[i] = w.text(w.columns[i].Kind, &cells[i])
		}
	}
	if len(w.cells) == 1 && w.cells[0] == "" { // an empty line is no row to readers
		w.csv.Flush()
		_, err := io.WriteString(w.out, "\"\"\n")
		return err
	}
	return w.csv.Write(w.cells)
}

func (w *csvWriter) text(kind pgstore.Kind, c *pgstore.Cell) string {
	switch kind {
	case pgstore.KindText, pgstore.KindJSON:
		if w.raw {
			return string(c.Bytes)
		}
		return csvtext.Disarmed(string(c.Bytes))
	case pgstore.KindNumeric:
		return string(c.Bytes)
	case pgstore.KindBool:
		return strconv.FormatBool(c.Int != 0)
	case pgstore.KindInt32, pgstore.KindInt64:
		return strconv.FormatInt(c.Int, 10)
	case pgstore.KindDouble:
		return doubleText(c.Double)
	case pgstore.KindBytes:
		return base64.StdEncoding.EncodeToString(c.Bytes)
	case pgstore.KindTimestamp:
		return timestampText(c.Int)
	case pgstore.KindDate:
		return dateText(c.Int)
	}
	return ""
}

func (w *csvWriter) close() error {
	w.csv.Flush()
	return w.csv.Error()
}

// doubleText is a double in the fewest digits that give it back; NaN, Infinity
// and -Infinity as PostgreSQL writes them.
func doubleText(d float64) string {
	switch {
	case math.IsNaN(d):
		return "NaN"
	case math.IsInf(d, 1):
		return "Infinity"
	case math.IsInf(d, -1):
		return "-Infinity"
	}
	return strconv.FormatFloat(d, 'g', -1, 64)
}

// timestampText is RFC 3339 in UTC, to the microsecond. Of years that it has no
// place for there are more digits, or a sign, as in ISO 8601.
func timestampText(micros int64) string {
	switch micros {
	case pgstore.InfiniteFuture:
		return "infinity"
	case pgstore.InfinitePast:
		return "-infinity"
	}
	return moment(micros).Format("2006-01-02T15:04:05.999999Z")
}

func dateText(days int64) string {
	switch days {
	case pgstore.InfiniteFuture:
		return "infinity"
	case pgstore.InfinitePast:
		return "-infinity"
	}
	return time.Unix(0, 0).UTC().AddDate(0, 0, int(days)).Format(time.DateOnly)
}
