package kafkalog_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
)

// authority issues certificates for one test.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{certificate, key}
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

func (a *authority) issue(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// roundTrip writes a record by an independent client, reads it, and sees that a
// group can be joined: the three use connections of their own.
func roundTrip(t *testing.T, client *kafkalog.Client, producer *kgo.Client) {
	t.Helper()
	if err := client.Preflight(t.Context()); err != nil {
		t.Fatalf("preflight: %v", err)
	}
	produce(t, producer, "topic", 0, "a")
	if got := readTo(t, client.NewPartitionReader("topic", 0, 0, kafkalog.ReadConfig{}), 1); len(got) != 1 {
		t.Errorf("got %d records, want 1", len(got))
	}
	assigned := make(chan kafkalog.Assignment, 1)
	member(t, client, kafkalog.GroupConfig{ID: "group", Topics: []string{"topic"}}, forward(assigned))
	receive(t, "an assignment", assigned)
}

func TestSASL(t *testing.T) {
	t.Parallel()
	for _, mechanism := range []kafkalog.Mechanism{kafkalog.Plain, kafkalog.ScramSHA256, kafkalog.ScramSHA512} {
		t.Run(string(mechanism), func(t *testing.T) {
			t.Parallel()
			cluster := startKfake(t, kfake.SeedTopics(1, "topic"), kfake.EnableSASL(),
				kfake.Superuser(string(mechanism), "user", "password"), kfake.Superuser("PLAIN", "producer", "password"))
			as := func(user, password string, mechanism kafkalog.Mechanism) *kafkalog.Client {
				return open(t, cluster.ListenAddrs(), func(c *kafkalog.Config) {
					c.SASL = &kafkalog.SASL{Mechanism: mechanism, User: user, Password: password}
				})
			}
			roundTrip(t, as("user", "password", mechanism), franz(t, cluster.ListenAddrs(), kgo.SASL(plain.Auth{User: "producer", Pass: "password"}.AsMechanism())))

			for _, err := range []error{as("user", "wrong", mechanism).Preflight(t.Context()), as("nobody", "password", mechanism).Preflight(t.Context())} {
				if failed := asError[*kafkalog.PreflightError](t, err); failed.Stage != kafkalog.StageAuthenticate {
					t.Errorf("wrong credentials: failed at %s: %v", failed.Stage, err)
				}
				if strings.Contains(err.Error(), "EOF") {
					t.Errorf("the cause is not named: %v", err)
				}
			}
			failed := asError[*kafkalog.PreflightError](t, open(t, cluster.ListenAddrs()).Preflight(t.Context()))
			if failed.Stage != kafkalog.StageMetadata || !strings.Contains(failed.Error(), "SASL") {
				t.Errorf("no credentials: %v", failed)
			}
		})
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	trusted, foreign := newAuthority(t), newAuthority(t)
	cluster := startKfake(t, kfake.SeedTopics(1, "topic"), kfake.TLS(&tls.Config{
		Certificates: []tls.Certificate{trusted.issue(t)}, ClientCAs: trusted.pool(), ClientAuth: tls.RequireAndVerifyClientCert,
		MaxVersion: tls.VersionTLS12, // in 1.3 a refused client learns of it with its first read only
	}))
	with := func(config *tls.Config) *kafkalog.Client {
		return open(t, cluster.ListenAddrs(), func(c *kafkalog.Config) { c.TLS = config })
	}
	mutual := &tls.Config{RootCAs: trusted.pool(), Certificates: []tls.Certificate{trusted.issue(t)}}
	roundTrip(t, with(mutual), franz(t, cluster.ListenAddrs(), kgo.DialTLSConfig(mutual)))

	for name, test := range map[string]struct {
		client *kafkalog.Client
		stage  kafkalog.Stage
		text   string
	}{
		"unknown authority":       {with(&tls.Config{RootCAs: foreign.pool()}), kafkalog.StageTLS, "unknown authority"},
		"no client certificate":   {with(&tls.Config{RootCAs: trusted.pool()}), kafkalog.StageTLS, "handshake failure"},
		"another name":            {with(&tls.Config{RootCAs: trusted.pool(), ServerName: "elsewhere"}), kafkalog.StageTLS, "elsewhere"},
		"no TLS where it is due":  {open(t, cluster.ListenAddrs()), kafkalog.StageMetadata, "does its listener expect TLS"},
		"TLS where there is none": {open(t, startKfake(t).ListenAddrs(), func(c *kafkalog.Config) { c.TLS = mutual; c.DialTimeout = time.Second }), kafkalog.StageTLS, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := test.client.Preflight(t.Context())
			if failed := asError[*kafkalog.PreflightError](t, err); failed.Stage != test.stage || !strings.Contains(err.Error(), test.text) {
				t.Errorf("failed at %s: %v; want %s, and %q", failed.Stage, err, test.stage, test.text)
			}
		})
	}
}

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
	listener := listen(t)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return listener.Addr().String()
}

// TestSilenceDuringSASLEnds: kafka-go has no deadline there, neither in its
// Transport, whose metadata would never be refreshed again, nor in its Dialer,
// with which a group would neither join nor close.
func TestSilenceDuringSASLEnds(t *testing.T) {
	t.Parallel()
	impatient := func(c *kafkalog.Config) {
		c.SASL = &kafkalog.SASL{Mechanism: kafkalog.Plain, User: "user", Password: "password"}
		c.DialTimeout = 200 * time.Millisecond
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
