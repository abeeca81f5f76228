package main

import (
	"context"
	"errors"
	"net"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
)

// failure is an error of the API in one line: what is wrong, with which field,
// and what to do next. A request's id is named where nobody can know what became
// of the request.
func (c *connection) failure(err error, requestID string) error {
	var told *connect.Error
	if !errors.As(err, &told) {
		return err
	}
	said, code := c.said(told), exitFailed
	if connect.IsWireError(err) {
		switch {
		case told.Code() == connect.CodeNotFound:
			code = exitUnknown
		case told.Code() == connect.CodeInvalidArgument && reasonOf(told) == "invalid_argument":
			code = exitUsage
		}
	}
	if requestID != "" && inDoubt(told) {
		said += "; it may have been done: repeat the command with --request-id=" + requestID
	}
	return &exitError{code, &apiError{escaped(said), told}}
}

// apiError is an error of the API as it is printed.
type apiError struct {
	said  string
	cause error
}

func (e *apiError) Error() string { return e.said }

func (e *apiError) Unwrap() error { return e.cause }

// said is what the service said; or what is to be said of it, when no service
// has spoken.
func (c *connection) said(told *connect.Error) string {
	if !connect.IsWireError(told) {
		switch told.Code() {
		case connect.CodeUnavailable:
			return c.unreachable(told)
		case connect.CodeDeadlineExceeded:
			return "no answer from the API at " + c.url + " within " + c.timeout.String() + ": see --timeout"
		case connect.CodeCanceled: // so a connection that the other side has reset is called, too
			if !errors.Is(told, context.Canceled) {
				return c.unreachable(told)
			}
			return "stopped before the API had answered"
		case connect.CodeUnimplemented, connect.CodeUnknown:
			return "what answers at " + c.url + " does not speak this API: " + told.Message() + ": see --api"
		default:
			return told.Message()
		}
	}
	said := told.Message()
	for _, v := range violations(told) { // most messages name their fields themselves
		if !strings.Contains(said, v.GetField()) {
			said = v.GetField() + ": " + said
		}
	}
	switch told.Code() {
	case connect.CodeUnimplemented:
		said += ": the service at " + c.url + " is older than this program"
	case connect.CodeUnauthenticated:
		said += ": a token is given by --token-file or $" + config.EnvPrefix + "API_TOKEN"
	default: // the service has said what to do
	}
	return said
}

// unreachable says that no service has answered. One that misses a certificate
// says so only to those who still listen: others see it hang up.
func (c *connection) unreachable(told *connect.Error) string {
	said := "cannot reach the API at " + c.url + ": " + told.Message() + ": is tcda serve running there"
	var network *net.OpError
	if c.nameless && (errors.As(told, &network) && network.Op != "dial" || errors.Is(told, net.ErrClosed)) {
		said += ", and does it want a client certificate (--cert-file and --key-file)"
	}
	return said + "? Its address is given by --api or $" + config.EnvPrefix + "API"
}

// inDoubt tells whether a request may have been carried out although an error
// came back.
func inDoubt(told *connect.Error) bool {
	if connect.IsWireError(told) {
		return told.Code() == connect.CodeUnavailable || told.Code() == connect.CodeDeadlineExceeded || told.Code() == connect.CodeCanceled
	}
	var network *net.OpError
	return !errors.As(told, &network) || network.Op != "dial" // nothing was sent
}

func reasonOf(told *connect.Error) string {
	for _, d := range told.Details() {
		if v, err := d.Value(); err == nil {
			if info, ok := v.(*errdetails.ErrorInfo); ok {
				return info.GetReason()
			}
		}
	}
	return ""
}

func violations(told *connect.Error) []*errdetails.BadRequest_FieldViolation {
	for _, d := range told.Details() {
		if v, err := d.Value(); err == nil {
			if request, ok := v.(*errdetails.BadRequest); ok {
				return request.GetFieldViolations()
			}
		}
	}
	return nil
}
