package main

import (
	"fmt"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/service"
)

type configCmd struct {
	Check configCheck `cmd:"" help:"Say whether the settings can be used, all problems at once; exit 2 if not."`
	Print configPrint `cmd:"" help:"Print every setting as it would be used, passwords left out."`
}

type configCheck struct {
	JSON bool `name:"json" help:"Print one JSON object."`
}

// Run checks the settings; it connects to nothing.
func (c *configCheck) Run(cfg *config.Config, term console) error {
	err := validate(cfg)
	if !c.JSON {
		if err == nil {
			fmt.Fprintln(term.out, "the settings can be used")
		}
		return err
	}
	problems, _ := err.(config.Problems) //nolint:errorlint // validate returns no other
	report := struct {
		Valid    bool            `json:"valid"`
		Problems []configProblem `json:"problems"`
	}{err == nil, []configProblem{}}
	for _, p := range problems {
		report.Problems = append(report.Problems, configProblem(p))
	}
	if failed := writeJSON(term.out, report); failed != nil {
		return failed
	}
	if err != nil {
		return &exitError{exitUsage, errReported}
	}
	return nil
}

// validate checks the settings, and the file of policies that they may name.
func validate(cfg *config.Config) error {
	err := cfg.Validate()
	problems, _ := err.(config.Problems) //nolint:errorlint // Validate returns no other
	if _, failed := service.Retention(cfg); failed != nil {
		problems = append(problems, retentionProblems(cfg, failed)...)
	}
	if len(problems) == 0 {
		return nil
	}
	return problems
}

type configProblem struct {
	Setting string `json:"setting"`
	From    string `json:"from,omitempty"`
	Value   string `json:"value,omitempty"`
	Rule    string `json:"rule"`
}

type configPrint struct {
	JSON bool `name:"json" help:"Print one JSON object: name to value."`
}

// Run prints the settings, also those that cannot be used.
func (c *configPrint) Run(cfg *config.Config, term console) error {
	if !c.JSON {
		return config.Print(term.out, cfg)
	}
	values := map[string]string{}
	for _, s := range config.Settings(cfg) {
		values[s.Name] = s.Value
	}
	return writeJSON(term.out, values)
}
