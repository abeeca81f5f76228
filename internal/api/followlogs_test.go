package api_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/watch"
)

// logged are so many lines of a time, each with another message.
func logged(id string, lines int, at time.Time) *contract.ExecutionLogAppended {
	m := &contract.ExecutionLogAppended{ExecutionId: id}
	for n := range lines {
		m.Lines = append(m.Lines, &contract.LogLine{Message: fmt.Sprintf("%s %d", at.Format(time.RFC3339Nano), n), Time: timestamppb.New(at), Level: "info", Service: "engine"})
	}
	return m
}

// accepted are the messages of a run's lines as they were accepted.
func accepted(w *world, id string) []string {
	w.Helper()
	rows, err := w.db.Pool(w.TB).Query(w.Context(), "SELECT message FROM test_coordination.execution_logs WHERE execution_id = $1 ORDER BY run, arrival, line", id)
	if err != nil {
		w.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			w.Fatal(err)
		}
		all = append(all, text)
	}
	if err := rows.Err(); err != nil {
		w.Fatal(err)
	}
	return all
}

func messages(m *contract.FollowLogsResponse) []string {
	var all []string
	for _, l := range m.GetLines() {
		all = append(all, l.GetMessage())
	}
	return all
}

// rest reads a stream to its end.
func rest(f *following[contract.FollowLogsResponse]) []string {
	f.Helper()
	var all []string
	for f.stream.Receive() {
		all = append(all, messages(f.stream.Msg())...)
	}
	if err := f.stream.Err(); err != nil {
		f.Fatal(err)
	}
	return all
}

func TestLinesAreFollowedFromTheLastOnesOn(t *testing.T) {
	t.Parallel()
	s := newShown(t)
	at := time.Now().Add(-time.Hour)
	s.say(started("a"))
	for n := range 5 {
		s.say(logged("a", 2, at.Add(time.Duration(n)*time.Second)))
	}
	before := accepted(s.world, "a")
	for name, client := range clients(t, serve(t, s.parts, nil)) {
		tail := follow(t, client.FollowLogs, &contract.FollowLogsRequest{ExecutionId: "a", Tail: 3}).next()
		if diff := cmp.Diff(before[7:], messages(tail)); diff != "" {
			t.Errorf("%s: the last lines (-want +got):\n%s", name, diff)
		}
	}
	all := follow(t, s.executions.FollowLogs, &contract.FollowLogsRequest{ExecutionId: "a", Tail: 1000})
	none := follow(t, s.executions.FollowLogs, &contract.FollowLogsRequest{ExecutionId: "a", Run: 1})
	if diff := cmp.Diff(before, messages(all.next())); diff != "" {
		t.Errorf("all lines (-want +got):\n%s", diff)
	}
	line := logged("a", 1, at.Add(-30*time.Minute)) // and so a late one
	line.Lines[0].Level, line.Lines[0].Phase, line.Lines[0].StepId = "warn", "injection", "s1"
	s.say(line)
	got := all.next()
	if diff := cmp.Diff([]string{line.GetLines()[0].GetMessage()}, messages(got)); diff != "" {
		t.Errorf("a new line (-want +got):\n%s", diff)
	}
	if l := got.GetLines()[0]; l.GetLevel() != "warn" || l.GetPhase() != "injection" || l.GetStepId() != "s1" || l.GetService() != "engine" || !l.GetTime().AsTime().Equal(at.Add(-30*time.Minute).Truncate(time.Microsecond)) {
		t.Errorf("a new line: %v", l)
	}
	s.say(finished("a"))
	if more := rest(all); more != nil {
		t.Errorf("told again: %q", more)
	}
	if diff := cmp.Diff([]string{line.GetLines()[0].GetMessage()}, rest(none)); diff != "" {
		t.Errorf("without the last lines (-want +got):\n%s", diff)
	}
}

func TestLinesOfAFormerRunAreFollowedToTheirEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := time.Now().Add(-time.Hour)
	w.say(started("a"))
	w.say(logged("a", 3, at))
	w.say(finished("a"))
	w.say(started("a"))
	w.say(logged("a", 1, at))
	got := rest(follow(t, w.executions.FollowLogs, &contract.FollowLogsRequest{ExecutionId: "a", Run: 1, Tail: 10}))
	if diff := cmp.Diff(accepted(w, "a")[:3], got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func TestAFilterLeavesLinesOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say(started("a"))
	m := &contract.ExecutionLogAppended{ExecutionId: "a", Lines: []*contract.LogLine{
		{Message: "Latency Injected", Level: "info", Service: "engine", Phase: "injection"},
		{Message: "latency gone", Level: "warn", Service: "engine", Phase: "recovery"},
		{Message: "restarted", Level: "info", Service: "risk", Phase: "recovery"},
	}}
	w.say(m)
	for want, filter := range map[string]*contract.LogFilter{
		"Latency Injected latency gone restarted": nil,
		"Latency Injected restarted":              {Levels: []string{"info", "error"}},
		"Latency Injected latency gone":           {Contains: "LATENCY"},
		"restarted":                               {Service: "risk"},
		"latency gone restarted":                  {Phase: "recovery"},
		"latency gone":                            {Phase: "recovery", Contains: "gone", Levels: []string{"warn"}, Service: "engine"},
	} {
		f := follow(t, w.executions.FollowLogs, &contract.FollowLogsRequest{ExecutionId: "a", Tail: 10, Filter: filter})
		if got := strings.Join(messages(f.next()), " "); got != want {
			t.Errorf("%v lets through %q, want %q", filter, got, want)
		}
	}
}

// However late lines come and however often a follower is cut off: each is told once,
// in the order in which they were accepted.
func TestEachLineIsToldOnceThroughLateLinesAndLostConnections(t *testing.T) {
	t.Parallel()
	const (
		writers = 4
		events  = 60
	)
	s := newShown(t)
	s.say(started("a"))
	begun := time.Now()
	opened := follow(t, s.executions.FollowLogs, &contract.FollowLogsRequest{ExecutionId: "a", Tail: 1})
	s.say(logged("a", 1, begun))
	first := opened.next()
	got, token := messages(first), first.GetResumeToken()
	opened.close()

	var writing errgroup.Group
	for n := range writers {
		writing.Go(func() error {
			random := rand.New(rand.NewPCG(1, uint64(n)))
			for range events {
				late := time.Duration(random.Int64N(int64(2 * time.Second)))
				switch random.IntN(10) {
				case 0:
					late *= 3600
				case 1:
					late = -20 * time.Hour // a clock that goes ahead
				}
				s.say(logged("a", 1+random.IntN(5), time.Now().Add(-late)))
				if random.IntN(3) == 0 {
					if err := s.show("a"); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	written := make(chan error, 1)
	go func() {
		err := writing.Wait()
		s.say(finished("a"))
		written <- err
	}()
	random := rand.New(rand.NewPCG(2, 0))
	for ended := false; !ended; {
		f := follow(t, s.executions.FollowLogs, &contract.FollowLogsRequest{ExecutionId: "a", ResumeToken: token})
		for range 1 + random.IntN(6) {
			if ended = !f.stream.Receive(); ended {
				if err := f.stream.Err(); err != nil {
					t.Fatal(err)
				}
				break
			}
			got, token = append(got, messages(f.stream.Msg())...), f.stream.Msg().GetResumeToken()
		}
		f.close()
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(accepted(s.world, "a"), got); diff != "" {
		t.Errorf("lines (-accepted +told):\n%s", diff)
	}
}

func TestAFloodIsToldInModerateAnswers(t *testing.T) {
	t.Parallel()
	const (
		events = 50
		lines  = 1000
	)
	w := newWorld(t)
	w.say(started("a"))
	behind := follow(t, w.executions.FollowLogs, &contract.FollowLogsRequest{ExecutionId: "a", Tail: 1})
	token := ""
	for n := range events {
		w.say(logged("a", lines, time.Now()))
		if n == 0 {
			token = behind.next().GetResumeToken()
		}
	}
	w.say(finished("a"))
	for name, f := range map[string]*following[contract.FollowLogsResponse]{
		"slow":    behind,
		"resumed": follow(t, w.executions.FollowLogs, &contract.FollowLogsRequest{ExecutionId: "a", ResumeToken: token}),
	} {
		var got []string
		for f.stream.Receive() {
			m := f.stream.Msg()
			if n := len(m.GetLines()); n > 2*lines {
				t.Errorf("%s: %d lines in an answer", name, n)
			}
			got = append(got, messages(m)...)
		}
		if err := f.stream.Err(); err != nil {
			t.Fatal(err)
		}
		if want := accepted(w, "a")[lines:]; !slices.Equal(want, got) {
			t.Errorf("%s: %d lines were told, want %d", name, len(got), len(want))
		}
	}
}

// Lines as long as they may be do not make an answer that is too large to be sent.
func TestLongLinesAreToldInSeveralAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say(started("a"))
	for range 60 {
		m := logged("a", 10, time.Now())
		for _, l := range m.GetLines() {
			l.Message = strings.Repeat("x", 64<<10)
		}
		w.say(m)
	}
	f := follow(t, w.executions.FollowLogs, &contract.FollowLogsRequest{ExecutionId: "a", Tail: 600})
	told, answers := 0, 0
	for told < 600 {
		m := f.next()
		told += len(m.GetLines())
		answers++
		if whole := told == 600; (m.GetResumeToken() != "") != whole {
			t.Errorf("after %d lines the token is %q", told, m.GetResumeToken())
		}
	}
	if answers < 20 {
		t.Errorf("%d answers", answers)
	}
}

func TestATokenThatDoesNotFollowIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.say(started("a"))
	w.say(logged("a", 3, time.Now()))
	token := func(run execution.RunNumber, arrival, lines int64) string {
		return watch.Mark{Run: run, Arrival: arrival, Lines: lines}.Token()
	}
	for _, c := range []struct {
		token, reason string
		code          connect.Code
	}{
		{"x", "invalid_argument", connect.CodeInvalidArgument},
		{token(0, 0, 0), "invalid_argument", connect.CodeInvalidArgument},
		{token(2, 0, 0), "invalid_argument", connect.CodeInvalidArgument},
		{token(1, 2, 4), "state_lost", connect.CodeFailedPrecondition},
		{token(1, 3, 3), "state_lost", connect.CodeFailedPrecondition},
		{token(1, 0, 1), "state_lost", connect.CodeFailedPrecondition},
	} {
		f := follow(t, w.executions.FollowLogs, &contract.FollowLogsRequest{ExecutionId: "a", Run: 1, ResumeToken: c.token})
		_ = f.ends(c.code, c.reason)
	}
	whole := follow(t, w.executions.FollowLogs, &contract.FollowLogsRequest{ExecutionId: "a", ResumeToken: token(1, 0, 0)}).next()
	if n := len(whole.GetLines()); n != 3 {
		t.Errorf("%d lines from the beginning, want 3", n)
	}
}
