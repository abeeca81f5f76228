package report

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
)

// recoveryTime is how long the target of a fault took to be well again, in seconds:
// as the coordinator measured it, else
//
//	recovered_at - coalesce(cleared_at, injected_at)
//
// and nil where neither is known. It is recovery_seconds of the view
// analytics_faults. With clocks that differ it may be negative.
func recoveryTime(f *Fault, measured *time.Duration) *float64 {
	if measured != nil {
		return secondsOrNil(measured)
	}
	since := f.ClearedAt
	if since == nil {
		since = f.InjectedAt
	}
	return between(since, f.RecoveredAt)
}

// DetectionLatency is how long a fault was in the system before a validation saw
// it, in seconds, and the id of that validation:
//
//	min(recorded_at) - injected_at
//
// over the validations that name the fault (fault_id), have status passed or failed,
// and were recorded at or after its injection; of several at that moment the least
// id is named. It is nil where there is none: the fault was not seen. Skipped
// validations and those in error saw nothing. Times are cut to the microsecond, as
// in rows.
func DetectionLatency(f *Fault, validations []Validation) (latency *float64, by string) {
	if f.InjectedAt == nil {
		return nil, ""
	}
	var first *Validation
	for i := range validations {
		v := &validations[i]
		saw := v.FaultID == f.ID && (v.Status == execution.ValidationPassed || v.Status == execution.ValidationFailed) && !v.At.Before(*f.InjectedAt)
		if saw && (first == nil || v.At.Before(first.At) || v.At.Equal(first.At) && v.ID < first.ID) {
			first = v
		}
	}
	if first == nil {
		return nil, ""
	}
	return between(f.InjectedAt, &first.At), first.ID
}

// The weights of the resilience score, as LitmusChaos has them.
const (
	defaultWeight = 10.0
	leastWeight   = 1.0
	mostWeight    = 10.0
)

// Resilience is the resilience score of a run, 0 to 100, as LitmusChaos defines it
// ("resilience score"): with a group of validations for each fault that it has
// (those whose fault_id is that fault), and one for all others,
//
//	sum(weight of group × success percentage of group) / sum(weight of group)
//	success percentage = 100 × passed / (passed + failed + error)
//
// where groups without such a validation are left out. The weight of a fault's group
// is the fault's parameter "weight", if that is a number from 1 to 10, else 10; that
// of the other group is 10. Nil without any group.
func Resilience(faults []Fault, validations []Validation) *float64 {
	groups := make(map[string]*Tally, len(faults)+1)
	for i := range faults {
		groups[faults[i].ID] = &Tally{}
	}
	var others Tally
	for i := range validations {
		group, ok := groups[validations[i].FaultID]
		if !ok {
			group = &others
		}
		tallyUp(group, validations[i].Status)
	}
	var sum, weights float64
	add := func(t *Tally, weight float64) {
		if decided := t.decided(); decided > 0 {
			// The conversion keeps other processors from fusing the two operations,
			// which would give other bytes.
			sum += float64(weight * 100 * float64(t.Passed) / float64(decided))
			weights += weight
		}
	}
	for i := range faults { // in their order: sums of floats depend on it
		weight := faults[i].Weight
		if weight == 0 {
			weight = defaultWeight
		}
		add(groups[faults[i].ID], weight)
	}
	add(&others, defaultWeight)
	if weights == 0 {
		return nil
	}
	return finite(sum / weights)
}

// weightIn is the weight that parameters of a fault give it.
func weightIn(parameters json.RawMessage) float64 {
	var p struct {
		Weight json.RawMessage `json:"weight"`
	}
	if json.Unmarshal(parameters, &p) != nil || len(p.Weight) == 0 || p.Weight[0] == '"' {
		return defaultWeight
	}
	w, err := strconv.ParseFloat(string(p.Weight), 64)
	if err != nil || w < leastWeight || w > mostWeight {
		return defaultWeight
	}
	return w
}

// tallyUp counts one more validation.
func tallyUp(t *Tally, s execution.ValidationStatus) {
	switch s {
	case execution.ValidationPassed:
		t.Passed++
	case execution.ValidationFailed:
		t.Failed++
	case execution.ValidationSkipped:
		t.Skipped++
	case execution.ValidationError:
		t.Error++
	}
}

// decided is how many validations came to an answer, or should have.
func (t Tally) decided() int { return t.Passed + t.Failed + t.Error }

func tallyOf(validations []Validation) (t Tally) {
	for i := range validations {
		tallyUp(&t, validations[i].Status)
	}
	return t
}

// steadyStateOf is what the validations with a steady state say: Before, During and
// After are the words of their steady_state. Held: at least one that was not skipped
// is of after the faults, and of these none failed or was in error. Returned: one
// failed or was in error during the faults, and Held.
func steadyStateOf(validations []Validation) (s SteadyState) {
	for i := range validations {
		switch v := &validations[i]; v.SteadyState {
		case "before":
			tallyUp(&s.Before, v.Status)
		case "during":
			tallyUp(&s.During, v.Status)
		case "after":
			tallyUp(&s.After, v.Status)
		}
	}
	s.Held = s.After.decided() > 0 && s.After.broken() == 0
	s.Returned = s.Held && s.During.broken() > 0
	return s
}

// broken is how many validations failed or came to no answer.
func (t Tally) broken() int { return t.Failed + t.Error }

// meanAndMax is over those figures that there are.
type meanAndMax struct {
	n        int
	sum, max float64
}

func (m *meanAndMax) add(f *float64) {
	if f == nil {
		return
	}
	if m.n == 0 || *f > m.max {
		m.max = *f
	}
	m.n++
	m.sum += *f
}

func (m *meanAndMax) of() (mean, most *float64) {
	if m.n == 0 {
		return nil, nil
	}
	return finite(m.sum / float64(m.n)), finite(m.max)
}
