package kafkalog

import (
	"context"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// Produce appends one record to a partition, and returns its offset once all
// in-sync replicas have it. The record gets the present time, because
// retention goes by time: with its former one it might be removed at once. Its
// Offset is not looked at. After an error the record may have been appended
// all the same.
func (c *Client) Produce(ctx context.Context, topic string, partition int32, record kafkarecord.Record) (offset int64, err error) {
	return c.produce(ctx, topic, partition, []kafkarecord.Record{record})
}

// produce is Produce for several records, which get offsets in a row from base on.
func (c *Client) produce(ctx context.Context, topic string, partition int32, records []kafkarecord.Record) (base int64, err error) {
	batch := make([]kafka.Record, len(records))
	now := time.Now()
	for i, record := range records {
		headers := make([]kafka.Header, len(record.Headers))
		for j, h := range record.Headers {
			headers[j] = kafka.Header{Key: h.Key, Value: h.Value}
		}
		batch[i] = kafka.Record{Time: now, Key: kafka.NewBytes(record.Key), Value: kafka.NewBytes(record.Value), Headers: headers}
	}
	client := kafka.Client{Addr: c.address, Transport: c.transport, Timeout: c.config.RequestTimeout}
	response, err := client.Produce(ctx, &kafka.ProduceRequest{
		Topic:        topic,
		Partition:    int(partition),
		RequiredAcks: kafka.RequireAll,
		Records:      kafka.NewRecordReader(batch...),
	})
	if err == nil {
		err = response.Error
	}
	if err != nil {
		return 0, fmt.Errorf("produce to %s/%d: %w", topic, partition, err)
	}
	return response.BaseOffset, nil
}
