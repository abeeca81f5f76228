package verify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
)

// livePause is between two looks at a state that may be lagging.
const livePause = 100 * time.Millisecond

// liveStates compares Redis with the newest run of each execution id. A run
// that has ended may have expired there. What differs is looked at again for
// the grace: Redis is written after the commit.
func (v *verification) liveStates(ctx context.Context) error {
	if v.live == nil {
		v.report.cannotVerify("live states: Redis is not in use")
		return nil
	}
	cluster, err := v.store.Cluster(ctx)
	if err != nil {
		return err
	}
	var lagging []execution.ID
	look := func(id execution.ID) error {
		found, err := v.liveState(ctx, cluster.Timeline, id)
		switch {
		case err != nil:
			return err
		case found.Clean():
			v.report.LiveStates += found.LiveStates
		case len(lagging) < MaxDifferences:
			lagging = append(lagging, id)
		default:
			v.report.Omitted += int64(len(found.Differences))
		}
		return nil
	}
	err = v.eachID(ctx, look)
	var away *redisError
	switch {
	case errors.As(err, &away):
		v.report.cannotVerify("live states: %v", away.err)
		return nil
	case err != nil:
		return err
	}
	return v.lookAgain(ctx, cluster.Timeline, lagging)
}

// redisError says that Redis could not be read: nothing is known, and nothing
// is wrong.
type redisError struct{ err error }

func (e *redisError) Error() string { return e.err.Error() }

func (e *redisError) Unwrap() error { return e.err }

// eachID calls look for every execution id that has a run.
func (v *verification) eachID(ctx context.Context, look func(execution.ID) error) error {
	var last execution.ID
	for after := (pgstore.RunKey{}); ; {
		page, err := v.store.RunKeysAfter(ctx, after, pageSize)
		if err != nil {
			return err
		}
		for _, k := range page {
			if k.ID != last {
				if err := look(k.ID); err != nil {
					return err
				}
			}
			last, after = k.ID, k
		}
		if len(page) < pageSize {
			return nil
		}
	}
}

// lookAgain gives lagging states the grace, and reports what still differs.
func (v *verification) lookAgain(ctx context.Context, timeline uint32, lagging []execution.ID) error {
	deadline := time.Now().Add(v.grace)
	for len(lagging) > 0 {
		last := !time.Now().Before(deadline)
		var still []execution.ID
		for _, id := range lagging {
			found, err := v.liveState(ctx, timeline, id)
			var away *redisError
			switch {
			case errors.As(err, &away):
				v.report.cannotVerify("live state of %s: %v", id, away.err)
			case err != nil:
				return err
			case found.Clean():
				v.report.LiveStates += found.LiveStates
			case last:
				v.report.LiveStates += found.LiveStates
				for _, d := range found.Differences {
					v.report.add(d.Subject, d.Field, d.Stored, d.Refolded)
				}
			default:
				still = append(still, id)
			}
		}
		lagging = still
		if len(lagging) == 0 {
			return nil
		}
		timer := time.NewTimer(livePause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
	return nil
}

// liveState compares one state, into a report of its own.
func (v *verification) liveState(ctx context.Context, timeline uint32, id execution.ID) (*Report, error) {
	found := &Report{}
	c := comparison{report: found, subject: fmt.Sprintf("live state of %s", id)}
	// Redis first: the row that is read after it can only be newer.
	state, version, ok, err := v.live.State(ctx, id)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, redisstore.ErrUnavailable), errors.Is(err, redisstore.ErrDenied):
		return nil, &redisError{err}
	case err != nil:
		c.differ("state", err.Error(), "a readable state")
		return found, nil
	}
	run, err := v.store.LatestRun(ctx, id)
	switch {
	case errors.Is(err, pgstore.ErrNotFound), unreadable(err):
		return found, nil // pruned meanwhile, or reported with the runs
	case err != nil:
		return nil, err
	}
	want := redisstore.NewVersion(timeline, run.Number, run.Version)
	switch {
	case !ok && run.Status.Terminal():
	case !ok:
		c.differ("state", absent, "version "+string(want))
	case version != want:
		found.LiveStates = 1
		c.compare("Version", version, want)
	default:
		found.LiveStates = 1
		c.compare("", state, redisstore.AsKept(run.Live()))
	}
	return found, nil
}
