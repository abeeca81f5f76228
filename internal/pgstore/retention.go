package pgstore

import (
	"context"
	"encoding/json"
	"math"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/retention"
)

// Actions of retention in the audit log.
const (
	ActionPruneRuns     = "retention.prune"
	ActionDropPartition = "retention.drop_partition"
	ActionPlaceHold     = "retention.hold"
	ActionLiftHold      = "retention.lift"
)

// BirthPlace is a place in the list of runs by their births.
type BirthPlace struct {
	CreatedAt time.Time
	RunKey
}

// YoungestRun is the place before all runs.
func YoungestRun() BirthPlace {
	return BirthPlace{CreatedAt: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), RunKey: RunKey{Number: math.MaxInt32}}
}

// RunsForRetention is a page of all runs, the youngest first, behind a place, and
// the place of its last. Labels are read only if they are asked for.
func (s *Store) RunsForRetention(ctx context.Context, before BirthPlace, labels bool, page int) ([]retention.Stored, BirthPlace, error) {
	rows, err := s.q.RetentionRuns(ctx, dbsqlc.RetentionRunsParams{
		WithLabels: labels, Before: before.CreatedAt, BeforeID: string(before.ID), BeforeRun: int32(before.Number), Page: int32(page),
	})
	if err != nil {
		return nil, before, interpret("list runs for retention", err)
	}
	runs := make([]retention.Stored, len(rows))
	for i := range rows {
		runs[i] = storedForRetention(&rows[i])
		before = BirthPlace{runs[i].CreatedAt, RunKey{runs[i].ExecutionID, runs[i].Number}}
	}
	return runs, before, nil
}

func storedForRetention(r *dbsqlc.RetentionRunsRow) retention.Stored {
	return retention.Stored{
		RunFacts: retention.RunFacts{
			ExecutionID: execution.ID(r.ExecutionID), Number: execution.RunNumber(r.Run), ScenarioID: r.ScenarioID, GroupID: r.GroupID, Environment: r.Environment,
			Status: execution.Status(r.Status), Labels: labelsOf(r.Labels), Pinned: r.Pinned,
			CreatedAt: r.CreatedAt.UTC(), EndedAt: timeOf(r.EndedAt), LastEventAt: timeOf(r.LastEventAt), ChangedAt: timeOf(r.SettledChangeAt),
			Gone: goneOf(r.Kinds, r.SettledChangeAt, r.PrunedAt),
		},
		Version: r.Version, Bucket: r.Bucket.UTC(), Several: r.Several,
		Rows: retention.Rows{Logs: r.LogLines, Snapshots: r.Snapshots, Events: r.Events, Results: r.Results, Reports: r.Reports},
	}
}

// goneOf is what has been removed of a run: of one that has changed since, nothing, for
// what came late is to go, too.
func goneOf(kinds []string, changed, pruned *time.Time) retention.Kinds {
	if timeOf(changed).After(timeOf(pruned)) {
		return 0
	}
	return retention.ParseKinds(kinds)
}

// labelsOf reads labels; a value that is no text matches nothing.
func labelsOf(raw json.RawMessage) map[string]string {
	var values map[string]any
	if len(raw) == 0 || json.Unmarshal(raw, &values) != nil {
		return nil
	}
	labels := make(map[string]string, len(values))
	for name, value := range values {
		if text, ok := value.(string); ok {
			labels[name] = text
		}
	}
	return labels
}

// RequiredScenarios are those that others depend on having run.
func (s *Store) RequiredScenarios(ctx context.Context) ([]string, error) {
	scenarios, err := s.q.RequiredScenarios(ctx)
	return scenarios, interpret("list required scenarios", err)
}

// Holds are the legal holds that stand; with lifted also those that do not any
// more.
func (s *Store) Holds(ctx context.Context, lifted bool) ([]retention.Hold, error) {
	list := s.q.OpenHolds
	if lifted {
		list = s.q.AllHolds
	}
	rows, err := list(ctx)
	return holdsFromRows(rows, err)
}

func holdsFromRows(rows []dbsqlc.RetentionHold, err error) ([]retention.Hold, error) {
	if err != nil {
		return nil, interpret("list holds", err)
	}
	holds := make([]retention.Hold, len(rows))
	for i, r := range rows {
		holds[i] = retention.Hold{
			ID: r.ID, ExecutionID: execution.ID(r.ExecutionID), Run: execution.RunNumber(valueOf(r.Run)), ScenarioID: r.ScenarioID,
			LabelName: r.LabelName, LabelValue: r.LabelValue, BornFrom: dateOf(r.BornFrom), BornUntil: dateOf(r.BornUntil),
			Reason: r.Reason, PlacedBy: r.PlacedBy, PlacedAt: r.PlacedAt.UTC(),
			LiftedBy: r.LiftedBy, LiftedAt: timeOf(r.LiftedAt), LiftReason: r.LiftReason,
		}
	}
	return holds, nil
}

// PlaceHold places a legal hold, and notes it in the audit log. It waits for a page
// of runs that is being pruned just now; after it no run that it covers is pruned.
func (s *Store) PlaceHold(ctx context.Context, h retention.Hold, now time.Time) (id int64, err error) {
	err = s.Batch(ctx, now, func(tx *Tx) error {
		if err := tx.q.LockHolds(ctx); err != nil {
			return interpret("lock holds", err)
		}
		p := dbsqlc.InsertHoldParams{
			ExecutionID: string(h.ExecutionID), Run: nullable(int32(h.Run)), ScenarioID: h.ScenarioID, LabelName: h.LabelName, LabelValue: h.LabelValue,
			BornFrom: pgDate(h.BornFrom), BornUntil: pgDate(h.BornUntil), Reason: fact.Printable(h.Reason), PlacedBy: fact.Printable(h.PlacedBy), PlacedAt: now,
		}
		if id, err = tx.q.InsertHold(ctx, p); err != nil {
			return interpret("place hold", err)
		}
		h.ID = id
		return tx.Audit(ctx, AuditEntry{Actor: h.PlacedBy, Action: ActionPlaceHold, Subject: holdSubject(id), Reason: h.Reason, Details: holdDetails(&h)})
	})
	return id, err
}

// LiftHold ends a hold, and notes it in the audit log. The error is ErrNotFound when
// none of that id stands.
func (s *Store) LiftHold(ctx context.Context, id int64, by, reason string, now time.Time) error {
	return s.Batch(ctx, now, func(tx *Tx) error {
		if err := tx.q.LockHolds(ctx); err != nil {
			return interpret("lock holds", err)
		}
		n, err := tx.q.LiftHold(ctx, dbsqlc.LiftHoldParams{LiftedBy: fact.Printable(by), LiftedAt: now, LiftReason: fact.Printable(reason), ID: id})
		if err != nil {
			return interpret("lift hold", err)
		}
		if n == 0 {
			return ErrNotFound
		}
		return tx.Audit(ctx, AuditEntry{Actor: by, Action: ActionLiftHold, Subject: holdSubject(id), Reason: reason})
	})
}

// BucketPartition is one of a table that is cut by bucket.
type BucketPartition struct {
	Table string
	Name  string
	Lower time.Time // its first bucket
	Upper time.Time // the first behind it
	Bytes int64     // with indexes and TOAST; 0: no row was ever stored in it
}

// BucketPartitions are those of all tables, the oldest first.
func (s *Store) BucketPartitions(ctx context.Context) ([]BucketPartition, error) {
	rows, err := s.q.BucketPartitions(ctx)
	if err != nil {
		return nil, interpret("list partitions of buckets", err)
	}
	all := make([]BucketPartition, len(rows))
	for i, r := range rows {
		all[i] = BucketPartition{Table: r.Parent, Name: r.Child, Lower: r.LowerBucket.UTC(), Upper: r.UpperBucket.UTC(), Bytes: r.Bytes}
	}
	return all, nil
}

// PrunedKind is how many runs have lost a kind of data.
type PrunedKind struct {
	Kind    string
	Runs    int64
	Pending int64 // of these: rows may still lie in the tables
}

// PrunedKinds counts the tombstones.
func (s *Store) PrunedKinds(ctx context.Context) ([]PrunedKind, error) {
	rows, err := s.q.PrunedKinds(ctx)
	if err != nil {
		return nil, interpret("count pruned runs", err)
	}
	all := make([]PrunedKind, len(rows))
	for i, r := range rows {
		all[i] = PrunedKind(r)
	}
	return all, nil
}

// ForgetAudit removes at most most entries of the audit log from before a moment.
func (s *Store) ForgetAudit(ctx context.Context, before time.Time, most int) (int64, error) {
	n, err := s.q.DeleteAuditBefore(ctx, before, int32(most))
	return n, interpret("remove old entries of the audit log", err)
}

func holdSubject(id int64) string { return "hold " + strconv.FormatInt(id, 10) }

// holdDetails is what a hold covers, for the audit log.
func holdDetails(h *retention.Hold) json.RawMessage {
	scope := map[string]any{}
	if h.ExecutionID != "" {
		scope["execution_id"] = h.ExecutionID
	}
	if h.Run != 0 {
		scope["run"] = h.Run
	}
	if h.ScenarioID != "" {
		scope["scenario_id"] = h.ScenarioID
	}
	if h.LabelName != "" {
		scope["label"] = map[string]string{h.LabelName: h.LabelValue}
	}
	if !h.BornFrom.IsZero() {
		scope["born_from"] = h.BornFrom.Format(time.DateOnly)
	}
	if !h.BornUntil.IsZero() {
		scope["born_until"] = h.BornUntil.Format(time.DateOnly)
	}
	return detailsOf(scope)
}

func detailsOf(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic("details of an audit entry have a JSON form: " + err.Error())
	}
	return raw
}

func dateOf(d pgtype.Date) time.Time {
	if !d.Valid {
		return time.Time{}
	}
	return d.Time.UTC()
}

func pgDate(t time.Time) pgtype.Date { return pgtype.Date{Time: t, Valid: !t.IsZero()} }
