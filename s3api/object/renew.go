package object

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta/alloc"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/proof"
	"github.com/cairnstore/cairn/shard"
)

// Bounds of one command that brings a step of a renewed content.
const (
	warmStepExtents = 64      // New extents: some gigabytes, which a failure makes do again.
	warmStepBytes   = 1 << 20 // Records of parts, about.
)

// What a node does for renewed contents at once, and how patient it is. Patience pays: a content
// that is given up is begun anew.
const (
	warmParallel = 2               // Extents that are re-encoded at once, for all contents together.
	warmTries    = 3               // Tries for one extent.
	warmPause    = 5 * time.Second // Between two tries.
)

// renewing is a second content of a version that is being made: the same parts over other extents,
// of a placement's scheme. It is made in steps, each of which is committed by a command. Packages
// are copied as they are, so no key is needed (docs/architecture.md, "Cold objects").
type renewing struct {
	s       *Service
	it      *metapb.WorkItem
	at      alloc.Placement
	command func(brought) *metapb.Command // Returns the command that commits a step.
	layout  *metapb.Layout
	renewed map[shard.ExtentID]*renewal // By the old extent: parts may share one.

	// What the step under way has gathered.
	parts []*metapb.Part
	bytes int         // How large the records of parts are, about.
	fresh []*renewal  // Extents to be re-encoded.
	refs  []*newPlace // References that are to name the new extents.

	inRecord bool // The version lies in its record: there is no extent to renew.
}

// brought is what a step brings.
type brought struct {
	parts   []*metapb.Part
	extents []*metapb.NewExtent
	layout  *metapb.Layout // With the last step of a version of several parts.
	done    bool           // It is the last step.
	nothing bool           // The version lies in its record, so there is no new content.
}

func newRenewing(s *Service, it *metapb.WorkItem, at alloc.Placement) *renewing {
	return &renewing{s: s, it: it, at: at, layout: new(metapb.Layout), renewed: make(map[shard.ExtentID]*renewal)}
}

// renewal is an extent that is re-encoded.
type renewal struct {
	old *metapb.Piece  // A piece of the old extent.
	id  shard.ExtentID // The new extent, once it is made.
}

// newPlace is a reference and the extent that it is to name.
type newPlace struct {
	ref *metapb.ExtentRef
	to  *renewal
}

// run makes the content and commits all its steps. After an error, what the earlier steps have
// committed stays, and the next try drops it.
func (w *renewing) run(ctx context.Context) error {
	version := w.it.Version
	most := max(version.Parts, 1)
	// The numbers of parts may have gaps. Which parts there are is found out by asking for each.
	for number := uint32(1); uint32(len(w.layout.Numbers)) < most && number <= MaxPartNumber; number++ {
		part, err := w.part(ctx, number)
		if err != nil {
			return err
		}
		if part == nil {
			continue
		}
		w.layout.Numbers, w.layout.Sizes = append(w.layout.Numbers, number), append(w.layout.Sizes, part.Size)
		if w.bytes >= warmStepBytes && uint32(len(w.layout.Numbers)) < most {
			if err := w.commit(ctx, false); err != nil {
				return err
			}
			w.parts, w.bytes = nil, 0
		}
	}
	if version.Parts == 0 && len(w.renewed) == 0 {
		w.parts, w.inRecord = nil, true
	}
	return w.commit(ctx, true)
}

// part adds the part of a number to the content and returns it, or nil if the version has no such
// part. It commits steps as they become full.
func (w *renewing) part(ctx context.Context, number uint32) (*metapb.Part, error) {
	q := versionOf(w.it)
	q.Range, q.Part, q.MaxRefs = metapb.RangeKind_RANGE_PART, number, maxRefs
	a, err := w.s.query(ctx, Request{}, &metapb.Query{Op: &metapb.Query_Object{Object: q}})
	if err != nil {
		return nil, err
	}
	o := a.Object
	switch {
	case string(o.Version.ContentId) != string(w.it.Version.ContentId):
		return nil, refused(metapb.Refusal_REFUSAL_PRECONDITION_FAILED, "the version was overwritten")
	case o.Unsatisfiable:
		return nil, nil
	}
	part := &metapb.Part{Number: number, Etag: o.PartEtag, Checksums: o.PartChecksums}
	w.parts = append(w.parts, part)
	pieces := w.s.newContent(o.Version, o, nil)
	for {
		p, err := pieces.piece(ctx)
		switch {
		case err != nil:
			return nil, err
		case p.Piece == nil && part.Size != o.PartSize:
			return nil, errs.Newf("object.warm", errs.Internal, "part %d of %x is shorter than its layout says", number, o.Version.ContentId)
		case p.Piece == nil:
			w.bytes += proto.Size(part)
			return part, nil
		case isInline(p.Piece):
			part.Inline, part.InlineSealId = p.Inline, p.InlineSealId
		case len(w.fresh) >= warmStepExtents:
			if err := w.commit(ctx, false); err != nil {
				return nil, err
			}
			// The part was committed as far as it went. The next step brings all of it again.
			w.parts, w.bytes = []*metapb.Part{part}, 0
		}
		w.add(part, p)
	}
}

// add adds a piece to a part. Its reference names the new extent when the step is committed.
func (w *renewing) add(part *metapb.Part, p held) {
	part.Size += p.Ref.Length
	envelope := uint32(0)
	if p.envelope != nil {
		if n := len(part.Envelopes); n == 0 || part.Envelopes[n-1] != p.envelope {
			part.Envelopes = append(part.Envelopes, p.envelope)
		}
		envelope = uint32(len(part.Envelopes))
	}
	if isInline(p.Piece) {
		return
	}
	old := shard.ExtentID{Volume: shard.VolumeID(p.Ref.Volume), Seq: p.Ref.Seq}
	r := w.renewed[old]
	if r == nil {
		r = &renewal{old: p.Piece}
		w.renewed[old], w.fresh = r, append(w.fresh, r)
	}
	ref := &metapb.ExtentRef{Offset: p.Ref.Offset, Length: p.Ref.Length, Envelope: envelope}
	part.Extents = append(part.Extents, ref)
	w.refs = append(w.refs, &newPlace{ref, r})
}

// commit re-encodes the extents of the step and commits it; done says that it is the last one.
func (w *renewing) commit(ctx context.Context, done bool) error {
	st := &stored{s: w.s, at: w.at}
	if err := w.renew(ctx, st); err != nil {
		st.abandon(ctx)
		return err
	}
	for _, p := range w.refs {
		p.ref.Volume, p.ref.Seq = uint32(p.to.id.Volume), p.to.id.Seq
	}
	b := brought{parts: w.parts, extents: st.extents, done: done, nothing: w.inRecord}
	if done && w.it.Version.Parts > 0 {
		b.layout = w.layout
	}
	_, err := w.s.commitStored(ctx, Request{}, st, w.command(b))
	w.fresh, w.refs = nil, nil
	return err
}

// renew re-encodes the extents of the step.
func (w *renewing) renew(ctx context.Context, st *stored) error {
	var mu sync.Mutex
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(warmParallel)
	for _, r := range w.fresh {
		g.Go(func() error {
			x, rec, err := w.s.renewPatiently(gctx, r.old, w.at)
			if err != nil {
				return err
			}
			r.id = x.grant.ID
			mu.Lock()
			defer mu.Unlock()
			st.grants = append(st.grants, x)
			st.extents = append(st.extents, newExtent(x.grant, rec))
			return nil
		})
	}
	return g.Wait()
}

// renewPatiently is Service.renew, when its turn has come. While clients keep the buffers busy it
// waits, and it tries again what is away for a moment.
func (s *Service) renewPatiently(ctx context.Context, p *metapb.Piece, at alloc.Placement) (*extentWrite, *metapb.Extent, error) {
	select {
	case s.renewals <- struct{}{}:
		defer func() { <-s.renewals }()
	case <-ctx.Done():
		return nil, nil, errs.New("object.warm", errs.Canceled, context.Cause(ctx))
	}
	for try := 1; ; {
		x, rec, err := s.renew(ctx, p, at)
		kind := errs.KindOf(err)
		switch {
		case kind == errs.Unavailable && try < warmTries:
			try++
		case kind != errs.Overloaded:
			return x, rec, err
		}
		select {
		case <-time.After(warmPause):
		case <-ctx.Done():
			return nil, nil, errs.New("object.warm", errs.Canceled, context.Cause(ctx))
		}
	}
}

// renew re-encodes the extent of a piece to a volume of a placement. The grant of what it returns
// is to be resolved.
func (s *Service) renew(ctx context.Context, p *metapb.Piece, at alloc.Placement) (*extentWrite, *metapb.Extent, error) {
	bound := min(s.taskBound(int64(p.Extent.PlainBytes)), s.budget.Total())
	if err := s.budget.Acquire(ctx, bound); err != nil {
		return nil, nil, err
	}
	defer s.budget.Release(bound)
	src, err := s.readRequest(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	g, to, err := s.reencodeTo(ctx, at, src)
	if err == nil {
		if err = proof.SameExtent(p.Extent, to); err != nil {
			s.discard(ctx, g, nil)
		}
	}
	if err != nil {
		return nil, nil, err
	}
	return &extentWrite{grant: g, plain: int64(p.Extent.PlainBytes)}, movedRecord(p.Extent, to), nil
}
