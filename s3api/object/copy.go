package object

import (
	"bytes"
	"context"

	"github.com/cairnstore/cairn/meta/alloc"
	"github.com/cairnstore/cairn/meta/metapb"
	"github.com/cairnstore/cairn/s3api/sse"
)

// copier makes a part of a source's range.
type copier struct {
	s    *Service
	of   Request
	src  *source
	wrap sse.WrappingKey // Of the destination; nil: not encrypted.
	at   alloc.Placement // Of the destination.

	algorithm string // Checksum wanted; empty: whatever is known.
	wantMD5   bool   // The ETag must be an MD5, unless the destination has none (hasMD5).
	pin       []byte // Holds the source's extents; empty: none.
	unpin     func() // Drops the pin. Nil: there is none.
}

// copiedPart is what a copier made, not committed yet.
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

// hold pins the source's extents if reading them may take long.
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

// reads reports whether the copy will, or may, read its source.
func (c *copier) reads() bool {
	return !c.shares() || c.algorithm != "" || c.wantMD5
}

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
	// The pin is dropped even where it is not known whether it was added. One
	// that stays all the same ends with this node's session.
	c.pin = newID()
	drop := &metapb.Command{Op: &metapb.Command_DropPins{DropPins: &metapb.DropPins{Pins: [][]byte{c.pin}}}}
	c.unpin = func() { _, _ = c.s.commit(ctx, Request{}, drop) }
	_, err = c.s.commit(ctx, Request{}, &metapb.Command{Op: &metapb.Command_AddPin{AddPin: &metapb.AddPin{Pin: c.pin, Extents: refs}}})
	if isRefusal(err, metapb.Refusal_REFUSAL_EXTENT_GONE) {
		c.pin, c.unpin = nil, nil
	}
	return err
}

// maxPinRefs bounds one pin: the references of a part of 5 GiB in extents of
// 320 KiB. Smaller ones live as long as a reader without a pin may rely on.
const maxPinRefs = 16384

// lookAgain looks the source up anew, after an extent of it was gone: it may have
// been moved. Another version is another source, though: NoSuchKey.
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
