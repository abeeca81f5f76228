package ingest

import (
	"context"
	"errors"

	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/accept"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// MaintainPartitions keeps the table partitions of the coming days or months
// made ahead, and looks for rows that found none, until ctx ends. What a lock
// keeps from being made is tried again soon.
func (e *Engine) MaintainPartitions(ctx context.Context) {
	e.every(ctx, e.cfg.RollEvery, func() {
		for {
			_, err := e.Store.Lead(ctx, "partitions", e.PreparePartitions)
			if err == nil || ctx.Err() != nil {
				return
			}
			if pgstore.ClassOf(err) != pgstore.Infrastructure {
				e.Log.Error().Err(err).Msg("partitions could not be made ahead; tried again later")
				return
			}
			level := zerolog.WarnLevel
			if _, unlisted := pgstore.UnlistedState(err); unlisted {
				level = zerolog.ErrorLevel // nobody has said that trying again may help
			}
			e.Log.WithLevel(level).Err(err).Msg("partitions could not be made ahead; trying again")
			// Each try may hold writers up as long as it waits for its lock: the longest pause.
			if sleep(ctx, e.cfg.RetryMax) != nil {
				return
			}
		}
	})
}

// PreparePartitions makes once what MaintainPartitions keeps made. It comes
// before the first event is stored: rows that find no partition lie in the
// default one, and from there they keep their own from being made.
func (e *Engine) PreparePartitions(ctx context.Context) error {
	first := accept.Birthday(e.Now().UTC())
	last := first.AddDate(0, 0, e.cfg.PartitionsAhead)
	if e.cfg.PartitionGrain == "month" {
		// From the first of the month: adding months to a 31st would skip one.
		last = first.AddDate(0, 0, 1-first.Day()).AddDate(0, e.cfg.PartitionsAhead, 0)
	}
	made, errMake := e.Store.EnsurePartitions(ctx, first, last, e.cfg.PartitionGrain)
	if made > 0 && errMake == nil {
		e.Log.Info().Int("made", made).Msg("partitions made ahead")
	}
	// Asked also when none could be made: stray rows are what keeps them from it.
	return errors.Join(errMake, e.watchStrayRows(ctx))
}

// watchStrayRows raises an alarm for rows that found no partition.
func (e *Engine) watchStrayRows(ctx context.Context) error {
	stray, err := e.Store.StrayRows(ctx)
	if err != nil {
		return err
	}
	var rows int64
	for _, n := range stray {
		rows += n
	}
	e.Metrics.DefaultPartitionRows(rows)
	if rows > 0 {
		e.Log.Error().Interface("tables", stray).Msg("rows lie in default partitions: their partition was not made in time")
	}
	return nil
}
