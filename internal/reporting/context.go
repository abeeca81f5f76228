package reporting

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/retention"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

const (
	mostPrevious = 5  // earlier runs that a report compares with
	mostAttempts = 20 // earlier attempts that it names, the latest of them
)

// contextOf is what the report of a run says beside the run's own events.
func contextOf(ctx context.Context, s *pgstore.Store, run *execution.Run, gone *report.Gone) (c report.Context, err error) {
	if c.Gone = gone; gone != nil {
		if err := wholeBefore(ctx, s, run, gone); err != nil {
			return c, err
		}
	}
	if c.Definition, err = definitionOf(ctx, s, run); err != nil {
		return c, err
	}
	if run.GroupID != "" {
		attempts, err := s.EarlierAttempts(ctx, run, mostAttempts)
		if err != nil {
			return c, err
		}
		c.Attempts = briefs(attempts)
		slices.Reverse(c.Attempts) // the first one first
	}
	if run.ScenarioID != "" && !run.EndedAt.IsZero() {
		previous, err := s.PreviousReports(ctx, run, mostPrevious)
		if err != nil {
			return c, err
		}
		c.Previous = briefs(previous)
	}
	return c, nil
}

// briefs are what is said of other reports. One that cannot be read, of a schema
// that is not known here say, is not spoken of; verification finds what is wrong
// with it.
func briefs(reports []pgstore.ReportBytes) []report.Brief {
	var all []report.Brief
	for _, other := range reports {
		if r, err := report.Decode(other.Body); err == nil {
			all = append(all, r.Brief())
		}
	}
	return all
}

// goneOf is what retention has removed, or is about to, of what a run had; nil for
// nothing. Of a run without events no report can be made at all.
func goneOf(ctx context.Context, s *pgstore.Store, run *execution.Run) (*report.Gone, error) {
	removed, err := s.Removed(ctx, pgstore.RunKey{ID: run.ID, Number: run.Number})
	if err != nil {
		return nil, err
	}
	gone := &report.Gone{Policy: removed.Policy, At: removed.At}
	if removed.Kinds.Has(retention.Logs) && run.Counts.LogLines > 0 {
		gone.Kinds = append(gone.Kinds, report.GoneLogs)
	}
	if removed.Kinds.Has(retention.Snapshots) && run.Counts.Snapshots > 0 {
		gone.Kinds = append(gone.Kinds, report.GoneSnapshots)
	}
	if gone.Kinds == nil {
		return nil, nil //nolint:nilnil // nothing
	}
	return gone, nil
}

// wholeBefore names the newest report that was made from the whole run: the newest
// one of all, or that which this one names.
func wholeBefore(ctx context.Context, s *pgstore.Store, run *execution.Run, gone *report.Gone) error {
	newest, err := s.Report(ctx, pgstore.RunKey{ID: run.ID, Number: run.Number}, 0)
	if errors.Is(err, pgstore.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	body, err := s.ReportBody(ctx, &newest)
	if err != nil {
		return err
	}
	before, err := report.Decode(body)
	if err != nil {
		return nil //nolint:nilerr // as in briefs
	}
	if gone.Revision, gone.SHA256 = newest.Revision, before.SHA256; before.Inputs.Gone != nil {
		gone.Revision, gone.SHA256 = before.Inputs.Gone.Revision, before.Inputs.Gone.SHA256
	}
	return nil
}

// definitionOf is the version of the scenario that was run, or nil: the version
// that the coordinator named, by number or digest, or else the one that was the
// current one when the run was asked for.
func definitionOf(ctx context.Context, s *pgstore.Store, run *execution.Run) (*report.DefinitionSource, error) {
	if run.ScenarioID == "" {
		return nil, nil //nolint:nilnil // not known
	}
	id := scenario.ID(run.ScenarioID)
	version, said, by, err := versionOf(ctx, s, id, run)
	if errors.Is(err, pgstore.ErrNotFound) {
		return nil, nil //nolint:nilnil // not known, or not published by then
	}
	if err != nil {
		return nil, err
	}
	d := &report.DefinitionSource{
		ScenarioID: run.ScenarioID, Number: version.Number, Text: version.Text, Publication: by.Digest.String(), Author: said.Author,
		Type: said.ScenarioType, Services: said.ServicesUnderTest, ExpectedOutcomes: said.ExpectedOutcomes,
	}
	if use := said.Template; use != nil {
		d.TemplateID, d.TemplateVersion, d.TemplateParameters = string(use.TemplateID), use.Version, use.Parameters
		// Not the current one of today: the same report must come of the same events.
		if d.TemplateText, err = s.TemplateTextAt(ctx, use.TemplateID, use.Version, by.Time); err != nil {
			return nil, err
		}
		if d.TemplateText != "" {
			d.TemplateSHA256 = scenario.HashContent(d.TemplateText).String()
		}
	}
	return d, nil
}

// versionOf is the version, what was said when it was published, and the event that
// said it.
func versionOf(ctx context.Context, s *pgstore.Store, id scenario.ID, run *execution.Run) (version *scenario.Version, said *scenario.Published, by pgstore.StoredEvent, err error) {
	if run.ScenarioVersion == "" {
		if by, err = s.PublicationAt(ctx, id, askedAt(run)); err != nil {
			return nil, nil, by, err
		}
		if said, err = published(&by); err != nil {
			return nil, nil, by, err
		}
		version, err = s.ScenarioVersion(ctx, id, said.ContentHash.String())
		return version, said, by, err
	}
	if version, err = s.ScenarioVersion(ctx, id, run.ScenarioVersion); err != nil {
		return nil, nil, by, err
	}
	if by, err = s.PublicationOf(ctx, id, version.Hash); err != nil {
		return nil, nil, by, err
	}
	said, err = published(&by)
	return version, said, by, err
}

func published(e *pgstore.StoredEvent) (*scenario.Published, error) {
	payload, err := event.RestoreScenario(e.Type, e.Data)
	if err != nil {
		return nil, err
	}
	if said, ok := payload.(*scenario.Published); ok {
		return said, nil
	}
	return nil, errors.New("a publication is no publication") // the query asks for no other type
}

// askedAt is when a run was asked for, as well as it is known.
func askedAt(r *execution.Run) time.Time {
	for _, at := range []time.Time{r.RequestedAt, r.StartedAt, r.EndedAt} {
		if !at.IsZero() {
			return at
		}
	}
	return r.CreatedAt
}
