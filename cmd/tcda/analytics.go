package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/rollup"
)

// analyticsCmd groups what many runs come to.
type analyticsCmd struct {
	Summary     analyticsSummary     `cmd:"" help:"Print the last days of each scenario."`
	History     analyticsHistory     `cmd:"" help:"Print the figures of a scenario by day, environment, version or label."`
	Percentiles analyticsPercentiles `cmd:"" help:"Print how long the runs of a scenario take."`
	Flaky       analyticsFlaky       `cmd:"" help:"Print scenarios whose results change from one run to the next."`
	Failures    analyticsFailures    `cmd:"" help:"Print scenarios that fail, and since when."`
	Coverage    analyticsCoverage    `cmd:"" help:"Print which faults were tried on which services, when last, and with what result."`
	Recovery    analyticsRecovery    `cmd:"" help:"Print how soon faults are recovered from and detected, by type of fault and service."`
	Assertions  analyticsAssertions  `cmd:"" help:"Print how often validations hold, by type and service."`
	Rebuild     analyticsRebuild     `cmd:"" help:"Have the figures made anew from the runs; acts on the database."`
}

// periodFlags say which runs are meant.
type periodFlags struct {
	From        string  `placeholder:"DAY" help:"The first UTC day, such as 2026-11-01; 89 days before the last if empty."`
	To          string  `placeholder:"DAY" help:"The last UTC day; today if empty."`
	Environment *string `placeholder:"NAME" help:"Only runs of this environment."`
}

func (f *periodFlags) message() *contract.Period {
	return &contract.Period{FirstDay: f.From, LastDay: f.To, Environment: f.Environment}
}

// share is a part of a whole as people read it.
func share(p *float64) string {
	if p == nil {
		return ""
	}
	return strconv.FormatFloat(100**p, 'f', 1, 64) + "%"
}

// rounded is a length of time to three digits or so.
func rounded(d *durationpb.Duration) string {
	if d == nil {
		return ""
	}
	precision := time.Microsecond
	for _, p := range []time.Duration{time.Millisecond, 100 * time.Millisecond, time.Second} {
		if d.AsDuration() >= 100*p {
			precision = p
		}
	}
	return d.AsDuration().Round(precision).String()
}

func score(s *float64) string {
	if s == nil {
		return ""
	}
	return strconv.FormatFloat(*s, 'f', 1, 64)
}

// figuresHeading and figuresCells are what units come to, in a table.
func figuresHeading(of ...string) []string {
	return append(of, "RUNS", "UNITS", "PASS RATE", "PASSED", "FAILED", "ERROR", "TIMEOUT", "OTHER", "RETRIES", "MEAN", "P50", "P95", "SCORE")
}

func figuresCells(f *contract.RunFigures, of ...string) []string {
	d := f.GetDurations()
	return append(
		of, number(f.GetRuns()), number(f.GetUnits()), share(f.PassRate), number(f.GetPassed()), number(f.GetFailed()), number(f.GetError()), number(f.GetTimeout()), //nolint:protogetter // none is not 0
		some(f.GetCancelled()+f.GetInterrupted()), some(f.GetRetries()), rounded(d.GetMean()), rounded(d.GetP50()), rounded(d.GetP95()), score(f.ResilienceScoreMean), //nolint:protogetter // none is not 0
	)
}

type analyticsSummary struct {
	apiFlags
	listing
	Days int32 `default:"90" help:"Length of the window in UTC days: 7, 30, 90 or 365."`
}

// Run prints summaries.
func (c *analyticsSummary) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := list(ctx, api, c.listing, api.analytics.SummariseScenarios, &contract.SummariseScenariosRequest{WindowDays: c.Days})
	if err != nil {
		return err
	}
	rows := make([][]string, len(answer.GetSummaries()))
	for i, s := range answer.GetSummaries() {
		rows[i] = append(figuresCells(s.GetFigures(), s.GetScenarioId()), rounded(s.GetRecovery().GetMean()), rounded(s.GetDetection().GetMean()), s.GetAsOf())
	}
	return c.printList(term, answer, append(figuresHeading("SCENARIO"), "MTTR", "DETECTION", "AS OF"), rows)
}

// labelFlags select runs by version and label.
type labelFlags struct {
	ScenarioVersion *string `placeholder:"VERSION" help:"Only runs of this version, as their events name it."`
	Label           string  `placeholder:"KEY" help:"Only runs that have this label."`
	LabelValue      *string `placeholder:"VALUE" help:"Only runs whose label --label has this value."`
}

type analyticsHistory struct {
	apiFlags
	listing
	periodFlags
	labelFlags
	By       string `default:"day" placeholder:"WHAT" help:"What a line stands for: day, environment, scenario_version or label."`
	Scenario string `arg:"" help:"The scenario."`
}

// Run prints the figures.
func (c *analyticsHistory) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := list(ctx, api, c.listing, api.analytics.GetScenarioHistory, &contract.GetScenarioHistoryRequest{
		ScenarioId: c.Scenario, Period: c.message(), ScenarioVersion: c.ScenarioVersion, LabelKey: c.Label, LabelValue: c.LabelValue, By: c.By,
	})
	if err != nil {
		return err
	}
	rows := make([][]string, len(answer.GetParts()))
	for i, p := range answer.GetParts() {
		rows[i] = figuresCells(p.GetFigures(), p.GetOf())
	}
	headings := map[string]string{"environment": "ENVIRONMENT", "scenario_version": "VERSION", "label": "VALUE"}
	of, ok := headings[c.By]
	if !ok {
		of = "DAY"
	}
	return c.printList(term, answer, figuresHeading(of), rows)
}

type analyticsPercentiles struct {
	apiFlags
	periodFlags
	labelFlags
	Percents []float64 `placeholder:"N" help:"Percents, comma-separated; 50,90,95,99 if empty."`
	Exact    bool      `help:"Compute them from the runs themselves: exact, and slower. Else they are at most 1 % beside the exact value."`
	Scenario string    `arg:"" help:"The scenario."`
}

// Run prints percentiles.
func (c *analyticsPercentiles) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := call(ctx, api, api.analytics.GetDurationPercentiles, &contract.GetDurationPercentilesRequest{
		ScenarioId: c.Scenario, Period: c.message(), ScenarioVersion: c.ScenarioVersion, LabelKey: c.Label, LabelValue: c.LabelValue, Percents: c.Percents, Exact: c.Exact,
	})
	if err != nil {
		return err
	}
	return c.print(term, answer, func() error {
		rows := make([][]string, len(answer.GetPercentiles()))
		for i, p := range answer.GetPercentiles() {
			percent := p.GetPercent()
			rows[i] = []string{figure(&percent) + "%", rounded(p.GetDuration())}
		}
		if err := term.table([]string{"OF RUNS", "TAKE AT MOST"}, rows); err != nil {
			return err
		}
		beside := "exact"
		if answer.GetRelativeError() > 0 {
			beside = fmt.Sprintf("at most %s %% beside the exact values", strconv.FormatFloat(100*answer.GetRelativeError(), 'g', -1, 64))
		}
		_, err := fmt.Fprintf(term.out, "of %s; %s\n", counted(answer.GetCount(), "run"), beside)
		return err
	})
}

type analyticsFlaky struct {
	apiFlags
	listing
	Environment *string `placeholder:"NAME" help:"Only runs of this environment."`
	MinFlipRate float64 `placeholder:"SHARE" help:"Only scenarios whose flip rate is at least this, 0 to 1."`
}

// Run prints flaky scenarios.
func (c *analyticsFlaky) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := list(ctx, api, c.listing, api.analytics.ListFlakyScenarios, &contract.ListFlakyScenariosRequest{Environment: c.Environment, MinFlipRate: c.MinFlipRate})
	if err != nil {
		return err
	}
	rows := make([][]string, len(answer.GetScenarios()))
	for i, f := range answer.GetScenarios() {
		weighted, health := f.GetWeightedPassRate(), f.GetHealth()
		rows[i] = []string{
			f.GetScenarioId(), share(&health), share(f.FlipRate), share(&weighted), number(int64(f.GetFlips())), number(int64(f.GetUnits())), some(f.GetPassedAfterRetries()), at(f.GetNewestAt()), //nolint:protogetter // none is not 0
		}
	}
	return c.printList(term, answer, []string{"SCENARIO", "HEALTH", "FLIP RATE", "WEIGHTED PASS RATE", "FLIPS", "UNITS", "PASSED AFTER RETRIES", "LAST RUN"}, rows)
}

type analyticsFailures struct {
	apiFlags
	listing
	Environment *string `placeholder:"NAME" help:"Only runs of this environment."`
}

// Run prints failing scenarios.
func (c *analyticsFailures) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := list(ctx, api, c.listing, api.analytics.ListFailingScenarios, &contract.ListFailingScenariosRequest{Environment: c.Environment})
	if err != nil {
		return err
	}
	rows := make([][]string, len(answer.GetScenarios()))
	for i, f := range answer.GetScenarios() {
		rows[i] = []string{
			f.GetScenarioId(), f.GetFirstStatus(), at(f.GetFirstFailedAt()), number(f.GetUnits()), fmt.Sprintf("%s/%d", f.GetFirstExecutionId(), f.GetFirstRun()), f.GetFirstScenarioVersion(),
			at(f.GetLastPassedAt()), at(f.GetLastFailedAt()),
		}
	}
	return c.printList(term, answer, []string{"SCENARIO", "STATUS", "FAILS SINCE", "UNITS", "FIRST RUN", "VERSION", "PASSED LAST", "FAILED LAST"}, rows)
}

type analyticsCoverage struct {
	apiFlags
	listing
}

// Run prints what was tested.
func (c *analyticsCoverage) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := list(ctx, api, c.listing, api.analytics.GetCoverage, &contract.GetCoverageRequest{})
	if err != nil {
		return err
	}
	rows := make([][]string, len(answer.GetCovered()))
	for i, f := range answer.GetCovered() {
		run := ""
		if f.GetExecutionId() != "" {
			run = fmt.Sprintf("%s/%d", f.GetExecutionId(), f.GetRun())
		}
		rows[i] = []string{f.GetTargetService(), f.GetFaultType(), number(f.GetInjected()), at(f.GetLastTestedAt()), f.GetRunStatus(), f.GetFaultStatus(), f.GetScenarioId(), f.GetEnvironment(), run}
	}
	return c.printList(term, answer, []string{"SERVICE", "FAULT", "INJECTED", "TESTED LAST", "STATUS", "FAULT STATUS", "SCENARIO", "ENVIRONMENT", "RUN"}, rows)
}

type analyticsRecovery struct {
	apiFlags
	listing
	periodFlags
	Scenario string `placeholder:"ID" help:"Only faults of this scenario."`
}

// Run prints recovery times.
func (c *analyticsRecovery) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := list(ctx, api, c.listing, api.analytics.ListRecoveryTimes, &contract.ListRecoveryTimesRequest{ScenarioId: c.Scenario, Period: c.message()})
	if err != nil {
		return err
	}
	rows := make([][]string, len(answer.GetRecoveries()))
	for i, f := range answer.GetRecoveries() {
		rows[i] = []string{
			f.GetFaultType(), f.GetTargetService(), number(f.GetFaults()), number(f.GetInjected()), number(f.GetRecovered()), some(f.GetFailed()),
			rounded(f.GetRecovery().GetMean()), rounded(f.GetRecovery().GetP95()), rounded(f.GetRecovery().GetMax()),
			number(f.GetDetection().GetCount()), rounded(f.GetDetection().GetMean()), rounded(f.GetDetection().GetP95()),
		}
	}
	return c.printList(term, answer, []string{"FAULT", "SERVICE", "FAULTS", "INJECTED", "RECOVERED", "FAILED", "MTTR", "P95", "MAX", "DETECTED", "DETECTION", "P95"}, rows)
}

type analyticsAssertions struct {
	apiFlags
	listing
	periodFlags
	Scenario string `placeholder:"ID" help:"Only validations of this scenario."`
}

// Run prints statistics of validations.
func (c *analyticsAssertions) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := list(ctx, api, c.listing, api.analytics.ListAssertionStatistics, &contract.ListAssertionStatisticsRequest{ScenarioId: c.Scenario, Period: c.message()})
	if err != nil {
		return err
	}
	rows := make([][]string, len(answer.GetAssertions()))
	for i, a := range answer.GetAssertions() {
		rows[i] = []string{a.GetAssertionType(), a.GetService(), share(a.PassRate), number(a.GetPassed()), number(a.GetFailed()), some(a.GetError()), some(a.GetSkipped())} //nolint:protogetter // none is not 0
	}
	return c.printList(term, answer, []string{"ASSERTION", "SERVICE", "PASS RATE", "PASSED", "FAILED", "ERROR", "SKIPPED"}, rows)
}

type analyticsRebuild struct {
	Scenario string `placeholder:"ID" help:"Only the figures of this scenario."`
	Since    string `placeholder:"DAY" help:"Only those of this UTC day and later, such as 2026-11-01."`
	Wait     bool   `help:"Make them here and now, instead of leaving it to the running service."`
	JSON     bool   `name:"json" help:"Print one JSON object."`
}

// Help is what --help says beyond the settings.
func (*analyticsRebuild) Help() string {
	return `Figures are right at any time while they are made anew, one page of days after the
other. What pruned runs contribute to them was kept, and is taken as it is.

Exit codes: 0 done, 1 failed, 2 wrong command line or settings, 3 the database's
schema is not this program's.`
}

// rebuildLine says what a rebuild did.
type rebuildLine struct {
	Marked int64 `json:"marked"` // keys and groups that are to be made anew
	Made   int   `json:"made"`   // keys that were, with --wait
}

// Run marks the figures, and with --wait makes them.
func (c *analyticsRebuild) Run(ctx context.Context, cfg *config.Config, term console) error {
	since := time.Time{}
	if c.Since != "" {
		var err error
		if since, err = time.Parse(time.DateOnly, c.Since); err != nil {
			return &exitError{exitUsage, fmt.Errorf("--since=%s: must be a day such as 2026-11-01", escaped(c.Since))}
		}
	}
	store, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer store.Close()
	var line rebuildLine
	err = store.Batch(ctx, time.Now(), func(tx *pgstore.Tx) (err error) {
		if line.Marked, err = tx.MarkAllDirty(ctx, c.Scenario, since); err != nil {
			return err
		}
		subject := c.Scenario
		if subject == "" {
			subject = "all scenarios"
		}
		return tx.Audit(ctx, pgstore.AuditEntry{Actor: operator(), Action: pgstore.ActionRebuildRollups, Subject: subject, Reason: c.Since})
	})
	if err != nil {
		return err
	}
	if c.Wait {
		line.Made, err = rollup.New(rollup.Config{}, rollup.Parts{Store: store}).Drain(ctx, func(keys int) {
			if !c.JSON {
				fmt.Fprintf(term.err, "%d days of scenarios made anew\n", keys)
			}
		})
		if err != nil {
			return err
		}
	}
	if c.JSON {
		return writeJSON(term.out, line)
	}
	if c.Wait {
		_, err = fmt.Fprintf(term.out, "%d days of scenarios made anew\n", line.Made)
		return err
	}
	_, err = fmt.Fprintf(term.out, "%d days and groups of scenarios are to be made anew, which a service of the role maintain does\n", line.Marked)
	return err
}
