package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// schedulesCmd groups what concerns schedules.
type schedulesCmd struct {
	Set     schedulesSet     `cmd:"" help:"State a schedule as a whole."`
	Remove  schedulesRemove  `cmd:"" help:"Take a schedule away."`
	Show    schedulesShow    `cmd:"" help:"Print a schedule."`
	List    schedulesList    `cmd:"" help:"Print schedules, by id."`
	Preview schedulesPreview `cmd:"" help:"Print when a schedule will be due, and what changes of the clocks do to it."`

	Claim       schedulesClaim       `cmd:"" help:"Take due occurrences, each of which is given to one coordinator only."`
	Renew       schedulesRenew       `cmd:"" help:"Let a claim last longer."`
	Complete    schedulesComplete    `cmd:"" help:"Say what came of a claimed occurrence."`
	Occurrences schedulesOccurrences `cmd:"" help:"Print what has come due of a schedule, latest first."`
}

// scheduleFlags say when a scenario is due.
type scheduleFlags struct {
	parameterFlags
	Cron             string        `placeholder:"FIELDS" help:"Due by the five cron fields, such as '30 2 * * *'."`
	At               time.Time     `placeholder:"TIME" help:"Due once, such as 2026-11-27T01:02:03Z."`
	AfterScenario    string        `placeholder:"ID" help:"Due when a run of this scenario has passed."`
	OnEvent          string        `placeholder:"TYPE" help:"Due when an event of this type is accepted."`
	TimeZone         string        `placeholder:"ZONE" help:"IANA name of the time zone of --cron; UTC if empty."`
	Policy           string        `values:"allow,forbid,replace" placeholder:"POLICY" help:"While the previous run still runs: allow, forbid or replace; the service's default if empty."`
	StartingDeadline time.Duration `placeholder:"TIME" help:"How late a run may still begin."`
	NotBefore        time.Time     `placeholder:"TIME" help:"Never due before this moment."`
	NotAfter         time.Time     `placeholder:"TIME" help:"Never due after this moment."`
	Disabled         bool          `help:"Switched off."`
}

// Validate is called by kong.
func (f *scheduleFlags) Validate() error {
	kinds := 0
	for _, given := range []bool{f.Cron != "", !f.At.IsZero(), f.AfterScenario != "", f.OnEvent != ""} {
		if given {
			kinds++
		}
	}
	if kinds != 1 {
		return errors.New("give one of --cron, --at, --after-scenario and --on-event")
	}
	return nil
}

// message is the schedule.
func (f *scheduleFlags) message(id, scenario string) (*contract.ScheduleSet, error) {
	parameters, err := f.parameterFlags.message(nil)
	if err != nil {
		return nil, err
	}
	enabled := !f.Disabled
	s := &contract.ScheduleSet{
		ScheduleId: id, ScenarioId: scenario, Cron: f.Cron, TimeZone: f.TimeZone, RunAt: timestamp(f.At), AfterScenarioId: f.AfterScenario, EventType: f.OnEvent,
		Enabled: &enabled, ConcurrencyPolicy: f.Policy, StartingDeadline: length(f.StartingDeadline), NotBefore: timestamp(f.NotBefore), NotAfter: timestamp(f.NotAfter), Parameters: parameters,
	}
	switch {
	case f.Cron != "":
		s.Kind = "cron"
	case !f.At.IsZero():
		s.Kind = "once"
	case f.AfterScenario != "":
		s.Kind = "after_scenario"
	default:
		s.Kind = "event"
	}
	return s, nil
}

type schedulesSet struct {
	apiFlags
	writeFlags
	scheduleFlags
	Schedule string `arg:"" help:"The schedule."`
	Scenario string `arg:"" help:"The scenario that becomes due."`
}

// Run sets the schedule.
func (c *schedulesSet) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	schedule, err := c.message(c.Schedule, c.Scenario)
	if err != nil {
		return err
	}
	answer, err := call(ctx, api, api.schedules.SetSchedule, &contract.SetScheduleRequest{RequestId: c.request(), Schedule: schedule})
	if err != nil {
		return err
	}
	next := "no time is known at which it is due next"
	if due := answer.GetSchedule().GetNextDueAt(); due != nil {
		next = "next due at " + at(due)
	}
	return c.printWritten(term, &c.writeFlags, answer, "schedule %s is set: %s", c.Schedule, next)
}

type schedulesRemove struct {
	apiFlags
	writeFlags
	Schedule string `arg:"" help:"The schedule."`
}

// Run removes the schedule.
func (c *schedulesRemove) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := call(ctx, api, api.schedules.RemoveSchedule, &contract.RemoveScheduleRequest{RequestId: c.request(), ScheduleId: c.Schedule})
	if err != nil {
		return err
	}
	return c.printWritten(term, &c.writeFlags, answer, "schedule %s is removed", c.Schedule)
}

type schedulesShow struct {
	apiFlags
	Schedule string `arg:"" help:"The schedule."`
}

// Run prints the schedule.
func (c *schedulesShow) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := call(ctx, api, api.schedules.GetSchedule, &contract.GetScheduleRequest{ScheduleId: c.Schedule})
	if err != nil {
		return err
	}
	return c.print(term, answer, func() error {
		s := answer.GetSchedule().GetSetting()
		return term.fields("schedule", s.GetScheduleId(),
			[]string{"scenario", s.GetScenarioId()},
			[]string{"kind", s.GetKind()},
			[]string{"due", dueText(s)},
			[]string{"enabled", enabledText(s)},
			[]string{"concurrency policy", s.GetConcurrencyPolicy()},
			[]string{"starting deadline", spent(s.GetStartingDeadline())},
			[]string{"not before", at(s.GetNotBefore())},
			[]string{"not after", at(s.GetNotAfter())},
			[]string{"parameters", inline(s.GetParameters())},
			[]string{"next due at", at(answer.GetSchedule().GetNextDueAt())},
			[]string{"created at", at(answer.GetSchedule().GetCreatedAt())},
			[]string{"updated at", at(answer.GetSchedule().GetUpdatedAt())},
		)
	})
}

// dueText is what makes a schedule due.
func dueText(s *contract.ScheduleSet) string {
	switch s.GetKind() {
	case "cron":
		return joined(" ", s.GetCron(), s.GetTimeZone())
	case "once":
		return at(s.GetRunAt())
	case "after_scenario":
		return s.GetAfterScenarioId()
	default:
		return s.GetEventType()
	}
}

func enabledText(s *contract.ScheduleSet) string {
	if s.Enabled != nil && !s.GetEnabled() {
		return "no"
	}
	return "yes"
}

type schedulesList struct {
	apiFlags
	listing
	Scenario string `placeholder:"ID" help:"Only those of this scenario."`
}

// Run prints schedules.
func (c *schedulesList) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := list(ctx, api, c.listing, api.schedules.ListSchedules, &contract.ListSchedulesRequest{ScenarioId: c.Scenario})
	if err != nil {
		return err
	}
	rows := make([][]string, len(answer.GetSchedules()))
	for i, s := range answer.GetSchedules() {
		set := s.GetSetting()
		rows[i] = []string{set.GetScheduleId(), set.GetScenarioId(), set.GetKind(), dueText(set), enabledText(set), set.GetConcurrencyPolicy(), at(s.GetNextDueAt())}
	}
	return c.printList(term, answer, []string{"SCHEDULE", "SCENARIO", "KIND", "DUE", "ENABLED", "POLICY", "NEXT DUE AT"}, rows)
}

type schedulesPreview struct {
	apiFlags
	Schedule string    `arg:"" optional:"" help:"One that is stored."`
	Cron     string    `placeholder:"FIELDS" help:"Or the five cron fields of one that is only thought of."`
	TimeZone string    `placeholder:"ZONE" help:"IANA name of the time zone of --cron; UTC if empty."`
	After    time.Time `placeholder:"TIME" help:"From when on, such as 2026-11-27T01:02:03Z; now if not given."`
	Count    int32     `default:"10" help:"How many times, 1 to 1000."`
}

// Validate is called by kong.
func (c *schedulesPreview) Validate() error {
	if (c.Schedule == "") == (c.Cron == "") {
		return errors.New("give a schedule, or --cron")
	}
	return nil
}

// Run prints the next times.
func (c *schedulesPreview) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	request := &contract.PreviewScheduleRequest{After: timestamp(c.After), Count: c.Count, Which: &contract.PreviewScheduleRequest_ScheduleId{ScheduleId: c.Schedule}}
	if c.Cron != "" { // its names matter to nobody
		request.Which = &contract.PreviewScheduleRequest_Schedule{Schedule: &contract.ScheduleSet{ScheduleId: "preview", ScenarioId: "preview", Kind: "cron", Cron: c.Cron, TimeZone: c.TimeZone}}
	}
	answer, err := call(ctx, api, api.schedules.PreviewSchedule, request)
	if err != nil {
		return err
	}
	return c.print(term, answer, func() error {
		rows := make([][]string, len(answer.GetUpcoming()))
		for i, u := range answer.GetUpcoming() {
			rows[i] = []string{at(u.GetDueAt()), u.GetLocalTime(), yes(u.GetTwice())}
		}
		if err := term.table([]string{"DUE AT", "LOCAL TIME", "TWICE"}, rows); err != nil {
			return err
		}
		for _, skipped := range answer.GetSkippedLocalTimes() {
			fmt.Fprintf(term.out, "the clocks skip %s\n", escaped(skipped))
		}
		return nil
	})
}

type schedulesClaim struct {
	apiFlags
	writeFlags
	Claimer string        `required:"" placeholder:"NAME" help:"Who claims."`
	Max     int32         `default:"1" help:"How many at most, 1 to 500."`
	Lease   time.Duration `default:"1m" help:"How long the claims last: 1s to 1h."`
}

// Run claims.
func (c *schedulesClaim) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := call(ctx, api, api.schedules.ClaimDueOccurrences, &contract.ClaimDueOccurrencesRequest{RequestId: c.request(), Claimer: c.Claimer, Limit: c.Max, Lease: length(c.Lease)})
	if err != nil {
		return err
	}
	if c.JSON {
		return printMessage(term.out, answer, c.RequestID)
	}
	rows := make([][]string, len(answer.GetClaimed()))
	for i, o := range answer.GetClaimed() {
		replaces := make([]string, len(o.GetReplaces()))
		for j, r := range o.GetReplaces() {
			replaces[j] = runText(r.GetExecutionId(), r.GetRun())
		}
		rows[i] = []string{
			o.GetOccurrence().GetScheduleId(), o.GetOccurrence().GetOccurrenceId(), strconv.FormatInt(o.GetOccurrence().GetToken(), 10), o.GetScenarioId(),
			at(o.GetOccurrence().GetDueAt()), at(o.GetOccurrence().GetLeaseExpiresAt()), joined(" ", replaces...), inline(o.GetParameters()),
		}
	}
	return term.table([]string{"SCHEDULE", "OCCURRENCE", "TOKEN", "SCENARIO", "DUE AT", "LEASE EXPIRES AT", "REPLACES", "PARAMETERS"}, rows)
}

// claimed is in every command for who has claimed an occurrence.
type claimed struct {
	Schedule   string `arg:"" help:"The schedule."`
	Occurrence string `arg:"" help:"The occurrence, as claim printed it."`
	Token      int64  `arg:"" help:"The token of the claim."`
}

type schedulesRenew struct {
	apiFlags
	claimed
	Lease time.Duration `default:"1m" help:"How long it lasts from now on: 1s to 1h."`
}

// Run renews a claim.
func (c *schedulesRenew) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := call(ctx, api, api.schedules.RenewClaim, &contract.RenewClaimRequest{ScheduleId: c.Schedule, OccurrenceId: c.Occurrence, Token: c.Token, Lease: length(c.Lease)})
	if err != nil {
		return err
	}
	return c.print(term, answer, func() error {
		_, err := fmt.Fprintf(term.out, "the claim lasts until %s\n", at(answer.GetLeaseExpiresAt()))
		return err
	})
}

type schedulesComplete struct {
	apiFlags
	writeFlags
	lockFlags
	claimed
	Execution  *runName `placeholder:"EXECUTION[/RUN]" help:"The run that came of it."`
	NotStarted bool     `help:"No run came of it."`
	Detail     string   `placeholder:"TEXT" help:"Why none was started."`
}

// Validate is called by kong.
func (c *schedulesComplete) Validate() error {
	if (c.Execution != nil) == c.NotStarted {
		return errors.New("give one of --execution and --not-started")
	}
	return nil
}

// Run completes a claim.
func (c *schedulesComplete) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	request := &contract.CompleteClaimRequest{RequestId: c.request(), ScheduleId: c.Schedule, OccurrenceId: c.Occurrence, Token: c.Token, Outcome: "not_started", Detail: c.Detail, Lock: c.Lock.token}
	if c.Execution != nil {
		request.Outcome, request.ExecutionId, request.Run = "started", c.Execution.ID, c.Execution.Number
	}
	answer, err := call(ctx, api, api.schedules.CompleteClaim, request)
	if err != nil {
		return err
	}
	return c.printWritten(term, &c.writeFlags, answer, "occurrence %s of %s is %s: %s", c.Occurrence, c.Schedule, answer.GetOccurrence().GetStatus(), answer.GetOccurrence().GetOutcome())
}

type schedulesOccurrences struct {
	apiFlags
	listing
	Schedule string `arg:"" help:"The schedule."`
}

// Run prints occurrences.
func (c *schedulesOccurrences) Run(ctx context.Context, term console) error {
	api, err := c.connect()
	if err != nil {
		return err
	}
	answer, err := list(ctx, api, c.listing, api.schedules.ListOccurrences, &contract.ListOccurrencesRequest{ScheduleId: c.Schedule})
	if err != nil {
		return err
	}
	rows := make([][]string, len(answer.GetOccurrences()))
	for i, o := range answer.GetOccurrences() {
		run := ""
		if r := o.GetRun(); r != nil {
			run = runText(r.GetExecutionId(), r.GetRun())
		}
		rows[i] = []string{o.GetOccurrenceId(), at(o.GetDueAt()), o.GetStatus(), joined(": ", o.GetReason(), cut(o.GetDetail())), o.GetClaimedBy(), some(o.GetToken()), o.GetOutcome(), run, at(o.GetSettledAt())}
	}
	return c.printList(term, answer, []string{"OCCURRENCE", "DUE AT", "STATUS", "REASON", "CLAIMED BY", "TOKEN", "OUTCOME", "RUN", "SETTLED AT"}, rows)
}
