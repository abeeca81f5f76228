package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/command"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// scenarios is the ScenarioService, but for templates, which are in templates.go.
type scenarios struct{ Parts }

func (s *scenarios) PublishScenario(ctx context.Context, r *connect.Request[contract.PublishScenarioRequest]) (*connect.Response[contract.PublishScenarioResponse], error) {
	return once(ctx, s.Commands, r, "scenario", func(ctx context.Context, tx *command.Tx, m *contract.PublishScenarioRequest) (*contract.PublishScenarioResponse, error) {
		p, err := tx.PublishScenario(ctx, m.GetScenario())
		if err != nil {
			return nil, err
		}
		return &contract.PublishScenarioResponse{Version: versionMessage(p.Version, false), NewVersion: p.New}, nil
	})
}

func (s *scenarios) ChangeScenarioStatus(ctx context.Context, r *connect.Request[contract.ChangeScenarioStatusRequest]) (*connect.Response[contract.ChangeScenarioStatusResponse], error) {
	return once(ctx, s.Commands, r, "change", func(ctx context.Context, tx *command.Tx, m *contract.ChangeScenarioStatusRequest) (*contract.ChangeScenarioStatusResponse, error) {
		if err := tx.ChangeScenarioStatus(ctx, m.GetChange()); err != nil {
			return nil, err
		}
		found, err := tx.Tx.Scenario(ctx, scenario.ID(m.GetChange().GetScenarioId()))
		if err != nil {
			return nil, err
		}
		return &contract.ChangeScenarioStatusResponse{Scenario: scenarioMessage(found)}, nil
	})
}

func (s *scenarios) DeclareDependencies(ctx context.Context, r *connect.Request[contract.DeclareDependenciesRequest]) (*connect.Response[contract.DeclareDependenciesResponse], error) {
	return once(ctx, s.Commands, r, "declaration", func(ctx context.Context, tx *command.Tx, m *contract.DeclareDependenciesRequest) (*contract.DeclareDependenciesResponse, error) {
		declared, err := tx.DeclareDependencies(ctx, m.GetDeclaration())
		if err != nil {
			return nil, err
		}
		return &contract.DeclareDependenciesResponse{Dependencies: dependencyMessages(declared)}, nil
	})
}

func (s *scenarios) GetScenario(ctx context.Context, r *connect.Request[contract.GetScenarioRequest]) (*connect.Response[contract.GetScenarioResponse], error) {
	id := scenario.ID(r.Msg.GetScenarioId())
	found, err := s.Store.Scenario(ctx, id)
	if err != nil {
		return nil, orNotFound(err, "scenario", string(id))
	}
	answer := &contract.GetScenarioResponse{Scenario: scenarioMessage(found)}
	v, err := s.Store.ScenarioVersion(ctx, id, r.Msg.GetVersion())
	switch {
	case err == nil:
		answer.Version = versionMessage(v, true)
	case !errors.Is(err, pgstore.ErrNotFound):
		return nil, err
	case r.Msg.GetVersion() != "":
		return nil, versionNotFound(string(id), r.Msg.GetVersion())
	}
	return connect.NewResponse(answer), nil
}

// mostLooked bounds how many entries a page with a filter is looked for in.
const mostLooked = 1000

func (s *scenarios) ListScenarios(ctx context.Context, r *connect.Request[contract.ListScenariosRequest]) (*connect.Response[contract.ListScenariosResponse], error) {
	l := listing[pgstore.NamedScenario, scenario.ID, *contract.Scenario]{
		read:    s.Store.ScenariosAfter,
		place:   func(f *pgstore.NamedScenario) scenario.ID { return f.ID },
		message: func(f *pgstore.NamedScenario) *contract.Scenario { return scenarioMessage(*f) },
		bite:    largestPage, look: mostLooked,
	}
	if m := r.Msg; m.GetStatus() != "" || m.GetScenarioType() != "" || m.GetTag() != "" {
		l.matches = func(f *pgstore.NamedScenario) bool { return matches(*f, m) }
	}
	found, next, err := l.page(ctx, r.Msg)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&contract.ListScenariosResponse{Scenarios: found, NextPageToken: next}), nil
}

func matches(f pgstore.NamedScenario, r *contract.ListScenariosRequest) bool {
	return (r.GetStatus() == "" || string(f.Status) == r.GetStatus()) &&
		(r.GetScenarioType() == "" || f.ScenarioType == r.GetScenarioType()) &&
		(r.GetTag() == "" || slices.Contains(f.Tags, r.GetTag()))
}

func (s *scenarios) ListScenarioVersions(ctx context.Context, r *connect.Request[contract.ListScenarioVersionsRequest]) (*connect.Response[contract.ListScenarioVersionsResponse], error) {
	id := scenario.ID(r.Msg.GetScenarioId())
	l := listing[*scenario.Version, int32, *contract.DefinitionVersion]{
		read: func(ctx context.Context, before int32, most int) ([]*scenario.Version, error) {
			return s.Store.ScenarioVersionsBefore(ctx, id, before, most)
		},
		place:   func(v **scenario.Version) int32 { return (*v).Number },
		message: func(v **scenario.Version) *contract.DefinitionVersion { return versionMessage(*v, false) },
		bite:    bigBite,
	}
	found, next, err := l.page(ctx, r.Msg)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 && r.Msg.GetPageToken() == "" {
		if _, err := s.Store.Scenario(ctx, id); err != nil {
			return nil, orNotFound(err, "scenario", string(id))
		}
	}
	return connect.NewResponse(&contract.ListScenarioVersionsResponse{Versions: found, NextPageToken: next}), nil
}

func (s *scenarios) DiffScenarioVersions(ctx context.Context, r *connect.Request[contract.DiffScenarioVersionsRequest]) (*connect.Response[contract.DiffScenarioVersionsResponse], error) {
	id := scenario.ID(r.Msg.GetScenarioId())
	to, err := s.version(ctx, id, r.Msg.GetTo())
	if err != nil {
		return nil, err
	}
	named := r.Msg.GetFrom()
	if named == "" {
		if to.Number == 1 {
			return nil, &failure{code: connect.CodeFailedPrecondition, reason: "no_former_version", message: "version 1 has none before it", field: "from", rule: "a version to compare with"}
		}
		named = strconv.Itoa(int(to.Number - 1))
	}
	from, err := s.version(ctx, id, named)
	if err != nil {
		return nil, err
	}
	d := scenario.DiffDefinitions(from.Text, to.Text, s.Limits)
	answer := &contract.DiffScenarioVersionsResponse{From: versionMessage(from, false), To: versionMessage(to, false), Text: d.Text, Truncated: d.Truncated || d.More > 0}
	for _, c := range d.Changes {
		answer.Changes = append(answer.Changes, &contract.DefinitionChange{Path: c.Path, Kind: string(c.Kind), From: c.Before, To: c.After})
	}
	return connect.NewResponse(answer), nil
}

// version is a version that must be there.
func (s *scenarios) version(ctx context.Context, id scenario.ID, version string) (*scenario.Version, error) {
	v, err := s.Store.ScenarioVersion(ctx, id, version)
	if !errors.Is(err, pgstore.ErrNotFound) {
		return v, err
	}
	if _, err := s.Store.Scenario(ctx, id); err != nil {
		return nil, orNotFound(err, "scenario", string(id))
	}
	return nil, versionNotFound(string(id), version)
}

func (s *scenarios) ValidateDefinition(_ context.Context, r *connect.Request[contract.ValidateDefinitionRequest]) (*connect.Response[contract.ValidateDefinitionResponse], error) {
	text := r.Msg.GetDefinition()
	d, problems := scenario.ParseDefinition(text, s.Limits)
	answer := &contract.ValidateDefinitionResponse{Valid: len(problems) == 0, Hash: scenario.HashContent(text).String()}
	if d != nil {
		answer.Kind = string(d.Kind)
	}
	for _, p := range problems {
		answer.Problems = append(answer.Problems, &contract.Problem{Path: p.Path, Line: int32(p.Line), Column: int32(p.Column), Value: p.Value, Rule: p.Message})
	}
	return connect.NewResponse(answer), nil
}

// depthByDefault is how far a graph goes where the caller does not say.
const depthByDefault = 16

func (s *scenarios) GetDependencyGraph(ctx context.Context, r *connect.Request[contract.GetDependencyGraphRequest]) (*connect.Response[contract.GetDependencyGraphResponse], error) {
	id := scenario.ID(r.Msg.GetScenarioId())
	graph, err := s.Store.DependencyGraph(ctx)
	if err != nil {
		return nil, err
	}
	around := graph.Around(id, orDefault(int(r.Msg.GetDepth()), depthByDefault))
	ids := make([]scenario.ID, len(around.Nodes))
	for i, n := range around.Nodes {
		ids[i] = n.ID
	}
	statuses, err := s.Store.ScenarioStatuses(ctx, ids)
	if err != nil {
		return nil, err
	}
	if _, known := statuses[id]; !known && len(around.Edges) == 0 {
		return nil, notFound("scenario", string(id))
	}
	answer := &contract.GetDependencyGraphResponse{Truncated: around.Truncated}
	for _, n := range around.Nodes {
		answer.Nodes = append(answer.Nodes, &contract.DependencyNode{ScenarioId: string(n.ID), Status: string(statuses[n.ID]), Role: string(n.Role), Distance: int32(n.Distance)})
	}
	for _, e := range around.Edges {
		answer.Edges = append(answer.Edges, &contract.DependencyEdge{
			ScenarioId: string(e.From), Dependency: dependencyMessage(scenario.Dependency{DependsOn: e.To, Kind: e.Kind, MaxAge: e.MaxAge}),
		})
	}
	return connect.NewResponse(answer), nil
}

func (s *scenarios) CheckReadiness(ctx context.Context, r *connect.Request[contract.CheckReadinessRequest]) (*connect.Response[contract.CheckReadinessResponse], error) {
	ready, err := s.Commands.CheckReadiness(ctx, scenario.ID(r.Msg.GetScenarioId()), r.Msg.GetVersion(), r.Msg.GetEnvironment())
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(readinessMessage(ready)), nil
}

func readinessMessage(r command.Readiness) *contract.CheckReadinessResponse {
	m := &contract.CheckReadinessResponse{Ready: r.Ready, Findings: findingMessages(r.Findings)}
	if r.Version != nil {
		m.Version = r.Version.Number
	}
	m.Preconditions, m.Postconditions = conditionMessages(r.Preconditions), conditionMessages(r.Postconditions)
	return m
}

func findingMessages(findings []scenario.Finding) []*contract.ReadinessFinding {
	var all []*contract.ReadinessFinding
	for _, f := range findings {
		m := &contract.ReadinessFinding{
			Rule: string(f.Rule), Satisfied: f.Satisfied, Warning: f.Warning, ScenarioId: string(f.Scenario), At: moment(f.At), Message: f.Message,
		}
		for _, by := range f.DeclaredBy {
			m.DeclaredBy = append(m.DeclaredBy, string(by))
		}
		if f.Run != nil {
			m.ExecutionId, m.Run = f.Run.ExecutionID, f.Run.Run
		}
		if f.MaxAge > 0 {
			m.MaxAge = durationpb.New(f.MaxAge)
		}
		all = append(all, m)
	}
	return all
}

func conditionMessages(conditions []scenario.Condition) []*contract.DefinitionCondition {
	var all []*contract.DefinitionCondition
	for _, c := range conditions {
		all = append(all, &contract.DefinitionCondition{Type: c.Type, Expect: value(c.Expect), Service: c.Service, Parameters: object(c.Parameters)})
	}
	return all
}

func scenarioMessage(f pgstore.NamedScenario) *contract.Scenario {
	m := &contract.Scenario{
		ScenarioId: string(f.ID), Status: string(f.Status), ScenarioType: f.ScenarioType, Category: f.Category, ServicesUnderTest: f.ServicesUnderTest,
		ExpectedOutcomes: f.ExpectedOutcomes, Tags: f.Tags, Author: f.Author, ChangeNote: f.ChangeNote, CurrentVersion: f.CurrentNumber, Versions: f.VersionCount,
		PublishedAt: moment(f.PublishedAt), CreatedAt: moment(f.CreatedAt), UpdatedAt: moment(f.UpdatedAt), Dependencies: dependencyMessages(f.Dependencies.Dependencies),
	}
	if !f.Current.IsZero() {
		m.CurrentHash = f.Current.String()
	}
	if use := f.Template; use != nil {
		m.Template = &contract.TemplateUse{TemplateId: string(use.TemplateID), Version: use.Version, Parameters: object(use.Parameters)}
	}
	return m
}

func dependencyMessages(dependencies []scenario.Dependency) []*contract.Dependency {
	var all []*contract.Dependency
	for _, d := range dependencies {
		all = append(all, dependencyMessage(d))
	}
	return all
}

func dependencyMessage(d scenario.Dependency) *contract.Dependency {
	return &contract.Dependency{DependsOn: string(d.DependsOn), Kind: string(d.Kind), MaxAge: length(d.MaxAge)}
}

func versionMessage(v *scenario.Version, withText bool) *contract.DefinitionVersion {
	m := &contract.DefinitionVersion{Number: v.Number, Hash: v.Hash.String(), Author: v.Author, ChangeNote: v.ChangeNote, PublishedAt: moment(v.PublishedAt)}
	if withText {
		m.Definition = v.Text
	}
	return m
}

// orNotFound names what is not found; another error stays as it is.
func orNotFound(err error, kind, id string) error {
	if errors.Is(err, pgstore.ErrNotFound) {
		return notFound(kind, id)
	}
	return err
}

func versionNotFound(id, version string) error {
	if version == "" {
		return &failure{code: connect.CodeNotFound, reason: "version_not_found", message: id + " has no version yet"}
	}
	return &failure{code: connect.CodeNotFound, reason: "version_not_found", message: fmt.Sprintf("%s has no version %q", id, version), field: "version", rule: "a number or a hash of one of its versions"}
}
