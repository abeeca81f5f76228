package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pruning"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/retention"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/service"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/yamlfile"
)

type retentionCmd struct {
	Plan retentionPlan `cmd:"" help:"Print what would go by the policies, how much space returns, and what is kept all the same. Changes nothing."`
	Run  retentionRun  `cmd:"" help:"Make a pass now: remove what the policies say."`
	Hold holdCmd       `cmd:"" help:"Legal holds: what they cover is not touched, whatever the policies say."`
}

const retentionExitCodes = `

Exit codes: 0 done, 1 failed, 2 wrong command line or settings, or --yes is
missing, 3 the database's schema is not this program's.`

// openRetention opens the store and makes a pruner by the settings.
func openRetention(ctx context.Context, cfg *config.Config, log zerolog.Logger, pace float64) (*pgstore.Store, *pruning.Pruner, retention.Rules, error) {
	rules, err := retentionRules(cfg)
	if err != nil {
		return nil, nil, rules, err
	}
	store, err := openStore(ctx, cfg, func(p *pgstore.Config) { p.StatementTimeout = 0 }) // all runs are walked
	if err != nil {
		return nil, nil, rules, err
	}
	of := service.Pruning(cfg, rules, operator())
	if of.Pace = pace; pace == 0 {
		of.Pace = -1 // no pauses
	}
	return store, pruning.New(of, pruning.Parts{Store: store, Log: log}), rules, nil
}

// retentionRules reads the policies; what is wrong with their file are problems of the
// settings.
func retentionRules(cfg *config.Config) (retention.Rules, error) {
	rules, err := service.Retention(cfg)
	if err != nil {
		return rules, config.Problems(retentionProblems(cfg, err))
	}
	return rules, nil
}

// retentionProblems are those of the file of policies.
func retentionProblems(cfg *config.Config, err error) []config.Problem {
	const setting = "retention-file"
	var problems yamlfile.Problems
	if !errors.As(err, &problems) {
		return []config.Problem{{Setting: setting, Value: cfg.Retention.File, Rule: "must name a readable file: " + err.Error()}}
	}
	all := make([]config.Problem, 0, len(problems))
	for _, p := range problems {
		rule := p.Rule
		if p.Key != "" {
			rule = p.Key + ": " + rule
		}
		all = append(all, config.Problem{Setting: setting, From: fmt.Sprintf("%s:%d", cfg.Retention.File, p.Line), Rule: escaped(rule)})
	}
	return all
}

type retentionPlan struct {
	JSON bool `name:"json" help:"Print one JSON object."`
}

// Help is what --help says beyond the settings.
func (*retentionPlan) Help() string {
	return `Rows are counted as runs count them. RETURNED is what goes to the operating system
with partitions of which nothing stays, or little that is copied; what is REUSABLE stays
with the others, for late rows of their days. Sizes are shares of what the partitions take.` + retentionExitCodes
}

// planLine is what goes by a policy of a kind.
type planLine struct {
	Policy     string `json:"policy"`
	Kind       string `json:"kind"`
	Runs       int64  `json:"runs"`
	Rows       int64  `json:"rows"`
	Returned   int64  `json:"bytes_returned"`
	Reusable   int64  `json:"bytes_reusable"`
	Partitions int    `json:"partitions"`
}

// planReport is what would go, and what stays.
type planReport struct {
	Policies   []string         `json:"policies"` // in their order, in words
	Runs       int64            `json:"runs"`     // looked at
	Goes       []planLine       `json:"goes"`
	Affected   int              `json:"runs_affected"`
	Returned   int64            `json:"bytes_returned"`
	Reusable   int64            `json:"bytes_reusable"`
	Partitions int              `json:"partitions"`
	Kept       map[string]int64 `json:"kept"` // runs that a policy would have lose something, by why they do not
}

// Run prints what would go.
func (c *retentionPlan) Run(ctx context.Context, cfg *config.Config, term console) error {
	store, pruner, rules, err := openRetention(ctx, cfg, zerolog.Nop(), pruning.DefaultPace)
	if err != nil {
		return err
	}
	defer store.Close()
	forecast, err := pruner.Forecast(ctx)
	if err != nil {
		return err
	}
	report := planReport{
		Policies: describePolicies(&rules), Runs: forecast.Plan.Runs, Goes: []planLine{}, Affected: len(forecast.Plan.Due),
		Returned: forecast.Returned, Reusable: forecast.Reusable, Partitions: forecast.Partitions, Kept: map[string]int64{},
	}
	for _, e := range forecast.Estimates {
		report.Goes = append(report.Goes, planLine{e.Policy, e.Kind.String(), e.Runs, e.Rows, e.Returned, e.Reusable, e.Partitions})
	}
	for _, reason := range pruning.KeptReasons() {
		report.Kept[string(reason)] = forecast.Plan.Kept[reason]
	}
	if c.JSON {
		return writeJSON(term.out, report)
	}
	return report.print(term)
}

func describePolicies(rules *retention.Rules) []string {
	lines := make([]string, 0, len(rules.Policies)+1)
	for i := range rules.Policies {
		lines = append(lines, rules.Policies[i].Name+": "+rules.Policies[i].Describe())
	}
	if rules.Audit > 0 {
		lines = append(lines, "audit-retention-days: entries of the audit log: kept for "+retention.Age(rules.Audit))
	}
	return lines
}

func (r *planReport) print(term console) error {
	if len(r.Policies) == 0 {
		fmt.Fprintf(term.out, "nothing is removed, for no policy is set: %d runs are kept\n", r.Runs)
		return nil
	}
	for i, line := range r.Policies {
		fmt.Fprintf(term.out, "%d. %s\n", i+1, escaped(line))
	}
	fmt.Fprintln(term.out)
	if len(r.Goes) == 0 {
		fmt.Fprintf(term.out, "nothing goes now of %d runs\n", r.Runs)
	} else {
		rows := make([][]string, 0, len(r.Goes))
		for _, l := range r.Goes {
			rows = append(rows, []string{l.Policy, l.Kind, strconv.FormatInt(l.Runs, 10), strconv.FormatInt(l.Rows, 10), megabytes(l.Returned), megabytes(l.Reusable), strconv.Itoa(l.Partitions)})
		}
		if err := table(term.out, []string{"POLICY", "KIND", "RUNS", "ROWS", "RETURNED", "REUSABLE", "PARTITIONS"}, rows); err != nil {
			return err
		}
		fmt.Fprintf(term.out, "\n%d of %d runs lose something; %d partitions are dropped; about %s go to the operating system, %s stay for reuse\n",
			r.Affected, r.Runs, r.Partitions, megabytes(r.Returned), megabytes(r.Reusable))
	}
	for _, reason := range slices.Sorted(maps.Keys(r.Kept)) {
		if n := r.Kept[reason]; n > 0 {
			fmt.Fprintf(term.out, "kept all the same: %d (%s)\n", n, keptWords[retention.Reason(reason)])
		}
	}
	return nil
}

// keptWords say why runs are kept.
var keptWords = map[retention.Reason]string{
	retention.Live:   "not ended",
	retention.Pinned: "pinned",
	retention.Held:   "under a legal hold",
	retention.Recent: "changed within retention-quiet, or dated ahead of the clock",
	retention.Needed: "the row stays, for others need it",
	retention.Group:  "row or results stay, for another attempt of the group stays",
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

type retentionRun struct {
	Yes  bool    `help:"Do it. Without this flag only what would go is printed."`
	Pace float64 `default:"5" placeholder:"N" help:"Rest after each transaction for N times what it took, so that ingest keeps its speed; 0: never."`
	JSON bool    `name:"json" help:"Print one JSON object."`
}

// Validate refuses what no pass can do.
func (c *retentionRun) Validate() error {
	if !(c.Pace >= 0 && c.Pace <= 1000) { // nor what is no number
		return errors.New("--pace: must be from 0 to 1000")
	}
	return nil
}

// Help is what --help says beyond the settings.
func (*retentionRun) Help() string {
	return `The service does the same every retention-interval, where it plays the role
maintain; only one of them works at a time. A pass that is stopped is finished by
the next one.` + retentionExitCodes
}

// runReport is what a pass has done.
type runReport struct {
	Goes       []planLine `json:"gone"`
	Returned   int64      `json:"bytes_returned"`
	Partitions int        `json:"partitions"`
	Locked     int        `json:"partitions_locked"` // in use at each try
	Changed    int64      `json:"runs_changed"`      // meanwhile, and left
	Audit      int64      `json:"audit_entries"`
	Pending    int64      `json:"rows_pending"`
}

// Run makes a pass.
func (c *retentionRun) Run(ctx context.Context, cfg *config.Config, term console) error {
	if !c.Yes {
		if err := (&retentionPlan{JSON: c.JSON}).Run(ctx, cfg, term); err != nil {
			return err
		}
		return &exitError{exitUsage, errors.New("nothing was changed: add --yes to do it")}
	}
	log := zerolog.New(zerolog.ConsoleWriter{Out: term.err, NoColor: !term.colours, TimeFormat: time.TimeOnly}).With().Timestamp().Logger()
	store, pruner, _, err := openRetention(ctx, cfg, log, c.Pace)
	if err != nil {
		return err
	}
	defer store.Close()
	done, err := pruner.Once(ctx)
	if err != nil {
		return err
	}
	report := runReport{
		Goes: []planLine{}, Returned: done.Freed, Partitions: done.Replaced, Locked: done.Locked, Changed: done.Changed, Audit: done.AuditEntries, Pending: done.PendingRows,
	}
	for k, t := range done.Pruned {
		report.Goes = append(report.Goes, planLine{Policy: k.Policy, Kind: k.Kind.String(), Runs: t.Runs, Rows: t.Rows})
	}
	slices.SortFunc(report.Goes, func(a, b planLine) int { return strings.Compare(a.Policy+"\x00"+a.Kind, b.Policy+"\x00"+b.Kind) })
	if c.JSON {
		return writeJSON(term.out, report)
	}
	rows := make([][]string, 0, len(report.Goes))
	for _, l := range report.Goes {
		rows = append(rows, []string{l.Policy, l.Kind, strconv.FormatInt(l.Runs, 10), strconv.FormatInt(l.Rows, 10)})
	}
	if len(rows) == 0 {
		fmt.Fprintln(term.out, "no run had anything to remove")
	} else if err := table(term.out, []string{"POLICY", "KIND", "RUNS", "ROWS"}, rows); err != nil {
		return err
	}
	fmt.Fprintf(term.out, "\n%d partitions dropped, %s went to the operating system; %d entries of the audit log removed\n", report.Partitions, megabytes(report.Returned), report.Audit)
	if report.Changed > 0 {
		fmt.Fprintf(term.out, "%d runs have changed meanwhile and were left\n", report.Changed)
	}
	if report.Locked > 0 {
		fmt.Fprintf(term.out, "%d partitions were in use at each try: the next pass tries again\n", report.Locked)
	}
	return nil
}

type holdCmd struct {
	Add  holdAdd  `cmd:"" help:"Place a hold. It is noted in the audit log."`
	Lift holdLift `cmd:"" help:"Lift a hold. It is noted in the audit log, and stays in the list."`
	List holdList `cmd:"" help:"Print the holds."`
}

type holdAdd struct {
	Execution string `placeholder:"ID" help:"Runs of this execution id."`
	Number    int32  `name:"run" placeholder:"N" help:"Only this run of it."`
	Scenario  string `placeholder:"ID" help:"Runs of this scenario."`
	Label     string `placeholder:"NAME=VALUE" help:"Runs with this label."`
	From      string `placeholder:"DATE" help:"Runs first heard of on this day (UTC) or later."`
	Until     string `placeholder:"DATE" help:"Runs first heard of on this day (UTC) or earlier."`
	Reason    string `required:"" help:"Why."`
	JSON      bool   `name:"json" help:"Print one JSON object."`
}

// Help is what --help says beyond the settings.
func (*holdAdd) Help() string {
	return `A run is under the hold if it meets every condition that is given. Runs that come
later are, too. What has gone before does not come back.` + retentionExitCodes
}

// hold reads the flags.
func (c *holdAdd) hold() (h retention.Hold, err error) {
	h = retention.Hold{
		ExecutionID: execution.ID(c.Execution), Run: execution.RunNumber(c.Number), ScenarioID: c.Scenario, Reason: c.Reason, PlacedBy: operator(),
	}
	if c.Label != "" {
		var ok bool
		if h.LabelName, h.LabelValue, ok = strings.Cut(c.Label, "="); !ok || h.LabelName == "" {
			return h, errors.New("--label: must be NAME=VALUE")
		}
	}
	for _, d := range []struct {
		flag, text string
		into       *time.Time
	}{{"from", c.From, &h.BornFrom}, {"until", c.Until, &h.BornUntil}} {
		if d.text == "" {
			continue
		}
		if *d.into, err = time.Parse(time.DateOnly, d.text); err != nil {
			return h, fmt.Errorf("--%s=%s: must be a date such as 2026-05-31", d.flag, escaped(d.text))
		}
	}
	err = h.Check()
	return h, err
}

// Run places the hold.
func (c *holdAdd) Run(ctx context.Context, cfg *config.Config, term console) error {
	h, err := c.hold()
	if err != nil {
		return &exitError{exitUsage, err}
	}
	store, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer store.Close()
	if h.ID, err = store.PlaceHold(ctx, h, time.Now()); err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(term.out, holdLineOf(&h))
	}
	fmt.Fprintf(term.out, "hold %d placed: %s\n", h.ID, escaped(scopeOf(&h)))
	return nil
}

type holdLift struct {
	ID     int64  `arg:"" help:"Of the hold."`
	Reason string `required:"" help:"Why."`
}

// Help is what --help says beyond the settings.
func (*holdLift) Help() string { return strings.TrimPrefix(retentionExitCodes, "\n\n") }

// Run lifts the hold.
func (c *holdLift) Run(ctx context.Context, cfg *config.Config, term console) error {
	store, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer store.Close()
	err = store.LiftHold(ctx, c.ID, operator(), c.Reason, time.Now())
	if errors.Is(err, pgstore.ErrNotFound) {
		return fmt.Errorf("no hold %d stands: see tcda retention hold list --all", c.ID)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(term.out, "hold %d lifted\n", c.ID)
	return nil
}

type holdList struct {
	All  bool `help:"Also those that were lifted."`
	JSON bool `name:"json" help:"Print a JSON array."`
}

// holdLine is a hold as it is listed.
type holdLine struct {
	ID         int64      `json:"id"`
	Execution  string     `json:"execution_id,omitempty"`
	Run        int32      `json:"run,omitempty"`
	Scenario   string     `json:"scenario_id,omitempty"`
	Label      string     `json:"label,omitempty"`
	From       string     `json:"from,omitempty"`
	Until      string     `json:"until,omitempty"`
	Reason     string     `json:"reason"`
	PlacedBy   string     `json:"placed_by"`
	PlacedAt   time.Time  `json:"placed_at"`
	LiftedBy   string     `json:"lifted_by,omitempty"`
	LiftedAt   *time.Time `json:"lifted_at,omitempty"`
	LiftReason string     `json:"lift_reason,omitempty"`
}

func holdLineOf(h *retention.Hold) holdLine {
	line := holdLine{
		ID: h.ID, Execution: string(h.ExecutionID), Run: int32(h.Run), Scenario: h.ScenarioID, From: dayText(h.BornFrom), Until: dayText(h.BornUntil),
		Reason: h.Reason, PlacedBy: h.PlacedBy, PlacedAt: h.PlacedAt, LiftedBy: h.LiftedBy, LiftReason: h.LiftReason,
	}
	if h.LabelName != "" {
		line.Label = h.LabelName + "=" + h.LabelValue
	}
	if !h.LiftedAt.IsZero() {
		line.LiftedAt = &h.LiftedAt
	}
	return line
}

func dayText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Format(time.DateOnly)
}

// scopeOf says what a hold covers.
func scopeOf(h *retention.Hold) string {
	var parts []string
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, name+" "+value)
		}
	}
	line := holdLineOf(h)
	add("execution", line.Execution)
	if line.Run != 0 {
		add("run", strconv.Itoa(int(line.Run)))
	}
	add("scenario", line.Scenario)
	add("label", line.Label)
	add("from", line.From)
	add("until", line.Until)
	return strings.Join(parts, ", ")
}

// Help is what --help says beyond the settings.
func (*holdList) Help() string { return strings.TrimPrefix(retentionExitCodes, "\n\n") }

// Run prints the holds.
func (c *holdList) Run(ctx context.Context, cfg *config.Config, term console) error {
	store, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer store.Close()
	holds, err := store.Holds(ctx, c.All)
	if err != nil {
		return err
	}
	lines, rows := make([]holdLine, len(holds)), make([][]string, len(holds))
	for i := range holds {
		h := &holds[i]
		lines[i] = holdLineOf(h)
		rows[i] = []string{strconv.FormatInt(h.ID, 10), scopeOf(h), h.Reason, h.PlacedBy, moment(h.PlacedAt), moment(h.LiftedAt), h.LiftedBy, h.LiftReason}
	}
	if c.JSON {
		return writeJSON(term.out, lines)
	}
	return table(term.out, []string{"ID", "COVERS", "REASON", "PLACED BY", "PLACED AT", "LIFTED AT", "LIFTED BY", "WHY"}, rows)
}
