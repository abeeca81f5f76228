package ingest_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/command"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/ingest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// caller is a coordinator that asks the service for something again and again
// while something breaks, over what the engine goes over: it asks for runs of its
// own, cancels them, and pins those that Kafka tells of, or lets them go. What is not
// answered it asks for again, under the same id; some of what was answered, too.
type caller struct {
	*world
	commands *command.Commands
	rest     *sync.Mutex
	pace     *time.Ticker
	stopping atomic.Bool
	done     chan struct{}

	answers  atomic.Int64            // with success, so far
	answered map[string]bool         // ids of the events that were answered to be stored
	told     int                     // of those, which go out to the coordinator
	pins     map[pgstore.RunKey]bool // as was answered last
	pinned   map[bool]int            // how often it was answered that a run is pinned, and is not
}

// callUnder lets a caller ask under this fault until it is stopped.
func (w *world) callUnder(f *fault) *caller {
	w.Helper()
	s := settings{parts: ingest.Parts{Store: w.store}}
	w.underFault(f)(&s)
	decoder, err := event.NewDecoder(event.DefaultLimits())
	if err != nil {
		w.Fatal(err)
	}
	c := &caller{world: w, rest: &f.rest, pace: time.NewTicker(20 * time.Millisecond), done: make(chan struct{}), answered: map[string]bool{}, pins: map[pgstore.RunKey]bool{}, pinned: map[bool]int{}, commands: command.New(command.Parts{
		Store: s.parts.Store, Redis: s.parts.Redis, Decoder: decoder, Limits: scenario.DefaultLimits(), Source: "/tcda/api", Now: s.parts.Now, Log: w.said.logger(),
	})}
	go func() {
		defer close(c.done)
		defer c.pace.Stop()
		c.ask()
	}()
	w.Cleanup(c.stop)
	return c
}

// stop waits until all that was asked for is answered.
func (c *caller) stop() {
	c.Helper()
	c.stopping.Store(true)
	testenv.Eventually(c, "the caller has its answers", func() bool {
		select {
		case <-c.done:
			return true
		default:
			return false
		}
	})
}

func (c *caller) ask() {
	c.once("publish", func(ctx context.Context, tx *command.Tx) error {
		_, err := tx.PublishScenario(ctx, &contract.ScenarioPublished{ScenarioId: "asked", Definition: "free text"})
		return err
	})
	for n := 0; !c.stopping.Load(); n++ {
		id := fmt.Sprint("asked-", n)
		c.tell("request-"+id, func(ctx context.Context, tx *command.Tx) error {
			_, _, err := tx.RequestExecution(ctx, &contract.ExecutionRequested{ExecutionId: id, ScenarioId: "asked"}, nil)
			return err
		})
		if n%2 > 0 {
			c.tell("cancel-"+id, func(ctx context.Context, tx *command.Tx) error {
				_, err := tx.CancelExecution(ctx, execution.ID(id), 0, "enough", nil)
				return err
			})
		}
		c.pin(fmt.Sprint("pin-", n), executionNumber(n%8), n/8%2 == 0)
		<-c.pace.C
	}
	// Half of them once more, the other way: what was answered under the fault must
	// not outlast this, and that of the other half must stand.
	for n := 0; n < 8; n += 2 {
		id := executionNumber(n)
		c.pin(fmt.Sprint("last-pin-", n), id, !c.pins[pgstore.RunKey{ID: id, Number: 1}])
	}
	delete(c.answered, "request:publish") // it is no event of a run
}

// tell asks for what goes out to the coordinator, and cannot be refused.
func (c *caller) tell(id string, work func(context.Context, *command.Tx) error) {
	if c.once(id, work) {
		c.told++
	} else {
		c.Errorf("request %s was refused", id)
	}
}

// pin pins a run or lets it go; it is refused where nothing was heard of it yet.
func (c *caller) pin(request string, id execution.ID, pinned bool) {
	var of pgstore.RunKey
	if c.once(request, func(ctx context.Context, tx *command.Tx) error {
		r, err := tx.PinExecution(ctx, id, 0, pinned, "evidence")
		if err == nil {
			of = pgstore.RunKey{ID: r.ID, Number: r.Number}
		}
		return err
	}) {
		c.pins[of] = pinned
		c.pinned[pinned]++
	}
}

// once asks for something until there is an answer: true if it was done. Of what
// was done every third is asked for again.
func (c *caller) once(id string, work func(context.Context, *command.Tx) error) bool {
	request := command.Request{ID: id, Procedure: "test", Parameters: sha256.Sum256([]byte(id)), Caller: "test"}
	carry := func(ctx context.Context, tx *command.Tx) ([]byte, error) {
		return []byte(id), work(ctx, tx)
	}
	for c.Context().Err() == nil {
		c.rest.Lock()
		answer, err := c.commands.Once(c.Context(), request, carry)
		c.rest.Unlock()
		var refusal *command.Refusal
		switch {
		case err == nil:
			if string(answer) != id {
				c.Errorf("request %s is answered %q", id, answer)
			}
			c.answers.Add(1)
			if c.answered["request:"+id] {
				return true
			}
			c.answered["request:"+id] = true
			if len(c.answered)%3 > 0 {
				return true
			}
			carry = func(context.Context, *command.Tx) ([]byte, error) {
				c.Errorf("request %s is carried out again", id)
				return []byte(id), nil
			}
		case errors.As(err, &refusal):
			return false
		case pgstore.ClassOf(err) == pgstore.Data:
			c.Errorf("request %s: %v", id, err)
			return false
		default: // also of a schema that does not fit: until it is mended
			<-c.pace.C
		}
	}
	return false
}

// wantAnswers waits until something is answered that was asked for after so many
// answers; one request may have been under way.
func (c *caller) wantAnswers(before int64) {
	c.Helper()
	testenv.Eventually(c, "requests are answered while the fault is there", func() bool { return c.answers.Load() > before+1 })
}

// wantAnswersKept holds the outbox and the pins against what was answered; the
// events are for wantEachEventOnce.
func (w *world) wantAnswersKept(c *caller) {
	w.Helper()
	if len(c.answered) < 5 {
		w.Errorf("only %d requests were answered", len(c.answered))
	}
	if n := w.count("SELECT count(*) FROM outbox WHERE topic_role = 'commands'"); n != c.told {
		w.Errorf("%d commands wait to be published, want %d", n, c.told)
	}
	if n := w.count("SELECT count(DISTINCT event_id) FROM outbox WHERE topic_role = 'commands'"); n != c.told {
		w.Errorf("%d different commands wait to be published, want %d", n, c.told)
	}
	if c.pinned[true] == 0 || c.pinned[false] == 0 {
		w.Errorf("%d runs were pinned and %d let go: nothing is proven of pins", c.pinned[true], c.pinned[false])
	}
	rows, err := w.db.Pool(w).Query(w.Context(), `SELECT execution_id, run, pinned FROM test_coordination.executions`)
	if err != nil {
		w.Fatal(err)
	}
	var of pgstore.RunKey
	var pinned bool
	if _, err := pgx.ForEachRow(rows, []any{&of.ID, &of.Number, &pinned}, func() error {
		if want := c.pins[of]; pinned != want {
			w.Errorf("run %d of %s is pinned: %t; what was answered last: %t", of.Number, of.ID, pinned, want)
		}
		delete(c.pins, of)
		return nil
	}); err != nil {
		w.Fatal(err)
	}
	for of := range c.pins {
		w.Errorf("run %d of %s was pinned or let go, and is not there", of.Number, of.ID)
	}
}
