package pgstore

import (
	"math"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// The conversions between columns and the domain's values. NULL is the zero
// time, nil or the empty value on the domain's side; in the arrays of a
// multi-row insert, which cannot hold NULL, the zero time and NaN stand for it.

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

func nullTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// nullable is nil for the zero value.
func nullable[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// valueOf is the zero value for nil.
func valueOf[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// seconds keeps microseconds, as durationOf gives them back: a value that is
// loaded and saved again stays what it was.
func seconds(d *time.Duration) *float64 {
	if d == nil {
		return nil
	}
	s := float64(d.Microseconds()) / 1e6
	return &s
}

func durationOf(s *float64) *time.Duration {
	if s == nil {
		return nil
	}
	d := time.Duration(math.Round(*s*1e6)) * time.Microsecond
	return &d
}

func orNaN(f *float64) float64 {
	if f == nil {
		return math.NaN()
	}
	return *f
}

func orderOf(b []byte) (fact.Order, error) {
	var o fact.Order
	if len(b) == 0 {
		return o, nil
	}
	err := o.UnmarshalBinary(b)
	return o, err
}

func orderBytes(o fact.Order) []byte {
	if o.IsZero() {
		return nil
	}
	return o.Bytes()
}
