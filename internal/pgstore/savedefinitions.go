package pgstore

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// SaveDefinitions is S4e for aggregates without runs: it inserts the events
// and saves the aggregates that they touched, as folded in d. Schedules that are
// among them are planned anew, and those that wait for one of the events come due.
func (tx *Tx) SaveDefinitions(ctx context.Context, p Partition, events []AcceptedDefinition, d *Definitions) error {
	if len(events) == 0 {
		return nil
	}
	if err := tx.triggerByDefinitions(ctx, events); err != nil {
		return err
	}
	tx.insertDefinitionEvents(ctx, p, events)
	var s definitionRows
	seen := map[aggregate]bool{}
	for _, e := range events {
		a := aggregateOf(e.Event)
		if seen[a] {
			continue
		}
		seen[a] = true
		switch a.kind {
		case kindTemplate:
			s.addTemplate(tx, d, d.Catalog.Templates[scenario.TemplateID(a.id)])
		case kindScenario:
			s.addScenario(tx, d, d.Catalog.Scenarios[scenario.ID(a.id)])
		case kindSchedule:
			s.schedules = append(s.schedules, scheduleParams(tx, d.Catalog.Schedules[scenario.ScheduleID(a.id)]))
		}
	}
	return tx.saveDefinitionRows(ctx, s)
}

func (tx *Tx) insertDefinitionEvents(ctx context.Context, p Partition, events []AcceptedDefinition) {
	rows := make([]dbsqlc.InsertDefinitionEventParams, len(events))
	for i, e := range events {
		rows[i] = dbsqlc.InsertDefinitionEventParams{
			EventKey: e.Key[:], Aggregate: aggregateOf(e.Event).kind, Subject: e.Subject, OrderKey: e.Order().Bytes(), Type: string(e.Type),
			Source: e.Source, EventID: e.ID, EventTime: e.Time, Sequence: nullable(int64(e.Sequence)), Digest: e.Digest[:], DigestVersion: fact.DigestVersion,
			TimeSuspect: e.Suspect, TraceParent: e.TraceParent, CorrelationID: e.CorrelationID,
			Data: e.Data, Extensions: e.Extensions, UnknownFields: e.Unknown, RecordedAt: tx.now,
		}
		if e.Offset != OwnEvent {
			rows[i].Topic, rows[i].Partition, rows[i].KafkaOffset = &p.Topic, &p.Number, &events[i].Offset
		}
	}
	tx.pipe.doing("insert definition events")
	tx.queued.InsertDefinitionEvent(ctx, rows).Exec(nil)
}

// definitionRows is what a batch writes about definitions.
type definitionRows struct {
	templates        []dbsqlc.SaveTemplateParams
	templateVersions []dbsqlc.SaveTemplateVersionParams
	scenarios        []dbsqlc.SaveScenarioParams
	scenarioVersions []dbsqlc.SaveScenarioVersionParams
	schedules        []dbsqlc.SaveScheduleParams

	declared, dependencyIDs, dependsOn, dependencyKinds []string
	maxAges                                             []float64
}

func (s *definitionRows) addTemplate(tx *Tx, d *Definitions, t *scenario.Template) {
	a := aggregate{kindTemplate, string(t.ID)}
	for _, v := range inOrder(t.Versions) {
		s.templateVersions = append(s.templateVersions, dbsqlc.SaveTemplateVersionParams{
			TemplateID: a.id, Number: v.Number, ContentHash: v.Hash[:], Definition: v.Text, Author: v.Author, ChangeNote: v.ChangeNote,
			PublishedAt: v.PublishedAt, Marks: v.Marks.Bytes(),
		})
	}
	s.templates = append(s.templates, dbsqlc.SaveTemplateParams{
		TemplateID: a.id, Versions: d.newest[a], CurrentHash: t.Current[:], Author: t.Author, ChangeNote: t.ChangeNote,
		PublishedAt: t.PublishedAt, CreatedAt: t.CreatedAt, Marks: t.Marks.Bytes(), ChangedAt: tx.now,
	})
}

func (s *definitionRows) addScenario(tx *Tx, d *Definitions, c *scenario.Scenario) {
	a := aggregate{kindScenario, string(c.ID)}
	for _, v := range inOrder(c.Versions) {
		s.scenarioVersions = append(s.scenarioVersions, dbsqlc.SaveScenarioVersionParams{
			ScenarioID: a.id, Number: v.Number, ContentHash: v.Hash[:], Definition: v.Text, Author: v.Author, ChangeNote: v.ChangeNote,
			PublishedAt: v.PublishedAt, Marks: v.Marks.Bytes(),
		})
	}
	row := dbsqlc.SaveScenarioParams{
		ScenarioID: a.id, Versions: d.newest[a], Status: string(c.Status), ScenarioType: c.ScenarioType, Category: c.Category,
		ServicesUnderTest: texts(c.ServicesUnderTest), ExpectedOutcomes: texts(c.ExpectedOutcomes), Tags: texts(c.Tags),
		Author: c.Author, ChangeNote: c.ChangeNote, PublishedAt: nullTime(c.PublishedAt), DependenciesOrder: orderBytes(c.Dependencies.Declared),
		CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt, Marks: c.Marks.Bytes(), ChangedAt: tx.now,
	}
	if !c.Current.IsZero() {
		row.CurrentHash = c.Current[:]
	}
	if t := c.Template; t != nil {
		row.TemplateID, row.TemplateVersion, row.TemplateParameters = string(t.TemplateID), t.Version, t.Parameters
	}
	s.scenarios = append(s.scenarios, row)
	if c.Dependencies.Declared.IsZero() {
		return
	}
	s.declared = append(s.declared, a.id)
	for _, dep := range c.Dependencies.Dependencies {
		s.dependencyIDs, s.dependsOn = append(s.dependencyIDs, a.id), append(s.dependsOn, string(dep.DependsOn))
		s.dependencyKinds, s.maxAges = append(s.dependencyKinds, string(dep.Kind)), append(s.maxAges, orNaN(seconds(dep.MaxAge)))
	}
}

// texts is never nil: the columns are NOT NULL.
func texts(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func scheduleParams(tx *Tx, s *scenario.ScheduleState) dbsqlc.SaveScheduleParams {
	return dbsqlc.SaveScheduleParams{
		ScheduleID: string(s.ScheduleID), Removed: s.Removed, ScenarioID: string(s.ScenarioID), Kind: nullable(string(s.Kind)), Cron: s.Cron,
		TimeZone: s.TimeZone, RunAt: nullTime(s.RunAt), AfterScenarioID: string(s.AfterScenarioID), EventType: s.EventType, Enabled: s.Enabled,
		ConcurrencyPolicy: nullable(string(s.ConcurrencyPolicy)), StartingDeadlineSeconds: seconds(s.StartingDeadline),
		NotBefore: nullTime(s.NotBefore), NotAfter: nullTime(s.NotAfter), Parameters: s.Parameters,
		CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt, Marks: s.Marks.Bytes(), ChangedAt: tx.now,
	}
}

func (tx *Tx) saveDefinitionRows(ctx context.Context, s definitionRows) error {
	tx.pipe.doing("save templates")
	tx.queued.SaveTemplate(ctx, s.templates).Exec(nil)
	tx.pipe.doing("save template versions")
	tx.queued.SaveTemplateVersion(ctx, s.templateVersions).Exec(nil)
	tx.pipe.doing("save scenarios")
	tx.queued.SaveScenario(ctx, s.scenarios).Exec(nil)
	tx.pipe.doing("save scenario versions")
	tx.queued.SaveScenarioVersion(ctx, s.scenarioVersions).Exec(nil)
	tx.pipe.doing("save schedules")
	tx.queued.SaveSchedule(ctx, s.schedules).Exec(nil)
	if err := tx.replanSchedules(ctx, s.schedules); err != nil {
		return err
	}
	if len(s.declared) == 0 {
		return nil
	}
	tx.pipe.doing("replace dependencies")
	if err := tx.queued.DeleteDependencies(ctx, s.declared); err != nil {
		return err
	}
	return tx.queued.InsertDependencies(ctx, dbsqlc.InsertDependenciesParams{
		Ids: s.dependencyIDs, DependsOn: s.dependsOn, Kinds: s.dependencyKinds, MaxAges: s.maxAges,
	})
}

func (tx *Tx) replanSchedules(ctx context.Context, saved []dbsqlc.SaveScheduleParams) error {
	if len(saved) == 0 {
		return nil
	}
	ids := make([]string, len(saved))
	for i := range saved {
		ids[i] = saved[i].ScheduleID
	}
	now, err := tx.serverTime(ctx)
	if err != nil {
		return err
	}
	tx.pipe.doing("have schedules planned")
	return tx.queued.ReplanSchedules(ctx, now, ids)
}

// inOrder is the versions by their numbers.
func inOrder(versions map[scenario.ContentHash]*scenario.Version) []*scenario.Version {
	return slices.SortedFunc(maps.Values(versions), func(a, b *scenario.Version) int { return cmp.Compare(a.Number, b.Number) })
}
