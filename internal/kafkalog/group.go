package kafkalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
)

// GroupConfig describes a membership in a consumer group. Zero values stand for
// the defaults named beside them.
type GroupConfig struct {
	ID     string
	Topics []string // they exist: without them the group would rebalance without end

	SessionTimeout    time.Duration // without heartbeats for so long a member is out; handlers must drain faster: 30 s
	HeartbeatInterval time.Duration // 3 s
	RebalanceTimeout  time.Duration // how long a rebalance waits for members that drain: 30 s
	PartitionWatch    time.Duration // how often to look for new partitions: 5 s
	JoinBackoff       time.Duration // pause after a failed join, and between generations: 500 ms
	RejoinPause       time.Duration // pause before a handler's error gives up the generation: 1 s
}

func (c GroupConfig) withDefaults() GroupConfig {
	c.SessionTimeout = cmp.Or(c.SessionTimeout, 30*time.Second)
	c.HeartbeatInterval = cmp.Or(c.HeartbeatInterval, 3*time.Second)
	c.RebalanceTimeout = cmp.Or(c.RebalanceTimeout, 30*time.Second)
	c.PartitionWatch = cmp.Or(c.PartitionWatch, 5*time.Second)
	c.JoinBackoff = cmp.Or(c.JoinBackoff, 500*time.Millisecond)
	c.RejoinPause = cmp.Or(c.RejoinPause, time.Second)
	return c
}

// NotCommitted is the Committed of an assignment for which the group has no offset.
const NotCommitted int64 = -1

// Assignment is a partition that this member owns for one generation.
type Assignment struct {
	Topic      string
	Partition  int32
	Committed  int64 // the group's offset, or NotCommitted: what lag tools see, no position
	Generation int32
	MemberID   string

	// Commit sets the group's offset, for lag tools. It fails, harmlessly, when
	// the group has moved on. It takes 5 s at most and is safe for concurrent use.
	Commit func(next int64) error
}

// Handler works on an assigned partition until ctx ends: by a rebalance, with
// ErrGenerationEnded as its cause, or because Run's context has ended. It may
// finish what it has in hand after that, well within the session timeout; the
// next owner starts meanwhile only if it takes longer.
//
// An error that is returned before ctx ends makes this member give up all its
// partitions and join anew after RejoinPause. A nil leaves the partition idle
// until the next generation.
type Handler func(ctx context.Context, a Assignment) error

// Group is a member of a consumer group.
type Group struct {
	client *Client
	config GroupConfig
	log    zerolog.Logger
}

// NewGroup prepares a membership. It does not join: see [Group.Run].
func NewGroup(client *Client, config GroupConfig) (*Group, error) {
	g := &Group{client: client, config: config.withDefaults()}
	g.log = client.config.Logger.With().Str("group", config.ID).Logger()
	check := g.memberConfig()
	if err := check.Validate(); err != nil {
		return nil, fmt.Errorf("configure consumer group %q: %w", config.ID, err)
	}
	return g, nil
}

func (g *Group) memberConfig() kafka.ConsumerGroupConfig {
	return kafka.ConsumerGroupConfig{
		ID:                     g.config.ID,
		Brokers:                g.client.config.Brokers,
		Dialer:                 g.client.dialer,
		Topics:                 g.config.Topics,
		SessionTimeout:         g.config.SessionTimeout,
		HeartbeatInterval:      g.config.HeartbeatInterval,
		RebalanceTimeout:       g.config.RebalanceTimeout,
		JoinGroupBackoff:       g.config.JoinBackoff,
		PartitionWatchInterval: g.config.PartitionWatch,
		WatchPartitionChanges:  true,
		StartOffset:            kafka.FirstOffset,
		Logger:                 printer{g.log, zerolog.DebugLevel},
		ErrorLogger:            printer{g.log, zerolog.WarnLevel},
	}
}

// Run joins the group and calls handle in a goroutine for each partition that
// is assigned, generation after generation. Errors of joining are logged and
// tried again. When ctx ends, Run waits for the handlers, leaves the group and
// returns nil.
func (g *Group) Run(ctx context.Context, handle Handler) error {
	member, err := kafka.NewConsumerGroup(g.memberConfig())
	if err != nil {
		return fmt.Errorf("join consumer group %q: %w", g.config.ID, err)
	}
	defer func() { _ = member.Close() }() // waits and leaves; its error is always nil
	for {
		generation, err := member.Next(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			g.log.Warn().Err(err).Msg("no place in the consumer group, trying again")
		default:
			g.start(ctx, generation, handle)
		}
	}
}

// start starts a handler for each partition of a generation. It ends when the
// first function given to generation.Start returns, and the next one begins
// when all have.
func (g *Group) start(ctx context.Context, generation *kafka.Generation, handle Handler) {
	generation.Start(func(ended context.Context) { g.pace(ctx, ended) })
	for topic, partitions := range generation.Assignments {
		for _, p := range partitions {
			a := Assignment{
				Topic:      topic,
				Partition:  int32(p.ID),
				Committed:  max(p.Offset, NotCommitted), // kafka-go says -2 for none
				Generation: generation.ID,
				MemberID:   generation.MemberID,
				Commit: func(next int64) error {
					err := generation.CommitOffsets(map[string]map[int]int64{topic: {p.ID: next}})
					if err != nil {
						return fmt.Errorf("commit offset %d of %s/%d to group %s: %w", next, topic, p.ID, generation.GroupID, err)
					}
					return nil
				},
			}
			generation.Start(func(ended context.Context) { g.own(ctx, ended, a, handle) })
		}
	}
}

// pace keeps a generation from ending at once: without it a deleted topic makes
// kafka-go join and sync in a tight loop.
func (g *Group) pace(ctx, ended context.Context) {
	if ended.Err() != nil {
		return
	}
	atLeast := time.NewTimer(g.config.JoinBackoff)
	defer atLeast.Stop()
	<-ended.Done()
	select {
	case <-atLeast.C:
	case <-ctx.Done():
	}
}

// own runs the handler of one partition until the generation has ended.
func (g *Group) own(ctx, ended context.Context, a Assignment, handle Handler) {
	if ended.Err() != nil {
		return // ended before it began: kafka-go does not wait for such functions
	}
	// kafka-go's context ends with the generation, but carries no values; ctx
	// carries them, but its end must not overtake the generation's.
	owned, release := context.WithCancelCause(context.WithoutCancel(ctx))
	defer release(nil)
	stop := context.AfterFunc(ended, func() {
		if ctx.Err() != nil {
			release(context.Cause(ctx))
		} else {
			release(ErrGenerationEnded)
		}
	})
	defer stop()

	err := handle(owned, a)
	if owned.Err() != nil {
		if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, ErrGenerationEnded) {
			g.log.Warn().Err(err).Str("topic", a.Topic).Int32("partition", a.Partition).Msg("partition was given up with an error")
		}
		return
	}
	if err == nil {
		<-owned.Done()
		return
	}
	g.log.Warn().Err(err).Str("topic", a.Topic).Int32("partition", a.Partition).Msg("partition failed, joining the group anew")
	pause := time.NewTimer(g.config.RejoinPause)
	defer pause.Stop()
	select {
	case <-owned.Done():
	case <-pause.C:
	}
}

// printer is a logger of kafka-go that writes to zerolog.
type printer struct {
	log   zerolog.Logger
	level zerolog.Level
}

func (p printer) Printf(format string, arguments ...any) {
	if e := p.log.WithLevel(p.level); e.Enabled() {
		e.Msg(strings.TrimSpace(fmt.Sprintf(format, arguments...)))
	}
}
