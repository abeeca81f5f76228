package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

type partitionsCmd struct {
	List      partitionsList  `cmd:"" help:"Print where each partition stands, and why it stopped."`
	Reset     partitionsReset `cmd:"" help:"Move a partition to another offset, and let it go on."`
	AcceptGap acceptGap       `cmd:"" name:"accept-gap" help:"Live with records that Kafka deleted before they were ingested, and let the partition go on."`
}

const partitionExitCodes = `

Exit codes: 0 done, 1 failed, 2 wrong command line or settings, or --yes is
missing, 3 the database's schema is not this program's.`

type partitionsList struct {
	JSON bool `name:"json" help:"Print a JSON array."`
}

// partitionLine is a partition as it is listed.
type partitionLine struct {
	Topic       string    `json:"topic"`
	Partition   int32     `json:"partition"`
	Generation  int32     `json:"generation"`
	Owner       string    `json:"owner"`
	Epoch       int64     `json:"epoch"`
	Next        int64     `json:"next_offset"`
	LogEnd      *int64    `json:"log_end"` // null: Kafka does not say
	Lag         *int64    `json:"lag"`
	Applied     int64     `json:"applied"`
	Duplicates  int64     `json:"duplicates"`
	Quarantined int64     `json:"quarantined"`
	Stopped     string    `json:"stopped"` // why; empty: it runs
	OpenGaps    []gapLine `json:"open_gaps"`
}

type gapLine struct {
	From       int64     `json:"from_offset"`
	To         int64     `json:"to_offset"` // first offset after the hole
	Cause      string    `json:"cause"`
	DetectedAt time.Time `json:"detected_at"`
}

// Help is what --help says beyond the settings.
func (*partitionsList) Help() string {
	return `Lag counts offsets up to the end of committed records.` + partitionExitCodes
}

// Run prints the partitions. Without Kafka their log ends are left out.
func (c *partitionsList) Run(ctx context.Context, cfg *config.Config, term console) error {
	store, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer store.Close()
	partitions, err := store.Partitions(ctx)
	if err != nil {
		return err
	}
	gaps, err := store.Gaps(ctx)
	if err != nil {
		return err
	}
	lines := make([]partitionLine, len(partitions))
	for i, p := range partitions {
		lines[i] = partitionLine{
			Topic: p.Topic, Partition: p.Number, Generation: p.Generation, Owner: p.Owner, Epoch: p.Epoch, Next: p.Next,
			Applied: p.Applied, Duplicates: p.Duplicates, Quarantined: p.Quarantined, Stopped: p.StoppedReason, OpenGaps: []gapLine{},
		}
		for _, g := range gaps {
			if g.Topic == p.Topic && g.Partition == p.Number && g.AcceptedAt.IsZero() {
				lines[i].OpenGaps = append(lines[i].OpenGaps, gapLine{From: g.From, To: g.To, Cause: string(g.Cause), DetectedAt: g.DetectedAt})
			}
		}
	}
	if err := addLogEnds(ctx, cfg, lines); err != nil {
		fmt.Fprintf(term.err, "tcda: log ends are not shown: %v\n", err)
	}
	if c.JSON {
		return writeJSON(term.out, lines)
	}
	rows := make([][]string, len(lines))
	for i := range lines {
		rows[i] = lines[i].cells()
	}
	return table(term.out, []string{
		"PARTITION", "OWNER", "EPOCH", "NEXT", "LOG END", "LAG", "APPLIED", "DUPLICATES", "QUARANTINED", "OPEN GAPS", "STOPPED",
	}, rows)
}

func (l *partitionLine) cells() []string {
	gaps := ""
	for i, g := range l.OpenGaps {
		if i > 0 {
			gaps += ", "
		}
		gaps += gapText(g)
	}
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	optional := func(n *int64) string {
		if n == nil {
			return ""
		}
		return number(*n)
	}
	return []string{
		fmt.Sprintf("%s/%d", l.Topic, l.Partition), l.Owner, number(l.Epoch), number(l.Next), optional(l.LogEnd), optional(l.Lag),
		number(l.Applied), number(l.Duplicates), number(l.Quarantined), gaps, l.Stopped,
	}
}

// addLogEnds asks Kafka where the logs end.
func addLogEnds(ctx context.Context, cfg *config.Config, lines []partitionLine) error {
	kafka, err := openKafka(cfg)
	if err != nil {
		return err
	}
	defer kafka.Close()
	if err := kafka.Preflight(ctx); err != nil {
		return err
	}
	var problems []error
	for i := range lines {
		log, err := kafka.Offsets(ctx, lines[i].Topic, lines[i].Partition)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		lag := log.LastStable - lines[i].Next
		lines[i].LogEnd, lines[i].Lag = &log.LastStable, &lag
	}
	return errors.Join(problems...)
}

// gapText is an open gap in a cell: its first and its last offset, or where
// either log stands.
func gapText(g gapLine) string {
	if pgstore.GapCause(g.Cause) == pgstore.GapRecreated {
		return fmt.Sprintf("%s at %d, begins at %d", g.Cause, g.From, g.To)
	}
	return fmt.Sprintf("%s %d..%d", g.Cause, g.From, g.To-1)
}

type partitionsReset struct {
	Partition partitionName `arg:"" name:"topic/partition" help:"Which partition."`
	To        string        `required:"" placeholder:"earliest|latest|current|OFFSET" help:"Where to go on; current: where it stands, once the cause of a stop is mended."`
	Yes       bool          `help:"Do it. Without this flag only what would be done is printed."`
	JSON      bool          `name:"json" help:"Print one JSON object."`
}

// Help is what --help says beyond the settings.
func (*partitionsReset) Help() string {
	return `Records that are read again are recognised as duplicates. Records that are passed
over are not ingested: nothing but a reset backwards brings them. If the topic
was re-created, or its log has lost its end, the partition's generation rises, so
that offsets of both logs are kept apart. A running service goes on from the new
offset by itself.` + partitionExitCodes
}

// moveLine says what a reset or an accepted gap does.
type moveLine struct {
	Partition  string `json:"partition"`
	From       int64  `json:"from_offset"`
	To         int64  `json:"to_offset"`
	Generation int32  `json:"generation"`
	Recreated  bool   `json:"recreated"` // the offsets are of two different logs
	Done       bool   `json:"done"`
}

// Run moves the partition.
func (c *partitionsReset) Run(ctx context.Context, cfg *config.Config, term console) error {
	return withPartition(ctx, cfg, c.Partition, func(at target) error {
		next, err := c.offset(at)
		if err != nil {
			return &exitError{exitUsage, err}
		}
		reset := at.store.TryReset
		if c.Yes {
			reset = at.store.Reset
		}
		moved, err := reset(ctx, pgstore.ResetRequest{
			Topic: c.Partition.Topic, Partition: c.Partition.Number, TopicID: pgstore.TopicID(at.topic.ID), Next: next, By: operator(), Now: time.Now(),
		})
		if err != nil {
			return err
		}
		return describe(term, c.JSON, moveLine{
			Partition: c.Partition.String(), From: at.stored.Next, To: next,
			Generation: moved.Generation, Recreated: moved.Generation != at.stored.Generation, Done: c.Yes,
		})
	})
}

// offset reads --to.
func (c *partitionsReset) offset(at target) (int64, error) {
	var n int64
	switch c.To {
	case "earliest":
		return at.log.Start, nil
	case "latest":
		return at.log.LastStable, nil
	case "current":
		n = at.stored.Next
	default:
		var err error
		if n, err = strconv.ParseInt(c.To, 10, 64); err != nil {
			return 0, fmt.Errorf("--to=%s: must be earliest, latest, current or an offset", escaped(c.To))
		}
	}
	if n < at.log.Start || n > at.log.LastStable {
		return 0, fmt.Errorf("--to=%s: %d is outside the log, which holds offsets %d up to %d", c.To, n, at.log.Start, at.log.LastStable)
	}
	return n, nil
}

// target is a partition on both sides.
type target struct {
	store  *pgstore.Store
	stored pgstore.Partition
	topic  kafkalog.Topic
	log    kafkalog.Offsets
}

// withPartition calls do with what PostgreSQL and Kafka say of a partition.
func withPartition(ctx context.Context, cfg *config.Config, name partitionName, do func(target) error) error {
	store, err := openStore(ctx, cfg)
	if err != nil {
		return err
	}
	defer store.Close()
	at := target{store: store}
	partitions, err := store.Partitions(ctx)
	if err != nil {
		return err
	}
	found := false
	for _, p := range partitions {
		if p.Topic == name.Topic && p.Number == name.Number {
			at.stored, found = p, true
		}
	}
	if !found {
		return fmt.Errorf("partition %s was never ingested: see tcda partitions list", name)
	}
	kafka, err := openKafka(cfg)
	if err != nil {
		return err
	}
	defer kafka.Close()
	if err := kafka.Preflight(ctx); err != nil {
		return fmt.Errorf("reach Kafka: %w", err)
	}
	if at.topic, err = kafka.Topic(ctx, name.Topic); err != nil {
		return err
	}
	if at.log, err = kafka.Offsets(ctx, name.Topic, name.Number); err != nil {
		return err
	}
	return do(at)
}

// describe prints a move, done or to be done.
func describe(term console, asJSON bool, m moveLine) error {
	var err error
	switch {
	case asJSON:
		err = writeJSON(term.out, m)
	case m.Done:
		fmt.Fprintf(term.out, "%s goes on at offset %d (was %d), generation %d\n", m.Partition, m.To, m.From, m.Generation)
	case m.Recreated:
		fmt.Fprintf(term.out, "%s is another log now, since its topic was re-created or has lost its end: it would begin at offset %d, as generation %d\n", m.Partition, m.To, m.Generation)
	case m.To < m.From:
		fmt.Fprintf(term.out, "%s would go back from offset %d to %d: what is read again is recognised as duplicate\n", m.Partition, m.From, m.To)
	default:
		fmt.Fprintf(term.out, "%s would go from offset %d to %d: %d offsets are passed over\n", m.Partition, m.From, m.To, m.To-m.From)
	}
	if err == nil && !m.Done {
		return &exitError{exitUsage, errors.New("nothing was changed: add --yes to do it")}
	}
	return err
}

type acceptGap struct {
	Partition partitionName `arg:"" name:"topic/partition" help:"Which partition."`
	Yes       bool          `help:"Do it. Without this flag only what would be done is printed."`
	JSON      bool          `name:"json" help:"Print one JSON object."`
}

// Help is what --help says beyond the settings.
func (*acceptGap) Help() string {
	return `The partition goes on at the first offset that Kafka still holds. Who accepted the
loss, and when, is kept in ingest_gaps.` + partitionExitCodes
}

// Run accepts the gap.
func (c *acceptGap) Run(ctx context.Context, cfg *config.Config, term console) error {
	return withPartition(ctx, cfg, c.Partition, func(at target) error {
		gaps, err := at.store.Gaps(ctx)
		if err != nil {
			return err
		}
		open := false
		for _, g := range gaps {
			if g.Topic != c.Partition.Topic || g.Partition != c.Partition.Number || !g.AcceptedAt.IsZero() {
				continue
			}
			open = true
			if g.Cause == pgstore.GapRecreated {
				// Its offsets belong to another log: only a reset tells them apart.
				return fmt.Errorf("%s was re-created, or its log has lost its end, so there is no gap to accept: use tcda partitions reset --to=earliest %s", c.Partition.Topic, c.Partition)
			}
		}
		if !open {
			return fmt.Errorf("%s: %w; see tcda partitions list", c.Partition, pgstore.ErrNoGap)
		}
		move := moveLine{Partition: c.Partition.String(), From: at.stored.Next, To: max(at.log.Start, at.stored.Next), Generation: at.stored.Generation}
		if !c.Yes {
			return describe(term, c.JSON, move)
		}
		if err := at.store.AcceptGap(ctx, c.Partition.Topic, c.Partition.Number, move.To, operator(), time.Now()); err != nil {
			return err
		}
		move.Done = true
		return describe(term, c.JSON, move)
	})
}
