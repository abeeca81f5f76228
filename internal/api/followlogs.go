package api

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/watch"
)

const (
	// quietAfter is how long an ended run must not have changed to be taken for
	// complete: the last lines may come behind the word that it has ended.
	quietAfter = 3 * time.Second
	// lookAgain is how often a run is looked at that seems not to change. One that is
	// no longer the latest of its id is not seen to change.
	lookAgain = 5 * time.Second
	// answerBytes is about how much text an answer has at most.
	answerBytes = 256 << 10
	// looksRest: after a look one rests for so many times as long, so that lines which
	// are hard to find cost a fifth of a session of the database.
	looksRest = 4
)

// FollowLogs tells lines in the order in which they were accepted. The stream ends
// when the run has ended, has not changed for quietAfter, and all lines were told; one
// that comes later still is only listed.
func (s *executions) FollowLogs(ctx context.Context, r *connect.Request[contract.FollowLogsRequest], to *connect.ServerStream[contract.FollowLogsResponse]) error {
	id := execution.ID(r.Msg.GetExecutionId())
	followed, err := s.followed.Watch(ctx, []execution.ID{id}, defaultInterval, nil)
	if err != nil {
		return followFailure(err)
	}
	defer followed.Close()
	lines, last, err := s.linesOf(ctx, r.Msg, followed)
	if err != nil {
		return err
	}
	lasting, err := lasting(ctx, s.Parts, to)
	if err != nil {
		return err
	}
	stream := &logStream{stream: lasting, wants: logFilter(r.Msg.GetFilter()), now: s.Now}
	defer stream.close()
	if err := stream.tail(last, lines.Mark()); err != nil {
		return err
	}
	for {
		due, err := stream.next(ctx, lines, followed)
		switch {
		case errors.Is(err, errQuiet):
			return nil
		case err != nil:
			return followFailure(err)
		}
		if due {
			if err := stream.send(signOf(lines)()); err != nil {
				return err
			}
		}
	}
}

// signOf is the sign of life of a stream that has come so far.
func signOf(lines *watch.Lines) func() *contract.FollowLogsResponse {
	return func() *contract.FollowLogsResponse {
		return &contract.FollowLogsResponse{ResumeToken: lines.Mark().Token()}
	}
}

// errQuiet says that all lines of an ended run were told.
var errQuiet = errors.New("nothing more is to come")

// next tells the lines that come next, or waits for some. due tells that a sign of
// life is.
func (s *logStream) next(ctx context.Context, lines *watch.Lines, followed *watch.Watch) (due bool, err error) {
	asked := time.Now()
	next, err := lines.Next(ctx, s.now())
	if err != nil {
		return false, err
	}
	if len(next) > 0 {
		if err := s.lines(next, lines.Mark()); err != nil {
			return false, err
		}
		return s.glance(ctx)
	}
	if lines.Quiet(s.now(), quietAfter) {
		return false, errQuiet
	}
	again := lookAgain
	if lines.Quiet(s.now(), 0) {
		again = quietAfter
	}
	if err := s.pause(ctx, max(defaultInterval, looksRest*time.Since(asked)), signOf(lines)); err != nil {
		return false, err
	}
	return s.wait(ctx, followed.Changed(), again)
}

// linesOf begins where the request wants it: after the last answer, or with the last
// lines.
func (s *executions) linesOf(ctx context.Context, m *contract.FollowLogsRequest, followed *watch.Watch) (*watch.Lines, []pgstore.StoredLine, error) {
	k := pgstore.RunKey{ID: execution.ID(m.GetExecutionId()), Number: execution.RunNumber(m.GetRun())}
	if m.GetResumeToken() != "" {
		mark, err := watch.ParseMark(m.GetResumeToken())
		if err != nil || k.Number != 0 && k.Number != mark.Run {
			return nil, nil, invalid("resume_token", "a resume_token of a stream of the same run")
		}
		return s.followed.ResumeLines(k.ID, mark), nil, nil
	}
	if k.Number == 0 {
		states, err := followed.News(nil)
		if err != nil {
			return nil, nil, followFailure(err)
		}
		k.Number = states[0].Live.Run
	}
	lines, last, err := s.followed.FollowLines(ctx, k, int(m.GetTail()))
	if errors.Is(err, pgstore.ErrNotFound) {
		return nil, nil, notFound("execution", fmt.Sprintf("%s/%d", k.ID, k.Number))
	}
	return lines, last, err
}

// logStream cuts lines into answers of a moderate size.
type logStream struct {
	*stream[contract.FollowLogsResponse]
	wants func(*execution.LogLine) bool
	now   func() time.Time
}

// tail tells the lines before a mark. Only the last answer has a token: after a part
// of them there is no mark to go on from.
func (s *logStream) tail(lines []pgstore.StoredLine, mark watch.Mark) error {
	return s.tell(lines, func(rest []pgstore.StoredLine) string {
		if len(rest) > 0 {
			return ""
		}
		return mark.Token()
	})
}

// lines tells lines of whole events, at whose end the mark is.
func (s *logStream) lines(lines []pgstore.StoredLine, mark watch.Mark) error {
	return s.tell(lines, func(rest []pgstore.StoredLine) string {
		at := mark
		if len(rest) > 0 {
			at.Arrival, at.Lines = rest[0].Arrival-1, mark.Lines-int64(len(rest))
		}
		return at.Token()
	})
}

// tell sends those lines that the filter lets through. An answer ends with an event;
// token gives the one of an answer that leaves a rest of the lines.
func (s *logStream) tell(lines []pgstore.StoredLine, token func(rest []pgstore.StoredLine) string) error {
	m := &contract.FollowLogsResponse{}
	size := 0
	for i := range lines {
		if l := &lines[i].LogLine; s.wants(l) {
			m.Lines = append(m.Lines, logMessage(l))
			size += len(l.Message) + len(l.Attributes) + len(l.Service) + len(l.Phase)
		}
		rest := lines[i+1:]
		full := size >= answerBytes && len(rest) > 0 && rest[0].Arrival != lines[i].Arrival
		if len(m.GetLines()) == 0 || !full && len(rest) > 0 {
			continue
		}
		m.ResumeToken = token(rest)
		if err := s.send(m); err != nil {
			return err
		}
		m, size = &contract.FollowLogsResponse{}, 0
	}
	return nil
}
