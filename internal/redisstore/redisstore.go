// Package redisstore keeps the live picture of executions in Redis: their
// state, a capped stream of its changes for followers, the set of active
// executions, who holds a lock, and hints about events that are already stored.
//
// Nothing here is needed for correctness. PostgreSQL holds the truth; Redis
// may be empty, old, narrow in rights or gone. Every method answers within a
// bounded time, with what Redis holds or with an error that says why not, and
// what was lost is written again by the next sweep. What makes that safe:
//
//   - A state carries a Version, and an older version never takes the place of
//     a newer one. Writers may be late, repeat themselves or overtake each other.
//   - A hint says that an event is probably stored. It is never proof.
//   - A lock that is shown as held is probably held. Nobody gets a lock here.
//   - The sentinel names the PostgreSQL cluster and timeline that the content
//     came from, and is lost together with it.
//
// What the server lacks (rights, scripts, a safe eviction policy) is a Finding
// with its remedy and a degraded feature, never a refusal to start.
//
// Keys, with the default prefix; the braces are a hash tag, so that the keys of
// one execution share a cluster slot:
//
//	test:{exec:<id>}:state       hash: version and the fields of execution.Live
//	test:{exec:<id>}:stream      the same fields, an entry a version, capped
//	test:{exec:<name>}:lock      JSON: holder, token and end of a lock's lease; gone with the lease
//	test:active-executions       sorted set: id by last sign of life, unix seconds
//	test:idempotency:<22 chars>  hint: a part of the event's digest
//	test:epoch                   sentinel: system_identifier:timeline:position of the write-ahead log
//	test:passes                  how often reconciliation made it right; less than it was: Redis went back
//
// The package must not know of PostgreSQL, Kafka or events; it is told what
// was stored, and stores a picture of it.
package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/rs/zerolog"
	"github.com/sony/gobreaker/v2"
)

// Config says where Redis is and how long it may take. Zero values take the
// defaults.
type Config struct {
	URL     string // redis://, rediss:// or unix://, with user and password
	Cluster bool   // the URL names a node of a Redis Cluster; further nodes as ?addr=host:port
	Prefix  string // of every key; default "test:"

	TerminalTTL  time.Duration // state and stream of an ended execution; default 24 h
	HintTTL      time.Duration // default 24 h
	StreamMaxLen int64         // entries kept per execution, roughly; default 1,000

	Budget      time.Duration // longest time a call, or each 1,000 entries of it, may take; default 1 s
	HintBudget  time.Duration // longest time Known may take; default 50 ms
	DialTimeout time.Duration // default 500 ms

	TripAfter  uint32        // unanswered calls in a row until the circuit breaker opens; default 3
	RetryAfter time.Duration // how long it stays open before one call may try again; default 2 s
	CheckEvery time.Duration // how often Watch looks at rights and policy again; default 30 s
}

func (c Config) withDefaults() Config {
	c.Prefix = cmp.Or(c.Prefix, "test:")
	c.TerminalTTL = cmp.Or(c.TerminalTTL, 24*time.Hour)
	c.HintTTL = cmp.Or(c.HintTTL, 24*time.Hour)
	c.StreamMaxLen = cmp.Or(c.StreamMaxLen, 1000)
	c.Budget = cmp.Or(c.Budget, time.Second)
	c.HintBudget = cmp.Or(c.HintBudget, 50*time.Millisecond)
	c.DialTimeout = cmp.Or(c.DialTimeout, 500*time.Millisecond)
	c.TripAfter = cmp.Or(c.TripAfter, 3)
	c.RetryAfter = cmp.Or(c.RetryAfter, 2*time.Second)
	c.CheckEvery = cmp.Or(c.CheckEvery, 30*time.Second)
	return c
}

// pipelineLength bounds the commands that share one budget, one round trip and
// the memory for their answers.
const pipelineLength = 1000

// Store is the live picture in Redis. It is safe for concurrent use.
type Store struct {
	cfg     Config
	keys    keyspace
	client  redis.UniversalClient
	once    redis.UniversalClient // repeats nothing by itself
	user    string                // of the connection, for the remedies
	breaker *gobreaker.CircuitBreaker[struct{}]
	log     zerolog.Logger

	reached atomic.Bool // an answer came, and the breaker has not opened since
	health  health
}

// Open makes a store and checks the server. It fails only for a configuration
// that cannot work: a server that is down, or narrow in rights, gives findings.
// The checks take at most one budget.
func Open(ctx context.Context, cfg Config, log zerolog.Logger) (*Store, error) {
	cfg = cfg.withDefaults()
	if strings.ContainsAny(cfg.Prefix, "{}") {
		return nil, fmt.Errorf("open redis: prefix %q holds a brace, which would move the keys to another cluster slot", cfg.Prefix)
	}
	client, user, err := newClient(cfg, retries)
	if err != nil {
		return nil, fmt.Errorf("open redis: %w", err)
	}
	once, _, err := newClient(cfg, noRetries)
	if err != nil {
		return nil, fmt.Errorf("open redis: %w", err)
	}
	s := &Store{
		cfg:    cfg,
		keys:   keyspace(cfg.Prefix),
		client: client,
		once:   once,
		user:   cmp.Or(user, "default"),
		log:    log,
		health: health{caps: Capabilities{Scripts: true, Info: true, Writes: true}},
	}
	s.breaker = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:          "redis",
		Timeout:       cfg.RetryAfter,
		ReadyToTrip:   func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= cfg.TripAfter },
		IsSuccessful:  func(err error) bool { return !errors.Is(err, ErrUnavailable) },
		IsExcluded:    func(err error) bool { return errors.Is(err, context.Canceled) || errors.Is(err, errHurried) },
		OnStateChange: s.breakerChanged,
	})
	// That the server cannot be checked is a finding, and Watch comes back to it.
	_ = s.Check(ctx)
	return s, nil
}

// Close gives the connections back. Calls still under way fail.
func (s *Store) Close() error {
	if err := errors.Join(s.client.Close(), s.once.Close()); err != nil {
		return fmt.Errorf("close redis: %w", err)
	}
	return nil
}

// Up tells whether Redis answers: it has, and the circuit breaker is closed.
func (s *Store) Up() bool {
	return s.reached.Load() && s.breaker.State() == gobreaker.StateClosed
}

// Watch checks the server now and then until ctx ends, so that Up, Findings
// and Capabilities are right also when nobody calls, and a server that comes
// back, perhaps as another one, is noticed.
func (s *Store) Watch(ctx context.Context) {
	for {
		wait := s.cfg.CheckEvery
		if !s.Up() {
			wait = s.cfg.RetryAfter
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
			_ = s.Check(ctx) // its outcome is in Findings and Up
		}
	}
}

// errHurried marks a call that ran out of a budget shorter than the usual one:
// it says nothing about whether Redis answers.
var errHurried = errors.New("out of a short budget")

// do runs one bounded call through the circuit breaker and says in the error
// what it was for. fn returns the error of Redis as it is.
func (s *Store) do(ctx context.Context, what string, budget time.Duration, fn func(context.Context) error) error {
	_, err := s.breaker.Execute(func() (struct{}, error) {
		bounded, cancel := context.WithTimeout(ctx, budget)
		defer cancel()
		err := fn(bounded)
		switch {
		case err == nil:
			s.reached.Store(true)
			return struct{}{}, nil
		case errors.Is(ctx.Err(), context.Canceled):
			// The caller went away: no word about Redis.
			return struct{}{}, context.Canceled
		}
		err = classified(err)
		switch {
		case !errors.Is(err, ErrUnavailable):
			s.reached.Store(true)
		case bounded.Err() != nil && (budget < s.cfg.Budget || ctx.Err() != nil):
			// It was given less time than the others: on a busy machine that is
			// soon over, and taking Redis for gone would cost the live states.
			return struct{}{}, fmt.Errorf("%w: %w", errHurried, err)
		}
		return struct{}{}, err
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, gobreaker.ErrOpenState), errors.Is(err, gobreaker.ErrTooManyRequests):
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	case errors.Is(err, ErrDenied):
		s.noteDenied(err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// breakerChanged runs under the breaker's lock and must not call it.
func (s *Store) breakerChanged(_ string, _, to gobreaker.State) {
	switch to {
	case gobreaker.StateOpen:
		if s.reached.Swap(false) {
			s.log.Warn().Dur("retry_after", s.cfg.RetryAfter).Msg("redis does not answer; going on without it")
		}
	case gobreaker.StateClosed:
		s.log.Info().Msg("redis answers again")
	case gobreaker.StateHalfOpen:
	}
}

// newClient gives a client that repeats what got no answer so many times, and the
// user that it connects as.
func newClient(cfg Config, retries int) (redis.UniversalClient, string, error) {
	// Every error reaches the caller; the library's own lines would only
	// break the log's format.
	logging.Disable()

	// The URL may hold a password, so no error shows it, or any part.
	errURL := errors.New("the URL is not of the form redis://user:password@host:port/database (special characters of a password are percent-encoded)")
	if cfg.Cluster {
		opt, err := redis.ParseClusterURL(cfg.URL)
		if err != nil {
			return nil, "", errURL
		}
		opt.MaxRetries, opt.MinRetryBackoff, opt.MaxRetryBackoff = retries, retryBackoffFrom, retryBackoffTo
		opt.DialTimeout, opt.ReadTimeout, opt.WriteTimeout = cfg.DialTimeout, cfg.Budget, cfg.Budget
		opt.DialerRetries = 1
		opt.ContextTimeoutEnabled = true
		opt.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
		return redis.NewClusterClient(opt), opt.Username, nil
	}
	opt, err := redis.ParseURL(cfg.URL)
	if err != nil {
		return nil, "", errURL
	}
	opt.MaxRetries, opt.MinRetryBackoff, opt.MaxRetryBackoff = retries, retryBackoffFrom, retryBackoffTo
	opt.DialTimeout, opt.ReadTimeout, opt.WriteTimeout = cfg.DialTimeout, cfg.Budget, cfg.Budget
	opt.DialerRetries = 1
	opt.ContextTimeoutEnabled = true
	opt.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClient(opt), opt.Username, nil
}

// The client repeats what got no answer. Most writes of this package may be
// repeated: states are compared by version, stream entries have the version as
// id, and the rest sets what it has set before. That of a lock may not: it would
// come after what another has written since.
const (
	retries          = 1
	noRetries        = -1 // for the client 0 stands for its own default
	retryBackoffFrom = 5 * time.Millisecond
	retryBackoffTo   = 50 * time.Millisecond
)

// forEachNode runs fn on every server that holds keys.
func (s *Store) forEachNode(ctx context.Context, fn func(context.Context, *redis.Client) error) error {
	switch c := s.client.(type) {
	case *redis.ClusterClient:
		return c.ForEachMaster(ctx, fn)
	case *redis.Client:
		return fn(ctx, c)
	}
	return fmt.Errorf("client of unknown kind %T", s.client)
}

// inChunks calls fn with at most pipelineLength entries at a time. It stops
// when Redis is gone or the caller is, and returns what went wrong.
func inChunks[T any](all []T, fn func([]T) error) error {
	var failed []error
	for chunk := range slices.Chunk(all, pipelineLength) {
		if err := fn(chunk); err != nil {
			failed = append(failed, err)
			if errors.Is(err, ErrUnavailable) || errors.Is(err, context.Canceled) {
				break
			}
		}
	}
	return errors.Join(failed...)
}
