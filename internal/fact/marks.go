package fact

import (
	"errors"
	"fmt"
)

// Marks remembers, for each field of a folded entity, the order of the event
// that the field's value came from. Folding an event asks Last or First before
// it writes a field; because an answer depends on orders alone, any order of
// arrival gives the same fields.
//
// The zero value is ready to use. Slots are small constants, private to each
// entity; their numbers are stored, so they are never reused for another field.
type Marks struct {
	orders []Order
}

// MaxSlots is how many slots marks can have: one byte names an order in their
// stored form, and each slot may hold one of its own.
const MaxSlots = 255

// Of is the order of the event that slot's value came from; zero when none.
func (m *Marks) Of(slot int) Order {
	if slot < len(m.orders) {
		return m.orders[slot]
	}
	return Order{}
}

// Last tells whether o is later than what slot holds, and if so takes its
// place: the last writer wins.
func (m *Marks) Last(slot int, o Order) bool {
	if !o.After(m.Of(slot)) {
		return false
	}
	m.set(slot, o)
	return true
}

// First tells whether o is earlier than what slot holds, or the first to come,
// and if so takes its place: the first writer wins.
func (m *Marks) First(slot int, o Order) bool {
	if held := m.Of(slot); !held.IsZero() && o.Compare(held) >= 0 {
		return false
	}
	m.set(slot, o)
	return true
}

// Latest is the latest order that any slot holds; zero when none does.
func (m *Marks) Latest() (latest Order) {
	for _, o := range m.orders {
		if o.After(latest) {
			latest = o
		}
	}
	return latest
}

func (m *Marks) set(slot int, o Order) {
	if slot >= MaxSlots { // would be stored as the order of another slot
		panic(fmt.Sprintf("fold marks: slot %d of %d", slot, MaxSlots))
	}
	for len(m.orders) <= slot {
		m.orders = append(m.orders, Order{})
	}
	m.orders[slot] = o
}

// Reset empties a slot, for a field whose events are first compared by
// something other than their order.
func (m *Marks) Reset(slot int) {
	if slot < len(m.orders) {
		m.orders[slot] = Order{}
	}
}

// Clone is an independent copy.
func (m *Marks) Clone() Marks { return Marks{orders: append([]Order(nil), m.orders...)} }

const marksVersion = 1

// Bytes encodes the marks: a version byte, the number of distinct orders,
// those orders, then for each slot the index of its order plus one (0 for an
// empty slot). One event usually sets many slots, so orders are shared.
func (m *Marks) Bytes() []byte {
	var distinct []Order
	index := make([]byte, len(m.orders))
	for i, o := range m.orders {
		if o.IsZero() {
			continue
		}
		at := -1
		for j := range distinct {
			if distinct[j].Compare(o) == 0 {
				at = j
				break
			}
		}
		if at < 0 {
			distinct = append(distinct, o)
			at = len(distinct) - 1
		}
		index[i] = byte(at + 1)
	}
	b := make([]byte, 0, 2+len(distinct)*OrderSize+len(index))
	b = append(b, marksVersion, byte(len(distinct)))
	for _, o := range distinct {
		b, _ = o.AppendBinary(b)
	}
	return append(b, index...)
}

// ParseMarks reads what Bytes wrote. No bytes are no marks.
func ParseMarks(b []byte) (Marks, error) {
	if len(b) == 0 {
		return Marks{}, nil
	}
	if len(b) < 2 || b[0] != marksVersion {
		return Marks{}, errors.New("fold marks: unknown version")
	}
	n := int(b[1])
	b = b[2:]
	if len(b) < n*OrderSize {
		return Marks{}, fmt.Errorf("fold marks: %d bytes for %d orders", len(b), n)
	}
	distinct := make([]Order, n)
	for i := range distinct {
		if err := distinct[i].UnmarshalBinary(b[i*OrderSize : (i+1)*OrderSize]); err != nil {
			return Marks{}, fmt.Errorf("fold marks: %w", err)
		}
	}
	index := b[n*OrderSize:]
	if len(index) > MaxSlots {
		return Marks{}, fmt.Errorf("fold marks: %d slots, at most %d", len(index), MaxSlots)
	}
	m := Marks{orders: make([]Order, len(index))}
	for i, at := range index {
		if int(at) > n {
			return Marks{}, fmt.Errorf("fold marks: slot %d names order %d of %d", i, at, n)
		}
		if at > 0 {
			m.orders[i] = distinct[at-1]
		}
	}
	return m, nil
}
