package pgstore

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"strconv"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// OutboxTopic is an outgoing topic by its role; names of topics are settings.
type OutboxTopic string

// The outgoing topics.
const (
	OutboxCommands    OutboxTopic = "commands"
	OutboxReports     OutboxTopic = "reports"
	OutboxDeadLetters OutboxTopic = "dead-letters"
)

// OutboxTopics are all of them.
func OutboxTopics() []OutboxTopic {
	return []OutboxTopic{OutboxCommands, OutboxReports, OutboxDeadLetters}
}

// OutboxRow is an event for other programs, as it is to be produced.
type OutboxRow struct {
	Topic   OutboxTopic
	EventID string // follows from what the event states, and is unique in its topic
	Type    fact.Type
	Subject string
	Time    time.Time          // when it happened
	Record  kafkarecord.Record // key, value and headers; those that share a key are published in the order in which they were enqueued
}

// Enqueue is S4g: it takes events into the outbox, to be published after the
// transaction is committed. The caller holds the lock of what they tell of, so
// that the order of a key's rows is that of its transactions. An event that is
// there already is left as it is. Nothing is waited for.
func (tx *Tx) Enqueue(ctx context.Context, rows []OutboxRow) error {
	if len(rows) == 0 {
		return nil
	}
	p := dbsqlc.EnqueueParams{Now: tx.now}
	for i := range rows {
		r := &rows[i]
		headers, err := headersJSON(r.Record.Headers)
		if err != nil {
			return err
		}
		hash := sha256.Sum256(r.Record.Key)
		if r.Record.Key == nil { // no order to keep
			hash = sha256.Sum256([]byte(r.EventID))
		}
		p.TopicRoles, p.EventIds = append(p.TopicRoles, string(r.Topic)), append(p.EventIds, r.EventID)
		p.Types, p.Subjects = append(p.Types, string(r.Type)), append(p.Subjects, r.Subject)
		p.EventTimes, p.KeyHashes = append(p.EventTimes, r.Time), append(p.KeyHashes, hash[:])
		p.RecordKeys, p.RecordValues = append(p.RecordKeys, r.Record.Key), append(p.RecordValues, r.Record.Value)
		p.RecordHeaders = append(p.RecordHeaders, headers)
	}
	tx.pipe.doing("enqueue events")
	return tx.queued.Enqueue(ctx, p)
}

// OutboxEntry is a claimed row with its record.
type OutboxEntry struct {
	ID         int64
	EventID    string
	EnqueuedAt time.Time
	Record     kafkarecord.Record
	DeadLetter *DeadLetter // nil: an event
}

// DeadLetter says of which quarantined record an entry is the copy.
type DeadLetter struct {
	Topic     string
	Partition int32
	Offset    int64
	Reason    fact.Reason
	Field     string
	Detail    string
	Length    int64  // of the whole value in bytes
	SHA256    []byte // of the whole value; nil when it has none, or was never read
	InPart    bool   // only the first bytes of the record, or none, were kept
	Gone      bool   // the record was settled by a program that knows no dead letters, and its bytes are given up
}

// OutboxClaim says what a publisher wants.
type OutboxClaim struct {
	Topic OutboxTopic
	After OutboxPlace // where the former claim ended
	Most  int         // rows
	Bytes int64       // of their values, about; one row is given whatever it takes
}

// OutboxPlace is a place in the order in which keys are claimed, so that none
// starves; the zero value is the beginning.
type OutboxPlace struct{ keyHash []byte }

// IsZero tells whether it is the beginning.
func (p OutboxPlace) IsZero() bool { return len(p.keyHash) == 0 }

// OutboxClaimed is what a claim found.
type OutboxClaimed struct {
	Entries []OutboxEntry
	Next    OutboxPlace // for the next claim
	Behind  []int64     // the parked rows behind which others were found, for HoldBack
}

// ClaimOutbox locks the first unpublished row of each of the next keys and gives
// them. Rows that another publisher has, or that wait behind one, are not among
// them. They are this transaction's until its end: a row that it does not mark is
// claimed again.
func (tx *Tx) ClaimOutbox(ctx context.Context, c OutboxClaim) (OutboxClaimed, error) {
	found, err := tx.q.ClaimOutbox(ctx, string(c.Topic), int32(c.Most), append([]byte{}, c.After.keyHash...))
	if err != nil {
		return OutboxClaimed{}, interpret("claim outbox rows", err)
	}
	var claimed OutboxClaimed // its place is the beginning, once the last key was seen
	var ids []int64
	var size int64
	for i := range found {
		if found[i].Behind != 0 {
			claimed.Behind = append(claimed.Behind, found[i].Behind)
			continue
		}
		if size += found[i].Bytes; size > c.Bytes && len(ids) > 0 {
			claimed.Next = OutboxPlace{found[i-1].KeyHash}
			break
		}
		ids = append(ids, found[i].ID)
	}
	if claimed.Next.IsZero() && len(found) == c.Most {
		claimed.Next = OutboxPlace{found[len(found)-1].KeyHash}
	}
	if len(ids) == 0 {
		return claimed, nil
	}
	rows, err := tx.q.OutboxRecords(ctx, ids)
	if err != nil {
		return OutboxClaimed{}, interpret("read outbox rows", err)
	}
	claimed.Entries = make([]OutboxEntry, len(rows))
	for i := range rows {
		if claimed.Entries[i], err = outboxEntry(&rows[i]); err != nil {
			return OutboxClaimed{}, interpret("read outbox rows", err)
		}
	}
	return claimed, nil
}

// outboxEntry is the one mapper of an outbox row with its record.
func outboxEntry(r *dbsqlc.OutboxRecordsRow) (OutboxEntry, error) {
	e := OutboxEntry{ID: r.ID, EventID: r.EventID, EnqueuedAt: r.EnqueuedAt.UTC()}
	e.Record = kafkarecord.Record{Key: r.RecordKey, Value: r.RecordValue}
	stored := r.RecordHeaders
	if r.QuarantinedID != nil {
		e.DeadLetter = &DeadLetter{
			Topic: r.Topic, Partition: r.Partition, Offset: r.KafkaOffset, Reason: fact.Reason(r.Reason), Field: r.Field, Detail: r.Detail,
			Length: r.ValueLength, SHA256: r.ValueSHA256,
		}
		if stored == nil { // lent
			e.Record.Key, e.Record.Value, stored = r.QuarantinedKey, r.QuarantinedValue, r.QuarantinedHeaders
			e.DeadLetter.InPart = !r.Complete
			e.DeadLetter.Gone = QuarantineStatus(r.QuarantineStatus) != QuarantineOpen
		} else { // the record said complete until it gave its bytes up
			e.DeadLetter.InPart = int64(len(r.RecordValue)) != r.ValueLength || e.DeadLetter.Reason == fact.ReasonCrash
		}
	}
	var err error
	e.Record.Headers, err = headersOf(stored)
	return e, err
}

// Published says where a claimed row lies in Kafka.
type Published struct {
	ID        int64
	Partition int32
	Offset    int64
}

// MarkPublished says that claimed rows are in a topic, whose name is given.
func (tx *Tx) MarkPublished(ctx context.Context, topic string, rows []Published) error {
	if len(rows) == 0 {
		return nil
	}
	p := dbsqlc.MarkPublishedParams{Now: tx.now, Topic: topic}
	for _, r := range rows {
		p.Ids, p.Partitions, p.Offsets = append(p.Ids, r.ID), append(p.Partitions, r.Partition), append(p.Offsets, r.Offset)
	}
	tx.pipe.doing("mark outbox rows as published")
	return tx.queued.MarkPublished(ctx, p)
}

// Refused is a claimed row that the broker will not take, and why.
type Refused struct {
	ID     int64
	Reason string
}

// Park sets claimed rows aside. The rows of their keys wait behind them until an
// operator has released or discarded them.
func (tx *Tx) Park(ctx context.Context, rows []Refused) error {
	if len(rows) == 0 {
		return nil
	}
	var ids []int64
	var reasons []string
	for _, r := range rows {
		ids, reasons = append(ids, r.ID), append(reasons, fact.Printable(r.Reason))
	}
	tx.pipe.doing("park outbox rows")
	return tx.queued.ParkOutbox(ctx, tx.now, ids, reasons)
}

// heldBackAtOnce bounds the rows that one transaction holds back.
const heldBackAtOnce = 1000

// HoldBack has claims pass over the rows behind parked ones, until those are
// released or discarded: else each claim would come upon them.
func (tx *Tx) HoldBack(ctx context.Context, parked []int64) error {
	if len(parked) == 0 {
		return nil
	}
	tx.pipe.doing("hold outbox rows back")
	return tx.queued.HoldBack(ctx, heldBackAtOnce, parked)
}

// CountAttempts counts a try in vain of claimed rows that stay to be published.
func (tx *Tx) CountAttempts(ctx context.Context, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	tx.pipe.doing("count attempts of outbox rows")
	return tx.queued.CountAttempts(ctx, ids)
}

// ParkedRow is an event that the broker has refused.
type ParkedRow struct {
	ID         int64
	Topic      OutboxTopic
	EventID    string
	Type       fact.Type // empty for a dead letter
	Subject    string    // likewise
	Time       time.Time // when it happened
	Attempts   int32
	EnqueuedAt time.Time
	ParkedAt   time.Time
	Reason     string
}

// ParkedRows is a page of the parked rows, oldest first.
func (s *Store) ParkedRows(ctx context.Context, after int64, page int) ([]ParkedRow, error) {
	rows, err := s.q.ParkedOutbox(ctx, after, int32(page))
	if err != nil {
		return nil, interpret("list parked outbox rows", err)
	}
	out := make([]ParkedRow, len(rows))
	for i, r := range rows {
		out[i] = ParkedRow{
			ID: r.ID, Topic: OutboxTopic(r.TopicRole), EventID: r.EventID, Type: fact.Type(r.Type), Subject: r.Subject, Time: r.EventTime.UTC(),
			Attempts: r.Attempts, EnqueuedAt: r.EnqueuedAt.UTC(), ParkedAt: r.ParkedAt.UTC(), Reason: r.ParkedReason,
		}
	}
	return out, nil
}

// ReleaseParked has a parked row tried again, and notes who wanted that and why.
// ErrNotFound says that it is not parked (any more).
func (s *Store) ReleaseParked(ctx context.Context, id int64, by, why string, now time.Time) error {
	return s.Batch(ctx, now, func(tx *Tx) error {
		n, err := tx.q.ReleaseParked(ctx, dbsqlc.ReleaseParkedParams{Now: now, ResolvedBy: by, Resolution: why, ID: id})
		if err := oneRow("release parked outbox row", n, err); err != nil {
			return err
		}
		if err := tx.letFollow(ctx, id); err != nil {
			return err
		}
		return tx.Audit(ctx, AuditEntry{Actor: by, Action: ActionReleaseParked, Subject: strconv.FormatInt(id, 10), Reason: why})
	})
}

// DiscardParked gives a parked row up: it is never published, and those behind it
// follow without it. Who wanted that and why is noted. ErrNotFound says that it is
// not parked (any more).
func (s *Store) DiscardParked(ctx context.Context, id int64, by, why string, now time.Time) error {
	return s.Batch(ctx, now, func(tx *Tx) error {
		n, err := tx.q.DiscardParked(ctx, dbsqlc.DiscardParkedParams{Now: now, ResolvedBy: by, Resolution: why, ID: id})
		if err := oneRow("discard parked outbox row", n, err); err != nil {
			return err
		}
		if err := tx.letFollow(ctx, id); err != nil {
			return err
		}
		return tx.Audit(ctx, AuditEntry{Actor: by, Action: ActionDiscardParked, Subject: strconv.FormatInt(id, 10), Reason: why})
	})
}

// letFollow frees what was held back behind a row, all at once: those held back
// would be overtaken by what comes new. They may be many.
func (tx *Tx) letFollow(ctx context.Context, id int64) error {
	const op = "let outbox rows follow"
	tx.pipe.doing(op)
	if err := tx.queued.TakeTime(ctx); err != nil {
		return err
	}
	return interpret(op, tx.q.LetFollow(ctx, id))
}

func oneRow(op string, n int64, err error) error {
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return interpret(op, err)
}

// OutboxState is what waits in the outbox for one topic.
type OutboxState struct {
	Oldest time.Time // when the oldest row was enqueued that is neither published nor parked; zero: none waits
	Parked int64     // up to 10,000 of all topics together
}

// OutboxState asks what waits for the topics.
func (s *Store) OutboxState(ctx context.Context) (map[OutboxTopic]OutboxState, error) {
	state := make(map[OutboxTopic]OutboxState)
	for _, topic := range OutboxTopics() {
		oldest, err := s.q.OldestPending(ctx, string(topic))
		if err = interpret("ask for the oldest outbox row", err); err != nil && !isNotFound(err) {
			return nil, err
		}
		if err == nil {
			oldest = oldest.UTC()
		}
		state[topic] = OutboxState{Oldest: oldest}
	}
	parked, err := s.q.CountParked(ctx)
	if err != nil {
		return nil, interpret("count parked outbox rows", err)
	}
	for _, p := range parked {
		of := state[OutboxTopic(p.TopicRole)]
		of.Parked = p.Parked
		state[OutboxTopic(p.TopicRole)] = of
	}
	return state, nil
}

// RemoveFinished removes at most so many rows that were published or discarded
// before a moment, and tells how many.
func (s *Store) RemoveFinished(ctx context.Context, before time.Time, most int) (int, error) {
	n, err := s.q.RemoveFinished(ctx, before, int32(most))
	return int(n), interpret("remove published outbox rows", err)
}

// headersJSON is how headers are stored: names and values in base64, because
// neither has to be text.
func headersJSON(headers []kafkarecord.Header) (json.RawMessage, error) {
	stored := make([]header, len(headers))
	for i, h := range headers {
		stored[i] = header{[]byte(h.Key), h.Value}
	}
	return json.Marshal(stored)
}

// headersOf are stored headers; nil when there are none.
func headersOf(stored json.RawMessage) ([]kafkarecord.Header, error) {
	if len(stored) == 0 {
		return nil, nil
	}
	var headers []header
	if err := json.Unmarshal(stored, &headers); err != nil {
		return nil, err
	}
	var out []kafkarecord.Header
	for _, h := range headers {
		out = append(out, kafkarecord.Header{Key: string(h[0]), Value: h[1]})
	}
	return out, nil
}
