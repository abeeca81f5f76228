package api

import (
	"context"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// analytics is the AnalyticsService: it reads, and puts nothing together that the
// store has not. What is listed by scenario, from the runs, is in steadiness.go.
type analytics struct{ Parts }

const (
	windowByDefault = 90 // days
	defaultPeriod   = 90 // days
)

func (s *analytics) SummariseScenarios(ctx context.Context, r *connect.Request[contract.SummariseScenariosRequest]) (*connect.Response[contract.SummariseScenariosResponse], error) {
	l := listing[pgstore.ScenarioSummary, string, *contract.ScenarioSummary]{
		read: func(ctx context.Context, after string, most int) ([]pgstore.ScenarioSummary, error) {
			return s.Store.ScenarioSummaries(ctx, orWindow(r.Msg.GetWindowDays()), after, most)
		},
		place:   func(f *pgstore.ScenarioSummary) string { return f.ScenarioID },
		message: summaryMessage,
		bite:    largestPage,
	}
	found, next, err := l.page(ctx, r.Msg)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&contract.SummariseScenariosResponse{Summaries: found, NextPageToken: next}), nil
}

func orWindow(days int32) int32 {
	if days == 0 {
		return windowByDefault
	}
	return days
}

func (s *analytics) GetScenarioHistory(ctx context.Context, r *connect.Request[contract.GetScenarioHistoryRequest]) (*connect.Response[contract.GetScenarioHistoryResponse], error) {
	first, last, err := s.days(r.Msg.GetPeriod())
	if err != nil {
		return nil, err
	}
	filter := pgstore.UnitFilter{
		ScenarioID: r.Msg.GetScenarioId(), FirstDay: first, LastDay: last, Environment: environmentOf(r.Msg.GetPeriod()),
		ScenarioVersion: r.Msg.ScenarioVersion, LabelKey: r.Msg.GetLabelKey(), LabelValue: r.Msg.LabelValue,
	}
	by := r.Msg.GetBy()
	if by == "" {
		by = "day"
	}
	l := listing[pgstore.PartFigures, *string, *contract.HistoryPart]{
		read: func(ctx context.Context, after *string, most int) ([]pgstore.PartFigures, error) {
			return s.Store.RunFigures(ctx, filter, by, after, most)
		},
		place: func(f *pgstore.PartFigures) *string { return &f.Part },
		message: func(f *pgstore.PartFigures) *contract.HistoryPart {
			return &contract.HistoryPart{Of: f.Part, Figures: figuresMessage(&f.Figures)}
		},
		bite: largestPage,
	}
	found, next, err := l.page(ctx, r.Msg)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&contract.GetScenarioHistoryResponse{Parts: found, NextPageToken: next}), nil
}

// percentsByDefault are the percentiles that are computed where the caller does
// not say which.
func percentsByDefault() []float64 { return []float64{50, 90, 95, 99} }

// sketchError is how far percentiles of histograms may be beside the exact ones.
const sketchError = 0.01

func (s *analytics) GetDurationPercentiles(ctx context.Context, r *connect.Request[contract.GetDurationPercentilesRequest]) (*connect.Response[contract.GetDurationPercentilesResponse], error) {
	first, last, err := s.days(r.Msg.GetPeriod())
	if err != nil {
		return nil, err
	}
	percents := r.Msg.GetPercents()
	if len(percents) == 0 {
		percents = percentsByDefault()
	}
	shares := make([]float64, len(percents))
	for i, p := range percents {
		shares[i] = p / 100
	}
	filter := pgstore.UnitFilter{
		ScenarioID: r.Msg.GetScenarioId(), FirstDay: first, LastDay: last, Environment: environmentOf(r.Msg.GetPeriod()),
		ScenarioVersion: r.Msg.ScenarioVersion, LabelKey: r.Msg.GetLabelKey(), LabelValue: r.Msg.LabelValue,
	}
	found, count, err := s.Store.DurationPercentiles(ctx, filter, shares, r.Msg.GetExact())
	if err != nil {
		return nil, err
	}
	answer := &contract.GetDurationPercentilesResponse{Count: count, RelativeError: sketchError}
	if r.Msg.GetExact() {
		answer.RelativeError = 0
	}
	if count > 0 {
		for i, d := range found {
			answer.Percentiles = append(answer.Percentiles, &contract.Percentile{Percent: percents[i], Duration: durationpb.New(d)})
		}
	}
	return connect.NewResponse(answer), nil
}

func (s *analytics) ListAssertionStatistics(ctx context.Context, r *connect.Request[contract.ListAssertionStatisticsRequest]) (*connect.Response[contract.ListAssertionStatisticsResponse], error) {
	filter, err := s.partFilter(r.Msg.GetScenarioId(), r.Msg.GetPeriod())
	if err != nil {
		return nil, err
	}
	l := listing[pgstore.AssertionFigures, *pgstore.KindOfPart, *contract.AssertionStatistics]{
		read: func(ctx context.Context, after *pgstore.KindOfPart, most int) ([]pgstore.AssertionFigures, error) {
			return s.Store.AssertionFigures(ctx, filter, after, most)
		},
		place: func(f *pgstore.AssertionFigures) *pgstore.KindOfPart { return &f.KindOfPart },
		message: func(f *pgstore.AssertionFigures) *contract.AssertionStatistics {
			return &contract.AssertionStatistics{
				AssertionType: f.Type, Service: f.Service, Passed: f.Passed, Failed: f.Failed, Skipped: f.Skipped, Error: f.Error, PassRate: share(f.Passed, f.Passed+f.Failed+f.Error),
			}
		},
		bite: bigBite,
	}
	found, next, err := l.page(ctx, r.Msg)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&contract.ListAssertionStatisticsResponse{Assertions: found, NextPageToken: next}), nil
}

func (s *analytics) ListRecoveryTimes(ctx context.Context, r *connect.Request[contract.ListRecoveryTimesRequest]) (*connect.Response[contract.ListRecoveryTimesResponse], error) {
	filter, err := s.partFilter(r.Msg.GetScenarioId(), r.Msg.GetPeriod())
	if err != nil {
		return nil, err
	}
	l := listing[pgstore.FaultFigures, *pgstore.KindOfPart, *contract.RecoveryTimes]{
		read: func(ctx context.Context, after *pgstore.KindOfPart, most int) ([]pgstore.FaultFigures, error) {
			return s.Store.FaultFigures(ctx, filter, after, most)
		},
		place: func(f *pgstore.FaultFigures) *pgstore.KindOfPart { return &f.KindOfPart },
		message: func(f *pgstore.FaultFigures) *contract.RecoveryTimes {
			return &contract.RecoveryTimes{
				FaultType: f.Type, TargetService: f.Service, Faults: f.Faults, Injected: f.Injected, Failed: f.Failed, Recovered: f.Recovered,
				Recovery: meanMessage(f.Recovery), Detection: meanMessage(f.Detection),
			}
		},
		bite: bigBite,
	}
	found, next, err := l.page(ctx, r.Msg)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&contract.ListRecoveryTimesResponse{Recoveries: found, NextPageToken: next}), nil
}

func (s *analytics) GetCoverage(ctx context.Context, r *connect.Request[contract.GetCoverageRequest]) (*connect.Response[contract.GetCoverageResponse], error) {
	l := listing[pgstore.CoveredFault, *pgstore.KindOfPart, *contract.CoveredFault]{
		read:  s.Store.Coverage,
		place: func(f *pgstore.CoveredFault) *pgstore.KindOfPart { return &f.KindOfPart },
		message: func(f *pgstore.CoveredFault) *contract.CoveredFault {
			return &contract.CoveredFault{
				TargetService: f.Service, FaultType: f.Type, Injected: f.Injected, LastTestedAt: moment(f.LastTestedAt), ScenarioId: f.ScenarioID, Environment: f.Environment,
				ExecutionId: f.ExecutionID, Run: f.Run, RunStatus: f.RunStatus, FaultStatus: f.FaultStatus,
			}
		},
		bite: largestPage, // each reads all there are
	}
	found, next, err := l.page(ctx, r.Msg)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&contract.GetCoverageResponse{Covered: found, NextPageToken: next}), nil
}

func (s *analytics) partFilter(scenario string, p *contract.Period) (f pgstore.PartFilter, err error) {
	f.Environment = environmentOf(p)
	if scenario != "" {
		f.ScenarioID = &scenario
	}
	f.FirstDay, f.LastDay, err = s.days(p)
	return f, err
}

func environmentOf(p *contract.Period) *string {
	if p == nil {
		return nil
	}
	return p.Environment
}

// days are the first and the last day of a period.
func (s *analytics) days(p *contract.Period) (first, last time.Time, err error) {
	last = s.Now().UTC().Truncate(24 * time.Hour)
	if text := p.GetLastDay(); text != "" {
		if last, err = time.Parse(time.DateOnly, text); err != nil {
			return first, last, invalid("period.last_day", "a day of the calendar")
		}
	}
	first = last.AddDate(0, 0, 1-defaultPeriod)
	if text := p.GetFirstDay(); text != "" {
		if first, err = time.Parse(time.DateOnly, text); err != nil {
			return first, last, invalid("period.first_day", "a day of the calendar")
		}
	}
	if last.Before(first) {
		return first, last, invalid("period.last_day", "not before the first day, "+first.Format(time.DateOnly))
	}
	return first, last, nil
}

// share is a part of a whole; none of nothing.
func share(part, whole int64) *float64 {
	if whole == 0 {
		return nil
	}
	s := float64(part) / float64(whole)
	return &s
}

func summaryMessage(f *pgstore.ScenarioSummary) *contract.ScenarioSummary {
	m := &contract.ScenarioSummary{
		ScenarioId: f.ScenarioID, WindowDays: f.WindowDays, AsOf: f.AsOf.Format(time.DateOnly), Figures: figuresMessage(&f.Figures), Faults: f.Faults,
		Recovery: meanMessage(f.Recovery), Detection: meanMessage(f.Detection),
	}
	for _, d := range []*contract.DurationFigures{m.GetRecovery(), m.GetDetection()} {
		if d != nil {
			d.Max = nil // of a window it is not kept
		}
	}
	return m
}

func figuresMessage(f *pgstore.RunFigures) *contract.RunFigures {
	m := &contract.RunFigures{
		Runs: f.Runs, Units: f.Units, Passed: f.Passed, Failed: f.Failed, Error: f.Error, Cancelled: f.Cancelled, Timeout: f.Timeout, Interrupted: f.Interrupted,
		PassRate: share(f.Passed, f.Passed+f.Failed+f.Error+f.Timeout), Retries: f.Retries, PassedAfterRetries: f.PassedAfterRetries, Scored: f.Scored,
	}
	if f.Scored > 0 {
		m.ResilienceScoreMean = &f.ScoreMean
	}
	if d := f.Durations; d.Count > 0 {
		m.Durations = &contract.DurationFigures{
			Count: d.Count, Mean: durationpb.New(d.Mean), Min: durationpb.New(d.Min), Max: durationpb.New(d.Max),
			P50: durationpb.New(d.P50), P95: durationpb.New(d.P95), P99: durationpb.New(d.P99),
		}
	}
	return m
}

// meanMessage is that of figures of which only some are kept.
func meanMessage(d pgstore.DurationFigures) *contract.DurationFigures {
	if d.Count == 0 {
		return nil
	}
	return &contract.DurationFigures{Count: d.Count, Mean: durationpb.New(d.Mean), Max: durationpb.New(d.Max), P95: durationpb.New(d.P95)}
}
