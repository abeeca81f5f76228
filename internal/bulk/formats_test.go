package bulk_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/parquet-go/parquet-go"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/bulk"
)

func sumOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// hostile is a view with a column of every kind, and values that break things.
// The names of columns are not in order of the alphabet.
const hostile = `CREATE VIEW test_coordination.analytics_hostile AS
SELECT * FROM (VALUES
	(1, 9223372036854775807::bigint, 0.1::double precision, true, 'plain', '{"a": 1.50, "b": [null, "x"]}'::jsonb, '\x00ff'::bytea, '2026-04-01T12:00:00.123456+02:30'::timestamptz, '2026-04-01'::date, ARRAY['a', 'b,"c'], 12345678901234567890.12345::numeric, '[1,  2]'::json, interval '1 day 2 hours'),
	(2, -9223372036854775808, 'NaN', false, '=HYPERLINK("http://evil","x")', '"=1+1"', '', 'infinity', 'infinity', '{}', 'NaN', E'{"a":\n1}', interval '-1 second'),
	(3, 0, 'Infinity', NULL, '<script>alert(1)</script>', 'null', NULL, '-infinity', '-infinity', NULL, '-0.00', 'null', NULL),
	(4, NULL, '-Infinity', NULL, E'two\r\nlines, "quoted"\tand a tab', NULL, NULL, '0001-01-01T00:00:00Z', '0001-01-01', ARRAY[NULL, E'\n'], NULL, NULL, NULL),
	(5, NULL, 5e-324, NULL, '', NULL, NULL, '9999-12-31T23:59:59.999999Z', '9999-12-31', NULL, NULL, NULL, NULL),
	(6, NULL, 1.7976931348623157e308, NULL, NULL, NULL, NULL, '1969-12-31T23:59:59.999999Z', '1969-12-31', NULL, NULL, NULL, NULL),
	(7, NULL, '-0', NULL, '-1', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(8, NULL, NULL, NULL, '''; DROP TABLE executions; --', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(9, NULL, NULL, NULL, E'\x1b[2J\u2028\U0001F600＝1', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(10, NULL, NULL, NULL, '＝1+1', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(11, NULL, NULL, NULL, E'\r=1', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(12, NULL, NULL, NULL, '@SUM(1)', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(13, NULL, NULL, NULL, '+1', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
) AS t ("n", "long", "double", "yes", "a =text,""quoted""", "b_json", "bytes", "at", "day", "list", "exact", "old_json", "length")
ORDER BY n`

const textColumn = `a =text,"quoted"`

func (w *world) hostile(o func(*bulk.Options), format bulk.Format) []byte {
	w.Helper()
	w.exec(hostile)
	options := w.options("hostile", format)
	if o != nil {
		o(&options)
	}
	m := w.export(w.Context(), options)
	if m.Rows != 13 {
		w.Errorf("%d rows", m.Rows)
	}
	return w.read(filepath.Join(w.dir, "analytics_hostile"), m.Parts[0].File)
}

func TestCSV(t *testing.T) {
	t.Parallel()
	text := newWorld(t).hostile(nil, bulk.CSV)
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{
		{"n", "long", "double", "yes", textColumn, "b_json", "bytes", "at", "day", "list", "exact", "old_json", "length"},
		{"1", "9223372036854775807", "0.1", "true", "plain", `{"a": 1.50, "b": [null, "x"]}`, "AP8=", "2026-04-01T09:30:00.123456Z", "2026-04-01", `["a","b,\"c"]`, "12345678901234567890.12345", "[1,  2]", "1 day 02:00:00"},
		{"2", "-9223372036854775808", "NaN", "false", `'=HYPERLINK("http://evil","x")`, `"=1+1"`, "", "infinity", "infinity", "[]", "NaN", "{\"a\":\n1}", "'-00:00:01"},
		{"3", "0", "Infinity", "", "<script>alert(1)</script>", "null", "", "-infinity", "-infinity", "", "0.00", "null", ""},
		{"4", "", "-Infinity", "", "two\nlines, \"quoted\"\tand a tab", "", "", "0001-01-01T00:00:00Z", "0001-01-01", `[null,"\n"]`, "", "", ""}, // Go's reader takes the \r
		{"5", "", "5e-324", "", "", "", "", "9999-12-31T23:59:59.999999Z", "9999-12-31", "", "", "", ""},
		{"6", "", "1.7976931348623157e+308", "", "", "", "", "1969-12-31T23:59:59.999999Z", "1969-12-31", "", "", "", ""},
		{"7", "", "-0", "", "'-1", "", "", "", "", "", "", "", ""},
		{"8", "", "", "", "''; DROP TABLE executions; --", "", "", "", "", "", "", "", ""},
		{"9", "", "", "", "\x1b[2J\u2028\U0001F600＝1", "", "", "", "", "", "", "", ""},
		{"10", "", "", "", "'＝1+1", "", "", "", "", "", "", "", ""},
		{"11", "", "", "", "'\r=1", "", "", "", "", "", "", "", ""},
		{"12", "", "", "", "'@SUM(1)", "", "", "", "", "", "", "", ""},
		{"13", "", "", "", "'+1", "", "", "", "", "", "", "", ""},
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("CSV (-want +got):\n%s", diff)
	}
}

func TestRawCSVOfOneColumn(t *testing.T) {
	t.Parallel()
	text := newWorld(t).hostile(func(o *bulk.Options) { o.RawText, o.Columns = true, []string{textColumn} }, bulk.CSV)
	for _, line := range []string{"\n\"=HYPERLINK(\"\"http://evil\"\",\"\"x\"\")\"\n", "\n-1\n", "\r\nlines", "\n\"\"\n\"\"\n"} {
		if !strings.Contains(string(text), line) {
			t.Errorf("lacks %q:\n%q", line, text)
		}
	}
}

func TestJSONLines(t *testing.T) {
	t.Parallel()
	text := newWorld(t).hostile(nil, bulk.JSONL)
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(lines) != 13 {
		t.Fatalf("%d lines", len(lines))
	}
	wants := map[int]string{
		0:  `{"n":1,"long":9223372036854775807,"double":0.1,"yes":true,"a =text,\"quoted\"":"plain","b_json":{"a":1.50,"b":[null,"x"]},"bytes":"AP8=","at":"2026-04-01T09:30:00.123456Z","day":"2026-04-01","list":["a","b,\"c"],"exact":12345678901234567890.12345,"old_json":[1,2],"length":"1 day 02:00:00"}`,
		1:  `{"n":2,"long":-9223372036854775808,"double":"NaN","yes":false,"a =text,\"quoted\"":"=HYPERLINK(\"http://evil\",\"x\")","b_json":"=1+1","bytes":"","at":"infinity","day":"infinity","list":[],"exact":"NaN","old_json":{"a":1},"length":"-00:00:01"}`,
		2:  `{"n":3,"long":0,"double":"Infinity","yes":null,"a =text,\"quoted\"":"<script>alert(1)</script>","b_json":null,"bytes":null,"at":"-infinity","day":"-infinity","list":null,"exact":0.00,"old_json":null,"length":null}`,
		12: `{"n":13,"long":null,"double":null,"yes":null,"a =text,\"quoted\"":"+1","b_json":null,"bytes":null,"at":null,"day":null,"list":null,"exact":null,"old_json":null,"length":null}`,
	}
	for i, want := range wants {
		if diff := cmp.Diff(want, lines[i]); diff != "" {
			t.Errorf("line %d (-want +got):\n%s", i+1, diff)
		}
	}
	for i, line := range lines {
		if !json.Valid([]byte(line)) {
			t.Errorf("line %d is no JSON: %q", i+1, line)
		}
	}
}

func TestParquet(t *testing.T) {
	t.Parallel()
	text := newWorld(t).hostile(nil, bulk.Parquet)
	file, err := parquet.OpenFile(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, f := range file.Schema().Fields() {
		types = append(types, f.Name()+" "+f.Type().String())
	}
	wantTypes := []string{
		"n INT(32,true)", "long INT(64,true)", "double DOUBLE", "yes BOOLEAN", textColumn + " STRING", "b_json JSON", "bytes BYTE_ARRAY",
		"at TIMESTAMP(isAdjustedToUTC=true,unit=MICROS)", "day DATE", "list JSON", "exact STRING", "old_json JSON", "length STRING",
	}
	if diff := cmp.Diff(wantTypes, types); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
	rows := file.RowGroups()[0].Rows()
	defer func() { _ = rows.Close() }()
	buffer := make([]parquet.Row, 20)
	n, _ := rows.ReadRows(buffer) // io.EOF with the last
	if n != 13 {
		t.Fatalf("%d rows", n)
	}
	at := func(text string) int64 {
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		return at.UnixMicro()
	}
	want := [][]any{
		{int32(1), int64(math.MaxInt64), 0.1, true, "plain", `{"a": 1.50, "b": [null, "x"]}`, "\x00\xff", at("2026-04-01T09:30:00.123456Z"), int32(20544), `["a","b,\"c"]`, "12345678901234567890.12345", "[1,  2]", "1 day 02:00:00"},
		{int32(2), int64(math.MinInt64), math.NaN(), false, `=HYPERLINK("http://evil","x")`, `"=1+1"`, "", int64(math.MaxInt64), int32(math.MaxInt32), "[]", "NaN", "{\"a\":\n1}", "-00:00:01"},
		{int32(3), int64(0), math.Inf(1), nil, "<script>alert(1)</script>", "null", nil, int64(-math.MaxInt64), int32(-math.MaxInt32), nil, "0.00", "null", nil},
		{int32(4), nil, math.Inf(-1), nil, "two\r\nlines, \"quoted\"\tand a tab", nil, nil, at("0001-01-01T00:00:00Z"), int32(-719162), `[null,"\n"]`, nil, nil, nil},
		{int32(5), nil, 5e-324, nil, "", nil, nil, at("9999-12-31T23:59:59.999999Z"), int32(2932896), nil, nil, nil, nil},
		{int32(6), nil, math.MaxFloat64, nil, nil, nil, nil, int64(-1), int32(-1), nil, nil, nil, nil},
		{int32(7), nil, math.Copysign(0, -1), nil, "-1", nil, nil, nil, nil, nil, nil, nil, nil},
	}
	var got [][]any
	for _, row := range buffer[:len(want)] {
		cells := make([]any, len(row))
		for i, v := range row {
			switch {
			case v.IsNull():
			case v.Kind() == parquet.ByteArray:
				cells[i] = string(v.ByteArray())
			case v.Kind() == parquet.Boolean:
				cells[i] = v.Boolean()
			case v.Kind() == parquet.Int32:
				cells[i] = v.Int32()
			case v.Kind() == parquet.Int64:
				cells[i] = v.Int64()
			case v.Kind() == parquet.Double:
				cells[i] = v.Double()
			}
		}
		got = append(got, cells)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
}
