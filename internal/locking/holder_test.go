package locking_test

import (
	"cmp"
	"context"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/lock"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/locking"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// The variables by which a test tells its child process who it is.
const (
	holderName     = "TCDA_TEST_HOLDER"
	holderDatabase = "TCDA_TEST_HOLDER_DATABASE"
	holderRedis    = "TCDA_TEST_HOLDER_REDIS"    // empty: there is none
	holderCareless = "TCDA_TEST_HOLDER_CARELESS" // set: it writes without a check of its token
	holderIdle     = "TCDA_TEST_HOLDER_IDLE"     // how long PostgreSQL lets it be silent in a transaction; 5 s by default
)

// execution is the lock that all of them want.
const execution lock.Name = "exec-1"

func TestMain(m *testing.M) {
	if os.Getenv(holderName) != "" {
		if err := hold(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// verb is what is done with a lock.
type verb string

const (
	acquires verb = "acquire"
	renews   verb = "renew"
	writes   verb = "write"
	releases verb = "release"
	breaks   verb = "break"
)

// order is what a holder is told to do.
type order struct {
	Verb  verb
	Lease time.Duration
	Token lock.Token
	Write string // names a write
	Stop  moment
}

// moment is when a holder is stopped, as by a machine that swaps or is suspended.
type moment string

const (
	never       moment = ""
	beforeWrite moment = "before" // it goes by what it knew
	insideWrite moment = "inside" // it has checked its token
)

// result is what came of an order.
type result string

const (
	done     result = "done"
	held     result = "held" // by another
	lost     result = "lost"
	unknown  result = "unknown"
	stopping result = "stopping" // there is more to come
)

type outcome struct {
	Result result
	Lock   lock.Lock
	Error  string
}

func outcomeOf(l lock.Lock, err error) outcome {
	var other *lock.HeldError
	var gone *lock.LostError
	switch {
	case err == nil:
		return outcome{Result: done, Lock: l}
	case errors.As(err, &other):
		return outcome{Result: held, Error: err.Error()}
	case errors.As(err, &gone):
		return outcome{Result: lost, Error: err.Error()}
	}
	return outcome{Result: unknown, Error: err.Error()}
}

// hold is a process that does what it is told on its standard input, and says on
// its standard output what came of it.
func hold() error {
	ctx := context.Background()
	idle, err := time.ParseDuration(cmp.Or(os.Getenv(holderIdle), "5s"))
	if err != nil {
		return err
	}
	store, err := pgstore.Open(ctx, pgstore.Config{URL: os.Getenv(holderDatabase), MaxConns: 2, LockTimeout: testenv.Patience, IdleTimeout: idle})
	if err != nil {
		return err
	}
	var live *redisstore.Store
	if url := os.Getenv(holderRedis); url != "" {
		if live, err = redisstore.Open(ctx, redisstore.Config{URL: url}, zerolog.Nop()); err != nil {
			return err
		}
	}
	h := &holder{
		name: lock.Holder(os.Getenv(holderName)), store: store, locks: locking.New(store, live, zerolog.Nop()),
		careless: os.Getenv(holderCareless) != "", says: gob.NewEncoder(os.Stdout), resumed: make(chan os.Signal, 1),
	}
	signal.Notify(h.resumed, syscall.SIGCONT)
	for orders := gob.NewDecoder(os.Stdin); ; {
		var o order
		if err := orders.Decode(&o); err != nil {
			return nil //nolint:nilerr // the test has ended
		}
		if err := h.says.Encode(h.obey(ctx, o)); err != nil {
			return err
		}
	}
}

type holder struct {
	name     lock.Holder
	store    *pgstore.Store
	locks    *locking.Locks
	careless bool
	says     *gob.Encoder
	resumed  chan os.Signal
}

func (h *holder) obey(ctx context.Context, o order) outcome {
	switch o.Verb {
	case acquires:
		return outcomeOf(h.locks.Acquire(ctx, lock.Ask{Name: execution, Holder: h.name, Lease: o.Lease}))
	case renews:
		return outcomeOf(h.locks.Renew(ctx, execution, o.Token, o.Lease))
	case releases:
		return outcomeOf(h.locks.Release(ctx, execution, o.Token))
	case writes:
		return outcomeOf(lock.Lock{}, h.write(ctx, o))
	case breaks: // an operator's
	}
	return outcome{Result: unknown, Error: "no verb of a holder: " + string(o.Verb)}
}

// write is a guarded transaction.
func (h *holder) write(ctx context.Context, o order) error {
	if o.Stop == beforeWrite {
		h.stop()
	}
	return h.store.Batch(ctx, time.Now(), func(tx *pgstore.Tx) error {
		if !h.careless {
			if err := tx.CheckLock(ctx, execution, o.Token); err != nil {
				return err
			}
		}
		if o.Stop == insideWrite {
			h.stop()
		}
		details, err := json.Marshal(written{Write: o.Write, Token: o.Token})
		if err != nil {
			return err
		}
		return tx.Audit(ctx, pgstore.AuditEntry{Actor: string(h.name), Action: "test.write", Subject: string(execution), Details: details})
	})
}

// stop says where it is, for the test to stop the process there, and goes on when
// that has it go on.
func (h *holder) stop() {
	_ = h.says.Encode(outcome{Result: stopping})
	<-h.resumed
}

// written is what a write leaves in the audit log.
type written struct {
	Write string     `json:"write"`
	Token lock.Token `json:"token"`
}

// process is a holder as its test sees it.
type process struct {
	testing.TB
	client  int // among those of the history
	name    lock.Holder
	command *exec.Cmd
	orders  *gob.Encoder
	answers *gob.Decoder
	history *history
	writes  int
}

// start runs a holder until the test ends.
func (w *world) start(name lock.Holder, environment ...string) *process {
	w.Helper()
	cmd := exec.CommandContext(w.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), holderName+"="+string(name), holderDatabase+"="+w.db.URL)
	if w.redis != nil {
		cmd.Env = append(cmd.Env, holderRedis+"="+w.redis.URL())
	}
	cmd.Env = append(cmd.Env, environment...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(w, err)
	out, err := cmd.StdoutPipe()
	must(w, err)
	must(w, cmd.Start())
	p := &process{TB: w.TB, client: w.history.client(), name: name, command: cmd, orders: gob.NewEncoder(in), answers: gob.NewDecoder(out), history: w.history}
	w.Cleanup(func() {
		_ = cmd.Process.Kill() // also one that is stopped
		_ = cmd.Wait()
	})
	return p
}

// signal stops the process, or has it go on.
func (p *process) signal(s syscall.Signal) {
	p.Helper()
	must(p, p.command.Process.Signal(s))
}

func (p *process) tell(o order) {
	if err := p.orders.Encode(o); err != nil {
		p.Errorf("tell %s: %v", p.name, err)
	}
}

func (p *process) hear() (got outcome) {
	if err := p.answers.Decode(&got); err != nil {
		p.Errorf("hear %s: %v", p.name, err)
		got = outcome{Result: unknown, Error: err.Error()}
	}
	return got
}

// do has an order obeyed, and keeps it in the history.
func (p *process) do(o order) outcome {
	return p.history.keep(p.client, p.name, o, func() outcome {
		p.tell(o)
		return p.hear()
	})
}

// write is a write with a name of its own.
func (p *process) write(token lock.Token, stop moment) order {
	p.writes++
	return order{Verb: writes, Token: token, Write: fmt.Sprint(p.name, "-", p.writes), Stop: stop}
}

// halt has the process stop in the middle of a write; resume has it go on, and
// tells what came of the write. False: it had lost the lock before.
func (p *process) halt(o order) (resume func() outcome, stopped bool) {
	call := p.history.now()
	p.tell(o)
	got := p.hear()
	if got.Result != stopping {
		p.history.add(p.client, p.name, o, call, got)
		return nil, false
	}
	p.signal(syscall.SIGSTOP)
	return func() outcome {
		p.signal(syscall.SIGCONT)
		got := p.hear()
		p.history.add(p.client, p.name, o, call, got)
		return got
	}, true
}
