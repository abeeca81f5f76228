package kafkalog

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// tryBroker goes the whole way of a connection, as kafka-go does, but keeps what
// it sees on the way.
func (c *Client) tryBroker(ctx context.Context, broker string) *PreflightError {
	bounded, cancel := context.WithTimeout(ctx, c.config.DialTimeout)
	defer cancel()
	plain, err := c.probe(bounded, broker)
	if err != nil {
		return &PreflightError{Stage: StageConnect, Cause: CauseUnreachable, Err: err, Advice: "check address and port, whether the broker runs, and what lies between"}
	}
	defer plain.close()

	conn := io.ReadWriter(plain.conn)
	certificates := new(clientCertificates)
	if c.config.TLS != nil {
		secured := tls.Client(plain.conn, certificates.watch(serverName(c.config.TLS, broker)))
		if err := secured.HandshakeContext(bounded); err != nil {
			return c.explainTLS(ctx, broker, certificates, err)
		}
		conn = secured
	}
	if _, err := c.ask(conn, kmsg.NewPtrApiVersionsRequest()); err != nil {
		if c.config.TLS != nil { // in TLS 1.3 a refused client learns of it with its first read only
			return c.explainTLS(ctx, broker, certificates, err)
		}
		problem := &PreflightError{Stage: StageProtocol, Cause: CauseUnknown, Err: err, Advice: "is that a listener of Kafka?"}
		if c.speaksTLS(ctx, broker) {
			problem.Cause, problem.Advice = CauseExpectsTLS, "turn TLS on, or use a listener without it"
		}
		return problem
	}
	if c.config.SASL != nil {
		if problem := c.authenticate(bounded, conn); problem != nil {
			return problem
		}
	}
	brokers := kmsg.NewPtrMetadataRequest()
	brokers.Topics = []kmsg.MetadataRequestTopic{} // none; nil would be all
	brokers.SetVersion(1)
	if _, err := c.ask(conn, brokers); err != nil {
		problem := &PreflightError{Stage: StageMetadata, Cause: CauseUnknown, Err: err}
		if c.config.SASL == nil {
			c.explainClosed(ctx, broker, problem)
		}
		return problem
	}
	return nil
}

// probing is a connection that ends with its context.
type probing struct {
	conn net.Conn
	stop func() bool
}

func (p *probing) close() {
	p.stop()
	_ = p.conn.Close()
}

func (c *Client) probe(ctx context.Context, broker string) (*probing, error) {
	conn, err := c.config.dial(ctx, "tcp", broker)
	if err != nil {
		return nil, err
	}
	return &probing{conn, context.AfterFunc(ctx, func() { _ = conn.Close() })}, nil
}

// ask does one round trip. The response is not recycled: there are few of them.
func (c *Client) ask(conn io.ReadWriter, request kmsg.Request) (kmsg.Response, error) {
	m := &message{client: c, request: request}
	answer, err := m.roundTrip(conn, request)
	if err != nil {
		return nil, err
	}
	return answer.response, nil
}

// again lets a second connection find out what the first has met.
func (c *Client) again(ctx context.Context, broker string, find func(context.Context, net.Conn) bool) bool {
	ctx, cancel := context.WithTimeout(ctx, c.config.DialTimeout)
	defer cancel()
	p, err := c.probe(ctx, broker)
	if err != nil {
		return false
	}
	defer p.close()
	return find(ctx, p.conn)
}

// speaksTLS tells whether there is a TLS server, whoever it is and whomever it
// lets in.
func (c *Client) speaksTLS(ctx context.Context, broker string) bool {
	return c.again(ctx, broker, func(ctx context.Context, conn net.Conn) bool {
		met := false
		anybody := &tls.Config{
			InsecureSkipVerify:    true, //nolint:gosec // nothing is said to it
			VerifyPeerCertificate: func([][]byte, [][]*x509.Certificate) error { met = true; return nil },
		}
		err := tls.Client(conn, serverName(anybody, broker)).HandshakeContext(ctx)
		return met || err == nil || isAlert(err)
	})
}

// speaksPlaintext tells whether there is a Kafka without TLS.
func (c *Client) speaksPlaintext(ctx context.Context, broker string) bool {
	return c.again(ctx, broker, func(_ context.Context, conn net.Conn) bool {
		_, err := c.ask(conn, kmsg.NewPtrApiVersionsRequest())
		return err == nil
	})
}

// explainTLS names the cause of a handshake's failure.
func (c *Client) explainTLS(ctx context.Context, broker string, ours *clientCertificates, err error) *PreflightError {
	problem := &PreflightError{Stage: StageTLS, Cause: CauseUnknown, Err: err}
	var (
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &authority):
		problem.Cause, problem.Advice = CauseUntrusted, "give the certificate of the authority that has signed it"
	case errors.As(err, &host):
		problem.Cause, problem.Advice = CauseHostName, "use a name that is in the certificate, or give the broker one for this name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		problem.Cause, problem.Advice = CauseExpired, "the broker needs a new one, or a clock is wrong"
	case ours.asked && !ours.have:
		problem.Cause, problem.Advice = CauseNoCertificate, "give a certificate and its key"
	case ours.asked && !ours.sent:
		problem.Cause, problem.Advice = CauseCertificate, "it is not of an authority that the broker names"
	case ours.asked && (isAlert(err) || isClosed(err)):
		problem.Cause, problem.Advice = CauseCertificate, "does the broker trust its authority, and is it still valid?"
	case c.speaksPlaintext(ctx, broker):
		problem.Cause, problem.Advice = CauseNotTLS, "turn TLS off, or use a listener with it"
	}
	return problem
}

// isAlert tells whether the other side has said why it ends.
func isAlert(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "remote error"
}

func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || strings.Contains(err.Error(), "connection reset")
}

// clientCertificates notes whether the other side asks for a certificate, and
// what it gets.
type clientCertificates struct{ asked, have, sent bool }

func (n *clientCertificates) watch(config *tls.Config) *tls.Config {
	config = config.Clone()
	given, choose := config.Certificates, config.GetClientCertificate
	n.have = len(given) > 0 || choose != nil
	config.GetClientCertificate = func(request *tls.CertificateRequestInfo) (*tls.Certificate, error) {
		n.asked = true
		if choose != nil {
			n.sent = true
			return choose(request)
		}
		for i := range given { // as crypto/tls does without this function
			if request.SupportsCertificate(&given[i]) == nil {
				n.sent = true
				return &given[i], nil
			}
		}
		return new(tls.Certificate), nil
	}
	return config
}

// serverName completes a configuration without a name with the broker's.
func serverName(config *tls.Config, broker string) *tls.Config {
	if config.ServerName != "" {
		return config
	}
	host, _, err := net.SplitHostPort(broker)
	if err != nil {
		return config
	}
	config = config.Clone()
	config.ServerName = host
	return config
}

// authenticate says who we are.
func (c *Client) authenticate(ctx context.Context, conn io.ReadWriter) *PreflightError {
	ours := c.config.SASL
	problem := &PreflightError{Stage: StageAuthenticate, Cause: CauseUnknown}
	mechanism, err := ours.mechanism()
	var session sasl.StateMachine
	var say []byte
	if err == nil {
		session, say, err = mechanism.Start(ctx)
	}
	if err != nil {
		problem.Err = err
		return problem
	}
	offered, err := c.handshake(conn, string(ours.Mechanism))
	switch {
	case errors.Is(err, kafka.UnsupportedSASLMechanism):
		problem.Cause, problem.Err = CauseMechanism, fmt.Errorf("%s: %w", ours.Mechanism, err)
		problem.Advice = "it offers " + offered
		return problem
	case errors.Is(err, kafka.IllegalSASLState):
		problem.Cause, problem.Err, problem.Advice = CauseNotSASL, err, "give no user and password, or use a listener with SASL"
		return problem
	case err != nil:
		problem.Err = err
		return problem
	}
	for round := 1; ; round++ {
		request := kmsg.NewPtrSASLAuthenticateRequest()
		request.SASLAuthBytes = say
		answer, err := c.ask(conn, request)
		if err == nil {
			response := answer.(*kmsg.SASLAuthenticateResponse)
			if err = failure(response.ErrorCode); err != nil && response.ErrorMessage != nil {
				err = fmt.Errorf("%w: %s", err, *response.ErrorMessage)
			}
			if err == nil {
				var done bool
				if done, say, err = session.Next(ctx, response.SASLAuthBytes); err == nil && done {
					return nil
				}
			}
		}
		if err != nil {
			problem.Err = err
			problem.refuse(ours, round)
			return problem
		}
	}
}

// refuse names who was refused. With SCRAM the broker ends the exchange at the
// first message if it has no such user, and at the second, our proof, if the
// password is another.
func (e *PreflightError) refuse(who *SASL, round int) {
	if !isClosed(e.Err) && !errors.Is(e.Err, kafka.SASLAuthenticationFailed) {
		return
	}
	switch {
	case who.Mechanism == Plain:
		e.Cause, e.Advice = CauseUserOrPassword, fmt.Sprintf("check user %q and its password: brokers do not say which is wrong", who.User)
	case round == 1:
		e.Cause, e.Advice = CauseUnknownUser, fmt.Sprintf("there is no user %q, or it has no password for %s", who.User, who.Mechanism)
	default:
		e.Cause, e.Advice = CausePassword, fmt.Sprintf("check the password of user %q", who.User)
	}
}

// handshake asks for a mechanism and returns those that the broker names.
func (c *Client) handshake(conn io.ReadWriter, mechanism string) (offered string, err error) {
	request := kmsg.NewPtrSASLHandshakeRequest()
	request.Mechanism = mechanism
	request.SetVersion(1)
	answer, err := c.ask(conn, request)
	if err != nil {
		return "", err
	}
	response := answer.(*kmsg.SASLHandshakeResponse)
	slices.Sort(response.SupportedMechanisms)
	return strings.Join(response.SupportedMechanisms, ", "), failure(response.ErrorCode)
}

// explainClosed looks whether a broker that has closed the connection wants to
// know who we are.
func (c *Client) explainClosed(ctx context.Context, broker string, problem *PreflightError) {
	c.again(ctx, broker, func(ctx context.Context, plain net.Conn) bool {
		conn := io.ReadWriter(plain)
		if c.config.TLS != nil {
			secured := tls.Client(plain, serverName(c.config.TLS, broker))
			if secured.HandshakeContext(ctx) != nil {
				return false
			}
			conn = secured
		}
		offered, err := c.handshake(conn, "?")
		if !errors.Is(err, kafka.UnsupportedSASLMechanism) {
			return false
		}
		problem.Cause, problem.Advice = CauseExpectsSASL, "give user and password; it offers "+offered
		return true
	})
}
