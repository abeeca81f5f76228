package report

import (
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// Builder makes the report of one run out of its events, in memory that is bounded
// by the parts of the run and not by its heartbeats, log lines and snapshots.
type Builder struct{}

// Context is what a report says beside the run's own events.
type Context struct {
	Definition *DefinitionSource // nil: not known
	Attempts   []Brief           // earlier attempts of the group, the first one first
	Previous   []Brief           // earlier ended runs of the scenario in the environment, the newest first
}

// DefinitionSource is the scenario version that was run, as it was published.
type DefinitionSource struct {
	ScenarioID         string
	Number             int32
	Text               string // byte for byte
	Author             string
	Type               string // scenario_type
	Services           []string
	ExpectedOutcomes   []string
	TemplateID         string
	TemplateVersion    string
	TemplateParameters []byte // JSON object; nil when there is none
}

// NewBuilder begins the report of a run.
func NewBuilder(id execution.ID, number execution.RunNumber, runID string) *Builder { return nil }

// Add takes the next event of the run, in their order (fact.Order): with the whole
// of its payload but the lines of a LogAppended, of which it needs the Count; AddLine
// takes these. An event out of order, or for the second time, is an error.
func (b *Builder) Add(e *execution.Event) error { return nil }

// AddLine takes a line of one of the events, which need not have been added yet, and
// its place in it: in any order.
func (b *Builder) AddLine(event fact.Order, place int, l *execution.LogLine) {}

// Report builds the report from what was added. It is provisional while the run has
// not ended.
func (b *Builder) Report(c Context) *Report { return nil }

// Brief is what reports of later runs say of this one.
func (r *Report) Brief() Brief { return Brief{} }

// Encode is the report as it is frozen: JSON in the order of the fields, two spaces
// of indent, with its digest, which is set in the report, too. The same report
// gives the same bytes.
func (r *Report) Encode() ([]byte, error) { return nil, nil }

// Decode reads what Encode wrote. The error says whether it is no report, one of an
// unknown schema, or one whose content does not have the digest that it carries.
func Decode(frozen []byte) (*Report, error) { return nil, nil }

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

// Compare puts two reports side by side.
func Compare(a, b *Report) *Comparison { return nil }

// Encode is the comparison as Report.Encode has it.
func (c *Comparison) Encode() ([]byte, error) { return nil, nil }
