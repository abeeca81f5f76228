package verify

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// comparison goes through two values of one type and reports every field that
// differs. Values are compared as precisely as rows keep them: times and
// durations to the microsecond, JSON by what it means, nil lists as empty ones.
type comparison struct {
	report  *Report
	subject string
}

const absent = "absent"

// compare reports the differences between two values of the same type.
func (c comparison) compare(path string, stored, refolded any) {
	c.values(path, reflect.ValueOf(stored), reflect.ValueOf(refolded))
}

func (c comparison) differ(path, stored, refolded string) {
	c.report.add(c.subject, path, stored, refolded)
}

func (c comparison) values(path string, stored, refolded reflect.Value) {
	switch a := stored.Interface().(type) {
	case time.Time:
		b := refolded.Interface().(time.Time)
		if !a.Truncate(time.Microsecond).Equal(b.Truncate(time.Microsecond)) {
			c.differ(path, timeText(a), timeText(b))
		}
		return
	case time.Duration:
		b := refolded.Interface().(time.Duration)
		if a.Truncate(time.Microsecond) != b.Truncate(time.Microsecond) {
			c.differ(path, a.String(), b.String())
		}
		return
	case json.RawMessage:
		if b := refolded.Interface().(json.RawMessage); !sameJSON(a, b) {
			c.differ(path, jsonText(a), jsonText(b))
		}
		return
	case execution.Detail: // Set says only what a fold has touched
		c.compare(path, a.Value, refolded.Interface().(execution.Detail).Value)
		return
	case fact.Marks:
		if b := refolded.Interface().(fact.Marks); !bytes.Equal(a.Bytes(), b.Bytes()) {
			c.differ(path, short(hex.EncodeToString(a.Bytes())), short(hex.EncodeToString(b.Bytes())))
		}
		return
	case fact.Order:
		if b := refolded.Interface().(fact.Order); a.Compare(b) != 0 {
			c.differ(path, orderText(a), orderText(b))
		}
		return
	}
	c.kinds(path, stored, refolded)
}

func (c comparison) kinds(path string, stored, refolded reflect.Value) {
	switch stored.Kind() {
	case reflect.Pointer:
		if stored.IsNil() || refolded.IsNil() {
			if stored.IsNil() != refolded.IsNil() {
				c.differ(path, valueText(stored), valueText(refolded))
			}
			return
		}
		c.values(path, stored.Elem(), refolded.Elem())
	case reflect.Struct:
		for i := range stored.NumField() {
			field := stored.Type().Field(i)
			switch {
			case field.Anonymous:
				c.values(path, stored.Field(i), refolded.Field(i))
			case field.IsExported():
				c.values(join(path, field.Name), stored.Field(i), refolded.Field(i))
			}
		}
	case reflect.Map:
		c.maps(path, stored, refolded)
	case reflect.Slice:
		if stored.Len() != refolded.Len() {
			c.differ(path, valueText(stored), valueText(refolded))
			return
		}
		for i := range stored.Len() {
			c.values(path+"["+strconv.Itoa(i)+"]", stored.Index(i), refolded.Index(i))
		}
	default:
		if !stored.Equal(refolded) {
			c.differ(path, valueText(stored), valueText(refolded))
		}
	}
}

func (c comparison) maps(path string, stored, refolded reflect.Value) {
	keys := map[string]reflect.Value{}
	for _, m := range []reflect.Value{stored, refolded} {
		for _, k := range m.MapKeys() {
			keys[keyText(k)] = k
		}
	}
	names := make([]string, 0, len(keys))
	for name := range keys {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		a, b := stored.MapIndex(keys[name]), refolded.MapIndex(keys[name])
		at := path + "[" + name + "]"
		switch {
		case !a.IsValid():
			c.differ(at, absent, "present")
		case !b.IsValid():
			c.differ(at, "present", absent)
		default:
			c.values(at, a, b)
		}
	}
}

func join(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}

func keyText(k reflect.Value) string {
	if step, ok := k.Interface().(execution.StepKey); ok {
		return short(step.StepID) + "/" + strconv.Itoa(int(step.Attempt))
	}
	return short(fmt.Sprint(k.Interface()))
}

// valueText shows a value in a line.
func valueText(v reflect.Value) string {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return absent
		}
		return valueText(v.Elem())
	case reflect.String:
		return short(strconv.Quote(v.String()))
	default:
		return short(fmt.Sprintf("%v", v.Interface()))
	}
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return absent
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000Z")
}

func orderText(o fact.Order) string {
	if o.IsZero() {
		return absent
	}
	return fmt.Sprintf("%d %s %s", o.Sequence, o.Time.Format(time.RFC3339Nano), o.Key)
}

func jsonText(raw json.RawMessage) string {
	if raw == nil {
		return absent
	}
	return short(strconv.Quote(string(raw)))
}

// short cuts a text to the length of a line.
func short(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

// sameJSON compares by meaning: jsonb has its own order of names, its own
// spaces, and writes numbers out.
func sameJSON(a, b json.RawMessage) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	if bytes.Equal(a, b) {
		return true
	}
	x, errX := readJSON(a)
	y, errY := readJSON(b)
	return errX == nil && errY == nil && sameValue(x, y)
}

func readJSON(raw json.RawMessage) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

func sameValue(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for name, value := range a {
			other, ok := b[name]
			if !ok || !sameValue(value, other) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, sameValue)
	case json.Number:
		b, ok := b.(json.Number)
		return ok && (a == b || sameNumber(a, b))
	default: // string, bool, nil
		return a == b
	}
}

// sameNumber compares exactly, however the numbers are written.
func sameNumber(a, b json.Number) bool {
	x, okX := new(big.Rat).SetString(string(a))
	y, okY := new(big.Rat).SetString(string(b))
	return okX && okY && x.Cmp(y) == 0
}
