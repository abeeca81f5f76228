package report

import (
	"encoding/json"
	"reflect"
	"time"
)

// What the tests of this package look at from outside.
var (
	Normalise = normalise
	Meaning   = meaning
	OneLine   = oneLine
	Cut       = cut
)

// Sample is what is kept of a series.
func Sample(points []Point) []Point {
	var s sampled
	for _, p := range points {
		s.add(p)
	}
	return s.points()
}

// MetricOf is a metric with values before and since the first fault.
func MetricOf(at time.Time, before, since []float64) MetricImpact {
	var s series
	for i, v := range before {
		s.add(at.Add(time.Duration(i)*time.Second), v, false)
	}
	for i, v := range since {
		s.add(at.Add(time.Hour+time.Duration(i)*time.Second), v, true)
	}
	return s.impact("m", len(since) > 0)
}

// Size is about how many bytes the builder holds.
func (b *Builder) Size() int { return sizeOf(reflect.ValueOf(b), map[uintptr]bool{}) }

// sizeOf walks what a value refers to; what is shared counts once where a pointer
// leads to it.
func sizeOf(v reflect.Value, seen map[uintptr]bool) int {
	size := int(v.Type().Size())
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || seen[v.Pointer()] {
			return size
		}
		seen[v.Pointer()] = true
		return size + sizeOf(v.Elem(), seen)
	case reflect.Interface:
		if v.IsNil() {
			return size
		}
		return size + sizeOf(v.Elem(), seen)
	case reflect.String:
		return size + v.Len()
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			return size + v.Cap()
		}
		for i := range v.Len() {
			size += sizeOf(v.Index(i), seen)
		}
		return size
	case reflect.Map:
		for entries := v.MapRange(); entries.Next(); {
			size += sizeOf(entries.Key(), seen) + sizeOf(entries.Value(), seen)
		}
		return size
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return size
		}
		for i := range v.NumField() {
			size += sizeOf(v.Field(i), seen) - int(v.Field(i).Type().Size())
		}
		return size
	default:
		return size
	}
}
