package kafkalog_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// What an independent client reads is what was produced, byte for byte, in the
// partition that was named; missing and empty keys, values and headers stay
// apart.
func TestProduce(t *testing.T) {
	t.Parallel()
	brokers := testenv.Broker(t).Brokers
	client := open(t, brokers)
	topic := newTopic(t, client, 3)
	records := []kafkarecord.Record{
		{
			Key: []byte("exec-1"), Value: []byte("\x00\xffany bytes"), Offset: 99, Timestamp: time.Unix(0, 0),
			Headers: []kafkarecord.Header{{Key: "a", Value: []byte("1")}, {Key: "a", Value: []byte{}}, {Key: "b"}},
		},
		{Key: []byte{}, Value: []byte{}},
		{},
	}
	for i, r := range records {
		offset, err := client.Produce(t.Context(), topic, 2, r)
		if err != nil || offset != int64(i) {
			t.Fatalf("record %d is at offset %d, error %v", i, offset, err)
		}
	}
	reader := franz(t, brokers, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {2: kgo.NewOffset().AtStart()}}))
	var got []kafkarecord.Record
	for len(got) < len(records) {
		fetches := reader.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		for _, r := range fetches.Records() {
			read := kafkarecord.Record{Key: r.Key, Value: r.Value}
			for _, h := range r.Headers {
				read.Headers = append(read.Headers, kafkarecord.Header{Key: h.Key, Value: h.Value})
			}
			got = append(got, read)
			if age := time.Since(r.Timestamp); age < -time.Hour || age > time.Hour {
				t.Errorf("record %d has the time %v, want the present", r.Offset, r.Timestamp)
			}
		}
	}
	if diff := cmp.Diff(records, got, cmpopts.IgnoreFields(kafkarecord.Record{}, "Offset", "Timestamp")); diff != "" {
		t.Errorf("records (-produced +read):\n%s", diff)
	}
}

func TestProduceToNowhere(t *testing.T) {
	t.Parallel()
	client := open(t, testenv.Broker(t).Brokers, func(c *kafkalog.Config) { c.RequestTimeout = 2 * time.Second })
	topic := newTopic(t, client, 1)
	if offset, err := client.Produce(t.Context(), topic, 7, kafkarecord.Record{Value: []byte("x")}); err == nil {
		t.Errorf("a record was produced to a partition that does not exist, at offset %d", offset)
	}
}
