package object

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/alloc"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/etag"
	"github.com/cairnstore/cairn/s3api/lanes"
	"github.com/cairnstore/cairn/s3api/sse"
	"github.com/cairnstore/cairn/shard/stripe"
)

// run is the stretch of the copied range that one task stores as one extent.
type run struct{ off, length int64 }

// cut divides size bytes into runs that fit an extent each.
func (s *Service) cut(size int64, sealed bool, p alloc.Placement) []run {
	overhead := 0
	if sealed {
		overhead = sse.TagBytes
	}
	most := min(stripe.MaxPlainBytes(s.alloc.SchemeNow(p), overhead), s.cfg.ExtentMaxBytes)
	var out []run
	for off := int64(0); off < size; off += most {
		out = append(out, run{off, min(most, size-off)})
	}
	return out
}

// taskBound returns how many bytes of buffers it takes to read and write size bytes, at most.
func (s *Service) taskBound(size int64) int64 { return s.readBound(size) + s.writeBound(size) }

// parallelCopy is a re-encoding in tasks, one for each run. No task needs what another has read, so
// they may end in any order.
type parallelCopy struct {
	*copier
	runs     []run
	key      *sse.DataKey // Of the part; nil: not encrypted.
	envelope uint32       // Of key: index + 1.
	made     []*stored    // By task. Nil: the task has not begun.
	lanes    *lanes.Copy
}

// parallel stores the range as one extent a run, several at once. The copy is admitted with the
// buffers of one task, as any other request is. More tasks run at once as far as the budget has
// room, here and on other nodes. The first error ends the other tasks, and what they stored is
// deleted.
func (c *copier) parallel(ctx context.Context, runs []run) (*copiedPart, error) {
	bound := c.s.taskBound(runs[0].length)
	release, err := c.s.admit(ctx, bound)
	if err != nil {
		return nil, err
	}
	defer release()
	whole := &stored{s: c.s, at: c.at, part: &metapb.Part{Size: c.src.length()}}
	p := &parallelCopy{copier: c, runs: runs, made: make([]*stored, len(runs)), lanes: c.s.lanes.Copy(bound)}
	if p.key, p.envelope, err = whole.newKey(ctx, c.wrap); err != nil {
		return nil, err
	}
	defer p.key.Wipe()
	err = p.run(ctx)
	for _, st := range p.made {
		whole.append(st)
	}
	if err != nil {
		whole.abandon(ctx)
		return nil, err
	}
	// There is no MD5: that would have to see the extents one after the other.
	return &copiedPart{stored: whole, etag: etag.Opaque(newID()), sums: []*metapb.Checksum{whole.crc(c.algorithm)}}, nil
}

// run does all tasks. None of them runs any more when it returns.
func (p *parallelCopy) run(ctx context.Context) error {
	g, tctx := errgroup.WithContext(ctx)
	for i := range p.runs {
		at := p.lanes.Enter(tctx)
		if at == nil {
			break
		}
		p.made[i] = &stored{s: p.s, at: p.at, part: new(metapb.Part)}
		g.Go(func() error { return p.do(tctx, at, i) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if ctx.Err() != nil { // Some tasks have not begun.
		return errs.New("object.copy", errs.Canceled, context.Cause(ctx))
	}
	return nil
}

// do runs task i in a lane and leaves the lane. If another node does not do the task, it is done on
// this one.
func (p *parallelCopy) do(ctx context.Context, at *lanes.Lane, i int) error {
	err := p.work(ctx, at, i)
	p.lanes.Leave(at)
	if err == nil || at.Node == 0 || ctx.Err() != nil {
		return err
	}
	if at = p.lanes.EnterHere(ctx); at == nil {
		return err
	}
	defer p.lanes.Leave(at)
	return p.work(ctx, at, i)
}

// work runs task i on the node that the lane names.
func (p *parallelCopy) work(ctx context.Context, at *lanes.Lane, i int) (err error) {
	if at.Node != 0 {
		ended := p.s.taskEvents(TaskSent)
		defer func() { ended(err) }()
		return p.remote(ctx, at, i)
	}
	ended := p.s.taskEvents(TaskHere)
	defer func() { ended(err) }()
	return p.local(ctx, i)
}

// local runs task i on this node.
func (p *parallelCopy) local(ctx context.Context, i int) error {
	r := p.runs[i]
	src, stop := p.s.stream(ctx, p.s.sourceContent(p.src).slice(uint64(r.off), uint64(r.length)))
	defer stop()
	w := &writer{s: p.s, src: src, size: r.length, key: p.key, envelope: p.envelope, out: p.made[i]}
	return w.extents(ctx)
}

// append adds what o has stored at the end of the part. st is the one to be ended from then on.
func (st *stored) append(o *stored) {
	if o == nil {
		return
	}
	st.part.Extents = append(st.part.Extents, o.part.Extents...)
	st.extents = append(st.extents, o.extents...)
	st.runs = append(st.runs, o.runs...)
	st.grants = append(st.grants, o.grants...)
}
