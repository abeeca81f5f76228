package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
)

// Compare puts two reports side by side, the earlier one usually first. Both have
// been encoded, so that they are named by their digests.
func Compare(a, b *Report) *Comparison {
	c := &Comparison{
		Schema: ComparisonSchema, A: a.Brief(), B: b.Brief(),
		SameScenario:   a.Run.ScenarioID != "" && a.Run.ScenarioID == b.Run.ScenarioID,
		SameDefinition: a.Definition.SHA256 != "" && a.Definition.SHA256 == b.Definition.SHA256,
		Figures:        compareFigures(a, b),
		Parameters:     compareParameters(a.Definition.Parameters, b.Definition.Parameters),
		Validations:    compareValidations(a.Validations, b.Validations),
		Faults:         compareFaults(a.Faults, b.Faults),
		Phases:         comparePhases(a.Phases, b.Phases),
		Metrics:        compareMetrics(a.Impact, b.Impact),
	}
	c.Headline = compareHeadline(c)
	fillLists(c)
	return c
}

// figures are what two runs are compared by, in the order in which they are shown.
var figures = []struct {
	name, unit string
	of         func(r *Report) *float64
}{
	{"duration", "s", func(r *Report) *float64 { return r.Run.Duration }},
	{"validations_passed", "", func(r *Report) *float64 { return count(r.Metrics.Validations.Passed) }},
	{"validations_failed", "", func(r *Report) *float64 { return count(r.Metrics.Validations.Failed) }},
	{"validations_skipped", "", func(r *Report) *float64 { return count(r.Metrics.Validations.Skipped) }},
	{"validations_error", "", func(r *Report) *float64 { return count(r.Metrics.Validations.Error) }},
	{"resilience_score", "", func(r *Report) *float64 { return r.Metrics.Resilience }},
	{"mean_recovery", "s", func(r *Report) *float64 { return r.Metrics.MeanRecovery }},
	{"max_recovery", "s", func(r *Report) *float64 { return r.Metrics.MaxRecovery }},
	{"mean_detection", "s", func(r *Report) *float64 { return r.Metrics.MeanDetection }},
	{"max_detection", "s", func(r *Report) *float64 { return r.Metrics.MaxDetection }},
	{"phases_failed", "", func(r *Report) *float64 { return count(r.Metrics.PhasesFailed) }},
	{"steps", "", func(r *Report) *float64 { return count(r.Metrics.Steps) }},
	{"steps_failed", "", func(r *Report) *float64 { return count(r.Metrics.StepsFailed) }},
	{"faults", "", func(r *Report) *float64 { return count(r.Metrics.Faults) }},
	{"faults_recovered", "", func(r *Report) *float64 { return count(r.Metrics.FaultsRecovered) }},
	{"faults_failed", "", func(r *Report) *float64 { return count(r.Metrics.FaultsFailed) }},
	{"faults_active", "", func(r *Report) *float64 { return count(r.Metrics.FaultsActive) }},
	{"alerts", "", func(r *Report) *float64 { return countSignals(r, r.Metrics.Alerts) }},
	{"circuit_breakers", "", func(r *Report) *float64 { return countSignals(r, r.Metrics.CircuitBreakers) }},
	{"unexpected", "", func(r *Report) *float64 { return count(len(r.Unexpected)) }},
	{"log_lines", "", func(r *Report) *float64 { return new(float64(r.Metrics.LogLines)) }},
}

func count(n int) *float64 { return new(float64(n)) }

// countSignals is nil where nobody knows how many there were: without the lines only
// those of validations are left.
func countSignals(r *Report, n int) *float64 {
	if r.Inputs.Gone.Lacks(GoneLogs) {
		return nil
	}
	return count(n)
}

func compareFigures(a, b *Report) []FigureChange {
	changes := make([]FigureChange, 0, len(figures))
	for _, f := range figures {
		change := FigureChange{Name: f.name, Unit: f.unit, A: f.of(a), B: f.of(b)}
		if change.A != nil && change.B != nil {
			change.Change, change.Relative = difference(change.B, change.A), relative(*change.B, *change.A)
		}
		changes = append(changes, change)
	}
	return changes
}

// both gives each key of two lists with what it is in each, or nil, by key.
func both[V any](a, b []V, key func(*V) string, visit func(key string, a, b *V)) {
	keys := map[string]bool{}
	index := func(list []V) map[string]*V {
		by := make(map[string]*V, len(list))
		for i := range list {
			k := key(&list[i])
			by[k], keys[k] = &list[i], true
		}
		return by
	}
	ofA, ofB := index(a), index(b)
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		visit(k, ofA[k], ofB[k])
	}
}

func compareParameters(a, b []Parameter) []ParameterChange {
	changes := []ParameterChange{}
	both(a, b, func(p *Parameter) string { return p.Name }, func(name string, a, b *Parameter) {
		change := ParameterChange{Name: name}
		if a != nil {
			change.A = a.Value
		}
		if b != nil {
			change.B = b.Value
		}
		if a == nil || b == nil || a.Value != b.Value {
			changes = append(changes, change)
		}
	})
	return changes
}

func compareValidations(a, b []Validation) []ValidationChange {
	changes := make([]ValidationChange, 0, max(len(a), len(b)))
	both(a, b, func(v *Validation) string { return v.ID }, func(id string, a, b *Validation) {
		change := ValidationChange{ID: id}
		if a != nil {
			change.AssertionType, change.A, change.ActualA = a.AssertionType, a.Status, a.Actual
		}
		if b != nil {
			change.AssertionType, change.B, change.ActualB = b.AssertionType, b.Status, b.Actual
		}
		changes = append(changes, change)
	})
	slices.SortStableFunc(changes, func(a, b ValidationChange) int { return cmp.Compare(one(a.A == a.B), one(b.A == b.B)) })
	return changes
}

func compareFaults(a, b []Fault) []FaultChange {
	changes := make([]FaultChange, 0, max(len(a), len(b)))
	both(a, b, func(f *Fault) string { return f.ID }, func(id string, a, b *Fault) {
		change := FaultChange{ID: id}
		if a != nil {
			change.Type, change.A, change.RecoveryA, change.DetectionA = a.Type, a.Status, a.Recovery, a.Detection
		}
		if b != nil {
			change.Type, change.B, change.RecoveryB, change.DetectionB = b.Type, b.Status, b.Recovery, b.Detection
		}
		changes = append(changes, change)
	})
	return changes
}

// comparePhases keeps the order in which they ran: of a, then of b.
func comparePhases(a, b []Phase) []PhaseChange {
	place := map[string]int{}
	for _, phases := range [][]Phase{a, b} {
		for i := range phases {
			if _, known := place[phases[i].Name]; !known {
				place[phases[i].Name] = len(place)
			}
		}
	}
	changes := make([]PhaseChange, 0, len(place))
	both(a, b, func(p *Phase) string { return p.Name }, func(name string, a, b *Phase) {
		change := PhaseChange{Name: name}
		if a != nil {
			change.A, change.DurationA = a.Status, a.Duration
		}
		if b != nil {
			change.B, change.DurationB = b.Status, b.Duration
		}
		changes = append(changes, change)
	})
	slices.SortFunc(changes, func(a, b PhaseChange) int { return cmp.Compare(place[a.Name], place[b.Name]) })
	return changes
}

func compareMetrics(a, b []ServiceImpact) []MetricChange {
	changes := []MetricChange{}
	both(a, b, func(s *ServiceImpact) string { return s.Service }, func(service string, a, b *ServiceImpact) {
		var ofA, ofB []MetricImpact
		if a != nil {
			ofA = a.Metrics
		}
		if b != nil {
			ofB = b.Metrics
		}
		both(ofA, ofB, func(m *MetricImpact) string { return m.Name }, func(name string, a, b *MetricImpact) {
			change := MetricChange{Service: service, Name: name}
			if a != nil {
				change.PeakA, change.LastA = a.Peak, new(a.Last)
			}
			if b != nil {
				change.PeakB, change.LastB = b.Peak, new(b.Last)
			}
			changes = append(changes, change)
		})
	})
	return changes
}

// compareHeadline is the comparison in one sentence; it holds no text of a producer.
func compareHeadline(c *Comparison) string {
	verdict := fmt.Sprintf("Both runs are %s", c.A.Status)
	if c.A.Status != c.B.Status {
		verdict = fmt.Sprintf("The first run is %s, the second %s", c.A.Status, c.B.Status)
	}
	broke, mended := 0, 0
	for _, v := range c.Validations {
		broke += one(v.A == execution.ValidationPassed && v.B == execution.ValidationFailed)
		mended += one(v.A == execution.ValidationFailed && v.B == execution.ValidationPassed)
	}
	switch {
	case broke > 0 && mended > 0:
		verdict += fmt.Sprintf("; %s held only in the first and %d only in the second", counted(broke, "validation"), mended)
	case broke > 0:
		verdict += fmt.Sprintf("; %s held only in the first", counted(broke, "validation"))
	case mended > 0:
		verdict += fmt.Sprintf("; %s held only in the second", counted(mended, "validation"))
	}
	switch {
	case !c.SameScenario:
		verdict += "; they are not of the same scenario"
	case !c.SameDefinition:
		verdict += "; their definitions differ or are not known"
	}
	return verdict + "."
}
