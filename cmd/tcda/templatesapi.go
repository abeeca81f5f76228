package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

type templatesList struct {
	apiFlags
	listing
}

// Run prints templates.
func (c *templatesList) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := list(ctx, api, c.listing, api.scenarios.ListTemplates, &contract.ListTemplatesRequest{})
	if err != nil {
		return err
	}
	rows := make([][]string, len(answer.GetTemplates()))
	for i, t := range answer.GetTemplates() {
		rows[i] = []string{t.GetTemplateId(), some(t.GetCurrentVersion()), some(t.GetVersions()), t.GetAuthor(), at(t.GetPublishedAt()), cut(t.GetChangeNote())}
	}
	return c.printList(term, answer, []string{"TEMPLATE", "VERSION", "VERSIONS", "AUTHOR", "PUBLISHED AT", "CHANGE NOTE"}, rows)
}

type templatesShow struct {
	apiFlags
	Template   string `arg:"" help:"The template."`
	Version    string `placeholder:"VERSION" help:"The version, as number or sha256; the current one if empty."`
	Definition bool   `help:"Print the definition as it was published, and nothing else: for a file."`
}

// Run prints a template.
func (c *templatesShow) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := call(ctx, api, api.scenarios.GetTemplate, &contract.GetTemplateRequest{TemplateId: c.Template, Version: c.Version})
	if err != nil {
		return err
	}
	if c.Definition {
		_, err := io.WriteString(term.out, answer.GetVersion().GetDefinition())
		return err
	}
	return c.print(term, answer, func() error {
		t := answer.GetTemplate()
		if err := term.fields("template", t.GetTemplateId(),
			[]string{"current version", some(t.GetCurrentVersion())},
			[]string{"versions", some(t.GetVersions())},
			[]string{"created at", at(t.GetCreatedAt())},
		); err != nil {
			return err
		}
		rows := make([][]string, len(answer.GetParameters()))
		for i, p := range answer.GetParameters() {
			rows[i] = []string{p.GetName(), p.GetType(), yes(p.GetRequired()), p.GetDefault(), strings.Join(p.GetValues(), ","), p.GetMin(), p.GetMax()}
		}
		if len(rows) > 0 {
			fmt.Fprintln(term.out)
			if err := term.table([]string{"PARAMETER", "TYPE", "REQUIRED", "DEFAULT", "VALUES", "MIN", "MAX"}, rows); err != nil {
				return err
			}
		}
		return printVersion(term, answer.GetVersion())
	})
}

type templatesPublish struct {
	apiFlags
	writeFlags
	publishFlags
}

// Run publishes.
func (c *templatesPublish) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	id, author, definition, err := c.read(term)
	if err != nil {
		return err
	}
	answer, err := call(ctx, api, api.scenarios.PublishTemplate, &contract.PublishTemplateRequest{
		RequestId: c.request(), Template: &contract.TemplatePublished{TemplateId: id, Definition: definition, Author: author, ChangeNote: c.Note},
	})
	if err != nil {
		return err
	}
	return c.printWritten(term, &c.writeFlags, answer, "%s", published("template", id, answer.GetVersion(), answer.GetNewVersion()))
}

type templatesInstantiate struct {
	apiFlags
	writeFlags
	parameterFlags
	scenarioFlags
	Template string `arg:"" help:"The template."`
	Scenario string `arg:"" help:"The scenario that it is made into."`
	Version  string `placeholder:"VERSION" help:"The template's version, as number or sha256; the current one if empty."`
	Author   string `placeholder:"NAME" help:"Who asks; you if empty."`
	Note     string `placeholder:"TEXT" help:"What changed, for people."`
	DryRun   bool   `help:"Print the definition that comes of it, and publish nothing."`
}

// Run fills in and publishes.
func (c *templatesInstantiate) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	template, err := call(ctx, api, api.scenarios.GetTemplate, &contract.GetTemplateRequest{TemplateId: c.Template, Version: c.Version})
	if err != nil {
		return err
	}
	types := map[string]string{}
	for _, p := range template.GetParameters() {
		types[p.GetName()] = p.GetType()
	}
	parameters, err := c.message(types)
	if err != nil {
		return err
	}
	// The version as it was typed: a repeat of the request must say the same.
	use := &contract.TemplateUse{TemplateId: c.Template, Version: c.Version, Parameters: parameters}
	if c.DryRun {
		answer, err := call(ctx, api, api.scenarios.RenderTemplate, &contract.RenderTemplateRequest{Template: use})
		if err != nil {
			return err
		}
		return c.print(term, answer, func() error {
			_, err := io.WriteString(term.out, answer.GetDefinition())
			return err
		})
	}
	author := c.Author
	if author == "" {
		author = operator()
	}
	answer, err := call(ctx, api, api.scenarios.InstantiateTemplate, &contract.InstantiateTemplateRequest{
		RequestId: c.request(), Template: use,
		Scenario: &contract.InstantiateTemplateScenario{
			ScenarioId: c.Scenario, Author: author, ChangeNote: c.Note,
			ScenarioType: c.Type, Category: c.Category, ServicesUnderTest: c.Service, ExpectedOutcomes: c.Outcome, Tags: c.Tag,
		},
	})
	if err != nil {
		return err
	}
	return c.printWritten(term, &c.writeFlags, answer, "%s, of template %s, version %d",
		published("scenario", c.Scenario, answer.GetVersion(), answer.GetNewVersion()), c.Template, answer.GetTemplateVersion())
}
