package pgstore

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

const (
	laterPage    = 100 // how many are looked at at once after a first page that did not give enough
	mostPages    = 50  // how many pages of what cannot be claimed are settled or passed over
	mostLookedAt = 100 // how many runs of a schedule are looked at when one of its claims is completed
	latestLooked = 100 // how many that are due, from the latest back, are looked at for one that replaces the others
)

// ClaimDue asks for due occurrences.
type ClaimDue struct {
	Claimer string
	Most    int           // how many
	Lease   time.Duration // from now, by PostgreSQL's clock; to the microsecond
}

// ClaimedOccurrence is an occurrence that was claimed.
type ClaimedOccurrence struct {
	Occurrence
	Schedule scenario.Schedule // as it is now

	// Cancel are the runs that this one replaces: whoever claims has them cancelled.
	Cancel []scenario.RunRef
}

// Claims is what ClaimDue has done.
type Claims struct {
	Claimed []ClaimedOccurrence // in due order
	Settled int                 // occurrences that must not be started any more
}

// ClaimDue claims occurrences that have been made (PlanDue) and are due, in due
// order, those first whose former claim has expired. Each goes to one claimer;
// one that is claimed again has a higher token. What must not be started any
// more, by the schedule as it is now or by its concurrency policy, is settled on
// the way.
func (tx *Tx) ClaimDue(ctx context.Context, ask ClaimDue) (Claims, error) {
	now, err := tx.serverTime(ctx)
	if err != nil {
		return Claims{}, err
	}
	c := claiming{tx: tx, ask: ask, now: now, latest: map[scenario.ScheduleID]scenario.Rival{}}
	if err := c.considerExpired(ctx); err != nil {
		return Claims{}, err
	}
	after := dbsqlc.LockDueParams{Now: now}
	for pages := 0; len(c.granted) < ask.Most && pages < mostPages; pages++ {
		after.Page = int32(ask.Most - len(c.granted))
		if pages > 0 {
			after.Page = max(after.Page, laterPage)
		}
		page, err := tx.q.LockDue(ctx, after)
		if err != nil {
			return Claims{}, interpret("lock due occurrences", err)
		}
		if err := c.consider(ctx, page); err != nil {
			return Claims{}, err
		}
		if len(page) < int(after.Page) {
			break
		}
		last := &page[len(page)-1]
		after.After, after.AfterSchedule, after.AfterOccurrence = last.DueAt, last.ScheduleID, last.OccurrenceID
	}
	claimed, err := c.claim(ctx)
	return Claims{Claimed: claimed, Settled: c.settled}, err
}

// claiming is one call of ClaimDue.
type claiming struct {
	tx      *Tx
	ask     ClaimDue
	now     time.Time // by PostgreSQL's clock
	granted []ClaimedOccurrence
	settled int

	// latest are the occurrences that replace all of their schedules that came due
	// before them; zero where there is none.
	latest map[scenario.ScheduleID]scenario.Rival
}

// considerExpired decides about claims whose leases have ended, page by page. What
// is settled is gone from the next one; what is granted, or waits, is not, and is
// passed over there.
func (c *claiming) considerExpired(ctx context.Context) error {
	known := map[string]bool{}
	for page, pages := c.ask.Most, 0; pages < mostPages; pages++ {
		rows, err := c.tx.q.LockExpired(ctx, int32(page)) //nolint:gosec // some pages
		if err != nil {
			return interpret("lock expired claims", err)
		}
		full, settled := len(rows) == page, c.settled
		rows = slices.DeleteFunc(rows, func(o dbsqlc.ScheduleOccurrence) bool {
			key := o.ScheduleID + " " + o.OccurrenceID
			defer func() { known[key] = true }()
			return known[key]
		})
		if err := c.consider(ctx, rows); err != nil {
			return err
		}
		if !full || len(c.granted) == c.ask.Most {
			return nil
		}
		page += laterPage - (c.settled - settled)
	}
	return nil
}

// consider decides about occurrences that are locked.
func (c *claiming) consider(ctx context.Context, rows []dbsqlc.ScheduleOccurrence) error {
	if len(rows) == 0 {
		return nil
	}
	candidates := occurrencesFromRows(rows)
	ids := make([]string, len(candidates))
	for i := range candidates {
		ids[i] = string(candidates[i].ScheduleID)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	schedules, err := c.tx.schedulesByID(ctx, ids)
	if err != nil {
		return err
	}
	rivals, err := c.rivals(ctx, schedules)
	if err != nil {
		return err
	}
	slices.SortStableFunc(candidates, func(a, b Occurrence) int { return a.DueAt.Compare(b.DueAt) }) // expired ones came by their leases
	var settled settlements
	for i := range candidates {
		o := &candidates[i]
		if len(c.granted) == c.ask.Most {
			break
		}
		s := schedules[o.ScheduleID].state
		if _, locked := rivals[o.ScheduleID]; !locked && isCompared(&s.Schedule) {
			continue
		}
		others := slices.DeleteFunc(slices.Clone(rivals[o.ScheduleID]), func(r scenario.Rival) bool { return r.ID == o.ID })
		if s.Settle(&o.Occurrence, c.now) {
			settled.add(&o.Occurrence)
			rivals[o.ScheduleID] = others
			continue
		}
		switch a := s.Admit(&o.Occurrence, others); {
		case a.Granted:
			c.granted = append(c.granted, ClaimedOccurrence{Occurrence: *o, Schedule: s.Schedule, Cancel: a.Cancel})
			if isCompared(&s.Schedule) {
				rivals[o.ScheduleID] = append(others, scenario.Rival{ID: o.ID, DueAt: o.DueAt})
			}
		case a.Wait:
		default:
			o.Status, o.Reason, o.Detail = scenario.OccurrenceSkipped, a.Skipped, a.Detail
			settled.add(&o.Occurrence)
			rivals[o.ScheduleID] = others // an expired claim was one of them
		}
	}
	c.settled += len(settled.statuses)
	return c.tx.settleOccurrences(ctx, c.now, &settled)
}

// isCompared tells whether the concurrency policy compares occurrences.
func isCompared(s *scenario.Schedule) bool {
	return s.ConcurrencyPolicy == scenario.ConcurrencyForbid || s.ConcurrencyPolicy == scenario.ConcurrencyReplace
}

// rivals are the claimed and running occurrences of the schedules whose policy
// compares them, under the lock that serialises their claimers. A schedule that
// somebody else has in hand has no entry: its occurrences stay due for now.
func (c *claiming) rivals(ctx context.Context, schedules map[scenario.ScheduleID]versionedSchedule) (map[scenario.ScheduleID][]scenario.Rival, error) {
	var compared []string
	for id, s := range schedules {
		if isCompared(&s.state.Schedule) {
			compared = append(compared, string(id))
		}
	}
	if len(compared) == 0 {
		return map[scenario.ScheduleID][]scenario.Rival{}, nil
	}
	locked, err := c.tx.q.LockPlans(ctx, compared)
	if err != nil {
		return nil, interpret("lock plans of schedules", err)
	}
	rivals, err := c.tx.rivalsOf(ctx, c.now, locked, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	for _, id := range locked {
		if _, ok := rivals[scenario.ScheduleID(id)]; !ok {
			rivals[scenario.ScheduleID(id)] = nil
		}
	}
	if err := c.findLatest(ctx, locked, schedules); err != nil {
		return nil, err
	}
	for _, id := range locked {
		if latest := c.latest[scenario.ScheduleID(id)]; latest.ID != "" {
			rivals[scenario.ScheduleID(id)] = append(rivals[scenario.ScheduleID(id)], latest)
		}
	}
	for i := range c.granted { // they are not written yet
		o := &c.granted[i]
		rivals[o.ScheduleID] = append(rivals[o.ScheduleID], scenario.Rival{ID: o.ID, DueAt: o.DueAt})
	}
	return rivals, nil
}

// findLatest looks, once for a schedule of policy replace, which of what is due
// replaces those before it: it may be on a later page, or locked by somebody else,
// who cannot claim it without the plan that is locked here.
func (c *claiming) findLatest(ctx context.Context, locked []string, schedules map[scenario.ScheduleID]versionedSchedule) error {
	var ids []string
	for _, id := range locked {
		_, known := c.latest[scenario.ScheduleID(id)]
		if !known && schedules[scenario.ScheduleID(id)].state.ConcurrencyPolicy == scenario.ConcurrencyReplace {
			ids = append(ids, id)
			c.latest[scenario.ScheduleID(id)] = scenario.Rival{}
		}
	}
	if len(ids) == 0 {
		return nil
	}
	rows, err := c.tx.q.LatestDueOf(ctx, ids, c.now, latestLooked)
	if err != nil {
		return interpret("read latest due occurrences", err)
	}
	for i := range rows {
		o := occurrenceFromRow(&rows[i])
		if c.latest[o.ScheduleID].ID == "" && !schedules[o.ScheduleID].state.Settle(&o.Occurrence, c.now) {
			c.latest[o.ScheduleID] = scenario.Rival{ID: o.ID, DueAt: o.DueAt, State: scenario.RivalDue}
		}
	}
	return nil
}

// claim writes the claims.
func (c *claiming) claim(ctx context.Context) ([]ClaimedOccurrence, error) {
	if len(c.granted) == 0 {
		return nil, nil
	}
	var keys occurrenceKeys
	var startBy []time.Time
	for i := range c.granted {
		keys.add(&c.granted[i].Occurrence.Occurrence)
		startBy = append(startBy, c.granted[i].StartBy)
	}
	rows, err := c.tx.q.ClaimOccurrences(ctx, dbsqlc.ClaimOccurrencesParams{
		Claimer: c.ask.Claimer, LeaseSeconds: c.ask.Lease.Seconds(), ScheduleIds: keys.schedules, OccurrenceIds: keys.occurrences, StartBy: startBy,
	})
	if err != nil {
		return nil, interpret("claim occurrences", err)
	}
	type key struct {
		schedule   scenario.ScheduleID
		occurrence scenario.OccurrenceID
	}
	claimed := make(map[key]Occurrence, len(rows))
	for i := range rows {
		o := occurrenceFromRow(&rows[i])
		claimed[key{o.ScheduleID, o.ID}] = o
	}
	for i := range c.granted {
		o := &c.granted[i]
		o.Occurrence = claimed[key{o.ScheduleID, o.ID}]
	}
	slices.SortStableFunc(c.granted, func(a, b ClaimedOccurrence) int { return a.DueAt.Compare(b.DueAt) })
	return c.granted, nil
}

// ClaimKey is a claim on an occurrence, as its holder knows it.
type ClaimKey struct {
	ScheduleID   scenario.ScheduleID
	OccurrenceID scenario.OccurrenceID
	Token        int64
}

// RenewClaim lets a claim last from now on for so long, by PostgreSQL's clock.
// ErrNotFound says that there is no such occurrence, *scenario.ClaimLostError
// that the claim is not the latest or has been completed.
func (tx *Tx) RenewClaim(ctx context.Context, k ClaimKey, lease time.Duration) (Occurrence, error) {
	row, err := tx.q.RenewClaim(ctx, dbsqlc.RenewClaimParams{
		LeaseSeconds: lease.Seconds(), ScheduleID: string(k.ScheduleID), OccurrenceID: string(k.OccurrenceID), Token: k.Token,
	})
	if err := interpret("renew claim", err); isNotFound(err) {
		o, err := tx.occurrence(ctx, k)
		if err != nil {
			return Occurrence{}, err
		}
		return Occurrence{}, lost(k, &o)
	} else if err != nil {
		return Occurrence{}, err
	}
	return occurrenceFromRow(&row), nil
}

// Completion is what the holder of a claim says about its occurrence.
type Completion struct {
	Outcome scenario.OccurrenceOutcome
	Run     scenario.RunRef // that came of it; its number 0 when it is not known
	Detail  string
}

// CompleteClaim ends a claim. The same completion again changes nothing.
// ErrNotFound says that there is no such occurrence, *scenario.ClaimLostError
// that the claim is not the latest, *scenario.CompletedOtherwiseError that it was
// completed with another outcome. A claim whose lease has expired may be
// completed as long as nobody has claimed the occurrence again.
func (tx *Tx) CompleteClaim(ctx context.Context, k ClaimKey, c Completion) (Occurrence, error) {
	now, err := tx.serverTime(ctx)
	if err != nil {
		return Occurrence{}, err
	}
	row, err := tx.q.CompleteClaim(ctx, dbsqlc.CompleteClaimParams{
		Outcome: string(c.Outcome), Detail: c.Detail, ExecutionID: c.Run.ExecutionID, Run: nullable(c.Run.Run), Now: now,
		ScheduleID: string(k.ScheduleID), OccurrenceID: string(k.OccurrenceID), Token: k.Token,
	})
	if err := interpret("complete claim", err); isNotFound(err) {
		return tx.completedBefore(ctx, k, c)
	} else if err != nil {
		return Occurrence{}, err
	}
	o := occurrenceFromRow(&row)
	// The runs of a schedule whose policy compares none would be looked at by
	// nobody else.
	_, err = tx.rivalsOf(ctx, now, []string{row.ScheduleID}, mostLookedAt)
	return o, err
}

func (tx *Tx) completedBefore(ctx context.Context, k ClaimKey, c Completion) (Occurrence, error) {
	o, err := tx.occurrence(ctx, k)
	switch {
	case err != nil:
		return Occurrence{}, err
	case o.Status != scenario.OccurrenceCompleted || o.Token != k.Token:
		return Occurrence{}, lost(k, &o)
	case o.Outcome != c.Outcome || o.Run != c.Run:
		return Occurrence{}, &scenario.CompletedOtherwiseError{ScheduleID: k.ScheduleID, OccurrenceID: k.OccurrenceID, Outcome: o.Outcome, Run: o.Run}
	}
	return o, nil
}

func (tx *Tx) occurrence(ctx context.Context, k ClaimKey) (Occurrence, error) {
	row, err := tx.q.OccurrenceByID(ctx, string(k.ScheduleID), string(k.OccurrenceID))
	if err != nil {
		return Occurrence{}, interpret("read occurrence", err)
	}
	return occurrenceFromRow(&row), nil
}

func lost(k ClaimKey, o *Occurrence) error {
	return &scenario.ClaimLostError{ScheduleID: k.ScheduleID, OccurrenceID: k.OccurrenceID, Token: k.Token, Latest: o.Token, Status: o.Status}
}
