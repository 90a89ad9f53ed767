package observe

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/cairnstore/cairn/cluster/errs"
)

// TraceConfig says where traces are sent.
type TraceConfig struct {
	Endpoint string  // URL of an OTLP/HTTP receiver, such as http://collector:4318.
	Sample   float64 // Share of requests that are traced, 0 to 1. A client that sends a trace context decides for its own.
	Names    bool    // Spans have the name of the object.

	Node, Zone, Version string
}

// tracer makes spans. It is nil if there are no traces. Then nothing is wrapped, and nothing costs
// anything.
type tracer struct {
	provider *sdktrace.TracerProvider
	spans    trace.Tracer
	carrier  propagation.TraceContext
	names    bool
}

const (
	tracesPath    = "/v1/traces" // Of an endpoint that has no path.
	exportTimeout = 10 * time.Second
)

// StartTraces sends traces to cfg.Endpoint from now on. It must be called before anything is
// wrapped. The exporter takes headers for authentication from the standard variable
// OTEL_EXPORTER_OTLP_HEADERS. It asks no proxy.
func (o *Observer) StartTraces(ctx context.Context, cfg TraceConfig) error {
	u, err := url.Parse(cfg.Endpoint)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return fmt.Errorf("%q is not a URL such as http://collector:4318", cfg.Endpoint)
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = tracesPath
	}
	direct := func(*http.Request) (*url.URL, error) { return nil, nil } // As rpc.Outbound has it.
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(u.String()),
		otlptracehttp.WithTimeout(exportTimeout), otlptracehttp.WithProxy(direct))
	if err != nil {
		return err
	}
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(&told{SpanExporter: exporter, o: o}),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(cfg.Sample))),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "cairn"), attribute.String("service.version", cfg.Version),
			attribute.String("service.instance.id", cfg.Node), attribute.String("cairn.zone", cfg.Zone))))
	o.t = &tracer{provider: provider, spans: provider.Tracer("github.com/cairnstore/cairn"), names: cfg.Names}
	return nil
}

// StopTraces sends the spans that are left, and ends the traces.
func (o *Observer) StopTraces(ctx context.Context) error {
	if o.t == nil {
		return nil
	}
	return o.t.provider.Shutdown(ctx)
}

// told is an exporter whose failures are logged and counted here. Otherwise they would go to a
// handler that the whole process shares.
type told struct {
	sdktrace.SpanExporter
	o *Observer
}

// ExportSpans implements sdktrace.SpanExporter.
func (e *told) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	result := "ok"
	if err := e.SpanExporter.ExportSpans(ctx, spans); err != nil {
		result = "failed"
		e.o.Log.Warn("traces not delivered", "spans", len(spans), "cause", err)
	}
	e.o.m.spans.WithLabelValues(result).Add(float64(len(spans)))
	return nil
}

// start begins a span below that of ctx. If ctx has none, no span is made, so background work makes
// no traces.
func (t *tracer) start(ctx context.Context, name string, attrs ...attribute.KeyValue) (context.Context, trace.Span) {
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return ctx, trace.SpanFromContext(ctx)
	}
	return t.spans.Start(ctx, name, trace.WithAttributes(attrs...))
}

// end ends a span with the kind of err. The message of err is left out, because it may name
// objects.
func end(s trace.Span, err error) {
	if err != nil {
		s.SetStatus(codes.Error, errs.KindOf(err).String())
	}
	s.End()
}

// TraceParent returns the W3C trace context of ctx; empty if there is none.
func (o *Observer) TraceParent(ctx context.Context) string {
	if o.t == nil {
		return ""
	}
	c := propagation.MapCarrier{}
	o.t.carrier.Inject(ctx, c)
	return c[traceParent]
}

// WithTraceParent returns ctx with this W3C trace context.
func (o *Observer) WithTraceParent(ctx context.Context, parent string) context.Context {
	if o.t == nil || parent == "" {
		return ctx
	}
	return o.t.carrier.Extract(ctx, propagation.MapCarrier{traceParent: parent})
}

const traceParent = "traceparent"

// Transport returns rt wrapped so that every request carries the trace context.
func (o *Observer) Transport(rt http.RoundTripper) http.RoundTripper {
	if o.t == nil {
		return rt
	}
	return &injector{RoundTripper: rt, t: o.t}
}

type injector struct {
	http.RoundTripper
	t *tracer
}

// RoundTrip implements http.RoundTripper.
func (i *injector) RoundTrip(r *http.Request) (*http.Response, error) {
	if trace.SpanContextFromContext(r.Context()).IsValid() {
		r = r.Clone(r.Context())
		i.t.carrier.Inject(r.Context(), propagation.HeaderCarrier(r.Header))
	}
	return i.RoundTripper.RoundTrip(r)
}

// CloseIdleConnections is called by http.Client, which does not see it through the wrapper
// otherwise.
func (i *injector) CloseIdleConnections() {
	if c, ok := i.RoundTripper.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// Internode returns h wrapped so that it goes on with the traces of the nodes that call it.
func (o *Observer) Internode(h http.Handler) http.Handler {
	if o.t == nil {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get(traceParent) == "" {
			h.ServeHTTP(w, r)
			return
		}
		ctx := o.t.carrier.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, s := o.t.start(ctx, "serve "+internodeName(r.URL.Path))
		defer s.End()
		h.ServeHTTP(w, r.WithContext(ctx))
	})
}

// internodeName returns a path without what differs from call to call, so that spans have few
// names.
func internodeName(path string) string {
	if strings.HasPrefix(path, "/shard/") {
		return "/shard/"
	}
	return path
}
