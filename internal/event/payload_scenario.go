package event

import (
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

func templatePublished(m *contract.TemplatePublished) scenario.Payload {
	return &scenario.TemplatePublished{
		TemplateID: scenario.TemplateID(m.GetTemplateId()),
		Definition: m.GetDefinition(),
		Author:     m.GetAuthor(),
		ChangeNote: m.GetChangeNote(),
	}
}

func scenarioPublished(m *contract.ScenarioPublished) scenario.Payload {
	p := &scenario.Published{
		ScenarioID:        scenario.ID(m.GetScenarioId()),
		Definition:        m.GetDefinition(),
		ScenarioType:      m.GetScenarioType(),
		Category:          m.GetCategory(),
		ServicesUnderTest: m.GetServicesUnderTest(),
		ExpectedOutcomes:  m.GetExpectedOutcomes(),
		Tags:              m.GetTags(),
		Author:            m.GetAuthor(),
		ChangeNote:        m.GetChangeNote(),
	}
	if use := m.GetTemplate(); use != nil {
		p.Template = &scenario.TemplateUse{
			TemplateID: scenario.TemplateID(use.GetTemplateId()),
			Version:    use.GetVersion(),
			Parameters: rawObject(use.GetParameters()),
		}
	}
	return p
}

func statusChanged(m *contract.ScenarioStatusChanged) scenario.Payload {
	return &scenario.StatusChanged{
		ScenarioID: scenario.ID(m.GetScenarioId()),
		Status:     scenario.Status(m.GetStatus()),
	}
}

func dependenciesDeclared(m *contract.ScenarioDependenciesDeclared) scenario.Payload {
	p := &scenario.DependenciesDeclared{ScenarioID: scenario.ID(m.GetScenarioId())}
	for _, d := range m.GetDependencies() {
		p.Dependencies = append(p.Dependencies, scenario.Dependency{
			DependsOn: scenario.ID(d.GetDependsOn()),
			Kind:      scenario.DependencyKind(d.GetKind()),
			MaxAge:    goDuration(d.GetMaxAge()),
		})
	}
	return p
}

func scheduleSet(m *contract.ScheduleSet) scenario.Payload {
	return &scenario.ScheduleSet{Schedule: scenario.Schedule{
		ScheduleID:        scenario.ScheduleID(m.GetScheduleId()),
		ScenarioID:        scenario.ID(m.GetScenarioId()),
		Kind:              scenario.ScheduleKind(m.GetKind()),
		Cron:              m.GetCron(),
		TimeZone:          m.GetTimeZone(),
		RunAt:             goTime(m.GetRunAt()),
		AfterScenarioID:   scenario.ID(m.GetAfterScenarioId()),
		EventType:         m.GetEventType(),
		Enabled:           m.Enabled,
		ConcurrencyPolicy: scenario.ConcurrencyPolicy(m.GetConcurrencyPolicy()),
		StartingDeadline:  goDuration(m.GetStartingDeadline()),
		NotBefore:         goTime(m.GetNotBefore()),
		NotAfter:          goTime(m.GetNotAfter()),
		Parameters:        rawObject(m.GetParameters()),
	}}
}

func scheduleRemoved(m *contract.ScheduleRemoved) scenario.Payload {
	return &scenario.ScheduleRemoved{ScheduleID: scenario.ScheduleID(m.GetScheduleId())}
}
