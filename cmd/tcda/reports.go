package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report/render"
)

// reportsCmd groups what concerns the reports of runs.
type reportsCmd struct {
	List     reportsList     `cmd:"" help:"Print frozen reports, those frozen last first: the newest revision of each run."`
	Show     reportsShow     `cmd:"" help:"Print the report of a run."`
	Generate reportsGenerate `cmd:"" help:"Have the report of a run built now, and frozen if it says anything new."`
	Export   reportsExport   `cmd:"" help:"Write the report of a run to a file in another format, or those of a list into a folder."`
	Compare  reportsCompare  `cmd:"" help:"Put two runs side by side."`
	Formats  reportsFormats  `cmd:"" help:"Print the formats that a report can be exported in."`
}

// reportFilter says which reports a list is of.
type reportFilter struct {
	Execution    string `placeholder:"ID" help:"Only reports of runs of this execution id, those of the newest run first."`
	Scenario     string `placeholder:"ID" help:"Only reports of runs of this scenario."`
	Status       string `values:"passed,failed,error,cancelled,timeout,interrupted" placeholder:"STATUS" help:"Only reports of runs of this status."`
	Environment  string `placeholder:"NAME" help:"Only reports of runs in this environment."`
	Group        string `placeholder:"ID" help:"Only reports of runs of this group."`
	Since        when   `placeholder:"TIME" help:"Only reports frozen at this time or later: 2026-11-27T01:02:03Z, 2026-11-27, or 2h for two hours ago."`
	Until        when   `placeholder:"TIME" help:"Only reports frozen before this time."`
	OnePerGroup  bool   `help:"Of the attempts of a group at a scenario only the last."`
	AllRevisions bool   `help:"Revisions that others have replaced, too."`
}

func (f *reportFilter) request() *contract.ListReportsRequest {
	return &contract.ListReportsRequest{
		ExecutionId: f.Execution, ScenarioId: f.Scenario, Status: f.Status, Environment: f.Environment, GroupId: f.Group,
		CreatedFrom: f.Since.message(), CreatedUntil: f.Until.message(), OnePerGroup: f.OnePerGroup, AllRevisions: f.AllRevisions,
	}
}

type reportsList struct {
	apiFlags
	listing
	reportFilter
}

// Run prints reports.
func (c *reportsList) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := list(ctx, api, c.listing, api.reports.ListReports, c.request())
	if err != nil {
		return err
	}
	rows := make([][]string, len(answer.GetReports()))
	for i, r := range answer.GetReports() {
		attempts := ""
		if r.GetAttempts() > 1 {
			attempts = fmt.Sprintf("%d of %d", r.GetAttempt(), r.GetAttempts())
		}
		rows[i] = []string{
			runText(r.GetExecutionId(), r.GetRun()), r.GetStatus(), some(r.GetRevision()), r.GetScenarioId(), r.GetEnvironment(), attempts, at(r.GetCreatedAt()),
			between(r.GetStartedAt(), r.GetEndedAt()), some(r.GetValidationsPassed()), some(r.GetValidationsFailed()), figure(r.ResilienceScore), cut(r.GetHeadline()),
		}
	}
	return c.printList(term, answer, []string{"RUN", "STATUS", "REVISION", "SCENARIO", "ENVIRONMENT", "ATTEMPT", "FROZEN AT", "TOOK", "PASSED", "FAILED", "RESILIENCE", "VERDICT"}, rows)
}

// reportNamed is in every command that reads one report.
type reportNamed struct {
	apiFlags
	Execution   runName `arg:"" name:"execution[/run]" help:"The run; the latest of the execution if no run is given."`
	Revision    int32   `placeholder:"N" help:"An older revision; the newest if not given, or one that is built now where none is frozen."`
	Provisional bool    `help:"Build it now, whether or not one is frozen."`
}

func (c *reportNamed) fetch(ctx context.Context, api *connection, format string) (*contract.GetReportResponse, error) {
	return call(ctx, api, api.reports.GetReport, &contract.GetReportRequest{
		ExecutionId: c.Execution.ID, Run: c.Execution.Number, Revision: c.Revision, Provisional: c.Provisional, Format: format,
	})
}

type reportsShow struct{ reportNamed }

// Run prints a report: as Markdown, which reads well as it is.
func (c *reportsShow) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	if c.JSON {
		answer, err := c.fetch(ctx, api, "json")
		if err != nil {
			return err
		}
		return writeAll(term.out, answer.GetFile().GetContent())
	}
	answer, err := c.fetch(ctx, api, "markdown")
	if err != nil {
		return err
	}
	return printText(term.out, answer.GetFile().GetContent())
}

type reportsGenerate struct {
	apiFlags
	writeFlags
	Execution runName `arg:"" name:"execution[/run]" help:"The run; the latest of the execution if no run is given."`
}

// Run has a report built.
func (c *reportsGenerate) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := call(ctx, api, api.reports.GenerateReport, &contract.GenerateReportRequest{RequestId: c.request(), ExecutionId: c.Execution.ID, Run: c.Execution.Number})
	if err != nil {
		return err
	}
	r := answer.GetReport()
	name := runText(r.GetExecutionId(), r.GetRun())
	switch {
	case r.GetProvisional():
		return c.printWritten(term, &c.writeFlags, answer, "%s goes on: its report is provisional, and not kept", name)
	case answer.GetFrozen():
		return c.printWritten(term, &c.writeFlags, answer, "revision %d of the report of %s is frozen, sha256 %s", r.GetRevision(), name, r.GetSha256())
	}
	return c.printWritten(term, &c.writeFlags, answer, "revision %d of the report of %s says all that is known, sha256 %s", r.GetRevision(), name, r.GetSha256())
}

type reportsExport struct {
	apiFlags
	reportFilter
	Named       runName `arg:"" optional:"" name:"execution[/run]" help:"The run; the latest of the execution if no run is given."`
	Revision    int32   `placeholder:"N" help:"An older revision of that run."`
	Provisional bool    `help:"Build it now, whether or not one is frozen."`
	Format      string  `default:"html" placeholder:"FORMAT" help:"One of those that tcda reports formats lists."`
	Output      string  `short:"o" placeholder:"PATH" help:"The file, or - for standard output; with --all the folder. Without it: a name that tells the run, in this folder."`
	All         bool    `help:"All reports of a list, each in a file of its own; the filters say which."`
	Force       bool    `help:"Write over files that are there."`
}

// Run writes files.
func (c *reportsExport) Run(ctx context.Context, term console) error {
	misused := ""
	switch {
	case c.All == (c.Named.ID != ""):
		misused = "name a run, or say --all"
	case c.All && (c.Revision != 0 || c.Provisional):
		misused = "--revision and --provisional go with one run"
	case c.All && c.Output == "-":
		misused = "--all writes files: --output takes a folder"
	case !c.All && c.reportFilter != (reportFilter{}):
		misused = "what limits a list goes with --all"
	}
	if misused != "" {
		return &exitError{exitUsage, errors.New(misused)}
	}
	api, err := c.connect()
	if err != nil {
		return err
	}
	if !c.All {
		named := reportNamed{Execution: c.Named, Revision: c.Revision, Provisional: c.Provisional}
		answer, err := named.fetch(ctx, api, c.Format)
		if err != nil {
			return err
		}
		if c.Output == "-" {
			return writeAll(term.out, answer.GetFile().GetContent())
		}
		return c.write(term, answer, c.Output, "")
	}
	if c.Output != "" {
		if err := os.MkdirAll(c.Output, 0o750); err != nil {
			return fmt.Errorf("make the folder: %w", err)
		}
	}
	for token := ""; ; {
		page, err := list(ctx, api, listing{Limit: largestPage, PageToken: token}, api.reports.ListReports, c.request())
		if err != nil {
			return err
		}
		for _, r := range page.GetReports() {
			named := reportNamed{Execution: runName{ID: r.GetExecutionId(), Number: r.GetRun()}, Revision: r.GetRevision()}
			answer, err := named.fetch(ctx, api, c.Format)
			if err != nil {
				return err
			}
			if err := c.write(term, answer, "", c.Output); err != nil {
				return err
			}
		}
		if token = page.GetNextPageToken(); token == "" {
			return nil
		}
	}
}

// fileNames are the names that the service may give to a file: nothing in them leads
// elsewhere.
var fileNames = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// write writes a report to a file: of a name, or of its own in a folder.
func (c *reportsExport) write(term console, answer *contract.GetReportResponse, name, folder string) error {
	if name == "" {
		own := answer.GetFile().GetFileName()
		if !fileNames.MatchString(own) {
			return fmt.Errorf("the service names the file %q: say --output", own)
		}
		name = filepath.Join(folder, own)
	}
	switch err := writeFile(name, answer.GetFile().GetContent(), !c.Force); {
	case errors.Is(err, os.ErrExist):
		return fmt.Errorf("%s is there already: say --force to write over it", name)
	case err != nil:
		return err
	}
	if c.JSON {
		return writeJSON(term.out, map[string]any{
			"file": name, "execution_id": answer.GetReport().GetExecutionId(), "run": answer.GetReport().GetRun(), "revision": answer.GetReport().GetRevision(),
			"sha256": answer.GetReport().GetSha256(), "bytes": len(answer.GetFile().GetContent()),
		})
	}
	fmt.Fprintf(term.out, "%s: %d bytes\n", escaped(name), len(answer.GetFile().GetContent()))
	return nil
}

type reportsCompare struct {
	apiFlags
	A      runName `arg:"" name:"a[/run]" help:"One run; the latest of the execution if no run is given."`
	B      runName `arg:"" name:"b[/run]" help:"The other."`
	Format string  `default:"markdown" placeholder:"FORMAT" help:"json, markdown, html or csv."`
	Output string  `short:"o" placeholder:"PATH" help:"A file; standard output if not given."`
}

// Run compares two runs.
func (c *reportsCompare) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	if c.JSON {
		c.Format = "json"
	}
	answer, err := call(ctx, api, api.reports.CompareReports, &contract.CompareReportsRequest{
		A: &contract.ReportName{ExecutionId: c.A.ID, Run: c.A.Number}, B: &contract.ReportName{ExecutionId: c.B.ID, Run: c.B.Number}, Format: c.Format,
	})
	if err != nil {
		return err
	}
	content := answer.GetFile().GetContent()
	switch {
	case c.Output != "":
		return writeFile(c.Output, content, false)
	case c.Format != "markdown":
		return writeAll(term.out, content)
	}
	return printText(term.out, content)
}

// unbreakable are the spaces that keep numbers and their units on one line: a
// terminal breaks none, and some show them as what they cannot print.
var unbreakable = strings.NewReplacer("\u00a0", " ", "\u202f", " ")

// printText writes a text with nothing in it that a terminal obeys.
func printText(w io.Writer, text []byte) error {
	for line := range strings.Lines(unbreakable.Replace(string(text))) {
		if _, err := fmt.Fprintln(w, escaped(strings.TrimSuffix(line, "\n"))); err != nil {
			return fmt.Errorf("write report: %w", err)
		}
	}
	return nil
}

type reportsFormats struct{}

// Help is what --help says beyond the flags.
func (*reportsFormats) Help() string { return "Exit codes: 0 done." }

// Run prints the formats of this program, which are those of a service of its
// version.
func (*reportsFormats) Run(term console) error {
	var rows [][]string
	for _, f := range render.Formats() {
		rows = append(rows, []string{f.Name, f.Extension, yes(f.Comparisons), f.Description})
	}
	return term.table([]string{"FORMAT", "ENDING", "COMPARISONS", "WHAT IT IS"}, rows)
}

func writeAll(w io.Writer, content []byte) error {
	if _, err := w.Write(content); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
