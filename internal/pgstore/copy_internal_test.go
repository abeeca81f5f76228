package pgstore

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
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
		at := reflect.New(reflect.TypeOf(test.value)) // rows are given as pointers to their values
		at.Elem().Set(reflect.ValueOf(test.value))
		got, err := appendValue(bytes.Clone(before), codecs, test.oid, at.Interface())
		if err != nil || !bytes.Equal(got, append(before, want...)) {
			t.Errorf("type %d, %T %.40v: % x, %v; want % x", test.oid, test.value, test.value, got[:min(len(got), 40)], err, want[:min(len(want), 40)])
		}
	}
}

func TestCopyNamesAValueThatHasNotTheTypeOfItsColumn(t *testing.T) {
	t.Parallel()
	c := &rowsToCopy{source: newStructRows([]struct{ Word string }{{"seven"}}), types: []uint32{pgtype.Int4OID}}
	c.source.Next()
	_, err := appendRow(nil, c, pgtype.NewMap())
	if err == nil || !isEncodeError(err) {
		t.Errorf("error %v, want one that is read as the data's fault", err)
	}
}

// What is copied must be what the generated code says, in its order.
func TestRowsAreCopiedAsTheGeneratedCodeWouldCopyThem(t *testing.T) {
	t.Parallel()
	checkRows(t, (*dbsqlc.Queries).InsertDetails)
	checkRows(t, (*dbsqlc.Queries).InsertEvents)
	checkRows(t, (*dbsqlc.Queries).InsertFaults)
	checkRows(t, (*dbsqlc.Queries).InsertLogs)
	checkRows(t, (*dbsqlc.Queries).InsertPhases)
	checkRows(t, (*dbsqlc.Queries).InsertRuns)
	checkRows(t, (*dbsqlc.Queries).InsertSnapshots)
	checkRows(t, (*dbsqlc.Queries).InsertSteps)
	checkRows(t, (*dbsqlc.Queries).InsertValidations)
}

func checkRows[R any](t *testing.T, into func(*dbsqlc.Queries, context.Context, []R) (int64, error)) {
	t.Helper()
	generated := &copyRecorder{}
	rows := make([]R, 2)
	if _, err := into(dbsqlc.New(generated), t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	ours := newStructRows(rows)
	for row := range rows {
		// The rows are zero, so a value is known by its place in memory: what is
		// set through our pointer is seen in the generated value.
		if !ours.Next() || !generated.source.Next() {
			t.Fatalf("%T: row %d is missing", rows, row)
		}
		values, _ := ours.Values()
		if len(values) != len(generated.columns) {
			t.Fatalf("%T: %d values for %d columns", rows, len(values), len(generated.columns))
		}
		for i := range values {
			to := reflect.ValueOf(values[i]).Elem()
			to.Set(other(to.Type()))
			theirs, err := generated.source.Values()
			if err != nil {
				t.Fatal(err)
			}
			for j, their := range theirs {
				if set := !reflect.ValueOf(&their).Elem().Elem().IsZero(); set != (i == j) {
					t.Errorf("%T: column %s is set: %v, by our value of %s", rows, generated.columns[j], set, generated.columns[i])
				}
			}
			to.SetZero()
		}
	}
	if ours.Next() || generated.source.Next() {
		t.Errorf("%T: there are more than %d rows", rows, len(rows))
	}
}

// other is a value that is not the zero of its type.
func other(of reflect.Type) reflect.Value {
	v := reflect.New(of).Elem()
	switch of.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(of.Elem()))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(of, 1, 1))
	case reflect.String:
		v.SetString("other")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Struct:
		v.Set(reflect.ValueOf(time.Unix(1, 0)))
	default:
		v.SetInt(1)
	}
	return v
}

// copyRecorder keeps what generated code gives to COPY; it can do nothing else.
type copyRecorder struct {
	dbsqlc.DBTX

	columns []string
	source  pgx.CopyFromSource
}

func (r *copyRecorder) CopyFrom(_ context.Context, _ pgx.Identifier, columns []string, source pgx.CopyFromSource) (int64, error) {
	r.columns, r.source = columns, source
	return 0, nil
}
