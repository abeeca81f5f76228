package reporting

import (
	"context"
	"errors"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// ErrNotEnded says that a report is provisional, and cannot be frozen.
var ErrNotEnded = errors.New("the run goes on: its report is provisional")

// Why says who wants a report to be frozen.
type Why int

const (
	// Settled says that the run has settled, again maybe.
	Settled Why = iota
	// Asked says that somebody wants it with all that is known now. A run of which
	// something is gone gets a poorer report only for a better reason.
	Asked
)

// Frozen is a frozen report.
type Frozen struct {
	pgstore.FrozenReport
	New bool // it was frozen just now; else the newest one says the same, or is of later
}

// Freeze makes a built report the next revision of its run, and enqueues the event
// that tells of it, if it says what the newest one does not; see the package.
// Errors: ErrNotEnded, pgstore.ErrNotFound for a run that has been removed, or one
// of the database.
func (r *Reports) Freeze(ctx context.Context, tx *pgstore.Tx, b *Built, why Why) (Frozen, error) {
	if b.Report.Provisional {
		return Frozen{}, ErrNotEnded
	}
	f, err := pgstore.NewFrozenReport(b.Report, len(b.Body), b.Run.Version)
	if err != nil {
		return Frozen{}, err
	}
	if f.Bucket, err = tx.LockReports(ctx, f.RunKey); err != nil {
		return Frozen{}, err
	}
	newest, err := tx.NewestReport(ctx, f.RunKey)
	switch {
	case errors.Is(err, pgstore.ErrNotFound):
	case err != nil:
		return Frozen{}, err
	case !replaces(&f, &newest, why == Asked && b.Report.Inputs.Gone == nil):
		return Frozen{FrozenReport: newest}, nil
	}
	gone, err := tx.RevisionGone(ctx, f.RunKey)
	if err != nil {
		return Frozen{}, err
	}
	f.Revision, f.CreatedAt = max(newest.Revision, gone)+1, tx.Now().UTC()
	if err := tx.InsertReport(ctx, b.Report, b.Body, f); err != nil {
		return Frozen{}, err
	}
	e, err := event.NewReportPublished(r.Source, b.Report, event.Publication{
		Revision: f.Revision, Size: f.Size, At: f.CreatedAt, Path: Path(f.ID, f.Number, "", f.Revision),
	})
	if err != nil {
		return Frozen{}, err
	}
	row := pgstore.OutboxRow{Topic: pgstore.OutboxReports, EventID: e.ID, Type: e.Type, Subject: e.Subject, Time: e.Time, Record: e.Record}
	return Frozen{FrozenReport: f, New: true}, tx.Enqueue(ctx, []pgstore.OutboxRow{row})
}

// replaces decides whether a report becomes the next revision after the newest one:
// if it says anything else, or only for something new about its own run.
func replaces(built, newest *pgstore.FrozenReport, anything bool) bool {
	switch {
	case built.SHA256 == newest.SHA256:
		return false // it says the same
	case built.RunVersion < newest.RunVersion:
		return false // somebody who began later was faster
	case anything:
		return true
	default:
		return built.Chain != newest.Chain || built.DefinitionSHA256 != newest.DefinitionSHA256 || built.TemplateSHA256 != newest.TemplateSHA256
	}
}
