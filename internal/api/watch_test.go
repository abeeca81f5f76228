package api_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/watch"
)

func started(id string) *contract.ExecutionStarted {
	return &contract.ExecutionStarted{ExecutionId: id, ScenarioId: "depeg", CoordinatorId: "a"}
}

func heartbeat(id, message string) *contract.ExecutionHeartbeat {
	return &contract.ExecutionHeartbeat{ExecutionId: id, Message: message}
}

func finished(id string) *contract.ExecutionFinished {
	return &contract.ExecutionFinished{ExecutionId: id, Outcome: "passed"}
}

// quick is a request to be told of changes at once.
func quick(ids ...string) *contract.WatchExecutionsRequest {
	return &contract.WatchExecutionsRequest{ExecutionIds: ids, Interval: durationpb.New(50 * time.Millisecond)}
}

// tells wants the next state of an execution to have this message; older ones of
// states that were coalesced, or were not, may come before.
func tells(f *following[contract.WatchExecutionsResponse], id, message string) *contract.WatchExecutionsResponse {
	f.Helper()
	for {
		m := f.next()
		if s := m.GetState(); s.GetExecutionId() == id && s.GetMessage() == message {
			return m
		}
	}
}

func TestAWatchTellsThePresentThenChangesAndEnds(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"shown", "silent", "none", "away"} {
		t.Run("redis="+kind, func(t *testing.T) {
			t.Parallel()
			var w *world
			show := func(...execution.ID) error { return nil }
			switch kind {
			case "none":
				w = newWorld(t)
			default:
				s := newShown(t)
				w = s.world
				if kind == "shown" {
					show = s.show
				}
				if kind == "away" {
					if err := s.server.Kill(); err != nil {
						t.Fatal(err)
					}
				}
			}
			say := func(m proto.Message) {
				t.Helper()
				w.say(m)
				if err := show("a", "b"); err != nil {
					t.Fatal(err)
				}
			}
			say(started("a"))
			say(started("b"))
			say(finished("b"))
			f := follow(t, w.executions.WatchExecutions, quick("a", "b"))
			got := map[string]string{}
			for range 2 {
				s := f.next().GetState()
				got[s.GetExecutionId()] = s.GetStatus()
			}
			if diff := cmp.Diff(map[string]string{"a": "running", "b": "passed"}, got); diff != "" {
				t.Errorf("the present (-want +got):\n%s", diff)
			}
			for _, text := range []string{"one", "two"} {
				say(heartbeat("a", text))
				tells(f, "a", text)
			}
			say(finished("a"))
			if s := f.next().GetState(); s.GetExecutionId() != "a" || s.GetStatus() != "passed" {
				t.Errorf("told %v, want the end of a", s)
			}
			_ = f.ends(0, "")
		})
	}
}

func TestAStateIsTheSameFromEitherStore(t *testing.T) {
	t.Parallel()
	s := newShown(t)
	progress := 0.3
	s.say(&contract.ExecutionRequested{ExecutionId: "a", ScenarioId: "depeg", Environment: "staging"})
	s.say(started("a"))
	s.say(&contract.ExecutionHeartbeat{ExecutionId: "a", Progress: &progress, CurrentPhase: "injection", Message: strings.Repeat("é", 5000)})
	if err := s.show("a"); err != nil {
		t.Fatal(err)
	}
	present := func(live *redisstore.Store) *contract.WatchExecutionsResponse {
		t.Helper()
		parts := s.parts
		parts.Redis = live
		f := follow(t, clients(t, serve(t, parts, nil))["gRPC"].WatchExecutions, quick("a"))
		defer f.close()
		return f.next()
	}
	tx, err := s.db.Pool(t).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := tx.Exec(t.Context(), "LOCK TABLE test_coordination.executions"); err != nil { // PostgreSQL cannot tell
		t.Fatal(err)
	}
	fromRedis := present(s.writer)
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	fromPostgres := present(nil)
	if diff := cmp.Diff(fromPostgres, fromRedis, protocmp.Transform()); diff != "" {
		t.Errorf("from PostgreSQL and from Redis (-want +got):\n%s", diff)
	}
	if length := len(fromRedis.GetState().GetMessage()); length > 1024 {
		t.Errorf("the message has %d bytes", length)
	}
}

// What Redis holds of another past than that of PostgreSQL is not told, however new
// it looks.
func TestStatesThatPostgreSQLDoesNotHoldAreNotTold(t *testing.T) {
	t.Parallel()
	for name, sentinel := range map[string]func(e redisstore.Epoch) redisstore.Epoch{
		"of another cluster":   func(e redisstore.Epoch) redisstore.Epoch { e.System = "7000.1"; return e },
		"of a timeline before": func(e redisstore.Epoch) redisstore.Epoch { e.Timeline--; return e },
		"of a timeline to be":  func(e redisstore.Epoch) redisstore.Epoch { e.Timeline++; return e },
		"of a later position":  func(e redisstore.Epoch) redisstore.Epoch { e.Position += 1 << 40; return e },
		"of a timeline, shown": nil,
		"without a sentinel":   nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newShown(t)
			s.say(started("a"))
			runs, timeline, err := s.store.LatestRuns(t.Context(), []execution.ID{"a"})
			if err != nil {
				t.Fatal(err)
			}
			lost := runs[0].Live()
			lost.Version, lost.Status = lost.Version+100, execution.StatusFailed
			switch {
			case sentinel != nil:
				err = s.writer.SetSentinel(t.Context(), sentinel(s.epoch()))
			case name == "without a sentinel":
				err = s.client.Del(t.Context(), "test:epoch").Err()
			default:
				timeline++ // of another timeline than its neighbours
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.writer.ApplyStates(t.Context(), []execution.Live{lost}, timeline); err != nil {
				t.Fatal(err)
			}
			f := follow(t, s.executions.WatchExecutions, quick("a"))
			if got := f.next().GetState(); got.GetVersion() != 1 || got.GetStatus() != "running" {
				t.Errorf("told %v", got)
			}
			s.say(heartbeat("a", "goes on"))
			if got := f.next().GetState(); got.GetVersion() != 2 || got.GetStatus() != "running" {
				t.Errorf("told %v", got)
			}
		})
	}
}

// A database that was restored to an earlier time: what was told is not taken back
// in silence.
func TestAFollowerIsToldThatTheDatabaseWentBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, text := range []string{"one", "two", "three"} {
		w.say(heartbeat("a", text))
	}
	f := follow(t, w.executions.WatchExecutions, quick("a"))
	token := tells(f, "a", "three").GetResumeToken()
	set := func(version int, text string) {
		t.Helper()
		if _, err := w.db.Pool(t).Exec(t.Context(), "UPDATE test_coordination.executions SET version = $1, message = $2", version, text); err != nil {
			t.Fatal(err)
		}
	}
	set(2, "two")
	_ = f.ends(connect.CodeFailedPrecondition, "state_lost")
	m := quick("a")
	m.ResumeToken = token
	_ = follow(t, w.executions.WatchExecutions, m).ends(connect.CodeFailedPrecondition, "state_lost")
	m.ResumeToken = ""
	tells(follow(t, w.executions.WatchExecutions, m), "a", "two")
	set(3, "three") // as its events say
}

func TestChangesInQuickSuccessionAreToldOnce(t *testing.T) {
	t.Parallel()
	s := newShown(t)
	s.say(started("a"))
	f := follow(t, s.executions.WatchExecutions, &contract.WatchExecutionsRequest{ExecutionIds: []string{"a"}, Interval: durationpb.New(3 * time.Second)})
	f.next()
	const changes = 30
	for n := range changes {
		s.say(heartbeat("a", fmt.Sprint(n)))
		if err := s.show("a"); err != nil {
			t.Fatal(err)
		}
	}
	told := 0
	for last := ""; last != fmt.Sprint(changes-1); told++ {
		last = f.next().GetState().GetMessage()
	}
	if told > changes/3 {
		t.Errorf("%d changes were told as %d", changes, told)
	}
}

func TestAWatchGoesOnWhereAnotherWasLeft(t *testing.T) {
	t.Parallel()
	s := newShown(t)
	ids := []execution.ID{"a", "b"}
	for _, id := range []string{"a", "b"} {
		s.say(started(id))
	}
	f := follow(t, s.executions.WatchExecutions, quick("a", "b"))
	half := f.next() // of a alone
	whole := f.next()
	f.close()

	resumed := quick("b", "a")
	resumed.ResumeToken = half.GetResumeToken()
	f = follow(t, s.executions.WatchExecutions, resumed)
	if got := f.next(); got.GetState().GetExecutionId() != "b" {
		t.Errorf("told %v, want what was not told yet", got)
	}
	resumed.ResumeToken = whole.GetResumeToken()
	f = follow(t, s.executions.WatchExecutions, resumed)
	s.say(heartbeat("a", "new"))
	if got := f.next(); got.GetState().GetMessage() != "new" {
		t.Errorf("told %v, want what has changed", got)
	}
	s.say(finished("a"))
	s.say(finished("b"))
	ends := map[string]string{}
	var token string
	for len(ends) < 2 {
		m := f.next()
		ends[m.GetState().GetExecutionId()], token = m.GetState().GetStatus(), m.GetResumeToken()
	}
	_ = f.ends(0, "")
	resumed.ResumeToken = token
	_ = follow(t, s.executions.WatchExecutions, resumed).ends(0, "")

	_, timeline, err := s.store.LatestRuns(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	resumed.ResumeToken = watch.Told{"a": redisstore.NewVersion(timeline, 1, 1000)}.Token(ids)
	_ = follow(t, s.executions.WatchExecutions, resumed).ends(connect.CodeFailedPrecondition, "state_lost")
	for _, wrong := range []string{"x", "AAAA", watch.Told{}.Token(ids[:1])} {
		resumed.ResumeToken = wrong
		_ = follow(t, s.executions.WatchExecutions, resumed).ends(connect.CodeInvalidArgument, "invalid_argument")
	}
}

func TestUnknownExecutionsAreAllNamed(t *testing.T) {
	t.Parallel()
	s := newShown(t)
	s.say(started("known"))
	err := follow(t, s.executions.WatchExecutions, quick("nobody", "known", "nothing")).ends(connect.CodeNotFound, "execution_not_found")
	for _, id := range []string{"nobody", "nothing"} {
		if !strings.Contains(err.Error(), id) {
			t.Errorf("%q is not named: %v", id, err)
		}
	}
	_ = follow(t, s.executions.WatchExecutions, &contract.WatchExecutionsRequest{}).ends(connect.CodeInvalidArgument, "invalid_argument")
	_ = follow(t, s.executions.FollowLogs, &contract.FollowLogsRequest{ExecutionId: "nobody"}).ends(connect.CodeNotFound, "execution_not_found")
	_ = follow(t, s.executions.FollowLogs, &contract.FollowLogsRequest{ExecutionId: "known", Run: 2}).ends(connect.CodeNotFound, "execution_not_found")
}

func TestANewRunIsWatchedToo(t *testing.T) {
	t.Parallel()
	s := newShown(t)
	s.say(started("other"))
	s.say(started("a"))
	s.say(finished("a"))
	f := follow(t, s.executions.WatchExecutions, quick("a", "other"))
	f.next()
	f.next()
	s.say(started("a"))
	if got := f.next().GetState(); got.GetRun() != 2 || got.GetStatus() != "running" {
		t.Errorf("told %v, want the second run", got)
	}
}

func TestAWatchOutlivesRedis(t *testing.T) {
	t.Parallel()
	s := newShown(t)
	s.say(started("a"))
	f := follow(t, s.executions.WatchExecutions, quick("a"))
	f.next()
	heard := func(text string, shown bool) {
		t.Helper()
		s.say(heartbeat("a", text))
		if shown {
			testenv.Eventually(t, "Redis takes a state", func() bool { return s.show("a") == nil })
		}
		tells(f, "a", text)
	}
	heard("shown", true)
	if err := s.client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	heard("flushed, and not shown again", false)
	heard("shown, and not known whose it is", true)
	s.own()
	heard("shown again", true)
	if err := s.server.Kill(); err != nil {
		t.Fatal(err)
	}
	heard("killed", false)
	if err := s.server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	heard("started empty", true)
	testenv.Eventually(t, "Redis is known again", func() bool { return s.writer.SetSentinel(t.Context(), s.epoch()) == nil })
	heard("swept", true)
	if err := s.server.Pause(); err != nil {
		t.Fatal(err)
	}
	heard("frozen", false)
	if err := s.server.Resume(); err != nil {
		t.Fatal(err)
	}
	heard("thawed", true)
}
