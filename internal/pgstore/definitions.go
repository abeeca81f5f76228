package pgstore

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// AcceptedDefinition is an accepted event about a scenario, a template or a
// schedule, with its address.
type AcceptedDefinition struct {
	*scenario.Event
	Offset int64 // in the batch's partition, or OwnEvent
}

// LockDefinitions is S4b for aggregates without runs: it serialises all their
// writers until the transaction ends.
func (tx *Tx) LockDefinitions(ctx context.Context) error {
	return interpret("lock definitions", tx.q.LockDefinitions(ctx))
}

// KnownDefinitionEvents is S4c for aggregates without runs.
func (tx *Tx) KnownDefinitionEvents(ctx context.Context, events []*scenario.Event) (map[fact.Key]Known, error) {
	keys := make([][]byte, len(events))
	for i, e := range events {
		keys[i] = e.Key[:]
	}
	rows, err := tx.q.KnownDefinitionEvents(ctx, keys)
	if err != nil {
		return nil, interpret("look up definition events", err)
	}
	known := make(map[fact.Key]Known, len(rows))
	for _, r := range rows {
		known[fact.Key(r.EventKey)] = Known{Digest: fact.Digest(r.Digest), DigestVersion: r.DigestVersion}
	}
	return known, nil
}

// Definitions is what a fold of definition events needs, and what it comes to.
type Definitions struct {
	Catalog scenario.Catalog
	Graph   *scenario.Graph // nil unless a declaration of dependencies is among the events

	// newest is the number of the newest version of each scenario and template.
	newest map[aggregate]int32

	tx       *Tx
	resolved map[templateVersion]resolved // what Template has found, until a template changes
}

type (
	templateVersion struct {
		id      scenario.TemplateID
		version string
	}
	resolved struct {
		definition *scenario.Definition
		rejection  *fact.Rejection
	}
)

// mostResolved bounds the memory that templates take which are named by turns.
const mostResolved = 8

// Newest is the number of the newest version of the scenario or template that
// the event is about; 0 when it has none.
func (d *Definitions) Newest(e *scenario.Event) int32 { return d.newest[aggregateOf(e)] }

// Apply folds an accepted event, and gives a content that is new the next
// number.
func (d *Definitions) Apply(e *scenario.Event) {
	d.Catalog.Apply(e)
	switch p := e.Payload.(type) {
	case *scenario.TemplatePublished:
		d.number(aggregateOf(e), d.Catalog.Templates[p.TemplateID].Versions[scenario.HashContent(p.Definition)])
		clear(d.resolved) // any may extend it
	case *scenario.Published:
		d.number(aggregateOf(e), d.Catalog.Scenarios[p.ScenarioID].Versions[scenario.HashContent(p.Definition)])
	}
}

// number gives a new version the next number.
func (d *Definitions) number(a aggregate, v *scenario.Version) {
	if v.Number == 0 {
		d.newest[a]++
		v.Number = d.newest[a]
	}
}

// Template is the template that a scenario names, merged with all that it
// extends, as it is after what has been applied; nil when one of the texts is
// not known. The rejection says what is wrong with the template.
func (d *Definitions) Template(ctx context.Context, use *scenario.TemplateUse, limits scenario.Limits) (*scenario.Definition, *fact.Rejection, error) {
	key := templateVersion{use.TemplateID, use.Version}
	if r, ok := d.resolved[key]; ok {
		return r.definition, r.rejection, nil
	}
	definition, rejection, err := scenario.ResolveTemplate(use.TemplateID, use.Version, func(id scenario.TemplateID, version string) (string, error) {
		return d.templateText(ctx, id, version)
	}, limits)
	if err != nil {
		return nil, nil, err
	}
	if len(d.resolved) == mostResolved {
		clear(d.resolved)
	}
	put(&d.resolved, key, resolved{definition, rejection})
	return definition, rejection, nil
}

// templateText is the text of a version: of one of this batch, or else as it is
// stored; "" when there is none.
func (d *Definitions) templateText(ctx context.Context, id scenario.TemplateID, version string) (string, error) {
	if t := d.Catalog.Templates[id]; t != nil {
		if text := t.Text(version); text != "" {
			return text, nil
		}
		if version == "" && !t.Current.IsZero() {
			version = t.Current.String()
		}
	}
	return templateText(ctx, d.tx.q, id, version)
}

// templateText is the text of a stored version; "" when there is none.
func templateText(ctx context.Context, q *dbsqlc.Queries, id scenario.TemplateID, version string) (string, error) {
	text, err := q.TemplateText(ctx, string(id), version)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return text, interpret("load template text", err)
}

// aggregate names a scenario, a template or a schedule: their ids are apart.
type aggregate struct{ kind, id string }

const (
	kindTemplate = "template"
	kindScenario = "scenario"
	kindSchedule = "schedule"
)

func aggregateOf(e *scenario.Event) aggregate {
	switch e.Payload.(type) {
	case *scenario.TemplatePublished:
		return aggregate{kindTemplate, e.Subject}
	case *scenario.ScheduleSet, *scenario.ScheduleRemoved:
		return aggregate{kindSchedule, e.Subject}
	}
	return aggregate{kindScenario, e.Subject}
}

// LoadDefinitions loads what the fold of these events needs, under
// LockDefinitions.
func (tx *Tx) LoadDefinitions(ctx context.Context, events []*scenario.Event) (*Definitions, error) {
	d := &Definitions{newest: map[aggregate]int32{}, tx: tx}
	want := wantedDefinitions(events)
	if err := tx.loadTemplates(ctx, d, want); err != nil {
		return nil, err
	}
	if err := tx.loadScenarios(ctx, d, want); err != nil {
		return nil, err
	}
	if err := tx.loadSchedules(ctx, d, want.schedules); err != nil {
		return nil, err
	}
	if want.graph {
		edges, err := tx.q.DependencyEdges(ctx)
		if err != nil {
			return nil, interpret("load dependencies", err)
		}
		d.Graph = graphOf(edges)
	}
	return d, nil
}

// wanted is the columns of the queries that load definitions.
type wanted struct {
	templates, scenarios, schedules  []string
	templateHashIDs, scenarioHashIDs []string
	templateHashes, scenarioHashes   [][]byte
	graph                            bool
}

func wantedDefinitions(events []*scenario.Event) wanted {
	var w wanted
	for _, e := range events {
		switch p := e.Payload.(type) {
		case *scenario.TemplatePublished:
			hash := scenario.HashContent(p.Definition)
			w.templates = append(w.templates, e.Subject)
			w.templateHashIDs, w.templateHashes = append(w.templateHashIDs, e.Subject), append(w.templateHashes, hash[:])
		case *scenario.Published:
			hash := scenario.HashContent(p.Definition)
			w.scenarios = append(w.scenarios, e.Subject)
			w.scenarioHashIDs, w.scenarioHashes = append(w.scenarioHashIDs, e.Subject), append(w.scenarioHashes, hash[:])
		case *scenario.StatusChanged:
			w.scenarios = append(w.scenarios, e.Subject)
		case *scenario.DependenciesDeclared:
			w.scenarios = append(w.scenarios, e.Subject)
			w.graph = true
		case *scenario.ScheduleSet, *scenario.ScheduleRemoved:
			w.schedules = append(w.schedules, e.Subject)
		}
	}
	return w
}

func (tx *Tx) loadTemplates(ctx context.Context, d *Definitions, w wanted) error {
	if len(w.templates) == 0 {
		return nil
	}
	rows, err := tx.q.TemplatesByID(ctx, w.templates)
	if err != nil {
		return interpret("load templates", err)
	}
	for i := range rows {
		t, err := templateFromRow(&rows[i])
		if err != nil {
			return err
		}
		put(&d.Catalog.Templates, t.ID, t)
		d.newest[aggregate{kindTemplate, rows[i].TemplateID}] = rows[i].Versions
	}
	versions, err := tx.q.TemplateVersionsByHash(ctx, w.templateHashIDs, w.templateHashes)
	if err != nil {
		return interpret("load template versions", err)
	}
	for _, r := range versions {
		v, err := versionOf(dbsqlc.TemplateVersion{
			TemplateID: r.TemplateID, Number: r.Number, ContentHash: r.ContentHash, Author: r.Author,
			ChangeNote: r.ChangeNote, PublishedAt: r.PublishedAt, Marks: r.Marks,
		})
		if err != nil {
			return err
		}
		put(&d.Catalog.Templates[scenario.TemplateID(r.TemplateID)].Versions, v.Hash, v)
	}
	return nil
}

func (tx *Tx) loadScenarios(ctx context.Context, d *Definitions, w wanted) error {
	if len(w.scenarios) == 0 {
		return nil
	}
	rows, err := tx.q.ScenariosByID(ctx, w.scenarios)
	if err != nil {
		return interpret("load scenarios", err)
	}
	for i := range rows {
		s, err := scenarioFromRow(&rows[i])
		if err != nil {
			return err
		}
		put(&d.Catalog.Scenarios, s.ID, s)
		d.newest[aggregate{kindScenario, rows[i].ScenarioID}] = rows[i].Versions
	}
	dependencies, err := tx.q.DependenciesOf(ctx, w.scenarios)
	if err != nil {
		return interpret("load dependencies", err)
	}
	addDependencies(&d.Catalog, dependencies)
	if len(w.scenarioHashIDs) == 0 {
		return nil
	}
	versions, err := tx.q.ScenarioVersionsByHash(ctx, w.scenarioHashIDs, w.scenarioHashes)
	if err != nil {
		return interpret("load scenario versions", err)
	}
	for _, r := range versions {
		v, err := versionOf(dbsqlc.TemplateVersion{
			TemplateID: r.ScenarioID, Number: r.Number, ContentHash: r.ContentHash, Author: r.Author,
			ChangeNote: r.ChangeNote, PublishedAt: r.PublishedAt, Marks: r.Marks,
		})
		if err != nil {
			return err
		}
		put(&d.Catalog.Scenarios[scenario.ID(r.ScenarioID)].Versions, v.Hash, v)
	}
	return nil
}

func (tx *Tx) loadSchedules(ctx context.Context, d *Definitions, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	rows, err := tx.q.SchedulesByID(ctx, ids)
	if err != nil {
		return interpret("load schedules", err)
	}
	for i := range rows {
		s, err := scheduleFromRow(&rows[i])
		if err != nil {
			return err
		}
		put(&d.Catalog.Schedules, s.ScheduleID, s)
	}
	return nil
}

func graphOf(edges []dbsqlc.ScenarioDependency) *scenario.Graph {
	byID := map[scenario.ID][]scenario.Dependency{}
	for _, e := range edges {
		id := scenario.ID(e.ScenarioID)
		byID[id] = append(byID[id], dependencyFromRow(e))
	}
	g := &scenario.Graph{}
	for id, dependencies := range byID {
		g.Replace(id, dependencies)
	}
	return g
}

func addDependencies(c *scenario.Catalog, rows []dbsqlc.ScenarioDependency) {
	for _, r := range rows {
		if s := c.Scenarios[scenario.ID(r.ScenarioID)]; s != nil {
			s.Dependencies.Dependencies = append(s.Dependencies.Dependencies, dependencyFromRow(r))
		}
	}
}

func dependencyFromRow(r dbsqlc.ScenarioDependency) scenario.Dependency {
	return scenario.Dependency{DependsOn: scenario.ID(r.DependsOn), Kind: scenario.DependencyKind(r.Kind), MaxAge: durationOf(r.MaxAgeSeconds)}
}
