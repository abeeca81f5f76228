package execution

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"
)

// decodeExact reads JSON into maps, lists and scalars, with numbers as they
// were written. No text is no value.
func decodeExact(raw json.RawMessage) (value any, present bool, err error) {
	if len(raw) == 0 {
		return nil, false, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return nil, false, fmt.Errorf("read JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, false, errors.New("read JSON: more than one value")
	}
	return value, true, nil
}

// longestValue is how much of a value is shown, in bytes.
const longestValue = 240

// shortJSON is a value as JSON, cut.
func shortJSON(value any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // for people, not for pages
	_ = e.Encode(value)    // was JSON before
	s := strings.TrimSuffix(b.String(), "\n")
	if len(s) <= longestValue {
		return s
	}
	return strings.ToValidUTF8(s[:longestValue], "") + "…"
}

// Bounds of the numbers that are computed with: of all others a short text
// would make a number of gigabytes. Every finite float64 of 32 characters is
// within.
const (
	longestNumber   = 64
	largestExponent = 400
)

// exactly is a JSON number as the fraction that it is; false when it is out of
// bounds.
func exactly(n json.Number) (*big.Rat, bool) {
	text := n.String()
	if len(text) > longestNumber {
		return nil, false
	}
	if at := strings.IndexAny(text, "eE"); at >= 0 {
		exponent, err := strconv.Atoi(text[at+1:])
		if err != nil || exponent > largestExponent || exponent < -largestExponent {
			return nil, false
		}
	}
	return new(big.Rat).SetString(text)
}

// numbers are two values as numbers, if both are.
func numbers(a, b any) (x, y *big.Rat, ok bool) {
	m, first := a.(json.Number)
	n, second := b.(json.Number)
	if !first || !second {
		return nil, nil, false
	}
	x, first = exactly(m)
	y, second = exactly(n)
	return x, y, first && second
}

// sameScalar tells whether two scalars are the same, numbers by value: 1.0 is
// 1, and 0.1 is not 0.10000000000000001.
func sameScalar(a, b any) bool {
	if a == b {
		return true
	}
	x, y, ok := numbers(a, b)
	return ok && x.Cmp(y) == 0
}

func isContainer(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}

// decimal is a number for people: exact when it has few digits, else with 17
// significant ones.
func decimal(r *big.Rat) string {
	const most = 40
	if places, exact := r.FloatPrec(); exact && places <= most {
		if s := r.FloatString(places); len(s) <= most {
			return s
		}
	}
	return new(big.Float).SetPrec(128).SetRat(r).Text('g', 17)
}

// relativeTo is delta / |base|; nil when base is zero, or when the answer is
// too large for a float64.
func relativeTo(delta, base *big.Rat) *float64 {
	if base.Sign() == 0 {
		return nil
	}
	f, _ := new(big.Rat).Quo(delta, new(big.Rat).Abs(base)).Float64()
	if f-f != 0 { // infinite
		return nil
	}
	return &f
}
