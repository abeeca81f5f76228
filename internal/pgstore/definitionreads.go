package pgstore

import (
	"context"
	"fmt"
	"math"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// NamedScenario is a scenario as readers see it: folded, with the number of its
// current version.
type NamedScenario struct {
	*scenario.Scenario
	CurrentNumber int32 // 0: it has no content yet
	VersionCount  int32
}

// NamedTemplate is a template as readers see it.
type NamedTemplate struct {
	*scenario.Template
	CurrentNumber int32
	VersionCount  int32
}

// Scenario is one scenario with its dependencies, or ErrNotFound.
func (s *Store) Scenario(ctx context.Context, id scenario.ID) (NamedScenario, error) {
	return scenarioByID(ctx, s.q, id)
}

// Scenario is one scenario with its dependencies, or ErrNotFound.
func (tx *Tx) Scenario(ctx context.Context, id scenario.ID) (NamedScenario, error) {
	return scenarioByID(ctx, tx.q, id)
}

func scenarioByID(ctx context.Context, q *dbsqlc.Queries, id scenario.ID) (NamedScenario, error) {
	row, err := q.ScenarioByID(ctx, string(id))
	if err != nil {
		return NamedScenario{}, interpret("read scenario", err)
	}
	found, err := namedScenario(&row.Scenario, row.CurrentNumber)
	if err != nil {
		return NamedScenario{}, err
	}
	dependencies, err := q.DependenciesOf(ctx, []string{string(id)})
	if err != nil {
		return NamedScenario{}, interpret("read dependencies", err)
	}
	for _, d := range dependencies {
		found.Dependencies.Dependencies = append(found.Dependencies.Dependencies, dependencyFromRow(d))
	}
	return found, nil
}

func namedScenario(r *dbsqlc.Scenario, number int32) (NamedScenario, error) {
	found, err := scenarioFromRow(r)
	return NamedScenario{Scenario: found, CurrentNumber: number, VersionCount: r.Versions}, err
}

// ScenariosAfter is a page of the scenarios by id, without their dependencies.
func (s *Store) ScenariosAfter(ctx context.Context, after scenario.ID, page int) ([]NamedScenario, error) {
	rows, err := s.q.ScenariosPage(ctx, string(after), int32(page))
	if err != nil {
		return nil, interpret("list scenarios", err)
	}
	out := make([]NamedScenario, len(rows))
	for i := range rows {
		if out[i], err = namedScenario(&rows[i].Scenario, rows[i].CurrentNumber); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ScenarioVersion is one version of a scenario with its text: by number, by hash
// in hex, or (empty) the current one. ErrNotFound when there is none.
func (s *Store) ScenarioVersion(ctx context.Context, id scenario.ID, version string) (*scenario.Version, error) {
	return scenarioVersion(ctx, s.q, id, version)
}

// ScenarioVersion is one version of a scenario with its text: by number, by hash
// in hex, or (empty) the current one. ErrNotFound when there is none.
func (tx *Tx) ScenarioVersion(ctx context.Context, id scenario.ID, version string) (*scenario.Version, error) {
	return scenarioVersion(ctx, tx.q, id, version)
}

func scenarioVersion(ctx context.Context, q *dbsqlc.Queries, id scenario.ID, version string) (*scenario.Version, error) {
	r, err := q.ScenarioVersion(ctx, string(id), version)
	if err != nil {
		return nil, interpret("read scenario version", err)
	}
	return versionOf(dbsqlc.TemplateVersion{
		TemplateID: r.ScenarioID, Number: r.Number, ContentHash: r.ContentHash, Definition: r.Definition, Author: r.Author,
		ChangeNote: r.ChangeNote, PublishedAt: r.PublishedAt, Marks: r.Marks,
	})
}

// ScenarioVersionsBefore is a page of a scenario's versions, newest first,
// without their texts; before 0 is the first page.
func (s *Store) ScenarioVersionsBefore(ctx context.Context, id scenario.ID, before int32, page int) ([]*scenario.Version, error) {
	if before == 0 {
		before = math.MaxInt32
	}
	rows, err := s.q.ScenarioVersionsPage(ctx, string(id), before, int32(page))
	if err != nil {
		return nil, interpret("list scenario versions", err)
	}
	out := make([]*scenario.Version, len(rows))
	for i, r := range rows {
		out[i], err = versionOf(dbsqlc.TemplateVersion{
			TemplateID: r.ScenarioID, Number: r.Number, ContentHash: r.ContentHash, Author: r.Author,
			ChangeNote: r.ChangeNote, PublishedAt: r.PublishedAt, Marks: r.Marks,
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ScenarioStatuses are the statuses of those of the given scenarios that are
// known.
func (s *Store) ScenarioStatuses(ctx context.Context, ids []scenario.ID) (map[scenario.ID]scenario.Status, error) {
	rows, err := s.q.ScenarioStatuses(ctx, textsOf(ids))
	if err != nil {
		return nil, interpret("read statuses of scenarios", err)
	}
	statuses := make(map[scenario.ID]scenario.Status, len(rows))
	for _, r := range rows {
		statuses[scenario.ID(r.ScenarioID)] = scenario.Status(r.Status)
	}
	return statuses, nil
}

// DependencyGraph is the graph of all declared dependencies; its size is
// limited.
func (s *Store) DependencyGraph(ctx context.Context) (*scenario.Graph, error) {
	return dependencyGraph(ctx, s.q)
}

// DependencyGraph is the graph of all declared dependencies; its size is
// limited.
func (tx *Tx) DependencyGraph(ctx context.Context) (*scenario.Graph, error) {
	return dependencyGraph(ctx, tx.q)
}

func dependencyGraph(ctx context.Context, q *dbsqlc.Queries) (*scenario.Graph, error) {
	edges, err := q.DependencyEdges(ctx)
	if err != nil {
		return nil, interpret("load dependencies", err)
	}
	return graphOf(edges), nil
}

// TemplateByID is one template, or ErrNotFound.
func (s *Store) TemplateByID(ctx context.Context, id scenario.TemplateID) (NamedTemplate, error) {
	row, err := s.q.TemplateByID(ctx, string(id))
	if err != nil {
		return NamedTemplate{}, interpret("read template", err)
	}
	return namedTemplate(&row.Template, row.CurrentNumber)
}

// TemplatesAfter is a page of the templates by id.
func (s *Store) TemplatesAfter(ctx context.Context, after scenario.TemplateID, page int) ([]NamedTemplate, error) {
	rows, err := s.q.TemplatesPage(ctx, string(after), int32(page))
	if err != nil {
		return nil, interpret("list templates", err)
	}
	out := make([]NamedTemplate, len(rows))
	for i := range rows {
		if out[i], err = namedTemplate(&rows[i].Template, rows[i].CurrentNumber); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func namedTemplate(r *dbsqlc.Template, number int32) (NamedTemplate, error) {
	found, err := templateFromRow(r)
	return NamedTemplate{Template: found, CurrentNumber: number, VersionCount: r.Versions}, err
}

// TemplateVersion is one version of a template, and what it comes to with all
// that it extends.
type TemplateVersion struct {
	Version *scenario.Version
	Merged  *scenario.Definition
}

// Template is one version of a template: by number, by hash in hex, or (empty)
// the current one. ErrNotFound when it, or one that it extends, is not known; a
// *fact.Rejection says why it cannot be merged with what it extends.
func (s *Store) Template(ctx context.Context, id scenario.TemplateID, version string, limits scenario.Limits) (TemplateVersion, error) {
	return templateVersionOf(ctx, s.q, id, version, limits)
}

// Template is Store.Template within the transaction.
func (tx *Tx) Template(ctx context.Context, id scenario.TemplateID, version string, limits scenario.Limits) (TemplateVersion, error) {
	return templateVersionOf(ctx, tx.q, id, version, limits)
}

func templateVersionOf(ctx context.Context, q *dbsqlc.Queries, id scenario.TemplateID, version string, limits scenario.Limits) (TemplateVersion, error) {
	row, err := q.TemplateVersion(ctx, string(id), version)
	if err != nil {
		return TemplateVersion{}, interpret("read template version", err)
	}
	found := TemplateVersion{}
	if found.Version, err = versionOf(row); err != nil {
		return TemplateVersion{}, err
	}
	merged, rejection, err := scenario.ResolveTemplate(id, found.Version.Hash.String(), func(id scenario.TemplateID, version string) (string, error) {
		return templateText(ctx, q, id, version)
	}, limits)
	switch {
	case err != nil:
		return TemplateVersion{}, err
	case rejection != nil:
		return TemplateVersion{}, rejection
	case merged == nil:
		return TemplateVersion{}, fmt.Errorf("a template that %s extends: %w", id, ErrNotFound)
	}
	found.Merged = merged
	return found, nil
}
