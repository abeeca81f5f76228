package access_test

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log" //nolint:depguard // net/http knows no other
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	"connectrpc.com/grpchealth"
	"connectrpc.com/grpcreflect"
	"github.com/rs/zerolog"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/access"
	contract "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1"
)

// Procedures of a service of the tests' own, one for each rule.
const (
	read    = "/testcoordination.v1.ThingService/ReadThing"
	write   = "/testcoordination.v1.ThingService/WriteThing"
	operate = "/testcoordination.v1.ThingService/OperateThing"
	unruled = "/testcoordination.v1.ThingService/UnruledThing"
	watch   = "/testcoordination.v1.ThingService/WatchThing"
	audit   = "/testcoordination.v1.ThingService/AuditThing"
)

// things describes that service.
func things(t testing.TB) *protoregistry.Files {
	t.Helper()
	method := func(procedure string, rule contract.Access, streams bool) *descriptorpb.MethodDescriptorProto {
		options := &descriptorpb.MethodOptions{}
		if rule != contract.Access_ACCESS_UNSPECIFIED {
			proto.SetExtension(options, contract.E_Access, rule)
		}
		return &descriptorpb.MethodDescriptorProto{
			Name: proto.String(procedure[strings.LastIndex(procedure, "/")+1:]), InputType: proto.String(".google.protobuf.Empty"),
			OutputType: proto.String(".google.protobuf.StringValue"), ServerStreaming: proto.Bool(streams), Options: options,
		}
	}
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: proto.String("testcoordination/v1/thing_service.proto"), Package: proto.String("testcoordination.v1"), Syntax: proto.String("proto3"),
		Dependency: []string{"google/protobuf/empty.proto", "google/protobuf/wrappers.proto", "testcoordination/v1/access.proto"},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("ThingService"), Method: []*descriptorpb.MethodDescriptorProto{
			method(read, contract.Access_ACCESS_READ, false), method(write, contract.Access_ACCESS_WRITE, false),
			method(operate, contract.Access_ACCESS_OPERATE, false), method(unruled, contract.Access_ACCESS_UNSPECIFIED, false),
			method(watch, contract.Access_ACCESS_READ, true), method(audit, contract.Access_ACCESS_OPERATE, true),
		}}},
	}, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	files := new(protoregistry.Files)
	if err := files.RegisterFile(file); err != nil {
		t.Fatal(err)
	}
	return files
}

// handlers answer every procedure with who calls; a stream does so once more
// for each pulse.
func handlers(pulse <-chan struct{}, options ...connect.HandlerOption) http.Handler {
	mux := http.NewServeMux()
	who := func(ctx context.Context) *wrapperspb.StringValue {
		caller, _ := access.CallerFrom(ctx)
		return wrapperspb.String(fmt.Sprintf("%s is %s", caller.Name, caller.Role))
	}
	for _, procedure := range []string{read, write, operate, unruled} {
		mux.Handle(procedure, connect.NewUnaryHandler(procedure, func(ctx context.Context, _ *connect.Request[emptypb.Empty]) (*connect.Response[wrapperspb.StringValue], error) {
			return connect.NewResponse(who(ctx)), nil
		}, options...))
	}
	for _, procedure := range []string{watch, audit} {
		mux.Handle(procedure, connect.NewServerStreamHandler(procedure, func(ctx context.Context, _ *connect.Request[emptypb.Empty], stream *connect.ServerStream[wrapperspb.StringValue]) error {
			for {
				if err := stream.Send(who(ctx)); err != nil {
					return err
				}
				select {
				case <-ctx.Done():
					return nil // as if all had been sent
				case <-pulse:
				}
			}
		}, options...))
	}
	mux.Handle(grpchealth.NewHandler(grpchealth.NewStaticChecker("thing"), options...))
	mux.Handle(grpcreflect.NewHandlerV1(grpcreflect.NewStaticReflector("thing"), options...))
	mux.Handle(grpcreflect.NewHandlerV1Alpha(grpcreflect.NewStaticReflector("thing"), options...))
	return mux
}

// clock is one that stands still until it is set.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Now()} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// served is a server with the API behind a guard.
type served struct {
	guard *access.Guard
	url   string
	logs  *logs
	pulse chan struct{} // one of the streams that last takes it
}

// logs keeps what was logged.
type logs struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logs) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// serve runs a server on loopback as if it listened at another address, if one
// is given.
func serve(t testing.TB, cfg access.Config, at ...net.Addr) *served {
	t.Helper()
	s := &served{logs: &logs{}, pulse: make(chan struct{})}
	cfg.Log, cfg.Files = zerolog.New(s.logs), things(t)
	var err error
	if s.guard, err = access.Open(cfg); err != nil {
		t.Fatal(err)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.url = "http://" + listener.Addr().String()
	if cfg.CertFile != "" {
		s.url = "https://" + listener.Addr().String()
	}
	address := append(at, listener.Addr())[0]
	mux := http.NewServeMux()
	mux.Handle("/", handlers(s.pulse, connect.WithInterceptors(s.guard.Interceptor())))
	mux.HandleFunc("/docs/", func(w http.ResponseWriter, r *http.Request) {
		caller, _ := access.CallerFrom(r.Context())
		_, _ = fmt.Fprintf(w, "%s reads", caller.Name)
	})
	server := &http.Server{Handler: s.guard.API(address, mux, "/docs/", "/docs.yaml"), ReadHeaderTimeout: time.Minute, Protocols: new(http.Protocols), ErrorLog: log.New(s.logs, "", 0)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetHTTP2(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(s.guard.Listener(listener)) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	})
	return s
}

// httpClient speaks HTTP/2 only, as gRPC must, or what it likes.
func httpClient(t testing.TB, secured *tls.Config, http2 bool) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: secured, Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP1(!http2)
	transport.Protocols.SetHTTP2(true)
	transport.Protocols.SetUnencryptedHTTP2(http2)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// caller makes calls.
type caller struct {
	server  *served
	client  *http.Client
	token   string
	options []connect.ClientOption
}

func (s *served) by(t testing.TB, token string, options ...connect.ClientOption) caller {
	t.Helper()
	return caller{s, httpClient(t, nil, len(options) > 0), token, options}
}

func (c caller) request() *connect.Request[emptypb.Empty] {
	request := connect.NewRequest(&emptypb.Empty{})
	if c.token != "" {
		request.Header().Set("Authorization", "Bearer "+c.token)
	}
	return request
}

// call is the answer to a call of one message.
func (c caller) call(t testing.TB, procedure string) (string, error) {
	t.Helper()
	response, err := connect.NewClient[emptypb.Empty, wrapperspb.StringValue](c.client, c.server.url+procedure, c.options...).CallUnary(t.Context(), c.request())
	if err != nil {
		return "", err
	}
	return response.Msg.GetValue(), nil
}

// watch begins a stream and waits for its first message.
func (c caller) watch(t testing.TB, procedure string) (stream *connect.ServerStreamForClient[wrapperspb.StringValue], first string) {
	t.Helper()
	stream, err := connect.NewClient[emptypb.Empty, wrapperspb.StringValue](c.client, c.server.url+procedure, c.options...).CallServerStream(t.Context(), c.request())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stream.Close() })
	if !stream.Receive() {
		t.Fatalf("no first message: %v", stream.Err())
	}
	return stream, stream.Msg().GetValue()
}

// refused checks code and reason of an error, and returns its message.
func refused(t testing.TB, err error, code connect.Code, reason string) string {
	t.Helper()
	info := errorInfo(err)
	if connect.CodeOf(err) != code || info.GetReason() != reason || info.GetDomain() != "tcda" {
		t.Errorf("got %v with %v, want %v with reason %s", err, info, code, reason)
		return ""
	}
	return err.Error()
}

func errorInfo(err error) *errdetails.ErrorInfo {
	var wire *connect.Error
	if !errors.As(err, &wire) {
		return nil
	}
	for _, detail := range wire.Details() {
		if value, err := detail.Value(); err == nil {
			if info, ok := value.(*errdetails.ErrorInfo); ok {
				return info
			}
		}
	}
	return nil
}

// tokenEntry is a new token with its line in an access file.
func tokenEntry(name string, role access.Role, more ...string) (token, line string) {
	token, digest := access.NewToken()
	return token, fmt.Sprintf("- {name: %s, role: %s, sha256: %s%s}\n", name, role, hex.EncodeToString(digest[:]), strings.Join(more, ""))
}

// file writes a file and returns its path.
func file(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	put(t, path, content)
	return path
}

// put replaces a file as it should be done: by a rename.
func put(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}
