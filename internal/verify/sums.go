package verify

import (
	"context"
	"fmt"
	"time"
)

// sums verifies what is spread over tables: it asks the database for what does
// not add up.
func (v *verification) sums(ctx context.Context) error {
	for _, check := range []func(context.Context) error{
		v.pruned, v.partitions, v.missingRuns,
		v.ids, v.orphans, v.alteredRecords, v.quarantine,
	} {
		if err := check(ctx); err != nil {
			return err
		}
	}
	return nil
}

// partitions holds the sums of each partition against what is stored of it.
// Every applied record is one event and stays one, whatever is replayed; those that
// were pruned are counted. A
// quarantined record is kept once for its address, but counted anew when its
// partition is read again from before it: there may be fewer than were counted.
func (v *verification) partitions(ctx context.Context) error {
	sums, err := v.store.PartitionSums(ctx)
	if err != nil {
		return err
	}
	v.report.Partitions = int64(len(sums))
	for _, s := range sums {
		c := comparison{report: v.report, subject: fmt.Sprintf("partition %s/%d", s.Topic, s.Partition)}
		c.compare("applied", s.Applied, s.Events)
		if s.Quarantined < s.Kept {
			c.compare("quarantined", s.Quarantined, s.Kept)
		}
	}
	return nil
}

// ids holds the row of each execution id against its runs.
func (v *verification) ids(ctx context.Context) error {
	mismatches, err := v.store.IDMismatches(ctx, MaxDifferences)
	if err != nil {
		return err
	}
	for _, m := range mismatches {
		c := comparison{report: v.report, subject: "execution " + string(m.ID)}
		c.compare("latest_run", m.LatestRun, m.NewestRun)
		if m.LatestRun == m.NewestRun {
			c.differ("buckets", dates(m.Buckets), "at least "+dates(m.RunBuckets))
		}
	}
	return nil
}

func dates(days []time.Time) string {
	texts := make([]string, len(days))
	for i, d := range days {
		texts[i] = d.Format(time.DateOnly)
	}
	return fmt.Sprint(texts)
}

// orphans finds rows of runs that are not there.
func (v *verification) orphans(ctx context.Context) error {
	orphans, err := v.store.OrphanedRows(ctx, MaxDifferences)
	if err != nil {
		return err
	}
	for _, o := range orphans {
		v.report.add(runName(o.Run), "rows in "+o.Table, "bucket "+o.Bucket.Format(time.DateOnly), "no run in this bucket")
	}
	return nil
}

// alteredRecords finds quarantined records whose bytes have changed.
func (v *verification) alteredRecords(ctx context.Context) error {
	altered, err := v.store.AlteredRecords(ctx, MaxDifferences)
	if err != nil {
		return err
	}
	for _, id := range altered {
		v.report.add(fmt.Sprintf("quarantined record %d", id), "record_value", "other bytes", "those of its length and sha-256")
	}
	return nil
}

// quarantine holds the sum that the limits of the quarantine go by against its
// records.
func (v *verification) quarantine(ctx context.Context) error {
	counted, kept, err := v.store.QuarantineSum(ctx)
	if err != nil {
		return err
	}
	c := comparison{report: v.report, subject: "quarantine"}
	c.compare("open_records", kept.Records, counted.Records)
	c.compare("open_bytes", kept.Bytes, counted.Bytes)
	return nil
}
