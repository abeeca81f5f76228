package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/command"
)

// writing is a pointer to a request that writes.
type writing[R any] interface {
	*R
	proto.Message
	GetRequestId() string
}

// answering is a pointer to an answer.
type answering[A any] interface {
	*A
	proto.Message
}

// once carries a request out in one transaction: a repeat of the same gets the
// same answer. stated is the field of the request that becomes an event; a
// rejection names fields of the event, and the caller wants those of his
// request.
func once[R, A any, PR writing[R], PA answering[A]](
	ctx context.Context, c *command.Commands, r *connect.Request[R], stated string, work func(context.Context, *command.Tx, PR) (PA, error),
) (*connect.Response[A], error) {
	m := PR(r.Msg)
	digest, err := digestOf(r.Spec().Procedure, m)
	if err != nil {
		return nil, err
	}
	request := command.Request{ID: m.GetRequestId(), Procedure: r.Spec().Procedure, Parameters: digest, Caller: callerOf(ctx)}
	raw, err := c.Once(ctx, request, func(ctx context.Context, tx *command.Tx) ([]byte, error) {
		answer, err := work(ctx, tx, m)
		if err != nil {
			return nil, err
		}
		if proto.Size(answer) > heaviest {
			return nil, &failure{
				code: connect.CodeFailedPrecondition, reason: "answer_too_large",
				message: "what would be answered is more than a client takes; nothing was done: ask for less at once, by limit", field: "limit", rule: "a smaller one",
			}
		}
		return proto.Marshal(answer)
	})
	if err != nil {
		return nil, inRequest(err, stated)
	}
	answer := PA(new(A))
	if err := proto.Unmarshal(raw, answer); err != nil {
		return nil, fmt.Errorf("read the answer of request %s: %w", request.ID, err)
	}
	return connect.NewResponse((*A)(answer)), nil
}

// digestOf is sha-256 over a request without its id.
func digestOf(procedure string, m proto.Message) ([32]byte, error) {
	m = proto.Clone(m)
	reflected := m.ProtoReflect()
	reflected.Clear(reflected.Descriptor().Fields().ByName("request_id"))
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return [32]byte{}, fmt.Errorf("write the request anew: %w", err)
	}
	return sha256.Sum256(append([]byte(procedure+"\x00"), b...)), nil
}

// inRequest names the fields of a rejected event as the request does.
func inRequest(err error, stated string) error {
	var rejected *command.Rejected
	if !errors.As(err, &rejected) {
		return err
	}
	field := rejected.Field
	if rest, ok := strings.CutPrefix(field, "data"); ok && (rest == "" || rest[0] == '.') {
		field = strings.Trim(stated+rest, ".")
	}
	named := *rejected.Rejection
	named.Field = field
	return &command.Rejected{Rejection: &named}
}
