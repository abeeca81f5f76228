package event

import (
	"math"
	"strconv"
	"strings"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// maxInteger is the largest integer that every JSON reader keeps exactly.
const maxInteger = 1<<53 - 1

// A flaw is what is wrong with a value, before its place is known.
type flaw struct {
	reason fact.Reason
	rule   string
}

// parseDouble reads a JSON number as float64. Integers are held to +-(2^53-1)
// when written without fraction and exponent: beyond, readers differ about
// their value. Minus zero becomes zero, because PostgreSQL's numeric has none.
func parseDouble(text string, limits *Limits) (float64, *flaw) {
	if len(text) > limits.Number {
		return 0, &flaw{fact.ReasonNumber, "a number has at most " + strconv.Itoa(limits.Number) + " characters"}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return 0, &flaw{fact.ReasonNumber, "a number is a finite 64-bit float"}
	}
	if math.Abs(f) > maxInteger && limits.Number != math.MaxInt && !strings.ContainsAny(text, ".eE") {
		return 0, &flaw{fact.ReasonRange, "an integer lies within +-(2^53-1)"}
	}
	return f + 0, nil // -0 + 0 = 0
}

// parseInteger reads a JSON number as an integer of the given bits; 1e3 and
// 7.0 are integers too.
func parseInteger(text string, bits int, limits *Limits) (int64, *flaw) {
	if len(text) > limits.Number {
		return 0, &flaw{fact.ReasonNumber, "a number has at most " + strconv.Itoa(limits.Number) + " characters"}
	}
	low, high := int64(-maxInteger), int64(maxInteger)
	if bits == 32 {
		low, high = math.MinInt32, math.MaxInt32
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil && !math.IsInf(f, 0) || math.IsNaN(f) {
			return 0, &flaw{fact.ReasonSchema, "an integer"}
		}
		if f != math.Trunc(f) {
			return 0, &flaw{fact.ReasonSchema, "an integer"}
		}
		n = low - 1
		if float64(low) <= f && f <= float64(high) {
			n = int64(f)
		}
	}
	if n < low || n > high {
		return 0, &flaw{fact.ReasonRange, "an integer from " + strconv.FormatInt(low, 10) + " to " + strconv.FormatInt(high, 10)}
	}
	return n, nil
}

// isNumber tells whether text is a number as JSON writes it; strconv alone
// also reads hexadecimal, underscores, "inf" and a leading plus.
func isNumber(text string) bool {
	if text == "" {
		return false
	}
	digits := false
	for i := range len(text) {
		switch c := text[i]; {
		case '0' <= c && c <= '9':
			digits = true
		case c == '-' || c == '+' && i > 0 || c == '.' || c == 'e' || c == 'E':
		default:
			return false
		}
	}
	return digits
}

// appendDouble writes a number in its canonical form: integers within
// +-(2^53-1) plainly, all else as short as float64 allows, and what is an
// integer beyond with an exponent, so that it can be read again.
func appendDouble(b []byte, f float64) []byte {
	if f == math.Trunc(f) && math.Abs(f) <= maxInteger {
		return strconv.AppendInt(b, int64(f), 10)
	}
	if abs := math.Abs(f); abs < 1e-6 || abs > maxInteger {
		return strconv.AppendFloat(b, f, 'e', -1, 64)
	}
	return strconv.AppendFloat(b, f, 'f', -1, 64)
}
