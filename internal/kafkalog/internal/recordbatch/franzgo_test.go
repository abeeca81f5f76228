package recordbatch_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog/internal/batchtest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog/internal/recordbatch"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// TestReadsAsFranzGo compares with franz-go on logs of any batches, compacted
// and transactional ones among them, from any offset and in blocks of any size.
func TestReadsAsFranzGo(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		log := drawLog(t)
		from := rapid.Int64Range(0, log.end-1).Draw(t, "from")
		data, aborted := log.answer(from)
		wantRecords, wantNext, err := franz(data, from, aborted)
		if err != nil {
			t.Fatalf("franz-go cannot decode the log: %v", err)
		}
		limits := unlimited
		limits.Records = rapid.IntRange(1, 20).Draw(t, "records of a block")
		limits.Bytes = rapid.IntRange(1, 2000).Draw(t, "bytes of a block")
		records, next, err := decode(data, from, aborted, limits)
		if err != nil {
			t.Fatal(err)
		}
		if next != wantNext || next != log.end {
			t.Errorf("next is %d, franz-go says %d, the log ends at %d", next, wantNext, log.end)
		}
		if diff := cmp.Diff(wantRecords, records); diff != "" {
			t.Errorf("other records than franz-go (-franz-go +ours):\n%s", diff)
		}
	})
}

// partitionLog is a log as a broker has it.
type partitionLog struct {
	batches [][]byte
	lasts   []int64 // the last offset of each batch
	aborted []abortedTransaction
	end     int64
}

type abortedTransaction struct {
	recordbatch.Aborted
	marker int64
}

func (l *partitionLog) append(batch []byte, last int64) {
	l.batches, l.lasts = append(l.batches, batch), append(l.lasts, last)
	l.end = last + 1
}

// answer is what a broker answers to a fetch: the batches from the one on that
// holds the offset, and the aborted transactions that reach so far.
func (l *partitionLog) answer(from int64) (data []byte, aborted []recordbatch.Aborted) {
	for i, batch := range l.batches {
		if l.lasts[i] >= from {
			data = append(data, batch...)
		}
	}
	for _, a := range l.aborted {
		if a.marker >= from {
			aborted = append(aborted, a.Aborted)
		}
	}
	return data, aborted
}

// drawLog draws batches of several producers, some in transactions, with holes
// and empty batches as compaction leaves them.
func drawLog(t *rapid.T) *partitionLog {
	l := new(partitionLog)
	open := map[int64]int64{} // producer -> first offset of its transaction
	end := func(producer int64, commit bool) {
		if !commit {
			l.aborted = append(l.aborted, abortedTransaction{recordbatch.Aborted{ProducerID: producer, FirstOffset: open[producer]}, l.end})
		}
		delete(open, producer)
		l.append(batchtest.Marker(l.end, producer, commit), l.end)
	}
	for range rapid.IntRange(1, 12).Draw(t, "batches") {
		first := l.end + rapid.Int64Range(0, 3).Draw(t, "offsets compacted before")
		producer := rapid.Int64Range(1, 3).Draw(t, "producer")
		_, inTransaction := open[producer]
		if inTransaction && rapid.Bool().Draw(t, "ends transaction") {
			end(producer, rapid.Bool().Draw(t, "commits"))
			continue
		}
		b := batchtest.Batch{
			First:          first,
			Codec:          rapid.SampledFrom(codecs).Draw(t, "codec"),
			ProducerID:     producer,
			FirstTimestamp: rapid.Int64Range(0, 1<<41).Draw(t, "timestamp"),
			MaxTimestamp:   rapid.Int64Range(0, 1<<41).Draw(t, "max timestamp"),
		}
		if rapid.Bool().Draw(t, "log append time") {
			b.Attributes |= batchtest.LogAppendTime
		}
		if inTransaction || rapid.Bool().Draw(t, "transactional") {
			b.Attributes |= batchtest.Transactional
			if !inTransaction {
				open[producer] = first
			}
		}
		delta := int64(0)
		for range rapid.IntRange(0, 6).Draw(t, "records") {
			delta += rapid.Int64Range(0, 2).Draw(t, "compacted")
			b.Records = append(b.Records, drawRecord(t, delta))
			delta++
		}
		if len(b.Records) == 0 {
			b.Codec = batchtest.None // as the cleaner writes them
		}
		b.LastDelta = int32(delta + rapid.Int64Range(0, 2).Draw(t, "compacted at the end"))
		l.append(b.Encode(), first+int64(b.LastDelta))
	}
	// A reader of committed records gets nothing behind an open transaction, so
	// none is left open.
	for producer := range int64(4) {
		if _, ok := open[producer]; ok {
			end(producer, false)
		}
	}
	l.aborted = rapid.Permutation(l.aborted).Draw(t, "order of aborted transactions")
	return l
}

func drawRecord(t *rapid.T, delta int64) batchtest.Record {
	field := rapid.OneOf(rapid.Just([]byte(nil)), rapid.SliceOfN(rapid.Byte(), 0, 300))
	r := batchtest.Record{
		Delta:          delta,
		TimestampDelta: rapid.Int64Range(-1<<40, 1<<40).Draw(t, "timestamp delta"),
		Key:            field.Draw(t, "key"),
		Value:          field.Draw(t, "value"),
	}
	for range rapid.IntRange(0, 3).Draw(t, "headers") {
		r.Headers = append(r.Headers, batchtest.Header{
			Key:   rapid.SampledFrom([]string{"", "ce_id", "ce_type", "content-type"}).Draw(t, "name"),
			Value: field.Draw(t, "header value"),
		})
	}
	return r
}

// franz decodes the same with franz-go.
func franz(data []byte, from int64, aborted []recordbatch.Aborted) (records []kafkarecord.Record, next int64, err error) {
	response := kmsg.NewFetchResponseTopicPartition()
	response.RecordBatches = data
	for _, a := range aborted {
		t := kmsg.NewFetchResponseTopicPartitionAbortedTransaction()
		t.ProducerID, t.FirstOffset = a.ProducerID, a.FirstOffset
		response.AbortedTransactions = append(response.AbortedTransactions, t)
	}
	partition, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		Offset: from, IsolationLevel: kgo.ReadCommitted(),
	}, &response, kgo.DefaultDecompressor(), nil)
	for _, r := range partition.Records {
		record := kafkarecord.Record{Offset: r.Offset, Timestamp: r.Timestamp.UTC(), Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			record.Headers = append(record.Headers, kafkarecord.Header{Key: h.Key, Value: h.Value})
		}
		records = append(records, record)
	}
	return records, next, partition.Err
}
