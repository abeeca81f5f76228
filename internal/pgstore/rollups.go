package pgstore

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/retention"
)

// RollupKey names the rollups of a scenario on a day.
type RollupKey struct {
	ScenarioID string
	Day        time.Time // date, UTC
}

// DirtyNote says that rollups must be made anew: those of a key, and of whatever
// day the other attempts of a group are counted on.
type DirtyNote struct {
	RollupKey
	GroupID string // empty: none
}

// dayOf is the UTC date that a run counts on.
func dayOf(r *execution.Run) time.Time {
	for _, at := range []time.Time{r.StartedAt, r.RequestedAt, r.CreatedAt} {
		if !at.IsZero() {
			return at.UTC().Truncate(24 * time.Hour)
		}
	}
	return time.Time{}
}

// counts tells whether the analysts' figures count a run.
func counts(r *execution.Run) bool {
	return r.Status.Terminal() && (r.DryRun == nil || !*r.DryRun)
}

func noteOf(r *execution.Run) DirtyNote {
	return DirtyNote{RollupKey{r.ScenarioID, dayOf(r)}, r.GroupID}
}

// appendDirty notes which rollups the transaction makes out of date: those of the
// runs that count when it is committed, and of those that did before. All others,
// by far the most changes, cost nothing.
func (tx *Tx) appendDirty(ctx context.Context, states []*execution.State) error {
	notes := map[DirtyNote]bool{}
	for _, s := range states {
		if counts(&s.Run) {
			notes[noteOf(&s.Run)] = true
		}
		if s.Stored != nil && counts(s.Stored) {
			notes[noteOf(s.Stored)] = true
		}
	}
	if len(notes) == 0 {
		return nil
	}
	p := dbsqlc.AppendDirtyParams{Now: tx.now}
	for n := range notes {
		p.ScenarioIds, p.Days, p.GroupIds = append(p.ScenarioIds, n.ScenarioID), append(p.Days, n.Day), append(p.GroupIds, n.GroupID)
	}
	tx.pipe.doing("note rollups to be made anew")
	return tx.queued.AppendDirty(ctx, p)
}

// LockRollups keeps all others from making rollups anew until the transaction
// ends; as its first statement, so that it sees whatever those before it saw. It
// also lifts the time limit of statements: a day may have many runs.
func (tx *Tx) LockRollups(ctx context.Context) error {
	tx.pipe.doing("lock rollups")
	if err := tx.queued.TakeTime(ctx); err != nil {
		return err
	}
	return tx.queued.LockRollups(ctx)
}

// TakeDirty takes the oldest notes away, so many at most and of so many keys at
// most, and gives each once.
func (tx *Tx) TakeDirty(ctx context.Context, notes, keys int) ([]DirtyNote, error) {
	tx.pipe.doing("take notes of rollups")
	rows, err := tx.q.TakeDirty(ctx, int32(notes), int32(keys)) //nolint:gosec // a few thousand
	if err != nil {
		return nil, interpret("take notes of rollups", err)
	}
	taken := make([]DirtyNote, len(rows))
	for i, r := range rows {
		taken[i] = DirtyNote{RollupKey{r.ScenarioID, r.Day.UTC()}, r.GroupID}
	}
	return taken, nil
}

// PlaceGroups are the keys that notes concern: their own, and, of a group, the
// day that it has been counted on and the day of its present last attempt, which
// it is counted on from now on. So a group costs two days, however many attempts
// it has, and nothing has to be noted for the days that are found here.
func (tx *Tx) PlaceGroups(ctx context.Context, notes []DirtyNote) ([]RollupKey, error) {
	type group struct{ scenario, id string }
	keys, groups := map[RollupKey]bool{}, map[group]bool{}
	var scenarios, ids []string
	for _, n := range notes {
		keys[n.RollupKey] = true
		if g := (group{n.ScenarioID, n.GroupID}); n.GroupID != "" && !groups[g] {
			groups[g] = true
			scenarios, ids = append(scenarios, g.scenario), append(ids, g.id)
		}
	}
	if len(ids) > 0 {
		tx.pipe.doing("look for attempts of groups")
		rows, err := tx.q.GroupDays(ctx, scenarios, ids)
		if err != nil {
			return nil, interpret("look for attempts of groups", err)
		}
		var of, counted []string
		var days []time.Time
		for _, r := range rows {
			keys[RollupKey{r.ScenarioID, r.Day.UTC()}] = true
			if r.Present {
				of, counted, days = append(of, r.ScenarioID), append(counted, r.GroupID), append(days, r.Day)
				delete(groups, group{r.ScenarioID, r.GroupID})
			}
		}
		tx.pipe.doing("note the days of groups")
		if err := tx.queued.SaveGroupDays(ctx, of, counted, days); err != nil {
			return nil, err
		}
		if len(groups) > 0 { // of which no attempt counts any more
			scenarios, ids = nil, nil
			for g := range groups {
				scenarios, ids = append(scenarios, g.scenario), append(ids, g.id)
			}
			if err := tx.queued.RemoveGroups(ctx, scenarios, ids); err != nil {
				return nil, err
			}
		}
	}
	return slices.SortedFunc(maps.Keys(keys), RollupKey.compare), nil
}

func (k RollupKey) compare(other RollupKey) int {
	if c := strings.Compare(k.ScenarioID, other.ScenarioID); c != 0 {
		return c
	}
	return k.Day.Compare(other.Day)
}

func columnsOf(keys []RollupKey) (scenarios []string, days []time.Time) {
	for _, k := range keys {
		scenarios, days = append(scenarios, k.ScenarioID), append(days, k.Day)
	}
	return scenarios, days
}

// MakeRollups makes the rollups of keys anew, and the summaries of their scenarios, as
// of a day: from the raw rows, and from what runs contributed whose results are gone.
func (tx *Tx) MakeRollups(ctx context.Context, keys []RollupKey, today time.Time) error {
	if len(keys) == 0 {
		return nil
	}
	scenarios, days := columnsOf(keys)
	tx.pipe.doing("make rollups anew")
	for _, statement := range []func(context.Context, []string, []time.Time) error{
		tx.queued.DeleteRollupRuns, tx.queued.DeleteRollupAssertions, tx.queued.DeleteRollupFaults,
		tx.queued.InsertRollupRuns, tx.queued.InsertRollupAssertions, tx.queued.InsertRollupFaults,
		tx.queued.NoteEnvironments,
	} {
		if err := statement(ctx, scenarios, days); err != nil {
			return err
		}
	}
	return tx.MakeSummaries(ctx, slices.Compact(slices.Sorted(slices.Values(scenarios))), today)
}

// MakeSummaries makes the summaries of scenarios anew from their rollups, as of a
// day.
func (tx *Tx) MakeSummaries(ctx context.Context, scenarios []string, today time.Time) error {
	tx.pipe.doing("make summaries anew")
	if err := tx.queued.DeleteSummaries(ctx, scenarios); err != nil {
		return err
	}
	return tx.queued.InsertSummaries(ctx, scenarios, today)
}

// keepRollups keeps what runs contribute to the rollups of their days before their results
// go: under LockRollups, and before their tombstones are written. The rollups themselves
// stay as they are, and may be behind: what changed of these runs lately is in what is
// kept.
func (tx *Tx) keepRollups(ctx context.Context, due []retention.Due, rows map[RunKey]dbsqlc.DueRunsRow) error {
	var p dbsqlc.KeepRollupsParams
	days := map[RollupKey]bool{}
	for i := range due {
		if !due[i].Go.Has(retention.Results) {
			continue
		}
		row := rows[keyOf(&due[i])]
		days[RollupKey{row.ScenarioID, row.Day.UTC().Truncate(24 * time.Hour)}] = true
		p.Ids, p.Runs = append(p.Ids, row.ExecutionID), append(p.Runs, row.Run)
	}
	if len(days) == 0 {
		return nil
	}
	p.ScenarioIds, p.Days = columnsOf(slices.SortedFunc(maps.Keys(days), RollupKey.compare))
	return interpret("keep what runs contribute to rollups", tx.q.KeepRollups(ctx, p))
}

// MarkAllDirty notes that the rollups of a scenario (empty: of all) since a day
// must be made anew, and tells of how many keys and groups.
func (tx *Tx) MarkAllDirty(ctx context.Context, scenario string, since time.Time) (int64, error) {
	tx.pipe.doing("note all rollups")
	if err := tx.queued.TakeTime(ctx); err != nil {
		return 0, err
	}
	n, err := tx.q.MarkAllDirty(ctx, tx.now, scenario, since)
	return n, interpret("note all rollups", err)
}

// SummariesBehind are scenarios, so many at most, whose summaries are as of a day
// before today.
func (s *Store) SummariesBehind(ctx context.Context, today time.Time, page int) ([]string, error) {
	ids, err := s.q.SummariesBehind(ctx, today, int32(page)) //nolint:gosec // a few hundred
	return ids, interpret("look for old summaries", err)
}

// DirtyState is how many notes wait, counted up to 100,000, and when the oldest
// was made; zero when none waits.
func (s *Store) DirtyState(ctx context.Context) (waiting int64, oldest time.Time, err error) {
	row, err := s.q.DirtyState(ctx)
	if err = interpret("count notes of rollups", err); err != nil {
		if isNotFound(err) {
			return 0, time.Time{}, nil
		}
		return 0, time.Time{}, err
	}
	return row.Waiting, row.Oldest.UTC(), nil
}

// RollupScenarios are all scenarios that have runs which count, or rollups.
func (s *Store) RollupScenarios(ctx context.Context) ([]string, error) {
	ids, err := s.q.RollupScenarios(ctx)
	return ids, interpret("list scenarios of rollups", err)
}

// RollupDay is a day of a scenario that has runs which count, or rollups.
type RollupDay struct {
	Day    time.Time
	Pruned bool // its rollups count runs whose results are gone
}

// RollupDays are those of a scenario.
func (s *Store) RollupDays(ctx context.Context, scenario string) ([]RollupDay, error) {
	rows, err := s.q.RollupDays(ctx, scenario)
	if err != nil {
		return nil, interpret("list days of rollups", err)
	}
	days := make([]RollupDay, len(rows))
	for i, r := range rows {
		days[i] = RollupDay{r.Day.UTC(), r.Pruned}
	}
	return days, nil
}

// RollupDifference is a row of a rollup that is not what the raw rows say: as
// JSON objects, of which one is nil where the row is missing or too many.
type RollupDifference struct {
	Table            string
	Key              json.RawMessage // the row that there is
	Stored, Computed json.RawMessage
}

// RollupDifferences compares days of a scenario with its raw rows; with no days,
// its summaries with its rollups, and where its groups are counted with where
// their last attempts lie. dirty tells that notes of the scenario wait: what
// differs then is no fault. All is read at one moment.
func (s *Store) RollupDifferences(ctx context.Context, scenario string, days []time.Time, today time.Time, page int) (found []RollupDifference, dirty bool, err error) {
	const op = "compare rollups"
	err = s.snapshot(ctx, func(s *Store) error {
		var err error
		if dirty, err = s.q.ScenarioIsDirty(ctx, scenario); err != nil || dirty {
			return interpret(op, err)
		}
		if len(days) > 0 {
			rows, err := s.q.DifferentRollups(ctx, int32(page), scenario, days) //nolint:gosec // a thousand
			for _, r := range rows {
				found = append(found, RollupDifference{r.OfTable, r.Key, r.Stored, r.Computed})
			}
			return interpret(op, err)
		}
		rows, err := s.q.DifferentSummaries(ctx, scenario, today)
		if err != nil {
			return interpret(op, err)
		}
		for _, r := range rows {
			found = append(found, RollupDifference{r.OfTable, r.Key, r.Stored, r.Computed})
		}
		groups, err := s.q.MisplacedGroups(ctx, scenario, int32(page)) //nolint:gosec // a thousand
		for _, g := range groups {
			key, _ := json.Marshal(map[string]string{"group_id": g.GroupID})
			found = append(found, RollupDifference{
				Table: "rollup_groups", Key: key,
				Stored: fmt.Appendf(nil, `{"day":%q}`, g.Stored.Format(time.DateOnly)), Computed: fmt.Appendf(nil, `{"day":%q}`, g.Computed.Format(time.DateOnly)),
			})
		}
		return interpret(op, err)
	})
	return found, dirty, err
}
