package soak

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/soak/checker"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/soak/faultproxy"
)

// Options say what a soak is like.
type Options struct {
	Seed     uint64
	Program  string        // the file of tcda
	Kafka    string        // Apache or Kfake
	Duration time.Duration // of the faults, at least; see ceiling
	Records  int64         // to be acknowledged, at least
	Faults   int           // to strike, at least
	Rate     float64       // records a second at most; 0: as the service follows
	Only     []string      // kinds of faults; nil: all
	Rest     float64       // how long nothing strikes, against what is usual; 0: 1
	// DrainLimit is how long the service may take nothing while something is left,
	// when nothing strikes any more; twice that before. Two minutes if zero.
	DrainLimit time.Duration
	Progress   io.Writer // tells people; nil: nobody
	// KeepFailed leaves the servers' files behind when the soak is not passed.
	KeepFailed bool
}

// progressEvery is between two lines about how it goes.
const progressEvery = 5 * time.Second

// soak is one on its way.
type soak struct {
	*world
	load    *load
	callers *callers
	faults  *faults
	began   time.Time
	last    position // as last seen
	drained bool
}

// Run lets it soak. An error says that it could not be done; whether the service
// has passed is for the summary to say.
func Run(ctx context.Context, o Options) (summary *Summary, err error) {
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	if o.Rest == 0 {
		o.Rest = 1
	}
	if o.DrainLimit == 0 {
		o.DrainLimit = 2 * time.Minute
	}
	s := &soak{began: time.Now()}
	if s.world, err = newWorld(ctx, o); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil { // what else is amiss may be why
			for _, problem := range s.noted() {
				err = errors.Join(err, errors.New(problem))
			}
		}
		err = errors.Join(err, s.close(o.KeepFailed && (summary == nil || !summary.Passed)))
	}()
	s.load = &load{world: s.world, enough: make(chan struct{})}
	s.callers = newCallers(s.world, s.load)
	if s.faults, err = newFaults(s.world); err != nil {
		return nil, err
	}
	s.tell("%d kinds of faults; seed %d; files in %s", len(s.faults.counts), o.Seed, s.dir)
	for _, x := range s.workers {
		if err := x.start(); err != nil {
			return nil, err
		}
	}
	if err := s.suffer(ctx); err != nil {
		return nil, err
	}
	report, err := s.drainAndCheck(ctx)
	if err != nil {
		return nil, err
	}
	s.stopWorkers()
	return s.sumUp(report), nil
}

func (s *soak) tell(format string, args ...any) {
	fmt.Fprintf(s.options.Progress, "%6.1fs  %s\n", time.Since(s.began).Seconds(), fmt.Sprintf(format, args...))
}

// drainAndCheck waits until the service has done everything, and has it judged
// while it says no more.
func (s *soak) drainAndCheck(ctx context.Context) (*checker.Report, error) {
	if err := s.drain(ctx); err != nil {
		return nil, err
	}
	if s.drained {
		holds, err := s.quiet(ctx)
		if err != nil {
			return nil, err
		}
		if holds != nil {
			defer func() { _ = holds.Close(context.WithoutCancel(ctx)) }()
			if err := s.lastPass(ctx, holds); err != nil {
				return nil, err
			}
		}
	}
	return s.check(ctx)
}

// suffer sends load and lets faults strike until it is enough.
func (s *soak) suffer(ctx context.Context) error {
	all, ctx := errgroup.WithContext(ctx)
	striking, calm := context.WithCancel(ctx)
	defer calm()
	defer context.AfterFunc(ctx, s.faults.abandon)()
	all.Go(func() error { return s.load.send(ctx) })
	all.Go(func() error { return s.callers.run(ctx) })
	all.Go(func() error {
		return (&coordinator{world: s.world, load: s.load, random: newRandom(s.options.Seed)}).run(ctx)
	})
	all.Go(func() error {
		// A service at work is struck, not one that is about to begin.
		for s.load.taken.Load() == 0 && wait(striking, 100*time.Millisecond) {
		}
		return s.faults.run(striking)
	})
	all.Go(func() error {
		defer calm()
		return s.watch(ctx, calm)
	})
	return all.Wait()
}

// watch looks how it goes and says when it is enough. On a slow machine faults
// could keep the load from ever being taken: after twice their time they end.
// What would never be enough ends as a problem.
func (s *soak) watch(ctx context.Context, calm func()) error {
	began, told, striking := time.Now(), time.Now(), true
	p := patience{standstill: 2 * s.options.DrainLimit, moved: began, faults: began.Add(ceiling(s.options.Duration))}
	for wait(ctx, 250*time.Millisecond) {
		s.look(ctx)
		if time.Since(told) >= progressEvery {
			told = time.Now()
			s.tellProgress()
		}
		sent := s.load.ledger.len() >= s.options.Records
		struck := time.Since(began) >= s.options.Duration && s.faults.covered(s.options.Faults)
		vain := p.ends(time.Now(), s.last, struck)
		switch {
		case vain != "":
			close(s.load.enough)
			s.faults.abandon()
			s.problem(fmt.Sprintf("%s, while there was [%s]; worker a said:\n%s", vain, s.faults.presentKinds(), s.workers[0].tail()))
			s.tell("giving up: %s", vain)
			return nil
		case struck && sent:
			close(s.load.enough)
			s.tell("enough: mending everything")
			return nil
		case struck && striking && time.Since(began) >= 2*s.options.Duration:
			striking = false
			calm()
			s.tell("enough faults; the load goes on")
		}
	}
	return context.Cause(ctx)
}

// ceiling is how long faults may take until each kind has happened and all of
// them often enough.
func ceiling(duration time.Duration) time.Duration { return max(4*duration, duration+10*time.Minute) }

// patience is how long something is waited for.
type patience struct {
	standstill time.Duration // how long the service may take nothing
	faults     time.Time     // until when faults may be awaited

	sum   int64 // of the positions, as last seen
	moved time.Time
}

// ends tells why waiting on is in vain; empty where it is not. happened says that
// no more faults are awaited.
func (p *patience) ends(now time.Time, at position, happened bool) string {
	if sum := at.sum(); sum != p.sum {
		p.sum, p.moved = sum, now
	}
	switch {
	case len(at.stops) > 0:
		return "partitions have stopped: " + strings.Join(at.stops, "; ")
	case now.Sub(p.moved) > p.standstill:
		return fmt.Sprintf("the service takes nothing for %v", p.standstill)
	case !happened && now.After(p.faults):
		return "the time is over, and not all faults that were awaited have happened"
	}
	return ""
}

// look asks how far the service is; the database may not answer now.
func (s *soak) look(ctx context.Context) {
	p, err := readPosition(ctx, s.databaseURL(false))
	if err != nil {
		return
	}
	s.last = p
	s.load.taken.Store(p.taken)
}

func (s *soak) tellProgress() {
	sent := s.load.ledger.len()
	s.faults.mu.Lock()
	total := s.faults.total
	s.faults.mu.Unlock()
	s.tell("sent %8d  ingested %8d  lag %7d  calls %6d  faults %4d  %s", sent, s.last.taken, max(0, sent-s.last.taken), s.callers.counted().Answered, total, s.faults.presentKinds())
}

// drain waits until the service has taken everything.
func (s *soak) drain(ctx context.Context) error {
	for _, p := range []*faultproxy.Proxy{s.kafkaProxy, s.redisProxy, s.postgresProxy} {
		p.Slow(0)
		p.Hold(false)
		p.CutCommits(0, false)
	}
	ends, err := s.kafkaLog().Ends(ctx)
	if err != nil {
		return err
	}
	p, told := patience{standstill: s.options.DrainLimit, sum: s.last.sum(), moved: time.Now()}, time.Now()
	for {
		s.look(ctx)
		left := s.last.left(ends)
		vain := p.ends(time.Now(), s.last, true)
		switch {
		case left == 0:
			s.drained = true
			s.tell("everything is ingested")
			return nil
		case vain != "":
			s.problem(fmt.Sprintf("%s, and %d records are left; worker a said:\n%s", vain, left, s.workers[0].tail()))
			return nil
		}
		if time.Since(told) >= progressEvery {
			told = time.Now()
			s.tell("draining: %d records are left", left)
		}
		if !wait(ctx, 200*time.Millisecond) {
			return context.Cause(ctx)
		}
	}
}

// liveGrace is how long Redis may take to follow.
const liveGrace = 20 * time.Second

// check has the history judged. The workers still run: Redis is theirs to mend.
func (s *soak) check(ctx context.Context) (*checker.Report, error) {
	s.tell("judging")
	if s.drained {
		if err := s.checkReports(ctx); err != nil {
			return nil, fmt.Errorf("verify: %w", err)
		}
	}
	store, err := checker.OpenPostgres(ctx, s.databaseURL(false))
	if err != nil {
		return nil, err
	}
	defer store.Close()
	client := redis.NewClient(&redis.Options{Addr: s.redis.Addr(), ContextTimeoutEnabled: true, ReadTimeout: time.Minute})
	defer func() { _ = client.Close() }()
	return checker.Check(ctx, checker.History{
		Ledger:   s.load.ledger.acks,
		Calls:    s.callers.ledger(),
		Log:      s.kafkaLog(),
		Commands: s.commandsLog(),
		Store:    store,
		Live:     checker.Redis{Client: client, Prefix: "test:"},
		Caller:   callerName,
		Cleared:  s.drained,
		Policies: checkedPolicies,
		Sources:  "/tcda/",
		Grace:    liveGrace,
	})
}

// stopWorkers stops them in order, which must be a good end.
func (s *soak) stopWorkers() {
	for _, x := range s.workers {
		if err := x.stop(); err != nil {
			s.problem(err.Error())
		} else if err := x.process.Err(); err != nil {
			s.problem(fmt.Sprintf("worker %s did not end well: %v; it said:\n%s", x.name, err, x.tail()))
		}
	}
}
