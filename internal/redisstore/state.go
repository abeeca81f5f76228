package redisstore

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
)

//go:embed lua/apply_state.lua
var applyStateSource string

var applyState = redis.NewScript(applyStateSource)

// Outcome counts, by execution, what became of the states given to ApplyStates.
type Outcome struct {
	Applied int  // written
	Stale   int  // Redis held the same version or a newer one; also a write whose reply was lost and that was repeated
	Plain   bool // written by plain commands, because scripts are not allowed
}

// stateWrite is the newest state of one execution in a batch.
type stateWrite struct {
	live    execution.Live
	version Version
	fields  []string
}

// ApplyStates is S5: it brings the live picture up to the given stored states,
// all read at one timeline of PostgreSQL, in one pipeline per 1,000
// executions. Of several states of an execution only the newest counts. States
// that are not newer than what Redis holds change nothing, so it may be called
// late, twice and by several writers at once; sweeps call it too. But where
// Redis holds none, any is newer: the states must be of the latest runs of their
// executions, or an older run comes back once the latest has expired.
//
// Executions that end leave the active set and expire. The error, if any, is
// about some of the executions; the others are written.
func (s *Store) ApplyStates(ctx context.Context, states []execution.Live, timeline uint32) (Outcome, error) {
	var total Outcome
	writes, err := newestOf(states, timeline)
	if err != nil {
		return total, fmt.Errorf("apply states: %w", err)
	}
	err = inChunks(writes, func(chunk []stateWrite) error {
		return s.do(ctx, "apply states", s.cfg.Budget, func(ctx context.Context) error {
			out, err := s.apply(ctx, chunk)
			total.Applied += out.Applied
			total.Stale += out.Stale
			total.Plain = total.Plain || out.Plain
			return err
		})
	})
	return total, err
}

// newestOf keeps the newest state of each execution, in the order of the
// executions' first appearance.
func newestOf(states []execution.Live, timeline uint32) ([]stateWrite, error) {
	writes := make([]stateWrite, 0, len(states))
	at := make(map[execution.ID]int, len(states))
	for _, live := range states {
		version := NewVersion(timeline, live.Run, live.Version)
		if version == "" {
			return nil, fmt.Errorf("run %d, row version %d of execution %s was never stored", live.Run, live.Version, live.ExecutionID)
		}
		w := stateWrite{live: live, version: version}
		if i, ok := at[live.ExecutionID]; !ok {
			at[live.ExecutionID] = len(writes)
			writes = append(writes, w)
		} else if version > writes[i].version {
			writes[i] = w
		}
	}
	for i := range writes {
		writes[i].fields = encode(writes[i].version, writes[i].live)
	}
	return writes, nil
}

func (s *Store) apply(ctx context.Context, writes []stateWrite) (Outcome, error) {
	if s.Capabilities().Scripts {
		out, err := s.applyByScript(ctx, writes)
		if !errors.Is(err, errNoScripts) {
			return out, err
		}
		// The right went away since the last check.
		s.noteDenied(err)
	}
	return s.applyPlainly(ctx, writes)
}

// errNoScripts says that the server refuses scripts as such.
var errNoScripts = errors.New("scripts are not allowed")

// applyByScript writes states by compare-and-set, in one round trip; in a
// second one where the server has lost the script.
func (s *Store) applyByScript(ctx context.Context, writes []stateWrite) (Outcome, error) {
	cmds := make([]*redis.Cmd, len(writes))
	pipe := s.client.Pipeline()
	for i, w := range writes {
		keys, args := s.scriptCall(w)
		cmds[i] = applyState.EvalSha(ctx, pipe, keys, args...)
	}
	// The active set lies in another slot, out of the script's reach. Where a
	// late writer so brings back an ended execution, Active looks at its state.
	active := s.queueActive(ctx, pipe, writes)
	if err := exec(ctx, pipe); err != nil {
		return Outcome{}, err
	}

	again := s.client.Pipeline()
	for i, w := range writes {
		if redis.HasErrorPrefix(cmds[i].Err(), "NOSCRIPT") {
			keys, args := s.scriptCall(w)
			cmds[i] = applyState.Eval(ctx, again, keys, args...)
		}
	}
	if again.Len() > 0 {
		if err := exec(ctx, again); err != nil {
			return Outcome{}, err
		}
	}

	var out Outcome
	var failed failures
	for i, cmd := range cmds {
		applied, err := cmd.Int()
		switch {
		case err != nil && isScriptDenial(err):
			return Outcome{}, fmt.Errorf("%w: %w", errNoScripts, err)
		case err != nil:
			failed.add(writes[i].live.ExecutionID, err)
		case applied == 1:
			out.Applied++
		default:
			out.Stale++
		}
	}
	return out, errors.Join(failed.err(), firstError(active))
}

func isScriptDenial(err error) bool {
	command := deniedCommand(err)
	return errors.Is(class(err), ErrDenied) && (command == "eval" || command == "evalsha")
}

func (s *Store) scriptCall(w stateWrite) (keys []string, args []any) {
	keys = []string{s.keys.state(w.live.ExecutionID), s.keys.stream(w.live.ExecutionID)}
	args = make([]any, 0, 4+len(w.fields))
	args = append(args, string(w.version), w.version.streamID(), s.cfg.StreamMaxLen, s.expiry(w).Milliseconds())
	for _, f := range w.fields {
		args = append(args, f)
	}
	return keys, args
}

// expiry is how long the keys of an execution stay; zero: for ever.
func (s *Store) expiry(w stateWrite) time.Duration {
	if w.live.Status.Terminal() {
		return s.cfg.TerminalTTL
	}
	return 0
}

// applyPlainly writes states without scripts, in three round trips. The
// stream is the compare-and-set: Redis itself refuses an entry that is not
// newer than the last. The hash follows it, and may for a moment, or after a
// death half way, be older than the stream: State reads both.
func (s *Store) applyPlainly(ctx context.Context, writes []stateWrite) (Outcome, error) {
	out := Outcome{Plain: true}
	var failed failures

	held := make([]*redis.StringCmd, len(writes))
	pipe := s.client.Pipeline()
	for i, w := range writes {
		held[i] = pipe.HGet(ctx, s.keys.state(w.live.ExecutionID), "version")
	}
	if err := exec(ctx, pipe); err != nil {
		return out, err
	}

	newer := writes[:0:0]
	for i, w := range writes {
		switch version, err := held[i].Result(); {
		case err != nil && !errors.Is(err, redis.Nil):
			failed.add(w.live.ExecutionID, err)
		case len(version) == len(w.version) && version >= string(w.version):
			out.Stale++
		default:
			newer = append(newer, w)
		}
	}

	added := make([]*redis.StringCmd, len(newer))
	tops := make([]*redis.XMessageSliceCmd, len(newer))
	pipe = s.client.Pipeline()
	for i, w := range newer {
		stream := s.keys.stream(w.live.ExecutionID)
		added[i] = pipe.XAdd(ctx, &redis.XAddArgs{
			Stream: stream, MaxLen: s.cfg.StreamMaxLen, Approx: true, ID: w.version.streamID(), Values: w.fields,
		})
		tops[i] = pipe.XRevRangeN(ctx, stream, "+", "-", 1)
	}
	active := s.queueActive(ctx, pipe, writes)
	if err := exec(ctx, pipe); err != nil {
		return out, err
	}

	var hashes []redis.Cmder
	pipe = s.client.Pipeline()
	for i, w := range newer {
		top, err := tops[i].Result()
		switch added := added[i].Err(); {
		case added != nil && !redis.HasErrorPrefix(added, notAboveTop):
			failed.add(w.live.ExecutionID, added)
		case err != nil:
			failed.add(w.live.ExecutionID, err)
		case len(top) == 1 && top[0].ID == w.version.streamID():
			hashes = append(hashes, s.queueHash(ctx, pipe, w)...)
			out.Applied++
		default:
			out.Stale++
		}
	}
	if err := exec(ctx, pipe); err != nil {
		return out, err
	}
	return out, errors.Join(failed.err(), firstError(active), firstError(hashes))
}

// notAboveTop begins the answer to an entry that is not newer than the last.
const notAboveTop = "The ID specified in XADD is equal or smaller"

func (s *Store) queueHash(ctx context.Context, pipe redis.Pipeliner, w stateWrite) []redis.Cmder {
	state, stream := s.keys.state(w.live.ExecutionID), s.keys.stream(w.live.ExecutionID)
	cmds := []redis.Cmder{pipe.HSet(ctx, state, w.fields)}
	for _, key := range []string{state, stream} {
		if ttl := s.expiry(w); ttl > 0 {
			cmds = append(cmds, pipe.PExpire(ctx, key, ttl))
		} else {
			cmds = append(cmds, pipe.Persist(ctx, key))
		}
	}
	return cmds
}

// queueActive moves executions into or out of the active set.
func (s *Store) queueActive(ctx context.Context, pipe redis.Pipeliner, writes []stateWrite) []redis.Cmder {
	var live []redis.Z
	var ended []any
	for _, w := range writes {
		if w.live.Status.Terminal() {
			ended = append(ended, string(w.live.ExecutionID))
		} else {
			live = append(live, redis.Z{Score: lastSign(w.live), Member: string(w.live.ExecutionID)})
		}
	}
	var cmds []redis.Cmder
	if len(live) > 0 {
		cmds = append(cmds, pipe.ZAdd(ctx, s.keys.active(), live...))
	}
	if len(ended) > 0 {
		cmds = append(cmds, pipe.ZRem(ctx, s.keys.active(), ended...))
	}
	return cmds
}

func lastSign(live execution.Live) float64 {
	if live.LastEventAt.IsZero() {
		return 0
	}
	return float64(live.LastEventAt.Unix())
}

// failures counts what was refused and keeps the first reason.
type failures struct {
	n     int
	id    execution.ID
	first error
}

func (f *failures) add(id execution.ID, err error) {
	if f.n == 0 {
		f.id, f.first = id, err
	}
	f.n++
}

func (f *failures) err() error {
	if f.n == 0 {
		return nil
	}
	return fmt.Errorf("%d executions refused, the first %s: %w", f.n, strconv.Quote(string(f.id)), f.first)
}
