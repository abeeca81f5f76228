package ingest_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

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
// own, cancels them, and pins those that Kafka tells of. What is not answered it
// asks for again, under the same id; some of what was answered, too.
type caller struct {
	*world
	commands *command.Commands
	rest     *sync.Mutex
	pace     *time.Ticker
	stopping atomic.Bool
	done     chan struct{}

	answered map[string]bool // ids of the events that were answered to be stored
	told     int             // of those, which go out to the coordinator
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
	c := &caller{world: w, rest: &f.rest, pace: time.NewTicker(20 * time.Millisecond), done: make(chan struct{}), answered: map[string]bool{}, commands: command.New(command.Parts{
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
		if c.once("request-"+id, func(ctx context.Context, tx *command.Tx) error {
			_, _, err := tx.RequestExecution(ctx, &contract.ExecutionRequested{ExecutionId: id, ScenarioId: "asked"}, nil)
			return err
		}) {
			c.told++
		} else {
			c.Errorf("the request for %s was refused", id)
		}
		if n%2 > 0 && c.once("cancel-"+id, func(ctx context.Context, tx *command.Tx) error {
			_, err := tx.CancelExecution(ctx, execution.ID(id), 0, "enough", nil)
			return err
		}) {
			c.told++
		}
		c.once(fmt.Sprint("pin-", n), func(ctx context.Context, tx *command.Tx) error { // refused where nothing was heard of it yet
			_, err := tx.PinExecution(ctx, executionNumber(n%8), 0, n/8%2 == 0, "evidence")
			return err
		})
		<-c.pace.C
	}
	delete(c.answered, "request:publish") // it is no event of a run
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

// wantAnswersKept holds the outbox against what was answered; the events are for
// wantEachEventOnce.
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
}
