package verify

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/report"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/reporting"
)

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
	var before *pgstore.ReportName // whether it is the newest is told by the next one
	due := int32(1)
	take := func(next *pgstore.ReportName) error {
		if before == nil {
			return nil
		}
		newest := next == nil || before.RunKey != next.RunKey
		if before.Revision > due {
			// Those before it may have been removed.
			gone, err := v.store.RevisionGone(ctx, before.RunKey)
			if err != nil {
				return err
			}
			if before.Revision-1 <= gone {
				due = before.Revision
			}
		}
		if err := v.frozenReport(ctx, before, due, newest, &not); err != nil {
			return err
		}
		if due++; newest {
			due = 1
		}
		return nil
	}
	for after := (pgstore.ReportName{}); ; {
		page, err := v.store.ReportsAfter(ctx, after, pageSize)
		if err != nil {
			return err
		}
		for i := range page {
			if err := take(&page[i]); err != nil {
				return err
			}
			before, after = &page[i], page[i]
		}
		if len(page) < pageSize {
			break
		}
	}
	if err := take(nil); err != nil {
		return err
	}
	for _, why := range []struct {
		n   int
		why string
	}{
		{not.replaced, "that a newer revision has replaced"},
		{not.otherRules, "that were built by other rules than " + report.BuilderVersion},
		{not.removed, "of runs of which something that they were made from is gone"},
		{not.changed, "of runs that have changed since"},
		{not.published, "of runs whose scenario or template was published, or published otherwise, since"},
		{not.compared, "that were compared with reports that are not stored any more"},
	} {
		if why.n > 0 {
			v.report.cannotVerify("reports %s: %d, of which only the digests are held against the contents", why.why, why.n)
		}
	}
	return nil
}

// frozenReport verifies one report, of which revision due is expected.
func (v *verification) frozenReport(ctx context.Context, name *pgstore.ReportName, due int32, newest bool, not *unproved) error {
	c := comparison{report: v.report, subject: fmt.Sprintf("report %s/%d revision %d", name.ID, name.Number, name.Revision)}
	row, err := v.store.Report(ctx, name.RunKey, name.Revision)
	var body []byte
	if err == nil {
		body, err = v.store.ReportBody(ctx, &row)
	}
	switch {
	case errors.Is(err, pgstore.ErrNotFound):
		return nil // removed since it was listed
	case err != nil:
		return err
	}
	v.report.Reports++
	c.compare("revision", name.Revision, due)
	frozen, err := report.Decode(body)
	if err != nil {
		c.differ("body", err.Error(), "a report with the digest that it carries")
		return nil
	}
	said, err := pgstore.NewFrozenReport(frozen, len(body), row.RunVersion)
	if err != nil {
		c.differ("body", err.Error(), "a report with digests")
		return nil
	}
	said.Revision, said.Bucket, said.CreatedAt = row.Revision, row.Bucket, row.CreatedAt // not in it
	c.compare("row", row, said)
	switch {
	case !newest:
		not.replaced++
		return nil
	case row.Builder != report.BuilderVersion:
		not.otherRules++
		return nil
	}
	return v.rebuildReport(ctx, c, &row, frozen, body, not)
}

// rebuildReport builds a report again and compares.
func (v *verification) rebuildReport(ctx context.Context, c comparison, row *pgstore.FrozenReport, frozen *report.Report, body []byte, not *unproved) error {
	again, err := reporting.Rebuild(ctx, v.store, frozen)
	var pruned *reporting.PrunedError
	var missing *reporting.MissingError
	switch {
	case errors.Is(err, pgstore.ErrNotFound), errors.Is(err, reporting.ErrMoreGone), errors.As(err, &pruned):
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
	c.compare("bucket", row.Bucket, again.Run.Bucket)
	if row.RunVersion < 1 || row.RunVersion > again.Run.Version {
		c.differ("run_version", strconv.FormatInt(row.RunVersion, 10), fmt.Sprintf("1 to %d", again.Run.Version))
	}
	switch {
	case again.Report.Inputs.Chain != frozen.Inputs.Chain && again.Report.Inputs.Events > frozen.Inputs.Events:
		not.changed++
	case !sameDefinition(&again.Report.Inputs, &frozen.Inputs):
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

// sameDefinition tells whether two reports were made from one publication of one
// definition, with one template.
func sameDefinition(a, b *report.Inputs) bool {
	return a.DefinitionSHA256 == b.DefinitionSHA256 && a.Publication == b.Publication && a.TemplateSHA256 == b.TemplateSHA256
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
