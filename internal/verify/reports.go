package verify

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"strconv"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/reporting"
)

// reportsPage is how many names of reports are read at once.
const reportsPage = pageSize

// unproved counts the reports of which only the digest was held against the
// content, by why.
type unproved struct {
	replaced, otherRules, removed, changed, published, compared int
}

// reports verifies all frozen reports: the digest of each follows from its content,
// and the newest one of a run from the stored events and the reports that it names,
// byte for byte.
func (v *verification) reports(ctx context.Context) error {
	var not unproved
	var before *pgstore.StoredReport // whether it is the newest is told by the next one
	for after := (pgstore.StoredReport{}); ; {
		page, err := v.store.ReportsAfter(ctx, after, reportsPage)
		if err != nil {
			return err
		}
		for i := range page {
			next := &page[i]
			if before != nil {
				if err := v.frozenReport(ctx, before, before.RunKey != next.RunKey, &not); err != nil {
					return err
				}
			}
			before, after = next, *next
		}
		if len(page) < reportsPage {
			break
		}
	}
	if before != nil {
		if err := v.frozenReport(ctx, before, true, &not); err != nil {
			return err
		}
	}
	for _, why := range []struct {
		n   int
		why string
	}{
		{not.replaced, "that a newer revision has replaced"},
		{not.otherRules, "that were built by other rules than " + report.BuilderVersion},
		{not.removed, "of runs that are not stored whole any more"},
		{not.changed, "of runs that have changed since"},
		{not.published, "of runs whose scenario was published, or published otherwise, since"},
		{not.compared, "that were compared with reports that are not stored any more"},
	} {
		if why.n > 0 {
			v.report.cannotVerify("%d reports %s: only their digests are held against their contents", why.n, why.why)
		}
	}
	return nil
}

// frozenReport verifies one report.
func (v *verification) frozenReport(ctx context.Context, row *pgstore.StoredReport, newest bool, not *unproved) error {
	v.report.Reports++
	c := comparison{report: v.report, subject: fmt.Sprintf("report %s/%d revision %d", row.ID, row.Number, row.Revision)}
	body, err := v.store.ReportBody(ctx, &pgstore.FrozenReport{RunKey: row.RunKey, Revision: row.Revision, Bucket: row.Bucket})
	switch {
	case errors.Is(err, pgstore.ErrNotFound):
		return nil // removed since it was listed
	case err != nil:
		return err
	}
	frozen, err := report.Decode(body)
	if err != nil {
		c.differ("body", err.Error(), "a report with the digest that it carries")
		return nil
	}
	c.compare("sha256", row.SHA256.String(), frozen.SHA256)
	c.compare("size_bytes", row.Size, len(body))
	c.compare("builder", row.Builder, frozen.Builder)
	c.compare("run", row.RunKey, pgstore.RunKey{ID: frozen.Run.ExecutionID, Number: frozen.Run.Number})
	switch {
	case !newest:
		not.replaced++
		return nil
	case row.Builder != report.BuilderVersion:
		not.otherRules++
		return nil
	}
	return v.rebuildReport(ctx, c, frozen, body, not)
}

// rebuildReport builds a report again and compares.
func (v *verification) rebuildReport(ctx context.Context, c comparison, frozen *report.Report, body []byte, not *unproved) error {
	again, err := reporting.Rebuild(ctx, v.store, frozen)
	var pruned *reporting.PrunedError
	var missing *reporting.MissingError
	switch {
	case errors.Is(err, pgstore.ErrNotFound), errors.As(err, &pruned):
		not.removed++
		return nil
	case errors.As(err, &missing):
		not.compared++
		return nil
	case unreadable(err):
		c.differ("inputs", err.Error(), "stored events that a report can be built from")
		return nil
	case err != nil:
		return err
	}
	switch {
	case again.Report.Inputs.Chain != frozen.Inputs.Chain && again.Report.Inputs.Events > frozen.Inputs.Events:
		not.changed++
	case !reflect.DeepEqual(again.Report.Definition, frozen.Definition):
		not.published++
	default:
		v.report.ReportsRebuilt++
		if bytes.Equal(again.Body, body) {
			return nil
		}
		before := int64(len(v.report.Differences)) + v.report.Omitted
		c.compare("", *frozen, *again.Report)
		if before == int64(len(v.report.Differences))+v.report.Omitted {
			at := firstDifference(body, again.Body)
			c.differ("body", "byte "+strconv.Itoa(at)+" "+hex.EncodeToString(body[at:min(at+1, len(body))]), hex.EncodeToString(again.Body[at:min(at+1, len(again.Body))]))
		}
	}
	return nil
}

// firstDifference is where two texts part.
func firstDifference(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}
