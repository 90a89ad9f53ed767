package observe

import (
	"context"
	"io"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/cairnstore/cairn/cluster"
	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/shard"
)

// Places of a drive.
const (
	Local  = "local"  // On this node.
	Remote = "remote" // On another node.
)

// Operations on shards.
const (
	shardWrite  = "write"
	shardOpen   = "open"
	shardStat   = "stat"
	shardDelete = "delete"
)

// Shards returns the store of a drive with its operations timed and traced.
func (o *Observer) Shards(s shard.Store, id cluster.DriveID, place string) shard.Store {
	return &shards{next: s, o: o, drive: id, place: place}
}

type shards struct {
	next  shard.Store
	o     *Observer
	drive cluster.DriveID
	place string
}

var _ shard.Store = (*shards)(nil)

// begin begins an operation, with a span if there are traces. The caller must end it.
func (s *shards) begin(ctx context.Context, op string) (context.Context, *shardOp) {
	x := &shardOp{s: s, op: op, began: time.Now()}
	if t := s.o.t; t != nil {
		ctx, x.span = t.start(ctx, "shard "+op, attribute.String("cairn.drive", s.drive.String()), attribute.String("cairn.place", s.place))
	}
	return ctx, x
}

// shardOp is an operation that goes on. It must be ended once.
type shardOp struct {
	s     *shards
	op    string
	began time.Time
	span  trace.Span // Nil: not traced.
}

func (x *shardOp) end(err error) {
	m := &x.s.o.m
	m.shardSeconds.WithLabelValues(x.op, x.s.place).Observe(time.Since(x.began).Seconds())
	if err != nil {
		m.shardErrors.WithLabelValues(x.op, x.s.place, errs.KindOf(err).String()).Inc()
	}
	if x.span != nil {
		end(x.span, err)
	}
}

// Create implements shard.Store. The operation ends when the writer commits or aborts.
func (s *shards) Create(ctx context.Context, h shard.Header) (shard.Writer, error) {
	ctx, op := s.begin(ctx, shardWrite)
	w, err := s.next.Create(ctx, h)
	if err != nil {
		op.end(err)
		return nil, err
	}
	return &shardWriter{Writer: w, op: op}, nil
}

// shardWriter ends its operation with Commit or Abort. As every shard.Writer it belongs to one
// goroutine.
type shardWriter struct {
	shard.Writer
	op  *shardOp // Nil: it has ended.
	err error    // Of a Write that failed.
}

// Write implements shard.Writer.
func (w *shardWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if err != nil {
		w.err = err
	}
	return n, err
}

// Commit implements shard.Writer.
func (w *shardWriter) Commit(ctx context.Context) error {
	err := w.Writer.Commit(ctx)
	w.end(err)
	return err
}

// Abort implements shard.Writer.
func (w *shardWriter) Abort() {
	w.Writer.Abort()
	if w.err == nil {
		w.err = errAborted
	}
	w.end(w.err)
}

var errAborted = errs.Newf("shard.Abort", errs.Canceled, "given up by the writer")

func (w *shardWriter) end(err error) {
	if w.op != nil {
		w.op.end(err)
		w.op = nil
	}
}

// Open implements shard.Store.
func (s *shards) Open(ctx context.Context, id shard.ID, span shard.Span) (io.ReadCloser, error) {
	ctx, op := s.begin(ctx, shardOpen)
	r, err := s.next.Open(ctx, id, span)
	op.end(err)
	return r, err
}

// Stat implements shard.Store.
func (s *shards) Stat(ctx context.Context, id shard.ID) (shard.Header, error) {
	ctx, op := s.begin(ctx, shardStat)
	h, err := s.next.Stat(ctx, id)
	op.end(err)
	return h, err
}

// Delete implements shard.Store.
func (s *shards) Delete(ctx context.Context, ids []shard.ID) error {
	ctx, op := s.begin(ctx, shardDelete)
	err := s.next.Delete(ctx, ids)
	op.end(err)
	return err
}
