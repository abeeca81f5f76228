package redisstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// The ways in which Redis fails. Every error of this package that came from
// Redis is one of them or an answer to a single command (a key of another type,
// say). None of them is a reason to stop: what was asked for is in PostgreSQL.
var (
	// ErrUnavailable: no answer within the budget, no connection, an answer
	// that means "not now" (loading, cluster down), refused credentials, or
	// the circuit breaker is open and Redis was not asked.
	ErrUnavailable = errors.New("redis unavailable")
	// ErrDenied: the user of the connection lacks a right; Findings names it.
	ErrDenied = errors.New("redis denies the command")
	// ErrFull: maxmemory is reached and nothing may be evicted.
	ErrFull = errors.New("redis is out of memory")
	// ErrReadOnly: the server takes no writes: it is a replica, or has too few
	// of them, or cannot save.
	ErrReadOnly = errors.New("redis is read-only")
)

// class is the one of the errors above that err is, or nil.
func class(err error) error {
	if err == nil {
		return nil
	}
	var reply redis.Error
	if !errors.As(err, &reply) {
		// Whatever is not an answer is the lack of one: network, time-out,
		// closed or exhausted pool.
		return ErrUnavailable
	}
	switch {
	case errors.Is(err, redis.Nil):
		return nil
	case redis.HasErrorPrefix(err, "NOPERM"), redis.IsPermissionError(err):
		return ErrDenied
	case redis.HasErrorPrefix(err, "OOM"), redis.IsOOMError(err):
		return ErrFull
	case redis.IsReadOnlyError(err), redis.IsNoReplicasError(err), redis.HasErrorPrefix(err, "MISCONF"):
		return ErrReadOnly
	}
	for _, prefix := range [...]string{
		"LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "BUSY",
		"WRONGPASS", "NOAUTH", "ERR max number of clients", "max number of clients",
	} {
		if redis.HasErrorPrefix(err, prefix) {
			return ErrUnavailable
		}
	}
	return nil
}

// classified adds the class of err to it.
func classified(err error) error {
	if c := class(err); c != nil && !errors.Is(err, c) {
		return fmt.Errorf("%w: %w", c, err)
	}
	return err
}

// transportError is the error that kept the commands of a pipeline from being
// answered, nil when each has its answer, be it an error of its own.
func transportError(cmds []redis.Cmder) error {
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil && errors.Is(class(err), ErrUnavailable) {
			return err
		}
	}
	return nil
}

// exec runs a pipeline and returns an error only if commands were not
// answered; what the answers say is for the caller to look at.
//
// When a connection cannot be set up (wrong password, SELECT denied) the client
// returns that error and leaves every command without one, as if all had
// succeeded with nothing: read so, a state looked like a miss.
func exec(ctx context.Context, pipe redis.Pipeliner) error {
	cmds, err := pipe.Exec(ctx)
	if err == nil {
		return nil
	}
	if firstError(cmds) == nil {
		return err
	}
	return transportError(cmds)
}

// firstError is the first error among the answers, redis.Nil included.
func firstError(cmds []redis.Cmder) error {
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil {
			return err
		}
	}
	return nil
}

// unknownCommand tells whether the server does not know the command, or not
// this form of it: an embedded stand-in, or a server of another make.
func unknownCommand(err error) bool {
	if err == nil {
		return false
	}
	text := strings.ToLower(err.Error())
	return strings.Contains(text, "unknown command") || strings.Contains(text, "is not supported")
}

// deniedCommand is the command that a NOPERM answer names, empty when it
// names none (a key or a channel was denied).
func deniedCommand(err error) string {
	_, rest, found := strings.Cut(err.Error(), "permissions to run the '")
	if !found {
		return ""
	}
	command, _, _ := strings.Cut(rest, "'")
	return command
}
