package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/rs/zerolog"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/accept"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/api"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/command"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/event"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/execution"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1/testcoordinationv1connect"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/pgstore"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/scenario"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/verify"
)

// world is the API over HTTP, with servers of its own.
type world struct {
	testing.TB
	db    *testenv.DB
	store *pgstore.Store
	url   string

	scenarios  testcoordinationv1connect.ScenarioServiceClient
	executions testcoordinationv1connect.ExecutionServiceClient
	operations testcoordinationv1connect.OperationsServiceClient
	schedules  testcoordinationv1connect.ScheduleServiceClient

	decoder        *event.Decoder
	requests, said atomic.Int64

	claim sync.Once
	from  pgstore.Partition // where what is said comes from
}

// newWorld serves the API until the test ends. Everything that it has stored can
// then be folded again.
func newWorld(t testing.TB, change ...func(*api.Parts)) *world {
	t.Helper()
	w := &world{TB: t, db: testenv.Postgres(t)}
	store, err := pgstore.Open(t.Context(), pgstore.Config{URL: w.db.URL, MaxConns: 8, StatementTimeout: 20 * time.Second, LockTimeout: 10 * time.Second, IdleTimeout: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	w.store = store
	decoder, err := event.NewDecoder(event.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	w.decoder = decoder
	parts := api.Parts{
		Store: store, Limits: scenario.DefaultLimits(), Log: zerolog.New(zerolog.NewTestWriter(t)),
		Commands: command.New(command.Parts{Store: store, Decoder: decoder, Limits: scenario.DefaultLimits(), Source: "/tcda/test"}),
	}
	for _, c := range change {
		c(&parts)
	}
	handler, err := api.NewHandler(parts)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	w.url = server.URL
	w.scenarios = testcoordinationv1connect.NewScenarioServiceClient(server.Client(), w.url, connect.WithProtoJSON())
	w.operations = testcoordinationv1connect.NewOperationsServiceClient(server.Client(), w.url, connect.WithProtoJSON())
	w.executions = testcoordinationv1connect.NewExecutionServiceClient(server.Client(), w.url, connect.WithProtoJSON())
	w.schedules = testcoordinationv1connect.NewScheduleServiceClient(server.Client(), w.url, connect.WithProtoJSON())
	t.Cleanup(w.refoldable)
	return w
}

// refoldable holds what is stored against what its events fold to.
func (w *world) refoldable() {
	w.Helper()
	report, err := verify.Run(context.WithoutCancel(w.Context()), w.store, nil, verify.Options{})
	if err != nil {
		w.Errorf("verify: %v", err)
	}
	for _, d := range report.Differences {
		w.Errorf("verification: %s", d)
	}
}

// say accepts what a coordinator says, as ingest does with what comes from
// Kafka.
func (w *world) say(m proto.Message, change ...func(*event.Outgoing)) {
	w.Helper()
	n := w.said.Add(1)
	o := event.Outgoing{Source: "/coordinator/a", ID: fmt.Sprintf("event-%d", n), Time: time.Now().UTC(), Message: m}
	for _, c := range change {
		c(&o)
	}
	record, err := event.Encode(o, event.Binary, event.JSON)
	if err != nil {
		w.Fatal(err)
	}
	decoded, rejection := w.decoder.Decode(record, time.Now())
	if rejection != nil {
		w.Fatal(rejection)
	}
	w.claim.Do(func() {
		w.from, err = w.store.Claim(w.Context(), pgstore.ClaimRequest{Topic: "test-coordination.executions", Owner: "test", Now: time.Now()})
	})
	if err != nil {
		w.Fatal(err)
	}
	err = w.store.Batch(w.Context(), time.Now(), func(tx *pgstore.Tx) error {
		if err := tx.Count(w.Context(), w.from, 1, 0, 0); err != nil {
			return err
		}
		if e := decoded.Execution; e != nil {
			known, err := tx.LockExecutions(w.Context(), []string{e.Subject}, nil)
			if err != nil {
				return err
			}
			f := accept.NewFold("/tcda/test", tx.Now(), known, 1)
			if err := f.Load(w.Context(), tx, []*execution.Event{e}); err != nil {
				return err
			}
			f.Apply(e, n)
			return tx.SaveExecutions(w.Context(), w.from, f.Rows(), f.Changed())
		}
		if err := tx.LockDefinitions(w.Context()); err != nil {
			return err
		}
		d, err := tx.LoadDefinitions(w.Context(), []*scenario.Event{decoded.Scenario})
		if err != nil {
			return err
		}
		if rejection, err := accept.Definition(w.Context(), d, decoded.Scenario, scenario.DefaultLimits()); rejection != nil || err != nil {
			return errors.Join(rejection, err)
		}
		return tx.SaveDefinitions(w.Context(), w.from, []pgstore.AcceptedDefinition{{Event: decoded.Scenario, Offset: n}}, d)
	})
	if err != nil {
		w.Fatal(err)
	}
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
	var told *connect.Error
	if !errors.As(err, &told) {
		w.Fatalf("%T: error %v, want one of Connect", m, err)
	}
	if told.Code() != code {
		w.Errorf("%T: code %s, want %s: %v", m, told.Code(), code, err)
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
		w.Errorf("%T: reason %q of %q, want %q: %v", m, info.GetReason(), info.GetDomain(), reason, err)
	}
	for _, f := range fields {
		if blamed[f] == "" {
			w.Errorf("%T: blamed are %v, want %q", m, blamed, f)
		}
	}
	if text := err.Error(); strings.Contains(text, "SQLSTATE") || strings.Contains(text, "test_coordination.") {
		w.Errorf("%T: the error speaks of the database: %v", m, err)
	}
}
