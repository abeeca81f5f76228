package api

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"buf.build/go/protovalidate"
	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protopath"
	"google.golang.org/protobuf/reflect/protorange"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/fact"
)

// validation is the interceptor that holds requests to the rules of the .proto
// files. All violations are named, each with its field, value and rule.
type validation struct{ validator protovalidate.Validator }

// WrapUnary holds the request of a unary procedure to the rules.
func (v *validation) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
		if m, ok := r.Any().(proto.Message); ok {
			if err := v.check(m); err != nil {
				return nil, err
			}
		}
		return next(ctx, r)
	}
}

// WrapStreamingClient leaves clients alone.
func (*validation) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler holds the request of a stream to the rules.
func (v *validation) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		return next(ctx, &validatedConn{StreamingHandlerConn: conn, validation: v})
	}
}

type validatedConn struct {
	connect.StreamingHandlerConn
	*validation
}

// Receive reads the next request and holds it to the rules.
func (c *validatedConn) Receive(message any) error {
	if err := c.StreamingHandlerConn.Receive(message); err != nil {
		return err
	}
	if m, ok := message.(proto.Message); ok {
		return c.check(m)
	}
	return nil
}

// check gives a failure that names all violations.
func (v *validation) check(m proto.Message) error {
	err := v.validator.Validate(m)
	var broken *protovalidate.ValidationError
	switch {
	case err == nil:
		return withoutNUL(m)
	case !errors.As(err, &broken) || len(broken.Violations) == 0:
		return err
	}
	all := &errdetails.BadRequest{}
	f := &failure{code: connect.CodeInvalidArgument, reason: "invalid_argument"}
	for i, violation := range broken.Violations {
		field := protovalidate.FieldPathString(violation.Proto.GetField())
		rule := violation.Proto.GetMessage()
		if field == "" { // a rule of several fields, which it names
			field = string(m.ProtoReflect().Descriptor().Name())
		}
		all.FieldViolations = append(all.FieldViolations, &errdetails.BadRequest_FieldViolation{Field: field, Description: rule, Reason: violation.Proto.GetRuleId()})
		if i > 0 {
			f.message += "; "
		}
		f.message += named(field, valueOf(violation), rule)
	}
	f.details = []proto.Message{all}
	return f
}

// withoutNUL refuses a text that PostgreSQL cannot hold, wherever it stands.
func withoutNUL(m proto.Message) error {
	return protorange.Range(m.ProtoReflect(), func(at protopath.Values) error {
		last := at.Index(-1)
		text, ok := last.Value.Interface().(string)
		if !ok || !strings.Contains(text, "\x00") {
			return nil
		}
		field := strings.TrimPrefix(at.Path[1:].String(), ".")
		return &failure{code: connect.CodeInvalidArgument, reason: string(fact.ReasonNUL), message: field + ": text without NUL", field: field, rule: "text without NUL"}
	})
}

// named is a violation in one line: field, value (cut) and rule.
func named(field, value, rule string) string {
	if value != "" {
		field += " = " + strconv.Quote(fact.Cut(value))
	}
	return field + ": " + rule
}

// valueOf is the offending value as text, empty where it would not help.
func valueOf(violation *protovalidate.Violation) string {
	if !violation.FieldValue.IsValid() || violation.Proto.GetRuleId() == "required" {
		return ""
	}
	switch violation.FieldValue.Interface().(type) {
	case string, bool, int32, int64, uint32, uint64, float32, float64:
		return violation.FieldValue.String()
	}
	return ""
}
