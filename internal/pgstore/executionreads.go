package pgstore

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// FindRun is one run, or where the number is 0 the latest of the id; ErrNotFound
// when there is none.
func (s *Store) FindRun(ctx context.Context, k RunKey) (execution.Run, error) {
	if k.Number == 0 {
		return s.LatestRun(ctx, k.ID)
	}
	return s.Run(ctx, k)
}

// RunWithDetails is FindRun with the run's big values, both of one moment.
func (s *Store) RunWithDetails(ctx context.Context, k RunKey) (execution.Run, execution.Details, error) {
	if k.Number == 0 {
		ids, err := s.q.ExecutionIDs(ctx, []string{string(k.ID)})
		if err != nil {
			return execution.Run{}, execution.Details{}, interpret("find execution id", err)
		}
		if len(ids) == 0 {
			return execution.Run{}, execution.Details{}, ErrNotFound
		}
		k.Number = execution.RunNumber(ids[0].LatestRun)
	}
	row, err := s.q.RunWithDetails(ctx, string(k.ID), int32(k.Number))
	if err != nil {
		return execution.Run{}, execution.Details{}, interpret("read run", err)
	}
	run, err := runFromRow(&row.Execution)
	return run, detailsFromRow(&dbsqlc.ExecutionDetail{
		Labels: row.Labels, Parameters: row.Parameters, ConfigurationSnapshot: row.ConfigurationSnapshot, SystemState: row.SystemState, Summary: row.Summary,
	}), err
}

// RunFilter says which runs a list is of. What is not set does not count.
//
// A list goes along one index: that of the first of ID, Group, Scenario, Statuses
// and Pinned that is set, or else that of all runs. From and Until are ends of
// the way. The other fields are held against each run on it, see Matches.
type RunFilter struct {
	ID          execution.ID
	Group       string
	Scenario    string
	Statuses    []execution.Status
	Pinned      bool
	Environment string
	From, Until time.Time // first heard of at From or later, and before Until
}

// RunPlace is a place in the lists of runs, which begin with the run first heard
// of last. The zero place is before the first.
type RunPlace struct {
	CreatedAt time.Time
	RunKey
}

// PlaceOfRun is where a run stands.
func PlaceOfRun(r *execution.Run) RunPlace { return RunPlace{r.CreatedAt, RunKey{r.ID, r.Number}} }

// ByIndex tells whether the index alone decides: whatever is on the way matches.
func (f *RunFilter) ByIndex() bool {
	others := 0
	for _, set := range []bool{f.ID != "", f.Group != "", f.Scenario != "", len(f.Statuses) > 0, f.Pinned} {
		if set {
			others++
		}
	}
	return others <= 1 && (len(f.Statuses) == 0 || f.onlyTerminal()) && f.Environment == "" && (f.ID == "" || f.From.IsZero() && f.Until.IsZero())
}

// onlyTerminal tells whether all runs that are meant have ended: only those are in
// the index of statuses. The others are among the newest.
func (f *RunFilter) onlyTerminal() bool {
	return !slices.ContainsFunc(f.Statuses, func(s execution.Status) bool { return !s.Terminal() })
}

// Matches tells whether a run is one that the filter means.
func (f *RunFilter) Matches(r *execution.Run) bool {
	return (f.ID == "" || r.ID == f.ID) && (f.Group == "" || r.GroupID == f.Group) && (f.Scenario == "" || r.ScenarioID == f.Scenario) &&
		(len(f.Statuses) == 0 || slices.Contains(f.Statuses, r.Status)) && (!f.Pinned || r.Pinned) && (f.Environment == "" || r.Environment == f.Environment) &&
		(f.From.IsZero() || !r.CreatedAt.Before(f.From)) && (f.Until.IsZero() || r.CreatedAt.Before(f.Until))
}

// endOfTime comes after everything that is stored.
var endOfTime = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// RunsOnTheWay are the runs behind a place, so many, on the way that a filter
// goes. Not all of them match: see RunFilter.
func (s *Store) RunsOnTheWay(ctx context.Context, f *RunFilter, at RunPlace, page int) ([]execution.Run, error) {
	if f.ID != "" {
		before := int32(at.Number)
		if before == 0 {
			before = math.MaxInt32
		}
		rows, err := s.q.RunsOfID(ctx, string(f.ID), before, int32(page))
		return runsFromRows("list runs of an id", rows, err)
	}
	// No id is before the empty one: all that comes is older.
	before := dbsqlc.RunsByCreationParams{Before: at.CreatedAt, BeforeID: string(at.ID), BeforeRun: int32(at.Number), Since: f.From, Page: int32(page)}
	if at == (RunPlace{}) {
		if before.Before = f.Until; f.Until.IsZero() {
			before.Before = endOfTime
		}
	}
	var rows []dbsqlc.Execution
	var err error
	switch {
	case f.Group != "":
		rows, err = s.q.RunsOfGroup(ctx, dbsqlc.RunsOfGroupParams{GroupID: f.Group, Before: before.Before, BeforeID: before.BeforeID, BeforeRun: before.BeforeRun, Since: before.Since, Page: before.Page})
	case f.Scenario != "":
		rows, err = s.q.RunsOfScenario(ctx, dbsqlc.RunsOfScenarioParams{ScenarioID: f.Scenario, Before: before.Before, BeforeID: before.BeforeID, BeforeRun: before.BeforeRun, Since: before.Since, Page: before.Page})
	case len(f.Statuses) > 0 && f.onlyTerminal():
		rows, err = s.q.RunsOfStatuses(ctx, dbsqlc.RunsOfStatusesParams{Statuses: textsOf(f.Statuses), Before: before.Before, BeforeID: before.BeforeID, BeforeRun: before.BeforeRun, Since: before.Since, Page: before.Page})
	case f.Pinned:
		rows, err = s.q.PinnedRuns(ctx, dbsqlc.PinnedRunsParams(before))
	default:
		rows, err = s.q.RunsByCreation(ctx, before)
	}
	return runsFromRows("list runs", rows, err)
}

// mostCorrelated bounds how many runs a correlation id is looked for in: of its
// events, and of its validations.
const mostCorrelated = 1000

// RunsOfCorrelation are the runs of which an event or a validation carries a
// correlation id, those first heard of last first, at most so many. Of an id that
// more than a thousand runs carry they are the newest of a thousand.
func (s *Store) RunsOfCorrelation(ctx context.Context, correlation string, most int) ([]execution.Run, error) {
	rows, err := s.q.RunsOfCorrelation(ctx, int32(most), correlation, mostCorrelated)
	return runsFromRows("find runs by correlation", rows, err)
}
