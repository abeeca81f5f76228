package access_test

import (
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/access"
)

func TestOnLoopbackNobodyIsAsked(t *testing.T) {
	t.Parallel()
	s := serve(t, access.Config{})
	for _, procedure := range []string{read, write, operate} {
		if got, err := s.by(t, "").call(t, procedure); err != nil || got != "anonymous is operator" {
			t.Errorf("%s: %q, %v", procedure, got, err)
		}
	}
	_, err := s.by(t, "").call(t, unruled) // not even an operator
	refused(t, err, connect.CodePermissionDenied, access.ReasonNoRule)
	if !strings.Contains(s.logs.String(), `"level":"warn"`) || !strings.Contains(s.logs.String(), "everybody on this machine is an operator. Set access-file") {
		t.Errorf("the start says\n%s", s.logs)
	}
}

// A page in a browser of this machine is not this machine's owner.
func TestOnLoopbackStrangersAreRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, access.Config{})
	port := s.url[strings.LastIndex(s.url, ":"):]
	for name, c := range map[string]struct {
		headers []string
		reason  string // empty: let in
	}{
		"localhost":             {[]string{"Host", "localhost" + port}, ""},
		"without a port":        {[]string{"Host", "LOCALHOST"}, ""},
		"IPv6":                  {[]string{"Host", "[::1]" + port}, ""},
		"IPv6 without a port":   {[]string{"Host", "[::1]"}, ""},
		"another loopback":      {[]string{"Host", "127.1.2.3" + port}, ""},
		"a name that leads us":  {[]string{"Host", "rebound.example" + port}, access.ReasonNotLocal},
		"a name like it":        {[]string{"Host", "localhost.example"}, access.ReasonNotLocal},
		"an address like it":    {[]string{"Host", "127.0.0.1.example"}, access.ReasonNotLocal},
		"another address":       {[]string{"Host", "10.0.0.1" + port}, access.ReasonNotLocal},
		"a proxy":               {[]string{"X-Forwarded-For", "10.0.0.1"}, access.ReasonNotLocal},
		"a proxy by RFC 7239":   {[]string{"Forwarded", "for=10.0.0.1"}, access.ReasonNotLocal},
		"another proxy":         {[]string{"X-Real-IP", "10.0.0.1"}, access.ReasonNotLocal},
		"a page elsewhere":      {[]string{"Origin", "https://example.com"}, access.ReasonCrossOrigin},
		"a page that says so":   {[]string{"Sec-Fetch-Site", "cross-site"}, access.ReasonCrossOrigin},
		"a page of ours":        {[]string{"Sec-Fetch-Site", "same-origin"}, ""},
		"a page on another one": {[]string{"Origin", "http://localhost:1"}, access.ReasonCrossOrigin},
	} {
		a := send(t, s, "POST", write, c.headers...)
		switch {
		case c.reason == "" && a.status != http.StatusOK:
			t.Errorf("%s: %+v", name, a)
		case c.reason != "" && (a.status != http.StatusForbidden || a.reason(t) != c.reason):
			t.Errorf("%s: got %+v, want %s", name, a, c.reason)
		}
	}
}

// Elsewhere the API is closed as long as nobody has said who may call it;
// health is not.
func TestElsewhereTheAPIIsClosed(t *testing.T) {
	t.Parallel()
	for _, at := range []net.Addr{
		&net.TCPAddr{IP: net.IPv6zero, Port: 8080}, &net.TCPAddr{IP: net.IPv4zero, Port: 8080}, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 8080},
		&net.TCPAddr{Port: 8080}, &net.UnixAddr{Net: "unix", Name: "/run/tcda"},
	} {
		s := serve(t, access.Config{}, at)
		_, err := s.by(t, "").call(t, read)
		for _, says := range []string{refused(t, err, connect.CodePermissionDenied, access.ReasonNotConfigured), s.logs.String()} {
			if !strings.Contains(says, "access-file") || !strings.Contains(says, "http-listen") || !strings.Contains(says, at.String()) {
				t.Errorf("%s: %s", at, says)
			}
		}
		if a := send(t, s, "GET", "/docs/"); a.status != http.StatusForbidden {
			t.Errorf("%s: page: %+v", at, a)
		}
		if a := send(t, s, "POST", "/grpc.health.v1.Health/Check"); a.status != http.StatusOK {
			t.Errorf("%s: health: %+v", at, a)
		}
	}
}

func TestClearTextIsWarnedOf(t *testing.T) {
	t.Parallel()
	_, line := tokenEntry("ci", access.Reader)
	path := file(t, "access.yaml", line)
	for at, want := range map[net.Addr]bool{&net.TCPAddr{IP: net.IPv4zero}: true, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}: false} {
		if s := serve(t, access.Config{File: path}, at); strings.Contains(s.logs.String(), "clear text: set http-tls-cert-file") != want {
			t.Errorf("on %s the log says\n%s", at, s.logs)
		}
	}
}

func TestCertificatesThatNobodyCanShowAreWarnedOf(t *testing.T) {
	t.Parallel()
	const says = "which nobody can show: set http-tls-client-ca-file"
	w := secure(t, "- {name: a, role: reader, certificate: c}\n")
	if s := serve(t, w.cfg); strings.Contains(s.logs.String(), says) {
		t.Errorf("with authorities the log says\n%s", s.logs)
	}
	w.cfg.ClientCAFile = ""
	if s := serve(t, w.cfg); !strings.Contains(s.logs.String(), says) {
		t.Errorf("without authorities the log says\n%s", s.logs)
	}
	if s := serve(t, access.Config{File: w.cfg.File}); !strings.Contains(s.logs.String(), says) {
		t.Errorf("without TLS the log says\n%s", s.logs)
	}
}

func TestWhatCannotBeUsedIsRefused(t *testing.T) {
	t.Parallel()
	nowhere := filepath.Join(t.TempDir(), "none")
	for says, cfg := range map[string]access.Config{
		"access-file " + nowhere:   {File: nowhere},
		"line 1: must be an entry": {File: file(t, "access.yaml", "- x")},
		"http-tls-cert-file":       {CertFile: nowhere, KeyFile: nowhere},
	} {
		if _, err := access.Open(cfg); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("error is %v, want %q", err, says)
		}
	}
}
