package access

import (
	"context"
	"errors"

	"connectrpc.com/connect"
)

// Interceptor belongs to every handler of the API. It lets pass what API has
// let pass, and gives a stream that was ended because its caller may no longer
// have it the error that says so. It belongs before all interceptors that look at
// what is asked for.
func (g *Guard) Interceptor() connect.Interceptor { return interceptor{g} }

type interceptor struct{ guard *Guard }

// WrapUnary refuses a call that no guard has judged.
func (i interceptor) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, request connect.AnyRequest) (connect.AnyResponse, error) {
		if refused := i.guard.judged(ctx, request.Spec()); refused != nil {
			return nil, refused.wire()
		}
		return next(ctx, request)
	}
}

// WrapStreamingClient changes nothing: the guard is a server's.
func (interceptor) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler does the same for streams, at their beginning and end.
func (i interceptor) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		if refused := i.guard.judged(ctx, conn.Spec()); refused != nil {
			return refused.wire()
		}
		err := next(ctx, conn)
		var refused *refusal
		if ctx.Err() != nil && errors.As(context.Cause(ctx), &refused) {
			return refused.wire()
		}
		return err
	}
}

// judged is nil for a call of this very procedure that API has let pass.
func (g *Guard) judged(ctx context.Context, spec connect.Spec) *refusal {
	if spec.IsClient || openProcedures[spec.Procedure] {
		return nil
	}
	caller, guarded := CallerFrom(ctx)
	p, known := g.procedures[spec.Procedure]
	if !guarded || !known {
		return denied(ReasonNotGuarded, "the server does not guard "+spec.Procedure+" and lets nobody call it: report this as a fault", nil)
	}
	return p.admit(caller)
}
