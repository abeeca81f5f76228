package outbox

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
)

// lane publishes to one topic, so that trouble with it holds up no other.
type lane struct {
	*Publisher

	role    pgstore.OutboxTopic
	topic   kafkalog.TopicSpec
	exists  bool                  // the topic does, as far as is known, or is not needed yet
	after   pgstore.OutboxPlace   // where the former claim ended
	nudged  chan struct{}         // holds one word at most
	trouble atomic.Pointer[error] // why nothing can be published; nil: it can
	told    time.Time             // when that was last said
}

func newLane(p *Publisher, role pgstore.OutboxTopic, topic kafkalog.TopicSpec) *lane {
	needed := role != pgstore.OutboxDeadLetters || p.cfg.DeadLetters
	return &lane{Publisher: p, role: role, topic: topic, exists: !needed, nudged: make(chan struct{}, 1)}
}

// run publishes until ctx ends.
func (l *lane) run(ctx context.Context) {
	pause := backoff{next: l.cfg.RetryMin, first: l.cfg.RetryMin, last: l.cfg.RetryMax}
	for ctx.Err() == nil {
		idle, err := l.step(ctx)
		wait := time.Duration(0)
		switch {
		case err != nil && ctx.Err() != nil:
			return
		case err != nil:
			wait = pause.take()
			l.failed(err, wait)
		default:
			pause.reset()
			l.works()
			if idle {
				wait = l.cfg.Poll
			}
		}
		l.wait(ctx, wait, err == nil)
	}
}

// wait lasts until ctx ends at most, or until somebody nudges, if that counts: it
// does not mend what has failed.
func (l *lane) wait(ctx context.Context, d time.Duration, nudge bool) {
	if d <= 0 {
		return
	}
	var nudged <-chan struct{}
	if nudge {
		nudged = l.nudged
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-nudged:
	}
}

// step publishes one claim. Idle says that nothing is left that could be claimed
// now.
func (l *lane) step(ctx context.Context) (idle bool, err error) {
	if !l.exists {
		if err := l.ensureTopic(ctx); err != nil {
			return false, err
		}
		l.exists = true
	}
	begun := l.after
	done, err := l.publish(ctx)
	if errors.Is(err, kafkalog.ErrUnknownTopic) {
		l.exists = false
	}
	return done == 0 && begun.IsZero() && l.after.IsZero(), err
}

// ensureTopic sees to it that the topic is there.
func (l *lane) ensureTopic(ctx context.Context) error {
	_, err := l.Kafka.Topic(ctx, l.topic.Name)
	if !errors.Is(err, kafkalog.ErrUnknownTopic) {
		return err
	}
	if !l.cfg.CreateTopics {
		return fmt.Errorf("%w; create it, or let tcda do so with kafka-create-topics", err)
	}
	return l.Kafka.EnsureTopics(ctx, l.topic)
}

// publish is S8 for one claim, which it finishes after ctx has ended. It tells how
// many rows were published or parked. The error is of the database, or of the first
// row that could be neither; what others came to is kept.
func (l *lane) publish(ctx context.Context) (done int, err error) {
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*l.cfg.ProduceTimeout)
	defer cancel()
	begun := time.Now()
	var out outcome
	var claimed pgstore.OutboxClaimed
	err = l.Store.Batch(ctx, l.Now(), func(tx *pgstore.Tx) (err error) {
		claimed, err = tx.ClaimOutbox(ctx, pgstore.OutboxClaim{Topic: l.role, After: l.after, Most: l.cfg.ClaimRows, Bytes: l.cfg.ClaimBytes})
		if err != nil {
			return err
		}
		out = l.produce(ctx, claimed.Entries)
		// An operator who wants a row that is parked waits for this transaction from
		// HoldBack on: not for Kafka.
		return errors.Join(tx.MarkPublished(ctx, l.topic.Name, out.published), tx.Park(ctx, out.refused), tx.CountAttempts(ctx, out.left), tx.HoldBack(ctx, claimed.Behind))
	})
	if err != nil {
		return 0, err
	}
	l.after = claimed.Next
	if len(out.published)+len(out.refused)+len(out.left) > 0 {
		l.Metrics.Step(telemetry.StepPublish, time.Since(begun))
	}
	l.Metrics.Published(l.topic.Name, len(out.published))
	l.Metrics.Parked(l.topic.Name, len(out.refused))
	for _, r := range out.refused {
		l.Log.Error().Str("topic", l.topic.Name).Int64("outbox_id", r.ID).Str("reason", r.Reason).
			Msg("the broker refuses an event: it is parked, and later ones of its key wait until it is released or discarded")
	}
	return len(out.published) + len(out.refused), out.err
}

// outcome is what became of the rows of a claim.
type outcome struct {
	published []pgstore.Published
	refused   []pgstore.Refused
	left      []int64 // neither: to be claimed again
	err       error   // why; of the first
}

// produce sends the records of a claim, each of another key.
func (l *lane) produce(ctx context.Context, entries []pgstore.OutboxEntry) outcome {
	var out outcome
	records := make([]kafkarecord.Record, 0, len(entries))
	ids := make([]int64, 0, len(entries))
	for i := range entries {
		e := &entries[i]
		if e.DeadLetter != nil {
			if e.DeadLetter.Gone {
				out.refused = append(out.refused, pgstore.Refused{ID: e.ID, Reason: "the quarantined record was settled by a program that knows no dead letters, and has given its bytes up"})
				continue
			}
			e.Record.Headers = append(e.Record.Headers, l.deadLetterHeaders(e.DeadLetter)...)
		}
		records, ids = append(records, e.Record), append(ids, e.ID)
	}
	if len(records) == 0 {
		return out
	}
	producing, cancel := context.WithTimeout(ctx, l.cfg.ProduceTimeout)
	defer cancel()
	for i, a := range l.Appender.Append(producing, l.topic.Name, records) {
		switch {
		case a.Err == nil:
			out.published = append(out.published, pgstore.Published{ID: ids[i], Partition: a.Partition, Offset: a.Offset})
		case kafkalog.RefusesRecord(a.Err):
			out.refused = append(out.refused, pgstore.Refused{ID: ids[i], Reason: a.Err.Error()})
		default:
			out.left = append(out.left, ids[i])
			if out.err == nil {
				out.err = a.Err
			}
		}
	}
	return out
}

// failed notes why nothing can be published, and says so when it is news.
func (l *lane) failed(err error, again time.Duration) {
	err = fmt.Errorf("events for topic %s cannot be published: %w", l.topic.Name, err)
	level := zerolog.WarnLevel
	if _, unlisted := pgstore.UnlistedState(err); unlisted || pgstore.ClassOf(err) != pgstore.Infrastructure {
		level = zerolog.ErrorLevel // nobody has said that trying again may help
	}
	if before := l.trouble.Swap(&err); before != nil && (*before).Error() == err.Error() && l.Now().Sub(l.told) < tellEvery {
		level = zerolog.DebugLevel
	} else {
		l.told = l.Now()
	}
	l.Log.WithLevel(level).Err(err).Stringer("again_in", again).Msg("outbox not published; trying again")
}

// tellEvery is how often the same trouble is told again.
const tellEvery = 5 * time.Minute

func (l *lane) works() {
	if l.trouble.Swap(nil) != nil {
		l.Log.Info().Str("topic", l.topic.Name).Msg("outbox is published again")
	}
}
