package opshttp_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/opshttp"
)

// FuzzRequest sends any bytes as a request: an answer that is one of HTTP's,
// or a closed connection; and the next request of somebody else is answered.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /readyz?verbose=1&x=%00 HTTP/1.1\r\nHost: a\r\n\r\n",
		"HEAD /api/v1/ready HTTP/1.1\r\nHost: a\r\n\r\n",
		"POST /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999\r\n\r\n",
		"GET /metrics?name[]=%zz HTTP/1.1\r\nHost: a\r\nAccept: */*;q=0\r\nAccept-Encoding: gzip\r\n\r\n",
		"GET /debug/pprof/../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /debug/pprof/goroutine?debug=2147483648 HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET http://169.254.169.254/livez HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET //livez HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /livez HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"GET /livez HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 70_000) + "\r\n\r\n",
		"\x16\x03\x01\x02\x00", "\r\n\r\n", "GET", "",
	} {
		f.Add([]byte(seed))
	}
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- opshttp.New(prometheus.NewRegistry(), []opshttp.Check{{Name: "odd", Probe: func(context.Context) error { return errors.New("\x1b[2J\"}") }}}, zerolog.Nop()).
			Run(ctx, listener, time.Second)
	}()
	f.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			f.Errorf("run: %v", err)
		}
	})
	f.Fuzz(func(t *testing.T, request []byte) {
		if strings.Contains(string(request), "pprof/profile") || strings.Contains(string(request), "pprof/trace") {
			return // these take as many seconds as they are asked for
		}
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(request); err == nil {
			_ = conn.(*net.TCPConn).CloseWrite()
			if response, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
				if response.StatusCode < 100 || response.StatusCode > 599 {
					t.Errorf("status %d", response.StatusCode)
				}
				_ = response.Body.Close()
			}
		}
		_ = conn.Close()
		a, err := ask(t.Context(), "http://"+listener.Addr().String()+"/readyz")
		var report opshttp.Report
		if err != nil || a.code != http.StatusOK || json.Unmarshal(a.body, &report) != nil || report.Status != opshttp.Degraded {
			t.Fatalf("the next request: %+v, error %v", a, err)
		}
	})
}
