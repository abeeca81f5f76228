package telemetry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go/internal/telemetry"
)

const (
	traceA   = "4bf92f3577b34da6a3ce929d0e0e4736"
	parentA  = "00-" + traceA + "-00f067aa0ba902b7-01"
	traceB   = "0af7651916cd43dd8448eb211c80319c"
	parentB  = "00-" + traceB + "-b7ad6b7169203331-01"
	unsample = "00-11111111111111111111111111111111-2222222222222222-00"
)

// keeping is an exporter that keeps its spans after shutdown.
type keeping struct{ *tracetest.InMemoryExporter }

func (keeping) Shutdown(context.Context) error { return nil }

func record(t *testing.T, traceparents []string, outcome error) tracetest.SpanStubs {
	t.Helper()
	exporter := keeping{tracetest.NewInMemoryExporter()}
	tracing := telemetry.NewTracing(exporter, 1, "tcda-1", telemetry.Build{Version: "v1"})
	ctx, batch := tracing.StartBatch(t.Context(), "in", 3, traceparents)
	if !trace.SpanContextFromContext(ctx).IsValid() {
		t.Error("the context carries no span")
	}
	batch.End(outcome)
	if err := tracing.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	return exporter.GetSpans()
}

func named(spans tracetest.SpanStubs, name string) tracetest.SpanStubs {
	return slices.DeleteFunc(slices.Clone(spans), func(s tracetest.SpanStub) bool { return s.Name != name })
}

func TestBatchContinuesTheTracesOfItsEvents(t *testing.T) {
	t.Parallel()
	spans := record(t, []string{parentA, "", parentB, parentA, "00-zz", "\x1b[2J", unsample}, nil)
	batches, applied := named(spans, "batch"), named(spans, "apply")
	if len(batches) != 1 || len(applied) != 2 {
		t.Fatalf("%d batch spans and %d apply spans, want 1 and one for each sampled trace", len(batches), len(applied))
	}
	batch := batches[0]
	if len(batch.Links) != 3 {
		t.Errorf("the batch links to %d contexts, want the 3 well-formed ones", len(batch.Links))
	}
	for i, want := range []struct{ trace, parent string }{{traceA, "00f067aa0ba902b7"}, {traceB, "b7ad6b7169203331"}} {
		span := applied[i]
		if got := span.SpanContext.TraceID().String(); got != want.trace {
			t.Errorf("apply span %d is in trace %s, want %s", i, got, want.trace)
		}
		if got := span.Parent.SpanID().String(); got != want.parent || !span.Parent.IsRemote() {
			t.Errorf("apply span %d has parent %s, want the producer's span %s", i, got, want.parent)
		}
		if len(span.Links) != 1 || span.Links[0].SpanContext.SpanID() != batch.SpanContext.SpanID() {
			t.Errorf("apply span %d does not link to the batch", i)
		}
		if span.Status.Code != codes.Unset {
			t.Errorf("apply span %d has status %v, want none", i, span.Status)
		}
	}
}

func TestFailureShowsInEverySpan(t *testing.T) {
	t.Parallel()
	for _, span := range record(t, []string{parentA}, errors.New("connection lost")) {
		if span.Status.Code != codes.Error || len(span.Events) != 1 {
			t.Errorf("span %s has status %v and %d events, want the error", span.Name, span.Status, len(span.Events))
		}
	}
}

func TestManyTracesAreBounded(t *testing.T) {
	t.Parallel()
	parents := make([]string, 1000)
	for i := range parents {
		parents[i] = fmt.Sprintf("00-%032x-00f067aa0ba902b7-01", i+1)
	}
	if spans := record(t, parents, nil); len(spans) != 129 {
		t.Errorf("%d spans for 1000 traces, want 128 and the batch", len(spans))
	}
}

func TestNoTracing(t *testing.T) {
	t.Parallel()
	tracing := telemetry.NoTracing()
	ctx, batch := tracing.StartBatch(t.Context(), "in", 0, []string{parentA})
	batch.End(errors.New("some"))
	if trace.SpanContextFromContext(ctx).IsValid() {
		t.Error("a span is made although tracing is off")
	}
	if err := tracing.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// The exporter speaks to a collector over HTTP.
func TestOTLPExporter(t *testing.T) {
	t.Parallel()
	received := make(chan *coltrace.ExportTraceServiceRequest, 1)
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var request coltrace.ExportTraceServiceRequest
		if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &request) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		received <- &request
	}))
	t.Cleanup(collector.Close)
	exporter, err := telemetry.OTLPExporter(t.Context(), collector.URL)
	if err != nil {
		t.Fatal(err)
	}
	tracing := telemetry.NewTracing(exporter, 1, "tcda-1", telemetry.Build{Version: "v1"})
	_, batch := tracing.StartBatch(t.Context(), "in", 0, nil)
	batch.End(nil)
	if err := tracing.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	select {
	case request := <-received:
		if span := request.ResourceSpans[0].ScopeSpans[0].Spans[0]; span.Name != "batch" {
			t.Errorf("the collector got span %q, want batch", span.Name)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the collector got nothing")
	}
}

func TestOTLPEndpoints(t *testing.T) {
	t.Parallel()
	for endpoint, ok := range map[string]bool{
		"grpc://127.0.0.1:1": true, "grpcs://127.0.0.1:1": true, "https://127.0.0.1:1": true, "ftp://h": false, "127.0.0.1:4317": false,
	} {
		exporter, err := telemetry.OTLPExporter(t.Context(), endpoint)
		if (err == nil) != ok {
			t.Errorf("%s: error %v, want accepted: %v", endpoint, err, ok)
		}
		if err == nil {
			if err := exporter.Shutdown(t.Context()); err != nil {
				t.Errorf("%s: shut down: %v", endpoint, err)
			}
		}
	}
}
