package observe

import (
	"context"
	"net/http"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/cairnstore/cairn/s3api"
)

// Requests returns the handler of the S3 port, wrapped to count and trace requests. If the client
// sends a W3C trace context, the request belongs to the client's trace. Health checks and admin calls
// make no traces: they come again and again, and what they do is in the audit log.
func (o *Observer) Requests(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.m.inFlight.Inc()
		defer o.m.inFlight.Dec() // It is deferred, because an answer is aborted by a panic.
		if o.t == nil || s3api.Unheld(r) {
			h.ServeHTTP(w, r)
			return
		}
		ctx := o.t.carrier.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, s := o.t.spans.Start(ctx, "S3", trace.WithSpanKind(trace.SpanKindServer))
		defer s.End()
		if o.t.names {
			s.SetAttributes(attribute.String("url.path", r.URL.Path))
		}
		h.ServeHTTP(w, r.WithContext(ctx))
	})
}

// nameRequest adds to the span of a request what is known when it ends.
func nameRequest(ctx context.Context, op string, d s3api.RequestDone) {
	s := trace.SpanFromContext(ctx)
	if !s.IsRecording() {
		return
	}
	s.SetName("S3 " + op)
	s.SetAttributes(attribute.String("http.request.method", strings.ToUpper(d.Method)),
		attribute.Int("http.response.status_code", d.Status), attribute.String("aws.request_id", d.ID),
		attribute.Int64("http.request.body.size", d.BytesIn), attribute.Int64("http.response.body.size", d.BytesOut))
	if d.Code != "" {
		s.SetAttributes(attribute.String("error.type", string(d.Code)))
	}
	if d.Status >= http.StatusInternalServerError || d.Aborted {
		s.SetStatus(codes.Error, string(d.Code))
	}
}
