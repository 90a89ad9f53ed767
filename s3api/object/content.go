package object

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"

	"github.com/cairnstore/cairn/cluster/errs"
	"github.com/cairnstore/cairn/meta"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/proof"
	"github.com/cairnstore/cairn/s3api/s3err"
	"github.com/cairnstore/cairn/s3api/sse"
	"github.com/cairnstore/cairn/shard"
	"github.com/cairnstore/cairn/shard/stripe"
)

// maxRefs is how many pieces one query returns. That is 60 GiB of whole extents.
const maxRefs = 1000

// content is a run of a version's plaintext. Its pieces, each an extent or a stretch of one or
// inline bytes, are looked up a page at a time. It belongs to one goroutine.
type content struct {
	s         *Service
	id        []byte // Content id.
	multipart bool
	wrap      sse.WrappingKey // Nil: no piece is encrypted.
	first     uint64          // Where the run begins in the version.
	length    uint64
	size      uint64             // Of the whole content.
	sums      []*metapb.Checksum // What is recorded of the run.
	proof     *proof.Proof       // Nil before the run is sent. A second try goes on with the first one's.

	page   *metapb.ContentAnswer
	seen   bool         // checkPage has found the page good.
	next   int          // Index into page.pieces.
	paged  uint64       // Bytes of the run that this page and those before cover.
	opened *envelopeKey // Nil: none is open.

	// A task that came from another node brings its data keys, and all of its pieces in one page.
	// final says so: nothing is looked up.
	keys  map[*metapb.Envelope]*sse.DataKey
	final bool
}

// envelopeKey is the data key of the envelope that was opened last. One is enough: the pieces of a
// part follow one another.
type envelopeKey struct {
	envelope *metapb.Envelope
	key      *sse.DataKey
}

func (s *Service) newContent(v *metapb.Version, a *metapb.ObjectAnswer, wrap sse.WrappingKey) *content {
	id := v.ContentId
	if a.Restored {
		id = v.Restore.ContentId // The warm copy's: it has the version's parts.
	}
	return &content{s: s, id: id, multipart: v.Parts > 0, wrap: wrap, first: a.First, length: a.Length, size: v.Size,
		sums: proof.Recorded(v, a), page: a.Content, paged: a.Content.GetLength()}
}

// at returns the run from off to the end of this one. Its pieces are looked up anew.
func (c *content) at(off uint64) *content {
	return &content{s: c.s, id: c.id, multipart: c.multipart, wrap: c.wrap, first: c.first + off, length: c.length - off, size: c.size}
}

// close clears the keys that were opened.
func (c *content) close() {
	if c.opened != nil {
		c.opened.key.Wipe()
		c.opened = nil
	}
}

// held is a piece with the envelope of its data key, which is nil if the piece is not encrypted.
type held struct {
	*metapb.Piece
	envelope *metapb.Envelope
}

// piece returns the next piece of the run. After the last one it returns a held without a Piece.
// Errors: errGone where the content was dropped meanwhile; Internal where the metadata contradict
// themselves.
func (c *content) piece(ctx context.Context) (held, error) {
	for {
		if err := c.checkPage(); err != nil {
			return held{}, err
		}
		if c.next < len(c.page.GetPieces()) {
			break
		}
		if c.paged >= c.length {
			return held{}, nil
		}
		a, err := c.s.query(ctx, Request{}, &metapb.Query{Op: &metapb.Query_Content{Content: &metapb.GetContent{
			ContentId: c.id, Multipart: c.multipart, Offset: c.first + c.paged, Length: c.length - c.paged, MaxRefs: maxRefs}}})
		if isRefusal(err, metapb.Refusal_REFUSAL_NO_SUCH_VERSION) {
			return held{}, errGone
		}
		if err != nil {
			return held{}, err
		}
		if a.Content.GetLength() == 0 {
			return held{}, errs.Newf("object.content", errs.Internal, "content %x has nothing at %d", c.id, c.first+c.paged)
		}
		c.page, c.next, c.paged, c.seen = a.Content, 0, c.paged+a.Content.Length, false
	}
	p := held{Piece: c.page.Pieces[c.next]}
	c.next++
	if i := int(p.Ref.GetEnvelope()); i > len(c.page.Envelopes) {
		return held{}, errs.Newf("object.content", errs.Internal, "content %x: a piece is sealed under an envelope that is not there", c.id)
	} else if i > 0 {
		p.envelope = c.page.Envelopes[i-1]
	}
	return p, nil
}

// checkPage compares a page with what it should be: the pieces of this content that follow the ones
// before. No piece of another page is used, so a read is never answered with other bytes
// (docs/architecture.md, "Reading"). A leader of an older release does not say whose a page is;
// then only the lengths are compared.
func (c *content) checkPage() error {
	if c.seen || c.page == nil {
		return nil
	}
	c.seen = true
	var sum uint64
	for _, p := range c.page.Pieces {
		sum += p.Ref.GetLength()
	}
	offset := c.first + c.paged - c.page.Length
	told := len(c.page.ContentId) > 0
	if sum != c.page.Length || c.paged > c.length ||
		told && (!bytes.Equal(c.page.ContentId, c.id) || c.page.Offset != offset || c.page.ContentSize != c.size) {
		return errs.Newf("object.content", errs.Internal, "content %x: a page of the %d bytes from %d does not continue it: "+
			"it is of the %d bytes from %d of content %x of %d bytes", c.id, c.page.Length, offset, sum, c.page.Offset, c.page.ContentId,
			c.page.ContentSize)
	}
	return nil
}

// errGone is the error of a read or a copy whose object was overwritten or deleted, and dropped,
// after it was looked up.
var errGone = s3err.NoSuchKey.Say("The object was overwritten or deleted while it was read.")

// key returns the data key of a piece, or nil if it is not encrypted. The key is valid until the
// next call or close; the caller does not wipe it.
func (c *content) key(ctx context.Context, p held) (*sse.DataKey, error) {
	switch {
	case p.envelope == nil:
		return nil, nil
	case c.keys[p.envelope] != nil:
		return c.keys[p.envelope], nil
	case c.opened != nil && c.opened.envelope == p.envelope:
		return c.opened.key, nil
	case c.wrap == nil:
		return nil, errs.Newf("object.content", errs.Internal, "content %x: a piece is sealed, its object is not", c.id)
	}
	k, err := c.wrap.Unwrap(ctx, p.envelope)
	if err != nil {
		return nil, errs.Wrap("object.content", err)
	}
	c.close()
	c.opened = &envelopeKey{p.envelope, k}
	return k, nil
}

// isInline reports whether the bytes of a piece are in its record.
func isInline(p *metapb.Piece) bool { return p.Extent == nil }

// inline returns the plaintext of an inline piece.
func (c *content) inline(ctx context.Context, p held) ([]byte, error) {
	k, err := c.key(ctx, p)
	if err != nil {
		return nil, err
	}
	plain := p.Inline
	if k != nil {
		if plain, err = sse.OpenInline(k, p.InlineSealId, p.Inline); err != nil {
			return nil, err
		}
	}
	off, end := p.Ref.GetOffset(), p.Ref.GetOffset()+p.Ref.GetLength()
	if off > end || end > uint64(len(plain)) {
		return nil, errs.Newf("object.content", errs.Corrupt, "content %x: an inline piece is shorter than its record says", c.id)
	}
	return plain[off:end], nil
}

// request returns the request that reads and opens the piece of an extent.
func (c *content) request(ctx context.Context, p held) (stripe.ReadRequest, error) {
	k, err := c.key(ctx, p)
	if err != nil {
		return stripe.ReadRequest{}, err
	}
	r, err := c.s.readRequest(ctx, p.Piece)
	if err == nil && k != nil {
		r.Opener = sse.NewOpener(k, p.Extent.SealId, int64(p.Extent.PlainBytes))
	}
	return r, err
}

// readRequest returns the request that reads the packages of the piece of an extent as they are,
// sealed or not.
func (s *Service) readRequest(ctx context.Context, p *metapb.Piece) (stripe.ReadRequest, error) {
	const op = "object.content"
	t, err := s.topology.Topology(ctx)
	if err != nil {
		return stripe.ReadRequest{}, errs.Wrap(op, err)
	}
	id := shard.ExtentID{Volume: shard.VolumeID(p.Ref.Volume), Seq: p.Ref.Seq}
	v := t.Volumes[id.Volume]
	if v == nil {
		return stripe.ReadRequest{}, errs.Newf(op, errs.Unavailable, "the volume of extent %s is not known here yet", id)
	}
	r := wholeExtent(id, v, p.Extent)
	r.Offset, r.Length = int64(p.Ref.Offset), int64(p.Ref.Length)
	return r, nil
}

// wholeExtent returns the request that reads all packages of an extent as they are.
func wholeExtent(id shard.ExtentID, v *shard.Volume, e *metapb.Extent) stripe.ReadRequest {
	return stripe.ReadRequest{Extent: id, Volume: v, Geometry: meta.Geometry(v, e),
		Length: int64(e.PlainBytes), Known: shard.SlotSet(e.Missing)}
}

// writeTo waits for buffers and sends the run to w.
func (c *content) writeTo(ctx context.Context, w io.Writer) (int64, error) {
	release, err := c.s.admitClient(ctx, c.s.reads, c.bound())
	if err != nil {
		return 0, err
	}
	defer release()
	n, err := c.sendAll(ctx, w)
	c.s.events.Read(n)
	return n, err
}

// bound returns how many bytes of buffers it takes to read the run, at most.
func (c *content) bound() int64 {
	if c.paged >= c.length && !slices.ContainsFunc(c.page.GetPieces(), func(p *metapb.Piece) bool { return !isInline(p) }) {
		return int64(c.length)
	}
	return c.s.readBound(int64(c.length))
}

// sendAll sends the run to w. If an extent cannot be read, it may have been moved since it was
// looked up. So the rest of the run is looked up once more before the read fails.
func (c *content) sendAll(ctx context.Context, w io.Writer) (int64, error) {
	n, err := c.send(ctx, w)
	if moved(err) && !c.final && ctx.Err() == nil {
		var more int64
		rest := c.at(uint64(n))
		rest.proof = c.proof
		more, err = rest.send(ctx, w)
		n += more
	}
	return n, err
}

// moved reports whether a read that failed so may succeed after the extents are looked up again.
func moved(err error) bool {
	if err == nil || errors.Is(err, errWriting) || errors.Is(err, proof.ErrWrong) {
		return false
	}
	k := errs.KindOf(err)
	return k == errs.Unavailable || k == errs.NotFound || k == errs.Corrupt
}

// errWriting marks an error of the receiver: the store is not to blame.
var errWriting = errors.New("the receiver failed")

// opened is a piece that is being read.
type opened struct {
	io.ReadCloser
	piece  *metapb.Piece
	length int64
	err    error // Why it could not be opened.
}

func (o *opened) close() {
	if o != nil && o.ReadCloser != nil {
		_ = o.Close()
	}
}

// open opens the next piece, whose first stripes are fetched from then on. It returns nil after the
// last piece.
func (c *content) open(ctx context.Context) *opened {
	p, err := c.piece(ctx)
	if p.Piece == nil && err == nil {
		return nil
	}
	if err != nil {
		return &opened{err: err}
	}
	o := &opened{piece: p.Piece, length: int64(p.Ref.GetLength())}
	if isInline(p.Piece) {
		var b []byte
		b, o.err = c.inline(ctx, p)
		o.ReadCloser = io.NopCloser(bytes.NewReader(b))
		return o
	}
	var r stripe.ReadRequest
	if r, o.err = c.request(ctx, p); o.err == nil {
		o.ReadCloser = c.s.engine.NewReader(ctx, r)
	}
	return o
}

// send sends the pieces in order. Shortly before one ends, the next one is opened, so that its
// first stripes are here when they are wanted. The last bytes of a piece, and of the run, are sent
// only if the piece, and the run, agree with what is recorded of them.
func (c *content) send(ctx context.Context, w io.Writer) (n int64, err error) {
	defer c.close()
	if c.proof == nil {
		c.proof = proof.New(c.id, c.length, c.sums, c.s.events.WrongSum)
	}
	cur := c.open(ctx)
	for cur != nil {
		if cur.err != nil {
			return n, cur.err
		}
		c.proof.Begin(cur.piece)
		to := &aheadWriter{w: w, proof: c.proof, left: cur.length, open: func() *opened { return c.open(ctx) }}
		m, err := io.Copy(to, cur)
		n += m
		cur.close()
		if err != nil {
			to.next.close()
			return n, err
		}
		if to.open != nil { // The piece had no bytes, so Write was not called.
			to.ahead()
		}
		cur = to.next
	}
	return n, nil
}

// aheadBytes is how long before the end of a piece the next one is opened. A fast client takes some
// milliseconds for it, and one more stripe is in memory.
const aheadBytes = 1 << 20

// aheadWriter sends one piece. It compares it with its record, marks errors of the receiver, and
// opens the next piece in time.
type aheadWriter struct {
	w     io.Writer
	proof *proof.Proof
	left  int64
	open  func() *opened // Opens the next piece. Nil once it was called.
	next  *opened        // What open returned.
}

func (a *aheadWriter) ahead() { a.next, a.open = a.open(), nil }

// Write implements io.Writer.
func (a *aheadWriter) Write(p []byte) (int, error) {
	if a.left -= int64(len(p)); a.left <= aheadBytes && a.open != nil {
		a.ahead()
	}
	if err := a.proof.Add(p); err != nil {
		return 0, err
	}
	n, err := a.w.Write(p)
	if err != nil {
		err = errors.Join(errWriting, err)
	}
	return n, err
}
