package reporting

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
)

// Reports builds reports and freezes them. It is safe for concurrent use.
type Reports struct {
	Store  *pgstore.Store
	Source string           // of this instance's events, such as "/tcda/a"
	Now    func() time.Time // nil: the system's clock
}

// Built is a report as it was built, of a run as it was then.
type Built struct {
	Report *report.Report
	Body   []byte // as it is frozen
	Run    execution.Run
}

// Build builds the report of a run from what is stored at one moment; number 0 is
// the latest run of the id. Log lines and snapshots that retention has removed are
// left out, and the report says so. Errors: pgstore.ErrNotFound, a *PrunedError, or that
// the database cannot be read.
func (r *Reports) Build(ctx context.Context, k pgstore.RunKey) (*Built, error) {
	return build(ctx, r.Store, k, contextOf)
}

// surroundings finds the context of a report of a run of which something may be gone.
type surroundings func(context.Context, *pgstore.Store, *execution.Run, *report.Gone) (report.Context, error)

func build(ctx context.Context, s *pgstore.Store, k pgstore.RunKey, around surroundings) (*Built, error) {
	built := &Built{}
	var builder *report.Builder
	var c report.Context
	err := s.AtOneMoment(ctx, func(s *pgstore.Store) (err error) {
		if built.Run, err = s.FindRun(ctx, k); err != nil {
			return err
		}
		gone, err := goneOf(ctx, s, &built.Run)
		if err != nil {
			return err
		}
		if builder, err = feed(ctx, s, &built.Run, gone); err != nil {
			return err
		}
		c, err = around(ctx, s, &built.Run, gone)
		return err
	})
	if err != nil {
		return nil, err
	}
	built.Report = builder.Report(c)
	if built.Body, err = built.Report.Encode(); err != nil {
		return nil, fmt.Errorf("encode report: %w", err)
	}
	return built, nil
}

// ErrMoreGone says that more is gone of a run than when its report was made.
var ErrMoreGone = errors.New("more of the run is gone than when the report was made")

// Rebuild builds a frozen report again: from the events that are stored now, and
// the reports that it says it was compared with. Where as much is gone as it says, by
// which policy and when are as it says, too. The error is a *MissingError where one
// of the reports is not stored, ErrMoreGone, or that of Build.
func Rebuild(ctx context.Context, s *pgstore.Store, frozen *report.Report) (*Built, error) {
	k := pgstore.RunKey{ID: frozen.Run.ExecutionID, Number: frozen.Run.Number}
	return build(ctx, s, k, func(ctx context.Context, s *pgstore.Store, run *execution.Run, gone *report.Gone) (c report.Context, err error) {
		then := frozen.Inputs.Gone
		c.Gone = gone
		switch more, less := lacking(gone, then), lacking(then, gone); {
		case less: // it says what is not so
		case more:
			return c, ErrMoreGone
		default:
			c.Gone = then
		}
		if c.Definition, err = definitionOf(ctx, s, run); err != nil {
			return c, err
		}
		if c.Attempts, err = named(ctx, s, frozen.Attempts, func(b *report.Brief) string { return b.SHA256 }); err != nil {
			return c, err
		}
		c.Previous, err = named(ctx, s, frozen.Previous, func(ch *report.Change) string { return ch.SHA256 })
		return c, err
	})
}

// lacking tells whether one report lacks a kind of data that another has.
func lacking(one, other *report.Gone) bool {
	return one != nil && slices.ContainsFunc(one.Kinds, func(kind string) bool { return !other.Lacks(kind) })
}

// MissingError says that a report that another was compared with is not stored.
type MissingError struct{ SHA256 string }

func (e *MissingError) Error() string {
	return "the report " + e.SHA256 + " that it is compared with is not stored"
}

// named are the briefs of reports that are named by their digests.
func named[T any](ctx context.Context, s *pgstore.Store, all []T, digest func(*T) string) ([]report.Brief, error) {
	var found []report.Brief
	for i := range all {
		name := digest(&all[i])
		d, err := pgstore.ParseReportDigest(name)
		if err != nil {
			return nil, &MissingError{name}
		}
		body, err := s.ReportBodyBySHA256(ctx, d)
		if errors.Is(err, pgstore.ErrNotFound) {
			return nil, &MissingError{name}
		}
		if err != nil {
			return nil, err
		}
		other, err := report.Decode(body)
		if err != nil {
			return nil, fmt.Errorf("report %s: %w", name, err)
		}
		found = append(found, other.Brief())
	}
	return found, nil
}

// Path is where the API gives the report of a run: as JSON, or with an ending in
// another format. Revision 0 is the newest one, whichever that is by then.
func Path(id execution.ID, number execution.RunNumber, ending string, revision int32) string {
	path := "/reports/" + string(id) + "/" + strconv.Itoa(int(number)) + ending // ids need no escape
	if revision > 0 {
		path += "?revision=" + strconv.Itoa(int(revision))
	}
	return path
}
