package pruning

import (
	"context"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/retention"
)

// Estimate is what a kind of data takes that goes by a policy.
type Estimate struct {
	Policy     string
	Kind       retention.Kinds
	Runs       int64
	Rows       int64 // as the runs count them
	Returned   int64 // bytes that go to the operating system, with partitions that are dropped
	Reusable   int64 // bytes that stay with partitions, for late rows of their days
	Partitions int   // that are dropped; those that several policies share count for each
}

// Forecast is what a pass would do.
type Forecast struct {
	Plan       *retention.Plan
	Estimates  []Estimate // by policy, in their order, and kind
	Returned   int64
	Reusable   int64
	Partitions int // that are dropped, each once
}

// Forecast tells what a pass would do now; it changes nothing. Bytes are shares of
// what partitions take, by the rows that runs count; the rows of runs themselves, in
// tables without partitions, are not counted in.
func (p *Pruner) Forecast(ctx context.Context) (*Forecast, error) {
	plan, _, err := p.Plan(ctx)
	if err != nil {
		return nil, err
	}
	partitions, err := p.Store.BucketPartitions(ctx)
	if err != nil {
		return nil, err
	}
	f := &Forecast{Plan: plan}
	months := map[retention.MonthKind]month{}
	for k, split := range plan.Months {
		if split.Go.Runs == 0 {
			continue
		}
		m := estimateMonth(partitions, k, split, p.Now())
		months[k] = m
		f.Returned, f.Reusable, f.Partitions = f.Returned+m.returned, f.Reusable+m.reusable, f.Partitions+m.partitions
	}
	for i := range p.cfg.Rules.Policies {
		for _, kind := range retention.Everything.Each() {
			e := Estimate{Policy: p.cfg.Rules.Policies[i].Name, Kind: kind}
			for k, t := range plan.ByPolicy {
				if k.Policy != e.Policy || k.Kind != kind {
					continue
				}
				m := months[k.MonthKind]
				share := 1.0
				if all := plan.Months[k.MonthKind].Go.Rows; all > 0 {
					share = float64(t.Rows) / float64(all)
				}
				e.Runs, e.Rows, e.Partitions = e.Runs+t.Runs, e.Rows+t.Rows, e.Partitions+m.partitions
				e.Returned, e.Reusable = e.Returned+int64(share*float64(m.returned)), e.Reusable+int64(share*float64(m.reusable))
			}
			if e.Runs > 0 {
				f.Estimates = append(f.Estimates, e)
			}
		}
	}
	return f, nil
}

type month struct {
	returned, reusable int64
	partitions         int
}

// estimateMonth is what becomes of the partitions of a kind and month.
func estimateMonth(all []pgstore.BucketPartition, k retention.MonthKind, split retention.Split, now time.Time) (m month) {
	rows := pgstore.Pending{MonthKind: k, Rows: split.Go.Rows}
	kept := pgstore.Pending{MonthKind: k, Rows: split.Stay.Rows}
	for _, part := range partitionsOf(all, k) {
		goes, stays := shareOf(rows, part), shareOf(kept, part)
		share := 1.0
		if goes+stays > 0 {
			share = float64(goes) / float64(goes+stays)
		}
		bytes := int64(share * float64(part.Bytes))
		if retention.WorthReplacing(goes, stays, part.Bytes, part.Upper, now) {
			m.returned += bytes
			m.partitions++
		} else {
			m.reusable += bytes
		}
	}
	return m
}
