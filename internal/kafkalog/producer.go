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
	headers := make([]kafka.Header, len(record.Headers))
	for i, h := range record.Headers {
		headers[i] = kafka.Header{Key: h.Key, Value: h.Value}
	}
	client := kafka.Client{Addr: c.address, Transport: c.transport, Timeout: c.config.RequestTimeout}
	response, err := client.Produce(ctx, &kafka.ProduceRequest{
		Topic:        topic,
		Partition:    int(partition),
		RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(kafka.Record{
			Time: time.Now(), Key: kafka.NewBytes(record.Key), Value: kafka.NewBytes(record.Value), Headers: headers,
		}),
	})
	if err == nil {
		err = response.Error
	}
	if err != nil {
		return 0, fmt.Errorf("produce to %s/%d: %w", topic, partition, err)
	}
	return response.BaseOffset, nil
}
