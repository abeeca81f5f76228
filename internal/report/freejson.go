package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
)

// Free JSON is what producers may fill as they like: evidence, parameters,
// summaries. It comes as it was sent, or as PostgreSQL's jsonb gives it back: with
// other blanks, another order of keys, and numbers written in another way (1e2 is
// 100 there). A report has one form for all of them:
//
//   - no blanks, keys sorted, of equal keys the last one;
//   - a number by its exact decimal value, laid out as RFC 8785 lays numbers out;
//   - a number with more digits than a float64 keeps, such as an integer beyond 2^53,
//     is a text of these digits, as RFC 8785 (appendix D) and RFC 7493 (section 2.2)
//     advise. So no digit is lost, neither to readers nor to the digest, which is
//     over RFC 8785 and sees float64 only.
//
// What is no JSON, which no accepted event holds, is a text.
func normalise(raw json.RawMessage) json.RawMessage {
	return normalised(raw, func(n json.Number) any {
		exact, plain := exactly(n.String())
		if !plain {
			return exact
		}
		return json.Number(exact)
	})
}

// comparableJSON is normalise for values that are compared and not shown: all numbers
// stay numbers.
func comparableJSON(raw json.RawMessage) json.RawMessage {
	return normalised(raw, func(n json.Number) any {
		exact, _ := exactly(n.String())
		return json.Number(exact)
	})
}

func normalised(raw json.RawMessage, number func(json.Number) any) json.RawMessage {
	if len(raw) == 0 {
		return nil
	}
	value, err := decodeExact(raw)
	if err != nil {
		value = string(raw)
	}
	return plainJSON(walkNumbers(value, number))
}

// decodeExact reads one JSON value, with numbers as they were written.
func decodeExact(raw json.RawMessage) (value any, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	return value, nil
}

func walkNumbers(value any, number func(json.Number) any) any {
	switch v := value.(type) {
	case json.Number:
		return number(v)
	case map[string]any:
		for key, item := range v {
			v[key] = walkNumbers(item, number)
		}
	case []any:
		for i, item := range v {
			v[i] = walkNumbers(item, number)
		}
	}
	return value
}

// plainJSON is the JSON of what was JSON before, with <, > and & as they are.
func plainJSON(value any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(value) // maps, lists, texts and checked numbers
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// exactly writes a JSON number in the one form of its decimal value, which is that
// of RFC 8785 for as many digits as it has; plain tells whether a float64 has them
// all. Of a number whose exponent is beyond all reason only the case is changed.
func exactly(text string) (exact string, plain bool) {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	mantissa, negative := strings.CutPrefix(mantissa, "-")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	shift := 0
	if exponent != "" {
		var err error
		if shift, err = strconv.Atoi(exponent); err != nil || shift > 1e6 || shift < -1e6 {
			return strings.ToLower(text), false
		}
	}
	digits := strings.TrimLeft(whole+fraction, "0")
	point := len(whole) + shift - (len(whole) + len(fraction) - len(digits)) // before digits[point]
	digits = strings.TrimRight(digits, "0")
	if digits == "" {
		return "0", true
	}
	exact = layOut(digits, point)
	if negative {
		exact = "-" + exact
	}
	return exact, asFloat(exact, digits, point)
}

// layOut is 0.digits × 10^point as ECMAScript writes it, which RFC 8785 follows.
func layOut(digits string, point int) string {
	switch k := len(digits); {
	case k <= point && point <= 21:
		return digits + strings.Repeat("0", point-k)
	case 0 < point && point <= 21:
		return digits[:point] + "." + digits[point:]
	case -6 < point && point <= 0:
		return "0." + strings.Repeat("0", -point) + digits
	}
	exponent := "e+" + strconv.Itoa(point-1)
	if point-1 < 0 {
		exponent = "e-" + strconv.Itoa(1-point)
	}
	if len(digits) == 1 {
		return digits + exponent
	}
	return digits[:1] + "." + digits[1:] + exponent
}

// asFloat tells whether a float64 prints the same digits again.
func asFloat(exact, digits string, point int) bool {
	f, err := strconv.ParseFloat(exact, 64)
	if err != nil { // out of range
		return false
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	again := strings.TrimRight(strings.NewReplacer("-", "", ".", "").Replace(mantissa), "0")
	at, err := strconv.Atoi(exponent)
	return err == nil && again == digits && at+1 == point
}

// freeJSON is free JSON as a report has it; nothing above most bytes.
func freeJSON(raw json.RawMessage, most int) json.RawMessage {
	if n := normalise(raw); len(n) <= most {
		return n
	}
	return nil
}

// freeParts remembers of the free JSON of parts what the fold need not hold.
type freeParts struct {
	evidence map[string]int // bytes of what is left out, by validation
	weights  map[string]float64
}

func newFreeParts() freeParts {
	return freeParts{evidence: map[string]int{}, weights: map[string]float64{}}
}

// slim is a payload whose free JSON is normalised, or left out where it is too
// large. Events come in their order, so what is remembered is of the value that
// stands.
func (f *freeParts) slim(p execution.Payload) execution.Payload {
	switch p := p.(type) {
	case *execution.ValidationRecorded:
		c := *p
		c.Evidence = normalise(p.Evidence)
		delete(f.evidence, p.ValidationID)
		if n := len(c.Evidence); n > mostFree {
			c.Evidence, f.evidence[p.ValidationID] = nil, n
		}
		return &c
	case *execution.FaultInjected:
		c := *p
		c.Parameters = sizedParameters(p.Parameters)
		if p.Parameters != nil {
			f.weights[p.FaultID] = weightIn(p.Parameters)
		}
		return &c
	case *execution.StepStarted:
		c := *p
		c.Parameters = sizedParameters(p.Parameters)
		return &c
	case *execution.StepFinished:
		c := *p
		c.Parameters = sizedParameters(p.Parameters)
		return &c
	}
	return p
}

// sizedParameters is an object of parameters, or the number of its bytes where
// these are too many: the fold must see that something was said.
func sizedParameters(raw json.RawMessage) json.RawMessage {
	n := normalise(raw)
	if len(n) > mostFree {
		return json.RawMessage(strconv.Itoa(len(n)))
	}
	return n
}

// parametersOf undoes sizedParameters: an object is never a number.
func parametersOf(sized json.RawMessage) (parameters json.RawMessage, bytesLeftOut int) {
	if n, err := strconv.Atoi(string(sized)); err == nil {
		return nil, n
	}
	return sized, 0
}
