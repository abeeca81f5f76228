package redisstore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// impatient is a configuration whose breaker trips and tries again at once.
func impatient(url string) redisstore.Config {
	return redisstore.Config{
		URL: url, TripAfter: 2, RetryAfter: 20 * time.Millisecond, CheckEvery: 20 * time.Millisecond,
	}
}

// watch runs the store's watch until the test ends.
func watch(t *testing.T, store *redisstore.Store) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		store.Watch(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

// everyCall makes each call of the store once and names those that do not
// fail as an outage does.
func everyCall(t *testing.T, store *redisstore.Store) {
	t.Helper()
	ctx := t.Context()
	hints := []redisstore.Hint{hint("a"), hint("b")}
	calls := map[string]func() error{
		"ApplyStates": func() error {
			_, err := store.ApplyStates(ctx, []execution.Live{running(1)}, 1)
			return err
		},
		"State": func() error {
			_, _, ok, err := store.State(ctx, id)
			if ok {
				t.Error("State found one during an outage")
			}
			return err
		},
		"ReadStream": func() error {
			_, err := store.ReadStream(ctx, id, "", 1)
			return err
		},
		"Active": func() error {
			_, err := store.Active(ctx, 10)
			return err
		},
		"ActiveMembers": func() error {
			_, err := store.ActiveMembers(ctx)
			return err
		},
		"PruneActive": func() error {
			_, err := store.PruneActive(ctx, []execution.ID{id}, nil)
			return err
		},
		"Known": func() error {
			known, err := store.Known(ctx, hints)
			if diff := cmp.Diff([]bool{false, false}, known); diff != "" {
				t.Errorf("Known during an outage (-want +got):\n%s", diff)
			}
			return err
		},
		"MarkKnown": func() error { return store.MarkKnown(ctx, hints) },
		"ShowLock":  func() error { return store.ShowLock(ctx, shown("a", 1)) },
		"HideLock":  func() error { return store.HideLock(ctx, lockName) },
		"ShownLock": func() error {
			_, ok, err := store.ShownLock(ctx, lockName)
			if ok {
				t.Error("ShownLock found one during an outage")
			}
			return err
		},
		"Sentinel": func() error {
			_, err := store.Sentinel(ctx)
			return err
		},
		"SetSentinel": func() error { return store.SetSentinel(ctx, redisstore.Epoch{System: "7", Timeline: 1}) },
		"DeleteOwnKeys": func() error {
			_, err := store.DeleteOwnKeys(ctx)
			return err
		},
		"RunID": func() error {
			_, err := store.RunID(ctx)
			return err
		},
		"Check": func() error { return store.Check(ctx) },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, redisstore.ErrUnavailable) {
			t.Errorf("%s during an outage: error = %v, want %v", name, err, redisstore.ErrUnavailable)
		}
	}
}

func wantSubjects(t *testing.T, store *redisstore.Store, want ...string) {
	t.Helper()
	var got []string
	for _, f := range store.Findings() {
		got = append(got, f.Subject)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("subjects of findings (-want +got):\n%s", diff)
	}
}

func TestServerThatIsDownAtStartIsUsedOnceItIsThere(t *testing.T) {
	t.Parallel()
	srv := startServer(t, adapterACL)
	must(t, srv.Kill())
	store := open(t, impatient(srv.adapterURL()))
	if store.Up() {
		t.Error("Up while the server is down")
	}
	wantSubjects(t, store, "unreachable")
	everyCall(t, store)

	watch(t, store)
	must(t, srv.Restart(t.Context()))
	testenv.Eventually(t, "the store is up", store.Up)
	testenv.Eventually(t, "the rights were looked at", func() bool { return !store.Capabilities().Scripts })
	if got, want := apply(t, store, running(1)), (redisstore.Outcome{Applied: 1, Plain: true}); got != want {
		t.Errorf("outcome = %+v, want %+v", got, want)
	}
}

func TestServerThatDiesOpensTheBreakerAndComesBack(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	cfg := impatient(srv.URL())
	cfg.RetryAfter = time.Hour // until the test has seen it open
	store := open(t, cfg)
	recovering := open(t, impatient(srv.URL()))
	epoch := redisstore.Epoch{System: "7", Timeline: 1}
	for _, s := range []*redisstore.Store{store, recovering} {
		if err := s.SetSentinel(t.Context(), epoch); err != nil {
			t.Fatalf("set sentinel: %v", err)
		}
	}
	before, err := recovering.RunID(t.Context())
	if err != nil || before == "" {
		t.Fatalf("run id = %q, %v", before, err)
	}

	must(t, srv.Kill())
	everyCall(t, store)
	everyCall(t, recovering)
	if store.Up() || recovering.Up() {
		t.Error("Up after the server died")
	}

	watch(t, recovering)
	must(t, srv.Restart(t.Context()))
	testenv.Eventually(t, "the store is up", recovering.Up)
	testenv.Eventually(t, "nothing is found wrong", func() bool { return len(recovering.Findings()) == 0 })
	if after, err := recovering.RunID(t.Context()); err != nil || after == before {
		t.Errorf("run id after the restart = %q, %v, want another one", after, err)
	}
	if held, err := recovering.Sentinel(t.Context()); err != nil || held.Of(epoch) != redisstore.SentinelMissing {
		t.Errorf("sentinel after the restart = %v, %v; want it missing", held, err)
	}
	// The other one's breaker is still open: the server is not even asked.
	if _, err := store.Sentinel(t.Context()); !errors.Is(err, redisstore.ErrUnavailable) || store.Up() {
		t.Errorf("call through an open breaker: error = %v, up = %t", err, store.Up())
	}
}

// A frozen server accepts connections and answers nothing.
func TestFrozenServerIsGivenUpWithinTheBudget(t *testing.T) {
	t.Parallel()
	for name, opened := range map[string]bool{"connected before": true, "frozen at start": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := startServer(t)
			cfg := impatient(srv.URL())
			cfg.Budget = 100 * time.Millisecond
			applied := func(store *redisstore.Store, row int64) func() bool {
				return func() bool { // a busy machine may need more than the short budget
					_, err := store.ApplyStates(t.Context(), []execution.Live{running(row)}, 1)
					return err == nil
				}
			}
			if !opened {
				must(t, srv.Pause())
			}
			store := open(t, cfg)
			if opened {
				testenv.Eventually(t, "a state is written", applied(store, 1))
				must(t, srv.Pause())
			}
			everyCall(t, store)
			if store.Up() {
				t.Error("Up while the server is frozen")
			}

			must(t, srv.Resume())
			watch(t, store)
			testenv.Eventually(t, "the store is up", store.Up)
			// What the server was sent while frozen it may do now; by version, that
			// is no harm.
			testenv.Eventually(t, "a state is written", applied(store, 2))
			wantState(t, open(t, redisstore.Config{URL: srv.URL()}), running(2))
		})
	}
}

// Nothing but the hint budget bounds this call.
func TestHintsAreGivenUpWithinTheirOwnBudget(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	store := open(t, redisstore.Config{URL: srv.URL(), Budget: time.Hour, HintBudget: 50 * time.Millisecond})
	must(t, srv.Pause())
	known, err := store.Known(t.Context(), []redisstore.Hint{hint("a")})
	if !errors.Is(err, redisstore.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) || known[0] {
		t.Errorf("known = %v, %v, want false, %v for %v", known, err, redisstore.ErrUnavailable, context.DeadlineExceeded)
	}
}

// A caller that goes away says nothing about the server, in either direction.
func TestCancelledCallerClosesNoBreaker(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	var lines bytes.Buffer
	store, err := redisstore.Open(t.Context(), redisstore.Config{URL: srv.URL(), TripAfter: 1, RetryAfter: time.Nanosecond}, zerolog.New(&lines))
	if err != nil {
		t.Fatalf("open store: %v", err)
	}
	t.Cleanup(func() { _ = store.Close() })
	must(t, srv.Kill())
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for range 3 {
		if _, _, _, err := store.State(t.Context(), id); !errors.Is(err, redisstore.ErrUnavailable) {
			t.Fatalf("state: error = %v, want %v", err, redisstore.ErrUnavailable)
		}
		if _, _, _, err := store.State(cancelled, id); !errors.Is(err, context.Canceled) {
			t.Fatalf("cancelled state: error = %v, want %v", err, context.Canceled)
		}
	}
	want := `{"level":"warn","retry_after":0.000001,"message":"redis does not answer; going on without it"}` + "\n"
	if diff := cmp.Diff(want, lines.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

// Nor does one that has less time than a call may take.
func TestHurriedCallerOpensNoBreaker(t *testing.T) {
	t.Parallel()
	srv := startServer(t)
	store := open(t, redisstore.Config{URL: srv.URL(), Budget: time.Hour, TripAfter: 1, RetryAfter: time.Hour})
	must(t, srv.Pause())
	hurried, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, _, err := store.State(hurried, id); !errors.Is(err, redisstore.ErrUnavailable) {
		t.Fatalf("hurried state: error = %v, want %v", err, redisstore.ErrUnavailable)
	}
	must(t, srv.Resume())
	if _, _, _, err := store.State(t.Context(), id); err != nil {
		t.Errorf("state, by one with more time: %v", err)
	}
}

// losesReplies stands between store and server. When armed it lets one request
// through, throws the reply away and closes the connection.
type losesReplies struct {
	addr  string
	armed atomic.Bool
	lost  atomic.Int64
}

func newLosesReplies(t *testing.T, server string) *losesReplies {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	ctx := t.Context()
	p := &losesReplies{addr: listener.Addr().String()}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			upstream, err := new(net.Dialer).DialContext(ctx, "tcp", server)
			if err != nil {
				_ = client.Close()
				continue
			}
			go func() {
				defer func() { _ = upstream.Close() }()
				_, _ = io.Copy(upstream, client)
			}()
			go func() {
				defer func() { _ = client.Close() }()
				buf := make([]byte, 64<<10)
				for {
					n, err := upstream.Read(buf)
					if err != nil {
						return
					}
					if p.armed.CompareAndSwap(true, false) {
						p.lost.Add(1)
						return
					}
					if _, err := client.Write(buf[:n]); err != nil {
						return
					}
				}
			}()
		}
	}()
	return p
}

// The client repeats a pipeline whose reply was lost: the server does it
// twice, and the second time must change nothing.
func TestLostReplyDoublesNothing(t *testing.T) {
	t.Parallel()
	for name, user := range map[string]string{"scripts": "", "plain": "test-adapter:pw@"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := startServer(t, adapterACL)
			proxy := newLosesReplies(t, srv.Addr())
			store := open(t, redisstore.Config{URL: "redis://" + user + proxy.addr})
			for row := range int64(20) {
				proxy.armed.Store(true)
				apply(t, store, running(row+1))
				if got := proxy.lost.Load(); got != row+1 {
					t.Fatalf("%d replies lost, want %d", got, row+1)
				}
			}
			wantState(t, store, running(20))
			var all []int64
			for row := range int64(20) {
				all = append(all, row+1)
			}
			wantStream(t, store, "", all...)

			proxy.armed.Store(true)
			if err := store.MarkKnown(t.Context(), []redisstore.Hint{hint("a")}); err != nil {
				t.Errorf("mark known: %v", err)
			}
			if known, err := store.Known(t.Context(), []redisstore.Hint{hint("a")}); err != nil || !known[0] {
				t.Errorf("known = %v, %v, want the marked one", known, err)
			}
		})
	}
}
