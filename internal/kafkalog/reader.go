package kafkalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog/internal/recordbatch"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// ReadConfig bounds what a PartitionReader asks for and hands out. Zero values
// stand for the defaults named beside them.
type ReadConfig struct {
	// TopicID lets only the topic with this id be read, on brokers that know ids:
	// one that is made again by the same name is ErrOtherTopic, however long it is.
	// Zero: whichever topic has the name.
	TopicID TopicID

	MaxWait    time.Duration // how long a broker may wait for MinBytes: 250 ms
	MinBytes   int32         // what it waits for: 1
	FetchBytes int32         // most bytes of a fetch, as they lie in the log: 1 MiB; a larger batch comes all the same

	BatchRecords int // most records of a Batch: 1,000
	BatchBytes   int // a Batch that holds so many decompressed bytes takes no further record: 4 MiB
	RecordBytes  int // records with a larger key or value come as Oversize, with the first 64 KiB of their value: 1 MiB
}

func (c ReadConfig) withDefaults() ReadConfig {
	c.MaxWait = cmp.Or(c.MaxWait, 250*time.Millisecond)
	c.MinBytes = cmp.Or(c.MinBytes, 1)
	c.FetchBytes = cmp.Or(c.FetchBytes, 1<<20)
	c.BatchRecords = cmp.Or(c.BatchRecords, 1000)
	c.BatchBytes = cmp.Or(c.BatchBytes, 4<<20)
	c.RecordBytes = cmp.Or(c.RecordBytes, 1<<20)
	return c
}

// PartitionReader reads the committed records of one partition in order. It is
// not safe for concurrent use, and needs no closing.
//
// What it holds in memory is one response as it came from the broker and one
// Batch, whatever the response decompresses to: see package recordbatch.
type PartitionReader struct {
	client    *Client
	topic     string
	partition int32
	config    ReadConfig

	next     int64   // offset to go on from
	ask      int32   // bytes of the next fetch
	response *answer // what decoder reads, nil when it is used up
	bounds   bounds  // of the log, as the last response gave them
	decoder  recordbatch.Decoder
}

// NewPartitionReader returns a reader of a partition from an offset on.
func (c *Client) NewPartitionReader(topic string, partition int32, offset int64, config ReadConfig) *PartitionReader {
	config = config.withDefaults()
	return &PartitionReader{client: c, topic: topic, partition: partition, next: offset, ask: config.FetchBytes, config: config}
}

type bounds struct{ start, lastStable, highWatermark int64 }

// Batch is a run of records of one partition, in order.
type Batch struct {
	// Records are valid until Release. There may be none.
	Records []kafkarecord.Record

	// Next is the offset to go on from after this batch. It lies behind the last
	// record, and behind aborted transactions, markers and offsets that
	// compaction has emptied, so that it may rise without any record.
	Next int64

	Bytes int // memory of the keys, values and headers of the records

	// The bounds of the log as the broker gave them with the response that the
	// records are from.
	LogStart, LastStable, HighWatermark int64

	block  *recordbatch.Block
	client *Client
}

// Release gives back the memory of the records, which must not be used any
// more. It may be called more than once, but not concurrently.
func (b *Batch) Release() {
	if b.block == nil {
		return
	}
	b.block.Reset()
	b.client.blocks.Put(b.block)
	b.block, b.Records = nil, nil
}

// Next returns the next records, waiting at most MaxWait for some: a batch
// without records, whose Next may have risen all the same, is no error.
//
// Errors are *OffsetOutOfRangeError, *CorruptBatchError, ErrOtherTopic, and those of the round
// trip: see [IsRetriable]. After any of them the reader stands where it was, and
// Next may be called again.
func (r *PartitionReader) Next(ctx context.Context) (*Batch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if r.response != nil {
		position := r.next
		batch, err := r.decode()
		if err != nil || batch.Next > position {
			return batch, err
		}
		batch.Release() // the response was used up exactly
	}
	if err := r.fetch(ctx); err != nil {
		return nil, fmt.Errorf("fetch %s/%d from offset %d: %w", r.topic, r.partition, r.next, err)
	}
	return r.decode()
}

// decode takes the next batch out of the response.
func (r *PartitionReader) decode() (*Batch, error) {
	block, ok := r.client.blocks.Get().(*recordbatch.Block)
	if !ok {
		block = new(recordbatch.Block)
	}
	position := r.next
	err := r.decoder.Read(block, recordbatch.Limits{
		Records:     r.config.BatchRecords,
		Bytes:       r.config.BatchBytes,
		RecordBytes: r.config.RecordBytes,
	})
	r.next = r.decoder.Next()
	batch := &Batch{
		Records: block.Records, Next: r.next, Bytes: block.Bytes(),
		LogStart: r.bounds.start, LastStable: r.bounds.lastStable, HighWatermark: r.bounds.highWatermark,
		block: block, client: r.client,
	}
	var corrupt *recordbatch.Error
	switch {
	case errors.Is(err, io.EOF):
		r.drop()
	case errors.As(err, &corrupt) && r.next == position: // else: first what came before, the error with the next call
		r.drop()
		batch.Release()
		return nil, &CorruptBatchError{Topic: r.topic, Partition: r.partition, First: corrupt.First, Last: corrupt.Last, Err: corrupt.Err}
	}
	return batch, nil
}

func (r *PartitionReader) drop() {
	r.response.release()
	r.response = nil
}

// fetch asks the leader for what comes from the position on.
func (r *PartitionReader) fetch(ctx context.Context) error {
	request := kmsg.NewPtrFetchRequest()
	request.MaxWaitMillis = int32(r.config.MaxWait / time.Millisecond)
	request.MinBytes = r.config.MinBytes
	// A limit for the whole response that is near to that of the partition makes
	// franz-go's kfake leave out the list of aborted transactions.
	request.MaxBytes = int32(min(8*int64(r.config.FetchBytes), 1<<30))
	request.IsolationLevel = readCommitted
	request.SessionID, request.SessionEpoch = 0, -1 // no fetch session
	askedPartition := kmsg.NewFetchRequestTopicPartition()
	askedPartition.Partition = r.partition
	askedPartition.FetchOffset = r.next
	askedPartition.PartitionMaxBytes = r.ask
	askedTopic := kmsg.NewFetchRequestTopic()
	askedTopic.Topic, askedTopic.TopicID = r.topic, r.config.TopicID
	askedTopic.Partitions = append(askedTopic.Partitions, askedPartition)
	request.Topics = append(request.Topics, askedTopic)

	answer, err := r.client.exchange(ctx, request, toLeader(r.topic, r.partition), r.config.MaxWait+r.client.config.RequestTimeout)
	r.adapt(err)
	if err != nil {
		return err
	}
	log, err := r.find(answer.response.(*kmsg.FetchResponse))
	if err != nil {
		answer.release()
		if errors.Is(err, kafka.OffsetOutOfRange) {
			return r.outOfRange(ctx)
		}
		return err
	}
	aborted := make([]recordbatch.Aborted, len(log.AbortedTransactions))
	for i, t := range log.AbortedTransactions {
		aborted[i] = recordbatch.Aborted{ProducerID: t.ProducerID, FirstOffset: t.FirstOffset}
	}
	r.response = answer
	r.bounds = bounds{log.LogStartOffset, log.LastStableOffset, log.HighWatermark}
	r.decoder.Reset(log.RecordBatches, r.next, aborted)
	return nil
}

// adapt asks for half as much after a response that did not come in time: what a
// slow network cannot carry within the deadline would be asked for, and thrown
// away, for ever. What comes in time is followed by slightly more.
func (r *PartitionReader) adapt(err error) {
	var late interface{ Timeout() bool }
	switch {
	case err == nil:
		r.ask = min(r.ask+r.ask/8, r.config.FetchBytes)
	case errors.As(err, &late) && late.Timeout():
		r.ask = max(r.ask/2, min(leastFetch, r.config.FetchBytes))
	}
}

// leastFetch is what is asked for at least, in bytes. A larger record batch
// comes all the same, and as a whole.
const leastFetch = 4 << 10

// find returns our partition in a response.
func (r *PartitionReader) find(response *kmsg.FetchResponse) (*kmsg.FetchResponseTopicPartition, error) {
	if err := failure(response.ErrorCode); err != nil {
		return nil, err
	}
	for i := range response.Topics {
		byID := response.Version >= fetchByIDVersion
		if byID && response.Topics[i].TopicID != r.config.TopicID || !byID && response.Topics[i].Topic != r.topic {
			continue
		}
		for j := range response.Topics[i].Partitions {
			if p := &response.Topics[i].Partitions[j]; p.Partition == r.partition {
				return p, failure(p.ErrorCode)
			}
		}
	}
	return nil, errors.New("the response lacks the partition")
}

// outOfRange completes the broker's bare error with the bounds of the log.
func (r *PartitionReader) outOfRange(ctx context.Context) error {
	offsets, err := r.client.Offsets(ctx, r.topic, r.partition)
	if err != nil {
		return err
	}
	if r.next >= offsets.Start && r.next <= offsets.End {
		return kafka.OffsetNotAvailable // the log has changed between the two answers: ask again
	}
	return &OffsetOutOfRangeError{Topic: r.topic, Partition: r.partition, Asked: r.next, LogStart: offsets.Start, LogEnd: offsets.End}
}
