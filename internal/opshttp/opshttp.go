// Package opshttp serves what those who run the service need over HTTP:
//
//	/metrics         Prometheus metrics
//	/livez           200 while the process can answer at all
//	/readyz          200 while it can do its work, 503 when it cannot
//	/api/v1/health   as /livez, the ecosystem's path
//	/api/v1/ready    as /readyz, the ecosystem's path
//	/debug/pprof/    profiles, for callers on the same machine
//
// Readiness is a list of named checks. One that fails and is critical makes
// the service unavailable; any other only degrades it: tcda is ready while
// Redis is down. The package does not know what is checked.
package opshttp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/rs/zerolog"
)

// Server answers on one listener. Make it with New, then Run.
type Server struct {
	server *http.Server
	mux    *http.ServeMux
	checks []Check
}

// New describes a server of the metrics in gatherer and of checks, which are
// asked anew for every request.
func New(gatherer prometheus.Gatherer, checks []Check, log zerolog.Logger) *Server {
	mux := http.NewServeMux()
	s := &Server{mux: mux, checks: checks}
	errorLog := logWriter{log}
	mux.Handle("GET /metrics", promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, // what can be gathered is worth more than nothing
		ErrorLog:      errorLog,
	}))
	for _, path := range []string{"/livez", "/api/v1/health"} {
		mux.HandleFunc("GET "+path, s.live)
	}
	for _, path := range []string{"/readyz", "/api/v1/ready"} {
		mux.HandleFunc("GET "+path, s.ready)
	}
	mux.Handle("GET /debug/pprof/", profiling())
	s.server = &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          errorLog.standard(),
	}
	return s
}

// Mount serves everything else by h; before Run. With cleartext the server
// speaks HTTP/2 also where there is no TLS, which gRPC needs.
func (s *Server) Mount(h http.Handler, cleartext bool) {
	s.mux.Handle("/", h)
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(cleartext)
	s.server.Protocols = protocols
}

// Run answers requests on listener until ctx ends, then lets those in hand
// finish for at most grace. It closes the listener.
func (s *Server) Run(ctx context.Context, listener net.Listener, grace time.Duration) error {
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(listener) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	err := s.server.Shutdown(bounded)
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.Join(err, s.server.Close())
	}
	if end := <-served; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, end)
	}
	if err != nil {
		return fmt.Errorf("stop HTTP server: %w", err)
	}
	return nil
}
