package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"

	"connectrpc.com/connect"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/evidence"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// evidenceCmd groups what concerns evidence bundles.
type evidenceCmd struct {
	Export evidenceExport `cmd:"" help:"Write what proves what a run was into one file: report, definition, all events, and the hash chain over them."`
	Verify evidenceVerify `cmd:"" help:"Verify such a file, without a server; exit 1 if anything differs, 2 if it is none."`
}

type evidenceExport struct {
	apiFlags
	Execution runName `arg:"" name:"execution[/run]" help:"The run, which must have ended; the latest of the execution if no run is given."`
	Output    string  `short:"o" type:"path" placeholder:"FILE" help:"Where to write it; evidence-EXECUTION-RUN.zip here if empty."`
	Revision  int32   `placeholder:"N" help:"The revision of the report; the latest if not given."`
	Force     bool    `help:"Replace a file that is there."`
}

// Run writes a bundle. What is written becomes the file only when it is whole.
func (c *evidenceExport) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	if _, err := os.Lstat(c.Output); err == nil && !c.Force {
		return c.taken() // before it is fetched for long
	}
	file, err := beginOutput(c.Output, !c.Force)
	if err != nil {
		return err
	}
	defer file.abandon()
	name, last, err := c.fetch(ctx, api, file)
	if err != nil {
		return err
	}
	if c.Output == "" {
		c.Output = name
	}
	switch err := file.finish(c.Output); {
	case errors.Is(err, os.ErrExist):
		return c.taken()
	case err != nil:
		return err
	}
	if c.JSON {
		return writeJSON(term.out, exported{c.Output, file.size, last.GetReportSha256(), last.GetManifestSha256()})
	}
	fmt.Fprintf(term.out, "%s: %d bytes\n", escaped(c.Output), file.size)
	return term.table([]string{"SHA-256", "OF"}, [][]string{{last.GetReportSha256(), "the report, as published"}, {last.GetManifestSha256(), "manifest.json"}})
}

// exported is what --json prints.
type exported struct {
	File     string `json:"file"`
	Bytes    int64  `json:"bytes"`
	Report   string `json:"report_sha256"`
	Manifest string `json:"manifest_sha256"`
}

// taken is the error of a file that is there.
func (c *evidenceExport) taken() error {
	return &exitError{exitUsage, fmt.Errorf("%s is there already: name another file with -o, or add --force", escaped(c.Output))}
}

// bundleName is what a service may call a file here.
var bundleName = regexp.MustCompile(`^evidence-[A-Za-z0-9._-]{1,220}\.zip$`)

// fetch writes what the service gives, and returns what it calls the file, and its
// last answer.
func (c *evidenceExport) fetch(ctx context.Context, api *connection, to io.Writer) (name string, last *contract.ExportEvidenceResponse, err error) {
	open := func(ctx context.Context, _ string) (*connect.ServerStreamForClient[contract.ExportEvidenceResponse], error) {
		return api.evidence.ExportEvidence(ctx, connect.NewRequest(&contract.ExportEvidenceRequest{ExecutionId: c.Execution.ID, Run: c.Execution.Number, Revision: c.Revision}))
	}
	last = &contract.ExportEvidenceResponse{}
	err = one(ctx, open, "", func(m *contract.ExportEvidenceResponse) error {
		if m.GetFileName() != "" {
			name = m.GetFileName()
		}
		last = m
		_, err := to.Write(m.GetChunk())
		return err
	})
	var broken *brokenStream
	switch {
	case errors.As(err, &broken):
		return "", nil, api.failure(broken.err, "")
	case err != nil:
		return "", nil, err
	case last.GetManifestSha256() == "":
		return "", nil, errors.New("the stream ended before the file was whole: nothing was written")
	case !bundleName.MatchString(name):
		return "", nil, fmt.Errorf("the service calls the file %.100q: name it with -o", name)
	}
	return name, last, nil
}

type evidenceVerify struct {
	File           string `arg:"" type:"existingfile" help:"An evidence bundle."`
	ExpectReport   string `name:"expect-report" placeholder:"SHA256" help:"The sha-256 that the report had when it was published, or the one of report.json."`
	ExpectManifest string `name:"expect-manifest" placeholder:"SHA256" help:"The sha-256 that manifest.json had, as export printed it."`
	JSON           bool   `name:"json" help:"Print one JSON object."`
}

// Help is what --help says beyond the settings.
func (*evidenceVerify) Help() string {
	return `Neither a server nor any setting is needed. Every file in the bundle is held
against the manifest, every event against the key and the digest that it was
accepted with, the hash chain over the events against report and manifest; and the
report is built again from the events and must be the same, byte for byte.

There is no signature: a file that holds together proves that it was not altered
here and there. That it is the one that was published, only a digest can prove that
was kept elsewhere: --expect-report, as report.published.v1 on Kafka has it, or
--expect-manifest.

Exit codes: 0 all holds, 1 something differs, 2 the file is no evidence bundle, or
wrong command line.`
}

var hexDigest = regexp.MustCompile(`^([0-9a-f]{64})?$`)

// Validate is called by kong.
func (c *evidenceVerify) Validate() error {
	if !hexDigest.MatchString(c.ExpectReport) || !hexDigest.MatchString(c.ExpectManifest) {
		return errors.New("--expect-report and --expect-manifest take 64 digits of lower-case hex")
	}
	return nil
}

// Run verifies a bundle.
func (c *evidenceVerify) Run(ctx context.Context, term console) error {
	file, err := os.Open(c.File)
	if err != nil {
		return &exitError{exitUsage, fmt.Errorf("open the file: %w", err)}
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return &exitError{exitUsage, fmt.Errorf("open the file: %w", err)}
	}
	result, err := evidence.Verify(ctx, file, info.Size(), evidence.Expected{Report: c.ExpectReport, Manifest: c.ExpectManifest})
	var unreadable *evidence.UnreadableError
	if errors.As(err, &unreadable) {
		return &exitError{exitUsage, fmt.Errorf("%s is no evidence bundle that can be read: %s", escaped(c.File), escaped(err.Error()))}
	}
	if err != nil {
		return err
	}
	if c.JSON {
		err = writeJSON(term.out, result)
	} else {
		err = printEvidence(term, result)
	}
	if err == nil && !result.Verified {
		err = errReported
	}
	return err
}

// printEvidence prints the checks for people, the verdict last.
func printEvidence(term console, r *evidence.Result) error {
	about := [][]string{
		{"run", runText(string(r.ExecutionID), int32(r.Run))},
		{"status", string(r.Status)},
	}
	if r.StartedAt != nil {
		about = append(about, []string{"started", moment(*r.StartedAt)})
	}
	if r.EndedAt != nil {
		about = append(about, []string{"ended", moment(*r.EndedAt)})
	}
	about = append(about, []string{"events", strconv.FormatInt(r.Events, 10)}, []string{"report sha-256", r.Report}, []string{"manifest sha-256", r.Manifest})
	if r.Revision > 0 {
		about = append(about, []string{"revision", strconv.Itoa(int(r.Revision))})
	}
	if err := term.table([]string{"EVIDENCE", "OF"}, about); err != nil {
		return err
	}
	fmt.Fprintln(term.out)
	checks := make([][]string, len(r.Checks))
	for i, c := range r.Checks {
		checks[i] = []string{string(c.Check), string(c.Outcome), c.Detail}
	}
	if err := term.table([]string{"CHECK", "OUTCOME", "OF WHAT"}, checks); err != nil {
		return err
	}
	fmt.Fprintln(term.out)
	for _, f := range r.Findings {
		fmt.Fprintln(term.out, "difference: "+escaped(f.String()))
	}
	if r.Inexact > 0 {
		fmt.Fprintf(term.out, "note: of %s with log lines, stored by an early version, the digest cannot be computed again; their text is held by the manifest alone\n", counted(r.Inexact, "event"))
	}
	switch total := int64(len(r.Findings)) + r.Omitted; {
	case total == 0:
		_, err := fmt.Fprintln(term.out, "verified: everything that was checked holds")
		return err
	case r.Omitted > 0:
		_, err := fmt.Fprintf(term.out, "not verified: %s, of which %d are not shown\n", counted(total, "difference"), r.Omitted)
		return err
	default:
		_, err := fmt.Fprintf(term.out, "not verified: %s\n", counted(total, "difference"))
		return err
	}
}
