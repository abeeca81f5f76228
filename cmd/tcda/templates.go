package main

import (
	"encoding/json"
	"fmt"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// templatesCmd groups what concerns templates.
type templatesCmd struct {
	List        templatesList        `cmd:"" help:"Print templates, by id."`
	Show        templatesShow        `cmd:"" help:"Print a template, its parameters and one of its versions."`
	Publish     templatesPublish     `cmd:"" help:"Make the definition in a file the current one of a template."`
	Instantiate templatesInstantiate `cmd:"" help:"Fill in a template and publish what comes of it as a scenario."`
	Render      templatesRender      `cmd:"" help:"Fill in a template from files, without a server, and print the definition that comes of it."`
}

type templatesRender struct {
	parameterFlags
	File    string   `arg:"" help:"The template, or a scenario that extends one; - is the standard input."`
	Extends []string `sep:"none" placeholder:"FILE" help:"The template that FILE extends; once more for what that one extends, and so on."`
	JSON    bool     `name:"json" help:"Print one JSON object: definition, content_hash, parameters."`
}

// Help is what --help says beyond the settings.
func (*templatesRender) Help() string {
	return `Merges a template with those that it extends, checks the parameters against
their declarations and prints the scenario with every placeholder filled in: the
text that the service would keep, byte for byte. All problems are printed at once.

Exit codes: 0 printed, 1 a file or a parameter is wrong, 2 wrong command line.`
}

// Validate is called by kong.
func (c *templatesRender) Validate() error {
	return oneStdin(append([]string{c.File}, c.Extends...))
}

// Run prints the definition.
func (c *templatesRender) Run(cfg *config.Config, term console) error {
	d, err := c.merged(cfg, term)
	if err != nil {
		return err
	}
	parameters, err := c.parameters(d)
	if err != nil {
		return err
	}
	// Where nothing is left to fill in, merging was all.
	if d.Kind == scenario.KindTemplate || len(c.Set)+len(c.SetJSON) > 0 {
		rendered, problems := d.Instantiate(parameters, definitionLimits(cfg))
		if len(problems) > 0 {
			printProblems(term.err, c.File, problems)
			return errReported
		}
		d = rendered
	}
	if !c.JSON {
		fmt.Fprint(term.out, d.Text)
		return nil
	}
	return writeJSON(term.out, struct {
		Definition  string          `json:"definition"`
		ContentHash string          `json:"content_hash"` // sha256, hex
		Parameters  json.RawMessage `json:"parameters"`   // those that were given
	}{d.Text, d.Hash.String(), parameters})
}

// merged is the file with all that it extends.
func (c *templatesRender) merged(cfg *config.Config, term console) (*scenario.Definition, error) {
	d, problems := readDefinition(c.File, cfg, term)
	if d != nil && d.Kind == scenario.KindOpaque {
		d, problems = nil, scenario.Problems{{Message: "want a Template, or a Scenario that extends one"}}
	}
	if d == nil {
		printProblems(term.err, c.File, problems)
		return nil, errReported
	}
	for _, file := range c.Extends {
		if d.Metadata.Extends == "" {
			return nil, fmt.Errorf("--extends=%s: nothing is left that extends a template", escaped(file))
		}
		base, problems := readDefinition(file, cfg, term)
		if base == nil {
			printProblems(term.err, file, problems)
			return nil, errReported
		}
		merged, problems := d.Extend(base, definitionLimits(cfg))
		if merged == nil {
			printProblems(term.err, c.File+" with "+file, problems)
			return nil, errReported
		}
		d = merged
	}
	if base := d.Metadata.Extends; base != "" {
		return nil, fmt.Errorf("the template %q is extended: give its file by --extends", string(base))
	}
	return d, nil
}

// parameters is the JSON object of all that was set.
func (c *templatesRender) parameters(d *scenario.Definition) (json.RawMessage, error) {
	types := make(map[string]string, len(d.Parameters))
	for _, p := range d.Parameters {
		types[p.Name] = string(p.Type)
	}
	return c.object(types)
}

// typedJSON is a text as JSON of the type: a number or a boolean where one is
// declared and the text is one, and else a string, which the template refuses
// where it should.
func typedJSON(declared, text string) json.RawMessage {
	var v any
	switch scenario.ParameterType(declared) {
	case scenario.TypeInt, scenario.TypeFloat, scenario.TypeBool:
		if json.Unmarshal([]byte(text), &v) == nil {
			switch v.(type) {
			case float64, bool:
				return json.RawMessage(text)
			}
		}
	case scenario.TypeString, scenario.TypeEnum, scenario.TypeDuration:
	}
	quoted, _ := json.Marshal(text) // a string cannot fail
	return quoted
}
