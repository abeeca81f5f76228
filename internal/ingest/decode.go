package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
)

// batch is a run of records of one partition, decoded.
type batch struct {
	position, next int64 // it takes the partition from position to next
	logEnd         int64
	items          []item

	// hinted says that every event of it is probably stored already, repeats that
	// one of it is.
	hinted, repeats bool

	fetched *kafkalog.Batch // whose memory the records lie in; nil when there is none
	free    func()          // gives back its share of what may be in flight; nil when it has none

	committed chan struct{} // closed when it is
}

// item is one record and what became of it: an event or a rejection.
type item struct {
	record    kafkarecord.Record
	event     event.Decoded
	rejection *fact.Rejection
	unread    bool // the record is known by its coordinates only
}

// halves are two batches that take the partition as far as this one.
func (b *batch) halves() [2]*batch {
	mid := len(b.items) / 2
	at := b.items[mid].record.Offset
	return [2]*batch{
		{position: b.position, next: at, logEnd: b.logEnd, items: b.items[:mid], hinted: b.hinted, repeats: b.repeats},
		{position: at, next: b.next, logEnd: b.logEnd, items: b.items[mid:], hinted: b.hinted, repeats: b.repeats},
	}
}

// release gives back what the batch holds. It is used once, by whoever has the
// batch in the end.
func (b *batch) release() {
	if b.fetched != nil {
		b.fetched.Release()
	}
	if b.free != nil {
		b.free()
	}
}

// admit waits until the records may be in flight. Decoded they take a multiple
// of their size, and each partition has several batches: without a bound for all
// of them memory would grow with the number of partitions. Batches that have been
// admitted wait for no other, so that this ends.
func (w *worker) admit(ctx context.Context, fetched *kafkalog.Batch) (free func(), err error) {
	weight := min(int64(fetched.Bytes), w.cfg.InFlight)
	if err := w.inFlight.Acquire(ctx, weight); err != nil {
		return nil, context.Cause(ctx)
	}
	return func() { w.inFlight.Release(weight) }, nil
}

// parallelFrom is the size of a batch from which decoding it in parallel pays.
const parallelFrom = 64

// newDecoders makes the places for those that decode at the same time: half of
// the processors, so that decoding ahead keeps no transaction waiting for its
// next statement.
func newDecoders() chan struct{} { return make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)) }

// decodeBatch is S2 and S3.
func (w *worker) decodeBatch(ctx context.Context, fetched *kafkalog.Batch, position int64) *batch {
	b := &batch{position: position, next: fetched.Next, logEnd: fetched.LastStable, fetched: fetched, items: make([]item, len(fetched.Records)), committed: make(chan struct{})}
	_ = w.step(telemetry.StepDecode, func() error { // it cannot fail: what is wrong with a record is its rejection
		now := w.Now()
		w.each(len(b.items), func(i int) {
			b.items[i].record = fetched.Records[i]
			w.decodeItem(&b.items[i], now)
		})
		return nil
	})
	w.hint(ctx, b)
	return b
}

// each calls f for 0..n-1, on several processors when there is enough to do.
func (e *Engine) each(n int, f func(int)) {
	workers := min(cap(e.decoders), n/parallelFrom+1)
	var g errgroup.Group
	for k := range workers {
		g.Go(func() error {
			e.decoders <- struct{}{}
			defer func() { <-e.decoders }()
			for i := k * n / workers; i < (k+1)*n/workers; i++ {
				f(i)
			}
			return nil
		})
	}
	_ = g.Wait() // f returns no errors
}

// decodeItem decodes one record. A panic is the record's fault: it is
// quarantined with a hash of the stack, so that equal ones can be told.
func (w *worker) decodeItem(it *item, now time.Time) {
	defer func() {
		if r := recover(); r != nil {
			it.event, it.rejection = event.Decoded{}, panicked(r)
		}
	}()
	it.event, it.rejection = w.Decoder.Decode(it.record, now)
	if it.rejection == nil && it.event.Scenario != nil {
		it.rejection = it.event.Scenario.Check(w.cfg.Limits)
	}
}

// panicked is the rejection of a record that made its handling panic. It is
// called in the deferred function: the frames below are those of the panic.
func panicked(r any) *fact.Rejection {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	stack := sha256.New()
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		fmt.Fprintf(stack, "%s:%d\n", f.Function, f.Line)
	}
	return fact.Reject(fact.ReasonPanic, "", fmt.Sprint(r), "handling it panicked, with stack "+hex.EncodeToString(stack.Sum(nil)[:6]))
}

const (
	// hintShare: of so many events one gets a hint. A batch is either new or a
	// replay, so that a few events tell; what they tell is a hint for all. With a
	// hint for each, marking them was a tenth of all work.
	hintShare = 8
	// hintSample is how many events of a batch Redis is asked for at most.
	hintSample = 32
)

// isHinted tells whether an event is of the share that gets hints: the key is a
// hash, so that any of its bytes draws evenly.
func isHinted(h *fact.Header) bool { return h.Key[0]%hintShare == 0 }

// hintPause is for how many small batches Redis is not asked after it did not
// know one: in a steady flow each has a few records, and asking for each took as
// long as storing some of them. Who repeats events repeats more than that.
const hintPause = 7

// hint is S3: Redis tells of a few events of the batch whether they are probably
// stored. Only when it says so of all is there something to gain.
func (w *worker) hint(ctx context.Context, b *batch) {
	if w.Redis == nil {
		return
	}
	if w.unasked < hintPause && w.isSmall(b) {
		w.unasked++
		return
	}
	sample := make([]redisstore.Hint, 0, hintSample)
	for i := range b.items {
		it := &b.items[i]
		if it.rejection != nil || len(sample)*len(b.items) > i*hintSample { // spread over the batch
			continue
		}
		if h := it.event.Header(); isHinted(h) {
			sample = append(sample, hintOf(h))
		}
	}
	if len(sample) == 0 {
		return
	}
	_ = w.step(telemetry.StepHint, func() error { // fails open: not known
		known, err := w.Redis.Known(ctx, sample)
		b.hinted = err == nil && !slices.Contains(known, false)
		w.unasked = hintPause
		if !b.hinted {
			w.unasked = 0
		}
		return err
	})
}

func hintOf(h *fact.Header) redisstore.Hint {
	return redisstore.Hint{Key: h.Key, Digest: h.Digest}
}

// traceParents are the trace contexts of the batch's events.
func (b *batch) traceParents() []string {
	var parents []string
	for i := range b.items {
		if it := &b.items[i]; it.rejection == nil {
			if p := it.event.Header().TraceParent; p != "" {
				parents = append(parents, p)
			}
		}
	}
	return parents
}
