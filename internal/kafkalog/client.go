// Package kafkalog reads Kafka: which partitions this process owns, and what
// lies in them from a position that the caller keeps. It knows nothing of the
// events in the records, and nothing of where positions are stored.
//
// It stands on kafka-go for connections, TLS, SASL, metadata and consumer
// groups, and goes below kafka-go's Reader, which rewinds a group's offset when
// a former owner commits late, delivers records of aborted transactions and
// their markers, hands out records after a rebalance, skips what retention has
// removed without a word, and stops for ever at a batch that compaction has
// emptied. Here a [Group] gives assignments only; a [PartitionReader] fetches
// over kafka-go's Transport from wherever it is told to, and everything that
// is not simply the next record is an error with a type or a visible advance
// of the position.
//
// Rules that are easily broken, and were paid for:
//   - The offset committed to Kafka is a gauge for lag tools, never a position.
//   - A handler of a [Group] returns when its context ends, and not before,
//     unless it wants the whole group to rebalance.
//   - From the end of that context until the handler returns there are no
//     heartbeats: finish within the session timeout.
//   - The records of a [Batch] lie in memory that Release gives back.
//   - Generation numbers restart when a group is deleted: they fence nothing.
package kafkalog

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// Config says how to reach a cluster. Zero values of the times and sizes stand
// for the defaults named beside them.
type Config struct {
	Brokers  []string // host:port, any of which leads to the others
	ClientID string
	TLS      *tls.Config // nil: no TLS
	SASL     *SASL       // nil: no authentication

	// Topics are those that will be read, and that Preflight asks for. Their leaders are
	// kept known; without any, those of all topics of the cluster are.
	Topics []string

	// Written are topics that are only written: their leaders are kept known, too, but
	// the service can do its work without them, so that Preflight does not ask for them.
	Written []string

	DialTimeout    time.Duration // connect, TLS and SASL together: 5 s
	RequestTimeout time.Duration // one round trip, beside the wait of a fetch: 10 s
	MetadataAge    time.Duration // after how long at most a moved leader is noticed, and how long metadata may take: 2 s

	// MaxResponseBytes is the largest response that is read into memory:
	// 100 MiB, as much as a broker accepts in one request by default.
	MaxResponseBytes int

	Logger zerolog.Logger // the zero value discards

	// Dial makes the connections; nil: a net.Dialer. Tests stand in the way there.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Mechanism is a way to authenticate.
type Mechanism string

// The mechanisms that are supported, by their names in Kafka.
const (
	Plain       Mechanism = "PLAIN"
	ScramSHA256 Mechanism = "SCRAM-SHA-256"
	ScramSHA512 Mechanism = "SCRAM-SHA-512"
)

// SASL is who we are to the brokers.
type SASL struct {
	Mechanism Mechanism
	User      string
	Password  string
}

func (s *SASL) mechanism() (sasl.Mechanism, error) {
	switch s.Mechanism {
	case Plain:
		return plain.Mechanism{Username: s.User, Password: s.Password}, nil
	case ScramSHA256:
		return scram.Mechanism(scram.SHA256, s.User, s.Password)
	case ScramSHA512:
		return scram.Mechanism(scram.SHA512, s.User, s.Password)
	default:
		return nil, fmt.Errorf("unknown SASL mechanism %q", s.Mechanism)
	}
}

// Client is a connection to a cluster, shared by everything that reads it.
// It is safe for concurrent use.
type Client struct {
	config    Config
	address   net.Addr
	dialer    *kafka.Dialer
	transport *kafka.Transport

	fetchVersions sync.Map // of brokers: int32 -> int16

	responses sync.Pool // *[]byte
	blocks    sync.Pool // *recordbatch.Block
}

// Open prepares a client. It does not connect: see [Client.Preflight].
func Open(config Config) (*Client, error) {
	if len(config.Brokers) == 0 {
		return nil, errors.New("open kafka client: no brokers given")
	}
	for _, broker := range config.Brokers {
		if _, _, err := net.SplitHostPort(broker); err != nil {
			return nil, fmt.Errorf("open kafka client: broker %q: %w", broker, err)
		}
	}
	config.DialTimeout = cmp.Or(config.DialTimeout, 5*time.Second)
	config.RequestTimeout = cmp.Or(config.RequestTimeout, 10*time.Second)
	config.MetadataAge = cmp.Or(config.MetadataAge, 2*time.Second)
	config.MaxResponseBytes = cmp.Or(config.MaxResponseBytes, 100<<20)
	if config.Dial == nil {
		config.Dial = (&net.Dialer{}).DialContext
	}

	var mechanism sasl.Mechanism
	if config.SASL != nil {
		var err error
		if mechanism, err = config.SASL.mechanism(); err != nil {
			return nil, fmt.Errorf("open kafka client: %w", err)
		}
	}
	return &Client{
		config:  config,
		address: kafka.TCP(config.Brokers...),
		dialer: &kafka.Dialer{
			ClientID:      config.ClientID,
			Timeout:       config.DialTimeout,
			DialFunc:      config.dial,
			TLS:           config.TLS,
			SASLMechanism: mechanism,
		},
		transport: &kafka.Transport{
			Dial:           config.dial,
			DialTimeout:    config.DialTimeout,
			MetadataTTL:    config.MetadataAge,
			MetadataTopics: known(config),
			ClientID:       config.ClientID,
			TLS:            config.TLS,
			SASL:           mechanism,
		},
	}, nil
}

// known are the topics whose leaders are kept known; nil means all.
func known(c Config) []string {
	if len(c.Topics) == 0 {
		return nil
	}
	return append(slices.Clone(c.Topics), c.Written...)
}

// dial makes connections on which nothing waits for ever.
func (c Config) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialing, cancel := context.WithTimeout(ctx, c.DialTimeout)
	defer cancel()
	conn, err := c.Dial(dialing, network, address)
	if err != nil {
		return nil, err
	}
	bounded := boundedConn{conn, c.DialTimeout}
	if err := bounded.SetDeadline(time.Time{}); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return bounded, nil
}

// boundedConn has a deadline where kafka-go wants none. kafka-go sets one for
// each request, but removes it before SASL: a peer that accepts and then keeps
// silent would stop a group, or the refreshing of metadata, for ever. That the
// deadline of an idle connection passes does no harm.
type boundedConn struct {
	net.Conn
	timeout time.Duration
}

func (c boundedConn) orSoon(t time.Time) time.Time {
	if t.IsZero() {
		return time.Now().Add(c.timeout)
	}
	return t
}

func (c boundedConn) SetDeadline(t time.Time) error     { return c.Conn.SetDeadline(c.orSoon(t)) }
func (c boundedConn) SetReadDeadline(t time.Time) error { return c.Conn.SetReadDeadline(c.orSoon(t)) }

func (c boundedConn) SetWriteDeadline(t time.Time) error { return c.Conn.SetWriteDeadline(c.orSoon(t)) }

// Close closes the connections. Round trips under way end by their deadlines.
func (c *Client) Close() { c.transport.CloseIdleConnections() }
