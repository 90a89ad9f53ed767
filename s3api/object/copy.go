package object

import (
	"bytes"
	"context"

	"github.com/cairnstore/cairn/meta/alloc"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/sse"
)

// copier makes a part of a source's range: by reference, or by re-encoding it.
type copier struct {
	s    *Service
	of   Request
	src  *source
	wrap sse.WrappingKey // Of the destination; nil: not encrypted.
	at   alloc.Placement // Where new extents of the destination go.

	algorithm string // The checksum that the part must have; empty: those that need no reading.
	wantMD5   bool   // The ETag must be an MD5, unless what the key encrypts has none (hasMD5).
	pin       []byte // The id of the pin that keeps the source's extents; empty: there is none.
	unpin     func() // Drops the pin; nil: there is none.
}

// copiedPart is a part that a copier made and nobody has committed.
type copiedPart struct {
	*stored
	etag        string
	sums        []*metapb.Checksum
	byReference bool
}

// SourceVersionID implements Copy.
func (c *copier) SourceVersionID() string {
	return ShownVersionID(c.src.answer.Bucket, c.src.version())
}

// Close implements Copy.
func (c *copier) Close() {
	if c.unpin != nil {
		c.unpin()
		c.pin, c.unpin = nil, nil
	}
}

// hold pins the source's extents if reading them may outlast the grace period of garbage
// (Config.PinAboveBytes). If one of them is gone, it may have been moved, so the source is looked
// up once more.
func (c *copier) hold(ctx context.Context) error {
	if c.src.length() <= uint64(c.s.cfg.PinAboveBytes) || !c.reads() {
		return nil
	}
	err := c.addPin(ctx)
	if !isRefusal(err, metapb.Refusal_REFUSAL_EXTENT_GONE) {
		return err
	}
	if err := c.lookAgain(ctx); err != nil {
		return err
	}
	return c.addPin(ctx)
}

// reads reports whether making the part reads from the source, or may.
func (c *copier) reads() bool {
	return !c.shares() || c.algorithm != "" || c.wantMD5
}

// addPin pins the source's extents. The caller calls Close, which drops the pin.
func (c *copier) addPin(ctx context.Context) error {
	pieces, err := c.s.sourceContent(c.src).pieces(ctx, maxPinRefs)
	if err != nil {
		return err
	}
	var refs []*metapb.ExtentRef
	for _, p := range pieces {
		if !isInline(p.Piece) {
			refs = append(refs, &metapb.ExtentRef{Volume: p.Ref.Volume, Seq: p.Ref.Seq})
		}
	}
	if len(refs) == 0 {
		return nil
	}
	// Close drops the pin also where it is not known whether it was added. A pin that stays all the
	// same ends with this node's session.
	c.pin = newID()
	drop := &metapb.Command{Op: &metapb.Command_DropPins{DropPins: &metapb.DropPins{Pins: [][]byte{c.pin}}}}
	c.unpin = func() { _, _ = c.s.commit(ctx, Request{}, drop) }
	_, err = c.s.commit(ctx, Request{}, &metapb.Command{Op: &metapb.Command_AddPin{AddPin: &metapb.AddPin{Pin: c.pin, Extents: refs}}})
	if isRefusal(err, metapb.Refusal_REFUSAL_EXTENT_GONE) {
		c.pin, c.unpin = nil, nil
	}
	return err
}

// maxPinRefs bounds the references of one pin. A part of 5 GiB has as many if its extents have 320
// KiB. A source with more is not pinned: its extents stay for the grace period of garbage.
const maxPinRefs = 16384

// lookAgain looks the source up once more after one of its extents was gone, which may have been
// moved. It returns errGone if the key has another version by now.
func (c *copier) lookAgain(ctx context.Context) error {
	src, err := c.s.lookUp(ctx, c.of, c.src.in)
	if err != nil {
		return err
	}
	if !bytes.Equal(src.version().ContentId, c.src.version().ContentId) {
		return errGone
	}
	src.wrap = c.src.wrap
	c.src = src
	return nil
}

// make makes the part by reference if it can, else by re-encoding.
func (c *copier) make(ctx context.Context) (*copiedPart, error) {
	if c.shares() {
		p, err := c.refer(ctx)
		if p != nil || err != nil {
			return p, err
		}
	}
	return c.reencode(ctx)
}
