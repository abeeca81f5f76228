package pgstore

import (
	"context"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// unheard is for how long a run counts as active of which nothing was heard: its
// coordinator says that it started it, and its first event may be on the way.
const unheard = 10 * time.Minute

// rivalsOf reads rivals, the earliest first, and notes which of their runs have
// ended, or have another occurrence that stands for them.
func (tx *Tx) rivalsOf(ctx context.Context, now time.Time, ids []string, most int32) (map[scenario.ScheduleID][]scenario.Rival, error) {
	rows, err := tx.q.RivalsOf(ctx, now.Add(-unheard), ids, most)
	if err != nil {
		return nil, interpret("read active occurrences", err)
	}
	rivals := make(map[scenario.ScheduleID][]scenario.Rival)
	standing := standingFor(rows)
	var over occurrenceKeys
	for i := range rows {
		r := &rows[i]
		if r.Over || r.ExecutionID != "" && !r.Numbered && standing[startedRun{r.ScheduleID, r.ExecutionID, r.Run}] != r {
			over.schedules, over.occurrences = append(over.schedules, r.ScheduleID), append(over.occurrences, r.OccurrenceID)
			continue
		}
		rival := scenario.Rival{ID: scenario.OccurrenceID(r.OccurrenceID), DueAt: r.DueAt.UTC(), Run: scenario.RunRef{ExecutionID: r.ExecutionID, Run: r.Run}}
		if r.Heard {
			rival.State = scenario.RivalRunning
		}
		id := scenario.ScheduleID(r.ScheduleID)
		rivals[id] = append(rivals[id], rival)
	}
	if len(over.schedules) == 0 {
		return rivals, nil
	}
	tx.pipe.doing("note ended runs of schedules")
	return rivals, tx.queued.EndRuns(ctx, over.schedules, over.occurrences)
}

// startedRun is a run that came of a schedule.
type startedRun struct {
	schedule, execution string
	number              int32
}

// standingFor is the one occurrence for each run that it is remembered by. Where
// nobody said its number, a run is the latest of its execution, and so are all
// before it of which nobody did: as long as the execution goes on with new runs,
// none of them would ever be seen ended. The one that was completed last stands for
// it, whether it knows the number or not: the first event of a later run may be on
// the way.
func standingFor(rows []dbsqlc.RivalsOfRow) map[startedRun]*dbsqlc.RivalsOfRow {
	standing := make(map[startedRun]*dbsqlc.RivalsOfRow)
	for i := range rows {
		r := &rows[i]
		if r.Over || r.ExecutionID == "" {
			continue
		}
		run := startedRun{r.ScheduleID, r.ExecutionID, r.Run}
		if former := standing[run]; former == nil || timeOf(r.SettledAt).After(timeOf(former.SettledAt)) {
			standing[run] = r
		}
	}
	return standing
}
