package observe

import (
	"context"
	"io"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/cairnstore/cairn/s3api/object"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/stripe"
)

// Engine returns e wrapped in spans; e itself if there are no traces.
func (o *Observer) Engine(e object.Engine) object.Engine {
	if o.t == nil {
		return e
	}
	return &extents{Engine: e, t: o.t}
}

type extents struct {
	object.Engine
	t *tracer
}

func extentAttrs(id shard.ExtentID, v *shard.Volume) []attribute.KeyValue {
	attrs := []attribute.KeyValue{attribute.String("cairn.extent", id.String())}
	if v != nil {
		attrs = append(attrs, attribute.String("cairn.scheme", v.Scheme.String()))
	}
	return attrs
}

// Write implements object.Engine. The span ends when the bytes are handed on. The spans of the
// shards show when they are durable.
func (e *extents) Write(ctx context.Context, r stripe.WriteRequest) (*stripe.Pending, error) {
	ctx, s := e.t.start(ctx, "extent write", extentAttrs(r.Extent, r.Volume)...)
	s.SetAttributes(attribute.Int64("cairn.bytes", r.PlainBytes))
	p, err := e.Engine.Write(ctx, r)
	end(s, err)
	return p, err
}

// NewReader implements object.Engine. The span ends when the reader is closed.
func (e *extents) NewReader(ctx context.Context, r stripe.ReadRequest) io.ReadCloser {
	ctx, s := e.t.start(ctx, "extent read", extentAttrs(r.Extent, r.Volume)...)
	return &extentReader{ReadCloser: e.Engine.NewReader(ctx, r), span: s}
}

type extentReader struct {
	io.ReadCloser
	span trace.Span
	err  error
}

// Read implements io.Reader.
func (r *extentReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // As io.Reader says.
		r.err = err
	}
	return n, err
}

// Close implements io.Closer.
func (r *extentReader) Close() error {
	err := r.ReadCloser.Close()
	if r.err == nil {
		r.err = err
	}
	end(r.span, r.err)
	return err
}

// Reencode implements object.Engine.
func (e *extents) Reencode(ctx context.Context, src stripe.ReadRequest, dst shard.ExtentID, dv *shard.Volume) (stripe.Written, error) {
	ctx, s := e.t.start(ctx, "extent re-encode", extentAttrs(dst, dv)...)
	w, err := e.Engine.Reencode(ctx, src, dst, dv)
	end(s, err)
	return w, err
}
