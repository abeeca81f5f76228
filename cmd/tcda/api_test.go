package main

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"connectrpc.com/connect"
	"github.com/alecthomas/kong"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/api"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/api/apitest"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/testenv"
)

// caller is tcda with an API to call.
type caller struct {
	testing.TB
	env map[string]string
}

func callerOf(t testing.TB, url string) *caller {
	t.Helper()
	return &caller{TB: t, env: map[string]string{"TEST_COORDINATOR_ADAPTER_API": url}}
}

// calls is tcda with the real API on a database of its own.
func calls(t testing.TB, change ...func(*api.Parts)) (*caller, *apitest.World) {
	t.Helper()
	w := apitest.Serve(t, change...)
	return callerOf(t, w.URL), w
}

// tcda runs the program and returns what it printed; it must exit with want.
func (c *caller) tcda(want int, args ...string) (stdout, stderr string) {
	c.Helper()
	var out, err strings.Builder
	code := run(c.Context(), args, c.lookup, console{in: strings.NewReader(""), out: &out, err: &err})
	if code != want {
		c.Fatalf("tcda %s: exit code %d, want %d\n%s%s", strings.Join(args, " "), code, want, &out, &err)
	}
	return out.String(), err.String()
}

func (c *caller) lookup(name string) (string, bool) {
	value, ok := c.env[name]
	return value, ok
}

// shows runs the program, which must print all of these to the standard output.
func (c *caller) shows(want []string, args ...string) {
	c.Helper()
	stdout, _ := c.tcda(0, args...)
	for _, w := range want {
		if !strings.Contains(stdout, w) {
			c.Errorf("tcda %s lacks %q:\n%s", strings.Join(args, " "), w, stdout)
		}
	}
}

// fails runs the program, which must exit so and say all of these in one line.
func (c *caller) fails(code int, want []string, args ...string) {
	c.Helper()
	stdout, stderr := c.tcda(code, args...)
	for _, w := range want {
		if !strings.Contains(stderr, w) {
			c.Errorf("tcda %s does not say %q: %s", strings.Join(args, " "), w, stderr)
		}
	}
	if stdout != "" || strings.Count(stderr, "\n") != 1 {
		c.Errorf("tcda %s: want one line of error and nothing else: %s%s", strings.Join(args, " "), stdout, stderr)
	}
}

// answer runs the program with --json and reads the answer.
func answer[M any](c *caller, want int, args ...string) *M {
	c.Helper()
	stdout, _ := c.tcda(want, append(args, "--json")...)
	m := new(M)
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal([]byte(stdout), any(m).(proto.Message)); err != nil {
		c.Fatalf("tcda %s --json: %v\n%s", strings.Join(args, " "), err, stdout)
	}
	return m
}

func TestCommandsOfTheAPIExplainThemselves(t *testing.T) {
	t.Parallel()
	parser, err := kong.New(&commandLine{}, kong.Exit(func(int) {}))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, leaf := range parser.Model.Leaves(true) {
		if !callsAPI(leaf) {
			continue
		}
		found++
		var words []string
		for n := leaf; n.Parent != nil; n = n.Parent {
			words = append([]string{n.Name}, words...)
		}
		code, stdout, stderr := tcda(t, nil, "", append(words, "--help")...)
		if code != 0 || !strings.Contains(stdout, "Exit codes: 0 ") || !strings.Contains(stdout, "$TEST_COORDINATOR_ADAPTER_API)") || strings.Contains(stdout, "kafka") {
			t.Errorf("%v --help: exit code %d\n%s%s", words, code, stdout, stderr)
		}
	}
	if found < 50 {
		t.Errorf("commands that call the API: %d", found)
	}
}

func TestConfigPrintIsOfTheServiceAlone(t *testing.T) {
	t.Parallel()
	code, stdout, _ := tcda(t, map[string]string{"TEST_COORDINATOR_ADAPTER_API": "http://elsewhere:1", "TEST_COORDINATOR_ADAPTER_API_TOKEN": "hunter2"}, "", "config", "print")
	if code != 0 || strings.Contains(stdout, "elsewhere") || strings.Contains(stdout, "hunter2") {
		t.Errorf("exit code %d\n%s", code, stdout)
	}
}

func TestAnAPIThatIsNotThere(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	c := callerOf(t, closed.URL)
	c.fails(exitFailed, []string{"cannot reach the API at " + closed.URL, "is tcda serve running there?", "$TEST_COORDINATOR_ADAPTER_API"}, "locks", "list")
	c.fails(exitFailed, []string{"cannot reach the API"}, "executions", "watch", "exec-1")
	if _, stderr := c.tcda(exitFailed, "ops", "kill-switch", "engage", "--reason=x"); strings.Contains(stderr, "--request-id") {
		t.Errorf("nothing was sent, and nothing is to be repeated: %s", stderr)
	}

	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	callerOf(t, other.URL).fails(exitFailed, []string{"what answers at " + other.URL + " does not speak this API", "see --api"}, "locks", "list")

	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // or the server does not notice that the caller has gone
		<-r.Context().Done()
	}))
	t.Cleanup(slow.Close)
	callerOf(t, slow.URL).fails(exitFailed, []string{"no answer from the API at " + slow.URL + " within 50ms", "repeat the command with --request-id=again"},
		"ops", "kill-switch", "engage", "--reason=x", "--timeout=50ms", "--request-id=again")
}

func TestSettingsOfTheConnection(t *testing.T) {
	t.Parallel()
	empty := inFile(t, "empty", "\n")
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no URL":             {[]string{"--api=localhost:8080"}, `api = "REDACTED": must be a URL`},
		"another scheme":     {[]string{"--api=ftp://h"}, "must be a URL like http://localhost:8080"},
		"certificates":       {[]string{"--ca-file=" + empty}, "must be https:// when certificates are given"},
		"no certificates":    {[]string{"--api=https://h", "--ca-file=" + empty}, "must hold PEM certificates"},
		"no file":            {[]string{"--api=https://h", "--ca-file=/nonexistent"}, "must name a readable file"},
		"half a pair":        {[]string{"--api=https://h", "--key-file=x"}, "must be given together with cert-file"},
		"no pair":            {[]string{"--api=https://h", "--key-file=" + empty, "--cert-file=" + empty}, "must be the PEM certificate of key-file"},
		"an empty token":     {[]string{"--token-file=" + empty}, "must hold a token"},
		"no token file":      {[]string{"--token-file=/nonexistent"}, "must name a readable file"},
		"two tokens":         {[]string{"--token=a", "--token-file=" + inFile(t, "t", "b")}, "must not be given together with token"},
		"no time":            {[]string{"--timeout=0s"}, "must be more than 0s"},
		"a timeout of words": {[]string{"--timeout=soon"}, "expected duration"},
		"a negative limit":   {[]string{"--limit=-1"}, "--limit=-1: must be 0 or more"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := tcda(t, nil, "", append([]string{"locks", "list"}, c.args...)...)
			if code != exitUsage || !strings.Contains(stderr, c.want) || stdout != "" {
				t.Errorf("exit code %d, want %q: %s%s", code, c.want, stdout, stderr)
			}
		})
	}
}

// The token goes with calls and streams; the certificate of the service is that
// of an authority that was named.
func TestTokensAndTLS(t *testing.T) {
	t.Parallel()
	w := apitest.Serve(t)
	var bare atomic.Int64
	guarded := http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer s3cret" {
			bare.Add(1)
			_ = connect.NewErrorWriter().Write(out, r, connect.NewError(connect.CodeUnauthenticated, errors.New("who calls?")))
			return
		}
		w.Handler.ServeHTTP(out, r)
	})
	authority := testenv.NewAuthority(t)
	server := httptest.NewUnstartedServer(guarded)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{authority.Issue(t, testenv.Certificate{CommonName: "tcda"})}, ClientCAs: authority.Pool(), ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13}
	server.StartTLS()
	t.Cleanup(server.Close)
	mine := authority.Issue(t, testenv.Certificate{CommonName: "ada"})
	key, err := testenv.KeyPEM(mine)
	if err != nil {
		t.Fatal(err)
	}

	c := callerOf(t, server.URL)
	c.fails(exitFailed, []string{"certificate"}, "locks", "list")
	c.env["TEST_COORDINATOR_ADAPTER_API_CA_FILE"] = inFile(t, "ca.pem", string(authority.PEM()))
	c.fails(exitFailed, []string{"certificate"}, "locks", "list")
	c.env["TEST_COORDINATOR_ADAPTER_API_CERT_FILE"] = inFile(t, "mine.pem", string(testenv.CertificatePEM(mine)))
	c.env["TEST_COORDINATOR_ADAPTER_API_KEY_FILE"] = inFile(t, "mine.key", string(key))
	c.fails(exitFailed, []string{"who calls?", "--token-file"}, "locks", "list")
	c.fails(exitFailed, []string{"who calls?", "--token-file"}, "executions", "watch", "exec-1")
	refused := bare.Load()
	c.tcda(0, "locks", "list", "--token-file="+inFile(t, "token", "s3cret\n"))
	c.env["TEST_COORDINATOR_ADAPTER_API_TOKEN"] = "s3cret"
	c.tcda(0, "locks", "list")
	if _, stderr := c.tcda(exitUsage, "executions", "watch", "x y"); strings.Contains(stderr, "who calls?") {
		t.Errorf("a stream went without its token: %s", stderr)
	}
	if bare.Load() != refused {
		t.Error("a call went without its token")
	}
}

func TestListsGoByPages(t *testing.T) {
	t.Parallel()
	c, _ := calls(t)
	for n := range 7 {
		c.tcda(0, "locks", "acquire", fmt.Sprintf("lock-%d", n), "--holder=a")
	}
	stdout, stderr := c.tcda(0, "locks", "list", "--limit=3")
	if strings.Count(stdout, "lock-") != 3 || !strings.Contains(stderr, "there are more: add --page-token=") {
		t.Errorf("three of seven:\n%s%s", stdout, stderr)
	}
	rest := strings.Fields(stderr)[4]
	stdout, stderr = c.tcda(0, "locks", "list", rest)
	if strings.Count(stdout, "lock-") != 4 || !strings.Contains(stdout, "lock-6") || stderr != "" {
		t.Errorf("the other four:\n%s%s", stdout, stderr)
	}
	if all := answer[contract.ListLocksResponse](c, 0, "locks", "list", "--limit=0"); len(all.GetLocks()) != 7 || all.GetNextPageToken() != "" {
		t.Errorf("all: %v", all)
	}
	c.fails(exitUsage, []string{"page_token"}, "locks", "list", "--page-token=nonsense")
}

// Pages may be short, or empty, and not the last.
func TestShortPagesAreNotTheEnd(t *testing.T) {
	t.Parallel()
	pages := [][]string{{"a"}, {}, {"b", "c"}, {}}
	c := scripted(t, &scriptedExecutions{list: func(r *contract.ListExecutionsRequest) (*contract.ListExecutionsResponse, error) {
		n := 0
		_, _ = fmt.Sscan(r.GetPageToken(), &n)
		page := &contract.ListExecutionsResponse{}
		for _, id := range pages[n] {
			page.Executions = append(page.Executions, &contract.Execution{ExecutionId: id, Run: 1, Status: "passed"})
		}
		if n+1 < len(pages) {
			page.NextPageToken = fmt.Sprint(n + 1)
		}
		return page, nil
	}})
	if got := answer[contract.ListExecutionsResponse](c, 0, "executions", "list"); len(got.GetExecutions()) != 3 || got.GetNextPageToken() != "" {
		t.Errorf("listed %v", got)
	}
}

// What an answer of the JSON form holds, whatever the values are.
func TestJSONNamesEveryField(t *testing.T) {
	t.Parallel()
	c, _ := calls(t)
	stdout, _ := c.tcda(0, "ops", "kill-switch", "engage", "--reason=x", "--request-id=r-1", "--json")
	var object map[string]any
	if err := json.Unmarshal([]byte(stdout), &object); err != nil || object["request_id"] != "r-1" || !strings.HasPrefix(stdout, `{"request_id":"r-1","kill_switch":{"engaged":true,`) || strings.Count(stdout, "\n") != 1 {
		t.Errorf("%v: %s", err, stdout)
	}
	if stdout, _ := c.tcda(0, "locks", "list", "--json"); stdout != `{"locks":[],"next_page_token":""}`+"\n" {
		t.Errorf("an empty list: %s", stdout)
	}
}

// scripted is tcda with a service that says what a test wants: words that no
// other would say, at moments that a test chooses.
func scripted(t testing.TB, s *scriptedExecutions) *caller {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle(s.handler())
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return callerOf(t, server.URL)
}
