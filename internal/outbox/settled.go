package outbox

import (
	"context"
	"errors"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

const (
	settledLoop = "settled" // its lock
	settledPage = 500       // runs that are announced in one transaction

	// stuckAfter is how long a transaction may keep runs from being announced before
	// somebody should look at it.
	stuckAfter = 10 * time.Minute
)

// settler announces runs that have settled: that have ended, and not changed for a
// while since. It walks them by the time of their last change, by PostgreSQL's clock.
// A transaction reads that time when it begins to write and shows it when it is
// committed, so that runs may turn up behind others of a later time; the settler goes
// no further than to where that cannot happen any more, see settledUpTo.
type settler struct {
	*Publisher

	last    observation
	seen    []observation // whose transactions have not all ended, ascending
	decided time.Time     // of the newest observation whose transactions have all ended
	stuck   time.Time     // of the observation that was warned of
}

// observation is a moment, and the number below which all transactions are that had
// begun to write by then.
type observation struct {
	at   time.Time
	next int64
}

// try is one pass, if this instance has the lead.
func (s *settler) try(ctx context.Context) {
	led, err := s.Store.Lead(ctx, settledLoop, s.pass)
	switch {
	case err != nil && ctx.Err() == nil:
		s.Log.Warn().Err(err).Msg("settled runs not announced; tried again later")
	case err == nil && led:
		s.Log.Debug().Time("decided", s.decided).Int("undecided", len(s.seen)).Msg("looked for settled runs")
	}
}

// pass announces the runs that have settled since the former one.
func (s *settler) pass(ctx context.Context) error {
	upTo, err := s.settledUpTo(ctx)
	if err != nil || upTo.IsZero() {
		return err
	}
	cursor, err := s.Store.SettledCursor(ctx)
	if errors.Is(err, pgstore.ErrNotFound) { // history is not announced
		return s.Store.Batch(ctx, s.Now(), func(tx *pgstore.Tx) error {
			return tx.BeginSettled(ctx, upTo)
		})
	}
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		runs, err := s.Store.SettledRunsUpTo(ctx, cursor, upTo, settledPage)
		if err != nil || len(runs) == 0 {
			return err
		}
		if err := s.announce(ctx, runs, cursor); err != nil {
			return err
		}
		cursor = runs[len(runs)-1].Cursor()
		if len(runs) < settledPage {
			return nil
		}
	}
	return context.Cause(ctx)
}

// announce enqueues an event for each of the runs behind a place, notes that its
// report is to be built, and says that it was done. A run that was announced at this version already is not announced again:
// its event has the same id.
func (s *settler) announce(ctx context.Context, runs []pgstore.SettledRun, from pgstore.SettledCursor) error {
	rows := make([]pgstore.OutboxRow, 0, len(runs))
	for i := range runs {
		e, err := event.NewSettled(s.Source(), &runs[i].Run, runs[i].ChangedAt)
		if err != nil { // a rule of the contract that stored runs can break: others must not wait for it
			s.Log.Error().Err(err).Str("execution_id", string(runs[i].ID)).Int32("run", int32(runs[i].Number)).Msg("settled run cannot be announced")
			continue
		}
		rows = append(rows, pgstore.OutboxRow{Topic: pgstore.OutboxReports, EventID: e.ID, Type: e.Type, Subject: e.Subject, Time: e.Time, Record: e.Record})
	}
	err := s.Store.Batch(ctx, s.Now(), func(tx *pgstore.Tx) error {
		if err := tx.AdvanceSettled(ctx, from, runs[len(runs)-1].Cursor()); err != nil {
			return err
		}
		if err := tx.EnqueueReports(ctx, runs); err != nil {
			return err
		}
		return tx.Enqueue(ctx, rows)
	})
	if err == nil {
		s.Nudge()
		if s.Settled != nil {
			s.Settled()
		}
	}
	return err
}

// settledUpTo is the moment up to which runs have settled for certain; zero while
// there is none.
func (s *settler) settledUpTo(ctx context.Context) (time.Time, error) {
	running, err := s.Store.RunningTransactions(ctx)
	if err != nil {
		return time.Time{}, err
	}
	s.observe(running)
	if s.decided.IsZero() {
		return time.Time{}, nil
	}
	return s.decided.Add(-s.cfg.SettledAfter), nil
}

// observe decides up to which moment it is certain which runs changed last.
//
// Whoever begins to write after an observation has a number above next, and reads the
// time of its changes after that: from the clock that the observation was read from,
// or behind the cursor where that was put back. So when all below next have ended,
// all changes are there that are older than the observation. However long a
// transaction lasts, a COMMIT that waits for a standby say, or an operator's release
// of a million events, it is waited for.
func (s *settler) observe(running pgstore.RunningTransactions) {
	now := observation{running.At, running.Next}
	if now.at.Before(s.last.at) || now.next <= s.last.next {
		s.Log.Warn().Time("now", now.at).Time("was", s.last.at).Int64("transaction", now.next).Int64("was_transaction", s.last.next).
			Msg("PostgreSQL's clock or its transactions went back, as after a failover: runs that settled at a later time of this clock are announced when it gets there again")
		s.seen, s.decided = nil, time.Time{}
	}
	s.last, s.seen = now, append(s.seen, now)
	for len(s.seen) > 0 && s.seen[0].next <= running.Oldest {
		s.decided, s.seen = s.seen[0].at, s.seen[1:]
	}
	if len(s.seen) > 0 && now.at.Sub(s.seen[0].at) > stuckAfter && !s.stuck.Equal(s.seen[0].at) {
		s.stuck = s.seen[0].at
		s.Log.Warn().Stringer("since", now.at.Sub(s.stuck)).Int64("transaction", running.Oldest).Msg("a transaction of the database cluster has not ended for long: runs that settled since it began are not announced yet")
	}
}
