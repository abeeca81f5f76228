package pgstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/retention"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
)

// The reads of verification: everything that is stored of one aggregate at one
// moment, and what only the database can compare.

// snapshot calls read with a view of the store at one moment.
func (s *Store) snapshot(ctx context.Context, read func(*Store) error) error {
	tx, err := s.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly})
	if err != nil {
		return interpret("begin snapshot", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackTimeout)
		defer cancel()
		_ = tx.Rollback(ctx) // nothing was written
	}()
	return read(&Store{pool: s.pool, q: s.q.WithTx(tx)})
}

// RunKeysAfter is a page of the keys of all runs.
func (s *Store) RunKeysAfter(ctx context.Context, after RunKey, page int) ([]RunKey, error) {
	rows, err := s.q.RunKeys(ctx, string(after.ID), int32(after.Number), int32(page))
	if err != nil {
		return nil, interpret("list runs", err)
	}
	keys := make([]RunKey, len(rows))
	for i, r := range rows {
		keys[i] = RunKey{execution.ID(r.ExecutionID), execution.RunNumber(r.Run)}
	}
	return keys, nil
}

// StoredRun is all that is stored of a run, at one moment.
type StoredRun struct {
	State     *execution.State
	Events    []StoredEvent            // in their order
	LogLines  map[int64]int64          // how many, by the arrival of their event
	Snapshots map[int64]StoredSnapshot // by the arrival of their event

	Annotations map[fact.Key]Annotation // by the key of their event

	Gone retention.Kinds // what retention has removed of it
}

// StoredSnapshot is a snapshot without its big JSON.
type StoredSnapshot struct {
	SnapshotID string
	Kind       execution.SnapshotKind
	Service    string
	Phase      string
	Health     string
	CapturedAt time.Time
	Order      fact.Order
}

// StoredRun reads a run, or gives ErrNotFound.
func (s *Store) StoredRun(ctx context.Context, k RunKey) (StoredRun, error) {
	var stored StoredRun
	err := s.snapshot(ctx, func(s *Store) error {
		run, err := s.Run(ctx, k)
		if err != nil {
			return err
		}
		if stored.State, err = s.PartsOfRun(ctx, run); err != nil {
			return err
		}
		if stored.Events, err = s.EventsOfRun(ctx, &run); err != nil {
			return err
		}
		if stored.LogLines, err = s.logLinesByArrival(ctx, &run); err != nil {
			return err
		}
		if stored.Snapshots, err = s.snapshotsByArrival(ctx, &run); err != nil {
			return err
		}
		if stored.Annotations, err = s.annotationsByKey(ctx, &run); err != nil {
			return err
		}
		removed, err := s.Removed(ctx, k)
		stored.Gone = removed.Kinds
		return err
	})
	return stored, err
}

func (s *Store) logLinesByArrival(ctx context.Context, r *execution.Run) (map[int64]int64, error) {
	rows, err := s.q.LogLinesByEvent(ctx, string(r.ID), int32(r.Number), r.Bucket)
	if err != nil {
		return nil, interpret("count log lines", err)
	}
	lines := make(map[int64]int64, len(rows))
	for _, l := range rows {
		lines[l.Arrival] = l.Lines
	}
	return lines, nil
}

func (s *Store) snapshotsByArrival(ctx context.Context, r *execution.Run) (map[int64]StoredSnapshot, error) {
	rows, err := s.q.SnapshotsOfRun(ctx, string(r.ID), int32(r.Number), r.Bucket)
	if err != nil {
		return nil, interpret("read snapshots", err)
	}
	snapshots := make(map[int64]StoredSnapshot, len(rows))
	for _, v := range rows {
		order, err := orderOf(v.OrderKey)
		if err != nil {
			return nil, fmt.Errorf("read snapshot %s of %s/%d: %w", v.SnapshotID, r.ID, r.Number, err)
		}
		snapshots[v.Arrival] = StoredSnapshot{
			SnapshotID: v.SnapshotID, Kind: execution.SnapshotKind(v.Kind), Service: v.Service, Phase: v.Phase, Health: v.Health,
			CapturedAt: v.CapturedAt.UTC(), Order: order,
		}
	}
	return snapshots, nil
}

func (s *Store) annotationsByKey(ctx context.Context, r *execution.Run) (map[fact.Key]Annotation, error) {
	all := map[fact.Key]Annotation{}
	for after := (fact.Order{}); ; {
		page, err := s.Annotations(ctx, r, after, 1000)
		if err != nil {
			return nil, err
		}
		for _, a := range page {
			all[a.Order.Key], after = a, a.Order
		}
		if len(page) < 1000 {
			return all, nil
		}
	}
}

// array32 is b as an array, cut or filled up: a row that somebody altered must
// be read too.
func array32[T ~[32]byte](b []byte) T {
	var a T
	copy(a[:], b)
	return a
}

// LatestRun is the run of an id with the highest number, or ErrNotFound.
func (s *Store) LatestRun(ctx context.Context, id execution.ID) (execution.Run, error) {
	var runs []execution.Run
	var err error
	s.q.LatestRuns(ctx, [][]string{{string(id)}}).Query(func(_ int, rows []dbsqlc.Execution, failed error) {
		runs, err = runsFromRows("read latest run", rows, failed)
	})
	if err != nil {
		return execution.Run{}, err
	}
	if len(runs) == 0 {
		return execution.Run{}, ErrNotFound
	}
	return runs[0], nil
}

// Aggregate names a template, a scenario or a schedule.
type Aggregate struct{ Kind, ID string }

// AggregatesAfter is a page of all aggregates without runs that have an event
// or a row.
func (s *Store) AggregatesAfter(ctx context.Context, after Aggregate, page int) ([]Aggregate, error) {
	rows, err := s.q.DefinitionAggregates(ctx, after.Kind, after.ID, int32(page))
	if err != nil {
		return nil, interpret("list aggregates", err)
	}
	aggregates := make([]Aggregate, len(rows))
	for i, r := range rows {
		aggregates[i] = Aggregate{Kind: r.Aggregate, ID: r.Subject}
	}
	return aggregates, nil
}

// StoredDefinition is all that is stored of one aggregate, at one moment.
type StoredDefinition struct {
	Events   []StoredEvent    // in their order
	Catalog  scenario.Catalog // the aggregate alone; empty when it has no row
	Versions int32            // number of the newest version, as the row says
}

// StoredDefinition reads an aggregate.
func (s *Store) StoredDefinition(ctx context.Context, a Aggregate) (StoredDefinition, error) {
	var stored StoredDefinition
	err := s.snapshot(ctx, func(s *Store) error {
		rows, err := s.q.DefinitionEventsOf(ctx, a.Kind, a.ID)
		if err != nil {
			return interpret("read definition events", err)
		}
		for i := range rows {
			e, err := definitionEventFromRow(&rows[i])
			if err != nil {
				return err
			}
			stored.Events = append(stored.Events, e)
		}
		switch a.Kind {
		case kindTemplate:
			return s.readTemplate(ctx, a.ID, &stored)
		case kindScenario:
			return s.readScenario(ctx, a.ID, &stored)
		default:
			return s.readSchedule(ctx, a.ID, &stored)
		}
	})
	return stored, err
}

func definitionEventFromRow(v *dbsqlc.DefinitionEvent) (StoredEvent, error) {
	order, err := orderOf(v.OrderKey)
	if err != nil {
		return StoredEvent{}, fmt.Errorf("read event %x: %w", v.EventKey, err)
	}
	e := StoredEvent{
		Header: fact.Header{
			Key: order.Key, Digest: array32[fact.Digest](v.Digest), Source: v.Source, ID: v.EventID, Subject: v.Subject, Type: fact.Type(v.Type),
			Time: order.Time, Sequence: fact.Sequence(valueOf(v.Sequence)), TraceParent: v.TraceParent, CorrelationID: v.CorrelationID,
			Suspect: v.TimeSuspect, Data: v.Data, Extensions: v.Extensions, Unknown: v.UnknownFields,
		},
		KeyColumn: array32[fact.Key](v.EventKey), TimeColumn: v.EventTime.UTC(), OrderColumn: order,
		DigestVersion: v.DigestVersion,
		Topic:         valueOf(v.Topic), Partition: valueOf(v.Partition), Offset: OwnEvent, RecordedAt: v.RecordedAt.UTC(),
	}
	if v.KafkaOffset != nil {
		e.Offset = *v.KafkaOffset
	}
	return e, nil
}

func (s *Store) readTemplate(ctx context.Context, id string, into *StoredDefinition) error {
	rows, err := s.q.TemplatesByID(ctx, []string{id})
	if err != nil {
		return interpret("read template", err)
	}
	t := &scenario.Template{ID: scenario.TemplateID(id)} // versions may be there without a row
	if len(rows) > 0 {
		if t, err = templateFromRow(&rows[0]); err != nil {
			return err
		}
		into.Versions = rows[0].Versions
	}
	versions, err := s.q.TemplateVersionsOf(ctx, id)
	if err != nil {
		return interpret("read template versions", err)
	}
	for _, r := range versions {
		v, err := versionOf(r)
		if err != nil {
			return err
		}
		put(&t.Versions, v.Hash, v)
	}
	if len(rows)+len(versions) > 0 {
		put(&into.Catalog.Templates, t.ID, t)
	}
	return nil
}

func (s *Store) readScenario(ctx context.Context, id string, into *StoredDefinition) error {
	rows, err := s.q.ScenariosByID(ctx, []string{id})
	if err != nil {
		return interpret("read scenario", err)
	}
	c := &scenario.Scenario{ID: scenario.ID(id)}
	if len(rows) > 0 {
		if c, err = scenarioFromRow(&rows[0]); err != nil {
			return err
		}
		into.Versions = rows[0].Versions
	}
	versions, err := s.q.ScenarioVersionsOf(ctx, id)
	if err != nil {
		return interpret("read scenario versions", err)
	}
	for _, r := range versions {
		v, err := versionOf(dbsqlc.TemplateVersion{
			TemplateID: r.ScenarioID, Number: r.Number, ContentHash: r.ContentHash, Definition: r.Definition, Author: r.Author,
			ChangeNote: r.ChangeNote, PublishedAt: r.PublishedAt, Marks: r.Marks,
		})
		if err != nil {
			return err
		}
		put(&c.Versions, v.Hash, v)
	}
	dependencies, err := s.q.DependenciesOf(ctx, []string{id})
	if err != nil {
		return interpret("read dependencies", err)
	}
	for _, r := range dependencies {
		c.Dependencies.Dependencies = append(c.Dependencies.Dependencies, dependencyFromRow(r))
	}
	// In byte order, as the fold has them; the database's own may be another.
	slices.SortFunc(c.Dependencies.Dependencies, func(a, b scenario.Dependency) int {
		return cmp.Or(cmp.Compare(a.DependsOn, b.DependsOn), cmp.Compare(a.Kind, b.Kind))
	})
	if len(rows)+len(versions)+len(dependencies) > 0 {
		put(&into.Catalog.Scenarios, c.ID, c)
	}
	return nil
}

func (s *Store) readSchedule(ctx context.Context, id string, into *StoredDefinition) error {
	rows, err := s.q.SchedulesByID(ctx, []string{id})
	if err != nil {
		return interpret("read schedule", err)
	}
	if len(rows) == 0 {
		return nil
	}
	c, err := scheduleFromRow(&rows[0])
	if err != nil {
		return err
	}
	put(&into.Catalog.Schedules, c.ScheduleID, c)
	return nil
}

// OrphanedRows are rows of a run in one of its tables, without the run.
type OrphanedRows struct {
	Table  string
	Run    RunKey
	Bucket time.Time
}

// OrphanedRows finds at most limit runs of which there are rows, but no run in
// the same bucket.
func (s *Store) OrphanedRows(ctx context.Context, limit int) ([]OrphanedRows, error) {
	rows, err := s.q.OrphanedRows(ctx, int32(limit))
	if err != nil {
		return nil, interpret("look for orphaned rows", err)
	}
	orphans := make([]OrphanedRows, len(rows))
	for i, r := range rows {
		orphans[i] = OrphanedRows{
			Table: r.OfTable, Run: RunKey{execution.ID(r.ExecutionID), execution.RunNumber(r.Run)}, Bucket: r.Bucket,
		}
	}
	return orphans, nil
}

// IDMismatch is an execution id whose row does not say what its runs do.
type IDMismatch struct {
	ID         execution.ID
	LatestRun  execution.RunNumber // as its row says; 0: none, or no row
	NewestRun  execution.RunNumber // as its runs say
	Buckets    []time.Time         // as its row says
	RunBuckets []time.Time         // as its runs say
}

// IDMismatches finds at most limit of them.
func (s *Store) IDMismatches(ctx context.Context, limit int) ([]IDMismatch, error) {
	rows, err := s.q.ExecutionIDMismatches(ctx, int32(limit))
	if err != nil {
		return nil, interpret("compare execution ids", err)
	}
	mismatches := make([]IDMismatch, len(rows))
	for i, r := range rows {
		mismatches[i] = IDMismatch{
			ID: execution.ID(r.ExecutionID), LatestRun: execution.RunNumber(r.LatestRun), NewestRun: execution.RunNumber(r.NewestRun),
			Buckets: r.Buckets, RunBuckets: r.RunBuckets,
		}
	}
	return mismatches, nil
}

// PartitionSum puts the sums of a partition beside what is stored of it.
type PartitionSum struct {
	Topic       string
	Partition   int32
	Applied     int64 // as the partition's row says
	Events      int64 // stored
	Quarantined int64 // as the partition's row says
	Kept        int64 // quarantined records stored
}

// PartitionSums are those of all partitions that have a row, an event or a
// quarantined record.
func (s *Store) PartitionSums(ctx context.Context) ([]PartitionSum, error) {
	rows, err := s.q.PartitionSums(ctx)
	if err != nil {
		return nil, interpret("add up partitions", err)
	}
	sums := make([]PartitionSum, len(rows))
	for i, r := range rows {
		sums[i] = PartitionSum(r)
	}
	return sums, nil
}

// AlteredRecords finds at most limit quarantined records whose bytes are not
// those that were quarantined.
func (s *Store) AlteredRecords(ctx context.Context, limit int) ([]int64, error) {
	ids, err := s.q.AlteredRecords(ctx, int32(limit))
	return ids, interpret("check quarantined records", err)
}

// QuarantineSum is what the open quarantined records take: counted row by row,
// and as the sum that is kept says.
func (s *Store) QuarantineSum(ctx context.Context) (counted, kept QuarantineUsage, err error) {
	sum, err := s.q.QuarantineSum(ctx)
	return QuarantineUsage{sum.OpenRecords, sum.OpenBytes}, QuarantineUsage{sum.KeptRecords, sum.KeptBytes}, interpret("count quarantined records", err)
}
