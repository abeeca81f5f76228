package pruning

import (
	"context"
	"slices"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/retention"
)

// everyMonth is after all months.
var everyMonth = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// removeAll removes the rows of all pruned runs that still lie in their tables, month
// by month, those before one. That none is left is noted once a month for all kinds whose partitions
// were replaced; who is cut off before finds them replaced, and has little to do again.
func (p *Pruner) removeAll(ctx context.Context, before time.Time, done *Result) error {
	pending, err := p.Store.PendingRows(ctx)
	if err != nil {
		return err
	}
	pending = slices.DeleteFunc(pending, func(rows pgstore.Pending) bool { return !rows.Month.Before(before) })
	var settled retention.Kinds
	for i, rows := range pending {
		complete, err := p.remove(ctx, rows, done)
		if err != nil {
			return err
		}
		if complete {
			settled |= rows.Kind
		}
		if i+1 < len(pending) && pending[i+1].Month.Equal(rows.Month) {
			continue
		}
		if err := p.settle(ctx, rows.Month, settled); err != nil {
			return err
		}
		settled = 0
	}
	return nil
}

// settle notes that no rows of some kinds are left of a month, bucket by bucket.
func (p *Pruner) settle(ctx context.Context, month time.Time, kinds retention.Kinds) error {
	if kinds == 0 {
		return nil
	}
	for bucket := month; bucket.Before(month.AddDate(0, 1, 0)); bucket = bucket.AddDate(0, 0, 1) {
		err := p.paced(ctx, "settle", nil, func(*stopwatch) error { return p.Store.SettlePending(ctx, bucket, kinds, p.Now().UTC()) })
		if err != nil {
			return err
		}
	}
	return nil
}

// remove removes the rows of a kind that a month's pruned runs have left. Where all
// the partitions that could hold them are replaced, none can be left: complete says
// that this is still to be noted.
func (p *Pruner) remove(ctx context.Context, rows pgstore.Pending, done *Result) (complete bool, err error) {
	partitions, err := p.Store.BucketPartitions(ctx)
	if err != nil {
		return false, err
	}
	stray, err := p.Store.StrayRows(ctx)
	if err != nil {
		return false, err
	}
	within := partitionsOf(partitions, rows.MonthKind)
	complete = covers(within, rows.MonthKind)
	for _, table := range pgstore.TablesOf(rows.Kind) {
		complete = complete && stray[table] == 0
	}
	for _, part := range within {
		if part.Bytes == 0 {
			continue // nothing of it is pending: no lock is worth it
		}
		stays, err := p.Store.KeptRows(ctx, part.Lower, part.Upper, rows.Kind)
		if err != nil {
			return false, err
		}
		if !retention.WorthReplacing(shareOf(rows, part), stays, part.Bytes, part.Upper, p.Now()) {
			complete = false
			continue
		}
		replaced, err := p.replace(ctx, part, rows.Kind, done)
		if err != nil {
			return false, err
		}
		if !replaced {
			done.Locked++
			return false, nil // the next pass tries again
		}
	}
	if complete {
		return true, nil
	}
	size := newPager()
	for removed := 1; removed > 0; {
		err := p.paced(ctx, "remove", size, func(*stopwatch) (err error) {
			removed, err = p.Store.RemovePending(ctx, rows.MonthKind, size.of(p.cfg.PageRows), p.Now().UTC())
			return err
		})
		if err != nil {
			return false, err
		}
	}
	return false, nil
}

// replace replaces a partition, unless others use its table whenever it is tried: for
// as long as a try waits, readers and writers of the table wait behind it.
func (p *Pruner) replace(ctx context.Context, part pgstore.BucketPartition, kind retention.Kinds, done *Result) (bool, error) {
	var replaced pgstore.Replaced
	err := p.paced(ctx, "replace", nil, func(*stopwatch) (err error) {
		replaced, err = p.Store.ReplacePartition(ctx, part, kind, p.cfg.Actor, p.Now().UTC())
		return err
	})
	if pgstore.WaitedForLock(err) {
		p.Log.Warn().Str("partition", part.Name).Int("tries", p.cfg.LockTries).Msg("partition not dropped, for its table was in use at each try; the next pass tries again")
		return false, nil
	}
	if err != nil {
		return false, err
	}
	done.Replaced++
	done.Freed += replaced.Freed
	if p.Metrics != nil {
		p.Metrics.Freed(replaced.Freed)
	}
	p.Log.Info().Str("partition", part.Name).Stringer("kind", kind).Int64("rows_kept", replaced.Kept).Int64("bytes_freed", replaced.Freed).Msg("partition dropped")
	return true, nil
}

// partitionsOf are the partitions of a kind's tables that lie within a month.
func partitionsOf(all []pgstore.BucketPartition, of retention.MonthKind) []pgstore.BucketPartition {
	until := of.Month.AddDate(0, 1, 0)
	tables := pgstore.TablesOf(of.Kind)
	var within []pgstore.BucketPartition
	for _, part := range all {
		if slices.Contains(tables, part.Table) && !part.Lower.Before(of.Month) && !part.Upper.After(until) {
			within = append(within, part)
		}
	}
	return within
}

// covers tells whether partitions hold all days of a month, for each table of a kind.
func covers(parts []pgstore.BucketPartition, of retention.MonthKind) bool {
	held := map[string]time.Duration{}
	for _, part := range parts {
		held[part.Table] += part.Upper.Sub(part.Lower)
	}
	for _, table := range pgstore.TablesOf(of.Kind) {
		if held[table] != of.Month.AddDate(0, 1, 0).Sub(of.Month) {
			return false
		}
	}
	return true
}

// shareOf is how many of a month's rows lie in a partition, were they spread evenly
// over its days.
func shareOf(rows pgstore.Pending, part pgstore.BucketPartition) int64 {
	month := rows.Month.AddDate(0, 1, 0).Sub(rows.Month)
	return int64(float64(rows.Rows) * float64(part.Upper.Sub(part.Lower)) / float64(month))
}
