package pgstore

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// Values written here must be those that pgx would write.
func TestCopyWritesValuesAsPgxDoes(t *testing.T) {
	t.Parallel()
	text, number, half, nan := "é", int64(7), 0.5, math.NaN()
	moment := time.Date(2026, 11, 25, 12, 30, 0, 123_456_789, time.UTC)
	for _, test := range []struct {
		oid   uint32
		value any
	}{
		{pgtype.TextOID, ""},
		{pgtype.TextOID, "a\x00é" + strings.Repeat("x", 70_000)},
		{pgtype.TextOID, &text},
		{pgtype.TextOID, (*string)(nil)},
		{pgtype.ByteaOID, []byte{}},
		{pgtype.ByteaOID, []byte{0, 0xff}},
		{pgtype.ByteaOID, []byte(nil)},
		{pgtype.JSONBOID, json.RawMessage(`{"a":1}`)},
		{pgtype.JSONBOID, json.RawMessage(nil)},
		{pgtype.JSONOID, json.RawMessage(`{"a" : 1}`)},
		{pgtype.JSONOID, json.RawMessage(nil)},
		{pgtype.Int8OID, int64(math.MinInt64)},
		{pgtype.Int8OID, &number},
		{pgtype.Int8OID, (*int64)(nil)},
		{pgtype.Int4OID, int32(math.MinInt32)},
		{pgtype.Int4OID, int32(math.MaxInt32)},
		{pgtype.Int2OID, int16(-2)},
		{pgtype.BoolOID, true},
		{pgtype.BoolOID, false},
		{pgtype.Float8OID, math.Inf(-1)},
		{pgtype.DateOID, time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)},
		{pgtype.DateOID, time.Date(1969, 12, 31, 0, 0, 0, 0, time.UTC)},
		{pgtype.Int4OID, new(int32)},
		{pgtype.Int4OID, (*int32)(nil)},
		{pgtype.DateOID, time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC)},
		{pgtype.TimestamptzOID, time.Date(2026, 11, 25, 12, 30, 0, 123_456_789, time.FixedZone("", -3*3600-1800))},
		{pgtype.TimestamptzOID, time.Date(1969, 12, 31, 23, 59, 59, 999_999_999, time.UTC)},
		{pgtype.TimestamptzOID, time.Time{}},
		{pgtype.TimestamptzOID, time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)},
		{pgtype.TimestamptzOID, (*time.Time)(nil)},
		{pgtype.TimestamptzOID, &moment},
		{pgtype.Float8OID, &half},
		{pgtype.Float8OID, &nan},
		{pgtype.Float8OID, (*float64)(nil)},
	} {
		codecs := pgtype.NewMap()
		want := []byte{0xff, 0xff, 0xff, 0xff}
		encoded, err := codecs.Encode(test.oid, pgtype.BinaryFormatCode, test.value, []byte{})
		if err != nil {
			t.Fatalf("type %d, %T: %v", test.oid, test.value, err)
		}
		if encoded != nil {
			want = append(binary.BigEndian.AppendUint32(nil, uint32(len(encoded))), encoded...)
		}
		before := []byte("before")
		got, err := appendValue(bytes.Clone(before), codecs, test.oid, test.value)
		if err != nil || !bytes.Equal(got, append(before, want...)) {
			t.Errorf("type %d, %T %.40v: % x, %v; want % x", test.oid, test.value, test.value, got[:min(len(got), 40)], err, want[:min(len(want), 40)])
		}
	}
}

func TestCopyNamesAValueThatHasNotTheTypeOfItsColumn(t *testing.T) {
	t.Parallel()
	c := &rowsToCopy{source: &oneRow{values: []any{"seven"}}, types: []uint32{pgtype.Int4OID}}
	_, err := appendRow(nil, c, pgtype.NewMap())
	if err == nil || !isEncodeError(err) {
		t.Errorf("error %v, want one that is read as the data's fault", err)
	}
}

// oneRow is a row to copy.
type oneRow struct {
	values []any
	given  bool
}

func (r *oneRow) Next() bool {
	next := !r.given
	r.given = true
	return next
}

func (r *oneRow) Values() ([]any, error) { return r.values, nil }
func (r *oneRow) Err() error             { return nil }
