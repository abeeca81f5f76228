package ingest

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// stopFull stops the partition at a bad record that the quarantine has no room
// for. Nothing is dropped: it goes on with that record.
func (w *worker) stopFull(ctx context.Context, full error) error {
	return w.stop(ctx, full.Error()+"; discard or requeue records ('tcda quarantine list'), or raise quarantine-hard-limit")
}

// reportPoison shows what went into quarantine: a line for each record, as long
// as they are few, and an alarm for each limit that was reached.
func (w *worker) reportPoison(out *outcome) {
	for i := range out.poison {
		p := &out.poison[i]
		w.Metrics.Quarantined(p.Rejection.Reason, 1)
		if w.told.allows(w.Now(), p.Rejection.Reason) {
			w.log.Warn().Int64("offset", p.Record.Offset).Str("reason", string(p.Rejection.Reason)).
				Str("field", p.Rejection.Field).Str("detail", p.Rejection.Detail()).Msg("record quarantined")
		}
	}
	w.sumUp(w.Now())
	if len(out.poison) == 0 {
		return
	}
	q, limits := &out.quarantined, w.Store.QuarantineLimits()
	w.Metrics.QuarantineUsage(q.After.Records, q.After.Bytes)
	w.Metrics.QuarantinedInPart(q.InPart)
	if q.Crossed(limits.Soft) {
		w.log.Error().Int64("open_records", q.After.Records).Int64("open_bytes", q.After.Bytes).Int64("soft_limit", limits.Soft).Int64("hard_limit", limits.Hard).
			Msg("the quarantine is over its soft limit: further records are kept in part only, and at the hard limit their partitions stop; see 'tcda quarantine list'")
	}
}

// sumUp says how many records were quarantined without a line of their own.
func (w *worker) sumUp(now time.Time) {
	if untold := w.told.due(now); untold != nil {
		counts := zerolog.Dict()
		total := 0
		for _, reason := range fact.Reasons() {
			if n := untold[reason]; n > 0 {
				counts.Int(string(reason), n)
				total += n
			}
		}
		w.log.Warn().Int("records", total).Dict("reasons", counts).Msg("further records quarantined; see 'tcda quarantine list'")
	}
}

const (
	// toldAtOnce is how many quarantined records in a row have a line in the log
	// each, and toldEachSecond how many more are each second after those: a flood
	// of poison must not become a flood of lines.
	toldAtOnce     = 1000
	toldEachSecond = 10
	// sumsEvery is how often the rest is summed up.
	sumsEvery = time.Second
)

// told is what a worker has said of quarantined records.
type told struct {
	lines  float64 // that it may still write
	since  time.Time
	untold map[fact.Reason]int
	summed time.Time
}

// allows tells whether one more record may have a line; else it is counted.
func (t *told) allows(now time.Time, reason fact.Reason) bool {
	if t.since.IsZero() {
		t.lines = toldAtOnce
	}
	t.lines = min(toldAtOnce, t.lines+max(0, now.Sub(t.since).Seconds())*toldEachSecond)
	t.since = now
	if t.lines >= 1 {
		t.lines--
		return true
	}
	if t.untold == nil {
		t.untold = map[fact.Reason]int{}
	}
	t.untold[reason]++
	return false
}

// due are the records to be summed up now, by reason; nil when there are none.
func (t *told) due(now time.Time) map[fact.Reason]int {
	if len(t.untold) == 0 || now.Sub(t.summed) < sumsEvery {
		return nil
	}
	untold := t.untold
	t.untold, t.summed = nil, now
	return untold
}

// watchQuarantine shows what the quarantine takes, also while nothing is added
// to it: operators make room.
func (e *Engine) watchQuarantine(ctx context.Context) {
	usage, err := e.Store.QuarantineUsage(ctx)
	if err != nil {
		e.Log.Debug().Err(err).Msg("what the quarantine takes is not known; asked again later")
		return
	}
	e.Metrics.QuarantineUsage(usage.Records, usage.Bytes)
}

// isFull tells whether a record found no room in the quarantine.
func isFull(err error) bool { return errors.Is(err, pgstore.ErrQuarantineFull) }
