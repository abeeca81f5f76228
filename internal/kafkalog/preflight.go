package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Stage is how far a connection to a broker came.
type Stage string

// The stages of a connection, in order.
const (
	StageConnect      Stage = "connect"
	StageTLS          Stage = "TLS handshake"
	StageProtocol     Stage = "first request"
	StageAuthenticate Stage = "SASL authentication"
	StageMetadata     Stage = "metadata request"
	StageAccess       Stage = "access"
)

// Cause is why a connection, or what it is for, failed.
type Cause string

// The causes that are told apart.
const (
	CauseUnknown           Cause = "failed"
	CauseUnreachable       Cause = "unreachable"
	CauseNotTLS            Cause = "the listener does not speak TLS"
	CauseExpectsTLS        Cause = "the listener expects TLS"
	CauseUntrusted         Cause = "the broker's certificate is of an authority that is not trusted"
	CauseExpired           Cause = "the broker's certificate has expired, or is not valid yet"
	CauseHostName          Cause = "the broker's certificate is for another host"
	CauseNoCertificate     Cause = "the listener expects a client certificate"
	CauseCertificate       Cause = "the broker does not accept the client certificate"
	CauseExpectsSASL       Cause = "the listener expects SASL"
	CauseNotSASL           Cause = "the listener does not do SASL"
	CauseMechanism         Cause = "the listener does not offer the SASL mechanism"
	CauseUserOrPassword    Cause = "unknown user or wrong password" // PLAIN: brokers do not say which
	CauseUnknownUser       Cause = "unknown user"
	CausePassword          Cause = "wrong password"
	CauseTopicMissing      Cause = "the topic does not exist"
	CauseTopicUnauthorised Cause = "not authorised for the topic"
	CauseGroupUnauthorised Cause = "not authorised for the consumer group"
)

// PreflightError says at which stage something failed that must work, why, and
// what can be done about it.
type PreflightError struct {
	Broker string // address; empty when it is not about one of them
	Stage  Stage
	Cause  Cause
	Err    error  // what was seen; never nil
	Advice string // what to do; may be empty
}

func (e *PreflightError) Error() string {
	text := fmt.Sprintf("%s: %s: %v", e.Stage, e.Cause, e.Err)
	if e.Broker != "" {
		text = fmt.Sprintf("broker %s: %s", e.Broker, text)
	}
	if e.Advice != "" {
		text += " (" + e.Advice + ")"
	}
	return text
}

func (e *PreflightError) Unwrap() error { return e.Err }

// Preflight connects to the brokers one by one until one answers, and returns
// nil then; otherwise a *PreflightError for each of them, joined. The causes
// are exact (a wrong password, an unknown authority), where a round trip would
// only say that the connection was closed. Where a broker only closes, a second
// connection finds out what it expects.
func (c *Client) Preflight(ctx context.Context) error {
	var problems []error
	for _, broker := range c.config.Brokers {
		problem := c.tryBroker(ctx, broker)
		if problem == nil {
			return nil
		}
		if ctx.Err() != nil {
			problem.Err = errors.Join(ctx.Err(), problem.Err)
		}
		problem.Broker = broker
		problems = append(problems, problem)
	}
	return errors.Join(problems...)
}

// CheckAccess asks whether the configured topics exist, and whether we may read
// them as a member of the group. It returns a *PreflightError for each that is
// missing or not allowed, joined, or the error of a round trip.
func (c *Client) CheckAccess(ctx context.Context, group string) error {
	problems := make([]error, 0, len(c.config.Topics)+1)
	for _, topic := range c.config.Topics {
		problems = append(problems, c.checkTopic(ctx, topic))
	}
	return errors.Join(append(problems, c.checkGroup(ctx, group))...)
}

func (c *Client) checkTopic(ctx context.Context, name string) error {
	asked := kmsg.NewMetadataRequestTopic()
	asked.Topic = &name
	request := kmsg.NewPtrMetadataRequest()
	request.Topics = append(request.Topics, asked)
	request.IncludeTopicAuthorizedOperations = true
	answer, err := c.exchange(ctx, request, toAnyBroker, c.config.RequestTimeout)
	if err != nil {
		return fmt.Errorf("ask for access to topic %s: %w", name, err)
	}
	defer answer.release()
	failed := func(cause Cause, err error, advice string) error {
		return &PreflightError{Stage: StageAccess, Cause: cause, Err: fmt.Errorf("topic %s: %w", name, err), Advice: advice}
	}
	for _, t := range answer.response.(*kmsg.MetadataResponse).Topics {
		switch err := failure(t.ErrorCode); {
		case errors.Is(err, ErrUnknownTopic):
			return failed(CauseTopicMissing, err, "is its name right?")
		case errors.Is(err, kafka.TopicAuthorizationFailed):
			return failed(CauseTopicUnauthorised, err, c.grant("READ and DESCRIBE", "topic", name))
		case err == nil && !mayRead(t.AuthorizedOperations):
			return failed(CauseTopicUnauthorised, errors.New("READ is not granted"), c.grant("READ", "topic", name))
		}
	}
	return nil // another error passes, or the reader will meet it
}

// mayRead looks for READ in the set of operations that a broker allows. Brokers
// before Kafka 2.3 tell none.
func mayRead(operations int32) bool {
	return operations == math.MinInt32 || operations&(1<<kmsg.ACLOperationRead) != 0
}

// checkGroup asks for the group's coordinator, for which DESCRIBE is enough, and
// sends a heartbeat of nobody, for which it takes READ: a broker looks at what we
// may do before it says that it knows no such member.
func (c *Client) checkGroup(ctx context.Context, group string) error {
	find := kmsg.NewPtrFindCoordinatorRequest()
	find.CoordinatorKey = group
	code, coordinator, err := c.askGroup(ctx, find, toAnyBroker)
	if err == nil && code == nil {
		beat := kmsg.NewPtrHeartbeatRequest()
		beat.Group, beat.Generation, beat.MemberID = group, -1, "nobody"
		code, _, err = c.askGroup(ctx, beat, toBroker(coordinator))
	}
	switch {
	case err != nil:
		return fmt.Errorf("ask for access to consumer group %s: %w", group, err)
	case errors.Is(code, kafka.GroupAuthorizationFailed):
		return &PreflightError{
			Stage: StageAccess, Cause: CauseGroupUnauthorised, Err: fmt.Errorf("consumer group %s: %w", group, code),
			Advice: c.grant("READ", "consumer group", group),
		}
	default:
		return nil // whatever it is, joining will tell
	}
}

// askGroup is a round trip for checkGroup, which kafka-go cannot do: its
// Transport does not look at the error code of FindCoordinator, and its
// Heartbeat takes the throttle time for one.
func (c *Client) askGroup(ctx context.Context, request kmsg.Request, to route) (code error, coordinator int32, err error) {
	answer, err := c.exchange(ctx, request, to, c.config.RequestTimeout)
	if err != nil {
		return nil, 0, err
	}
	defer answer.release()
	switch response := answer.response.(type) {
	case *kmsg.FindCoordinatorResponse:
		return failure(response.ErrorCode), response.NodeID, nil
	case *kmsg.HeartbeatResponse:
		return failure(response.ErrorCode), 0, nil
	default:
		return nil, 0, fmt.Errorf("unexpected response %T", response)
	}
}

func (c *Client) grant(operations, kind, name string) string {
	who := "us"
	if c.config.SASL != nil {
		who = fmt.Sprintf("user %q", c.config.SASL.User)
	}
	return fmt.Sprintf("grant %s %s on %s %s", who, operations, kind, name)
}
