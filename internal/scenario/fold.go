package scenario

import (
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// The folded states. Each is a function of the set of accepted events about
// it: the last writer by order key wins, whatever the order of arrival. An
// event states all that it can state, so that what it leaves out is empty
// afterwards; it is not merged with what an earlier event said.

// Scenario is what the events about one scenario fold to.
type Scenario struct {
	ID ID

	// Of the last publication. Current is zero for a placeholder: a scenario of
	// which only a status or dependencies are known as yet.
	Current           ContentHash
	ScenarioType      string
	Category          string
	ServicesUnderTest []string
	ExpectedOutcomes  []string
	Tags              []string
	Author            string
	ChangeNote        string
	Template          *TemplateUse
	PublishedAt       time.Time // zero for a placeholder

	// Status is the one last stated. Where none ever was, a scenario with
	// content is active and a placeholder a draft.
	Status Status

	Dependencies DependencySet
	Versions     map[ContentHash]*Version // those that were loaded or touched

	CreatedAt time.Time // of the first event in order, whatever it says
	UpdatedAt time.Time // of the last event in order, whatever it says
	Marks     fact.Marks
}

// The slots of Scenario.Marks; they are stored.
const (
	scenarioCreated = iota
	scenarioUpdated
	scenarioPublished
	scenarioStatus
)

// DependencySet is a scenario's dependencies as last declared.
type DependencySet struct {
	Dependencies []Dependency // by id, then kind
	Declared     fact.Order   // of the declaration; zero when there was none
}

// Version is one content of a scenario or a template. It never changes: its
// describing fields are those of the first publication in order.
type Version struct {
	Hash ContentHash

	// Number counts the versions from 1 in the order of their acceptance. It
	// is given by the store and never recomputed; 0 until then. The fold does
	// not touch it.
	Number int32

	Text        string // empty where it was not loaded
	Author      string
	ChangeNote  string
	PublishedAt time.Time
	Marks       fact.Marks
}

const versionPublished = 0 // the slot of Version.Marks; it is stored

// Template is what the events about one template fold to.
type Template struct {
	ID TemplateID

	// Of the last publication.
	Current     ContentHash
	Author      string
	ChangeNote  string
	PublishedAt time.Time

	Versions map[ContentHash]*Version // those that were loaded or touched

	CreatedAt time.Time // of the first event in order
	Marks     fact.Marks
}

// The slots of Template.Marks; they are stored.
const (
	templateCreated = iota
	templatePublished
)

// ScheduleState is what the events about one schedule fold to.
type ScheduleState struct {
	// Schedule is as last set, also under a tombstone; only the id when there
	// was nothing but a removal.
	Schedule

	// Removed makes this a tombstone: the last removal comes after the last
	// setting.
	Removed bool

	CreatedAt time.Time // of the first event in order, whatever it says
	UpdatedAt time.Time // of the last event in order, whatever it says
	Marks     fact.Marks
}

// The slots of ScheduleState.Marks; they are stored.
const (
	scheduleCreated = iota
	scheduleUpdated
	scheduleSet
	scheduleRemoved
)

// Apply folds an event about this scenario into it.
func (s *Scenario) Apply(e *Event) {
	o := e.Order()
	if s.Marks.First(scenarioCreated, o) {
		s.CreatedAt = e.Time
	}
	if s.Marks.Last(scenarioUpdated, o) {
		s.UpdatedAt = e.Time
	}
	switch p := e.Payload.(type) {
	case *Published:
		s.publish(e, p)
	case *StatusChanged:
		if s.Marks.Last(scenarioStatus, o) {
			s.Status = p.Status
		}
	case *DependenciesDeclared:
		if o.After(s.Dependencies.Declared) {
			s.Dependencies = DependencySet{Dependencies: sortDependencies(p.Dependencies), Declared: o}
		}
	}
	if never := s.Marks.Of(scenarioStatus); never.IsZero() {
		s.Status = StatusDraft
		if !s.Current.IsZero() {
			s.Status = StatusActive
		}
	}
}

func (s *Scenario) publish(e *Event, p *Published) {
	hash := contentHash(p.ContentHash, p.Definition)
	if s.Versions == nil {
		s.Versions = make(map[ContentHash]*Version)
	}
	applyVersion(s.Versions, hash, p.Definition, p.Author, p.ChangeNote, e)
	if !s.Marks.Last(scenarioPublished, e.Order()) {
		return
	}
	s.Current = hash
	s.ScenarioType, s.Category = p.ScenarioType, p.Category
	s.ServicesUnderTest, s.ExpectedOutcomes, s.Tags = p.ServicesUnderTest, p.ExpectedOutcomes, p.Tags
	s.Author, s.ChangeNote, s.Template = p.Author, p.ChangeNote, p.Template
	s.PublishedAt = e.Time
}

// Apply folds an event about this template into it.
func (t *Template) Apply(e *Event) {
	p, ok := e.Payload.(*TemplatePublished)
	if !ok {
		return
	}
	o := e.Order()
	hash := contentHash(p.ContentHash, p.Definition)
	if t.Versions == nil {
		t.Versions = make(map[ContentHash]*Version)
	}
	applyVersion(t.Versions, hash, p.Definition, p.Author, p.ChangeNote, e)
	if t.Marks.First(templateCreated, o) {
		t.CreatedAt = e.Time
	}
	if t.Marks.Last(templatePublished, o) {
		t.Current, t.Author, t.ChangeNote, t.PublishedAt = hash, p.Author, p.ChangeNote, e.Time
	}
}

// Apply folds an event about this schedule into it.
func (s *ScheduleState) Apply(e *Event) {
	o := e.Order()
	if s.Marks.First(scheduleCreated, o) {
		s.CreatedAt = e.Time
	}
	if s.Marks.Last(scheduleUpdated, o) {
		s.UpdatedAt = e.Time
	}
	switch p := e.Payload.(type) {
	case *ScheduleSet:
		if s.Marks.Last(scheduleSet, o) {
			s.Schedule = p.Schedule
		}
	case *ScheduleRemoved:
		s.Marks.Last(scheduleRemoved, o)
	}
	s.Removed = s.Marks.Of(scheduleRemoved).After(s.Marks.Of(scheduleSet))
}

// applyVersion notes a publication of a content, be it new or known.
func applyVersion(versions map[ContentHash]*Version, hash ContentHash, text, author, note string, e *Event) {
	v := versions[hash]
	if v == nil {
		v = &Version{Hash: hash}
		versions[hash] = v
	}
	if v.Text == "" {
		v.Text = text
	}
	if v.Marks.First(versionPublished, e.Order()) {
		v.Author, v.ChangeNote, v.PublishedAt = author, note, e.Time
	}
}

// contentHash is the hash that came with an event whose text was not loaded,
// or else that of the text.
func contentHash(given ContentHash, text string) ContentHash {
	if text == "" && !given.IsZero() {
		return given
	}
	return HashContent(text)
}
