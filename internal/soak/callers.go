package soak

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1/testcoordinationv1connect"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/soak/checker"
)

// What the callers are like.
const (
	callersAtOnce = 6
	callGap       = 80 * time.Millisecond  // between two requests of one of them, on average
	callLimit     = 5 * time.Second        // for one try
	callAgain     = 150 * time.Millisecond // after one in vain
	callGrace     = 5 * time.Minute        // for an answer, when no more faults begin; the last ones are mended in it
	callerName    = "anonymous"            // what the service calls who has no name
)

// callers use the API of whichever worker lives, while the load is sent and
// faults strike. Nobody but they can send their writes again, so each request is
// sent until it is answered, by either worker; and they remember what they were
// told.
//
// A failover loses commits that were acknowledged, which is what its kind of
// standby means. Kafka can be read again, but no caller sends again what was
// answered: between the moment the standby stops following and its promotion they
// must be at rest, and what they were told before must have reached it. So they
// hold world.calling for as long as a request is under way, and failOver takes it
// from them.
type callers struct {
	*world
	load *load
	apis []*api // of each worker

	mu       sync.Mutex
	made     []*call
	sums     Calls
	followed []run // that callers were told of, and that followed others
}

// Calls counts requests to the API that write.
type Calls struct {
	Answered   int64            `json:"answered"`
	Procedures map[string]int64 `json:"procedures"` // of those
	Refused    int64            `json:"refused"`
	Unanswered int64            `json:"unanswered"` // given up
	Repeated   int64            `json:"repeated"`   // after an answer, and answered with the same
	InVain     int64            `json:"in_vain"`    // tries that were repeated
}

// count adds one to a sum.
func (c *callers) count(sum *int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*sum++
}

// counted are the sums so far.
func (c *callers) counted() Calls {
	c.mu.Lock()
	defer c.mu.Unlock()
	sums := c.sums
	sums.Procedures = maps.Clone(sums.Procedures)
	return sums
}

// api is that of one worker.
type api struct {
	scenarios  testcoordinationv1connect.ScenarioServiceClient
	executions testcoordinationv1connect.ExecutionServiceClient
}

func newCallers(w *world, l *load) *callers {
	c := &callers{world: w, load: l, sums: Calls{Procedures: map[string]int64{}}}
	for _, x := range w.workers {
		client, url := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callersAtOnce}}, "http://"+x.listen
		c.apis = append(c.apis, &api{testcoordinationv1connect.NewScenarioServiceClient(client, url), testcoordinationv1connect.NewExecutionServiceClient(client, url)})
	}
	return c
}

// run calls until the load is enough, and returns when all is answered.
func (c *callers) run(ctx context.Context) error {
	all, ctx := errgroup.WithContext(ctx)
	for i := range callersAtOnce {
		one := &caller{callers: c, number: i, random: newRandom(c.options.Seed + uint64(i))} //nolint:gosec // a handful
		all.Go(func() error {
			for c.load.more() && wait(ctx, between(one.random, 0, 2*callGap)) {
				if err := one.act(ctx); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return all.Wait()
}

// ledger is what the callers know.
func (c *callers) ledger() []checker.Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	calls := make([]checker.Call, 0, len(c.made))
	for _, x := range c.made {
		calls = append(calls, checker.Call{ID: x.id, Message: x.message, Answer: x.answer, Refusal: x.refusal, Sent: x.sent, Answered: x.answered, Doubtful: x.answer == nil && x.doubtful})
	}
	return calls
}

// caller is one of them.
type caller struct {
	*callers
	number int
	random *rand.Rand

	begun    int     // requests, so far
	answered []*call // with success
	seen     []run   // as they were listed
}

// run names a run.
type run struct {
	id     string
	number int32
}

// told is the run that the answer tells of; of a publication there is none.
func (x *call) told() (of run) {
	switch m := x.answer.(type) {
	case interface{ GetExecution() *contract.Execution }:
		of = run{m.GetExecution().GetExecutionId(), m.GetExecution().GetRun()}
	case *contract.AnnotateExecutionResponse:
		of = run{x.message.(*contract.AnnotateExecutionRequest).GetExecutionId(), m.GetAnnotation().GetRun()}
	}
	return of
}

// laterRun is a run that somebody was told of, and that followed another; false
// where nobody was.
func (c *caller) laterRun() (run, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.followed) == 0 {
		return run{}, false
	}
	return c.followed[c.random.IntN(len(c.followed))], true
}

// act makes a request, or one again that was answered before.
func (c *caller) act(ctx context.Context) error {
	if len(c.answered) > 0 && c.random.IntN(100) < 8 {
		return c.repeat(ctx, c.answered[c.random.IntN(len(c.answered))])
	}
	if c.begun%25 == 0 {
		c.look(ctx)
	}
	c.begun++
	x := c.next(fmt.Sprintf("soak-%d-%d", c.number, c.begun))
	c.calling.RLock()
	defer c.calling.RUnlock()
	if c.random.IntN(100) < 6 {
		c.sendTwice(ctx, x)
	} else {
		c.settle(ctx, x, c.random.IntN(len(c.apis)))
	}
	c.note(x)
	return context.Cause(ctx)
}

// note keeps a request in the ledger.
func (c *caller) note(x *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made = append(c.made, x)
	switch {
	case x.answer != nil:
		c.sums.Answered++
		c.sums.Procedures[x.procedure()]++
		c.answered = append(c.answered, x)
		if of := x.told(); of.number > 1 {
			c.followed = append(c.followed, of)
		}
	case x.refusal != "":
		c.sums.Refused++
	default:
		c.sums.Unanswered++
		x.doubtful = true
	}
}

// repeat sends an answered request again: it must get the answer that it got.
func (c *caller) repeat(ctx context.Context, x *call) error {
	c.calling.RLock()
	defer c.calling.RUnlock()
	again := *x
	again.answer = nil
	c.settle(ctx, &again, c.random.IntN(len(c.apis)))
	switch {
	case again.answer == nil && again.refusal == "": // not answered in time, which is a problem of its own
	case again.answer == nil:
		c.problem(fmt.Sprintf("request %s was answered, and is now refused as %s", x.id, again.refusal))
	case !sameBytes(again.answer, x.answer):
		c.problem(fmt.Sprintf("request %s is answered with %v, and was answered with %v", x.id, again.answer, x.answer))
	default:
		c.count(&c.sums.Repeated)
	}
	return context.Cause(ctx)
}

// sameBytes tells whether two answers are the same, byte by byte.
func sameBytes(a, b proto.Message) bool {
	one, err := proto.MarshalOptions{Deterministic: true}.Marshal(a)
	other, otherErr := proto.MarshalOptions{Deterministic: true}.Marshal(b)
	return err == nil && otherErr == nil && bytes.Equal(one, other)
}
