package pgstore

import (
	"context"
	"math"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// The reads of analytics: what rollups come to, and what is computed from the runs
// when it is asked for. What the figures mean is said at the analysts' views in
// schema.sql.

// DurationFigures are what lengths of time come to. Of none Count is 0, and so are
// all others.
type DurationFigures struct {
	Count         int64
	Mean          time.Duration // exact to the microsecond
	Min, Max      time.Duration // exact; 0 where it is not kept
	P50, P95, P99 time.Duration // at most 1 % beside the exact one; 0 where it is not kept
}

// durations are those of a count, a sum, least and greatest in microseconds, and
// percentiles in seconds, which cannot be beyond the greatest, where that is kept.
func durations(count int64, sum, least, greatest, p50, p95, p99 float64) DurationFigures {
	if count == 0 {
		return DurationFigures{}
	}
	d := DurationFigures{
		Count: count, Mean: ofMicroseconds(sum / float64(count)), Min: ofMicroseconds(least), Max: ofMicroseconds(greatest),
		P50: ofSeconds(p50), P95: ofSeconds(p95), P99: ofSeconds(p99),
	}
	for _, p := range []*time.Duration{&d.P50, &d.P95, &d.P99} {
		if d.Max > 0 && *p > 0 {
			*p = max(d.Min, min(d.Max, *p))
		}
	}
	return d
}

func ofMicroseconds(n float64) time.Duration { return ofSeconds(n / 1e6) }

// ofSeconds is a length of time; one of more than 1e9 s, which no figure has but
// those that are computed from the runs, is cut there.
func ofSeconds(n float64) time.Duration {
	return time.Duration(math.Round(min(n, 1e9) * float64(time.Second)))
}

// RunFigures are what units come to.
type RunFigures struct {
	Runs, Units                                            int64
	Passed, Failed, Error, Cancelled, Timeout, Interrupted int64
	Retries, PassedAfterRetries                            int64
	Durations                                              DurationFigures
	Scored                                                 int64
	ScoreMean                                              float64 // 0 when none is scored
}

func mean(sum float64, of int64) float64 {
	if of == 0 {
		return 0
	}
	return sum / float64(of)
}

// ScenarioSummary is what the last days of a scenario come to.
type ScenarioSummary struct {
	ScenarioID          string
	WindowDays          int32
	AsOf                time.Time // date, UTC
	Figures             RunFigures
	Faults              int64
	Recovery, Detection DurationFigures // count, mean and p95
}

// ScenarioSummaries is a page of the summaries of a window, by scenario; of runs
// without a scenario there is none.
func (s *Store) ScenarioSummaries(ctx context.Context, windowDays int32, after string, page int) ([]ScenarioSummary, error) {
	rows, err := s.q.ScenarioSummaries(ctx, windowDays, after, int32(page)) //nolint:gosec // at most 500
	if err != nil {
		return nil, interpret("list summaries of scenarios", err)
	}
	summaries := make([]ScenarioSummary, len(rows))
	for i, r := range rows {
		summaries[i] = ScenarioSummary{
			ScenarioID: r.ScenarioID, WindowDays: r.WindowDays, AsOf: r.AsOf.UTC(),
			Figures: RunFigures{
				Runs: r.Runs, Units: r.Units, Passed: r.Passed, Failed: r.Failed, Error: r.Error, Cancelled: r.Cancelled, Timeout: r.Timeout, Interrupted: r.Interrupted,
				Retries: r.Retries, PassedAfterRetries: r.PassedAfterRetries,
				Durations: durations(r.DurationCount, r.DurationUsSum, r.DurationUsMin, r.DurationUsMax, valueOf(r.DurationP50), valueOf(r.DurationP95), valueOf(r.DurationP99)),
				Scored:    r.ScoreCount, ScoreMean: mean(r.ScoreSum, r.ScoreCount),
			},
			Faults:    r.Faults,
			Recovery:  durations(r.RecoveryCount, r.RecoveryUsSum, 0, 0, 0, valueOf(r.RecoveryP95), 0),
			Detection: durations(r.DetectionCount, r.DetectionUsSum, 0, 0, 0, valueOf(r.DetectionP95), 0),
		}
	}
	return summaries, nil
}

// UnitFilter selects units of a scenario. What is nil is not asked for.
type UnitFilter struct {
	ScenarioID        string
	FirstDay, LastDay time.Time // dates, UTC; both inclusive
	Environment       *string
	ScenarioVersion   *string
	LabelKey          string // empty: with or without labels
	LabelValue        *string
}

// PartFigures are the figures of a part of a scenario's units.
type PartFigures struct {
	Part    string // the day, environment, version or label value
	Figures RunFigures
}

// RunFigures are the figures of parts behind a place (nil: from the first), in
// their order: each of a day, an environment, a scenario_version or a value of the
// label; or, for an empty by, of all.
func (s *Store) RunFigures(ctx context.Context, f UnitFilter, by string, after *string, page int) ([]PartFigures, error) {
	rows, err := s.q.RunFigures(ctx, dbsqlc.RunFiguresParams{
		After: valueOf(after), First: after == nil, Page: int32(page), By: by, //nolint:gosec // at most 500
		ScenarioID: f.ScenarioID, FirstDay: f.FirstDay, LastDay: f.LastDay, Environment: f.Environment, ScenarioVersion: f.ScenarioVersion, LabelKey: f.LabelKey, LabelValue: f.LabelValue,
	})
	if err != nil {
		return nil, interpret("read figures of a scenario", err)
	}
	parts := make([]PartFigures, len(rows))
	for i, r := range rows {
		parts[i] = PartFigures{r.Part, RunFigures{
			Runs: r.Runs, Units: r.Units, Passed: r.Passed, Failed: r.Failed, Error: r.Error, Cancelled: r.Cancelled, Timeout: r.Timeout, Interrupted: r.Interrupted,
			Retries: r.Retries, PassedAfterRetries: r.PassedAfterRetries,
			Durations: durations(r.DurationCount, r.DurationUsSum, r.DurationUsMin, r.DurationUsMax, r.DurationP50, r.DurationP95, r.DurationP99),
			Scored:    r.ScoreCount, ScoreMean: mean(r.ScoreSum, r.ScoreCount),
		}}
	}
	return parts, nil
}

// DurationPercentiles are percentiles (shares from 0 to 1, nearest rank) of how
// long units took, and how many of these there are: from the histograms, at most
// 1 % beside the exact ones, or exact, from the runs, all of which are read.
func (s *Store) DurationPercentiles(ctx context.Context, f UnitFilter, shares []float64, exact bool) (found []time.Duration, count int64, err error) {
	p := dbsqlc.DurationPercentilesParams{
		ScenarioID: f.ScenarioID, FirstDay: f.FirstDay, LastDay: f.LastDay, LabelKey: f.LabelKey, LabelValue: f.LabelValue,
		Environment: f.Environment, ScenarioVersion: f.ScenarioVersion, Shares: shares,
	}
	if exact {
		rows, err := s.q.ExactPercentiles(ctx, dbsqlc.ExactPercentilesParams{
			ScenarioID: p.ScenarioID, FirstDay: p.FirstDay, LastDay: p.LastDay, LabelKey: p.LabelKey, LabelValue: p.LabelValue,
			Environment: p.Environment, ScenarioVersion: p.ScenarioVersion, Shares: p.Shares,
		})
		for _, r := range rows {
			found, count = append(found, ofSeconds(r.Seconds)), r.Durations
		}
		return found, count, interpret("compute percentiles", err)
	}
	rows, err := s.q.DurationPercentiles(ctx, p)
	for _, r := range rows {
		found, count = append(found, ofSeconds(r.Seconds)), r.Durations
	}
	return found, count, interpret("read percentiles", err)
}

// PartFilter selects validations or faults of the units' last attempts. What is
// nil is not asked for.
type PartFilter struct {
	ScenarioID        *string
	FirstDay, LastDay time.Time // dates, UTC; both inclusive
	Environment       *string
}

// KindOfPart is a type, of validations or faults, and the service that they are
// about.
type KindOfPart struct{ Type, Service string }

// AssertionFigures are what validations of a kind come to.
type AssertionFigures struct {
	KindOfPart
	Passed, Failed, Skipped, Error int64
}

// AssertionFigures is a page of those behind a kind (nil: from the first).
func (s *Store) AssertionFigures(ctx context.Context, f PartFilter, after *KindOfPart, page int) ([]AssertionFigures, error) {
	from := valueOf(after)
	rows, err := s.q.AssertionFigures(ctx, dbsqlc.AssertionFiguresParams{
		ScenarioID: f.ScenarioID, FirstDay: f.FirstDay, LastDay: f.LastDay, Environment: f.Environment,
		AfterType: from.Type, AfterService: from.Service, First: after == nil, Page: int32(page), //nolint:gosec // at most 500
	})
	if err != nil {
		return nil, interpret("read figures of assertions", err)
	}
	figures := make([]AssertionFigures, len(rows))
	for i, r := range rows {
		figures[i] = AssertionFigures{KindOfPart{r.AssertionType, r.Service}, r.Passed, r.Failed, r.Skipped, r.Error}
	}
	return figures, nil
}

// FaultFigures are what fault injections of a kind come to.
type FaultFigures struct {
	KindOfPart
	Faults, Injected, Failed, Recovered int64
	Recovery, Detection                 DurationFigures // count, mean, max and p95
}

// FaultFigures is a page of those behind a kind (nil: from the first).
func (s *Store) FaultFigures(ctx context.Context, f PartFilter, after *KindOfPart, page int) ([]FaultFigures, error) {
	from := valueOf(after)
	rows, err := s.q.FaultFigures(ctx, dbsqlc.FaultFiguresParams{
		ScenarioID: f.ScenarioID, FirstDay: f.FirstDay, LastDay: f.LastDay, Environment: f.Environment,
		AfterType: from.Type, AfterService: from.Service, First: after == nil, Page: int32(page), //nolint:gosec // at most 500
	})
	if err != nil {
		return nil, interpret("read figures of faults", err)
	}
	figures := make([]FaultFigures, len(rows))
	for i, r := range rows {
		figures[i] = FaultFigures{
			KindOfPart: KindOfPart{r.FaultType, r.TargetService}, Faults: r.Faults, Injected: r.Injected, Failed: r.Failed, Recovered: r.Recovered,
			Recovery:  durations(r.RecoveryCount, r.RecoveryUsSum, 0, r.RecoveryUsMax, 0, r.RecoveryP95, 0),
			Detection: durations(r.DetectionCount, r.DetectionUsSum, 0, r.DetectionUsMax, 0, r.DetectionP95, 0),
		}
	}
	return figures, nil
}

// CoveredFault is a kind of fault that runs had, and when it was tested last; zero
// when it never was, and what follows is empty.
type CoveredFault struct {
	KindOfPart
	Injected                int64
	LastTestedAt            time.Time
	ScenarioID, Environment string
	ExecutionID             string
	Run                     int32
	RunStatus, FaultStatus  string
}

// Coverage is a page of what was ever tested behind a kind (nil: from the first),
// by service and type.
func (s *Store) Coverage(ctx context.Context, after *KindOfPart, page int) ([]CoveredFault, error) {
	from := valueOf(after)
	rows, err := s.q.Coverage(ctx, dbsqlc.CoverageParams{AfterService: from.Service, AfterType: from.Type, First: after == nil, Page: int32(page)}) //nolint:gosec // at most 500
	if err != nil {
		return nil, interpret("read coverage", err)
	}
	covered := make([]CoveredFault, len(rows))
	for i, r := range rows {
		covered[i] = CoveredFault{KindOfPart: KindOfPart{r.FaultType, r.TargetService}, Injected: r.Injected}
		if r.Tested {
			c := &covered[i]
			c.LastTestedAt, c.ScenarioID, c.Environment = r.LastTestedAt.UTC(), r.LastScenarioID, r.LastEnvironment
			c.ExecutionID, c.Run, c.RunStatus, c.FaultStatus = r.LastExecutionID, r.LastRun, r.LastRunStatus, r.LastFaultStatus
		}
	}
	return covered, nil
}

// ScenariosThatRan is a page of the scenarios behind one that have ever run, in an
// environment or (nil) in any.
func (s *Store) ScenariosThatRan(ctx context.Context, after string, environment *string, page int) ([]string, error) {
	ids, err := s.q.ScenariosThatRan(ctx, after, environment, int32(page)) //nolint:gosec // at most 500
	return ids, interpret("list scenarios that ran", err)
}

// Flakiness is how steady the last decided units of a scenario are.
type Flakiness struct {
	ScenarioID                               string
	Units, Passed, PassedAfterRetries, Flips int64
	FlipRate                                 *float64 // nil: nothing could have changed
	WeightedPassRate, Health                 float64
	NewestAt, OldestAt                       time.Time
}

// Flakiness is that of scenarios, in an environment or (nil) over all. Scenarios
// without decided units are left out.
func (s *Store) Flakiness(ctx context.Context, scenarios []string, environment *string) ([]Flakiness, error) {
	rows, err := s.q.Flakiness(ctx, scenarios, environment)
	if err != nil {
		return nil, interpret("compute flakiness", err)
	}
	found := make([]Flakiness, len(rows))
	for i, r := range rows {
		found[i] = Flakiness{
			ScenarioID: r.ScenarioID, Units: r.Units, Passed: r.Passed, PassedAfterRetries: r.PassedAfterRetries, Flips: r.Flips,
			WeightedPassRate: r.WeightedPassRate, Health: r.Health, NewestAt: r.NewestAt.UTC(), OldestAt: r.OldestAt.UTC(),
		}
		if r.FlipRateKnown {
			found[i].FlipRate = &r.FlipRate
		}
	}
	return found, nil
}

// Failure is the streak of failed units of a scenario since the last that passed.
type Failure struct {
	ScenarioID                        string
	Units                             int64
	FirstExecutionID                  string
	FirstRun                          int32
	FirstScenarioVersion, FirstStatus string
	FirstFailedAt, LastFailedAt       time.Time
	LastPassedAt                      time.Time // zero: none did
}

// Failures are those of scenarios, in an environment or (nil) over all. Scenarios
// whose last decided unit passed are left out.
func (s *Store) Failures(ctx context.Context, scenarios []string, environment *string) ([]Failure, error) {
	rows, err := s.q.Failures(ctx, scenarios, environment)
	if err != nil {
		return nil, interpret("compute ages of failures", err)
	}
	found := make([]Failure, len(rows))
	for i, r := range rows {
		found[i] = Failure{
			ScenarioID: r.ScenarioID, Units: r.Units, FirstExecutionID: r.FirstExecutionID, FirstRun: r.FirstRun, FirstScenarioVersion: r.FirstScenarioVersion,
			FirstStatus: r.FirstStatus, FirstFailedAt: r.FirstFailedAt.UTC(), LastFailedAt: r.LastFailedAt.UTC(),
		}
		if r.EverPassed {
			found[i].LastPassedAt = r.LastPassedAt.UTC()
		}
	}
	return found, nil
}
