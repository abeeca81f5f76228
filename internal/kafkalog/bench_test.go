package kafkalog_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
)

// BenchmarkRead reads 200,000 records of 500 bytes from kfake, which shares the
// processor with us, by our reader and by kafka-go's: compare the two of one run.
func BenchmarkRead(b *testing.B) {
	const many = 200_000
	cluster := startKfake(b, kfake.SeedTopics(1, "topic"))
	brokers := cluster.ListenAddrs()
	producer := franz(b, brokers, kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.MaxBufferedRecords(many))
	value := bytes.Repeat([]byte("0123456789"), 50)
	records := make([]*kgo.Record, many)
	for i := range records {
		records[i] = &kgo.Record{Topic: "topic", Key: []byte("execution-1"), Value: value, Headers: []kgo.RecordHeader{
			{Key: "ce_id", Value: []byte("1")}, {Key: "ce_type", Value: []byte("x")}, {Key: "ce_source", Value: []byte("y")},
		}}
	}
	if err := producer.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		b.Fatal(err)
	}
	report := func(b *testing.B) {
		b.Helper()
		b.ReportMetric(float64(b.N)*many/b.Elapsed().Seconds(), "records/s")
	}

	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		client := open(b, brokers)
		for b.Loop() {
			reader := client.NewPartitionReader("topic", 0, 0, kafkalog.ReadConfig{})
			for at := int64(0); at < many; {
				batch, err := next(b, reader)
				if err != nil {
					b.Fatal(err)
				}
				at = batch.Next
				batch.Release()
			}
		}
		report(b)
	})
	b.Run("kafka-go Reader", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			reader := kafka.NewReader(kafka.ReaderConfig{Brokers: brokers, Topic: "topic", MaxBytes: 1 << 20, QueueCapacity: 1000, MaxWait: 50 * time.Millisecond})
			for range many {
				if _, err := reader.ReadMessage(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			if err := reader.Close(); err != nil {
				b.Fatal(err)
			}
		}
		report(b)
	})
}
