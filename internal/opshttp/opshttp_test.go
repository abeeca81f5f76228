package opshttp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/opshttp"
)

func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// serve runs a server until the test ends and returns its address as a URL.
func serve(t *testing.T, gatherer prometheus.Gatherer, checks ...opshttp.Check) string {
	t.Helper()
	listener := listen(t)
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 1)
	go func() {
		stopped <- opshttp.New(gatherer, checks, zerolog.Nop()).Run(ctx, listener, 10*time.Second)
	}()
	t.Cleanup(func() {
		stop()
		if err := <-stopped; err != nil {
			t.Errorf("run: %v", err)
		}
	})
	return "http://" + listener.Addr().String()
}

type answer struct {
	code int
	kind string
	body []byte
}

func get(t *testing.T, url string, change ...func(*http.Request)) answer {
	t.Helper()
	a, err := ask(t.Context(), url, change...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// ask is get for goroutines other than the test's own.
func ask(ctx context.Context, url string, change ...func(*http.Request)) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return answer{}, err
	}
	for _, c := range change {
		c(request)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header.Get("Content-Type"), body}, err
}

func (a answer) report(t *testing.T) opshttp.Report {
	t.Helper()
	var r opshttp.Report
	if err := json.Unmarshal(a.body, &r); err != nil {
		t.Fatalf("body %q: %v", a.body, err)
	}
	return r
}

func well(context.Context) error { return nil }

func down(context.Context) error { return errors.New("connection refused") }

// hung waits longer than anyone asks it to.
func hung(forever <-chan struct{}) func(context.Context) error {
	return func(context.Context) error {
		<-forever
		return nil
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	forever := make(chan struct{})
	t.Cleanup(func() { close(forever) })
	postgres := opshttp.Check{Name: "postgres", Critical: true, Probe: well}
	for name, tc := range map[string]struct {
		checks []opshttp.Check
		code   int
		want   opshttp.Report
	}{
		"no checks": {nil, http.StatusOK, opshttp.Report{Status: opshttp.OK, Checks: []opshttp.Result{}}},
		"all well": {
			[]opshttp.Check{postgres, {Name: "redis", Probe: well}},
			http.StatusOK,
			opshttp.Report{Status: opshttp.OK, Checks: []opshttp.Result{{Name: "postgres", Status: opshttp.OK}, {Name: "redis", Status: opshttp.OK}}},
		},
		"ready while Redis is down": {
			[]opshttp.Check{postgres, {Name: "redis", Probe: down}},
			http.StatusOK,
			opshttp.Report{Status: opshttp.Degraded, Checks: []opshttp.Result{
				{Name: "postgres", Status: opshttp.OK},
				{Name: "redis", Status: opshttp.Degraded, Detail: "connection refused"},
			}},
		},
		"unavailable outweighs degraded, in any order": {
			[]opshttp.Check{{Name: "kafka", Critical: true, Probe: down}, {Name: "redis", Probe: down}, postgres},
			http.StatusServiceUnavailable,
			opshttp.Report{Status: opshttp.Unavailable, Checks: []opshttp.Result{
				{Name: "kafka", Status: opshttp.Unavailable, Detail: "connection refused"},
				{Name: "redis", Status: opshttp.Degraded, Detail: "connection refused"},
				{Name: "postgres", Status: opshttp.OK},
			}},
		},
		"a probe that ignores its context": {
			[]opshttp.Check{{Name: "kafka", Critical: true, Timeout: time.Millisecond, Probe: hung(forever)}},
			http.StatusServiceUnavailable,
			opshttp.Report{Status: opshttp.Unavailable, Checks: []opshttp.Result{
				{Name: "kafka", Status: opshttp.Unavailable, Detail: "no answer within 1ms"},
			}},
		},
		"a probe that panics": {
			[]opshttp.Check{{Name: "redis", Probe: func(context.Context) error { panic("nil client") }}},
			http.StatusOK,
			opshttp.Report{Status: opshttp.Degraded, Checks: []opshttp.Result{
				{Name: "redis", Status: opshttp.Degraded, Detail: "check panicked: nil client"},
			}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := serve(t, prometheus.NewRegistry(), tc.checks...)
			for _, path := range []string{"/readyz", "/api/v1/ready"} {
				got := get(t, url+path)
				if got.code != tc.code || got.kind != "application/json" {
					t.Errorf("%s: code %d, content type %s; want %d and JSON", path, got.code, got.kind, tc.code)
				}
				if diff := cmp.Diff(tc.want, got.report(t)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", path, diff)
				}
			}
		})
	}
}

// A process is not to be killed because its database is away.
func TestLivenessAsksNoCheck(t *testing.T) {
	t.Parallel()
	url := serve(t, prometheus.NewRegistry(), opshttp.Check{Name: "postgres", Critical: true, Probe: down})
	for _, path := range []string{"/livez", "/api/v1/health"} {
		got := get(t, url+path)
		if got.code != http.StatusOK || got.report(t).Status != opshttp.OK {
			t.Errorf("%s: code %d, body %s; want 200 and ok", path, got.code, got.body)
		}
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "seen_total", Help: "Seen."})
	registry.MustRegister(counter)
	counter.Add(7)
	got := get(t, serve(t, registry)+"/metrics")
	if got.code != http.StatusOK || !bytes.Contains(got.body, []byte("\nseen_total 7\n")) {
		t.Errorf("code %d:\n%s", got.code, got.body)
	}
}

// broken is a collector that reports an error and nothing else.
type broken struct{}

func (broken) Describe(chan<- *prometheus.Desc) {}
func (broken) Collect(metrics chan<- prometheus.Metric) {
	metrics <- prometheus.NewInvalidMetric(prometheus.NewDesc("broken", "Broken.", nil, nil), errors.New("lost\x1b[2J"))
}

func TestTroubleWithMetricsIsLogged(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	registry.MustRegister(broken{}, prometheus.NewGauge(prometheus.GaugeOpts{Name: "other", Help: "Other."}))
	lines := make(chan string, 16)
	listener := listen(t)
	ctx, stop := context.WithCancel(t.Context())
	stopped := make(chan error, 1)
	go func() {
		stopped <- opshttp.New(registry, nil, zerolog.New(writer(lines))).Run(ctx, listener, 10*time.Second)
	}()
	got := get(t, "http://"+listener.Addr().String()+"/metrics")
	if !bytes.Contains(got.body, []byte("\nother 0\n")) {
		t.Errorf("one broken metric hides the others: code %d, body\n%s", got.code, got.body)
	}
	stop()
	if err := <-stopped; err != nil {
		t.Errorf("run: %v", err)
	}
	select {
	case line := <-lines:
		if !strings.Contains(line, "lost") || !strings.Contains(line, `"level":"warn"`) || strings.Count(line, "\n") != 1 {
			t.Errorf("logged %q, want one line with the error", line)
		}
	default:
		t.Error("nothing logged")
	}
}

type writer chan<- string

func (w writer) Write(line []byte) (int, error) {
	w <- string(line)
	return len(line), nil
}

func TestProfilesAreForTheSameMachine(t *testing.T) {
	t.Parallel()
	url := serve(t, prometheus.NewRegistry())
	if got := get(t, url+"/debug/pprof/goroutine?debug=1"); got.code != http.StatusOK || !bytes.Contains(got.body, []byte("goroutine profile")) {
		t.Errorf("asked from this machine: code %d, want a profile", got.code)
	}
	proxied := func(r *http.Request) { r.Host = "tcda.example.com" }
	if got := get(t, url+"/debug/pprof/goroutine", proxied); got.code != http.StatusNotFound {
		t.Errorf("asked through a proxy: code %d, want 404", got.code)
	}
}

func TestOtherPathsAndMethods(t *testing.T) {
	t.Parallel()
	url := serve(t, prometheus.NewRegistry())
	if got := get(t, url+"/"); got.code != http.StatusNotFound {
		t.Errorf("GET /: code %d, want 404", got.code)
	}
	post := func(r *http.Request) { r.Method = http.MethodPost }
	if got := get(t, url+"/readyz", post); got.code != http.StatusMethodNotAllowed {
		t.Errorf("POST /readyz: code %d, want 405", got.code)
	}
}

// A request in hand when the stop comes is answered.
func TestStopIsGraceful(t *testing.T) {
	t.Parallel()
	s := stopWithRequestInHand(t, time.Minute)
	for dialable(t, s.address) { // until the listener is closed, which is when the stop has begun
		continue
	}
	close(s.release)
	if err := <-s.answered; err != nil {
		t.Errorf("the request in hand was not answered: %v", err)
	}
	if err := <-s.stopped; err != nil {
		t.Errorf("run: %v", err)
	}
}

// A request that does not end is cut when the grace is over.
func TestStopIsBounded(t *testing.T) {
	t.Parallel()
	s := stopWithRequestInHand(t, time.Millisecond)
	defer close(s.release)
	if err := <-s.stopped; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("run: %v, want that the grace was exceeded", err)
	}
	if err := <-s.answered; err == nil {
		t.Error("the stuck request was answered")
	}
}

// stopping is a server that was told to stop while it had a request in hand.
type stopping struct {
	address  net.Addr
	release  chan struct{} // closed by the test: lets the request go on
	answered chan error    // what became of it
	stopped  chan error    // what Run returned
}

func stopWithRequestInHand(t *testing.T, grace time.Duration) stopping {
	t.Helper()
	listener := listen(t)
	s := stopping{address: listener.Addr(), release: make(chan struct{}), answered: make(chan error, 1), stopped: make(chan error, 1)}
	asked := make(chan struct{})
	check := opshttp.Check{Name: "slow", Timeout: time.Minute, Probe: func(context.Context) error {
		close(asked)
		<-s.release
		return nil
	}}
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		s.stopped <- opshttp.New(prometheus.NewRegistry(), []opshttp.Check{check}, zerolog.Nop()).Run(ctx, listener, grace)
	}()
	go func() {
		got, err := ask(context.WithoutCancel(ctx), "http://"+s.address.String()+"/readyz")
		if err == nil && got.code != http.StatusOK {
			err = fmt.Errorf("code %d", got.code)
		}
		s.answered <- err
	}()
	<-asked
	stop()
	return s
}

func TestListenerThatIsClosed(t *testing.T) {
	t.Parallel()
	listener := listen(t)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	err := opshttp.New(prometheus.NewRegistry(), nil, zerolog.Nop()).Run(t.Context(), listener, time.Second)
	if !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v, want net.ErrClosed", err)
	}
}

func dialable(t *testing.T, address net.Addr) bool {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), address.Network(), address.String())
	if err != nil {
		return false
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	return true
}
