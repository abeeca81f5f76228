package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/config"
	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/gen/testcoordination/v1/testcoordinationv1connect"
)

// apiFlags are in every command that calls the API of a running service. The
// service's own settings do not concern such a command.
type apiFlags struct {
	Client config.Client `embed:"" group:"The service to call"`
	JSON   bool          `name:"json" help:"Print what the API answers as JSON, with the names of the proto files: one object, or, of log lines and of what is watched, one a line."`
}

const apiExitCodes = `Exit codes: 0 done, 1 failed or refused, 2 wrong command line, settings or
arguments, 4 what is named is not known.`

// Help is what --help says beyond the settings, where a command says no more.
func (*apiFlags) Help() string { return apiExitCodes }

// writeFlags are in every command that writes through the API.
type writeFlags struct {
	RequestID string `name:"request-id" placeholder:"ID" help:"Id of the request, to repeat one whose answer was lost: it is done once. A new one if empty."`
}

// request is the id of the request.
func (f *writeFlags) request() string {
	if f.RequestID == "" {
		f.RequestID = "tcda-" + rand.Text()
	}
	return f.RequestID
}

// connection is the API of a running service.
type connection struct {
	url     string
	timeout time.Duration // of a call that is no stream

	nameless bool // the connection is by TLS, and shows no certificate

	scenarios  testcoordinationv1connect.ScenarioServiceClient
	executions testcoordinationv1connect.ExecutionServiceClient
	schedules  testcoordinationv1connect.ScheduleServiceClient
	locks      testcoordinationv1connect.LockServiceClient
	operations testcoordinationv1connect.OperationsServiceClient
	evidence   testcoordinationv1connect.EvidenceServiceClient
	reports    testcoordinationv1connect.ReportServiceClient
	analytics  testcoordinationv1connect.AnalyticsServiceClient
}

// connect prepares to call the API; nothing is sent yet.
func (f *apiFlags) connect() (*connection, error) {
	client, token, err := f.Client.Dial()
	if err != nil {
		return nil, err
	}
	url, with := f.Client.URL.Reveal(), connect.WithInterceptors(bearer(token.Reveal()))
	return &connection{
		url: url, timeout: f.Client.Timeout, nameless: strings.HasPrefix(url, "https:") && f.Client.CertFile == "",
		reports:    testcoordinationv1connect.NewReportServiceClient(client, url, with),
		scenarios:  testcoordinationv1connect.NewScenarioServiceClient(client, url, with),
		executions: testcoordinationv1connect.NewExecutionServiceClient(client, url, with),
		schedules:  testcoordinationv1connect.NewScheduleServiceClient(client, url, with),
		locks:      testcoordinationv1connect.NewLockServiceClient(client, url, with),
		operations: testcoordinationv1connect.NewOperationsServiceClient(client, url, with),
		evidence:   testcoordinationv1connect.NewEvidenceServiceClient(client, url, with),
		analytics:  testcoordinationv1connect.NewAnalyticsServiceClient(client, url, with),
	}, nil
}

// bearer is a token that goes with every call; empty for none.
type bearer string

func (b bearer) put(header http.Header) {
	if b != "" {
		header.Set("Authorization", "Bearer "+string(b))
	}
}

// WrapUnary puts the token into a call.
func (b bearer) WrapUnary(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
		b.put(r.Header())
		return next(ctx, r)
	}
}

// WrapStreamingClient puts the token into the opening of a stream.
func (b bearer) WrapStreamingClient(next connect.StreamingClientFunc) connect.StreamingClientFunc {
	return func(ctx context.Context, spec connect.Spec) connect.StreamingClientConn {
		conn := next(ctx, spec)
		b.put(conn.RequestHeader())
		return conn
	}
}

// WrapStreamingHandler leaves servers alone.
func (bearer) WrapStreamingHandler(next connect.StreamingHandlerFunc) connect.StreamingHandlerFunc {
	return next
}

// procedure is one of the API that answers once.
type procedure[R, A any] func(context.Context, *connect.Request[R]) (*connect.Response[A], error)

// call calls a procedure. Its error is for people: what is wrong, and what to do
// next.
func call[R, A any](ctx context.Context, c *connection, do procedure[R, A], request *R) (*A, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	answer, err := do(ctx, connect.NewRequest(request))
	if err != nil {
		id := ""
		if w, ok := any(request).(interface{ GetRequestId() string }); ok {
			id = w.GetRequestId()
		}
		return nil, c.failure(err, id)
	}
	return answer.Msg, nil
}

// listing is in every command that prints a list which comes by pages.
type listing struct {
	Limit     int    `default:"50" help:"How many entries at most; 0: all."`
	PageToken string `placeholder:"TOKEN" help:"Go on after a former list, with the token that it printed."`
}

const largestPage = 500 // that the API gives

// list fetches pages until there are so many entries as are wanted, and gives
// them as one answer, with the token of the next page.
func list[R, A any](ctx context.Context, c *connection, l listing, do procedure[R, A], request *R) (*A, error) {
	if l.Limit < 0 {
		return nil, &exitError{exitUsage, fmt.Errorf("--limit=%d: must be 0 or more", l.Limit)}
	}
	asked := reflected(request)
	fields := asked.Descriptor().Fields()
	all := new(A)
	for entries, token := 0, l.PageToken; ; {
		size := largestPage
		if l.Limit > 0 {
			size = min(size, l.Limit-entries)
		}
		asked.Set(fields.ByName("page_size"), protoreflect.ValueOfInt32(int32(size)))
		asked.Set(fields.ByName("page_token"), protoreflect.ValueOfString(token))
		page, err := call(ctx, c, do, request)
		if err != nil {
			return nil, err
		}
		entries += add(reflected(all), reflected(page))
		token = nextToken(page)
		if token == "" || l.Limit > 0 && entries >= l.Limit {
			return all, nil
		}
	}
}

// reflected is a message of the API.
func reflected(m any) protoreflect.Message { return m.(proto.Message).ProtoReflect() } // the API has no others

// add appends a page to what there is, takes over its token, and counts its
// entries.
func add(all, page protoreflect.Message) (entries int) {
	token := page.Descriptor().Fields().ByName("next_page_token")
	all.Clear(token)
	proto.Merge(all.Interface(), page.Interface())
	page.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if f.IsList() {
			entries += v.List().Len()
		}
		return true
	})
	return entries
}

func nextToken(page any) string {
	m := reflected(page)
	return m.Get(m.Descriptor().Fields().ByName("next_page_token")).String()
}

// printList prints entries that list has fetched, and says where there are more.
func (f *apiFlags) printList(term console, answer proto.Message, heading []string, rows [][]string) error {
	if f.JSON {
		return printMessage(term.out, answer, "")
	}
	if err := term.table(heading, rows); err != nil {
		return err
	}
	if token := nextToken(answer); token != "" {
		fmt.Fprintf(term.err, "there are more: add --page-token=%s for those, or --limit=0 for all\n", escaped(token))
	}
	return nil
}

// print prints an answer: as JSON, or as people like it.
func (f *apiFlags) print(term console, answer proto.Message, human func() error) error {
	if f.JSON {
		return printMessage(term.out, answer, "")
	}
	return human()
}

// printWritten prints the answer to a write; as JSON with the request's id before it.
func (f *apiFlags) printWritten(term console, w *writeFlags, answer proto.Message, format string, values ...any) error {
	if f.JSON {
		return printMessage(term.out, answer, w.RequestID)
	}
	_, err := fmt.Fprintln(term.out, escaped(fmt.Sprintf(format, values...)))
	return err
}

// printMessage writes a message as one line of JSON, with the contract's names;
// with a request's id before its fields, where there is one.
func printMessage(w io.Writer, m proto.Message, requestID string) error {
	out, err := oneLine(m, protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true})
	if err != nil {
		return err
	}
	if requestID != "" {
		id, err := json.Marshal(requestID)
		if err != nil {
			return fmt.Errorf("write JSON: %w", err)
		}
		first := `{"request_id":` + string(id)
		if out != "{}" {
			first += ","
		}
		out = first + out[1:]
	}
	_, err = io.WriteString(w, out+"\n")
	return err
}

// oneLine is a message as JSON without spaces, which protojson varies on purpose.
func oneLine(m proto.Message, options protojson.MarshalOptions) (string, error) {
	raw, err := options.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("write JSON: %w", err)
	}
	var line bytes.Buffer
	if err := json.Compact(&line, raw); err != nil {
		return "", fmt.Errorf("write JSON: %w", err)
	}
	return line.String(), nil
}
