package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// maxContinued is how many traces one batch continues; a batch is at most a
// few thousand events, and one that names more traces is no reason to export
// thousands of spans.
const maxContinued = 128

// Tracing makes spans. Its zero value is not ready: take NoTracing or
// NewTracing.
type Tracing struct {
	tracer   trace.Tracer
	shutdown func(context.Context) error
	off      bool
}

// NoTracing makes spans that go nowhere, at no cost.
func NoTracing() *Tracing {
	return &Tracing{
		tracer:   noop.NewTracerProvider().Tracer(scope),
		shutdown: func(context.Context) error { return nil },
		off:      true,
	}
}

const scope = "github.com/quantfidential/trading-ecosystem/test-coordinator-data-adapter-go"

// NewTracing sends spans to exporter in batches. A share of new traces is
// recorded (ratio, 0..1); a continued trace follows its parent's decision.
func NewTracing(exporter sdktrace.SpanExporter, ratio float64, instance string, build Build) *Tracing {
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(exporter),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(ratio))),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "test-coordinator-data-adapter"),
			attribute.String("service.version", build.Version),
			attribute.String("service.instance.id", instance),
		)),
	)
	return &Tracing{tracer: provider.Tracer(scope), shutdown: provider.Shutdown}
}

// OTLPExporter sends spans to a collector: http(s)://host:port by HTTP,
// grpc(s)://host:port by gRPC, where the s means TLS. It connects when there is
// something to send; a collector that is away costs spans and nothing else.
func OTLPExporter(ctx context.Context, endpoint string) (*otlptrace.Exporter, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return nil, errors.New("read OTLP endpoint: not a URL") // the error would repeat what may be a secret
	}
	var client otlptrace.Client
	switch u.Scheme {
	case "http", "https":
		client = otlptracehttp.NewClient(otlptracehttp.WithEndpointURL(u.JoinPath("v1/traces").String()))
	case "grpc":
		client = otlptracegrpc.NewClient(otlptracegrpc.WithEndpoint(u.Host), otlptracegrpc.WithInsecure())
	case "grpcs":
		client = otlptracegrpc.NewClient(otlptracegrpc.WithEndpoint(u.Host))
	default:
		return nil, fmt.Errorf("read OTLP endpoint: scheme %q is none of http, https, grpc, grpcs", u.Scheme)
	}
	exporter, err := otlptrace.New(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("start OTLP exporter: %w", err)
	}
	return exporter, nil
}

// Shutdown sends what is still held back, within ctx.
func (t *Tracing) Shutdown(ctx context.Context) error {
	if err := t.shutdown(ctx); err != nil {
		return fmt.Errorf("send last spans: %w", err)
	}
	return nil
}

// Batch is the spans of one batch of events. End it once.
type Batch struct {
	own       trace.Span   // of the batch itself, in a trace of its own
	continued []trace.Span // one in each trace that an event belongs to
}

// StartBatch begins the span of a batch and, in every sampled trace that the
// events name by their traceparent, a span "apply": there a producer sees when
// its event was stored. The batch's span and those link to each other.
// Traceparents are producers' text; what is empty or malformed is passed over.
// The returned context carries the batch's span.
func (t *Tracing) StartBatch(ctx context.Context, topic string, partition int, traceparents []string) (context.Context, *Batch) {
	if t.off {
		return ctx, &Batch{own: noop.Span{}}
	}
	place := trace.WithAttributes(
		attribute.String("messaging.system", "kafka"),
		attribute.String("messaging.destination.name", topic),
		attribute.Int("messaging.destination.partition.id", partition),
	)
	parents := distinct(traceparents)
	links := make([]trace.Link, 0, len(parents))
	for _, parent := range parents {
		links = append(links, trace.Link{SpanContext: parent})
	}

	var b Batch
	ctx, b.own = t.tracer.Start(ctx, "batch", place, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithLinks(links...),
		trace.WithAttributes(attribute.Int("messaging.batch.message_count", len(traceparents))))
	for _, parent := range parents {
		if !parent.IsSampled() {
			continue
		}
		_, span := t.tracer.Start(trace.ContextWithRemoteSpanContext(ctx, parent), "apply", place,
			trace.WithSpanKind(trace.SpanKindConsumer), trace.WithLinks(trace.Link{SpanContext: b.own.SpanContext()}))
		b.continued = append(b.continued, span)
	}
	return ctx, &b
}

// End ends the batch's spans; err is why it failed, or nil.
func (b *Batch) End(err error) {
	for _, span := range append(b.continued, b.own) {
		if err != nil {
			span.RecordError(err)
			span.SetStatus(codes.Error, "not applied")
		}
		span.End()
	}
}

// distinct are the span contexts that well-formed traceparents name, each
// once, in their order and at most maxContinued.
func distinct(traceparents []string) []trace.SpanContext {
	seen := make(map[string]bool)
	var parents []trace.SpanContext
	for _, text := range traceparents {
		if text == "" || seen[text] || len(parents) == maxContinued {
			continue
		}
		seen[text] = true
		carrier := propagation.MapCarrier{"traceparent": text}
		parent := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
		if parent.IsValid() {
			parents = append(parents, parent)
		}
	}
	return parents
}
