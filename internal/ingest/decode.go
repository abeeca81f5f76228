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

	// hinted says that every event of it is probably stored already.
	hinted bool

	fetched *kafkalog.Batch // whose memory the records lie in; nil when there is none

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
		{position: b.position, next: at, logEnd: b.logEnd, items: b.items[:mid], hinted: b.hinted},
		{position: at, next: b.next, logEnd: b.logEnd, items: b.items[mid:], hinted: b.hinted},
	}
}

func (b *batch) release() {
	if b.fetched != nil {
		b.fetched.Release()
	}
}

// parallelFrom is the size of a batch from which decoding it in parallel pays.
const parallelFrom = 64

// decodeBatch is S2 and S3.
func (w *worker) decodeBatch(ctx context.Context, fetched *kafkalog.Batch, position int64) *batch {
	b := &batch{position: position, next: fetched.Next, logEnd: fetched.LastStable, fetched: fetched, items: make([]item, len(fetched.Records)), committed: make(chan struct{})}
	_ = w.step(telemetry.StepDecode, func() error { // it cannot fail: what is wrong with a record is its rejection
		now := w.Now()
		each(len(b.items), func(i int) {
			b.items[i].record = fetched.Records[i]
			w.decodeItem(&b.items[i], now)
		})
		return nil
	})
	w.hint(ctx, b)
	return b
}

// each calls f for 0..n-1, on all processors when there is enough to do.
func each(n int, f func(int)) {
	workers := min(runtime.GOMAXPROCS(0), n/parallelFrom+1)
	if workers == 1 {
		for i := range n {
			f(i)
		}
		return
	}
	var g errgroup.Group
	for k := range workers {
		g.Go(func() error {
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

// hintSample is how many events of a batch Redis is asked for. A batch is either
// new or a replay, so that a few tell; what they tell is a hint for all.
const hintSample = 32

// hint is S3: Redis tells of a few events, spread over the batch, whether they
// are probably stored. Only when it says so of all is there something to gain.
func (w *worker) hint(ctx context.Context, b *batch) {
	if w.Redis == nil {
		return
	}
	sample := make([]redisstore.Hint, 0, hintSample)
	for i := range b.items {
		if it := &b.items[i]; it.rejection == nil && len(sample)*len(b.items) <= i*hintSample {
			sample = append(sample, hintOf(it.event.Header()))
		}
	}
	if len(sample) == 0 {
		return
	}
	_ = w.step(telemetry.StepHint, func() error { // fails open: not known
		known, err := w.Redis.Known(ctx, sample)
		b.hinted = err == nil && !slices.Contains(known, false)
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
