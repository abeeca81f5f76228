package api

import (
	"context"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// steadyBite is how many scenarios are computed at once, of 50 units each.
const steadyBite = 100

func (s *analytics) GetFlakiness(ctx context.Context, r *connect.Request[contract.GetFlakinessRequest]) (*connect.Response[contract.GetFlakinessResponse], error) {
	found, err := s.Store.Flakiness(ctx, []string{r.Msg.GetScenarioId()}, r.Msg.Environment)
	if err != nil {
		return nil, err
	}
	answer := &contract.GetFlakinessResponse{}
	if len(found) > 0 {
		answer.Flakiness = flakinessMessage(&found[0])
	}
	return connect.NewResponse(answer), nil
}

func (s *analytics) ListFlakyScenarios(ctx context.Context, r *connect.Request[contract.ListFlakyScenariosRequest]) (*connect.Response[contract.ListFlakyScenariosResponse], error) {
	l := steadiness[pgstore.Flakiness, *contract.Flakiness](s.Store, r.Msg.Environment, s.Store.Flakiness, func(f *pgstore.Flakiness) string { return f.ScenarioID })
	l.matches = func(f *ofScenario[pgstore.Flakiness]) bool {
		return f.known != nil && f.known.FlipRate != nil && *f.known.FlipRate > 0 && *f.known.FlipRate >= r.Msg.GetMinFlipRate()
	}
	l.message = func(f *ofScenario[pgstore.Flakiness]) *contract.Flakiness { return flakinessMessage(f.known) }
	found, next, err := l.page(ctx, r.Msg)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&contract.ListFlakyScenariosResponse{Scenarios: found, NextPageToken: next}), nil
}

func (s *analytics) GetFailureAge(ctx context.Context, r *connect.Request[contract.GetFailureAgeRequest]) (*connect.Response[contract.GetFailureAgeResponse], error) {
	found, err := s.Store.Failures(ctx, []string{r.Msg.GetScenarioId()}, r.Msg.Environment)
	if err != nil {
		return nil, err
	}
	answer := &contract.GetFailureAgeResponse{}
	if len(found) > 0 {
		answer.Failure = streakMessage(&found[0])
	}
	return connect.NewResponse(answer), nil
}

func (s *analytics) ListFailingScenarios(ctx context.Context, r *connect.Request[contract.ListFailingScenariosRequest]) (*connect.Response[contract.ListFailingScenariosResponse], error) {
	l := steadiness[pgstore.Failure, *contract.Failure](s.Store, r.Msg.Environment, s.Store.Failures, func(f *pgstore.Failure) string { return f.ScenarioID })
	l.matches = func(f *ofScenario[pgstore.Failure]) bool { return f.known != nil }
	l.message = func(f *ofScenario[pgstore.Failure]) *contract.Failure { return streakMessage(f.known) }
	found, next, err := l.page(ctx, r.Msg)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&contract.ListFailingScenariosResponse{Scenarios: found, NextPageToken: next}), nil
}

// ofScenario is what is known of a scenario that has run; nil: nothing.
type ofScenario[F any] struct {
	id    string
	known *F
}

// steadiness lists scenarios that have run, each with what is computed of it.
func steadiness[F any, M proto.Message](store *pgstore.Store, environment *string, compute func(context.Context, []string, *string) ([]F, error), id func(*F) string) listing[ofScenario[F], string, M] {
	return listing[ofScenario[F], string, M]{
		read: func(ctx context.Context, after string, most int) ([]ofScenario[F], error) {
			ids, err := store.ScenariosThatRan(ctx, after, environment, most)
			if err != nil || len(ids) == 0 {
				return nil, err
			}
			found, err := compute(ctx, ids, environment)
			if err != nil {
				return nil, err
			}
			known := make(map[string]*F, len(found))
			for i := range found {
				known[id(&found[i])] = &found[i]
			}
			all := make([]ofScenario[F], len(ids))
			for i, scenario := range ids {
				all[i] = ofScenario[F]{scenario, known[scenario]}
			}
			return all, nil
		},
		place: func(f *ofScenario[F]) string { return f.id },
		bite:  steadyBite, look: mostLooked,
	}
}

func flakinessMessage(f *pgstore.Flakiness) *contract.Flakiness {
	return &contract.Flakiness{
		ScenarioId: f.ScenarioID, Units: int32(f.Units), Passed: int32(f.Passed), PassedAfterRetries: int32(f.PassedAfterRetries), Flips: int32(f.Flips), //nolint:gosec // at most 100
		FlipRate: f.FlipRate, WeightedPassRate: f.WeightedPassRate, Health: f.Health, NewestAt: moment(f.NewestAt), OldestAt: moment(f.OldestAt),
	}
}

func streakMessage(f *pgstore.Failure) *contract.Failure {
	return &contract.Failure{
		ScenarioId: f.ScenarioID, Units: f.Units, FirstExecutionId: f.FirstExecutionID, FirstRun: f.FirstRun, FirstScenarioVersion: f.FirstScenarioVersion, FirstStatus: f.FirstStatus,
		FirstFailedAt: moment(f.FirstFailedAt), LastFailedAt: moment(f.LastFailedAt), LastPassedAt: moment(f.LastPassedAt),
	}
}
