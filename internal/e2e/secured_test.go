package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// A service that Kafka does not let in, or does not let read, says what is
// missing and waits; it goes to work by itself once that is given.
func TestSecuredKafkaIsReadOnceEverythingIsGranted(t *testing.T) {
	t.Parallel()
	secured := testenv.SecuredBroker(t)
	w := newWorldOn(t, secured.Cluster(testenv.ListenerSASLTLS, "SCRAM-SHA-512"))
	set := func(name, value string) { w.env[config.EnvPrefix+name] = value }
	wantSaid := func(p *process, words ...string) {
		t.Helper()
		for _, word := range words {
			testenv.Eventually(t, "the service says: "+word, func() bool { return strings.Contains(p.said.text(), word) })
		}
	}

	denied := start(t, w.env, "tcda", "serve")
	wantSaid(denied, "the listener expects TLS")
	denied.kill()

	authority, password := filepath.Join(t.TempDir(), "ca.pem"), filepath.Join(t.TempDir(), "password")
	write := func(file string, content []byte) {
		t.Helper()
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(authority, secured.Authority.PEM())
	write(password, []byte("wrong"))
	set("KAFKA_TLS", "true")
	set("KAFKA_TLS_CA_FILE", authority)
	set("KAFKA_SASL_MECHANISM", "scram-sha-512")
	set("KAFKA_SASL_USER", testenv.KafkaUser)
	set("KAFKA_SASL_PASSWORD_FILE", password)
	denied = start(t, w.env, "tcda", "serve")
	wantSaid(denied, "wrong password")
	denied.kill()

	write(password, []byte(testenv.KafkaPassword))
	service := start(t, w.env, "tcda", "serve")
	group := w.env[config.EnvPrefix+"KAFKA_GROUP_ID"]
	wantSaid(service, "not authorised for the topic", w.topics.Executions, w.topics.Scenarios, "not authorised for the consumer group", group)
	secured.Allow(t, testenv.ListenerSASLTLS, kmsg.ACLResourceTypeTopic, w.topics.Executions, kmsg.ACLOperationRead)
	secured.Allow(t, testenv.ListenerSASLTLS, kmsg.ACLResourceTypeTopic, w.topics.Scenarios, kmsg.ACLOperationRead)
	secured.Allow(t, testenv.ListenerSASLTLS, kmsg.ACLResourceTypeGroup, group, kmsg.ACLOperationRead)
	wantSaid(service, "tcda is at work")

	ledger := newLedger()
	w.mustSend(load(t, "secured", 200), ledger.note)
	w.drain()
	service.interrupt()
	service.wantSuccess()
	if said := service.said.text(); strings.Contains(said, testenv.KafkaPassword) {
		t.Error("the log gives the password away")
	}
	w.settle(ledger)
}
