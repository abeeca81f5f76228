package api

import (
	"context"
	"errors"
	"fmt"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/command"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/lock"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
)

// errorDomain is the domain of every ErrorInfo.
const errorDomain = "tcda"

// failure is an error as the caller gets it: a code, a reason that programs
// compare, and where a field is to blame its name and the rule.
type failure struct {
	code    connect.Code
	reason  string // snake_case, stable
	message string // for people: what to do next
	field   string // path in the request; empty when none is to blame
	rule    string
	details []proto.Message // further ones

	metadata map[string]string // of the ErrorInfo: what programs want to know
}

func (f *failure) Error() string { return f.message }

// connectError is the error with its details.
func (f *failure) connectError() *connect.Error {
	e := connect.NewError(f.code, errors.New(f.message))
	details := append([]proto.Message{&errdetails.ErrorInfo{Reason: f.reason, Domain: errorDomain, Metadata: f.metadata}}, f.details...)
	if f.field != "" {
		details = append(details, &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: f.field, Description: f.rule, Reason: f.reason},
		}})
	}
	for _, m := range details {
		if d, err := connect.NewErrorDetail(m); err == nil { // a message of this program always has a wire form
			e.AddDetail(d)
		}
	}
	return e
}

func notFound(kind, id string) *failure {
	return &failure{code: connect.CodeNotFound, reason: kind + "_not_found", message: fmt.Sprintf("%s %s is not known", kind, id)}
}

func invalid(field, rule string) *failure {
	return &failure{code: connect.CodeInvalidArgument, reason: "invalid_argument", message: field + ": " + rule, field: field, rule: rule}
}

// failureOf is what the caller is told of an error. The second result is false
// for one that nobody expected: it is worth an entry in the log.
func failureOf(err error) (*failure, bool) {
	var (
		f         *failure
		rejection *command.Rejected
		refusal   *command.Refusal
		notReady  *command.NotReady
		ours      *pgstore.Error
		held      *lock.HeldError
		lost      *lock.LostError
		notHeld   *lock.NotHeldError
		wrong     *lock.InvalidError
	)
	switch {
	case errors.As(err, &f):
		return f, true
	case errors.As(err, &rejection):
		return rejected(rejection), true
	case errors.As(err, &notReady):
		return &failure{code: connect.CodeFailedPrecondition, reason: "not_ready", message: notReady.Error(), details: []proto.Message{readinessMessage(notReady.Readiness)}}, true
	case errors.As(err, &refusal):
		return refused(refusal), true
	case errors.As(err, &held):
		return lockHeld(held), true
	case errors.As(err, &lost):
		return lockLost(lost), true
	case errors.As(err, &notHeld):
		return lockNotHeld(notHeld), true
	case errors.As(err, &wrong):
		return invalid(wrong.Field, wrong.Rule), true
	case errors.Is(err, pgstore.ErrNotFound):
		return &failure{code: connect.CodeNotFound, reason: "not_found", message: "it is not known"}, true
	case errors.Is(err, context.Canceled):
		return &failure{code: connect.CodeCanceled, reason: "canceled", message: "the caller went away"}, true
	case errors.Is(err, context.DeadlineExceeded):
		return &failure{code: connect.CodeDeadlineExceeded, reason: "deadline_exceeded", message: "it took longer than the caller, or the service, wants to wait; a write may be repeated with the same request_id"}, true
	case errors.Is(err, pgstore.ErrInDoubt):
		return &failure{code: connect.CodeUnavailable, reason: "outcome_unknown", message: "the connection to the database broke while it was committing: repeat the request with the same request_id"}, true
	case errors.As(err, &ours) && ours.Class == pgstore.Infrastructure && !ours.Unlisted:
		return &failure{code: connect.CodeUnavailable, reason: "database_unavailable", message: "the database cannot serve the request just now: repeat it, with the same request_id"}, true
	}
	return &failure{code: connect.CodeInternal, reason: "internal", message: "the service has failed; its log says why"}, false
}

// rejected is an event of ours that would have been quarantined had it come
// from Kafka.
func rejected(r *command.Rejected) *failure {
	f := &failure{code: connect.CodeInvalidArgument, reason: string(r.Reason), message: r.Error(), field: r.Field, rule: r.Detail()}
	if r.Reason == fact.ReasonCycle {
		f.code = connect.CodeFailedPrecondition // depends on what others declare
	}
	return f
}

var codes = map[command.Kind]connect.Code{
	command.NotFound:     connect.CodeNotFound,
	command.Conflict:     connect.CodeAlreadyExists,
	command.Precondition: connect.CodeFailedPrecondition,
	command.Invalid:      connect.CodeInvalidArgument,
	command.Lost:         connect.CodeAborted,
}

func refused(r *command.Refusal) *failure {
	return &failure{code: codes[r.Kind], reason: r.Reason, message: r.Message, field: r.Field, rule: r.Message}
}
