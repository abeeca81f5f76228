package render

import (
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"
)

// visible is a text without what would act on its reader instead of being read:
// control characters but tab and line ends become their pictures (␛ for escape),
// overrides of the writing direction, C1 controls and what XML cannot hold become
// \u202e and the like, bytes that are no UTF-8 become U+FFFD.
func visible(s string) string {
	if strings.IndexFunc(s, acts) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case !acts(r):
			b.WriteRune(r)
		case r < ' ':
			b.WriteRune('\u2400' + r)
		case r == utf8.RuneError:
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

func acts(r rune) bool {
	switch {
	case r == '\t', r == '\n', r == '\r':
		return false
	case r < ' ', r >= 0x7f && r < 0xa0:
		return true
	case r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0x061c: // direction
		return true
	case r == 0x2028, r == 0x2029: // line ends to some
		return true
	case r == 0xfeff, r == 0xfffe, r == 0xffff, r == utf8.RuneError:
		return true
	}
	return false
}

// copied is a deep copy in which each text is what change makes of it. visible
// leaves JSON values the values they are: within them it only makes escapes of
// JSON's own.
func copied[T any](v *T, change func(string) string) *T {
	return copyOf(reflect.ValueOf(v), change).Interface().(*T)
}

func unchanged(s string) string { return s }

func copyOf(v reflect.Value, change func(string) string) reflect.Value {
	c := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.String:
		c.SetString(change(v.String()))
	case reflect.Pointer:
		if !v.IsNil() {
			c.Set(reflect.New(v.Type().Elem()))
			c.Elem().Set(copyOf(v.Elem(), change))
		}
	case reflect.Slice:
		switch {
		case v.IsNil():
		case v.Type().Elem().Kind() == reflect.Uint8:
			c.SetBytes([]byte(change(string(v.Bytes()))))
		default:
			c.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
			for i := range v.Len() {
				c.Index(i).Set(copyOf(v.Index(i), change))
			}
		}
	case reflect.Map:
		if !v.IsNil() {
			c.Set(reflect.MakeMapWithSize(v.Type(), v.Len()))
			for key, value := range v.Seq2() {
				c.SetMapIndex(copyOf(key, change), copyOf(value, change))
			}
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return v
		}
		for i := range v.NumField() {
			c.Field(i).Set(copyOf(v.Field(i), change))
		}
	default:
		return v
	}
	return c
}

// cut shortens a text to a number of characters and says how many it lacks.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	n := utf8.RuneCountInString(s)
	if n <= most {
		return s
	}
	i, left := 0, most
	for i = range s {
		if left == 0 {
			break
		}
		left--
	}
	return fmt.Sprintf("%s… (%d more characters; the JSON has them)", s[:i], n-most)
}

// short is a label: a text on one line, cut without a word.
func short(s string, most int) string {
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}

// or is the first text that is not empty.
func or(texts ...string) string {
	for _, s := range texts {
		if s != "" {
			return s
		}
	}
	return ""
}

// parts joins what is not empty.
func parts(sep string, texts ...string) string {
	var all []string
	for _, s := range texts {
		if s != "" {
			all = append(all, s)
		}
	}
	return strings.Join(all, sep)
}

// plural counts things: 1 fault, 2 faults.
func plural[N int | int64](n N, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%s %ss", thousands(int64(n)), one)
}
