package testenv

import (
	"context"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/devstack/childproc"
)

// Listener is a port of a SecuredKafka, and what it asks of clients.
type Listener string

// The listeners.
const (
	ListenerPlaintext Listener = "PLAINTEXT" // nothing
	ListenerTLS       Listener = "TLS"
	ListenerMutualTLS Listener = "MUTUAL"    // a certificate of the same authority
	ListenerExpired   Listener = "EXPIRED"   // TLS, but its certificate has expired
	ListenerElsewhere Listener = "ELSEWHERE" // TLS, but its certificate is for another host
	ListenerSASL      Listener = "SASL"      // user and password, by any mechanism
	ListenerSASLTLS   Listener = "SASLTLS"   // the same over TLS
	ListenerScram     Listener = "SCRAM"     // user and password, by SCRAM-SHA-512 only
)

// Users of a SecuredKafka, and the password of both.
const (
	KafkaAdmin    = "admin" // may do everything
	KafkaUser     = "user"  // may do what Allow has allowed
	KafkaPassword = "correct horse"
)

var saslMechanisms = []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}

// SecuredKafka is a Kafka that asks who its clients are.
type SecuredKafka struct {
	Authority *Authority // of the certificates of brokers and clients
	addresses map[Listener]string
}

// SecuredBroker is a cluster of the kind that Broker gives, secured. On Apache
// Kafka the tests of the process share it, and all listeners lead to it;
// in-process each listener is a cluster of its own.
func SecuredBroker(t testing.TB) *SecuredKafka {
	t.Helper()
	if onApache(t) {
		secured, err := sharedSecuredKafka()
		if err != nil {
			t.Fatal(err)
		}
		return secured
	}
	return securedFake(t)
}

// Address is where a listener is.
func (k *SecuredKafka) Address(l Listener) string { return k.addresses[l] }

// KafkaLogin is who a client is.
type KafkaLogin struct {
	Mechanism string // by its name in Kafka
	User      string
	Password  string
}

func (l *KafkaLogin) mechanism() sasl.Mechanism {
	switch l.Mechanism {
	case "SCRAM-SHA-256":
		return scram.Auth{User: l.User, Pass: l.Password}.AsSha256Mechanism()
	case "SCRAM-SHA-512":
		return scram.Auth{User: l.User, Pass: l.Password}.AsSha512Mechanism()
	default:
		return plain.Auth{User: l.User, Pass: l.Password}.AsMechanism()
	}
}

// Cluster is what KafkaAdmin reaches by a listener, over TLS or not.
func (k *SecuredKafka) Cluster(l Listener, mechanism string) *KafkaCluster {
	cluster := &KafkaCluster{
		Brokers: []string{k.Address(l)},
		Login:   &KafkaLogin{Mechanism: mechanism, User: KafkaAdmin, Password: KafkaPassword},
	}
	if _, secured := securedCertificates[l]; secured {
		cluster.TLS = &tls.Config{RootCAs: k.Authority.Pool()}
	}
	return cluster
}

// Allow lets KafkaUser, who comes by a listener with SASL, do something with a
// topic or group.
func (k *SecuredKafka) Allow(t testing.TB, l Listener, kind kmsg.ACLResourceType, name string, operation kmsg.ACLOperation) {
	t.Helper()
	allowed := kmsg.NewCreateACLsRequestCreation()
	allowed.ResourceType, allowed.ResourceName, allowed.ResourcePatternType = kind, name, kmsg.ACLResourcePatternTypeLiteral
	allowed.Principal, allowed.Host = "User:"+KafkaUser, "*"
	allowed.Operation, allowed.PermissionType = operation, kmsg.ACLPermissionTypeAllow
	request := kmsg.NewPtrCreateACLsRequest()
	request.Creations = append(request.Creations, allowed)
	response, err := request.RequestWith(t.Context(), k.Cluster(l, "PLAIN").Client(t))
	if err == nil {
		err = kerr.ErrorForCode(response.Results[0].ErrorCode)
	}
	if err != nil {
		t.Fatalf("allow %v of %v %s: %v", operation, kind, name, err)
	}
}

var sharedSecuredKafka = sync.OnceValues(func() (*SecuredKafka, error) {
	s, err := processScratch()
	if err != nil {
		return nil, err
	}
	programs, err := ObtainApacheKafka(context.Background(), os.Stderr)
	if err != nil {
		return nil, err
	}
	secured, err := startSecuredKafka(context.Background(), programs, filepath.Join(s.dir, "secured-kafka"))
	if err != nil {
		return nil, fmt.Errorf("start a secured Apache Kafka: %w", err)
	}
	return secured, nil
})

func startSecuredKafka(ctx context.Context, programs KafkaPrograms, dir string) (*SecuredKafka, error) {
	authority, err := newAuthority()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	trusted := filepath.Join(dir, "trusted.pem")
	if err := os.WriteFile(trusted, authority.PEM(), 0o600); err != nil {
		return nil, err
	}
	s := moreListeners{settings: []string{
		"authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
		"super.users=User:ANONYMOUS;User:CN=client;User:" + KafkaAdmin,
	}}
	for _, user := range []string{KafkaAdmin, KafkaUser} {
		for _, mechanism := range saslMechanisms[1:] {
			s.format = append(s.format, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%s]", mechanism, user, KafkaPassword))
		}
	}
	k := &SecuredKafka{Authority: authority, addresses: map[Listener]string{}}
	add := func(l Listener, protocol string, settings ...string) error {
		port, err := childproc.FreePort(ctx)
		if err != nil {
			return err
		}
		k.addresses[l] = fmt.Sprintf("127.0.0.1:%d", port)
		s.listeners = append(s.listeners, kafkaListener{name: string(l), protocol: protocol, port: port})
		s.settings = append(s.settings, settings...)
		return nil
	}
	for l, c := range securedCertificates {
		store := filepath.Join(dir, string(l)+".pem")
		if err := writeKeyStore(store, authority, c); err != nil {
			return nil, err
		}
		protocol := "SSL"
		if l == ListenerSASLTLS {
			protocol = "SASL_SSL"
		}
		prefix := l.settingPrefix()
		settings := []string{prefix + "ssl.keystore.type=PEM", prefix + "ssl.keystore.location=" + store}
		if l == ListenerMutualTLS {
			settings = append(settings, prefix+"ssl.client.auth=required", prefix+"ssl.truststore.type=PEM", prefix+"ssl.truststore.location="+trusted)
		}
		if l == ListenerSASLTLS {
			settings = append(settings, l.saslSettings(saslMechanisms)...)
		}
		if err := add(l, protocol, settings...); err != nil {
			return nil, err
		}
	}
	if err := add(ListenerSASL, "SASL_PLAINTEXT", ListenerSASL.saslSettings(saslMechanisms)...); err != nil {
		return nil, err
	}
	if err := add(ListenerScram, "SASL_PLAINTEXT", ListenerScram.saslSettings(saslMechanisms[2:])...); err != nil {
		return nil, err
	}
	nodes, err := startKafkaNodes(ctx, programs, dir, 1, &s)
	if err != nil {
		return nil, err
	}
	k.addresses[ListenerPlaintext] = nodes[0].address()
	return k, nil
}

// securedCertificates are those of the listeners that speak TLS.
var securedCertificates = map[Listener]Certificate{
	ListenerTLS:       {CommonName: "broker"},
	ListenerMutualTLS: {CommonName: "broker"},
	ListenerSASLTLS:   {CommonName: "broker"},
	ListenerExpired:   {CommonName: "broker", Expired: time.Hour},
	ListenerElsewhere: {CommonName: "broker", Host: "elsewhere.test"},
}

// settingPrefix makes a setting of Apache Kafka one of this listener.
func (l Listener) settingPrefix() string { return "listener.name." + strings.ToLower(string(l)) + "." }

// saslSettings let users of these mechanisms in. Who they are is in the storage,
// for PLAIN alone in the settings.
func (l Listener) saslSettings(mechanisms []string) []string {
	prefix := l.settingPrefix()
	settings := []string{prefix + "sasl.enabled.mechanisms=" + strings.Join(mechanisms, ",")}
	for _, mechanism := range mechanisms {
		module := "scram.ScramLoginModule required;"
		if mechanism == "PLAIN" {
			module = fmt.Sprintf(`plain.PlainLoginModule required user_%s=%q user_%s=%q;`, KafkaAdmin, KafkaPassword, KafkaUser, KafkaPassword)
		}
		settings = append(settings, prefix+strings.ToLower(mechanism)+".sasl.jaas.config=org.apache.kafka.common.security."+module)
	}
	return settings
}

func writeKeyStore(file string, authority *Authority, c Certificate) error {
	issued, err := authority.issue(c)
	if err != nil {
		return err
	}
	key, err := KeyPEM(issued)
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(key, CertificatePEM(issued)...), 0o600)
}

func securedFake(t testing.TB) *SecuredKafka {
	t.Helper()
	k := &SecuredKafka{Authority: NewAuthority(t), addresses: map[Listener]string{}}
	start := func(l Listener, options ...kfake.Opt) *kfake.Cluster {
		cluster := Kafka(t, options...)
		k.addresses[l] = cluster.Brokers[0]
		return cluster.Fake
	}
	users := []kfake.Opt{kfake.EnableSASL(), kfake.EnableACLs()}
	for _, mechanism := range saslMechanisms {
		users = append(users, kfake.Superuser(mechanism, KafkaAdmin, KafkaPassword), kfake.User(mechanism, KafkaUser, KafkaPassword))
	}
	// kfake lets users in where it should ask for none.
	start(ListenerPlaintext).Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.SASLHandshake}, Err: kerr.IllegalSaslState, Count: -1})
	start(ListenerSASL, users...)
	for l, c := range securedCertificates {
		secured := &tls.Config{Certificates: []tls.Certificate{k.Authority.Issue(t, c)}}
		options := []kfake.Opt{kfake.TLS(secured)}
		if l == ListenerMutualTLS {
			secured.ClientCAs, secured.ClientAuth = k.Authority.Pool(), tls.RequireAndVerifyClientCert
		}
		if l == ListenerSASLTLS {
			options = append(options, users...)
		}
		start(l, options...)
	}
	only := saslMechanisms[2]
	scram := start(ListenerScram, kfake.EnableSASL(), kfake.Superuser(only, KafkaAdmin, KafkaPassword), kfake.User(only, KafkaUser, KafkaPassword))
	scram.ControlKey(int16(kmsg.SASLHandshake), func(request kmsg.Request) (kmsg.Response, error, bool) {
		scram.KeepControl()
		handshake := request.(*kmsg.SASLHandshakeRequest)
		if handshake.Mechanism == only {
			return nil, nil, false
		}
		// kfake would offer mechanisms by which nobody is known.
		response := request.ResponseKind().(*kmsg.SASLHandshakeResponse)
		response.ErrorCode, response.SupportedMechanisms = kerr.UnsupportedSaslMechanism.Code, []string{only}
		return response, nil, true
	})
	return k
}
