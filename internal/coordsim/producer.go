package coordsim

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"iter"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
)

// Topics are the names of the input topics.
type Topics struct{ Executions, Scenarios string }

func (t Topics) name(topic Topic) string {
	if topic == Scenarios {
		return t.Scenarios
	}
	return t.Executions
}

// Address is where a record lies in Kafka.
type Address struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

// ProducerConfig says where to send.
type ProducerConfig struct {
	Brokers []string
	TLS     *tls.Config    // nil: no TLS
	SASL    *kafkalog.SASL // nil: no authentication
	Topics  Topics         // must exist

	Compression   string // none, gzip, snappy, lz4 or zstd; empty is the library's choice
	Transactional string // id of a producer that sends in transactions; empty: none
	Patient       bool   // Kafka may restart: ask again where it says that a topic does not exist, or hangs up

	// Dial makes the connections; nil: a net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Producer sends records as a Java client does by default: by murmur2 of the
// key, idempotently, acknowledged by all replicas.
type Producer struct {
	client *kgo.Client
	topics Topics
}

// NewProducer prepares a producer. It does not connect.
func NewProducer(c ProducerConfig) (*Producer, error) {
	options := []kgo.Opt{
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID("tcda-lab"),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(spreading{kgo.StickyKeyPartitioner(nil)}), // Java's murmur2
		kgo.ProducerLinger(5 * time.Millisecond),
	}
	if c.TLS != nil {
		options = append(options, kgo.DialTLSConfig(c.TLS))
	}
	if s := c.SASL; s != nil {
		switch s.Mechanism {
		case kafkalog.Plain:
			options = append(options, kgo.SASL(plain.Auth{User: s.User, Pass: s.Password}.AsMechanism()))
		case kafkalog.ScramSHA256:
			options = append(options, kgo.SASL(scram.Auth{User: s.User, Pass: s.Password}.AsSha256Mechanism()))
		case kafkalog.ScramSHA512:
			options = append(options, kgo.SASL(scram.Auth{User: s.User, Pass: s.Password}.AsSha512Mechanism()))
		}
	}
	if c.Compression != "" {
		codec, ok := codecs[c.Compression]
		if !ok {
			return nil, fmt.Errorf("make producer: unknown compression %q", c.Compression)
		}
		options = append(options, kgo.ProducerBatchCompression(codec))
	}
	if c.Transactional != "" {
		options = append(options, kgo.TransactionalID(c.Transactional), kgo.TransactionTimeout(10*time.Second))
	}
	if c.Patient {
		// The client takes a connection that ends before its first answer for a
		// wrong configuration, and gives up the records that wait to be sent.
		options = append(options, kgo.UnknownTopicRetries(-1), kgo.AlwaysRetryEOF())
	}
	if c.Dial != nil {
		options = append(options, kgo.Dialer(c.Dial))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, fmt.Errorf("make producer: %w", err)
	}
	return &Producer{client: client, topics: c.Topics}, nil
}

// codecs are the compressions that brokers know.
var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

// spreading sends a record as many partitions beside that of its key as the
// record says in place of a partition.
type spreading struct{ kgo.Partitioner }

func (s spreading) ForTopic(topic string) kgo.TopicPartitioner {
	return spreadingTopic{s.Partitioner.ForTopic(topic)}
}

type spreadingTopic struct{ kgo.TopicPartitioner }

func (s spreadingTopic) Partition(r *kgo.Record, n int) int {
	return (s.TopicPartitioner.Partition(r, n) + int(r.Partition)) % n
}

// Close ends the connections; records in flight are given up.
func (p *Producer) Close() { p.client.Close() }

// Send sends records in order, at most rate a second (0: as fast as it goes),
// and returns when all are acknowledged. For each acknowledgement it calls
// acknowledged, one at a time and in the order of each partition. The first
// error ends it: of the records, of a delivery, or of acknowledged.
func (p *Producer) Send(ctx context.Context, records iter.Seq2[Record, error], rate float64, acknowledged func(*Record, Address) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var underWay sync.WaitGroup
	pace := newPace(rate)
	for r, err := range records {
		if err == nil {
			err = pace.wait(ctx)
		}
		if err != nil {
			cancel(err)
			break
		}
		underWay.Add(1)
		p.client.Produce(ctx, p.toKafka(&r), func(sent *kgo.Record, err error) {
			defer underWay.Done()
			if err == nil {
				err = acknowledged(&r, Address{Topic: sent.Topic, Partition: sent.Partition, Offset: sent.Offset})
			}
			if err != nil {
				cancel(err)
			}
		})
	}
	underWay.Wait()
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("send records: %w", err)
	}
	return nil
}

// Transact sends records in one transaction and commits or aborts it; only of
// what was committed is said that it was acknowledged. The producer must be a
// transactional one.
func (p *Producer) Transact(ctx context.Context, records []Record, commit bool, acknowledged func(*Record, Address) error) error {
	if err := p.client.BeginTransaction(); err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	out := make([]*kgo.Record, len(records))
	for i := range records {
		out[i] = p.toKafka(&records[i])
	}
	if err := p.client.ProduceSync(ctx, out...).FirstErr(); err != nil {
		// What became of it is unknown; the broker aborts it when the next one begins.
		return errors.Join(fmt.Errorf("send records in a transaction: %w", err), p.client.AbortBufferedRecords(ctx), p.client.EndTransaction(ctx, kgo.TryAbort))
	}
	if err := p.client.EndTransaction(ctx, kgo.TransactionEndTry(commit)); err != nil {
		return fmt.Errorf("end transaction: %w", err)
	}
	if !commit {
		return nil
	}
	for i, sent := range out {
		if err := acknowledged(&records[i], Address{Topic: sent.Topic, Partition: sent.Partition, Offset: sent.Offset}); err != nil {
			return err
		}
	}
	return nil
}

// TakeOver ends what a transactional producer of the same id has left open.
func (p *Producer) TakeOver(ctx context.Context) error {
	if _, _, err := p.client.ProducerID(ctx); err != nil {
		return fmt.Errorf("take over transactions: %w", err)
	}
	return nil
}

func (p *Producer) toKafka(r *Record) *kgo.Record {
	out := &kgo.Record{Topic: p.topics.name(r.Topic), Key: r.Key, Value: r.Value, Partition: int32(r.Spread)} //nolint:gosec // a few
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return out
}

// pace spreads records over time.
type pace struct {
	began time.Time
	gap   time.Duration // between two records; 0: none
	sent  int
}

func newPace(rate float64) *pace {
	p := &pace{began: time.Now()}
	if rate > 0 {
		p.gap = time.Duration(float64(time.Second) / rate)
	}
	return p
}

// wait waits until the next record may be sent. It waits for a few records at
// once where the gap is shorter than a timer is exact.
func (p *pace) wait(ctx context.Context) error {
	due := p.began.Add(time.Duration(p.sent) * p.gap)
	p.sent++
	early := time.Until(due)
	if early < time.Millisecond {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return nil
	}
	timer := time.NewTimer(early)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
