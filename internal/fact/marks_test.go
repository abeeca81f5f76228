package fact_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

func at(sequence fact.Sequence, id string) fact.Order {
	return fact.Order{
		Sequence: sequence,
		Time:     time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC),
		Key:      fact.NewKey("source", id, "subject"),
	}
}

func TestMarksZeroValueIsEmpty(t *testing.T) {
	t.Parallel()
	var m fact.Marks
	if got := m.Of(40); !got.IsZero() {
		t.Errorf("Of an untouched slot = %+v", got)
	}
	m.Reset(3) // of nothing: no effect, no panic
	if got := m.Of(3); !got.IsZero() {
		t.Errorf("Of a reset slot = %+v", got)
	}
}

func TestMarksLastAndFirst(t *testing.T) {
	t.Parallel()
	var m fact.Marks
	for i, step := range []struct {
		write func(int, fact.Order) bool
		slot  int
		order fact.Order
		want  bool
	}{
		{m.Last, 2, at(5, "a"), true},
		{m.Last, 2, at(4, "b"), false},
		{m.Last, 2, at(5, "a"), false}, // its own order again
		{m.Last, 2, at(6, "c"), true},
		{m.First, 0, at(5, "a"), true},
		{m.First, 0, at(6, "c"), false},
		{m.First, 0, at(5, "a"), false},
		{m.First, 0, at(4, "b"), true},
	} {
		if got := step.write(step.slot, step.order); got != step.want {
			t.Errorf("step %d: %v, want %v", i, got, step.want)
		}
	}
	if got := []fact.Order{m.Of(0), m.Of(1), m.Of(2)}; got[0] != at(4, "b") || !got[1].IsZero() || got[2] != at(6, "c") {
		t.Errorf("slots hold %+v", got)
	}
	m.Reset(2)
	if !m.Of(2).IsZero() || m.Of(0) != at(4, "b") {
		t.Error("Reset(2) did not empty slot 2 alone")
	}
}

func TestMarksCloneIsIndependent(t *testing.T) {
	t.Parallel()
	var m fact.Marks
	m.Last(0, at(1, "a"))
	c := m.Clone()
	c.Last(0, at(2, "b"))
	c.Last(1, at(2, "b"))
	if m.Of(0) != at(1, "a") || !m.Of(1).IsZero() {
		t.Error("the clone wrote into its origin")
	}
	if c.Of(0) != at(2, "b") || c.Of(1) != at(2, "b") {
		t.Error("the clone did not take the orders")
	}
}

// someMarks draws marks with holes, and with few orders in many slots.
func someMarks(t *rapid.T) fact.Marks {
	orders := rapid.SliceOfN(anOrder(), 1, 8).Draw(t, "orders")
	var m fact.Marks
	for range rapid.IntRange(0, 40).Draw(t, "writes") {
		m.Last(rapid.IntRange(0, 24).Draw(t, "slot"), rapid.SampledFrom(orders).Draw(t, "order"))
	}
	return m
}

func TestMarksSurviveEncoding(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := someMarks(t)
		got, err := fact.ParseMarks(m.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		for slot := range 26 {
			if got.Of(slot) != m.Of(slot) {
				t.Fatalf("slot %d: read %+v, wrote %+v", slot, got.Of(slot), m.Of(slot))
			}
		}
		if !bytes.Equal(got.Bytes(), m.Bytes()) {
			t.Fatalf("read and written again: %x, was %x", got.Bytes(), m.Bytes())
		}
	})
}

func TestMarksFullToTheLastSlotSurviveEncoding(t *testing.T) {
	t.Parallel()
	var m fact.Marks
	for slot := range fact.MaxSlots {
		m.Last(slot, at(fact.Sequence(slot+1), "a"))
	}
	got, err := fact.ParseMarks(m.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for slot := range fact.MaxSlots {
		if got.Of(slot) != m.Of(slot) {
			t.Errorf("slot %d: read %+v, wrote %+v", slot, got.Of(slot), m.Of(slot))
		}
	}
}

// One byte names an order: a slot beyond would be stored as another's.
func TestMarksRefuseASlotTheyCannotStore(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("slot MaxSlots was accepted")
		}
	}()
	var m fact.Marks
	m.Last(fact.MaxSlots, at(1, "a"))
}

func TestMarksShareOrders(t *testing.T) {
	t.Parallel()
	var m fact.Marks
	for slot := range 10 {
		m.Last(slot, at(1, "a"))
	}
	if got, want := len(m.Bytes()), 2+fact.OrderSize+10; got != want {
		t.Errorf("%d bytes for one order in ten slots, want %d", got, want)
	}
}

func TestParseMarks(t *testing.T) {
	t.Parallel()
	var one fact.Marks
	one.Last(1, at(7, "a"))
	valid := one.Bytes()
	for name, test := range map[string]struct {
		bytes   []byte
		refused bool
	}{
		"nothing":                        {nil, false},
		"empty marks":                    {[]byte{1, 0}, false},
		"one order":                      {valid, false},
		"version byte only":              {valid[:1], true},
		"another version":                {append([]byte{2}, valid[1:]...), true},
		"cut within the orders":          {valid[:20], true},
		"more orders than bytes":         {[]byte{1, 255}, true},
		"a slot that names order 2 of 1": {append(append([]byte{}, valid...), 2), true},
		"an order out of range":          {append([]byte{1, 1}, bytes.Repeat([]byte{0xff}, fact.OrderSize)...), true},
		"more slots than there can be":   {append([]byte{1, 0}, make([]byte, fact.MaxSlots+1)...), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := fact.ParseMarks(test.bytes); (err != nil) != test.refused {
				t.Errorf("ParseMarks: %v, want refused %v", err, test.refused)
			}
		})
	}
}

// Whatever bytes are accepted keep their meaning when they are stored again.
func FuzzParseMarks(f *testing.F) {
	var m fact.Marks
	m.Last(0, at(1, "a"))
	m.Last(3, at(2, "b"))
	f.Add([]byte{})
	f.Add([]byte{1, 0, 0, 0})
	f.Add(m.Bytes())
	// Two orders of one key: no fold makes them, a damaged row might.
	twin := append([]byte{1, 2}, at(1, "a").Bytes()...)
	f.Add(append(append(twin, at(2, "a").Bytes()...), 1, 2))
	f.Fuzz(func(t *testing.T, b []byte) {
		read, err := fact.ParseMarks(b)
		if err != nil {
			return
		}
		again, err := fact.ParseMarks(read.Bytes())
		if err != nil {
			t.Fatalf("what was read cannot be read again: %v", err)
		}
		if diff := cmp.Diff(read, again, cmp.AllowUnexported(fact.Marks{}), cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
	})
}
