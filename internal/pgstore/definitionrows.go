package pgstore

import (
	"fmt"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// versionOf maps the version of a template; scenarios' have the same columns.
func versionOf(r dbsqlc.TemplateVersion) (*scenario.Version, error) {
	marks, err := fact.ParseMarks(r.Marks)
	if err != nil {
		return nil, fmt.Errorf("read version %d of %s: %w", r.Number, r.TemplateID, err)
	}
	return &scenario.Version{
		Hash: scenario.ContentHash(r.ContentHash), Number: r.Number, Text: r.Definition, Author: r.Author, ChangeNote: r.ChangeNote,
		PublishedAt: r.PublishedAt.UTC(), Marks: marks,
	}, nil
}

func templateFromRow(r *dbsqlc.Template) (*scenario.Template, error) {
	marks, err := fact.ParseMarks(r.Marks)
	if err != nil {
		return nil, fmt.Errorf("read template %s: %w", r.TemplateID, err)
	}
	return &scenario.Template{
		ID: scenario.TemplateID(r.TemplateID), Current: scenario.ContentHash(r.CurrentHash), Author: r.Author, ChangeNote: r.ChangeNote,
		PublishedAt: r.PublishedAt.UTC(), CreatedAt: r.CreatedAt.UTC(), Marks: marks,
	}, nil
}

func scenarioFromRow(r *dbsqlc.Scenario) (*scenario.Scenario, error) {
	marks, err := fact.ParseMarks(r.Marks)
	if err != nil {
		return nil, fmt.Errorf("read scenario %s: %w", r.ScenarioID, err)
	}
	declared, err := orderOf(r.DependenciesOrder)
	if err != nil {
		return nil, fmt.Errorf("read scenario %s: %w", r.ScenarioID, err)
	}
	s := &scenario.Scenario{
		ID: scenario.ID(r.ScenarioID), Status: scenario.Status(r.Status), ScenarioType: r.ScenarioType, Category: r.Category,
		ServicesUnderTest: r.ServicesUnderTest, ExpectedOutcomes: r.ExpectedOutcomes, Tags: r.Tags, Author: r.Author, ChangeNote: r.ChangeNote,
		PublishedAt: timeOf(r.PublishedAt), Dependencies: scenario.DependencySet{Declared: declared},
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(), Marks: marks,
	}
	if r.CurrentHash != nil {
		s.Current = scenario.ContentHash(r.CurrentHash)
	}
	if r.TemplateID != "" {
		s.Template = &scenario.TemplateUse{TemplateID: scenario.TemplateID(r.TemplateID), Version: r.TemplateVersion, Parameters: r.TemplateParameters}
	}
	return s, nil
}

func scheduleFromRow(r *dbsqlc.Schedule) (*scenario.ScheduleState, error) {
	marks, err := fact.ParseMarks(r.Marks)
	if err != nil {
		return nil, fmt.Errorf("read schedule %s: %w", r.ScheduleID, err)
	}
	return &scenario.ScheduleState{
		Schedule: scenario.Schedule{
			ScheduleID: scenario.ScheduleID(r.ScheduleID), ScenarioID: scenario.ID(r.ScenarioID), Kind: scenario.ScheduleKind(valueOf(r.Kind)),
			Cron: r.Cron, TimeZone: r.TimeZone, RunAt: timeOf(r.RunAt), AfterScenarioID: scenario.ID(r.AfterScenarioID), EventType: r.EventType,
			Enabled: r.Enabled, ConcurrencyPolicy: scenario.ConcurrencyPolicy(valueOf(r.ConcurrencyPolicy)),
			StartingDeadline: durationOf(r.StartingDeadlineSeconds), NotBefore: timeOf(r.NotBefore), NotAfter: timeOf(r.NotAfter), Parameters: r.Parameters,
		},
		Removed: r.Removed, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(), Marks: marks,
	}, nil
}
