package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// Appender appends records to topics, each to the partition that Java's clients
// would choose for its key. It is safe for concurrent use. Its client must know
// the topics, see [Config].
type Appender struct {
	client *Client

	mu         sync.Mutex
	partitions map[string]knownPartitions
	keyless    kafka.RoundRobin
}

// knownPartitions are those of a topic, as they were a while ago.
type knownPartitions struct {
	numbers []int
	until   time.Time
}

// NewAppender makes an appender over the connections of a client.
func NewAppender(c *Client) *Appender {
	return &Appender{client: c, partitions: map[string]knownPartitions{}}
}

// Appended says what became of a record: where it lies, or why it is not known to
// lie anywhere. After an error it may have been appended all the same.
type Appended struct {
	Partition int32
	Offset    int64
	Err       error
}

// requestBytes is how much of keys, values and headers goes into one request: far
// below what brokers take for a batch by default, which is 1 MiB.
const requestBytes = 512 << 10

// Append appends records to a topic and waits until all in-sync replicas have
// them. The records of one partition keep their order, as far as none of them
// fails. A record that the broker refuses, see [RefusesRecord], does not fail its
// neighbours.
func (a *Appender) Append(ctx context.Context, topic string, records []kafkarecord.Record) []Appended {
	out := make([]Appended, len(records))
	numbers, err := a.partitionsOf(ctx, topic)
	if err != nil {
		for i := range out {
			out[i].Err = err
		}
		return out
	}
	of := map[int32][]int{} // partition -> places of its records
	for i := range records {
		p := a.partitionFor(records[i].Key, numbers)
		out[i].Partition = p
		of[p] = append(of[p], i)
	}
	var appending sync.WaitGroup
	for partition, places := range of {
		appending.Go(func() { a.appendTo(ctx, topic, partition, records, places, out) })
	}
	appending.Wait()
	return out
}

// appendTo appends the records at the given places, some at a time.
func (a *Appender) appendTo(ctx context.Context, topic string, partition int32, records []kafkarecord.Record, places []int, out []Appended) {
	for len(places) > 0 {
		n, size := 0, 0
		for n < len(places) {
			if size += sizeOf(&records[places[n]]); size > requestBytes && n > 0 {
				break
			}
			n++
		}
		a.appendTogether(ctx, topic, partition, records, places[:n], out)
		places = places[n:]
	}
}

// appendTogether appends records in one request, and one by one when the broker
// refuses a record among them: it then takes none, and does not say for certain
// which it is.
func (a *Appender) appendTogether(ctx context.Context, topic string, partition int32, records []kafkarecord.Record, places []int, out []Appended) {
	batch := make([]kafkarecord.Record, len(places))
	for i, place := range places {
		batch[i] = records[place]
	}
	base, err := a.client.produce(ctx, topic, partition, batch)
	if RefusesRecord(err) && len(places) > 1 {
		for i := range places {
			a.appendTogether(ctx, topic, partition, records, places[i:i+1], out)
		}
		return
	}
	if err != nil {
		a.forget(topic) // it may have been made again, with other partitions
	}
	for i, place := range places {
		out[place].Offset, out[place].Err = base+int64(i), err
	}
}

func sizeOf(r *kafkarecord.Record) int {
	size := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		size += len(h.Key) + len(h.Value)
	}
	return size
}

// partitionFor is the partition of a key; records without one take turns.
func (a *Appender) partitionFor(key []byte, numbers []int) int32 {
	m := kafka.Message{Key: key}
	if key == nil {
		return int32(a.keyless.Balance(m, numbers...)) //nolint:gosec // a partition's number
	}
	return int32(kafka.Murmur2Balancer{}.Balance(m, numbers...)) //nolint:gosec // a partition's number
}

// partitionsOf asks for a topic's partitions now and then: partitions that are
// added get keys, as with Java's clients.
func (a *Appender) partitionsOf(ctx context.Context, topic string) ([]int, error) {
	a.mu.Lock()
	known := a.partitions[topic]
	a.mu.Unlock()
	if time.Now().Before(known.until) {
		return known.numbers, nil
	}
	described, err := a.client.Topic(ctx, topic)
	if err != nil {
		return nil, err
	}
	if len(described.Partitions) == 0 {
		return nil, fmt.Errorf("describe topic %s: %w", topic, errNoPartitions)
	}
	known = knownPartitions{until: time.Now().Add(partitionsAge)}
	for _, p := range described.Partitions {
		known.numbers = append(known.numbers, int(p))
	}
	a.mu.Lock()
	a.partitions[topic] = known
	a.mu.Unlock()
	return known.numbers, nil
}

func (a *Appender) forget(topic string) {
	a.mu.Lock()
	delete(a.partitions, topic)
	a.mu.Unlock()
}

// partitionsAge is after how long at most added partitions are noticed.
const partitionsAge = 30 * time.Second

var errNoPartitions = errors.New("no partitions are named")

// RefusesRecord tells whether an error is the broker's word on a record: that it
// is too large, or breaks a rule of the topic. Trying again does not help, and
// other records are not concerned.
func RefusesRecord(err error) bool {
	var code kafka.Error
	if !errors.As(err, &code) {
		return false
	}
	switch code {
	case kafka.MessageSizeTooLarge, kafka.RecordListTooLarge, kafka.InvalidTimestamp, kafka.UnsupportedForMessageFormat, kafka.PolicyViolation, kafka.InvalidRecord:
		return true
	default:
		return false
	}
}
