package observe

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
)

// Metadata returns c with its calls timed and traced.
func (o *Observer) Metadata(c meta.Client) meta.Client {
	return &metadata{next: c, o: o, propose: o.m.metaSeconds.WithLabelValues("propose"), read: o.m.metaSeconds.WithLabelValues("read")}
}

type metadata struct {
	next          meta.Client
	o             *Observer
	propose, read interface{ Observe(float64) }
}

// Propose implements meta.Client.
func (m *metadata) Propose(ctx context.Context, cmd *metapb.Command) (r *metapb.Result, err error) {
	began := time.Now()
	defer func() { m.propose.Observe(time.Since(began).Seconds()) }()
	if m.o.t == nil {
		return m.next.Propose(ctx, cmd)
	}
	ctx, s := m.o.t.start(ctx, "metadata propose")
	if s.IsRecording() {
		s.SetAttributes(attribute.String("cairn.command", kindOf(cmd.Op)))
	}
	r, err = m.next.Propose(ctx, cmd)
	if r.GetRefusal() != metapb.Refusal_REFUSAL_NONE {
		s.SetAttributes(attribute.String("cairn.refusal", r.Refusal.String()))
	}
	end(s, err)
	return r, err
}

// Read implements meta.Client.
func (m *metadata) Read(ctx context.Context, q *metapb.Query) (a *metapb.Answer, err error) {
	began := time.Now()
	defer func() { m.read.Observe(time.Since(began).Seconds()) }()
	if m.o.t == nil {
		return m.next.Read(ctx, q)
	}
	ctx, s := m.o.t.start(ctx, "metadata read")
	if s.IsRecording() {
		s.SetAttributes(attribute.String("cairn.query", kindOf(q.Op)))
	}
	a, err = m.next.Read(ctx, q)
	end(s, err)
	return a, err
}

// kindOf returns the name of a command or query: PutObject for *metapb.Command_PutObject.
func kindOf(op any) string {
	name := fmt.Sprintf("%T", op)
	return name[strings.LastIndexByte(name, '_')+1:]
}
