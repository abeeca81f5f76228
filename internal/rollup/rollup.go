// Package rollup keeps the analysts' figures in step with the runs: the roller.
//
// Whoever changes a run that counts, or did, notes its key, (scenario, UTC day),
// in the same transaction (pgstore). The roller takes notes away and makes the
// rollups of their keys anew, as a whole, from the raw rows:
//
//	lock     no other roller works until the transaction ends
//	take     the oldest notes, of a page of keys
//	place    the days that the groups among them were, and are, counted on
//	make     rollups of all these days, and summaries of their scenarios
//
// Why nothing is lost. All is one READ COMMITTED transaction, each statement of
// which sees what was committed before it began. A note was committed with the
// change that it tells of, so whoever sees the note sees the change, and the
// statements that make rollups begin after the one that takes notes: they see at
// least that, and maybe more. A change that is committed in between has a note of
// its own, which was not taken and is there the next time. A roller that fails, or
// dies, leaves its notes where they were. And two rollers, of which one does not
// know yet that it has lost the lead, cannot put older rollups in place of newer
// ones: the lock is taken before anything is read.
//
// So once no note is left, rollups are exactly what the raw rows say, and what runs said
// whose results retention has removed since: what these contribute is added up before
// they go, and added to what others do. The package knows neither what is counted nor how: that is said in SQL (schema.sql), and
// held against an independent calculation in the tests.
package rollup

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
)

// Config says how the roller works.
type Config struct {
	Every time.Duration // between two looks for notes
	Keys  int           // made anew in one transaction at most, beside those of groups; 0: 200
}

// Parts are what the roller works with.
type Parts struct {
	Store   *pgstore.Store
	Metrics *telemetry.Metrics // nil: none
	Log     zerolog.Logger
	Now     func() time.Time // nil: the system's clock
}

// Roller makes rollups. Make it with New, then Run; or Drain, where nobody else
// may be at work.
type Roller struct {
	cfg Config
	Parts
	today time.Time // that all summaries are known to be as of; zero: not known
}

const (
	leadership  = "rollups"
	defaultKeys = 200
	// notesPage bounds the notes of one transaction: a busy day has many of one key.
	notesPage = 5000
	// summariesPage is how many scenarios' summaries one transaction makes.
	summariesPage = 100
	// longestRest is between two transactions, and after an error.
	longestRest = 30 * time.Second
)

// New makes the roller.
func New(cfg Config, p Parts) *Roller {
	if p.Now == nil {
		p.Now = time.Now
	}
	if cfg.Keys == 0 {
		cfg.Keys = defaultKeys
	}
	return &Roller{cfg: cfg, Parts: p}
}

// Run makes rollups until ctx ends, whenever this instance has the lead.
func (r *Roller) Run(ctx context.Context) {
	pause := r.cfg.Every
	for {
		led, err := r.Store.Lead(ctx, leadership, r.pass)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			pause = min(max(2*pause, time.Second), longestRest)
			r.Log.Warn().Err(err).Dur("pause", pause).Msg("rollups not made; tried again later")
		default:
			pause = r.cfg.Every
			if !led {
				r.today = time.Time{} // another instance looks after the summaries
			}
		}
		if !rest(ctx, pause) {
			return
		}
	}
}

// rest waits; false: ctx has ended.
func rest(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// pass makes rollups until no note is left. After each transaction it rests for as
// long as that took: ingest comes first, and a day with very many runs is made anew
// less often, for all its notes that come meanwhile together.
func (r *Roller) pass(ctx context.Context) error {
	if err := r.turn(ctx); err != nil {
		return err
	}
	for {
		waiting, oldest, err := r.Store.DirtyState(ctx)
		if err != nil {
			return err
		}
		if r.Metrics != nil {
			age := time.Duration(0)
			if waiting > 0 {
				age = max(0, r.Now().Sub(oldest))
			}
			r.Metrics.RollupState(waiting, age)
		}
		if waiting == 0 {
			return nil
		}
		began := time.Now()
		if _, err := r.page(ctx); err != nil {
			return err
		}
		if !rest(ctx, min(time.Since(began), longestRest)) {
			return context.Cause(ctx)
		}
	}
}

// Drain makes rollups until no note is left, without rest, and tells of how many
// keys. It waits for another roller's transaction, not for its lead.
func (r *Roller) Drain(ctx context.Context, progress func(keys int)) (int, error) {
	if err := r.turn(ctx); err != nil {
		return 0, err
	}
	for total := 0; ; {
		p, err := r.page(ctx)
		if err != nil || p.notes == 0 {
			return total, err
		}
		total += p.keys
		if progress != nil {
			progress(total)
		}
	}
}

// made is what one transaction did.
type made struct {
	notes int // that were taken, repeats counted once
	keys  int
}

// page takes a page of notes and makes the rollups that they tell of.
func (r *Roller) page(ctx context.Context) (done made, err error) {
	began, now := time.Now(), r.Now()
	err = r.Store.Batch(ctx, now, func(tx *pgstore.Tx) error {
		if err := tx.LockRollups(ctx); err != nil {
			return err
		}
		notes, err := tx.TakeDirty(ctx, notesPage, r.cfg.Keys)
		if err != nil {
			return err
		}
		keys, err := tx.PlaceGroups(ctx, notes)
		if err != nil {
			return err
		}
		done.notes, done.keys = len(notes), len(keys)
		return tx.MakeRollups(ctx, keys, dayOf(now))
	})
	if err != nil {
		return made{}, err
	}
	if r.Metrics != nil {
		r.Metrics.RolledUp(done.keys)
	}
	if done.notes > 0 {
		r.Log.Debug().Int("notes", done.notes).Int("keys", done.keys).Dur("took", time.Since(began)).Msg("rollups made")
	}
	return done, nil
}

// turn makes the summaries anew that are as of a former day: their windows have
// moved on. Once a day there are any.
func (r *Roller) turn(ctx context.Context) error {
	today := dayOf(r.Now())
	if today.Equal(r.today) {
		return nil
	}
	for {
		behind, err := r.Store.SummariesBehind(ctx, today, summariesPage)
		if err != nil {
			return err
		}
		if len(behind) > 0 {
			err = r.Store.Batch(ctx, r.Now(), func(tx *pgstore.Tx) error {
				if err := tx.LockRollups(ctx); err != nil {
					return err
				}
				return tx.MakeSummaries(ctx, behind, today)
			})
			if err != nil {
				return err
			}
		}
		if len(behind) < summariesPage {
			r.today = today
			r.Log.Debug().Time("as_of", today).Msg("summaries are as of today")
			return nil
		}
	}
}

func dayOf(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }
