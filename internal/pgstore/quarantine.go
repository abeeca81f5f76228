package pgstore

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore/internal/dbsqlc"
)

// Poison is a record that could not be accepted, and why.
type Poison struct {
	Record    kafkarecord.Record
	Rejection *fact.Rejection

	// BytesUnknown says that the record was never seen whole or in part: it is
	// known by its coordinates only.
	BytesUnknown bool
}

// header is one record header as record_headers keeps it: name and value in
// base64, because neither has to be text.
type header [2][]byte

// Quarantine is S4f: it keeps bad records with their bytes, or with as many as
// there is room for. ErrQuarantineFull says that there is none.
func (tx *Tx) Quarantine(ctx context.Context, p Partition, poison []Poison) error {
	if len(poison) == 0 {
		return nil
	}
	used, err := tx.q.LockQuarantineUsage(ctx)
	if err != nil {
		return interpret("lock what the quarantine takes", err)
	}
	tx.quarantined.Before = QuarantineUsage{used.OpenRecords, used.OpenBytes}
	room := room{limits: tx.quarantine, used: used.OpenBytes}
	rows := dbsqlc.QuarantineParams{Topic: p.Topic, Partition: p.Number, Generation: p.Generation, QuarantinedAt: tx.now}
	for i := range poison {
		kept, err := room.take(&poison[i])
		if err != nil {
			return err
		}
		addQuarantined(&rows, &poison[i], &kept)
	}
	tx.pipe.doing("quarantine records")
	if err := tx.queued.Quarantine(ctx, rows); err != nil {
		return err
	}
	if tx.deadLetters { // S4g
		tx.pipe.doing("enqueue dead letters")
		if err := tx.queued.EnqueueDeadLetters(ctx, dbsqlc.EnqueueDeadLettersParams{Topic: p.Topic, Partition: p.Number, Generation: p.Generation, Offsets: rows.Offsets, Now: tx.now}); err != nil {
			return err
		}
	}
	after, err := tx.q.QuarantineUsage(ctx)
	if err != nil {
		return interpret("ask what the quarantine takes", err)
	}
	tx.quarantined.After = QuarantineUsage{after.OpenRecords, after.OpenBytes}
	tx.quarantined.InPart = room.inPart
	return nil
}

// addQuarantined appends the row of one record.
func addQuarantined(rows *dbsqlc.QuarantineParams, p *Poison, kept *keptRecord) {
	rec, why := &p.Record, p.Rejection
	length, complete := int64(len(rec.Value)), !p.BytesUnknown && kept.whole
	var sha []byte
	switch o := rec.Oversize; {
	case o != nil:
		complete, length, sha = false, o.Length, o.SHA256[:]
	case rec.Value != nil:
		sum := sha256.Sum256(rec.Value)
		sha = sum[:]
	}
	rows.Offsets = append(rows.Offsets, rec.Offset)
	rows.Reasons = append(rows.Reasons, string(why.Reason))
	rows.Fields = append(rows.Fields, fact.Printable(why.Field))
	rows.Details = append(rows.Details, fact.Printable(why.Detail()))
	rows.RecordKeys = append(rows.RecordKeys, kept.key)
	rows.RecordValues = append(rows.RecordValues, kept.value)
	rows.RecordHeaders = append(rows.RecordHeaders, kept.headers)
	rows.RecordTimes = append(rows.RecordTimes, storableTime(rec.Timestamp))
	rows.Lengths = append(rows.Lengths, length)
	rows.Sums = append(rows.Sums, sha)
	rows.Complete = append(rows.Complete, complete)
}

// storableTime leaves out times that PostgreSQL or a reader of JSON cannot
// hold: a producer writes what it likes into a record's timestamp.
func storableTime(t time.Time) time.Time {
	if t.Year() < 1 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

// QuarantineStatus says what became of a quarantined record.
type QuarantineStatus string

// The statuses of a quarantined record.
const (
	QuarantineOpen      QuarantineStatus = "open"
	QuarantineRequeued  QuarantineStatus = "requeued"
	QuarantineDiscarded QuarantineStatus = "discarded"
)

// QuarantinedRecord is a kept record. Record is empty in listings.
type QuarantinedRecord struct {
	ID            int64
	Topic         string
	Partition     int32
	Generation    int32
	Offset        int64
	Reason        fact.Reason
	Field         string
	Detail        string // the value (cut) and the rule
	Record        kafkarecord.Record
	RecordTime    time.Time
	Length        int64  // of the whole value in bytes
	SHA256        []byte // of the whole value; nil when it has none, or was never read
	Complete      bool   // false: only the first bytes, or none, were kept
	Status        QuarantineStatus
	QuarantinedAt time.Time
	ResolvedAt    time.Time
	ResolvedBy    string
	Resolution    string
}

// QuarantineFilter selects quarantined records; zero values select all.
type QuarantineFilter struct {
	Status QuarantineStatus
	Reason fact.Reason
	Before int64 // only ids below; 0: from the newest
	Page   int   // how many at most
}

// QuarantinedRecords is a page, newest first, without the records' bytes.
func (s *Store) QuarantinedRecords(ctx context.Context, f QuarantineFilter) ([]QuarantinedRecord, error) {
	if f.Before == 0 {
		f.Before = math.MaxInt64
	}
	rows, err := s.q.QuarantinedPage(ctx, dbsqlc.QuarantinedPageParams{BeforeID: f.Before, Status: string(f.Status), Reason: string(f.Reason), Page: int32(f.Page)})
	if err != nil {
		return nil, interpret("list quarantined records", err)
	}
	out := make([]QuarantinedRecord, len(rows))
	for i, r := range rows {
		out[i] = QuarantinedRecord{
			ID: r.ID, Topic: r.Topic, Partition: r.Partition, Generation: r.Generation, Offset: r.KafkaOffset, Reason: fact.Reason(r.Reason),
			Field: r.Field, Detail: r.Detail, RecordTime: timeOf(r.RecordTime), Length: r.ValueLength, SHA256: r.ValueSHA256, Complete: r.Complete,
			Status: QuarantineStatus(r.Status), QuarantinedAt: r.QuarantinedAt.UTC(), ResolvedAt: timeOf(r.ResolvedAt),
			ResolvedBy: r.ResolvedBy, Resolution: r.Resolution,
		}
	}
	return out, nil
}

// QuarantinedRecord is one record with its bytes, or ErrNotFound.
func (s *Store) QuarantinedRecord(ctx context.Context, id int64) (QuarantinedRecord, error) {
	r, err := s.q.QuarantinedRecord(ctx, id)
	if err != nil {
		return QuarantinedRecord{}, interpret("read quarantined record", err)
	}
	rec := kafkarecord.Record{Offset: r.KafkaOffset, Timestamp: timeOf(r.RecordTime), Key: r.RecordKey, Value: r.RecordValue}
	if rec.Headers, err = headersOf(r.RecordHeaders); err != nil {
		return QuarantinedRecord{}, interpret("read quarantined record", err)
	}
	if !r.Complete && r.RecordValue != nil {
		rec.Oversize = &kafkarecord.Oversize{Length: r.ValueLength, SHA256: [32]byte(r.ValueSHA256)}
	}
	return QuarantinedRecord{
		ID: r.ID, Topic: r.Topic, Partition: r.Partition, Generation: r.Generation, Offset: r.KafkaOffset, Reason: fact.Reason(r.Reason),
		Field: r.Field, Detail: r.Detail, Record: rec, RecordTime: rec.Timestamp, Length: r.ValueLength, SHA256: r.ValueSHA256, Complete: r.Complete,
		Status: QuarantineStatus(r.Status), QuarantinedAt: r.QuarantinedAt.UTC(), ResolvedAt: timeOf(r.ResolvedAt),
		ResolvedBy: r.ResolvedBy, Resolution: r.Resolution,
	}, nil
}

// Discard selects open records to be given up, oldest first.
type Discard struct {
	Reason  fact.Reason // empty: whatever the reason
	UpTo    int64       // not those with a higher id: they came after it was decided
	Most    int
	By, Why string
	At      time.Time
}

// DiscardOpen gives up open records, as Resolve does one, and tells how many.
func (s *Store) DiscardOpen(ctx context.Context, d Discard) (int64, error) {
	var n int64
	err := s.settle(ctx, d.At, func(tx *Tx) (err error) {
		ids, err := tx.q.OpenQuarantined(ctx, d.UpTo, string(d.Reason), int32(d.Most))
		if err != nil {
			return interpret("list quarantined records", err)
		}
		if err := tx.lendForGood(ctx, ids); err != nil {
			return err
		}
		n, err = tx.q.DiscardQuarantined(ctx, dbsqlc.DiscardQuarantinedParams{
			Now: d.At, ResolvedBy: d.By, Resolution: d.Why, UpTo: d.UpTo, Reason: string(d.Reason), Most: int32(d.Most),
		})
		if err != nil || n == 0 {
			return interpret("discard quarantined records", err)
		}
		which := "all open records"
		if d.Reason != "" {
			which += " of reason " + string(d.Reason)
		}
		return tx.Audit(ctx, AuditEntry{Actor: d.By, Action: ActionDiscardRecord, Subject: fmt.Sprintf("%d of %s up to %d", n, which, d.UpTo), Reason: d.Why})
	})
	return n, err
}

// lendForGood leaves the bytes of open records, which are about to be given up,
// with their dead letters that are not published yet.
func (tx *Tx) lendForGood(ctx context.Context, ids []int64) error {
	tx.pipe.doing("keep the bytes of dead letters")
	return tx.queued.LendForGood(ctx, ids)
}

// settle runs work in a transaction that may change quarantined records.
func (s *Store) settle(ctx context.Context, now time.Time, work func(*Tx) error) error {
	return s.Batch(ctx, now, func(tx *Tx) error {
		if _, err := tx.q.LockQuarantineUsage(ctx); err != nil {
			return interpret("lock what the quarantine takes", err)
		}
		return work(tx)
	})
}

// Resolve settles an open record as requeued or discarded, with who and why. Its
// bytes are given up; what it was can still be proven.
// ErrNotFound says that it is not open (any more).
func (s *Store) Resolve(ctx context.Context, id int64, to QuarantineStatus, by, why string, now time.Time) error {
	return s.settle(ctx, now, func(tx *Tx) error {
		return tx.resolve(ctx, dbsqlc.ResolveQuarantinedParams{Status: string(to), Now: now, ResolvedBy: by, Resolution: why, ID: id}, "")
	})
}

// DiscardQuarantined is Store.Resolve, as discarded, within a transaction that
// somebody's request is carried out in.
func (tx *Tx) DiscardQuarantined(ctx context.Context, id int64, by, why, request string) error {
	if _, err := tx.q.LockQuarantineUsage(ctx); err != nil {
		return interpret("lock what the quarantine takes", err)
	}
	return tx.resolve(ctx, dbsqlc.ResolveQuarantinedParams{Status: string(QuarantineDiscarded), Now: tx.now, ResolvedBy: by, Resolution: why, ID: id}, request)
}

func (tx *Tx) resolve(ctx context.Context, p dbsqlc.ResolveQuarantinedParams, request string) error {
	if err := tx.lendForGood(ctx, []int64{p.ID}); err != nil {
		return err
	}
	n, err := tx.q.ResolveQuarantined(ctx, p)
	switch {
	case err != nil:
		return interpret("settle quarantined record", err)
	case n == 0:
		return ErrNotFound
	}
	action := ActionDiscardRecord
	if p.Status == string(QuarantineRequeued) {
		action = ActionRequeueRecord
	}
	return tx.Audit(ctx, AuditEntry{Actor: p.ResolvedBy, Action: action, Subject: strconv.FormatInt(p.ID, 10), Reason: p.Resolution, RequestID: request})
}
