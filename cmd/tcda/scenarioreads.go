package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

type scenariosList struct {
	apiFlags
	listing
	Status string `values:"draft,active,archived,deprecated" placeholder:"STATUS" help:"Only those of this status: draft, active, archived or deprecated."`
	Type   string `placeholder:"TYPE" help:"Only those of this type."`
	Tag    string `placeholder:"TAG" help:"Only those with this tag."`
}

// Run prints scenarios.
func (c *scenariosList) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := list(ctx, api, c.listing, api.scenarios.ListScenarios, &contract.ListScenariosRequest{Status: c.Status, ScenarioType: c.Type, Tag: c.Tag})
	if err != nil {
		return err
	}
	rows := make([][]string, len(answer.GetScenarios()))
	for i, s := range answer.GetScenarios() {
		rows[i] = []string{s.GetScenarioId(), s.GetStatus(), some(s.GetCurrentVersion()), s.GetScenarioType(), strings.Join(s.GetTags(), ","), s.GetAuthor(), at(s.GetPublishedAt())}
	}
	return c.printList(term, answer, []string{"SCENARIO", "STATUS", "VERSION", "TYPE", "TAGS", "AUTHOR", "PUBLISHED AT"}, rows)
}

type scenariosShow struct {
	apiFlags
	Scenario   string `arg:"" help:"The scenario."`
	Version    string `placeholder:"VERSION" help:"The version, as number or sha256; the current one if empty."`
	Definition bool   `help:"Print the definition as it was published, and nothing else: for a file."`
}

// Run prints a scenario.
func (c *scenariosShow) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := call(ctx, api, api.scenarios.GetScenario, &contract.GetScenarioRequest{ScenarioId: c.Scenario, Version: c.Version})
	if err != nil {
		return err
	}
	if c.Definition {
		_, err := io.WriteString(term.out, answer.GetVersion().GetDefinition())
		return err
	}
	return c.print(term, answer, func() error {
		s, v := answer.GetScenario(), answer.GetVersion()
		needs := make([]string, len(s.GetDependencies()))
		for i, d := range s.GetDependencies() {
			needs[i] = dependencyText(d)
		}
		made := ""
		if t := s.GetTemplate(); t != nil {
			made = strings.TrimSuffix(fmt.Sprintf("%s, version %s, %s", t.GetTemplateId(), t.GetVersion(), inline(t.GetParameters())), ", ")
		}
		err := term.fields("scenario", s.GetScenarioId(),
			[]string{"status", s.GetStatus()},
			[]string{"type", s.GetScenarioType()},
			[]string{"category", s.GetCategory()},
			[]string{"services under test", strings.Join(s.GetServicesUnderTest(), ", ")},
			[]string{"expected outcomes", strings.Join(s.GetExpectedOutcomes(), "; ")},
			[]string{"tags", strings.Join(s.GetTags(), ", ")},
			[]string{"depends on", strings.Join(needs, ", ")},
			[]string{"made from template", made},
			[]string{"current version", some(s.GetCurrentVersion())},
			[]string{"versions", some(s.GetVersions())},
			[]string{"created at", at(s.GetCreatedAt())},
			[]string{"updated at", at(s.GetUpdatedAt())},
		)
		if err != nil {
			return err
		}
		return printVersion(term, v)
	})
}

// printVersion prints a version with its definition.
func printVersion(term console, v *contract.DefinitionVersion) error {
	if v == nil {
		fmt.Fprintln(term.out, "\nno definition has been published yet")
		return nil
	}
	fmt.Fprintln(term.out)
	err := term.fields("version", strconv.Itoa(int(v.GetNumber())),
		[]string{"sha256", v.GetHash()}, []string{"author", v.GetAuthor()}, []string{"change note", v.GetChangeNote()}, []string{"published at", at(v.GetPublishedAt())})
	if err != nil {
		return err
	}
	fmt.Fprintf(term.out, "\ndefinition:\n%s", block([]byte(v.GetDefinition())))
	return nil
}

// dependencyText is a dependency as it is typed.
func dependencyText(d *contract.Dependency) string {
	text := d.GetKind() + "=" + d.GetDependsOn()
	if d.GetMaxAge() != nil {
		text += "," + spent(d.GetMaxAge())
	}
	return text
}

type scenariosVersions struct {
	apiFlags
	listing
	Scenario string `arg:"" help:"The scenario."`
}

// Run prints versions.
func (c *scenariosVersions) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := list(ctx, api, c.listing, api.scenarios.ListScenarioVersions, &contract.ListScenarioVersionsRequest{ScenarioId: c.Scenario})
	if err != nil {
		return err
	}
	rows := make([][]string, len(answer.GetVersions()))
	for i, v := range answer.GetVersions() {
		rows[i] = []string{some(v.GetNumber()), v.GetHash(), at(v.GetPublishedAt()), v.GetAuthor(), cut(v.GetChangeNote())}
	}
	return c.printList(term, answer, []string{"VERSION", "SHA256", "PUBLISHED AT", "AUTHOR", "CHANGE NOTE"}, rows)
}

type scenariosDiff struct {
	apiFlags
	Scenario string `arg:"" help:"The scenario."`
	From     string `placeholder:"VERSION" help:"The older version, as number or sha256; the one before --to if empty."`
	To       string `placeholder:"VERSION" help:"The newer version; the current one if empty."`
	ExitCode bool   `help:"Exit 1 when they differ."`
}

// Run prints what differs.
func (c *scenariosDiff) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := call(ctx, api, api.scenarios.DiffScenarioVersions, &contract.DiffScenarioVersionsRequest{ScenarioId: c.Scenario, From: c.From, To: c.To})
	if err != nil {
		return err
	}
	differ := len(answer.GetChanges()) > 0 || answer.GetText() != ""
	err = c.print(term, answer, func() error {
		rows := make([][]string, len(answer.GetChanges()))
		for i, d := range answer.GetChanges() {
			rows[i] = []string{d.GetPath(), d.GetKind(), cut(d.GetFrom()), cut(d.GetTo())}
		}
		fmt.Fprintf(term.out, "%s, version %d to %d\n", escaped(c.Scenario), answer.GetFrom().GetNumber(), answer.GetTo().GetNumber())
		if err := printChanges(term, rows, answer.GetTruncated()); err != nil {
			return err
		}
		fmt.Fprint(term.out, block([]byte(answer.GetText())))
		if !differ {
			fmt.Fprintln(term.out, "nothing differs")
		}
		return nil
	})
	if err == nil && differ && c.ExitCode {
		return errReported
	}
	return err
}

// printChanges prints places at which two things differ.
func printChanges(term console, rows [][]string, truncated bool) error {
	if len(rows) > 0 {
		if err := term.table([]string{"PATH", "CHANGE", "FROM", "TO"}, rows); err != nil {
			return err
		}
	}
	if truncated {
		fmt.Fprintln(term.err, "there is more than is shown")
	}
	return nil
}

type scenariosGraph struct {
	apiFlags
	Scenario string `arg:"" help:"The scenario."`
	Depth    int32  `placeholder:"N" help:"How many dependencies away others may be; 16 if not given."`
}

// Run prints the graph: the order, then who depends on whom.
func (c *scenariosGraph) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := call(ctx, api, api.scenarios.GetDependencyGraph, &contract.GetDependencyGraphRequest{ScenarioId: c.Scenario, Depth: c.Depth})
	if err != nil {
		return err
	}
	return c.print(term, answer, func() error {
		needs := map[string][]string{}
		for _, e := range answer.GetEdges() {
			needs[e.GetScenarioId()] = append(needs[e.GetScenarioId()], dependencyText(e.GetDependency()))
		}
		rows := make([][]string, len(answer.GetNodes()))
		for i, n := range answer.GetNodes() {
			rows[i] = []string{strconv.Itoa(i + 1), n.GetScenarioId(), n.GetStatus(), n.GetRole(), strconv.Itoa(int(n.GetDistance())), strings.Join(needs[n.GetScenarioId()], " ")}
		}
		if answer.GetTruncated() {
			fmt.Fprintln(term.err, "more lies beyond: see --depth")
		}
		return term.table([]string{"ORDER", "SCENARIO", "STATUS", "ROLE", "DISTANCE", "DEPENDS ON"}, rows)
	})
}

type scenariosReady struct {
	apiFlags
	Scenario    string `arg:"" help:"The scenario."`
	Version     string `placeholder:"VERSION" help:"The version, as number or sha256; the current one if empty."`
	Environment string `placeholder:"NAME" help:"Where it would run."`
}

// Help is what --help says beyond the settings.
func (*scenariosReady) Help() string {
	return `Exit codes: 0 it may run, 1 it may not, or the command failed, 2 wrong command
line, settings or arguments, 4 what is named is not known.`
}

// Run prints what readiness rests on.
func (c *scenariosReady) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := call(ctx, api, api.scenarios.CheckReadiness, &contract.CheckReadinessRequest{ScenarioId: c.Scenario, Version: c.Version, Environment: c.Environment})
	if err != nil {
		return err
	}
	err = c.print(term, answer, func() error {
		verdict := "may run now"
		if !answer.GetReady() {
			verdict = "may not run now"
		}
		fmt.Fprintf(term.out, "%s, version %d, %s\n", escaped(c.Scenario), answer.GetVersion(), verdict)
		return printFindings(term, answer.GetFindings(), answer.GetPreconditions(), answer.GetPostconditions())
	})
	if err == nil && !answer.GetReady() {
		return errReported
	}
	return err
}

// printFindings prints what readiness rests on, and what the coordinator has to
// see to.
func printFindings(term console, findings []*contract.ReadinessFinding, before, after []*contract.DefinitionCondition) error {
	rows := make([][]string, len(findings))
	for i, f := range findings {
		mark := "ok"
		switch {
		case !f.GetSatisfied():
			mark = "NO"
		case f.GetWarning():
			mark = "warning"
		}
		run := ""
		if f.GetExecutionId() != "" {
			run = runText(f.GetExecutionId(), f.GetRun())
		}
		rows[i] = []string{mark, f.GetRule(), f.GetScenarioId(), run, at(f.GetAt()), f.GetMessage()}
	}
	if err := term.table([]string{"OK", "RULE", "SCENARIO", "RUN", "AT", "MESSAGE"}, rows); err != nil {
		return err
	}
	for _, part := range []struct {
		name       string
		conditions []*contract.DefinitionCondition
	}{{"precondition", before}, {"postcondition", after}} {
		for _, d := range part.conditions {
			line := part.name + " " + d.GetType()
			for _, said := range []string{d.GetService(), inline(d.GetExpect()), inline(d.GetParameters())} {
				if said != "" {
					line += " " + said
				}
			}
			fmt.Fprintln(term.out, escaped(line+" (for the coordinator to check)"))
		}
	}
	return nil
}
