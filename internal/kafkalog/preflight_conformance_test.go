package kafkalog_test

import (
	"crypto/tls"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/kafkalog"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// secured is who a test is to a testenv.SecuredKafka.
type secured struct {
	tls  *tls.Config
	sasl *kafkalog.SASL
}

func (s secured) open(t testing.TB, broker string, topics ...string) *kafkalog.Client {
	t.Helper()
	return open(t, []string{broker}, func(c *kafkalog.Config) {
		c.TLS, c.SASL, c.Topics = s.tls, s.sasl, topics
		c.DialTimeout = 3 * time.Second
	})
}

// franz opens an independent client of the same rights.
func (s secured) franz(t testing.TB, broker string) *kgo.Client {
	t.Helper()
	var options []kgo.Opt
	if s.tls != nil {
		options = append(options, kgo.DialTLSConfig(s.tls))
	}
	if s.sasl != nil {
		mechanism := plain.Auth{User: s.sasl.User, Pass: s.sasl.Password}.AsMechanism()
		switch s.sasl.Mechanism {
		case kafkalog.ScramSHA256:
			mechanism = scram.Auth{User: s.sasl.User, Pass: s.sasl.Password}.AsSha256Mechanism()
		case kafkalog.ScramSHA512:
			mechanism = scram.Auth{User: s.sasl.User, Pass: s.sasl.Password}.AsSha512Mechanism()
		case kafkalog.Plain:
		}
		options = append(options, kgo.SASL(mechanism))
	}
	return franz(t, []string{broker}, options...)
}

func admin(mechanism kafkalog.Mechanism) *kafkalog.SASL {
	return &kafkalog.SASL{Mechanism: mechanism, User: testenv.KafkaAdmin, Password: testenv.KafkaPassword}
}

// TestEveryWayIn writes a record by an independent client, reads it, and sees
// that a group can be joined: the three use connections of their own.
func TestEveryWayIn(t *testing.T) {
	t.Parallel()
	cluster := testenv.SecuredBroker(t)
	trusting := &tls.Config{RootCAs: cluster.Authority.Pool()}
	known := trusting.Clone()
	known.Certificates = []tls.Certificate{cluster.Authority.Issue(t, testenv.Certificate{CommonName: "client"})}
	for name, way := range map[string]struct {
		listener testenv.Listener
		who      secured
	}{
		"plaintext":                 {testenv.ListenerPlaintext, secured{}},
		"mutual TLS":                {testenv.ListenerMutualTLS, secured{tls: known}},
		"PLAIN":                     {testenv.ListenerSASL, secured{sasl: admin(kafkalog.Plain)}},
		"SCRAM-SHA-256":             {testenv.ListenerSASL, secured{sasl: admin(kafkalog.ScramSHA256)}},
		"SCRAM-SHA-512":             {testenv.ListenerSASL, secured{sasl: admin(kafkalog.ScramSHA512)}},
		"PLAIN over TLS":            {testenv.ListenerSASLTLS, secured{trusting, admin(kafkalog.Plain)}},
		"SCRAM-SHA-256 over TLS":    {testenv.ListenerSASLTLS, secured{trusting, admin(kafkalog.ScramSHA256)}},
		"SCRAM-SHA-512 over TLS":    {testenv.ListenerSASLTLS, secured{trusting, admin(kafkalog.ScramSHA512)}},
		"a certificate nobody asks": {testenv.ListenerSASLTLS, secured{known, admin(kafkalog.ScramSHA512)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			broker := cluster.Address(way.listener)
			topic := testenv.UniqueName("topic")
			client := way.who.open(t, broker, topic)
			if err := client.Preflight(t.Context()); err != nil {
				t.Fatalf("preflight: %v", err)
			}
			if err := client.EnsureTopics(t.Context(), kafkalog.TopicSpec{Name: topic, Partitions: 1}); err != nil {
				t.Fatal(err)
			}
			group := testenv.UniqueName("group")
			if err := client.CheckAccess(t.Context(), group); err != nil {
				t.Errorf("access: %v", err)
			}
			produce(t, way.who.franz(t, broker), topic, 0, "a")
			if got := readTo(t, client.NewPartitionReader(topic, 0, 0, kafkalog.ReadConfig{}), 1); len(got) != 1 {
				t.Errorf("got %d records, want 1", len(got))
			}
			assigned := make(chan kafkalog.Assignment, 1)
			member(t, client, kafkalog.GroupConfig{ID: group, Topics: []string{topic}}, forward(assigned))
			receive(t, "an assignment", assigned)
		})
	}
}

// TestPreflightNamesTheCause of everything that can be wrong between us and a
// broker, exactly, and what to do about it.
func TestPreflightNamesTheCause(t *testing.T) {
	t.Parallel()
	cluster := testenv.SecuredBroker(t)
	foreign := testenv.NewAuthority(t)
	trusting := &tls.Config{RootCAs: cluster.Authority.Pool()}
	with := func(certificate tls.Certificate, change ...func(*tls.Config)) *tls.Config {
		config := trusting.Clone()
		config.Certificates = []tls.Certificate{certificate}
		for _, c := range change {
			c(config)
		}
		return config
	}
	sent := func(c *tls.Config) { // whatever authorities the broker names
		certificate := &c.Certificates[0]
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
	}
	old := func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }
	stranger := foreign.Issue(t, testenv.Certificate{CommonName: "client"})
	expired := cluster.Authority.Issue(t, testenv.Certificate{CommonName: "client", Expired: time.Hour})
	as := func(mechanism kafkalog.Mechanism, user, password string) *kafkalog.SASL {
		return &kafkalog.SASL{Mechanism: mechanism, User: user, Password: password}
	}
	oldTrusting := trusting.Clone()
	old(oldTrusting)

	const user, password = testenv.KafkaUser, testenv.KafkaPassword
	for name, c := range map[string]struct {
		listener testenv.Listener // empty: an address where nobody is
		who      secured
		cause    kafkalog.Cause
		stage    kafkalog.Stage
		says     string
	}{
		"nobody there":                      {"", secured{}, kafkalog.CauseUnreachable, kafkalog.StageConnect, "refused"},
		"plaintext against TLS":             {testenv.ListenerTLS, secured{}, kafkalog.CauseExpectsTLS, kafkalog.StageProtocol, "turn TLS on"},
		"plaintext against mutual TLS":      {testenv.ListenerMutualTLS, secured{}, kafkalog.CauseExpectsTLS, kafkalog.StageProtocol, "turn TLS on"},
		"plaintext against SASL over TLS":   {testenv.ListenerSASLTLS, secured{sasl: admin(kafkalog.Plain)}, kafkalog.CauseExpectsTLS, kafkalog.StageProtocol, "turn TLS on"},
		"TLS against plaintext":             {testenv.ListenerPlaintext, secured{tls: trusting}, kafkalog.CauseNotTLS, kafkalog.StageTLS, "turn TLS off"},
		"TLS against SASL":                  {testenv.ListenerSASL, secured{trusting, admin(kafkalog.Plain)}, kafkalog.CauseNotTLS, kafkalog.StageTLS, "turn TLS off"},
		"untrusted certificate":             {testenv.ListenerTLS, secured{tls: &tls.Config{RootCAs: foreign.Pool()}}, kafkalog.CauseUntrusted, kafkalog.StageTLS, "the authority that has signed it"},
		"expired certificate":               {testenv.ListenerExpired, secured{tls: trusting}, kafkalog.CauseExpired, kafkalog.StageTLS, "needs a new one"},
		"wrong host name":                   {testenv.ListenerElsewhere, secured{tls: trusting}, kafkalog.CauseHostName, kafkalog.StageTLS, "127.0.0.1"},
		"no client certificate":             {testenv.ListenerMutualTLS, secured{tls: trusting}, kafkalog.CauseNoCertificate, kafkalog.StageTLS, "give a certificate"},
		"no client certificate, TLS 1.2":    {testenv.ListenerMutualTLS, secured{tls: oldTrusting}, kafkalog.CauseNoCertificate, kafkalog.StageTLS, "give a certificate"},
		"client certificate of a stranger":  {testenv.ListenerMutualTLS, secured{tls: with(stranger)}, kafkalog.CauseCertificate, kafkalog.StageTLS, "authority"},
		"the same, sent all the same":       {testenv.ListenerMutualTLS, secured{tls: with(stranger, sent)}, kafkalog.CauseCertificate, kafkalog.StageTLS, "trust its authority"},
		"the same, TLS 1.2":                 {testenv.ListenerMutualTLS, secured{tls: with(stranger, sent, old)}, kafkalog.CauseCertificate, kafkalog.StageTLS, "trust its authority"},
		"expired client certificate":        {testenv.ListenerMutualTLS, secured{tls: with(expired)}, kafkalog.CauseCertificate, kafkalog.StageTLS, "still valid"},
		"no user":                           {testenv.ListenerSASL, secured{}, kafkalog.CauseExpectsSASL, kafkalog.StageMetadata, "it offers PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"},
		"no user over TLS":                  {testenv.ListenerSASLTLS, secured{tls: trusting}, kafkalog.CauseExpectsSASL, kafkalog.StageMetadata, "it offers PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"},
		"PLAIN, unknown user":               {testenv.ListenerSASL, secured{sasl: as(kafkalog.Plain, "nobody", password)}, kafkalog.CauseUserOrPassword, kafkalog.StageAuthenticate, `"nobody"`},
		"PLAIN, wrong password":             {testenv.ListenerSASL, secured{sasl: as(kafkalog.Plain, user, "wrong")}, kafkalog.CauseUserOrPassword, kafkalog.StageAuthenticate, `"user"`},
		"PLAIN over TLS, wrong password":    {testenv.ListenerSASLTLS, secured{trusting, as(kafkalog.Plain, user, "wrong")}, kafkalog.CauseUserOrPassword, kafkalog.StageAuthenticate, `"user"`},
		"SCRAM-256, unknown user":           {testenv.ListenerSASL, secured{sasl: as(kafkalog.ScramSHA256, "nobody", password)}, kafkalog.CauseUnknownUser, kafkalog.StageAuthenticate, `"nobody"`},
		"SCRAM-256, wrong password":         {testenv.ListenerSASL, secured{sasl: as(kafkalog.ScramSHA256, user, "wrong")}, kafkalog.CausePassword, kafkalog.StageAuthenticate, `"user"`},
		"SCRAM-512, unknown user":           {testenv.ListenerSASL, secured{sasl: as(kafkalog.ScramSHA512, "nobody", password)}, kafkalog.CauseUnknownUser, kafkalog.StageAuthenticate, `"nobody"`},
		"SCRAM-512, wrong password":         {testenv.ListenerSASL, secured{sasl: as(kafkalog.ScramSHA512, user, "wrong")}, kafkalog.CausePassword, kafkalog.StageAuthenticate, `"user"`},
		"SCRAM over TLS, unknown user":      {testenv.ListenerSASLTLS, secured{trusting, as(kafkalog.ScramSHA512, "nobody", password)}, kafkalog.CauseUnknownUser, kafkalog.StageAuthenticate, `"nobody"`},
		"SCRAM over TLS, wrong password":    {testenv.ListenerSASLTLS, secured{trusting, as(kafkalog.ScramSHA512, user, "wrong")}, kafkalog.CausePassword, kafkalog.StageAuthenticate, `"user"`},
		"a mechanism that is not offered":   {testenv.ListenerScram, secured{sasl: as(kafkalog.Plain, user, password)}, kafkalog.CauseMechanism, kafkalog.StageAuthenticate, "it offers SCRAM-SHA-512"},
		"another one that is not offered":   {testenv.ListenerScram, secured{sasl: as(kafkalog.ScramSHA256, user, password)}, kafkalog.CauseMechanism, kafkalog.StageAuthenticate, "it offers SCRAM-SHA-512"},
		"a user where nobody is asked":      {testenv.ListenerPlaintext, secured{sasl: as(kafkalog.Plain, user, password)}, kafkalog.CauseNotSASL, kafkalog.StageAuthenticate, "give no user"},
		"untrusted certificate before SASL": {testenv.ListenerSASLTLS, secured{&tls.Config{RootCAs: foreign.Pool()}, as(kafkalog.Plain, user, "wrong")}, kafkalog.CauseUntrusted, kafkalog.StageTLS, "the authority that has signed it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			broker := unusedAddress(t)
			if c.listener != "" {
				broker = cluster.Address(c.listener)
			}
			err := c.who.open(t, broker).Preflight(t.Context())
			failed := asError[*kafkalog.PreflightError](t, err)
			if failed.Cause != c.cause || failed.Stage != c.stage || failed.Broker != broker || !strings.Contains(err.Error(), c.says) {
				t.Errorf("at %s: %q\n%v\nwant at %s: %q, and %q", failed.Stage, failed.Cause, err, c.stage, c.cause, c.says)
			}
			if strings.Contains(err.Error(), password) {
				t.Errorf("the error gives the password away: %v", err)
			}
			t.Log(err)
		})
	}
}

// TestCheckAccessNamesTheCause of what a user who is let in may not do.
func TestCheckAccessNamesTheCause(t *testing.T) {
	t.Parallel()
	cluster := testenv.SecuredBroker(t)
	broker := cluster.Address(testenv.ListenerSASL)
	user := secured{sasl: &kafkalog.SASL{Mechanism: kafkalog.ScramSHA256, User: testenv.KafkaUser, Password: testenv.KafkaPassword}}
	const read, describe, topics, groups = kmsg.ACLOperationRead, kmsg.ACLOperationDescribe, kmsg.ACLResourceTypeTopic, kmsg.ACLResourceTypeGroup

	topic, group := testenv.UniqueName("topic"), testenv.UniqueName("group")
	superuser := secured{sasl: admin(kafkalog.Plain)}.open(t, broker)
	if err := superuser.EnsureTopics(t.Context(), kafkalog.TopicSpec{Name: topic, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	assigned := make(chan kafkalog.Assignment, 10) // kfake asks who may read a group only when it exists
	member(t, superuser, kafkalog.GroupConfig{ID: group, Topics: []string{topic}}, forward(assigned))
	receive(t, "an assignment", assigned)
	client := user.open(t, broker, topic)
	causes := func(want ...kafkalog.Cause) func() bool {
		return func() bool { // rights come to the brokers late
			return slices.Equal(causesOf(client.CheckAccess(t.Context(), group)), want)
		}
	}
	if err := client.Preflight(t.Context()); err != nil {
		t.Errorf("who may do nothing is let in: %v", err)
	}
	testenv.Eventually(t, "nothing is allowed", causes(kafkalog.CauseTopicUnauthorised, kafkalog.CauseGroupUnauthorised))
	err := client.CheckAccess(t.Context(), group)
	for _, says := range []string{topic, group, `"user"`, "READ"} {
		if !strings.Contains(err.Error(), says) {
			t.Errorf("%v does not name %s", err, says)
		}
	}
	cluster.Allow(t, testenv.ListenerSASL, topics, topic, describe)
	testenv.Eventually(t, "READ of the topic is missing", func() bool {
		err := client.CheckAccess(t.Context(), group)
		return causes(kafkalog.CauseTopicUnauthorised, kafkalog.CauseGroupUnauthorised)() && strings.Contains(err.Error(), "READ is not granted")
	})
	cluster.Allow(t, testenv.ListenerSASL, topics, topic, read)
	testenv.Eventually(t, "only the group is missing", causes(kafkalog.CauseGroupUnauthorised))
	cluster.Allow(t, testenv.ListenerSASL, groups, group, describe)
	testenv.Eventually(t, "READ of the group is missing", causes(kafkalog.CauseGroupUnauthorised))
	cluster.Allow(t, testenv.ListenerSASL, groups, group, read)
	testenv.Eventually(t, "everything is allowed", causes())

	missing := testenv.UniqueName("missing")
	client = secured{sasl: admin(kafkalog.Plain)}.open(t, broker, topic, missing)
	testenv.Eventually(t, "a topic is missing", causes(kafkalog.CauseTopicMissing))
	if err := client.CheckAccess(t.Context(), group); !strings.Contains(err.Error(), missing) || strings.Contains(err.Error(), topic) {
		t.Errorf("%v should name %s alone", err, missing)
	}
}

// causesOf are the causes of joined errors.
func causesOf(err error) (causes []kafkalog.Cause) {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	for _, e := range joined.Unwrap() {
		if failed, ok := e.(*kafkalog.PreflightError); ok { //nolint:errorlint // as it was joined
			causes = append(causes, failed.Cause)
		} else {
			causes = append(causes, kafkalog.Cause(e.Error()))
		}
	}
	return causes
}
