package soak

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/soak/checker"
)

// ledger is what Kafka has acknowledged.
type ledger struct {
	mu    sync.Mutex
	acks  map[checker.Partition][]checker.Ack
	count int64
	last  [512]string // some of the executions that were told of last
}

func (l *ledger) note(r *coordsim.Record, at coordsim.Address) error {
	p, ack := checker.Partition{Topic: at.Topic, Number: at.Partition}, checker.Ack{Offset: at.Offset, Sum: checker.Sum(r.Key, r.Value)}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.acks == nil {
		l.acks = map[checker.Partition][]checker.Ack{}
	}
	l.acks[p] = append(l.acks[p], ack)
	l.count++
	if r.Topic == coordsim.Executions && r.Subject != "" {
		l.last[l.count%int64(len(l.last))] = r.Subject
	}
	return nil
}

// recent is an execution that was told of not long ago; empty where there is none.
func (l *ledger) recent(random *rand.Rand) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last[random.IntN(len(l.last))]
}

func (l *ledger) len() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}

// compressions are all that Kafka knows; a sender for each.
var compressions = []string{"none", "gzip", "snappy", "lz4", "zstd"}

// load sends storms.
type load struct {
	*world
	ledger  ledger
	enough  chan struct{} // closed when no more is to be sent
	taken   atomic.Int64  // records that the service has taken, as last seen
	said    atomic.Int64  // records that were handed to Kafka's client
	aborted atomic.Int64  // records in transactions that were aborted
}

// maxLag is how far the senders run ahead of the service.
func (l *load) maxLag() int64 { return min(120_000, max(5_000, l.options.Records/8)) }

// send sends until it is enough, and returns when all is acknowledged.
func (l *load) send(ctx context.Context) error {
	senders, ctx := errgroup.WithContext(ctx)
	for i, compression := range compressions {
		senders.Go(func() error { return l.stream(ctx, i, compression) })
	}
	senders.Go(func() error { return l.transactions(ctx, len(compressions)) })
	return senders.Wait()
}

func (l *load) storm(number int) coordsim.Storm {
	return coordsim.Storm{
		Seed: l.options.Seed + uint64(number), Instance: fmt.Sprintf("s%d", number), //nolint:gosec // a handful
		Start: time.Now().Add(-time.Minute), Parallel: 30, Length: 60,
	}
}

func (l *load) producer(compression, transactional string) (*coordsim.Producer, error) {
	return coordsim.NewProducer(coordsim.ProducerConfig{
		Brokers: []string{l.kafka.Outside()}, Topics: topics, Compression: compression, Transactional: transactional, Patient: true,
	})
}

// stream sends one storm, record by record.
func (l *load) stream(ctx context.Context, number int, compression string) error {
	producer, err := l.producer(compression, "")
	if err != nil {
		return err
	}
	defer producer.Close()
	rate := l.options.Rate / float64(len(compressions))
	if err := producer.Send(ctx, l.untilEnough(ctx, withRepeats(l.storm(number).Generate())), rate, l.ledger.note); err != nil {
		return fmt.Errorf("send with compression %s: %w", compression, err)
	}
	return nil
}

// Of what a sender says it says one record in repeatEvery again, repeatAfter later:
// when retention has removed some of the runs that they tell of.
const (
	repeatEvery = 25
	repeatAfter = 2*retentionQuiet + 2*time.Second
)

// withRepeats says some of a storm's records again, late.
func withRepeats(storm iter.Seq2[coordsim.Record, error]) iter.Seq2[coordsim.Record, error] {
	type said struct {
		record coordsim.Record
		at     time.Time
	}
	return func(yield func(coordsim.Record, error) bool) {
		var again []said
		n := 0
		for r, err := range storm {
			if !yield(r, err) {
				return
			}
			if n++; n%repeatEvery == 0 && err == nil {
				again = append(again, said{r, time.Now()})
			}
			for len(again) > 0 && time.Since(again[0].at) > repeatAfter {
				if !yield(again[0].record, nil) {
					return
				}
				again = again[1:]
			}
		}
	}
}

// untilEnough ends a storm, and holds it up while the service is far behind.
func (l *load) untilEnough(ctx context.Context, storm iter.Seq2[coordsim.Record, error]) iter.Seq2[coordsim.Record, error] {
	return func(yield func(coordsim.Record, error) bool) {
		n := 0
		for r, err := range storm {
			for n%100 == 0 && l.said.Load()-l.taken.Load() > l.maxLag() && l.more() && wait(ctx, 50*time.Millisecond) {
			}
			n++
			if !l.more() || !yield(r, err) {
				return
			}
			l.said.Add(1)
		}
	}
}

// more tells whether it is not enough yet.
func (l *load) more() bool {
	select {
	case <-l.enough:
		return false
	default:
		return true
	}
}

// transactions sends a storm in transactions, of which it aborts some: those
// records were never said. A transaction that a fault ends is one of those, or
// not; whoever reads only what was committed will see.
func (l *load) transactions(ctx context.Context, number int) error {
	const size = 40
	var producer *coordsim.Producer
	defer func() {
		if producer != nil {
			producer.Close()
		}
	}()
	next, stop := iter.Pull2(l.storm(number).Generate()) // slow enough to need no holding up
	defer stop()
	for n := 0; l.more() && ctx.Err() == nil; n++ {
		var records []coordsim.Record
		for len(records) < size {
			r, err, _ := next() // a storm has no end
			if err != nil {
				return err
			}
			records = append(records, r)
		}
		if producer == nil {
			made, err := l.producer("", "soak-transactions")
			if err != nil {
				return err
			}
			producer = made
		}
		commit := n%3 > 0
		if err := producer.Transact(ctx, records, commit, l.ledger.note); err != nil {
			producer.Close() // the next one fences it, and ends what is open
			producer = nil
		} else if commit {
			l.said.Add(int64(len(records)))
		} else {
			l.aborted.Add(int64(len(records)))
		}
		wait(ctx, 100*time.Millisecond)
	}
	return l.endOpenTransaction(ctx)
}

// endOpenTransaction lets no transaction keep readers from the end of the log.
func (l *load) endOpenTransaction(ctx context.Context) error {
	for ctx.Err() == nil {
		// One that has failed may fail for ever.
		producer, err := l.producer("", "soak-transactions")
		if err != nil {
			return err
		}
		err = producer.TakeOver(ctx)
		producer.Close()
		if err == nil {
			return nil
		}
		wait(ctx, 200*time.Millisecond)
	}
	return context.Cause(ctx)
}
