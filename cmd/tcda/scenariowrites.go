package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// publishFlags are what publishing a scenario and a template have in common.
type publishFlags struct {
	File   string `arg:"" help:"The definition, YAML or JSON; - is the standard input."`
	ID     string `name:"id" placeholder:"ID" help:"What it is known by; the file's name without its extension if empty."`
	Author string `placeholder:"NAME" help:"Who wrote it; you if empty."`
	Note   string `placeholder:"TEXT" help:"What changed, for people."`
}

// read is the id, the author and the definition. Its size and form are for the
// service to judge, whose limits these are.
func (f *publishFlags) read(term console) (id, author, definition string, err error) {
	id, author = f.ID, f.Author
	if id == "" {
		if f.File == stdin {
			return "", "", "", &exitError{exitUsage, errors.New("--id is needed with the standard input")}
		}
		name := filepath.Base(f.File)
		id = strings.TrimSuffix(name, filepath.Ext(name))
	}
	if author == "" {
		author = operator()
	}
	const most = 2 << 20 // of a request to the API
	definition, err = readBounded(f.File, term.in, most+1)
	switch {
	case err != nil:
		return "", "", "", fmt.Errorf("%s: %w", escaped(f.File), err)
	case len(definition) > most:
		return "", "", "", fmt.Errorf("%s: longer than %d bytes", escaped(f.File), most)
	case !utf8.ValidString(definition): // what is published is kept byte for byte, and a message holds text only
		return "", "", "", fmt.Errorf("%s: not valid UTF-8", escaped(f.File))
	}
	return id, author, definition, nil
}

// published is what came of it, in words.
func published(kind, id string, v *contract.DefinitionVersion, isNew bool) string {
	said := "a version that it had before"
	if isNew {
		said = "new"
	}
	return fmt.Sprintf("%s %s is at version %d (%s), sha256 %s", kind, id, v.GetNumber(), said, v.GetHash())
}

type scenariosPublish struct {
	apiFlags
	writeFlags
	publishFlags
	scenarioFlags
}

// scenarioFlags say what a scenario is, beside its definition.
type scenarioFlags struct {
	Type     string   `placeholder:"TYPE" help:"The kind of chaos, such as network_latency."`
	Category string   `placeholder:"NAME" help:"A category to find it by."`
	Service  []string `sep:"none" placeholder:"NAME" help:"A service that is tested. Once for each."`
	Outcome  []string `sep:"none" placeholder:"TEXT" help:"What should happen. Once for each."`
	Tag      []string `sep:"none" placeholder:"TAG" help:"A tag to find it by. Once for each."`
}

// Run publishes.
func (c *scenariosPublish) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	id, author, definition, err := c.read(term)
	if err != nil {
		return err
	}
	answer, err := call(ctx, api, api.scenarios.PublishScenario, &contract.PublishScenarioRequest{RequestId: c.request(), Scenario: &contract.ScenarioPublished{
		ScenarioId: id, Definition: definition, Author: author, ChangeNote: c.Note,
		ScenarioType: c.Type, Category: c.Category, ServicesUnderTest: c.Service, ExpectedOutcomes: c.Outcome, Tags: c.Tag,
	}})
	if err != nil {
		return err
	}
	return c.printWritten(term, &c.writeFlags, answer, "%s", published("scenario", id, answer.GetVersion(), answer.GetNewVersion()))
}

type scenariosStatus struct {
	apiFlags
	writeFlags
	Scenario string `arg:"" help:"The scenario."`
	Status   string `arg:"" enum:"draft,active,archived,deprecated" help:"Its status from now on: draft, active, archived or deprecated."`
}

// Run changes the status.
func (c *scenariosStatus) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := call(ctx, api, api.scenarios.ChangeScenarioStatus, &contract.ChangeScenarioStatusRequest{
		RequestId: c.request(), Change: &contract.ScenarioStatusChanged{ScenarioId: c.Scenario, Status: c.Status},
	})
	if err != nil {
		return err
	}
	return c.printWritten(term, &c.writeFlags, answer, "scenario %s is %s", c.Scenario, answer.GetScenario().GetStatus())
}

type scenariosDepend struct {
	apiFlags
	writeFlags
	Scenario     string       `arg:"" help:"The scenario."`
	Dependencies []dependency `arg:"" optional:"" name:"kind=scenario[,max-age]" help:"What it needs or excludes, all of it: requires_success, requires_run, conflicts_with or must_not_overlap, the other scenario, and how old its run may be (24h). None takes all away."`
}

// dependency is the argument KIND=SCENARIO[,MAX-AGE].
type dependency struct{ message *contract.Dependency }

// UnmarshalText reads the argument.
func (d *dependency) UnmarshalText(text []byte) error {
	kind, other, ok := strings.Cut(string(text), "=")
	other, age, aged := strings.Cut(other, ",")
	d.message = &contract.Dependency{Kind: kind, DependsOn: other}
	if aged {
		most, err := time.ParseDuration(age)
		ok = ok && err == nil
		d.message.MaxAge = length(most)
	}
	if !ok {
		return errors.New("must be KIND=SCENARIO or KIND=SCENARIO,MAX-AGE, such as requires_success=warm-up,24h")
	}
	return nil
}

// Run declares.
func (c *scenariosDepend) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	all := &contract.ScenarioDependenciesDeclared{ScenarioId: c.Scenario}
	for _, d := range c.Dependencies {
		all.Dependencies = append(all.Dependencies, d.message)
	}
	answer, err := call(ctx, api, api.scenarios.DeclareDependencies, &contract.DeclareDependenciesRequest{RequestId: c.request(), Declaration: all})
	if err != nil {
		return err
	}
	return c.printWritten(term, &c.writeFlags, answer, "dependencies of scenario %s: %d", c.Scenario, len(answer.GetDependencies()))
}
