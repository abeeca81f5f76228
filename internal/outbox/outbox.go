// Package outbox is S8: it publishes to Kafka what transactions have left in the
// outbox for other programs, and leaves there itself which runs have settled.
//
//	lane.go        one for each outgoing topic: claim, produce, mark, in one transaction
//	deadletter.go  the copy of a quarantined record
//	settled.go     which runs have ended and been quiet since
//	housekeep.go   what is published is removed after a while; what waits is shown
//
// A row is claimed by its state, never by the last id seen, for a lower id may be
// committed later; and only if no earlier row of its key is unpublished, so that
// each key keeps its order however many instances publish. Claimed rows stay locked
// while they are produced: when the process dies, another claims them.
//
// Each event is published at least once. It is produced before it is marked, so
// that nothing is lost; what was produced and not marked is produced again, with
// the same id. A request that is still under way while its session is given up may
// even come after later events of its key: readers tell a repeat by its id.
//
// A row that the broker refuses for itself (too large, against a rule of the topic)
// is parked with the reason. The rows of its key wait behind it until an operator
// releases or discards it; other keys go on. What waits behind it is held back when
// it is first come upon, so that no later look meets it. Every other failure, a topic that is
// missing or forbidden included, is nobody's fault among the rows: it holds up its
// topic alone and is retried for ever.
//
// The package decides nothing about what is published, and knows no SQL.
package outbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
)

// Config bounds the publisher. Zero values stand for the defaults named beside
// them.
type Config struct {
	Instance    string // names the source of events
	Connector   string // names the service in dead letters, as Kafka Connect names a connector: "tcda"
	DeadLetters bool   // dead letters are made: their topic is needed

	Topics       map[pgstore.OutboxTopic]kafkalog.TopicSpec // names, and how those that are missing are made
	CreateTopics bool                                       // make them

	Poll           time.Duration // between two looks at an outbox in which nothing waits: 200 ms
	ClaimRows      int           // most rows of one claim: 200
	ClaimBytes     int64         // of their values, about: 4 MiB
	ProduceTimeout time.Duration // how long a claim may take to produce, well below the idle timeout of database sessions: 5 s
	SettledAfter   time.Duration // how long a run that has ended must have been quiet to have settled: 60 s
	SettleEvery    time.Duration // between two looks for such runs: a twelfth of that, 5 s at most
	Retention      time.Duration // how long published rows are kept: 7 days
	HousekeepEvery time.Duration // between two looks at what can be removed, and at what waits: 30 s
	RetryMin       time.Duration // first pause after a failure: 100 ms
	RetryMax       time.Duration // longest: 30 s
}

func (c Config) withDefaults() Config {
	c.Connector = cmp.Or(c.Connector, "tcda")
	c.Poll = cmp.Or(c.Poll, 200*time.Millisecond)
	c.ClaimRows = cmp.Or(c.ClaimRows, 200)
	c.ClaimBytes = cmp.Or(c.ClaimBytes, 4<<20)
	c.ProduceTimeout = cmp.Or(c.ProduceTimeout, 5*time.Second)
	c.SettledAfter = cmp.Or(c.SettledAfter, time.Minute)
	c.SettleEvery = cmp.Or(c.SettleEvery, min(c.SettledAfter/12, 5*time.Second))
	c.Retention = cmp.Or(c.Retention, 7*24*time.Hour)
	c.HousekeepEvery = cmp.Or(c.HousekeepEvery, 30*time.Second)
	c.RetryMin = cmp.Or(c.RetryMin, 100*time.Millisecond)
	c.RetryMax = cmp.Or(c.RetryMax, 30*time.Second)
	return c
}

// Appender is what kafkalog.Appender does. Tests have one that dies.
type Appender interface {
	Append(ctx context.Context, topic string, records []kafkarecord.Record) []kafkalog.Appended
}

// Parts are what the publisher works with.
type Parts struct {
	Store    *pgstore.Store
	Kafka    *kafkalog.Client // knows the topics
	Appender Appender         // nil: one over Kafka
	Metrics  *telemetry.Metrics
	Log      zerolog.Logger
	Now      func() time.Time // nil: the system's clock

	// Settled is called when runs have settled and their reports are to be built;
	// nil: nobody waits for it.
	Settled func()
}

// Publisher is the role. Several instances may play it at once.
type Publisher struct {
	cfg Config
	Parts

	lanes []*lane
}

// New makes a publisher; Run starts it.
func New(cfg Config, p Parts) (*Publisher, error) {
	if cfg.Instance == "" {
		return nil, errors.New("publisher needs the name of its instance")
	}
	if p.Now == nil {
		p.Now = time.Now
	}
	if p.Appender == nil {
		p.Appender = kafkalog.NewAppender(p.Kafka)
	}
	publisher := &Publisher{cfg: cfg.withDefaults(), Parts: p}
	for _, role := range pgstore.OutboxTopics() {
		spec := cfg.Topics[role]
		if spec.Name == "" {
			return nil, fmt.Errorf("publisher needs the name of its topic of %s", role)
		}
		publisher.lanes = append(publisher.lanes, newLane(publisher, role, spec))
	}
	return publisher, nil
}

// Source is the source of this instance's events.
func (p *Publisher) Source() string { return event.DefaultLimits().ReservedSources + p.cfg.Instance }

// Run publishes until ctx ends, and then finishes what it has claimed.
func (p *Publisher) Run(ctx context.Context) {
	var loops sync.WaitGroup
	for _, l := range p.lanes {
		loops.Go(func() { l.run(ctx) })
	}
	settler := &settler{Publisher: p}
	loops.Go(func() { p.every(ctx, p.cfg.SettleEvery, settler.try) })
	loops.Go(func() { p.every(ctx, p.cfg.HousekeepEvery, p.housekeep) })
	loops.Wait()
}

// Nudge says that something was enqueued: it need not wait for the next look. It
// may be called from any goroutine, and waits for nothing.
func (p *Publisher) Nudge() {
	for _, l := range p.lanes {
		select {
		case l.nudged <- struct{}{}:
		default: // it has been told, and not looked yet
		}
	}
}

// Check fails while a topic cannot be published to, and while events are parked.
func (p *Publisher) Check(ctx context.Context) error {
	var found []string
	for _, l := range p.lanes {
		if trouble := l.trouble.Load(); trouble != nil {
			found = append(found, (*trouble).Error())
		}
	}
	state, err := p.Store.OutboxState(ctx)
	if err != nil {
		return err
	}
	for _, l := range p.lanes {
		if n := state[l.role].Parked; n > 0 {
			found = append(found, fmt.Sprintf("%d events for topic %s are parked, and those of their keys wait; see tcda outbox list", n, l.topic.Name))
		}
	}
	if len(found) > 0 {
		return errors.New(strings.Join(found, "; "))
	}
	return nil
}

// every calls work at once, and then again each interval until ctx ends.
func (p *Publisher) every(ctx context.Context, interval time.Duration, work func(context.Context)) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		work(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// backoff is the pause between tries: doubled each time up to a limit, with
// jitter.
type backoff struct{ next, first, last time.Duration }

func (b *backoff) reset() { b.next = b.first }

// take is the next pause.
func (b *backoff) take() time.Duration {
	d := b.next/2 + rand.N(b.next/2+1)
	b.next = min(2*b.next, b.last)
	return d
}
