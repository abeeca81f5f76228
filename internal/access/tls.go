package access

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
)

// loadTLS reads the certificate of the server and, if wanted, the authorities
// whose clients are known by their certificates. It is nil without a
// certificate.
func loadTLS(cfg Config) (*reloaded[*tls.Config], error) {
	if cfg.CertFile == "" {
		return nil, nil //nolint:nilnil // no TLS
	}
	paths := []string{cfg.CertFile, cfg.KeyFile}
	if cfg.ClientCAFile != "" {
		paths = append(paths, cfg.ClientCAFile)
	}
	return load("http-tls-cert-file, http-tls-key-file, http-tls-client-ca-file", paths, serverTLS)
}

// serverTLS takes a certificate, its key and, third, authorities. A client need
// not have a certificate: it may have a token, and health needs neither.
func serverTLS(pem [][]byte) (*tls.Config, error) {
	pair, err := tls.X509KeyPair(pem[0], pem[1])
	if err != nil {
		return nil, fmt.Errorf("read certificate and key: %w", err)
	}
	secured := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2", "http/1.1"},
		Certificates: []tls.Certificate{pair},
	}
	if len(pem) > 2 {
		secured.ClientCAs = x509.NewCertPool()
		if !secured.ClientCAs.AppendCertsFromPEM(pem[2]) {
			return nil, errors.New("http-tls-client-ca-file holds no PEM certificate")
		}
		secured.ClientAuth = tls.VerifyClientCertIfGiven
		// A session that is taken up again was verified in its time, maybe by
		// authorities that are no longer trusted.
		secured.SessionTicketsDisabled = true
	}
	return secured, nil
}

// Listener is l with TLS, if the configuration has a certificate, else l
// itself. New connections take the certificates that were read last.
func (g *Guard) Listener(l net.Listener) net.Listener {
	if g.tls == nil {
		return l
	}
	return tls.NewListener(l, &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return g.tls.current(), nil
		},
	})
}
