package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
)

const (
	// corruptTries is how often a batch that cannot be decoded is fetched again
	// before it is believed.
	corruptTries = 3
	// corruptRange is how many offsets a corrupt batch may name. One that claims
	// more is not quarantined record by record but stops the partition.
	corruptRange = 10_000
)

// fetchAhead is S1 to S3: it reads and decodes from the claimed position on,
// and hands over batch by batch, until ctx ends or the log has a hole.
func (w *worker) fetchAhead(ctx context.Context, out chan<- *batch) error {
	position := w.claim.Next
	careful := position < w.claim.CarefulUntil
	reader := w.newReader(position, careful)
	pause := w.newPause()
	corrupt := 0
	advancedAt, lookedAt := time.Now(), time.Now()
	attempt := attempt{worker: w, proven: w.claim.Attempts == 0}
	// How far the process that died may have been ahead of its position: so many
	// batches, and where those were larger than ours are now, so many records.
	batches, alone := 0, w.claim.Next
	if !attempt.proven {
		batches = w.cfg.Prefetch + 1
		alone += int64(batches * w.cfg.Read.BatchRecords)
	}
	defer attempt.end(ctx)
	for {
		attempt.end(ctx)
		if err := attempt.begin(ctx); err != nil {
			return err
		}
		var fetched *kafkalog.Batch
		err := w.step(telemetry.StepFetch, func() (err error) {
			fetched, err = reader.Next(ctx)
			return err
		})
		var outOfRange *kafkalog.OffsetOutOfRangeError
		var broken *kafkalog.CorruptBatchError
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, &outOfRange):
			// Claiming again compares with the log and stops at the hole, after
			// everything fetched so far has been committed.
			return fmt.Errorf("the log has a hole at the position: %w", outOfRange)
		case errors.Is(err, kafkalog.ErrOtherTopic), errors.Is(err, kafkalog.ErrUnknownTopic):
			// Likewise: the topic that comes in its place may hold the position, too,
			// and would be taken for the rest of the former.
			return fmt.Errorf("the topic is not what it was: %w", err)
		case errors.As(err, &broken):
			corrupt++
			if corrupt < corruptTries {
				break
			}
			b, err := w.corruptBatch(broken, position)
			if err != nil {
				return err
			}
			if err := w.send(ctx, out, b); err != nil {
				return err
			}
			corrupt, position = 0, b.next
			reader = w.newReader(position, careful)
			continue
		case err != nil && !kafkalog.IsRetriable(err):
			w.log.Error().Err(err).Msg("fetch failed in a way that does not mend itself; trying on")
		case err != nil:
			w.log.Warn().Err(err).Msg("fetch failed; trying again")
		}
		if err != nil {
			attempt.end(ctx)
			if err := pause.wait(ctx); err != nil {
				return err
			}
			continue
		}
		pause.reset()
		corrupt = 0
		fetchedAt := time.Now()

		if len(fetched.Records) == 0 {
			if w.idle() {
				w.touch()
				if time.Since(lookedAt) >= w.cfg.StopPoll {
					lookedAt = time.Now()
					if err := w.stillThere(ctx, position); err != nil {
						return err
					}
				}
			}
			w.showLag(fetched.LastStable, position)
			if fetched.Next == position || time.Since(advancedAt) < w.cfg.AdvanceInterval {
				// An advance over aborted or compacted records is committed with
				// the next batch, or alone now and then.
				fetched.Release()
				continue
			}
		}
		advancedAt = fetchedAt
		free, err := w.admit(ctx, fetched)
		if err != nil {
			fetched.Release()
			return err
		}
		b := w.decodeBatch(ctx, fetched, position)
		b.free = free
		attempt.survived(ctx)
		if err := w.send(ctx, out, b); err != nil {
			return err
		}
		position = b.next
		batches--
		// A small batch behind which nothing lies: the next fetch waits for its commit,
		// and brings what has come meanwhile. Fetched at once, small batches would queue.
		small := w.isSmall(b) && b.next >= b.logEnd
		if small || careful || batches >= 0 || position < alone {
			// Not ahead of S4: a process that dies of the next batch must leave the
			// position at it. One batch further back, each new process would decode
			// that one alive, and forget the deaths.
			if err := b.awaitCommit(ctx); err != nil {
				return err
			}
		}
		// Where it is asked for: in a steady flow, transactions of a few records each
		// take all of the processor, whatever flows. Nothing waits after a record that
		// came alone.
		if small && len(b.items) > 1 {
			if err := sleep(ctx, w.cfg.Gather-time.Since(fetchedAt)); err != nil {
				return err
			}
		}
		if careful && position >= w.claim.CarefulUntil {
			careful = false
			reader = w.newReader(position, false)
		}
	}
}

// isSmall tells whether a transaction costs more by itself than by the records of
// the batch.
func (w *worker) isSmall(b *batch) bool { return len(b.items) < w.cfg.Read.BatchRecords/4 }

func (w *worker) newReader(position int64, careful bool) *kafkalog.PartitionReader {
	read := w.cfg.Read
	read.TopicID = w.topicID
	if careful {
		read.BatchRecords = 1
	}
	return w.Kafka.NewPartitionReader(w.assignment.Topic, w.assignment.Partition, position, read)
}

func (w *worker) send(ctx context.Context, out chan<- *batch, b *batch) error {
	w.waiting.Add(1)
	select {
	case out <- b:
		return nil
	case <-ctx.Done():
		b.release()
		return context.Cause(ctx)
	}
}

func (b *batch) awaitCommit(ctx context.Context) error {
	select {
	case <-b.committed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// idle tells that nothing waits to be committed: an empty fetch is progress
// then, and the position is the stored one.
func (w *worker) idle() bool { return w.waiting.Load() == 0 }

// stillThere sees whether the stored position is where this worker waits for
// records. An operator may have moved it, or a failover may have lost its last
// commits: with records the fence of S4 would tell, on a quiet partition nothing
// else would, and what was lost would stay lost until somebody says something.
func (w *worker) stillThere(ctx context.Context, position int64) error {
	at, err := w.Store.Position(ctx, w.claim.Topic, w.claim.Number)
	switch {
	case errors.Is(err, pgstore.ErrNotFound):
		return errFenced
	case err != nil:
		w.log.Warn().Err(err).Msg("stored position not read; tried again later")
	case at.Epoch != w.claim.Epoch || at.Next != position:
		return errFenced
	}
	return nil
}

func (w *worker) showLag(logEnd, position int64) {
	w.Metrics.Lag(w.assignment.Topic, int(w.assignment.Partition), max(0, logEnd-position))
}

// corruptBatch quarantines the records of a record batch that cannot be
// decoded, by their coordinates.
func (w *worker) corruptBatch(broken *kafkalog.CorruptBatchError, position int64) (*batch, error) {
	n := broken.Last - broken.First + 1
	if n < 1 || n > corruptRange || broken.Last < position { // its header may be what is corrupt
		return nil, fmt.Errorf("%w: a corrupt batch claims the offsets %d to %d", errCorruptRange, broken.First, broken.Last)
	}
	b := &batch{position: position, next: broken.Last + 1, committed: make(chan struct{})}
	for offset := max(broken.First, position); offset <= broken.Last; offset++ {
		b.items = append(b.items, item{
			record: kafkarecord.Record{Offset: offset}, unread: true,
			rejection: fact.Reject(fact.ReasonEncoding, "", "", "the record batch in Kafka is corrupt: "+broken.Err.Error()),
		})
	}
	w.log.Error().Err(broken).Int64("first", broken.First).Int64("last", broken.Last).Msg("corrupt record batch: its records are quarantined by their coordinates")
	return b, nil
}

// errCorruptRange says that a corrupt batch names offsets that cannot be its own.
var errCorruptRange = errors.New("a corrupt batch cannot be left out")

// stopFor turns what ended the fetching into a stopped partition where only an
// operator can help.
func (w *worker) stopFor(ctx context.Context, err error) error {
	if errors.Is(err, errCorruptRange) {
		return w.stop(ctx, err.Error())
	}
	return err
}
