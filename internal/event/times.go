package event

import (
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// parseTime reads RFC 3339.
func parseTime(text string, limits *Limits) (time.Time, *flaw) {
	var t time.Time
	if !looksLikeTime(text) || t.UnmarshalText([]byte(text)) != nil {
		return time.Time{}, &flaw{fact.ReasonTime, "a time of RFC 3339 with at most nine digits of a second"}
	}
	t = t.UTC()
	return t, checkTime(t, limits)
}

// looksLikeTime holds a text to the form of RFC 3339, because the time package
// also takes one-digit hours, a comma for the point, and any offset.
func looksLikeTime(text string) bool {
	const form = "0000-00-00T00:00:00"
	if len(text) <= len(form) || !hasForm(text[:len(form)], form) {
		return false
	}
	rest := text[len(form):]
	if rest[0] == '.' {
		digits := len(rest) - 1 - len(strings.TrimLeft(rest[1:], "0123456789"))
		if digits < 1 || digits > 9 {
			return false
		}
		rest = rest[1+digits:]
	}
	if rest == "Z" {
		return true
	}
	return (hasForm(rest, "+00:00") || hasForm(rest, "-00:00")) && rest[1:3] < "24" && rest[4:] < "60"
}

// hasForm tells whether text is form with any digit where form has a zero.
func hasForm(text, form string) bool {
	if len(text) != len(form) {
		return false
	}
	for i := range len(form) {
		if c := text[i]; c != form[i] && (form[i] != '0' || c < '0' || c > '9') {
			return false
		}
	}
	return true
}

func checkTime(t time.Time, limits *Limits) *flaw {
	if t.Before(limits.Earliest) || t.Year() > 9999 {
		return &flaw{fact.ReasonTimeRange, "a time from " + limits.Earliest.Format(time.DateOnly) + " to the year 9999"}
	}
	return nil
}

// checkTimestamp is checkTime for a time that came in protobuf.
func checkTimestamp(t *timestamppb.Timestamp, limits *Limits) *flaw {
	if t.GetNanos() < 0 || t.GetNanos() > 999_999_999 {
		return &flaw{fact.ReasonTime, "nanos from 0 to 999999999"}
	}
	if t.CheckValid() != nil { // beyond what time.Time can be asked about
		return &flaw{fact.ReasonTimeRange, "a time from the year 1 to the year 9999"}
	}
	return checkTime(t.AsTime(), limits)
}

const durationRule = `a duration such as "1.5s", "2m" or "1h30m"`

// parseDuration reads proto durations ("1.5s") and Go durations ("2m"); the
// former are a subset of the latter.
func parseDuration(text string) (*durationpb.Duration, *flaw) {
	d, err := time.ParseDuration(text)
	if err != nil {
		if seconds, ok := strings.CutSuffix(text, "s"); ok && isNumber(seconds) && !strings.ContainsAny(seconds, "eE") {
			if _, err := strconv.ParseFloat(seconds, 64); err == nil {
				return nil, &flaw{fact.ReasonRange, "a duration of less than 292 years"}
			}
		}
		return nil, &flaw{fact.ReasonSchema, durationRule}
	}
	return durationpb.New(d), nil
}

// checkDuration holds a duration that came in protobuf to what time.Duration
// and JSON can say.
func checkDuration(d *durationpb.Duration) *flaw {
	if d.CheckValid() != nil || !proto.Equal(durationpb.New(d.AsDuration()), d) {
		return &flaw{fact.ReasonRange, "a duration of less than 292 years, seconds and nanos of one sign"}
	}
	return nil
}

// appendTime writes a time in quotes, in UTC, with as many digits of a second
// as it has.
func appendTime(b []byte, t time.Time) []byte {
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, time.RFC3339Nano)
	return append(b, '"')
}

// appendDuration writes a duration in quotes as proto JSON does: seconds with
// 0, 3, 6 or 9 digits behind the point.
func appendDuration(b []byte, d *durationpb.Duration) []byte {
	seconds, nanos := d.GetSeconds(), int64(d.GetNanos())
	b = append(b, '"')
	if seconds < 0 || nanos < 0 {
		b = append(b, '-')
		seconds, nanos = -seconds, -nanos
	}
	b = strconv.AppendInt(b, seconds, 10)
	if nanos > 0 {
		digits := strconv.Itoa(1_000_000_000 + int(nanos))[1:]
		for strings.HasSuffix(digits, "000") {
			digits = digits[:len(digits)-3]
		}
		b = append(b, '.')
		b = append(b, digits...)
	}
	return append(b, `s"`...)
}
