package object

import (
	"context"
	"errors"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/alloc"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/checksum"
	"github.com/cairnstore/cairn/s3api/proof"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sse"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/stripe"
)

// stored is plaintext that lies in the store and is not committed: the record of its part, and the
// extents that a commit makes known. Whoever has one ends it with commitStored, settle or abandon.
type stored struct {
	s       *Service
	at      alloc.Placement // Where new extents go.
	part    *metapb.Part    // Inline bytes or extents, envelopes, size.
	extents []*metapb.NewExtent
	runs    []proof.Run    // The plaintext in order, with the CRCs that are known of it.
	grants  []*extentWrite // The numbers of the extents, which are this node's until resolved.
}

// extentWrite is an extent that is being written, or was.
type extentWrite struct {
	grant   alloc.Grant
	pending *stripe.Pending // Nil: it was re-encoded, here or on another node.
	sealID  []byte
	plain   int64
}

// newKey makes a data key for what the part stores from now on and adds its envelope to the part.
// It returns the key, which the caller wipes, and the index + 1 of the envelope. If wrap is nil,
// nothing is encrypted: there is no key and the index is 0.
func (st *stored) newKey(ctx context.Context, wrap sse.WrappingKey) (*sse.DataKey, uint32, error) {
	if wrap == nil {
		return nil, 0, nil
	}
	key := sse.NewDataKey()
	env, err := wrap.Wrap(ctx, key)
	if err != nil {
		key.Wipe()
		return nil, 0, err
	}
	st.part.Envelopes = append(st.part.Envelopes, env)
	return key, uint32(len(st.part.Envelopes)), nil
}

// writer stores plaintext as one part.
type writer struct {
	s      *Service
	src    io.Reader
	size   int64
	digest func([]byte) // Sees the plaintext in order; nil: nothing does.

	key      *sse.DataKey // Nil: not encrypted.
	envelope uint32       // Of key: index + 1 into the part's envelopes.
	out      *stored
}

// store reads size bytes from src and stores them. If wrap is not nil, they are encrypted under a
// fresh data key. digest, unless it is nil, sees the plaintext in order. After an error nothing is
// left in the store, except what a drive could not be told to delete. Errors of src come back
// unchanged.
func (s *Service) store(ctx context.Context, at alloc.Placement, src io.Reader, size int64, wrap sse.WrappingKey, digest func([]byte)) (*stored, error) {
	w := &writer{s: s, src: src, size: size, digest: digest,
		out: &stored{s: s, at: at, part: &metapb.Part{Size: uint64(size)}}}
	if size == 0 {
		return w.out, nil
	}
	var err error
	if w.key, w.envelope, err = w.out.newKey(ctx, wrap); err != nil {
		return nil, err
	}
	defer w.key.Wipe()
	if size <= s.cfg.InlineMaxBytes {
		err = w.inline()
	} else {
		err = w.extents(ctx)
	}
	if err != nil {
		w.out.abandon(ctx)
		return nil, err
	}
	return w.out, nil
}

// inline reads the plaintext into the part's record.
func (w *writer) inline() error {
	plain := make([]byte, w.size)
	if _, err := io.ReadFull(w.src, plain); err != nil {
		return shortBody(err)
	}
	if w.digest != nil {
		w.digest(plain)
	}
	w.out.runs = []proof.Run{proof.Computed(w.size, stripe.SumsOf(plain))}
	if w.key == nil {
		w.out.part.Inline = plain
		return nil
	}
	w.out.part.InlineSealId = sse.NewSealID()
	w.out.part.Inline = sse.SealInline(w.key, w.out.part.InlineSealId, plain)
	clear(plain)
	return nil
}

// shortBody turns the end of a body that is too short into IncompleteBody and returns any other
// error as it is. It compares the error itself and not its chain: an unexpected end that comes from
// another node is not the client's fault.
func shortBody(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return s3err.IncompleteBody.Because(err)
	}
	return err
}

// extents writes one extent after the other. Each becomes durable while the next one is being
// written.
func (w *writer) extents(ctx context.Context) error {
	var last *extentWrite
	done := int64(0)
	for {
		left, err := w.left(done)
		if err != nil {
			return err
		}
		if left == 0 {
			break
		}
		x, err := w.write(ctx, left)
		if last != nil {
			if e := w.finish(ctx, last); e != nil && err == nil {
				err = e
			}
		}
		if err != nil {
			return err
		}
		last, done = x, done+x.plain
	}
	if _, ok := w.src.(LateBody); ok {
		w.out.part.Size = uint64(done)
	}
	if last == nil {
		return nil // A LateBody that turned out to be empty.
	}
	return w.finish(ctx, last)
}

// left returns how many bytes are certain to follow the first done ones; 0: none.
func (w *writer) left(done int64) (int64, error) {
	late, ok := w.src.(LateBody)
	if !ok {
		return w.size - done, nil
	}
	n, _, err := late.Next()
	return n, err
}

func (w *writer) overhead() int {
	if w.key == nil {
		return 0
	}
	return sse.TagBytes
}

// write sends the next extent to a volume. If that fails before a byte of the source was read, it
// goes to another one.
func (w *writer) write(ctx context.Context, left int64) (*extentWrite, error) {
	var avoid []shard.VolumeID
	for try := 1; ; try++ {
		g, err := w.s.alloc.Grant(ctx, w.out.at, avoid...)
		if err != nil {
			return nil, err
		}
		x, counted, err := w.writeTo(ctx, g, left)
		if err == nil {
			return x, nil
		}
		if counted.err != nil {
			return nil, shortBody(counted.err) // The client's fault, whatever else broke.
		}
		kind := errs.KindOf(err)
		elsewhere := kind == errs.Unavailable || kind == errs.NoSpace
		if counted.n > 0 || !elsewhere || try >= w.s.cfg.WriteTries || ctx.Err() != nil {
			return nil, err
		}
		w.s.events.VolumeSwitch(g.Volume.ID, err)
		avoid = append(avoid, g.Volume.ID)
	}
}

// writeTo begins to write up to left bytes of the source as one extent.
func (w *writer) writeTo(ctx context.Context, g alloc.Grant, left int64) (*extentWrite, *countingReader, error) {
	most := min(stripe.MaxPlainBytes(g.Volume.Scheme, w.overhead()), w.s.cfg.ExtentMaxBytes)
	x := &extentWrite{grant: g, plain: min(left, most)}
	src := &countingReader{r: w.src, want: x.plain}
	req := stripe.WriteRequest{Extent: g.ID, Volume: g.Volume, PlainBytes: x.plain, Source: src, Digest: w.digest}
	if w.key != nil {
		x.sealID = sse.NewSealID()
		req.Sealer = sse.NewSealer(w.key, x.sealID, x.plain)
	}
	p, err := w.s.engine.Write(ctx, req)
	if err != nil {
		w.s.alloc.Resolve(g.ID)
		return nil, src, err
	}
	x.pending = p
	w.out.grants = append(w.out.grants, x)
	return x, src, nil
}

// finish waits until an extent is durable and adds it to the part. An extent that reached k shards
// but no quorum is re-encoded from these to another volume, because the source may not be there any
// more.
func (w *writer) finish(ctx context.Context, x *extentWrite) error {
	done, err := x.pending.Wait()
	if err != nil {
		return err
	}
	w.s.alloc.Suspect(x.grant.Volume, done.Missing())
	sums := done.Sums
	if !done.Quorum() {
		if done, err = w.salvage(ctx, x, done); err != nil {
			return err
		}
	}
	done.Sums = sums // Re-encoding has no plaintext to compute CRCs of where packages are sealed.
	w.out.add(x, extentRecord(done, x.sealID), w.envelope)
	return nil
}

// add adds a durable extent to the part.
func (st *stored) add(x *extentWrite, rec *metapb.Extent, envelope uint32) {
	id := x.grant.ID
	st.part.Extents = append(st.part.Extents, &metapb.ExtentRef{Volume: uint32(id.Volume), Seq: id.Seq,
		Length: uint64(x.plain), Envelope: envelope})
	st.extents = append(st.extents, newExtent(x.grant, rec))
	st.runs = append(st.runs, proof.OfExtent(rec))
	if m := shard.SlotSet(rec.Missing); m != 0 {
		st.s.events.ShortWrite(id, m.Len())
	}
}

// newExtent returns an extent as a commit makes it known. Apply compares the volume's epoch with
// the one that it knows: the shards lie where the slots of that epoch were.
func newExtent(g alloc.Grant, rec *metapb.Extent) *metapb.NewExtent {
	return &metapb.NewExtent{Volume: uint32(g.ID.Volume), Seq: g.ID.Seq, Extent: rec, VolumeEpoch: g.Volume.Epoch}
}

// extentRecord returns the record of an extent that was written from plaintext.
func extentRecord(done stripe.Written, sealID []byte) *metapb.Extent {
	rec, sums := meta.ExtentOf(done.Geometry), done.Sums
	rec.SealId, rec.Missing = sealID, uint32(done.Missing())
	rec.Crc64, rec.Crc32, rec.Crc32C, rec.HasCrcs = sums.CRC64, sums.CRC32, sums.CRC32C, true
	return rec
}

// salvage re-encodes an extent that has k shards, but no quorum, to another volume, and deletes
// what was written of it.
func (w *writer) salvage(ctx context.Context, x *extentWrite, done stripe.Written) (stripe.Written, error) {
	old, oldPending := x.grant, x.pending
	src := stripe.ReadRequest{Extent: old.ID, Volume: old.Volume, Geometry: done.Geometry,
		Length: x.plain, Known: done.Missing()}
	g, to, err := w.s.reencodeTo(ctx, w.out.at, src, old.Volume.ID)
	if err != nil {
		return done, err
	}
	if err := proof.SameExtent(extentRecord(done, x.sealID), to); err != nil {
		w.s.discard(ctx, g, nil)
		return done, err
	}
	w.s.events.Salvaged(old.ID, g.ID)
	x.grant, x.pending = g, nil
	w.s.discard(ctx, old, oldPending)
	return to, nil
}

// reencodeTo re-encodes the extent of src to a volume that is not among avoid, until one takes a
// quorum of its shards. The caller resolves the grant. On an error nothing is to be resolved.
func (s *Service) reencodeTo(ctx context.Context, p alloc.Placement, src stripe.ReadRequest, avoid ...shard.VolumeID) (alloc.Grant, stripe.Written, error) {
	for try := 1; ; try++ {
		g, err := s.alloc.Grant(ctx, p, avoid...)
		if err != nil {
			return g, stripe.Written{}, err
		}
		to, err := s.engine.Reencode(ctx, src, g.ID, g.Volume)
		if err == nil && to.Quorum() {
			return g, to, nil
		}
		if err == nil {
			s.engine.Remove(context.WithoutCancel(ctx), g.ID, g.Volume)
			s.alloc.Suspect(g.Volume, to.Missing())
			err = errs.Newf("object.reencode", errs.Unavailable, "extent %s: %d of %d shards durable", g.ID,
				to.Durable.Len(), g.Volume.Scheme.N())
		}
		s.alloc.Resolve(g.ID)
		if try >= s.cfg.WriteTries || ctx.Err() != nil {
			return g, to, err
		}
		s.events.VolumeSwitch(g.Volume.ID, err)
		avoid = append(avoid, g.Volume.ID)
	}
}

// settle gives back the extent numbers of what was committed, or may have been. From here on only
// the metadata say which shards are wanted: deleting any could lose data that was acknowledged.
func (st *stored) settle() {
	for _, x := range st.grants {
		st.s.alloc.Resolve(x.grant.ID)
	}
	st.grants = nil
}

// abandon deletes what will not be committed.
func (st *stored) abandon(ctx context.Context) {
	var all errgroup.Group
	all.SetLimit(abandonAtOnce)
	for _, x := range st.grants {
		all.Go(func() error { st.s.discard(ctx, x.grant, x.pending); return nil })
	}
	_ = all.Wait() // Discarding fails nothing.
	st.grants = nil
}

// abandonAtOnce bounds how many extents are deleted at once: a drive that does not answer holds up
// one for seconds.
const abandonAtOnce = 16

// discard deletes an extent's shards, also after the client has gone. Shards that cannot be deleted
// now are found as orphans when the lease of the number has ended.
func (s *Service) discard(ctx context.Context, g alloc.Grant, p *stripe.Pending) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.MetaTimeout)
	defer cancel()
	if p == nil {
		s.engine.Remove(ctx, g.ID, g.Volume)
	} else {
		p.Discard(ctx)
	}
	s.alloc.Resolve(g.ID)
}

// commitStored commits what was stored, and ends st in any case. cmd refers to the part and the
// extents of st, so what follow changes in them is committed by the next try.
func (s *Service) commitStored(ctx context.Context, of Request, st *stored, cmd *metapb.Command) (*metapb.Result, error) {
	if err := ctx.Err(); err != nil { // The client has gone before the commit point.
		st.abandon(ctx)
		return nil, errs.New("object.commit", errs.Canceled, context.Cause(ctx))
	}
	r, err := s.commit(ctx, of, cmd)
	for try := 1; st.part != nil && try < s.cfg.WriteTries && isRefusal(err, metapb.Refusal_REFUSAL_SLOTS_MOVED); try++ {
		if failed := st.follow(ctx); failed != nil {
			err = failed
			break
		}
		r, err = s.commit(ctx, of, cmd)
	}
	switch {
	case err == nil || errors.Is(err, errUncertain):
		st.settle()
	default:
		if isRefusal(err, metapb.Refusal_REFUSAL_LEASE_GONE) {
			for _, x := range st.grants {
				s.alloc.LeaseGone(x.grant.ID)
			}
		}
		st.abandon(ctx)
	}
	return r, err
}

// countingReader counts the bytes that were read and remembers the first error of the source
// itself.
type countingReader struct {
	r       io.Reader
	n, want int64
	err     error // Not io.EOF after all that is wanted.
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if err != nil && (err != io.EOF || c.n < c.want) {
		c.err = err
	}
	return n, err
}

// crc returns a CRC of what was stored, or nil if it is not known or the algorithm is no CRC. An
// empty algorithm means CRC64NVME, which S3 stores where the client names none.
func (st *stored) crc(algorithm string) *metapb.Checksum {
	if algorithm == "" {
		algorithm = checksum.CRC64NVME
	}
	if v := proof.CRC(algorithm, st.runs); v != nil {
		return &metapb.Checksum{Algorithm: algorithm, Value: v}
	}
	return nil
}
