package render

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

// none stands where there is no figure.
const none = "–"

// seconds is a duration for people: 340 ms, 2.5 s, 4 min 32 s, 36 h 0 min.
func seconds(s *float64) string {
	if s == nil || math.IsNaN(*s) || math.IsInf(*s, 0) {
		return none
	}
	v, sign := *s, ""
	if v < 0 {
		v, sign = -v, "−"
	}
	whole := int64(math.Round(v))
	switch {
	case v == 0:
		return "0 s"
	case v < 0.0005:
		return sign + "< 1 ms"
	case v < 0.9995:
		return sign + strconv.FormatFloat(v*1000, 'f', 0, 64) + " ms"
	case v < 9.95:
		return sign + trimZeros(strconv.FormatFloat(v, 'f', 1, 64)) + " s"
	case whole < 60:
		return sign + strconv.FormatInt(whole, 10) + " s"
	case whole < 3600:
		return sign + strconv.FormatInt(whole/60, 10) + " min" + nonzero(whole%60, "s")
	case whole < 48*3600:
		return sign + strconv.FormatInt(whole/3600, 10) + " h" + nonzero(whole%3600/60, "min")
	}
	return sign + strconv.FormatInt(whole/86400, 10) + " d" + nonzero(whole%86400/3600, "h")
}

func nonzero(n int64, unit string) string {
	if n == 0 {
		return ""
	}
	return " " + strconv.FormatInt(n, 10) + " " + unit
}

func trimZeros(s string) string {
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// number is a value with four significant digits, or all that it has before the point.
func number(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return none
	case v == 0:
		return "0"
	case a >= 1e15 || a < 1e-4:
		return strconv.FormatFloat(v, 'g', 4, 64)
	case a >= 1000:
		return strings.Replace(trimZeros(grouped(strconv.FormatFloat(v, 'f', 1, 64))), "-", "−", 1)
	default:
		digits := 3 - int(math.Floor(math.Log10(a)))
		return strings.Replace(trimZeros(strconv.FormatFloat(v, 'f', max(digits, 0), 64)), "-", "−", 1)
	}
}

func thousands(n int64) string { return grouped(strconv.FormatInt(n, 10)) }

// grouped puts a thin, unbreakable space between thousands.
func grouped(digits string) string {
	whole, rest, _ := strings.Cut(digits, ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "\u202f" + whole[i:]
	}
	if rest != "" {
		rest = "." + rest
	}
	return sign + whole + rest
}

func numberOr(v *float64) string {
	if v == nil {
		return none
	}
	return number(*v)
}

// signed is a change, with its sign.
func signed(v float64) string {
	if v > 0 {
		return "+" + number(v)
	}
	return number(v)
}

// percent is a relative change, such as +240 %.
func percent(v *float64) string {
	if v == nil {
		return none
	}
	p := *v * 100
	if math.Abs(p) >= 10 {
		p = math.Round(p)
	} else {
		p = math.Round(p*10) / 10
	}
	return signed(p) + "\u00a0%"
}

// stamp is a moment, in UTC, to the second.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") + "Z" }

func stampOr(t *time.Time) string {
	if t == nil {
		return none
	}
	return stamp(*t)
}

// exact is a moment for machines.
func exact(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999999Z07:00") }

func exactOr(t *time.Time) string {
	if t == nil {
		return ""
	}
	return exact(*t)
}

// asked says what an assertion wanted: < 400 ms within 30 s.
func asked(v *report.Validation) string {
	s := v.Expected
	if v.Threshold != nil {
		limit := parts(" ", v.Operator, number(*v.Threshold), v.Unit)
		if s == "" {
			s = limit
		} else if !strings.Contains(s, strconv.FormatFloat(*v.Threshold, 'f', -1, 64)) {
			s += " (" + limit + ")"
		}
	} else {
		s = parts(" ", v.Operator, s)
	}
	if v.Within != nil && !strings.Contains(s, "within") {
		s = parts(" ", s, "within "+seconds(v.Within))
	}
	return s
}

// ofTotal is how much of a tally decided for passing: 11 of 12.
func ofTotal(t report.Tally) string {
	return strconv.Itoa(t.Passed) + " of " + strconv.Itoa(t.Total())
}

// tally says what is in a tally and leaves zeros out.
func tally(t report.Tally) string {
	var all []string
	for _, c := range []struct {
		n    int
		word string
	}{{t.Passed, "passed"}, {t.Failed, "failed"}, {t.Error, "error"}, {t.Skipped, "skipped"}} {
		if c.n > 0 {
			all = append(all, strconv.Itoa(c.n)+" "+c.word)
		}
	}
	if all == nil {
		return "none"
	}
	return strings.Join(all, ", ")
}

// name is what a run was of.
func name(r *report.Report) string {
	return or(r.Definition.Name, r.Run.ScenarioID, string(r.Run.ExecutionID), "(unnamed run)")
}
