package access_test

import (
	"crypto/tls"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/access"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// secured are the files of a server with TLS.
type secured struct {
	authority *testenv.Authority
	cfg       access.Config
}

func secure(t testing.TB, lines string) *secured {
	t.Helper()
	w := &secured{authority: testenv.NewAuthority(t)}
	dir := t.TempDir()
	w.cfg = access.Config{
		File: file(t, "access.yaml", lines), CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"), ClientCAFile: filepath.Join(dir, "ca.pem"),
	}
	w.issue(t, w.authority)
	put(t, w.cfg.ClientCAFile, string(w.authority.PEM()))
	return w
}

// issue replaces the certificate of the server.
func (w *secured) issue(t testing.TB, by *testenv.Authority) {
	t.Helper()
	pair := by.Issue(t, testenv.Certificate{})
	key, err := testenv.KeyPEM(pair)
	if err != nil {
		t.Fatal(err)
	}
	put(t, w.cfg.CertFile, string(testenv.CertificatePEM(pair)))
	put(t, w.cfg.KeyFile, string(key))
}

// with is a caller that trusts an authority and shows a certificate.
func (s *served) with(t testing.TB, trusted *testenv.Authority, token string, options []connect.ClientOption, certificates ...tls.Certificate) caller {
	t.Helper()
	return caller{s, httpClient(t, &tls.Config{RootCAs: trusted.Pool(), Certificates: certificates, MinVersion: tls.VersionTLS12}, len(options) > 0), token, options}
}

func TestClientCertificates(t *testing.T) {
	t.Parallel()
	token, line := tokenEntry("ci", access.Reader)
	w := secure(t, line+`
- {name: by-common-name, role: coordinator, certificate: coordinator-1}
- {name: by-dns, role: reader, certificate: console.trading.example}
- {name: by-uri, role: operator, certificate: "spiffe://trading/operator"}
- {name: expired, role: operator, certificate: leaver, expires: 2020-01-01T00:00:00Z}
`)
	s := serve(t, w.cfg)
	unknown, _ := access.NewToken()
	for name, c := range map[string]struct {
		shows  *testenv.Certificate
		token  string
		is     string
		code   connect.Code
		reason string
	}{
		"common name":            {shows: &testenv.Certificate{CommonName: "coordinator-1"}, is: "by-common-name is coordinator"},
		"DNS name":               {shows: &testenv.Certificate{Host: "console.trading.example", CommonName: "whoever"}, is: "by-dns is reader"},
		"URI":                    {shows: &testenv.Certificate{URI: "spiffe://trading/operator"}, is: "by-uri is operator"},
		"one name twice":         {shows: &testenv.Certificate{Host: "console.trading.example", CommonName: "console.trading.example"}, is: "by-dns is reader"},
		"no certificate":         {code: connect.CodeUnauthenticated, reason: access.ReasonMissing},
		"token alone":            {token: token, is: "ci is reader"},
		"token and certificate":  {shows: &testenv.Certificate{CommonName: "coordinator-1"}, token: token, is: "ci is reader"},
		"wrong token, right one": {shows: &testenv.Certificate{CommonName: "coordinator-1"}, token: unknown, code: connect.CodeUnauthenticated, reason: access.ReasonUnknown},
		"not listed":             {shows: &testenv.Certificate{CommonName: "stranger"}, code: connect.CodePermissionDenied, reason: access.ReasonNotListed},
		"an entry's name":        {shows: &testenv.Certificate{CommonName: "by-uri"}, code: connect.CodePermissionDenied, reason: access.ReasonNotListed},
		"no name":                {shows: &testenv.Certificate{}, code: connect.CodePermissionDenied, reason: access.ReasonNotListed},
		"two entries":            {shows: &testenv.Certificate{CommonName: "coordinator-1", URI: "spiffe://trading/operator"}, code: connect.CodePermissionDenied, reason: access.ReasonAmbiguous},
		"expired entry":          {shows: &testenv.Certificate{CommonName: "leaver"}, code: connect.CodeUnauthenticated, reason: access.ReasonExpired},
	} {
		for _, options := range [][]connect.ClientOption{nil, {connect.WithGRPC()}} {
			var certificates []tls.Certificate
			if c.shows != nil {
				certificates = append(certificates, w.authority.Issue(t, *c.shows))
			}
			got, err := s.with(t, w.authority, c.token, options, certificates...).call(t, read)
			if c.is != "" && (err != nil || got != c.is) {
				t.Errorf("%s: %q, %v; want %q", name, got, err, c.is)
			} else if c.is == "" {
				refused(t, err, c.code, c.reason)
			}
		}
	}
	// These do not come through the handshake, of whose end a client may learn
	// late and in many words.
	for name, certificate := range map[string]tls.Certificate{
		"of another authority": testenv.NewAuthority(t).Issue(t, testenv.Certificate{CommonName: "coordinator-1"}),
		"expired":              w.authority.Issue(t, testenv.Certificate{CommonName: "coordinator-1", Expired: time.Minute}),
	} {
		client := s.with(t, w.authority, "", nil, certificate)
		if name == "of another authority" { // a client of its own accord would not send it
			client.client = httpClient(t, &tls.Config{RootCAs: w.authority.Pool(), MinVersion: tls.VersionTLS12, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &certificate, nil }}, false)
		}
		s := serve(t, w.cfg)
		client.server = s
		if _, err := client.call(t, read); err == nil || errorInfo(err) != nil {
			t.Errorf("%s: %v", name, err)
		}
		testenv.Eventually(t, "the server says why", func() bool { return strings.Contains(s.logs.String(), "tls: failed to verify certificate") })
	}
}

// A certificate that expires while its connection lasts lets nobody in any more.
func TestACertificateExpiresOnItsConnection(t *testing.T) {
	t.Parallel()
	w, now := secure(t, "- {name: a, role: reader, certificate: coordinator-1}\n"), newClock()
	w.cfg.Now = now.now
	s := serve(t, w.cfg)
	client := s.with(t, w.authority, "", nil, w.authority.Issue(t, testenv.Certificate{CommonName: "coordinator-1"}))
	if _, err := client.call(t, read); err != nil {
		t.Fatal(err)
	}
	now.advance(48 * time.Hour)
	_, err := client.call(t, read)
	refused(t, err, connect.CodeUnauthenticated, access.ReasonExpired)
}

// A browser shows its user's certificate to whatever page asks, so that a page
// of another site may not write with it; who sends a token means it.
func TestCertificatesInABrowser(t *testing.T) {
	t.Parallel()
	token, line := tokenEntry("ann", access.Operator)
	w := secure(t, line+"- {name: browser, role: operator, certificate: ann}\n")
	s := serve(t, w.cfg)
	certificate := w.authority.Issue(t, testenv.Certificate{CommonName: "ann"})
	for _, c := range []struct {
		token, site string
		allowed     bool
	}{{"", "cross-site", false}, {"", "same-origin", true}, {token, "cross-site", true}} {
		client := s.with(t, w.authority, c.token, nil, certificate)
		request := client.request()
		request.Header().Set("Sec-Fetch-Site", c.site)
		_, err := connect.NewClient[emptypb.Empty, wrapperspb.StringValue](client.client, s.url+write).CallUnary(t.Context(), request)
		if c.allowed && err != nil {
			t.Errorf("%+v: %v", c, err)
		} else if !c.allowed {
			refused(t, err, connect.CodePermissionDenied, access.ReasonCrossOrigin)
		}
	}
}

func TestCertificatesAreReadAgain(t *testing.T) {
	t.Parallel()
	w := secure(t, "- {name: a, role: reader, certificate: coordinator-1}\n")
	s := serve(t, w.cfg)
	next := testenv.NewAuthority(t)
	calls := func(by *testenv.Authority) error {
		_, err := s.with(t, by, "", nil, by.Issue(t, testenv.Certificate{CommonName: "coordinator-1"})).call(t, read)
		return err
	}
	if err := calls(w.authority); err != nil {
		t.Fatal(err)
	}
	put(t, w.cfg.CertFile, "no certificate")
	s.guard.Reload()
	if err := calls(w.authority); err != nil {
		t.Errorf("the old certificate holds no more: %v", err)
	}
	if err := s.guard.Current(t.Context()); err == nil || !strings.Contains(err.Error(), "http-tls-cert-file") {
		t.Errorf("current is %v", err)
	}
	w.issue(t, next)
	put(t, w.cfg.ClientCAFile, string(next.PEM()))
	s.guard.Reload()
	if err := calls(next); err != nil || s.guard.Current(t.Context()) != nil {
		t.Errorf("with the new certificates: %v, %v", err, s.guard.Current(t.Context()))
	}
	if err := calls(w.authority); err == nil {
		t.Error("the old authority is still trusted")
	}
}

func TestTLSWithoutClientCertificates(t *testing.T) {
	t.Parallel()
	token, line := tokenEntry("ci", access.Reader)
	w := secure(t, line)
	w.cfg.ClientCAFile = ""
	s := serve(t, w.cfg)
	client := s.with(t, w.authority, token, []connect.ClientOption{connect.WithGRPC()}, w.authority.Issue(t, testenv.Certificate{CommonName: "x"}))
	if got, err := client.call(t, read); err != nil || got != "ci is reader" {
		t.Errorf("%q, %v", got, err)
	}
	client.token = ""
	_, err := client.call(t, read)
	refused(t, err, connect.CodeUnauthenticated, access.ReasonMissing)
}

// Nothing is accepted that is neither a key pair nor an authority.
func TestTLSFilesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	w := secure(t, "- {name: a, role: reader, certificate: c}\n")
	other := testenv.NewAuthority(t).Issue(t, testenv.Certificate{})
	key, err := testenv.KeyPEM(other)
	if err != nil {
		t.Fatal(err)
	}
	for says, change := range map[string]func(*access.Config){
		"read certificate and key: ":                       func(c *access.Config) { c.KeyFile = file(t, "key.pem", string(key)) },
		"http-tls-client-ca-file holds no PEM certificate": func(c *access.Config) { c.ClientCAFile = c.KeyFile },
	} {
		cfg := w.cfg
		change(&cfg)
		if _, err := access.Open(cfg); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("error is %v, want %q", err, says)
		}
	}
}
