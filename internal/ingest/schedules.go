package ingest

import (
	"context"

	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// PlanSchedules makes the occurrences of schedules as they come due, until ctx
// ends. Coordinators that claim have that done as well; without any, what is due
// and what was missed shall still be seen. Any number of instances may do it at
// once.
func (e *Engine) PlanSchedules(ctx context.Context) {
	failing := false
	e.every(ctx, e.cfg.PlanEvery, func() {
		done, err := e.Store.PlanDue(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			level := zerolog.WarnLevel
			if _, unlisted := pgstore.UnlistedState(err); unlisted || pgstore.ClassOf(err) != pgstore.Infrastructure {
				level = zerolog.ErrorLevel
			}
			if failing { // said once, and not each second
				level = zerolog.DebugLevel
			}
			failing = true
			e.Log.WithLevel(level).Err(err).Msg("schedules were not looked at; trying again")
		default:
			failing = false
			if done.Late > 0 {
				e.Log.Warn().Int("occurrences", done.Late).Msg("nobody claimed occurrences of schedules in time; they are missed")
			}
		}
	})
}
