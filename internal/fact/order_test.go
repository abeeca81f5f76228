package fact_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// anOrder draws orders close to each other, so that each part gets to decide a
// comparison, and from all over the accepted range.
func anOrder() *rapid.Generator[fact.Order] {
	return rapid.Custom(func(t *rapid.T) fact.Order {
		sequence := rapid.OneOf(
			rapid.SampledFrom([]fact.Sequence{1, 2, 255, 256, fact.MaxSequence, fact.MaxSequence + 1}),
			rapid.Map(rapid.Int64Range(1, 1<<53), func(n int64) fact.Sequence { return fact.Sequence(n) }),
		).Draw(t, "sequence")
		second := rapid.OneOf(
			rapid.Int64Range(1772359200, 1772359202),
			rapid.Int64Range(0, 253402300799), // 1970-01-01 .. 9999-12-31T23:59:59
		).Draw(t, "second")
		nanosecond := rapid.OneOf(
			rapid.SampledFrom([]int64{0, 1, 999, 1000, 999_999_999}),
			rapid.Int64Range(0, 999_999_999),
		).Draw(t, "nanosecond")
		key := fact.NewKey("source", rapid.SampledFrom([]string{"1", "2", "3", "4"}).Draw(t, "id"), "subject")
		return fact.Order{Sequence: sequence, Time: time.Unix(second, nanosecond).UTC(), Key: key}
	})
}

func TestOrderComparesBySequenceThenTimeThenKey(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	ascending := []fact.Order{
		{},
		{Sequence: 1, Time: at.Add(time.Hour), Key: fact.Key{9}},
		{Sequence: 2, Time: at, Key: fact.Key{1}},
		{Sequence: 2, Time: at, Key: fact.Key{2}},
		{Sequence: 2, Time: at.Add(time.Nanosecond), Key: fact.Key{1}},
		{Sequence: fact.MaxSequence, Time: at, Key: fact.Key{1}},
		{Sequence: fact.MaxSequence + 1, Time: at.Add(-time.Hour), Key: fact.Key{1}},
	}
	for i, a := range ascending {
		for j, b := range ascending {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = +1
			}
			if got := a.Compare(b); got != want {
				t.Errorf("Compare(%d, %d) = %d, want %d", i, j, got, want)
			}
			if got := a.After(b); got != (i > j) {
				t.Errorf("After(%d, %d) = %v", i, j, got)
			}
		}
	}
}

func TestEncodedOrdersSortAsOrdersDo(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := anOrder().Draw(t, "a"), anOrder().Draw(t, "b")
		if got, want := bytes.Compare(a.Bytes(), b.Bytes()), a.Compare(b); got != want {
			t.Fatalf("bytes compare %d, orders %d", got, want)
		}
	})
}

func TestOrderSurvivesEncoding(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := anOrder().Draw(t, "order")
		b, err := want.AppendBinary([]byte("prefix"))
		if err != nil {
			t.Fatal(err)
		}
		if len(b) != len("prefix")+fact.OrderSize || !bytes.Equal(b[len("prefix"):], want.Bytes()) {
			t.Fatalf("AppendBinary = %x, Bytes = %x", b, want.Bytes())
		}
		var got fact.Order
		if err := got.UnmarshalBinary(want.Bytes()); err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Fatalf("read %+v, wrote %+v", got, want)
		}
	})
}

func TestOrderRefusesBytesItNeverWrites(t *testing.T) {
	t.Parallel()
	const lastSecond = 253402300799
	for name, test := range map[string]struct {
		sequence, second uint64
		nanosecond       uint32
		refused          bool
	}{
		"lowest":                         {1, 0, 0, false},
		"highest":                        {1 << 53, lastSecond, 999_999_999, false},
		"no sequence at all":             {0, 1772359200, 0, true},
		"sequence above 2^53":            {1<<53 + 1, 1772359200, 0, true},
		"sequence that would wrap":       {math.MaxUint64, 1772359200, 0, true},
		"second of the year 10000":       {1, lastSecond + 1, 0, true},
		"second that overflows the time": {1, math.MaxInt64, 0, true},
		"second before 1970":             {1, math.MaxUint64, 0, true},
		"nanosecond of the next second":  {1, 1772359200, 1_000_000_000, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := binary.BigEndian.AppendUint64(nil, test.sequence)
			b = binary.BigEndian.AppendUint64(b, test.second)
			b = binary.BigEndian.AppendUint32(b, test.nanosecond)
			b = append(b, make([]byte, len(fact.Key{}))...)
			var o fact.Order
			if err := o.UnmarshalBinary(b); (err != nil) != test.refused {
				t.Errorf("UnmarshalBinary: %v, want refused %v", err, test.refused)
			}
			if test.refused && o != (fact.Order{}) {
				t.Errorf("a refused order was written: %+v", o)
			}
		})
	}
	for _, size := range []int{0, fact.OrderSize - 1, fact.OrderSize + 1} {
		var o fact.Order
		if err := o.UnmarshalBinary(make([]byte, size)); err == nil {
			t.Errorf("%d bytes were read as %+v", size, o)
		}
	}
}

// Whatever bytes are accepted, they keep their meaning: they are written back
// as they were, and compare as the orders do.
func FuzzOrder(f *testing.F) {
	low := fact.Order{Sequence: 1, Time: time.Unix(0, 0).UTC()}
	high := fact.Order{Sequence: fact.MaxSequence + 1, Time: time.Unix(253402300799, 999_999_999).UTC(), Key: fact.Key{0xff}}
	f.Add(low.Bytes(), high.Bytes())
	f.Add(high.Bytes(), bytes.Repeat([]byte{0x7f}, fact.OrderSize))
	f.Add([]byte{}, bytes.Repeat([]byte{0xff}, fact.OrderSize))
	f.Fuzz(func(t *testing.T, x, y []byte) {
		var a, b fact.Order
		if a.UnmarshalBinary(x) != nil || b.UnmarshalBinary(y) != nil {
			return
		}
		if !bytes.Equal(a.Bytes(), x) {
			t.Errorf("read %x, wrote %x", x, a.Bytes())
		}
		if got, want := a.Compare(b), bytes.Compare(x, y); got != want {
			t.Errorf("orders compare %d, bytes %d", got, want)
		}
	})
}
