package report

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds of the texts of a report, in bytes.
const (
	mostText    = 8 << 10  // of any text of a producer
	mostLine    = 2 << 10  // of a notable line
	mostEntry   = 240      // of an entry of the timeline
	mostQuoted  = 120      // of a producer's text inside a sentence of ours
	mostFree    = 4 << 10  // of evidence and of parameters, as JSON
	mostSummary = 16 << 10 // of summary and configuration, as JSON
)

// moment is a time as reports have it: UTC, and cut to the microsecond as rows of
// PostgreSQL are, so that events from Kafka and from rows give the same bytes.
func moment(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func momentOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(moment(t))
}

// seconds is a duration in seconds, cut to the microsecond as rows are.
func seconds(d time.Duration) float64 { return float64(d.Microseconds())/1e6 + 0 }

func secondsOrNil(d *time.Duration) *float64 {
	if d == nil {
		return nil
	}
	return new(seconds(*d))
}

// between is the time from a to b in seconds; nil where one is missing.
func between(a, b *time.Time) *float64 {
	if a == nil || b == nil {
		return nil
	}
	return new(seconds(b.Sub(*a)))
}

// cut is text of at most most bytes, with an ellipsis where something is missing.
// It holds no more memory than that.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	end := most - len("…")
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return strings.Clone(text[:end]) + "…"
}

func cutText(text string) string { return cut(text, mostText) }

// oneLine is text without line ends and other control characters, which are
// blanks, and of at most most bytes.
func oneLine(text string, most int) string {
	text = cut(text, most) // first: a text may be large
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text))
}

// quoted is a producer's text inside a sentence of ours.
func quoted(text string) string { return oneLine(text, mostQuoted) }

// withDetail is a sentence, and a detail after a colon where there is one.
func withDetail(sentence, detail string) string {
	if detail = strings.TrimSpace(detail); detail == "" {
		return sentence
	}
	return sentence + ": " + detail
}

// spell is a number of seconds for people: 1m30s.
func spell(s float64) string {
	const most = float64(math.MaxInt64) / float64(time.Second) / 2
	d := time.Duration(max(-most, min(most, s)) * float64(time.Second))
	if d.Abs() >= time.Minute {
		return d.Round(time.Second).String()
	}
	return d.Round(time.Millisecond).String()
}

// percent is a ratio for people: 0.25 is 25 %.
func percent(ratio float64) string {
	return strconv.FormatFloat(math.Round(ratio*1000)/10, 'f', -1, 64) + " %"
}

// number is a figure for people.
func number(f float64) string { return strconv.FormatFloat(f, 'g', 6, 64) }

// counted is a number of things: 1 fault, 2 faults.
func counted[N ~int | ~int32 | ~int64](n N, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return strconv.FormatInt(int64(n), 10) + " " + of + "s"
}

// finite is a figure that JSON can have; nil for any other.
func finite(f float64) *float64 {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return nil
	}
	return new(f + 0) // -0 + 0 = 0
}

// relative is how far a value is from a base, in relation to it; nil where the base
// is zero or the answer is beyond a float64.
func relative(value, base float64) *float64 {
	if base == 0 {
		return nil
	}
	return finite((value - base) / math.Abs(base))
}

// difference is a - b; nil where one is missing.
func difference(a, b *float64) *float64 {
	if a == nil || b == nil {
		return nil
	}
	return finite(*a - *b)
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}
