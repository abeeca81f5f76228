package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1/testcoordinationv1connect"
)

// scriptedExecutions is an ExecutionService that says what a test wants.
type scriptedExecutions struct {
	testcoordinationv1connect.UnimplementedExecutionServiceHandler
	list   func(*contract.ListExecutionsRequest) (*contract.ListExecutionsResponse, error)
	watch  func(context.Context, *contract.WatchExecutionsRequest, func(*contract.WatchExecutionsResponse)) error
	logs   func(*contract.ListLogsRequest) (*contract.ListLogsResponse, error)
	follow func(*contract.FollowLogsRequest, func(*contract.FollowLogsResponse)) error
}

func (s *scriptedExecutions) handler() (string, http.Handler) {
	return testcoordinationv1connect.NewExecutionServiceHandler(s)
}

func (s *scriptedExecutions) ListExecutions(_ context.Context, r *connect.Request[contract.ListExecutionsRequest]) (*connect.Response[contract.ListExecutionsResponse], error) {
	m, err := s.list(r.Msg)
	return connect.NewResponse(m), err
}

func (s *scriptedExecutions) ListLogs(_ context.Context, r *connect.Request[contract.ListLogsRequest]) (*connect.Response[contract.ListLogsResponse], error) {
	m, err := s.logs(r.Msg)
	return connect.NewResponse(m), err
}

func (s *scriptedExecutions) WatchExecutions(ctx context.Context, r *connect.Request[contract.WatchExecutionsRequest], out *connect.ServerStream[contract.WatchExecutionsResponse]) error {
	return s.watch(ctx, r.Msg, func(m *contract.WatchExecutionsResponse) { _ = out.Send(m) })
}

func (s *scriptedExecutions) FollowLogs(_ context.Context, r *connect.Request[contract.FollowLogsRequest], out *connect.ServerStream[contract.FollowLogsResponse]) error {
	return s.follow(r.Msg, func(m *contract.FollowLogsResponse) { _ = out.Send(m) })
}

func state(id, status string, progress float64, token string) *contract.WatchExecutionsResponse {
	return &contract.WatchExecutionsResponse{ResumeToken: token, State: &contract.ExecutionState{
		ExecutionId: id, Run: 2, Status: status, Progress: &progress, CurrentPhase: "injection", Message: "evil \x1b[2J", ValidationsPassed: 3,
		LastEventAt: timestamppb.New(time.Date(2026, 11, 27, 1, 2, 3, 0, time.UTC)),
	}}
}

// breaking tells a state at a time: its stream breaks after each of them, or it
// says no more than a sign of life.
func breaking(states ...*contract.WatchExecutionsResponse) *scriptedExecutions {
	return &scriptedExecutions{watch: func(_ context.Context, r *contract.WatchExecutionsRequest, tell func(*contract.WatchExecutionsResponse)) error {
		n := 0
		_, _ = fmt.Sscan(r.GetResumeToken(), &n)
		tell(&contract.WatchExecutionsResponse{ResumeToken: fmt.Sprint(n)}) // a sign of life
		tell(states[n])
		if n+1 == len(states) {
			return nil
		}
		if n%2 == 0 {
			panic(http.ErrAbortHandler) // the connection is cut
		}
		return connect.NewError(connect.CodeUnavailable, errors.New("going down"))
	}}
}

func TestWatchGoesOnWhereItBroke(t *testing.T) {
	t.Parallel()
	script := []*contract.WatchExecutionsResponse{state("exec-1", "running", 0.1, "1"), state("exec-1", "running", 0.5, "2"), state("exec-1", "passed", 1, "3")}
	c := scripted(t, breaking(script...))
	stdout, stderr := c.tcda(0, "executions", "watch", "exec-1")
	want := "2026-11-27T01:02:03Z  exec-1/2  running  10%  injection  3 passed  evil \\x1b[2J\n" +
		"2026-11-27T01:02:03Z  exec-1/2  running  50%  injection  3 passed  evil \\x1b[2J\n" +
		"2026-11-27T01:02:03Z  exec-1/2  passed  100%  injection  3 passed  evil \\x1b[2J\n"
	if diff := cmp.Diff(want, stdout); diff != "" || strings.Count(stderr, "the stream broke") != 2 {
		t.Errorf("(-want +got):\n%s%s", diff, stderr)
	}
	stdout, _ = c.tcda(0, "executions", "watch", "exec-1", "--json")
	if strings.Count(stdout, "\n") != 3 || !strings.Contains(stdout, `"status":"passed"`) || !strings.HasPrefix(stdout, `{"execution_id":"exec-1","run":2,`) {
		t.Errorf("--json:\n%s", stdout)
	}
}

func TestWatchSaysHowRunsEnded(t *testing.T) {
	t.Parallel()
	script := func(states ...*contract.WatchExecutionsResponse) *caller {
		return scripted(t, &scriptedExecutions{watch: func(_ context.Context, _ *contract.WatchExecutionsRequest, tell func(*contract.WatchExecutionsResponse)) error {
			for _, s := range states {
				tell(s)
			}
			return nil
		}})
	}
	script(state("a", "failed", 1, "1")).tcda(1, "executions", "watch", "a")
	script(state("a", "passed", 1, "1"), state("b", "passed", 1, "2")).tcda(0, "executions", "watch", "a", "b")
	script(state("a", "passed", 1, "1"), state("b", "timeout", 1, "2")).tcda(1, "executions", "watch", "a", "b")
}

func TestWatchEndsWhereItMakesNoSense(t *testing.T) {
	t.Parallel()
	refuse := func(code connect.Code) *scriptedExecutions {
		told := false
		return &scriptedExecutions{watch: func(_ context.Context, _ *contract.WatchExecutionsRequest, tell func(*contract.WatchExecutionsResponse)) error {
			if !told {
				told = true
				tell(state("a", "running", 0, "1"))
				panic(http.ErrAbortHandler)
			}
			return connect.NewError(code, errors.New("no more"))
		}}
	}
	for code, want := range map[connect.Code]int{connect.CodeNotFound: exitUnknown, connect.CodePermissionDenied: exitFailed} {
		if _, stderr := scripted(t, refuse(code)).tcda(want, "executions", "watch", "a"); !strings.Contains(stderr, "tcda: no more\n") {
			t.Errorf("%s: %s", code, stderr)
		}
	}
	if _, stderr := scripted(t, refuse(connect.CodeUnavailable)).tcda(exitFailed, "executions", "watch", "a", "--patience=1ms"); !strings.Contains(stderr, "away for longer than --patience=1ms: no more") {
		t.Errorf("out of patience: %s", stderr)
	}

	// Who stops it has not seen the run pass.
	ctx, stop := context.WithCancel(t.Context())
	c := scripted(t, &scriptedExecutions{watch: func(ctx context.Context, _ *contract.WatchExecutionsRequest, tell func(*contract.WatchExecutionsResponse)) error {
		tell(state("a", "running", 0, "1"))
		stop()
		<-ctx.Done()
		return ctx.Err()
	}})
	var out, err bytes.Buffer
	if code := run(ctx, []string{"executions", "watch", "a"}, c.lookup, console{out: &out, err: &err}); code != 1 || strings.Contains(err.String(), "tcda:") {
		t.Errorf("stopped: exit code %d, %s", code, &err)
	}
}

// On a terminal a run has one line, in which its status has its colour.
func TestWatchIsLiveOnATerminal(t *testing.T) {
	t.Parallel()
	script := []*contract.WatchExecutionsResponse{state("exec-1", "running", 0.1, "1"), state("exec-2", "pending", 0, "2"), state("exec-1", "passed", 1, "3"), state("exec-2", "failed", 0.5, "4")}
	for colours, env := range map[string]string{"with": "", "without": "1"} {
		c := scripted(t, breaking(script...))
		c.env["NO_COLOR"] = env
		var out, err bytes.Buffer
		size := func() (int, int) { return 200, 30 }
		code := run(t.Context(), []string{"executions", "watch", "exec-1", "exec-2"}, c.lookup, console{out: &out, err: &err, size: size})
		_, last, _ := strings.Cut(out.String(), "passed")
		green, red := strings.Contains(out.String(), "\x1b[32mpassed\x1b[0m"), strings.Contains(last, "\x1b[31mfailed\x1b[0m")
		if code != 1 || green != (colours == "with") || red != (colours == "with") || err.Len() > 0 {
			t.Errorf("%s colours: exit code %d, green %t, red %t, %s\n%q", colours, code, green, red, &err, out.String())
		}
		for _, shows := range []string{"the stream broke", "━━━━━━━━━━ 100%", "━━━━━───── 50%", `evil \x1b[2J`, "LAST EVENT"} {
			if !strings.Contains(out.String(), shows) {
				t.Errorf("%s colours: %q is not shown\n%q", colours, shows, out.String())
			}
		}
	}
}

func TestLogs(t *testing.T) {
	t.Parallel()
	attributes, err := structpb.NewStruct(map[string]any{"order": "4711"})
	if err != nil {
		t.Fatal(err)
	}
	line := func(n int) *contract.LogRecord {
		return &contract.LogRecord{Time: timestamppb.New(time.Date(2026, 1, 1, 0, 0, n, 0, time.UTC)), Level: "warn", Service: "exchange", Message: fmt.Sprintf("line %d\n\x1b[2J", n), Attributes: attributes}
	}
	const all = 5
	var asked []*contract.ListLogsRequest
	s := &scriptedExecutions{
		logs: func(r *contract.ListLogsRequest) (*contract.ListLogsResponse, error) { // two lines a page
			asked = append(asked, r)
			page, done := &contract.ListLogsResponse{}, 0
			_, _ = fmt.Sscan(r.GetPageToken(), &done)
			size := min(2, int(r.GetPageSize()), all-done)
			for i := range size {
				n := done + i
				if r.GetTail() {
					n = all - done - size + i
				}
				page.Lines = append(page.Lines, line(n))
			}
			if done+size < all {
				page.NextPageToken = fmt.Sprint(done + size)
			}
			return page, nil
		},
		follow: func(r *contract.FollowLogsRequest, tell func(*contract.FollowLogsResponse)) error {
			if r.GetResumeToken() == "" {
				tell(&contract.FollowLogsResponse{Lines: []*contract.LogRecord{line(int(r.GetTail()))}, ResumeToken: "x"})
				panic(http.ErrAbortHandler)
			}
			tell(&contract.FollowLogsResponse{ResumeToken: "y"})
			tell(&contract.FollowLogsResponse{Lines: []*contract.LogRecord{line(59)}, ResumeToken: "z"})
			return nil
		},
	}
	c := scripted(t, s)
	numbers := func(args ...string) string {
		t.Helper()
		stdout, _ := c.tcda(0, append([]string{"executions", "logs", "exec-1/3"}, args...)...)
		var found []string
		for l := range strings.Lines(stdout) {
			_, rest, _ := strings.Cut(l, "exchange  line ")
			found = append(found, rest[:1])
			if !strings.HasPrefix(l, "2026-01-01T00:00:0") || !strings.HasSuffix(l, `\n\x1b[2J  {"order":"4711"}`+"\n") || !strings.Contains(l, "Z warn  exchange") {
				t.Errorf("%v: line %q", args, l)
			}
		}
		return strings.Join(found, "")
	}
	for args, want := range map[string]string{"": "01234", "--limit=3": "012", "--tail=3": "234", "-n0": "", "--tail=99": "01234"} {
		if got := numbers(strings.Fields(args)...); got != want {
			t.Errorf("logs %s: %q, want %q", args, got, want)
		}
	}
	asked = nil
	numbers("--level=WARN,error", "--service=exchange", "--contains=line", "--since=2026-01-01")
	if r := asked[0]; r.GetRun() != 3 || r.GetExecutionId() != "exec-1" || strings.Join(r.GetFilter().GetLevels(), " ") != "warn error" || r.GetFilter().GetService() != "exchange" || r.GetFilter().GetContains() != "line" ||
		!r.GetFrom().AsTime().Equal(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("asked for %v", r)
	}
	stdout, stderr := c.tcda(0, "executions", "logs", "exec-1", "-f", "--tail=7", "--json")
	if strings.Count(stdout, "\n") != 2 || !strings.Contains(stdout, `00:07Z"`) || !strings.Contains(stdout, `00:59Z"`) || !strings.Contains(stderr, "the stream broke") {
		t.Errorf("followed:\n%s%s", stdout, stderr)
	}
	for args, want := range map[string]string{
		"-f --since=1h": "--follow goes with --tail", "-f --tail=1001": "at most 1000 with --follow", "--tail=1 --limit=1": "exclude each other", "--tail=-1": "must be 0 or more", "--limit=-1": "must be 0 or more", "--since=soon": "must be a time such as",
	} {
		if _, stderr := c.tcda(exitUsage, append([]string{"executions", "logs", "exec-1"}, strings.Fields(args)...)...); !strings.Contains(stderr, want) {
			t.Errorf("logs %s: %s", args, stderr)
		}
	}
}

// The service itself tells how a run ended, and what it does not know.
func TestWatchOverTheAPI(t *testing.T) {
	t.Parallel()
	c, w := calls(t)
	w.Say(&contract.ExecutionStarted{ExecutionId: "exec-1"})
	w.Say(&contract.ExecutionFinished{ExecutionId: "exec-1", Outcome: "passed"})
	c.shows([]string{"exec-1/1  passed"}, "executions", "watch", "exec-1")
}

// Whoever finds no lines hears why.
func TestLogsThatWereRemovedAreSaidToBe(t *testing.T) {
	t.Parallel()
	c := scripted(t, &scriptedExecutions{logs: func(r *contract.ListLogsRequest) (*contract.ListLogsResponse, error) {
		if r.GetPageToken() == "" {
			return &contract.ListLogsResponse{NextPageToken: "more"}, nil // nothing found yet
		}
		return &contract.ListLogsResponse{Removed: &contract.RemovedData{
			Kinds: []string{"logs", "snapshots"}, Policy: "bulk", RemovedAt: timestamppb.New(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)),
		}}, nil
	}})
	for _, args := range [][]string{{}, {"--tail=5"}} {
		stdout, stderr := c.tcda(0, append([]string{"executions", "logs", "exec-1"}, args...)...)
		if want := "retention has removed of this run: logs, snapshots, last by the retention policy bulk on 2026-01-02T03:04:05Z\n"; stdout != "" || stderr != want {
			t.Errorf("%v: printed %q and said %q, want nothing and %q", args, stdout, stderr, want)
		}
	}
}
