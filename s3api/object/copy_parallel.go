package object

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/alloc"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/sse"
	"github.com/cairnstore/cairn/shard/stripe"
)

// run is a run of what is copied that one task stores: an extent.
type run struct{ off, length int64 }

// cut cuts size bytes into what fits an extent each.
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

// taskBound returns how many bytes of buffers reading and writing size bytes takes
// at most.
func (s *Service) taskBound(size int64) int64 { return s.readBound(size) + s.writeBound(size) }

// parallelCopy is a re-encoding in tasks, one run each. Any task may be the last:
// none needs what another has read.
type parallelCopy struct {
	*copier
	runs     []run
	key      *sse.DataKey // Of the part; nil: not encrypted.
	envelope uint32       // Of key: index + 1.
	made     []*stored    // By task; filled as they begin.
	lanes    *lanes
}

// parallel stores the range as several extents at once. The copy is admitted like
// any other request, with the buffers of one task; more run at once as far as the
// budget has room, here and on other nodes. The first error ends the rest.
func (c *copier) parallel(ctx context.Context, runs []run) (*copiedPart, error) {
	bound := c.s.taskBound(runs[0].length)
	release, err := c.s.admit(ctx, bound)
	if err != nil {
		return nil, err
	}
	defer release()
	whole := &stored{s: c.s, at: c.at, part: &metapb.Part{Size: c.src.length()}}
	p := &parallelCopy{copier: c, runs: runs, made: make([]*stored, len(runs)), lanes: newLanes(c.s, bound)}
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
	// No MD5: it would have to see the extents one after the other.
	return &copiedPart{stored: whole, etag: opaqueETag(newID()), sums: []*metapb.Checksum{whole.crc(c.algorithm)}}, nil
}

// run does all tasks. When it returns none runs any more.
func (p *parallelCopy) run(ctx context.Context) error {
	g, tctx := errgroup.WithContext(ctx)
	for i := range p.runs {
		at := p.lanes.enter(tctx)
		if at == nil {
			break
		}
		p.made[i] = &stored{s: p.s, at: p.at, part: new(metapb.Part)}
		g.Go(func() error { return p.do(tctx, at, i) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if ctx.Err() != nil { // Not all have begun.
		return errs.New("object.copy", errs.Canceled, context.Cause(ctx))
	}
	return nil
}

// do runs a task in a lane, which it leaves. What another node does not do is done
// here.
func (p *parallelCopy) do(ctx context.Context, at *lane, i int) error {
	err := p.work(ctx, at, i)
	p.lanes.leave(at)
	if err == nil || at.node == 0 || ctx.Err() != nil {
		return err
	}
	if at = p.lanes.enterHere(ctx); at == nil {
		return err
	}
	defer p.lanes.leave(at)
	return p.work(ctx, at, i)
}

func (p *parallelCopy) work(ctx context.Context, at *lane, i int) (err error) {
	if at.node != 0 {
		ended := p.s.taskEvents(TaskSent)
		defer func() { ended(err) }()
		return p.remote(ctx, at, i)
	}
	ended := p.s.taskEvents(TaskHere)
	defer func() { ended(err) }()
	return p.local(ctx, i)
}

// local reads a run and stores it.
func (p *parallelCopy) local(ctx context.Context, i int) error {
	r := p.runs[i]
	src, stop := p.s.stream(ctx, p.s.sourceContent(p.src).slice(uint64(r.off), uint64(r.length)))
	defer stop()
	w := &writer{s: p.s, src: src, size: r.length, key: p.key, envelope: p.envelope, out: p.made[i]}
	return w.extents(ctx)
}

// append adds what another has stored behind what st has.
func (st *stored) append(o *stored) {
	if o == nil {
		return
	}
	st.part.Extents = append(st.part.Extents, o.part.Extents...)
	st.extents = append(st.extents, o.extents...)
	st.runs = append(st.runs, o.runs...)
	st.grants = append(st.grants, o.grants...)
}
