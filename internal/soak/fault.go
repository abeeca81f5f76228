package soak

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// fault is a kind of fault. It strikes, lasts, and is mended, all in strike;
// happened is false where it came to nothing.
type fault struct {
	kind   string
	weight int // how often it strikes, beside the others of its lane
	strike func(ctx context.Context, random *rand.Rand) (happened bool, err error)
}

// lane is one party that faults strike. Within a lane they come one after the
// other; lanes do not wait for each other. On a slow machine the service would never
// recover between faults that keep it from its work, and who does nothing cannot be
// struck at work: so half of those wait for that, if not for long.
type lane struct {
	gap    time.Duration // between two faults, on average
	stalls bool          // they keep the service from taking records: half of them wait until it is at work
	faults []fault
}

// lanes are all faults that this world can have.
func (w *world) lanes() []lane {
	return []lane{w.workerFaults(), w.postgresFaults(), w.redisFaults(), w.kafkaFaults()}
}

// faults strike a world until they are stopped.
type faults struct {
	*world
	lanes []lane
	seed  uint64

	vain    chan struct{} // closed when the soak is in vain: they are to end
	abandon func()        // closes vain, at the first call

	mu      sync.Mutex
	counts  map[string]int
	total   int
	present map[string]bool // that strike at this moment
}

func newFaults(w *world) (*faults, error) {
	f := &faults{world: w, seed: w.options.Seed, vain: make(chan struct{}), counts: map[string]int{}, present: map[string]bool{}}
	f.abandon = sync.OnceFunc(func() { close(f.vain) })
	for _, l := range w.lanes() {
		if only := w.options.Only; only != nil {
			l.faults = slices.DeleteFunc(l.faults, func(x fault) bool { return !slices.Contains(only, x.kind) })
		}
		for _, x := range l.faults {
			f.counts[x.kind] = 0
		}
		if len(l.faults) > 0 {
			f.lanes = append(f.lanes, l)
		}
	}
	for _, kind := range w.options.Only {
		if _, known := f.counts[kind]; !known {
			return nil, fmt.Errorf("no fault is called %q on this Kafka", kind)
		}
	}
	return f, nil
}

// run lets faults strike until ctx ends, and the last ones be mended.
func (f *faults) run(ctx context.Context) error {
	var lanes sync.WaitGroup
	errs := make(chan error, len(f.lanes))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for i, l := range f.lanes {
		lanes.Go(func() {
			if err := f.drive(ctx, l, rand.New(rand.NewPCG(f.seed, uint64(i)))); err != nil { //nolint:gosec // chance that can be repeated is the point
				errs <- err
				f.abandon()
				cancel()
			}
		})
	}
	lanes.Wait()
	close(errs)
	return <-errs
}

// drive lets the faults of a lane strike: each once, in any order, and then by
// chance and weight.
func (f *faults) drive(ctx context.Context, l lane, random *rand.Rand) error {
	var due []fault
	for _, n := range random.Perm(len(l.faults)) {
		due = append(due, l.faults[n])
	}
	var byWeight []fault
	for _, x := range l.faults {
		for range x.weight {
			byWeight = append(byWeight, x)
		}
	}
	for {
		gap := time.Duration(random.Float64() * 2 * float64(l.gap) * f.options.Rest)
		if l.stalls && random.IntN(2) == 0 {
			f.atWork(ctx, 10*time.Second)
		}
		if !wait(ctx, gap) {
			return nil
		}
		var x fault
		if len(due) > 0 {
			x, due = due[0], due[1:]
		} else {
			x = byWeight[random.IntN(len(byWeight))]
		}
		happened, err := f.strike(ctx, x, random)
		if err != nil {
			return fmt.Errorf("fault %s: %w", x.kind, err)
		}
		if !happened && f.count(x.kind) == 0 {
			due = append(due, x)
		}
	}
}

// What bounds one fault with its mending.
const (
	strikeLimit = 20 * time.Minute // what takes longest is the copy of a large database, for a failover
	mendLimit   = 3 * time.Minute  // when the soak is in vain
)

func (f *faults) strike(ctx context.Context, x fault, random *rand.Rand) (happened bool, err error) {
	// What was begun is mended, also when it is enough.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), strikeLimit)
	defer cancel()
	go func() {
		select {
		case <-ctx.Done():
		case <-f.vain:
			wait(ctx, mendLimit)
			cancel()
		}
	}()
	f.mu.Lock()
	f.present[x.kind] = true
	f.mu.Unlock()
	happened, err = x.strike(ctx, random)
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.present, x.kind)
	if happened {
		f.counts[x.kind]++
		f.total++
	}
	return happened, err
}

// presentKinds are those that strike at this moment.
func (f *faults) presentKinds() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(slices.Sorted(maps.Keys(f.present)), " ")
}

func (f *faults) count(kind string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[kind]
}

// covered tells whether every kind has struck, and that many faults in all.
func (f *faults) covered(total int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range f.counts {
		if n == 0 {
			return false
		}
	}
	return f.total >= total
}

// between is a random duration.
func between(random *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(random.Float64()*float64(to-from))
}

// wait waits, unless ctx ends before; it tells whether it did not.
func wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
