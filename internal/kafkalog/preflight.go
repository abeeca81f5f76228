package kafkalog

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// Stage is how far a connection to a broker came.
type Stage string

// The stages of a connection, in order.
const (
	StageConnect      Stage = "connect"
	StageTLS          Stage = "TLS handshake"
	StageAuthenticate Stage = "SASL authentication"
	StageMetadata     Stage = "metadata request"
)

// PreflightError says at which stage a connection to a broker failed, and why.
type PreflightError struct {
	Broker string
	Stage  Stage
	Err    error
}

func (e *PreflightError) Error() string {
	text := fmt.Sprintf("broker %s: %s: %v", e.Broker, e.Stage, e.Err)
	if errors.Is(e.Err, io.EOF) || errors.Is(e.Err, io.ErrUnexpectedEOF) {
		text += " (the broker closed the connection: does its listener expect TLS, SASL, or neither?)"
	}
	return text
}

func (e *PreflightError) Unwrap() error { return e.Err }

// Preflight connects to the brokers one by one until one answers, and returns
// nil then; otherwise a *PreflightError for each of them, joined. The causes
// are exact (a wrong password, an unknown authority), where a round trip would
// only say that the connection was closed.
func (c *Client) Preflight(ctx context.Context) error {
	var problems []error
	for _, broker := range c.config.Brokers {
		stage, err := c.tryBroker(ctx, broker)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			err = errors.Join(ctx.Err(), err)
		}
		problems = append(problems, &PreflightError{Broker: broker, Stage: stage, Err: err})
	}
	return errors.Join(problems...)
}

func (c *Client) tryBroker(ctx context.Context, broker string) (Stage, error) {
	ctx, cancel := context.WithTimeout(ctx, c.config.DialTimeout)
	defer cancel()
	connection, err := c.config.dial(ctx, "tcp", broker)
	if err != nil {
		return StageConnect, err
	}
	defer func() { _ = connection.Close() }()
	stopClosing := context.AfterFunc(ctx, func() { _ = connection.Close() })
	defer stopClosing()

	established := connection
	if c.config.TLS != nil {
		secured := tls.Client(connection, serverName(c.config.TLS, broker))
		if err := secured.HandshakeContext(ctx); err != nil {
			return StageTLS, err
		}
		established = secured
	}

	dialer := *c.dialer // for what remains: SASL, on the connection that stands
	dialer.TLS = nil
	dialer.DialFunc = func(context.Context, string, string) (net.Conn, error) { return established, nil }
	conn, err := dialer.DialContext(ctx, "tcp", broker)
	if err != nil {
		return StageAuthenticate, err
	}
	if err := conn.SetDeadline(time.Now().Add(c.config.DialTimeout)); err != nil {
		return StageMetadata, err
	}
	if _, err := conn.Brokers(); err != nil {
		return StageMetadata, err
	}
	return StageMetadata, nil
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
