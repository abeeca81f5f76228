package pgstore

import (
	"cmp"
	"context"
	"errors"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// ReadinessFacts is all that is stored and decides whether a scenario may run in
// an environment; the definition of the version is for the caller to parse. The
// version is nil when the scenario has none of that name.
func (s *Store) ReadinessFacts(ctx context.Context, id scenario.ID, version, environment string) (scenario.ReadinessInput, *scenario.Version, error) {
	return readinessFacts(ctx, s.q, id, version, environment)
}

// ReadinessFacts is Store.ReadinessFacts within the transaction: under
// LockRequests no other request can change them until it ends.
func (tx *Tx) ReadinessFacts(ctx context.Context, id scenario.ID, version, environment string) (scenario.ReadinessInput, *scenario.Version, error) {
	return readinessFacts(ctx, tx.q, id, version, environment)
}

func readinessFacts(ctx context.Context, q *dbsqlc.Queries, id scenario.ID, version, environment string) (scenario.ReadinessInput, *scenario.Version, error) {
	in := scenario.ReadinessInput{ID: id, Environment: environment}
	k, err := killSwitchOf(q.KillSwitch(ctx))
	if err != nil {
		return in, nil, err
	}
	in.KillSwitch = scenario.KillSwitch{On: k.Engaged, By: k.ChangedBy, Reason: k.Reason, Since: k.ChangedAt}
	found, err := scenarioByID(ctx, q, id)
	switch {
	case errors.Is(err, ErrNotFound):
		return in, nil, nil
	case err != nil:
		return in, nil, err
	}
	in.Scenario = found.Scenario
	v, err := scenarioVersion(ctx, q, id, version)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return in, nil, err
	}
	edges, err := q.DependenciesAbout(ctx, string(id))
	if err != nil {
		return in, nil, interpret("read dependencies", err)
	}
	in.Declared = graphOf(edges).Declarations(id)
	err = otherRuns(ctx, q, &in)
	return in, v, err
}

// otherRuns reads the runs of other scenarios that decide.
func otherRuns(ctx context.Context, q *dbsqlc.Queries, in *scenario.ReadinessInput) error {
	needed := scenario.NeededFacts(in.ID, in.Declared)
	passed, err := latestEnded(ctx, q, needed.Passed, in.Environment, execution.StatusPassed)
	if err != nil {
		return err
	}
	ended, err := latestEnded(ctx, q, needed.Ended, in.Environment,
		execution.StatusPassed, execution.StatusFailed, execution.StatusError, execution.StatusCancelled, execution.StatusTimeout)
	if err != nil {
		return err
	}
	in.Passed, in.Ended = passed, ended
	if len(needed.Active) == 0 {
		return nil
	}
	rows, err := q.ActiveRunsOf(ctx, textsOf(needed.Active))
	if err != nil {
		return interpret("read active runs", err)
	}
	for _, r := range rows {
		at := r.CreatedAt
		if began := cmp.Or(r.StartedAt, r.RequestedAt); began != nil {
			at = *began
		}
		in.Active = append(in.Active, scenario.OtherRun{
			RunRef: scenario.RunRef{ExecutionID: r.ExecutionID, Run: r.Run}, ScenarioID: scenario.ID(r.ScenarioID), Environment: r.Environment, At: at.UTC(),
		})
	}
	return nil
}

// latestEnded are the runs of the scenarios that ended last with each of the
// statuses: in the environment or in none, or wherever when none is given.
func latestEnded(ctx context.Context, q *dbsqlc.Queries, ids []scenario.ID, environment string, statuses ...execution.Status) ([]scenario.OtherRun, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var rows []dbsqlc.LatestEndedRunsRow
	var err error
	if environment == "" {
		rows, err = q.LatestEndedRuns(ctx, textsOf(ids), textsOf(statuses))
	} else {
		var in []dbsqlc.LatestEndedRunsInRow
		in, err = q.LatestEndedRunsIn(ctx, textsOf(ids), textsOf(statuses), []string{"", environment})
		for _, r := range in {
			rows = append(rows, dbsqlc.LatestEndedRunsRow(r))
		}
	}
	if err != nil {
		return nil, interpret("read runs that ended last", err)
	}
	runs := make([]scenario.OtherRun, len(rows))
	for i, r := range rows {
		runs[i] = scenario.OtherRun{
			RunRef: scenario.RunRef{ExecutionID: r.ExecutionID, Run: r.Run}, ScenarioID: scenario.ID(r.ScenarioID), Environment: r.Environment, At: r.EndedAt.UTC(),
		}
	}
	return runs, nil
}

func textsOf[T ~string](words []T) []string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	return texts
}
