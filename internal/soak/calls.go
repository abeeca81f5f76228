package soak

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"

	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1/testcoordinationv1connect"
)

// call is a request to the API, and what came of it.
type call struct {
	id      string
	message proto.Message
	send    func(context.Context, *api) (proto.Message, error)

	sent, answered time.Time // first

	answer   proto.Message
	refusal  string
	doubtful bool // of a try nobody knows what became
}

// procedures are those that callers call.
var procedures = []string{"PublishScenario", "RequestExecution", "CancelExecution", "PinExecution", "AnnotateExecution"}

// procedure is the name of the one that the request is for.
func (x *call) procedure() string {
	return strings.TrimSuffix(string(x.message.ProtoReflect().Descriptor().Name()), "Request")
}

// asking is a request for one of the procedures.
func asking[R, A any, PR interface {
	*R
	proto.Message
}, PA interface {
	*A
	proto.Message
}, C any](id string, message PR, service func(*api) C, procedure func(C, context.Context, *connect.Request[R]) (*connect.Response[A], error)) *call {
	return &call{id: id, message: message, send: func(ctx context.Context, to *api) (proto.Message, error) {
		answer, err := procedure(service(to), ctx, connect.NewRequest((*R)(message)))
		if err != nil {
			return nil, err
		}
		return PA(answer.Msg), nil
	}}
}

func scenarioService(to *api) testcoordinationv1connect.ScenarioServiceClient { return to.scenarios }

func executionService(to *api) testcoordinationv1connect.ExecutionServiceClient { return to.executions }

// settle sends a request, to one worker after the other, until it is answered. It
// gives up only when no fault has begun for long.
func (c *caller) settle(ctx context.Context, x *call, first int) {
	var calm time.Time // since when no more faults begin
	if x.sent.IsZero() {
		x.sent = time.Now()
	}
	for n := first; ; n++ {
		answer, err := c.try(ctx, x, c.apis[n%len(c.apis)])
		if err == nil {
			x.answer, x.answered = answer, time.Now()
			return
		}
		refusal, doubt := c.judge(x, err)
		if refusal != "" {
			x.refusal = refusal
			return
		}
		x.doubtful = x.doubtful || doubt
		c.count(&c.sums.InVain)
		switch {
		case c.load.more():
		case calm.IsZero():
			calm = time.Now()
		case time.Since(calm) > callGrace:
			c.problem(fmt.Sprintf("request %s is not answered for %v, though no more faults begin: %v", x.id, callGrace, err))
			return
		}
		if !wait(ctx, between(c.random, callAgain/2, callAgain)) {
			return
		}
	}
}

func (c *caller) try(ctx context.Context, x *call, to *api) (proto.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	return x.send(ctx, to)
}

// sendTwice sends a request to both workers at once, as a caller does who has lost
// patience. Both must get the same answer.
func (c *caller) sendTwice(ctx context.Context, x *call) {
	x.sent = time.Now()
	one, other := *x, *x
	var both sync.WaitGroup
	for i, copied := range []*call{&one, &other} {
		// Each with a chance of its own: they go at the same time.
		who := &caller{callers: c.callers, random: newRandom(c.random.Uint64())}
		both.Go(func() { who.settle(ctx, copied, i) })
	}
	both.Wait()
	if one.answer != nil && other.answer != nil && !sameBytes(one.answer, other.answer) {
		c.problem(fmt.Sprintf("request %s is answered with %v and with %v", x.id, one.answer, other.answer))
	}
	// Of one that was refused nothing is written; the other may have come later.
	*x = one
	switch {
	case one.answer == nil && (other.answer != nil || one.refusal == ""),
		one.answer != nil && other.answer != nil && other.answered.Before(one.answered):
		*x = other
	}
	x.doubtful = one.doubtful || other.doubtful
}

// judge tells why a try came to nothing: because the service has refused it, or
// for another reason, after which it is sent again. Doubt says that it may have
// been carried out nevertheless: only who was not reached, and who says that
// nothing was written, has surely not.
func (c *caller) judge(x *call, err error) (refusal string, doubt bool) {
	var failed *connect.Error
	if !errors.As(err, &failed) {
		return "", true
	}
	reason := reasonOf(failed)
	switch failed.Code() {
	case connect.CodeInvalidArgument, connect.CodeNotFound, connect.CodeAlreadyExists, connect.CodeFailedPrecondition, connect.CodeAborted,
		connect.CodePermissionDenied, connect.CodeUnauthenticated, connect.CodeOutOfRange:
		switch reason {
		case "":
			c.problem(fmt.Sprintf("request %s is refused without a reason: %v", x.id, err))
			reason = failed.Code().String()
		case "request_id_conflict": // no id is used for two intentions, and none is so old
			c.problem(fmt.Sprintf("request %s is taken for another: %v", x.id, err))
		}
		return reason, false
	case connect.CodeInternal, connect.CodeUnimplemented, connect.CodeDataLoss:
		if reason != "" {
			c.problem(fmt.Sprintf("request %s makes the service fail: %v", x.id, err))
		}
	case connect.CodeUnavailable:
		if reason == "database_unavailable" || reason == "not_at_work" {
			return "", false
		}
	case connect.CodeCanceled, connect.CodeUnknown, connect.CodeDeadlineExceeded, connect.CodeResourceExhausted:
	}
	return "", !errors.Is(err, syscall.ECONNREFUSED)
}

// reasonOf is the word for programs that the service gives with an error; empty
// where the error is not its.
func reasonOf(failed *connect.Error) string {
	for _, detail := range failed.Details() {
		if value, err := detail.Value(); err == nil {
			if info, ok := value.(*errdetails.ErrorInfo); ok {
				return info.GetReason()
			}
		}
	}
	return ""
}

// Contents of scenarios that callers publish: some are new, most are not.
const contents = 7

// next makes the next request.
func (c *caller) next(id string) *call {
	const ofStorms = 40 // scenarios that storms tell of, too
	scenario := fmt.Sprint("api-scenario-", c.random.IntN(6))
	switch chance := c.random.IntN(100); {
	case chance < 12 || c.begun == 1:
		if c.random.IntN(5) == 0 {
			scenario = fmt.Sprint("scenario-", c.random.IntN(ofStorms))
		}
		m := &contract.ScenarioPublished{
			ScenarioId: scenario, Definition: fmt.Sprintf("steps: some, by a caller, version %d\n", c.random.IntN(contents)), ScenarioType: "combined",
			Author: fmt.Sprint("caller-", c.number), ChangeNote: "again", Tags: []string{"soak"},
		}
		if c.random.IntN(10) == 0 {
			m.Definition = fmt.Sprintf("steps: new with %s\n", id)
		}
		return asking(id, &contract.PublishScenarioRequest{RequestId: id, Scenario: m}, scenarioService, testcoordinationv1connect.ScenarioServiceClient.PublishScenario)
	case chance < 40:
		if c.random.IntN(10) == 0 {
			scenario = fmt.Sprint("scenario-", c.random.IntN(ofStorms))
		}
		m := &contract.ExecutionRequested{
			ExecutionId: c.execution(), ScenarioId: scenario, Environment: "soak", Labels: map[string]string{"caller": strconv.Itoa(c.number)},
			Trigger: &contract.Trigger{Type: "api", Actor: fmt.Sprint("caller-", c.number)}, Attempt: new(int32(1 + c.random.IntN(3))),
		}
		return asking(id, &contract.RequestExecutionRequest{RequestId: id, Execution: m}, executionService, testcoordinationv1connect.ExecutionServiceClient.RequestExecution)
	case chance < 60:
		of := c.target()
		return asking(id, &contract.CancelExecutionRequest{RequestId: id, ExecutionId: of.id, Run: of.number, Reason: "enough"}, executionService, testcoordinationv1connect.ExecutionServiceClient.CancelExecution)
	case chance < 80:
		of := c.target()
		return asking(id, &contract.PinExecutionRequest{RequestId: id, ExecutionId: of.id, Run: of.number, Pinned: c.random.IntN(2) == 0, Reason: "kept as a proof"}, executionService, testcoordinationv1connect.ExecutionServiceClient.PinExecution)
	default:
		of := c.target()
		return asking(id, &contract.AnnotateExecutionRequest{RequestId: id, ExecutionId: of.id, Run: of.number, Text: "seen by " + id}, executionService, testcoordinationv1connect.ExecutionServiceClient.AnnotateExecution)
	}
}

// execution is an id that runs are asked for with; they are used again.
func (c *caller) execution() string { return fmt.Sprint("api-run-", c.random.IntN(120)) }

// target is a run to say something of: one that callers have asked for, one that
// they were told of and that followed others, or one of the storms, of which it is
// not known whether the service has heard.
func (c *caller) target() run {
	of := run{id: c.execution()}
	if chance := c.random.IntN(100); chance < 30 && len(c.seen) > 0 {
		of = c.seen[c.random.IntN(len(c.seen))]
	} else if chance < 60 {
		if id := c.load.ledger.recent(c.random); id != "" {
			of.id = id
		}
	} else if later, ok := c.laterRun(); ok && chance < 80 {
		of = later
	}
	if c.random.IntN(2) == 0 {
		of.number = 0 // the latest, whichever that is
	} else if of.number == 0 {
		of.number = 1
	}
	return of
}

// look asks which runs there are, of one worker; it may not answer.
func (c *caller) look(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	answer, err := c.apis[c.random.IntN(len(c.apis))].executions.ListExecutions(ctx, connect.NewRequest(&contract.ListExecutionsRequest{PageSize: 100}))
	if err != nil {
		return
	}
	c.seen = c.seen[:0]
	for _, x := range answer.Msg.GetExecutions() {
		c.seen = append(c.seen, run{x.GetExecutionId(), x.GetRun()})
	}
}
