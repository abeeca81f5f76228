package kafkalog_test

import (
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/childproc"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
)

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

// unusedAddress is one that nobody listens at.
func unusedAddress(t *testing.T) string {
	t.Helper()
	port, err := childproc.FreePort(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// TestSilenceDuringSASLEnds: kafka-go has no deadline there, neither in its
// Transport, whose metadata would never be refreshed again, nor in its Dialer,
// with which a group would neither join nor close.
func TestSilenceDuringSASLEnds(t *testing.T) {
	t.Parallel()
	impatient := func(c *kafkalog.Config) {
		c.SASL = &kafkalog.SASL{Mechanism: kafkalog.Plain, User: "user", Password: "password"}
		c.DialTimeout = 2 * time.Second
	}
	t.Run("transport", func(t *testing.T) {
		t.Parallel()
		cluster := startKfake(t, kfake.SeedTopics(1, "topic"), kfake.EnableSASL(), kfake.Superuser("PLAIN", "user", "password"))
		var ignored atomic.Int32
		cluster.ControlKey(int16(kmsg.SASLHandshake), func(kmsg.Request) (kmsg.Response, error, bool) {
			ignored.Add(1)
			return nil, nil, true // read, and never answered; once
		})
		if _, err := open(t, cluster.ListenAddrs(), impatient).Offsets(t.Context(), "topic", 0); err != nil || ignored.Load() != 1 {
			t.Errorf("got %v after %d handshakes were ignored, want an answer after one", err, ignored.Load())
		}
	})
	t.Run("group", func(t *testing.T) {
		t.Parallel()
		log := make(lines, 100)
		client := open(t, []string{listen(t).Addr().String()}, impatient, func(c *kafkalog.Config) { c.Logger = zerolog.New(log) })
		stop := member(t, client, kafkalog.GroupConfig{ID: "group", Topics: []string{"topic"}}, forward(nil))
		for !strings.Contains(receive(t, "the warning", log), "no place in the consumer group") {
		}
		stop()
	})
}

// lines is a log whose lines can be waited for.
type lines chan string

func (l lines) Write(line []byte) (int, error) {
	select {
	case l <- string(line):
	default: // nobody reads any more
	}
	return len(line), nil
}

func TestPreflightTriesEachBroker(t *testing.T) {
	t.Parallel()
	nobody := unusedAddress(t)
	failed := asError[*kafkalog.PreflightError](t, open(t, []string{nobody}).Preflight(t.Context()))
	if failed.Stage != kafkalog.StageConnect || failed.Broker != nobody || !strings.Contains(failed.Error(), "refused") {
		t.Errorf("got %v", failed)
	}
	if err := open(t, append([]string{nobody}, startKfake(t).ListenAddrs()...)).Preflight(t.Context()); err != nil {
		t.Errorf("with a second broker that answers: %v", err)
	}
}

func TestOpenRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]kafkalog.Config{
		"no brokers":        {},
		"no port":           {Brokers: []string{"localhost"}},
		"unknown mechanism": {Brokers: []string{"localhost:9092"}, SASL: &kafkalog.SASL{Mechanism: "GSSAPI"}},
	} {
		if _, err := kafkalog.Open(config); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	client := open(t, []string{"localhost:9092"})
	for name, config := range map[string]kafkalog.GroupConfig{
		"no id":     {Topics: []string{"topic"}},
		"no topics": {ID: "group"},
	} {
		if _, err := kafkalog.NewGroup(client, config); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
