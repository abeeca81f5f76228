package api_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/api"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/api/apitest"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1/testcoordinationv1connect"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// world is the API over HTTP, with clients of its services.
type world struct {
	*apitest.World
	db    *testenv.DB
	store *pgstore.Store
	url   string

	scenarios  testcoordinationv1connect.ScenarioServiceClient
	executions testcoordinationv1connect.ExecutionServiceClient
	operations testcoordinationv1connect.OperationsServiceClient
	schedules  testcoordinationv1connect.ScheduleServiceClient
	reports    testcoordinationv1connect.ReportServiceClient

	requests atomic.Int64
}

// newWorld serves the API until the test ends.
func newWorld(t testing.TB, change ...func(*api.Parts)) *world {
	t.Helper()
	served := apitest.Serve(t, change...)
	w := &world{World: served, db: served.DB, store: served.Store, url: served.URL}
	w.scenarios = testcoordinationv1connect.NewScenarioServiceClient(served.Client, w.url, connect.WithProtoJSON())
	w.operations = testcoordinationv1connect.NewOperationsServiceClient(served.Client, w.url, connect.WithProtoJSON())
	w.executions = testcoordinationv1connect.NewExecutionServiceClient(served.Client, w.url, connect.WithProtoJSON())
	w.schedules = testcoordinationv1connect.NewScheduleServiceClient(served.Client, w.url, connect.WithProtoJSON())
	w.reports = testcoordinationv1connect.NewReportServiceClient(served.Client, w.url, connect.WithProtoJSON())
	return w
}

// say accepts what a coordinator says.
func (w *world) say(m proto.Message, change ...func(*event.Outgoing)) {
	w.Helper()
	w.Say(m, change...)
}

// request is a new request id.
func (w *world) request() string { return fmt.Sprintf("request-%d", w.requests.Add(1)) }

// call calls a procedure that must succeed.
func call[R, A any](w *world, procedure func(ctx context.Context, r *connect.Request[R]) (*connect.Response[A], error), m *R) *A {
	w.Helper()
	answer, err := procedure(w.Context(), connect.NewRequest(m))
	if err != nil {
		w.Fatalf("%T: %v", m, err)
	}
	return answer.Msg
}

// refused calls a procedure that must fail, with this code and reason; where
// fields are given, each is to blame.
func refused[R, A any](w *world, procedure func(ctx context.Context, r *connect.Request[R]) (*connect.Response[A], error), m *R, code connect.Code, reason string, fields ...string) {
	w.Helper()
	_, err := procedure(w.Context(), connect.NewRequest(m))
	w.refusal(fmt.Sprintf("%T", m), err, code, reason, fields...)
}

// refusal holds the error of a request to what refused tells.
func (w *world) refusal(of string, err error, code connect.Code, reason string, fields ...string) {
	w.Helper()
	var told *connect.Error
	if !errors.As(err, &told) {
		w.Fatalf("%s: error %v, want one of Connect", of, err)
	}
	if told.Code() != code {
		w.Errorf("%s: code %s, want %s: %v", of, told.Code(), code, err)
	}
	info, blamed := &errdetails.ErrorInfo{}, map[string]string{}
	for _, d := range told.Details() {
		v, err := d.Value()
		if err != nil {
			w.Fatal(err)
		}
		switch v := v.(type) {
		case *errdetails.ErrorInfo:
			proto.Merge(info, v)
		case *errdetails.BadRequest:
			for _, f := range v.GetFieldViolations() {
				blamed[f.GetField()] = f.GetDescription()
			}
		}
	}
	if info.GetReason() != reason || info.GetDomain() != "tcda" {
		w.Errorf("%s: reason %q of %q, want %q: %v", of, info.GetReason(), info.GetDomain(), reason, err)
	}
	for _, f := range fields {
		if blamed[f] == "" {
			w.Errorf("%s: blamed are %v, want %q", of, blamed, f)
		}
	}
	if text := err.Error(); strings.Contains(text, "SQLSTATE") || strings.Contains(text, "test_coordination.") {
		w.Errorf("%s: the error speaks of the database: %v", of, err)
	}
}
