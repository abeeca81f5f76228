package report

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"unicode"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
)

// mostSignals is how many alerts, and how many circuit breakers, a report lists:
// the first by time.
const mostSignals = 500

// signalTotals counts signals, also those beyond the bound.
type signalTotals struct{ alerts, breakers int }

// signals are what the events say of alerts that were generated and of circuit
// breakers that were triggered. The rules:
//
// A validation with status passed says so by the words of its assertion_type, which
// are split at _ - . / : and blanks, and where a small letter is followed by a
// capital one (alertRaised): "alert" or "alerts" is an alert; "circuit" followed by
// "breaker", or "circuitbreaker", or "breaker" (each also with an s) is a circuit
// breaker. With one of the words no, not, without, never, absent, closed, cleared or
// resolved among them it says the opposite, and counts as neither. Its message, or
// else its actual value, is the detail.
//
// A log line says so by its attributes:
//
//	alert: true, or a text that names it
//	circuit_breaker: true, or a text that names it, or says that it is open
//	                 (but not closed, half_open, off, no or false)
//	event or type: alert, or alert with generated, raised, fired, firing, triggered
//	               or sent (alert_raised); circuit_breaker with opened, open,
//	               triggered or tripped
//
// Its message is the detail.
func (d *lineDigest) signals(validations []Validation) (alerts, breakers []Signal, totals signalTotals) {
	for i := range validations {
		v := &validations[i]
		if v.Status != execution.ValidationPassed {
			continue
		}
		alert, breaker := meaning(v.AssertionType)
		signal := Signal{
			At: v.At, Name: cut(v.AssertionType, mostLine), Service: v.Service,
			Detail: cut(cmp.Or(v.Message, v.Actual), mostLine), From: "validation", Ref: "validation " + v.ID,
		}
		if alert {
			alerts = append(alerts, signal)
		}
		if breaker {
			breakers = append(breakers, signal)
		}
	}
	totals = signalTotals{alerts: len(alerts) + d.alerts.seen, breakers: len(breakers) + d.breakers.seen}
	return byTime(alerts, d.alerts.items), byTime(breakers, d.breakers.items), totals
}

// byTime puts the signals of validations, which are in order, before those of lines
// at the same moment.
func byTime(ofValidations []Signal, ofLines []placedSignal) []Signal {
	all := append([]Signal{}, ofValidations...)
	for _, s := range slices.SortedFunc(slices.Values(ofLines), func(a, b placedSignal) int { return a.compare(b.linePlace) }) {
		all = append(all, s.signal)
	}
	slices.SortStableFunc(all, func(a, b Signal) int { return a.At.Compare(b.At) })
	return all[:min(len(all), mostSignals)]
}

// meaning is what the words of an assertion say when it held.
func meaning(assertion string) (alert, breaker bool) {
	words := wordsOf(cut(assertion, mostLine))
	for _, w := range words {
		switch w {
		case "no", "not", "without", "never", "absent", "closed", "cleared", "resolved":
			return false, false
		case "alert", "alerts":
			alert = true
		}
	}
	return alert, namesBreaker(words)
}

func namesBreaker(words []string) bool {
	return slices.ContainsFunc(words, func(w string) bool {
		switch strings.TrimSuffix(w, "s") {
		case "breaker", "circuitbreaker":
			return true
		}
		return false
	})
}

// wordsOf splits a name into its words, in lower case.
func wordsOf(name string) []string {
	var words []string
	var word strings.Builder
	flush := func() {
		if word.Len() > 0 {
			words = append(words, word.String())
			word.Reset()
		}
	}
	small := false
	for _, r := range name {
		switch {
		case strings.ContainsRune("_-./: ", r):
			flush()
			small = false
			continue
		case small && unicode.IsUpper(r):
			flush()
		}
		small = unicode.IsLower(r) || unicode.IsDigit(r)
		word.WriteRune(unicode.ToLower(r))
	}
	flush()
	return words
}

// signalsOfLine are what the attributes of a line say.
func signalsOfLine(at linePlace, l *execution.LogLine) (alert, breaker *Signal) {
	if !bytes.Contains(l.Attributes, []byte("lert")) && !bytes.Contains(l.Attributes, []byte("reaker")) {
		return nil, nil // of 200,000 lines hardly one goes on
	}
	var says map[string]any
	if json.Unmarshal(l.Attributes, &says) != nil {
		return nil, nil
	}
	signal := func(name string) *Signal {
		return &Signal{
			At: at.at, Name: oneLine(name, mostEntry), Service: cut(l.Service, mostLine),
			Detail: cut(l.Message, mostLine), From: "log", Ref: refOfStep(l.StepID),
		}
	}
	if name, ok := namedBy(says["alert"], "alert"); ok {
		alert = signal(name)
	}
	if name, ok := namedBy(says["circuit_breaker"], "circuit breaker"); ok {
		breaker = signal(name)
	}
	for _, key := range []string{"event", "type"} {
		word, _ := says[key].(string)
		words := wordsOf(cut(word, mostEntry))
		if alert == nil && alertEvent(words) {
			alert = signal(word)
		}
		if breaker == nil && breakerEvent(words) {
			breaker = signal(word)
		}
	}
	return alert, breaker
}

// namedBy is the name that the value of an attribute gives; false where it says that
// there was nothing.
func namedBy(value any, unnamed string) (string, bool) {
	switch v := value.(type) {
	case bool:
		return unnamed, v
	case string:
		switch strings.ToLower(strings.TrimSpace(v)) {
		case "", "closed", "half_open", "half-open", "off", "no", "none", "false":
			return "", false
		case "true", "yes", "on", "open", "opened", "triggered", "tripped":
			return unnamed, true
		}
		return v, true
	}
	return "", false
}

func alertEvent(words []string) bool {
	if len(words) == 1 {
		return words[0] == "alert"
	}
	return len(words) == 2 && words[0] == "alert" && slices.Contains([]string{"generated", "raised", "fired", "firing", "triggered", "sent"}, words[1])
}

func breakerEvent(words []string) bool {
	return namesBreaker(words) && slices.ContainsFunc(words, func(w string) bool {
		return slices.Contains([]string{"opened", "open", "triggered", "tripped"}, w) && !slices.Contains(words, "half")
	})
}
