package ingest_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// A good and a bad record in a batch of each codec, in a transaction that ends,
// and in one that is taken back.
func TestCompressedAndTransactionalBatches(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	transaction := func(end kgo.TransactionEndTry, records ...kafkarecord.Record) {
		w.writer = w.kafka.Client(w, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionalID("hostile"))
		if err := w.writer.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		w.produce(records...)
		if err := w.writer.EndTransaction(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
	pair := func() []kafkarecord.Record {
		return []kafkarecord.Record{w.say(&contract.ExecutionHeartbeat{ExecutionId: "exec-1"}), raw(`[]`)}
	}
	codecs := map[string]kgo.CompressionCodec{
		"gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	var reasons []fact.Reason
	for _, codec := range codecs {
		w.writer = w.kafka.Client(w, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(codec))
		w.produce(pair()...)
		reasons = append(reasons, fact.ReasonNotObject)
	}
	transaction(kgo.TryAbort, append(pair(), w.say(&contract.ExecutionStarted{ExecutionId: "exec-aborted"}))...)
	transaction(kgo.TryCommit, pair()...)
	reasons = append(reasons, fact.ReasonNotObject)
	w.run()
	w.wantSums(int64(len(codecs)+1), 0, int64(len(codecs)+1))
	w.wantReasons(reasons...)
	if n := w.count("SELECT count(*) FROM execution_ids WHERE execution_id = 'exec-aborted'"); n != 0 {
		t.Error("a transaction that was taken back was seen")
	}
	w.verify()
}
