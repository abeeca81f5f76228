package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// coordinator plays the runs that callers ask for: it reads the topic of
// commands, as a coordinator does, and tells of those runs in Kafka. So what is
// asked for through the API, what is published, and what is then heard meet in one
// fold.
type coordinator struct {
	*world
	load   *load
	random *rand.Rand

	heard map[string]bool // ids of commands
	runs  []*played       // that have not ended
	said  int
}

// played is a run under way.
type played struct {
	id, runID string
	sequence  fact.Sequence
	left      int // events, the end included
	due       time.Time
	outcome   string
}

func newRandom(seed uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, 3)) //nolint:gosec // chance that can be repeated is the point
}

// playEvery is between two looks at what is to be said.
const playEvery = 100 * time.Millisecond

// run plays until the load is enough.
func (c *coordinator) run(ctx context.Context) error {
	consumer, err := kgo.NewClient(kgo.SeedBrokers(c.kafka.Outside()), kgo.ConsumeTopics(commandsTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer consumer.Close()
	producer, err := c.load.producer("", "")
	if err != nil {
		return err
	}
	defer producer.Close()
	c.heard = map[string]bool{}
	for c.load.more() && ctx.Err() == nil {
		polling, cancel := context.WithTimeout(ctx, playEvery)
		consumer.PollFetches(polling).EachRecord(c.hear) // errors pass: Kafka is struck as well
		cancel()
		records, err := c.due(time.Now())
		if err != nil {
			return err
		}
		if len(records) == 0 {
			continue
		}
		if err := producer.Send(ctx, func(yield func(coordsim.Record, error) bool) {
			for _, r := range records {
				if !yield(r, nil) {
					return
				}
				c.load.said.Add(1)
			}
		}, 0, c.load.ledger.note); err != nil {
			return fmt.Errorf("play the runs that were asked for: %w", err)
		}
	}
	return context.Cause(ctx)
}

// hear takes a command, once.
func (c *coordinator) hear(r *kgo.Record) {
	attributes := map[string]string{}
	for _, h := range r.Headers {
		attributes[h.Key] = string(h.Value)
	}
	id := attributes["ce_id"]
	if c.heard[id] {
		return
	}
	c.heard[id] = true
	runID := attributes["ce_runid"]
	switch fact.Type(attributes["ce_type"]) {
	case fact.TypeRequested:
		p := &played{id: string(r.Key), runID: runID, left: 2 + c.random.IntN(6), due: time.Now(), outcome: [...]string{"passed", "failed", "error"}[c.random.IntN(3)]}
		switch c.random.IntN(20) {
		case 0:
			return // it does not come to it
		case 1:
			p.runID = "" // which it should have repeated
		}
		c.runs = append(c.runs, p)
	case fact.TypeCancelRequested:
		m := &contract.ExecutionCancelRequested{}
		if protojson.Unmarshal(r.Value, m) != nil { // the checker will say so
			return
		}
		for _, p := range c.runs {
			if p.id == m.GetExecutionId() && p.runID == runID {
				p.left, p.outcome = 1, "cancelled"
			}
		}
	default: // faults of runs that nobody plays any more
	}
}

// due is what is to be said now.
func (c *coordinator) due(now time.Time) (records []coordsim.Record, err error) {
	for _, p := range c.runs {
		if now.Before(p.due) {
			continue
		}
		p.due = now.Add(between(c.random, playEvery, 10*playEvery))
		r, err := c.say(p, now)
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	c.runs = slices.DeleteFunc(c.runs, func(p *played) bool { return p.left == 0 })
	return records, nil
}

// say is the next event of a run. The request is its first, so the others are
// numbered from 2.
func (c *coordinator) say(p *played, now time.Time) (coordsim.Record, error) {
	c.said++
	var m proto.Message
	switch {
	case p.left == 1:
		m = &contract.ExecutionFinished{ExecutionId: p.id, Outcome: p.outcome}
	case p.sequence == 0:
		p.sequence = 1
		m = &contract.ExecutionStarted{ExecutionId: p.id, CoordinatorId: "coordinator-of-callers"}
	case c.random.IntN(3) == 0:
		m = &contract.ExecutionFaultInjected{ExecutionId: p.id, FaultId: fmt.Sprint("fault-", c.random.IntN(2)), FaultType: "latency", TargetService: "risk-monitor"}
	default:
		m = &contract.ExecutionHeartbeat{ExecutionId: p.id, Message: "goes on"}
	}
	p.left--
	p.sequence = max(p.sequence, 1) + 1
	written, err := event.Encode(event.Outgoing{
		Source: "/coordinator/of-callers", ID: fmt.Sprintf("called-%09d", c.said), Time: now.Truncate(time.Microsecond), Sequence: p.sequence, RunID: p.runID, Message: m,
	}, event.Binary, event.JSON)
	if err != nil {
		return coordsim.Record{}, fmt.Errorf("write event of %s: %w", p.id, err)
	}
	return coordsim.Record{Record: written, Topic: coordsim.Executions, Identity: coordsim.Identity{Subject: p.id}, Kind: coordsim.Event}, nil
}
