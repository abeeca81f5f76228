package report

import "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"

// ComparisonSchema names the form of a comparison;
// schema/report/comparison.v1.schema.json describes it.
const ComparisonSchema = "test-coordination.comparison/v1"

// Comparison is two runs side by side.
type Comparison struct {
	Schema string `json:"schema"` // test-coordination.comparison/v1
	A      Brief  `json:"a"`
	B      Brief  `json:"b"`

	SameScenario   bool `json:"same_scenario"`
	SameDefinition bool `json:"same_definition"`

	Figures     []FigureChange     `json:"figures"`     // duration, counts, recovery, detection, score
	Parameters  []ParameterChange  `json:"parameters"`  // those that differ
	Validations []ValidationChange `json:"validations"` // all of both by id; differing ones first
	Faults      []FaultChange      `json:"faults"`
	Phases      []PhaseChange      `json:"phases"`
	Metrics     []MetricChange     `json:"metrics"` // of services

	Headline string `json:"headline"`
	SHA256   string `json:"sha256,omitempty"` // as Report has it
}

// FigureChange is one figure of both runs.
type FigureChange struct {
	Name     string   `json:"name"`
	Unit     string   `json:"unit,omitempty"`
	A        *float64 `json:"a,omitempty"`
	B        *float64 `json:"b,omitempty"`
	Change   *float64 `json:"change,omitempty"`   // b - a
	Relative *float64 `json:"relative,omitempty"` // change / |a|
}

// ParameterChange is a parameter that differs; empty where a run has none.
type ParameterChange struct {
	Name string `json:"name"`
	A    string `json:"a,omitempty"`
	B    string `json:"b,omitempty"`
}

// ValidationChange is one assertion in both runs; statuses are empty where a run has
// none.
type ValidationChange struct {
	ID            string                     `json:"validation_id"`
	AssertionType string                     `json:"assertion_type"`
	A             execution.ValidationStatus `json:"a,omitempty"`
	B             execution.ValidationStatus `json:"b,omitempty"`
	ActualA       string                     `json:"actual_a,omitempty"`
	ActualB       string                     `json:"actual_b,omitempty"`
}

// FaultChange is one fault in both runs.
type FaultChange struct {
	ID         string                `json:"fault_id"`
	Type       string                `json:"fault_type,omitempty"`
	A          execution.FaultStatus `json:"a,omitempty"`
	B          execution.FaultStatus `json:"b,omitempty"`
	RecoveryA  *float64              `json:"recovery_a_seconds,omitempty"`
	RecoveryB  *float64              `json:"recovery_b_seconds,omitempty"`
	DetectionA *float64              `json:"detection_a_seconds,omitempty"`
	DetectionB *float64              `json:"detection_b_seconds,omitempty"`
}

// PhaseChange is one phase in both runs.
type PhaseChange struct {
	Name      string               `json:"name"`
	A         execution.PartStatus `json:"a,omitempty"`
	B         execution.PartStatus `json:"b,omitempty"`
	DurationA *float64             `json:"duration_a_seconds,omitempty"`
	DurationB *float64             `json:"duration_b_seconds,omitempty"`
}

// MetricChange is one metric of a service in both runs.
type MetricChange struct {
	Service string   `json:"service,omitempty"`
	Name    string   `json:"name"`
	PeakA   *float64 `json:"peak_a,omitempty"`
	PeakB   *float64 `json:"peak_b,omitempty"`
	LastA   *float64 `json:"last_a,omitempty"`
	LastB   *float64 `json:"last_b,omitempty"`
}
