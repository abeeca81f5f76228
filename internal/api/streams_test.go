package api_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/api"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1/testcoordinationv1connect"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// shown is a Redis that shows what the API's executions do.
type shown struct {
	*world
	parts  api.Parts
	server *testenv.RedisServer
	client *redis.Client     // around the store
	live   *redisstore.Store // the API's
	writer *redisstore.Store // the test's, to which no server is too slow
}

// adapterACL is the user of the ecosystem's shared Redis, as it is there.
const adapterACL = "user test-adapter on >pw ~test:* +@read +@write +@keyspace -@dangerous"

// newShown is a world whose Redis holds nothing yet, and is known to be of its
// database.
func newShown(t testing.TB, change ...func(*api.Parts)) *shown {
	t.Helper()
	s := &shown{server: testenv.Redis(t, adapterACL)}
	s.client = s.server.Client(t)
	s.live, s.writer = s.open(t, time.Second), s.open(t, testenv.Patience)
	s.world = newWorld(t, append(change, func(p *api.Parts) {
		p.Redis = s.live
		s.parts = *p
	})...)
	s.own()
	return s
}

// open opens the store in Redis, which is waited for so long.
func (s *shown) open(t testing.TB, budget time.Duration) *redisstore.Store {
	t.Helper()
	live, err := redisstore.Open(t.Context(), redisstore.Config{
		URL: "redis://test-adapter:pw@" + s.server.Addr(), Budget: budget, DialTimeout: budget, RetryAfter: 10 * time.Millisecond,
	}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = live.Close() })
	return live
}

// own says that what Redis holds is of this database, as a sweep does at its end.
func (s *shown) own() {
	s.Helper()
	if err := s.writer.SetSentinel(s.Context(), s.epoch()); err != nil {
		s.Fatal(err)
	}
}

func (s *shown) epoch() redisstore.Epoch {
	s.Helper()
	cluster, err := s.store.Cluster(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	position, err := s.store.History(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	return redisstore.Epoch{System: cluster.SystemIdentifier, Timeline: cluster.Timeline, Position: int64(position)}
}

// show is S5, for what is stored now of these executions.
func (s *shown) show(ids ...execution.ID) error {
	runs, timeline, err := s.store.LatestRuns(s.Context(), ids)
	if err != nil {
		return err
	}
	states := make([]execution.Live, len(runs))
	for i := range runs {
		states[i] = runs[i].Live()
	}
	_, err = s.writer.ApplyStates(s.Context(), states, timeline)
	return err
}

// asked tells how often Redis was asked for a whole state.
func (s *shown) asked() string {
	s.Helper()
	text, err := s.client.Info(s.Context(), "commandstats").Result()
	if err != nil {
		s.Fatal(err)
	}
	_, rest, found := strings.Cut(text, "cmdstat_hgetall:calls=")
	if !found {
		return "0"
	}
	n, _, _ := strings.Cut(rest, ",")
	return n
}

// following is one stream, as its reader has it.
type following[A any] struct {
	testing.TB
	stream *connect.ServerStreamForClient[A]
	cancel context.CancelFunc
}

// follow opens a stream, which is closed when the test ends.
func follow[R, A any](t testing.TB, procedure func(context.Context, *connect.Request[R]) (*connect.ServerStreamForClient[A], error), m *R) *following[A] {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testenv.Patience)
	stream, err := procedure(ctx, connect.NewRequest(m))
	if err != nil {
		cancel()
		t.Fatalf("%T: %v", m, err)
	}
	f := &following[A]{t, stream, cancel}
	t.Cleanup(f.close)
	return f
}

func (f *following[A]) close() {
	f.cancel()
	_ = f.stream.Close()
}

// next is the next answer.
func (f *following[A]) next() *A {
	f.Helper()
	if !f.stream.Receive() {
		f.Fatalf("the stream has ended: %v", f.stream.Err())
	}
	return f.stream.Msg()
}

// ends wants the stream to end, with the reason or, if that is empty, well.
func (f *following[A]) ends(code connect.Code, reason string) error {
	f.Helper()
	for f.stream.Receive() {
		f.Errorf("one more answer: %v", f.stream.Msg())
	}
	err := f.stream.Err()
	if reason == "" {
		if err != nil {
			f.Errorf("the stream ends with %v", err)
		}
		return nil
	}
	if connect.CodeOf(err) != code || reasonOf(err) != reason {
		f.Errorf("the stream ends with %v, reason %q; want %s, %q", err, reasonOf(err), code, reason)
	}
	return err
}

// reasonOf is the reason in an error of the API.
func reasonOf(err error) string {
	var told *connect.Error
	if !errors.As(err, &told) {
		return ""
	}
	for _, d := range told.Details() {
		if v, err := d.Value(); err == nil {
			if info, ok := v.(*errdetails.ErrorInfo); ok {
				return info.GetReason()
			}
		}
	}
	return ""
}

// serve serves the parts as another process would, whose followers know nothing of
// those of the first; over HTTP/1 and, in clear text, HTTP/2.
func serve(t testing.TB, parts api.Parts, change func(*http.Server)) string {
	t.Helper()
	handler, err := api.NewHandler(parts)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	if change != nil {
		change(server.Config)
	}
	server.Start()
	t.Cleanup(server.Close)
	return server.URL
}

// clients are those of all protocols that matter here.
func clients(t testing.TB, url string) map[string]testcoordinationv1connect.ExecutionServiceClient {
	t.Helper()
	h2c := &http.Transport{Protocols: new(http.Protocols)}
	h2c.Protocols.SetUnencryptedHTTP2(true)
	h1 := &http.Transport{}
	t.Cleanup(h1.CloseIdleConnections)
	t.Cleanup(h2c.CloseIdleConnections)
	return map[string]testcoordinationv1connect.ExecutionServiceClient{
		"gRPC":         testcoordinationv1connect.NewExecutionServiceClient(&http.Client{Transport: h2c}, url, connect.WithGRPC()),
		"Connect JSON": testcoordinationv1connect.NewExecutionServiceClient(&http.Client{Transport: h1}, url, connect.WithProtoJSON()),
	}
}

func TestStreamsEndWhenTheServiceStops(t *testing.T) {
	t.Parallel()
	stopping := make(chan struct{})
	w := newWorld(t, func(p *api.Parts) { p.Stopping = stopping })
	w.say(started("a"))
	w.say(logged("a", 1, time.Now()))
	states := follow(t, w.executions.WatchExecutions, quick("a"))
	states.next()
	lines := follow(t, w.executions.FollowLogs, &contract.FollowLogsRequest{ExecutionId: "a", Tail: 1})
	lines.next()
	close(stopping)
	_ = states.ends(connect.CodeUnavailable, "shutting_down")
	_ = lines.ends(connect.CodeUnavailable, "shutting_down")
}

// A server's deadlines are for calls that end soon; a stream's reader hears of it
// within 15 s in any case.
func TestAStreamOutlivesTheDeadlinesOfItsServer(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a sign of life comes after 15 s")
	}
	s := newShown(t)
	s.say(started("a"))
	s.say(logged("a", 1, time.Now()))
	url := serve(t, s.parts, func(server *http.Server) { server.ReadTimeout, server.WriteTimeout = 5*time.Second, 5*time.Second })
	for name, client := range clients(t, url) {
		t.Run(name+" states", func(t *testing.T) {
			t.Parallel()
			f := follow(t, client.WatchExecutions, quick("a"))
			told := f.next()
			sign := f.next()
			if sign.GetState() != nil || sign.GetResumeToken() != told.GetResumeToken() {
				t.Errorf("told %v, want a sign of life", sign)
			}
		})
		t.Run(name+" lines", func(t *testing.T) {
			t.Parallel()
			f := follow(t, client.FollowLogs, &contract.FollowLogsRequest{ExecutionId: "a", Tail: 1})
			told := f.next()
			sign := f.next()
			if len(sign.GetLines()) > 0 || sign.GetResumeToken() != told.GetResumeToken() {
				t.Errorf("told %v, want a sign of life", sign)
			}
		})
	}
}
