package coordsim_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/coordsim"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkarecord"
)

// hangUps are where a broker that restarts hangs up on a connection that it has
// only just taken: it answers no such request any more.
var hangUps = map[string]func(asked kmsg.Key) bool{
	"on a greeting":      func(asked kmsg.Key) bool { return asked == kmsg.ApiVersions },
	"on a first request": func(asked kmsg.Key) bool { return asked != kmsg.ApiVersions },
}

// patient has a producer outlive what happens to its connections.
func patient(dial func(ctx context.Context, network, address string) (net.Conn, error)) func(*coordsim.ProducerConfig) {
	return func(c *coordsim.ProducerConfig) { c.Dial, c.Patient = dial, true }
}

// A patient producer goes on when it is hung up on while it asks for its id, and
// while it sends. What it got no answer for is neither lost nor there twice.
func TestAPatientProducerIsHungUpOn(t *testing.T) {
	t.Parallel()
	for name, when := range hangUps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			network := &restless{when: when}
			producer, topics, broker := newProducer(t, patient(network.dial))
			const half = 100
			acknowledged := map[coordsim.Address]string{} // the value of the record
			send := func(from int) {
				t.Helper()
				records := func(yield func(coordsim.Record, error) bool) {
					for i := from; i < from+half && yield(numbered(coordsim.Executions, i), nil); i++ {
					}
				}
				err := producer.Send(t.Context(), records, 0, func(r *coordsim.Record, at coordsim.Address) error {
					if before, known := acknowledged[at]; known {
						return fmt.Errorf("%s and %s are acknowledged at %v", before, r.Value, at)
					}
					acknowledged[at] = string(r.Value)
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			spent := network.hangUp(1, 3) // the first tells where the partitions are, the next ones are for the id
			send(0)
			wantSpent(t, spent)
			network.cut()
			spent = network.hangUp(0, 3) // all that is known: to send
			send(half)
			wantSpent(t, spent)

			// Each record is there once, where the producer says, in the order of sending.
			consumer := broker.Client(t, kgo.ConsumeTopics(topics.Executions))
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			ends, err := kadm.NewClient(consumer).ListEndOffsets(ctx, topics.Executions)
			if err != nil {
				t.Fatal(err)
			}
			there := int64(0)
			ends.Each(func(end kadm.ListedOffset) { there += end.Offset })
			if there != 2*half || len(acknowledged) != 2*half {
				t.Errorf("%d records are there, and %d were acknowledged, want %d", there, len(acknowledged), 2*half)
			}
			last := map[int32]int{}
			for read := int64(0); read < there; {
				fetched := consumer.PollFetches(ctx)
				if err := fetched.Err(); err != nil {
					t.Fatal(err)
				}
				fetched.EachRecord(func(r *kgo.Record) {
					read++
					at := coordsim.Address{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}
					if acknowledged[at] != string(r.Value) {
						t.Errorf("%v holds %s, acknowledged was %q", at, r.Value, acknowledged[at])
					}
					number, err := strconv.Atoi(string(r.Value))
					if before, known := last[r.Partition]; err != nil || known && number <= before {
						t.Errorf("%v holds %s behind %d", at, r.Value, before)
					}
					last[r.Partition] = number
				})
			}
		})
	}
}

// A patient producer goes on when it is hung up on while it asks for partitions,
// which it does when a broker takes no connection, or for a topic that is new to
// it. Records that wait to be sent to a partition that it knows are not given up.
func TestAPatientProducerIsHungUpOnWhileRecordsWait(t *testing.T) {
	t.Parallel()
	for name, when := range hangUps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			network := &restless{when: when}
			// The first tells where the partitions are, the second gives the id, and
			// the one to send is refused. The next ones are for the partitions again.
			spent := network.hangUp(2, 3)
			var asked atomic.Int32
			refused := make(chan struct{})
			producer, _, _ := newProducer(t, patient(func(ctx context.Context, kind, address string) (net.Conn, error) {
				if asked.Add(1) == 3 {
					close(refused)
					return nil, &net.OpError{Op: "dial", Net: kind, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
				}
				return network.dial(ctx, kind, address)
			}))
			records := func(yield func(coordsim.Record, error) bool) {
				if !yield(numbered(coordsim.Executions, 1), nil) {
					return
				}
				select {
				case <-refused:
				case <-time.After(time.Minute):
					t.Error("nothing was sent")
					return
				}
				network.cut()
				yield(numbered(coordsim.Scenarios, 2), nil)
			}
			acknowledged := 0
			err := producer.Send(t.Context(), records, 0, func(*coordsim.Record, coordsim.Address) error {
				acknowledged++
				return nil
			})
			if err != nil || acknowledged != 2 {
				t.Errorf("%d records acknowledged, want 2; error %v", acknowledged, err)
			}
			wantSpent(t, spent)
		})
	}
}

func wantSpent(t testing.TB, spent <-chan struct{}) {
	t.Helper()
	select {
	case <-spent:
	default:
		t.Error("connections that were to be hung up on were never made")
	}
}

func numbered(topic coordsim.Topic, i int) coordsim.Record {
	return coordsim.Record{
		Record: kafkarecord.Record{Key: []byte("run-" + strconv.Itoa(i%7)), Value: []byte(strconv.Itoa(i))},
		Topic:  topic,
	}
}

// restless makes connections to brokers that hang up on some.
type restless struct {
	when func(asked kmsg.Key) bool

	mu    sync.Mutex
	good  int           // so many of the next connections stay
	bad   int           // so many after them do not
	spent chan struct{} // closed with the last of those
	conns []net.Conn
}

// hangUp lets so many of the next connections stay, and hangs up on so many after
// them; the channel is closed when the last of them is made.
func (n *restless) hangUp(good, bad int) (spent <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.good, n.bad, n.spent = good, bad, make(chan struct{})
	return n.spent
}

// cut ends all connections.
func (n *restless) cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.conns {
		_ = c.Close() // some are closed already
	}
	n.conns = nil
}

func (n *restless) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.good > 0:
		n.good--
	case n.bad > 0:
		conn = &hungUp{Conn: conn, when: n.when}
		if n.bad--; n.bad == 0 {
			close(n.spent)
		}
	}
	n.conns = append(n.conns, conn)
	return conn, nil
}

// hungUp is a connection that ends, in order, in place of an answer: the broker
// has done what it was asked for, and nobody hears of it.
type hungUp struct {
	net.Conn
	when func(asked kmsg.Key) bool
	over atomic.Bool
}

func (c *hungUp) Write(request []byte) (int, error) {
	// Each request is written at once: its length, its key.
	if c.when(kmsg.Key(binary.BigEndian.Uint16(request[4:]))) { //nolint:gosec // keys are few
		c.over.Store(true)
	}
	return c.Conn.Write(request)
}

func (c *hungUp) Read(answer []byte) (int, error) {
	n, err := c.Conn.Read(answer)
	if err == nil && c.over.Load() {
		return 0, io.EOF
	}
	return n, err
}
