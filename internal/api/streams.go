package api

import (
	"context"
	"net/http"
	"time"

	"connectrpc.com/connect"
)

const (
	// signOfLife is how long a stream is silent at most.
	signOfLife = 15 * time.Second
	// sendLimit is how long a caller may take no bytes before his stream is cut. As
	// long as he takes none nothing is read for him.
	sendLimit = 30 * time.Second
)

var (
	errShuttingDown = &failure{code: connect.CodeUnavailable, reason: "shutting_down", message: "the service stops: go on with the resume_token, on another connection"}
	errBlind        = &failure{code: connect.CodeUnavailable, reason: "database_unavailable", message: "what changes cannot be seen just now: go on with the resume_token, later"}
	errStateLost    = &failure{code: connect.CodeFailedPrecondition, reason: "state_lost", message: "the database no longer holds what was told: begin without a resume_token"}
)

// connection is the key of the http.ResponseController of a request.
type connection struct{}

// reachable lets streams get at the deadlines of their connections.
func reachable(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), connection{}, http.NewResponseController(w))))
	})
}

// stream is a stream of answers that lasts until one side has enough. Its messages
// are sent one after the other, each when the caller has room for it: nothing
// waits in line.
type stream[M any] struct {
	*connect.ServerStream[M]
	conn     *http.ResponseController // nil: not reachable
	stopping <-chan struct{}
	silent   *time.Timer // runs out when a sign of life is due
}

// lasting makes a stream last: the deadlines of the server are meant for calls that
// end soon. The caller is told at once that he is heard, before there is anything else
// to tell. The stream must be closed.
func lasting[M any](ctx context.Context, p Parts, s *connect.ServerStream[M]) (*stream[M], error) {
	conn, _ := ctx.Value(connection{}).(*http.ResponseController)
	l := &stream[M]{ServerStream: s, conn: conn, stopping: p.Stopping, silent: time.NewTimer(signOfLife)}
	if conn != nil {
		// The request has been read. A connection that has no deadlines needs none lifted.
		_ = conn.SetReadDeadline(time.Time{})
	}
	if err := l.send(nil); err != nil { // the headers alone
		l.close()
		return nil, err
	}
	return l, nil
}

// close bounds what the server still sends: the end of the stream.
func (s *stream[M]) close() {
	s.silent.Stop()
	if s.conn != nil {
		_ = s.conn.SetWriteDeadline(time.Now().Add(sendLimit)) // as in lasting
	}
}

// send sends an answer within sendLimit.
func (s *stream[M]) send(m *M) error {
	if s.conn != nil {
		_ = s.conn.SetWriteDeadline(time.Now().Add(sendLimit)) // as in lasting
	}
	err := s.Send(m)
	if s.conn != nil {
		_ = s.conn.SetWriteDeadline(time.Time{}) // on HTTP/2 it would end the stream also while nothing is sent
	}
	s.silent.Reset(signOfLife)
	return err
}

// wait waits for something to happen, or until a time to look again, if that is not
// zero. due tells that a sign of life is. The error says why the stream ends.
func (s *stream[M]) wait(ctx context.Context, changed <-chan struct{}, again time.Duration) (due bool, err error) {
	var timer <-chan time.Time
	if again > 0 {
		t := time.NewTimer(again)
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case <-s.stopping:
		return false, errShuttingDown
	case <-s.silent.C:
		s.silent.Reset(signOfLife)
		return true, nil
	case <-changed:
	case <-timer:
	}
	return false, nil
}

// glance is wait without waiting, for who has enough to do.
func (s *stream[M]) glance(ctx context.Context) (due bool, err error) {
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case <-s.stopping:
		return false, errShuttingDown
	case <-s.silent.C:
		s.silent.Reset(signOfLife)
		return true, nil
	default:
		return false, nil
	}
}

// pause waits for some time, whatever changes; sign is the sign of life that is
// sent when one is due.
func (s *stream[M]) pause(ctx context.Context, some time.Duration, sign func() *M) error {
	t := time.NewTimer(some)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.stopping:
			return errShuttingDown
		case <-s.silent.C:
			if err := s.send(sign()); err != nil {
				return err
			}
		case <-t.C:
			return nil
		}
	}
}
