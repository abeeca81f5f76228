package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"connectrpc.com/connect"
)

// followFlags are in every command that follows a stream.
type followFlags struct {
	Patience time.Duration `default:"5m" help:"How long a service that has gone away is waited for; what it tells then goes on where it broke off."`
}

const (
	firstWait = 200 * time.Millisecond // between two attempts; twice as long after each
	longWait  = 5 * time.Second
	silence   = time.Minute // a stream gives a sign of life every 15 s: after this it is dead
)

// told is an answer of a stream that can be resumed after it.
type told interface{ GetResumeToken() string }

// opening opens a stream; with a token, after the answer that held it.
type opening[A any] func(ctx context.Context, resume string) (*connect.ServerStreamForClient[A], error)

// follow takes what a stream tells until it ends, and opens it anew after the
// last answer when it breaks. A stream that never began is an error at once. It
// says on notices what people wait for.
func follow[A any](ctx context.Context, c *connection, patience time.Duration, notices io.Writer, open opening[A], take func(*A) error) error {
	var (
		resume string
		began  bool
		away   time.Time // since when nothing has come; zero while the stream runs
		wait   = firstWait
	)
	for {
		err := one(ctx, open, resume, func(m *A) error {
			if t, ok := any(m).(told); ok {
				resume = t.GetResumeToken()
			}
			began, away, wait = true, time.Time{}, firstWait
			return take(m)
		})
		var broken *brokenStream
		switch {
		case !errors.As(err, &broken):
			return err // nil when it has ended
		case ctx.Err() != nil:
			return ctx.Err()
		case !began || !broken.mayMend():
			return c.failure(broken.err, "")
		case away.IsZero():
			away = time.Now()
			fmt.Fprintf(notices, "the stream broke (%s): waiting for the service\n", escaped(broken.Error()))
		case time.Since(away) > patience:
			return fmt.Errorf("the service was away for longer than --patience=%s: %w", patience, c.failure(broken.err, ""))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
			wait = min(2*wait, longWait)
		}
	}
}

// one takes what one stream tells. An error that is not a *brokenStream is take's.
func one[A any](ctx context.Context, open opening[A], resume string, take func(*A) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	alive := time.AfterFunc(silence, func() { cancel(errSilent) })
	defer alive.Stop()
	stream, err := open(ctx, resume)
	if err != nil {
		return &brokenStream{err}
	}
	defer stream.Close() //nolint:errcheck // nothing more is wanted of it
	for stream.Receive() {
		alive.Reset(silence)
		if err := take(stream.Msg()); err != nil {
			return err
		}
	}
	switch err := stream.Err(); {
	case err == nil:
		return nil
	case errors.Is(context.Cause(ctx), errSilent):
		return &brokenStream{errSilent}
	default:
		return &brokenStream{err}
	}
}

var errSilent = fmt.Errorf("no sign of life for %s", silence)

// brokenStream is an error of a stream, as opposed to one of what takes it.
type brokenStream struct{ err error }

func (e *brokenStream) Error() string { return e.err.Error() }

func (e *brokenStream) Unwrap() error { return e.err }

// mayMend tells whether another stream may get further: not where the service
// has refused it.
func (e *brokenStream) mayMend() bool {
	if !connect.IsWireError(e.err) {
		return true
	}
	switch connect.CodeOf(e.err) {
	case connect.CodeUnavailable, connect.CodeDeadlineExceeded, connect.CodeResourceExhausted, connect.CodeAborted, connect.CodeCanceled:
		return true
	default:
		return false
	}
}
