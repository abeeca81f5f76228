package chaostoolkit

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Status is how the tool ended. Whether the steady state has deviated is said
// apart from it.
type Status string

// The statuses of a journal.
const (
	Completed   Status = "completed"   // to its end, whatever it found
	Failed      Status = "failed"      // a probe of the steady state could not tell, or failing fast was asked for
	Aborted     Status = "aborted"     // an unexpected error of the tool or of an extension
	Interrupted Status = "interrupted" // by a person, a signal or a control
)

// Statuses of an activity.
const (
	ActivitySucceeded = "succeeded"
	ActivityFailed    = "failed"
)

// Types of an activity.
const (
	TypeAction = "action"
	TypeProbe  = "probe"
)

// Journal is the record of one run of one experiment, as the tool writes it.
// Members that are not named here are extensions: they count in the digest and
// nowhere else.
type Journal struct {
	Version      string          `json:"chaoslib-version"`
	Platform     string          `json:"platform"`
	Node         string          `json:"node"`
	Experiment   json.RawMessage `json:"experiment"` // as it was declared; see DeclaredExperiment
	Start        Time            `json:"start"`
	Status       Status          `json:"status"`
	Deviated     bool            `json:"deviated"`
	SteadyStates SteadyStates    `json:"steady_states"`
	Run          []Run           `json:"run"`       // the method's activities that were begun, in that order
	Rollbacks    []Run           `json:"rollbacks"` // those that were begun
	End          Time            `json:"end"`
	Duration     float64         `json:"duration"` // seconds

	// Digest is sha-256 of the whole content in canonical form: names sorted, no
	// spaces, floats as in RFC 8785, integers with all their digits. Read sets it.
	Digest [32]byte `json:"-"`
}

// SteadyStates are the results of the hypothesis; nil where it was not looked at.
type SteadyStates struct {
	Before *SteadyState  `json:"before"`
	After  *SteadyState  `json:"after"`
	During []SteadyState `json:"during"` // one for each look, where the strategy asks for it
}

// SteadyState is one look at the hypothesis: its probes up to the first that
// was not within its tolerance.
type SteadyState struct {
	Met    *bool `json:"steady_state_met"`
	Probes []Run `json:"probes"`
}

// Run is one activity that was begun.
type Run struct {
	Activity     Activity        `json:"activity"`
	Output       json.RawMessage `json:"output"`           // any JSON; null where there was none
	Start        Time            `json:"start"`            //
	Status       string          `json:"status,omitempty"` // empty where the run was interrupted in it
	Exception    []string        `json:"exception,omitempty"`
	End          Time            `json:"end"`
	Duration     float64         `json:"duration"`                // seconds
	ToleranceMet *bool           `json:"tolerance_met,omitempty"` // of probes of the hypothesis
}

// Activity is an action or a probe, as it is declared.
type Activity struct {
	Type       string          `json:"type"`
	Name       string          `json:"name"`
	Provider   Provider        `json:"provider"`
	Tolerance  json.RawMessage `json:"tolerance,omitempty"` // any JSON
	Background bool            `json:"background,omitempty"`
}

// Provider is what an activity calls.
type Provider struct {
	Type      string          `json:"type"` // python, process or http
	Module    string          `json:"module,omitempty"`
	Func      string          `json:"func,omitempty"`
	Path      string          `json:"path,omitempty"`
	Method    string          `json:"method,omitempty"`
	URL       string          `json:"url,omitempty"`
	Arguments json.RawMessage `json:"arguments,omitempty"` // an object; of processes a text or an array, too
}

// Experiment is as much of a declared experiment as is used here.
type Experiment struct {
	Title         string          `json:"title"`
	Description   string          `json:"description"`
	Tags          json.RawMessage `json:"tags"`
	Configuration json.RawMessage `json:"configuration"`
	Secrets       json.RawMessage `json:"secrets"`
	Hypothesis    struct {
		Title string `json:"title"`
	} `json:"steady-state-hypothesis"`
}

// Time is a moment of a journal: RFC 3339, or without a zone, which means UTC
// (so did the tool write until version 1.44).
type Time struct{ time.Time }

// At is the moment of a journal that is to be written.
func At(t time.Time) Time { return Time{t.UTC()} }

const withoutZone = "2006-01-02T15:04:05.999999999"

// UnmarshalJSON reads a time; null and the empty text are no time.
func (t *Time) UnmarshalJSON(b []byte) error {
	var s string
	if string(b) == "null" {
		*t = Time{}
		return nil
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return errTime
	}
	if s == "" {
		*t = Time{}
		return nil
	}
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		at, err = time.Parse(withoutZone, s)
	}
	if err != nil {
		return errTime
	}
	t.Time = at.UTC()
	return nil
}

// MarshalJSON writes a time as the tool does.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return fmt.Appendf(nil, "%q", t.UTC().Format("2006-01-02T15:04:05.000000+00:00")), nil
}

var errTime = errors.New("must be a time such as 2026-04-01T12:00:00.123456+00:00")
