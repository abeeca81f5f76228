package access_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	"connectrpc.com/grpcreflect"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/access"
)

// answer is one of plain HTTP.
type answer struct {
	status int
	header http.Header
	body   string
}

// reason is that of a Connect error in JSON.
func (a answer) reason(t testing.TB) string {
	t.Helper()
	var body struct {
		Details []struct {
			Debug struct {
				Reason string `json:"reason"`
			} `json:"debug"`
		} `json:"details"`
	}
	if err := json.Unmarshal([]byte(a.body), &body); err != nil || len(body.Details) != 1 {
		t.Fatalf("%d %q is no error with a detail: %v", a.status, a.body, err)
	}
	return body.Details[0].Debug.Reason
}

// send makes a request of plain HTTP; headers come in pairs.
func send(t testing.TB, s *served, method, path string, headers ...string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			request.Host = headers[i+1]
		} else {
			request.Header.Add(headers[i], headers[i+1])
		}
	}
	response, err := httpClient(t, nil, false).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(body)}
}

func TestHealthIsOpenReflectionIsNot(t *testing.T) {
	t.Parallel()
	token, line := tokenEntry("ci", access.Reader)
	s := serve(t, access.Config{File: file(t, "access.yaml", line)})
	health := connect.NewClient[emptypb.Empty, emptypb.Empty](httpClient(t, nil, true), s.url+"/"+grpchealth.HealthV1ServiceName+"/Check", connect.WithGRPC())
	if _, err := health.CallUnary(t.Context(), connect.NewRequest(&emptypb.Empty{})); err != nil {
		t.Errorf("health for everybody: %v", err)
	}
	for token, want := range map[string]connect.Code{"": connect.CodeUnauthenticated, token: 0} {
		stream := grpcreflect.NewClient(httpClient(t, nil, true), s.url, connect.WithGRPC()).NewStream(t.Context(), grpcreflect.WithRequestHeaders(http.Header{"Authorization": {"Bearer " + token}}))
		names, err := stream.ListServices()
		if want == 0 && (err != nil || len(names) != 1) || want != 0 && connect.CodeOf(err) != connect.CodeUnauthenticated {
			t.Errorf("reflection with token %t: %v, %v", token != "", names, err)
		}
		_, _ = stream.Close()
	}
}

func TestAnswersInPlainHTTP(t *testing.T) {
	t.Parallel()
	token, line := tokenEntry("ci", access.Reader)
	s := serve(t, access.Config{File: file(t, "access.yaml", line)})
	if a := send(t, s, "POST", read); a.status != http.StatusUnauthorized || a.header.Get("WWW-Authenticate") != `Bearer realm="tcda"` || a.reason(t) != access.ReasonMissing || !strings.Contains(a.body, "tcda access token") {
		t.Errorf("without a token: %+v", a)
	}
	if a := send(t, s, "POST", write, "Authorization", "Bearer "+token); a.status != http.StatusForbidden || a.reason(t) != access.ReasonRole || !strings.Contains(a.body, "takes the role coordinator or operator") {
		t.Errorf("with too small a role: %+v", a)
	}
	if a := send(t, s, "POST", read, "Authorization", "bearer  "+token+" "); a.status != http.StatusOK || a.body != `"ci is reader"` {
		t.Errorf("with a token: %+v", a)
	}
	for path, want := range map[string]int{
		"/docs/": 200, "/docs/page.js": 200, "/docs.yaml": 404, // a page, and there is none
		"/docs": 401, "/docs.yaml/": 401, "/docs/../docs/": 401, "/docs//x": 401, "/docs.yamlx": 401, "/": 401, // none
	} {
		a := send(t, s, "GET", path)
		if page := want != 401; a.status != http.StatusUnauthorized || a.header.Get("WWW-Authenticate") == "" || strings.HasPrefix(a.body, "who calls?") != page {
			t.Errorf("%s without a token: %+v", path, a)
		}
		a = send(t, s, "GET", path, "Authorization", "Bearer "+token)
		switch {
		case want == 200 && (a.status != want || a.body != "ci reads"), want == 404 && (a.status != want || strings.Contains(a.body, "{")),
			want == 401 && (a.status != http.StatusNotImplemented || a.reason(t) != access.ReasonNoProcedure):
			t.Errorf("%s with a token: %+v", path, a)
		}
	}
	if logged := s.logs.String(); strings.Contains(logged, token) || !strings.Contains(logged, `"reason":"credentials_missing"`) || !strings.Contains(logged, `"caller":"ci"`) {
		t.Errorf("the log is\n%s", logged)
	}
}

// Whatever stands in the header, it is an answer of the API; a token that is
// known in it does not help when something is wrong with the rest.
func TestHostileHeaders(t *testing.T) {
	t.Parallel()
	token, line := tokenEntry("ci", access.Operator)
	s := serve(t, access.Config{File: file(t, "access.yaml", line)})
	other, _ := access.NewToken()
	last := "A"
	if strings.HasSuffix(token, last) {
		last = "Q"
	}
	for name, c := range map[string]struct {
		headers []string
		reason  string
	}{
		"empty":                 {[]string{""}, access.ReasonMalformed},
		"no token":              {[]string{"Bearer"}, access.ReasonMalformed},
		"blanks":                {[]string{"Bearer    "}, access.ReasonMalformed},
		"another scheme":        {[]string{"Basic " + token}, access.ReasonMalformed},
		"no scheme":             {[]string{token}, access.ReasonMalformed},
		"a tab between":         {[]string{"Bearer\t" + token}, access.ReasonMalformed},
		"two headers":           {[]string{"Bearer " + token, "Bearer " + token}, access.ReasonMalformed},
		"a second one":          {[]string{"Bearer " + token, "Basic eA=="}, access.ReasonMalformed},
		"two in one":            {[]string{"Bearer " + token + ", Bearer " + other}, access.ReasonMalformed},
		"huge":                  {[]string{"Bearer " + strings.Repeat("x", 60_000)}, access.ReasonMalformed},
		"token and more":        {[]string{"Bearer " + token + strings.Repeat("x", 60_000)}, access.ReasonMalformed},
		"token and one more":    {[]string{"Bearer " + token + "x"}, access.ReasonMalformed},
		"part of a token":       {[]string{"Bearer " + token[:len(token)-1]}, access.ReasonMalformed},
		"no UTF-8":              {[]string{"Bearer \xff\xfe" + token[2:]}, access.ReasonMalformed},
		"other letters":         {[]string{"Bearer tcda_" + strings.Repeat("é", 21) + "a"}, access.ReasonMalformed},
		"the last letter":       {[]string{"Bearer " + token[:len(token)-1] + last}, access.ReasonUnknown},
		"the digest":            {[]string{"Bearer " + line[strings.Index(line, "sha256: ")+8:][:64]}, access.ReasonMalformed},
		"one that is not known": {[]string{"Bearer " + other}, access.ReasonUnknown},
	} {
		// Not over HTTP: its client would not send some of these.
		request := httptest.NewRequestWithContext(t.Context(), "POST", read, strings.NewReader("{}"))
		request.Header["Content-Type"] = []string{"application/json"}
		request.Header["Authorization"] = c.headers
		recorder := httptest.NewRecorder()
		s.guard.API(&net.TCPAddr{IP: net.IPv4zero}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			t.Errorf("%s: let in", name)
		})).ServeHTTP(recorder, request)
		a := answer{recorder.Code, recorder.Header(), recorder.Body.String()}
		if reason := a.reason(t); a.status != http.StatusUnauthorized || reason != c.reason {
			t.Errorf("%s: got %+v, want %s", name, a, c.reason)
		}
		if strings.Contains(a.body, token[5:40]) {
			t.Errorf("%s: the answer shows the token: %s", name, a.body)
		}
	}
	if strings.Contains(s.logs.String(), token[5:40]) {
		t.Errorf("the log shows the token:\n%s", s.logs)
	}
}

// A request that is refused is not read: what a stranger sends is not decoded.
func TestAStrangersRequestIsNotRead(t *testing.T) {
	t.Parallel()
	_, line := tokenEntry("ci", access.Reader)
	s := serve(t, access.Config{File: file(t, "access.yaml", line)})
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n", write); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusUnauthorized {
		t.Errorf("status is %d", response.StatusCode)
	}
}

// Handlers that somebody forgot to put behind the guard let nobody in.
func TestWithoutTheGuardNobodyGetsIn(t *testing.T) {
	t.Parallel()
	token, line := tokenEntry("ann", access.Operator)
	guarded := serve(t, access.Config{File: file(t, "access.yaml", line)})
	server := httptest.NewServer(handlers(nil, connect.WithInterceptors(guarded.guard.Interceptor())))
	t.Cleanup(server.Close)
	open := &served{url: server.URL}
	_, err := open.by(t, token).call(t, read)
	refused(t, err, connect.CodePermissionDenied, access.ReasonNotGuarded)
	stream, err := connect.NewClient[emptypb.Empty, emptypb.Empty](server.Client(), server.URL+watch).CallServerStream(t.Context(), connect.NewRequest(&emptypb.Empty{}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stream.Close() }()
	if stream.Receive() {
		t.Error("the stream has a message")
	}
	refused(t, stream.Err(), connect.CodePermissionDenied, access.ReasonNotGuarded)
	// A caller that something else has put into the context gets what its role may have.
	as := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handlers(nil, connect.WithInterceptors(guarded.guard.Interceptor())).ServeHTTP(w, r.WithContext(access.WithCaller(r.Context(), access.Caller{Name: "x", Role: access.Reader})))
	})
	assumed := httptest.NewServer(as)
	t.Cleanup(assumed.Close)
	_, err = (&served{url: assumed.URL}).by(t, "").call(t, write)
	refused(t, err, connect.CodePermissionDenied, access.ReasonRole)
}
