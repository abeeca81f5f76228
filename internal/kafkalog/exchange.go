package kafkalog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/metadata"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// route chooses the broker that a request goes to.
type route func(protocol.Cluster) (protocol.Broker, error)

// errNoCluster is a routing error: no metadata has named a broker yet.
var errNoCluster = errors.New("no broker is known yet")

func toAnyBroker(protocol.Cluster) (protocol.Broker, error) { return protocol.Broker{ID: -1}, nil }

func toController(cluster protocol.Cluster) (protocol.Broker, error) {
	broker, ok := cluster.Brokers[cluster.Controller]
	if !ok {
		return broker, kafka.BrokerNotAvailable
	}
	return broker, nil
}

func toBroker(id int32) route {
	return func(cluster protocol.Cluster) (protocol.Broker, error) {
		broker, ok := cluster.Brokers[id]
		if !ok {
			return broker, kafka.BrokerNotAvailable
		}
		return broker, nil
	}
}

func toLeader(topic string, partition int32) route {
	return func(cluster protocol.Cluster) (protocol.Broker, error) {
		p, ok := cluster.Topics[topic].Partitions[partition]
		if !ok {
			return protocol.Broker{}, failure(int16(kafka.UnknownTopicOrPartition))
		}
		broker, ok := cluster.Brokers[p.Leader]
		if !ok {
			return broker, kafka.LeaderNotAvailable
		}
		return broker, nil
	}
}

// exchange does one round trip with messages of kmsg over the connections of
// kafka-go, through its public seam for messages that write themselves. While
// the cluster is not known yet it waits, up to the timeout, and then says why
// that was so. The response's byte fields are parts of the answer's body.
func (c *Client) exchange(ctx context.Context, request kmsg.Request, to route, timeout time.Duration) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	failed := func(err error) error { return fmt.Errorf("%s request: %w", kmsg.NameForKey(request.Key()), err) }
	for waited := false; ; waited = true {
		response, err := c.transport.RoundTrip(ctx, c.address, &message{client: c, request: request, to: to})
		switch {
		case err == nil:
			return response.(*answer), nil
		case errors.Is(err, errNoCluster):
		case waited && errors.Is(err, ctx.Err()): // the time was over while it looked again
			return nil, failed(errors.Join(err, c.whyNoCluster(ctx)))
		default:
			return nil, failed(err)
		}
		select {
		case <-ctx.Done():
			return nil, failed(errors.Join(ctx.Err(), c.whyNoCluster(ctx)))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// whyNoCluster returns errNoCluster, with the error of kafka-go's last attempt
// to get metadata if that failed, which it tells only to a request for metadata,
// without sending that. It is nil when a broker has become known.
func (c *Client) whyNoCluster(ctx context.Context) error {
	response, err := c.transport.RoundTrip(context.WithoutCancel(ctx), c.address, new(metadata.Request))
	if err != nil {
		return fmt.Errorf("%w: %w", errNoCluster, err)
	}
	if known, ok := response.(*metadata.Response); ok && len(known.Brokers) > 0 {
		return nil
	}
	return errNoCluster
}

// message is a request on its way. A round trip that was given up goes on
// without us until its deadline, so a message and the buffer that it reads into
// belong to it alone.
type message struct {
	client  *Client
	request kmsg.Request
	to      route
	broker  int32 // where it goes, known when it is on its way
}

var (
	_ protocol.BrokerMessage = (*message)(nil)
	_ protocol.RawExchanger  = (*message)(nil)
)

// ApiKey is what kafka-go's messages have.
//
//nolint:revive // kafka-go's spelling
func (m *message) ApiKey() protocol.ApiKey { return protocol.ApiKey(m.request.Key()) }

func (m *message) Broker(cluster protocol.Cluster) (protocol.Broker, error) {
	if len(cluster.Brokers) == 0 {
		return protocol.Broker{}, errNoCluster
	}
	broker, err := m.to(cluster)
	m.broker = broker.ID
	return broker, err
}

// Required takes the version that kafka-go has negotiated for the connection.
func (m *message) Required(versions map[protocol.ApiKey]int16) bool {
	m.request.SetVersion(versions[m.ApiKey()])
	return true
}

// RawExchange does the round trip on the connection.
func (m *message) RawExchange(conn io.ReadWriter) (protocol.Message, error) {
	switch request := m.request.(type) {
	case *kmsg.MetadataRequest:
		// Topic ids come with version 10, kafka-go negotiates up to 8.
		version, err := m.highestVersion(conn, 12)
		if err != nil {
			return nil, err
		}
		m.request.SetVersion(version)
	case *kmsg.FetchRequest:
		if m.request.GetVersion() < 10 {
			return nil, ErrBrokerTooOld
		}
		if request.Topics[0].TopicID != (TopicID{}) {
			return m.fetchByID(conn, request)
		}
	}
	return m.roundTrip(conn, m.request)
}

// fetchByID asks by the topic's id where the broker understands that: version 13
// has it, kafka-go negotiates up to 11. What brokers understand is remembered
// until a round trip fails, after which another one may stand there.
func (m *message) fetchByID(conn io.ReadWriter, request *kmsg.FetchRequest) (protocol.Message, error) {
	known := &m.client.fetchVersions
	if version, ok := known.Load(m.broker); ok {
		request.SetVersion(version.(int16))
	} else {
		version, err := m.highestVersion(conn, fetchByIDVersion)
		if err != nil {
			return nil, err
		}
		if version < fetchByIDVersion {
			version = request.GetVersion()
		}
		request.SetVersion(version)
		known.Store(m.broker, version)
	}
	answer, err := m.roundTrip(conn, request)
	if err != nil {
		known.Delete(m.broker)
		return nil, err
	}
	return answer, nil
}

const fetchByIDVersion = 13

func (m *message) highestVersion(conn io.ReadWriter, most int16) (int16, error) {
	answer, err := m.roundTrip(conn, kmsg.NewPtrApiVersionsRequest())
	if err != nil {
		return 0, err
	}
	for _, key := range answer.response.(*kmsg.ApiVersionsResponse).ApiKeys {
		if key.ApiKey == m.request.Key() {
			return min(key.MaxVersion, most), nil
		}
	}
	return 0, ErrBrokerTooOld
}

const correlationID = 1 // one request at a time has the connection

func (m *message) roundTrip(conn io.ReadWriter, request kmsg.Request) (*answer, error) {
	format := kmsg.NewRequestFormatter(kmsg.FormatterClientID(m.client.config.ClientID))
	if _, err := conn.Write(format.AppendRequest(nil, request, correlationID)); err != nil {
		return nil, fmt.Errorf("write: %w", err)
	}
	var head [8]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	size := int64(binary.BigEndian.Uint32(head[:])) - 4
	if limit := m.client.config.MaxResponseBytes; size < 0 || size > int64(limit) {
		return nil, fmt.Errorf("%w: %d bytes, the limit is %d", ErrResponseTooLarge, size, limit)
	}
	if id := binary.BigEndian.Uint32(head[4:]); id != correlationID {
		return nil, fmt.Errorf("response to request %d, expected %d", id, correlationID)
	}
	body := m.client.takeResponseBuffer(int(size))
	if _, err := io.ReadFull(conn, body); err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	fields := body
	if request.IsFlexible() && request.Key() != int16(protocol.ApiVersions) {
		var err error
		if fields, err = skipTags(body); err != nil {
			return nil, err
		}
	}
	response := request.ResponseKind()
	if err := response.ReadFrom(fields); err != nil {
		return nil, fmt.Errorf("decode response: %w", err)
	}
	return &answer{client: m.client, response: response, body: body}, nil
}

// skipTags passes the tagged fields in the header of a flexible response.
func skipTags(body []byte) ([]byte, error) {
	next := func() (v uint64) {
		var n int
		if v, n = binary.Uvarint(body); n <= 0 {
			v, n = 0, len(body)
		}
		body = body[n:]
		return v
	}
	for range next() {
		next()
		size := next()
		if size >= uint64(len(body)) {
			return nil, errors.New("decode response: malformed header")
		}
		body = body[size:]
	}
	return body, nil
}

// answer is a response with the bytes that it was decoded from.
type answer struct {
	client   *Client
	response kmsg.Response
	body     []byte
}

// ApiKey is what kafka-go's messages have.
//
//nolint:revive // kafka-go's spelling
func (a *answer) ApiKey() protocol.ApiKey { return protocol.ApiKey(a.response.Key()) }

// release gives the bytes back. The response must not be used any more.
func (a *answer) release() {
	const largest = 16 << 20 // an unusual one must not stay
	if body := a.body; cap(body) <= largest {
		a.client.responses.Put(&body)
	}
	a.body, a.response = nil, nil
}

func (c *Client) takeResponseBuffer(size int) []byte {
	if b, ok := c.responses.Get().(*[]byte); ok && cap(*b) >= size {
		return (*b)[:size]
	}
	return make([]byte, size, max(size, 64<<10))
}
