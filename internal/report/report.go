package report

import (
	"encoding/json"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
)

// Schema names the form of the JSON; schema/report/v1.schema.json describes it.
const Schema = "test-coordination.report/v1"

// BuilderVersion names the rules that a report was built by. Raise it with every
// change that gives other bytes for the same events: reports of another version
// are left as they are, and verified only by the program that wrote them.
const BuilderVersion = "1"

// Report is what became of one run. Times are UTC, cut to the microsecond;
// durations and latencies are seconds; texts are as producers wrote them, of at most
// 8 KiB, and may hold anything; absent values are left out of the JSON. Lists are
// never nil.
type Report struct {
	Schema  string `json:"schema"`
	Builder string `json:"builder"`

	// Provisional marks the report of a run that has not ended. It is never frozen.
	Provisional bool `json:"provisional"`

	Run        Run        `json:"run"`
	Verdict    Verdict    `json:"verdict"`
	Definition Definition `json:"definition"`
	Metrics    Metrics    `json:"metrics"`

	Phases      []Phase      `json:"phases"`
	Steps       []Step       `json:"steps"`
	Faults      []Fault      `json:"faults"`
	Validations []Validation `json:"validations"`
	SteadyState SteadyState  `json:"steady_state"`

	Snapshots []SnapshotDifference `json:"snapshots"`
	Impact    []ServiceImpact      `json:"impact"`

	// SnapshotsOmitted counts the snapshots of services beyond the first 64, which are
	// in neither of the two.
	SnapshotsOmitted int `json:"snapshots_omitted,omitempty"`

	Alerts          []Signal `json:"alerts"`
	CircuitBreakers []Signal `json:"circuit_breakers"`

	Unexpected      []Finding        `json:"unexpected"`
	Recommendations []Recommendation `json:"recommendations"`

	Logs        Logs         `json:"logs"`
	Timeline    Timeline     `json:"timeline"`
	Annotations []Annotation `json:"annotations"`

	Attempts []Brief  `json:"attempts"` // earlier attempts of the same group, the first one first
	Previous []Change `json:"previous"` // earlier runs of the scenario in the environment, the newest first

	Inputs Inputs `json:"inputs"`

	// SHA256 is that of the canonical JSON (RFC 8785) of the report without this
	// member, in hex. Set by Encode.
	SHA256 string `json:"sha256,omitempty"`
}

// Run is which run the report is of, and its outline.
type Run struct {
	ExecutionID     execution.ID        `json:"execution_id"`
	Number          execution.RunNumber `json:"run"`
	RunID           string              `json:"run_id,omitempty"`
	ScenarioID      string              `json:"scenario_id,omitempty"`
	ScenarioVersion string              `json:"scenario_version,omitempty"` // as the coordinator named it
	Environment     string              `json:"environment,omitempty"`
	CoordinatorID   string              `json:"coordinator_id,omitempty"`
	Trigger         *Trigger            `json:"trigger,omitempty"`
	GroupID         string              `json:"group_id,omitempty"`
	Attempt         int32               `json:"attempt,omitempty"`
	DryRun          bool                `json:"dry_run,omitempty"`
	Labels          map[string]string   `json:"labels,omitempty"`

	RequestedAt *time.Time `json:"requested_at,omitempty"`
	StartedAt   *time.Time `json:"started_at,omitempty"`
	EndedAt     *time.Time `json:"ended_at,omitempty"`
	Deadline    *time.Time `json:"deadline,omitempty"`
	Duration    *float64   `json:"duration_seconds,omitempty"` // started to ended

	ExitCode      *int32          `json:"exit_code,omitempty"`
	ErrorMessage  string          `json:"error_message,omitempty"`
	Summary       json.RawMessage `json:"summary,omitempty"`       // the coordinator's, normalised; left out above 16 KiB
	Configuration json.RawMessage `json:"configuration,omitempty"` // likewise
}

// Trigger is who or what asked for the run.
type Trigger struct {
	Type  string `json:"type,omitempty"`
	Actor string `json:"actor,omitempty"`
	URI   string `json:"uri,omitempty"`
}

// Verdict is the status of the run and why it is that.
type Verdict struct {
	Status   execution.Status `json:"status"`
	Reported execution.Status `json:"reported_outcome,omitempty"` // the coordinator's word
	Headline string           `json:"headline"`                   // one sentence, with a full stop

	// Decisions say what decided: of each the reason in a sentence and the events,
	// at most 50.
	Decisions []Decision `json:"decisions"`
}

// Decision is one thing that is known of the run, and what decided it.
type Decision struct {
	Topic  execution.Topic `json:"topic"`
	Value  string          `json:"value"`
	Reason string          `json:"reason"`
	Events []EventRef      `json:"events"`
}

// EventRef names an event of the run.
type EventRef struct {
	Source string    `json:"source"`
	ID     string    `json:"id"`
	Type   string    `json:"type"`
	Time   time.Time `json:"time"`
}

// Definition is what was run: an identity by content, and what its parameters were
// resolved to.
type Definition struct {
	Known       bool   `json:"known"` // false: no content was published that the run could be of
	Name        string `json:"name,omitempty"`
	Description string `json:"description,omitempty"`
	Version     int32  `json:"version,omitempty"` // number of the scenario version
	SHA256      string `json:"sha256,omitempty"`  // of the text
	Opaque      bool   `json:"opaque,omitempty"`  // no chaos.trading/v1 document: kept verbatim, not understood
	Author      string `json:"author,omitempty"`
	Type        string `json:"type,omitempty"` // scenario_type as published

	Services         []string `json:"services_under_test"`
	ExpectedOutcomes []string `json:"expected_outcomes"`
	SuccessCriteria  []string `json:"success_criteria"`

	TemplateID      string      `json:"template_id,omitempty"`
	TemplateVersion string      `json:"template_version,omitempty"`
	Parameters      []Parameter `json:"parameters"` // by name
}

// Parameter is one resolved parameter of the run.
type Parameter struct {
	Name  string `json:"name"`
	Value string `json:"value"` // JSON of anything but a text
	From  string `json:"from"`  // run, template, default or variable
}

// Metrics are the figures of the run.
type Metrics struct {
	Events          int64 `json:"events"`    // of others; Inputs.Events has all
	LogLines        int64 `json:"log_lines"` // that events announced
	Phases          int   `json:"phases"`
	PhasesFailed    int   `json:"phases_failed"`
	Steps           int   `json:"steps"`
	StepsFailed     int   `json:"steps_failed"`
	Faults          int   `json:"faults"`
	FaultsRecovered int   `json:"faults_recovered"`
	FaultsFailed    int   `json:"faults_failed"`
	FaultsActive    int   `json:"faults_active"`
	Snapshots       int   `json:"snapshots"`

	// Events of others that were ordered after the end, that said another outcome
	// after it, and that were dated in the far future when they came.
	Late        int `json:"late_events"`
	Conflicting int `json:"conflicting_outcomes"`
	Suspect     int `json:"suspect_times"`

	// All of them, also beyond the 500 of each that are listed.
	Alerts          int `json:"alerts"`
	CircuitBreakers int `json:"circuit_breakers"`

	Validations Tally `json:"validations"`

	// MeanRecovery and MaxRecovery are over faults with a recovery time;
	// MeanDetection and MaxDetection over those that a validation saw: see DetectionLatency.
	MeanRecovery  *float64 `json:"mean_recovery_seconds,omitempty"`
	MaxRecovery   *float64 `json:"max_recovery_seconds,omitempty"`
	MeanDetection *float64 `json:"mean_detection_seconds,omitempty"`
	MaxDetection  *float64 `json:"max_detection_seconds,omitempty"`

	// Resilience is the resilience score, 0 to 100; see Resilience.
	Resilience *float64 `json:"resilience_score,omitempty"`
}

// Tally counts validations by status.
type Tally struct {
	Passed  int `json:"passed"`
	Failed  int `json:"failed"`
	Skipped int `json:"skipped"`
	Error   int `json:"error"`
}

// Total is how many there are.
func (t Tally) Total() int { return t.Passed + t.Failed + t.Skipped + t.Error }

// Phase is one phase, in the order of ordinal, start and name.
type Phase struct {
	Name        string               `json:"name"`
	Ordinal     *int32               `json:"ordinal,omitempty"`
	Description string               `json:"description,omitempty"`
	Status      execution.PartStatus `json:"status"`
	StartedAt   *time.Time           `json:"started_at,omitempty"`
	FinishedAt  *time.Time           `json:"finished_at,omitempty"`
	Duration    *float64             `json:"duration_seconds,omitempty"`
	Error       string               `json:"error,omitempty"`
}

// Step is one attempt at one step, in the order of start, id and attempt.
type Step struct {
	ID         string               `json:"step_id"`
	Attempt    int32                `json:"attempt"`
	Kind       execution.StepKind   `json:"kind"`
	Phase      string               `json:"phase,omitempty"`
	Service    string               `json:"service,omitempty"`
	Action     string               `json:"action,omitempty"`
	Parameters json.RawMessage      `json:"parameters,omitempty"` // left out above 4 KiB; ParametersBytes tells
	Status     execution.PartStatus `json:"status"`
	StartedAt  *time.Time           `json:"started_at,omitempty"`
	FinishedAt *time.Time           `json:"finished_at,omitempty"`
	Duration   *float64             `json:"duration_seconds,omitempty"` // as measured by the coordinator, else finished - started
	Error      string               `json:"error,omitempty"`

	ParametersBytes int `json:"parameters_bytes,omitempty"`
}

// Fault is one chaos action on one target, in the order of injection and id.
type Fault struct {
	ID          string                `json:"fault_id"`
	Type        string                `json:"fault_type,omitempty"`
	Target      string                `json:"target_service,omitempty"`
	Phase       string                `json:"phase,omitempty"`
	StepID      string                `json:"step_id,omitempty"`
	Parameters  json.RawMessage       `json:"parameters,omitempty"` // left out above 4 KiB; ParametersBytes tells
	Weight      float64               `json:"weight,omitempty"`     // in the resilience score
	BlastRadius string                `json:"blast_radius,omitempty"`
	Status      execution.FaultStatus `json:"status"`

	RequestedAt *time.Time `json:"requested_at,omitempty"`
	InjectedAt  *time.Time `json:"injected_at,omitempty"`
	ClearedAt   *time.Time `json:"cleared_at,omitempty"`
	RecoveredAt *time.Time `json:"recovered_at,omitempty"`

	Active   *float64 `json:"active_seconds,omitempty"`   // injected to cleared, else to recovered, else to the end of the run
	Recovery *float64 `json:"recovery_seconds,omitempty"` // see recoveryTime

	// Detection is how long after the injection the first validation saw the fault,
	// and DetectedBy which one that was; see DetectionLatency.
	Detection  *float64 `json:"detection_seconds,omitempty"`
	DetectedBy string   `json:"detected_by,omitempty"`

	Error      string `json:"error,omitempty"`
	ClearError string `json:"clear_error,omitempty"`

	ParametersBytes int `json:"parameters_bytes,omitempty"`
}

// Validation is the result of one assertion, in the order of time and id.
type Validation struct {
	ID            string                     `json:"validation_id"`
	AssertionType string                     `json:"assertion_type"`
	Status        execution.ValidationStatus `json:"status"`
	At            time.Time                  `json:"recorded_at"`
	Phase         string                     `json:"phase,omitempty"`
	StepID        string                     `json:"step_id,omitempty"`
	FaultID       string                     `json:"fault_id,omitempty"`
	Service       string                     `json:"service,omitempty"`
	Expected      string                     `json:"expected,omitempty"`
	Actual        string                     `json:"actual,omitempty"`
	Operator      string                     `json:"operator,omitempty"`
	Threshold     *float64                   `json:"threshold,omitempty"`
	Unit          string                     `json:"unit,omitempty"`
	Within        *float64                   `json:"within_seconds,omitempty"`
	ObservedAfter *float64                   `json:"observed_after_seconds,omitempty"`
	Message       string                     `json:"message,omitempty"`
	SteadyState   string                     `json:"steady_state,omitempty"`
	CorrelationID string                     `json:"correlation_id,omitempty"`
	Evidence      json.RawMessage            `json:"evidence,omitempty"` // left out above 4 KiB; EvidenceBytes tells
	EvidenceBytes int                        `json:"evidence_bytes,omitempty"`
}

// SteadyState is what the validations say of the system before, during and after
// the faults.
type SteadyState struct {
	Before Tally `json:"before"`
	During Tally `json:"during"`
	After  Tally `json:"after"`

	// Held: something was asked for after the faults, and all of it held. Returned:
	// something did not hold during the faults, and Held.
	Held     bool `json:"held"`
	Returned bool `json:"returned"`
}

// SnapshotDifference is how a service, or the whole system where Service is empty,
// differed between two of its snapshots.
type SnapshotDifference struct {
	Service string        `json:"service,omitempty"`
	From    SnapshotRef   `json:"from"`
	To      SnapshotRef   `json:"to"`
	Added   int           `json:"added"`
	Removed int           `json:"removed"`
	Changed int           `json:"changed"`
	Changes []ValueChange `json:"changes"` // the first of them
	Omitted int           `json:"omitted,omitempty"`
}

// SnapshotRef names a snapshot.
type SnapshotRef struct {
	ID     string                 `json:"snapshot_id"`
	Kind   execution.SnapshotKind `json:"kind"`
	At     time.Time              `json:"captured_at"`
	Health string                 `json:"health,omitempty"`
}

// ValueChange is one place that differs between two snapshots.
type ValueChange struct {
	Kind     execution.ChangeKind `json:"kind"`
	Path     string               `json:"path"`
	Before   string               `json:"before,omitempty"`
	After    string               `json:"after,omitempty"`
	Relative *float64             `json:"relative,omitempty"`
}

// ServiceImpact is what the metrics of snapshots say of one service, or of the
// whole system where Service is empty.
type ServiceImpact struct {
	Service string         `json:"service,omitempty"`
	Target  bool           `json:"target"`            // of a fault
	Health  []HealthAt     `json:"health"`            // where it changed
	Metrics []MetricImpact `json:"metrics"`           // at most 24
	Omitted int            `json:"omitted,omitempty"` // most metrics of one snapshot beyond the bound

	HealthBefore string `json:"health_before,omitempty"` // the last one before the first fault; none: the first one
	HealthLast   string `json:"health_last,omitempty"`
}

// HealthAt is what a snapshot called the health of a service.
type HealthAt struct {
	At     time.Time `json:"at"`
	Health string    `json:"health"`
}

// MetricImpact is one number of a service through the run.
type MetricImpact struct {
	Name     string   `json:"name"`
	Baseline *float64 `json:"baseline,omitempty"` // of the last snapshot before the first fault; none: of the first one
	Min      float64  `json:"min"`
	Max      float64  `json:"max"`
	Last     float64  `json:"last"`
	// Peak is the value farthest from the baseline since the first fault, PeakChange
	// how far in relation to it, and Residual how far the last value is from it.
	Peak       *float64 `json:"peak,omitempty"`
	PeakChange *float64 `json:"peak_change,omitempty"`
	Residual   *float64 `json:"residual_change,omitempty"`
	Points     []Point  `json:"points"` // at most 60, for a chart; the extremes are among them
}

// Point is a value of a metric at a moment.
type Point struct {
	At    time.Time `json:"at"`
	Value float64   `json:"value"`
}

// Signal is an alert that was generated, or a circuit breaker that was triggered,
// as an event says; see the rules in signals.go.
type Signal struct {
	At      time.Time `json:"at"`
	Name    string    `json:"name"`
	Service string    `json:"service,omitempty"`
	Detail  string    `json:"detail,omitempty"`
	From    string    `json:"from"` // validation or log
	Ref     string    `json:"ref,omitempty"`
}

// Finding is something that should not have been; see the rules in unexpected.go.
type Finding struct {
	Rule string     `json:"rule"`
	At   *time.Time `json:"at,omitempty"`
	Text string     `json:"text"`
	Refs []string   `json:"refs"` // such as fault f-1, validation v-2
}

// Recommendation is what follows from facts by a stated rule.
type Recommendation struct {
	Rule     string   `json:"rule"`
	Priority string   `json:"priority"` // high, medium or low
	Text     string   `json:"text"`
	Because  []string `json:"because"` // the facts, in a sentence each
}

// Logs are the lines of the run by level, and those that stand out.
type Logs struct {
	Lines   int64            `json:"lines"`             // that were read
	Levels  map[string]int64 `json:"levels"`            // "" where a line has none, "other" for unusual ones
	Notable []LogLine        `json:"notable"`           // of the severest levels, at most 100, by time
	Omitted int64            `json:"omitted,omitempty"` // lines of these levels beyond
}

// LogLine is one line that stands out.
type LogLine struct {
	At      time.Time `json:"at"`
	Level   string    `json:"level,omitempty"`
	Service string    `json:"service,omitempty"`
	Phase   string    `json:"phase,omitempty"`
	StepID  string    `json:"step_id,omitempty"`
	Message string    `json:"message"`
}

// Timeline is what happened, in order; heartbeats, log lines and periodic snapshots
// are left out.
type Timeline struct {
	Entries []Entry `json:"entries"` // the first 1,500 and the last 500
	Omitted int     `json:"omitted,omitempty"`
}

// Entry is one event of the timeline.
type Entry struct {
	At       time.Time `json:"at"`
	Type     string    `json:"type"` // without prefix and version, such as fault_injected
	Text     string    `json:"text"` // one line
	Ref      string    `json:"ref,omitempty"`
	Status   string    `json:"status,omitempty"`
	Late     bool      `json:"late,omitempty"`        // ordered after the end
	Conflict bool      `json:"conflicting,omitempty"` // another outcome, too late
	Suspect  bool      `json:"time_suspect,omitempty"`
}

// Annotation is a note that somebody has added.
type Annotation struct {
	At     time.Time `json:"at"`
	Author string    `json:"author,omitempty"`
	Text   string    `json:"text"`
}

// Brief is what one report says of another run, which it names by the digest of
// its report.
type Brief struct {
	ExecutionID execution.ID        `json:"execution_id"`
	Run         execution.RunNumber `json:"run"`
	Attempt     int32               `json:"attempt,omitempty"`
	SHA256      string              `json:"sha256"`
	Status      execution.Status    `json:"status"`
	StartedAt   *time.Time          `json:"started_at,omitempty"`
	EndedAt     *time.Time          `json:"ended_at,omitempty"`
	Version     int32               `json:"version,omitempty"` // of the scenario
	Definition  string              `json:"definition_sha256,omitempty"`
	Duration    *float64            `json:"duration_seconds,omitempty"`
	Validations Tally               `json:"validations"`
	Recovery    *float64            `json:"mean_recovery_seconds,omitempty"`
	Detection   *float64            `json:"mean_detection_seconds,omitempty"`
	Resilience  *float64            `json:"resilience_score,omitempty"`
	// FailedValidations are the ids of those that failed, sorted, the first 100.
	FailedValidations []string `json:"failed_validations"`
}

// Change is an earlier run, and how this one differs from it.
type Change struct {
	Brief
	// Changes of this run against the earlier one: this minus that.
	DurationChange   *float64 `json:"duration_change_seconds,omitempty"`
	RecoveryChange   *float64 `json:"recovery_change_seconds,omitempty"`
	DetectionChange  *float64 `json:"detection_change_seconds,omitempty"`
	ResilienceChange *float64 `json:"resilience_change,omitempty"`
	NewFailures      []string `json:"new_failures"`   // validations that failed now and not then
	FixedFailures    []string `json:"fixed_failures"` // that failed then and not now
	SameDefinition   bool     `json:"same_definition"`
}
