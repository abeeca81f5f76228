package scenario

import (
	"encoding/json"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// Ids are chosen by the coordinator. They are types of their own, so that one
// cannot be taken for another.
type (
	// ID is the id of a scenario.
	ID string
	// TemplateID is the id of a template.
	TemplateID string
	// ScheduleID is the id of a schedule.
	ScheduleID string
)

// Event is one accepted event about a scenario, a template or a schedule: the
// envelope and one payload.
type Event struct {
	fact.Header
	Payload Payload
}

// Payload is what an event states: one of the types below.
type Payload interface{ payload() }

// Texts are empty, JSON is nil, times are zero and pointers are nil when the
// event does not say.
type (
	// TemplatePublished states the current content of a template.
	TemplatePublished struct {
		TemplateID  TemplateID
		Definition  string      // kept byte for byte
		ContentHash ContentHash // of the definition; needed only where the text was not loaded
		Author      string
		ChangeNote  string
	}

	// Published states the current content of a scenario.
	Published struct {
		ScenarioID        ID
		Definition        string      // kept byte for byte
		ContentHash       ContentHash // of the definition; needed only where the text was not loaded
		ScenarioType      string
		Category          string
		ServicesUnderTest []string
		ExpectedOutcomes  []string
		Tags              []string
		Author            string
		ChangeNote        string
		Template          *TemplateUse // the template it was made from; nil when none
	}

	// TemplateUse says how a scenario came from a template.
	TemplateUse struct {
		TemplateID TemplateID
		Version    string          // sha256 (hex) or version number; empty: current
		Parameters json.RawMessage // object
	}

	// StatusChanged moves a scenario through its life.
	StatusChanged struct {
		ScenarioID ID
		Status     Status
	}

	// DependenciesDeclared is the whole list of a scenario's dependencies,
	// replacing the former.
	DependenciesDeclared struct {
		ScenarioID   ID
		Dependencies []Dependency
	}

	// ScheduleSet states a schedule.
	ScheduleSet struct {
		Schedule Schedule
	}

	// ScheduleRemoved takes a schedule away; a tombstone stays.
	ScheduleRemoved struct {
		ScheduleID ScheduleID
	}
)

// Dependency says that a scenario needs, or excludes, another.
type Dependency struct {
	DependsOn ID
	Kind      DependencyKind
	MaxAge    *time.Duration // nil: any age
}

// Schedule says when a scenario is due.
type Schedule struct {
	ScheduleID        ScheduleID
	ScenarioID        ID
	Kind              ScheduleKind
	Cron              string // five fields; kind cron
	TimeZone          string // IANA name; empty: UTC
	RunAt             time.Time
	AfterScenarioID   ID
	EventType         string
	Enabled           *bool // nil: enabled
	ConcurrencyPolicy ConcurrencyPolicy
	StartingDeadline  *time.Duration
	NotBefore         time.Time
	NotAfter          time.Time
	Parameters        json.RawMessage // object
}

// Status is where a scenario is in its life.
type Status string

// The statuses of a scenario.
const (
	StatusDraft      Status = "draft"
	StatusActive     Status = "active"
	StatusArchived   Status = "archived"
	StatusDeprecated Status = "deprecated"
)

// DependencyKind is how one scenario depends on another.
type DependencyKind string

// The kinds of dependencies; those that require must stay acyclic.
const (
	RequiresSuccess DependencyKind = "requires_success"
	RequiresRun     DependencyKind = "requires_run"
	ConflictsWith   DependencyKind = "conflicts_with"
	MustNotOverlap  DependencyKind = "must_not_overlap"
)

// ScheduleKind is what makes a schedule due.
type ScheduleKind string

// The kinds of schedules.
const (
	ScheduleOnce          ScheduleKind = "once"
	ScheduleCron          ScheduleKind = "cron"
	ScheduleAfterScenario ScheduleKind = "after_scenario"
	ScheduleEvent         ScheduleKind = "event"
)

// ConcurrencyPolicy says what happens when an occurrence is due while the
// previous one still runs.
type ConcurrencyPolicy string

// The concurrency policies.
const (
	ConcurrencyAllow   ConcurrencyPolicy = "allow"
	ConcurrencyForbid  ConcurrencyPolicy = "forbid"
	ConcurrencyReplace ConcurrencyPolicy = "replace"
)

func (*TemplatePublished) payload()    {}
func (*Published) payload()            {}
func (*StatusChanged) payload()        {}
func (*DependenciesDeclared) payload() {}
func (*ScheduleSet) payload()          {}
func (*ScheduleRemoved) payload()      {}
