package ingest

import (
	"context"
	"errors"
	"fmt"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// deadlyAfter is how many processes may die at one record before it is
// quarantined unread.
const deadlyAfter = 3

// claimPartition is S0: it makes this worker the owner and compares the wanted
// position with what Kafka holds.
func (w *worker) claimPartition(ctx context.Context) error {
	topic, partition := w.assignment.Topic, w.assignment.Partition
	meta, err := w.Kafka.Topic(ctx, topic)
	if err != nil {
		return fmt.Errorf("ask for topic: %w", err)
	}
	log, err := w.Kafka.Offsets(ctx, topic, partition)
	if err != nil {
		return fmt.Errorf("ask for offsets: %w", err)
	}
	if err := w.Meet(ctx); err != nil {
		return err
	}
	// A claim that was made and not heard of would be released by nobody, and look
	// like a death to the next.
	claiming, cancel := outlast(ctx, w.cfg.ReleaseBudget)
	defer cancel()
	w.claim, err = w.Store.Claim(claiming, pgstore.ClaimRequest{
		Topic: topic, Partition: partition, TopicID: pgstore.TopicID(meta.ID), Owner: w.cfg.Instance,
		LogStart: log.Start, CarefulRecords: int64(w.cfg.Read.BatchRecords), Now: w.Now(),
	})
	if pgstore.WaitedForLock(err) {
		w.endStalled(ctx)
	}
	if err != nil {
		return err
	}
	w.topicID = meta.ID
	w.log.Info().Int64("epoch", w.claim.Epoch).Int64("next_offset", w.claim.Next).Int64("log_end", log.End).Msg("partition claimed")
	w.offsetAt.Store(w.claim.Next)
	w.compareWithPast()
	// Asked again: while the claim waited for the former owner's last transaction,
	// records were written, and that transaction may have taken them. Against the
	// first answer the position would lie beyond the end of the log.
	if log, err = w.Kafka.Offsets(ctx, topic, partition); err != nil {
		return fmt.Errorf("ask for offsets: %w", err)
	}
	if w.claim.StoppedReason != "" {
		w.log.Error().Str("reason", w.claim.StoppedReason).Msg("partition is stopped: see 'tcda partitions list'")
		return errStopped
	}
	switch {
	// A topic of another id is another log, whatever its offsets are.
	case w.claim.Recreated(pgstore.TopicID(meta.ID)), w.claim.Next > log.End:
		return w.stopAtGap(ctx, pgstore.GapRecreated, log.Start)
	case w.claim.Next < log.Start:
		return w.stopAtGap(ctx, pgstore.GapRetention, log.Start)
	case w.claim.Attempts > 0 && w.claim.Next >= log.LastStable:
		// No record was there to die of: an idle process was killed, and whatever
		// comes next must not pay for it.
		w.claim.Attempts = 0
		return w.Store.Decoded(ctx, w.claim)
	case w.claim.Attempts >= deadlyAfter:
		return w.quarantineDeadly(ctx)
	}
	return nil
}

// endStalled frees the partition from a former owner that was frozen in the
// middle of a transaction.
func (w *worker) endStalled(ctx context.Context) {
	ended, err := w.Store.EndStalled(ctx)
	switch {
	case err != nil:
		w.log.Warn().Err(err).Msg("whoever holds the partition could not be looked for")
	case ended > 0:
		w.log.Warn().Int("sessions", ended).Msg("ended sessions of frozen processes that kept the partition")
	}
}

// compareWithPast notices that PostgreSQL is behind what this process has
// committed itself: it was restored from a backup, or a standby without the last
// commits has taken over. An operator who moves a position raises the epoch.
func (w *worker) compareWithPast() {
	past, known := w.reached.Load(w.name())
	if !known || w.claim.Epoch > past.(pgstore.Position).Epoch+1 || w.claim.Next >= past.(pgstore.Position).Next {
		return
	}
	w.log.Error().Int64("had", past.(pgstore.Position).Next).Int64("has", w.claim.Next).
		Msg("PostgreSQL holds less than was committed: it was restored from a backup or has failed over; reading again what it lost")
	w.reached.Store(w.name(), pgstore.Position{Epoch: w.claim.Epoch, Next: w.claim.Next}) // the next claim does not say it again
	if w.publisher != nil {
		w.publisher.forget()
	}
	w.wentBack.Add(1)
}

// partitionName names a partition.
type partitionName struct {
	topic  string
	number int32
}

func (w *worker) name() partitionName {
	return partitionName{topic: w.assignment.Topic, number: w.assignment.Partition}
}

// stopAtGap notes that offsets are missing and stops the partition: only an
// operator can say that the loss is accepted.
func (w *worker) stopAtGap(ctx context.Context, cause pgstore.GapCause, logStart int64) error {
	var reason string
	switch cause {
	case pgstore.GapRetention:
		reason = fmt.Sprintf("offsets %d to %d were deleted from Kafka before they were ingested; 'tcda partitions accept-gap %s/%d' goes on behind them", w.claim.Next, logStart-1, w.claim.Topic, w.claim.Number)
	case pgstore.GapRecreated:
		reason = fmt.Sprintf("the topic was re-created, or its log has lost its end: position %d belongs to the former log, the present one begins at %d; 'tcda partitions reset --to=earliest %s/%d' goes on with that", w.claim.Next, logStart, w.claim.Topic, w.claim.Number)
	}
	fresh, err := w.Store.RecordGap(ctx, w.claim, pgstore.Gap{
		Topic: w.claim.Topic, Partition: w.claim.Number, Generation: w.claim.Generation,
		From: w.claim.Next, To: logStart, Cause: cause, DetectedAt: w.Now(),
	}, reason)
	if err != nil {
		return err
	}
	if fresh {
		w.Metrics.Gap()
	}
	w.log.Error().Str("reason", reason).Msg("partition stopped until an operator has acted")
	return errStopped
}

// stop stops the partition for a reason that only an operator can remove.
func (w *worker) stop(ctx context.Context, reason string) error {
	reason = fact.Printable(reason) + fmt.Sprintf("; mend the cause, then 'tcda partitions reset --to=current %s/%d'", w.claim.Topic, w.claim.Number)
	if err := w.Store.Stop(ctx, w.claim, reason, w.Now()); err != nil {
		return err
	}
	w.log.Error().Str("reason", reason).Msg("partition stopped until an operator has acted")
	return errStopped
}

// quarantineDeadly leaves out the record that processes have died of, by its
// coordinates: reading it would kill this one too.
func (w *worker) quarantineDeadly(ctx context.Context) error {
	position := w.claim.Next
	poison := pgstore.Poison{
		Record:       kafkarecord.Record{Offset: position},
		BytesUnknown: true,
		Rejection: fact.Reject(fact.ReasonCrash, "", "",
			fmt.Sprintf("%d processes died while fetching or decoding this record; it was not read again", w.claim.Attempts)),
	}
	err := w.Store.Batch(ctx, w.Now(), func(tx *pgstore.Tx) error {
		tx.Advance(ctx, w.claim, position, position+1)
		if err := tx.Quarantine(ctx, w.claim, []pgstore.Poison{poison}); err != nil {
			return err
		}
		return tx.Count(ctx, w.claim, 0, 0, 1)
	})
	if isFull(err) {
		return w.stopFull(ctx, err)
	}
	if errors.Is(err, pgstore.ErrInDoubt) {
		return fmt.Errorf("quarantine deadly record: %w", err) // the next claim finds out
	}
	if err != nil {
		return err
	}
	w.claim.Next++
	w.claim.Attempts = 0
	w.Metrics.Quarantined(fact.ReasonCrash, 1)
	w.log.Error().Int64("offset", position).Msg("record quarantined unread: processes died of it")
	return nil
}
