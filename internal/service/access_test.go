package service_test

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/opshttp"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// With a certificate everything is served by TLS, health without a question;
// an access file that is broken while the service runs only degrades it.
func TestTLSAndTheAccessFile(t *testing.T) {
	t.Parallel()
	authority := testenv.NewAuthority(t)
	pair := authority.Issue(t, testenv.Certificate{})
	key, err := testenv.KeyPEM(pair)
	if err != nil {
		t.Fatal(err)
	}
	s := settingsFor(testenv.Postgres(t), testenv.Redis(t), testenv.Kafka(t)).with("ACCESS_RELOAD_INTERVAL", "100ms")
	dir := t.TempDir()
	put := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const entries = "- {name: console, role: reader, certificate: console}\n"
	tcda := start(t, s.
		with("HTTP_TLS_CERT_FILE", put("cert.pem", string(testenv.CertificatePEM(pair)))).
		with("HTTP_TLS_KEY_FILE", put("key.pem", string(key))).
		with("HTTP_TLS_CLIENT_CA_FILE", put("ca.pem", string(authority.PEM()))).
		with("ACCESS_FILE", put("access.yaml", entries)).load(t))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authority.Pool(), MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	access := func() opshttp.Result { // not OK while the service is not ready
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+tcda.HTTP.String()+"/readyz", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		response, err := (&http.Client{Transport: transport}).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		var report opshttp.Report
		if err := json.NewDecoder(response.Body).Decode(&report); err != nil || response.ProtoMajor != 2 {
			t.Fatalf("readiness by %s: %v", response.Proto, err)
		}
		if response.StatusCode != http.StatusOK {
			return opshttp.Result{}
		}
		return check(report, "access")
	}
	testenv.Eventually(t, "the file is well", func() bool { return access().Status == opshttp.OK })
	put("access.yaml", "- nobody\n")
	testenv.Eventually(t, "the broken file is told", func() bool {
		found := access()
		return found.Status == opshttp.Degraded && strings.Contains(found.Detail, "line 1: must be an entry")
	})
	put("access.yaml", entries)
	testenv.Eventually(t, "the mended file is told", func() bool { return access().Status == opshttp.OK })
}
