// Package quarantine brings quarantined records back to where they came from,
// so that they go the whole way again: after an upgrade that knows their type,
// or a change of limits.
//
// It knows the store and the log, and nothing of what a record holds: whether
// it is accepted this time is decided by whoever ingests it.
package quarantine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// MarkHeader names, on a requeued record, where it was first found:
// topic/partition@offset#id.
const MarkHeader = "tcda-requeued-from"

// Limits of the decoder that the mark must not break. A record that has no
// room for it goes without.
type Limits struct {
	Headers     int
	HeaderBytes int
}

// Requeuer produces quarantined records to their partitions again.
type Requeuer struct {
	Store  *pgstore.Store
	Kafka  *kafkalog.Client
	Limits Limits
}

// ErrNotOpen says that a record was requeued or discarded before.
var ErrNotOpen = errors.New("the record is not open any more")

// ErrGone says that a record was not kept whole, and that Kafka has it no more.
var ErrGone = errors.New("the record was not kept whole and cannot be fetched again")

// Requeue produces an open record to the partition that it came from, so that
// it keeps its place among the records of its key, and then settles it. It
// returns the record's new offset.
//
// If the process dies in between, the record stays open though it was
// produced: requeued again it is a duplicate, which changes nothing.
func (r *Requeuer) Requeue(ctx context.Context, id int64, by, why string, now time.Time) (offset int64, err error) {
	q, err := r.Store.QuarantinedRecord(ctx, id)
	if err != nil {
		return 0, err
	}
	if q.Status != pgstore.QuarantineOpen {
		return 0, fmt.Errorf("%w: %s by %s at %s", ErrNotOpen, q.Status, q.ResolvedBy, q.ResolvedAt.Format(time.RFC3339))
	}
	record := q.Record
	if !q.Complete {
		if record, err = r.fetch(ctx, &q); err != nil {
			return 0, err
		}
	}
	offset, err = r.Kafka.Produce(ctx, q.Topic, q.Partition, r.marked(&q, record))
	if err != nil {
		return 0, err
	}
	resolution := fmt.Sprintf("produced again at offset %d", offset)
	if why != "" {
		resolution = why + "; " + resolution
	}
	err = r.Store.Resolve(ctx, id, pgstore.QuarantineRequeued, by, resolution, now)
	if errors.Is(err, pgstore.ErrNotFound) {
		return offset, fmt.Errorf("%w: somebody else settled it while it was produced again at offset %d, which changes nothing", ErrNotOpen, offset)
	}
	return offset, err
}

// marked is the record with the mark in place of a former one.
func (r *Requeuer) marked(q *pgstore.QuarantinedRecord, record kafkarecord.Record) kafkarecord.Record {
	headers := slices.DeleteFunc(slices.Clone(record.Headers), func(h kafkarecord.Header) bool { return h.Key == MarkHeader })
	mark := kafkarecord.Header{Key: MarkHeader, Value: fmt.Appendf(nil, "%s/%d@%d#%d", q.Topic, q.Partition, q.Offset, q.ID)}
	size := len(mark.Key) + len(mark.Value)
	for _, h := range headers {
		size += len(h.Key) + len(h.Value)
	}
	if len(headers) < r.Limits.Headers && size <= r.Limits.HeaderBytes {
		headers = append(headers, mark)
	}
	record.Headers = headers
	return record
}

// mostFetched bounds a record that is fetched again, unless its value alone is
// known to be longer.
const mostFetched = 64 << 20

// fetch reads a record that was not kept whole from its place in Kafka.
func (r *Requeuer) fetch(ctx context.Context, q *pgstore.QuarantinedRecord) (kafkarecord.Record, error) {
	if err := r.stillThere(ctx, q); err != nil {
		return kafkarecord.Record{}, err
	}
	most := max(int(q.Length), mostFetched)
	reader := r.Kafka.NewPartitionReader(q.Topic, q.Partition, q.Offset, kafkalog.ReadConfig{BatchRecords: 1, RecordBytes: most})
	for {
		batch, err := reader.Next(ctx)
		var outside *kafkalog.OffsetOutOfRangeError
		switch {
		case errors.As(err, &outside):
			return kafkarecord.Record{}, fmt.Errorf("%w: %w", ErrGone, err)
		case err != nil:
			return kafkarecord.Record{}, err
		case batch.Next <= q.Offset:
			batch.Release()
			continue // nothing came in time
		}
		record, found := copyOf(batch.Records, q.Offset)
		batch.Release()
		switch {
		case !found:
			return kafkarecord.Record{}, fmt.Errorf("%w: compaction has removed offset %d", ErrGone, q.Offset)
		case record.Oversize != nil:
			return kafkarecord.Record{}, fmt.Errorf("%w: it is larger than %d bytes, or has too many headers", ErrGone, most)
		case q.Record.Oversize != nil && sha256.Sum256(record.Value) != q.Record.Oversize.SHA256:
			return kafkarecord.Record{}, fmt.Errorf("%w: offset %d now holds another one", ErrGone, q.Offset)
		}
		return record, nil
	}
}

// stillThere makes sure that the offset is within the log, and that the log is
// the one that the record was found in.
func (r *Requeuer) stillThere(ctx context.Context, q *pgstore.QuarantinedRecord) error {
	topic, err := r.Kafka.Topic(ctx, q.Topic)
	if err != nil {
		return err
	}
	partitions, err := r.Store.Partitions(ctx)
	if err != nil {
		return err
	}
	for _, p := range partitions {
		if p.Topic != q.Topic || p.Number != q.Partition {
			continue
		}
		if p.Recreated(pgstore.TopicID(topic.ID)) || p.Generation != q.Generation {
			return fmt.Errorf("%w: the topic was re-created since, or its log lost its end", ErrGone)
		}
	}
	log, err := r.Kafka.Offsets(ctx, q.Topic, q.Partition)
	if err != nil {
		return err
	}
	if q.Offset < log.Start || q.Offset >= log.LastStable {
		return fmt.Errorf("%w: the log holds offsets %d up to %d, and this is %d", ErrGone, log.Start, log.LastStable, q.Offset)
	}
	return nil
}

// copyOf is the record at an offset, in memory of its own.
func copyOf(records []kafkarecord.Record, offset int64) (kafkarecord.Record, bool) {
	for _, r := range records {
		if r.Offset != offset {
			continue
		}
		r.Key, r.Value, r.Headers = slices.Clone(r.Key), slices.Clone(r.Value), slices.Clone(r.Headers)
		for i := range r.Headers {
			r.Headers[i].Value = slices.Clone(r.Headers[i].Value)
		}
		return r, true
	}
	return kafkarecord.Record{}, false
}
