package api

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"connectrpc.com/connect"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/evidence"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report/render"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/retention"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// evidences is EvidenceService.
type evidences struct{ Parts }

// ExportEvidence writes a bundle as it reads the run: nothing of it is kept here.
func (s *evidences) ExportEvidence(ctx context.Context, r *connect.Request[contract.ExportEvidenceRequest], to *connect.ServerStream[contract.ExportEvidenceResponse]) error {
	run, err := s.Store.FindRun(ctx, runKey(r.Msg))
	if err != nil {
		return orNoRun(err, r.Msg)
	}
	if !run.Status.Terminal() {
		return &failure{
			code: connect.CodeFailedPrecondition, reason: "not_ended", message: fmt.Sprintf("run %d of %s is %s: there is evidence of runs that have ended", run.Number, run.ID, run.Status),
			field: "execution_id", rule: "a run that has ended",
		}
	}
	lasting, err := lasting(ctx, s.Parts, to)
	if err != nil {
		return err
	}
	defer lasting.close()
	source, err := s.source(ctx, &run, r.Msg.GetRevision())
	if err != nil {
		return evidenceFailure(err)
	}
	parts := &evidenceStream{stream: lasting, ctx: ctx, name: evidence.FileName(run.ID, run.Number)}
	buffered := bufio.NewWriterSize(parts, 64<<10)
	manifest, err := evidence.Write(ctx, buffered, source)
	if err == nil {
		err = buffered.Flush()
	}
	if err != nil {
		if gone := s.eventsKept(ctx, &run); errors.Is(gone, pgstore.ErrPruned) { // meanwhile
			err = gone
		}
		return evidenceFailure(err)
	}
	return lasting.send(&contract.ExportEvidenceResponse{ReportSha256: manifest.Report.SHA256, ManifestSha256: manifest.SHA256()})
}

// source is what the bundle of a run is made from: a frozen report, and what that was
// built from.
func (s *evidences) source(ctx context.Context, run *execution.Run, revision int32) (evidence.Source, error) {
	source := evidence.Source{Events: s.events(ctx, run), Compared: s.compared}
	if err := s.eventsKept(ctx, run); err != nil {
		return source, err
	}
	frozen, err := s.Store.Report(ctx, pgstore.RunKey{ID: run.ID, Number: run.Number}, revision)
	if errors.Is(err, pgstore.ErrNotFound) {
		return source, noReport(run, revision)
	}
	if err != nil {
		return source, err
	}
	source.Revision = frozen.Revision
	if source.Report, err = s.Store.ReportBody(ctx, &frozen); err != nil {
		return source, err
	}
	reported, err := report.Decode(source.Report)
	if err != nil {
		return source, fmt.Errorf("read the report of %s/%d: %w", run.ID, run.Number, err)
	}
	if reported.Inputs.Gone != nil { // rows may still be there, which the report does not know
		return source, pgstore.ErrPruned
	}
	var page bytes.Buffer
	if err := render.Report(&page, "html", reported); err != nil {
		return source, err
	}
	source.HTML = page.Bytes()
	if reported.Inputs.DefinitionSHA256 == "" {
		return source, nil
	}
	version, err := s.Store.ScenarioVersion(ctx, scenario.ID(reported.Run.ScenarioID), reported.Inputs.DefinitionSHA256)
	switch {
	case errors.Is(err, pgstore.ErrNotFound): // the bundle says so
		return source, nil
	case err != nil:
		return source, err
	}
	source.Definition = []byte(version.Text)
	return source, nil
}

// eventsKept is pgstore.ErrPruned when the events of a run are gone, or about to go: no
// further revision of its report follows.
func (s *evidences) eventsKept(ctx context.Context, run *execution.Run) error {
	removed, err := s.Store.Removed(ctx, pgstore.RunKey{ID: run.ID, Number: run.Number})
	if err == nil && removed.Kinds.Has(retention.Events) {
		err = pgstore.ErrPruned
	}
	return err
}

// compared is a report that another one speaks of; nil when it is kept no more.
func (s *evidences) compared(ctx context.Context, sha256 string) ([]byte, error) {
	digest, err := pgstore.ParseReportDigest(sha256)
	if err != nil {
		return nil, err
	}
	body, err := s.Store.ReportBodyBySHA256(ctx, digest)
	if errors.Is(err, pgstore.ErrNotFound) {
		return nil, nil
	}
	return body, err
}

// events are those of a run, as package evidence has them.
func (s *evidences) events(ctx context.Context, run *execution.Run) iter.Seq2[*evidence.Event, error] {
	return func(yield func(*evidence.Event, error) bool) {
		for e, err := range s.Store.WholeEvents(ctx, run) {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(&evidence.Event{
				Header: e.Header, Rows: event.Rows{Lines: e.Lines, State: e.State, Metrics: e.Metrics},
				DigestVersion: e.DigestVersion, Arrival: e.Arrival, RecordedAt: e.RecordedAt, Guessed: e.Guessed,
				Topic: e.Topic, Partition: e.Partition, Offset: e.Offset,
			}, nil) {
				return
			}
		}
	}
}

// evidenceFailure says what of a run stands in the way of a bundle.
func evidenceFailure(err error) error {
	var changed *evidence.ChangedError
	switch {
	case errors.As(err, &changed):
		return &failure{
			code: connect.CodeFailedPrecondition, reason: "report_outdated",
			message: "the report is of other events than there are now (" + changed.Error() + "): ask again when its next revision is there",
		}
	case errors.Is(err, pgstore.ErrPruned), errors.Is(err, event.ErrIncomplete):
		return &failure{code: connect.CodeFailedPrecondition, reason: "pruned", message: "events, log lines or snapshots of the run were pruned: there is no evidence of it any more"}
	}
	return err
}

func noReport(run *execution.Run, revision int32) error {
	message := fmt.Sprintf("there is no report of run %d of %s yet: one is made when the run has been quiet for a while, or by GenerateReport", run.Number, run.ID)
	if revision != 0 {
		message = fmt.Sprintf("the report of run %d of %s has no revision %d", run.Number, run.ID, revision)
	}
	return &failure{code: connect.CodeNotFound, reason: "report_not_found", message: message, field: "revision", rule: "a revision that is there, or 0 for the latest"}
}

// evidenceStream cuts a file into answers.
type evidenceStream struct {
	*stream[contract.ExportEvidenceResponse]
	ctx  context.Context //nolint:containedctx // an io.Writer has no other way to it
	name string          // empty behind the first answer
}

// Write sends the next bytes.
func (s *evidenceStream) Write(b []byte) (int, error) {
	if _, err := s.glance(s.ctx); err != nil {
		return 0, err
	}
	if err := s.send(&contract.ExportEvidenceResponse{Chunk: b, FileName: s.name}); err != nil {
		return 0, err
	}
	s.name = ""
	return len(b), nil
}
