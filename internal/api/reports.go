package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"connectrpc.com/connect"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/command"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report/render"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/reporting"
)

// builtAtOnce bounds how many reports are built for callers at once: one may read
// hundreds of thousands of rows.
const builtAtOnce = 2

// reports is the ReportService; reportpages.go gives the same to browsers.
type reports struct {
	Parts
	making   *reporting.Reports
	building chan struct{}
}

func newReports(p Parts) *reports {
	making := &reporting.Reports{Store: p.Store, Now: p.Now}
	if p.Commands != nil { // else nothing is written here
		making.Source = p.Commands.Source
	}
	return &reports{Parts: p, building: make(chan struct{}, builtAtOnce), making: making}
}

// found is a report that a caller wants: as it is frozen, or as it was built just
// now.
type found struct {
	report *report.Report
	body   []byte // as JSON
	info   *contract.ReportInfo
}

func (s *reports) GenerateReport(ctx context.Context, r *connect.Request[contract.GenerateReportRequest]) (*connect.Response[contract.GenerateReportResponse], error) {
	// Outside of the transaction, which must not wait for it; what is wrong with it
	// is said inside, so that a repeat gets the first answer.
	built, failed := s.build(ctx, runKey(r.Msg))
	return once(ctx, s.Commands, r, "", func(ctx context.Context, tx *command.Tx, m *contract.GenerateReportRequest) (*contract.GenerateReportResponse, error) {
		if failed != nil {
			return nil, ofReport(failed, m)
		}
		if built.Report.Provisional {
			return &contract.GenerateReportResponse{Report: builtInfo(built)}, nil
		}
		frozen, err := s.making.Freeze(ctx, tx.Tx, built, reporting.Asked)
		if err != nil {
			return nil, ofReport(err, m)
		}
		if frozen.New {
			tx.Tell()
		}
		return &contract.GenerateReportResponse{Report: reportInfo(&frozen.FrozenReport, built.Run.Version), Frozen: frozen.New}, nil
	})
}

// build builds a report for a caller, when its turn has come.
func (s *reports) build(ctx context.Context, k pgstore.RunKey) (*reporting.Built, error) {
	select {
	case s.building <- struct{}{}:
		defer func() { <-s.building }()
		return s.making.Build(ctx, k)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// ofReport says what is wrong with a report in words for callers.
func ofReport(err error, r namesRun) error {
	var pruned *reporting.PrunedError
	switch {
	case errors.As(err, &pruned):
		return &failure{
			code: connect.CodeFailedPrecondition, reason: "run_pruned", message: pruned.Error() + "; a frozen report says what they were",
			field: "run", rule: "a run that is stored whole",
		}
	case errors.Is(err, pgstore.ErrNotFound):
		return orNoRun(err, r)
	}
	return err
}

// find finds the report of a run, or builds it where none is frozen.
func (s *reports) find(ctx context.Context, r namesRun, revision int32, now bool) (*found, error) {
	k := runKey(r)
	if now && revision > 0 {
		return nil, invalid("provisional", "no revision beside it: it is built now")
	}
	run, err := s.Store.FindRun(ctx, k)
	switch {
	case err == nil:
		k.Number = run.Number
	case k.Number == 0 || !errors.Is(err, pgstore.ErrNotFound): // a report may outlive its run
		return nil, orNoRun(err, r)
	}
	if !now {
		f, err := s.Store.Report(ctx, k, revision)
		if err == nil {
			return s.frozen(ctx, &f, run.Version)
		}
		if !errors.Is(err, pgstore.ErrNotFound) {
			return nil, err
		}
		if revision > 0 {
			return nil, &failure{
				code: connect.CodeNotFound, reason: "report_not_found", message: fmt.Sprintf("run %d of %s has no report of revision %d", k.Number, k.ID, revision),
				field: "revision", rule: "one that is frozen, or 0 for the newest",
			}
		}
	}
	built, err := s.build(ctx, k)
	if err != nil {
		return nil, ofReport(err, r)
	}
	return &found{report: built.Report, body: built.Body, info: builtInfo(built)}, nil
}

// frozen reads a frozen report. version is that of its run now, 0 when it has been
// removed.
func (s *reports) frozen(ctx context.Context, f *pgstore.FrozenReport, version int64) (*found, error) {
	body, err := s.Store.ReportBody(ctx, f)
	if err != nil {
		return nil, err
	}
	r, err := report.Decode(body)
	if err != nil {
		return nil, fmt.Errorf("read report %s/%d revision %d: %w", f.ID, f.Number, f.Revision, err)
	}
	return &found{report: r, body: body, info: reportInfo(f, version)}, nil
}

func (s *reports) GetReport(ctx context.Context, r *connect.Request[contract.GetReportRequest]) (*connect.Response[contract.GetReportResponse], error) {
	format, err := formatNamed(r.Msg.GetFormat(), false)
	if err != nil {
		return nil, err
	}
	f, err := s.find(ctx, r.Msg, r.Msg.GetRevision(), r.Msg.GetProvisional())
	if err != nil {
		return nil, err
	}
	file, err := f.file(format)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&contract.GetReportResponse{Report: f.info, File: file}), nil
}

// formatNamed is the format of a name; that of no name is JSON.
func formatNamed(name string, ofComparisons bool) (render.Format, error) {
	if name == "" {
		name = "json"
	}
	var known []string
	for _, f := range render.Formats() {
		if f.Comparisons || !ofComparisons {
			if f.Name == name {
				return f, nil
			}
			known = append(known, f.Name)
		}
	}
	return render.Format{}, invalid("format", "one of "+strings.Join(known, ", "))
}

// file is the report in a format.
func (f *found) file(format render.Format) (*contract.ReportFile, error) {
	content := f.body
	if format.Name != "json" {
		var out bytes.Buffer
		if err := render.Report(&out, format.Name, f.report); err != nil {
			return nil, err
		}
		content = out.Bytes()
	}
	return &contract.ReportFile{Content: content, MediaType: format.MediaType, FileName: fileName(f.info) + format.Extension}, nil
}

// fileName is a name that every file system takes; ids hold nothing worse than a
// colon.
func fileName(i *contract.ReportInfo) string {
	name := "report-" + strings.ReplaceAll(i.GetExecutionId(), ":", "_") + "-" + strconv.Itoa(int(i.GetRun()))
	if i.GetRevision() > 0 {
		return name + "-r" + strconv.Itoa(int(i.GetRevision()))
	}
	return name
}

func (s *reports) ListReports(ctx context.Context, r *connect.Request[contract.ListReportsRequest]) (*connect.Response[contract.ListReportsResponse], error) {
	m := r.Msg
	f := &pgstore.ReportFilter{
		ID: execution.ID(m.GetExecutionId()), Group: m.GetGroupId(), Scenario: m.GetScenarioId(), Status: execution.Status(m.GetStatus()), Environment: m.GetEnvironment(),
		OnePerGroup: m.GetOnePerGroup(), AllRevisions: m.GetAllRevisions(),
	}
	if m.GetCreatedFrom() != nil {
		f.From = atLeast(m.GetCreatedFrom())
	}
	if m.GetCreatedUntil() != nil {
		f.Until = atLeast(m.GetCreatedUntil())
	}
	l := listing[pgstore.ListedReport, pgstore.ReportPlace, *contract.ReportInfo]{
		read: func(ctx context.Context, at pgstore.ReportPlace, most int) ([]pgstore.ListedReport, error) {
			return s.Store.ReportsOnTheWay(ctx, f, at, most)
		},
		place: pgstore.PlaceOfReport, matches: f.Matches, bite: defaultPage, look: mostLooked,
		message: func(r *pgstore.ListedReport) *contract.ReportInfo {
			info := reportInfo(&r.FrozenReport, 0)
			info.Attempts = r.Attempts
			return info
		},
	}
	all, next, err := l.page(ctx, m)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&contract.ListReportsResponse{Reports: all, NextPageToken: next}), nil
}

func (s *reports) CompareReports(ctx context.Context, r *connect.Request[contract.CompareReportsRequest]) (*connect.Response[contract.CompareReportsResponse], error) {
	format, err := formatNamed(r.Msg.GetFormat(), true)
	if err != nil {
		return nil, err
	}
	a, err := s.find(ctx, r.Msg.GetA(), r.Msg.GetA().GetRevision(), false)
	if err != nil {
		return nil, within("a", err)
	}
	b, err := s.find(ctx, r.Msg.GetB(), r.Msg.GetB().GetRevision(), false)
	if err != nil {
		return nil, within("b", err)
	}
	comparison := report.Compare(a.report, b.report)
	body, err := comparison.Encode()
	if err != nil {
		return nil, err
	}
	if format.Name != "json" {
		var out bytes.Buffer
		if err := render.Comparison(&out, format.Name, comparison); err != nil {
			return nil, err
		}
		body = out.Bytes()
	}
	return connect.NewResponse(&contract.CompareReportsResponse{
		A: a.info, B: b.info, Headline: comparison.Headline,
		File: &contract.ReportFile{Content: body, MediaType: format.MediaType, FileName: fileName(a.info) + "-with-" + fileName(b.info) + format.Extension},
	}), nil
}

// within names the field of a failure as the request does that it is a part of.
func within(field string, err error) error {
	var f *failure
	if !errors.As(err, &f) || f.field == "" {
		return err
	}
	named := *f
	named.field = field + "." + f.field
	return &named
}

// builtInfo is a report that was built for the answer.
func builtInfo(b *reporting.Built) *contract.ReportInfo {
	f, err := pgstore.NewFrozenReport(b.Report, len(b.Body), b.Run.Version)
	if err != nil {
		return &contract.ReportInfo{ExecutionId: string(b.Run.ID), Run: int32(b.Run.Number), Provisional: true} // an encoded report has digests
	}
	info := reportInfo(&f, 0)
	info.Provisional = b.Report.Provisional
	return info
}

// reportInfo is a report as callers see it. version is that of the run now; 0: not
// asked for.
func reportInfo(f *pgstore.FrozenReport, version int64) *contract.ReportInfo {
	return &contract.ReportInfo{
		ExecutionId: string(f.ID), Run: int32(f.Number), Revision: f.Revision, Sha256: f.SHA256.String(), SizeBytes: int64(f.Size), Builder: f.Builder,
		Outdated: version > f.RunVersion, CreatedAt: moment(f.CreatedAt), Status: string(f.Status), ReportedOutcome: string(f.ReportedOutcome),
		Headline: f.Headline, ScenarioId: f.ScenarioID, DefinitionSha256: f.DefinitionSHA256, Environment: f.Environment, GroupId: f.GroupID, Attempt: f.Attempt,
		StartedAt: moment(f.StartedAt), EndedAt: moment(f.EndedAt),
		ValidationsPassed: int32(f.Validations.Passed), ValidationsFailed: int32(f.Validations.Failed), //nolint:gosec // of one run
		ValidationsSkipped: int32(f.Validations.Skipped), ValidationsError: int32(f.Validations.Error), //nolint:gosec // of one run
		ResilienceScore: f.Resilience, Path: reporting.Path(f.ID, f.Number, ".html", f.Revision),
	}
}
