package checker

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"sort"
	"strings"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// definitionTables hold scenarios, templates and schedules, with the columns of
// their keys.
var definitionTables = map[string][]string{
	"definition_events": {"event_key"}, "templates": {"template_id"}, "template_versions": {"template_id", "content_hash"}, "scenarios": {"scenario_id"},
	"scenario_versions": {"scenario_id", "content_hash"}, "scenario_dependencies": {"scenario_id", "depends_on", "kind"}, "schedules": {"schedule_id"},
}

// catalog is what all events about definitions come to: rows by table and key.
type catalog map[string]map[string]Row

func (c catalog) put(table string, row Row) {
	if c[table] == nil {
		c[table] = map[string]Row{}
	}
	c[table][keyOfRow(table, row)] = row
}

func keyOfRow(table string, row Row) string {
	var parts []string
	for _, column := range definitionTables[table] {
		if b, ok := row[column].([]byte); ok {
			parts = append(parts, hex.EncodeToString(b))
		} else {
			parts = append(parts, row.text(column))
		}
	}
	return strings.Join(parts, " ")
}

// definitionRows judges scenarios, templates and schedules.
func (c *check) definitionRows(ctx context.Context) error {
	got := catalog{}
	byAddress := map[Address]Row{}
	var owns []Row
	for table := range definitionTables {
		for row, err := range c.Store.Rows(ctx, table, "", "") {
			if err != nil {
				return err
			}
			if table == "definition_events" {
				if at, ok := row.address(); !ok {
					owns = append(owns, row)
				} else if byAddress[at] != nil {
					c.report.add(Finding{Doubled, at.String(), "definition_events", "two rows", "one"})
				} else {
					byAddress[at] = row
				}
			}
			got.put(table, row)
		}
	}
	for key, row := range got["scenario_versions"] {
		c.versions[key] = row.number("number")
	}
	want, own := catalog{}, c.ownDefinitions(owns)
	for name := range own {
		c.definitions[name] = c.definitions[name][:len(c.definitions[name]):len(c.definitions[name])] // it may be known from us alone
	}
	for name, events := range c.definitions {
		kind, subject, _ := strings.Cut(name, " ")
		applied := append(c.definitionEvents(kind, events, byAddress), own[name]...)
		if len(applied) == 0 {
			continue
		}
		c.report.Definitions++
		sort.Slice(applied, func(i, k int) bool { return applied[i].order < applied[k].order })
		want.fold(kind, subject, applied)
	}
	for at, row := range byAddress {
		c.report.add(Finding{Wrong, at.String(), "definition_events " + row.text("event_id"), "a row", "none: no such record is in Kafka"})
	}
	for table := range definitionTables {
		if table != "definition_events" {
			c.compareDefinitions(table, got[table], want[table])
		}
	}
	return nil
}

// ownDefinitions are the service's own events, by kind and subject. What their
// rows leave out was asked for through the API.
func (c *check) ownDefinitions(rows []Row) map[string][]*event {
	own, known := map[string][]*event{}, map[string]bool{}
	for _, row := range rows {
		subject := row.text("subject")
		where := row.text("aggregate") + " " + subject
		e := c.ownFromRow(where, "definition_events", subject, row, messages)
		if e == nil {
			continue
		}
		kind, _, _ := strings.Cut(e.name, ".")
		if where != kind+" "+subject || row.flag("time_suspect") {
			c.report.add(Finding{Wrong, where, "definition_events " + e.id, "of another kind, or of the future", kind})
		}
		if known[e.id] {
			c.report.add(Finding{Doubled, where, "definition_events " + e.id, "two rows", "one"})
			continue
		}
		known[e.id] = true
		c.noteOwn(&stated{event: e, where: where, written: row.written()})
		c.report.counted(&c.report.OwnEvents, 1)
		// What is stored of it has been noted; what it comes to needs all of it.
		whole := *e
		if call := c.calledFor(e); call != nil {
			if m, ok := call.Message.(*contract.PublishScenarioRequest); ok {
				whole.message = m.GetScenario()
				c.notePublication(&whole, row.written(), call)
			}
		}
		own[where] = append(own[where], &whole)
	}
	return own
}

// definitionEvents are the applied ones of an aggregate; their rows are taken
// out of byAddress.
func (c *check) definitionEvents(kind string, events []*event, byAddress map[Address]Row) (applied []*event) {
	groups := map[[32]byte][]*event{}
	for _, e := range events {
		groups[e.key] = append(groups[e.key], e)
	}
	for _, group := range groups {
		c.identity(group, byAddress)
	}
	for _, e := range events {
		row := byAddress[e.at]
		if row == nil {
			continue
		}
		delete(byAddress, e.at)
		applied = append(applied, e)
		c.notePublication(e, row.written(), nil)
		want := envelopeOf(e)
		want["aggregate"], want["subject"], want["data"] = kind, e.subject, row["data"]
		c.report.compare(e.at.String(), "definition_events", row, want)
		c.report.compareData(e, row, "definition_events.data")
		c.report.Applied++
		if p := e.at.partition(); c.applied[p] == nil {
			c.applied[p] = &rowCounts{1}
		} else {
			c.applied[p].applied++
		}
	}
	return applied
}

func (c *check) compareDefinitions(table string, got, want map[string]Row) {
	numbers := map[string][]int64{}
	for key, row := range got {
		held := want[key]
		if held == nil {
			c.report.add(Finding{Wrong, key, table, "a row", "none"})
			continue
		}
		if _, numbered := row["number"]; numbered {
			// By order of acceptance, which records of several partitions do not tell.
			owner, _, _ := strings.Cut(key, " ")
			numbers[owner] = append(numbers[owner], row.number("number"))
			held["number"] = row["number"]
		}
		c.report.compare(key, table, row, held)
	}
	for key := range want {
		if got[key] == nil {
			c.report.add(Finding{Lost, key, table, "no row", "one"})
		}
	}
	for owner, found := range numbers {
		slices.Sort(found)
		for i, n := range found {
			if n != int64(i+1) {
				c.report.add(Finding{Wrong, owner, table + ".number", fmt.Sprint(found), "1 to the number of contents"})
				break
			}
		}
	}
}

// fold adds what the events of an aggregate come to; they are in order, and the
// last to state something decides.
func (c catalog) fold(kind, subject string, events []*event) {
	first, last := events[0].when, events[len(events)-1].when
	switch kind {
	case "template":
		versions := c.versions("template", subject, events)
		m := events[len(events)-1].message.(*contract.TemplatePublished)
		c.put("templates", Row{
			"template_id": subject, "versions": versions, "current_hash": contentHash(m.GetDefinition()), "author": m.GetAuthor(), "change_note": m.GetChangeNote(),
			"published_at": last, "created_at": first,
		})
	case "scenario":
		c.scenario(subject, events)
	case "schedule":
		row := Row{
			"schedule_id": subject, "removed": false, "scenario_id": "", "kind": nil, "cron": "", "time_zone": "", "run_at": nil, "after_scenario_id": "", "event_type": "",
			"enabled": nil, "concurrency_policy": nil, "starting_deadline_seconds": nil, "not_before": nil, "not_after": nil, "parameters": nil,
			"created_at": first, "updated_at": last,
		}
		for _, e := range events {
			m, set := e.message.(*contract.ScheduleSet)
			row["removed"] = !set
			if !set {
				continue
			}
			row["scenario_id"], row["kind"], row["cron"], row["time_zone"] = m.GetScenarioId(), m.GetKind(), m.GetCron(), m.GetTimeZone()
			row["run_at"], row["not_before"], row["not_after"] = timeOf(m.RunAt), timeOf(m.NotBefore), timeOf(m.NotAfter)
			row["after_scenario_id"], row["event_type"] = m.GetAfterScenarioId(), m.GetEventType()
			row["enabled"], row["concurrency_policy"], row["parameters"] = nil, nil, nil
			if m.Enabled != nil {
				row["enabled"] = m.GetEnabled()
			}
			row.say("concurrency_policy", m.GetConcurrencyPolicy())
			row["starting_deadline_seconds"] = secondsOf(m.StartingDeadline)
			row.sayJSON("parameters", m.Parameters)
		}
		c.put("schedules", row)
	}
}

func (c catalog) scenario(subject string, events []*event) {
	row := Row{
		"scenario_id": subject, "versions": c.versions("scenario", subject, events), "status": nil, "current_hash": nil, "scenario_type": "", "category": "",
		"services_under_test": []string{}, "expected_outcomes": []string{}, "tags": []string{}, "author": "", "change_note": "",
		"template_id": "", "template_version": "", "template_parameters": nil, "published_at": nil, "dependencies_order": nil,
		"created_at": events[0].when, "updated_at": events[len(events)-1].when,
	}
	var dependencies *contract.ScenarioDependenciesDeclared
	for _, e := range events {
		switch m := e.message.(type) {
		case *contract.ScenarioPublished:
			row["current_hash"], row["scenario_type"], row["category"] = contentHash(m.GetDefinition()), m.GetScenarioType(), m.GetCategory()
			row["services_under_test"], row["expected_outcomes"], row["tags"] = texts(m.GetServicesUnderTest()), texts(m.GetExpectedOutcomes()), texts(m.GetTags())
			row["author"], row["change_note"], row["published_at"] = m.GetAuthor(), m.GetChangeNote(), e.when
			row["template_id"], row["template_version"], row["template_parameters"] = m.GetTemplate().GetTemplateId(), m.GetTemplate().GetVersion(), nil
			row.sayJSON("template_parameters", m.GetTemplate().GetParameters())
		case *contract.ScenarioStatusChanged:
			row["status"] = m.GetStatus()
		case *contract.ScenarioDependenciesDeclared:
			dependencies, row["dependencies_order"] = m, []byte(e.order)
		}
	}
	switch {
	case row["status"] != nil:
	case row["current_hash"] != nil:
		row["status"] = "active"
	default:
		row["status"] = "draft"
	}
	c.put("scenarios", row)
	for _, d := range dependencies.GetDependencies() {
		c.put("scenario_dependencies", Row{"scenario_id": subject, "depends_on": d.GetDependsOn(), "kind": d.GetKind(), "max_age_seconds": secondsOf(d.MaxAge)})
	}
}

// versions adds the contents of a template or scenario, each once, as it was
// first published; it gives their number.
func (c catalog) versions(kind, subject string, events []*event) int64 {
	table, n := kind+"_versions", int64(0)
	for _, e := range events {
		m, ok := e.message.(interface {
			GetDefinition() string
			GetAuthor() string
			GetChangeNote() string
		})
		if !ok {
			continue
		}
		row := Row{
			kind + "_id": subject, "content_hash": contentHash(m.GetDefinition()), "definition": m.GetDefinition(), "author": m.GetAuthor(), "change_note": m.GetChangeNote(),
			"published_at": e.when,
		}
		if c[table][keyOfRow(table, row)] == nil {
			c.put(table, row)
			n++
		}
	}
	return n
}

func texts(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
