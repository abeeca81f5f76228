package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/contractcheck"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/service"
)

// topicReading reads one partition after the other: a subject's events lie in
// one of them, unless their keys are wrong.
type topicReading struct {
	client   *kafkalog.Client
	topic    kafkalog.Topic
	config   kafkalog.ReadConfig
	grading  *grading
	progress *progress
}

// part is what is read of a partition: from, up to and without end.
type part struct {
	partition int32
	from, end int64
}

func (c *contractCheck) gradeTopic(ctx context.Context, cfg *config.Config, g *grading, tell io.Writer) error {
	settings, err := service.Kafka(cfg)
	if err != nil {
		return err
	}
	settings.Topics = []string{c.Topic}
	client, err := kafkalog.Open(settings)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.Preflight(ctx); err != nil {
		return fmt.Errorf("reach Kafka: %w", err)
	}
	topic, err := client.Topic(ctx, c.Topic)
	if err != nil {
		return err
	}
	t := &topicReading{
		client: client, topic: topic, grading: g, progress: newProgress(tell),
		config: kafkalog.ReadConfig{
			TopicID: topic.ID, MaxWait: cfg.Kafka.FetchMaxWait, FetchBytes: int32(cfg.Kafka.FetchBytes), //nolint:gosec // at most 50 MiB
			RecordBytes: int(cfg.Limits.RecordBytes),
		},
	}
	defer t.progress.done()
	parts, err := t.parts(ctx, int64(c.From), c.Last)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if err := t.read(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// parts are what there is at present, of transactions that are committed.
func (t *topicReading) parts(ctx context.Context, from, last int64) ([]part, error) {
	parts := make([]part, 0, len(t.topic.Partitions))
	for _, partition := range t.topic.Partitions {
		log, err := t.client.Offsets(ctx, t.topic.Name, partition)
		if err != nil {
			return nil, err
		}
		p := part{partition, max(log.Start, from), log.LastStable}
		if last > 0 {
			p.from = max(p.from, log.LastStable-last)
		}
		if p.from < p.end {
			t.progress.total += p.end - p.from
			parts = append(parts, p)
		}
	}
	return parts, nil
}

// read grades the records of a part. What retention removes meanwhile is left
// out: it was there to be read, and is not any more.
func (t *topicReading) read(ctx context.Context, p part) error {
	reader := t.client.NewPartitionReader(t.topic.Name, p.partition, p.from, t.config)
	for at, failures := p.from, 0; at < p.end; {
		batch, err := reader.Next(ctx)
		var removed *kafkalog.OffsetOutOfRangeError
		switch {
		case errors.As(err, &removed) && removed.Asked < removed.LogStart:
			at = removed.LogStart
			reader = t.client.NewPartitionReader(t.topic.Name, p.partition, at, t.config)
			continue
		case err != nil && kafkalog.IsRetriable(err) && failures < mostFailures:
			failures++
			if err := pause(ctx, time.Duration(failures)*retryPause); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		failures = 0
		err = t.grade(p, batch)
		t.progress.add(min(batch.Next, p.end) - at)
		at = batch.Next
		batch.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// A leader that moves is found again within a few tries; who waits for a report
// should not wait for a broker that is gone.
const (
	mostFailures = 5
	retryPause   = 200 * time.Millisecond
)

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

func (t *topicReading) grade(p part, batch *kafkalog.Batch) error {
	for _, record := range batch.Records {
		if record.Offset >= p.end {
			break // written since
		}
		if err := t.grading.add(record, contractcheck.Place{Partition: p.partition, Offset: record.Offset}); err != nil {
			return err
		}
	}
	return nil
}

// progress says on a terminal how far a reading is.
type progress struct {
	terminal    io.Writer // nil: there is none
	read, total int64     // offsets
	shown       time.Time
}

// showEvery is often enough for an eye.
const showEvery = 200 * time.Millisecond

func newProgress(w io.Writer) *progress {
	if file, ok := w.(*os.File); ok && isatty.IsTerminal(file.Fd()) && os.Getenv("TERM") != "dumb" {
		return &progress{terminal: w, shown: time.Now()}
	}
	return &progress{}
}

func (p *progress) add(offsets int64) {
	p.read += offsets
	if now := time.Now(); p.terminal != nil && now.Sub(p.shown) >= showEvery {
		p.shown = now
		fmt.Fprintf(p.terminal, "\r\x1b[Kread %d of %d offsets", p.read, p.total)
	}
}

// done takes the line away.
func (p *progress) done() {
	if p.terminal != nil {
		fmt.Fprint(p.terminal, "\r\x1b[K")
	}
}
