package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"buf.build/go/protovalidate"
	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	"connectrpc.com/grpcreflect"
	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/command"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1/testcoordinationv1connect"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/locking"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/redisstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/watch"
)

// Parts are what the API works with.
type Parts struct {
	Store    *pgstore.Store
	Redis    *redisstore.Store // nil: without Redis
	Commands *command.Commands
	Limits   scenario.Limits // of definitions
	Now      func() time.Time
	Log      zerolog.Logger

	// AtWork says what the service still waits for, or that it stops; nil while it
	// is at work.
	AtWork func() error

	Deadline     time.Duration // of a call that is no stream; 0: 30 s
	RequestBytes int           // most bytes of a request; 0: 2 MiB
	AnswerBytes  int           // most bytes of an answer; 0: 32 MiB

	Stopping <-chan struct{} // closed when the server stops: streams end then; nil: never

	// Interceptors come first: who calls, and whether he may.
	Interceptors []connect.Interceptor
}

// service is one service of the API: its name, its path and its handler.
type service struct {
	name    string
	path    string
	handler http.Handler
}

// NewHandler serves the API: every service of schema/proto, gRPC reflection and
// health, the OpenAPI document, and reports for browsers. Protocols and limits of the connection are
// the server's that it is mounted in; streams lift its deadlines for themselves.
func NewHandler(p Parts) (http.Handler, error) {
	if p.Now == nil {
		p.Now = time.Now
	}
	validator, err := protovalidate.New()
	if err != nil {
		return nil, fmt.Errorf("compile the rules of the API: %w", err)
	}
	interceptors := append([]connect.Interceptor{&failures{log: p.Log}, &deadlines{limit: orDefault(p.Deadline, 30*time.Second)}}, p.Interceptors...)
	if p.AtWork != nil {
		interceptors = append(interceptors, &opening{atWork: p.AtWork})
	}
	interceptors = append(interceptors, &validation{validator: validator})
	options := connect.WithHandlerOptions(
		exactly(),
		connect.WithInterceptors(interceptors...),
		connect.WithReadMaxBytes(orDefault(p.RequestBytes, 2<<20)),
		connect.WithSendMaxBytes(orDefault(p.AnswerBytes, 32<<20)),
		connect.WithRecover(func(ctx context.Context, spec connect.Spec, _ http.Header, panicked any) error {
			return fmt.Errorf("%s panicked: %v", spec.Procedure, panicked)
		}),
	)
	mux := http.NewServeMux()
	var names []string
	made := newReports(p)
	for _, s := range p.services(made, options) {
		mux.Handle(s.path, s.handler)
		names = append(names, s.name)
	}
	mux.Handle(grpchealth.NewHandler(grpchealth.NewStaticChecker(names...), options))
	reflector := grpcreflect.NewStaticReflector(names...)
	mux.Handle(grpcreflect.NewHandlerV1(reflector, options))
	mux.Handle(grpcreflect.NewHandlerV1Alpha(reflector, options))
	if err := mountOpenAPI(mux); err != nil {
		return nil, err
	}
	mountReports(mux, made)
	return reachable(mux), nil
}

func (p Parts) services(made *reports, options connect.HandlerOption) []service {
	named := func(name string) func(string, http.Handler) service {
		return func(path string, handler http.Handler) service { return service{name, path, handler} }
	}
	return []service{
		named(testcoordinationv1connect.ScenarioServiceName)(testcoordinationv1connect.NewScenarioServiceHandler(&scenarios{p}, options)),
		named(testcoordinationv1connect.ExecutionServiceName)(testcoordinationv1connect.NewExecutionServiceHandler(&executions{Parts: p, followed: watch.NewHub(p.Store, p.Redis, p.Log)}, options)),
		named(testcoordinationv1connect.OperationsServiceName)(testcoordinationv1connect.NewOperationsServiceHandler(&operations{p}, options)),
		named(testcoordinationv1connect.LockServiceName)(testcoordinationv1connect.NewLockServiceHandler(&locks{p, locking.New(p.Store, p.Redis, p.Log)}, options)),
		named(testcoordinationv1connect.EvidenceServiceName)(testcoordinationv1connect.NewEvidenceServiceHandler(&evidences{p}, options)),
		named(testcoordinationv1connect.AnalyticsServiceName)(testcoordinationv1connect.NewAnalyticsServiceHandler(&analytics{p}, options)),
		named(testcoordinationv1connect.ScheduleServiceName)(testcoordinationv1connect.NewScheduleServiceHandler(&schedules{p}, options)),
		named(testcoordinationv1connect.ReportServiceName)(testcoordinationv1connect.NewReportServiceHandler(made, options)),
	}
}

func orDefault[N int | time.Duration](n, otherwise N) N {
	if n == 0 {
		return otherwise
	}
	return n
}

// failures is the outermost interceptor: no error leaves without it.
type failures struct{ log zerolog.Logger }

// WrapUnary gives the errors of unary procedures their codes.
func (i *failures) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
		answer, err := next(ctx, r)
		if err != nil {
			return nil, i.told(r.Spec().Procedure, err)
		}
		return answer, nil
	}
}

// WrapStreamingClient leaves clients alone.
func (*failures) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler gives the errors of streams their codes.
func (i *failures) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		if err := next(ctx, conn); err != nil {
			return i.told(conn.Spec().Procedure, err)
		}
		return nil
	}
}

// told is what the caller is told of an error.
func (i *failures) told(procedure string, err error) error {
	var told *connect.Error
	if errors.As(err, &told) {
		return told
	}
	f, expected := failureOf(err)
	if !expected {
		i.log.Error().Err(err).Str("procedure", procedure).Msg("call failed")
	}
	return f.connectError()
}

// opening refuses calls before the service is at work: the schema may be another
// program's.
type opening struct{ atWork func() error }

func (i *opening) check() error {
	if err := i.atWork(); err != nil {
		return &failure{code: connect.CodeUnavailable, reason: "not_at_work", message: "the service is not at work: " + err.Error()}
	}
	return nil
}

// WrapUnary refuses a unary procedure.
func (i *opening) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
		if err := i.check(); err != nil {
			return nil, err
		}
		return next(ctx, r)
	}
}

// WrapStreamingClient leaves clients alone.
func (*opening) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler refuses a stream.
func (i *opening) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return func(ctx context.Context, conn connect.StreamingHandlerConn) error {
		if err := i.check(); err != nil {
			return err
		}
		return next(ctx, conn)
	}
}

// deadlines bounds every call that is no stream, whatever the caller wants.
type deadlines struct{ limit time.Duration }

// WrapUnary bounds a unary procedure.
func (i *deadlines) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
		ctx, cancel := context.WithTimeout(ctx, i.limit)
		defer cancel()
		return next(ctx, r)
	}
}

// WrapStreamingClient leaves clients alone.
func (*deadlines) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return next
}

// WrapStreamingHandler leaves streams alone: they last as long as both want.
func (*deadlines) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}
