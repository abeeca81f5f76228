package pgstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// TopicID is Kafka's id of a topic; the zero id is unknown.
type TopicID [16]byte

// Partition is the stored position in one partition of an input topic.
type Partition struct {
	Topic         string
	Number        int32
	Generation    int32 // raised when an operator resets onto another log
	TopicID       TopicID
	Epoch         int64 // raised by each claim
	Owner         string
	Next          int64 // first offset not ingested
	Attempts      int32 // deaths while the records at Next were read
	CarefulUntil  int64 // below this offset records are taken one at a time
	StoppedReason string
	Applied       int64
	Duplicates    int64
	Quarantined   int64
	ClaimedAt     time.Time
	UpdatedAt     time.Time
}

func partitionFromRow(r dbsqlc.IngestPartition) Partition {
	return Partition{
		Topic: r.Topic, Number: r.Partition, Generation: r.Generation, TopicID: r.TopicID.Bytes, Epoch: r.Epoch, Owner: r.Owner,
		Next: r.NextOffset, Attempts: r.Attempts, CarefulUntil: r.CarefulUntil, StoppedReason: r.StoppedReason,
		Applied: r.Applied, Duplicates: r.Duplicates, Quarantined: r.Quarantined,
		ClaimedAt: r.ClaimedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
}

// Recreated tells whether a topic with the given id is another one than that
// which was ingested. An id that one side does not know tells nothing.
func (p Partition) Recreated(id TopicID) bool {
	return p.TopicID != TopicID{} && id != TopicID{} && p.TopicID != id
}

func (id TopicID) pg() pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: id != TopicID{}} }

// ClaimRequest asks for a partition.
type ClaimRequest struct {
	Topic          string
	Partition      int32
	TopicID        TopicID
	Owner          string
	LogStart       int64 // where to begin if the partition was never seen
	CarefulRecords int64 // how many records to take one at a time after an unclean stop
	Now            time.Time
}

// Claim is S0: it makes the caller the owner and fences the former one.
func (s *Store) Claim(ctx context.Context, r ClaimRequest) (Partition, error) {
	row, err := s.q.ClaimPartition(ctx, dbsqlc.ClaimPartitionParams{
		Topic: r.Topic, Partition: r.Partition, TopicID: r.TopicID.pg(), Owner: r.Owner,
		LogStart: r.LogStart, Now: r.Now, CarefulRecords: r.CarefulRecords,
	})
	if err != nil {
		return Partition{}, interpret("claim partition", err)
	}
	return partitionFromRow(row), nil
}

// Release is a clean stop of the owner. ErrFenced says that another has claimed the
// partition since, and that nothing was released.
func (s *Store) Release(ctx context.Context, p Partition, now time.Time) error {
	n, err := s.q.ReleasePartition(ctx, dbsqlc.ReleasePartitionParams{Now: now, Topic: p.Topic, Partition: p.Number, Epoch: p.Epoch})
	return fencedUnless(n, "release partition", err)
}

// BeginAttempt notes that the records at the position are read now, where
// processes died before: a death after this is theirs. Without deaths at the
// position the claim says so already.
func (s *Store) BeginAttempt(ctx context.Context, p Partition) error {
	n, err := s.q.BeginAttempt(ctx, p.Topic, p.Number, p.Epoch)
	return fencedUnless(n, "begin attempt", err)
}

// EndAttempt notes that no records came after BeginAttempt: a death now is not
// theirs.
func (s *Store) EndAttempt(ctx context.Context, p Partition) error {
	n, err := s.q.EndAttempt(ctx, p.Topic, p.Number, p.Epoch)
	return fencedUnless(n, "end attempt", err)
}

// Decoded notes that the records at the position were fetched and decoded
// alive: deaths after this are not theirs.
func (s *Store) Decoded(ctx context.Context, p Partition) error {
	n, err := s.q.DecodedAttempt(ctx, p.Topic, p.Number, p.Epoch)
	return fencedUnless(n, "note decoded attempt", err)
}

// Outlived says of a worker that another has overtaken at a position that it is
// alive: the claim of the other has counted a death that was none.
func (s *Store) Outlived(ctx context.Context, p Partition, position int64) error {
	return interpret("take back a death", s.q.TakeBackDeath(ctx, dbsqlc.TakeBackDeathParams{
		Topic: p.Topic, Partition: p.Number, Epoch: p.Epoch, Position: position,
	}))
}

// Stop keeps everybody from ingesting the partition until an operator acts.
func (s *Store) Stop(ctx context.Context, p Partition, reason string, now time.Time) error {
	n, err := s.q.StopPartition(ctx, dbsqlc.StopPartitionParams{Reason: reason, Now: now, Topic: p.Topic, Partition: p.Number, Epoch: p.Epoch})
	return fencedUnless(n, "stop partition", err)
}

// Position is where a partition stands, whoever owns it.
type Position struct {
	Epoch   int64
	Next    int64
	Stopped bool
}

// Position reads where a partition stands: it settles a commit in doubt.
func (s *Store) Position(ctx context.Context, topic string, partition int32) (Position, error) {
	row, err := s.q.PartitionPosition(ctx, topic, partition)
	return Position{Epoch: row.Epoch, Next: row.NextOffset, Stopped: row.StoppedReason != ""}, interpret("read position", err)
}

// Partitions are all partitions ever claimed.
func (s *Store) Partitions(ctx context.Context) ([]Partition, error) {
	rows, err := s.q.Partitions(ctx)
	if err != nil {
		return nil, interpret("list partitions", err)
	}
	out := make([]Partition, len(rows))
	for i, r := range rows {
		out[i] = partitionFromRow(r)
	}
	return out, nil
}

// Advance is S4a, the fence and the offset in one statement: it moves the
// position from position to next. It is sent with the next statement; ErrFenced
// comes from that one, or from the commit.
func (tx *Tx) Advance(ctx context.Context, p Partition, position, next int64) {
	tx.pipe.doing("advance position")
	advanced := tx.queued.AdvancePartition(ctx, []dbsqlc.AdvancePartitionParams{{
		NextOffset: next, Now: tx.now, Topic: p.Topic, Partition: p.Number, Epoch: p.Epoch, Position: position,
	}})
	tx.pipe.taking(func() (failed error) {
		advanced.QueryRow(func(_ int, timeline string, err error) {
			switch {
			case errors.Is(err, pgx.ErrNoRows):
				failed = ErrFenced
			case err != nil:
				failed = interpret("advance position", err)
			default:
				tx.timeline, failed = parseTimeline(timeline)
			}
		})
		return failed
	})
}

// Timeline is PostgreSQL's timeline that the transaction was committed on, or
// would be.
func (tx *Tx) Timeline() uint32 { return tx.timeline }

// LearnTimeline asks for the timeline, in a transaction that moves no partition.
func (tx *Tx) LearnTimeline(ctx context.Context) error {
	row, err := tx.q.ClusterIdentity(ctx)
	if err != nil {
		return interpret("ask for the timeline", err)
	}
	tx.timeline, err = parseTimeline(row.TimelineHex)
	return err
}

// Count adds the batch to the partition's sums.
func (tx *Tx) Count(ctx context.Context, p Partition, applied, duplicates, quarantined int) error {
	tx.pipe.doing("count records")
	return tx.queued.CountRecords(ctx, dbsqlc.CountRecordsParams{
		Applied: int64(applied), Duplicates: int64(duplicates), Quarantined: int64(quarantined), Topic: p.Topic, Partition: p.Number,
	})
}

func fencedUnless(rows int64, op string, err error) error {
	switch {
	case err != nil:
		return interpret(op, err)
	case rows == 0:
		return ErrFenced
	}
	return nil
}

// Gap is a range of offsets that Kafka no longer held when they were wanted.
type Gap struct {
	Topic      string
	Partition  int32
	Generation int32
	From, To   int64 // To is the first offset after the hole
	Cause      GapCause
	DetectedAt time.Time
	AcceptedAt time.Time // zero: open
	AcceptedBy string
}

// GapCause says where the offsets went.
type GapCause string

// The causes of a gap.
const (
	GapRetention GapCause = "retention" // Kafka deleted them before they were read
	GapRecreated GapCause = "recreated" // the log is another one now: made again, or without its former end
)

// RecordGap notes a hole and stops the partition, in one transaction. It tells
// whether the hole was new.
func (s *Store) RecordGap(ctx context.Context, p Partition, g Gap, reason string) (fresh bool, err error) {
	err = s.Batch(ctx, g.DetectedAt, func(tx *Tx) error {
		n, err := tx.q.StopPartition(ctx, dbsqlc.StopPartitionParams{Reason: reason, Now: tx.now, Topic: p.Topic, Partition: p.Number, Epoch: p.Epoch})
		if err := fencedUnless(n, "stop partition", err); err != nil {
			return err
		}
		n, err = tx.q.RecordGap(ctx, dbsqlc.RecordGapParams{
			Topic: g.Topic, Partition: g.Partition, Generation: g.Generation, FromOffset: g.From, ToOffset: g.To, Cause: string(g.Cause), DetectedAt: g.DetectedAt,
		})
		fresh = n > 0
		return interpret("record gap", err)
	})
	return fresh, err
}

// Gaps are all holes ever found.
func (s *Store) Gaps(ctx context.Context) ([]Gap, error) {
	rows, err := s.q.AllGaps(ctx)
	if err != nil {
		return nil, interpret("list gaps", err)
	}
	out := make([]Gap, len(rows))
	for i, r := range rows {
		out[i] = Gap{
			Topic: r.Topic, Partition: r.Partition, Generation: r.Generation, From: r.FromOffset, To: r.ToOffset,
			Cause: GapCause(r.Cause), DetectedAt: r.DetectedAt.UTC(), AcceptedAt: timeOf(r.AcceptedAt), AcceptedBy: r.AcceptedBy,
		}
	}
	return out, nil
}

// ErrNoGap says that there is no open gap to accept.
var ErrNoGap = errors.New("the partition has no open gap")

// AcceptGap is an operator's word that the loss of a partition's open gap is
// accepted: ingest goes on at next, and the present worker is fenced.
func (s *Store) AcceptGap(ctx context.Context, topic string, partition int32, next int64, by string, now time.Time) error {
	return s.Batch(ctx, now, func(tx *Tx) error {
		row, err := tx.q.LockPartition(ctx, topic, partition)
		if err != nil {
			return interpret("find partition", err)
		}
		n, err := tx.q.AcceptGaps(ctx, dbsqlc.AcceptGapsParams{Now: now, AcceptedBy: by, ToOffset: next, Topic: topic, Partition: partition})
		if err != nil {
			return interpret("accept gap", err)
		}
		if n == 0 {
			return ErrNoGap
		}
		audit := AuditEntry{Actor: by, Action: ActionAcceptGap, Subject: fmt.Sprintf("%s/%d", topic, partition), Reason: fmt.Sprintf("goes on at %d", next)}
		if err := tx.Audit(ctx, audit); err != nil {
			return err
		}
		return interpret("move partition", tx.q.MovePartition(ctx, dbsqlc.MovePartitionParams{
			Generation: row.Generation, TopicID: row.TopicID, NextOffset: next, Now: now, Topic: topic, Partition: partition,
		}))
	})
}

// ResetRequest asks to move a partition.
type ResetRequest struct {
	Topic     string
	Partition int32
	TopicID   TopicID // of the topic as it is now; zero is unknown
	Next      int64   // where to go on
	By        string  // who asks
	Now       time.Time
}

// Reset moves a partition to another offset by an operator's word, and fences
// its worker. When the offsets mean other records than before, because the
// topic has another id or an open gap says that the log is another one, the
// generation is raised, so that they are not taken for the former ones. Open
// gaps count as accepted.
func (s *Store) Reset(ctx context.Context, r ResetRequest) (Partition, error) {
	return r.run(ctx, s.Batch)
}

// TryReset tells what Reset would make of the partition, and changes nothing.
func (s *Store) TryReset(ctx context.Context, r ResetRequest) (Partition, error) {
	return r.run(ctx, s.Trial)
}

func (r ResetRequest) run(ctx context.Context, transact func(context.Context, time.Time, func(*Tx) error) error) (Partition, error) {
	var moved Partition
	err := transact(ctx, r.Now, func(tx *Tx) error {
		row, err := tx.q.LockPartition(ctx, r.Topic, r.Partition)
		if err != nil {
			return interpret("find partition", err)
		}
		gaps, err := tx.q.OpenGaps(ctx, r.Topic, r.Partition)
		if err != nil {
			return interpret("find gaps", err)
		}
		moved = partitionFromRow(row)
		if moved.Recreated(r.TopicID) || slices.ContainsFunc(gaps, func(g dbsqlc.IngestGap) bool { return GapCause(g.Cause) == GapRecreated }) {
			moved.Generation++
		}
		if r.TopicID != (TopicID{}) {
			moved.TopicID = r.TopicID
		}
		moved.Next = r.Next
		if _, err := tx.q.AcceptGaps(ctx, dbsqlc.AcceptGapsParams{Now: r.Now, AcceptedBy: r.By, ToOffset: 0, Topic: r.Topic, Partition: r.Partition}); err != nil {
			return interpret("accept gap", err)
		}
		audit := AuditEntry{Actor: r.By, Action: ActionResetPartition, Subject: fmt.Sprintf("%s/%d", r.Topic, r.Partition), Reason: fmt.Sprintf("goes on at %d", r.Next)}
		if err := tx.Audit(ctx, audit); err != nil {
			return err
		}
		return interpret("move partition", tx.q.MovePartition(ctx, dbsqlc.MovePartitionParams{
			Generation: moved.Generation, TopicID: moved.TopicID.pg(), NextOffset: r.Next, Now: r.Now, Topic: r.Topic, Partition: r.Partition,
		}))
	})
	return moved, err
}
